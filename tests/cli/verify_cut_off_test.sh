#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# verify says of a restore that was cut off that it was, and in what, for a kill at each of its flushes, and the same restore
# completes it.
. "$(dirname "$0")/common.sh"

head -c 12M /dev/urandom >image.raw
sgdisk --clear -n1:2048:8191 image.raw >/dev/null
head -c 16M /dev/urandom >junk.raw
sgdisk --clear -n1:2048:30000 junk.raw >/dev/null 2>&1

seen=()
for flush in 1 2 3 4 5 6 7 8; do
  cp junk.raw disk.raw
  got=0
  strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=KILL:when=$flush \
    "$gptgrow" restore image.raw disk.raw --yes --no-verify >/dev/null 2>&1 || got=$?
  [ $got = 137 ] || break
  got=0
  "$gptgrow" verify image.raw disk.raw >out 2>err || got=$?
  "$gptgrow" verify image.raw disk.raw --json >json 2>err || true
  "$tests/cli/validate.py" "$tests/../cli/schema/verify.json" json
  cut=$(python3 -c 'import json; print(json.load(open("json"))["table"]["cut_off_restore"])')
  seen+=("$got:$cut")
  case $cut in
  data) says out "is unfinished; the same restore completes it"; says out "data: not compared" ;;
  table) says out "was cut off while it wrote the table; the same restore completes it"; says out "data: same" ;;
  *) says out "table: same" ;;
  esac
  [ "$cut" = None ] || ! grep -E '^[-+] |bytes \(- found' out >&2 || fail "fields are listed: $(cat out)"
  status 0 "$gptgrow" restore image.raw disk.raw --yes
done
[ "${seen[*]}" = "1:data 1:data 1:data 1:data 1:table 1:table 0:None" ] || fail "seen: ${seen[*]}"

# Not every empty MBR is one that was cut off.
status 0 "$gptgrow" restore image.raw disk.raw --yes
cp disk.raw whole.raw
head -c 512 /dev/zero | dd of=disk.raw conv=notrunc status=none
status 1 "$gptgrow" verify image.raw disk.raw
says out "was cut off while it wrote the table"
head -c 512 /dev/zero | dd of=disk.raw seek=$(((16 << 20) / 512 - 1)) conv=notrunc status=none
status 1 "$gptgrow" verify image.raw disk.raw
! grep 'cut off' out >&2 || fail "two damages are taken for one"
# A text that means harm is not repeated.
cp whole.raw disk.raw
printf 'unfinished restore by gptgrow, \033[31m%.0s' {1..9} | dd of=disk.raw seek=1 bs=512 conv=notrunc status=none
status 1 "$gptgrow" verify image.raw disk.raw
! grep -P '\x1b' out >&2 || fail "a disk's text reached the terminal"

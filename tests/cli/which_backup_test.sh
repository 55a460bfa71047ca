#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A disk with more tables than its own two: repair takes the one that is the disk's, or none, and says what else there is.
. "$(dirname "$0")/common.sh"

# inspected STATUS IMAGE TEXT...: inspect says it, in text and in JSON
inspected() {
  local expected=$1 name=$2 text
  shift 2
  image "$name"
  status "$expected" "$gptgrow" inspect "$name.raw"
  for text in "$@"; do says out "$text"; done
  status "$expected" "$gptgrow" inspect "$name.raw" --json
  "$tests/cli/validate.py" "$tests/../cli/schema/inspect.json" out
  python3 - "$@" <<'PYTHON' || fail "not in the warnings of $name"
import json, sys
warnings = json.load(open("out"))["warnings"]
sys.exit(not all(any(text in warning for warning in warnings) for text in sys.argv[1:]))
PYTHON
}

# relocated STATUS NAME OPTIONS...: repair of a copy, disk.raw
relocated() {
  image "$2"
  cp "$2.raw" disk.raw
  status "$1" "$gptgrow" repair disk.raw --relocate --apply --save-undo undo "${@:3}"
  rm -f undo
}

# slots SLOT...: those of disk.raw
slots() {
  [ "$(sgdisk --print disk.raw | awk '/^ +[0-9]/ { print $1 }' | xargs)" = "$*" ] || fail "not slots $*"
}

# The right one lies in the middle, a foreign one in the last LBA.
relocated 0 two-backups-foreign-array-crc-512
says err "a valid GPT of another disk is at LBA 6143, the last LBA"
slots 1 2 4 6
cmp -n 16384 -i 1024 disk.raw <(tail -c +$((4063 * 512 - 1023)) two-backups-foreign-array-crc-512.raw) ||
  fail "not the array of the backup"
relocated 0 two-backups-old-array-crc-512
says err "perhaps an older one, is at LBA 6143"
slots 1 2 4 6
relocated 0 two-backups-foreign-header-and-array-512
slots 1 2 4 6

# Nothing tells, or only the foreign one is left: nothing is written.
for name in two-backups-old-header-and-array-512 two-backups-foreign-guid-and-array-512; do
  relocated 2 "$name"
  says err "LBA 4095: DiskGUID"
  says err "LBA 6143: DiskGUID"
  cmp "$name.raw" disk.raw || fail "$name: written"
  relocated 2 "$name" --table backup
  cmp "$name.raw" disk.raw || fail "$name: written"
done
relocated 2 two-backups-foreign-alone-512
says err "seems to be of another disk"
says err "; --table backup would take it"
cmp two-backups-foreign-alone-512.raw disk.raw || fail "a foreign table is written"
relocated 0 two-backups-foreign-alone-512 --table backup
says err "may be of another disk"
# Without a header, the MBR alone tells of the backup in the middle.
relocated 2 two-backups-foreign-erased-512
says err "LBA 4095: DiskGUID"
says err "LBA 6143: DiskGUID"
cmp two-backups-foreign-erased-512.raw disk.raw || fail "a foreign table is written"

# The array goes where the header, which is right, has it.
relocated 0 primary-elsewhere-array-only-512
status 0 "$gptgrow" inspect disk.raw --json
python3 -c 'import json; d = json.load(open("out")); assert d["primary"]["partition_entry_lba"] == 8, d["primary"]'

inspected 0 two-backups-foreign-512 "a valid GPT of another disk is at LBA 6143, the last LBA"
inspected 0 two-backups-foreign-header-and-array-512 "of another disk"
inspected 0 empty-over-backup-512 "an empty table over it" "table=backup would serve that one"
inspected 0 empty-left-behind-512 "the one at LBA 4095 has 4"
inspected 0 mbr-no-records-512 "no record of type 0xEE"
inspected 0 mbr-starts-at-2-512 "no record of type 0xEE that starts at LBA 1"
inspected 0 mbr-no-55aa-512 "does not end with the bytes 55 aa"
inspected 0 truncated-data-512 "data is missing"
inspected 2 first-sector-missing-512 "a primary header stands at byte 0" "sectors are missing in the file"
inspected 2 first-sector-twice-512 "a primary header stands at byte 1024"
inspected 0 backup-of-4096-left-512 "a valid GPT for 4096-byte sectors"
inspected 0 backup-of-4096-left-array-crc-512 "a valid GPT for 4096-byte sectors"

# What is left of a use with other sectors can be brought back.
image backup-of-4096-left-512
cp backup-of-4096-left-512.raw disk.raw
status 0 "$gptgrow" repair disk.raw --relocate --sector-size 4096 --table backup --apply
status 0 "$gptgrow" inspect disk.raw --json
python3 -c 'import json; d = json.load(open("out")); assert d["sector_size_bytes"] == 4096 and d["table"] == "primary"'

# A backup that is older than the damaged primary: a partition would be lost.
truncate -s 4M older.raw
sgdisk -a 1 -n 1:64:200 -n 7:201:250 older.raw >/dev/null
cp older.raw newer.raw
sgdisk -a 1 -d 7 -n 9:600:700 newer.raw >/dev/null
dd if=older.raw of=newer.raw bs=512 skip=8159 seek=8159 count=33 conv=notrunc status=none
printf x | dd of=newer.raw bs=1 seek=$((1024 + 8 * 128 + 60)) conv=notrunc status=none
cp newer.raw newer.before
for mode in "--from older.raw" --relocate; do
  # shellcheck disable=SC2086
  status 2 "$gptgrow" repair newer.raw $mode --apply
  says err "the damaged primary table still shows a partition that would be lost: slot 9, LBA 600-700"
  cmp newer.raw newer.before || fail "written with $mode"
done
status 0 "$gptgrow" restore newer.raw new.raw --size 16M --yes --table backup
says err "an older one, lacks: slot 9"
rm new.raw

# A restore that was stopped
image esxi5-512
status 0 "$gptgrow" restore esxi5-512.raw new.raw --size 7G --yes
printf 'unfinished restore by gptgrow, x\n' | dd of=new.raw bs=512 seek=1 conv=notrunc,sync status=none
status 0 "$gptgrow" inspect new.raw
says out "a restore by gptgrow was stopped here"
dd if=/dev/zero of=new.raw bs=512 count=1 conv=notrunc status=none
dd if=/dev/zero of=new.raw bs=512 count=34 seek=$(((7 << 30) / 512 - 33)) conv=notrunc status=none
status 2 "$gptgrow" inspect new.raw
says out "run the same restore again"
grown esxi5-512.raw new.raw 6G
dd if=/dev/zero of=new.raw bs=512 count=1 conv=notrunc status=none
status 0 "$gptgrow" inspect new.raw
says out "the MBR is all zeros"

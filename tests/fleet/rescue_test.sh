#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The rescue script writes to the target that it was given, at that target's size, or to none: it says what it wanted.
. "$(dirname "$0")/../plugin/common.sh"
rescue=$tests/../examples/fleet/rescue.sh
PATH=$(realpath "${GPTGROW_BUILD:-$tests/../build/release}")/cli:$PATH

# refuses TEXT ARGUMENT...: with status 2, and that text.
refuses() {
  local got=0
  "$rescue" "${@:2}" >out 2>&1 </dev/null || got=$?
  [ $got = 2 ] && grep -qF -- "$1" out || { cat out >&2; fail "status $got, expected 2 and \"$1\": rescue.sh ${*:2}"; }
}

image holes-512
own=$(stat -c %s holes-512.raw)
nbdkit -U nbd.sock -P nbd.pid "$plugin" holes-512.raw size=export
at_exit 'kill "$(cat nbd.pid)"'
readonly kServer="nbd+unix:///?socket=$PWD/nbd.sock"

truncate -s $((own + 4096)) disk.raw
: >empty.raw
cp disk.raw before.raw
refuses "rescue.sh [--with" "$kServer"
refuses "rescue.sh [--with"
refuses "rescue.sh [--with" "$kServer" ""
refuses "rescue.sh [--with" "" disk.raw
refuses "rescue.sh [--with" --with
refuses "rescue.sh [--with" --with dd "$kServer" disk.raw
refuses "expected a block device" "$kServer" nothing.raw
[ ! -e nothing.raw ] || fail "a target that was mistyped was made"
refuses "expected a block device" "$kServer" .
refuses "0 bytes long" "$kServer" empty.raw
refuses "names an export" "nbd+unix:///8G?socket=$PWD/nbd.sock" disk.raw
refuses "names an export" "nbds://rescue@127.0.0.1/$own" disk.raw
refuses "expected nbds://" holes-512.raw disk.raw
refuses "expected nbds://" file:///etc/passwd disk.raw
refuses "nbdcopy takes none of these: --sha256" --with nbdcopy "$kServer" disk.raw --sha256 12
# These come to where something would be written.
refuses "does not serve $((own + 4096)) bytes" --with nbdcopy "nbd+unix:///?socket=$PWD/no.sock" disk.raw
refuses "no GPT" "http://127.0.0.1:1/image.zst" disk.raw
cmp disk.raw before.raw || fail "something was written"

for size in $((own + 4096)) $((own + (1 << 40))); do
  truncate -s "$size" disk.raw
  "$rescue" --with nbdcopy "$kServer" disk.raw
  model holes-512 "$size"
  same disk.raw || fail "$size bytes: not the promised disk"
done

# Too small for the image: the server says so before anything is written.
truncate -s 1M disk.raw
cp disk.raw before.raw
refuses "does not serve 1048576 bytes" --with nbdcopy "$kServer" disk.raw
cmp disk.raw before.raw || fail "something was written"

# A server without size=export
nbdkit -U other.sock -P other.pid "$plugin" holes-512.raw size="$own"
at_exit 'kill "$(cat other.pid)"'
refuses "expected 1048576" --with nbdcopy "nbd+unix:///?socket=$PWD/other.sock" disk.raw
cmp disk.raw before.raw || fail "something was written"

unchanged holes-512
[ -b "$(losetup -f 2>/dev/null)" ] || skip "no loop device here: no block device was restored"
truncate -s $((own + 8192)) disk.raw
device=$("$tests/attach_loop.sh" "$PWD/disk.raw") || skip "no loop device for this user: no block device was restored"
at_exit 'losetup -d "$device"'
"$rescue" --with nbdcopy "$kServer" "$device"
model holes-512 $((own + 8192))
same disk.raw || fail "not the promised disk on $device"
mkfs.ext4 -q -F "$device"
mkdir mnt
mount -t ext4 "$device" mnt || skip "no ext4 here"
at_exit '"$tests/while_busy.sh" umount mnt'
refuses "in use" --with nbdcopy "$kServer" "$device"
[ "$(blkid -p -o value -s TYPE "$device")" = ext4 ] || fail "a mounted disk was written"

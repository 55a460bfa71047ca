#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A partition that was grown on the disk: repair does not cut it off unasked, and can keep its end.
. "$(dirname "$0")/common.sh"
command -v growpart >/dev/null || fail "growpart is missing"

image esxi5-512
mv esxi5-512.raw image.raw
grown image.raw disk.raw 8G
growpart disk.raw 3 >tool.log 2>&1 || { cat tool.log >&2; fail "growpart"; }
end() {
  status 0 "$gptgrow" inspect "$1" --json
  python3 -c 'import json; print([p["last_lba"] for p in json.load(open("out"))["partitions"] if p["slot"] == 3][0])'
}
grown_end=$(end disk.raw) image_end=$(end image.raw)
[ "$grown_end" -gt "$image_end" ] || fail "growpart did not grow"

status 2 "$gptgrow" repair disk.raw --from image.raw
says err "slot 3 was grown on the disk from EndingLBA $image_end to $grown_end"
says err "--keep-grown would keep"
! grep -q -- "--slot" err || fail "a grown slot is offered to be cut off"

status 1 "$gptgrow" repair disk.raw --from image.raw --slot 3
says err "warning: image.raw: slot 3 was grown on the disk from EndingLBA $image_end to $grown_end"

rm -f ./*.undo
status 0 "$gptgrow" repair disk.raw --from image.raw --keep-grown --apply
[ "$(end disk.raw)" = "$grown_end" ] || fail "the end was not kept"
sgdisk --verify disk.raw | grep -q "No problems found" || fail "sgdisk --verify"
# All else is the image's: with the end of the image, nothing differs any more.
status 0 "$gptgrow" repair disk.raw --from image.raw --keep-grown
says out "nothing to repair"
rm -f ./*.undo
status 0 "$gptgrow" repair disk.raw --from image.raw --slot 3 --apply
status 0 "$gptgrow" compare image.raw disk.raw

# Over another partition of the image, the end cannot be kept.
truncate -s 2M small.raw
one=11111111-1111-1111-1111-111111111111
sgdisk --clear --set-alignment=1 -n1:64:199 -n2:300:400 -u1:$one small.raw >/dev/null
cp small.raw disk.raw
sgdisk --delete 2 --delete 1 --set-alignment=1 -n1:64:350 -u1:$one disk.raw >/dev/null
status 2 "$gptgrow" repair disk.raw --from small.raw --keep-grown
says err "slot 1 was grown to LBA 350, over slot 2 of the image at LBA 300"

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

# What is said to compare all of it does, or nothing is said to.
compares() {
  grep -o 'gptgrow verify.*' err | sed "s|^gptgrow|'$gptgrow'|" >commands
  [ "$(cat commands)" = "'$gptgrow' verify image.raw disk.raw $1" ] || { cat err >&2; fail "not said: $1"; }
  status 0 bash commands
}
kept() {
  grown "$1" disk.raw 8G
  status 0 "$gptgrow" extend disk.raw 3 --apply --save-undo undo-extend
  head -c 440 /dev/urandom | dd of=disk.raw conv=notrunc status=none
  rm -f ./*.undo undo-extend
}
kept image.raw
status 0 "$gptgrow" repair disk.raw --from image.raw --keep-grown --apply
compares "--extend 3"
cp image.raw whole.raw
printf '\xff' | dd of=image.raw bs=1 seek=568 conv=notrunc status=none
kept whole.raw
status 0 "$gptgrow" repair disk.raw --from image.raw --keep-grown --table backup --sector-size 512 --apply
compares "--extend 3 --sector-size 512 --table backup"
mv whole.raw image.raw
kept image.raw
sgdisk --move-second-header disk.raw >/dev/null
start=$(sgdisk --info=3 disk.raw | sed -n 's/First sector: \([0-9]*\).*/\1/p')
kind=$(sgdisk --info=3 disk.raw | sed -n 's/Partition GUID code: \([0-9A-F-]*\).*/\1/p')
id=$(sgdisk --info=3 disk.raw | sed -n 's/Partition unique GUID: \([0-9A-F-]*\).*/\1/p')
sgdisk --delete=3 --set-alignment=1 -n "3:$start:15000000" -t "3:$kind" -u "3:$id" disk.raw >/dev/null
rm -f ./*.undo
status 0 "$gptgrow" repair disk.raw --from image.raw --keep-grown --apply
says err "nothing compares it, as slot 3 ends neither as in the image nor at the end of the disk"
! grep -q "gptgrow verify" err || fail "a command is offered that finds a difference"

# Over another partition of the image, the end cannot be kept.
truncate -s 2M small.raw
one=11111111-1111-1111-1111-111111111111
sgdisk --clear --set-alignment=1 -n1:64:199 -n2:300:400 -u1:$one small.raw >/dev/null
cp small.raw disk.raw
sgdisk --delete 2 --delete 1 --set-alignment=1 -n1:64:350 -u1:$one disk.raw >/dev/null
status 2 "$gptgrow" repair disk.raw --from small.raw --keep-grown
says err "slot 1 was grown to LBA 350, over slot 2 of the image at LBA 300"

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What repair refuses, with which message, and that no byte of the disk changes.
. "$(dirname "$0")/common.sh"

image unused-slots-junk-512
cp unused-slots-junk-512.raw image.raw

# refused TEXT OPTIONS...: repair disk.raw with --apply says so and leaves it alone.
refused() {
  cp disk.raw before.raw
  status 2 "$gptgrow" repair disk.raw "${@:2}" --apply
  says err "$1"
  cmp disk.raw before.raw || fail "the disk changed: $*"
  [ -z "$(ls ./*.undo 2>/dev/null)" ] || fail "an undo file was left: $*"
}

image entries-128-512
image header-sizes-differ-512
image truncated-data-512

# Partitions that are not the image's
sgdisk --clear --set-alignment=1 -n1:64:200 entries-128-512.raw >/dev/null
cp entries-128-512.raw disk.raw
refused "its partitions are not those of image.raw" --from image.raw
refused "--slot 1,2,4,6 would give these slots the image's entries" --from image.raw

# A disk on which the image does not fit
cp image.raw disk.raw
truncate -s 1M disk.raw
refused "size 1048576, that of disk.raw, is too small: slot 6 ends at LBA 3071" --from image.raw

# No GPT, and two damaged ones
truncate -s 0 disk.raw
truncate -s 8M disk.raw
refused "no GPT: primary header at LBA 1" --from image.raw
refused "no GPT: primary header at LBA 1" --relocate
cp image.raw disk.raw
for at in 568 2096696; do printf '\xff' | dd of=disk.raw bs=1 seek="$at" conv=notrunc status=none; done
refused "there is no valid backup either" --from image.raw

# A disk that is too short for its own partitions: no option would help.
cp image.raw disk.raw
truncate -s 1M disk.raw
refused "is too small: slot 6 ends at LBA 3071" --relocate
! grep -q -- "--truncated" err || fail "an option is offered that does not help"

# The image itself, under every name
cp image.raw disk.raw
refused "is the image itself" --from disk.raw
ln disk.raw hard.raw
refused "is the image itself" --from hard.raw
ln -s disk.raw soft.raw
refused "is the image itself" --from soft.raw

# Slots
grown image.raw disk.raw 4M
refused "slot 3 has no entry to move" --move 3:5
refused "slot 2 is used, its entry would be lost" --move 1:2
refused "slot 129, expected 1 to 128" --move 1:129
refused "a slot is named twice" --move 1:3,1:5
refused "expected FROM:TO" --move 1-3
printf '\xff' | dd of=disk.raw bs=1 seek=568 conv=notrunc status=none
refused "the primary table is damaged" --move 1:3

# Undo files
grown image.raw disk.raw 4M
status 0 "$gptgrow" repair disk.raw --from image.raw --apply --save-undo ../"${scratch##*/}"/saved
grown image.raw disk.raw 5M
refused "the undo file is of a disk of 4194304" --undo saved
grown image.raw disk.raw 4M
printf 'other' | dd of=disk.raw bs=1 seek=610 conv=notrunc status=none
refused "hold neither what repair wrote nor what was there before" --undo saved
sed 's/^write 512/write 1024/' saved >changed
refused "damaged or cut off" --undo changed
head -c 1000 saved >changed
refused "damaged or cut off" --undo changed
refused "no undo file" --undo image.raw
grown image.raw disk.raw 4M
status 2 "$gptgrow" repair disk.raw --from image.raw --apply --save-undo saved
says err "exists; an undo file is never overwritten"
cmp -n 2097152 disk.raw image.raw || fail "written without an undo file"
chmod 000 disk.raw
if [ "$(id -u)" != 0 ]; then
  status 2 "$gptgrow" repair disk.raw --from image.raw --apply
  says err "Permission denied"
fi
chmod 600 disk.raw

# Command lines
for wrong in "repair disk.raw" "repair disk.raw --relocate --move 1:2" "repair disk.raw --relocate --slot 3" \
  "plan image.raw" "plan image.raw --size 4M --reference disk.raw" "compare image.raw" "inspect" "" "nonsense"; do
  # shellcheck disable=SC2086
  status 2 "$gptgrow" $wrong
done
status 2 "$gptgrow" inspect missing.raw
says err "missing.raw: No such file"
status 2 "$gptgrow" plan image.raw --size 4X
says err "powers of 1024"

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# extend says what it does, what grows the contents, and why it refuses; restore --extend writes the same disk, and verify and
# compare know it again.
. "$(dirname "$0")/common.sh"

image unused-slots-junk-512
mv unused-slots-junk-512.raw image.raw
grown image.raw disk.raw 4M
status 1 "$gptgrow" extend disk.raw last
says out "slot 6 would be extended from LBA 3071 to 8151"
says err "nothing is written; --apply writes"
status 1 "$gptgrow" extend disk.raw 6 --json
"$tests/cli/validate.py" "$tests/../cli/schema/extend.json" out
status 0 "$gptgrow" extend disk.raw 6 --apply --save-undo undo
says out "slot 6 is being extended from LBA 3071 to 8151"
says err "it can be put back until slot 6 is grown"
! grep -q "only while" err || fail "nothing of it is in use"
sgdisk --verify disk.raw | grep -q "No problems found" || fail "sgdisk finds problems"
status 0 "$gptgrow" extend disk.raw last --apply
says out "slot 6 ends at LBA 8151 already"

# Nothing is called done that was not.
grown image.raw other.raw 4M
for command in "extend other.raw 6" "repair other.raw --relocate"; do
  # shellcheck disable=SC2086
  status 2 "$gptgrow" $command --apply --save-undo undo
  says err "undo: exists; an undo file is never overwritten; nothing is written"
  ! grep -qE "(extended|repaired) from" out || grep -qE "is being (extended|repaired) from" out || fail "$command says: $(cat out)"
done
cmp -n 2097152 other.raw image.raw || fail "something is written"

# The same disk, restored; and known for what it is.
status 0 "$gptgrow" restore image.raw restored.raw --size 4M --extend last --yes
cmp restored.raw disk.raw || fail "restored and extended in place are not the same"
says err "slot 6: nothing in it is recognized"
status 0 "$gptgrow" verify image.raw restored.raw --extend 6
status 1 "$gptgrow" verify image.raw restored.raw
says out "partition extended to the end of the disk: slot 6"
says out "(--extend 6 compares it with image.raw as it is extended)"
status 1 "$gptgrow" verify image.raw restored.raw --table-only --json
"$tests/cli/validate.py" "$tests/../cli/schema/verify.json" out
says out '"kind":"extended"'
status 1 "$gptgrow" compare image.raw restored.raw
says out "gptgrow extend"
! grep -q "gptgrow repair" out || fail "an extended partition is no damage"
status 1 "$gptgrow" compare image.raw restored.raw --json
"$tests/cli/validate.py" "$tests/../cli/schema/compare.json" out
says out '"partition_extended"'
gzip -1 <image.raw >image.gz
status 0 "$gptgrow" restore image.gz packed.raw --size 4M --extend 6 --yes
cmp packed.raw disk.raw || fail "restored from a compressed image is not the same"
# What is read once is not said to be repaired from; what else is, with the options that it was read with.
grown image.raw other.raw 4M
status 1 "$gptgrow" verify image.gz other.raw --table-only
! grep -q "image.gz shows how" out || fail "a command is shown that does not work"
status 1 "$gptgrow" verify image.raw other.raw --table-only --table backup --sector-size 512
says out "gptgrow repair other.raw --from image.raw --sector-size 512 --table backup shows how it would be mended"
# Not without --keep-grown, which keeps it.
status 2 "$gptgrow" repair disk.raw --from image.raw
says err "slot 6 was grown"
status 0 "$gptgrow" repair disk.raw --from image.raw --keep-grown

# Refused, each with its reason, and not a byte changed.
cp disk.raw before.raw
refused() {
  status 2 "$gptgrow" extend "$2" "$1" --apply
  says err "$3"
  cmp "$2" "${4:-before.raw}" || fail "$2 changed"
}
refused 3 disk.raw "slot 3 is unused"
refused 129 disk.raw "slot 129, expected 1 to 128"
refused 2 disk.raw "behind that is slot 6"
refused first disk.raw "expected the number of a slot, from 1 on, or last"
refused 0 disk.raw "expected the number of a slot"
for name in hybrid-of-last-slot-512 full-512; do
  image "$name"
  cp "$name.raw" copy.raw
  case $name in
    hybrid*) refused 6 copy.raw "a hybrid MBR" "$name.raw" ;;
    full*) refused last copy.raw "would become shorter" "$name.raw" ;;
  esac
done
# A damaged primary is made anew from the backup, as it would be by a second run after a power cut.
image refused-array-crc-512
cp refused-array-crc-512.raw copy.raw
truncate -s +1M copy.raw
cp copy.raw relocated.raw
status 0 "$gptgrow" repair relocated.raw --relocate --apply
status 0 "$gptgrow" extend relocated.raw last --apply
status 0 "$gptgrow" extend copy.raw last --apply
cmp copy.raw relocated.raw || fail "a damaged primary: not the disk that is repaired first, and extended then"
# What extend is not sure of, repair is told; extend has no such option.
image two-backups-foreign-alone-512
status 2 "$gptgrow" extend two-backups-foreign-alone-512.raw last
says err "; first, repair --relocate --table backup would take it"
rm -f ./*.undo
[ "$(ls ./*.undo 2>/dev/null)" = "" ] || fail "an undo file of nothing"

# What grows the contents.
holds() {
  truncate -s 130M fs.raw
  sgdisk --zap-all -n "1:2048:+126M" fs.raw >/dev/null
  dd if=made.raw of=fs.raw bs=1M seek=1 conv=notrunc,sparse status=none
  truncate -s 140M fs.raw
  status 1 "$gptgrow" extend fs.raw 1
  says out "slot 1 holds $1"
  rm fs.raw made.raw
}
made() { truncate -s 126M made.raw; "$@" made.raw >/dev/null 2>&1; }
member() {
  python3 - "$1" <<'PYTHON'
import struct, sys
size = 126 << 20
with open("made.raw", "wb") as file:
    file.truncate(size)
    if sys.argv[1] == "0.90":
        file.seek((size & ~0xffff) - 0x10000)
        file.write(struct.pack("<IIII", 0xa92b4efc, 0, 90, 3))
    else:
        offset = {"1.0": size // 512 - 16 & ~7, "1.2": 8}[sys.argv[1]]
        data = 0 if sys.argv[1] == "1.0" else 2048
        block = bytearray(260)
        struct.pack_into("<II16x16s7s", block, 0, 0xa92b4efc, 1, bytes(range(16)), b"md-name")
        struct.pack_into("<IIQII", block, 72, 1, 0, size // 512 - 4096, 0, 2)
        struct.pack_into("<QQQ", block, 128, data, size // 512 - 4096, offset)
        struct.pack_into("<I", block, 220, 2)
        struct.pack_into("<HH", block, 256, 0, 1)
        total = sum(struct.unpack("<65I", block))
        struct.pack_into("<I", block, 216, (total & 0xffffffff) + (total >> 32) & 0xffffffff)
        file.seek(offset * 512)
        file.write(block)
PYTHON
}
# What would not be found any more is said before, and not made so while no array runs.
for version in 1.0 0.90.3; do
  member "${version%.3}"
  cp made.raw member.raw
  holds "linux_raid_member $version; to grow it: mdadm --grow ARRAY --size=max (at once, while the array runs"
  says out "its superblock is at the end of the partition, and is not found any more once that is longer"
  truncate -s 140M fs.raw
  sgdisk --zap-all -n "1:2048:+126M" fs.raw >/dev/null
  dd if=member.raw of=fs.raw bs=1M seek=1 conv=notrunc,sparse status=none
  truncate -s 150M fs.raw
  # What an older array left where the longer partition ends is not this one's.
  longer=$((((150 << 11) - 33) / 8 * 8 * 512 - (1 << 20)))
  dd if=member.raw of=fs.raw iflag=skip_bytes,count_bytes oflag=seek_bytes skip=$(((126 << 20) - 65536)) \
    count=4096 seek=$(((1 << 20) + longer / 65536 * 65536 - 65536)) conv=notrunc status=none
  cp fs.raw before.raw
  refused 1 fs.raw "slot 1 holds linux_raid_member $version"
  says err "nothing that runs has it now: nothing is written"
  rm fs.raw member.raw
done
member 1.2
holds "linux_raid_member; to grow it: mdadm --grow ARRAY --size=max (when all members are longer"
made mkfs.ext4 -q && holds "ext4; to grow it: resize2fs DEVICE (mounted or not)"
made mkfs.xfs -q && holds "xfs; to grow it: xfs_growfs MOUNTPOINT (while it is mounted)"
made mkfs.vfat && holds "vfat, which is not grown: the length of its allocation table is fixed"
made mkswap && holds "swap; to grow it: swapoff DEVICE && mkswap DEVICE"
made true && { printf 'LABELONE\1\0\0\0\0\0\0\0\0\0\0\0\40\0\0\0LVM2 001' |
  dd of=made.raw bs=512 seek=1 conv=notrunc status=none; holds "LVM2_member; to grow it: pvresize DEVICE"; }

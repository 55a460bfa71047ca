# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# What is written, and when it is flushed, is recorded by the kernel; every disk that a power cut could have left is looked at.
disks=("1536K raw" "2M raw" "64M raw" "1536K raw 4096" "2M raw 4096" "64M raw 4096")
image=/dev/vda

make_image() {
  local disk
  for disk in /dev/vda /dev/vdd; do
    head -c 1536K /dev/urandom >"$disk"
    sgdisk -Z "$disk"
    sgdisk -a 8 -n 1:64:+16 -n 5:104:+200 -n 3:0:+8 -t 5:0700 "$disk"
  done
}

mark() { dmsetup message recorded 0 mark "$1"; }

# What a command that writes to /dev/mapper/recorded does, under a name.
recorded() {
  local name=$1
  shift
  sync
  mark "$name:begin"
  "$@"
  mark "$name:end"
}

old_content() {
  head -c 2M /dev/urandom >"$1"
  sgdisk -Z "$1"
  sgdisk -a 8 -n 2:104:+300 "$1" || true
}

# An image at the beginning of a larger disk, with junk where the new backup goes.
grown() {  # grown IMAGE DISK
  dd if="$1" of="$2" bs=256K conv=notrunc
  dd if=/dev/urandom of="$2" bs=64K seek=31 count=1 conv=fsync
}

# What sgdisk makes of an image, in a file.
changed() {  # changed IMAGE FILE SECTOR_BYTES SGDISK_OPTION...
  local loop
  cat "$1" >"$2"
  loop=$(losetup -f)
  losetup -b "$3" "$loop" "$2"
  sgdisk "${@:4}" "$loop"
  losetup -d "$loop"
}

# Tables that move to the end of their disk: whole, with a damaged primary, with an older backup, behind a hybrid MBR.
record_extensions() {  # record_extensions IMAGE DISK SECTOR_BYTES
  local image=$1 disk=$2 s=$3
  extend() { recorded "extend-$1" gptgrow extend "$disk" "${2:-last}" --apply --save-undo "/run/undo.$1"; }
  grown "$image" "$disk"
  extend grown 3
  grown "$image" "$disk"
  printf '\xff' | dd of="$disk" bs=1 seek=$((s + 57)) conv=notrunc,fsync
  extend grown-primary-damaged
  changed "$image" /run/changed "$s" -c 5:renamed
  dd if="$image" of=/run/changed bs=32K skip=47 seek=47 conv=notrunc
  grown /run/changed "$disk"
  extend grown-older-backup
  changed "$image" /run/changed "$s" --hybrid 1:EE
  grown /run/changed "$disk"
  extend grown-hybrid
  rm -f /run/undo.* /run/changed
}

record() {  # record IMAGE DISK LOG SECTOR_BYTES: all that gptgrow does to a disk
  local disk=/dev/mapper/recorded
  dmsetup create recorded --table "0 $(blockdev --getsz "$2") log-writes $2 $3"
  dmsetup mknodes
  old_content "$disk"
  recorded restore gptgrow restore "$1" "$disk" --yes --no-verify
  old_content "$disk"
  cat "$1" | recorded restore-from-a-pipe gptgrow restore - "$disk" --yes --no-verify
  sgdisk --sort "$disk" || true
  recorded repair gptgrow repair "$disk" --from "$1" --apply --save-undo "/run/undo"
  recorded undo gptgrow repair "$disk" --undo /run/undo --apply
  rm /run/undo
  gptgrow repair "$disk" --from "$1" --apply --save-undo /run/undo
  recorded extend gptgrow extend "$disk" last --apply --save-undo /run/undo.extend
  rm /run/undo*
  record_extensions "$1" "$disk" "$4"
  dmsetup remove recorded
}

prepare() { modprobe -a dm-log-writes; }
check_all_commands_are_recorded() { record /dev/vda /dev/vdb /dev/vdc 512; }
check_all_commands_are_recorded_with_sectors_of_4096() { record /dev/vdd /dev/vde /dev/vdf 4096; }
host_check_no_cut_leaves_a_bad_disk() { "$here/power_cuts.py" "$work/disk3" 512 2097152 "$work/disk1"; }
host_check_no_cut_leaves_a_bad_disk_with_sectors_of_4096() {
  "$here/power_cuts.py" "$work/disk6" 4096 2097152 "$work/disk4"
}

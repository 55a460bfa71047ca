# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# A disk of which anything else holds a byte is refused, with the holder's name, and keeps every byte; one that only
# stands beside such a disk or partition is written, and right. The console has a line for each arrangement.
disks=("10M raw" "10M raw" "10M raw")
image=/images/small.img
# shellcheck source=/dev/null
[ ! -e /hold.sh ] || . /hold.sh

make_image() {
  seq 292000 >"$image"
  truncate -s 2M "$image"
  printf '%s\n' "label: gpt" "first-lba: 64" "1: start=64, size=1000" "2: start=1064, size=1000" "3: start=2064, size=500" \
    "5: start=2564, size=1000" | sfdisk -q --wipe always "$image"
}

# Two partitions, and a table that ends 2 MiB before its disk: there is something to relocate.
make_layout() {
  truncate -s 8M /images/layout.img
  printf '%s\n' "label: gpt" "1: start=2048, size=6144" "5: start=8192, size=6144" | sfdisk -q /images/layout.img
  cp /images/layout.img /images/relocated.img
  truncate -s 10M /images/layout.img
}

# What the plugin serves of FILE at SIZE, as a file.
served() {  # served FILE SIZE RESULT
  nbdkit -U - gptgrow "$1" size="$2" --run "nbdcopy \"\$uri\" $3"
}

prepare() {
  load_holders
  make_layout
  served "$image" 10M /images/disk.expected
  served "$image" 3M /images/partition.expected
  served /images/relocated.img 10M /images/relocated.expected
}

# --- Trying ----------------------------------------------------------------------------------------------------------

fresh() {  # fresh DISK ...: the layout above, and nothing else
  local disk
  for disk; do
    cat /images/layout.img >"$disk"
    sync "$disk"
    blockdev --rereadpt "$disk"
  done
}

# What the medium holds: a partition's writes pass the cache of its disk by.
remember() {  # remember FILE ...: for is_unchanged
  remembered=("$@")
  echo 1 >/proc/sys/vm/drop_caches
  for file; do
    cp --sparse=never "$file" "/run/before.${file##*/}"
  done
}
is_unchanged() {
  local file
  echo 1 >/proc/sys/vm/drop_caches
  for file in "${remembered[@]}"; do
    cmp "$file" "/run/before.${file##*/}" || return 1
  done
}

note() {  # note RESULT WHAT
  echo "## $1: $2"
  if [ "$1" != ok ]; then
    cat /run/said
    echo "$2" >>/run/wrong
  fi
}
# A trace of every word would cost an emulated serial port more than the checks.
begin() {
  set +x
  release_all
}
all_is_right() {
  [ ! -e /run/wrong ] || { cat /run/wrong; rm /run/wrong; return 1; }
}

attempt() {  # attempt restore|repair TARGET
  rm -f /run/undo
  case $1 in
    restore) gptgrow restore "$image" "$2" --yes --yes ;;
    repair) gptgrow repair "$2" --relocate --apply --save-undo /run/undo ;;
  esac >/run/said 2>&1
}

# Whether nothing changed is looked at once for many of them, by untouched().
refused() {  # refused restore|repair TARGET WHILE
  local status=0 result=ok
  attempt "$1" "$2" || status=$?
  [[ $(</run/said) =~ $holder ]] || result="FAILED, $holder is not named"
  [ $status = 2 ] || result="FAILED, status $status"
  note "$result" "refused $1 $2 while $3"
}
untouched() {  # untouched WHILE
  local result=ok
  is_unchanged || result=FAILED
  note "$result" "not a byte changed while $1"
}

completes() {  # completes restore|repair TARGET WHILE
  local status=0 result=ok expected=
  case $1:$([ ! -b "$2" ] || sectors "$2") in
    repair:*) expected=/images/relocated.expected ;;
    restore:20480) expected=/images/disk.expected ;;
    restore:6144) expected=/images/partition.expected ;;
  esac
  attempt "$1" "$2" || status=$?
  echo 1 >/proc/sys/vm/drop_caches
  if [ $status != 0 ]; then
    result="FAILED, status $status"
  elif [ -n "$expected" ]; then
    cmp "$2" "$expected" || result="FAILED, not what is served"
  else
    gptgrow verify "$image" "$2" || result="FAILED, not what is served"
  fi
  note "$result" "complete $1 $2 while $3"
}

# In turn; and the whole disk, once PLACE is free again. An attempt is COMMAND:DEVICE; top: restore the device on top.
arrange() {  # arrange KIND PLACE "REFUSED ..." "COMPLETE ..."
  local kind=$1 place=$2 attempt while="${1//_/ } on ${2#/dev/}"
  can_hold "$kind" || { echo "## skipped: this kernel has no $kind"; return 0; }
  fresh /dev/vda
  case $kind in raid1 | raid0 | linear | journal) fresh /dev/vdb ;; esac
  hold "$kind" "$place"
  remember /dev/vda
  for attempt in $3; do
    refused "${attempt%%:*}" "/dev/${attempt#*:}" "$while"
  done
  untouched "$while"
  for attempt in $4; do
    case $attempt in
      top) completes restore "$top" "nothing holds it, over $while" ;;
      *:vdc) fresh /dev/vdc ;;&
      *) completes "${attempt%%:*}" "/dev/${attempt#*:}" "$while" ;;
    esac
  done
  release "$kind" "$place"
  completes restore /dev/vda "no longer $while"
}

readonly kAll="restore:vda restore:vda1 repair:vda"

# --- Arrangements ----------------------------------------------------------------------------------------------------

check_raid() {
  begin
  # The kernel takes a disk's partitions away when RAID takes the disk.
  arrange raid1 /dev/vda "restore:vda repair:vda" "restore:vdc top"
  arrange raid1_of_one /dev/vda1 "$kAll" "restore:vda5 top"
  arrange raid0 /dev/vda1 "$kAll" "restore:vda5"
  arrange linear /dev/vda1 "$kAll" "repair:vdc"
  all_is_right
}
check_volume_groups() {
  begin
  arrange volume /dev/vda restore:vda "restore:vdc top"
  arrange volume /dev/vda1 "$kAll" "restore:vda5"
  arrange mounted_volume /dev/vda1 "$kAll" "repair:vdc"
  all_is_right
}
check_mapped_devices() {
  begin
  arrange whole /dev/vda "$kAll restore:vda5" "repair:vdc top"
  arrange part /dev/vda "$kAll restore:vda5" ""
  arrange part /dev/vda1 "$kAll" "restore:vda5"
  arrange two_maps /dev/vda1 "$kAll" "restore:vda5"
  arrange crypt /dev/vda "$kAll" "restore:vdc"
  arrange crypt /dev/vda1 "$kAll" "restore:vda5 top"
  arrange multipath /dev/vda "$kAll" "repair:vdc top"
  arrange tower /dev/vda1 "$kAll" "restore:vda5"
  all_is_right
}
check_caches() {
  begin
  arrange bcache /dev/vda restore:vda "restore:vdc top"
  arrange bcache /dev/vda1 "$kAll" "restore:vda5"
  all_is_right
}
check_file_systems_and_swap() {
  begin
  arrange swap /dev/vda1 "$kAll" "restore:vda5"
  arrange swap /dev/vda "restore:vda restore:vda5" "restore:vdc"
  arrange ext4 /dev/vda1 "$kAll" "restore:vda5"
  arrange ext4 /dev/vda "restore:vda restore:vda5" "repair:vdc"
  arrange vfat /dev/vda1 "$kAll" "restore:vda5"
  arrange directory /dev/vda1 "$kAll" "restore:vda5"
  arrange namespace /dev/vda1 "$kAll" "restore:vda5"
  arrange detached /dev/vda1 "$kAll" "restore:vda5"
  arrange journal /dev/vda1 "$kAll" "restore:vda5"
  all_is_right
}
check_loop_devices() {
  begin
  arrange loop /dev/vda1 "$kAll" "restore:vda5"
  arrange loop /dev/vda "restore:vda restore:vda1" "restore:vdc"
  arrange loop_swap /dev/vda "$kAll" "restore:vdc"
  arrange loops /dev/vda1 "$kAll" "restore:vda5"
  arrange file /dev/vda1 "$kAll" "restore:vda5"
  all_is_right
}
check_locks() {
  begin
  arrange flock /dev/vda1 "$kAll" "restore:vda5"
  arrange flock /dev/vda "$kAll" "restore:vdc"
  arrange ofd_lock /dev/vda1 "$kAll" "restore:vda5"
  arrange ofd_lock /dev/vda "$kAll" "repair:vdc"
  all_is_right
}

# --- The image on the target -------------------------------------------------------------------------------------------

check_image_on_the_target() {
  begin
  fresh /dev/vda
  holder='the image|/mnt/held|loop6'
  cat "$image" >/dev/vda1
  remember /dev/vda
  image=/dev/vda1 refused restore /dev/vda "the image is its partition"
  image=/dev/vda refused restore /dev/vda1 "the image is its disk"
  losetup /dev/loop6 /dev/vda1
  image=/dev/loop6 refused restore /dev/vda "the image is a loop device over its partition"
  losetup -d /dev/loop6
  untouched "the image is a part of it"

  make_ext4 /dev/vda1
  mount /dev/vda1 /mnt/held
  cp "$image" /mnt/held/image
  mount -o remount,ro /mnt/held
  remember /dev/vda
  image=/mnt/held/image refused restore /dev/vda "the image is a file on it"
  losetup -r /dev/loop6 /mnt/held/image
  image=/dev/loop6 refused restore /dev/vda "the image is a loop device over a file on it"
  dmsetup create held --table "0 4096 linear /dev/loop6 0"
  image=/dev/mapper/held refused restore /dev/vda "the image is a map over a loop device over a file on it"
  untouched "the image is a file on it"
  dmsetup remove held
  losetup -d /dev/loop6
  umount /mnt/held
  completes restore /dev/vda "the image is no longer a file on it"
  all_is_right
}

# --- A target that is itself above -------------------------------------------------------------------------------------

check_targets_above_what_is_held() {
  begin
  fresh /dev/vda
  hold_ext4 /dev/vda1
  remember /dev/vda
  losetup /dev/loop7 /dev/vda1
  refused restore /dev/loop7 "it is over a mounted partition"
  losetup -d /dev/loop7
  losetup /dev/loop7 /dev/vda
  refused restore /dev/loop7 "it is over a disk with a mounted partition"
  refused repair /dev/loop7 "it is over a disk with a mounted partition"
  losetup -d /dev/loop7
  losetup /dev/loop7 /dev/vda5
  completes restore /dev/loop7 "it is over a partition beside a mounted one"
  losetup -d /dev/loop7
  umount /mnt/held

  fresh /dev/vda
  hold_two_maps /dev/vda1
  remember /dev/vda
  holder='mapper/upper'
  refused restore /dev/mapper/held "a map is over it"
  untouched "a map is over a map"
  release_two_maps
  make_md 0 /dev/vda1
  make_ext4 /dev/md127
  mount -o ro /dev/md127 /mnt/held
  holder='/mnt/held'
  remember /dev/vda
  refused restore /dev/md127 "it is a mounted RAID"
  losetup /dev/loop7 /dev/md127
  refused restore /dev/loop7 "it is over a mounted RAID"
  losetup -d /dev/loop7
  untouched "it is above"
  umount /mnt/held
  stop_md
  all_is_right
}

check_files() {
  begin
  fresh /dev/vda
  make_ext4 /dev/vda1
  mount /dev/vda1 /mnt/held
  truncate -s 2M /mnt/held/file
  completes restore /mnt/held/file "it is a file in a mounted file system"
  losetup /dev/loop7 /mnt/held/file
  completes restore /dev/loop7 "it is over a file in a mounted file system"
  losetup -d /dev/loop7
  dd if=/dev/zero of=/mnt/held/file bs=1M count=2 conv=fsync
  mkswap /mnt/held/file
  chmod 600 /mnt/held/file
  swapon /mnt/held/file
  holder='swap'
  cp /mnt/held/file /run/before.file
  refused restore /mnt/held/file "it is swap space"
  losetup /dev/loop7 /mnt/held/file
  refused restore /dev/loop7 "it is over a file that is swap space"
  losetup -d /dev/loop7
  remembered=(/mnt/held/file)
  untouched "a file is swap space"
  swapoff /mnt/held/file
  umount /mnt/held

  cp --sparse=always /images/layout.img /images/target.img
  losetup -P /dev/loop7 /images/target.img
  hold_ext4 /dev/loop7p1
  holder='loop7'
  remember /images/target.img
  refused restore /images/target.img "a partition of a loop device over it is mounted"
  refused repair /images/target.img "a partition of a loop device over it is mounted"
  holder='/mnt/held'
  refused restore /dev/loop7 "its partition is mounted"
  untouched "a partition of a loop device is mounted"
  completes restore /dev/loop7p5 "the partition beside it is mounted"
  umount /mnt/held
  completes restore /dev/loop7 "nothing of it is mounted any more"
  losetup -d /dev/loop7
  completes restore /images/target.img "no loop device is over it any more"
  all_is_right
}

# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# A partition is extended in place while the disk is in use, as a file system, as the root, as a physical volume, or as a RAID
# member that is known by its end; then its contents are grown by their own tool, and checked. ESXi's slot 3, with the boot bank
# mounted, leaves the gap and the bank alone.
disks=("7G raw" "400M raw" "900M raw" "400M raw" "200M raw" "200M raw")

extend() { (cd /run && gptgrow extend "$@"); }
size_of() { cat "/sys/class/block/$1/size"; }
end_of_disk() { echo $((($(size_of "$1") - 33) / 8 * 8)); }  # where an extended partition ends, in sectors

# partition DISK SECTORS: slot 2 of 1 MiB, slot 7 of so many sectors, and room behind it
partition() {
  sgdisk -n 2:2048:4095 -n "7:4096:$((4095 + $2))" "/dev/$1"
  rescan "/dev/$1"
}

# extended DISK: its slot 7 is, the kernel knows, and a second run changes nothing
extended() {
  local table
  extend "/dev/$1" last --apply | tee "/run/$1.said"
  [ "$(size_of "${1}7")" = $(($(end_of_disk "$1") - 4096)) ]
  [ "$(size_of "${1}2")" = 2048 ]
  table=$(head -c 17K "/dev/$1" | sha256sum)
  extend "/dev/$1" 7 --apply | grep 'already, as far as it can$'
  [ "$(head -c 17K "/dev/$1" | sha256sum)" = "$table" ]
  sound "/dev/$1"
}

grown_to() { [ "$(df -k "$1" | tail -n 1 | tr -s ' ' | cut -d' ' -f2)" -gt "$2" ]; }

prepare() {
  modprobe -a ext4 xfs dm-mod raid1
  mkdir -p /mnt/{bank,ext4,xfs,root}
  copy_plainly /dev/vda
  rescan /dev/vda
  mount -o ro /dev/vda5 /mnt/bank
  partition vdb 204800
  mke2fs -q -t ext4 /dev/vdb7
  mount /dev/vdb7 /mnt/ext4
  seq 200000 >/mnt/ext4/numbers
  partition vdc 655360
  mkfs.xfs -q /dev/vdc7
  mount /dev/vdc7 /mnt/xfs
  seq 200000 >/mnt/xfs/numbers
  partition vdd 409600
  mke2fs -q -t ext4 /dev/vdd7
  partition vde 204800
  partition vdf 204800
}

check_esxi_slot_3_is_extended_with_the_boot_bank_mounted() {
  nodes /dev/vda >/run/before
  extend /dev/vda last --apply
  nodes /dev/vda >/run/after
  sed 's/^3 10229760 .*/3 10229760 4450264/' /run/before | cmp - /run/after
}
check_esxi_second_run_changes_nothing() {
  extend /dev/vda 3 --apply | grep 'already, as far as it can$'
}
check_esxi_bank_is_unharmed() {
  [ "$(sha256sum </mnt/bank/state.tgz)" = "$(image_bank_sum 8224)" ]
  umount /mnt/bank
  cmp -n 440 "$image" /dev/vda
  cmp -i 446 -n 12 "$image" /dev/vda
  rescan /dev/vda
  kernel_is_silent
  nodes /dev/vda | cmp - /run/after
  sound /dev/vda
}
check_esxi_disk_is_known_as_extended() {
  local status=0
  gptgrow compare "$image" /dev/vda >/run/compared || status=$?
  [ $status = 1 ]
  grep 'as left by: gptgrow extend' /run/compared
}
host_check_esxi_disk_equals_the_served_disk() { equals_served 1 7G extend=3; }

check_ext4_is_extended_while_mounted() {
  extended vdb
  grep 'slot 7 holds ext4; to grow it: resize2fs /dev/vdb7' /run/vdb.said
  resize2fs /dev/vdb7
  grown_to /mnt/ext4 300000
}
check_ext4_is_whole() {
  seq 200000 | cmp - /mnt/ext4/numbers
  umount /mnt/ext4
  e2fsck -fn /dev/vdb7
}

check_xfs_is_extended_while_mounted() {
  extended vdc
  grep 'slot 7 holds xfs; to grow it: xfs_growfs /mnt/xfs' /run/vdc.said
  xfs_growfs /mnt/xfs
  grown_to /mnt/xfs 600000
}
check_xfs_is_whole() {
  seq 200000 | cmp - /mnt/xfs/numbers
  umount /mnt/xfs
  xfs_repair -n /dev/vdc7
}

check_mounted_root_is_extended() {
  mount /dev/vdd7 /mnt/root
  mkdir -p /mnt/root/{proc,sys,dev,run,tmp,usr/bin,usr/sbin}
  cp -a /bin /sbin /lib /lib64 /etc /mnt/root/
  cp -a /usr/lib64 /usr/busybox /mnt/root/usr/
  tar -c -C /usr --exclude=modules lib | tar -x -C /mnt/root/usr
  cp /usr/bin/{bash,gptgrow,cat,grep} /mnt/root/usr/bin/
  cp "$(command -v resize2fs)" /mnt/root/usr/sbin/
  cat >/mnt/root/extend <<'ROOT'
set -eux
export PATH=/usr/bin:/usr/sbin:/usr/busybox
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
grep '^/dev/vdd7 / ext4 rw' /proc/mounts
gptgrow extend /dev/vdd last --apply --save-undo /undo >/said
grep 'slot 7 holds ext4; to grow it: resize2fs /dev/vdd7' /said
resize2fs /dev/vdd7
ROOT
  unshare -m bash -euxc 'cd /mnt/root && mount --move . / && exec chroot . bash /extend'
  [ "$(size_of vdd7)" = $(($(end_of_disk vdd) - 4096)) ]
  grown_to /mnt/root 300000
}
check_root_is_whole() {
  [ -s /mnt/root/undo ]
  umount /mnt/root
  e2fsck -fn /dev/vdd7
  sound /dev/vdd
}

check_physical_volume_is_extended_while_in_use() {
  lvm pvcreate /dev/vde7
  lvm vgcreate group /dev/vde7
  lvm lvcreate -n volume -l 100%FREE group
  extended vde
  grep 'slot 7 holds LVM2_member; to grow it: pvresize /dev/vde7' /run/vde.said
  lvm pvresize /dev/vde7
  lvm lvextend -l +100%FREE group/volume
  [ "$(blockdev --getsize64 /dev/mapper/group-volume)" -gt 180000000 ]
}
check_disk_that_is_held_as_a_whole_is_refused() {
  local before
  lvm vgchange -an group
  before=$(head -c 17K /dev/vde | sha256sum)
  dmsetup create whole --table "0 $(size_of vde) linear /dev/vde 0"
  if extend /dev/vde last --apply 2>/run/refused; then return 1; fi
  dmsetup remove whole
  grep '/dev/vde is a part of /dev/mapper/whole' /run/refused
  [ "$(head -c 17K /dev/vde | sha256sum)" = "$before" ]
}

check_raid_member_that_ends_with_its_superblock_is_not_hidden() {
  export MDADM_NO_UDEV=1
  mdadm --create /dev/md127 --run --force --level=1 --raid-devices=1 --metadata=1.0 --bitmap=none /dev/vdf7
  mdadm --stop /dev/md127
  if extend /dev/vdf last --apply 2>/run/refused; then return 1; fi
  grep 'slot 7 holds linux_raid_member 1.0.* nothing that runs has it now: nothing is written$' /run/refused
  [ "$(size_of vdf7)" = 204800 ]
  mdadm --assemble /dev/md127 --run /dev/vdf7
}
check_running_raid_member_is_extended() {
  extended vdf
  grep 'slot 7 holds linux_raid_member 1.0; to grow it: mdadm --grow ARRAY --size=max' /run/vdf.said
  mdadm --grow /dev/md127 --size=max
  [ "$(size_of md127)" -gt 400000 ]
}
check_grown_raid_is_found_again() {
  mdadm --stop /dev/md127
  mdadm --assemble /dev/md127 --run /dev/vdf7
  [ "$(size_of md127)" -gt 400000 ]
  mdadm --stop /dev/md127
}

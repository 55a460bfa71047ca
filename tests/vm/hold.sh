# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034
# Ways to hold a disk or a partition, for the cases of tests/vm/cases that source this in the guest.
#
#   load_holders           loads the drivers, once; a kernel may lack some
#   can_hold KIND          whether this kernel can
#   hold KIND DEVICE       DEVICE is held, and rests: nobody writes to it. Some kinds take the same place of /dev/vdb too.
#                            $holder   an extended regular expression that the name of the holder matches
#                            $top      the device on top, which nobody holds; empty when there is none
#   release KIND DEVICE    DEVICE is free again
#   release_all            whatever a check that failed has left
#
# A kind is a pair of functions below, hold_KIND and release_KIND. Every process costs an emulated machine a tenth of a
# second: what bash can do itself, it does.

# There is no udev to wait for.
export DM_DISABLE_UDEV=1 MDADM_NO_UDEV=1

load_holders() {
  local module
  mkdir -p /mnt/{held,inner,elsewhere} /run/lock/lvm
  # Swap space rests while there is memory.
  echo 0 >/proc/sys/vm/swappiness
  # The kernel would load some of them itself, had it a modprobe where it looks.
  for module in raid0 raid1 linear dm-mod dm-crypt crypto_null ecb dm-multipath dm-round-robin bcache; do
    modprobe "$module" || echo "this kernel has no $module"
  done
}

can_hold() {
  case $1 in
    linear) [ -e /sys/module/linear ] || [ -e /sys/module/md_linear ] ;;
    bcache) [ -e /sys/fs/bcache/register ] ;;
  esac
}

hold() {
  top=
  "hold_$1" "$2"
}
release() { "release_$1" "$2"; }

release_all() {
  local mounted
  for mounted in /mnt/*; do
    umount -q "$mounted" || true
  done
  swapoff -a || true
  dmsetup remove_all || true
  losetup -D || true
  [ ! -e /dev/md127 ] || stop_md || true
}

beside() { echo "${1/vda/vdb}"; }
sectors() { echo $(($(<"/sys/class/block/${1##*/}/size"))); }
make_ext4() { mke2fs -q -F -t ext4 -b 1024 -O ^has_journal,^resize_inode "$@"; }
# Some tools take no disk with a table.
without_table() {
  dd if=/dev/zero of="$1" bs=1M count=1 conv=fsync
  [ -e "/sys/class/block/${1##*/}/partition" ] || blockdev --rereadpt "$1"
}
until_gone() { while [ -e "$1" ]; do sleep 0.05; done; }

# --- RAID and volume groups --------------------------------------------------------------------------------------------

# Metadata at the end leave a table or file system in front as it is.
make_md() {  # make_md LEVEL MEMBER ...
  local level=$1
  shift
  mdadm --create /dev/md127 --run --force --assume-clean --level="$level" --raid-devices=$# --metadata=1.0 "$@"
  holder='md127' top=/dev/md127
}
stop_md() { mdadm --stop /dev/md127; }

hold_raid1() { make_md 1 "$1" "$(beside "$1")"; }
release_raid1() { stop_md; }
hold_raid1_of_one() { make_md 1 "$1"; }
release_raid1_of_one() { stop_md; }
hold_raid0() { make_md 0 "$1" "$(beside "$1")"; }
release_raid0() { stop_md; }
hold_linear() { make_md linear "$1" "$(beside "$1")"; }
release_linear() { stop_md; }

hold_volume() {
  without_table "$1"
  lvm vgcreate -qq -y -s 128K held "$1"
  lvm lvcreate -qq -y -Wn -Zn -l 100%FREE -n volume held
  holder='held-volume|held/volume' top=/dev/mapper/held-volume
}
release_volume() { lvm vgchange -qq -an held; }

hold_mounted_volume() {
  hold_volume "$1"
  make_ext4 "$top"
  mount -o ro "$top" /mnt/held
  holder='held-volume|held/volume|/mnt/held' top=
}
release_mounted_volume() {
  umount /mnt/held
  release_volume
}

# --- Mapped devices ------------------------------------------------------------------------------------------------------

map() {  # map NAME TABLE
  dmsetup create "$1" --table "$2"
  holder="mapper/$1" top=/dev/mapper/$1
}

hold_whole() { map held "0 $(sectors "$1") linear $1 0"; }
release_whole() { dmsetup remove held; }
hold_part() { map held "0 64 linear $1 2048"; }
release_part() { dmsetup remove held; }
hold_crypt() { map held "0 $(sectors "$1") crypt cipher_null-ecb - 0 $1 0"; }
release_crypt() { dmsetup remove held; }
hold_multipath() { map held "0 $(sectors "$1") multipath 2 queue_mode bio 0 1 1 round-robin 0 1 1 $1 100"; }
release_multipath() { dmsetup remove held; }

hold_two_maps() {
  hold_whole "$1"
  map upper "0 128 linear /dev/mapper/held 512"
  holder='mapper/(held|upper)'
}
release_two_maps() {
  dmsetup remove upper
  dmsetup remove held
}

# RAID, a map and a loop device under a file system. RAID 0, which writes nothing of its own some time after a write.
hold_tower() {
  make_md 0 "$1"
  map held "0 $(sectors /dev/md127) linear /dev/md127 0"
  make_ext4 /dev/mapper/held
  losetup /dev/loop6 /dev/mapper/held
  mount -o ro /dev/loop6 /mnt/held
  holder='md127|mapper/held|loop6|/mnt/held' top=
}
release_tower() {
  umount /mnt/held
  losetup -d /dev/loop6
  dmsetup remove held
  stop_md
}

hold_bcache() {
  without_table "$1"
  make-bcache -B "$1"
  [ -e /sys/block/bcache0 ] || echo "$1" >/sys/fs/bcache/register
  holder='bcache0' top=/dev/bcache0
}
release_bcache() {
  local folder=/sys/class/block/${1##*/}/bcache
  echo 1 >"$folder/stop"
  until_gone /sys/block/bcache0
  until_gone "$folder"
}

# --- File systems and swap -----------------------------------------------------------------------------------------------

hold_swap() {
  mkswap "$1"
  swapon "$1"
  holder='swap' top=
}
release_swap() { swapoff "$1"; }

hold_ext4() {
  make_ext4 "$1"
  mount -o ro "$1" /mnt/held
  holder='/mnt/held'
}
release_ext4() { umount /mnt/held; }

hold_vfat() {
  mkfs.fat "$1"
  mount -t vfat "$1" /mnt/held
  sync
  holder='/mnt/held'
}
release_vfat() { umount /mnt/held; }

# Only a directory is mounted, in another place.
hold_directory() {
  make_ext4 "$1"
  mount -o ro "$1" /mnt/held
  mount --bind /mnt/held/lost+found /mnt/elsewhere
  umount /mnt/held
  holder='/mnt/elsewhere'
}
release_directory() { umount /mnt/elsewhere; }

# Mounted where only another process sees it, until it is told to unmount.
hold_namespace() {
  make_ext4 "$1"
  mkfifo /run/to /run/from
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare -m bash -c 'mount -o ro "$1" /mnt/elsewhere
    echo mounted >/run/from
    read -r _ </run/to
    umount /mnt/elsewhere' bash "$1" &
  read -r _ </run/from
  holder='/mnt/elsewhere'
}
release_namespace() {
  echo unmount >/run/to
  wait $!
  rm /run/to /run/from
}

# Unmounted, and still in use by a process that stands in it: no list of mounts shows it.
hold_detached() {
  make_ext4 "$1"
  mount -o ro "$1" /mnt/held
  exec 8</mnt/held
  umount -l /mnt/held
  holder='in use'
}
release_detached() { exec 8<&-; }

# The journal of a file system that is mounted from somewhere else.
hold_journal() {
  mke2fs -q -F -b 1024 -O journal_dev "$1"
  mke2fs -q -F -t ext4 -b 1024 -O ^resize_inode -J "device=$1" "$(beside "$1")"
  mount -o ro "$(beside "$1")" /mnt/held
  holder='in use'
}
release_journal() { umount /mnt/held; }

# --- Loop devices --------------------------------------------------------------------------------------------------------

hold_loop() {
  make_ext4 "$1"
  losetup /dev/loop6 "$1"
  mount -o ro /dev/loop6 /mnt/held
  holder='loop6|/mnt/held'
}
release_loop() {
  umount /mnt/held
  losetup -d /dev/loop6
}

# A loop device over a part of it, which is swap space: the kernel claims nothing below.
hold_loop_swap() {
  losetup -o 1048576 --sizelimit 1048576 /dev/loop6 "$1"
  mkswap /dev/loop6
  swapon /dev/loop6
  holder='loop6'
}
release_loop_swap() {
  swapoff /dev/loop6
  losetup -d /dev/loop6
}

# Two loop devices and a map above.
hold_loops() {
  losetup /dev/loop6 "$1"
  losetup /dev/loop7 /dev/loop6
  map held "0 64 linear /dev/loop7 2048"
  holder='loop[67]|mapper/held' top=
}
release_loops() {
  dmsetup remove held
  losetup -d /dev/loop7
  losetup -d /dev/loop6
}

# A file system in a file of a file system.
hold_file() {
  make_ext4 "$1"
  mount "$1" /mnt/held
  truncate -s 1M /mnt/held/inner.img
  make_ext4 /mnt/held/inner.img
  losetup -r /dev/loop6 /mnt/held/inner.img
  mount -o ro /dev/loop6 /mnt/inner
  mount -o remount,ro /mnt/held
  holder='/mnt/held|/mnt/inner'
}
release_file() {
  umount /mnt/inner
  losetup -d /dev/loop6
  umount /mnt/held
}

# --- Locks ---------------------------------------------------------------------------------------------------------------

hold_flock() {
  exec 9<"$1"
  flock -n 9
  holder='locked'
}
release_flock() { exec 9<&-; }

# The lock belongs to the open file, which stays open here: F_OFD_SETLK is 37, F_WRLCK 1.
hold_ofd_lock() {
  exec 9<>"$1"
  perl -e 'open(my $file, "+<&=9") or die "open: $!";
    my $lock = pack("s s x4 q q l x4", 1, 0, 0, 0, 0);
    fcntl($file, 37, $lock) or die "lock: $!"'
  holder='locked'
}
release_ofd_lock() { exec 9<&-; }

#!/usr/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The first process of the guest, and what a case has at hand there. It runs the case's prepare() and then its checks
# in the order of their definition, each in a shell of its own with -euo pipefail, and writes a line for each to the
# second serial port. Everything else goes to the console.
#
# What a case can use:
#   $image                    the image, a sparse file in memory; a case that makes its own sets it, and make_image()
#   serve NAME OPTION ...     nbdkit gptgrow $image OPTION ..., on the Unix socket $(socket NAME)
#   restore DEVICE            the image onto DEVICE, as the README says
#   copy_plainly DEVICE       the image onto DEVICE, without gptgrow
#   attach NAME DEVICE ...    nbd-client: NAME's disk as DEVICE (/dev/nbd0), with more nbd-client options
#   rescan DEVICE             has the kernel read the partition table, and keeps what it says in $kernel_log
#   kernel_complains, kernel_is_silent      of the GPT, since the last attach or rescan
#   nodes DEVICE              the kernel's partitions: "number start size", in 512-byte sectors, one a line
#   has_esxi5_nodes DEVICE    those of the ESXi 5 image, at any size
#   same_data NAME A B        A and B, one of them NAME's own disk, are equal: its data and its last MiB
#   sound DEVICE              sgdisk -v and sfdisk --verify find nothing
#   bank_sum DEVICE [OPTIONS] mounts DEVICE as vfat, prints the checksum of its state.tgz
#   image_bank_sum FIRST_LBA  the same from the image
#   sound_esxi5_disk DEVICE   all of the above for a restored disk: kernel, nodes, sound, the bank in slot 5
#   sound_restore DEVICE NBD  that, and DEVICE holds what is served at its size (as NBD, /dev/nbdN)
#   /hold.sh                  to be sourced: ways to hold a disk, told at its top
set -uo pipefail
export PATH=/usr/bin:/usr/sbin:/usr/busybox HOME=/tmp LC_ALL=C
export LLVM_PROFILE_FILE=/run/counted/%m%c.profraw
image=/images/disk.img
kernel_log=/run/kernel.log

socket() { echo "/run/$1.sock"; }
uri() { echo "nbd+unix:///?socket=$(socket "$1")"; }

serve() {
  local name=$1
  shift
  nbdkit -U "$(socket "$name")" -P "/run/$name.pid" gptgrow "$image" "$@"
}

restore() { nbdkit -U - gptgrow "$image" reference="$1" --run "nbdcopy \"\$uri\" $1"; }

copy_plainly() { nbdkit -U - file "$image" --run "nbdcopy \"\$uri\" $1"; }

attach() {
  local name=$1 device=$2
  shift 2
  dmesg -c >/dev/null
  nbd-client -unix "$(socket "$name")" "$device" "$@"
  # An emulated machine pays for each request.
  echo 2048 >"/sys/block/${device##*/}/queue/max_sectors_kb"
  blockdev --setra 4096 "$device"
  wait_for_kernel "$device"
}

rescan() {
  dmesg -c >/dev/null
  blockdev --rereadpt "$1"
  wait_for_kernel "$1"
}

wait_for_kernel() {
  : <"$1"
  sync
  dmesg >"$kernel_log"
  cat "$kernel_log"
}

kernel_complains() { grep -i gpt "$kernel_log"; }
kernel_is_silent() { [ "$(grep -ic gpt "$kernel_log")" = 0 ]; }

nodes() {
  local directory
  for directory in "/sys/block/${1##*/}/${1##*/}"*; do
    [ ! -e "$directory/partition" ] ||
      echo "$(cat "$directory/partition") $(cat "$directory/start") $(cat "$directory/size")"
  done | sort -n
}

has_esxi5_nodes() {
  [ "$(nodes "$1")" = "1 64 8128
2 1843200 8386560
3 10229760 2353119
5 8224 511968
6 520224 511968
7 1032224 225248
8 1257504 585696" ]
}

sound_restore() {  # sound_restore DEVICE NBD_DEVICE
  local name=${1##*/}
  serve "$name" reference="$1"
  attach "$name" "$2"
  same_data "$name" "$2" "$1"
  nbd-client -d "$2"
  sound_esxi5_disk "$1"
}

same_range() {  # same_range A B OFFSET LENGTH
  cmp -i "$3" -n "$4" "$1" "$2"
}

same_data() {
  local offset length type size
  size=$(blockdev --getsize64 "$2")
  [ "$(blockdev --getsize64 "$3")" = "$size" ]
  nbdinfo --map "$(uri "$1")" >"/run/$1.map"
  while read -r offset length type _; do
    [ "$type" != 0 ] || same_range "$2" "$3" "$offset" "$length"
  done <"/run/$1.map"
  same_range "$2" "$3" $((size - 1048576)) 1048576
}

sound() {
  sgdisk -v "$1" | tee /run/sgdisk.out
  grep -q '^No problems found' /run/sgdisk.out
  sfdisk --verify "$1"
}

bank_sum() {
  mkdir -p /mnt/bank
  mount -t vfat -o "ro${2:+,$2}" "$1" /mnt/bank
  sha256sum </mnt/bank/state.tgz
  umount /mnt/bank
}

image_bank_sum() { bank_sum "$image" "loop,offset=$(($1 * 512)),sizelimit=$((511968 * 512))"; }

sound_esxi5_disk() {
  rescan "$1"
  kernel_is_silent
  has_esxi5_nodes "$1"
  sound "$1"
  [ "$(bank_sum "${1}5")" = "$(image_bank_sum 8224)" ]
}

# A file's digest covers its data, where that is, and the times of its last change; holes are not read.
image_state() {
  if [ -b "$image" ]; then
    sha256sum "$image"
  else
    stat -c '%s %y %z' "$image"
    tar -cS -C "${image%/*}" "${image##*/}" | sha256sum
  fi
}

check_image_unchanged() {
  image_state | cmp - /run/image.state
}

make_image() { :; }
prepare() { :; }
after_checks() { :; }

report() { echo "$*" >/dev/ttyS1; }
uptime_seconds() { cut -d' ' -f1 /proc/uptime; }

start_system() {
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mount -t devtmpfs dev /dev
  mount -t tmpfs run /run
  mount -t tmpfs -o size=16T images /images
  exec </dev/null >/dev/ttyS0 2>&1
  ip link set lo up
  modprobe -a virtio_pci virtio_blk virtio_console nbd loop fuse vfat nls_cp437 nls_ascii nls_utf8
}

run_case() {
  local name status
  tar -xf /case/image.tar -C /images
  # shellcheck source=/dev/null
  . /case/case.sh
  (set -eux; make_image)
  image_state >/run/image.state
  for name in prepare $(cat /case/checks); do
    echo "== $name"
    (set -eux; "$name")
    status=$?
    report "$name $status $(uptime_seconds)"
  done
  (set -eux; after_checks)
}

# What programs of the preset coverage have counted.
send_counted() {
  local port
  for port in /dev/vport*; do
    [ ! -c "$port" ] || tar -cC /run counted >"$port"
  done
}

start_system
if [ -d /case ]; then
  run_case
  send_counted
fi
report "end"
poweroff -f

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# make-guest.sh PLUGIN FUSE COMMAND DIRECTORY
# Makes DIRECTORY/vmlinuz, DIRECTORY/generic and DIRECTORY/guest.cpio (what every case of this folder runs in: Debian's kernel
# for virtual machines, or the one for all machines, modules of both, and this machine's own nbdkit, PLUGIN, FUSE
# (gptgrow-fuse), COMMAND (gptgrow) and disk tools with their libraries), and DIRECTORY/bank.cpio.gz (the small system that a
# boot bank of the bootable image starts).
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
plugin=$1 fuse=$2 command=$3 out=$4
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/vm/initramfs.sh
. "$here/initramfs.sh"

readonly kModules="scsi_debug sd_mod virtio_pci virtio_blk virtio_console nbd loop fuse vfat nls_cp437 nls_ascii nls_utf8
  ext4 xfs raid0 raid1 dm-mod dm-log-writes dm-flakey dm-crypt dm-multipath dm-round-robin crypto_null ecb
  brd zram"
readonly kModulesOfSomeKernels="bcache linear lzo-rle"
readonly kModulesOfAllMachines="sd_mod virtio_pci virtio_blk virtio_console virtio_scsi nvme xhci_pci usb_storage nbd loop fuse vfat
  nls_cp437 nls_ascii nls_utf8"
readonly kProgramsOfTheCases="bash sh wc nbdkit nbdcopy nbdinfo nbd-client sgdisk sfdisk blockdev mkfs.fat
  dd ddrescue cp cmp cat cut grep sed sort tail head tr tar gzip sha256sum stat sleep mkdir mount umount dmesg seq
  resize2fs e2fsck mkfs.xfs xfs_growfs xfs_repair
  mdadm lvm dmsetup make-bcache mke2fs losetup unshare flock perl truncate script"

modules_of_this_kernel() {
  local module
  for module in $kModulesOfSomeKernels; do
    ! modprobe -C /dev/null -S "$(ls "$out/kernel/tree/usr/lib/modules")" -d "$out/kernel/tree" \
      --show-depends "$module" >/dev/null 2>&1 || echo "$module"
  done
}

add_file() {  # add_file ROOT FILE [AS]: FILE and the libraries it is linked with
  local library
  install -D -m 755 "$2" "$1${3:-$2}"
  for library in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*' || true); do
    [ -e "$1$library" ] || install -D -m 755 "$library" "$1$library"
  done
}

mkdir -p "$out"
out=$(cd "$out" && pwd)
unpack_kernel linux-image-cloud-amd64
cp "$out"/kernel/tree/boot/vmlinuz-* "$out/vmlinuz"
mkdir -p "$out/all-machines"
(
  out=$out/all-machines
  unpack_kernel linux-image-amd64
)
cp "$out"/all-machines/kernel/tree/boot/vmlinuz-* "$out/generic"

root=$out/guest
make_root "$root"
# shellcheck disable=SC2046,SC2086 # lists of words
add_modules "$root" $kModules $(modules_of_this_kernel)
# shellcheck disable=SC2086 # lists of words
(
  out=$out/all-machines
  add_modules "$root" $kModulesOfAllMachines
)
for program in $kProgramsOfTheCases; do
  add_file "$root" "$(command -v "$program")"
done
plugin_directory=$(nbdkit --dump-config | sed -n 's/^plugindir=//p')
add_file "$root" "$plugin" "$plugin_directory/nbdkit-gptgrow-plugin.so"
add_file "$root" "$plugin_directory/nbdkit-file-plugin.so"
add_file "$root" "$fuse" /usr/bin/gptgrow-fuse
add_file "$root" "$command" /usr/bin/gptgrow
strip --strip-debug "$root/$plugin_directory/nbdkit-gptgrow-plugin.so" "$root"/usr/bin/gptgrow*
ln -s /proc/self/mounts "$root/etc/mtab"
echo "127.0.0.1 localhost" >"$root/etc/hosts"
install -m 755 "$here/guest.sh" "$root/init"
install -m 644 "$here/hold.sh" "$root/hold.sh"
mkdir "$root/etc/lvm"
# Nobody else is there: no udev, no daemon.
printf '%s\n' 'activation { udev_sync=0 udev_rules=0 monitoring=0 }' 'backup { backup=0 archive=0 }' \
  'devices { obtain_device_list_from_udev=0 use_devicesfile=0 scan="/dev" }' >"$root/etc/lvm/lvm.conf"
pack "$root" >"$out/guest.cpio"

root=$out/bank
make_root "$root"
add_modules "$root" virtio_pci virtio_blk vfat nls_cp437 nls_ascii nls_utf8
install -m 755 "$here/bank-init.sh" "$root/init"
pack "$root" | gzip -6 >"$out/bank.cpio.gz"

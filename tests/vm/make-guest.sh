#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# make-guest.sh PLUGIN FUSE COMMAND DIRECTORY
# Makes DIRECTORY/vmlinuz and DIRECTORY/guest.cpio (what every case of this folder runs in: Debian's cloud kernel, its
# modules, and this machine's own nbdkit, PLUGIN, FUSE (gptgrow-fuse), COMMAND (gptgrow) and disk tools with their
# libraries), and DIRECTORY/bank.cpio.gz (the small system that a boot bank of the bootable image starts).
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
plugin=$1 fuse=$2 command=$3 out=$4
here=$(cd "$(dirname "$0")" && pwd)

readonly kModules="scsi_debug sd_mod virtio_pci virtio_blk nbd loop fuse vfat nls_cp437 nls_ascii nls_utf8
  raid0 raid1 dm-mod dm-log-writes dm-flakey dm-crypt dm-multipath dm-round-robin crypto_null ecb"
readonly kModulesOfSomeKernels="bcache linear"
readonly kProgramsOfTheCases="bash sh wc nbdkit nbdcopy nbdinfo nbd-client sgdisk sfdisk blockdev mkfs.fat
  dd ddrescue cp cmp cat cut grep sed sort tail head tr tar gzip sha256sum stat sleep mkdir mount umount dmesg seq
  mdadm lvm dmsetup make-bcache mke2fs losetup unshare flock perl truncate script"

kernel_package() {
  apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1
}

# The package is unpacked, not installed: a machine that runs tests keeps its own kernel.
unpack_kernel() {
  local package
  package=$(kernel_package)
  if [ -z "$package" ]; then
    apt-get update -qq
    package=$(kernel_package)
  fi
  [ "$(cat "$out/kernel/package" 2>/dev/null)" != "$package" ] || return 0
  rm -rf "$out/kernel"
  mkdir -p "$out/kernel"
  (cd "$out/kernel" && apt-get -o APT::Sandbox::User=root download -qq "$package")
  dpkg-deb -x "$out/kernel/$package"_*.deb "$out/kernel/tree"
  rm "$out/kernel/$package"_*.deb
  if [ -d "$out/kernel/tree/lib" ]; then
    mkdir -p "$out/kernel/tree/usr"
    mv "$out/kernel/tree/lib" "$out/kernel/tree/usr/"
  fi
  ln -s usr/lib "$out/kernel/tree/lib"
  find "$out/kernel/tree" -name '*.ko.xz' -exec unxz {} +
  depmod -b "$out/kernel/tree" "$(ls "$out/kernel/tree/usr/lib/modules")"
  echo "$package" >"$out/kernel/package"
}

make_root() {  # make_root ROOT: an empty system with merged /usr and a busybox
  rm -rf "$1"
  mkdir -p "$1"/{dev,proc,sys,run,tmp,mnt,images} "$1"/usr/{bin,sbin,lib,lib64,busybox} "$1/etc"
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$1/"
  cp "$(command -v busybox)" "$1/usr/busybox/"
  "$1/usr/busybox/busybox" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$1/usr/busybox/$applet"
  done
}

modules_of_this_kernel() {
  local module
  for module in $kModulesOfSomeKernels; do
    ! modprobe -C /dev/null -S "$(ls "$out/kernel/tree/usr/lib/modules")" -d "$out/kernel/tree" \
      --show-depends "$module" >/dev/null 2>&1 || echo "$module"
  done
}

add_modules() {  # add_modules ROOT MODULE ...
  local root=$1 release tree=$out/kernel/tree file
  shift
  release=$(ls "$tree/usr/lib/modules")
  modprobe -C /dev/null -S "$release" -d "$tree" -a --show-depends "$@" | sed -n 's/^insmod //p' | sort -u |
  while read -r file; do
    install -D -m 644 "$file" "$root/usr/lib/modules/$release/${file##*/}"
  done
  cp "$tree/usr/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$root/usr/lib/modules/$release/"
  depmod -b "$root" "$release"
}

add_file() {  # add_file ROOT FILE [AS]: FILE and the libraries it is linked with
  local library
  install -D -m 755 "$2" "$1${3:-$2}"
  for library in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*' || true); do
    [ -e "$1$library" ] || install -D -m 755 "$library" "$1$library"
  done
}

pack() {  # pack ROOT: as a cpio archive on standard output
  (cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0)
}

mkdir -p "$out"
out=$(cd "$out" && pwd)
unpack_kernel
cp "$out"/kernel/tree/boot/vmlinuz-* "$out/vmlinuz"

root=$out/guest
make_root "$root"
# shellcheck disable=SC2046,SC2086 # lists of words
add_modules "$root" $kModules $(modules_of_this_kernel)
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

# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For those that make what a virtual machine starts from: kernels of Debian, and file trees as initramfs. $out is the folder
# of what is made.
: "${out:?}"

# kernel_package META: the newest kernel that META, such as linux-image-amd64, stands for.
kernel_package() {
  apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1
}

# unpack_kernel META: to $out/kernel/tree. The package is unpacked, not installed: a machine that runs tests keeps its own.
unpack_kernel() {
  local package
  package=$(kernel_package "$1")
  if [ -z "$package" ]; then
    apt-get update -qq
    package=$(kernel_package "$1")
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

add_modules() {  # add_modules ROOT MODULE ...
  local root=$1 release tree=$out/kernel/tree file
  shift
  release=$(ls "$tree/usr/lib/modules")
  modprobe -C /dev/null -S "$release" -d "$tree" -a --show-depends "$@" | sed -n 's/^insmod //p' | sort -u |
  while read -r file; do
    install -D -m 644 "$file" "$root/usr/lib/modules/$release/${file##*/}"
  done
  find "$root/usr/lib/modules" -name '*.ko.xz' -exec unxz {} +
  cp "$tree/usr/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$root/usr/lib/modules/$release/"
  depmod -b "$root" "$release"
}

pack() {  # pack ROOT: as a cpio archive on standard output
  (cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0)
}

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# install.sh [--print] build|release|arm64|quickstart|build-tests|test|coverage|packages|ceph
# Installs the Debian packages that a group needs and this machine lacks, or prints the group's names. The one list of
# packages in the project.
set -euo pipefail

# Files and io_uring came to Boost.Asio in 1.78; Debian 12's default is 1.74.
# systemd-repart has a package of its own since Debian 13.
boost=libboost-dev repart=systemd-repart
[ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" != bookworm ] || boost=libboost1.81-dev repart=
build="cmake fdisk g++ $boost libarchive-dev libblkid-dev libcli11-dev libfmt-dev libfuse3-dev libnbd-dev libssl-dev liburing-dev
  libxxhash-dev nbdkit nbdkit-plugin-dev ninja-build nlohmann-json3-dev perl pkg-config zlib1g-dev"
release="$build dpkg-dev file libbz2-dev liblz4-dev liblzma-dev libzstd-dev"
arm64="$release g++-aarch64-linux-gnu qemu-user-static"
for package in libarchive-dev libblkid-dev libbz2-dev libfmt-dev liblz4-dev liblzma-dev libssl-dev liburing-dev libxxhash-dev libzstd-dev \
  zlib1g-dev; do
  arm64="$arm64 $package:arm64"
done
image="dosfstools gdisk libnbd-bin mtools syslinux-common"
quickstart="$build $image"
build_tests="$build catch2"
test="$build_tests $image bcache-tools binutils bmap-tools busybox-static bzip2 clang clang-format clang-tidy cloud-guest-utils cpio
  cryptsetup-bin curl dmsetup e2fsprogs fio flake8 fuse3 gddrescue genisoimage gnutls-bin iproute2 kmod libclang-rt-dev lvm2 lz4 mandoc
  mdadm nbd-client nginx-light openssh-client openssh-server openssl parted pigz procps python3 python3-jsonschema python3-libnbd qemu-system-x86 qemu-utils shellcheck
  shfmt strace syslinux systemd systemd-container $repart xfsprogs xz-utils zstd"
coverage="$test llvm"
packages="$test $release bash-completion lintian man-db"
ceph="$test ceph-common ceph-mgr ceph-mon ceph-osd qemu-block-extra"

print=
[ "${1:-}" != --print ] || { print=yes; shift; }
case ${1:-} in
  build) group=$build ;;
  release) group=$release ;;
  arm64) group=$arm64 ;;
  quickstart) group=$quickstart ;;
  build-tests) group=$build_tests ;;
  test) group=$test ;;
  coverage) group=$coverage ;;
  packages) group=$packages ;;
  ceph) group=$ceph ;;
  *) sed -n '3,5s/^# //p' "$0" >&2; exit 2 ;;
esac
if [ "$print" ]; then
  # shellcheck disable=SC2086 # a list of words
  printf '%s\n' $group
  exit
fi

missing=()
for package in $group; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
as_root() {
  if [ "$(id -u)" = 0 ]; then
    sh -c "$1"
  elif command -v sudo >/dev/null; then
    sudo sh -c "$1"
  else
    echo "root's password, to install packages:"
    su -c "$1"
  fi
}

[ "$1" != arm64 ] || dpkg --print-foreign-architectures | grep -qx arm64 || as_root 'dpkg --add-architecture arm64 && apt-get update -qq'

# The package lists of a new machine are empty, those of an old one name files that are gone: both show as a failure.
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  # What is installed to be tested starts no service.
  as_root "export DEBIAN_FRONTEND=noninteractive
    policy=/usr/sbin/policy-rc.d
    [ -e \$policy ] || { trap 'rm -f '\$policy EXIT; printf '#!/bin/sh\nexit 101\n' >\$policy; chmod 755 \$policy; }
    install() { apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold ${missing[*]}; }
    install >/dev/null 2>&1 || { apt-get update -qq && install >/dev/null; }"
fi

if [ "$1" = test ] || [ "$1" = ceph ]; then
  # What an init and udev would have done: fusermount3 looks for its mounts here, and works for every user.
  [ -e /etc/mtab ] || as_root 'ln -s ../proc/self/mounts /etc/mtab'
  [ ! -c /dev/fuse ] || [ "$(stat -c %a /dev/fuse)" = 666 ] || as_root 'chmod 666 /dev/fuse'
fi

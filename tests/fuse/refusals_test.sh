#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What is wrong with the image, the size, the options or the mount point is a message and exit status 1; nothing is
# mounted.
. "$(dirname "$0")/common.sh"

image sgdisk-512
image refused-array-crc-512
: >file

# refused MESSAGE ARGUMENT...
refused() {
  local wanted=$1 status=0
  shift
  timeout 300 "$fuse" "$@" >out 2>said || status=$?
  [ $status = 1 ] || fail "$*: exit status $status"
  grep -qF -- "$wanted" said || fail "$*: said $(cat said), not $wanted"
  if grep " $scratch/" /proc/self/mounts; then fail "$*: something is mounted"; fi
}

refused "nowhere.raw: No such file" nowhere.raw mnt -o size=64G
refused "mnt: neither a regular file nor a block device" mnt mnt -o size=64G
refused "file: no GPT" file mnt -o size=64G
refused "partition entry array: CRC 0x00000000, expected" refused-array-crc-512.raw mnt -o size=64G
refused "multiple of the 512-byte sector" sgdisk-512.raw mnt -o size=64000001
refused "too small" sgdisk-512.raw mnt -o size=10K
refused "exactly one of size and reference" sgdisk-512.raw mnt
refused "exactly one of size and reference" sgdisk-512.raw mnt -o size=64G,reference=file
refused "nowhere: No such file" sgdisk-512.raw mnt -o reference=nowhere
refused 'table: "third", expected primary or backup' sgdisk-512.raw mnt -o size=64G,table=third
refused "unknown option(s): \`-o sizes=64G'" sgdisk-512.raw mnt -o size=64G,sizes=64G
refused "an image and a mount point" sgdisk-512.raw -o size=64G
refused "an image and a mount point"
refused "No such file" sgdisk-512.raw nowhere -o size=64G
refused "file: not a directory" sgdisk-512.raw file -o size=64G
refused "the image: empty, expected a path" "" mnt -o size=64G
refused "the mount point: empty, expected a path" sgdisk-512.raw "" -o size=64G
refused "size: empty, expected a value" sgdisk-512.raw mnt -o size=
refused "reference: empty, expected a value" sgdisk-512.raw mnt -o reference=
refused "standard input is not supported here" - mnt -o size=64G
refused "size: given twice" sgdisk-512.raw mnt -o size=64G,size=65G
refused "invalid argument" sgdisk-512.raw mnt mnt -o size=64G
if [ "$(id -u)" = 0 ]; then
  mkdir --mode=700 private
  chmod 644 sgdisk-512.raw
  as_user "$fuse" sgdisk-512.raw "$scratch/private" -o size=64G 2>said && fail "mounted where the user may not"
  [ -s said ] || fail "no message about a private mount point"
fi
unchanged sgdisk-512

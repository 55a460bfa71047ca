#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# rescue.sh [--with gptgrow|nbdcopy] SOURCE TARGET [OPTION...]
# Restores this machine's disk TARGET, a block device or a file that exists, at its own size. Everything on TARGET is lost.
# SOURCE is one of
#   nbds://USER@SERVER?tls-psk-file=FILE   a server with size=export; also nbd://, nbd+unix:///?socket=PATH and the like
#   http://SERVER/IMAGE.zst, https://...   an image, compressed or not
#   rbd:POOL/IMAGE                         an image in a Ceph cluster
# --with says what copies from an NBD server, gptgrow unless told. OPTIONs go to gptgrow restore, such as --sha256 HEX.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

usage() { sed -n '3,9s/^# //p' "$0" >&2; exit 2; }
die() { echo "${0##*/}: $*" >&2; exit 2; }

with=gptgrow
if [ "${1:-}" = --with ]; then
  with=${2:-}
  shift 2 || usage
fi
case $with in nbdcopy | gptgrow) ;; *) usage ;; esac
[ $# -ge 2 ] && [ -n "$1" ] && [ -n "$2" ] || usage
source=$1 target=$2
shift 2

# A name that was mistyped would become a file of that name.
if [ -b "$target" ]; then
  size=$(blockdev --getsize64 "$target")
elif [ -f "$target" ]; then
  size=$(stat -L -c %s "$target")
else
  die "$target: expected a block device, or a file of the disk's size"
fi
[ "$size" -gt 0 ] || die "$target: is 0 bytes long, expected the size of a disk"

restore() { gptgrow restore "$1" "$target" --yes "${@:2}"; }

# nbdcopy writes the table first. What is left of a copy that failed must not look like a disk.
no_table() {
  local mib=$((1 << 20))
  dd if=/dev/zero of="$target" bs=64K count=16 conv=notrunc,fsync status=none
  [ "$size" -lt $mib ] ||
    dd if=/dev/zero of="$target" bs=64K count=$mib seek=$((size - mib)) iflag=count_bytes oflag=seek_bytes \
      conv=notrunc,fsync status=none
}

by_nbdcopy() {
  [ $# = 1 ] || die "nbdcopy takes none of these: ${*:2}"
  local served
  served=$(nbdinfo --size "$1") || die "the server does not serve $size bytes; its log says why"
  [ "$served" = "$size" ] || die "the server serves $served bytes, expected $size, the size of $target"
  # nbdcopy asks nobody whether the disk is in use; the kernel tells wipefs. gptgrow restore would name who uses it.
  [ ! -b "$target" ] || wipefs --quiet --all "$target" >/dev/null || die "$target: in use: expected a disk that nothing holds"
  if ! nbdcopy --flush "$1" "$target"; then
    no_table
    die "$target: the copy failed; no partition table was left on it"
  fi
}

case $source in
  nbd://* | nbds://* | nbd+unix://* | nbds+unix://*)
    place=${source%%\?*} query=
    [ "$place" = "$source" ] || query="?${source#*\?}"
    # The one slash that may follow the server; what is behind it would be an export's name.
    server=${place#*://}
    case ${server%/} in
      */*) die "$source: names an export, expected none: it is the size of $target" ;;
    esac
    uri=${place%%://*}://${server%/}/$size$query
    if [ "$with" = nbdcopy ]; then by_nbdcopy "$uri" "$@"; else restore "$uri" "$@"; fi ;;
  http://* | https://*)
    # Cut off or damaged, restore sees it, and leaves no table.
    curl --fail --silent --show-error --location --proto '=http,https' "$source" | restore - "$@" ;;
  rbd:*)
    rbd export --no-progress "${source#rbd:}" - | restore - "$@" ;;
  *)
    die "$source: expected nbds://, http:// or rbd:" ;;
esac

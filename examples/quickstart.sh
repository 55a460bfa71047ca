#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# quickstart.sh [IMAGE [SIZE]]
# From a bare Debian to a served disk: installs what is missing (asks for root's rights only for that), builds, and
# serves. With IMAGE: IMAGE as a disk of SIZE (2T unless told) on a Unix socket, until Ctrl-C. Without: makes an ESXi
# boot disk image and shows what a client sees of it as a disk of 2T.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
[ $# -le 2 ] || { sed -n '3,6s/^# //p' "$0" >&2; exit 2; }
image=${1:-}
size=${2:-2T}
[ -z "$image" ] || image=$(realpath -e "$image")

cd "$(dirname "$0")/.."
readonly kPlugin=$PWD/build/release/nbd-plugin/nbdkit-gptgrow-plugin.so
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

step() { printf '\n== %s\n' "$*"; }

quietly() {  # shows what a command says only when it fails
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}

serve_until_interrupted() {
  trap 'exit 0' INT TERM
  nbdkit -f -U "$work/socket" -P "$work/pid" "$kPlugin" file="$image" size="$size" &
  server=$!
  while [ ! -e "$work/pid" ]; do
    kill -0 "$server" 2>/dev/null || { wait "$server"; exit; }
    sleep 0.1
  done
  cat <<END
$image as a disk of $size:

    nbd+unix:///?socket=$work/socket

To restore it to a disk, at that disk's own size (here /dev/sdX, all of which is overwritten):

    nbdkit -U - $kPlugin '$image' reference=/dev/sdX --run 'nbdcopy --progress "\$uri" /dev/sdX'

Ctrl-C ends it.
END
  wait "$server"
}

# A copy of the served disk for tools that read files; its holes take no space.
copy_served_disk() {
  nbdkit -U - "$kPlugin" file="$image" size="$size" \
    --run "nbdinfo --no-content \"\$uri\" | grep -E 'description|export-size'; nbdcopy \"\$uri\" '$work/disk'"
}

draw_slots() {
  sfdisk -d "$work/disk" | sed -n 's/^.*disk\([0-9]*\) : start= *\([0-9]*\), size= *\([0-9]*\).*/\1 \2 \3/p' | sort -n |
    awk '{
      for (slot = last + 1; slot < $1; slot++) { top = top "+-----"; row = row "|     "; gap = gap " " slot }
      top = top "+-----"; row = row sprintf("|%3d  ", $1); last = $1
    }
    END { print top "+\n" row "|\n" top "+"; print "empty in between:" (gap ? gap : " none") }'
}

# Names the fields that differ in the first 34 sectors, and fails when anything else does.
compare_first_sectors() {
  { cmp -l -n $((34 * 512)) "$image" "$work/disk" || true; } | awk '
    { at = $1 - 1 }
    at >= 458 && at < 462 { differ["LBA 0, protective record: SizeInLBA"]++; next }
    at >= 528 && at < 532 { differ["LBA 1, header: HeaderCRC32"]++; next }
    at >= 544 && at < 552 { differ["LBA 1, header: AlternateLBA"]++; next }
    at >= 560 && at < 568 { differ["LBA 1, header: LastUsableLBA"]++; next }
    { print "LBA " int(at / 512) ", byte " at % 512 " differs"; bad = 1 }
    END {
      for (field in differ) print field " differs" | "sort"
      close("sort")
      if (!bad) print "LBA 2-33, the entries: identical, and so is every other byte of the first 34 sectors"
      exit bad
    }'
}

show_what_a_client_sees() {
  step "the served disk"
  copy_served_disk
  step "its table"
  sgdisk -p "$work/disk" | sed -n '/^Number/,$p'
  step "its slots"
  draw_slots
  step "sgdisk -v"
  sgdisk -v "$work/disk" | grep -A 1 '^No problems found'
  step "sfdisk --verify"
  sfdisk --verify "$work/disk" 2>&1 | sed "s,$work/,,"
  step "the first sectors, compared with the image"
  compare_first_sectors
  cat <<END

Next:
    examples/quickstart.sh IMAGE [SIZE]     serves an image of your own
    nbdkit -U - $kPlugin IMAGE reference=/dev/sdX --run 'nbdcopy --progress "\$uri" /dev/sdX'
END
}

step "packages"
tests/install.sh quickstart
step "build"
quietly cmake --preset release
quietly cmake --build --preset release --target nbdkit-gptgrow-plugin
echo "$kPlugin"

if [ -n "$image" ]; then
  step "serving"
  serve_until_interrupted
else
  step "an ESXi 5 boot disk"
  image=$PWD/build/esxi5.img
  examples/esxi5-image.sh "$image"
  ls -hs "$image"
  show_what_a_client_sees
fi

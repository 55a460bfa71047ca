#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# esxi5-image.sh OUT [esxi5|esxi6|esxi7]
# Makes OUT, a sparse raw image of 6 GiB with the partition table of an ESXi boot disk: no partition 4, the entries
# in another order than the partitions, FAT16 file systems that mount, and two boot banks of which one is newer.
# The same arguments make the same bytes.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

release=${2:-esxi5}
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: ${0##*/} OUT [esxi5|esxi6|esxi7]" >&2
  exit 2
fi
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=1400000000 MTOOLS_SKIP_CHECK=1 TZ=UTC

readonly kImageSectors=$((6 * 1024 * 1024 * 2))
readonly kLastUsableLba=$((kImageSectors - 34))
readonly kSystem=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
readonly kBasicData=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7
readonly kCoreDump=9D275380-40AD-11DB-BF97-000C2911D1B8
readonly kVmfs=AA31E02A-400F-11DB-9590-000C2911D1B8
readonly kOsData=4EB2EA39-7855-4790-A79E-FAE495E21F8D

# slot, first LBA, last LBA, type, content
case $release in
  esxi5) layout="
    1       64     8191 $kSystem    boot
    5     8224   520191 $kBasicData bank
    6   520224  1032191 $kBasicData bank
    8  1257504  1843199 $kBasicData store
    7  1032224  1257471 $kCoreDump  raw
    2  1843200 10229759 $kBasicData raw
    3 10229760 $kLastUsableLba $kVmfs raw" ;;
  esxi6) layout="
    1       64     8191 $kSystem    boot
    5     8224   520191 $kBasicData bank
    6   520224  1032191 $kBasicData bank
    8  1257504  1843199 $kBasicData store
    7  1032224  1257471 $kCoreDump  raw
    9  1843200  7086079 $kCoreDump  raw
    2  7086080 10229759 $kBasicData raw
    3 10229760 $kLastUsableLba $kVmfs raw" ;;
  esxi7) layout="
    1       64   204863 $kSystem    boot
    5   208896  2306047 $kBasicData bank
    6  2308096  4405247 $kBasicData bank
    7  4407296  8601599 $kOsData    raw
    8  8601600 $kLastUsableLba $kVmfs raw" ;;
  *) echo "${0##*/}: $release: not esxi5, esxi6 or esxi7" >&2; exit 2 ;;
esac

pack() {  # pack TARBALL DIRECTORY NAME
  tar -C "$2" --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner -cf - "$3" | gzip -9n >"$1"
}

make_bank_files() {  # make_bank_files SLOT DIRECTORY: the higher "updated" is the bank that ESXi starts
  local slot=$1 dir=$2
  mkdir -p "$dir/state/etc/vmware"
  echo "esxi-example" >"$dir/state/etc/hostname"
  printf '/device/path = "slot %s"\n' "$slot" >"$dir/state/etc/vmware/esx.conf"
  printf '127.0.0.1 localhost\n' >"$dir/state/etc/hosts"
  pack "$dir/local.tgz" "$dir/state" etc
  pack "$dir/state.tgz" "$dir" local.tgz
  printf 'bootstate=0\ntitle=Example bank in slot %s\nkernel=b.b00\nkernelopt=\nbuild=example\nupdated=%s\n' \
    "$slot" $((slot == 5 ? 2 : 1)) >"$dir/boot.cfg"
}

put_text() {  # put_text LBA TEXT
  printf '%s' "$2" | dd of="$out" bs=512 seek="$1" conv=notrunc status=none
}

make_fat() {  # make_fat FIRST LAST CONTENT NAME SLOT [FILE ...]
  local first=$1 last=$2 content=$3 name=$4 slot=$5 cluster_sectors=32
  shift 5
  [ "$content" != boot ] || cluster_sectors=$(((last - first) / 65000 + 1))
  mkfs.fat -F 16 -s "$cluster_sectors" -h "$first" --offset "$first" -n "$name" --invariant -i "e5e1000$slot" \
    "$out" $(((last - first + 1) / 2)) >"$work/mkfs.log" 2>&1 || { cat "$work/mkfs.log" >&2; exit 1; }
  touch -d @$SOURCE_DATE_EPOCH "$@"
  mcopy -m -i "$out@@$((first * 512))" "$@" ::
}

rm -f "$out"
truncate -s $((kImageSectors * 512)) "$out"
table=(-a 1 -U E5E10000-0000-4000-8000-000000000000)
while read -r slot first last type content; do
  [ -n "$slot" ] || continue
  table+=(-n "$slot:$first:$last" -t "$slot:$type" -u "$slot:E5E10000-0000-4000-8000-00000000000$slot")
  [ "$content" != boot ] || table+=(-A "$slot:set:2")
done <<<"$layout"
sgdisk "${table[@]}" "$out" >"$work/sgdisk.log" || { cat "$work/sgdisk.log" >&2; exit 1; }

while read -r slot first last _ content; do
  [ -n "$slot" ] || continue
  files=$work/$slot
  mkdir -p "$files"
  case $content in
    boot)
      echo "say boot loader of the example image" >"$files/syslinux.cfg"
      make_fat "$first" "$last" boot ESXI "$slot" "$files/syslinux.cfg" ;;
    bank)
      make_bank_files "$slot" "$files"
      make_fat "$first" "$last" bank "BANK$slot" "$slot" "$files/boot.cfg" "$files/state.tgz" ;;
    store)
      echo "an example of a file in slot $slot" >"$files/readme.txt"
      make_fat "$first" "$last" store STORE "$slot" "$files/readme.txt" ;;
    raw)
      put_text "$first" "first sector of slot $slot"
      put_text "$last" "last sector of slot $slot" ;;
  esac
done <<<"$layout"

dd if=/usr/lib/syslinux/mbr/gptmbr.bin of="$out" bs=440 count=1 conv=notrunc status=none
put_bytes() { printf '%b' "$2" | dd of="$out" bs=1 seek="$1" conv=notrunc status=none; }
put_bytes 440 '\x0e\x5e\xe1\xe5'  # disk signature
put_bytes 446 '\x80'              # the protective record is active
if [ "$release" = esxi7 ]; then   # SizeInLBA of the protective record, little-endian
  size_hex=$(printf '%08x' $kLastUsableLba)
  put_bytes 458 "\\x${size_hex:6:2}\\x${size_hex:4:2}\\x${size_hex:2:2}\\x${size_hex:0:2}"
fi

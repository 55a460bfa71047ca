#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Partitioning, copying and image tools work on the mounted disk, for root and for an ordinary user.
. "$(dirname "$0")/common.sh"
export MTOOLS_SKIP_CHECK=1

"$tests/../examples/esxi5-image.sh" esxi.raw
chmod 644 esxi.raw
"$tests/images/fingerprint.sh" esxi.raw >esxi.fingerprint
size=$((64 << 30))
model esxi $size
export -f ended
cp "$tests/while_busy.sh" .
cat >use.sh <<'SH'
set -euo pipefail
scratch=$1 out=$2
cd "$scratch"
fail() { echo "FAILED: $*, as $(id -un): $(cat "$out/log")" >&3; exit 1; }
exec 3>&2 2>"$out/log"
"$scratch/gptgrow-fuse" esxi.raw "$out/mnt" -o size=64G || fail mount
disk=$out/mnt/disk.raw

[ "$(stat -c '%u %g' "$disk" "$out/mnt" | sort -u)" = "$(id -u) $(id -g)" ] || fail "owner: $(stat -c '%u %g' "$disk")"
sgdisk -v "$disk" >"$out/log" || fail sgdisk
grep -q "^No problems found" "$out/log" || fail "sgdisk -v"
sfdisk --verify "$disk" >"$out/log" || fail sfdisk
grep -q "^No errors detected" "$out/log" || fail "sfdisk --verify"
for slot in 1 2 3 5 6 7 8; do
  sfdisk --dump "$disk" | grep -q "disk.raw$slot :" || fail "sfdisk --dump lacks slot $slot"
done
parted -s "$disk" unit s print >"$out/log" || fail parted
grep -q "134217728s" "$out/log" || fail "parted print"
qemu-img map -f raw --output=json "$disk" >"$out/map" || fail "qemu-img map"
# Data is what du counts, and the extents reach to the end.
blocks=$(sed -n 's/.*"length": \([0-9]*\),.*"data": true.*/\1/p' "$out/map" |
  awk '{ sum += $1 } END { print sum / 512 }')
[ "$blocks" = "$(stat -c %b "$disk")" ] || fail "data in qemu-img map: $blocks blocks, in stat: $(stat -c %b "$disk")"
[ "$blocks" -le $(($(stat -c %b esxi.raw) + 64)) ] || fail "data in qemu-img map: $(cat "$out/map")"
end=$(sed -n '$s/.*"start": \([0-9]*\), "length": \([0-9]*\),.*/\1 + \2/p' "$out/map")
[ $((end)) = $((64 << 30)) ] || fail "end of qemu-img map: $end"
qemu-img compare -q -f raw -F raw "$disk" expected.raw || fail "qemu-img compare"
cp --sparse=always "$disk" "$out/copy.raw" || fail cp
[ "$(stat -c %s "$out/copy.raw")" = "$(stat -c %s expected.raw)" ] || fail "size of the copy"
qemu-img compare -q -f raw -F raw "$out/copy.raw" expected.raw || fail "cp --sparse=always"
# The copy is as sparse as the image, give or take metadata and the 33 sectors of the backup.
[ "$(stat -c %b "$out/copy.raw")" -lt $(($(stat -c %b esxi.raw) + 2048)) ] || fail "the copy is not sparse"
rm "$out/copy.raw"
dd if="$disk" bs=1M count=64 status=none | cmp -n $((64 << 20)) - expected.raw || fail dd
dd if="$disk" bs=64K count=1024 iflag=direct status=none | cmp -n $((64 << 20)) - expected.raw || fail "dd iflag=direct"
mdir -b -i "$out/mnt/partitions/5.raw" >"$out/log" || fail mdir
grep -qx "::/state.tgz" "$out/log" || fail "mdir"
mcopy -n -i "$out/mnt/by-partuuid/e5e10000-0000-4000-8000-000000000008" ::readme.txt "$out/readme.txt" || fail mcopy
grep -qx "an example of a file in slot 8" "$out/readme.txt" || fail "mcopy"
server=$(pgrep -n -f "^$scratch/gptgrow-fuse esxi.raw $out/")
"$scratch/while_busy.sh" fusermount3 -u "$out/mnt" || fail "fusermount3 -u"
ended "$server" || fail "the server is left"
SH

users="user"
[ "$(id -u)" != 0 ] || users="root user"
for user in $users; do
  mkdir -p "$user/mnt"
  if [ "$user" = root ]; then
    bash use.sh "$scratch" "$scratch/root" || exit 1
  else
    chmod -R 777 "$user"
    as_user bash use.sh "$scratch" "$scratch/user" || exit 1
  fi
done

# The kernel's own reader of partition tables, for both sector sizes.
image esxi5-4096
for sector_size in 512 4096; do
  name=esxi
  [ $sector_size = 512 ] || name=esxi5-4096
  grown $name size=64G
  if loop_device mnt/disk.raw -r -b $sector_size; then
    sfdisk --dump "$loop" >dump || fail "sfdisk --dump $loop"
    [ "$(grep -c 'start=' dump)" = 7 ] || fail "partitions of $(cat dump)"
    detach
  else
    echo "no loop devices here: losetup is left out"
  fi
  unmount
done
unchanged esxi5-4096
unchanged esxi

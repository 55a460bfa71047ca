#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# rescue.sh
# The static gptgrow (build/static, or $GPTGROW_COMMAND) in a virtual machine that holds it, a busybox and Debian's kernel
# alone: restores, verifies and repairs a disk of each kind, virtio, NVMe, SCSI and USB, from a file and from a pipe.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
command=${GPTGROW_COMMAND:-$project/build/static/cli/gptgrow}
out=$project/build/rescue
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/vm/initramfs.sh
. "$here/initramfs.sh"
readonly kImage=sgdisk-512
# The disks are told apart by their sizes in MiB.
declare -rA kDisks=([vda]=64 [nvme0n1]=65 [sda]=66 [sdb]=67)

[ -e "$command" ] || { echo "rescue.sh: no $command: build it first" >&2; exit 2; }
mkdir -p "$out"
unpack_kernel linux-image-amd64

# --- the guest -------------------------------------------------------------------------------------------------------
"$project/tests/images/catalogue.py" "$work" "$kImage" >/dev/null
root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,usr/lib}
ln -s usr/lib "$root/lib"
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$command" "$root/gptgrow"
cp "$work/$kImage.raw" "$root/image"
gzip -c "$root/image" >"$root/image.gz"
add_modules "$root" virtio_pci virtio_blk virtio_scsi sd_mod nvme xhci_pci usb_storage
cp "$here/rescue-init.sh" "$root/init"
chmod 755 "$root/init"
pack "$root" >"$work/initrd"

# --- and what it did -------------------------------------------------------------------------------------------------
for disk in "${!kDisks[@]}"; do
  truncate -s "${kDisks[$disk]}M" "$work/$disk"
done
drive() { echo "if=none,id=$1,file=$work/$1,format=raw,cache=unsafe"; }
timeout 900 qemu-system-x86_64 -accel tcg -cpu max -nodefaults -display none -no-reboot -m 1G -smp 1 </dev/null \
  -kernel "$out"/kernel/tree/boot/vmlinuz-* -initrd "$work/initrd" \
  -append "console=ttyS0 loglevel=4 panic=-1 mitigations=off" -serial "file:$out/console" -serial "file:$out/results" \
  -device virtio-scsi-pci -device qemu-xhci \
  -drive "$(drive vda)" -device virtio-blk-pci,drive=vda \
  -drive "$(drive nvme0n1)" -device nvme,drive=nvme0n1,serial=nvme \
  -drive "$(drive sda)" -device scsi-hd,drive=sda \
  -drive "$(drive sdb)" -device usb-storage,drive=sdb || true
tr -d '\r' <"$out/results"
status=0
grep -q '^end' "$out/results" && ! grep -q FAILED "$out/results" || { status=1; tail -n 30 "$out/console"; }
for disk in "${!kDisks[@]}"; do
  "$project/tests/model/write_disk.py" "$work/$kImage.raw" $((kDisks[$disk] << 20)) "$work/expected"
  cmp "$work/expected" "$work/$disk" && echo "ok $disk: every byte, on the host" || status=1
done
exit $status

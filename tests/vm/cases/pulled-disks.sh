# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
# Disks with a write-back cache that go away while they are restored, of each kind, or whose machine does: exit status 2 within a
# minute, the byte, no table over missing data; once it is plugged in again, the same command completes it.
kernel=generic
disks=("8M raw")
image=/dev/vda

# Distinguished by their sizes in MiB.
declare -A sizes=([virtio]=12 [nvme]=13 [scsi]=14 [usb]=15)

devices() {
  local kind
  arguments+=(-device virtio-scsi-pci,id=virtio-scsi -device qemu-xhci)
  for kind in "${!sizes[@]}"; do
    truncate -s "${sizes[$kind]}M" "$work/$kind"
    arguments+=(-object "throttle-group,id=speed-$kind" -blockdev
      "driver=throttle,node-name=$kind,throttle-group=speed-$kind,file.driver=file,file.filename=$work/$kind,file.discard=unmap")
  done
}

beside_guest() { "$here/plugging.py" "$work" "$log.results" "$work/disk1"; }

make_image() {
  head -c 8M /dev/urandom >/dev/vda
  sgdisk -Z /dev/vda
  sgdisk -a 8 -n 1:64:+16 -n 5:104:+15000 -n 3:0:+64 -t 5:0700 /dev/vda
}

prepare() { modprobe -a virtio_scsi sd_mod nvme xhci_pci usb_storage; }

find_disk() {  # find_disk KIND: sets $disk
  local size -
  set +x
  for size in /sys/block/[vs]d*/size /sys/block/nvme*/size; do
    disk=${size%/size}
    disk=/dev/${disk##*/}
    [ "$(cat "$size" 2>/dev/null)" != $((sizes[$1] * 2048)) ] || [ ! -b "$disk" ] || return 0
  done
  return 1
}

plug() {  # plug KIND slow|fast: sets $disk
  report "plug $1 $2"
  for _ in $(seq 600); do
    ! find_disk "$1" || return 0
    sleep 0.1
  done
  return 1
}

wait_until_gone() {  # wait_until_gone DISK
  for _ in $(seq 600); do
    [ -e "/sys/block/${1##*/}" ] || return 0
    sleep 0.1
  done
  return 1
}

written() {  # written DISK: sectors
  local stat
  read -ra stat <"/sys/block/${1##*/}/stat"
  echo "${stat[6]}"
}

# The middle of a restore: so much has arrived, and the rest has not.
wait_until_written() {  # wait_until_written DISK SECTORS PID
  local -
  set +x
  while kill -0 "$3" && [ "$(written "$1")" -lt "$2" ]; do
    sleep 0.02
  done
  kill -0 "$3"
}

pulled() {  # pulled KIND COMMAND...: the disk goes away by COMMAND, in the middle of a restore
  local kind=$1 status=0 restore byte
  shift
  rm -f /run/map
  plug "$kind" slow
  timeout 60 gptgrow restore "$image" "$disk" --yes --map /run/map >/run/said 2>&1 &
  restore=$!
  wait_until_written "$disk" 4096 "$restore"
  "$@"
  wait "$restore" || status=$?
  cat /run/said
  [ "$status" = 2 ]
  byte=$(sed -n 's/.* at byte \([0-9]*\): \(Input.output error\|No such device\)$/\1/p' /run/said | head -n 1)
  [ "$byte" -gt 0 ] && [ "$byte" -lt $((8 << 20)) ]
  grep "has no partition table; the same command goes on" /run/said
  wait_until_gone "$disk"
  [ "$1" = report ] || report "pull $kind"
  plug "$kind" fast
  gptgrow restore "$image" "$disk" --yes --map /run/map >/run/said 2>&1
  cat /run/said
  gptgrow verify "$image" "$disk"
  report "whole $kind"
}

deleted_by_guest() { echo 1 >"/sys/block/${disk##*/}/device/delete"; }

check_virtio_disk() { pulled virtio report "pull virtio"; }
check_nvme_disk() { pulled nvme report "pull nvme"; }
check_scsi_disk() { pulled scsi report "pull scsi"; }
check_usb_disk() { pulled usb report "pull usb"; }
check_scsi_disk_that_is_deleted_by_the_guest() {
  find_disk scsi
  report "take scsi"
  wait_until_gone "$disk"
  pulled scsi deleted_by_guest
}

# The disks hold a restore of the same table: a table over what is there now would be one over a mixture.
after_checks() {
  local kind
  local -A targets=() began=() restores=()
  dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=6
  for kind in "${!sizes[@]}"; do
    report "slow $kind"
    find_disk "$kind"
    targets[$kind]=$disk began[$kind]=$(written "$disk")
    gptgrow restore "$image" "$disk" --yes &
    restores[$kind]=$!
  done
  for kind in "${!sizes[@]}"; do
    # One may be complete before the last one has begun.
    wait_until_written "${targets[$kind]}" $((began[$kind] + 4096)) "${restores[$kind]}" || true
  done
  report "kill"
  sleep 600
}

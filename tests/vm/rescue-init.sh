#!/bin/busybox sh
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=dash
# The first process of rescue.sh's guest. Lines of results go to the second serial port.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in /usr/lib/modules/*/*.ko; do basename "$module" .ko; done | xargs modprobe -a

disk_of_mib() {  # disk_of_mib MIB: its name, when it is there
  local size
  for size in /sys/block/*/size; do
    if [ "$(cat "$size")" = $(($1 * 2048)) ]; then basename "$(dirname "$size")"; return; fi
  done
  return 1
}

check() {  # check NAME EXPECTED_STATUS COMMAND...
  local name=$1 expected=$2 status=0
  shift 2
  echo "== $name: $*"
  "$@" || status=$?
  if [ $status = "$expected" ]; then echo "ok $name" >/dev/ttyS1; else echo "FAILED $name: $status" >/dev/ttyS1; fi
}
from_pipe() { zcat /image.gz | /gptgrow restore - "$1" --yes; }

check inspect 0 /gptgrow inspect /image
for kind in virtio:64 NVMe:65 SCSI:66 USB:67; do
  name=${kind%:*}
  until disk=$(disk_of_mib "${kind#*:}") && [ -b "/dev/$disk" ]; do sleep 0.1; done
  disk=/dev/$disk
  check "$name restore" 0 /gptgrow restore /image "$disk" --yes
  check "$name inspect" 0 /gptgrow inspect "$disk"
  check "$name verify" 0 /gptgrow verify /image "$disk"
  dd if=/dev/urandom of="$disk" bs=512 seek=1 count=1
  check "$name verify, broken" 1 /gptgrow verify /image "$disk" --table-only
  check "$name repair" 0 /gptgrow repair "$disk" --from /image --apply --yes
  check "$name verify, repaired" 0 /gptgrow verify /image "$disk"
  check "$name restore, from a pipe" 0 from_pipe "$disk"
  check "$name verify, from a pipe" 0 /gptgrow verify /image.gz "$disk"
done
echo end >/dev/ttyS1
sync
poweroff -f

#!/usr/busybox/sh
# SPDX-License-Identifier: BSD-3-Clause
# The first process of the system that the bootable image starts. It looks for its boot bank as ESXi does: in the
# partitions whose numbers are 5 and 6, the one whose "updated" is higher; and tells the serial console what it found.
export PATH=/usr/busybox
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
modprobe -a virtio_pci virtio_blk vfat nls_cp437 nls_ascii nls_utf8

newest=0 found=
for slot in 5 6; do
  mkdir -p /mnt/$slot
  if mount -t vfat -o ro /dev/vda$slot /mnt/$slot 2>/dev/null && [ -e /mnt/$slot/boot.cfg ]; then
    updated=$(sed -n 's/^updated=//p' /mnt/$slot/boot.cfg)
    if [ "$updated" -gt "$newest" ]; then
      newest=$updated found=$slot
    fi
  else
    echo "BOOT: no boot bank in slot $slot"
  fi
done
if [ -n "$found" ]; then
  tar -xzf /mnt/$found/state.tgz -C /tmp && tar -xzf /tmp/local.tgz -C /tmp
  echo "BOOT: bank in slot $found, $(sed -n 's/^title=//p' /mnt/$found/boot.cfg), host $(cat /tmp/etc/hostname)"
fi
echo "BOOT: done"
poweroff -f

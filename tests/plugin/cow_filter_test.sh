#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Writes come from --filter=cow: sgdisk changes the grown disk, the image stays.
. "$(dirname "$0")/common.sh"

image esxi5-512
mounted --filter=cow "$plugin" esxi5-512.raw size=64G
sgdisk -n 4:0:0 -c 4:new mnt/disk >/dev/null 2>&1 || fail "sgdisk -n"
sgdisk -i 4 mnt/disk | grep -q "Partition name: 'new'" || fail "the new partition"
sgdisk -v mnt/disk | grep -q '^No problems found' || fail "sgdisk -v"
unmount

# Without the filter, the disk is read-only.
served esxi5-512.raw size=64G 'nbdinfo "$uri"' | grep -q 'is_read_only: true' || fail "read-only"
unchanged esxi5-512

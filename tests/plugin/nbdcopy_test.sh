#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdcopy writes the promised disk to a file, to a file that has the size already, and over several connections.
. "$(dirname "$0")/common.sh"

image esxi5-512
size=$((64 << 30))
model esxi5-512 $size
served esxi5-512.raw size=64G 'nbdcopy "$uri" copy.raw'
same copy.raw || fail "nbdcopy to a new file"
# What is empty is not copied: the copy takes no more room than the image and a few blocks for the new tail.
[ "$(stat -c %b copy.raw)" -le $(($(stat -c %b esxi5-512.raw) + 512)) ] || fail "blocks of the copy"

truncate -s $size target.raw
served esxi5-512.raw reference=target.raw 'nbdcopy --connections=4 --requests=64 "$uri" target.raw'
same target.raw || fail "nbdcopy with reference="
unchanged esxi5-512

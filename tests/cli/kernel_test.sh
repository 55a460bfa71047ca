#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A repaired block device: the kernel reads the new table at once and numbers the partitions as the image does.
. "$(dirname "$0")/common.sh"

[ "$(id -u)" = 0 ] || { echo "needs root, for a loop device" >&2; exit 77; }
esxi5
grown esxi5.raw disk.raw 64G
"$tests/cli/rewrite_densely.py" disk.raw
loop_device disk.raw --partscan
[ -e "/sys/block/${device#/dev/}/${device#/dev/}p1" ] || { echo "this kernel reads no GPT" >&2; exit 77; }
name=${device#/dev/}
partitions() {
  local path
  for path in "/sys/block/$name/$name"p*; do
    echo "${path##*p} $(cat "$path/start") $(cat "$path/size")"
  done | sort -n
}
[ "$(partitions | cut -d' ' -f1 | xargs)" = "1 2 3 4 5 6 7" ] || fail "the kernel sees: $(partitions)"
status 0 "$gptgrow" repair "$device" --from esxi5.raw --apply
partitions >kernel
"$gptgrow" inspect esxi5.raw --json |
  python3 -c 'import json, sys
for p in json.load(sys.stdin)["partitions"]: print(p["slot"], p["first_lba"], p["last_lba"] - p["first_lba"] + 1)' >image
cmp kernel image || { cat kernel image >&2; fail "the kernel's partitions are not the image's"; }
status 0 "$gptgrow" compare esxi5.raw "$device"

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# restore.sh [ROUNDS [METRIC...]]
# Times gptgrow restore against nbdcopy and qemu-img, which copy what the plugin serves, in turn, ROUNDS times (default
# 10): 2 GiB of data from page cache, flushed to a sparse file of 2 TiB and to a loop device over one. Nobody verifies.
# Prints medians, and medians of the ratios within a round.
# Metrics: file loop size memory (default: all). Needs root for loop devices. GPTGROW_COMMAND and GPTGROW_PLUGIN are the
# programs.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

rounds=${1:-10}
shift || true
metrics=${*:-file loop size memory}
# shellcheck source=tests/bench/programs.sh
. "$(dirname "$0")/programs.sh"

work=$(mktemp -d)
results=$work/results
target=$work/target.raw
loop=
cleanup() {
  [ -z "$loop" ] || losetup -d "$loop"
  rm -rf "$work"
}
trap cleanup EXIT

image=$work/image.raw
truncate -s 2080M "$image"
sgdisk -n 1:2048:0 "$image" >/dev/null
head -c 2G /dev/urandom | dd of="$image" bs=1M seek=16 conv=notrunc status=none

fresh_target() {  # fresh_target SIZE
  [ -z "$loop" ] || losetup -d "$loop"
  loop=
  rm -f "$target"
  sync
  truncate -s "$1" "$target"
  destination=$target
}
on_loop() {
  loop=$(losetup -f --show "$target")
  destination=$loop
}

ours() { "$gptgrow" restore "$image" "$destination" --no-verify --yes >/dev/null 2>&1; }
nbdcopy_plugin() {
  nbdkit -U - "$plugin" "$image" reference="$destination" \
    --run "nbdcopy --flush --destination-is-zero \"\$uri\" '$destination'"
}
qemu_img() {
  nbdkit -U - "$plugin" "$image" reference="$destination" \
    --run "qemu-img convert -n --target-is-zero -t none -f raw -O raw \"\$uri\" '$destination'"
}

measure() {  # measure METRIC CONTENDER [NAME]: in microseconds
  local start=${EPOCHREALTIME/./}
  "$2"
  sync "$destination"
  echo "$1 ${3:-$2} $((${EPOCHREALTIME/./} - start))" >>"$results"
}

for metric in $metrics; do
  for ((round = 0; round < rounds; round++)); do
    cat "$image" >/dev/null
    case $metric in
      file | loop)
        for contender in ours nbdcopy_plugin qemu_img; do
          fresh_target 2T
          [ "$metric" = file ] || on_loop
          measure "$metric" "$contender"
        done ;;
      size)
        fresh_target 4G
        measure size ours 4G
        fresh_target 2T
        measure size ours ;;
      memory)
        [ "$round" = 0 ] || continue
        fresh_target 2T
        peak=$(/usr/bin/env python3 - "$gptgrow" restore "$image" "$target" --yes <<'PYTHON'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PYTHON
)
        echo "memory-KiB ours $peak" >>"$results" ;;
    esac
  done
done

python3 - "$results" <<'PYTHON'
import collections, statistics, sys

TARGETS = {("file", "nbdcopy_plugin"): 0.75, ("file", "qemu_img"): 0.85, ("loop", "nbdcopy_plugin"): 0.75,
           ("loop", "qemu_img"): 0.85, ("size", "4G"): 1.1}
times = collections.defaultdict(lambda: collections.defaultdict(list))
for line in open(sys.argv[1]):
    metric, contender, value = line.split()
    times[metric][contender].append(float(value))
for metric, contenders in times.items():
    ours = contenders.pop("ours")
    print(f"{metric:10} ours           {statistics.median(ours):12.1f}" +
          ("  target <= 24576" if "KiB" in metric else " us"))
    for name, values in contenders.items():
        ratio = statistics.median(mine / theirs for theirs, mine in zip(values, ours))
        print(f"{metric:10} {name:14} {statistics.median(values):12.1f} us  ours takes {ratio:5.2f} of that"
              f"  target <= {TARGETS[metric, name]}")
PYTHON

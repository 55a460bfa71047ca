#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# stream.sh [ROUNDS [METRIC...]]
# Times gptgrow restore of a compressed image and of a pipe against what people use instead, in turn, ROUNDS times (default
# 5): 2 GiB of data as tar makes them of /usr, flushed to a new sparse file of 2 TiB that takes its bytes past the page cache, or
# to one of the image's size where the other tool must write all of it. Nobody verifies. Prints medians, and medians of the
# ratios within a round.
# Metrics: zstd (zstd -dc to nowhere, with a target in memory, which no disk makes slower than that), dd (zstd -dc | dd), bmap
# (bmaptool), pipe (the raw image by a pipe, and from its file, both out of the page cache), pipe-disk (the same, from the disk
# that it lies on), empty (64 GiB that are mostly holes, zstd -dc | dd), memory (default: all). GPTGROW_COMMAND is the program.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

rounds=${1:-5}
shift || true
metrics=${*:-zstd dd bmap pipe pipe-disk empty memory}
gptgrow=${GPTGROW_COMMAND:-$(cd "$(dirname "$0")/../.." && pwd)/build/release/cli/gptgrow}
[ -e "$gptgrow" ] || { echo "${0##*/}: no $gptgrow; build the release preset" >&2; exit 2; }

work=$(mktemp -d)
memory=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$work" "$memory"' EXIT
results=$work/results
target=$work/target.raw
readonly kNew=$target

make_image() {  # make_image NAME SIZE
  truncate -s "$2" "$work/$1.raw"
  sgdisk -n 1:2048:0 "$work/$1.raw" >/dev/null
  while tar -c -f - /usr 2>/dev/null; do :; done | head -c "${3:-2G}" |
    dd of="$work/$1.raw" bs=1M seek=16 conv=notrunc status=none iflag=fullblock || true
  zstd -q -3 -T0 "$work/$1.raw" -o "$work/$1.zst"
}

ours() { "$gptgrow" restore "$work/$name.zst" "$target" --no-verify --yes >/dev/null 2>&1; }
from_file() { "$gptgrow" restore "$work/$name.raw" "$target" --no-verify --yes >/dev/null 2>&1; }
by_pipe() { cat "$work/$name.raw" | "$gptgrow" restore - "$target" --no-verify --yes >/dev/null 2>&1; }
nowhere() { zstd -q -dc "$work/$name.zst" >/dev/null; }
dd_pipeline() { zstd -q -dc "$work/$name.zst" | dd of="$target" oflag=direct bs=4M iflag=fullblock conv=fsync,notrunc status=none; }
bmaptool_copy() { bmaptool -q copy --bmap "$work/$name.bmap" "$work/$name.zst" "$target" >/dev/null 2>&1; }

measure() {  # measure METRIC CONTENDER: in microseconds
  local start
  # Memory that was never used before costs more than what is measured.
  [ "$target" != "$kNew" ] || rm -f "$target"
  sync
  truncate -s "$size" "$target"
  cat "$work/$name.zst" >/dev/null
  [ "$1" != pipe-disk ] || dd of="$work/$name.raw" oflag=nocache conv=notrunc,fdatasync count=0 status=none
  start=${EPOCHREALTIME/./}
  "$2"
  sync "$target"
  echo "$1 $2 $((${EPOCHREALTIME/./} - start))" >>"$results"
}

make_image data 2080M
for metric in $metrics; do
  name=data size=2T target=$kNew
  case $metric in
    zstd)
      pair=(ours nowhere) size=100G target=$memory/target.raw
      truncate -s $size "$target"
      ours ;;
    dd) pair=(ours dd_pipeline) ;;
    bmap)
      pair=(ours bmaptool_copy) size=$(stat -c %s "$work/data.raw")
      bmaptool -q create "$work/data.raw" -o "$work/data.bmap" >/dev/null ;;
    pipe | pipe-disk) pair=(by_pipe from_file) ;;
    empty)
      pair=(ours dd_pipeline) name=empty size=64G
      make_image empty 64G 512M ;;
    memory)
      truncate -s 2T "$target"
      /usr/bin/env python3 - "$gptgrow" restore "$work/data.zst" "$target" --yes <<'PYTHON'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(f"memory     ours {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss} KiB, the decoder's window with it")
PYTHON
      continue ;;
  esac
  for ((round = 0; round < rounds; round++)); do
    for contender in "${pair[@]}"; do
      measure "$metric" "$contender"
    done
  done
  rm -f "$memory"/*
done

python3 - "$results" <<'PYTHON'
import collections, statistics, sys

TARGETS = {"zstd": 1.05, "dd": 0.9, "bmap": 0.9, "pipe": 1.1, "pipe-disk": 1.1, "empty": 0.5}
times = collections.defaultdict(lambda: collections.defaultdict(list))
for line in open(sys.argv[1]):
    metric, contender, value = line.split()
    times[metric][contender].append(float(value))
for metric, contenders in times.items():
    (mine, ours), (name, theirs) = contenders.items()
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"{metric:9} {mine} {statistics.median(ours):12.1f} us, {name} {statistics.median(theirs):12.1f} us: "
          f"ours takes {ratio:5.2f} of that  target <= {TARGETS[metric]}")
PYTHON

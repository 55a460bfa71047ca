#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fuse.sh [ROUNDS [METRIC...]]
# Times gptgrow-fuse against nbdfuse over nbdkit's file plugin, a loop device on the image, and the image itself, in
# turn, ROUNDS times (default 20), on an image in page cache. Prints medians, and medians of the ratios within a round.
# Other work on the machine slows the contenders unequally; "chrt -f 10 fuse.sh" keeps it away, but for loop devices,
# whose threads are the kernel's.
# Metrics: sequential random first-byte memory (default: all). Needs root for loop devices. GPTGROW_FUSE is the program.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

rounds=${1:-20}
shift || true
metrics=${*:-sequential random first-byte memory}
here=$(cd "$(dirname "$0")" && pwd)
program=${GPTGROW_FUSE:-$here/../../build/release/fuse/gptgrow-fuse}
[ -x "$program" ] || { echo "${0##*/}: no $program; build the release preset, or set GPTGROW_FUSE" >&2; exit 2; }

readonly kDataMiB=512 kSkipMiB=16
work=$(mktemp -d)
results=$work/results
loop=
cleanup() {
  for file in "$work/mnt" "$work/nbd"; do umount -l "$file" 2>/dev/null || true; done
  [ -z "$loop" ] || losetup -d "$loop"
  rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/mnt"
: >"$work/nbd"

image=$work/image.raw
truncate -s $(((kDataMiB + 2 * kSkipMiB) * 1024 * 1024)) "$image"
sgdisk -n 1:2048:0 "$image" >/dev/null
head -c ${kDataMiB}M /dev/urandom | dd of="$image" bs=1M seek=$kSkipMiB conv=notrunc status=none

open_ours() { "$program" "$image" "$work/mnt" -o size=64G; file=$work/mnt/disk.raw; }
close_ours() { fusermount3 -u "$work/mnt"; }
open_nbdfuse() {
  nbdfuse -P "$work/nbdfuse.pid" "$work/nbd" --command nbdkit -s file "$image" &
  until [ -s "$work/nbd" ]; do :; done
  file=$work/nbd
}
close_nbdfuse() { fusermount3 -u "$work/nbd"; wait; }
open_loop() { loop=$(losetup -f --show -r "$image"); file=$loop; }
close_loop() { losetup -d "$loop"; loop=; }
open_raw() { file=$image; }
close_raw() { :; }

measure() {  # measure METRIC CONTENDER COMMAND...: in microseconds
  local metric=$1 contender=$2 start=${EPOCHREALTIME/./}
  shift 2
  "$@"
  echo "$metric $contender $((${EPOCHREALTIME/./} - start))" >>"$results"
}

sequential_read() { dd if="$file" of=/dev/null bs=1M skip=$kSkipMiB count=$kDataMiB status=none; }

sequential() {
  measure cold "$1" sequential_read
  measure second "$1" sequential_read
  measure direct "$1" sequential_read iflag=direct
}

random_reads() {  # random_reads METRIC CONTENDER OPTION...: as the time that one read takes
  local metric=$1 contender=$2 iops
  shift 2
  iops=$(fio --name=r --filename="$file" --readonly --rw=randread --bs=4k --offset=${kSkipMiB}m --size=${kDataMiB}m \
    --allow_file_create=0 --invalidate=0 --runtime=1 --time_based --output-format=terse --terse-version=3 "$@" |
    cut -d ';' -f 8)
  echo "$metric $contender $(awk "BEGIN { print 1e6 / $iops }")" >>"$results"
}

random() {
  if [ "$1" != raw ]; then
    random_reads random-1 "$1" --ioengine=psync --direct=1
    random_reads random-32 "$1" --ioengine=libaio --iodepth=32 --direct=1
  fi
  sequential_read
  random_reads random-warm "$1" --ioengine=psync
}

first_byte() { "open_$1"; dd if="$file" of=/dev/null bs=512 count=1 status=none; }

peak_memory() {  # peak_memory PROCESS: in KiB
  awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}

for metric in $metrics; do
  case $metric in
    sequential) contenders="ours nbdfuse loop" ;;
    random) contenders="ours nbdfuse raw" ;;
    first-byte) contenders="ours nbdfuse" ;;
    memory) contenders="ours" ;;
  esac
  for ((round = 0; round < rounds; round++)); do
    cat "$image" >/dev/null
    for contender in $contenders; do
      case $metric in
        first-byte)
          measure first-byte "$contender" first_byte "$contender" ;;
        memory)
          [ $round = 0 ] || continue
          "open_$contender"
          pid=$(pgrep -n -x gptgrow-fuse)
          sequential_read
          fio --name=r --filename="$file" --readonly --rw=randread --bs=256k --allow_file_create=0 --ioengine=libaio \
            --iodepth=32 --numjobs=4 --direct=1 --size=${kDataMiB}m --output=/dev/null
          echo "memory-KiB $contender $(peak_memory "$pid")" >>"$results" ;;
        *)
          "open_$contender"
          "$metric" "$contender" ;;
      esac
      "close_$contender"
    done
  done
done

python3 - "$results" <<'PYTHON'
import collections, statistics, sys

TARGETS = {("cold", "nbdfuse"): 3, ("cold", "loop"): 0.75, ("second", "nbdfuse"): 4, ("direct", "nbdfuse"): 4,
           ("random-1", "nbdfuse"): 2.5, ("random-32", "nbdfuse"): 4.5, ("random-warm", "raw"): 0.95,
           ("first-byte", "nbdfuse"): 2}
times = collections.defaultdict(lambda: collections.defaultdict(list))
for line in open(sys.argv[1]):
    metric, contender, value = line.split()
    times[metric][contender].append(float(value))
for metric, contenders in times.items():
    ours = contenders.pop("ours")
    print(f"{metric:12} ours     {statistics.median(ours):12.1f}" + ("  target <= 12288" if "KiB" in metric else " us"))
    for name, values in contenders.items():
        ratio = statistics.median(theirs / mine for theirs, mine in zip(values, ours))
        target = TARGETS.get((metric, name))
        wanted = f"  target >= {target}" if target else ""
        print(f"{metric:12} {name:8} {statistics.median(values):12.1f} us  ours is {ratio:6.2f} times as fast{wanted}")
PYTHON

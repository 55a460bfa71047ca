#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sources.sh [ROUNDS [METRIC...]]
# Times images that are in no raw file, in turn with what else copies them, ROUNDS times (default 10): 1 GiB of data from page cache, to a
# sparse file, flushed.
#   nbd     restore from nbdkit file over a Unix socket, and nbdcopy of the same URI
#   qcow2   restore from a qcow2 file, and qemu-img convert -n --target-is-zero of it
#   plugin  reads of the plugin over that server, and of nbdkit's own nbd plugin, by nbdcopy, one request after the other and 64 at once
# Prints medians, and medians of the ratios within a round. GPTGROW_COMMAND and GPTGROW_PLUGIN are the programs.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

rounds=${1:-10}
shift || true
metrics=${*:-nbd qcow2 plugin}
# shellcheck source=tests/bench/programs.sh
. "$(dirname "$0")/programs.sh"

work=$(mktemp -d)
trap 'kill "$(cat "$work/pid")"; rm -rf "$work"' EXIT
image=$work/image.raw
truncate -s 1056M "$image"
sgdisk -n 1:2048:0 "$image" >/dev/null
head -c 1G /dev/urandom | dd of="$image" bs=1M seek=16 conv=notrunc status=none
qemu-img convert -f raw -O qcow2 "$image" "$work/image.qcow2"
nbdkit -U "$work/sock" -P "$work/pid" file "$image"
uri="nbd+unix:///?socket=$work/sock"
target=$work/target.raw

ours() { "$gptgrow" restore "$1" "$target" --no-verify --yes >/dev/null 2>&1; }
theirs_nbd() { nbdcopy --flush --destination-is-zero "$1" "$target"; }
theirs_qcow2() { qemu-img convert -n --target-is-zero -f qcow2 -O raw "$1" "$target"; }
read_by() { # read_by REQUESTS PLUGIN ARGUMENTS...
  nbdkit -U - "${@:2}" --run "nbdcopy --requests=$1 \"\$uri\" null:"
}

measure() { # measure METRIC CONTENDER COMMAND...: in microseconds
  rm -f "$target"
  sync
  truncate -s 4G "$target"
  local start=${EPOCHREALTIME/./}
  "${@:3}"
  sync "$target"
  echo "$1 $2 $((${EPOCHREALTIME/./} - start))" >>"$work/results"
}

both() { # both METRIC OURS -- THEIRS: whoever was second is first the next time
  local metric=$1 ours=()
  shift
  while [ "$1" != -- ]; do ours+=("$1"); shift; done
  shift
  if ((round % 2)); then
    measure "$metric" theirs "$@"
    measure "$metric" ours "${ours[@]}"
  else
    measure "$metric" ours "${ours[@]}"
    measure "$metric" theirs "$@"
  fi
}

for metric in $metrics; do
  for ((round = 0; round < rounds; round++)); do
    cat "$image" "$work/image.qcow2" >/dev/null
    case $metric in
      nbd) both nbd ours "$uri" -- theirs_nbd "$uri" ;;
      qcow2) both qcow2 ours "$work/image.qcow2" -- theirs_qcow2 "$work/image.qcow2" ;;
      plugin)
        both plugin-1 read_by 1 "$plugin" "$uri" size=1056M -- read_by 1 nbd uri="$uri" shared=true
        both plugin-64 read_by 64 "$plugin" "$uri" size=1056M -- read_by 64 nbd uri="$uri" shared=true ;;
    esac
  done
done

python3 - "$work/results" <<'PYTHON'
import collections, statistics, sys

times = collections.defaultdict(lambda: collections.defaultdict(list))
for line in open(sys.argv[1]):
    metric, contender, value = line.split()
    times[metric][contender].append(float(value))
for metric, both in times.items():
    ratios = sorted(mine / other for mine, other in zip(both["ours"], both["theirs"]))
    print(f"{metric:10} ours {statistics.median(both['ours']) / 1000:8.0f} ms, theirs {statistics.median(both['theirs']) / 1000:8.0f} ms; ours takes "
          f"{statistics.median(ratios):5.2f} of that ({ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} pairs)")
PYTHON

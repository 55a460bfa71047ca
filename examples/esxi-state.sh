#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# esxi-state.sh IMAGE [DIRECTORY]
# Gets the configuration of an ESXi host out of a raw image of its boot disk, without booting it: lists the boot banks
# and puts state.tgz of the newer one, and local.tgz out of it, into DIRECTORY (default: here). Needs no root, only
# gptgrow-fuse (in PATH, or GPTGROW_FUSE), fuse3 and mtools.
set -euo pipefail
export MTOOLS_SKIP_CHECK=1  # the banks' geometry is ESXi's own

# A line of which nothing, whatever the image holds, does anything to a terminal.
say() { printf '%s\n' "${*//$'\n'/ }" | cat -v; }

stop() {
  say "${0##*/}: $*" >&2
  exit 1
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: ${0##*/} IMAGE [DIRECTORY]" >&2
  exit 2
fi
image=$1
out=${2:-.}
built=$(dirname "$0")/../build/release/fuse/gptgrow-fuse
program=${GPTGROW_FUSE:-$(command -v gptgrow-fuse || echo "$built")}
[ -d "$out" ] || stop "$out: not a directory"
for name in state.tgz local.tgz local.tgz.ve; do
  [ ! -e "$out/$name" ] || stop "$out/$name is there already"
done

mountpoint=$(mktemp -d)
cleanup() {
  fusermount3 -u -q "$mountpoint" || true
  rmdir "$mountpoint"
}
trap cleanup EXIT
"$program" "$image" "$mountpoint" -o size=+0

number_of() { tr -d '\r' <<<"$1" | sed -n "s/^$2=\([0-9][0-9]*\)$/\1/p"; }

newest=-1 bank=
for file in "$mountpoint"/partitions/*.raw; do
  config=$(mtype -i "$file" ::boot.cfg 2>/dev/null | tr -d '\0') || continue
  updated=$(number_of "$config" updated)
  [ -n "$updated" ] || continue
  slot=$(basename "$file" .raw)
  build=$(tr -d '\r' <<<"$config" | sed -n 's/^build=//p')
  say "slot $slot: build ${build:-unknown}, updated=$updated, bootstate=$(number_of "$config" bootstate)"
  if [ "$updated" -gt "$newest" ]; then
    newest=$updated bank=$slot
  fi
done
[ -n "$bank" ] || stop "$image: no boot bank: no partition has a boot.cfg with an updated= line"

mcopy -i "$mountpoint/partitions/$bank.raw" ::state.tgz "$out/state.tgz" ||
  stop "$image: slot $bank, the newer boot bank, has no state.tgz: the host never saved its configuration"
say "$out/state.tgz: from slot $bank"
case $(tar -tzf "$out/state.tgz") in
  *local.tgz.ve*)
    tar -xzf "$out/state.tgz" -C "$out" local.tgz.ve
    say "$out/local.tgz.ve: the configuration, encrypted (ESXi 7.0 U1 and later): only the host's own TPM or key opens it" ;;
  *local.tgz*)
    tar -xzf "$out/state.tgz" -C "$out" local.tgz
    say "$out/local.tgz: the configuration, as in /etc of the host" ;;
  *) stop "$out/state.tgz holds neither local.tgz nor local.tgz.ve" ;;
esac

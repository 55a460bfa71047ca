#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh [CASE ...]
# Restores disks in a small virtual machine with a real kernel, its nbd driver and Debian's tools, and boots them.
# Runs all the cases of tests/vm/cases, or those named. Needs the plugin, gptgrow-fuse and gptgrow in build/release,
# or where GPTGROW_PLUGIN, GPTGROW_FUSE and GPTGROW_COMMAND say. What programs of the preset coverage count comes to a folder
# for each case in the directory GPTGROW_COUNTED.
#
# A case is a file of tests/vm/cases:
#   disks=("7G raw" "3T qcow2" "2G raw 4096")    /dev/vda, /dev/vdb, ...: size, format, bytes of a logical sector
#   image_name=bootable       the image in $image: esxi5 (the default), or bootable: the same with SYSLINUX and a kernel
#   kernel=generic            Debian's kernel for all machines, with USB; without it, the one for virtual machines
#   devices() { ... }         on this machine, first: adds to QEMU's $arguments
#   beside_guest() { ... }    on this machine, while the guest runs: QEMU's monitor is $work/monitor, its process that in
#                             $work/qemu.pid, and what the guest reports comes to $log.results
#   prepare() { ... }         runs in the guest first
#   check_NAME() { ... }      a check, in the guest; the tools at hand there are told at the top of guest.sh
#   after_checks() { ... }    runs in the guest last
#   host_check_NAME() { ... } a check on this machine, after the guest has ended, for which equals_image,
#                             equals_served and boot, below, are made
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
plugin=${GPTGROW_PLUGIN:-$project/build/release/nbd-plugin/nbdkit-gptgrow-plugin.so}
fuse=${GPTGROW_FUSE:-$project/build/release/fuse/gptgrow-fuse}
command=${GPTGROW_COMMAND:-$project/build/release/cli/gptgrow}
build=$project/build/vm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
readonly kGuestSeconds=1200
readonly kBootSeconds=60

tell() {  # tell ok|FAILED CASE CHECK [DETAIL]
  echo "$1 $2: ${3//_/ }${4:+ ($4)}" | tee -a "$work/tally"
}

qemu() {  # qemu SECONDS ARGUMENT ...
  local seconds=$1
  shift
  timeout "$seconds" qemu-system-x86_64 "${accelerator[@]}" -nodefaults -display none -no-reboot -m 1G -smp 1 "$@" \
    </dev/null
}

start_guest() {  # start_guest SECONDS CASE_CPIO LOG ARGUMENT ...: LOG.console and LOG.results
  local seconds=$1 case_cpio=$2 log=$3
  shift 3
  cat "$build/guest.cpio" "$case_cpio" >"$work/initrd"
  qemu "$seconds" -kernel "$build/${kernel:-vmlinuz}" -initrd "$work/initrd" \
    -append "console=ttyS0 loglevel=6 panic=-1 mitigations=off" \
    -serial "file:$log.console" -serial "file:$log.results" "$@"
}

# /dev/kvm may be there and still not run a guest.
choose_accelerator() {
  accelerator=(-accel kvm -cpu host)
  if [ -w /dev/kvm ] && start_guest 5 /dev/null "$work/probe" 2>/dev/null && grep -q '^end' "$work/probe.results"; then
    echo "virtual machines run by KVM"
  else
    # Fast string instructions are the slow ones here, and a second processor costs more than it brings.
    accelerator=(-accel tcg -cpu "max,-erms,-fsrm")
    echo "virtual machines run by emulation"
  fi
}

make_images() {
  local first=() slot lba
  "$project/examples/esxi5-image.sh" "$build/esxi5.img"
  cp --sparse=always "$build/esxi5.img" "$build/bootable.img"
  cp "$build/vmlinuz" "$work/vmlinuz"
  cp "$build/bank.cpio.gz" "$work/bank.gz"
  first[1]=64 first[5]=8224 first[6]=520224
  # The loader names the bank's partition by its GUID, so that it starts the kernel whatever the slots look like.
  printf '%s\n' "serial 0 115200" "default bank" "label bank" "com32 chain.c32" \
    "append guid=E5E10000-0000-4000-8000-000000000005" >"$work/1.cfg"
  printf '%s\n' "serial 0 115200" "default bank" "label bank" "linux vmlinuz" "initrd bank.gz" \
    "append console=ttyS0 quiet panic=-1" >"$work/5.cfg"
  for slot in 1 5; do
    lba=${first[$slot]}
    syslinux --install --offset $((lba * 512)) "$build/bootable.img"
    mcopy -o -i "$build/bootable.img@@$((lba * 512))" "$work/$slot.cfg" ::syslinux.cfg
  done
  mcopy -i "$build/bootable.img@@$((first[1] * 512))" \
    /usr/lib/syslinux/modules/bios/{chain,libcom32,libutil}.c32 ::
  mcopy -i "$build/bootable.img@@$((first[5] * 512))" "$work/vmlinuz" "$work/bank.gz" ::
}

disk_arguments() {  # disk_arguments FORMAT FILE SECTOR_BYTES: sets $arguments
  local id=disk${#arguments[@]}
  arguments+=(
    -drive "if=none,id=$id,file=$2,format=$1,cache=unsafe,discard=unmap,detect-zeroes=unmap"
    -device "virtio-blk-pci,drive=$id,logical_block_size=$3,physical_block_size=$3")
}

equals_image() {  # equals_image N: the case's disk N is the image
  qemu-img compare -f raw -F raw "$work/disk$1" "$build/$image_name.img"
}

equals_served() {  # equals_served N SIZE [OPTION ...]: the case's disk N is what the plugin serves at SIZE, to the last byte
  local format file
  read -r _ format _ <<<"${disks[$1 - 1]}"
  file=$work/disk$1
  nbdkit -U - "$plugin" "$build/$image_name.img" size="$2" "${@:3}" \
    --run "qemu-img compare -f $format -F raw '$file' \"\$uri\""
}

boot() {  # boot N: starts the case's disk N from its own boot sector; what it says on the serial port
  local arguments=() format file
  read -r _ format _ <<<"${disks[$1 - 1]}"
  file=$work/disk$1
  disk_arguments "$format" "$file" 512
  qemu $kBootSeconds "${arguments[@]}" -snapshot -serial "file:$work/boot.log" || true
  cat "$work/boot.log"
}

checks_of() {  # checks_of PREFIX CASE_FILE: in the order of their definition
  sed -n "s/^\\($1_[a-z0-9_]*\\)().*/\\1/p" "$2"
}

run_case() {  # run_case NAME
  local name=$1 case_file=$here/cases/$1.sh log=$build/$1 arguments=() check status seconds number=0 began
  local size format sector_bytes cluster_option=() kernel=vmlinuz beside=
  began=$(date +%s)
  disks=() image_name=esxi5
  # shellcheck source=/dev/null
  . "$case_file"

  mkdir -p "$work/case/case"
  cp "$case_file" "$work/case/case/case.sh"
  [ ! -e "$project/README.md" ] || cp "$project/README.md" "$work/case/case/"
  { checks_of check "$case_file"; echo check_image_unchanged; } >"$work/case/case/checks"
  tar -cS -C "$build" --transform "s/.*/disk.img/" -f "$work/case/case/image.tar" "$image_name.img"
  (cd "$work/case" && find case | cpio -o -H newc --quiet) >"$work/case.cpio"

  for disk in "${disks[@]}"; do
    read -r size format sector_bytes <<<"$disk"
    number=$((number + 1))
    cluster_option=()
    # Big clusters: copying zeros to terabytes makes a table entry for each.
    [ "$format" = raw ] || cluster_option=(-o cluster_size=2M)
    qemu-img create -q -f "$format" "${cluster_option[@]}" "$work/disk$number" "$size"
    disk_arguments "$format" "$work/disk$number" "${sector_bytes:-512}"
  done
  rm -f "$log".{results,console,host}
  [ "$(type -t devices)" != function ] || devices
  if [ "$(type -t beside_guest)" = function ]; then
    arguments+=(-qmp "unix:$work/monitor,server=on,wait=off" -pidfile "$work/qemu.pid")
    beside_guest >>"$log.host" 2>&1 &
    beside=$!
  fi
  [ -z "${GPTGROW_COUNTED:-}" ] || arguments+=(
    -device virtio-serial -device "virtserialport,chardev=counted" -chardev "file,id=counted,path=$work/counted.tar")
  start_guest $kGuestSeconds "$work/case.cpio" "$log" "${arguments[@]}" || true
  # A guest that a case has killed has sent nothing.
  [ ! -s "$work/counted.tar" ] || tar -xf "$work/counted.tar" --transform "s/^counted/$name/" -C "$GPTGROW_COUNTED"
  rm -f "$work/counted.tar"
  [ -z "$beside" ] || wait "$beside" || tell FAILED "$name" "beside the guest" "$?; see ${log#"$project"/}.host"

  for check in prepare $(cat "$work/case/case/checks"); do
    read -r status seconds < <(sed -n "s/^$check //p" "$log.results" | tr -d '\r') || status=missing seconds=
    if [ "$status" = 0 ]; then
      tell ok "$name" "${check#check_}" "at $seconds s"
    else
      tell FAILED "$name" "${check#check_}" "$status; see ${log#"$project"/}.console"
    fi
  done
  for check in $(checks_of host_check "$case_file"); do
    set +e
    (set -eux; "$check") >>"$log.host" 2>&1
    status=$?
    set -e
    if [ "$status" = 0 ]; then
      tell ok "$name" "${check#host_check_}" "on the host"
    else
      tell FAILED "$name" "${check#host_check_}" "$status; see ${log#"$project"/}.host"
    fi
  done
  rm -rf "$work"/disk* "$work/case"
  echo "-- $name: $(($(date +%s) - began)) s"
}

for built in "$plugin" "$fuse" "$command"; do
  [ -e "$built" ] || { echo "${0##*/}: no $built: build it first" >&2; exit 2; }
done
if [ $# = 0 ]; then
  mapfile -t cases < <(cd "$here/cases" && printf '%s\n' *.sh | sed 's/\.sh$//')
else
  cases=("$@")
fi
"$here/make-guest.sh" "$plugin" "$fuse" "$command" "$build"
choose_accelerator
make_images
: >"$work/tally"
for name in "${cases[@]}"; do
  # Not in a condition: errexit would not hold inside.
  set +e
  (set -e; run_case "$name")
  status=$?
  set -e
  [ $status = 0 ] || tell FAILED "$name" "the case itself" "$status"
done
failed=$(grep -c '^FAILED' "$work/tally" || true)
echo "$(grep -c '^ok' "$work/tally" || true) passed, $failed failed"
[ "$failed" = 0 ]

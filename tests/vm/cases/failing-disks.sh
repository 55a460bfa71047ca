# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# Disks that fail while they are written: exit status 2, the byte, no table over missing data; and once the disk is well
# again, the same restore completes, with the map of what was written.
disks=("24M raw" "32M raw")
image=/dev/vda
bad_first=20480 bad_sectors=2048  # of the 65,536 sectors of the target, in the middle of slot 5

make_image() {
  head -c 24M /dev/urandom >/dev/vda
  sgdisk -Z /dev/vda
  sgdisk -a 8 -n 1:64:+16 -n 5:2048:+40000 -n 3:0:+64 -t 5:0700 /dev/vda
}

prepare() { modprobe -a dm-mod dm-flakey sd_mod; }

# fails TEXT COMMAND...: with status 2, and says so.
fails() {
  local text=$1 status=0
  shift
  timeout 120 "$@" >/run/said 2>&1 || status=$?
  cat /run/said
  [ "$status" = 2 ]
  grep -- "$text" /run/said
}

# names_byte FIRST END: a byte of that range.
names_byte() {
  local byte
  byte=$(sed -n 's/.* at byte \([0-9]*\).*/\1/p' /run/said | head -n 1)
  [ "$byte" -ge "$1" ] && [ "$byte" -lt "$2" ]
}
names_bad_byte() { names_byte $((bad_first * 512)) $(((bad_first + bad_sectors) * 512)); }

has_no_table() {  # has_no_table DISK: neither header, of sectors of either size
  local at size
  size=$(blockdev --getsize64 "$1")
  for at in 512 4096 $((size - 512)) $((size - 4096)); do
    [ "$(dd if="$1" bs=512 skip=$((at / 512)) count=1 iflag=direct status=none | head -c 8 | tr -d '\0')" != "EFI PART" ]
  done
}

holds_the_image() { gptgrow verify "$image" "$1" && sgdisk -v "$1" | grep '^No problems found'; }

# The target behind a table of the device mapper: its middle is as the arguments say.
map_middle() {  # map_middle create|reload TARGET...
  local how=$1
  shift
  [ "$how" = reload ] || dmsetup remove failing 2>/dev/null || true
  printf '%s\n' "0 $bad_first linear /dev/vdb 0" "$bad_first $bad_sectors $*" \
    "$((bad_first + bad_sectors)) $((65536 - bad_first - bad_sectors)) linear /dev/vdb $((bad_first + bad_sectors))" |
    dmsetup "$how" failing
  [ "$how" = create ] || { dmsetup suspend failing && dmsetup resume failing; }
  dmsetup mknodes
}
readonly well="linear /dev/vdb $bad_first"

check_sectors_that_cannot_be_written() {
  rm -f /run/map
  map_middle create error
  fails "Input/output error" gptgrow restore "$image" /dev/mapper/failing --yes --map /run/map
  names_bad_byte
  has_no_table /dev/mapper/failing
  map_middle reload "$well"
  gptgrow restore "$image" /dev/mapper/failing --yes --map /run/map
  holds_the_image /dev/mapper/failing
}
check_writes_that_fail_and_reads_that_do_not() {
  # All flushes fail too: there is no byte to name.
  head -c 32M /dev/zero >/dev/vdb
  map_middle create flakey /dev/vdb $bad_first 0 60 1 error_writes
  fails "Input/output error" gptgrow restore "$image" /dev/mapper/failing --yes
  has_no_table /dev/mapper/failing
}
check_writes_that_are_dropped_without_a_word() {
  head -c 32M /dev/zero >/dev/vdb
  map_middle create flakey /dev/vdb $bad_first 0 60 1 drop_writes
  fails "its table is taken away again" gptgrow restore "$image" /dev/mapper/failing --yes
  names_bad_byte
  has_no_table /dev/mapper/failing
  map_middle reload "$well"
  gptgrow restore "$image" /dev/mapper/failing --yes
  holds_the_image /dev/mapper/failing
}
check_bytes_that_are_stored_as_others() {
  map_middle create flakey /dev/vdb $bad_first 0 60 5 corrupt_bio_byte 32 w 85 0
  fails "its table is taken away again" gptgrow restore "$image" /dev/mapper/failing --yes
  names_bad_byte
  has_no_table /dev/mapper/failing
}
check_a_source_that_cannot_be_read() {
  dmsetup remove failing
  head -c 24M /dev/vda >/images/source.raw
  losetup /dev/loop0 /images/source.raw
  printf '%s\n' "0 $bad_first linear /dev/loop0 0" "$bad_first 8 error" \
    "$((bad_first + 8)) $((49152 - bad_first - 8)) linear /dev/loop0 $((bad_first + 8))" | dmsetup create source
  dmsetup mknodes
  fails "Input/output error" gptgrow restore /dev/mapper/source /dev/vdb --yes
  names_byte $((bad_first * 512)) $((bad_first * 512 + 4096))
  has_no_table /dev/vdb
  dmsetup remove source
  losetup -d /dev/loop0
}

scsi_disk() {  # scsi_disk PARAMETER...: sets $disk
  local found
  rmmod scsi_debug 2>/dev/null || true
  modprobe scsi_debug dev_size_mb=32 "$@"
  for _ in $(seq 100); do
    found=(/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*)
    disk=/dev/${found[0]##*/}
    [ ! -b "$disk" ] || return 0
    sleep 0.1
  done
  return 1
}
no_scsi_disk() { rmmod scsi_debug; }

# restores_on SCSI_PARAMETER...
restores_on() {
  scsi_disk "$@"
  gptgrow restore "$image" "$disk" --yes
  holds_the_image "$disk"
  no_scsi_disk
}

check_scsi_disk_without_unmap_and_write_same() { restores_on lbpu=0 lbpws=0 lbpws10=0; }
check_scsi_disk_without_write_same() { restores_on lbpu=1 lbpws=0 lbpws10=0; }
check_scsi_disk_without_unmap() { restores_on lbpu=0 lbpws=1 lbpws10=1; }
check_scsi_disk_whose_discard_does_not_zero() {
  scsi_disk lbpu=1 lbprz=0
  head -c 32M /dev/urandom >"$disk"
  gptgrow restore "$image" "$disk" --yes
  holds_the_image "$disk"
  no_scsi_disk
}
check_scsi_disk_with_physical_sectors_of_4096() { restores_on physblk_exp=3; }
check_scsi_disk_with_sectors_of_4096_is_refused() {
  scsi_disk sector_size=4096
  fails "sectors of 4096 bytes, expected 512" gptgrow restore "$image" "$disk" --yes
  no_scsi_disk
}
check_scsi_disk_with_sectors_of_4096() {
  head -c 8M /dev/urandom >/images/4096.raw
  losetup -b 4096 /dev/loop0 /images/4096.raw
  sgdisk -Z /dev/loop0
  sgdisk -a 8 -n 1:64:+16 -n 5:256:+1500 /dev/loop0
  image=/dev/loop0
  restores_on sector_size=4096
  losetup -d /dev/loop0
  rm /images/4096.raw
}
check_scsi_disk_that_is_write_protected() {
  scsi_disk wp=1
  fails "Read-only" gptgrow restore "$image" "$disk" --yes
  no_scsi_disk
}
check_scsi_disk_with_a_medium_error() {
  # Reads of sectors 0x1234 to 0x123d fail.
  scsi_disk opts=2
  fails "its table is taken away again" gptgrow restore "$image" "$disk" --yes
  names_byte $((0x1234 * 512 / 524288 * 524288)) $((0x123e * 512))
  has_no_table "$disk"
  no_scsi_disk
}
check_scsi_disk_that_recovers_from_errors() {
  # Every fifth command: an error from which the disk has recovered, or one of the transport, which the kernel tries again.
  restores_on every_nth=5 opts=24
}
check_scsi_disk_that_goes_away() {
  local status=0 restore
  scsi_disk
  mkfifo /run/pipe
  timeout 60 gptgrow restore - "$disk" --yes </run/pipe >/run/said 2>&1 &
  restore=$!
  {
    head -c 12M "$image"
    while kill -0 "$restore" && [ "$(awk '{ print $7 }' "/sys/block/${disk##*/}/stat")" -lt 8000 ]; do
      sleep 0.1
    done
    echo 1 >"/sys/block/${disk##*/}/device/delete"
    tail -c +12582913 "$image"
  } >/run/pipe || true
  wait "$restore" || status=$?
  cat /run/said
  [ "$status" = 2 ]
  names_byte $((8000 * 512 / 2)) $((24 << 20))
}

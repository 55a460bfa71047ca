#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# verify right after a restore finds no difference, on a device that discards, one that only zeroes, and one that does
# neither: the free space is no part of the image, and whether it was compared is said.
. "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, for loop devices" >&2; exit 77; }

head -c 12M /dev/urandom >image.raw
sgdisk --clear -n1:2048:8191 image.raw >/dev/null

# restored EXPECTED [WRAPPER...]: on $device; EXPECTED is the status of a verification of the free space too
restored() {
  status 0 "${@:2}" "$gptgrow" restore image.raw "$device" --yes
  says out "was not compared: the image has nothing there"
  cp err restore.err
  status 0 "$gptgrow" verify image.raw "$device"
  says out "free space, $(((32 << 20) - (12 << 20) - 33 * 512)) bytes, was not compared: the image has nothing there"
  says out "--free-space compares it with zeros"
  status "$1" "$gptgrow" verify image.raw "$device" --free-space
  ! grep 'not compared' out >&2 || fail "compared, and said not to be"
}

head -c 32M /dev/urandom >disk.raw
loop_device disk.raw
restored 0
[ ! -s restore.err ] || ! grep 'left as they are' restore.err >&2 || fail "a device that discards is said not to"

# It reads its file through the page cache, whatever is asked of the device.
[ "$(cat "/sys/block/${device#/dev/}/loop/dio")" = 0 ] || losetup --direct-io=off "$device"
status 0 "$gptgrow" verify image.raw "$device"
says out "through the page cache"

# A device that cannot discard, and zeroes or does not: the kernel's answer for one
cat >without.py <<'PYTHON'
import ctypes, os, struct, sys
x86 = os.uname().machine == "x86_64"
IOCTL, FALLOCATE, BLKDISCARD, FAIL, ALLOW = 16 if x86 else 29, 285 if x86 else 47, 0x1277, 0x00050000 | 95, 0x7FFF0000
fallocate = FALLOCATE if sys.argv[1] == "zeroing" else 0xFFFF
steps = [(0x20, 0, 0, 0), (0x15, 3, 0, fallocate), (0x15, 0, 3, IOCTL), (0x20, 0, 0, 24), (0x15, 0, 1, BLKDISCARD),
         (0x06, 0, 0, FAIL), (0x06, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps), 8 * len(steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[2], sys.argv[2:])
PYTHON
head -c 32M /dev/urandom | dd of="$device" bs=1M status=none
restored 0 python3 without.py discard
! grep 'left as they are' restore.err >&2 || fail "a device that zeroes is said not to"

head -c 32M /dev/urandom | dd of="$device" bs=1M status=none
restored 1 python3 without.py zeroing
says restore.err 'note: bytes 12582912-33537535, behind the image, are left as they are'
detach

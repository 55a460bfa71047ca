#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# static_test.sh [BUILD]
# The static gptgrow of BUILD (build/static unless told) works alone: in a root that holds the image, /proc and /sys
# besides, and on a kernel that knows no system call of Linux 5.1 or later. Needs root.
program=$(realpath "${1:-$(dirname "$0")/../../build/static}/cli/gptgrow")
# shellcheck source=tests/plugin/common.sh
. "$(dirname "$0")/../plugin/common.sh"
[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || skip "needs root and a mount namespace"
readonly kSize=$((64 << 20))

# --- needs nothing ---------------------------------------------------------------------------------------------------
if readelf -lWd "$program" | grep -E 'INTERP|NEEDED'; then fail "it needs what is named above"; fi
image sgdisk-512
model sgdisk-512 $kSize
mkdir -p root/{proc,sys}
cp "$program" root/gptgrow
cp --sparse=always sgdisk-512.raw root/image
for tool in gzip bzip2 xz zstd lz4; do
  $tool -1 -c sgdisk-512.raw >"root/image.$tool"
done

# alone ARGUMENT...: in that root.
alone() {
  unshare -m sh -c 'mount -t proc proc root/proc && mount -t sysfs sys root/sys && exec chroot root /gptgrow "$@"' sh "$@"
}
# check_disk: what was made is what was promised.
check_disk() {
  same root/disk || fail "not the promised disk: $*"
  rm root/disk
}

alone --version
alone inspect /image | grep -q 'EFI System' || fail "inspect: no names of types"
alone plan /image --size $kSize >said 2>&1 || [ $? = 1 ] || fail "plan: $(cat said)"
alone restore /image /disk --size $kSize --yes >said 2>&1 || fail "restore: $(cat said)"
alone verify /image /disk >said 2>&1 || fail "verify: $(cat said)"
"$tests/cli/rewrite_densely.py" root/disk >/dev/null
if alone compare /image /disk >said; then fail "compare finds nothing"; fi
grep -q 'gap closed' said || fail "compare: $(cat said)"
alone repair /disk --from /image --apply --yes >said 2>&1 || [ $? = 1 ] || fail "repair: $(cat said)"
alone verify /image /disk --table-only >said 2>&1 || fail "repaired: $(cat said)"
rm root/disk
for tool in gzip bzip2 xz zstd lz4; do
  alone restore "/image.$tool" /disk --size $kSize --yes >said 2>&1 || fail "$tool: $(cat said)"
  check_disk "$tool"
done
alone restore - /disk --size $kSize --yes --sha256 "$(sha256sum <sgdisk-512.raw | cut -c -64)" <sgdisk-512.raw >said 2>&1 || fail "pipe: $(cat said)"
check_disk "from a pipe"

alone inspect nbd://localhost/ >said 2>&1 || grep -q 'built without libnbd' said || fail "a server: $(cat said)"

# --- as on Linux 4.18 ------------------------------------------------------------------------------------------------
# 424 was the first number that Linux 5.1 gave, on all architectures; 450 is the last one that strace of Debian 12 knows.
calls=$(seq -s , 424 450)
for source in image image.zstd; do
  strace -f -qq -o "$source.calls" -e "trace=$calls" -e "inject=$calls:error=ENOSYS" -e signal=none \
    "$program" restore root/$source root/disk --size $kSize --yes >said 2>&1 || fail "as on Linux 4.18: $(cat said)"
  check_disk "as on Linux 4.18"
done
grep -q 'io_uring_setup.*ENOSYS' image.calls || fail "io_uring was not tried: $(cat image.calls)"
if grep -v 'ENOSYS\|resumed\|unfinished' ./*.calls; then fail "a new call succeeded"; fi

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What the component "fuse" installs is all that mount(8) and a line of fstab need, besides the package fuse3.
. "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || skip "needs root and a mount namespace"

image sgdisk-512
cp sgdisk-512.raw "an image, with commas.raw"
DESTDIR=$scratch/stage cmake --install "$GPTGROW_BUILD" --component fuse --prefix /usr/local >installed
grep -q 'bin/gptgrow-fuse$' installed || fail "installed: $(cat installed)"
grep -q 'man1/gptgrow-fuse.1.gz$' installed || fail "installed: $(cat installed)"
cat >fstab <<END
$scratch/sgdisk-512.raw $scratch/mnt fuse.gptgrow-fuse size=64G,noauto,nofail,x-systemd.automount 0 0
END

# In a namespace of its own the staged folder is /usr/local/bin.
cat >use.sh <<'SH'
set -euo pipefail
fail() { echo "FAILED: $*" >&2; exit 1; }
# The name of the program is in the command line of mount's shell as well, which has ended by then.
server() { pgrep -n -f "^gptgrow-fuse .*$PWD/mnt"; }
mount --bind stage/usr/local/bin /usr/local/bin

check() {  # check SOURCE SIZE
  grep -F " $PWD/mnt fuse.gptgrow-fuse ro," /proc/self/mounts >line || fail "mounted: $(grep mnt /proc/self/mounts)"
  [ "$(findmnt -no SOURCE mnt)" = "$1" ] || fail "source: $(findmnt -no SOURCE mnt), expected $1"
  [ "$(stat -c %s mnt/disk.raw)" = "$2" ] || fail "size of disk.raw"
  if : 2>/dev/null >mnt/new; then fail "writable"; fi
  local process
  process=$(server) || fail "no server"
  "$tests/while_busy.sh" umount mnt || fail "umount"
  ended "$process" || fail "the server is left"
}

mount -t fuse.gptgrow-fuse sgdisk-512.raw mnt -o size=64G || fail "mount -t"
check "$PWD/sgdisk-512.raw" $((64 << 30))
mount -t fuse.gptgrow-fuse "an image, with commas.raw" mnt -o rw,noexec,allow_other,reference=sgdisk-512.raw ||
  fail "mount with commas"
check "$PWD/an image, with commas.raw" "$(stat -c %s sgdisk-512.raw)"
mount --fstab fstab mnt || fail "mount from fstab"
check "$PWD/sgdisk-512.raw" $((64 << 30))
mount --fstab fstab --all || fail "mount --all"
if grep -q " $PWD/mnt " /proc/self/mounts; then fail "noauto was mounted"; fi
if mount -t fuse.gptgrow-fuse sgdisk-512.raw mnt -o size=63 2>said; then fail "a bad size was mounted"; fi
grep -q "sgdisk-512.raw: size 63 is not a multiple" said || fail "said: $(cat said)"
SH
export -f ended
export tests
unshare -m --propagation private bash use.sh || exit 1
unchanged sgdisk-512

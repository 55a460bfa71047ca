#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# INT, TERM and HUP unmount while files are open and being read; after KILL, fusermount3 does, and auto_unmount needs
# nobody; a busy mount stays. Nothing hangs, nothing stays mounted.
. "$(dirname "$0")/common.sh"

image sgdisk-512

start_readers() {
  readers=
  rm -f reads.*
  for number in 1 2 3 4; do
    (
      dd if=mnt/disk.raw of=/dev/null bs=1M count=1 iflag=direct 2>/dev/null && : >reads.$number
      while dd if=mnt/disk.raw of=/dev/null bs=1M iflag=direct 2>/dev/null; do :; done
    ) &
    readers="$readers $!"
    awaited $! test -e reads.$number || fail "a reader ended"
  done
}

readers_end() {
  for reader in $readers; do
    awaited $$ gone "$reader" || fail "a reader hangs after $1"
  done
}

for signal in INT TERM HUP; do
  # A shell's background jobs ignore INT; a daemon does not.
  daemon sgdisk-512 size=64G
  exec 3<mnt/disk.raw
  start_readers
  kill -$signal "$server"
  ended "$server" || fail "$signal: still running"
  if is_mounted; then fail "$signal: still mounted"; fi
  readers_end $signal
  exec 3<&-
done

grown sgdisk-512 size=64G
kill -TERM "$server"
wait "$server" || fail "exit status $? after TERM"

daemon sgdisk-512 size=64G
start_readers
kill -KILL "$server"
ended "$server" || fail "KILL: still running"
readers_end KILL
is_mounted || fail "KILL: nothing is left to unmount"
ls mnt >/dev/null 2>&1 && fail "KILL: still served"
"$tests/while_busy.sh" fusermount3 -u mnt || fail "fusermount3 -u after KILL"
if is_mounted; then fail "still mounted after fusermount3 -u"; fi

# In a chroot, fusermount3 cannot clean up: it wants / to be a mount point.
if mountpoint -q /; then
  daemon sgdisk-512 size=64G,auto_unmount
  kill -KILL "$server"
  gone_by_itself() { ! is_mounted; }
  awaited $$ gone_by_itself || fail "auto_unmount: still mounted after KILL"
fi

daemon sgdisk-512 size=64G
exec 3<mnt/disk.raw
fusermount3 -u mnt 2>/dev/null && fail "a busy mount was unmounted"
head -c 440 mnt/disk.raw | cmp -n 440 - sgdisk-512.raw || fail "a busy mount is not served any more"
exec 3<&-
"$tests/while_busy.sh" fusermount3 -u mnt
ended "$server" || fail "the server is left"
if pgrep -f "^$fuse "; then fail "a process is left"; fi
unchanged sgdisk-512

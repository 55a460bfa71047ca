#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A disk in a qcow2 file: after the end, an error, INT, and kill -9 at each moment while QEMU is started, no child, socket or
# temporary file is left; of the command, of nbdkit with the plugin, and of gptgrow-fuse.
. "$(dirname "$0")/common.sh"
plugin=${GPTGROW_PLUGIN:-$build/nbd-plugin/nbdkit-gptgrow-plugin.so}

truncate -s 24M raw.img
sgdisk -n 1:2048:0 raw.img >/dev/null
dd if=/dev/urandom of=raw.img bs=1M count=8 seek=2 conv=notrunc status=none
qemu-img convert -q -f raw -O qcow2 raw.img disk.qcow2
cp disk.qcow2 broken.qcow2
# Its L1 table is elsewhere: the header says nothing wrong, and QEMU refuses it.
printf '\xff\xff\xff\xff' | dd of=broken.qcow2 bs=1 seek=36 conv=notrunc status=none
folders() { find /tmp -maxdepth 1 -name 'gptgrow-????????????????' -newer raw.img; }

# readers: each qemu-nbd that has a file of this test open
readers() {
  local process
  for process in $(pgrep -x qemu-nbd); do
    [[ $(readlink "/proc/$process/fd/"* 2>/dev/null) != *"$PWD/"* ]] || echo "$process"
  done
}

nothing_left() { # nothing_left WHEN [QEMU]
  [ -z "${2:-}" ] || timeout 60 tail -s 0.05 -f --pid="$2" /dev/null || fail "$1: qemu-nbd goes on"
  local tries=0
  while [ -n "$(folders)$(readers)" ]; do
    [ $((tries += 1)) -lt 200 ] || fail "$1: left: $(folders) $(readers)"
    sleep 0.05
  done
}

child_of() { # child_of PROCESS: its qemu-nbd
  local child
  until child=$(pgrep -x qemu-nbd -P "$1"); do
    kill -0 "$1" 2>/dev/null || { cat err >&2; fail "ended without qemu-nbd"; }
    sleep 0.02
  done
  echo "$child"
}

status 0 "$gptgrow" inspect disk.qcow2
nothing_left "after exit"
status 2 "$gptgrow" inspect broken.qcow2
says err "broken.qcow2: qemu-nbd:"
nothing_left "after an error"

# Stopped at its first write, INT, and killed.
for signal in INT KILL; do
  rm -f target.img
  held pwrite64,fallocate 3 "$gptgrow" restore disk.qcow2 target.img --size 64M --yes
  qemu=$(child_of "$held")
  kill -"$signal" "$held"
  # Each of its threads stops at its own third call.
  while kill -CONT "$held" 2>/dev/null; do sleep 0.05; done
  wait "$tracer" || true
  nothing_left "after $signal" "$qemu"
done

# QEMU itself is killed: it does not come back.
rm -f target.img
held pwrite64,fallocate 3 "$gptgrow" restore disk.qcow2 target.img --size 64M --yes
qemu=$(child_of "$held")
kill -KILL "$qemu"
while kill -CONT "$held" 2>/dev/null; do sleep 0.05; done
wait "$tracer" && fail "done without QEMU"
says err "disk.qcow2: "
says err "the connection to it is lost"
says err "target.img is incomplete"
nothing_left "after QEMU was killed" "$qemu"

# Killed at each of its first calls after it made the child, and the child at each of its own.
for call in read close poll; do
  for number in 1 2 3; do
    strace -qq -o log -e "inject=$call:signal=KILL:when=$number" "$gptgrow" inspect disk.qcow2 >/dev/null 2>&1 || true
    nothing_left "killed at $call $number"
  done
done
for call in mkdir bind listen connect dup2 clone; do
  strace -f -qq -o log -e "inject=$call:error=EACCES" "$gptgrow" inspect disk.qcow2 >out 2>err && fail "$call failed, and nobody cared"
  says err "disk.qcow2: qemu-nbd: cannot be started: Permission denied"
  nothing_left "$call fails"
done
for call in wait4:error=EINTR:when=1 getrandom:error=ENOSYS; do
  status 0 strace -f -qq -o log -e "inject=$call" "$gptgrow" inspect disk.qcow2
  nothing_left "$call"
done

# Without enough descriptors, at whichever it is that fails: the loader, QEMU and others have words of their own for that.
few=0
for ((limit = 4; limit < 60; limit++)); do
  if ! prlimit --nofile=$limit:$limit "$gptgrow" inspect disk.qcow2 >out 2>err; then
    [ -s err ] || fail "$limit descriptors: not said why"
    few=$limit
  fi
  nothing_left "with $limit descriptors"
done
[ $few -gt 10 ] && [ $few -lt 59 ] || fail "the last limit that was too low: $few"

# In nbdkit and FUSE QEMU is made after the fork.
for signal in TERM KILL; do
  nbdkit -U "$PWD/sock" -P "$PWD/pid" "$plugin" disk.qcow2 size=64M
  # It is written once nbdkit is ready, which is after the command returns.
  timeout 60 sh -c 'until [ -s pid ]; do sleep 0.05; done'
  server=$(cat pid)
  qemu=$(child_of "$server")
  nbdinfo --size "nbd+unix:///?socket=$PWD/sock" >out
  [ "$(cat out)" = 67108864 ] || fail "served: $(cat out)"
  kill -"$signal" "$server"
  timeout 60 tail -s 0.05 -f --pid="$server" /dev/null
  nothing_left "nbdkit after $signal" "$qemu"
  rm -f sock pid
done
if [ -c /dev/fuse ]; then
  mkdir mnt
  trap 'fusermount3 -u -z mnt 2>/dev/null || true; rm -rf "$scratch"' EXIT
  "$build/fuse/gptgrow-fuse" disk.qcow2 mnt -o size=64M
  for ((tries = 0; tries < 1000; tries++)); do [ -z "$(readers)" ] || break; sleep 0.05; done
  qemu=$(readers)
  server=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$qemu/status")
  "$tests/model/write_disk.py" raw.img $((64 << 20)) expected.raw
  cmp mnt/disk.raw expected.raw || fail "mounted: other bytes"
  "$tests/while_busy.sh" fusermount3 -u mnt
  timeout 60 tail -s 0.05 -f --pid="$server" /dev/null
  nothing_left "gptgrow-fuse after the unmount" "$qemu"
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Restores in surroundings that are not as usual: standard streams closed or full, signals ignored, a terminal that is
# hung up, a hostile map, a file system whose holes come and go with its cache.
. "$(dirname "$0")/common.sh"

head -c 24M /dev/urandom >image.raw
sgdisk --clear -n1:2048:40000 image.raw >/dev/null
truncate -s 32M served.raw
"$tests/model/write_disk.py" image.raw $((32 << 20)) served.raw
slow="$tests/cli/without_io_uring.py strace -f -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:delay_enter=100000"

restored() {
  cmp target.raw served.raw || fail "$1: not what is served"
}

# A disk must not become somebody's standard output.
truncate -s 32M target.raw
"$gptgrow" restore image.raw target.raw --yes >&- 2>&- <&- || fail "with closed streams: $?"
restored "closed streams"
cp target.raw before.raw
"$gptgrow" restore image.raw target.raw </dev/null >&- && fail "not refused"
cmp target.raw before.raw || fail "a refused restore wrote"
"$gptgrow" repair target.raw --relocate --apply >&- 2>&- || fail "repair with closed streams: $?"
cmp target.raw before.raw || fail "a repair that had nothing to do wrote"

# Nobody reads the messages.
if [ -c /dev/full ]; then
  # shellcheck disable=SC2086 # words
  $slow "$gptgrow" restore image.raw target.raw --yes --no-verify 2>/dev/full || fail "stderr full: $?"
  restored "stderr full"
fi

# nohup
# shellcheck disable=SC2086 # words
(trap '' HUP; exec $slow "$gptgrow" restore image.raw target.raw --yes >/dev/null 2>&1) &
sleep 0.4
pkill -HUP -P $! -x gptgrow || fail "nothing to hang up"
wait $! || fail "HUP ended what ignores it"
restored nohup

[ -c /dev/fuse ] || { echo "no /dev/fuse here" >&2; exit 77; }
# A terminal that goes away in the middle: the restore ends, and goes on later.
cat >hang_up.py <<'PYTHON'
import os, pty, sys, time
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while not os.path.exists("map"):
    time.sleep(0.01)
time.sleep(0.3)
os.close(terminal)
status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
sys.exit(f"exit status {status}" if status != 2 else 0)
PYTHON
mkdir slow
nbdfuse slow/image.raw --command nbdkit -s --exit-with-parent --filter=delay file image.raw delay-read=50ms &
until [ -e slow/image.raw ]; do sleep 0.05; done
python3 hang_up.py "$gptgrow" restore slow/image.raw target.raw --yes --map map || fail "hung up"
grep -q '+$' map || fail "nothing is kept of a restore that was hung up"
cp map kept.map
cp target.raw kept.raw
status 0 "$gptgrow" restore slow/image.raw target.raw --yes --map map
restored "hung up, and gone on"

# A map that means harm
cp kept.raw target.raw
for id in "$(printf 'A%.0s' {1..600})" "" '../../etc'; do
  sed -E "s#\"id\":\"[^\"]*\"#\"id\":\"$id\"#" kept.map >map
  status 2 "$gptgrow" restore slow/image.raw target.raw --yes --map map
  says err "damaged: an id of ${#id} characters"
done
cmp target.raw kept.raw || fail "a refused restore wrote"

fusermount3 -u slow
wait

# The image is written to while it is copied.
rm -f map
(sleep 0.4; printf x | dd of=image.raw bs=1 seek=20000000 conv=notrunc status=none) &
# shellcheck disable=SC2086 # words
status 2 $slow "$gptgrow" restore image.raw target.raw --yes
wait
says err "image.raw: was changed while it was copied"
status 2 "$gptgrow" inspect target.raw

# ext4 and others call zeros data while they are in the page cache, and a hole when they are not.
[ "$(id -u)" = 0 ] || exit 0
truncate -s 128M fs.raw
mkfs.ext4 -q fs.raw
mkdir mnt
mount -o loop fs.raw mnt 2>/dev/null || { echo "cannot mount here" >&2; exit 77; }
trap 'umount mnt; rm -rf "$scratch"' EXIT
fallocate -l 24M mnt/image.raw
sgdisk --clear -n1:2048:40000 mnt/image.raw >/dev/null
head -c 3M /dev/urandom | dd of=mnt/image.raw bs=1M seek=2 conv=notrunc status=none
sync
cat mnt/image.raw >/dev/null
head -c 32M /dev/urandom >target.raw
(sleep 0.5; echo 3 >/proc/sys/vm/drop_caches) 2>/dev/null &
# shellcheck disable=SC2086 # words
status 0 ${slow//pwrite64/pread64} "$gptgrow" restore mnt/image.raw target.raw --yes
wait
"$tests/model/write_disk.py" mnt/image.raw $((32 << 20)) served.raw
restored "holes that come and go"

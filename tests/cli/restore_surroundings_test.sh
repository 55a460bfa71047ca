#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Restores in surroundings that are not as usual: standard streams closed or full, signals ignored, a terminal that is
# hung up, a hostile map, a file system whose holes come and go with its cache.
. "$(dirname "$0")/common.sh"

head -c 24M /dev/urandom >image.raw
sgdisk --clear -n1:2048:40000 image.raw >/dev/null
truncate -s 32M served.raw
"$tests/model/write_disk.py" image.raw $((32 << 20)) served.raw

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
  "$gptgrow" restore image.raw target.raw --yes --no-verify 2>/dev/full || fail "stderr full: $?"
  restored "stderr full"
  # Nor the report, which is not the restore
  "$gptgrow" restore image.raw target.raw --yes >/dev/full 2>err || fail "stdout full: $?"
  says err "restored and verified, but the report cannot be printed: standard output: No space left on device"
  restored "stdout full"
fi

cat >no_reader.py <<'PYTHON'
import os, subprocess, sys
reader, writer = os.pipe()
os.close(reader)
sys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, restore_signals=True).returncode)
PYTHON
for more in --no-verify ""; do
  python3 no_reader.py sh -c 'exec "$@" 2>/dev/null' sh "$gptgrow" restore image.raw target.raw --yes ${more:+"$more"} ||
    fail "nobody reads the report: $?"
  restored "no reader of the report"
done

# nohup
trap '' HUP
held fsync 2 "$gptgrow" restore image.raw target.raw --yes
kill -HUP "$held"
released 0
trap - HUP
restored nohup

[ -c /dev/fuse ] || { echo "no /dev/fuse here" >&2; exit 77; }
# A terminal that goes away in the middle: the restore ends, and goes on later.
cat >hang_up.py <<'PYTHON'
import os, pty, sys, time
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while not os.path.exists("reached"):
    time.sleep(0.01)
os.close(terminal)
open("open", "w").close()
status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
sys.exit(f"exit status {status}" if status != 2 else 0)
PYTHON
gated image.raw slow/image.raw "touch '$PWD/reached'; until [ -e '$PWD/open' ]; do sleep 0.02; done"
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

"$tests/while_busy.sh" fusermount3 -u slow
wait

# The image is written to while it is copied.
rm -f map
held fsync 2 "$gptgrow" restore image.raw target.raw --yes
printf x | dd of=image.raw bs=1 seek=20000000 conv=notrunc status=none
released 2
says err "image.raw: was changed while it was copied"
status 2 "$gptgrow" inspect target.raw

# ext4 and others call zeros data while they are in the page cache, and a hole when they are not.
[ "$(id -u)" = 0 ] || exit 0
truncate -s 128M fs.raw
mkfs.ext4 -q fs.raw
mkdir mnt
flock /dev/loop-control mount -o loop fs.raw mnt 2>/dev/null || { echo "cannot mount here" >&2; exit 77; }
trap '"$tests/while_busy.sh" umount mnt; rm -rf "$scratch"' EXIT
fallocate -l 24M mnt/image.raw
sgdisk --clear -n1:2048:40000 mnt/image.raw >/dev/null
head -c 3M /dev/urandom | dd of=mnt/image.raw bs=1M seek=2 conv=notrunc status=none
sync
cat mnt/image.raw >/dev/null
head -c 32M /dev/urandom >target.raw
# Its first hole is the free space, after those of the image were looked for
held fallocate 1 "$gptgrow" restore mnt/image.raw target.raw --yes
echo 3 2>/dev/null >/proc/sys/vm/drop_caches || true
released 0
"$tests/model/write_disk.py" mnt/image.raw $((32 << 20)) served.raw
restored "holes that come and go"

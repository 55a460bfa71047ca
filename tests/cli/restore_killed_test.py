#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""restore, killed for real: at every call that writes, flushes, renames or removes, by io_uring and by threads. What is
left has no valid table, or the old one over the old bytes, or the new one over the new bytes; the same command with --map
completes it. A kill loses no write, a power cut does: the order of writes and flushes, as the kernel saw them, is checked
too. INT ends a restore with what is in flight and says how to go on. All of it again with a compressed image, but for INT."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from restored import GPTGROW, TESTS, valid_guid

WITHOUT_IO_URING = TESTS / "cli/without_io_uring.py"
MOST_KILLS = 60  # of one call
SLOTS = 8  # in flight at once
S, MIB = 512, 1 << 20
IMAGE_SIZE, SIZE = 12 * MIB, 16 * MIB
HEAD, TAIL = 24 << 10, 20 << 10  # what is wiped first


class Case:
    def __init__(self, folder, packed=False):
        folder.mkdir()
        self.packed = packed
        self.image, self.old, self.target, self.map = (folder / n for n in ("image.raw", "old.raw", "disk.raw", "map"))
        for path, size in ((self.image, IMAGE_SIZE), (self.old, SIZE)):
            path.write_bytes(os.urandom(size))
            subprocess.run(["sgdisk", "--clear", "-n1:2048:8191", "-n5:8192:24000", path], check=True, capture_output=True)
        subprocess.run(["fallocate", "--punch-hole", "-o", str(6 * MIB), "-l", str(2 * MIB), self.image], check=True)
        if packed:
            subprocess.run(["zstd", "-q", "-1", "--rm", self.image], check=True)
            self.image = Path(f"{self.image}.zst")
        self.begin()
        assert self.restore().returncode == 0
        self.wanted, self.old_bytes = self.target.read_bytes(), self.old.read_bytes()
        self.guids = {valid_guid(self.old_bytes, 1): "old", valid_guid(self.wanted, 1): "new"}
        assert len(self.guids) == 2 and None not in self.guids

    def begin(self):
        shutil.copyfile(self.old, self.target)
        self.map.unlink(missing_ok=True)

    def command(self, *prefix):
        return [*prefix, GPTGROW, "restore", self.image, self.target, "--map", self.map, "--yes", "--free-space", "zero"]

    def restore(self, *prefix):
        return subprocess.run(self.command(*prefix), stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def judge(self, when):
        """What is on the target after a kill: "nothing", "old" or "new"; anything but that is a failure."""
        found = self.target.read_bytes()
        for guid in {valid_guid(found, 1), valid_guid(found, SIZE // S - 1)} - {None}:
            if self.guids[guid] == "old":
                assert found[HEAD:-TAIL] == self.old_bytes[HEAD:-TAIL], f"{when}: the old table over other bytes"
            else:
                assert found[34 * S : -33 * S] == self.wanted[34 * S : -33 * S], f"{when}: a valid table over incomplete data"
            return self.guids[guid]
        return "nothing"

    def complete(self, when):
        done = self.restore()
        assert done.returncode == 0, f"{when}: not completed: {done.stdout}{done.stderr}"
        assert self.target.read_bytes() == self.wanted, f"{when}: completed, but other bytes"


def kill_at_calls(case):
    left = {"nothing": 0, "old": 0, "new": 0}
    resumed = kills = 0
    for wrapper, calls in (([WITHOUT_IO_URING], ("pwrite64", "fallocate", "rename", "unlink")), ([], ("io_uring_enter",))):
        for call in calls:
            for number in range(1, MOST_KILLS):
                case.begin()
                strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                          f"inject={call}:signal=KILL:when={number}"]
                done = case.restore(*wrapper, *strace)
                if done.returncode == 0:
                    break
                assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), done
                kills += 1
                left[case.judge(f"{call} {number}")] += 1
                resumed += case.map.exists()
                case.complete(f"{call} {number}")
    print(f"counted: kills of a restore | {kills} | 0")
    print(f"{kills} kills: {left}, {resumed} with a map to go on from")
    assert kills > (15 if case.packed else 20) and all(left.values()) and resumed > 10


def kill_at_flushes(case):
    def strace(when):
        return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e",
                f"inject=fsync:signal=KILL:when={when}"]

    flush, states = 1, []
    while True:
        case.begin()
        done = case.restore(*strace(flush))
        if done.returncode == 0:
            break
        states.append(case.judge(f"flush {flush}"))
        case.complete(f"flush {flush}")
        flush += 1
    print(f"killed at each of {flush - 1} flushes: {' '.join(states)}")
    assert flush > 6 and {"nothing", "new"} <= set(states)


def check_order(case, folder):
    """No power cut between flushes may keep a table and lose data: they are never written between the same two."""
    case.begin()
    log = folder / "strace.log"
    done = case.restore(WITHOUT_IO_URING, "strace", "-f", "-qq", "-y", "-o", log, "-e",
                        "trace=pwrite64,fallocate,fsync,io_uring_setup")
    assert done.returncode == 0, done.stderr
    epochs, used_ring = [[]], False
    for line in log.read_text().splitlines():
        used_ring |= "io_uring_setup" in line and "= -1" not in line
        if str(case.target) not in line:
            continue
        write = re.search(r"pwrite64\(.*, (\d+), (\d+)\)? *(?:= |$|<unf)", line)
        hole = re.search(r"fallocate\(.*PUNCH_HOLE, (\d+), (\d+)", line)
        if write:
            epochs[-1].append((int(write[2]), int(write[1])))
        elif hole:
            epochs[-1].append((int(hole[1]), int(hole[2])))
        elif "fsync" in line:
            epochs.append([])
    assert not used_ring, "io_uring was used where it is forbidden"

    def kinds(offset, size):
        if size == S and offset in (S, SIZE - S):
            return {"header"}
        if offset == 0 and size == S:
            return {"MBR"}
        if offset in (S, 2 * S) and size <= 32 * S:
            return {"primary"}
        if offset >= SIZE - 33 * S:
            return {"backup"}
        if (offset, size) in ((0, HEAD), (SIZE - TAIL, TAIL)):
            return {"wipe"}
        return {"data"}

    order = [set().union(*(kinds(*write) for write in epoch)) for epoch in epochs if epoch]
    if case.packed:  # what was held until the end is data too
        order = [each for number, each in enumerate(order) if number == 0 or each != order[number - 1]]
    assert order == [
        {"header"}, {"wipe"}, {"data"}, {"header", "backup"}, {"header", "primary"}, {"MBR"}], order
    print("between flushes: headers | wipe | holes, free space, data | backup | primary | MBR")


def send(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def interrupt(case, folder):
    """Held at the second write of each thread: that of the main one is in the wipe, and those of the others copy."""
    log = folder / "interrupt.log"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        case.begin()
        log.write_text("")
        held = ["strace", "-f", "-o", log, "-e", "trace=pwrite64", "-e", "inject=pwrite64:signal=STOP:when=2"]
        process = subprocess.Popen(case.command(WITHOUT_IO_URING, *held), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        sent, main = False, None
        while process.poll() is None:
            text = log.read_text()
            threads = [int(line.split()[0]) for line in text.splitlines() if "--- SIGSTOP {" in line]
            main = main or (threads[0] if threads else None)
            if not sent and set(threads) - {main}:
                send(main, number)
                sent = True
            # Once it goes on after the wipe, the next stop holds it until the signal is there.
            if main and (sent or "--- SIGCONT {" not in text):
                send(main, signal.SIGCONT)
            time.sleep(0.01)
        error = process.stderr.read()
        assert sent, "never held while it copied"
        assert process.returncode == 2, (process.returncode, error)
        assert "stopped" in error and "the same command goes on from here" in error, error
        lines = log.read_text().splitlines()
        at = next(i for i, line in enumerate(lines) if f"--- {number.name} " in line)
        begun = [line for line in lines[at:] if "pwrite64(" in line]
        assert len(begun) <= SLOTS, f"{number.name}: {len(begun)} more writes: {begun}"
        assert case.judge("INT") == "nothing"
        done = [int(line.split()[1], 16) for line in case.map.read_text().splitlines() if line.endswith("+")]
        assert 0 < sum(done) < SIZE
        case.complete("INT")
        print(f"{number.name}: ended after {len(begun)} more writes, {sum(done) >> 20} MiB done")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for packed in (False, True):
            case = Case(folder / ("packed" if packed else "raw"), packed)
            check_order(case, folder)
            kill_at_flushes(case)
            if not packed:
                interrupt(case, folder)
            kill_at_calls(case)


main()

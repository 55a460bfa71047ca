#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""restore on a terminal: it shows what would be lost, wants the target's name typed (twice for a partition), writes nothing
without it, and draws one line of progress that fits. Without a target, it shows the disks and asks for one."""

import os
import pty
import re
import shutil
import struct
import subprocess
import tempfile
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import loop_partition

TESTS = Path(__file__).resolve().parents[1]
GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
SLOW = [TESTS / "cli/without_io_uring.py", "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e",
        "inject=pwrite64:delay_enter=120000"]


def on_terminal(command, answers, columns=80):
    """Exit status, and all that came to the terminal; an answer is typed, or made, when a question ends in ": "."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(command[0], [str(word) for word in command])
    ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    seen, asked_up_to = "", 0
    while True:
        try:
            seen += os.read(terminal, 65536).decode()
        except OSError:
            break
        if seen[asked_up_to:].endswith(("to go on: ", "to restore to: ")) and answers:
            asked_up_to = len(seen)
            answer = answers.pop(0)
            os.write(terminal, (answer() if callable(answer) else answer).encode() + b"\n")
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), seen


def is_offered(image, device):
    seen = on_terminal([GPTGROW, "restore", image], [""])[1]
    assert "is none of them: nothing is written" in seen or "no disk" in seen, seen
    return re.search(rf"^ +\d+  {device} ", seen, re.M) is not None


def only_what_can_take_it(image, target, device):
    """Of loop devices: not one that is write-protected, mounted, the image itself, too small, or has other sectors."""
    assert is_offered(image, device)
    for before, after in ((["blockdev", "--setro", device], ["blockdev", "--setrw", device]),
                          (["losetup", "--sector-size", "4096", device], ["losetup", "--sector-size", "512", device])):
        subprocess.run(before, check=True)
        try:
            assert not is_offered(image, device), before
        finally:
            subprocess.run(after, check=True)
    assert not is_offered(device, device)
    large = Path("large.raw")
    shutil.copy(image, large)
    os.truncate(large, 40 << 20)
    subprocess.run(["sgdisk", "-e", "-n2:50000:80000", large], check=True, capture_output=True)
    assert not is_offered(large, device)
    kept = target.read_bytes()
    subprocess.run(["mkfs.ext4", "-q", "-F", device], check=True)
    Path("mnt").mkdir()
    subprocess.run(["mount", device, "mnt"], check=True)
    try:
        assert not is_offered(image, device)
    finally:
        subprocess.run([TESTS / "while_busy.sh", "umount", "mnt"], check=True)
    target.write_bytes(kept)
    assert is_offered(image, device)


def choose_target(image, target, device):
    """Nothing is a default, and what is not in the list is not taken."""
    name = device.removeprefix("/dev/")
    packed = Path("packed.zst")
    subprocess.run(["zstd", "-q", "-f", "-o", packed, image], check=True)
    before = target.read_bytes()
    for source in (image, packed):
        for answer in ("", " ", "0", "y", "99", "vd", name + "p1"):
            status, seen = on_terminal([GPTGROW, "restore", source], [answer])
            assert status == 2 and "is none of them: nothing is written" in seen and target.read_bytes() == before, seen
        status, seen = on_terminal([GPTGROW, "restore", source], [name, "no"])
        assert status == 2 and f"that is not {name}" in seen and target.read_bytes() == before, seen
    number = re.search(rf"^ +(\d+)  {device}  +32M  loop device over .*{target}", seen, re.M)[1]
    for answer in (number, device, name):
        status, seen = on_terminal([GPTGROW, "restore", packed], [answer, name])
        assert status == 0 and "data: same" in seen, seen
    done = subprocess.run([GPTGROW, "restore", image], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "TARGET is needed" in done.stderr, done

    # While it waits, a stick is pulled out and another one of the same size is put in.
    other = Path("other.raw")
    other.write_bytes(os.urandom(32 << 20))
    other_before = other.read_bytes()

    def swap():
        subprocess.run(["losetup", "-d", device], check=True)
        subprocess.run(["losetup", device, other], check=True)
        return name
    status, seen = on_terminal([GPTGROW, "restore", image, "--yes"], [swap])
    assert status == 2 and "is another disk than the one that was shown" in seen, seen
    assert other.read_bytes() == other_before, "the other disk was written"


def main():
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        image, target, before = Path("image.raw"), Path("disk.raw"), Path("before.raw")
        image.write_bytes(os.urandom(24 << 20))
        subprocess.run(["sgdisk", "--clear", "-n1:2048:40000", image], check=True, capture_output=True)
        with open(before, "wb") as file:
            file.truncate(32 << 20)
        subprocess.run(["sgdisk", "--clear", "-a1", "-n7:2048:30000", "-c7:photos of 2019", before], check=True,
                       capture_output=True)
        subprocess.run(["mkfs.ext4", "-q", "-L", "family", "-E", f"offset={2048 * 512}", before, "12M"], check=True,
                       capture_output=True)
        command = [GPTGROW, "restore", image, target]

        for answer in ("", "y", "yes", "image.raw", "disk.raw "):
            shutil.copy(before, target)
            status, seen = on_terminal(command, [answer])
            assert status == 2 and "nothing is written" in seen, seen
            assert target.read_bytes() == before.read_bytes(), f"written after {answer!r}"
        assert "will lose: gpt partitions" in seen and '7  ' in seen and 'ext4 "family"' in seen, seen
        status, seen = on_terminal(command, ["disk.raw"])
        assert status == 0 and "table: same" in seen and "data: same" in seen, seen
        status, seen = on_terminal([*command, "--yes"], [])
        assert status == 0 and "go on" not in seen, seen
        status, seen = on_terminal([GPTGROW, "restore", image, "new.raw", "--size", "40M"], [])
        assert status == 0 and Path("new.raw").stat().st_size == 40 << 20, seen

        for columns in (40, 60, 80, 200):
            status, seen = on_terminal([*SLOW, *command, "--yes", "--no-verify"], [], columns)
            assert status == 0, seen
            drawn = re.findall(r"\r([^\r\n]*?)\x1b\[K", seen)
            assert any("copying" in line for line in drawn), seen
            assert all(len(line) < columns for line in drawn), f"wider than {columns}: {max(drawn, key=len)!r}"
            assert drawn[-1] == "", "the line is not cleared"
        print(f"as drawn in 200 columns: {max(drawn, key=len)}")

        if os.getuid() != 0:
            return
        shutil.copy(before, target)
        loop = subprocess.run([TESTS / "attach_loop.sh", target, "--partscan"], capture_output=True, text=True)
        if loop.returncode != 0:
            return
        device = loop.stdout.strip()
        try:
            part = Path(device + "p1")
            if not part.exists():
                loop_partition.add(device, 1, 2048, 60000)
            name = part.name
            for answers in ([name], [name, "no"], ["no", name]):
                status, seen = on_terminal([GPTGROW, "restore", image, part], [*answers, ""])
                assert status == 2 and target.read_bytes() == before.read_bytes(), seen
            status, seen = on_terminal([GPTGROW, "restore", image, part], [name, name])
            assert status == 0 and "is a partition, not a disk" in seen, seen
            assert "loop device over" in seen, seen
            loop_partition.delete(device, 1)
            only_what_can_take_it(image, target, device)
            choose_target(image, target, device)
        finally:
            subprocess.run(["losetup", "-d", device], check=True)


main()

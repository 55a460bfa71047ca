#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""NBD servers that lie, stall, or are killed while an image is restored from them: exit status 2, or all of the disk as it should be;
never a wrong byte under a valid table, and no hang. Messages name the server."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from restored import GPTGROW, TESTS, valid_guid

SERVER = TESTS / "nbd/server.py"
GROWN = 24 << 20
STALLED = 60
LISTENS = 0x10000  # __SO_ACCEPTCON


def is_listening(path: Path) -> bool:
    """The socket is there before anybody listens on it."""
    sockets = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
    return any(words[-1] == str(path) and int(words[3], 16) & LISTENS for words in sockets if len(words) == 8)


class Served:
    """IMAGE by a lying server, or by nbdkit."""

    def __init__(self, folder: Path, name: str, command: list) -> None:
        self.socket = folder / f"{name}.sock"
        self.uri = f"nbd+unix:///?socket={self.socket}"
        self.command = [str(word).replace("SOCKET", str(self.socket)) for word in command]
        self.process = None

    def __enter__(self) -> "Served":
        self.process = subprocess.Popen(self.command)
        while not is_listening(self.socket):
            assert self.process.poll() is None, self.command
            time.sleep(0.01)
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()


def lying(folder: Path, raw: Path, lie: str) -> Served:
    return Served(folder, lie, [SERVER, "SOCKET", raw, lie])


def restore(uri: str, target: Path, timeout: int = 120) -> subprocess.CompletedProcess:
    return subprocess.run([GPTGROW, "restore", uri, target, "--size", str(GROWN), "--yes"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout)


def check_no_table(target: Path) -> None:
    if target.exists():
        disk = target.read_bytes()
        assert valid_guid(disk, 1) is None and valid_guid(disk, len(disk) // 512 - 1) is None, "a valid table"
        target.unlink()


def fails(folder: Path, raw: Path, lie: str, said: str) -> None:
    target = folder / f"{lie}.img"
    with lying(folder, raw, lie) as server:
        done = restore(server.uri, target)
        assert done.returncode == 2 and server.uri in done.stderr, f"{lie}: {done}"
        assert re.search(said, done.stderr), f"{lie}: {done.stderr}"
    check_no_table(target)


def works(folder: Path, raw: Path, lie: str, wanted: bytes) -> None:
    target = folder / f"{lie}.img"
    with lying(folder, raw, lie) as server:
        done = restore(server.uri, target)
        assert done.returncode == 0, f"{lie}: {done}"
    assert target.read_bytes() == wanted, f"{lie}: other bytes"
    target.unlink()


def either(folder: Path, raw: Path, lie: str, wanted: bytes) -> None:
    """What libnbd makes of it is its own affair."""
    target = folder / f"{lie}.img"
    with lying(folder, raw, lie) as server:
        done = restore(server.uri, target)
    if done.returncode == 0:
        assert target.read_bytes() == wanted, lie
    else:
        assert done.returncode == 2 and server.uri in done.stderr, done
        check_no_table(target)


def stalled(folder: Path, raw: Path) -> None:
    """Is given up after a minute; at once when the work is stopped."""
    with lying(folder, raw, "stall") as server:
        began = time.monotonic()
        with subprocess.Popen([GPTGROW, "restore", server.uri, folder / "stopped.img", "--size", str(GROWN), "--yes"],
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            while not (folder / "stopped.img").exists() and process.poll() is None and time.monotonic() - began < 3:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=STALLED)[1]
        assert process.returncode != 0 and time.monotonic() - began < STALLED / 2, said
        done = subprocess.run([GPTGROW, "inspect", server.uri], capture_output=True, text=True)
        assert done.returncode == 2 and f"did not answer for {STALLED} seconds" in done.stderr, done
        assert STALLED <= time.monotonic() - began < 6 * STALLED, "too early, or too late"


def killed(folder: Path, raw: Path) -> None:
    """For good: some tries, and the end, or INT; and started again meanwhile: nothing is noticed."""
    slow = ["nbdkit", "-f", "-U", "SOCKET", "--filter=delay", "file", raw, "delay-read=20ms"]
    target = folder / "killed.img"
    for then in ("gone", "INT", "back"):
        command = [GPTGROW, "restore", "", target, "--size", str(GROWN), "--yes", "--no-verify"]
        with Served(folder, "killed", slow) as server:
            command[2] = server.uri
            with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
                while not (target.exists() and target.stat().st_blocks):
                    assert process.poll() is None, process.communicate()
                    time.sleep(0.02)
                server.process.kill()
                server.process.wait()
                server.socket.unlink()
                if then == "back":
                    server.__enter__()
                elif then == "INT":
                    process.send_signal(signal.SIGINT)
                said = process.communicate(timeout=120)[1]
        if then == "back":
            assert process.returncode == 0, said
            subprocess.run([GPTGROW, "verify", raw, target], check=True, stdout=subprocess.DEVNULL)
            target.unlink()
        else:
            assert process.returncode == 2 and server.uri in said and "incomplete" in said, said
            check_no_table(target)
            (folder / "killed.sock").unlink(missing_ok=True)


def errors(folder: Path, raw: Path) -> None:
    for name, error in (("EIO", "Input/output error"), ("ENOMEM", "Cannot allocate memory")):
        command = ["nbdkit", "-f", "-U", "SOCKET", "--filter=error", "file", raw, f"error-pread={name}", "error-pread-rate=100%",
                   f"error-pread-file={folder / name}"]
        with Served(folder, name, command) as server:
            subprocess.run([GPTGROW, "inspect", server.uri], check=True, capture_output=True)
            (folder / name).touch()
            done = subprocess.run([GPTGROW, "inspect", server.uri], capture_output=True, text=True)
            assert done.returncode == 2 and server.uri in done.stderr and error in done.stderr, done


def block_sizes(folder: Path, raw: Path, wanted: bytes) -> None:
    """A server that takes whole blocks alone, and little at once."""
    command = ["nbdkit", "-f", "-U", "SOCKET", "--filter=blocksize-policy", "file", raw, "blocksize-minimum=4096",
               "blocksize-preferred=4096", "blocksize-maximum=64K", "blocksize-error-policy=error"]
    with Served(folder, "blocks", command) as server:
        done = restore(server.uri, folder / "blocks.img")
        assert done.returncode == 0, done
    assert (folder / "blocks.img").read_bytes() == wanted


def refused(folder: Path) -> None:
    for uri, said in ((f"nbd+unix:///?socket={folder}/none", "No such file"),
                      ("nbd://user:secret@localhost/", "a password"),
                      ("nbd+unix:///", "socket"),
                      ("nbd://127.0.0.1:1/", "Connection refused")):
        done = subprocess.run([GPTGROW, "inspect", uri], capture_output=True, text=True)
        assert done.returncode == 2 and said in done.stderr and "secret" not in done.stderr, done


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(8) as pool:
        folder = Path(scratch)
        raw, expected = folder / "image.raw", folder / "expected.raw"
        with open(raw, "wb") as file:
            file.truncate(12 << 20)
        subprocess.run(["sgdisk", "-n", "1:2048:0", raw], check=True, stdout=subprocess.DEVNULL)
        with open(raw, "r+b") as file:
            file.seek(1 << 20)
            file.write(os.urandom(10 << 20))
        subprocess.run([TESTS / "model/write_disk.py", raw, str(GROWN), expected], check=True)
        wanted = expected.read_bytes()
        jobs = [pool.submit(stalled, folder, raw), pool.submit(killed, folder, raw), pool.submit(errors, folder, raw),
                pool.submit(block_sizes, folder, raw, wanted), pool.submit(refused, folder),
                pool.submit(either, folder, raw, "extents-none", wanted)]
        for lie, said in {"short-read": "Input/output error", "twice": "Input/output error", "beyond": "connection",
                          "eio": "the server says: Input/output error", "die": "lost again and again",
                          "eio-first": "read at byte 0: the server says: Input/output error",
                          "die-first": "read at byte 0: .*: Input/output error", "shutdown": "lost again and again",
                          "extents-die": "extents at byte .*lost again and again", "huge": "of no size that can be",
                          "unaligned": "no multiple of its minimum block size, 4096 bytes",
                          "whole-blocks": "takes reads of 4096 to 1048576 bytes, expected 1 to 1048576 as before",
                          "small": "takes reads of 1 to 65536 bytes, expected 1 to 1048576 as before",
                          "grow": r"has \d+ bytes, expected \d+ as before", "other": "first 65536 bytes are others"}.items():
            jobs.append(pool.submit(fails, folder, raw, lie, said))
        for lie in ("once", "multi", "multi-grow", "no-extents", "extents-zero", "extents-short", "extents-beyond", "extents-error"):
            jobs.append(pool.submit(works, folder, raw, lie, wanted))
        failures = [f"{type(why).__name__}: {why}" for job in jobs if (why := job.exception())]
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    print(f"{len(jobs)} servers")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

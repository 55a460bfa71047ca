#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Eight connections with many requests in flight each read the same bytes; cache requests are taken.

Built with ThreadSanitizer, what that finds ends nbdkit with another status and fails this test.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import nbd  # noqa: E402
from images.catalogue import Disk  # noqa: E402
from model.contract_model import expected, read_regions  # noqa: E402
from plugin import nbdkit  # noqa: E402

CLIENTS = 8
REQUESTS = 400
SIZE = 8 << 20


def client(socket: str, image: Path, seed: int, right: list[int], wrong: list[str]) -> None:
    try:
        right.append(count_right_reads(socket, image, seed, wrong))
    except Exception as why:  # in a thread, nobody else sees it
        wrong.append(f"client {seed}: {why!r}")


def count_right_reads(socket: str, image: Path, seed: int, wrong: list[str]) -> int:
    right = 0
    regions = expected(image, SIZE)
    handle = nbd.NBD()
    handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
    handle.connect_unix(socket)
    choice = random.Random(seed)
    with open(image, "rb") as file:
        for round_start in range(0, REQUESTS, 16):
            flying = []
            for _ in range(16):
                length = choice.choice((1, 511, 512, 4096, 65536))
                offset = choice.randrange(SIZE - length)
                buffer = nbd.Buffer(length)
                flying.append((handle.aio_pread(buffer, offset), buffer, offset, length))
            handle.block_status(1 << 20, choice.randrange(SIZE - (1 << 20)), lambda *_: 0)
            handle.cache(4096, choice.randrange(SIZE - 4096))
            for cookie, buffer, offset, length in flying:
                while not handle.aio_command_completed(cookie):
                    handle.poll(-1)
                if buffer.to_bytearray() == read_regions(file.fileno(), regions, offset, length):
                    right += 1
                else:
                    wrong.append(f"{length} bytes at {offset} in round {round_start}")
    handle.shutdown()
    return right


def main() -> int:
    right: list[int] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "image.raw")
        Disk().write(image)
        socket = str(Path(scratch, "socket"))
        # The socket is there before anybody listens on it; the file of the process id comes after that.
        ready = Path(scratch, "pid")
        arguments = nbdkit.command([str(image), f"size={SIZE}"], ["-f", "-t", "16", "-U", socket, "-P", str(ready)])
        server = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        while not ready.exists() and server.poll() is None:
            time.sleep(0.02)
        threads = [threading.Thread(target=client, args=(socket, image, seed, right, wrong)) for seed in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=nbdkit.TIMEOUT)
    if server.returncode != 0 or "Sanitizer" in said:
        wrong.append(f"nbdkit ended with {server.returncode}: {said[-4000:]}")
    if sum(right) != CLIENTS * REQUESTS:
        wrong.append(f"{sum(right)} right reads, expected {CLIENTS * REQUESTS}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())

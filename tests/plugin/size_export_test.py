#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""size=export: each client names the size of its own disk, and sees the disk that the contract says; no other name opens
anything, and no name costs memory once its connection is gone.

    size_export_test.py [--opens N] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import nbd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images.catalogue import write_images  # noqa: E402
from model.contract_model import expected  # noqa: E402
from plugin import nbdkit  # noqa: E402
from plugin.served_bytes import GIB, KIB, Comparison  # noqa: E402

IMAGE = "esxi5-512"
CLIENTS = 64
LARGEST = 2**63 - 512
SHARED_FILTERS = ("cow", "cache", "cacheextents")
HOSTILE = ("", "0", "1", "511", "513", "-7516192768", "+7516192768", " 7516192768", "7516192768 ", "07516192768", "7516192769",
           "0x1C0000000", "7G", "7516192768.0", "7e9", "min", "export",
           "%s%s%n", "%d" * 40, "٧٥١٦١٩٢٧٦٨", "\x1b[2J", "a\nb", "../etc/passwd",
           str(2**63 - 1), str(2**63), str(2**64), str(2**64 + 7516192768), "9" * 19, "9" * 20, "9" * 4096, "1" + "0" * 4095)


def memory_bytes(process: int, what: str) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)[1]) * KIB


def sizes(choose: random.Random, count: int, own: int) -> list[int]:
    """From the image's own to the largest, half of them of the sizes that disks have."""
    found = {own, LARGEST}
    while len(found) < count:
        bits = choose.uniform(33, 63 if len(found) % 2 else 44)
        found.add(min(max(int(2**bits) // 512 * 512, own), LARGEST))
    return sorted(found)


def expect_refused(server: nbdkit.Server, name: str) -> None:
    try:
        with server.connected(name) as client:
            raise AssertionError(f"export {name!r} is served, {client.size} bytes long")
    except nbdkit.ServerError as why:
        said = str(why)
    except ValueError:
        return  # libnbd does not send it
    assert "error: " in said, f"export {name!r}: no reason in the log: {said!r}"
    assert len(said) < 500 and "\x1b" not in said and "\n" not in said, f"export {name!r}: {said!r}"
    assert any(word in said for word in ("size", "export")), f"export {name!r}: {said!r}"


def each_sees_its_own(folder: Path, image: Path, seed: int) -> None:
    choose = random.Random(seed)
    wanted = sizes(choose, CLIENTS, image.stat().st_size)
    with ExitStack() as all_open:
        server = all_open.enter_context(nbdkit.Server(folder, [f"file={image}", "size=export"], ["--threads=4"]))
        file = all_open.enter_context(open(image, "rb"))
        clients = [(size, all_open.enter_context(server.connected(str(size)))) for size in wanted]
        choose.shuffle(clients)
        for size, client in clients:
            assert client.size == size, f"size {client.size}, expected {size}"
            Comparison(client, file.fileno(), expected(image, size), random.Random(f"{seed} {size}")).whole()
    print(f"{CLIENTS} connections at once, {wanted[0]} to {wanted[-1]} bytes: all as the contract says")


def what_is_told(folder: Path, image: Path) -> None:
    own = image.stat().st_size
    with nbdkit.Server(folder, [f"file={image}", "size=export"]) as server:
        exports = []
        handle = nbd.NBD()
        handle.set_opt_mode(True)
        handle.connect_unix(server.socket_path)
        handle.opt_list(lambda name, _description: exports.append(name))
        handle.opt_abort()
        assert exports == [str(own)], exports
        for name in HOSTILE:
            expect_refused(server, name)
        assert 'default export ("") not permitted' in server.said(), "there is a default export"
        with server.connected(str(own + GIB)) as one, server.connected(str(own + GIB)) as other:
            assert one.handle.can_multi_conn() and one.read(own, 512) == other.read(own, 512)
    for arguments, reason in (
        [(["size=export", "reference=/dev/null"], "one of them")]
        + [([f"--filter={name}", "size=export"], name) for name in SHARED_FILTERS]
    ):
        how = [word for word in arguments if word.startswith("--")]
        refusal = nbdkit.refused([str(image), *(word for word in arguments if word not in how)], ["--single", *how])
        assert refusal.status > 0 and reason in refusal.message, refusal
    served = nbdkit.refused([str(image), "size=8G"], ["--single", "--filter=cow"])
    assert served.status == 0, served
    print(f"{len(HOSTILE)} names refused, each with its reason")


def memory_is_flat(folder: Path, image: Path, opens: int, seed: int) -> None:
    choose = random.Random(seed)
    own = image.stat().st_size

    def open_some(count: int) -> None:
        for _ in range(count):
            if choose.random() < 0.5:
                with server.connected(str(choose.randrange(own // 512, LARGEST // 512) * 512)):
                    pass
            else:
                expect_refused(server, "".join(choose.choice("0123456789+-%.eE x\x7f/") for _ in range(choose.randrange(1, 40))))

    with nbdkit.Server(folder, [f"file={image}", "size=export"]) as server:
        open_some(opens // 5)
        before = memory_bytes(server.process.pid, "VmRSS")
        open_some(opens - opens // 5)
        after = memory_bytes(server.process.pid, "VmRSS")
        print(f"{opens} opens: {before >> 10} KiB after a fifth, {after >> 10} KiB after all")
        assert os.environ.get("GPTGROW_SANITIZER") or after - before < 128 * KIB, "memory grows with the number of opens"


def memory_of_a_size(folder: Path, image: Path) -> None:
    """Connections of one size against as many of different sizes: what is left is what a size costs."""
    peaks = []
    own = image.stat().st_size
    for step in (0, GIB):
        with nbdkit.Server(folder, [f"file={image}", "size=export"]) as server, ExitStack() as all_open:
            for number in range(CLIENTS):
                all_open.enter_context(server.connected(str(own + GIB + number * step)))
            peaks.append(memory_bytes(server.process.pid, "VmHWM"))
    each = (peaks[1] - peaks[0]) / CLIENTS
    print(f"{CLIENTS} sizes at once: {each / KIB:.1f} KiB each")
    # Those of one size share it: else there is no difference.
    assert os.environ.get("GPTGROW_SANITIZER") or 4 * KIB <= each <= 64 * KIB


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--opens", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, [IMAGE])
        image = folder / f"{IMAGE}.raw"
        what_is_told(folder, image)
        each_sees_its_own(folder, image, arguments.seed)
        memory_is_flat(folder, image, arguments.opens, arguments.seed)
        memory_of_a_size(folder, image)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sixteen machines, each in a network of its own, restore one image at once by the rescue script of the example, each to a
disk of its own size: over NBD with TLS, over HTTP, and over HTTP through a rack's cache. Every disk is the contract's, to the
last byte."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import sys

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import machines, network, servers  # noqa: E402
from plugin import nbdkit  # noqa: E402

DATA_MIB = 32
Source = list[str]


@contextmanager
def nbds(folder: Path, image: Path, program: str) -> Iterator[Source]:
    keys = folder / "keys/keys.psk"
    with servers.Nbd(servers.unit_command(image, keys), folder / "nbdkit.log") as server:
        yield ["--with", program, servers.nbds(keys)]
    assert server.process.returncode == 0, server.said()
    assert server.used.read_bytes <= 2 * DATA_MIB * machines.MIB, "the page cache holds the image more than once"


@contextmanager
def http(folder: Path, image: Path) -> Iterator[Source]:
    with servers.Nginx(folder, "nginx.conf", image.parent, servers.HTTP_PORT) as server:
        yield [f"http://{network.SERVER}:{servers.HTTP_PORT}/{image.stem}.zst"]
    assert sum(server.sent_bytes()) == machines.MACHINES * image.with_suffix(".zst").stat().st_size, server.access_log.read_text()


@contextmanager
def http_through_a_rack(folder: Path, image: Path) -> Iterator[Source]:
    with servers.Nginx(folder, "nginx.conf", image.parent, servers.HTTP_PORT) as origin:
        with servers.Nginx(folder, "nginx-rack.conf", image.parent, servers.RACK_PORT) as rack:
            yield [f"http://{network.SERVER}:{servers.RACK_PORT}/{image.stem}.zst"]
    once = image.with_suffix(".zst").stat().st_size
    assert sum(rack.sent_bytes()) == machines.MACHINES * once, rack.access_log.read_text()
    parts = origin.sent_bytes()
    assert sum(parts) == once, f"{sum(parts)} bytes asked for, expected {once}, once each"
    assert max(parts) <= 8 * machines.MIB, "machines wait for more than a part of 8 MiB"


# Another way that machines restore by: one more line.
WAYS: dict[str, Callable[[Path, Path], object]] = {
    "nbds, gptgrow": partial(nbds, program="gptgrow"),
    "nbds, nbdcopy": partial(nbds, program="nbdcopy"),
    "http": http,
    "http, a rack's cache": http_through_a_rack,
}


def main() -> None:
    network.in_own_namespaces(machines.MACHINES)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        nbdkit.keep_plugin(folder)
        image = machines.make_image_and_zst(folder, DATA_MIB)
        servers.make_key(folder / "keys/keys.psk")
        machines.check_the_check(folder, image)
        sizes = machines.disk_sizes(image)
        for way, served in WAYS.items():
            disks = machines.blank_disks(folder, sizes)
            began = time.monotonic()
            with served(folder, image) as source, machines.restoring(source, disks) as restores:
                machines.all_restored(restores, image)
            print(f"{way}: {len(disks)} disks, {sizes[0]} to {sizes[-1]} bytes, in {time.monotonic() - began:.1f} s", flush=True)


main()

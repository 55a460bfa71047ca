#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The server is killed while sixteen machines restore: each says so, and none is left with a valid table. The second try
completes."""

from __future__ import annotations

import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import machines, network, servers  # noqa: E402
from plugin import nbdkit  # noqa: E402

DATA_MIB = 24
HALF = DATA_MIB * machines.MIB // 2
QUARTER = HALF // 2


def all_refused(restores: list[machines.Restore]) -> None:
    for each in restores:
        status = each.wait()
        assert status == 2, f"{each.disk}: exit status {status}, expected 2: {each.said}"
        assert "no partition table" in each.said, each.said
        assert not machines.has_table(each.disk), f"{each.disk}: a valid table over missing data"


def http(folder: Path, image: Path, disks: list[Path]) -> None:
    """Half of it comes at once, the rest at a byte a second."""
    source = [f"http://{network.SERVER}:{servers.HTTP_PORT}/{image.stem}.zst"]
    half = image.with_suffix(".zst").stat().st_size // 2
    slowly = f"limit_rate_after {half}; limit_rate 1;"
    with servers.Nginx(folder, "nginx.conf", image.parent, servers.HTTP_PORT, slowly) as server:
        with machines.restoring(source, disks) as restores:
            for each in restores:
                servers.awaited(lambda each=each: machines.written(each.disk) > QUARTER, each.process)
            server.end(signal.SIGKILL)
            all_refused(restores)
    with servers.Nginx(folder, "nginx.conf", image.parent, servers.HTTP_PORT):
        with machines.restoring(source, disks) as restores:
            machines.all_restored(restores, image)


def nbds(folder: Path, image: Path, disks: list[Path], program: str) -> None:
    keys = servers.make_key(folder / "keys/keys.psk")
    source = ["--with", program, servers.nbds(keys)]
    command = servers.unit_command(image, keys)
    at = command.index("--foreground")
    # So slow that the first to be done is not done when the last has begun.
    with servers.Nbd([*command[: at + 1], "--filter=rate", *command[at + 1 :], "connection-rate=4M"], folder / "log") as server:
        with machines.restoring(source, disks) as restores:
            for each in restores:
                servers.awaited(lambda each=each: machines.written(each.disk) > machines.MIB, each.process)
            server.end(signal.SIGKILL)
            all_refused(restores)
    with servers.Nbd(command, folder / "log"), machines.restoring(source, disks) as restores:
        machines.all_restored(restores, image)


def main() -> None:
    network.in_own_namespaces(machines.MACHINES)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        nbdkit.keep_plugin(folder)
        image = machines.make_image_and_zst(folder, DATA_MIB)
        for name, way in (("http", http), ("nbds, gptgrow", partial(nbds, program="gptgrow")),
                          ("nbds, nbdcopy", partial(nbds, program="nbdcopy"))):
            way(folder, image, machines.blank_disks(folder, machines.disk_sizes(image, seed=2)))
            print(f"{name}: killed half-way, no table on {machines.MACHINES} disks; then all of them whole", flush=True)


main()

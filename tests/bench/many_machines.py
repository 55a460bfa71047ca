#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One server and sixteen machines at once, in turns: the plugin with size=export against nbdkit's file plugin that serves a
file of that size, both over TLS; then what each way of examples/fleet costs the server for the same sixteen restores.

    many_machines.py [--pairs N] [--data MIB] [--only NAME]...

CPU is the server's, user and system; a ratio is the median of those of runs that stood side by side, with its quartiles.
Nothing fails here: the last column says what the project wants to hold. GPTGROW_BUILD and GPTGROW_PLUGIN are what is measured,
the release preset unless told.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import nbd
from pairs import in_turns

PROJECT = Path(__file__).resolve().parents[2]
os.environ.setdefault("GPTGROW_BUILD", str(PROJECT / "build/release"))
sys.path[0] = str(PROJECT / "tests")  # not this folder, which has another plugin

from fleet import machines, network, servers  # noqa: E402
from model.contract_model import expected, read_regions  # noqa: E402
from plugin import nbdkit  # noqa: E402

GIB, MIB, KIB = 1 << 30, 1 << 20, 1 << 10


@dataclass(frozen=True)
class Run:
    wall: float
    server: servers.Used
    machines_cpu: float
    wire_bytes: int


def quartiles(values: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else list(values) * 3
    return f"{middle:7.3f} ({low:.3f}-{high:.3f})"


def report(name: str, unit: str, a: list[float], b: list[float], wanted: str = "") -> None:
    ratio = quartiles([x / y for x, y in zip(a, b, strict=True)])
    print(f"{name:34} {statistics.median(a):10.3f} {statistics.median(b):10.3f} {unit:6} {ratio}   {wanted}", flush=True)


def sent_bytes() -> int:
    """By the server to machines, with all headers."""
    said = subprocess.run(["ip", "-s", "-j", "link", "show", "bridge0"], capture_output=True, check=True)
    return json.loads(said.stdout)[0]["stats64"]["tx"]["bytes"]


@dataclass
class Bench:
    folder: Path
    pairs: int
    data: int

    def __post_init__(self) -> None:
        self.image = self.folder / "files/image.raw"
        self.image.parent.mkdir()
        machines.make_image(self.image, self.data)
        self.packed = self.image.with_suffix(".zst")
        subprocess.run(["zstd", "-q", "-3", "-T0", self.image, "-o", self.packed], check=True)
        self.size = self.image.stat().st_size + 4 * GIB
        # What the file plugin serves: the same disk, made beforehand.
        self.grown = self.folder / "grown.raw"
        regions = expected(self.image, self.size)
        with open(self.image, "rb") as image, open(self.grown, "wb") as grown:
            grown.truncate(self.size)
            for start, end in machines.with_bytes(image.fileno(), regions):
                for at in range(start, end, MIB):
                    os.pwrite(grown.fileno(), read_regions(image.fileno(), regions, at, min(MIB, end - at)), at)
        self.keys = servers.make_key(self.folder / "keys/keys.psk")
        self.mine = servers.unit_command(self.image, self.keys)
        self.theirs = servers.tls_command(self.keys, "file", str(self.grown))

    def served(self, command: list[str]) -> servers.Nbd:
        return servers.Nbd(command, self.folder / "nbdkit.log")

    def warm(self) -> None:
        for path in (self.image, self.grown, self.packed):
            with open(path, "rb") as file:
                for start, end in machines.extents(file.fileno(), 0, path.stat().st_size):
                    for at in range(start, end, MIB):
                        os.pread(file.fileno(), min(MIB, end - at), at)

    # --- The plugin against the file plugin

    def copies(self, serving: Callable[[], servers.Daemon], copy: list[str], count: int = machines.MACHINES) -> Run:
        """On so many machines at once, to nowhere: no disk is slower than the server."""
        self.warm()
        with serving() as server:
            before, began = sent_bytes(), time.monotonic()
            cpu = os.times().children_user + os.times().children_system
            running = [subprocess.Popen(network.on(number % machines.MACHINES, copy)) for number in range(count)]
            assert all(each.wait() == 0 for each in running)
            wall, wire = time.monotonic() - began, sent_bytes() - before
            cpu = os.times().children_user + os.times().children_system - cpu
        return Run(wall, server.used, cpu, wire)

    def throughput(self) -> None:
        copy = ["nbdcopy", servers.nbds(self.keys).replace("?", f"/{self.size}?"), "null:"]
        mine, theirs = in_turns(self.pairs, lambda: self.copies(lambda: self.served(self.mine), copy),
                                lambda: self.copies(lambda: self.served(self.theirs), copy))
        total = machines.MACHINES * self.data / 1024
        for name, unit, of, wanted in (
            ("16 copies over TLS", "GiB/s", lambda run: total / run.wall, "at least 0.95"),
            ("server CPU", "s/GiB", lambda run: run.server.cpu / total, "at most 1.05"),
            ("  in programs", "s/GiB", lambda run: run.server.user / total, ""),
            ("server memory, peak", "MiB", lambda run: run.server.peak_bytes / MIB, ""),
            ("sent", "GiB", lambda run: run.wire_bytes / GIB, ""),
        ):
            report(name, unit, [of(run) for run in mine], [of(run) for run in theirs], wanted)

    def first_byte(self) -> None:
        """From the connection to the first sector, at a size that nobody has asked for before."""
        sizes = iter(range(self.size, 1 << 62, 1 * MIB))

        def opened(host: str, size: int) -> float:
            handle = nbd.NBD()
            handle.set_tls(nbd.TLS_REQUIRE)
            handle.set_tls_username("rescue")
            handle.set_tls_psk_file(str(self.keys))
            handle.set_export_name(str(size))
            began = time.monotonic()
            handle.connect_tcp(host, str(servers.NBD_PORT))
            handle.pread(512, 0)
            taken = time.monotonic() - began
            handle.shutdown()
            return taken * 1000

        with ExitStack() as both:
            running = [both.enter_context(servers.Nbd(command, self.folder / f"{host}.log", host))
                       for host, command in (("127.0.0.1", self.mine), ("127.0.0.2", self.theirs))]
            mine, theirs = in_turns(100 * self.pairs, lambda: opened("127.0.0.1", next(sizes)),
                                    lambda: opened("127.0.0.2", self.size))
        report("open to first byte, a new size", "ms", mine, theirs, "at most 1.2")
        cpu = [server.used.cpu * 1000 / (len(mine) + 1) for server in running]
        report("server CPU of an open", "ms", cpu[:1], cpu[1:])

    def connections(self) -> None:
        """What a connection that reads costs, each of another size, or all of the file's."""

        def peak(command: list[str], count: int, step: int) -> float:
            with ExitStack() as all_open:
                server = all_open.enter_context(self.served(command))
                for number in range(count):
                    handle = nbd.NBD()
                    handle.set_tls(nbd.TLS_REQUIRE)
                    handle.set_tls_username("rescue")
                    handle.set_tls_psk_file(str(self.keys))
                    handle.set_export_name(str(self.size + number * step))
                    handle.connect_tcp(network.SERVER, str(servers.NBD_PORT))
                    all_open.callback(handle.shutdown)
                    handle.pread(256 * KIB, MIB)
                return servers.status_bytes(server.process.pid, "status", r"VmRSS:\s+(\d+) kB")

        few, many = 16, 256
        each = {}
        for name, command, step in (("gptgrow", self.mine, 512), ("file", self.theirs, 0)):
            base, full = peak(command, few, step), peak(command, many, step)
            each[name] = (full - base) / (many - few)
            print(f"memory of a connection, {name:10} {each[name]:8.0f} KiB, {base / 1024:.1f} MiB with {few}, "
                  f"{full / 1024:.1f} MiB with {many}", flush=True)

    # --- The ways of the example

    def nginx(self) -> servers.Nginx:
        return servers.Nginx(self.folder, "nginx.conf", self.image.parent, servers.HTTP_PORT)

    def url(self) -> str:
        return f"http://{network.SERVER}:{servers.HTTP_PORT}/{self.packed.name}"

    def growth(self) -> None:
        """How the server's cost grows with machines: a straight line can be drawn on."""
        nbds = ["nbdcopy", servers.nbds(self.keys).replace("?", f"/{self.size}?"), "null:"]
        http = ["curl", "--fail", "--silent", "--output", "/dev/null", self.url()]
        for name, serving, copy in (("nbdkit", lambda: self.served(self.mine), nbds), ("nginx", self.nginx, http)):
            for count in (4, 16, 64):
                runs = [self.copies(serving, copy, count) for _ in range(3)]
                total = count * self.data / 1024
                print(f"{name:8} {count:3} at once: {statistics.median(run.server.cpu for run in runs) / total:6.3f} s of CPU for a GiB "
                      f"of data, {statistics.median(run.server.peak_bytes for run in runs) / MIB:6.1f} MiB, "
                      f"{statistics.median(total / run.wall for run in runs):5.2f} GiB/s", flush=True)

    def restored(self, way: str) -> Run:
        self.warm()
        disks = machines.blank_disks(self.folder, machines.disk_sizes(self.image))
        os.sync()
        with ExitStack() as serving:
            if way == "nbdkit":
                server = serving.enter_context(self.served(self.mine))
                source, options = ["--with", "nbdcopy", servers.nbds(self.keys)], []
            else:
                server = serving.enter_context(self.nginx())
                source, options = [self.url()], ["--no-verify"]
            before, began = sent_bytes(), time.monotonic()
            cpu = os.times().children_user + os.times().children_system
            with machines.restoring(source, disks, options) as restores:
                for each in restores:
                    assert each.wait() == 0, each.said
            wall, wire = time.monotonic() - began, sent_bytes() - before
            cpu = os.times().children_user + os.times().children_system - cpu
        for disk in disks:
            disk.unlink()
        return Run(wall, server.used, cpu, wire)

    def ways(self) -> None:
        print(f"{'':34} {'nbdkit':>10} {'nginx':>10}")
        mine, theirs = in_turns(self.pairs, lambda: self.restored("nbdkit"), lambda: self.restored("nginx"))
        total = machines.MACHINES * self.data / 1024
        for name, unit, of in (
            ("16 restores to files", "GiB/s", lambda run: total / run.wall),
            ("server CPU, of data restored", "s/GiB", lambda run: run.server.cpu / total),
            ("server CPU, of bytes sent", "s/GiB", lambda run: run.server.cpu / (run.wire_bytes / GIB)),
            ("server memory, peak", "MiB", lambda run: run.server.peak_bytes / MIB),
            ("sent, of data restored", "", lambda run: run.wire_bytes / GIB / total),
            ("machines' CPU, of data restored", "s/GiB", lambda run: run.machines_cpu / total),
        ):
            report(name, unit, [of(run) for run in mine], [of(run) for run in theirs])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--data", type=int, default=256)
    parser.add_argument("--only", action="append", choices=["throughput", "first-byte", "connections", "growth", "ways"])
    arguments = parser.parse_args()
    network.in_own_namespaces(machines.MACHINES)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        nbdkit.keep_plugin(Path(name))
        bench = Bench(Path(name), arguments.pairs, arguments.data)
        print(f"{'':34} {'gptgrow':>10} {'file':>10}        ratio (quartiles)        wanted")
        for what, measure in (("throughput", bench.throughput), ("first-byte", bench.first_byte),
                              ("connections", bench.connections), ("growth", bench.growth), ("ways", bench.ways)):
            if not arguments.only or what in arguments.only:
                measure()


main()

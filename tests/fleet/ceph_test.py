#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An image in a real Ceph cluster of one monitor, one manager and one OSD on a file: restored to disks of two sizes, by rbd
and by QEMU's driver. The OSD is stopped half-way: the restore waits. It is killed: the restore fails. Neither leaves a valid
table over missing data.

The cluster lives in a scratch folder and in namespaces of its own, and goes with the test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cli import restored  # noqa: E402
from fleet import machines, network, servers  # noqa: E402

DATA_MIB = 192
FIRST = 24 * machines.MIB  # written when the OSD is stopped: rbd reads 40 MiB ahead
IMAGE = "rbd/image"
ADDRESSES = f"[v2:{network.SERVER}:3300,v1:{network.SERVER}:6789]"


class Cluster:
    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder = folder
        self.running = running
        self.config = folder / "ceph.conf"
        os.environ["CEPH_CONF"] = str(self.config)
        self.fsid = str(uuid.uuid4())
        self.config.write_text(f"""\
[global]
fsid = {self.fsid}
mon host = {ADDRESSES}
public addr = {network.SERVER}
cluster addr = {network.SERVER}
auth cluster required = none
auth service required = none
auth client required = none
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$cluster-$name.asok
log file = {folder}/$name.log
crash dir = {folder}
mon cluster log file = {folder}/cluster.log
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
mon data avail crit = 1
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
osd objectstore = bluestore
bluestore block size = {4 * machines.GIB}
osd memory target = {machines.GIB}
mgr initial modules =
""")
        for name in ("mon", "mgr", "osd"):
            (folder / name).mkdir()
        keyring = folder / "keyring"
        run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *",
            "--cap", "mgr", "allow *")
        map_file = folder / "monmap"
        run("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a", ADDRESSES, map_file)
        run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_file, "--keyring", keyring)
        self.daemon("ceph-mon", "a")
        self.daemon("ceph-mgr", "x")
        disk = str(uuid.uuid4())
        number = self.asked("osd", "new", disk).strip()
        run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", disk)
        self.start_osd()

    def daemon(self, program: str, name: str) -> servers.Daemon:
        return self.running.enter_context(servers.Daemon([program, "-f", "-i", name], self.folder / f"{program}.out"))

    def start_osd(self) -> None:
        self.osd = self.daemon("ceph-osd", "0")
        servers.awaited(lambda: json.loads(self.asked("osd", "stat", "-f", "json"))["num_up_osds"] == 1, self.osd.process)

    def asked(self, *words: str) -> str:
        return run("ceph", *words)


def run(*command: object) -> str:
    """Ceph's own tools ask again until they are answered."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=machines.TIMEOUT)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def restoring(disk: Path, **variables: str) -> Iterator[machines.Restore]:
    os.environ.update(variables)
    with machines.restoring([f"rbd:{IMAGE}"], [disk]) as (only,):
        yield only
    for name in variables:
        del os.environ[name]


def waits_for_input(restore: machines.Restore) -> bool:
    """gptgrow has read all that has come."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "exe").resolve() == machines.GPTGROW:
                return restored.waits_for_input(process.name) and (process / "wchan").read_text() != "0"
        except OSError:
            continue
    raise AssertionError(f"no gptgrow is running: {restore.process.poll()}")


def by_qemu(folder: Path, image: Path, disk: Path) -> None:
    """What reads no RBD by itself: qemu-nbd in front, on a private socket."""
    at = folder / "qemu-nbd.sock"
    command = ["qemu-nbd", "--read-only", "--persistent", "--shared=4", f"--socket={at}", "--format=raw",
               f"rbd:{IMAGE}:conf={os.environ['CEPH_CONF']}"]
    with servers.Daemon(command, folder / "qemu-nbd.out") as server:
        servers.awaited(at.exists, server.process)
        copy = subprocess.Popen(["nbdcopy", f"nbd+unix:///?socket={at}", "-"], stdout=subprocess.PIPE)
        run_restore = [machines.GPTGROW, "restore", "-", disk, "--yes"]
        subprocess.run(run_restore, stdin=copy.stdout, check=True, capture_output=True, timeout=machines.TIMEOUT)
        assert copy.wait() == 0
    machines.check_disk(disk, image, disk.stat().st_size)


def stopped(cluster: Cluster, image: Path, disk: Path) -> None:
    with restoring(disk) as restore:
        servers.awaited(lambda: machines.written(disk) > FIRST, restore.process)
        cluster.osd.pause()
        servers.awaited(lambda: waits_for_input(restore), restore.process)
        assert not machines.has_table(disk), "a valid table over missing data"
        assert restore.process.poll() is None
        cluster.osd.process.send_signal(signal.SIGCONT)
        machines.all_restored([restore], image)


def killed(cluster: Cluster, image: Path, disk: Path) -> None:
    # By itself, a client waits for its OSD for ever.
    with restoring(disk, CEPH_ARGS="--rados_osd_op_timeout=3 --rbd_cache=false") as restore:
        servers.awaited(lambda: machines.written(disk) > FIRST, restore.process)
        cluster.osd.end(signal.SIGKILL)
        assert restore.wait() == 2, restore.said
        assert "no partition table" in restore.said, restore.said
        assert not machines.has_table(disk), "a valid table over missing data"
    cluster.start_osd()
    with restoring(disk) as restore:
        machines.all_restored([restore], image)


def main() -> None:
    network.in_own_namespaces(1)
    began = time.monotonic()

    def done(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s: {what}", flush=True)

    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, ExitStack() as running:
        folder = Path(name)
        image = folder / "image.raw"
        machines.make_image(image, DATA_MIB)
        (folder / "cluster").mkdir()
        cluster = Cluster(folder / "cluster", running)
        done("a monitor, a manager and an OSD")
        cluster.asked("osd", "pool", "create", "rbd", "8", "8", "replicated")
        run("rbd", "pool", "init", "rbd")
        run("rbd", "import", "--no-progress", image, IMAGE)
        done(f"{DATA_MIB} MiB imported")
        own = image.stat().st_size

        def disk_of(size: int) -> Path:
            return machines.blank_disks(folder, [size])[0]

        for size in (own, own + 100 * machines.GIB):
            disk = disk_of(size)
            cpu = servers.cpu_seconds(cluster.osd.process.pid)
            with restoring(disk) as restore:
                machines.all_restored([restore], image)
            cpu = (servers.cpu_seconds(cluster.osd.process.pid) - cpu) * 1024 / DATA_MIB
            done(f"restored by rbd to {size} bytes, {cpu:.2f} s of the OSD's CPU for a GiB")
            by_qemu(folder, image, disk_of(size))
            done(f"restored by qemu-nbd to {size} bytes")
        stopped(cluster, image, disk_of(own + machines.GIB))
        done("the OSD stopped half-way: waited, no table; went on: whole")
        killed(cluster, image, disk_of(own + machines.GIB))
        done("the OSD killed half-way: status 2, no table; the second try: whole")
        for daemon in ("mon", "mgr", "osd"):
            process = subprocess.run(["pgrep", f"ceph-{daemon}"], capture_output=True, text=True).stdout.split()[0]
            peak = servers.status_bytes(int(process), "status", r"VmHWM:\s+(\d+) kB")
            print(f"ceph-{daemon}: {peak >> 10} MiB of memory at its peak")


main()

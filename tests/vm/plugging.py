#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plugs and pulls disks of a virtual machine while it runs, as its guest asks for it.

    plugging.py WORK RESULTS IMAGE

WORK holds QEMU's monitor, its process id, and the disks' files. The guest writes lines to RESULTS: "plug DISK slow" and "plug
DISK fast" (that disk is there from now on, and is written slowly, or as fast as can be), "slow DISK", "pull DISK" (it is gone, in
the middle of a restore), "take DISK" (it is gone), "whole DISK" (it should be what the contract makes of IMAGE), "kill" (QEMU is
killed, while all are restored). A disk in the middle of a restore must hold no valid table. Ends when the guest has ended.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vm.power_cuts import tables  # noqa: E402

WRITE_DISK = Path(__file__).resolve().parents[1] / "model/write_disk.py"
DISKS = {
    "virtio": {"driver": "virtio-blk-pci"},
    "nvme": {"driver": "nvme", "serial": "nvme"},
    "scsi": {"driver": "scsi-hd", "bus": "virtio-scsi.0"},
    "usb": {"driver": "usb-storage"},
}
SLOW = 2 << 20  # bytes a second
DEADLINE = 60


class Monitor:
    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rw")
        self.events: list[dict] = []
        self.read()
        self.command("qmp_capabilities")

    def read(self) -> dict:
        return json.loads(self.lines.readline())

    def command(self, name: str, **arguments: object) -> None:
        self.lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.lines.flush()
        while "return" not in (answer := self.read()):
            if "error" in answer:
                raise SystemExit(f"{name} {arguments}: {answer['error']}")
            self.events.append(answer)

    def wait_until_gone(self, device: str) -> None:
        while not any(event["event"] == "DEVICE_DELETED" and event["data"].get("device") == device for event in self.events):
            self.events.append(self.read())
        self.events.clear()


def guest_lines(results: Path, process: int) -> Iterator[list[str]]:
    """The words of each line, until the guest or its machine has ended."""
    rest, at = "", 0
    while True:
        has_ended = not Path(f"/proc/{process}").exists()
        with open(results) as file:
            file.seek(at)
            rest += file.read()
            at = file.tell()
        *lines, rest = rest.split("\n")
        for line in lines:
            yield line.split()
        if has_ended or "end" in lines:
            return
        time.sleep(0.02)


def wait_for(path: Path) -> Path:
    deadline = time.monotonic() + DEADLINE
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)
    return path


class Machine:
    def __init__(self, work: Path, results: Path, image: Path) -> None:
        self.work, self.image = work, image
        self.process = int(wait_for(work / "qemu.pid").read_text())
        self.monitor = Monitor(wait_for(work / "monitor"))
        self.results = wait_for(results)
        self.checked = self.wrong = 0
        self.was_killed = False

    def tell(self, is_right: bool, what: str) -> None:
        self.checked += 1
        self.wrong += not is_right
        print(f"{'ok' if is_right else 'FAILED'} {what}", flush=True)

    def limit(self, disk: str, bytes_a_second: int) -> None:
        self.monitor.command("qom-set", path=f"/objects/speed-{disk}", property="limits", value={"bps-write": bytes_a_second})

    def has_no_table(self, disk: str, when: str) -> None:
        self.tell(not tables((self.work / disk).read_bytes()), f"{disk}: no valid table {when}")

    def plug(self, disk: str, speed: str) -> None:
        self.limit(disk, SLOW if speed == "slow" else 0)
        self.monitor.command("device_add", id=disk, drive=disk, **DISKS[disk])

    def take(self, disk: str) -> None:
        self.monitor.command("device_del", id=disk)
        # What is in its queue is written before it goes.
        self.limit(disk, 0)
        self.monitor.wait_until_gone(disk)

    def pull(self, disk: str) -> None:
        self.take(disk)
        self.has_no_table(disk, "when it was pulled")

    def is_whole(self, disk: str) -> bool:
        expected, file = self.work / "expected", self.work / disk
        subprocess.run([WRITE_DISK, self.image, str(file.stat().st_size), expected], check=True)
        return expected.read_bytes() == file.read_bytes()

    def whole(self, disk: str) -> None:
        self.tell(self.is_whole(disk), f"{disk}: every byte, after it was plugged in again")

    def kill(self) -> None:
        self.was_killed = True
        os.kill(self.process, signal.SIGKILL)
        while Path(f"/proc/{self.process}").exists():
            time.sleep(0.02)
        whole = [disk for disk in DISKS if self.is_whole(disk)]
        for disk in set(DISKS).difference(whole):
            self.has_no_table(disk, "when its machine was killed")
        self.tell(len(whole) < len(DISKS), f"in the middle of a restore, but for {len(whole)} that were complete")

    def run(self) -> None:
        for words in guest_lines(self.results, self.process):
            if words[:1] == ["plug"]:
                self.plug(*words[1:])
            elif words[:1] in (["pull"], ["take"], ["whole"]):
                getattr(self, words[0])(words[1])
            elif words[:1] == ["slow"]:
                self.limit(words[1], SLOW)
            elif words == ["kill"]:
                self.kill()


def main() -> None:
    work, results, image = map(Path, sys.argv[1:])
    machine = Machine(work, results, image)
    machine.run()
    print(f"counted: disks with a write-back cache, pulled or their machine killed, in the middle of a restore | {machine.checked} | "
          f"{machine.wrong}")
    assert machine.was_killed and machine.checked > 2 * len(DISKS) + 2, f"{machine.checked} checks"
    assert not machine.wrong


main()

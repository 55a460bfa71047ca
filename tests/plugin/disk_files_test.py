#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Disks in files of other forms: an ESXi boot disk as qcow2, VMDK, VHDX, VDI and VHD, of each kind that qemu-img makes. Served,
each is to the last byte what the model of the contract says of the raw image, and no hole lies over data. The command reads
them too, and no qemu-nbd is left."""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from images.vmdk import add_footer  # noqa: E402
from model.contract_model import expected  # noqa: E402
from plugin import nbdkit  # noqa: E402
from plugin.served_bytes import Comparison  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
SIZE = 64 << 30
FORMS = {
    "v3.qcow2": ("qcow2", "compat=1.1"),
    "v2.qcow2": ("qcow2", "compat=0.10"),
    "compressed.qcow2": ("qcow2", "compat=1.1", "-c"),
    "zstd-2m.qcow2": ("qcow2", "compression_type=zstd,cluster_size=2M", "-c"),
    "2m.qcow2": ("qcow2", "cluster_size=2M"),
    "extended-l2.qcow2": ("qcow2", "extended_l2=on"),
    "sparse.vmdk": ("vmdk", "subformat=monolithicSparse"),
    "stream.vmdk": ("vmdk", "subformat=streamOptimized"),
    "footer.vmdk": ("vmdk", "subformat=streamOptimized"),
    "split.vmdk": ("vmdk", "subformat=twoGbMaxExtentSparse"),
    "flat.vmdk": ("vmdk", "subformat=monolithicFlat"),
    "split-flat.vmdk": ("vmdk", "subformat=twoGbMaxExtentFlat"),
    "dynamic.vhdx": ("vhdx", "subformat=dynamic"),
    "fixed.vhdx": ("vhdx", "subformat=fixed"),
    "dynamic.vdi": ("vdi", "static=off"),
    "fixed.vdi": ("vdi", "static=on"),
    "dynamic.vhd": ("vpc", "subformat=dynamic,force_size=on"),
    "fixed.vhd": ("vpc", "subformat=fixed,force_size=on", "--format=vhd"),
}


class OfClusters(Comparison):
    def data(self, extent: nbdkit.Extent) -> None:
        """A cluster is data as a whole, with what of it is a hole of the raw image."""
        assert extent.flags == 0, extent
        self.same(extent.start, extent.length)


def like_esxi(path: Path) -> None:
    """The descriptor as ESXi writes it."""
    text = path.read_text()
    text = text.replace('createType="monolithicFlat"', 'createType="vmfs"').replace(" FLAT ", " VMFS ")
    path.write_text(re.sub(r'(-flat\.vmdk") 0', r"\1", text))


def make(folder: Path, raw: Path, name: str) -> list[str]:
    """Returns what has to be said of it by hand."""
    form, options, *more = FORMS[name]
    said = [word for word in more if word.startswith("--format")]
    subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", form, "-o", options,
                    *(word for word in more if word not in said), raw, folder / name], check=True)
    if name == "flat.vmdk":
        like_esxi(folder / name)
    if name == "footer.vmdk":
        add_footer(folder / name)
    return said


def check(folder: Path, raw: Path, name: str) -> None:
    folder = folder / Path(name).with_suffix("").name / Path(name).suffix[1:]
    folder.mkdir(parents=True)
    said = make(folder, raw, name)
    file = folder / name
    regions = expected(raw, SIZE)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    parameters = [str(file), f"size={SIZE}", *(word.lstrip("-") for word in said)]
    with open(raw, "rb") as image, nbdkit.served(parameters) as client:
        assert client.size == SIZE, name
        OfClusters(client, image.fileno(), regions, random.Random(name)).whole()
    done = subprocess.run([GPTGROW, "plan", file, "--size", "64G", *said], capture_output=True, text=True)
    assert done.returncode == 1 and "134217727" in done.stdout, done
    if not said:
        same = subprocess.run([GPTGROW, "compare", file, raw], capture_output=True, text=True)
        assert same.returncode == 0, same
    assert before == {path: path.stat().st_mtime_ns for path in before}, f"{name}: was written to"
    shutil.rmtree(folder)


def restored(folder: Path, raw: Path) -> None:
    """One that is restored, verified, looked at, and repaired from."""
    make(folder, raw, "v3.qcow2")
    file, target = folder / "v3.qcow2", folder / "target.raw"
    subprocess.run([GPTGROW, "restore", file, target, "--size", "8G", "--yes"], check=True, capture_output=True)
    subprocess.run([TESTS / "model/write_disk.py", raw, str(8 << 30), folder / "expected.raw"], check=True)
    subprocess.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", target, folder / "expected.raw"], check=True)
    subprocess.run([GPTGROW, "verify", file, target], check=True, capture_output=True)
    subprocess.run([GPTGROW, "repair", target, "--from", file], check=True, capture_output=True)
    text = subprocess.run([GPTGROW, "inspect", file], check=True, capture_output=True, text=True).stdout
    assert f"{file}: 6442450944 bytes" in text, text
    # It, and an extent of it, is the image: by then QEMU has it locked.
    make(folder, raw, "flat.vmdk")
    for image, part in ((file, file), (folder / "flat.vmdk", folder / "flat-flat.vmdk")):
        before = part.stat().st_mtime_ns
        again = subprocess.run([GPTGROW, "restore", image, part, "--yes", "--yes"], capture_output=True, text=True)
        assert again.returncode == 2 and part.name in again.stderr and part.stat().st_mtime_ns == before, again


def other_programs(folder: Path) -> None:
    """What is found as qemu-nbd where PATH says: nothing, nothing that is taken, and what does not work."""
    file = folder / "v3.qcow2"

    def inspect(path: str | None) -> subprocess.CompletedProcess:
        return subprocess.run([GPTGROW, "inspect", file], capture_output=True, text=True, cwd=folder,
                              env={} if path is None else {"PATH": path})

    assert inspect(None).returncode == 0
    program = folder / "bin/qemu-nbd"
    program.parent.mkdir()
    for text, said in (("exit 0", "cannot connect: "),
                       ("echo useless >&2; echo 'it is too old' >&2; exit 1", "v3.qcow2: it is too old")):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        done = inspect(str(program.parent))
        assert done.returncode == 2 and said in done.stderr and "useless" not in done.stderr, done
    # One in the current folder is somebody else's.
    program.rename(folder / "qemu-nbd")
    for path in ("/nonexistent", ":.:/nonexistent", "bin:"):
        done = inspect(path)
        assert done.returncode == 2 and "package qemu-utils" in done.stderr, done


def small_disk(folder: Path) -> Path:
    """QEMU knows no holes of a VHDX, and reads all of it."""
    raw = folder / "small.img"
    with open(raw, "wb") as file:
        file.truncate(24 << 20)
    subprocess.run(["sgdisk", "-n", "1:2048:20000", "-n", "5:20480:0", raw], check=True, stdout=subprocess.DEVNULL)
    with open(raw, "r+b") as file:
        file.seek(4 << 20)
        file.write(os.urandom(5 << 20))
    return raw


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        nbdkit.keep_plugin(folder)
        raw = folder / "esxi.img"
        subprocess.run([TESTS.parent / "examples/esxi5-image.sh", raw], check=True, stdout=subprocess.DEVNULL)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            small = small_disk(folder)
            list(pool.map(lambda name: check(folder, small if name.endswith(".vhdx") else raw, name), FORMS))
        restored(folder, raw)
        other_programs(folder)
        left = subprocess.run(["pgrep", "-af", f"qemu-nbd.*{scratch}"], capture_output=True, text=True).stdout
        assert not left, left
        shutil.rmtree(scratch)
        folder.mkdir()
    print(f"{len(FORMS)} forms of one disk")


main()

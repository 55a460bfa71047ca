#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A file without a GPT is said to look like what its maker made, by every front end, from a file, compressed and from a pipe;
nothing is written. What has a GPT is a disk, whatever else it begins as."""

import os
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev"))
GPTGROW, FUSE = BUILD / "cli/gptgrow", BUILD / "fuse/gptgrow-fuse"
PLUGIN = os.environ.get("GPTGROW_PLUGIN", str(BUILD / "nbd-plugin/nbdkit-gptgrow-plugin.so"))
S = 512


def made_by(*command, size="32M"):
    def make(path):
        subprocess.run(["truncate", "-s", size, path], check=True)
        subprocess.run([*command, path], check=True, capture_output=True)
    return make


def converted(disk_format, options=""):
    def make(path):
        command = ["qemu-img", "convert", "-f", "raw", "-O", disk_format]
        subprocess.run([*command, *(["-o", options] if options else []), "random.raw", path], check=True)
    return make


def with_mbr(path):
    subprocess.run(["truncate", "-s", "32M", path], check=True)
    subprocess.run(["sfdisk", "-q", path], input="label: dos\n1: start=2048, type=83, bootable\n", text=True, check=True)


def with_bsd_label(path):
    subprocess.run(["truncate", "-s", "32M", path], check=True)
    subprocess.run(["sfdisk", "-q", path], input="label: sun\n1: start=16065\n", text=True, check=True)


def packed_by(*command):
    def make(path):
        with open("random.raw", "rb") as source, open(path, "wb") as target:
            subprocess.run(command, stdin=source, stdout=target, check=True)
    return make


def tar(path):
    with tarfile.open(path, "w") as archive:
        archive.add("random.raw")


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.write("random.raw")


def encrypted(path):
    subprocess.run(["truncate", "-s", "32M", path], check=True)
    subprocess.run(["cryptsetup", "luksFormat", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file",
                    "-", path], input=b"key", check=True)


def iso(path):
    Path("folder").mkdir(exist_ok=True)
    subprocess.run(["genisoimage", "-quiet", "-o", path, "folder"], check=True, capture_output=True)


MADE = {
    "qcow2": (converted("qcow2"), "a qcow2 disk: qemu-img convert"),
    "qcow2-old": (converted("qcow2", "compat=0.10"), "a qcow2 disk: qemu-img convert"),
    "vmdk": (converted("vmdk"), "a VMDK disk: qemu-img convert"),
    "vmdk-stream": (converted("vmdk", "subformat=streamOptimized"), "a VMDK disk: qemu-img convert"),
    "vmdk-flat": (converted("vmdk", "subformat=monolithicFlat"), "the descriptor of a VMDK disk: qemu-img convert"),
    "vhdx": (converted("vhdx"), "a VHDX disk: qemu-img convert"),
    "vdi": (converted("vdi"), "a VDI disk: qemu-img convert"),
    "vhd": (converted("vpc"), "a VHD disk: qemu-img convert"),
    "tar": (tar, "a tar archive: take the image"),
    "zip": (zipped, "a zip archive: take the image"),
    "iso": (iso, "an image of a CD or DVD"),
    "luks": (encrypted, "an encrypted container (LUKS): open it first"),
    "mbr": (with_mbr, "a disk with an MBR partition table and no GPT"),
    "sun": (with_bsd_label, "a disk with a partition table of type sun, not a GPT"),
    "ext4": (made_by("mkfs.ext4", "-q"), "a single ext4 file system"),
    "fat": (made_by("mkfs.fat"), "a single vfat file system"),
    "xfs": (made_by("mkfs.xfs", "-q", size="320M"), "a single xfs file system"),
    "swap": (made_by("mkswap"), "a single swap volume"),
    "zeros": (made_by("true"), "its first 1048576 bytes are zeros"),
}
PACKED = {
    "gz": packed_by("gzip", "-1"), "bz2": packed_by("bzip2", "-1"), "xz": packed_by("xz", "-0"),
    "zst": packed_by("zstd", "-q", "-1"), "lz4": packed_by("lz4", "-q", "-c"),
}


def refused(command, said, **how):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, **how)
    assert done.returncode != 0, (command, done)
    assert said in done.stderr, f"{command}: expected {said!r}: {done.stderr}"
    assert not Path("target").exists(), f"{command}: something is made"


def check(path, said):
    # What is another form of a disk is taken for that, unless told otherwise.
    raw = ["--format", "raw"] if "qemu-img" in said else []
    form = [word.replace("--format", "format") for word in raw]
    parameter = ["=".join(form)] if form else []
    refused([GPTGROW, "plan", path, "--size", "1G", *raw], said)
    refused([GPTGROW, "restore", path, "target", "--size", "1G", "--yes", *raw], said)
    refused([GPTGROW, "verify", path, "random.raw", *raw], said)
    refused(["nbdkit", "-U", "-", PLUGIN, f"file={path}", "size=1G", *parameter, "--run", "true"], said)
    if os.path.exists("/dev/fuse"):
        os.makedirs("mnt", exist_ok=True)
        refused([FUSE, path, "mnt", "-o", ",".join(["size=1G", *parameter])], said)
    done = subprocess.run([GPTGROW, "inspect", path, *raw], capture_output=True, text=True)
    assert done.returncode == 2 and said[:20] in " ".join(done.stdout.split()), done
    if raw:
        refused([GPTGROW, "plan", path, "--size", "1G"], "no GPT: primary header at LBA 1")
    with open(path, "rb") as file:
        refused([GPTGROW, "restore", "-", "target", "--size", "1G", "--yes"], said, stdin=file)
    subprocess.run(["zstd", "-q", "-f", "-1", path, "-o", "packed.zst"], check=True)
    refused([GPTGROW, "restore", "packed.zst", "target", "--size", "1G", "--yes"], said)


def is_a_disk(path):
    done = subprocess.run([GPTGROW, "plan", path, "--size", "1G"], capture_output=True, text=True)
    assert done.returncode == 1 and "looks like" not in done.stderr, done


def main():
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        Path("random.raw").write_bytes(os.urandom(3 << 20))
        for name, (make, said) in MADE.items():
            make(name)
            check(name, said if name == "zeros" else f"it looks like {said}")
        for name, make in PACKED.items():
            make(f"random.{name}")
            refused([GPTGROW, "plan", f"random.{name}", "--size", "1G"], "data: restore and verify read it as it is")
            refused([GPTGROW, "restore", f"random.{name}", "target", "--size", "1G", "--yes"], "no valid primary GPT")
        Path("empty").touch()
        refused([GPTGROW, "plan", "empty", "--size", "1G"], "it is empty")
        refused([GPTGROW, "plan", "random.raw", "--size", "1G"], 'expected "EFI PART"; neither for 512 nor for 4096-byte sectors\n')

        subprocess.run([TESTS / "images/catalogue.py", ".", "array-padding-512"], check=True, stdout=subprocess.DEVNULL)
        disk = Path("array-padding-512.raw").read_bytes()
        for name in ("qcow2", "vmdk", "iso", "luks", "random.gz", "random.zst"):
            start = Path(name).read_bytes()[:440]
            Path("disk.raw").write_bytes(start + disk[len(start):])
            is_a_disk("disk.raw")
        print(f"{len(MADE)} kinds of files, {len(PACKED)} packers")


main()

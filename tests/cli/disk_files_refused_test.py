#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Files that would lead QEMU to another file, are encrypted, cut off or make no sense: refused by what their headers say, with the
field, before qemu-nbd is started. A raw disk is raw, whatever its first bytes are."""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from images.catalogue import write_images  # noqa: E402
from images.vmdk import add_footer  # noqa: E402

GPTGROW = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")) / "cli/gptgrow"
FORMATS = {"qcow2": ("qcow2", ""), "v2.qcow2": ("qcow2", "compat=0.10"), "vdi": ("vdi", ""), "vhd": ("vpc", ""),
           "vhdx": ("vhdx", ""), "fixed.vhd": ("vpc", "subformat=fixed,force_size=on"), "vmdk": ("vmdk", ""),
           "stream.vmdk": ("vmdk", "subformat=streamOptimized"),
           "split.vmdk": ("vmdk", "subformat=twoGbMaxExtentSparse"), "flat.vmdk": ("vmdk", "subformat=monolithicFlat")}


def put(path: Path, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at if at >= 0 else path.stat().st_size + at)
        file.write(data)


def big32(value: int) -> bytes:
    return struct.pack(">I", value)


def vhd_sums(path: Path) -> None:
    """Makes the checksums right again, so that it is something else that is wrong."""
    for at, length, field in ((0, 512, 64), (512, 1024, 36), (path.stat().st_size - 512, 512, 64)):
        with open(path, "rb") as file:
            file.seek(at)
            data = bytearray(file.read(length))
        data[field : field + 4] = bytes(4)
        put(path, at + field, big32(~sum(data) & 0xFFFFFFFF))


def edit(old: str, new: str):
    return lambda path: path.write_text(path.read_text().replace(old, new))


def cut(size: int):
    return lambda path: os.truncate(path, size if size >= 0 else path.stat().st_size + size)


def twice(begin: str):
    """The first line that begins so."""
    def change(path: Path) -> None:
        line = next(line for line in path.read_text().splitlines() if line.startswith(begin))
        path.write_text(path.read_text().replace(line, f"{line}\n{line}"))
    return change


def packed(size: int, *options, also=lambda path: None):
    """Of compressed clusters, which need not fill the last one; whole, it is taken."""
    def change(path: Path) -> None:
        other = path.with_name("packed.raw")
        subprocess.run(["qemu-img", "convert", "-q", "-f", "qcow2", "-O", "raw", path, other], check=True)
        put(other, 0, bytes(32 << 10))
        put(other, 2 << 20, "".join(map(str, range(400000))).encode())
        subprocess.run(["sgdisk", "-n1:64:0", other], check=True, capture_output=True)
        subprocess.run(["qemu-img", "convert", "-q", "-c", "-f", "raw", "-O", "qcow2", *options, other, path], check=True)
        subprocess.run([GPTGROW, "inspect", path], check=True, capture_output=True)
        assert path.stat().st_size % 65536 != 0, "it ends with a whole cluster"
        cut(size)(path)
        also(path)
    return change


def l1_table(count: int, filled: int):
    """So many entries, of which the first are all the one that there was."""
    def change(path: Path) -> None:
        data = path.read_bytes()
        table = struct.unpack_from(">Q", data, 40)[0]
        put(path, table, data[table : table + 8] * filled)
        put(path, 36, big32(count))
    return change


def refcounts(table: bool):
    """Zeros, in the table of blocks or in the one block that there is."""
    def change(path: Path) -> None:
        data = path.read_bytes()
        place = struct.unpack_from(">Q", data, 48)[0]
        put(path, place if table else struct.unpack_from(">Q", data, place)[0], bytes(65536))
    return change


def many_refcount_blocks(path: Path) -> None:
    """All of them the one that there is, emptied."""
    data = path.read_bytes()
    place = struct.unpack_from(">Q", data, 48)[0]
    block = data[place : place + 8]
    put(path, struct.unpack(">Q", block)[0], bytes(65536))
    put(path, place, block * 8192)


def empty_table(path: Path) -> None:
    """A second grain table, which is not there."""
    directory = struct.unpack_from("<Q", path.read_bytes(), 56)[0]
    put(path, 12, struct.pack("<Q", 131072))
    put(path, directory * 512 + 4, bytes(4))


def two_extents(path: Path) -> None:
    data = path.read_bytes()
    begin = data.index(b"RW ")
    line = data[begin : data.index(b"\n", begin) + 1]
    put(path, begin, line * 2 + data[begin + len(line) : 0x200 + 10000])


def both(*changes):
    def change(path: Path) -> None:
        for each in changes:
            each(path)
    return change


def extent(number: int, *changes):
    """Of split.vmdk."""
    def change(path: Path) -> None:
        for each in changes:
            each(path.with_name(f"split-s{number:03}.vmdk"))
    return change


def link(path: Path) -> None:
    extent = path.with_name("flat-flat.vmdk")
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    extent.rename(elsewhere / extent.name)
    extent.symlink_to(elsewhere / extent.name)


def fifo(path: Path) -> None:
    path.with_name("flat-flat.vmdk").unlink()
    os.mkfifo(path.with_name("flat-flat.vmdk"))


def vhd(*puts):
    def change(path: Path) -> None:
        for at, data in puts:
            put(path, at, data)
        vhd_sums(path)
    return change


def at(*puts):
    def change(path: Path) -> None:
        for where, data in puts:
            put(path, where, data)
    return change


PARENT_GUID = bytes.fromhex("2d5fd3a80bb34d45abf7d3d84834ab0c")
CASES = [
    ("qcow2", at((8, struct.pack(">Q", 112)), (16, big32(4)), (112, b"file")), "backing_file_offset 112"),
    ("v2.qcow2", at((8, struct.pack(">Q", 72)), (16, big32(4))), "backing_file_offset 72"),
    ("qcow2", at((72, struct.pack(">Q", 4))), "bit 2, an external data file"),
    ("qcow2", at((104, big32(0x44415441) + big32(4) + b"file" + bytes(12)), (100, big32(104))), 'external data file "file"'),
    ("qcow2", at((104, big32(0x0537BE77) + big32(16) + bytes(24)), (100, big32(104))), "0x0537be77: encrypted"),
    ("qcow2", at((104, big32(0x12345678) + big32(0xFFFFFFF0)), (100, big32(104))), "length 4294967280"),
    ("qcow2", at((72, struct.pack(">Q", 2))), "bit 1, known to be corrupt"),
    ("qcow2", at((72, struct.pack(">Q", 1 << 40))), "incompatible_features 0x10000000000"),
    ("qcow2", at((32, big32(2))), "crypt_method 2"),
    ("qcow2", at((4, big32(4))), "version 4"),
    ("qcow2", at((20, big32(30))), "cluster_bits 30"),
    ("qcow2", at((100, big32(0xFFFFFFFF))), "header_length 4294967295"),
    ("qcow2", at((96, big32(7))), "refcount_order 7"),
    ("qcow2", at((56, big32(0xFFFFFFFF))), "refcount_table_clusters 4294967295"),
    ("qcow2", at((48, b"\xff" * 8)), "qcow2 refcount table"),
    ("qcow2", cut(50), "qcow2 header: bytes 0 to 71"),
    ("qcow2", cut(80), "qcow2 header: bytes 0 to 103"),
    ("qcow2", cut(70000), "qcow2 refcount table"),
    ("qcow2", cut(-200000), "it is cut off"),
    ("qcow2", cut(-1), "it is cut off"),
    ("qcow2", packed(-1), "it is cut off"),
    ("qcow2", packed(-70000), "it is cut off"),
    ("qcow2", cut(-65536), "it is cut off"),
    ("qcow2", packed(-1, "-o", "extended_l2=on"), "it is cut off"),
    ("qcow2", packed(-1, also=l1_table(2, 1)), "it is cut off"),
    ("qcow2", packed(-1, also=l1_table(64, 64)), "more L2 tables than the file"),
    ("qcow2", packed(-1, also=at((36, b"\xff" * 4))), "l1_size 4294967295"),
    ("qcow2", refcounts(table=True), "no cluster is in use"),
    ("qcow2", refcounts(table=False), "no cluster is in use"),
    ("qcow2", many_refcount_blocks, "more refcount blocks than the file"),
    ("qcow2", both(at((104, big32(0x12345678) + big32(65536 - 112))), cut(-200000)), "it is cut off"),
    ("qcow2", at((20, big32(8))), "cluster_bits 8"),
    ("qcow2", at((56, big32(0))), "refcount_table_clusters 0"),
    ("qcow2", at((100, big32(72))), "header_length 72"),
    ("split.vmdk", twice("RW "), "twice, expected a file for each"),
    ("vdi", at((0x4C, struct.pack("<I", 4))), "image type 4"),
    ("vdi", at((0x4C, struct.pack("<I", 77))), "image type 77"),
    ("vdi", at((0x4C, struct.pack("<I", 3))), "image type 3"),
    ("vdi", at((0x1B8, b"\1")), "UUIDs of other images"),
    ("vdi", at((0x1A8, b"\1")), "UUIDs of other images"),
    ("vdi", at((0x44, struct.pack("<I", 2))), "version 0.2"),
    ("vdi", at((0x178, struct.pack("<I", 4096))), "block size 4096"),
    ("vdi", cut(-100), "blocks allocated"),
    ("vdi", cut(300), "VDI header: bytes 0 to 511"),
    ("vhd", vhd((60, big32(4)), (-512 + 60, big32(4))), "Disk Type 4"),
    ("vhd", vhd((60, big32(4))), "Disk Type 4"),
    ("vhd", vhd((-512 + 60, big32(5))), "Disk Type 5"),
    ("vhd", vhd((60, big32(2))), "Disk Type 2, expected 3 as in the footer"),
    ("vhd", vhd((512 + 40, b"parent")), "Parent Unique ID"),
    ("vhd", vhd((512 + 64, b"\0p")), "Parent Unicode Name"),
    ("vhd", vhd((512 + 576, b"W2ku")), "Parent Locator Entry 1"),
    ("vhd", vhd((512, b"cxsparsX")), 'expected "cxsparse"'),
    ("vhd", vhd((16, b"\xff" * 8)), "VHD dynamic header"),
    ("vhd", at((512 + 700, b"x")), "Checksum"),
    ("vhd", at((-512 + 100, b"x")), "Checksum"),
    ("vhd", vhd((12, big32(0x20000)), (-512 + 12, big32(0x20000))), "File Format Version"),
    ("vhd", cut(-512), "it is no VHD, or cut off"),
    ("vhd", cut(100), "VHD footer"),
    ("vhdx", at((192 * 1024 + 8, struct.pack("<I", 5000))), "EntryCount 5000"),
    ("vhdx", at((192 * 1024, b"xxxx")), 'expected "regi"'),
    ("vhdx", cut(100000), "VHDX region table"),
    ("vmdk", at((0x200 + 200, b'\nparentFileNameHint="/etc/passwd"\n')), "parentFileNameHint"),
    ("vmdk", at((12, bytes(8))), "capacity 0"),
    ("vmdk", at((4, struct.pack("<I", 9))), "version 9"),
    ("vmdk", at((4, bytes(4))), "version 0"),
    ("vmdk", at((0x200, b"# Nothing")), 'line 1: "# Nothing'),
    ("vmdk", two_extents, "several extents inside one of them"),
    ("vmdk", at((36, struct.pack("<Q", 1 << 40))), "descriptorSize 1099511627776"),
    ("vmdk", at((20, bytes(8))), "grainSize 0"),
    ("vmdk", at((20, struct.pack("<Q", 4096))), "grainSize 4096"),
    ("vmdk", at((44, bytes(4))), "numGTEsPerGT 0"),
    ("vmdk", at((12, struct.pack("<Q", 1 << 40)), (20, struct.pack("<Q", 1)), (44, struct.pack("<I", 1))), "expected up to 65536 sectors"),
    ("vmdk", both(empty_table, cut(-70000)), "it is cut off"),
    ("vmdk", at((28, bytes(8))), "descriptorOffset 0"),
    ("vmdk", at((28, b"\xff" * 8)), "descriptorOffset 18446744073709551615"),
    ("vmdk", at((20, struct.pack("<Q", 3))), "grainSize 3"),
    ("vmdk", at((44, struct.pack("<I", 5000))), "numGTEsPerGT 5000"),
    ("vmdk", at((56, struct.pack("<Q", 1 << 50))), "gdOffset"),
    ("vmdk", at((12, b"\xff" * 7 + b"\0")), "capacity"),
    ("vmdk", cut(-70000), "it is cut off"),
    ("vmdk", at((0, b"COWD")), 'magicNumber "COWD"'),
    ("stream.vmdk", cut(-70000), "it is cut off"),
    ("stream.vmdk", both(add_footer, cut(-512)), "VMDK footer: magicNumber"),
    ("stream.vmdk", both(add_footer, at((-1024 + 4, b"\7"))), "VMDK footer: version 7"),
    ("stream.vmdk", both(add_footer, at((-1024 + 56, struct.pack("<Q", 1 << 50)))), "VMDK footer: gdOffset"),
    ("flat.vmdk", edit('"flat-flat.vmdk"', '"/etc/passwd"'), 'extent "/etc/passwd"'),
    ("flat.vmdk", edit('"flat-flat.vmdk"', '"../flat-flat.vmdk"'), 'extent "../flat-flat.vmdk"'),
    ("flat.vmdk", edit('"flat-flat.vmdk"', '".."'), 'extent ".."'),
    ("flat.vmdk", edit('"flat-flat.vmdk"', '""'), 'extent ""'),
    ("flat.vmdk", edit('"flat-flat.vmdk"', '"nbd://localhost/"'), 'extent "nbd://localhost/"'),
    ("flat.vmdk", edit("parentCID=ffffffff", "parentCID=12345678"), "parentCID 12345678"),
    ("flat.vmdk", edit("parentCID=ffffffff", 'parentCID=ffffffff\nparentFileNameHint="x"'), "parentFileNameHint"),
    ("flat.vmdk", edit("parentCID=ffffffff", 'parentCID=ffffffff\nencryption.keySafe = "x"'), "encrypted"),
    ("flat.vmdk", edit("monolithicFlat", "fullDevice"), 'createType "fullDevice"'),
    ("flat.vmdk", edit(" FLAT ", " ZERO "), "extent of kind ZERO"),
    ("flat.vmdk", edit("RW ", "NOACCESS "), "NOACCESS"),
    ("flat.vmdk", edit("RW ", "# "), "no extent"),
    ("flat.vmdk", edit("RW ", "RW 9"), "it is cut off"),
    ("flat.vmdk", edit("RW ", "RW 99999999999999999999"), "RW 99999999999999999999"),
    ("flat.vmdk", edit("RW ", "RW 99999999999"), "a number of sectors"),
    ("flat.vmdk", edit(" FLAT", "x FLAT"), "a number of sectors"),
    ("flat.vmdk", edit("RW 32768", "RW 0"), "a number of sectors"),
    ("flat.vmdk", edit('vmdk" 0', 'vmdk" x'), "an offset"),
    ("flat.vmdk", edit('vmdk" 0', 'vmdk" 1'), "it is cut off"),
    ("flat.vmdk", edit(' FLAT "flat-flat.vmdk" 0', ""), "extent of kind , expected FLAT"),
    ("flat.vmdk", edit(' "flat-flat.vmdk" 0', ""), 'extent ""'),
    ("flat.vmdk", edit('"flat-flat.vmdk"', '"."'), 'extent "."'),
    ("flat.vmdk", edit('"flat-flat.vmdk"', '"a\\b"'), 'extent "a\\b"'),
    ("flat.vmdk", edit("RW ", "RDONLY 9"), "it is cut off"),
    ("flat.vmdk", edit("RW ", "RW 1 FLAT x\n" * 1025 + "RW "), "more than 1024 extents"),
    ("flat.vmdk", edit("createType=", "no setting\ntwo words = x\ncreateType=\nolder="), 'createType ""'),
    ("flat.vmdk", edit("parentCID=ffffffff", "parentCID=FFFFFFFF\nencryption=x"), "encrypted"),
    ("flat.vmdk", lambda path: path.write_text(path.read_text() + "#" * (1 << 20)), "expected up to 1048576"),
    ("flat.vmdk", link, "a symbolic link"),
    ("flat.vmdk", fifo, "expected a regular file"),
    ("flat.vmdk", lambda path: path.with_name("flat-flat.vmdk").unlink(), "No such file"),
    ("split.vmdk", edit("RW ", "RW 1"), "as the descriptor says"),
    ("split.vmdk", extent(1, at((12, bytes(8)))), "capacity 0"),
    ("split.vmdk", extent(1, at((0x200, b'parentFileNameHint="/x"'))), "parentFileNameHint"),
    ("split.vmdk", extent(1, at((28, bytes(8)), (20, bytes(8)))), "grainSize 0"),
]
BY_HAND = [
    ("fixed.vhd", lambda path: put(path, -512, b"x"), "it is no VHD, or cut off", "vhd"),
    ("fixed.vhd", vhd((-512 + 48, struct.pack(">Q", 1 << 40))), "Current Size 1099511627776", "vhd"),
    ("fixed.vhd", vhd((0, b"conectix")), "expected 3 (dynamic)", "vhd"),
    ("qcow2", lambda path: None, "VDI header: signature", "vdi"),
    ("qcow2", lambda path: None, "VHDX file identifier", "vhdx"),
    ("qcow2", lambda path: None, 'magicNumber "QFI', "vmdk"),
    ("vdi", lambda path: None, "magic 0x3c3c3c20", "qcow2"),
    ("qcow2", lambda path: None, "expected raw, qcow2, vmdk, vhdx, vdi or vhd", "qcow"),
    ("qcow2", lambda path: None, "it looks like a qcow2 disk", "raw"),
]


def run(folder: Path, file: Path, form: str = "") -> tuple[subprocess.CompletedProcess, str]:
    trace = folder / "trace"
    done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace, GPTGROW, "inspect", file,
                           *(["--format", form] if form else [])], capture_output=True, text=True, timeout=60)
    return done, trace.read_text()


def check(made: Path, number: int, case: tuple) -> None:
    name, change, said, *form = case
    folder = made / f"case-{number}"
    folder.mkdir()
    for path in made.glob(name.split(".")[0] + ("*.vmdk" if name.endswith("vmdk") else f"*{name.split('.')[-1]}")):
        if path.is_file():
            shutil.copy(path, folder)
    file = folder / (name if "." in name else f"disk.{name}")
    if not file.exists():
        shutil.copy(made / file.name, file)
    change(file)
    done, trace = run(folder, file, *form)
    assert done.returncode == 2 and said in done.stdout + done.stderr, f"{name}, {said}: {done}"
    assert done.stderr.startswith("gptgrow: ") and folder.name in done.stderr + done.stdout or form, done
    assert "qemu" not in trace.replace(str(folder), ""), f"{name}, {said}: QEMU was started: {trace}"
    shutil.rmtree(folder)


def vhdx_parent(made: Path) -> None:
    """The metadata table's place is in the region table."""
    file = made / "parent.vhdx"
    data = bytearray((made / "disk.vhdx").read_bytes())
    guid = bytes.fromhex("06a27c8b90479a4bb8fe575f050f886e")
    entry = data.index(guid, 192 * 1024)
    metadata = struct.unpack_from("<Q", data, entry + 16)[0]
    bat = data.index(bytes.fromhex("6677c22d23f600429d64115e9bfd4a08"), 192 * 1024)
    parameters = data.index(bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b"), metadata)
    for change, said in (((metadata + 32, PARENT_GUID), "a parent locator"),
                         ((metadata + struct.unpack_from("<I", data, parameters + 16)[0] + 4, b"\2"), "HasParent"),
                         ((parameters, bytes(16)), "is required, and nobody knows"),
                         ((parameters + 16, b"\xff" * 4), "offset 4294967295"),
                         ((metadata, b"x"), 'expected "metadata"'),
                         ((parameters, bytes(32)), "no file parameters"),
                         ((metadata + 10, b"\xff\xff"), "EntryCount 65535"),
                         ((bat, guid), "two metadata regions"),
                         ((bat, b"x" * 16 + data[bat + 16 : bat + 28] + b"\1"), "is required, expected only"),
                         ((entry + 24, struct.pack("<I", 4096)), "a metadata region of 4096 bytes"),
                         ((entry, bytes(32)), "no metadata region"),
                         ((entry + 24, b"\xff" * 4), "a metadata region of 4294967295 bytes"),
                         ((entry + 16, b"\xff" * 8), "VHDX metadata")):
        changed = bytearray(data)
        changed[change[0] : change[0] + len(change[1])] = change[1]
        file.write_bytes(changed)
        done, trace = run(made, file)
        assert done.returncode == 2 and said in done.stderr, f"{said}: {done}"
        assert "qemu" not in trace, trace


def raw_is_raw(folder: Path) -> None:
    """A disk whose boot code looks like the header of another form, which leads to another file."""
    write_images(folder, ["esxi5-512"])
    raw = folder / "esxi5-512.raw"
    for magic in (b"QFI\xfb\0\0\0\3" + struct.pack(">QI", 112, 4), b"KDMV", b"# Disk DescriptorFile\n", b"vhdxfile", b"conectix"):
        put(raw, 0, magic)
        done, trace = run(folder, raw)
        assert done.returncode == 0 and f"{raw.stat().st_size} bytes" in done.stdout, done
        assert "qemu" not in trace, trace


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        raw = made / "raw.img"
        with open(raw, "wb") as file:
            file.write(os.urandom(1 << 20))
            file.truncate(16 << 20)
        for name, (form, options) in FORMATS.items():
            path = made / (name if "." in name else f"disk.{name}")
            subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", form, *(["-o", options] if options else []), raw, path],
                           check=True)
        cases = [*CASES, *BY_HAND]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(check, made, *each) for each in enumerate(cases)]
            jobs.append(pool.submit(lambda: (vhdx_parent(made), raw_is_raw(made))))
        failures = [str(why) for job in jobs if (why := job.exception())]
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    print(f"{len(cases)} files refused")
    sys.exit(1 if failures else 0)


main()

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who holds any byte of a disk, a partition or a file, at any depth above or below it, is named, and not a byte is written.
What only looks as if it were held is written, and so is, by extend, the table of a disk that is held in its partitions alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from cli import loop_partition  # noqa: E402
from images import catalogue  # noqa: E402

os.environ["PATH"] += ":/usr/sbin:/sbin"
BUILD = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev")).resolve()
GPTGROW = BUILD / "cli/gptgrow"
S = 512
MIB = 1 << 20
PARTS = {1: (1 * MIB, 12 * MIB), 2: (13 * MIB, 6 * MIB)}
DISK_BYTES = 20 * MIB
PAGE = os.sysconf("SC_PAGE_SIZE")
SWAP_BYTES = 10 * PAGE  # the least that mkswap makes
TIMEOUT = 60


def run(*command, **options):
    return subprocess.run([str(each) for each in command], check=True, capture_output=True, text=True, timeout=TIMEOUT,
                          **options).stdout.strip()


def unmount(where):
    """What is mounted there, if anything still is."""
    if os.path.ismount(where):
        run(TESTS / "while_busy.sh", "umount", where)


class Skip(Exception):
    """The kernel does not have it."""


class Scene:
    """A folder with an image and a disk whose partition 1 holds a file system; all goes away in reverse order."""

    def __init__(self, stack, image, model):
        self.stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="held-")))
        self.image = self.folder / "image.raw"
        self.file = self.folder / "disk.raw"
        run("cp", "--sparse=always", image, self.image)
        run("cp", "--sparse=always", model, self.file)
        self.disk = None
        self.count = 0
        self.swap_pages = slice(0, 0)  # of the disk: the kernel may write there at any time

    def contents(self):
        """Of the disk, with zeros where the kernel swaps."""
        contents = bytearray(self.file.read_bytes())
        contents[self.swap_pages] = bytes(len(contents[self.swap_pages]))
        return bytes(contents)

    def attach(self):
        self.disk = self.loop(self.file)
        self.partitions(self.disk)
        return self.disk

    def loop(self, path, *options):
        device = run(TESTS / "attach_loop.sh", path, *options)
        self.stack.callback(subprocess.run, ["losetup", "-d", device], stderr=subprocess.DEVNULL)
        return device

    def partitions(self, device):
        # Who had the device before may have left some.
        self.forget(device)
        for number, (start, size) in PARTS.items():
            loop_partition.add(device, number, start // S, size // S)
            assert Path(f"{device}p{number}").exists(), f"the kernel made no node for partition {number} of {device}"
        self.stack.callback(self.forget, device)

    def forget(self, device):
        for number in Path("/sys/class/block", Path(device).name).glob("*/partition"):
            loop_partition.delete(device, int(number.read_text()))

    def place(self, name):
        self.count += 1
        folder = self.folder / f"{name}{self.count}"
        folder.mkdir()
        return folder

    def mount(self, what, *options):
        where = self.place("mnt")
        run("mount", "-o", "ro", *options, what, where)
        self.stack.callback(unmount, where)
        return where

    def elsewhere(self, what):
        """Mounted in a mount namespace of its own."""
        where = self.place("mnt")
        script = f"mount -o ro {what} {where} && echo ready && exec sleep 1000"
        holder = subprocess.Popen([*UNSHARE, "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        self.stack.callback(self.end, holder)
        assert holder.stdout.readline() == "ready\n"
        return where

    def end(self, process):
        process.terminate()
        process.wait(TIMEOUT)
        process.stdout.close()

    def node(self, device):
        """The same device under a name of its own."""
        self.count += 1
        path = self.folder / f"node{self.count}"
        os.mknod(path, stat.S_IFBLK | 0o600, os.stat(device).st_rdev)
        return path

    def lock(self, path, kind):
        """By a program of its own, because the kernel gives its own locks to whoever asks for them."""
        program = ("import fcntl, os, struct, sys, time\n"
                   "fd = os.open(sys.argv[1], os.O_RDONLY)\n"
                   "read = struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 0, 0, 0)\n"
                   f"{kind}\n"
                   "print('ready', flush=True)\n"
                   "time.sleep(1000)\n")
        holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
        self.stack.callback(self.end, holder)
        assert holder.stdout.readline() == "ready\n"
        return f"({holder.pid})"

    def server(self, *command):
        """One that says nothing when it is ready: it is when the socket or mount is there."""
        process = subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE, text=True)
        self.stack.callback(self.end, process)
        return process

    def nbdkit(self, *arguments):
        pid = self.folder / "nbdkit.pid"
        process = self.server("nbdkit", "-f", "-P", pid, "-U", self.folder / "socket", *arguments)
        while not pid.exists():
            assert process.poll() is None, "nbdkit does not serve"
            time.sleep(0.01)

    def fuse(self, image):
        where = self.place("fuse")
        run(BUILD / "fuse/gptgrow-fuse", image, where, "-o", "size=+4M")
        self.stack.callback(unmount, where)
        return where / "disk.raw"


FLOCK = "fcntl.flock(fd, fcntl.LOCK_SH)"
OFD = "fcntl.fcntl(fd, 37, read)"
POSIX = "fcntl.lockf(fd, fcntl.LOCK_SH)"
P1 = ("--offset", str(PARTS[1][0]), "--sizelimit", str(PARTS[1][1]))


# ---- What holds a disk or its partition 1: each gets the scene, attached, and returns what the message must name; or that
# and the image to restore from.

def second_disk_mounted(s):
    other = s.loop(s.disk)
    s.partitions(other)
    s.mount(f"{other}p1")
    return f"{other}p1 is mounted"


def second_file_loop_mounted(s):
    other = s.loop(s.file)
    s.partitions(other)
    s.mount(f"{other}p1")
    return f"{other}p1 is mounted"


def mounted_loop(s, *chain):
    device = s.loop(f"{s.disk}p1")
    for _ in chain:
        device = s.loop(device)
    where = s.mount(device)
    return f"{device} is mounted on {where}", where / "image.raw"


def elsewhere(s, what):
    return f"{what} is mounted on {s.elsewhere(what)}"


def bind_only(s):
    device = s.loop(f"{s.disk}p1")
    where, again = s.mount(device), s.place("bind")
    run("mount", "--bind", where / "folder", again)
    s.stack.callback(unmount, again)
    unmount(where)
    return f"{device} is mounted on {again}"


def image_deep(s, depth):
    """The image in a file system in a file in a file system ... on partition 1."""
    where = s.mount(s.loop(f"{s.disk}p1"))
    for _ in range(depth - 1):
        where = s.mount(s.loop(where / "inner.raw", "--read-only"))
    return "is mounted on", where / "image.raw"


def loop_on_file_inside(s):
    return s.loop(s.mount(s.loop(f"{s.disk}p1")) / "inner.raw", "--read-only")


def detached_mount(s):
    device = s.loop(f"{s.disk}p1")
    where = s.mount(device)
    opened = open(where / "image.raw", "rb")
    s.stack.callback(opened.close)
    run("umount", "--lazy", where)
    return device


def swap(s, device):
    run("mkswap", device, SWAP_BYTES // 1024)
    start = PARTS[1][0]
    s.swap_pages = slice(start + PAGE, start + SWAP_BYTES)  # behind the header, a page
    if subprocess.run(["swapon", device], capture_output=True).returncode != 0:
        raise Skip("no swap here")
    s.stack.callback(run, "swapoff", device)
    return f"{device} is swap space"


def plugin(s, what):
    s.nbdkit(BUILD / "nbd-plugin/nbdkit-gptgrow-plugin.so", what, "size=+4M")
    return "locked by"


HOLDERS = {
    "mount": lambda s: f"{s.disk}p1 is mounted on {s.mount(s.disk + 'p1')}",
    "mount in another namespace": lambda s: elsewhere(s, f"{s.disk}p1"),
    "loop on partition": lambda s: s.loop(f"{s.disk}p1"),
    "loop on partition, mounted": lambda s: mounted_loop(s),
    "loop on partition, mounted elsewhere": lambda s: elsewhere(s, s.loop(f"{s.disk}p1")),
    "loop on loop on partition, mounted": lambda s: mounted_loop(s, 1),
    "loops 3 deep on partition, mounted": lambda s: mounted_loop(s, 1, 2),
    "loop on disk at offset": lambda s: s.loop(s.disk, *P1),
    "loop on disk at offset, mounted": lambda s: f"is mounted on {s.mount(s.loop(s.disk, *P1))}",
    "loop on the disk's file at offset, mounted": lambda s: f"is mounted on {s.mount(s.loop(s.file, *P1))}",
    "loop across the edge of the partition": lambda s: s.loop(s.disk, "--offset", str(12 * MIB)),
    "second loop on disk, its partition mounted": second_disk_mounted,
    "second loop on the file, its partition mounted": second_file_loop_mounted,
    "bind mount alone": bind_only,
    "loop on a file in the file system": loop_on_file_inside,
    "file system unmounted lazily, still open": detached_mount,
    "image inside, 1 deep": lambda s: image_deep(s, 1),
    "image inside, 2 deep": lambda s: image_deep(s, 2),
    "image inside, 3 deep": lambda s: image_deep(s, 3),
    "swap": lambda s: swap(s, f"{s.disk}p1"),
    "swap on loop on partition": lambda s: swap(s, s.loop(f"{s.disk}p1")),
    "flock on the partition's other node": lambda s: s.lock(s.node(f"{s.disk}p1"), FLOCK),
    "OFD lock on the partition's other node": lambda s: s.lock(s.node(f"{s.disk}p1"), OFD),
    "flock on the disk's other node": lambda s: s.lock(s.node(s.disk), FLOCK),
    "OFD lock on the disk's other node": lambda s: s.lock(s.node(s.disk), OFD),
    "flock on the disk's file": lambda s: s.lock(s.file, FLOCK),
    "OFD lock on the disk's file": lambda s: s.lock(s.file, OFD),
    "POSIX lock on the disk's file": lambda s: s.lock(s.file, POSIX),
}
OF_DISK = {
    "flock on the partition": lambda s: s.lock(f"{s.disk}p1", FLOCK),
    "OFD lock on the partition": lambda s: s.lock(f"{s.disk}p1", OFD),
    "POSIX lock on the partition": lambda s: s.lock(f"{s.disk}p1", POSIX),
    "loop on the other partition": lambda s: s.loop(f"{s.disk}p2"),
    "flock on the other partition": lambda s: s.lock(f"{s.disk}p2", FLOCK),
}
# Of these, those that hold a partition, not the disk.
IN_PARTITIONS = {name: arrange for name, arrange in (HOLDERS | OF_DISK).items()
                 if "partition" in name and "loop on the disk" not in name and "second loop" not in name
                 and "across the edge" not in name}
IN_PARTITIONS |= {name: HOLDERS[name] for name in (
    "mount", "mount in another namespace", "bind mount alone", "loop on a file in the file system",
    "file system unmounted lazily, still open", "image inside, 3 deep", "swap")}
OF_PARTITION = {
    "flock on the disk": lambda s: s.lock(s.disk, FLOCK),
    "OFD lock on the disk": lambda s: s.lock(s.disk, OFD),
    "POSIX lock on the disk": lambda s: s.lock(s.disk, POSIX),
}


def hard_link(s):
    other = s.folder / "hard.raw"
    os.link(s.file, other)
    return s.loop(other)


def attached_then(holder):
    def arrange(s):
        s.attach()
        return holder(s)
    return arrange


OF_FILE = {
    "loop": lambda s: s.loop(s.file),
    "loop at offset": lambda s: s.loop(s.file, *P1),
    "loop over another name": hard_link,
    "loop, partition mounted": attached_then(HOLDERS["mount"]),
    "loop, partition mounted elsewhere": attached_then(HOLDERS["mount in another namespace"]),
    "loop, partition locked": attached_then(lambda s: s.lock(f"{s.disk}p1", OFD)),
    "loops 3 deep, mounted": attached_then(HOLDERS["loops 3 deep on partition, mounted"]),
    "image inside, 2 deep": attached_then(HOLDERS["image inside, 2 deep"]),
    "flock": lambda s: s.lock(s.file, FLOCK) and "locked by",
    "OFD lock": lambda s: s.lock(s.file, OFD) and "locked by",
    "POSIX lock": lambda s: s.lock(s.file, POSIX) and "locked by",
    "served by the plugin": lambda s: plugin(s, s.file),
    "served by gptgrow-fuse": lambda s: ("locked by", s.fuse(s.file)),
}


# ---- What may be written. Each gets the scene and returns target, or target and image.

def around_second(*arrange):
    """Partition 2 is written while the other one is busy."""
    def scene(s):
        s.attach()
        for each in arrange:
            each(s)
        return f"{s.disk}p2"
    return scene


def other_disk(s):
    other = s.folder / "other.raw"
    run("cp", "--sparse=always", s.file, other)
    device = s.loop(other)
    s.partitions(device)
    return device


def beside(kind, arrange):
    """Another disk is busy. `arrange` may give an image."""
    def scene(s):
        image = arrange(s, other_disk(s))
        if kind == "file":
            return s.file, image
        s.attach()
        return (s.disk if kind == "disk" else f"{s.disk}p2"), image
    return scene


def busy(s, device):
    s.mount(f"{device}p1")


def locked(s, device):
    s.lock(device, FLOCK)
    s.lock(f"{device}p1", OFD)


def image_there(s, device):
    return s.mount(f"{device}p1") / "image.raw"


def image_deep_there(s, device):
    return s.mount(s.loop(s.mount(f"{device}p1") / "inner.raw", "--read-only")) / "image.raw"


def image_in_loop(s, device):
    del device
    return s.loop(s.image, "--read-only")


def image_served(s, device):
    del device
    plugin(s, s.image)


def image_by_fuse(s, device):
    del device
    return s.fuse(s.image)


def image_locked(s, device):
    del device
    s.lock(s.image, FLOCK)
    s.lock(s.image, OFD)


def image_bound(s, device):
    where, again = s.mount(f"{device}p1"), s.place("bind")
    run("mount", "--bind", where, again)
    s.stack.callback(unmount, again)
    return again / "image.raw"


def image_in_memory(s, device):
    del device
    where = s.place("tmpfs")
    run("mount", "-t", "tmpfs", "none", where)
    s.stack.callback(unmount, where)
    return shutil.copy(s.image, where)


def gone(s, device):
    unmount(s.mount(f"{device}p1"))


BESIDE = {"another disk is mounted": busy, "another disk is locked": locked, "image in a file system on another disk": image_there,
          "image deep in another disk": image_deep_there, "image is a loop device": image_in_loop,
          "image served by the plugin": image_served, "image served by gptgrow-fuse": image_by_fuse,
          "image locked by others": image_locked, "image on a bind mount": image_bound, "image in memory": image_in_memory}


def reader(s, path):
    opened = open(path, "rb")
    s.stack.callback(opened.close)


def freed(arrange):
    """Held, and let go again."""
    def scene(s):
        s.attach()
        with ExitStack() as stack:
            kept, s.stack = s.stack, stack
            arrange(s)
            s.stack = kept
        return s.disk
    return scene


def file_on_file_system(s):
    device = other_disk(s)
    where = s.mount(f"{device}p1", "-o", "rw")
    (where / "image.raw").unlink()
    target = where / "target.raw"
    with open(target, "wb") as file:
        file.truncate(3 * MIB)
    return target


def file_beside_image(s):
    """Target and image in one file system."""
    device = other_disk(s)
    where = s.mount(f"{device}p1", "-o", "rw")
    with open(where / "target.raw", "wb") as file:
        file.truncate(3 * MIB)
    return where / "target.raw", where / "image.raw"


def lazily(s):
    s.attach()
    run("umount", "--lazy", s.mount(f"{s.disk}p1"))
    return s.disk


def open_for_a_moment(s):
    """As losetup and udev do: until the restore has opened it too, and looked."""
    device = s.attach()
    program = ("import os, sys, time\n"
               "fd, device = os.open(sys.argv[1], os.O_RDWR), os.stat(sys.argv[1]).st_rdev\n"
               "print('ready', flush=True)\n"
               "def has_it_open(process):\n"
               "    try:\n"
               "        return any(os.stat(f'{process}/fd/{each}').st_rdev == device for each in os.listdir(f'{process}/fd'))\n"
               "    except OSError:\n"
               "        return False\n"
               "def others():\n"
               "    return [f'/proc/{each}' for each in os.listdir('/proc') if each.isdigit() and int(each) != os.getpid()]\n"
               "while not any(has_it_open(each) for each in others()):\n"
               "    pass\n"
               "time.sleep(0.2)\n"
               "os.close(fd)\n"
               "time.sleep(1000)\n")
    holder = subprocess.Popen([sys.executable, "-c", program, device], stdout=subprocess.PIPE, text=True)
    s.stack.callback(s.end, holder)
    assert holder.stdout.readline() == "ready\n"
    return device


ALLOWED = {f"{kind}: {name}": beside(kind, arrange) for name, arrange in BESIDE.items()
           for kind in ("disk", "partition", "file")}
ALLOWED["disk: open for writing for a moment"] = open_for_a_moment
ALLOWED |= {f"partition 2: {name}": around_second(*arrange) for name, arrange in {
    "nothing": (),
    "the other is mounted": (HOLDERS["mount"],),
    "the other is mounted elsewhere": (HOLDERS["mount in another namespace"],),
    "the other is below a loop device": (HOLDERS["loop on partition"],),
    "the other is below loops 3 deep": (HOLDERS["loops 3 deep on partition, mounted"],),
    "the other is mounted by offset": (HOLDERS["loop on disk at offset, mounted"],),
    "the other is mounted by offset in the file": (HOLDERS["loop on the disk's file at offset, mounted"],),
    "the other is swap": (HOLDERS["swap"],),
    "the other is locked": (OF_DISK["flock on the partition"],),
    "the disk is read": (lambda s: reader(s, s.disk), lambda s: reader(s, s.disk + "p1"))}.items()}
ALLOWED |= {f"disk: {name}, no longer": freed(HOLDERS[name]) for name in (
    "mount", "loops 3 deep on partition, mounted", "second loop on disk, its partition mounted", "swap",
    "OFD lock on the disk's other node", "flock on the disk's file")}
ALLOWED |= {
    "partition 2: image in the other": lambda s: (s.attach() + "p2", s.mount(f"{s.disk}p1") / "image.raw"),
    "partition 2: image deep in the other": lambda s: (s.attach() + "p2", image_deep(s, 3)[1]),
    "disk: its file is read": lambda s: reader(s, s.file) or s.attach(),
    "disk: unmounted lazily, and free": lazily,
    "disk: a loop device over a loop device": lambda s: s.loop(s.loop(s.file)),
    "file: on a mounted file system": file_on_file_system,
    "file: beside the image": file_beside_image,
    "file: read by another": lambda s: reader(s, s.file) or s.file,
}


# ---- What cannot be seen: refused until it is said twice. Each returns what the message must say; or that and the target,
# and what the command is started by, and the image.

def overlay(s, use, copied_up=False):
    """The target is a file in the upper folder, which others have by its name in the overlay; or one that the overlay has copied there,
    and shows by the number of the one below."""
    where = s.place("tmpfs")
    run("mount", "-t", "tmpfs", "none", where)
    s.stack.callback(unmount, where)
    for name in ("lower", "upper", "work", "merged"):
        (where / name).mkdir()
    target = shutil.copy(s.file, where / ("lower" if copied_up else "upper"))
    folders = f"lowerdir={where}/lower,upperdir={where}/upper,workdir={where}/work"
    if subprocess.run(["mount", "-t", "overlay", "-o", folders, "none", where / "merged"],
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("no overlay file systems here")
    s.stack.callback(unmount, where / "merged")
    merged = where / "merged" / s.file.name
    if copied_up:
        merged.touch()
        target = where / "upper" / s.file.name
    use(merged)
    return target


def image_through_overlay(s):
    images = []
    target = overlay(s, images.append, copied_up=True)
    return "an overlay may show one file as two", target, [], images[0]


def nameless_loop(s, *options):
    """What it is over is gone by that name, and its node does not answer."""
    again = s.place("bind")
    run("mount", "--bind", s.folder, again)
    device = s.loop(again / s.file.name, *options)
    run("umount", "--lazy", again)
    script = f"mount --make-rprivate /dev; mount --bind /dev/null {device} && exec \"$@\""
    return f"may be in use by {device}", s.file, [*UNSHARE, "sh", "-c", script, "sh"]


def writer(s, program):
    holder = subprocess.Popen([sys.executable, "-c", f"import mmap, os, sys, time\nfd = os.open(sys.argv[1], os.O_RDWR)\n"
                               f"{program}\nprint('ready', flush=True)\ntime.sleep(1000)\n", s.file],
                              stdout=subprocess.PIPE, text=True)
    s.stack.callback(s.end, holder)
    assert holder.stdout.readline() == "ready\n"
    return f"({holder.pid}): what that does with it cannot be seen"


UNSEEN = {
    "loop over it, nameless": nameless_loop,
    "loop over a part of it, nameless": lambda s: nameless_loop(s, *P1),
    "locked through an overlay": lambda s: ("as an overlay shows it", overlay(s, lambda path: s.lock(path, FLOCK))),
    "loop over it through an overlay": lambda s: ("may be in use by /dev/loop", overlay(s, s.loop)),
    "locked through an overlay, copied up": lambda s: (
        "as an overlay shows it", overlay(s, lambda path: s.lock(path, FLOCK), copied_up=True)),
    "loop over it through an overlay, copied up": lambda s: ("may be in use by /dev/loop", overlay(s, s.loop, copied_up=True)),
    "image is the target, through an overlay, copied up": image_through_overlay,
    "open for writing": lambda s: writer(s, ""),
    "mapped for writing": lambda s: writer(s, "kept = mmap.mmap(fd, 4096); os.close(fd)"),
}


def unseen(make_scene, arrange):
    with ExitStack() as stack:
        s = make_scene(stack)
        found = arrange(s)
        expected, *rest = found if isinstance(found, tuple) else (found,)
        target, start, image = rest + [s.file, [], s.image][len(rest):]
        before = digest(target)
        command = [*start, GPTGROW, "restore", image, target]
        done = subprocess.run([*command, "--yes"], capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 2, f"status {done.returncode}\n{done.stderr}"
        assert expected in done.stderr and "--yes --yes" in done.stderr, f"not said: {expected}\n{done.stderr}"
        assert digest(target) == before, "the file changed"
        if image != s.image:
            return  # it would be overwritten
        done = subprocess.run([*command, "--yes", "--yes"], capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 0, f"said twice: status {done.returncode}\n{done.stderr}"


def extended_in_use(make_scene, arrange):
    """What is in the partitions stays, bit by bit, and the kernel knows the new end of the second one."""
    with ExitStack() as stack:
        s = make_scene(stack)
        s.attach()
        arrange(s)
        before, start = s.contents(), PARTS[1][0]
        command = [GPTGROW, "extend", s.disk, "2", "--apply", "--save-undo", s.folder / "undo"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 0 and "note:" not in done.stderr, f"status {done.returncode}\n{done.stderr}"
        os.sync()
        after, end = s.contents(), sum(PARTS[2])
        assert after[start:end] == before[start:end], "a byte of a partition changed"
        assert after[:start] != before[:start], "nothing was written"
        sectors = int(Path("/sys/class/block", f"{Path(s.disk).name}p2", "size").read_text())
        wanted = (DISK_BYTES + MIB - 33 * S - S) // 4096 * 4096 - PARTS[2][0]
        assert sectors * S == wanted, f"the kernel has {sectors * S} bytes, expected {wanted}"


def opened(what, flags="os.O_RDWR"):
    def arrange(s):
        program = f"import os, sys, time\nfd = os.open(sys.argv[1], {flags})\nprint('ready', flush=True)\ntime.sleep(1000)\n"
        holder = subprocess.Popen([sys.executable, "-c", program, what(s)], stdout=subprocess.PIPE, text=True)
        s.stack.callback(s.end, holder)
        assert holder.stdout.readline() == "ready\n"
        return "in use by another program" if "EXCL" in flags else f"({holder.pid}): what that does with it cannot be seen"
    return arrange


def two_at_once(s):
    HOLDERS["mount"](s)
    s.lock(s.disk, FLOCK)
    return f"{s.disk} is locked by"


# A disk that is held as a whole, whatever its partitions are; and one whose kernel has other partitions than its table.

def other_partition_in_kernel(s):
    loop_partition.delete(s.disk, 2)
    loop_partition.add(s.disk, 2, PARTS[2][0] // S + 8, PARTS[2][1] // S - 8)
    HOLDERS["mount"](s)
    return "the kernel uses another table than the disk has"


def more_partitions_in_kernel(s):
    loop_partition.add(s.disk, 3, DISK_BYTES // S, 8)
    HOLDERS["mount"](s)
    return f"slot 2 would grow into {s.disk}p3"


NOT_EXTENDED = {
    "partition mounted, disk locked": two_at_once,
    "disk open for writing": opened(lambda s: s.disk),
    "disk open exclusively": opened(lambda s: s.disk, "os.O_RDONLY | os.O_EXCL"),
    "kernel has the partition elsewhere": other_partition_in_kernel,
    "kernel has a partition behind it": more_partitions_in_kernel,
}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def commands(target, image, kind):
    yes = ["--yes", "--yes"] if kind == "partition" else ["--yes"]
    yield [GPTGROW, "restore", image, target, *yes]
    yield [GPTGROW, "repair", target, "--relocate", "--apply", "--save-undo", "undo"]
    if kind != "disk":
        yield from extend(target, image, kind)


def extend(target, image, kind):
    del image, kind
    yield [GPTGROW, "extend", target, "last", "--apply", "--save-undo", "undo"]


def refused(make_scene, kind, arrange, by=commands):
    with ExitStack() as stack:
        s = make_scene(stack)
        if kind != "file":
            s.attach()
        found = arrange(s)
        expected, image = found if isinstance(found, tuple) else (found, s.image)
        target = {"disk": s.disk, "partition": f"{s.disk}p1", "file": s.file}[kind]
        before = s.contents()
        for command in by(target, image, kind):
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, cwd=s.folder, check=False)
            assert done.returncode == 2, f"{command[1]}: status {done.returncode}\n{done.stderr}"
            assert str(expected) in done.stderr, f"{command[1]}: not said: {expected}\n{done.stderr}"
            assert s.contents() == before, f"{command[1]}: the disk changed"


def allowed(make_scene, arrange):
    with ExitStack() as stack:
        s = make_scene(stack)
        found = arrange(s)
        target, image = found if isinstance(found, tuple) else (found, None)
        # A file that is restored from a disk: it may be the wrong way round.
        backwards = str(image).startswith("/dev/") and target == s.file
        yes = ["--yes", "--yes"] if backwards or "p2" in Path(target).name else ["--yes"]
        done = subprocess.run([GPTGROW, "restore", image or s.image, target, *yes], capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
        assert done.returncode == 0, f"status {done.returncode}\n{done.stderr}"


def make_model(folder):
    """A disk with partitions, the first with a file system that holds the image, and one in it that does too, and so on."""
    image, model = folder / "image.raw", folder / "model.raw"
    catalogue.CATALOGUE["entries-128-512"].make(image)
    content = folder / "content"
    (content / "folder").mkdir(parents=True)
    shutil.copy(image, content / "image.raw")
    inner = folder / "inner.raw"
    for size in (3 * MIB, 6 * MIB):
        with open(inner, "wb") as file:
            file.truncate(size)
        run("mke2fs", "-q", "-t", "ext2", "-E", "lazy_itable_init=0", "-d", content, inner)
        shutil.move(inner, content / "inner.raw")
    with open(model, "wb") as file:
        file.truncate(DISK_BYTES)
    run("sgdisk", "-a1", *(f"-n{number}:{start // S}:{(start + size) // S - 1}" for number, (start, size) in PARTS.items()),
        model)
    run("mke2fs", "-q", "-t", "ext2", "-E", f"lazy_itable_init=0,offset={PARTS[1][0]}", "-d", content, model,
        f"{PARTS[1][1] // 1024}k")
    # Something for --relocate to do.
    os.truncate(model, DISK_BYTES + MIB)
    return image, model


# In a chroot, / is no mount of its own, and unshare cannot make it private: the scratch folder is, then.
IN_CHROOT = subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0
UNSHARE = ["unshare", "-m", "--propagation", "unchanged"] if IN_CHROOT else ["unshare", "-m"]


@contextmanager
def private(folder):
    if not IN_CHROOT:
        yield
        return
    run("mount", "--bind", folder, folder)
    run("mount", "--make-private", folder)
    try:
        yield
    finally:
        os.chdir("/")
        run("umount", "-l", folder)


def main():
    if os.geteuid() != 0 or subprocess.run(["losetup", "--find"], capture_output=True).returncode != 0:
        print("SKIPPED: needs root and loop devices", file=sys.stderr)
        return 77
    cases = {f"refused, {kind}: {name}": lambda make, kind=kind, arrange=arrange: refused(make, kind, arrange)
             for kind, table in (("disk", HOLDERS | OF_DISK), ("partition", HOLDERS | OF_PARTITION), ("file", OF_FILE))
             for name, arrange in table.items()}
    as_a_whole = {name: arrange for name, arrange in HOLDERS.items() if name not in IN_PARTITIONS and "image" not in name}
    cases |= {f"not extended: {name}": lambda make, arrange=arrange: refused(make, "disk", arrange, extend)
              for name, arrange in (as_a_whole | NOT_EXTENDED).items()}
    cases |= {f"extended: {name}": lambda make, arrange=arrange: extended_in_use(make, arrange)
              for name, arrange in (IN_PARTITIONS | {"nothing": lambda s: None,
                                                     "partition open for writing": opened(lambda s: s.disk + "p1")}
                                    ).items()}
    cases |= {f"unseen, {name}": lambda make, arrange=arrange: unseen(make, arrange) for name, arrange in UNSEEN.items()}
    cases |= {f"allowed, {name}": lambda make, arrange=arrange: allowed(make, arrange) for name, arrange in ALLOWED.items()}
    failed, skipped = [], []
    with tempfile.TemporaryDirectory() as scratch, private(scratch):
        image, model = make_model(Path(scratch))
        for name, case in cases.items():
            if len(sys.argv) > 1 and sys.argv[1] not in name:
                continue
            try:
                case(lambda stack: Scene(stack, image, model))
            except Skip as reason:
                skipped.append(f"{name}: {reason}")
            except (AssertionError, subprocess.SubprocessError, OSError) as error:
                failed.append(f"{name}: {error} {getattr(error, 'stderr', '') or ''}")
    print("\n".join([f"skipped: {each}" for each in skipped] + [f"FAILED: {each}" for each in failed]))
    print(f"counted: arrangements that hold a disk, or do not | {len(cases) - len(skipped)} | {len(failed)}")
    print(f"{len(cases)} arrangements, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

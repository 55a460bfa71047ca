#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Whatever would change something fails with EROFS, even after root remounts the disk writable, and changes nothing.
. "$(dirname "$0")/common.sh"

image sgdisk-512
grown sgdisk-512 size=16M
sha256sum mnt/disk.raw mnt/partitions/*.raw mnt/layout.* >before
ls -lR mnt >before.ls

cat >changes.py <<'PYTHON'
import errno, os, sys
disk = "mnt/disk.raw"
def write(path, flags):
    fd = os.open(path, flags, 0o644)
    try:
        os.pwrite(fd, b"x", 0)
    finally:
        os.close(fd)
changes = {
    "write": lambda: write(disk, os.O_WRONLY),
    "read and write": lambda: write("mnt/partitions/1.raw", os.O_RDWR),
    "append": lambda: write(disk, os.O_WRONLY | os.O_APPEND),
    "truncating open": lambda: write(disk, os.O_WRONLY | os.O_TRUNC),
    "create": lambda: write("mnt/new", os.O_WRONLY | os.O_CREAT),
    "truncate": lambda: os.truncate(disk, 512),
    "unlink": lambda: os.unlink(disk),
    "unlink a link": lambda: os.unlink("mnt/by-name/EFI"),
    "chmod": lambda: os.chmod(disk, 0o666),
    "chown": lambda: os.chown(disk, 1, 1),
    "utime": lambda: os.utime(disk),
    "rename": lambda: os.rename(disk, "mnt/other.raw"),
    "mkdir": lambda: os.mkdir("mnt/folder"),
    "rmdir": lambda: os.rmdir("mnt/by-name"),
    "symlink": lambda: os.symlink("x", "mnt/link"),
    "link": lambda: os.link(disk, "mnt/link"),
    "mknod": lambda: os.mknod("mnt/node"),
    "setxattr": lambda: os.setxattr(disk, "user.x", b"1"),
}
for name, change in changes.items():
    try:
        change()
        sys.exit(f"{name}: succeeded")
    except OSError as why:
        if why.errno != errno.EROFS:
            sys.exit(f"{name}: {why}")
PYTHON
/usr/bin/python3 changes.py || fail "on the mount"
if [ "$(id -u)" = 0 ] && mount -i -o remount,rw mnt; then
  /usr/bin/python3 changes.py || fail "after a remount"
fi
sha256sum --quiet -c before || fail "contents changed"
ls -lR mnt | diff - before.ls || fail "names or attributes changed"
unmount
unchanged sgdisk-512

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tells the kernel of a partition of a device, as addpart(8) does, which not every Debian has.

    loop_partition.py add DEVICE NUMBER FIRST_LBA SECTORS
    loop_partition.py delete DEVICE NUMBER
"""

import ctypes
import errno
import fcntl
import sys
import time

# linux/blkpg.h
BLKPG, ADD, DELETE = 0x1269, 1, 2
SECTOR = 512


class Partition(ctypes.Structure):
    _fields_ = [("start", ctypes.c_longlong), ("length", ctypes.c_longlong), ("number", ctypes.c_int),
                ("name", ctypes.c_char * 64), ("volume", ctypes.c_char * 64)]


class Argument(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_int), ("flags", ctypes.c_int), ("length", ctypes.c_int), ("data", ctypes.c_void_p)]


def tell(operation, device, partition):
    argument = Argument(operation, 0, ctypes.sizeof(partition), ctypes.addressof(partition))
    with open(device, "rb") as disk:
        fcntl.ioctl(disk, BLKPG, bytes(argument))


def add(device, number, first_lba, sectors):
    tell(ADD, device, Partition(first_lba * SECTOR, sectors * SECTOR, number))


def delete(device, number):
    """Asks again, for up to 20 seconds, while it is busy: whoever looks at all disks, as a restore in another test does, has it
    open for a moment."""
    for attempt in range(200):
        try:
            tell(DELETE, device, Partition(number=number))
            return
        except OSError as error:
            if error.errno != errno.EBUSY or attempt == 199:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    {"add": add, "delete": delete}[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))

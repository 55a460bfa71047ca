#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""rewrite_densely.py DISK: does to a GPT what an operating system does that keeps its own list of partitions.

The entries slide down over the gaps, unused slots become zeros, both CRCs are right, the backup moves to the end of the
disk. Shares no code with the program under test.
"""

import os
import struct
import sys
import zlib

SECTOR = 512


def seal(header, **fields):
    places = {"my_lba": 24, "alternate_lba": 32, "last_usable_lba": 48, "partition_entry_lba": 72}
    out = bytearray(header)
    for name, value in fields.items():
        struct.pack_into("<Q", out, places[name], value)
    size = struct.unpack_from("<I", out, 12)[0]
    struct.pack_into("<I", out, 16, 0)
    struct.pack_into("<I", out, 16, zlib.crc32(out[:size]))
    return bytes(out)


def main(path):
    with open(path, "r+b") as disk:
        fd = disk.fileno()
        last = disk.seek(0, os.SEEK_END) // SECTOR - 1
        header = bytearray(os.pread(fd, SECTOR, SECTOR))
        array_lba, count, size = struct.unpack_from("<QII", header, 72)
        array = os.pread(fd, count * size, array_lba * SECTOR)
        used = [array[at : at + size] for at in range(0, len(array), size) if any(array[at : at + 16])]
        dense = b"".join(used).ljust(len(array), b"\0")
        struct.pack_into("<I", header, 88, zlib.crc32(dense))
        backup_array = last - -(-len(array) // SECTOR)
        tail = {"last_usable_lba": backup_array - 1}
        os.pwrite(fd, dense, array_lba * SECTOR)
        os.pwrite(fd, seal(header, my_lba=1, alternate_lba=last, **tail), SECTOR)
        os.pwrite(fd, dense, backup_array * SECTOR)
        backup = seal(header, my_lba=last, alternate_lba=1, partition_entry_lba=backup_array, **tail)
        os.pwrite(fd, backup, last * SECTOR)


main(sys.argv[1])

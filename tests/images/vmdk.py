# SPDX-License-Identifier: BSD-3-Clause
"""What VMware writes of a VMDK, and qemu-img does not."""

import struct
from pathlib import Path


def add_footer(path: Path) -> None:
    """To a stream-optimized disk: its header says that the grain directory's place is in a copy of the header at the end."""
    with open(path, "r+b") as file:
        header = file.read(512)
        file.seek(56)
        file.write(b"\xff" * 8)
        file.seek(0, 2)
        file.write(struct.pack("<QII", 1, 0, 3).ljust(512, b"\0") + header + bytes(512))

# SPDX-License-Identifier: BSD-3-Clause
"""GPT and MBR bytes, built and read for the tests without the library under test.

Fields are named as in the UEFI specification, chapter 5: MyLBA is my_lba. LBA ranges are inclusive.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SIGNATURE = b"EFI PART"
REVISION = 0x00010000
MBR_SIZE = 512
MBR_RECORDS_OFFSET = 446
MBR_RECORD_SIZE = 16

# name: (offset, struct format)
HEADER_FIELDS = {
    "signature": (0, "8s"),
    "revision": (8, "<I"),
    "header_size": (12, "<I"),
    "header_crc32": (16, "<I"),
    "reserved": (20, "<I"),
    "my_lba": (24, "<Q"),
    "alternate_lba": (32, "<Q"),
    "first_usable_lba": (40, "<Q"),
    "last_usable_lba": (48, "<Q"),
    "disk_guid": (56, "16s"),
    "partition_entry_lba": (72, "<Q"),
    "number_of_partition_entries": (80, "<I"),
    "size_of_partition_entry": (84, "<I"),
    "partition_entry_array_crc32": (88, "<I"),
}
HEADER_FIELDS_END = 92

MBR_RECORD_FIELDS = {
    "boot_indicator": (0, "<B"),
    "starting_chs": (1, "3s"),
    "os_type": (4, "<B"),
    "ending_chs": (5, "3s"),
    "starting_lba": (8, "<I"),
    "size_in_lba": (12, "<I"),
}


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def patched(sector: bytes, **fields: int | bytes) -> bytes:
    """The header sector with these fields set; its CRC stays as it was."""
    out = bytearray(sector)
    for name, value in fields.items():
        offset, form = HEADER_FIELDS[name]
        struct.pack_into(form, out, offset, value)
    return bytes(out)


def sealed(sector: bytes, **fields: int | bytes) -> bytes:
    """The header sector with these fields set and HeaderCRC32 made right for its HeaderSize."""
    out = patched(sector, **fields)
    return patched(out, header_crc32=Header(out).computed_crc32())


@dataclass(frozen=True)
class Header:
    """A view of a whole header sector; any bytes may be looked at, valid or not."""

    sector: bytes

    def _field(self, name: str):
        offset, form = HEADER_FIELDS[name]
        return struct.unpack_from(form, self.sector, offset)[0]

    def __getattr__(self, name: str) -> int:
        if name in HEADER_FIELDS:
            return self._field(name)
        raise AttributeError(name)

    @property
    def has_signature(self) -> bool:
        return self.sector[:8] == SIGNATURE

    @property
    def disk_guid(self) -> bytes:
        return self._field("disk_guid")

    @property
    def array_size(self) -> int:
        return self.number_of_partition_entries * self.size_of_partition_entry

    def computed_crc32(self) -> int:
        return zlib.crc32(patched(self.sector, header_crc32=0)[: self.header_size])


@dataclass(frozen=True)
class Entry:
    type_guid: uuid.UUID
    partition_guid: uuid.UUID
    first_lba: int
    last_lba: int
    attributes: int = 0
    name: str = ""

    def pack(self, size: int = 128, tail: bytes = b"") -> bytes:
        head = self.type_guid.bytes_le + self.partition_guid.bytes_le
        head += struct.pack("<QQQ", self.first_lba, self.last_lba, self.attributes)
        head += self.name.encode("utf-16-le")[:72].ljust(72, b"\0")
        return (head + tail).ljust(size, b"\0")[:size]


def parse_entry(slot: bytes) -> Entry:
    return Entry(
        uuid.UUID(bytes_le=slot[0:16]),
        uuid.UUID(bytes_le=slot[16:32]),
        *struct.unpack_from("<QQQ", slot, 32),
        slot[56:128].decode("utf-16-le", "replace").split("\0")[0],
    )


def used_entries(array: bytes, count: int, size: int) -> Iterator[tuple[int, Entry]]:
    """Pairs of slot number, from 1, and entry."""
    for index in range(count):
        slot = array[index * size : (index + 1) * size]
        if any(slot[:16]):
            yield index + 1, parse_entry(slot)


@dataclass(frozen=True)
class MbrRecord:
    os_type: int = 0
    starting_lba: int = 0
    size_in_lba: int = 0
    boot_indicator: int = 0
    starting_chs: bytes = b"\x00\x02\x00"
    ending_chs: bytes = b"\xff\xff\xff"

    def pack(self) -> bytes:
        return b"".join(struct.pack(form, getattr(self, name)) for name, (_, form) in MBR_RECORD_FIELDS.items())


def parse_mbr_record(raw: bytes) -> MbrRecord:
    return MbrRecord(**{n: struct.unpack_from(form, raw, at)[0] for n, (at, form) in MBR_RECORD_FIELDS.items()})


def mbr_records(mbr: bytes) -> list[MbrRecord]:
    starts = range(MBR_RECORDS_OFFSET, MBR_RECORDS_OFFSET + 4 * MBR_RECORD_SIZE, MBR_RECORD_SIZE)
    return [parse_mbr_record(mbr[at : at + MBR_RECORD_SIZE]) for at in starts]


def pack_mbr(
    records: Iterable[MbrRecord],
    boot_code: bytes = b"",
    disk_signature: bytes = bytes(6),
    boot_signature: bytes = b"\x55\xaa",
) -> bytes:
    packed = b"".join(record.pack() for record in records).ljust(4 * MBR_RECORD_SIZE, b"\0")
    return boot_code[:440].ljust(440, b"\0") + disk_signature + packed + boot_signature

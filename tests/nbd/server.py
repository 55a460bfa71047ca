#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An NBD server that can lie: server.py SOCKET IMAGE [LIE]

It serves IMAGE on a Unix socket, with structured replies and base:allocation, one thread a connection. LIE:

  multi         says that it takes many connections, and never answers the second
  multi-grow    says that it takes many connections, and has a larger disk on each but the first
  huge          has a disk of 2^63 bytes
  unaligned     has a disk that is 512 bytes longer than a multiple of its smallest block, 4096 bytes
  eio-first, die-first
                as eio, die, from the first read on
  stall         answers the handshake and the first READS reads (default 2), then nothing
  short-read    answers a read with a chunk that lacks the end, and says that is all
  twice         answers a read's first half twice, and not its second
  beyond        answers a read with a chunk behind what was asked for
  eio, shutdown answers every read but the first two with EIO, ESHUTDOWN
  die           closes the connection at each read but the first two, and accepts new ones
  grow          as die; a new connection has a larger disk
  whole-blocks, small
                as die; a new connection takes whole blocks of 4096 bytes alone, no more than 64 KiB at once
  other         as die; a new connection has another beginning
  once          as die; a new connection works
  extents-zero, extents-none, extents-short, extents-beyond, extents-error
                says of extents: one of no length, none, one of 4096 bytes, one far beyond the end, an error
  extents-die   closes the connection when it is asked for extents
  no-extents    knows nothing of base:allocation
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading

NBDMAGIC, IHAVEOPT, OPT_REPLY = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
REQUEST, SIMPLE, STRUCTURED = 0x25609513, 0x67446698, 0x668E33EF
OPT_EXPORT_NAME, OPT_ABORT, OPT_GO, OPT_STRUCTURED, OPT_SET_META = 1, 2, 7, 8, 10
REP_ACK, REP_INFO, REP_META, REP_UNSUP = 1, 3, 4, 0x80000001
READ, DISC, BLOCK_STATUS = 0, 2, 7
DONE, OFFSET_DATA, STATUS, ERROR = 1, 1, 5, 0x8001
EIO, ESHUTDOWN = 5, 108


class Connection(threading.Thread):
    def __init__(self, sock: socket.socket, image: int, lie: str, number: int) -> None:
        super().__init__(daemon=True)
        self.sock, self.image, self.lie, self.number = sock, image, lie, number
        self.size = os.lseek(image, 0, os.SEEK_END) + (4096 if lie in ("grow", "multi-grow") and number else 0)
        self.size = {"huge": 1 << 63, "unaligned": self.size + 512}.get(lie, self.size)
        self.blocks = {"unaligned": (4096, 4096, 1 << 20), "whole-blocks": (4096, 4096, 1 << 20) if number else None,
                       "small": (1, 4096, 64 << 10) if number else None}.get(lie)
        self.reads = 0

    def get(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def run(self) -> None:
        try:
            self.handshake()
            while self.request():
                pass
        except (EOFError, OSError):
            pass
        finally:
            self.sock.close()

    def reply(self, option: int, kind: int, data: bytes = b"") -> None:
        self.sock.sendall(struct.pack(">QIII", OPT_REPLY, option, kind, len(data)) + data)

    def handshake(self) -> None:
        self.sock.sendall(struct.pack(">QQH", NBDMAGIC, IHAVEOPT, 3))
        self.get(4)
        if self.lie == "multi" and self.number:
            threading.Event().wait()
        while True:
            _, option, length = struct.unpack(">QII", self.get(16))
            self.get(length)
            if option == OPT_STRUCTURED:
                self.reply(option, REP_ACK)
            elif option == OPT_SET_META and self.lie != "no-extents":
                self.reply(option, REP_META, struct.pack(">I", 1) + b"base:allocation")
                self.reply(option, REP_ACK)
            elif option == OPT_GO:
                flags = 1 | 2 | (1 << 8 if self.lie.startswith("multi") else 0)  # has flags, read-only, multi-conn
                self.reply(option, REP_INFO, struct.pack(">HQH", 0, self.size, flags))
                if self.blocks:
                    self.reply(option, REP_INFO, struct.pack(">HIII", 3, *self.blocks))
                self.reply(option, REP_ACK)
                return
            else:
                self.reply(option, REP_UNSUP)

    def chunk(self, handle: bytes, kind: int, data: bytes, done: bool = True) -> None:
        self.sock.sendall(struct.pack(">IHH", STRUCTURED, DONE if done else 0, kind) + handle + struct.pack(">I", len(data)) + data)

    def request(self) -> bool:
        _, _, kind, handle, offset, length = struct.unpack(">IHH8sQI", self.get(28))
        if kind == READ:
            self.read(handle, offset, length)
        elif kind == BLOCK_STATUS:
            self.extents(handle, offset, length)
        return kind != DISC

    def read(self, handle: bytes, offset: int, length: int) -> None:
        data = os.pread(self.image, length, offset).ljust(length, b"\0")
        self.reads += 1
        lie = self.lie.removesuffix("-first") if self.reads > 2 or self.lie.endswith("-first") else ""
        if lie == "stall":
            threading.Event().wait()
        if lie in ("die", "grow", "other", "whole-blocks", "small") or lie == "once" and not self.number:
            raise EOFError
        if self.lie == "other" and self.number and offset == 0:
            data = bytes(byte ^ 1 for byte in data[:16]) + data[16:]
        if lie in ("eio", "shutdown"):
            self.chunk(handle, ERROR, struct.pack(">IH", EIO if lie == "eio" else ESHUTDOWN, 0))
        elif lie == "short-read":
            self.chunk(handle, OFFSET_DATA, struct.pack(">Q", offset) + data[:-512])
        elif lie == "twice":
            half = struct.pack(">Q", offset) + data[: length // 2]
            self.chunk(handle, OFFSET_DATA, half, done=False)
            self.chunk(handle, OFFSET_DATA, half)
        elif lie == "beyond":
            self.chunk(handle, OFFSET_DATA, struct.pack(">Q", offset + length) + data)
        else:
            self.chunk(handle, OFFSET_DATA, struct.pack(">Q", offset) + data)

    def extents(self, handle: bytes, offset: int, length: int) -> None:
        if self.lie == "extents-error":
            self.chunk(handle, ERROR, struct.pack(">IH", EIO, 0))
            return
        if self.lie == "extents-die":
            raise EOFError
        runs = {"extents-zero": [(0, 3), (length, 0)], "extents-none": [], "extents-short": [(4096, 0)],
                "extents-beyond": [(0xFFFFF000, 0)]}.get(self.lie, [(length, 0)])
        self.chunk(handle, STATUS, struct.pack(">I", 1) + b"".join(struct.pack(">II", *run) for run in runs))


def serve(path: str, image: str, lie: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    fd = os.open(image, os.O_RDONLY)
    for number in range(1 << 30):
        Connection(listener.accept()[0], fd, lie, number).start()


if __name__ == "__main__":
    serve(*sys.argv[1:3], sys.argv[3] if len(sys.argv) > 3 else "")

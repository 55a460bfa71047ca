#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who has no key, another one, or one that was taken back, and who speaks in plain text, is told neither a byte of the image
nor that it exists. Who has a key reads it."""

from __future__ import annotations

import select
import socket
import struct
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import nbd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import machines, network, servers  # noqa: E402
from plugin import nbdkit  # noqa: E402

GIB = 1 << 30
OPTION, REPLY = 0x49484156454F5054, 0x3E889045565A9
REQUEST = 0x25609513
EXPORT_NAME, ABORT, LIST, STARTTLS, INFO, GO, STRUCTURED, LIST_META, SET_META = 1, 2, 3, 5, 6, 7, 8, 9, 10
TLS_REQUIRED = 0x80000005
AES_128_GCM = 0x1301


def handle(keys: Path | None, user: str | None, tls: int) -> nbd.NBD:
    opened = nbd.NBD()
    opened.set_tls(tls)
    if keys:
        opened.set_tls_psk_file(str(keys))
    if user:
        opened.set_tls_username(user)
    opened.set_opt_mode(True)
    return opened


def exports(opened: nbd.NBD) -> list[str]:
    found: list[str] = []
    opened.connect_tcp(network.SERVER, str(servers.NBD_PORT))
    opened.opt_list(lambda name, _description: found.append(name) and 0)
    return found


def read(opened: nbd.NBD, size: int) -> bytes:
    opened.connect_tcp(network.SERVER, str(servers.NBD_PORT))
    opened.set_export_name(str(size))
    opened.opt_go()
    return bytes(opened.pread(4096, 0))


def expect_nothing(who: str, size: int, keys: Path | None, user: str | None, tls: int = nbd.TLS_REQUIRE) -> None:
    for what, ask in (("lists exports", exports), ("reads", lambda opened: read(opened, size))):
        opened = handle(keys, user, tls)
        try:
            got = ask(opened)
        except nbd.Error:
            continue
        raise AssertionError(f"{who}: {what}: {got!r}")
    print(f"{who}: neither lists nor reads")


def exactly(peer: socket.socket, count: int) -> bytes:
    """Fewer where the peer closes the connection before."""
    data = b""
    with suppress(ConnectionResetError):
        while len(data) < count and (more := peer.recv(count - len(data))):
            data += more
    return data


def plain() -> socket.socket:
    """Where something is served that should not be, it waits for more: by then that is so."""
    return socket.create_connection((network.SERVER, servers.NBD_PORT), timeout=60)


def plain_option(option: int, data: bytes) -> None:
    """Sent as it is, and then a read. All that may come back is a refusal."""
    with plain() as peer:
        greeting = exactly(peer, 18)
        assert greeting[:8] == b"NBDMAGIC", greeting
        peer.sendall(struct.pack(">I", 3) + struct.pack(">QII", OPTION, option, len(data)) + data)
        head = exactly(peer, 20)
        said = b""
        if head:
            magic, of, kind, length = struct.unpack(">QIII", head)
            assert magic == REPLY and of == option and kind == TLS_REQUIRED, f"option {option}: reply {kind:#x}"
            said = exactly(peer, length)
        else:
            assert option == EXPORT_NAME, f"option {option}: no answer"  # which has no reply that refuses
        with suppress(OSError):
            peer.sendall(struct.pack(">IHHQQI", REQUEST, 0, 0, 0, 0, 4096))
            peer.shutdown(socket.SHUT_WR)
        rest = exactly(peer, 1 << 20)
    answers = len(said) + len(rest)
    assert answers < 300 and not any(word in said + rest for word in (b"EFI PART", b"gptgrow")), f"option {option}: {said + rest!r}"


def plain_text(size: int) -> None:
    name = str(size).encode()
    named = struct.pack(">I", len(name)) + name
    context = b"base:allocation"
    with_context = named + struct.pack(">II", 1, len(context)) + context
    for option, data in ((EXPORT_NAME, name), (LIST, b""), (INFO, named + b"\0\0"), (GO, named + b"\0\0"), (STRUCTURED, b""),
                         (LIST_META, with_context), (SET_META, with_context), (99, b"")):
        plain_option(option, data)
    print("plain text: every option is refused, or the connection closed, and a read behind it unanswered")


def read_behind_starttls(size: int) -> None:
    """What is sent in plain text behind STARTTLS is no part of what is encrypted."""
    name = str(size).encode()
    go = struct.pack(">I", len(name)) + name + b"\0\0"
    with plain() as peer:
        exactly(peer, 18)
        peer.sendall(struct.pack(">I", 3) + struct.pack(">QII", OPTION, STARTTLS, 0) +
                     struct.pack(">QII", OPTION, GO, len(go)) + go + struct.pack(">IHHQQI", REQUEST, 0, 0, 0, 0, 4096))
        got = exactly(peer, 1 << 20)
    # The acknowledgement, and at most an alert of TLS.
    assert len(got) < 100 and b"EFI PART" not in got, got
    print("plain text behind STARTTLS: unanswered")


def cipher(keys: Path) -> int:
    """Of the session that a client and the server agree upon, as somebody sees it who only passes on what they say."""
    said = b""

    def pass_on(listening: socket.socket) -> None:
        nonlocal said
        ours, _ = listening.accept()
        with ours, socket.create_connection((network.SERVER, servers.NBD_PORT)) as theirs:
            while readable := select.select([ours, theirs], [], [], machines.TIMEOUT)[0]:
                for peer in readable:
                    data = peer.recv(1 << 16)
                    if not data:
                        return
                    (theirs if peer is ours else ours).sendall(data)
                    said += data if peer is theirs else b""

    with socket.create_server(("127.0.0.1", 0)) as listening:
        between = threading.Thread(target=pass_on, args=[listening])
        between.start()
        opened = handle(keys, "rescue", nbd.TLS_REQUIRE)
        opened.connect_tcp("127.0.0.1", str(listening.getsockname()[1]))
        opened.opt_abort()
        between.join()
    hello = said.index(b"\x16\x03\x03") + 5
    assert said[hello] == 2, "no ServerHello"
    after_session = hello + 4 + 2 + 32 + 1 + said[hello + 38]
    return int.from_bytes(said[after_session : after_session + 2], "big")


def main() -> None:
    network.in_own_namespaces(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nbdkit.keep_plugin(folder)
        image = folder / "image.raw"
        machines.make_image(image, 4)
        size = image.stat().st_size + GIB
        keys = servers.make_key(folder / "keys/keys.psk")
        servers.make_key(keys, "machine7")
        wrong = servers.make_key(folder / "wrong/keys.psk")
        servers.make_key(wrong, "machine8")
        with servers.Nbd(servers.unit_command(image, keys), folder / "nbdkit.log") as server:
            for user in ("rescue", "machine7"):
                assert exports(handle(keys, user, nbd.TLS_REQUIRE)) == [str(image.stat().st_size)]
                assert read(handle(keys, user, nbd.TLS_REQUIRE), size)[512:520] == b"EFI PART"
            assert cipher(keys) == AES_128_GCM, f"cipher {cipher(keys):#x}: several times as slow"
            expect_nothing("another key", size, wrong, "rescue")
            expect_nothing("a user that the server does not know", size, wrong, "machine8")
            expect_nothing("TLS without a key", size, None, None)
            expect_nothing("plain text", size, None, None, nbd.TLS_DISABLE)
            expect_nothing("another key, and then plain text", size, wrong, "machine8", nbd.TLS_ALLOW)
            plain_text(size)
            read_behind_starttls(size)
            # The list of those who may: a line that is taken out counts from the next connection on.
            lines = keys.read_text().splitlines(keepends=True)
            keys.write_text("".join(line for line in lines if not line.startswith("machine7:")))
            taken_back = folder / "taken-back.psk"
            taken_back.write_text("".join(lines))
            expect_nothing("a key that was taken back", size, taken_back, "machine7")
            assert exports(handle(taken_back, "rescue", nbd.TLS_REQUIRE)) == [str(image.stat().st_size)]
        assert server.process.returncode == 0, server.said()


main()

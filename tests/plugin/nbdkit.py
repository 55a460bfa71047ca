# SPDX-License-Identifier: BSD-3-Clause
"""A real nbdkit with the plugin, one process per disk, spoken to by libnbd over a socket pair."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nbd

PROJECT = Path(__file__).resolve().parents[2]
BUILT = PROJECT / "build/release/nbd-plugin/nbdkit-gptgrow-plugin.so"
TIMEOUT = 300  # by then something hangs
HOLE_AND_ZERO = nbd.STATE_HOLE | nbd.STATE_ZERO
LARGEST_QUERY = (1 << 32) - 4096


class ServerError(Exception):
    """The server did not do what was asked of it."""


def plugin_path() -> str:
    path = os.environ.get("GPTGROW_PLUGIN", str(BUILT))
    if not os.path.exists(path):
        raise SystemExit(f"no plugin at {path}: build it, or set GPTGROW_PLUGIN")
    # Without a slash nbdkit would take it for the name of an installed plugin.
    return os.path.abspath(path)


def keep_plugin(folder: Path) -> None:
    """Tests this build to the end, even if another one is made meanwhile."""
    os.environ["GPTGROW_PLUGIN"] = shutil.copy(plugin_path(), folder)


def command(arguments: Sequence[str], how: Sequence[str] = ("--single", "--threads=1")) -> list[str]:
    """nbdkit itself is built without the sanitizer that the plugin may be built with, so its library goes in first."""
    start = ["nbdkit", *how, plugin_path(), *arguments]
    sanitizer = os.environ.get("GPTGROW_SANITIZER")
    if not sanitizer:
        return start
    options = "exitcode=66:detect_leaks=0"
    return ["env", f"LD_PRELOAD={sanitizer}", f"ASAN_OPTIONS={options}", f"TSAN_OPTIONS={options}", *start]


@dataclass(frozen=True)
class Extent:
    start: int
    length: int
    flags: int

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def is_hole(self) -> bool:
        return self.flags == HOLE_AND_ZERO


@dataclass
class Client:
    handle: nbd.NBD

    @property
    def size(self) -> int:
        return self.handle.get_size()

    @property
    def alignment(self) -> int:
        return max(self.handle.get_block_size(nbd.SIZE_MINIMUM), 1)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.handle.pread(length, offset))

    def extents(self, start: int, end: int) -> Iterator[Extent]:
        """Extents that cover start to end without gaps, cut to that range."""
        while start < end:
            found: list[int] = []

            def collect(_context: str, _offset: int, entries: list[int], _error: int, found: list[int] = found) -> None:
                found.extend(entries)

            self.handle.block_status(min(end - start, LARGEST_QUERY), start, collect)
            if not found:
                raise ServerError(f"no block status at {start}")
            for length, flags in zip(found[::2], found[1::2], strict=True):
                length = min(length, end - start)
                if length:
                    yield Extent(start, length, flags)
                start += length


def hang_up(handle: nbd.NBD) -> None:
    with suppress(nbd.Error):
        handle.shutdown()


@contextmanager
def served(arguments: Sequence[str]) -> Iterator[Client]:
    """Raises ServerError with what the server said when it does not serve, or does not end well."""
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(command(arguments), stdin=theirs, stdout=theirs, stderr=stderr)
        theirs.close()
        handle = nbd.NBD()
        handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)

        def said() -> str:
            process.wait(TIMEOUT)
            stderr.seek(0)
            return f"exit status {process.returncode}: {stderr.read().decode(errors='replace').strip()}"

        try:
            try:
                handle.connect_socket(ours.detach())
                yield Client(handle)
                handle.shutdown()
            except nbd.Error as why:
                hang_up(handle)
                raise ServerError(f"{why}; {said()}") from None
            if process.wait(TIMEOUT) != 0:
                raise ServerError(said())
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


class Server:
    """One nbdkit for many connections, on a socket that is there before it starts."""

    def __init__(self, folder: Path, arguments: Sequence[str], how: Sequence[str] = ("--threads=1",)) -> None:
        self._folder = folder
        self._stderr = tempfile.TemporaryFile()
        with socket.socket(socket.AF_UNIX) as listening:
            self.socket_path = tempfile.mktemp(prefix="nbd-", dir=folder)
            listening.bind(self.socket_path)
            listening.listen(128)
            activate = 'exec 3<&"$1"; shift; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
            start = ["bash", "-c", activate, "nbdkit", str(listening.fileno()), *command(arguments, ("-f", *how))]
            self.process = subprocess.Popen(start, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._stderr,
                                            pass_fds=[listening.fileno()])

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.process.terminate()
        status = self.process.wait(TIMEOUT)
        os.unlink(self.socket_path)
        if status != 0 and kind is None:
            raise ServerError(f"exit status {status}: {self.said()}")
        self._stderr.close()

    def said(self, since: int = 0) -> str:
        return os.pread(self._stderr.fileno(), 1 << 20, since).decode(errors="replace").strip()

    @contextmanager
    def connected(self, export: str) -> Iterator[Client]:
        """Raises ServerError with what the server said when it refuses."""
        before = os.fstat(self._stderr.fileno()).st_size
        handle = nbd.NBD()
        handle.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
        handle.set_export_name(export)
        try:
            handle.connect_unix(self.socket_path)
            yield Client(handle)
            handle.shutdown()
        except nbd.Error as why:
            raise ServerError(self.said(before) or str(why)) from None
        finally:
            hang_up(handle)  # else the server does not end, and a test that fails hangs


@dataclass(frozen=True)
class Refusal:
    status: int
    served: bytes
    message: str


def refused(arguments: Sequence[str], how: Sequence[str] = ("--single", "--threads=1")) -> Refusal:
    done = subprocess.run(command(arguments, how), stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    return Refusal(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

# SPDX-License-Identifier: BSD-3-Clause
"""What serves the image: nbdkit as the systemd unit of the example starts it, and nginx with the example's files."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import network  # noqa: E402
from plugin import nbdkit  # noqa: E402

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/fleet"
CIPHERS = EXAMPLE / "gnutls.conf"
WITH_CIPHERS = ["env", f"GNUTLS_SYSTEM_PRIORITY_FILE={CIPHERS}"]
NBD_PORT, HTTP_PORT, RACK_PORT = 10809, 8080, 8081


@dataclass(frozen=True)
class Used:
    user: float  # seconds of CPU, of all its processes
    system: float
    peak_bytes: int  # of memory, summed over its processes
    read_bytes: int  # from the medium

    @property
    def cpu(self) -> float:
        return self.user + self.system


class Daemon:
    """A server in the foreground."""

    def __init__(self, command: Sequence[str], log: Path, **arguments) -> None:
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **arguments)
        self.used = Used(0, 0, 0, 0)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind:
            print(f"{self.log.name}: {self.said()}", file=sys.stderr)
        self.end(signal.SIGQUIT if self.process.args[0] == "nginx" else signal.SIGTERM)

    def processes(self) -> list[int]:
        """With all that it has started: it and they live in the test's own namespace of processes."""
        found = [self.process.pid]
        for parent in found:
            with suppress(OSError):
                found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        return found

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self, how: signal.Signals) -> None:
        if self.process.returncode is not None:
            return
        found = self.processes()
        peak = sum(status_bytes(process, "status", r"VmHWM:\s+(\d+) kB") << 10 for process in found)
        read = sum(status_bytes(process, "io", r"^read_bytes: (\d+)") for process in found)
        for process in found if how == signal.SIGKILL else found[:1]:
            with suppress(ProcessLookupError):
                os.kill(process, how)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.used = Used(usage.ru_utime, usage.ru_stime, peak, read)

    def pause(self) -> None:
        for process in self.processes():
            os.kill(process, signal.SIGSTOP)


def status_bytes(process: int, name: str, pattern: str) -> int:
    with suppress(OSError):
        found = re.search(pattern, Path(f"/proc/{process}/{name}").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0


def cpu_seconds(process: int) -> float:
    """So far, user and system."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- NBD -------------------------------------------------------------------------------------------------------------


def unit_command(image: Path, keys: Path) -> list[str]:
    """ExecStart= of the example, as systemd would expand it, with the plugin that is tested."""
    unit = (EXAMPLE / "gptgrow-fleet.service").read_text().replace("\\\n", " ")
    values = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE)) | {"CREDENTIALS_DIRECTORY": str(keys.parent)}
    assert values.pop("GNUTLS_SYSTEM_PRIORITY_FILE") == f"/etc/gptgrow/{CIPHERS.name}"
    assert values.keys() == {"IMAGE", "CREDENTIALS_DIRECTORY"}, values
    values["IMAGE"] = str(image)
    words = [re.sub(r"\$\{(\w+)\}", lambda name: values[name[1]], word)
             for word in shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])]
    assert words[0] == "/usr/bin/nbdkit" and f"--tls-psk={keys}" in words, words
    at = words.index("gptgrow")
    return [*WITH_CIPHERS, *nbdkit.command(words[at + 1 :], words[1:at])]


def tls_command(keys: Path, *plugin: str, filters: Sequence[str] = ()) -> list[str]:
    """Another plugin, served as the example serves gptgrow."""
    return [*WITH_CIPHERS, "nbdkit", "--foreground", "--readonly", "--threads=4", "--tls=require", f"--tls-psk={keys}", *filters, *plugin]


class Nbd(Daemon):
    """A command that systemd would start at the first connection to the socket."""

    def __init__(self, command: Sequence[str], log: Path, host: str = network.SERVER) -> None:
        with socket.create_server((host, NBD_PORT), backlog=1024) as listening:
            activate = 'exec 3<&"$1"; shift; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
            start = ["bash", "-c", activate, "nbdkit", str(listening.fileno()), *command]
            super().__init__(start, log, pass_fds=[listening.fileno()])


def make_key(keys: Path, user: str = "rescue") -> Path:
    keys.parent.mkdir(exist_ok=True)
    subprocess.run(["psktool", "-u", user, "-p", keys], check=True, capture_output=True)
    return keys


def nbds(keys: Path, user: str = "rescue") -> str:
    return f"nbds://{user}@{network.SERVER}?tls-psk-file={keys}"


# --- HTTP ------------------------------------------------------------------------------------------------------------


class Nginx(Daemon):
    """One server block of the example, on an address that machines can reach."""

    def __init__(self, folder: Path, name: str, files: Path, port: int, extra: str = "") -> None:
        home = folder / f"{name}-{port}"
        home.mkdir(exist_ok=True)
        block = (EXAMPLE / name).read_text()
        for example, ours in ((r"listen 127\.0\.0\.1:\d+;", f"listen {network.SERVER}:{port}; {extra}"),
                              (r"allow 10\.0\.0\.0/8;", "allow 10.99.0.0/24;"),
                              (r"root /srv/gptgrow;" if name == "nginx.conf" else r"http://127\.0\.0\.1:8080",
                               f"root {files};" if name == "nginx.conf" else f"http://{network.SERVER}:{HTTP_PORT}")):
            block, count = re.subn(example, ours, block)
            assert count == 1, f"{name}: {example}"
        block = block.replace("/var/cache/nginx", str(home)).replace("access_log off;", f"access_log {home}/access.log sent;")
        temporary = "".join(f"{kind}_temp_path {home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (home / "all.conf").write_text(f"daemon off; user root; worker_processes 2; pid {home}/pid; events {{}}\n"
                                       f"http {{ {temporary} log_format sent '$status $body_bytes_sent';\n{block} }}\n")
        (home / "access.log").write_text("")
        self.access_log = home / "access.log"
        super().__init__(["nginx", "-e", str(home / "error.log"), "-p", str(home), "-c", str(home / "all.conf")], home / "log")
        awaited(lambda: answers(port), self.process)

    def sent_bytes(self) -> list[int]:
        """By answers that are complete, one by one."""
        return [int(line.split()[1]) for line in self.access_log.read_text().splitlines()]


def answers(port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection((network.SERVER, port)):
        return True
    return False


def awaited(happened, depends_on: subprocess.Popen) -> None:
    """Until it has happened, or what it depends on has ended without that."""
    deadline = time.monotonic() + 300
    while not happened():
        assert depends_on.poll() is None, f"{depends_on.args[0]} has ended before that"
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)

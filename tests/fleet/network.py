# SPDX-License-Identifier: BSD-3-Clause
"""A server and machines, each with a network of its own, on one bridge.

All of it is in namespaces of the test: processes, mounts and networks go with it, however it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

os.environ["PATH"] += ":/usr/sbin:/sbin"
SERVER = "10.99.0.1"
INSIDE = "GPTGROW_FLEET_INSIDE"


def in_own_namespaces(count: int) -> None:
    """Starts this program anew in namespaces of its own, with machines 0 to count-1. Ends with status 77 where these are
    forbidden."""
    if os.environ.get(INSIDE):
        # The first process of a namespace gets no signal that it does not handle.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        build(count)
        return
    own = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        own += ["--user", "--map-root-user"]
    links = "ip link add name bridge0 type bridge && ip link add name one type veth peer name other && mount -t tmpfs run /run"
    tried = subprocess.run([*own, "sh", "-c", links], capture_output=True, text=True)
    if tried.returncode != 0:
        print(f"SKIPPED: no namespaces with networks here: {tried.stderr.strip()}", file=sys.stderr)
        sys.exit(77)
    os.execvpe(own[0], [*own, sys.executable, *sys.argv], os.environ | {INSIDE: "yes"})


def address(machine: int) -> str:
    return f"10.99.0.{machine + 2}"


def build(count: int) -> None:
    def ip(how: Sequence[str], *lines: str) -> None:
        subprocess.run(["ip", *how, "-batch", "-"], input="\n".join(lines), text=True, check=True)

    # The names of networks are files here.
    subprocess.run(["mount", "-t", "tmpfs", "run", "/run"], check=True)
    links = ["link set lo up", "link add name bridge0 type bridge", f"address add {SERVER}/24 dev bridge0", "link set bridge0 up"]
    for machine in range(count):
        links += [f"netns add m{machine}", f"link add name to{machine} type veth peer name eth0 netns m{machine}",
                  f"link set to{machine} master bridge0 up"]
    ip([], *links)
    for machine in range(count):
        ip(["-n", f"m{machine}"], "link set lo up", f"address add {address(machine)}/24 dev eth0", "link set eth0 up")


def on(machine: int, command: Sequence[str]) -> list[str]:
    return ["ip", "netns", "exec", f"m{machine}", *command]

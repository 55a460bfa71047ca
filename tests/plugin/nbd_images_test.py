#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every image of the catalogue, read from an NBD server on a Unix socket, some by TLS: served, it is to the last byte what the
model of the contract says, its holes where they are; what is refused of a file is refused of a server."""

import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from images.catalogue import CATALOGUE, write_images  # noqa: E402
from model.contract_model import Refused, expected  # noqa: E402
from plugin import nbdkit  # noqa: E402
from plugin.served_bytes import Comparison  # noqa: E402

PORT_TRIES = 20


def wait_for(path: Path, server: subprocess.Popen) -> None:
    while not path.exists():
        assert server.poll() is None, "nbdkit has ended"


def check(image: Path, uri: str) -> str:
    s = 4096 if "4096" in image.stem.split("-") else 512
    size = image.stat().st_size // s * s + 33 * s
    try:
        regions = expected(image, size)
    except Refused:
        assert nbdkit.refused([uri, f"size={size}"]).status > 0, f"{image.stem}: not refused"
        return "refused"
    with open(image, "rb") as file, nbdkit.served([uri, f"size={size}"]) as client:
        assert client.size == size, image.stem
        Comparison(client, file.fileno(), regions, random.Random(image.stem)).whole()
    return "same"


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        nbdkit.keep_plugin(folder)
        images = folder / "images"
        images.mkdir()
        write_images(images, [name for name, image in CATALOGUE.items() if not image.large])
        keys = folder / "keys.psk"
        subprocess.run(["psktool", "-u", "alice", "-p", keys], check=True, stdout=subprocess.DEVNULL)
        servers = []
        try:
            unix, unix_pid = folder / "unix.sock", folder / "unix.pid"
            servers.append(subprocess.Popen(["nbdkit", "-f", "-U", unix, "-P", unix_pid, "file", f"dir={images}"]))
            wait_for(unix_pid, servers[-1])
            tls_pid = folder / "tls.pid"
            for _ in range(PORT_TRIES):
                port = random.randrange(20000, 60000)
                server = subprocess.Popen(["nbdkit", "-f", "-i", "127.0.0.1", "-p", str(port), "-P", tls_pid, "--tls=require",
                                           f"--tls-psk={keys}", "file", f"dir={images}"], stderr=subprocess.DEVNULL)
                while not tls_pid.exists() and server.poll() is None:
                    pass
                if server.poll() is None:
                    break
            servers.append(server)
            wait_for(tls_pid, servers[-1])

            def uri(number: int, image: Path) -> str:
                if number % 8 == 0:
                    return f"nbds://alice@127.0.0.1:{port}/{image.name}?tls-psk-file={keys}"
                return f"nbd+unix:///{image.name}?socket={unix}"

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                paths = sorted(images.glob("*.raw"))
                done = list(pool.map(lambda each: check(each[1], uri(*each)), enumerate(paths)))
        finally:
            for server in servers:
                server.terminate()
                server.wait()
        print(f"{done.count('same')} images the same, {done.count('refused')} refused")
        assert done.count("same") > len(done) // 2


main()

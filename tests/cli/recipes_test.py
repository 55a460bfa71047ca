#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""README's lines that restore images in other forms and places, each run as it stands there: only names of hosts and paths are those
of this machine. Servers are on loopback: NBD, HTTPS with byte ranges, and sshd."""

import getpass
import http.server
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
README = (TESTS.parent / "README.md").read_text()
BUILD = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev"))
SIZE = 64 << 20


class Ranges(http.server.BaseHTTPRequestHandler):
    """A file, in the parts that a client asks for."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20
    disable_nagle_algorithm = True
    image: Path

    def do_HEAD(self) -> None:
        self.answer(False)

    def do_GET(self) -> None:
        self.answer(True)

    def answer(self, with_body: bool) -> None:
        size = self.image.stat().st_size
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, last = map(int, found.groups()) if found else (0, size - 1)
        last = min(last, size - 1)
        self.send_response(206 if found else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if found:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if with_body:
            with open(self.image, "rb") as file:
                self.wfile.write(os.pread(file.fileno(), last - first + 1, first))

    def log_message(self, *_) -> None:
        pass


def lines() -> list[str]:
    block = next(block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "cloud.qcow2" in block)
    return [line.split("    #")[0].strip() for line in block.splitlines()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def https_server(folder: Path, image: Path) -> int:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Ranges,), {"image": image}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def ssh_server(folder: Path) -> tuple[subprocess.Popen, int]:
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / f"{name}-key"], check=True)
    if os.getuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    port = free_port()
    (folder / "sshd.conf").write_text(f"""ListenAddress 127.0.0.1:{port}
HostKey {folder}/host-key
AuthorizedKeysFile {folder}/client-key.pub
PidFile none
StrictModes no
PermitRootLogin yes
UsePAM no
Subsystem sftp internal-sftp
""")
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd.conf"], stderr=subprocess.DEVNULL)
    while True:
        assert server.poll() is None, "sshd has ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port
        except OSError:
            time.sleep(0.02)


def run(line: str, environment: dict) -> None:
    done = subprocess.run(["bash", "-c", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        raw, target, expected, mount = folder / "esxi.img", folder / "target.img", folder / "expected.img", folder / "mnt"
        mount.mkdir()
        with open(raw, "wb") as file:
            file.truncate(24 << 20)
        subprocess.run(["sgdisk", "-n", "1:2048:0", raw], check=True, stdout=subprocess.DEVNULL)
        with open(raw, "r+b") as file:
            file.seek(4 << 20)
            file.write(os.urandom(8 << 20))
        subprocess.run([TESTS / "model/write_disk.py", raw, str(SIZE), expected], check=True)
        subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", raw, folder / "cloud.qcow2"], check=True)
        subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", "vmdk", "-o", "subformat=monolithicFlat", raw,
                        folder / "esxi.vmdk"], check=True)
        subprocess.run(["xz", "-0", "--block-size=1MiB", "-k", raw], check=True)
        https = https_server(folder, raw)
        sshd, ssh = ssh_server(folder)
        nbd_port = free_port()
        nbd = subprocess.Popen(["nbdkit", "-f", "-i", "127.0.0.1", "-p", str(nbd_port), "-e", "esxi", "file", raw])
        sock, pid = folder / "esxi.sock", folder / "esxi.pid"
        here = {"/vmfs/volumes/datastore1/esxi": scratch, "cloud.qcow2": f"{scratch}/cloud.qcow2", "/dev/sdb": str(target),
                "nbd://backup.example/": f"nbd://127.0.0.1:{nbd_port}/",
                "curl https://backup.example/": f"curl cainfo={scratch}/cert.pem https://localhost:{https}/",
                "ssh host=backup.example": f"ssh host=127.0.0.1 port={ssh} user={getpass.getuser()} verify-remote-host=false "
                                           f"identity={scratch}/client-key",
                "/srv/": f"{scratch}/", "/run/esxi.sock": str(sock), "/run/esxi.pid": str(pid), "file esxi.img.xz": f"file {raw}.xz",
                "/mnt": str(mount)}
        environment = os.environ | {"PATH": f"{BUILD / 'cli'}:{BUILD / 'fuse'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        count = 0
        try:
            for line in lines():
                for old, new in here.items():
                    line = line.replace(old, new)
                assert "example" not in line and "/vmfs" not in line, line
                if "gptgrow-fuse" in line and not os.path.exists("/dev/fuse"):
                    continue
                if " restore " in line:
                    with open(target, "wb") as file:
                        file.truncate(SIZE)
                    run(line.replace(f" {target}", f" {target} --yes"), environment)
                    shown = target
                elif "gptgrow-fuse" in line:
                    run(line.replace("size=64G", f"size={SIZE}"), environment)
                    shown = mount / "disk.raw"
                else:
                    run(line, environment)
                    continue
                subprocess.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", shown, expected], check=True)
                count += 1
        finally:
            subprocess.run(["fusermount3", "-u", "-z", mount], stderr=subprocess.DEVNULL)
            if pid.exists():
                os.kill(int(pid.read_text()), 15)
            for server in (sshd, nbd):
                server.terminate()
                server.wait()
        print(f"{count} recipes")
        assert count >= 5, lines()


if __name__ == "__main__":
    sys.exit(main())

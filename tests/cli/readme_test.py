#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# readme_test.py [--update]
# What README shows behind a "$ " is what that command prints. --update writes what it prints into README.

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
README = TESTS.parent / "README.md"
BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)


def prepare(folder: Path, environment: dict[str, str]) -> None:
    """The image that README speaks of, and a disk whose gap a tool has closed."""
    subprocess.run([TESTS.parent / "examples/esxi5-image.sh", "esxi.img"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["gptgrow", "restore", "esxi.img", "broken.img", "--size", "64G", "--yes"], cwd=folder, env=environment,
                   check=True, capture_output=True)
    subprocess.run([TESTS / "cli/rewrite_densely.py", "broken.img"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def printed(block: str, folder: Path, environment: dict[str, str]) -> str:
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    text = ""
    for command in commands:
        run = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text += f"$ {command}\n{run.stdout}"
    return text


def main() -> None:
    readme = README.read_text()
    build = Path(os.environ.get("GPTGROW_BUILD", TESTS.parent / "build/dev"))
    environment = os.environ | {"PATH": f"{build / 'cli'}:{os.environ['PATH']}:/usr/sbin", "LC_ALL": "C.UTF-8"}
    folder = Path(tempfile.mkdtemp())
    try:
        prepare(folder, environment)
        blocks = BLOCK.findall(readme)
        if len(blocks) < 3:
            sys.exit(f"{len(blocks)} blocks of commands in README, expected at least 3")
        updated = BLOCK.sub(lambda block: printed(block.group(), folder, environment), readme)
    finally:
        shutil.rmtree(folder)
    if "--update" in sys.argv:
        README.write_text(updated)
    elif updated != readme:
        for old, new in zip(readme.splitlines(), updated.splitlines()):
            if old != new:
                sys.exit(f"README shows:\n{old}\nThe command prints:\n{new}\n{TESTS / 'cli/readme_test.py'} --update mends it")
        sys.exit("README shows fewer or more lines than the commands print")


main()

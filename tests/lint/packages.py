#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every command that a script of the project calls comes from a package that tests/install.sh names, or from the base of
every Debian (essential and required packages, apt, git): not from what else this machine happens to have.

Shell is read by shfmt, with the scripts in here-documents and after -c and --run; Python by ast: the lists that are given
to subprocess, and others of words alone that begin with a program. A command whose name is not written out is not seen.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PRODUCTS = {"gptgrow", "gptgrow-fuse", "inspect", "plan", "compare", "repair", "extend", "restore", "verify"}
BASE = {"apt", "git"}
# Where these are installed, they are the caller's choice; Ceph's packages, and those that packages are tested and branches
# counted with, are groups of their own.
CEPH = {"ceph", "ceph-authtool", "ceph-mgr", "ceph-mon", "ceph-osd", "monmaptool", "rbd"}
OPTIONAL = {"tests/install.sh": {"sudo", "su"}, "examples/fleet/rescue.sh": CEPH, "tests/fleet/ceph_test.py": CEPH,
            "tests/packages/arm64_test.sh": {"file"}, "tests/packages/installed_test.sh": {"lintian", "man"},
            "tests/run.sh": {"llvm-cov", "llvm-profdata"}}
# These run the command that their first word without a dash and a number names.
WRAPPERS = {"as_user", "awaited", "check", "command", "env", "exec", "nice", "quietly", "setarch", "setpriv", "status", "timeout",
            "unshare", "xargs"}
OPTION_VALUES = {"private"}
SHELL_ARGUMENTS = {"trap", "at_exit", "eval", "as_root"}
CALLS = {"run", "Popen", "check_call", "check_output", "call", "connect_command", "which"}
LISTS = {"command", "arguments", "start"}
NAME = re.compile(r"[A-Za-z\[][A-Za-z0-9_.+-]*")

Use = tuple[int, str]  # line, command


def output(*command: str, text: str | None = None) -> str:
    return subprocess.run(command, input=text, text=True, capture_output=True, check=True).stdout


# --- What is there ---------------------------------------------------------------------------------------------------


def base_packages() -> set[str]:
    lines = output("dpkg-query", "-W", "-f", "${Package} ${Essential} ${Priority} ${db:Status-Status}\n").splitlines()
    rows = [line.split() for line in lines]
    return BASE | {name for name, essential, priority, status in rows
                   if status == "installed" and (essential == "yes" or priority == "required")}


def with_parts(packages: set[str]) -> set[str]:
    """And what they depend on of the same source: python3 is in python3-minimal."""
    rows = [line.split("|", 2)
            for line in output("dpkg-query", "-W", "-f", "${Package}|${source:Package}|${Pre-Depends}, ${Depends}\n")
            .splitlines()]
    source = {name: of for name, of, _ in rows}
    depends = {name: set(re.findall(r"(?:^|, )([a-z0-9.+-]+)", needs)) for name, _, needs in rows}
    return packages | {each for name in packages for each in depends[name] if source.get(each) == source[name]}


def commands_of(packages: set[str]) -> set[str]:
    paths = (Path(line) for line in output("dpkg", "-L", *sorted(packages)).splitlines() if line.startswith("/"))
    return {path.name for path in paths if path.parent.name in ("bin", "sbin")}


def is_alternative(name: str, commands: set[str]) -> bool:
    """awk, c++: links that update-alternatives makes of a package's program."""
    done = subprocess.run(["update-alternatives", "--list", name], capture_output=True, text=True)
    return any(Path(line).name in commands for line in done.stdout.splitlines())


# --- What is called --------------------------------------------------------------------------------------------------


class Shell:
    """The commands and the functions of one script."""

    def __init__(self, text: str) -> None:
        self.functions: set[str] = set()
        self.uses: list[Use] = []
        self._read(text, 0)

    def _read(self, text: str, line: int) -> None:
        try:
            tree = json.loads(output("shfmt", "--to-json", text=text))
        except subprocess.CalledProcessError as why:
            raise SystemExit(f"shfmt: {why.stderr}") from None
        self._walk(tree, line)

    def _walk(self, node: object, line: int) -> None:
        if isinstance(node, list):
            for each in node:
                self._walk(each, line)
        if not isinstance(node, dict):
            return
        if node.get("Type") == "FuncDecl":
            self.functions.add(node["Name"]["Value"])
        if node.get("Type") == "CallExpr" and node.get("Args"):
            self._call([literal(word) for word in node["Args"]], line + node["Pos"]["Line"])
        if "Hdoc" in node and node["Hdoc"]:
            self._document(literal(node["Word"]), literal(node["Hdoc"]), line + node["Pos"]["Line"])
        for key, value in node.items():
            if key != "Hdoc" or literal(node["Word"]) is None:
                self._walk(value, line)

    def _call(self, words: list[str | None], line: int) -> None:
        name, rest = words[0], words[1:]
        self._name(name, line)
        if name in WRAPPERS:
            for word in rest:
                if word is None or NAME.fullmatch(word) and word not in OPTION_VALUES:
                    self._name(word, line)
                    break
        for before, word in zip(words, rest):
            is_script = before == "--run" or before == "-c" and not {"sh", "bash"}.isdisjoint(words)
            is_script = is_script or before == name in SHELL_ARGUMENTS or name == "served" and word is words[-1]
            if word and is_script and " " in word:
                self._read(word, line - 1)

    def _name(self, name: str | None, line: int) -> None:
        if name:
            self.uses.append((line, Path(name).name if name.startswith(("/bin/", "/usr/")) else name))

    def _document(self, end: str | None, text: str | None, line: int) -> None:
        if end == "SH" and text:
            self._read(text, line)
        elif end in ("PYTHON", "EOF") and text:
            self.uses += [(line + at, name) for at, name in python_uses(text)]


def literal(word: dict | None) -> str | None:
    """What a word is when nothing in it is expanded."""
    text = ""
    for part in (word or {}).get("Parts", ()):
        if part["Type"] in ("Lit", "SglQuoted"):
            text += part.get("Value", "")
        elif part["Type"] == "DblQuoted" and (inner := literal(part)) is not None:
            text += inner
        else:
            return None
    return text


def is_command(node: ast.List) -> bool:
    """Words that begin with a program that this machine has."""
    words = [word.value for word in node.elts if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return 0 < len(words) == len(node.elts) and bool(shutil.which(words[0]))


def python_uses(text: str) -> Iterator[Use]:
    tree = ast.parse(text)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        lists: list[ast.expr] = []
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            lists = node.args[:1] if called in CALLS else []
            if called in own:  # run("sgdisk", ...)
                lists = [each for each in lists if isinstance(each, ast.Constant)]
        elif isinstance(node, ast.List) and is_command(node):  # handed to a function of the script's own
            lists = [node]
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in LISTS:
            lists = [node.value]
        for first in lists:
            if isinstance(first, ast.List | ast.Tuple) and first.elts:
                first = first.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and not first.value.startswith("-"):
                yield node.lineno, Path(first.value).name


# --- Both ------------------------------------------------------------------------------------------------------------


def scripts() -> list[str]:
    names = output("git", "-C", str(PROJECT), "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    return [name for name in names if name.endswith((".sh", ".py")) or name.startswith(".ci/")]


def neighbours(name: str, shells: dict[str, Shell]) -> set[str]:
    """Functions that a script may have by sourcing another."""
    functions = set(shells[name].functions)
    for other, shell in shells.items():
        in_machine = name.startswith("tests/vm/") and other.startswith("tests/vm/")
        if in_machine or other.endswith("/common.sh") and name.startswith("tests/"):
            functions |= shell.functions
    return functions


def main() -> int:
    names = scripts()
    shells = {name: Shell((PROJECT / name).read_text()) for name in names if not name.endswith(".py")}
    builtins = set(output("bash", "-c", "compgen -bk").split()) | PRODUCTS
    base = commands_of(base_packages())
    groups = {group: base | commands_of(with_parts(set(output(str(PROJECT / "tests/install.sh"), "--print", group).split())))
              for group in ("quickstart", "test")}
    machine = set(output("busybox", "--list").split())
    failures, count = [], 0
    for name in names:
        shell = shells.get(name)
        uses = shell.uses if shell else list(python_uses((PROJECT / name).read_text()))
        there = groups["quickstart" if name == "examples/quickstart.sh" else "test"] | OPTIONAL.get(name, set())
        known = builtins | (neighbours(name, shells) if shell else set())
        if name.startswith("tests/vm/"):
            known = known | machine
        for line, command in sorted(set(uses)):
            if not NAME.fullmatch(command) or command in known or command.endswith((".sh", ".py")):
                continue
            count += 1
            if command not in there and not is_alternative(command, there):
                failures.append(f"{name}:{line}: {command}: in no package that tests/install.sh names")
    for failure in failures:
        print(failure)
    print(f"{count} commands in {len(names)} scripts, {len(failures)} of them missing")
    return 1 if failures or count < 200 else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""Text that would do something to a terminal, and a look at what a program made of it."""

import os
import pty
import re
import subprocess

# An escape, a bell, C1 as a byte and in UTF-8, our own red, the other direction, and a line that looks like ours.
EVIL = b"e\x1b]0;evil\x07\x9b31m\xc2\x9b\x1b[1;31mred\xe2\x80\xae\x7f\nFORGED"
EVIL_NAME = "e\x1b]0;evil\x07\x9b\x1b[1;31m\u202e\x7f\nFORGED"  # of a partition: at most 36 characters
OURS = re.compile(rb"\x1b\[(?:1|32|33|1;31|2|0)m|\r[^\r\n\x1b]*\x1b\[K")
STRANGE = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")


def check(output, what):
    """Nothing of EVIL is in `output` but what is visible."""
    output.decode()  # UTF-8, or this throws
    assert not (found := STRANGE.search(output)), (what, found, output)
    assert not re.search(rb"^(gptgrow: )?FORGED", output, re.M), (what, output)


def run(command, environment=None):
    """Runs it plain; returns exit status and all that it said, which has been looked at."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          env=dict(os.environ, NO_COLOR="1") | (environment or {}))
    check(done.stdout, command)
    check(done.stderr, command)
    return done.returncode, done.stdout + done.stderr


def run_on_terminal(command, environment):
    """The same on a terminal, where our own colours and the line of progress are allowed; a question is answered "no"."""
    terminal, theirs = pty.openpty()
    os.write(terminal, b"no\n")
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(os.environ) | environment)
    os.close(theirs)
    output = b""
    while True:
        try:
            output += os.read(terminal, 65536)
        except OSError:
            break
    os.close(terminal)
    output = output.replace(b"\r\n", b"\n")
    assert b"\x1b[1;31mred" not in output, (command, output)
    check(OURS.sub(b"", output), command)
    return process.wait(), output


def everywhere(command):
    """Plain, on a terminal without colour, and with it: the exit status, which is the same, and what is said plain."""
    status, output = run(command)
    for environment in ({"NO_COLOR": "1", "TERM": "xterm"}, {"NO_COLOR": "", "TERM": "xterm"}):
        on_terminal, said = run_on_terminal(command, environment)
        assert on_terminal == status, (command, status, on_terminal, said)
    return status, output

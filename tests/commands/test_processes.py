"""Commands in processes of their own, and how they end where what started them is stopped.

Everything that is sent a signal here is a process of its own: a signal that came too late would end
the process of the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.fixtures.hears_ctrl_c import ASKED

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")

STARTS_ANOTHER = f"""{ASKED}
sys.executable = sys.argv[1]
from landcover.commands.processes import run_alone
try:
    run_alone(["prep"])
except KeyboardInterrupt:
    print("interrupted")
"""

CLEANS_UP = f"""{ASKED}
import os, time
from landcover import cli
from landcover.commands import COMMANDS

first = signal.Signals(int(sys.argv[1]))

def act(_arguments):
    try:
        os.kill(os.getpid(), first)
        time.sleep(10)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        print("cleaned up")

summary, define, _ = COMMANDS["features"]
COMMANDS["features"] = summary, define, act
before = [signal.getsignal(stop) for stop in (signal.SIGINT, signal.SIGTERM)]
code = cli.main(["features"])
assert [signal.getsignal(stop) for stop in (signal.SIGINT, signal.SIGTERM)] == before
print(code)
"""


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_command_that_was_started_cleans_up_too(tmp_path):
    """Ctrl-C is told to both by a terminal, SIGTERM to the first alone."""
    program, begun, cleaned = tmp_path / "program", tmp_path / "begun", tmp_path / "cleaned"
    program.write_text(
        f"#!/bin/sh\ntrap 'sleep 0.6; touch {cleaned}; exit 130' TERM\ntouch {begun}\n"
        "while true; do sleep 0.1; done\n"
    )
    program.chmod(0o755)
    process = python(STARTS_ANOTHER, program)
    until = time.monotonic() + 60
    while not begun.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == "interrupted\n", err
    assert cleaned.exists()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_cleans_up_is_not_stopped_once_more(first):
    """The command that started it may hand on a signal that it has had already."""
    out, err = python(CLEANS_UP, int(first)).communicate(timeout=60)
    assert out.splitlines()[-2:] == ["cleaned up", "130"], err
    assert "stopped; nothing half-written stays" in err

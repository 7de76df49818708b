"""Commands in processes of their own, and how they end where what started them is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from landcover import cli
from landcover.commands import COMMANDS, processes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")


def test_a_command_that_was_started_cleans_up_too(tmp_path, monkeypatch):
    """Ctrl-C is told to both by a terminal, SIGTERM to the first alone."""
    program, begun, cleaned = tmp_path / "program", tmp_path / "begun", tmp_path / "cleaned"
    program.write_text(
        f"#!/bin/sh\ntrap 'sleep 0.6; touch {cleaned}; exit 130' TERM\ntouch {begun}\n"
        "while true; do sleep 0.1; done\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))

    def stop() -> None:
        until = time.monotonic() + 30
        while not begun.exists() and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop).start()
    with pytest.raises(KeyboardInterrupt):
        processes.run_alone(["prep"])
    assert cleaned.exists()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_cleans_up_is_not_stopped_once_more(first, tmp_path, monkeypatch, capsys):
    """The command that started it may hand on a signal that it has had already."""
    cleaned = []

    def act(_arguments):
        try:
            os.kill(os.getpid(), first)
            time.sleep(10)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            cleaned.append(True)

    summary, define, _ = COMMANDS["features"]
    monkeypatch.setitem(COMMANDS, "features", (summary, define, act))
    before = [signal.getsignal(stop) for stop in (signal.SIGINT, signal.SIGTERM)]
    assert cli.main(["features"]) == 130
    assert cleaned and "stopped; nothing half-written stays" in capsys.readouterr().err
    assert [signal.getsignal(stop) for stop in (signal.SIGINT, signal.SIGTERM)] == before

# SPDX-License-Identifier: GPL-2.0-or-later
#
# This program is free software; you can redistribute it and/or modify it under the terms of the
# GNU General Public License as published by the Free Software Foundation; either version 2 of the
# License, or (at your option) any later version. See the file LICENSE beside this one.

"""Run the `landcover` program, hand on what it says, and stop it with all that it has started.

Nothing here needs QGIS: what shows progress is anything with the methods of QgsProcessingFeedback.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Sequence

from landcover_qgis.program import Refused, apart, environment

#: A line of progress, such as "mapping with random-forest: 40 %, 12 s, about 18 s left".
_PROGRESS = re.compile(r".+?: +(\d{1,3}) %, ")
#: After this line come the paths of what was written.
_MEASURE = re.compile(r"[\d.]+ s \(.*\), peak memory \d+ MiB")
#: How often the user is asked whether to stop.
_ASKED_S = 0.1
#: A program that is asked to stop cleans up for so long, before it is ended.
_CLEANING_S = 10.0
#: How a command ends that was stopped and has cleaned up.
_CLEANED = 130


def percent_of(line: str) -> int | None:
    """How far the step is that a line is of; None for other lines.

    >>> percent_of("mapping: 40 %, 12 s, about 18 s left"), percent_of("valid: 100.0 %")
    (40, None)
    """
    found = _PROGRESS.match(line)
    return min(100, int(found[1])) if found else None


def error_of(line: str) -> str | None:
    """What a line says is wrong; None for other lines.

    >>> error_of("error: a.tif is missing"), error_of("note: few samples")
    ('a.tif is missing', None)
    """
    return line[len("error: ") :] if line.startswith("error: ") else None


def paths_in(lines: Sequence[str]) -> list[Path]:
    """The paths that a command says it wrote: the lines after the one with time and memory."""
    ends = [number for number, line in enumerate(lines) if _MEASURE.fullmatch(line)]
    if not ends:
        return []
    return [Path(line) for line in lines[ends[-1] + 1 :] if os.path.isabs(line)]


def run(program: str, arguments: Sequence[str], feedback: Any) -> list[Path]:  # noqa: ANN401
    """Run a command to its end, and return the paths that it wrote.

    Parameters
    ----------
    program : str
        Path of the `landcover` program.
    arguments : sequence of str
        The command, and what it takes.
    feedback : QgsProcessingFeedback
        Gets progress and lines, and says when to stop.

    Raises
    ------
    Refused
        With the program's own line if it refuses its input, and if it was stopped.
    """
    try:
        process = subprocess.Popen(
            [program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
            env=environment(), **apart(),
        )  # fmt: skip
    except OSError as error:
        raise Refused(f"{program} cannot be run ({error})") from None
    lines: list[str] = []
    stopped = True
    try:
        for line in _lines(process, feedback):
            lines.append(line)
            _show(line, feedback)
        stopped = feedback.isCanceled()
    finally:
        if stopped:  # before it is waited for: until then nothing else can have its number
            _signal(process, force=True)
        code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
    if stopped:
        whole = "; nothing half-written stays" if code == _CLEANED else ""
        raise Refused(f"stopped: landcover {arguments[0]} and what it had started are ended{whole}")
    if code != 0:
        errors = [error for error in map(error_of, lines) if error]
        last = next(iter(lines[-1:]), "it said nothing")
        raise Refused(errors[-1] if errors else f"landcover {arguments[0]} failed: {last}")
    return paths_in(lines)


def _lines(process: subprocess.Popen[str], feedback: Any) -> Any:  # noqa: ANN401
    """Lines as the program prints them; its end, or the user's wish to stop, ends them."""
    said: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, said), daemon=True).start()
    asked_to_stop: float | None = None
    while True:
        if feedback.isCanceled():
            if asked_to_stop is None:
                asked_to_stop = time.monotonic()
                feedback.pushInfo("stopping; what was begun is cleaned up")
                _signal(process, force=False)
            elif time.monotonic() - asked_to_stop > _CLEANING_S:
                return
        try:
            line = said.get(timeout=_ASKED_S)
        except queue.Empty:
            continue
        if line is None:
            return
        if line:
            yield line


def _read(process: subprocess.Popen[str], said: queue.Queue[str | None]) -> None:
    """Hand on lines, and None at the end; a bar's carriage returns end lines too."""
    if process.stdout is not None:
        with suppress(ValueError, OSError):  # closed at the end
            for line in process.stdout:
                said.put(line.rstrip())
    said.put(None)


def _show(line: str, feedback: Any) -> None:  # noqa: ANN401
    """Show a line where it belongs; the error that ends a command is raised in the end."""
    percent = percent_of(line)
    if percent is not None:
        feedback.setProgress(percent)
        feedback.setProgressText(line)
    elif line.startswith("warning: "):
        feedback.pushWarning(line)
    elif error_of(line) is None:
        feedback.pushInfo(line)


def _signal(process: subprocess.Popen[str], force: bool) -> None:
    """Ask the program and all that it has started to stop, or end them."""
    if os.name == "nt":  # which knows no way to ask
        end = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(end, capture_output=True, check=False, **apart())
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)

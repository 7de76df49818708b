"""Commands in processes of their own, so that time and memory of each are its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from landcover.errors import LandcoverError, typed


def run_alone(command: Sequence[str], quiet: bool = False) -> None:
    """Run a command in a process of its own; its progress and its errors show.

    Where this process is stopped, the command is too, and is waited for while it cleans up.

    Parameters
    ----------
    command : sequence of str
        Arguments of ``landcover``.
    quiet : bool
        Show nothing of what it prints on standard output.

    Raises
    ------
    LandcoverError
        If it fails; its own line stands above.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "landcover.cli", *command],
        stdout=subprocess.DEVNULL if quiet else None,
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:  # it may not have been told, and cleans up when it is
        process.terminate()
        process.wait()
        raise
    if not code:
        return
    why = (
        f"was ended by signal {-code}, most likely because memory ran out"
        if code < 0
        else f"ended with exit code {code}, for the reason above"
    )
    raise LandcoverError(f"landcover {words(command)} {why}")


def words(command: Sequence[str]) -> str:
    """A command as a shell takes it.

    >>> words(["map", "my runs/demo"])
    "map 'my runs/demo'"
    """
    return " ".join(map(typed, command))

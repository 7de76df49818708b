# SPDX-License-Identifier: GPL-2.0-or-later
#
# This program is free software; you can redistribute it and/or modify it under the terms of the
# GNU General Public License as published by the Free Software Foundation; either version 2 of the
# License, or (at your option) any later version. See the file LICENSE beside this one.

"""The `landcover` program of another environment: where it is, and whether it will do.

Nothing here needs QGIS.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

#: The first version that prints its progress in lines and can be stopped by a signal.
OLDEST = (0, 2, 0)
#: A first start compiles the program's files; on a slow disk that takes long.
_LIMIT_S = 120
_WHERE = "Settings > Options > Processing > Providers > landcover"
#: What QGIS sets for itself, and what would lead another Python to QGIS's libraries and data.
_OF_QGIS = ("PYTHON", "QGIS_", "QT_", "OSGEO4W_")
_OF_GDAL = ("GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "LD_PRELOAD")


class Refused(Exception):
    """One line for the user: what was wrong, and what to do."""


def usual_program() -> str:
    """The `landcover` program on the path; empty where there is none."""
    return shutil.which("landcover") or ""


def environment() -> dict[str, str]:
    """The variables of this process, without those of QGIS and its Python."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(_OF_QGIS) and name.upper() not in _OF_GDAL
    }
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def apart() -> dict[str, Any]:
    """Arguments of `subprocess` that put a program into a group of its own, without a window."""
    if os.name == "nt":
        flags = ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW")
        return {"creationflags": sum(getattr(subprocess, flag) for flag in flags)}
    return {"start_new_session": True}


def require_program(program: str) -> str:
    """The program's version, or Refused if it is not there, not landcover, or too old.

    Parameters
    ----------
    program : str
        Path of the `landcover` program.
    """
    if not program:
        raise Refused(f"no landcover program is set; name it under {_WHERE}")
    if not Path(program).is_file():
        raise Refused(f"the landcover program {program} does not exist; name it under {_WHERE}")
    try:
        done = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", env=environment(), timeout=_LIMIT_S, check=False, **apart(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{program} cannot be run ({error}); name another under {_WHERE}") from None
    found = re.fullmatch(r"landcover (\d+)\.(\d+)\.(\d+)\S*", done.stdout.strip())
    if done.returncode != 0 or not found:
        said = next(iter((done.stdout + done.stderr).strip().splitlines()[-1:]), "nothing")
        raise Refused(
            f"{program} is no landcover program (it says: {said}); name it under {_WHERE}"
        )
    if tuple(int(part) for part in found.groups()) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise Refused(
            f"{program} is {done.stdout.strip()}, and this plugin needs {oldest} or newer; "
            "update it in its environment: pip install --upgrade landcover"
        )
    return done.stdout.strip()

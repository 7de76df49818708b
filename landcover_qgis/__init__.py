# SPDX-License-Identifier: GPL-2.0-or-later
#
# This program is free software; you can redistribute it and/or modify it under the terms of the
# GNU General Public License as published by the Free Software Foundation; either version 2 of the
# License, or (at your option) any later version. See the file LICENSE beside this one.

"""Algorithms of landcover for the Processing toolbox of QGIS.

QGIS calls what is here in its own Python, which need not have landcover: every algorithm calls the
`landcover` program of another environment.
"""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: ANN401 - QGIS's own, which its tests replace
    """The plugin, as QGIS asks for it."""
    from landcover_qgis.plugin import LandcoverPlugin

    return LandcoverPlugin(iface)

# SPDX-License-Identifier: GPL-2.0-or-later
#
# This program is free software; you can redistribute it and/or modify it under the terms of the
# GNU General Public License as published by the Free Software Foundation; either version 2 of the
# License, or (at your option) any later version. See the file LICENSE beside this one.

"""The plugin: adds the provider to the Processing toolbox, and takes it away."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication

from landcover_qgis.provider import LandcoverProvider


class LandcoverPlugin:
    """What QGIS starts and ends."""

    def __init__(self, iface: Any) -> None:  # noqa: ANN401 - None without a window
        self.iface = iface
        self.provider: LandcoverProvider | None = None

    def initProcessing(self) -> None:
        """Add the provider; `qgis_process` calls this alone."""
        self.provider = LandcoverProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Start in a window."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider away."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None

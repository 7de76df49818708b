# SPDX-License-Identifier: GPL-2.0-or-later
#
# This program is free software; you can redistribute it and/or modify it under the terms of the
# GNU General Public License as published by the Free Software Foundation; either version 2 of the
# License, or (at your option) any later version. See the file LICENSE beside this one.

"""The provider: all algorithms, and the setting that names the `landcover` program."""

from __future__ import annotations

from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsProcessingProvider, QgsSettings
from qgis.PyQt.QtGui import QIcon

from landcover_qgis.algorithm import LandcoverAlgorithm
from landcover_qgis.program import usual_program
from landcover_qgis.table import ROWS

#: Name of the setting, which QGIS keeps as Processing/Configuration/LANDCOVER_PROGRAM.
PROGRAM = "LANDCOVER_PROGRAM"


def chosen_program() -> str:
    """Path of the `landcover` program: as set, or else the one that is on the path."""
    return str(QgsSettings().value(f"Processing/Configuration/{PROGRAM}", "")) or usual_program()


class LandcoverProvider(QgsProcessingProvider):
    """Algorithms that call the `landcover` program."""

    def id(self) -> str:
        """What names of algorithms begin with, such as landcover:map."""
        return "landcover"

    def name(self) -> str:
        """What the toolbox shows."""
        return "landcover"

    def longName(self) -> str:
        """What the settings show."""
        return "landcover: land-cover maps from Sentinel-2"

    def icon(self) -> QIcon:
        """Four classes."""
        return QIcon(str(Path(__file__).parent / "icon.svg"))

    def load(self) -> bool:
        """Add the setting, then the algorithms."""
        ProcessingConfig.settingIcons[self.name()] = self.icon()
        ProcessingConfig.addSetting(
            Setting(
                self.name(),
                PROGRAM,
                "The landcover program of its environment, such as .venv/bin/landcover",
                usual_program(),
                valuetype=Setting.FILE,
            )
        )
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Take the setting away."""
        ProcessingConfig.removeSetting(PROGRAM)

    def loadAlgorithms(self) -> None:
        """Add an algorithm a row of the table."""
        for row in ROWS:
            self.addAlgorithm(LandcoverAlgorithm(row, chosen_program))

# SPDX-License-Identifier: GPL-2.0-or-later
#
# This program is free software; you can redistribute it and/or modify it under the terms of the
# GNU General Public License as published by the Free Software Foundation; either version 2 of the
# License, or (at your option) any later version. See the file LICENSE beside this one.
"""A row of the table as an algorithm of Processing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFolder,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QIcon

from landcover_qgis import process
from landcover_qgis.command import Parameter, Row, arguments_of
from landcover_qgis.program import Refused, require_program

#: What QGIS can show of the products.
_SHOWN = (".tif", ".gpkg")
#: Methods of QGIS that read a value, by kind; a string otherwise.
_READERS = {
    "on": "parameterAsBool",
    "off": "parameterAsBool",
    "whole": "parameterAsInt",
    "number": "parameterAsDouble",
    "choice": "parameterAsEnumString",
    "new_file": "parameterAsFileOutput",
}
_DEGREES = "EPSG:4326"
_MOST = 1e9


class LandcoverAlgorithm(QgsProcessingAlgorithm):
    """A command of landcover."""

    def __init__(self, row: Row, program: Callable[[], str]) -> None:
        super().__init__()
        self._row, self._program = row, program
        self._arguments: list[str] = []
        self._shown: list[Path] = []

    def createInstance(self) -> LandcoverAlgorithm:
        """A new one, as QGIS makes one for every execution."""
        return LandcoverAlgorithm(self._row, self._program)

    def name(self) -> str:
        """What scripts call it, after landcover: ."""
        return self._row.command

    def displayName(self) -> str:
        """What the toolbox shows."""
        return self._row.title

    def icon(self) -> QIcon:
        """The provider's."""
        return self.provider().icon() if self.provider() else super().icon()

    def shortDescription(self) -> str:
        """What a tooltip shows."""
        return self._row.summary

    def shortHelpString(self) -> str:
        """What the dialog shows beside the parameters."""
        asked = [
            f"<p><b>{parameter.label}</b><br>{parameter.help}</p>"
            for parameter in self._row.parameters
            if parameter.help
        ]
        called = f"<p>Calls <tt>landcover {self._row.command}</tt> in the chosen environment.</p>"
        return f"<p>{self._row.summary}</p>{''.join(asked)}{called}"

    def initAlgorithm(self, _configuration: Optional[dict[str, Any]] = None) -> None:
        """Define parameters and outputs."""
        for parameter in self._row.parameters:
            self.addParameter(_definition(parameter))
        if all(parameter.kind != "new_run" for parameter in self._row.parameters):
            self.addOutput(QgsProcessingOutputFolder("RUN_FOLDER", "Run folder"))
        self.addOutput(QgsProcessingOutputMultipleLayers("PRODUCTS", "Rasters and points"))

    def prepareAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Read parameters, in the main thread, where layers of the project may be asked."""
        values = {
            parameter.name: self._value(parameter, parameters, context, feedback)
            for parameter in self._row.parameters
        }
        self._arguments = arguments_of(self._row, values)
        return True

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the command; its one-line error is the algorithm's."""
        program = self._program()
        try:
            feedback.pushInfo(f"{program}: {require_program(program)}")
            feedback.pushCommandInfo(" ".join(["landcover", *self._arguments]))
            paths = process.run(program, self._arguments, feedback)
        except Refused as refused:
            raise QgsProcessingException(str(refused)) from None
        shown = [path for path in paths if path.suffix in _SHOWN and path.exists()]
        self._shown = shown
        return self._results(parameters, context, shown)

    def postProcessAlgorithm(
        self, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Have QGIS add the products to the project.

        Given a path, Processing would open it without its style; so layers are opened here, in the
        main thread.
        """
        for path in self._shown:
            layer = _layer_of(path)
            if not layer.isValid():
                feedback.pushWarning(f"QGIS cannot open {path}")
                continue
            context.temporaryLayerStore().addMapLayer(layer)
            details = QgsProcessingContext.LayerDetails(layer.name(), context.project(), "")
            context.addLayerToLoadOnCompletion(layer.id(), details)
        return {}

    def _results(
        self, parameters: dict[str, Any], context: QgsProcessingContext, shown: list[Path]
    ) -> dict[str, Any]:
        """Run folder and products, for models of QGIS that go on with them."""
        results: dict[str, Any] = {"PRODUCTS": [str(path) for path in shown]}
        for parameter in self._row.parameters:
            if parameter.kind in ("new_run", "new_file") and parameters.get(parameter.name):
                results[parameter.name] = self.parameterAsString(
                    parameters, parameter.name, context
                )
            elif parameter.kind == "run" and "RUN_FOLDER" not in results:
                results["RUN_FOLDER"] = self.parameterAsString(parameters, parameter.name, context)
        return results

    def _value(
        self,
        parameter: Parameter,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> Any:  # noqa: ANN401 - as the kind of the parameter says
        """What was given, as the command's arguments are made of it; None for nothing."""
        name, kind = parameter.name, parameter.kind
        given = parameters.get(name, parameter.default)
        if given in (None, "") or str(given) == "NULL":
            return None
        if kind == "rasters":
            layers = self.parameterAsLayerList(parameters, name, context)
            return [_file_of(layer) for layer in layers]
        if kind == "raster":
            return _file_of(self.parameterAsRasterLayer(parameters, name, context))
        if kind == "vector":
            path, layer = self.parameterAsCompatibleSourceLayerPathAndLayerName(
                parameters, name, context, ["gpkg", "geojson", "shp"], "gpkg", feedback
            )
            return f"{path}|layername={layer}" if layer else path
        if kind == "extent":
            degrees = QgsCoordinateReferenceSystem(_DEGREES)
            box = self.parameterAsExtent(parameters, name, context, degrees)
            return [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()]
        read = getattr(self, _READERS.get(kind, "parameterAsString"))
        return read(parameters, name, context)


def _layer_of(path: Path) -> QgsMapLayer:
    """A product as a layer, by the name of its run and its own, in the style beside its file."""
    folder = path.parent.parent if path.parent.name == "maps" else path.parent
    name = f"{folder.name}: {path.stem.replace('_', ' ')}"
    if path.suffix == ".tif":
        return QgsRasterLayer(str(path), name, "gdal")
    return QgsVectorLayer(str(path), name, "ogr")


def _file_of(layer: QgsMapLayer) -> str:
    """The file, or GDAL's name, of a raster."""
    if layer is None:
        raise QgsProcessingException("a raster cannot be opened; choose a file that QGIS shows")
    return str(layer.source())


def _definition(parameter: Parameter) -> QgsProcessingParameterDefinition:
    """A parameter as QGIS defines it."""
    definition = _MAKERS[parameter.kind](parameter)
    definition.setHelp(parameter.help)
    if not parameter.basic:
        advanced = QgsProcessingParameterDefinition.FlagAdvanced
        definition.setFlags(definition.flags() | advanced)
    return definition


def _switch(p: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterBoolean(p.name, p.label, defaultValue=p.default)


def _text(p: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterString(
        p.name, p.label, defaultValue=p.default, optional=p.optional
    )


def _numeric(number_type: int) -> Callable[[Parameter], QgsProcessingParameterDefinition]:
    def make(p: Parameter) -> QgsProcessingParameterDefinition:
        return QgsProcessingParameterNumber(
            p.name, p.label, type=number_type, defaultValue=p.default, optional=p.optional,
            minValue=p.least, maxValue=_MOST,
        )  # fmt: skip

    return make


def _file(behavior: int) -> Callable[[Parameter], QgsProcessingParameterDefinition]:
    def make(p: Parameter) -> QgsProcessingParameterDefinition:
        return QgsProcessingParameterFile(
            p.name, p.label, behavior=behavior, defaultValue=p.default, optional=p.optional
        )

    return make


def _choice(p: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterEnum(
        p.name, p.label, options=list(p.choices), defaultValue=p.default, optional=p.optional,
        usesStaticStrings=True,
    )  # fmt: skip


def _new_run(p: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterFolderDestination(
        p.name, p.label, optional=p.optional, createByDefault=not p.optional
    )


def _new_file(p: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterFileDestination(
        p.name, p.label, "GeoPackage (*.gpkg)", optional=p.optional, createByDefault=not p.optional
    )


def _field(p: Parameter) -> QgsProcessingParameterDefinition:
    return QgsProcessingParameterField(
        p.name, p.label, parentLayerParameterName=p.of, optional=p.optional
    )


_Maker = Callable[[Parameter], QgsProcessingParameterDefinition]
_MAKERS: dict[str, _Maker] = {
    "run": _file(QgsProcessingParameterFile.Folder),
    "folder": _file(QgsProcessingParameterFile.Folder),
    "file": _file(QgsProcessingParameterFile.File),
    "new_run": _new_run,
    "new_file": _new_file,
    "raster": lambda p: QgsProcessingParameterRasterLayer(p.name, p.label, optional=p.optional),
    "rasters": lambda p: QgsProcessingParameterMultipleLayers(
        p.name, p.label, QgsProcessing.TypeRaster, optional=p.optional
    ),
    "vector": lambda p: QgsProcessingParameterVectorLayer(p.name, p.label, optional=p.optional),
    "field": _field,
    "extent": lambda p: QgsProcessingParameterExtent(p.name, p.label, optional=p.optional),
    "choice": _choice,
    "text": _text,
    "words": _text,
    "whole": _numeric(QgsProcessingParameterNumber.Integer),
    "number": _numeric(QgsProcessingParameterNumber.Double),
    "on": _switch,
    "off": _switch,
}

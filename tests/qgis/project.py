"""Run in QGIS: open a project as a person would, say what is in it, and draw what it shows first.

Arguments: project, PNG to draw.
"""

import os
import sys

from inside import answer, draw, start
from qgis.core import QgsApplication, QgsMapLayer, QgsProject, QgsRectangle
from qgis.gui import QgsMapCanvas


def layer_of(node, path):
    """What the layer tree and the layer say."""
    layer = node.layer()
    vector = layer.type() == QgsMapLayer.VectorLayer
    return {
        "title": node.name(),
        "group": node.parent().name(),
        "checked": node.isVisible(),
        "expanded": node.isExpanded(),
        "valid": layer.isValid(),
        "id": layer.id(),
        "source": os.path.relpath(layer.source().split("|")[0], os.path.dirname(path)),
        "crs": layer.crs().authid(),
        "renderer": layer.renderer().type(),
        "features": layer.featureCount() if vector else None,
        "errors": [],
    }


if __name__ == "__main__":
    app = start()
    path, png = sys.argv[1:]
    messages = []
    QgsApplication.messageLog().messageReceived.connect(
        lambda *received: messages.append([str(part) for part in received])
    )
    canvas = QgsMapCanvas()
    project = QgsProject.instance()
    project.readProject.connect(canvas.readProject)
    read = project.read(path)
    nodes = project.layerTreeRoot().findLayers()
    layers = [layer_of(node, path) for node in nodes]
    view = project.viewSettings().defaultViewExtent()
    shown = [node.layer() for node in nodes if node.isVisible()]
    errors = draw(shown, png, extent=QgsRectangle(view), width_px=900)
    crs = project.crs()
    answer(
        {
            "read": read,
            "error": project.error(),
            "title": project.title(),
            "messages": messages,
            "layers": layers,
            "groups": [group.name() for group in project.layerTreeRoot().findGroups()],
            "crs": [crs.authid(), crs.isValid(), crs.description()],
            "extent": [view.xMinimum(), view.yMinimum(), view.xMaximum(), view.yMaximum()],
            "canvas": [
                canvas.extent().xMinimum(), canvas.extent().yMinimum(),
                canvas.extent().xMaximum(), canvas.extent().yMaximum(),
            ],
            "dirty": project.isDirty(),
            "errors": errors,
        }
    )  # fmt: skip

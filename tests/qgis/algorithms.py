"""Run in QGIS: algorithms of the plugin one after another, as its dialogs would, and say what came.

Arguments: the plugin's parent folder, the landcover program, and a JSON file of what to run: a list
of {"algorithm", "parameters"}, where "cancel_on" names a word of a line at which the user cancels,
and "picture" a file that gets the layers loaded.
"""

import json
import sys
from pathlib import Path

from inside import answer, draw, start
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsSettings,
)


class Feedback(QgsProcessingFeedback):
    """Keeps what is said, and cancels at a word."""

    def __init__(self, cancel_on):
        super().__init__(False)
        self.cancel_on, self.said, self.errors, self.percents = cancel_on, [], [], []
        self.progressChanged.connect(self.percents.append)

    def pushInfo(self, text):
        self.said.append(text)
        if self.cancel_on and self.cancel_on in text:
            self.cancel()

    pushCommandInfo = pushWarning = setProgressText = pushInfo

    def reportError(self, text, fatalError=False):
        self.errors.append(text)


def load_plugin(parent, program):
    """The plugin as QGIS starts it, with its setting."""
    sys.path += [f"{QgsApplication.pkgDataPath()}/python/plugins", parent]
    from processing.core.Processing import Processing

    Processing.initialize()
    import landcover_qgis

    plugin = landcover_qgis.classFactory(None)
    plugin.initProcessing()
    QgsSettings().setValue("Processing/Configuration/LANDCOVER_PROGRAM", program)
    return plugin


def run(algorithm, parameters, cancel_on=None, picture=None):
    """One algorithm from its check to the layers that it leaves in the project."""
    from processing.gui.Postprocessing import handleAlgorithmResults

    project = QgsProject.instance()
    project.clear()
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"landcover:{algorithm}")
    context, feedback = QgsProcessingContext(), Feedback(cancel_on)
    context.setProject(project)
    allowed, why = algorithm.checkParameterValues(parameters, context)
    if not allowed:
        return {"ok": False, "errors": [why]}
    results, ok = algorithm.run(parameters, context, feedback)
    if ok:
        handleAlgorithmResults(algorithm, context, feedback, parameters=parameters)
    layers = list(project.mapLayers().values())
    if picture and layers:
        draw(layers[:1], picture)
    return {
        "ok": ok,
        "results": results,
        "errors": feedback.errors,
        "said": feedback.said,
        "percents": feedback.percents,
        "layers": {Path(layer.source()).name: shown(layer) for layer in layers},
    }


def shown(layer):
    """How a layer is drawn."""
    renderer = layer.renderer()
    entries = layer.legendSymbologyItems() if hasattr(layer, "legendSymbologyItems") else []
    return {
        "name": layer.name(),
        "renderer": renderer.type(),
        "legend": [[label, colour.name()] for label, colour in entries],
    }


if __name__ == "__main__":
    app = start()
    parent, program, jobs = sys.argv[1:]
    plugin = load_plugin(parent, program)
    found = [run(**job) for job in json.loads(Path(jobs).read_text("utf-8"))]
    plugin.unload()
    answer({"runs": found})

"""Run in QGIS: open points as a person would, name the class of the first, and say what is shown.

Arguments: GeoPackage, a layer of it, PNG to draw, class code to fill in.
"""

import sys

from inside import answer, draw, start
from qgis.core import QgsFeatureRequest, QgsRectangle, QgsVectorLayer, edit
from qgis.gui import QgsAttributeForm, QgsGui


def fields_of(layer):
    """Widget, and whether it can be edited, of every field."""
    form = layer.editFormConfig()
    return {
        field.name(): {
            "widget": QgsGui.editorWidgetRegistry().findBest(layer, field.name()).type(),
            "choices": [
                [text, value]
                for row in layer.editorWidgetSetup(i).config().get("map", [])
                for text, value in row.items()
            ],
            "read_only": form.readOnly(i),
            "in_table": not any(
                column.name == field.name() and column.hidden
                for column in layer.attributeTableConfig().columns()
            ),
        }
        for i, field in enumerate(layer.fields())
    }


def texts_in(form):
    """What the form of a feature asks for, by the labels beside its widgets."""
    from qgis.PyQt.QtWidgets import QLabel

    return [label.text() for label in form.findChildren(QLabel) if label.text()[:1].isalpha()]


def drop_downs_in(form):
    """The entries of every drop-down of the form."""
    from qgis.PyQt.QtWidgets import QComboBox

    return [[box.itemText(i) for i in range(box.count())] for box in form.findChildren(QComboBox)]


if __name__ == "__main__":
    app = start()
    QgsGui.editorWidgetRegistry().initEditors()
    path, name, png, code = sys.argv[1:]
    layer = QgsVectorLayer(f"{path}|layername={name}", name)
    if not layer.isValid():
        answer({"valid": False})
    feature = next(layer.getFeatures())
    at = feature.geometry().asPoint()
    near = QgsRectangle(at.x() - 30, at.y() - 30, at.x() + 30, at.y() + 30)
    errors = draw([layer], png, extent=near, width_px=600)
    form = QgsAttributeForm(layer, feature)
    found = {
        "valid": True,
        "errors": errors,
        "fields": fields_of(layer),
        "labels": texts_in(form),
        "drop_downs": drop_downs_in(form),
        "title": layer.displayExpression(),
        "rules": [
            [r.label(), r.filterExpression()] for r in layer.renderer().rootRule().children()
        ],
        "legend": [item.label() for item in layer.renderer().legendSymbolItems()],
    }
    with edit(layer):
        layer.changeAttributeValue(feature.id(), layer.fields().indexOf("reference"), int(code))
    done = QgsFeatureRequest().setFilterExpression(found["rules"][2][1])
    found["done"] = [f["id"] for f in layer.getFeatures(done)]
    answer(found)

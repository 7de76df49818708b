"""QGIS styles of vector layers: symbols by class or rule, fields by name, and forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as Xml

from landcover.files.styles.document import VERSION, document
from landcover.legend import Legend, rgb

#: What QGIS writes for "no value" in a drop-down (QgsValueMapFieldFormatter::NULL_VALUE).
NO_VALUE = "{2839923C-8B7D-419E-B84B-CA2FE9B80EC7}"
#: Squares of a pixel stay this wide on the screen where the map is zoomed out.
LEAST_MM = 2.0


@dataclass(frozen=True)
class Symbol:
    """A symbol of QGIS: its kind, and its layers from below to above.

    Attributes
    ----------
    kind : str
        "marker" or "fill".
    layers : tuple of (str, dict of str to str)
        Class of each symbol layer and its properties.
    """

    kind: str
    layers: tuple[tuple[str, dict[str, str]], ...]


@dataclass(frozen=True)
class Form:
    """How the fields of a layer are shown and edited.

    Attributes
    ----------
    drop_downs : mapping of str to sequence of (str, str)
        Field to the texts that may be chosen, each with its value.
    aliases : mapping of str to str
        Field to the words that stand for it.
    hidden : sequence of str
        Fields that the form and the table do not show, and nobody edits.
    title : str
        Expression that names a feature in lists.
    """

    drop_downs: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    hidden: Sequence[str] = ()
    title: str = ""


def circle(colour: str) -> Symbol:
    """A small filled circle."""
    properties = {
        "name": "circle", "color": _rgba(colour), "outline_color": _rgba("#202020"),
        "outline_width": "0.1", "outline_width_unit": "MM", "size": "1.6", "size_unit": "MM",
    }  # fmt: skip
    return Symbol("marker", (("SimpleMarker", properties),))


def hollow_square(colour: str, width: float, height: float, line_mm: float) -> Symbol:
    """A square without a fill, of a size on the map, with a dark rim to be seen on any land."""

    def frame(line: str, line_mm: float) -> tuple[str, dict[str, str]]:
        sizes = {"symbol_width": width, "symbol_height": height}
        properties = {
            "symbol_name": "rectangle", "color": "0,0,0,0", "outline_color": _rgba(line),
            "outline_width": f"{line_mm:g}", "outline_width_unit": "MM", "joinstyle": "miter",
        }  # fmt: skip
        for name, size in sizes.items():
            properties[name] = repr(float(size))
            properties[f"{name}_unit"] = "MapUnit"
            properties[f"{name}_map_unit_scale"] = f"3x:0,0,1,{LEAST_MM:g},0,0"
        return "EllipseMarker", properties

    return Symbol("marker", (frame("#000000", line_mm + 0.4), frame(colour, line_mm)))


def area(outline: str, line_mm: float, fill: str | None = None, opacity: float = 1.0) -> Symbol:
    """An outline, and a fill of some opacity where a colour is given."""
    properties = {
        "color": "0,0,0,0" if fill is None else _rgba(fill, opacity),
        "style": "no" if fill is None else "solid",
        "outline_color": _rgba(outline), "outline_style": "solid",
        "outline_width": f"{line_mm:g}", "outline_width_unit": "MM", "joinstyle": "miter",
    }  # fmt: skip
    return Symbol("fill", (("SimpleFill", properties),))


def class_names(legend: Legend) -> list[tuple[str, str]]:
    """Classes of a legend for a drop-down: what is shown, and the code that is stored."""
    return [(f"{c.code} {c.name}", str(c.code)) for c in legend.classes]


def one_symbol(symbol: Symbol, form: Form | None = None) -> str:
    """The style of a layer whose features all look alike, as QGIS layer-style XML."""
    root, renderer = _style("singleSymbol")
    _add_symbols(renderer, [symbol])
    return _finished(root, form)


def by_value(name: str, rows: Iterable[tuple[str, str, Symbol]], form: Form | None = None) -> str:
    """The style of a layer by the values of a field, as QGIS layer-style XML.

    Parameters
    ----------
    name : str
        The field.
    rows : iterable of (str, str, Symbol)
        Value, what the legend says, and symbol.
    form : Form, optional
        Of the fields.
    """
    rows = list(rows)
    root, renderer = _style("categorizedSymbol", attr=name)
    categories = Xml.SubElement(renderer, "categories")
    for i, (value, label, _) in enumerate(rows):
        Xml.SubElement(
            categories, "category", symbol=str(i), value=value, label=label, render="true"
        )
    _add_symbols(renderer, [symbol for *_, symbol in rows])
    return _finished(root, form)


def by_rule(rows: Sequence[tuple[str, str, Symbol]], form: Form | None = None) -> str:
    """The style of a layer by rules, as QGIS layer-style XML.

    Parameters
    ----------
    rows : sequence of (str, str, Symbol)
        Expression, what the legend says, and symbol.
    form : Form, optional
        Of the fields.
    """
    root, renderer = _style("RuleRenderer")
    rules = Xml.SubElement(renderer, "rules", key="rules")
    for i, (expression, label, _) in enumerate(rows):
        Xml.SubElement(rules, "rule", symbol=str(i), key=f"rule{i}", filter=expression, label=label)
    _add_symbols(renderer, [symbol for *_, symbol in rows])
    return _finished(root, form)


def _style(renderer: str, **attributes: str) -> tuple[Xml.Element, Xml.Element]:
    root = Xml.Element("qgis", version=VERSION, styleCategories="AllStyleCategories")
    usual = {"type": renderer, "symbollevels": "0", "enableorderby": "0", "forceraster": "0"}
    held = Xml.SubElement(root, "renderer-v2", usual | attributes)
    return root, held


def _add_symbols(renderer: Xml.Element, symbols: Sequence[Symbol]) -> None:
    held = Xml.SubElement(renderer, "symbols")
    for i, symbol in enumerate(symbols):
        of_one = Xml.SubElement(
            held, "symbol", name=str(i), type=symbol.kind, alpha="1", clip_to_extent="1",
            force_rhr="0",
        )  # fmt: skip
        for kind, properties in symbol.layers:
            layer = Xml.SubElement(
                of_one, "layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"}
            )
            _add_options(layer, properties)


def _add_options(parent: Xml.Element, texts: Mapping[str, str]) -> None:
    """A map of texts, as QGIS stores one."""
    held = Xml.SubElement(parent, "Option", type="Map")
    for key, value in texts.items():
        Xml.SubElement(held, "Option", name=key, type="QString", value=value)


def _finished(root: Xml.Element, form: Form | None) -> str:
    Xml.SubElement(root, "blendMode").text = "0"
    if form is not None:
        _add_form(root, form)
    return document(root)


def _add_form(root: Xml.Element, form: Form) -> None:
    """Widgets, aliases, hidden fields and the name of a feature."""
    configuration = Xml.SubElement(root, "fieldConfiguration")
    for name in form.hidden:
        _add_widget(configuration, name, "Hidden")
    for name, rows in form.drop_downs.items():
        config = _add_widget(configuration, name, "ValueMap")
        held = Xml.SubElement(Xml.SubElement(config, "Option", type="Map"), "Option",
                              type="List", name="map")  # fmt: skip
        for label, value in rows:
            _add_options(held, {label: value})
    aliases = Xml.SubElement(root, "aliases")
    for name, words in form.aliases.items():
        Xml.SubElement(aliases, "alias", field=name, name=words)
    columns = Xml.SubElement(Xml.SubElement(root, "attributetableconfig"), "columns")
    editable = Xml.SubElement(root, "editable")
    for name in form.hidden:
        Xml.SubElement(columns, "column", type="field", name=name, hidden="1", width="-1")
        Xml.SubElement(editable, "field", name=name, editable="0")
    Xml.SubElement(root, "editorlayout").text = "generatedlayout"
    Xml.SubElement(root, "featformsuppress").text = "0"
    if form.title:
        Xml.SubElement(root, "previewExpression").text = form.title


def _add_widget(configuration: Xml.Element, name: str, kind: str) -> Xml.Element:
    held = Xml.SubElement(configuration, "field", name=name, configurationFlags="None")
    return Xml.SubElement(Xml.SubElement(held, "editWidget", type=kind), "config")


def _rgba(colour: str, opacity: float = 1.0) -> str:
    """A colour as symbols hold it.

    >>> _rgba("#ff8000", 0.5)
    '255,128,0,128'
    """
    return ",".join(str(part) for part in (*rgb(colour), round(255 * opacity)))

"""What a model's card says, in the words of other programs: ONNX metadata and STAC's MLM fields.

MLM is the machine-learning-model extension of STAC,
https://github.com/stac-extensions/mlm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landcover import __version__
from landcover.classifiers.kinds import KINDS
from landcover.classifiers.protocol import Inputs
from landcover.files.atomic import Fields
from landcover.legend import Legend
from landcover.scene.feature_list import formula
from landcover.scene.feature_names import windowed
from landcover.sensors import sensor_of

if TYPE_CHECKING:
    from onnx import ModelProto

#: MLM wants the three numbers of semantic versioning.
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def usage(card: Fields) -> str:
    """How to call a model that is given its card: inputs, outputs, missing values.

    >>> card = {"kind": "cnn", "bands": ["B04", "B08"], "features": [], "segment_layers": [],
    ...         "patch_size": 7}
    >>> usage(card).splitlines()[0]
    'reflectance: float32 (batch, rows, cols, bands), the bands B04 B08 as reflectance, 0 to 1.'
    """
    side, kind = card["patch_size"], KINDS[card["kind"]]
    if kind.reads_dates:
        return _usage_of_dates(card)
    if kind.takes_patches:
        lines = [
            "reflectance: float32 (batch, rows, cols, bands), the bands "
            f"{' '.join(card['bands'])} as reflectance, 0 to 1.",
            "NaN is a missing value and counts as the mean over the training pixels.",
        ]
        if kind.dense:
            lines.append(
                f"classes: probabilities (batch, rows - {side - 1}, cols - {side - 1}, classes); "
                f"output pixel (r, c) is input pixel (r + {side // 2}, c + {side // 2})."
            )
        else:
            lines.append(
                f"classes: probabilities (batch, classes) of the centre of {side} x {side}."
            )
        return "\n".join(lines)
    names = [*Inputs.from_card(card).seen, *card["features"]]
    lines = [f"values: float32 (batch, {len(names)}), in this order: {' '.join(names)}."]
    lines.append("Bands are reflectance, 0 to 1. A row with NaN has no meaningful result.")
    lines += [f"{name} = {text}, 0 where not finite" for name, text in _formulas(card).items()]
    if card["segment_layers"]:
        lines.append(
            f"segment_types: int32 (batch, {len(card['segment_layers'])}), the layers "
            f"{' '.join(card['segment_layers'])} of segment_types.tif."
        )
    return "\n".join([*lines, "classes: probabilities (batch, classes)."])


def _usage_of_dates(card: Fields) -> str:
    """The same of models of several dates, or of tiles."""
    shape = ", ".join(str(side) for side in _shape(card, len(card["bands"])))
    lines = [
        f"reflectance: float32 ({shape}), the bands {' '.join(card['bands'])} as reflectance, 0 to "
        "1; -1 is any number.",
        "A date with NaN is masked at its pixel, and does not enter.",
    ]
    if card.get("dates"):
        days = card["dates"]["days"]
        lines.append(f"Dates are told by their days of year; learnt from {' '.join(days)}.")
    return "\n".join([*lines, "classes: probabilities of every class."])


def _shape(card: Fields, last: int) -> list[int]:
    """Shape of what a model of dates, or of tiles, takes: batch, dates, rows, cols, bands."""
    dates = card.get("dates")
    together = [] if dates is None or dates["together"] == 1 else [dates["together"] or -1]
    tile = [card["patch_size"]] * 2 if KINDS[card["kind"]].learns_tiles else []
    return [-1, *together, *tile, last]


def add_metadata(model: ModelProto, card: Fields) -> None:
    """Write into an ONNX model what its user must know, so that the file alone says it.

    ``doc_string`` says it to people. ``metadata_props`` says it to programs: name, kind,
    bands, features (with formulas), segment_layers, classes (in the order of the outputs),
    patch_size, and the whole card, each as JSON.
    """
    from onnx import helper

    model.producer_name, model.producer_version = "landcover", __version__
    legend = ", ".join(f"{c['code']} {c['name']}" for c in card["classes"])
    model.doc_string = (
        f"{card['name']}, land cover from Sentinel-2.\n{usage(card)}\nClasses in order: {legend}."
    )
    facts = {key: card[key] for key in ("name", "kind", "bands", "segment_layers", "patch_size")}
    facts |= {"features": _formulas(card), "classes": card["classes"], "card": card}
    helper.set_model_props(
        model, {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()}
    )


def mlm_properties(card: Fields, dn_range: tuple[float, float] | None = None) -> dict[str, object]:
    """A model as properties of a STAC item, by the MLM extension 1.4.0.

    Parameters
    ----------
    card : mapping
        Of the model.
    dn_range : (float, float), optional
        Digital numbers of reflectance 0 and 1 in the product that was mapped. The models
        standardise inside, so this is all the scaling that bands of a sensor need; others, such
        as an elevation, are taken as they are.
    """
    kind = KINDS[card["kind"]]
    patches = kind.takes_patches or kind.learns_tiles
    tasks = ["semantic-segmentation"] if patches else ["classification"]
    version = card.get("versions", {}).get(kind.framework.lower(), "")
    properties = {
        "mlm:name": card["name"],
        "mlm:architecture": kind.architecture,
        "mlm:tasks": tasks,
        "mlm:framework": kind.framework,
        "mlm:framework_version": version,
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:input": _inputs(card, patches, dn_range),
        "mlm:output": [_output(card, patches, tasks)],
        "mlm:hyperparameters": {"patch_size": card["patch_size"], "seed": card.get("seed")}
        | card.get("settings", {}),
    }
    if not _VERSION.fullmatch(version):
        del properties["mlm:framework_version"]
    return properties


def mlm_bands(card: Fields) -> list[dict[str, object]]:
    """What a model reads, as ``raster:bands`` of its asset: names, types, training statistics."""
    names = [*Inputs.from_card(card).seen, *card["features"]]
    scaling = card.get("scaling", {})
    means, stds = (scaling.get(key, [None] * len(names)) for key in ("means", "stds"))
    bands: list[dict[str, object]] = [{"name": name, "data_type": "float32"} for name in names]
    for band, mean, std in zip(bands, means, stds, strict=True):
        if mean is not None and np.isfinite([mean, std]).all():
            band["statistics"] = {"mean": mean, "stddev": std}
    return bands + [{"name": layer, "data_type": "uint8"} for layer in card["segment_layers"]]


def stac_classes(legend: Legend) -> list[dict[str, object]]:
    """Classes as ``classification:classes``, with codes as values.

    >>> stac_classes(Legend.corine(1))[-1]["name"]
    'water_bodies'
    """
    return [
        {
            "value": c.code,
            "name": re.sub(r"[^0-9a-z]+", "_", c.name.lower()).strip("_"),
            "description": f"{c.code} {c.name}",
            "color_hint": c.hex_colour.lstrip("#").upper(),
        }
        for c in legend.classes
    ]


def _formulas(card: Fields) -> dict[str, str]:
    """Features of a model, in the order in which it takes them."""
    return {name: formula(name, card["bands"]) for name in card["features"]}


def _inputs(
    card: Fields, patches: bool, dn_range: tuple[float, float] | None
) -> list[dict[str, object]]:
    """Model Input Objects of MLM."""
    formulas = _formulas(card)
    derived = [
        {"name": n, "format": "text" if windowed([n]) else "numpy", "expression": f}
        for n, f in formulas.items()
    ]
    # pystac reads names alone or objects alone
    seen = Inputs.from_card(card).seen
    bands: list[object] = [{"name": band} for band in seen] if derived else list(seen)
    first: dict[str, object] = {
        "name": "reflectance" if patches or KINDS[card["kind"]].reads_dates else "values",
        "bands": [*bands, *derived],
        "input": _structure(card, patches, len(seen) + len(derived), "channel"),
        "description": usage(card),
    }
    if dn_range:
        scale = {"type": "min-max", "minimum": dn_range[0], "maximum": dn_range[1]}
        same = {"type": "scale", "value": 1}
        imaged = sensor_of(seen).names
        scales = [scale if band in imaged else same for band in seen]
        first["value_scaling"] = [*scales, *[same] * len(derived)]
    if not card["segment_layers"]:
        return [first]
    layers = card["segment_layers"]
    shape = {"shape": [-1, len(layers)], "dim_order": ["batch", "channel"], "data_type": "int32"}
    return [first, {"name": "segment_types", "bands": list(layers), "input": shape}]


def _output(card: Fields, patches: bool, tasks: Sequence[str]) -> dict[str, object]:
    """The Model Output Object of MLM."""
    return {
        "name": "classes",
        "tasks": list(tasks),
        "result": _structure(card, patches, len(card["classes"]), "class"),
        "description": "Probability of every class, in the order of classification:classes.",
        "classification:classes": stac_classes(Legend.from_dicts(card["classes"])),
    }


def _structure(card: Fields, patches: bool, last: int, axis: str) -> dict[str, object]:
    """Shape, order and type of an input or output; -1 is any size."""
    shape, order = [-1, last], ["batch", axis]
    if KINDS[card["kind"]].reads_dates:
        shape = _shape(card, last)
        square = ["height", "width"] if patches else []
        order = ["batch", *["time"] * (len(shape) - len(square) - 2), *square, axis]
        if axis == "class":  # one map, or one class, of all dates
            shape = [-1, *shape[-3:-1], last] if patches else [-1, last]
            order = ["batch", *square, axis]
        return {"shape": shape, "dim_order": order, "data_type": "float32"}
    dense = KINDS[card["kind"]].dense
    if patches and (axis == "channel" or dense):
        side = -1 if dense else card["patch_size"]
        shape, order = [-1, side, side, last], ["batch", "height", "width", axis]
    return {"shape": shape, "dim_order": order, "data_type": "float32"}

"""STAC items: valid under pystac and readable by its extension classes, paths, times, places.

Extensions publish their schemas on the web alone. `SCHEMAS` holds, in our own words, what
they demand of an item such as ours, so that tests need no network; `make test-slow` also
validates against the published ones where the network allows.
"""

from __future__ import annotations

import json
import urllib.request
from itertools import pairwise

import numpy as np
import pystac
import pytest
import shapely
from affine import Affine
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.mlm import MLMExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.crs import CRS
from rasterio.warp import transform

from landcover.classifiers.exchange import metadata
from landcover.classifiers.kinds import KINDS
from landcover.files import raster_writer
from landcover.files.atomic import write_json
from landcover.grid import Grid
from landcover.legend import Legend
from landcover.reports import stac
from landcover.run import Run
from tests.conftest import utm_grid

LEGEND = Legend.corine(3).subset([211, 311, 512])
BANDS = ("B02", "B03", "B04", "B08")
CLASSES = {
    "type": "array",
    "minItems": 1,
    "uniqueItems": True,
    "items": {
        "type": "object",
        "required": ["value", "name"],
        "properties": {
            "value": {"type": "integer"},
            "name": {"type": "string", "pattern": "^[0-9A-Za-z_-]+$"},
            "description": {"type": "string"},
            "color_hint": {"type": "string", "pattern": "^[0-9A-F]{6}$"},
        },
    },
}
DATA_TYPE = {"enum": ["uint8", "uint16", "int32", "float32"]}
RASTER_BANDS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["name", "data_type"],
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "data_type": DATA_TYPE,
            "nodata": {"oneOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}]},
            "spatial_resolution": {"type": "number"},
            "statistics": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {"mean": {"type": "number"}, "stddev": {"type": "number"}},
            },
        },
    },
}
STRUCTURE = {
    "type": "object",
    "required": ["shape", "dim_order", "data_type"],
    "properties": {
        "shape": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": -1}},
        "dim_order": {
            "type": "array",
            "uniqueItems": True,
            "items": {"type": "string", "pattern": "^[a-z_-]+$"},
        },
        "data_type": DATA_TYPE,
    },
}
SCALING = {
    "type": "array",
    "minItems": 1,
    "items": {
        "oneOf": [
            {"required": ["minimum", "maximum"], "properties": {"type": {"const": "min-max"}}},
            {"required": ["value"], "properties": {"type": {"const": "scale"}}},
        ]
    },
}
MODEL_BAND = {
    "oneOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "required": ["name"],
            "dependencies": {"format": ["expression"], "expression": ["format"]},
            "additionalProperties": False,
            "properties": {"name": {}, "format": {"type": "string"}, "expression": {}},
        },
    ]
}
TASKS = {"type": "array", "items": {"enum": ["classification", "semantic-segmentation"]}}
MODEL_ROLE = {"properties": {"roles": {"contains": {"const": "mlm:model"}}}}


def prefixed(prefix: str, fields: dict, **more) -> dict:
    """An object whose fields of a prefix are these and no others."""
    other = {f"^(?!{prefix}:)": {}}
    return {
        "properties": fields,
        "patternProperties": other,
        "additionalProperties": False,
        **more,
    }


def of_item(properties: dict, asset: dict, **more) -> dict:
    """A schema of an item's properties and of each of its assets."""
    assets = {"type": "object", "additionalProperties": asset, **more}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://example.org/constraints.json",
        "properties": {"properties": properties, "assets": assets},
    }


SCHEMAS = {
    "raster": of_item({}, prefixed("raster", {"raster:bands": RASTER_BANDS})),
    "classification": of_item({}, prefixed("classification", {"classification:classes": CLASSES})),
    "projection": of_item(
        prefixed(
            "proj",
            {
                "proj:code": {"type": "string", "pattern": "^[A-Z]+:[0-9]+$"},
                "proj:wkt2": {"type": "string"},
                "proj:shape": {
                    "minItems": 2,
                    "maxItems": 2,
                    "items": {"type": "integer"},
                },
                "proj:bbox": {"minItems": 4, "maxItems": 4, "items": {"type": "number"}},
                "proj:transform": {"minItems": 6, "maxItems": 6, "items": {"type": "number"}},
            },
            required=["proj:shape", "proj:bbox", "proj:transform"],
        ),
        {},
    ),
    "mlm": of_item(
        prefixed(
            "mlm",
            {
                "mlm:name": {"pattern": r"^[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]$"},
                "mlm:architecture": {"type": "string"},
                "mlm:framework": {"enum": ["Keras", "scikit-learn"]},
                "mlm:framework_version": {"pattern": r"^\d+\.\d+\.\d+$"},
                "mlm:tasks": TASKS,
                "mlm:pretrained": {"const": False},
                "mlm:pretrained_source": {"type": "null"},
                "mlm:hyperparameters": {
                    "minProperties": 1,
                    "patternProperties": {"^[0-9a-zA-Z_.-]+$": {}},
                    "additionalProperties": False,
                },
                "mlm:input": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "required": ["name", "bands", "input"],
                        "properties": {
                            "name": {"type": "string", "minLength": 1},
                            "bands": {"type": "array", "minItems": 1, "items": MODEL_BAND},
                            "input": STRUCTURE,
                            "description": {"type": "string", "minLength": 1},
                            "value_scaling": SCALING,
                        },
                    },
                },
                "mlm:output": {
                    "type": "array",
                    "items": {
                        "required": ["name", "tasks", "result"],
                        "properties": {
                            "tasks": TASKS,
                            "result": STRUCTURE,
                            "classification:classes": CLASSES,
                        },
                    },
                },
            },
            required=["mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"],
        ),
        {
            # An asset is the model, with the way it was saved and its named bands, or neither
            "if": {"required": ["roles"], **MODEL_ROLE},
            "then": {
                "required": ["mlm:artifact_type", "raster:bands"],
                "properties": {"mlm:artifact_type": {"type": "string", "minLength": 1}},
            },
            "else": prefixed("mlm", {}),
        },
        required=["model"],
    ),
}


def card_of(kind="mlp", **changes):
    """A card as training writes it."""
    features = [] if kind.startswith("cnn") else ["ndvi"]
    n = len(BANDS) + len(features)
    file = "model.skops" if kind in ("forest", "knn") else "model.keras"
    card = {
        "name": kind,
        "kind": kind,
        "file": file,
        "classes": [c.as_dict() for c in LEGEND.classes],
        "bands": list(BANDS),
        "features": features,
        "segment_layers": [],
        "patch_size": 7 if kind.startswith("cnn") else 1,
        "scaling": {"means": [0.1, 0.2, 0.3, 0.4, 0.5][:n], "stds": [0.05] * n},
        "seed": 0,
        "settings": {"epochs": 3, "class_weight": None},
        "versions": {"keras": "3.15.1", "scikit-learn": "1.9.1"},
    }  # fmt: skip
    return card | changes


def write_map(folder, grid, card, settings=None):
    """A run with a map, its style, and files in the model's place; the item's path."""
    run = Run(folder / "run")
    name = card["name"]
    labels = np.full(grid.shape, 211, np.uint16)
    raster_writer.write(run.map(name), labels, grid, ["class"], nodata=0, legend=LEGEND)
    confidence = np.full(grid.shape, 70, np.uint8)
    raster_writer.write(run.confidence(name), confidence, grid, ["confidence_percent"], nodata=255)
    write_json(run.model(name) / "card.json", card)
    (run.model(name) / card["file"]).write_bytes(b"")
    acquired = (settings or {}).get("acquired", ())
    properties = metadata.mlm_properties(card, (1000, 11_000))
    bands = metadata.mlm_bands(card)
    layers = {"map": run.map(name), "confidence": run.confidence(name)}
    files = stac.MapFiles(name, "run", layers, run.item(name), run.model(name), acquired)
    classes = metadata.stac_classes(Legend.from_dicts(card["classes"]))
    write_json(run.item(name), stac.item_of(files, classes, properties, bands))
    return run.item(name)


def validated(path) -> pystac.Item:
    """The item, read and validated offline."""
    item = pystac.Item.from_file(path)
    validator = JsonSchemaSTACValidator()
    for uri in item.stac_extensions:
        (schema,) = (schema for name, schema in SCHEMAS.items() if f"/{name}/" in uri)
        validator.schema_cache[uri] = schema
    checked = item.validate(validator=validator)
    assert len(checked) == 1 + len(stac.EXTENSIONS)
    return item


@pytest.mark.parametrize("kind", ["forest", "extra-trees", "svm", "logistic-regression", "mlp"])
def test_an_item_of_features_names_each_and_is_valid(tmp_path, grid, kind):
    """Of bands that the model sees, and of those that only features are made of."""
    assert kind in KINDS
    names = ["ratio=nir/red", "glcm:B08:entropy", "glcm:pc1:mean", "pc1", "slope", "aspect_sin"]
    names += ["tpi", "tpi:150"]
    card = card_of(
        kind, bands=[*BANDS, "elevation"], features=names, unseen=["elevation"], scaling={},
        file=KINDS[kind].file,
    )  # fmt: skip
    item = validated(write_map(tmp_path, grid, card))
    model = MLMExtension.ext(item)
    (values,) = model.input
    assert values.input.shape[-1] == len(BANDS) + len(names)
    held = [band.to_dict() for band in values.bands]
    assert [band["name"] for band in held] == [*BANDS, *names]
    expressions = {band["name"]: band.get("expression") for band in held}
    assert expressions["ratio=nir/red"] == "B08/B04" and "B08" in expressions["glcm:B08:entropy"]
    assert "300 m" in expressions["tpi"] and "150 m" in expressions["tpi:150"]


@pytest.mark.parametrize("kind", ["forest", "knn", "mlp", "cnn", "cnn-published"])
def test_an_item_is_valid_and_pystac_reads_it(tmp_path, grid, kind):
    card = card_of(kind)
    path = write_map(tmp_path, grid, card)
    item = validated(path)
    assert path == tmp_path / "run" / "maps" / "stac" / f"{kind}.json"
    assert item.id == f"run-{kind}"
    asset = item.assets["map"]
    (band,) = RasterExtension.ext(asset).bands
    assert (band.nodata, band.data_type, band.spatial_resolution) == (0, "uint16", 10)
    classes = ClassificationExtension.ext(asset).classes
    assert [c.value for c in classes] == list(LEGEND.codes)
    assert [c.color_hint for c in classes] == ["FFFFA8", "80FF00", "80F2E6"]
    (confidence,) = RasterExtension.ext(item.assets["confidence"]).bands
    assert confidence.nodata == 255
    place = ProjectionExtension.ext(item)
    assert (place.code, place.shape) == ("EPSG:32633", [120, 160])
    assert place.transform == list(grid.transform)[:6]
    model = MLMExtension.ext(item)
    assert model.mlm_name == kind
    structure = model.input[0].input
    dense = kind.startswith("cnn")
    assert structure.shape[-1] == len(card["bands"]) + len(card["features"])
    assert len(structure.shape) == len(structure.dim_order) == (4 if dense else 2)
    (output,) = model.output
    assert [c.value for c in output.classes] == list(LEGEND.codes)
    assert output.result.shape[-1] == 3


def test_paths_are_relative_and_lead_to_files(tmp_path, grid):
    path = write_map(tmp_path, grid, card_of("cnn"))
    item = validated(path)
    hrefs = {key: asset.href for key, asset in json.loads(path.read_text())["assets"].items()
             for asset in [pystac.Asset.from_dict(asset)]}  # fmt: skip
    assert hrefs["map"] == "../cnn.tif"
    assert hrefs["style"] == "../cnn.qml"
    assert hrefs["model"] == "../../models/cnn/model.keras"
    assert all((path.parent / href).exists() for href in hrefs.values())
    assert "probabilities" not in hrefs
    assert str(tmp_path) not in path.read_text()
    assert item.assets["model"].roles == ["mlm:model"]


def test_every_form_of_a_model_is_named(tmp_path, grid):
    card = card_of("forest")
    write_map(tmp_path, grid, card)
    (tmp_path / "run" / "models" / "forest" / "model.onnx").write_bytes(b"")
    item = validated(write_map(tmp_path, grid, card))
    assert item.assets["onnx"].extra_fields["mlm:artifact_type"] == "onnx.save"
    assert item.assets["model"].href.endswith("model.skops")


def test_segment_types_are_a_second_input(tmp_path, grid):
    item = validated(write_map(tmp_path, grid, card_of("mlp", segment_layers=["hierarchy-8"])))
    values, types = MLMExtension.ext(item).input
    assert [band.name for band in values.bands] == [*BANDS, "ndvi"]
    assert values.bands[-1].expression == "clip((B08 - B04) / (B08 + B04), -1, 1)"
    assert types.name == "segment_types"
    names = [band["name"] for band in item.assets["model"].extra_fields["raster:bands"]]
    assert names == [*BANDS, "ndvi", "hierarchy-8"]


def test_digital_numbers_become_reflectance(tmp_path, grid):
    path = write_map(tmp_path, grid, card_of("forest"))
    (given,) = json.loads(path.read_text())["properties"]["mlm:input"]
    dn = np.array([1000, 3500, 11_000])
    scale = given["value_scaling"][0]
    reflectance = (dn - scale["minimum"]) / (scale["maximum"] - scale["minimum"])
    assert reflectance.tolist() == pytest.approx([0, 0.25, 1])
    assert len(given["value_scaling"]) == len(given["bands"])
    assert given["value_scaling"][-1] == {"type": "scale", "value": 1}


@pytest.mark.parametrize(
    ("acquired", "expected"),
    [
        (["2022-06-01T10:00:31Z"], ("2022-06-01T10:00:31Z", None, None)),
        (
            ["2022-06-03T10:00:31Z", "2022-06-01T10:00:31Z"],
            (None, "2022-06-01T10:00:31Z", "2022-06-03T10:00:31Z"),
        ),
        ([], (None, "2015-06-23T00:00:00Z", "9999-12-31T23:59:59Z")),
    ],
)
def test_times_are_those_of_the_tiles(tmp_path, grid, acquired, expected):
    path = write_map(tmp_path, grid, card_of(), {"acquired": acquired})
    validated(path)
    properties = json.loads(path.read_text())["properties"]
    found = (properties.get(k) for k in ("datetime", "start_datetime", "end_datetime"))
    assert tuple(found) == expected
    assert ("not known" in properties.get("description", "")) == (not acquired)


def test_outline_and_box_are_the_grid_in_longitude_and_latitude(tmp_path):
    grid = utm_grid(400, 600)
    item = json.loads(write_map(tmp_path, grid, card_of()).read_text())
    (ring,) = item["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    west, south, east, north = grid.bounds
    xs, ys = transform("EPSG:4326", grid.crs, *zip(*ring, strict=True))
    assert {(round(x), round(y)) for x, y in zip(xs, ys, strict=True)} == {
        (west, south), (west, north), (east, south), (east, north)
    }  # fmt: skip
    lons, lats = zip(*ring, strict=True)
    box = [min(lons), min(lats), max(lons), max(lats)]
    assert item["bbox"] == pytest.approx(box, abs=1e-5)


def test_a_long_edge_follows_its_curve(tmp_path):
    """Half-way between corners a straight line in degrees would lie hundreds of metres off."""
    grid = Grid(CRS.from_epsg(32633), Affine(1000, 0, 3e5, 0, -1000, 5.8e6), 110, 110)
    item = json.loads(write_map(tmp_path, grid, card_of()).read_text())
    (ring,) = item["geometry"]["coordinates"]
    middles = [(np.add(a, b) / 2) for a, b in pairwise(ring)]
    xs, ys = transform("EPSG:4326", grid.crs, *np.transpose(middles).tolist())
    west, south, east, north = grid.bounds
    off = [min(abs(x - west), abs(x - east), abs(y - south), abs(y - north))
           for x, y in zip(xs, ys, strict=True)]  # fmt: skip
    assert max(off) < 10


def test_a_scene_across_the_antimeridian(tmp_path):
    grid = Grid(CRS.from_epsg(32760), Affine(1000, 0, 750_000, 0, -1000, 8e6), 100, 100)
    item = validated(write_map(tmp_path, grid, card_of()))
    assert item.geometry["type"] == "MultiPolygon"
    assert item.bbox[0] > 179 and item.bbox[2] < -179


@pytest.mark.parametrize(
    ("west", "bbox", "parts"),
    [
        (180.5, [-179.5, 49, -178.5, 50], 1),
        (-181.5, [178.5, 49, 179.5, 50], 1),
        (179.5, [179.5, 49, -179.5, 50], 2),
        (-180.25, [179.75, 49, -179.25, 50], 2),
        (179, [179, 49, 180, 50], 1),
    ],
)
def test_degrees_beyond_180_go_on_from_the_other_side(tmp_path, west, bbox, parts):
    grid = Grid(CRS.from_epsg(4326), Affine(0.01, 0, west, 0, -0.01, 50), 100, 100)
    item = validated(write_map(tmp_path, grid, card_of()))
    assert item.bbox == pytest.approx(bbox)
    outline = shapely.geometry.shape(item.geometry)
    assert outline.area == pytest.approx(1) and len(shapely.get_parts(outline)) == parts
    assert outline.bounds[0] >= -180 and outline.bounds[2] <= 180


def test_geographic_and_custom_crs(tmp_path):
    degrees = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 12, 0, -0.01, 50), 100, 100)
    item = validated(write_map(tmp_path / "a", degrees, card_of()))
    assert item.bbox == pytest.approx([12, 49, 13, 50])
    # 0.01 degrees at 49.5 N are 724 m by 1112 m
    band = item.assets["map"].extra_fields["raster:bands"][0]
    assert band["spatial_resolution"] == pytest.approx((724.1 * 1112.2) ** 0.5, rel=1e-3)
    custom = CRS.from_proj4("+proj=laea +lat_0=51 +lon_0=11 +ellps=GRS80 +units=m")
    own = Grid(custom, Affine(10, 0, 0, 0, -10, 0), 50, 50)
    properties = validated(write_map(tmp_path / "b", own, card_of())).properties
    assert "proj:code" not in properties and properties["proj:wkt2"].startswith("PROJCRS")


def test_same_bytes_again(tmp_path, grid):
    first = write_map(tmp_path, grid, card_of()).read_bytes()
    assert write_map(tmp_path, grid, card_of()).read_bytes() == first


def test_odd_versions_are_left_out():
    properties = metadata.mlm_properties(card_of(versions={"keras": "3.9.0.dev1"}))
    assert "mlm:framework_version" not in properties


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["forest", "cnn"])
def test_valid_under_the_published_schemas(tmp_path, grid, kind):
    try:
        urllib.request.urlopen(stac.EXTENSIONS[0], timeout=5).close()
    except OSError as error:
        pytest.skip(f"the published schemas are out of reach: {error}")
    item = pystac.Item.from_file(write_map(tmp_path, grid, card_of(kind)))
    assert len(item.validate()) == 1 + len(stac.EXTENSIONS)

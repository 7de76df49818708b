"""The service of a run with dates: a layer a date, maps of dates, and the slider of the page."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image as Picture

from landcover.files import raster_writer, rasters
from landcover.files.class_rasters import write_classes
from landcover.service.layers import layers_of
from landcover.service.state import load
from tests.fixtures.sequence_runs import DAYS, LEGEND, write_sequence_run
from tests.fixtures.serving import LIMITS, client_of, needs_javascript, serving

MAP, OF_ALL = "ltae@20220520.20220625", "ltae"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of six dates with maps of all of them and of two."""
    run = write_sequence_run(tmp_path_factory.mktemp("served") / "run", 160, 200, cloud=0.3)
    for name, days in ((OF_ALL, DAYS), (MAP, DAYS[1:3])):
        codes = rasters.read_classes(run.reference)
        write_classes(run.map(name), codes, rasters.grid_of(run.scene), LEGEND)
        run.record(f"map {name}", {"model": "ltae", "dates": list(days)}, [], [run.map(name)])
    return run


@pytest.fixture(scope="module")
def layers(run):
    return layers_of(run)


def test_every_date_is_a_layer_between_scene_and_labels(layers):
    names = list(layers)
    assert names[0] == "scene" and names[1:7] == [f"date-{day}" for day in DAYS]
    assert layers["scene"].days == () and layers[f"date-{DAYS[2]}"].days == (DAYS[2],)
    assert layers[f"map-{MAP}"].days == DAYS[1:3] and layers[f"map-{OF_ALL}"].days == DAYS
    stretches = {layers[f"date-{day}"].stretch for day in DAYS}
    assert len(stretches) == 1, "light can be compared"
    assert layers[f"date-{DAYS[0]}"].title == f"True colour, {DAYS[0]}"


def test_dates_that_are_all_cloud_say_nothing_of_the_light_of_others(tmp_path):
    run = write_sequence_run(tmp_path / "run", 160, 200, cloud=0.3)
    expected = layers_of(run)[f"date-{DAYS[0]}"].stretch
    for day in DAYS[2:]:
        image = rasters.read(run.date(day))
        grid, names = rasters.grid_of(run.date(day)), rasters.band_names(run.date(day))
        raster_writer.write(run.date(day), np.full_like(image, np.nan), grid, names, nodata=np.nan)
    np.testing.assert_allclose(layers_of(run)[f"date-{DAYS[0]}"].stretch, expected, rtol=0.2)


@needs_javascript
def test_the_answers_name_the_days(run):
    with serving(load(run, None, LIMITS)) as url, client_of(url) as client:
        held = {layer["name"]: layer for layer in client.get("/layers").json()["layers"]}
        assert held[f"map-{MAP}"]["days"] == list(DAYS[1:3]) and held["labels"]["days"] == []
        west, south, east, north = held["scene"]["bounds"]
        z = held["scene"]["min_zoom"]
        lon, lat = np.radians((west + east) / 2), np.radians((south + north) / 2)
        x = int((lon / np.pi + 1) / 2 * 2**z)
        y = int((1 - np.arcsinh(np.tan(lat)) / np.pi) / 2 * 2**z)
        shares = [opaque(client.get(f"/tiles/date-{day}/{z}/{x}/{y}.png")) for day in DAYS]
        assert min(shares) > 0 and len(set(shares)) > 1, "clouds of a date are transparent"
        assert max(shares) < opaque(client.get(f"/tiles/scene/{z}/{x}/{y}.png")) + 1e-9
        refused = client.get("/tiles/date-2022-01-01/0/0/0.png")
        assert refused.status_code == 404 and "there is no layer" in refused.json()["detail"]
        described = client.get("/openapi.json").json()["components"]["schemas"]["LayerFacts"]
        assert described["properties"]["days"]["type"] == "array"


def opaque(answer: httpx.Response) -> float:
    """Share of a tile that shows something."""
    assert answer.status_code == 200
    return float(
        (np.asarray(Picture.open(io.BytesIO(answer.content)).convert("RGBA"))[..., 3] > 0).mean()
    )

"""What QGIS shows of every raster of a run that is opened there by its name alone."""

from __future__ import annotations


def test_a_map_opens_with_its_classes(in_qgis, qgis_run, tmp_path):
    path = str(qgis_run / "maps" / "nearest-centroid-plain.tif")
    found = in_qgis("look.py", tmp_path, path)[path]
    assert found["renderer"] == "paletted"
    assert "211 Non-irrigated arable land" in [label for label, _ in found["legend"]]

"""The STAC item of a run's map: the map, the model in every form that it is stored in, its card."""

from __future__ import annotations

from pathlib import Path

from landcover.classifiers.names import model_of
from landcover.run import Run


def write_map_item(run: Run, name: str, home: Run) -> Path:
    """Write the STAC item of a model's map; `home` is the run that holds the model."""
    from landcover.classifiers import models
    from landcover.classifiers.exchange import metadata
    from landcover.reports import stac

    model = model_of(name)
    card = models.read_card(home, model)
    properties = metadata.mlm_properties(card, _dn_range(run))
    return stac.write_item(run, name, home.model(model), properties, metadata.mlm_bands(card))


def _dn_range(run: Run) -> tuple[float, float] | None:
    """Digital numbers of reflectance 0 and 1, where all bands of a run's product share them."""
    settings = run.read_manifest()["stages"].get("prep", {}).get("settings", {})
    radiometry = {
        (band["offset"], band["quantification"])
        for tiles in settings.get("bands", {}).values()
        for band in tiles
    }
    if len(radiometry) != 1:
        return None
    offset, quantification = radiometry.pop()
    return 0.0 - offset, quantification - offset

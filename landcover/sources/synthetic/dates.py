"""Two dates of one synthetic landscape: changes on the ground, and changes of appearance."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

import numpy as np

from landcover.errors import LandcoverError
from landcover.labels import generalise
from landcover.sources.synthetic import settlements, spectra
from landcover.sources.synthetic.landscape import ARABLE, Landscape
from landcover.sources.synthetic.scene import (
    LandscapeSettings,
    SyntheticScene,
    draw_land,
    grid_codes,
)
from landcover.sources.synthetic.surfaces import ground, sense

#: Least area of a field that an estate is built on, in pixels: 3 ha.
ESTATE_PX = 300


def make_dates(
    rows: int = 800,
    cols: int = 1600,
    seed: int = 0,
    *,
    later_seed: int = 1,
    estates: int = 0,
    new_crops: bool = False,
    noise: float = 0.0015,
    haze: float = 0.02,
    later_haze: float = 0.02,
    sun: float = 1.0,
    greenness: float = 1.0,
    **settings: Unpack[LandscapeSettings],
) -> tuple[SyntheticScene, SyntheticScene]:
    """Make two scenes of one place: the first is that of `make_scene`, the second is later.

    Parameters
    ----------
    rows, cols, seed, noise, haze, **settings
        Of the first scene, as `make_scene` takes them.
    later_seed : int
        Seed of the second date's noise and haze, of its new estates and, with `new_crops`,
        of all plants. Not negative.
    estates : int
        Fields of at least 3 ha, arable at first, that carry an industrial complex at the second
        date. Nothing else changes class.
    new_crops : bool
        Another year: crops, grass and crowns are drawn again. If not, both dates show the
        same plants.
    later_haze : float
        Share of the light that comes from haze at the second date, 0 to 0.5.
    sun : float
        Light at the second date against the first, 0.5 to 2, before the haze.
    greenness : float
        What green leaves reflect in the near infrared at the second date against the first, 0.5
        to 1.5: a pixel's B08 takes this factor by its NDVI.

    Returns
    -------
    first, second : SyntheticScene
        On one grid; ``first.truth != second.truth`` is the change.

    Raises
    ------
    LandcoverError
        If a setting is outside its range, or there are fewer fields than estates.

    Examples
    --------
    >>> first, second = make_dates(160, 200, seed=1, estates=1)
    >>> changed = first.truth != second.truth
    >>> np.unique(first.truth[changed]).tolist(), np.unique(second.truth[changed]).tolist()
    ([211], [121])
    """
    for name, value, low, high in (
        ("later_seed", later_seed, 0, 2**63 - 1),
        ("estates", estates, 0, 1000),
        ("later_haze", later_haze, 0, 0.5),
        ("sun", sun, 0.5, 2),
        ("greenness", greenness, 0.5, 1.5),
    ):
        if not low <= value <= high:
            raise LandcoverError(f"{name} {value:g} is out of range; choose {low:g} to {high:g}")
    land, first = draw_land(rows, cols, seed, noise=noise, haze=haze, **settings)
    later = _with_estates(land, np.random.default_rng([later_seed, 4]), estates)
    light = np.random.default_rng([later_seed if new_crops else seed, 1])
    image = ground(light, later)
    image[3] *= 1 + np.float32(greenness - 1) * np.clip(_ndvi(image), 0, 1)
    image *= np.float32(sun)
    image = sense(np.random.default_rng([later_seed, 5]), image, noise, later_haze)
    cells, _ = generalise.to_corine(later.truth, first.grid, np.random.default_rng([seed, 2]))
    return first, replace(first, image=image, truth=later.truth, corine=grid_codes(cells))


def _with_estates(land: Landscape, rng: np.random.Generator, estates: int) -> Landscape:
    """The landscape after industry was built on some of its fields; a copy where it differs."""
    arable = np.bincount(land.field[land.truth == ARABLE], minlength=land.fields)
    large = np.flatnonzero(arable >= ESTATE_PX)
    if large.size < estates:
        raise LandcoverError(
            f"{estates} estates need as many fields of {ESTATE_PX} px or more, and the scene "
            f"has {large.size}; ask for fewer, or make a larger scene"
        )
    built = replace(
        land.settlements,
        **{name: getattr(land.settlements, name).copy() for name in ("code", "use", "plot")},
    )
    truth = land.truth.copy()
    for number in rng.choice(large, estates, replace=False).tolist():
        where = (land.field == number) & (land.truth == ARABLE)
        settlements.build_estate(built, where, rng.uniform(0, np.pi / 2), number)
        truth[where] = settlements.INDUSTRY
    return replace(land, truth=truth, settlements=built)


def _ndvi(image: np.ndarray) -> np.ndarray:
    """Normalised difference of B08 and B04."""
    red, infrared = image[spectra.BANDS.index("B04")], image[spectra.BANDS.index("B08")]
    return (infrared - red) / np.maximum(infrared + red, 1e-6)

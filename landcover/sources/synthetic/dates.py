"""Two dates of one synthetic landscape: changes on the ground, and changes of appearance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from landcover.errors import InputError
from landcover.labels import generalise
from landcover.sensors import SENTINEL2
from landcover.sources.keep import Keep
from landcover.sources.synthetic import settlements
from landcover.sources.synthetic.instrument import sense
from landcover.sources.synthetic.landscape import ARABLE, Landscape
from landcover.sources.synthetic.look import Look, check_range
from landcover.sources.synthetic.scene import (
    SyntheticScene,
    draw_land,
    grid_codes,
)
from landcover.sources.synthetic.surfaces import ground

#: Bands that green leaves brighten in: the plateau beyond the red edge.
INFRARED = SENTINEL2.names_of(("rededge078", "nir", "nir08", "nir09"))
#: Least area of a field that an estate is built on, in pixels: 3 ha.
ESTATE_PX = 300


@dataclass(frozen=True)
class Later:
    """How the second date differs from the first.

    Attributes
    ----------
    seed : int
        Of its noise and haze, of new estates and, with `new_crops`, of all plants. Not negative.
    estates : int
        Fields of at least 3 ha, arable at first, that carry an industrial complex at the second
        date. Nothing else changes class.
    new_crops : bool
        Another year: crops, grass and crowns are drawn again. If not, both dates show the
        same plants.
    haze : float
        Share of the light that comes from haze, 0 to 0.5.
    sun : float
        Light against the first date, 0.5 to 2, before the haze.
    greenness : float
        What green leaves reflect in the near infrared against the first date, 0.5 to 1.5: a
        pixel's B07, B08, B8A and B09 take this factor by its NDVI.

    Raises
    ------
    LandcoverError
        If a number is outside its range.
    """

    seed: int = 1
    estates: int = 0
    new_crops: bool = False
    haze: float = Look.haze
    sun: float = 1.0
    greenness: float = 1.0

    def __post_init__(self) -> None:
        check_range("later seed", self.seed, 0, 2**63 - 1)
        check_range("estates", self.estates, 0, 1000)
        check_range("later haze", self.haze, 0, 0.5)
        check_range("sun", self.sun, 0.5, 2)
        check_range("greenness", self.greenness, 0.5, 1.5)


def make_dates(
    rows: int, cols: int, seed: int, later: Later, *, keep: Keep = "core", **look: float
) -> tuple[SyntheticScene, SyntheticScene]:
    """Make two scenes of one place: the first is that of `make_scene`, the second is later.

    Parameters
    ----------
    rows, cols, seed, keep, **look
        Of the first scene, as `make_scene` takes them.
    later : Later
        How the second one differs.

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
    >>> first, second = make_dates(160, 200, 1, Later(estates=1))
    >>> changed = first.truth != second.truth
    >>> np.unique(first.truth[changed]).tolist(), np.unique(second.truth[changed]).tolist()
    ([211], [121])
    """
    as_first = Look(**look)
    land, first = draw_land(rows, cols, seed, as_first, keep=keep)
    built = _with_estates(land, np.random.default_rng([later.seed, 4]), later.estates)
    light = np.random.default_rng([later.seed if later.new_crops else seed, 1])
    image = ground(light, built, first.bands, as_first.shade)
    infrared = [at for at, name in enumerate(first.bands) if name in INFRARED]
    image[infrared] *= 1 + np.float32(later.greenness - 1) * np.clip(
        _ndvi(image, first.bands), 0, 1
    )
    image *= np.float32(later.sun)
    air = np.random.default_rng([later.seed, 5])
    native = sense(air, image, first.bands, as_first.noise, later.haze)
    cells, _ = generalise.to_corine(built.truth, first.grid, np.random.default_rng([seed, 2]))
    later_scene = replace(
        first, image=image, truth=built.truth, corine=grid_codes(cells), native=native
    )
    return first, later_scene


def _with_estates(land: Landscape, rng: np.random.Generator, estates: int) -> Landscape:
    """The landscape after industry was built on some of its fields; a copy where it differs."""
    arable = np.bincount(land.field[land.truth == ARABLE], minlength=land.fields)
    large = np.flatnonzero(arable >= ESTATE_PX)
    if large.size < estates:
        raise InputError(
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


def _ndvi(image: np.ndarray, bands: Sequence[str]) -> np.ndarray:
    """Normalised difference of B08 and B04."""
    red, infrared = image[bands.index("B04")], image[bands.index("B08")]
    return (infrared - red) / np.maximum(infrared + red, 1e-6)

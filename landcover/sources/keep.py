"""Which bands of a product, or of files, a scene takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from landcover.errors import InputError
from landcover.grid import Grid
from landcover.sensors import Sensor
from landcover.sources.resolutions import is_coarser

#: A choice of bands: ``core``, ``10m``, ``20m``, ``all``, or names of bands; several make a union.
Keep = str | Sequence[str]

_UP_TO = re.compile(r"(\d+)m")


def kept_bands(keep: Keep, among: Sequence[str], sensor: Sensor, called: str) -> list[str]:
    """Names of the bands to keep, in the sensor's order; those that every scene needs always.

    Parameters
    ----------
    keep : str or sequence of str
        ``core``: blue, green, red and near-infrared. ``10m`` and ``20m``: bands that the sensor
        takes in pixels up to this size. ``all``. Or names such as B8A and swir16.
    among : sequence of str
        Bands that there are to choose from.
    sensor : Sensor
        Whose bands they are.
    called : str
        What errors call where they are from.

    Raises
    ------
    InputError
        If a word is no band, or one that is not there.

    Examples
    --------
    >>> from landcover.sensors import SENTINEL2
    >>> kept_bands(["red", "B8A"], SENTINEL2.names, SENTINEL2, "the product")
    ['B02', 'B03', 'B04', 'B08', 'B8A']
    >>> len(kept_bands("20m", SENTINEL2.names, SENTINEL2, "the product"))
    10
    """
    chosen = set(sensor.core)
    for word in [keep] if isinstance(keep, str) else keep:
        chosen |= _meant(word, among, sensor, called)
    return [name for name in sensor.names if name in chosen]


def _meant(word: str, among: Sequence[str], sensor: Sensor, called: str) -> set[str]:
    """Bands that a word stands for."""
    if word.lower() in ("core", "all"):
        return set(among) if word.lower() == "all" else set()
    up_to = _UP_TO.fullmatch(word.lower())
    if up_to:
        sizes = sorted({band.pixel_m for band in sensor.bands})
        if float(up_to[1]) not in sizes:
            listed = " ".join(f"{size:g}m" for size in sizes)
            raise InputError(
                f"keep={word!r} is no size of pixels of {sensor.title}; its bands are of {listed}: "
                "give one of these, core, all, or names of bands"
            )
        return {
            band.name
            for band in sensor.bands
            if band.name in among and band.pixel_m <= float(up_to[1])
        }
    name = word if word in sensor.names else sensor.band_of(word)
    if name is None:
        if "," in word:
            raise InputError(
                f"keep={word!r} is several words in one; give them one by one: "
                f"keep={' '.join(word.replace(',', ' ').split())}"
            )
        raise InputError(
            f"keep={word!r} is no band of {sensor.title}; give core, 10m, 20m, all, or names such "
            f"as {sensor.names[-1]}"
        )
    if name not in among:
        raise InputError(
            f"keep={word!r} is {name}, which {called} does not have; its bands are "
            f"{' '.join(among)}"
        )
    return {name}


def kept_of_files(
    keep: Keep | None, grids: Mapping[str, Grid], sensor: Sensor, called: str
) -> tuple[Sequence[str], str | None]:
    """Names of the bands that a tile of loose files takes, and a note on those that it leaves out.

    Without a choice it takes those of its own grid, and leaves out those that are coarser.
    """
    held = [name for name in sensor.names if name in grids]
    if keep is not None:
        kept = kept_bands(keep, held, sensor, f"the tile of {called}")
    else:
        core = [grids[name] for name in sensor.core if name in grids]
        further = set(held) - set(sensor.core)
        coarse = {name for name in further if any(is_coarser(grids[name], c) for c in core)}
        kept = [name for name in held if name not in coarse]
    return kept, note_on_kept(kept, held)


def note_on_kept(kept: Sequence[str], held: Sequence[str]) -> str | None:
    """A sentence on the bands that are left out; None where there are none."""
    left_out = [name for name in held if name not in kept]
    if not left_out:
        return None
    return f"kept {' '.join(kept)}; left out {' '.join(left_out)}, which keep='all' takes"

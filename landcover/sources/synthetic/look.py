"""What a synthetic scene looks like, as numbers within ranges."""

from __future__ import annotations

from dataclasses import dataclass

from landcover.errors import InputError

_RANGES = {
    "field_px": (12, 80),
    "noise": (0, 0.05),
    "haze": (0, 0.5),
    "woods": (0, 0.7),
    "pastures": (0, 0.7),
    "heath": (0, 0.7),
    "settlement": (0, 3),
    "relief_m": (0, 1000),
    "shade": (0, 1),
}


@dataclass(frozen=True)
class Look:
    """What a synthetic scene looks like.

    Attributes
    ----------
    field_px : float
        Side of a square of a typical field's area, 12 to 80; 30 is 9 ha.
    noise : float
        Deviation of the sensor's noise in reflectance, 0 to 0.05.
    haze : float
        Share of the light that comes from haze, 0 to 0.5.
    woods, pastures, heath : float
        Woods and heath as shares of the scene, pastures as a share of the rest; 0 to 0.7
        each, woods and heath at most 0.85 together.
    settlement : float
        Number of towns, villages and farms against the usual, 0 to 3.
    relief_m : float
        Height of the highest hills over the river, m, 0 to 1000; 0 is level land. Woods and
        pastures then keep to slopes, conifers to heights, and waters to hollows.
    shade : float
        How much slopes are lit by where they face, 0 (as after a topographic correction) to 1
        (as Lambert's law has it).

    Raises
    ------
    LandcoverError
        If a number is outside its range.
    """

    field_px: float = 30.0
    noise: float = 0.0015
    haze: float = 0.02
    woods: float = 0.30
    pastures: float = 0.22
    heath: float = 0.05
    settlement: float = 1.0
    relief_m: float = 0.0
    shade: float = 1.0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            check_range(name, getattr(self, name), low, high)
        check_range("woods + heath", self.woods + self.heath, 0, 0.85)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise InputError unless a number is within its range."""
    if not low <= value <= high:
        raise InputError(f"{name} {value:g} is out of range; choose {low:g} to {high:g}")

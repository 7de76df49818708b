"""Synthetic Sentinel-2 scenes of lowland Europe, with exact truth and labels as CORINE's."""

from landcover.sources.synthetic.dates import Later, make_dates
from landcover.sources.synthetic.look import Look
from landcover.sources.synthetic.scene import BANDS, MINIMUM_PX, ORIGIN, SyntheticScene, make_scene

__all__ = [
    "BANDS",
    "MINIMUM_PX",
    "ORIGIN",
    "Later",
    "Look",
    "SyntheticScene",
    "make_dates",
    "make_scene",
]

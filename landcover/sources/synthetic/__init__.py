"""Synthetic Sentinel-2 scenes of lowland Europe, with exact truth and labels as CORINE's."""

from landcover.sources.synthetic.dates import Later, make_dates
from landcover.sources.synthetic.instrument import SIDE_PX
from landcover.sources.synthetic.look import Look
from landcover.sources.synthetic.scene import MINIMUM_PX, ORIGIN, SyntheticScene, make_scene
from landcover.sources.synthetic.sequence import SyntheticSequence, make_sequence
from landcover.sources.synthetic.spectra import ALL_BANDS, BANDS

__all__ = [
    "ALL_BANDS",
    "BANDS",
    "MINIMUM_PX",
    "ORIGIN",
    "SIDE_PX",
    "Later",
    "Look",
    "SyntheticScene",
    "SyntheticSequence",
    "make_dates",
    "make_scene",
    "make_sequence",
]

"""Wall-to-wall prediction: every valid pixel of a scene, by overlapping windows.

Floating-point sums depend a little on the shape of the arrays they run over, and
so can a label where two classes tie. Prediction therefore runs on tiles whose
shape and place follow from the scene alone; how many of them are read at once,
in which order, by which process, and how often the work was interrupted changes
time and memory, never a number.
"""

from landcover.classifiers.image_tiles import COMPUTE_PX, predict_tiles
from landcover.classifiers.protocol import Classifier, Reader, require_bands
from landcover.maps.client_facts import ClientFacts
from landcover.maps.cluster import connected
from landcover.maps.cluster_windows import Workers
from landcover.maps.outside import WARNED_SHARE, outside_share
from landcover.maps.prediction import predict_map, predict_map_in_job
from landcover.maps.scene_tiles import (
    APPLICABILITY,
    CONFIDENCE,
    CONFIDENCE_NODATA,
    ENTROPY,
    LABELS,
    PROBABILITIES,
    Source,
    layout,
    reading_windows,
)
from landcover.maps.verification import Agreement, verify
from landcover.samples.chips import cut

__all__ = [
    "APPLICABILITY",
    "COMPUTE_PX",
    "CONFIDENCE",
    "CONFIDENCE_NODATA",
    "ENTROPY",
    "LABELS",
    "PROBABILITIES",
    "Agreement",
    "Classifier",
    "ClientFacts",
    "Source",
    "Reader",
    "WARNED_SHARE",
    "Workers",
    "connected",
    "cut",
    "layout",
    "outside_share",
    "predict_map",
    "predict_map_in_job",
    "predict_tiles",
    "reading_windows",
    "require_bands",
    "verify",
]

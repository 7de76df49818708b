# The public names by room, from left to right; lazy_loader reads them here, and editors too.

from .classifiers.models import Model, load_model
from .errors import InputError, LandcoverError, MissingDependency, MissingProduct
from .files.raster_writer import write
from .files.rasters import read
from .grid import Grid, Window
from .labels.schemes import LabelScheme
from .legend import Legend
from .maps.prediction import predict_map
from .reports.accuracy import score
from .run import Run
from .samples.chips import chips
from .samples.splits import spatial_blocks
from .scene.features import compute_features
from .scene.segmentation.felzenszwalb import felzenszwalb
from .service.interactive_map import interactive_map
from .sources.band_files import open_bands
from .sources.image import read_image
from .sources.sentinel2 import open_sentinel2
from .sources.stac import open_stac
from .sources.synthetic.scene import make_scene
from .sources.synthetic.sequence import make_sequence
from .stages.api_models import assess, compare, ensemble, find_change, map_scene, train
from .stages.api_samples import denoise, prepare, sample, segment

__version__: str

__all__ = [
    "Grid",
    "InputError",
    "LabelScheme",
    "LandcoverError",
    "Legend",
    "MissingDependency",
    "MissingProduct",
    "Model",
    "Run",
    "Window",
    "assess",
    "chips",
    "compare",
    "compute_features",
    "denoise",
    "ensemble",
    "felzenszwalb",
    "find_change",
    "interactive_map",
    "load_model",
    "make_scene",
    "make_sequence",
    "map_scene",
    "open_bands",
    "open_sentinel2",
    "open_stac",
    "predict_map",
    "prepare",
    "read",
    "read_image",
    "sample",
    "score",
    "segment",
    "spatial_blocks",
    "train",
    "write",
]

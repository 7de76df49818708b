"""Neural networks in Keras: MLP, patch CNNs, training, storage, dense prediction.

The only room that imports Keras, and inside functions. Networks are built of
keras and keras.ops alone, so TensorFlow, JAX and PyTorch run them alike. Every
network takes reflectance with NaN for missing values, standardises it by layers
of its own and counts a missing value as the mean: the saved file is the whole
model, and a chip and a dense window get the same numbers.
"""

from landcover.networks.architectures import (
    build_cnn,
    build_mlp,
    build_published,
    check_patch_size,
    dilations,
)
from landcover.networks.backend import (
    load,
    predict,
    row_inputs,
    row_predictor,
    save,
    seed_everything,
)
from landcover.networks.classifier import PatchClassifier
from landcover.networks.training import (
    CNN_LEARNING_RATE,
    MLP_LEARNING_RATE,
    Examples,
    fit,
    turned,
)

__all__ = [
    "CNN_LEARNING_RATE",
    "MLP_LEARNING_RATE",
    "Examples",
    "PatchClassifier",
    "build_cnn",
    "build_mlp",
    "build_published",
    "check_patch_size",
    "dilations",
    "fit",
    "load",
    "predict",
    "row_inputs",
    "row_predictor",
    "save",
    "seed_everything",
    "turned",
]

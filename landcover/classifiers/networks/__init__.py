"""Neural networks in Keras: MLP, patch CNNs, training, storage, dense prediction.

The only folder that imports Keras, and only inside functions. Networks are built of keras and
keras.ops alone, so they run on TensorFlow, JAX and PyTorch. Every network takes reflectance with
NaN for missing values, standardises it in its own layers and counts a missing value as the mean.
So the saved file is the whole model, and a chip and a dense window get the same numbers.
"""

from landcover.classifiers.networks.architectures import (
    build_cnn,
    build_mlp,
    build_published,
    check_patch_size,
    dilations,
    hidden_network,
    means_of_bands,
    projected_network,
    weights_of_units,
)
from landcover.classifiers.networks.backend import (
    Network,
    backend_name,
    load,
    predict,
    predict_series,
    predict_tiles,
    row_inputs,
    row_predictor,
    save,
    seed_everything,
)
from landcover.classifiers.networks.batches import Examples, TileExamples
from landcover.classifiers.networks.conv_lstm import build_conv_lstm, build_unet_convlstm
from landcover.classifiers.networks.encoders import (
    build_tagger,
    fit_tagger,
    predict_tags,
    start_from,
)
from landcover.classifiers.networks.engine_choice import (
    PRECISIONS,
    Choice,
    choose_engine,
    require_precision,
    unproven_float32,
)
from landcover.classifiers.networks.engines import Engine
from landcover.classifiers.networks.image_architectures import (
    HEADS,
    IMAGE_NETWORKS,
    IMAGE_PX,
    build_image_network,
)
from landcover.classifiers.networks.image_classifier import ImageClassifier, image_probabilities
from landcover.classifiers.networks.image_recipes import Recipe, Stage
from landcover.classifiers.networks.image_training import (
    PRECISIONS_OF_TRAINING,
    Images,
    fit_images,
    parameters_of,
    precision_of,
    train_image_network,
)
from landcover.classifiers.networks.patch_classifier import PatchClassifier
from landcover.classifiers.networks.plans import BATCHES_OF, Plan, plan
from landcover.classifiers.networks.temporal_attention import build_ltae
from landcover.classifiers.networks.temporal_cnn import build_temporal_cnn
from landcover.classifiers.networks.tile_batches import SequenceTiles
from landcover.classifiers.networks.training import (
    MLP_LEARNING_RATE,
    Schedule,
    fit,
    predict_examples,
)
from landcover.classifiers.networks.training_logs import logged_in
from landcover.classifiers.networks.unet import BACKBONES, Encoder, TileShape, build_unet

__all__ = [
    "MLP_LEARNING_RATE",
    "PRECISIONS",
    "PRECISIONS_OF_TRAINING",
    "BACKBONES",
    "BATCHES_OF",
    "Choice",
    "Encoder",
    "Engine",
    "Examples",
    "HEADS",
    "IMAGE_NETWORKS",
    "IMAGE_PX",
    "ImageClassifier",
    "Images",
    "Network",
    "PatchClassifier",
    "Plan",
    "Recipe",
    "Stage",
    "SequenceTiles",
    "TileExamples",
    "TileShape",
    "backend_name",
    "build_cnn",
    "build_conv_lstm",
    "build_image_network",
    "build_mlp",
    "build_ltae",
    "build_published",
    "build_tagger",
    "build_temporal_cnn",
    "build_unet",
    "build_unet_convlstm",
    "check_patch_size",
    "choose_engine",
    "dilations",
    "Schedule",
    "fit",
    "fit_images",
    "fit_tagger",
    "hidden_network",
    "image_probabilities",
    "load",
    "logged_in",
    "means_of_bands",
    "parameters_of",
    "plan",
    "projected_network",
    "predict",
    "precision_of",
    "predict_examples",
    "predict_series",
    "predict_tiles",
    "predict_tags",
    "require_precision",
    "row_inputs",
    "row_predictor",
    "save",
    "seed_everything",
    "start_from",
    "train_image_network",
    "unproven_float32",
    "weights_of_units",
]

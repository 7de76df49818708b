"""Networks that are not trained on a run's samples, as kinds: of whole images, and encoders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from landcover.classifiers.protocol import Signature

if TYPE_CHECKING:
    from onnx import ModelProto

    from landcover.classifiers.networks import ImageClassifier, Network


def load_image_classifier(path: Path, signature: Signature) -> ImageClassifier:
    """The classifier of whole images in a Keras file."""
    from landcover.classifiers import networks

    return networks.ImageClassifier(
        signature.name,
        signature.legend,
        signature.inputs.bands,
        signature.inputs.patch_size,
        networks.load(path),
    )


def load_network(path: Path, _signature: Signature) -> Network:
    """The network in a Keras file, as it is."""
    from landcover.classifiers import networks

    return networks.load(path)


def export_network(path: Path) -> tuple[ModelProto, list[str]]:
    """A network as ONNX."""
    from landcover.classifiers import networks
    from landcover.classifiers.exchange.network_onnx import to_onnx

    return to_onnx(networks.load(path)), []

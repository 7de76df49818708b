"""Whether an exported model gives the probabilities of the stored one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import LandcoverError
from landcover.samples.chips import views

if TYPE_CHECKING:
    from landcover.classifiers.protocol import Classifier

#: Other kernels round otherwise, by some 1e-6; more is another model.
_TOLERANCE = 1e-3
#: Pixels of a window with margin, and its segment types, to probabilities.
Predict = Callable[[np.ndarray, "np.ndarray | None"], np.ndarray]
#: The same pixels and types, and which pixels count (rows, cols).
Seen = tuple[np.ndarray, "np.ndarray | None", np.ndarray]


def check(content: bytes, classifier: Classifier, seen: Iterable[Seen]) -> str:
    """How much an ONNX file differs from the classifier that it was made of, in words.

    Parameters
    ----------
    content : bytes
        The ONNX file.
    classifier : Classifier
        What it was made of.
    seen : iterable of (image, layers, valid)
        Windows of a scene with the classifier's margin, their segment types, and which of their
        pixels count.

    Raises
    ------
    LandcoverError
        If probabilities differ by more than rounding does.
    """
    predict = onnx_predict(content, classifier)
    pixels, differing, largest = 0, 0, 0.0
    for image, layers, valid in seen:
        own = classifier.predict_window(image, layers)[:, valid]
        other = predict(image, layers)[:, valid]
        pixels += own.shape[1]
        differing += int((own.argmax(axis=0) != other.argmax(axis=0)).sum())
        largest = max(largest, float(np.abs(own - other).max(initial=0)))
    found = f"largest difference of a probability {largest:.2g}, {differing} labels differ"
    if largest > _TOLERANCE:
        raise LandcoverError(
            f"ONNX Runtime does not give the probabilities of {classifier.name} ({found} on "
            f"{pixels} pixels); nothing was written: update onnxruntime, and report this if it "
            "stays"
        )
    return f"ONNX Runtime against the model on {pixels} pixels: {found}"


def onnx_predict(content: bytes, classifier: Classifier) -> Predict:
    """An ONNX file as a function of windows, as the classifier that it came from is."""
    from onnxruntime import InferenceSession

    from landcover.classifiers.pixels import PixelClassifier

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()

    def run(*arrays: np.ndarray) -> np.ndarray:
        return session.run(None, {i.name: a for i, a in zip(inputs, arrays, strict=False)})[0]

    def window(image: np.ndarray, _types: np.ndarray | None = None) -> np.ndarray:
        pixels = np.ascontiguousarray(np.moveaxis(image, 0, -1), np.float32)
        side = inputs[0].shape[1]
        if not isinstance(side, int):
            return np.moveaxis(run(pixels[np.newaxis])[0], -1, 0)
        chips = views(pixels, side)
        rows, cols = chips.shape[:2]
        return run(chips.reshape(-1, *chips.shape[2:])).T.reshape(-1, rows, cols)

    if isinstance(classifier, PixelClassifier):
        by_row = replace(
            classifier, predict=lambda values, types: run(values, types.astype(np.int32))
        )
        return by_row.predict_window
    return window

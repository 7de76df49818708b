"""Kinds of classifiers."""

from __future__ import annotations

#: Model file by kind.
FILES = {
    "forest": "model.skops",
    "knn": "model.skops",
    "mlp": "model.keras",
    "cnn": "model.keras",
    "cnn-published": "model.keras",
    "image": "model.keras",
    "encoder": "model.keras",
}
#: Kinds of models that give every pixel a class.
PIXEL_KINDS = ("forest", "knn", "mlp", "cnn", "cnn-published")

"""Whether pixels have the size on the ground that a model learnt from."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.classifiers.models import Model
from landcover.grid import Grid

#: Pixels that are larger or smaller by a greater factor are told.
_MOST_UNLIKE = 1.1


def other_pixels(grid: Grid, model: Model, called: str) -> str | None:
    """A sentence on pixels of another size on the ground than those that a model learnt from.

    None where they are alike, or where the card is of an older version and does not tell.
    """
    known, found = model.card.get("pixel_size_m"), grid.pixel_size_m
    if known is None or alike(found, known):
        return None
    size = model.inputs.patch_size
    patches = (
        f", and its patches of {size} x {size} pixels are {in_words(found, size)} instead of "
        f"{in_words(known, size)}"
    )
    return (
        f"{called} has pixels of {in_words(found)} on the ground, and model {model.name} learnt "
        f"from pixels of {in_words(known)}{patches if size > 1 else ''}"
    )


def alike(sides: Sequence[float], others: Sequence[float]) -> bool:
    """Whether pixels of two sizes, width and height in metres, serve one model.

    >>> alike((10, 10), (10.8, 9.7)), alike((10, 10), (20, 20))
    (True, False)
    """
    return all(
        1 / _MOST_UNLIKE <= ours / theirs <= _MOST_UNLIKE
        for ours, theirs in zip(sides, others, strict=True)
    )


def in_words(sides: Sequence[float], pixels: int = 1) -> str:
    """Width and height of some pixels in words."""
    return " x ".join(f"{pixels * side:.3g}" for side in sides) + " m"

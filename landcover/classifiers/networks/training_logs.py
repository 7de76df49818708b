"""Logs of training for TensorBoard: one folder for every network that is trained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.classifiers.networks.backend import keras_module
from landcover.errors import InputError, MissingDependency

if TYPE_CHECKING:
    import keras

_folder: Path | None = None


@contextmanager
def logged_in(folder: str | Path | None) -> Iterator[None]:
    """Log what is trained inside, every epoch, for TensorBoard.

    Parameters
    ----------
    folder : path, optional
        Gets a folder a network, by its name and the first number that is free; None logs nothing.

    Raises
    ------
    MissingDependency
        If TensorBoard, or TensorFlow that writes its files, is not installed.
    InputError
        If the folder cannot be made.
    """
    global _folder
    if folder is not None:
        _require_tensorboard()
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder} cannot hold logs of training ({error.strerror}); name a folder for "
                "tensorboard= that can be made"
            ) from None
    earlier, _folder = _folder, None if folder is None else Path(folder)
    try:
        yield
    finally:
        _folder = earlier


def callbacks_of_logs(name: str) -> list[keras.callbacks.Callback]:
    """What logs the training of a network where logs are asked for; nothing elsewhere.

    Parameters
    ----------
    name : str
        Of the network.
    """
    if _folder is None:
        return []
    word = re.sub(r"[^\w.@-]+", "-", name)
    number = 1
    while (place := _folder / f"{word}-{number}").exists():
        number += 1
    # The graph of a network says little beside its card, and not every backend has one
    return [keras_module().callbacks.TensorBoard(str(place), write_graph=False)]


def _require_tensorboard() -> None:
    try:
        import tensorboard  # noqa: F401
        import tensorflow  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"logs for TensorBoard need {error.name}; install it with: "
            "pip install 'landcover[tensorboard]'"
        ) from None

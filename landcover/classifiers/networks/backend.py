"""Keras itself: loading it quietly, seeds, model files, prediction in batches."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from landcover.errors import LandcoverError
from landcover.files.atomic import replace_when_whole

if TYPE_CHECKING:
    import keras

#: Keras' own types, by name for modules that may not import Keras.
Network: TypeAlias = "keras.Model"
Layer: TypeAlias = "keras.Layer"
Tensor: TypeAlias = "keras.KerasTensor"

#: What a network takes: an array, or one for each of its inputs.
Inputs: TypeAlias = np.ndarray | tuple[np.ndarray, ...]

#: Chips, or rows of values, that a network predicts at a time.
_CHIP_BATCH = 2048
_ROW_BATCH = 65_536
#: Rows of several dates: their embeddings are many times as large as the values.
_SERIES_BATCH = 8192
#: Tiles of several dates.
_TILE_BATCH = 64
_one_at_a_time = threading.Lock()


def keras_module() -> ModuleType:
    """Keras on the backend that the environment names, TensorFlow by default."""
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Sums over threads in a fixed order: the same seed gives the same weights
        os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
        # By default GPUs round factors of float32 to 10 bits, which would change labels
        os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
        os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    with _quiet():
        import keras
    # Tiles and chips have several shapes; TensorFlow warns about each, without need
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras


def keras_on_cpu() -> bool:
    """Whether Keras' backend computes on the processor, not on a GPU."""
    return "cpu" in str(getattr(keras_module().ops.zeros(1), "device", "cpu")).lower()


def compiled() -> bool:
    """Whether training steps are compiled as a whole, for `compile(jit_compile=...)`.

    JAX runs operation by operation otherwise. On TensorFlow XLA halves the speed of bfloat16 on a
    processor (`benchmarks/image_training.py`), and Keras declines it where sums have a fixed order.
    """
    return bool(keras_module().backend.backend() == "jax")


def prepare_optimizer(model: keras.Model) -> None:
    """Make what an optimiser keeps of each weight; before the first step, as `fit` would in it.

    TensorFlow traces a step that makes variables twice, which is a third of a short training.
    """
    model.optimizer.build(model.trainable_variables)


def backend_name() -> str:
    """Keras' backend and where it computes, such as ``tensorflow on cpu``: sums differ by both."""
    device = "cpu" if keras_on_cpu() else "gpu"
    return f"{keras_module().config.backend()} on {device}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what C code of libraries writes to standard error; show it if the import fails."""
    if "keras" in sys.modules:
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if failed:
                held.seek(0)
                os.write(2, held.read())


def seed_everything(seed: int) -> None:
    """Seed initial weights, dropout and the backend; call before building a network."""
    keras_module().utils.set_random_seed(seed)


def predict_batch(model: keras.Model, batch: Inputs | list[np.ndarray]) -> np.ndarray:
    """What a network says of a batch; one thread at a time, as it uses all cores itself."""
    with _one_at_a_time:
        return np.asarray(model.predict_on_batch(batch))


def predict(model: keras.Model, inputs: Callable[[np.ndarray], Inputs], n: int) -> np.ndarray:
    """Probabilities (n, classes) of n rows, made and predicted in batches."""
    size = _CHIP_BATCH if len(model.inputs[0].shape) == 4 else _ROW_BATCH
    parts = [
        predict_batch(model, inputs(np.arange(start, min(start + size, n))))
        for start in range(0, n, size)
    ]
    return np.concatenate(parts).reshape(n, -1)


def predict_series(model: keras.Model, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Probabilities (rows, classes) of rows of several dates, as their network takes them."""
    if not len(inputs[0]):
        return np.zeros((0, model.output_shape[-1]), np.float32)
    parts = []
    for start in range(0, len(inputs[0]), _SERIES_BATCH):
        batch = [values[start : start + _SERIES_BATCH] for values in inputs]
        parts.append(predict_batch(model, batch if len(batch) > 1 else batch[0]))
    return np.concatenate(parts)


def predict_tiles(model: keras.Model, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Probabilities (tiles, side, side, classes) of tiles, as their network takes them."""
    parts = []
    for start in range(0, len(inputs[0]), _TILE_BATCH):
        batch = [values[start : start + _TILE_BATCH] for values in inputs]
        parts.append(predict_batch(model, batch if len(batch) > 1 else batch[0]))
    return np.concatenate(parts) if parts else np.zeros((0, *model.output_shape[1:]), np.float32)


def row_inputs(
    model: keras.Model, values: np.ndarray, types: np.ndarray
) -> Callable[[np.ndarray], Inputs]:
    """What an MLP takes, by indices into values (rows, inputs) and segment types (rows, layers)."""
    if len(model.inputs) == 1:
        return lambda rows: values[rows]
    return lambda rows: (values[rows], types[rows])


def row_predictor(model: keras.Model) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """An MLP as a function of values (rows, inputs) and segment types (rows, layers)."""
    return lambda values, types: predict(model, row_inputs(model, values, types), len(values))


def save(model: keras.Model, path: str | Path) -> None:
    """Store a network as a ``.keras`` file, without the optimiser; never a partial file."""
    keras = keras_module()
    with replace_when_whole(path) as part:
        # The optimiser's state triples the file and only serves resumed training
        # With a list of one input, Keras warns when the loaded model is called on an array
        inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
        keras.Model(inputs, model.outputs[0], name=model.name).save(part)


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Give a network the weights of a file, which must have those of every layer."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras only warns of layers that a file lacks
        model.load_weights(path)


def load(path: str | Path) -> keras.Model:
    """A network that `save` stored; safe mode refuses files that carry code.

    Raises
    ------
    LandcoverError
        If the file is missing, unreadable, or carries code.
    """
    keras = keras_module()
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LandcoverError(
            f"{path} cannot be loaded as a network ({reason}); train the model again"
        ) from error

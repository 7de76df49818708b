"""Engines that run a patch network over windows: Keras, or OpenVINO where it is installed.

Labels do not depend on the engine. Every engine has a bound on its error in the logarithm of the
ratio of two classes' probabilities. Where the two best classes lie closer than that, the pixel is
predicted again by the next finer tier of precision: after bfloat16 comes OpenVINO's float32, by
chips or by the whole window, whichever is less work; after float32 comes Keras, always on the
pixel's own chip. So, as long as the bounds hold, a pixel has the label of its chip in Keras,
whatever engine ran and whatever window the pixel lay in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.best_class import near_ties
from landcover.classifiers.exchange.network_onnx import arithmetic, to_onnx
from landcover.classifiers.networks.backend import predict_batch
from landcover.errors import InputError, LandcoverError, MissingDependency
from landcover.files.atomic import Fields
from landcover.samples.chips import cut_chips

if TYPE_CHECKING:
    import keras
    import openvino

#: Bound of float32 where none is measured, and the least one. Networks here keep within a tenth.
FLOAT32_BOUND = 2e-5
#: Floating-point operations of the chips of one call, and the most chips of a call.
_FLOP_PER_CALL, _KERAS_CHIPS, _OPENVINO_CHIPS = 2e8, 96, 1024
#: Chips of a call of Keras are a multiple of this, or one. Matrix products take rows by panels of
#: 2, 3, 4, 6, 8 or 12, as the processor has registers, and round the rows that are left over in
#: another order: with 128 chips the last two differ from the others where panels are of 3.
_KERAS_PANEL = 24
#: Chips take about this many times what their arithmetic takes in windows: measured at 7 x 7.
_CHIP_TOLL = 2
#: OpenVINO's names of the precisions.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}

#: Images (n, bands, rows, cols) to probabilities (n, classes, rows, cols), new and in C order.
Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Engine:
    """The library and precision that run a network, and the bound on their error.

    Attributes
    ----------
    runtime : {"keras", "openvino"}
        Library that computes.
    precision : {"float32", "bfloat16"}
        Of the factors; sums are float32.
    bound : float
        Largest error of the logarithm of the ratio of two classes' probabilities.
        Pixels whose two best classes lie closer are predicted again.
    float32_bound : float
        The same of float32, where bfloat16 leaves a pixel to it.

    Examples
    --------
    >>> Engine.from_dict(Engine().as_dict()) == Engine()
    True
    """

    runtime: str = "keras"
    precision: str = "float32"
    bound: float = FLOAT32_BOUND
    float32_bound: float = FLOAT32_BOUND

    def __post_init__(self) -> None:
        known = [("keras", "float32"), ("openvino", "float32"), ("openvino", "bfloat16")]
        if (self.runtime, self.precision) not in known:
            raise InputError(
                f"there is no engine {self.runtime} {self.precision}; choose among "
                f"{', '.join(' '.join(pair) for pair in known)}"
            )

    def as_dict(self) -> Fields:
        """As JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Fields) -> Engine:
        """What `as_dict` gave; raises InputError if there is no such engine."""
        return cls(**values)

    def __str__(self) -> str:
        return f"{'Keras' if self.runtime == 'keras' else 'OpenVINO'} {self.precision}"


KERAS = Engine()


@dataclass(frozen=True)
class PrecisionTier:
    """A network in one precision, and the finer tier that predicts close pixels again.

    Attributes
    ----------
    run : callable
        Images to probabilities.
    patch_size : int
        Side of the patch around a pixel.
    chip_cost : float
        Cost of a chip over that of a pixel of a large window, whose neighbours share its work.
    chips : int
        Chips of a call. The number is fixed, so that the result of a chip does not depend on
        the other chips of its call, nor on its place among them.
    bound : float
        As in `Engine`.
    finer : PrecisionTier, optional
        Tier that predicts close pixels again; without it the result is that of `run`.
    """

    run: Run
    patch_size: int
    chip_cost: float
    chips: int
    bound: float = 0.0
    finer: PrecisionTier | None = None

    def predict(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Probabilities (classes, rows, cols) of windows, those of close pixels by `finer`.

        Parameters
        ----------
        images : sequence of array of float32, (bands, rows + 2 radius, cols + 2 radius)
            Close pixels of all of them share calls, so many windows at once take less time
            than one by one. The result is the same.
        """
        found = [self.run(image[np.newaxis])[0] for image in images]
        if self.finer is None:
            return found
        close = [near_ties(*each, self.bound) for each in zip(found, images, strict=True)]
        crowded = [self._is_crowded(*each) for each in zip(found, close, strict=True)]
        whole = [n for n, each in enumerate(crowded) if each]
        sparse = [n for n, each in enumerate(crowded) if not each and len(close[n])]
        if whole:
            windows = self.finer.predict([images[n] for n in whole])
            for n, window in zip(whole, windows, strict=True):
                _flat(found[n])[:, close[n]] = _flat(window)[:, close[n]]
        if sparse:
            parts = self.finer.predict_chips(
                [images[n] for n in sparse], [close[n] for n in sparse]
            )
            for n, part in zip(sparse, parts, strict=True):
                _flat(found[n])[:, close[n]] = part
        return found

    def predict_chips(
        self, images: Sequence[np.ndarray], pixels: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Probabilities (classes, n) of some pixels of every window, from their own chips.

        Parameters
        ----------
        images : sequence of array of float32, (bands, rows + 2 radius, cols + 2 radius)
        pixels : sequence of array of int64, (n,)
            Valid pixels of each, counted along the rows without the margin; one at least.
        """
        counts = [len(part) for part in pixels]
        owner, pixel = np.repeat(np.arange(len(images)), counts), np.concatenate(pixels)
        found = self._chips(images, owner, pixel)
        return np.split(found, np.cumsum(counts)[:-1], axis=1)

    def _is_crowded(self, found: np.ndarray, close: np.ndarray) -> bool:
        """Whether a window costs `finer` less than chips; the finest has chips alone."""
        finest = self.finer is None or self.finer.finer is None
        return not finest and len(close) * self.chip_cost > found[0].size

    def _chips(
        self, images: Sequence[np.ndarray], owner: np.ndarray, pixel: np.ndarray
    ) -> np.ndarray:
        """Probabilities (classes, n) of pixels, each of the window that owns it."""
        starts = range(0, len(pixel), self.chips)
        calls = (slice(start, start + self.chips) for start in starts)
        found = np.concatenate([self._call(images, owner[c], pixel[c]) for c in calls], axis=1)
        if self.finer is not None:
            # They are valid, so no band has to be looked at
            close = near_ties(
                found[:, np.newaxis], np.empty((0, 1, len(pixel)), np.float32), self.bound
            )
            if len(close):
                found[:, close] = self.finer._chips(images, owner[close], pixel[close])
        return found

    def _call(
        self, images: Sequence[np.ndarray], owner: np.ndarray, pixel: np.ndarray
    ) -> np.ndarray:
        """`_chips` of one call, padded to the fixed number of chips."""
        size = self.patch_size
        chips = np.zeros((len(images[0]), size, size, self.chips), np.float32)
        for number in np.unique(owner):
            first, end = np.searchsorted(owner, [number, number + 1])
            cut_chips(np.ascontiguousarray(images[number]), pixel[first:end], chips, first)
        return self.run(np.moveaxis(chips, -1, 0))[: len(pixel), :, 0, 0].T


def _flat(probabilities: np.ndarray) -> np.ndarray:
    """Classes by pixels; the same memory."""
    return probabilities.reshape(len(probabilities), -1)


def tier_of(
    model: keras.Model, patch_size: int, engine: Engine, float32: PrecisionTier | None = None
) -> PrecisionTier:
    """The tier that predicts windows with a dense network on an engine.

    Parameters
    ----------
    model : keras.Model
        From `build_cnn`.
    patch_size : int
    engine : Engine
    float32 : PrecisionTier, optional
        OpenVINO's of the same network where there is one already, for bfloat16 to fall back on;
        to compile it twice takes time and memory.

    Raises
    ------
    LandcoverError
        If the engine is OpenVINO and that is not installed, or the processor lacks bfloat16.
    """
    cost, at_once = _chip_cost(model, patch_size)
    keras_chips = max(1, min(at_once, _KERAS_CHIPS) // _KERAS_PANEL * _KERAS_PANEL)

    def tier(
        run: Run, most: int, bound: float = 0.0, finer: PrecisionTier | None = None
    ) -> PrecisionTier:
        return PrecisionTier(run, patch_size, cost, most, bound, finer)

    def openvino(precision: str, bound: float, finer: PrecisionTier) -> PrecisionTier:
        most = min(at_once, _OPENVINO_CHIPS)
        return tier(_OpenVino(model, precision, patch_size), most, bound, finer)

    keras_run = _keras_run(model)
    finest = tier(keras_run, keras_chips)
    if engine.runtime == "keras":
        return tier(keras_run, keras_chips, engine.bound, finest)
    if engine.precision == "float32":
        return openvino("float32", engine.bound, finest)
    if float32 is None:
        float32 = openvino("float32", engine.float32_bound, finest)
    return openvino("bfloat16", engine.bound, float32)


def _chip_cost(model: keras.Model, patch_size: int) -> tuple[float, int]:
    """`PrecisionTier.chip_cost`, and how many chips are `_FLOP_PER_CALL`."""
    try:
        content = arithmetic(model)
    except LandcoverError:  # a network from elsewhere, which Keras can run all the same
        return patch_size**2, _KERAS_CHIPS
    flop = content.flop_per_chip(patch_size)
    return _CHIP_TOLL * flop / content.flop_per_pixel, max(1, int(_FLOP_PER_CALL / flop))


def available_precisions() -> tuple[str, ...]:
    """Precisions in which OpenVINO computes on this processor; empty where it is not installed."""
    try:
        import openvino
    except ImportError:
        return ()
    held = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("float32", "bfloat16") if "BF16" in held else ("float32",)


def _keras_run(model: keras.Model) -> Run:
    """A network on Keras' backend, which uses all cores by itself."""

    def run(images: np.ndarray) -> np.ndarray:
        found = predict_batch(model, np.ascontiguousarray(np.moveaxis(images, 1, -1), np.float32))
        return np.array(np.moveaxis(found, -1, 1), order="C")

    return run


class _OpenVino:
    """A network in OpenVINO, compiled once for every shape of images."""

    def __init__(self, model: keras.Model, precision: str, patch_size: int) -> None:
        held = available_precisions()
        if not held:
            raise MissingDependency(
                "this model is to run on OpenVINO, which is not installed here; "
                "install it with: pip install landcover[fast]"
            )
        if precision not in held:
            raise LandcoverError(
                "this model is to run in bfloat16, which this processor lacks; "
                "map with precision=float32"
            )
        import openvino

        self.model, self.patch_size = model, patch_size
        self.core, self.tensor = openvino.Core(), openvino.Tensor
        self.settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        self.requests: dict[
            tuple[tuple[int, ...], int], tuple[openvino.InferRequest, tuple[int, ...]]
        ] = {}
        self.lock = threading.Lock()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if images.shape[2:] == (self.patch_size, self.patch_size):
            return self._of_chips(images)
        return self._infer(images, col_step=1)

    def _of_chips(self, chips: np.ndarray) -> np.ndarray:
        """Probabilities of chips, side by side as one image: their own rows are too short."""
        n, bands, rows, cols = chips.shape
        wide = np.moveaxis(chips, 0, -1).reshape(1, bands, rows, cols * n)
        return np.moveaxis(self._infer(wide, col_step=n), -1, 0)[:, 0, :, :, np.newaxis]

    def _infer(self, images: np.ndarray, col_step: int) -> np.ndarray:
        """Run the network compiled for a shape."""
        images = np.ascontiguousarray(images, np.float32)
        # One request at a time: each uses all cores
        with self.lock:
            key = images.shape, col_step
            if key not in self.requests:
                self.requests[key] = self._request(*key)
            request, shape = self.requests[key]
            found = np.empty(shape, np.float32)
            # Written into the result, which saves a copy
            request.set_output_tensor(self.tensor(found, shared_memory=True))
            request.infer([images], share_inputs=True, share_outputs=True)
            return found

    def _request(
        self, shape: tuple[int, ...], col_step: int
    ) -> tuple[openvino.InferRequest, tuple[int, ...]]:
        """Compile for a shape; some tenths of a second. Also the output's shape."""
        form = to_onnx(self.model, channels_first=True, col_step=col_step).SerializeToString()
        graph = self.core.read_model(form)
        graph.reshape(list(shape))
        compiled = self.core.compile_model(graph, "CPU", self.settings)
        return compiled.create_infer_request(), tuple(compiled.output(0).shape)

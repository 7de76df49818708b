"""The engine that runs a network fastest on this machine, measured on windows of the scene.

The bound on an engine's error is measured too: on the first half of the windows' pixels, as
`SAFETY` times the largest error where classes compete. It then has to hold on the second half.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from landcover.classifiers.best_class import near_ties
from landcover.classifiers.exchange.network_onnx import arithmetic
from landcover.classifiers.networks.backend import keras_on_cpu
from landcover.classifiers.networks.engines import (
    FLOAT32_BOUND,
    KERAS,
    Engine,
    PrecisionTier,
    available_precisions,
    tier_of,
)
from landcover.classifiers.networks.patch_classifier import PatchClassifier
from landcover.errors import InputError, LandcoverError
from landcover.files.atomic import Fields
from landcover.files.rasters import valid_pixels

#: The bound is this many times the largest error seen.
SAFETY = 1.5
#: Bounds are at least these: windows may hold too few close pixels to tell.
LEAST_BOUND = {"float32": FLOAT32_BOUND, "bfloat16": 0.05}
#: Errors count where a class is within this of the best (logarithm of the ratio): a class that is
#: farther away cannot become the best one.
_COMPETING = 1.0
#: Scenes of less arithmetic than this run on Keras unmeasured: some two seconds on two cores.
WORTH_MEASURING_FLOP = 5e11
#: Another engine has to be faster by this factor, so that noise of the timing seldom decides.
_FASTER = 1.25
_RUNS = 3
#: Pixels on which Keras' windows are compared with its chips.
_CHIPS_TRIED = 128
PRECISIONS = ("auto", "float32")


@dataclass(frozen=True)
class Choice:
    """An engine and why it was chosen.

    Attributes
    ----------
    engine : Engine
        The fastest whose labels are float32's.
    reason : str
        In a few words.
    measured : dict
        For every engine tried: pixels and floating-point operations per second, largest difference
        of a probability from Keras float32, share of pixels predicted again, share of
        labels that agree with float32 before and after that, and the bound. Empty if
        nothing was measured. As JSON takes it.
    """

    engine: Engine
    reason: str
    measured: Fields = field(default_factory=dict)

    def __str__(self) -> str:
        return f"engine: {self.engine} ({self.reason})"


def unproven_float32() -> Engine:
    """The engine of a network on whose last digits nothing hangs: no pixel is predicted again."""
    fast = keras_on_cpu() and available_precisions()
    return Engine("openvino" if fast else "keras", "float32", bound=0.0)


def choose_engine(
    classifier: PatchClassifier,
    images: Sequence[np.ndarray],
    precision: str = "auto",
    n_pixels: int | None = None,
) -> Choice:
    """The engine that predicts such windows fastest with the labels of float32.

    Takes some seconds: every engine predicts every window four times or so.

    Parameters
    ----------
    classifier : PatchClassifier
        The network.
    images : sequence of array of float32, (bands, rows + 2 radius, cols + 2 radius)
        Some windows of the scene, all of the shape that will be predicted. Those without
        a valid pixel say nothing and are left out.
    precision : {"auto", "float32"}
        "float32" leaves out reduced precision.
    n_pixels : int, optional
        Pixels of the whole scene; on a small one nothing is measured.

    Returns
    -------
    Choice

    Raises
    ------
    InputError
        If the precision is neither of the two.
    """
    require_precision(precision)
    images = [np.asarray(image, np.float32) for image in images]
    images = [image for image in images if valid_pixels(image, classifier.radius).any()]
    reason = _no_choice(classifier, images, n_pixels)
    if reason:
        return Choice(KERAS, reason)
    wanted = [p for p in available_precisions() if precision == "auto" or p == "float32"]
    return _fastest(classifier, candidates(classifier, wanted, images), images)


def require_precision(precision: str) -> None:
    """Raise InputError unless a precision is one of `PRECISIONS`."""
    if precision not in PRECISIONS:
        raise InputError(
            f"precision {precision!r} is unknown; choose among {', '.join(PRECISIONS)}"
        )


def _no_choice(
    classifier: PatchClassifier, images: Sequence[np.ndarray], n_pixels: int | None
) -> str:
    """Why Keras runs the network without measuring; empty if there is a choice."""
    if not classifier.dense:
        return "the published network runs chip by chip"
    if not keras_on_cpu():
        return "on the GPU"
    try:
        flop = arithmetic(classifier.model).flop_per_pixel
    except LandcoverError:  # a network from elsewhere
        return "the network holds layers that only Keras runs"
    if not images or (n_pixels is not None and n_pixels * flop < WORTH_MEASURING_FLOP):
        return "too few pixels to measure others"
    if not available_precisions():
        return "OpenVINO, often faster, comes with pip install landcover[fast]"
    return ""


def candidates(
    classifier: PatchClassifier, precisions: Sequence[str], images: Sequence[np.ndarray]
) -> dict[Engine, PrecisionTier]:
    """Engines with their tiers, Keras first, and bounds from the first half of the pixels."""
    model, size = classifier.model, classifier.patch_size
    keras = tier_of(model, size, KERAS)
    # Windows in Keras are the reference of the other engines; chips are that of Keras' windows
    own = _error_against_chips(keras, images)
    own_bound = max(FLOAT32_BOUND, SAFETY * own)
    found = {replace(KERAS, bound=own_bound): replace(keras, bound=own_bound)}
    exact = _first_half(_raw(keras, images))
    float32, float32_bound = None, FLOAT32_BOUND
    for precision in precisions:
        tier = tier_of(
            model, size, Engine("openvino", precision, 0.0, float32_bound), float32=float32
        )
        error = own + competing_error(_first_half(_raw(tier, images)), exact)
        bound = max(LEAST_BOUND[precision], SAFETY * error)
        tier = replace(tier, bound=bound)
        if precision == "float32":
            float32, float32_bound = tier, bound
        found[Engine("openvino", precision, bound, float32_bound)] = tier
    return found


def _error_against_chips(keras: PrecisionTier, images: Sequence[np.ndarray]) -> float:
    """`competing_error` of Keras' windows on some valid pixels, against their chips."""
    if keras.finer is None:
        raise ValueError("this arithmetic has no chips to be compared with")
    image = images[0]
    valid = np.flatnonzero(valid_pixels(image, keras.patch_size // 2))
    pixels = np.sort(np.random.default_rng(0).choice(valid, min(_CHIPS_TRIED, len(valid)), False))
    windows = keras.run(image[np.newaxis])[0]
    chips = keras.finer.predict_chips([image], [pixels])[0]
    return competing_error(windows.reshape(len(windows), -1)[:, pixels], chips)


def competing_error(found: np.ndarray, exact: np.ndarray) -> float:
    """Largest error of log(p / p of the best class) among classes near the best one.

    Parameters
    ----------
    found, exact : arrays of float32, (classes, pixels)
        Probabilities by an engine, and by float32. The best class is the engine's.

    Returns
    -------
    float
        A label can only be wrong where the two best classes are closer than the error.

    Examples
    --------
    >>> exact, found = np.array([[0.52], [0.48]]), np.array([[0.49], [0.51]])
    >>> round(competing_error(found, exact), 2)
    0.12
    """
    best = found.argmax(axis=0)[np.newaxis]
    tiny = np.finfo(np.float32).tiny
    behind = []
    for probabilities in (found, exact):
        logs = np.log(np.maximum(probabilities, tiny))
        behind.append(logs - np.take_along_axis(logs, best, axis=0))
    competing = np.maximum(*behind) > -_COMPETING
    return float(np.abs(behind[0] - behind[1])[competing].max(initial=0.0))


def _fastest(
    classifier: PatchClassifier, at_work: dict[Engine, PrecisionTier], images: Sequence[np.ndarray]
) -> Choice:
    """Measure candidates in turn; the fastest whose bound holds on the second half."""
    flop = arithmetic(classifier.model).flop_per_pixel
    seconds = _interleaved(list(at_work.values()), images)
    radius = classifier.radius
    pixels = sum((i.shape[1] - 2 * radius) * (i.shape[2] - 2 * radius) for i in images)
    best = keras = next(iter(at_work))
    exact, exact_labels = _raw(at_work[keras], images), _labels(at_work[keras], images)
    measured: Fields = {}
    rates = {
        engine: pixels / float(np.median(times))
        for engine, times in zip(at_work, seconds, strict=True)
    }
    for engine, tier in at_work.items():
        raw = _raw(tier, images)
        error = competing_error(_second_half(raw), _second_half(exact))
        agreement = float((_labels(tier, images) == exact_labels).mean())
        measured[str(engine)] = {
            "pixels_per_second": round(rates[engine]),
            "flop_per_second": round(rates[engine] * flop),
            "largest_difference": float(np.abs(raw - exact).max()),
            "bound": engine.bound,
            "error_on_second_half": error,
            "predicted_again": _share_close(raw, engine.bound),
            "label_agreement_before": float((raw.argmax(axis=0) == exact.argmax(axis=0)).mean()),
            "label_agreement": agreement,
        }
        trusted = error <= engine.bound and agreement == 1
        if trusted and rates[engine] > _FASTER * rates[best]:
            best = engine
    return Choice(best, _reason(measured, best, rates), measured)


def _reason(measured: Fields, best: Engine, rates: dict[Engine, float]) -> str:
    """Why an engine was chosen, for people."""
    others = ", ".join(f"{e} {r / 1e6:.1f}" for e, r in rates.items() if e != best)
    of_best = measured[str(best)]
    return (
        f"{rates[best] / 1e6:.1f} million pixels a second; {others}; "
        f"{of_best['predicted_again']:.2%} of pixels predicted again, "
        f"labels equal to float32's on {of_best['label_agreement']:.4%}"
    )


def _interleaved(tiers: Sequence[PrecisionTier], images: Sequence[np.ndarray]) -> list[list[float]]:
    """Seconds of predicting all windows by every tier, in some runs after a first one."""
    seconds: list[list[float]] = [[] for _ in tiers]
    for run in range(_RUNS + 1):
        for tier, times in zip(tiers, seconds, strict=True):
            started = time.perf_counter()
            tier.predict(images)
            if run:
                times.append(time.perf_counter() - started)
    return seconds


def _of_valid(
    found: Sequence[np.ndarray], tier: PrecisionTier, images: Sequence[np.ndarray]
) -> np.ndarray:
    """Probabilities (classes, pixels) of the windows' valid pixels."""
    radius = tier.patch_size // 2
    parts = [f[:, valid_pixels(i, radius)] for f, i in zip(found, images, strict=True)]
    return np.concatenate(parts, axis=1)


def _raw(tier: PrecisionTier, images: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities of a tier alone, with nothing predicted again."""
    return _of_valid([tier.run(image[np.newaxis])[0] for image in images], tier, images)


def _labels(tier: PrecisionTier, images: Sequence[np.ndarray]) -> np.ndarray:
    """Best class (pixels,) of a tier, close pixels predicted again."""
    return _of_valid(tier.predict(images), tier, images).argmax(axis=0)


def _share_close(raw: np.ndarray, bound: float) -> float:
    """Share of pixels (classes, pixels) that are predicted again."""
    n = raw.shape[1]
    return len(near_ties(raw[:, np.newaxis], np.empty((0, 1, n), np.float32), bound)) / n


def _first_half(probabilities: np.ndarray) -> np.ndarray:
    return probabilities[:, : probabilities.shape[1] // 2]


def _second_half(probabilities: np.ndarray) -> np.ndarray:
    return probabilities[:, probabilities.shape[1] // 2 :]

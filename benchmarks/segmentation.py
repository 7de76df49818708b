"""Felzenszwalb segmentation against scikit-image: ratios of time and of memory.

    python -m benchmarks.segmentation            # images of 250 and 500 px, half a minute
    python -m benchmarks.segmentation --full     # and to 2745 px; landcover alone to a tile

Both segment the same float32 image of four bands in turn. Memory is what the peak of a process
rises above the image it holds, the result included; small images were segmented before, so
compiled code is not counted. scikit-image has no nodata, so images with nodata are left out there.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.measure import forget_peak, in_process, interleaved, peak_mib, ratio
from benchmarks.records import Row
from benchmarks.report import options, report

SCALE, SIGMA, MIN_SIZE = 1200.0, 0.5, 500
TILE_PX = 10_980


def fields(size: int, seed: int = 0) -> np.ndarray:
    """Fields of uniform colour with noise and shading, in steps of 1/10000 as reflectance is."""
    rng = np.random.default_rng(seed)
    rows, cols = np.ogrid[0:size, 0:size]
    warp = 12 * np.sin(rows / 37 + cols / 91) + 9 * np.cos(cols / 29)
    number = ((rows + warp) // 41).astype(int) * 1009 + ((cols + warp) // 53).astype(int)
    colours = rng.random((4, int(number.max()) + 1), dtype=np.float32)
    shade = (0.1 * np.sin(rows / 200)).astype(np.float32)
    image = np.empty((4, size, size), np.float32)
    for band, colour in zip(image, colours, strict=True):
        band[:] = rng.standard_normal(band.shape, np.float32)
        band *= 0.03
        band += colour[number]
        band += shade
        np.clip(band, 0, 1, out=band)
        band *= 10_000
        np.round(band, out=band)
        band /= 10_000
    return image


def noise(size: int) -> np.ndarray:
    """White noise."""
    return np.random.default_rng(1).random((4, size, size), dtype=np.float32)


def smooth(size: int) -> np.ndarray:
    """Waves far longer than a pixel."""
    rows, cols = np.mgrid[0:size, 0:size].astype(np.float32) / size
    return np.stack([0.2 + 0.1 * np.sin(cols * (5 + k) + 3 * rows**2) for k in range(4)])


def few_values(size: int) -> np.ndarray:
    """Four values at random: most weights are equal or nearly so."""
    return (np.random.default_rng(2).integers(0, 4, (4, size, size)) / 10).astype(np.float32)


def one_value(size: int) -> np.ndarray:
    """A single value: all weights are equal."""
    return np.full((4, size, size), 0.3, np.float32)


def half_nodata(size: int) -> np.ndarray:
    """Fields with a slanted collar without data, as at the edge of a swath."""
    image = fields(size)
    image[:, np.add.outer(np.arange(size), np.arange(size)) < size] = np.nan
    return image


IMAGES = {
    image.__name__: image for image in (fields, noise, smooth, few_values, one_value, half_nodata)
}


def ours(image: np.ndarray, scale: float = SCALE) -> np.ndarray:
    """landcover's segments."""
    from landcover.scene.segmentation.felzenszwalb import felzenszwalb

    return felzenszwalb(image, scale, SIGMA, MIN_SIZE)


def theirs(image: np.ndarray, scale: float = SCALE) -> np.ndarray:
    """scikit-image's segments."""
    from skimage.segmentation import felzenszwalb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return felzenszwalb(np.moveaxis(image, 0, -1), scale, SIGMA, MIN_SIZE, channel_axis=-1)


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two segmentations are equal up to renaming."""
    pairs = len(np.unique(a.ravel().astype(np.int64) * (int(b.max()) + 1) + b.ravel()))
    return pairs == len(np.unique(a)) == len(np.unique(b))


def compare(size: int, runs: int) -> Iterator[Row]:
    """A row for every kind of image that scikit-image takes."""
    for name, make in IMAGES.items():
        image = make(size)
        if np.isnan(image).any():
            continue
        for scale in (SCALE, 20.0) if name == "noise" else (SCALE,):
            times = interleaved(
                {way.__name__: partial(way, image, scale=scale) for way in (ours, theirs)}, runs
            )
            nanoseconds = np.median(times["ours"]) / size**2 * 1e9
            faster = (ratio(times["theirs"], times["ours"], "scikit-image"),)
            what = f"{name} at scale {scale:.0f}, {size} px"
            yield Row(what, float(nanoseconds), "ns a pixel", faster)


def alone(name: str, size: int, way: str) -> Row:
    """Bytes a pixel above the image, and seconds, of one run in a process of its own."""
    given = ["--image", name, "--sizes", str(size), "--alone", way]
    printed = in_process("benchmarks.segmentation", *given)[-1]
    bytes_px, seconds, segments = map(float, printed.split())
    who = {"ours": "landcover", "theirs": "scikit-image"}[way]
    more = {"s": seconds, "segments": int(segments)}
    return Row(f"memory of {who} for {name}, {size} px", bytes_px, "bytes a pixel", more=more)


def run_alone(name: str, size: int, way: str) -> None:
    """What the process started by `alone` does."""
    segment = {"ours": ours, "theirs": theirs}[way]
    for small in (fields(300), half_nodata(300)):
        segment(np.nan_to_num(small) if way == "theirs" else small)
    image = IMAGES[name](size)
    forget_peak()
    before, started = peak_mib(), time.perf_counter()
    result = segment(image)
    seconds = time.perf_counter() - started
    bytes_px = (peak_mib() - before) * 2**20 / size**2
    print(bytes_px, seconds, len(np.unique(result)))


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """Ratios of time for every image, then memory, the result included."""
    same = same_partition(ours(noise(500)), theirs(noise(500)))
    yield Row("noise of 500 px", more={"same partition as scikit-image": same})
    for size in a.sizes or ([250, 500, 1000, 2745] if a.full else [250, 500]):
        yield from compare(size, a.runs)
    yield alone("fields", 1000, "theirs")
    for name in IMAGES:
        yield alone(name, 2745 if a.full else 1000, "ours")
    for size in (TILE_PX // 2, TILE_PX) if a.full else ():
        yield alone("fields", size, "ours")


def main() -> None:
    """Measure and print."""
    parser = options("segmentation", __doc__)
    parser.add_argument("--full", action="store_true", help="also large images, up to a tile")
    parser.add_argument("--sizes", type=int, nargs="+", help="sides, pixels")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--image", choices=list(IMAGES), help=argparse.SUPPRESS)
    parser.add_argument("--alone", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.alone:
        run_alone(a.image, a.sizes[0], a.alone)
        return
    report(parser, a, rows(a))


if __name__ == "__main__":
    main()

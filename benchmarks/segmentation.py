"""Felzenszwalb segmentation against scikit-image: ratios of time and of memory.

    python benchmarks/segmentation.py [--size 1500] [--runs 5]

Times are interleaved in one process. Memory is the peak resident size that the operating
system reports for a process that holds the image and segments it once, less that of one
that only holds the image; both have segmented a small image before.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

SETTINGS = {"scale": 1200.0, "sigma": 0.5, "min_size": 500}


def textured_image(size: int, bands: int = 4, seed: int = 0) -> np.ndarray:
    """Fields of uniform colour with noise and shading, float32 (bands, size, size)."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[0:size, 0:size].astype(np.float32)
    warp = 12 * np.sin(rows / 37 + cols / 91) + 9 * np.cos(cols / 29)
    fields = ((rows + warp) // 41).astype(int) * 1009 + ((cols + warp) // 53).astype(int)
    colours = rng.random((bands, int(fields.max()) + 1), dtype=np.float32)
    noise = rng.normal(0, 0.03, (bands, size, size)).astype(np.float32)
    return np.clip(colours[:, fields] + noise + 0.1 * np.sin(rows / 200), 0, 1)


def ours(image: np.ndarray) -> np.ndarray:
    """landcover's segments."""
    from landcover.segmentation import felzenszwalb

    return felzenszwalb(image, **SETTINGS)


def theirs(image: np.ndarray) -> np.ndarray:
    """scikit-image's segments."""
    from skimage.segmentation import felzenszwalb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return felzenszwalb(np.moveaxis(image, 0, -1), channel_axis=-1, **SETTINGS)


def seconds(segment, image: np.ndarray) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    segment(image)
    return time.perf_counter() - start


def peak_bytes(who: str, size: int) -> int:
    """Peak resident size of a fresh process; `who` is "ours", "theirs" or "neither"."""
    command = [sys.executable, __file__, "--size", str(size), "--peak-of", who]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def report_own_peak(who: str, size: int) -> None:
    """What the process started by `peak_bytes` does."""
    small, image = textured_image(64), textured_image(size)
    ours(small)
    theirs(small)
    # Linux's own way to forget the peak of the image's making.
    Path("/proc/self/clear_refs").write_text("5")
    if who != "neither":
        {"ours": ours, "theirs": theirs}[who](image)
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) * 1024)


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two segmentations are equal up to renaming."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1).shape[1]
    return pairs == len(np.unique(a)) == len(np.unique(b))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1500)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peak-of", choices=["ours", "theirs", "neither"], help="internal")
    args = parser.parse_args()
    if args.peak_of:
        report_own_peak(args.peak_of, args.size)
        return
    image = textured_image(args.size)
    pixels = args.size**2
    first, second = ours(image), theirs(image)
    times = np.array([(seconds(ours, image), seconds(theirs, image)) for _ in range(args.runs)])
    ratios = times[:, 1] / times[:, 0]
    mine, other = np.median(times, axis=0)
    print(f"image                {args.size} x {args.size} x {len(image)} {image.dtype}")
    print(f"same partition       {same_partition(first, second)} ({first.max()} segments)")
    print(f"scikit-image         {other:.2f} s, {other / pixels * 1e9:.0f} ns a pixel")
    print(f"landcover            {mine:.2f} s, {mine / pixels * 1e9:.0f} ns a pixel")
    print(f"ratio of medians     {other / mine:.1f} (runs {ratios.min():.1f}-{ratios.max():.1f})")
    base, mine, other = (peak_bytes(who, args.size) for who in ("neither", "ours", "theirs"))
    print(f"scikit-image memory  {(other - base) / pixels:.0f} bytes a pixel with its result")
    print(f"landcover memory     {(mine - base) / pixels:.0f} bytes a pixel with its result (4)")
    print(f"ratio of memory      {(other - base) / (mine - base):.1f}")


if __name__ == "__main__":
    main()

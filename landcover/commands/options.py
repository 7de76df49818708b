"""What commands are made of: options that several share, and the numbers that they accept."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from landcover.files.raster_names import raster_name
from landcover.labels.denoising import CHOICES

DEFAULT_RUN = Path("runs/demo")

Arguments = argparse.Namespace
#: A summary, what defines the options, and what acts on them and returns the paths it wrote.
Command = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[Arguments], list[Path]]]


def _number(kind: type, least: float, inclusive: bool = True) -> Callable[[str], float]:
    """A converter of arguments that refuses numbers below `least`."""

    def convert(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            word = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {word}") from None
        if not (value >= least if inclusive else value > least) or value > 1e9:
            bound = "at least" if inclusive else "more than"
            raise argparse.ArgumentTypeError(
                f"{text} is out of range; give {bound} {least:g}, and at most 1e9"
            )
        return value

    return convert


COUNT = _number(int, 1)
COUNT_OR_NONE = _number(int, 0)
POSITIVE = _number(float, 0, inclusive=False)
POSITIVE_OR_ZERO = _number(float, 0)
ANY = _number(float, -1e9)


def FINITE(text: str) -> float:  # noqa: N802 - a converter, like the others
    """Any finite number: nodata values reach to the ends of their type."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no finite number; NaN is nodata anyway")
    return value


def _share(text: str) -> Fraction:
    """A part of a whole, such as 1/16 or 0.25, up to 1."""
    try:
        share = Fraction(text)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no part of a whole; give more than 0 and at most 1, such as 1/16"
        )
    return share


SHARE = _share
#: A raster: a path, or GDAL's name of one in another file.
RASTER = raster_name

#: An argument as Python writes it: ``name=value``; not a part of a path or of a link.
_ARGUMENT = re.compile(r"(?<![\w/.?&=-])([a-z]\w*)=(True\b|False\b|(?=[\w/'\"-]))?")


def in_options(text: str, parser: argparse.ArgumentParser) -> str:
    """What the library says of its arguments, said of a command's options.

    Parameters
    ----------
    text : str
        Names arguments as Python does: ``seed=1``, ``overwrite=True``, or ``level=`` alone.
    parser : argparse.ArgumentParser
        Of the command. What it has no option for stays as it is.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> for option in ("--band-names", "--offset"):
    ...     _ = parser.add_argument(option)
    >>> _ = parser.add_argument("--no-normalise", action="store_true")
    >>> in_options("pass offset=-1000, or name bands with band_names=; seed=1", parser)
    'pass --offset -1000, or name bands with --band-names; seed=1'
    >>> in_options("leave it alone with normalise=False", parser)
    'leave it alone with --no-normalise'
    """
    options = {option for action in parser._actions for option in action.option_strings}

    def option(found: re.Match[str]) -> str:
        name, value = found[1].replace("_", "-"), found[2]
        if value == "False" and f"--no-{name}" in options:
            return f"--no-{name}"
        if f"--{name}" not in options:
            return found[0]
        return f"--{name} " if value == "" else f"--{name}"  # "" stands before a value

    return _ARGUMENT.sub(option, text)


def _auto_or_count(text: str) -> int | None:
    """A whole number, or None for "auto"."""
    return None if text == "auto" else int(COUNT(text))


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Whether to leave out all that is no result; every command has it."""
    parser.add_argument(
        "--quiet",
        action="store_true",
        help="print the paths written, the answer of a question, and errors; nothing else",
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """The run folder, runs/demo unless another is named."""
    parser.add_argument(
        "run",
        nargs="?",
        type=Path,
        default=DEFAULT_RUN,
        metavar="RUN",
        help=f"run folder (default {DEFAULT_RUN})",
    )


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Run folders to learn from; of several, the one that gets the model."""
    parser.add_argument(
        "runs",
        nargs="*",
        type=Path,
        default=[DEFAULT_RUN],
        metavar="RUN",
        help=f"run folder (default {DEFAULT_RUN}); several train one model, with --out",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="RUN",
        help="run folder that gets the samples and the model of several runs",
    )
    parser.add_argument(
        "--leave-one-scene-out",
        action="store_true",
        help="of several runs: also map each scene by a model of the others alone, and report that",
    )


def add_size(parser: argparse.ArgumentParser) -> None:
    """The option --size of studies that draw synthetic scenes."""
    parser.add_argument(
        "--size", nargs=2, type=COUNT, default=[600, 800], metavar=("ROWS", "COLS"),
        help="of the scenes (default 600 800)",
    )  # fmt: skip


def add_seed(parser: argparse.ArgumentParser) -> None:
    """The seed."""
    parser.add_argument(
        "--seed", type=COUNT_OR_NONE, default=0, help="seed of every random draw (default 0)"
    )


def add_segmentation(parser: argparse.ArgumentParser) -> None:
    """Scale, smoothing and smallest size of segments."""
    parser.add_argument(
        "--scale", type=POSITIVE, default=1200.0, help="larger makes larger segments (default 1200)"
    )
    parser.add_argument(
        "--sigma",
        type=POSITIVE_OR_ZERO,
        default=0.5,
        help="smoothing before segmenting, in pixels, whatever their size (default 0.5)",
    )
    parser.add_argument(
        "--min-size",
        type=COUNT,
        default=500,
        help="smallest segment, in pixels (default 500: 5 ha where they are 10 m wide)",
    )


def add_layer(parser: argparse.ArgumentParser) -> None:
    """Which layer of vector files is meant."""
    parser.add_argument(
        "--layer",
        metavar="NAME",
        help="layer of every vector file given, or of those that name none as in "
        "FILE|layername=NAME",
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """How many samples are drawn, how and where."""
    parser.add_argument(
        "--samples", type=COUNT, default=40_000, help="number to draw (default 40000)"
    )
    parser.add_argument(
        "--method",
        choices=("uniform", "stratified"),
        default="uniform",
        help="stratified draws equally from every class for training; testing is always uniform",
    )
    parser.add_argument("--polygons", type=Path, help="draw inside the polygons of this file only")
    add_layer(parser)
    parser.add_argument(
        "--class-field",
        help="field of --polygons with classes, as codes or names; in prep these are the labels "
        "where polygons lie, and --labels elsewhere; in sample they replace the labels",
    )
    parser.add_argument(
        "--min-count",
        type=COUNT_OR_NONE,
        default=50,
        help="leave out classes with fewer labelled pixels (default 50)",
    )
    parser.add_argument(
        "--max-patch",
        type=COUNT,
        help="side of the largest patch that will be trained, pixels; sets the guard of splits",
    )
    parser.add_argument(
        "--block-px",
        type=_auto_or_count,
        metavar="auto|N",
        help="side of the blocks dealt to splits, pixels; auto (the default): as far as labels are "
        "alike",
    )


def add_features(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Features of pixels by name."""
    parser.add_argument("--features", nargs="+", metavar="NAME", help=purpose)


def add_training(parser: argparse.ArgumentParser) -> None:
    """What every trained classifier takes."""
    add_runs(parser)
    parser.add_argument(
        "--trained-on",
        choices=("labels", "reference"),
        default="labels",
        help="reference: train on the better labels, for studies",
    )
    add_denoise(parser)
    add_hygiene(parser)
    parser.add_argument(
        "--variant",
        metavar="WORD",
        help="a word at the end of the model's name, to keep it beside one of other features or "
        "choices: random-forest@WORD",
    )
    add_random_split(parser)
    add_seed(parser)


def add_denoise(parser: argparse.ArgumentParser) -> None:
    """What to learn from labels that are partly wrong."""
    parser.add_argument(
        "--denoise",
        choices=CHOICES,
        help="what to learn from labels that are partly wrong; none learns them as they are, "
        "the default for labels from --class-field; refine is the default for all others",
    )


def add_hygiene(parser: argparse.ArgumentParser) -> None:
    """What to leave out of the training samples."""
    parser.add_argument(
        "--outliers",
        type=POSITIVE,
        metavar="Z",
        help="leave out training samples with a value more than Z robust deviations from the "
        "median of their class",
    )
    parser.add_argument(
        "--pca-outliers",
        type=POSITIVE,
        metavar="Z",
        help="the same of what the principal components of a class do not give back",
    )
    parser.add_argument(
        "--min-distance-m",
        type=POSITIVE,
        metavar="M",
        help="leave out training samples nearer than M metres to another one; where "
        "it was measured it made no model better (docs/samples.md)",
    )
    parser.add_argument(
        "--balance",
        action="store_true",
        help="leave out training samples of classes that have more than the median class",
    )


def hygiene_of(a: Arguments) -> dict[str, object]:
    """What `add_hygiene` was given."""
    names = ("outliers", "pca_outliers", "min_distance_m", "balance")
    return {name: getattr(a, name) for name in names if getattr(a, name)}


def add_random_split(parser: argparse.ArgumentParser) -> None:
    """Whether to try a random split too."""
    parser.add_argument(
        "--no-random-split",
        action="store_true",
        help="do not train once more to show the scores of a random split",
    )


def add_map_choice(parser: argparse.ArgumentParser) -> None:
    """Whether to map after training."""
    parser.add_argument("--no-map", action="store_true", help="train and report, but do not map")

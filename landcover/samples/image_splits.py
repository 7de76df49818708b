"""Which images of a set are for training, validation and test."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from landcover.errors import InputError
from landcover.files.texts import read_text
from landcover.sources import eurosat

#: Share of the training part that every choice is made on.
VALIDATION_SHARE = 0.05


@dataclass(frozen=True)
class Split:
    """Positions of chips, ascending, in three parts without overlap.

    Validation serves for every choice; the test part for the final score alone.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def seeded_split(
    labels: np.ndarray, test_share: float = 0.2, seed: int = 42, validation_share: float = 0.1
) -> Split:
    """Draw a test part, and a validation part out of what remains, class by class.

    The test part depends on labels, share and seed alone, whatever is kept for validation.

    Parameters
    ----------
    labels : array of int (chips,)
        Class of each chip.
    test_share : float
        Share of all chips: 0.2 of EuroSAT gives 21,600 to learn from and 5,400 to test.
    seed : int
        Of the draw.
    validation_share : float
        Share of the training part; 0 keeps it whole.

    Raises
    ------
    InputError
        If a share is out of range, or chips are too few to give each class to each part.

    Examples
    --------
    >>> split = seeded_split(np.repeat([0, 1], 50), test_share=0.2, validation_share=0.25)
    >>> len(split.train), len(split.validation), len(split.test)
    (60, 20, 20)
    """
    everything = np.arange(len(labels))
    learning, test = _parted(everything, labels, test_share, seed)
    if validation_share == 0:
        return Split(learning, learning[:0], test)
    train, validation = _parted(learning, labels, validation_share, seed)
    return Split(train, validation, test)


def listed_split(names: Sequence[str], folder: str | os.PathLike[str]) -> Split:
    """The split that three lists of names say, such as the published one by longitude.

    Parameters
    ----------
    names : sequence of str
        Names of the chips, as `ChipSet.names`.
    folder : path
        Holds one ``*train.txt``, one ``*val.txt`` and one ``*test.txt`` with a file name a line;
        names of JPEGs serve GeoTIFFs too. Chips in no list belong to no part.

    Raises
    ------
    InputError, MissingProduct
        If a list is missing, empty or not the only one of its part, or naming the chip that is
        not in the set or is listed twice.
    """
    place = {name: index for index, name in enumerate(names)}
    parts, seen = [], dict[str, Path]()
    for part in ("train", "val", "test"):
        path = _list_file(Path(folder), part)
        lines = read_text(path, "readable list of names", "give a text with a name a line").split()
        if not lines:
            raise InputError(f"{path} is empty; list a chip of this part a line")
        listed = [PurePosixPath(line).stem for line in lines]
        for name in listed:
            if name not in place:
                raise InputError(
                    f"{path} lists {name}, which the chips lack; give the lists of this set"
                )
            if name in seen:
                raise InputError(
                    f"{name} is listed twice, in {seen[name]} and {path}; "
                    "a chip belongs to one part"
                )
            seen[name] = path
        parts.append(np.array(sorted(place[name] for name in listed), np.int64))
    return Split(*parts)


def _list_file(folder: Path, part: str) -> Path:
    found = sorted(folder.glob(f"*{part}.txt"))
    if len(found) != 1:
        raise InputError(
            f"{folder} holds {len(found)} lists named *{part}.txt and must hold 1, such as "
            f"eurosat-spatial-{part}.txt"
        )
    return found[0]


def _parted(
    indices: np.ndarray, labels: np.ndarray, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices without and with a stratified draw of a share, each ascending."""
    from sklearn.model_selection import train_test_split

    if not 0 < share < 1:
        raise InputError(f"share {share:g} is out of range; it lies between 0 and 1")
    classes = np.asarray(labels)[indices]
    drawn = round(share * len(indices))
    fewest, several = min(Counter(classes.tolist()).values(), default=0), len(np.unique(classes))
    if fewest < 2 or not several <= drawn <= len(indices) - several:
        raise InputError(
            f"{len(indices)} chips of {several} classes, {fewest} of the rarest, cannot be parted "
            f"at {share:g} with every class on both sides; give more chips or another share"
        )
    rest, part = train_test_split(indices, test_size=drawn, stratify=classes, random_state=seed)
    return np.sort(rest), np.sort(part)


def split_of(chips: eurosat.ChipSet, split: str, seed: int) -> Split:
    """The parts that a choice such as 80/20, or a folder with lists, makes of a set."""
    if Path(split).is_dir():
        return listed_split(chips.names, split)
    learn, _, test = split.partition("/")
    if not (learn.isdigit() and test.isdigit() and int(learn) + int(test) == 100):
        raise InputError(
            f"split {split!r} is neither a folder with lists nor two shares that make 100; "
            "give 80/20, 75/25, 90/10 or a folder"
        )
    return drawn_split(chips.labels, int(test) / 100, seed)


def drawn_split(labels: np.ndarray, test_share: float, seed: int) -> Split:
    """A seeded split that keeps `VALIDATION_SHARE` for choices, or an image of every class."""
    least = len(np.unique(labels)) / max(1, round(len(labels) * (1 - test_share)))
    return seeded_split(labels, test_share, seed, max(VALIDATION_SHARE, least))

"""Cards of models: card.json, which says what a trained model is and finishes its folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from landcover.classifiers.kinds import KINDS
from landcover.errors import LandcoverError, MissingProduct
from landcover.files.atomic import Fields, read_json, versions, write_json
from landcover.legend import Legend

CARD = "card.json"
_NEEDED = {"kind", "classes", "bands", "features", "segment_layers", "patch_size"}


def holds_model(folder: str | Path) -> bool:
    """Whether a folder holds a finished model."""
    return (Path(folder) / CARD).exists()


def read_card(folder: Path) -> Fields:
    """The card in the folder of a model.

    Raises
    ------
    MissingProduct
        If there is no model.
    LandcoverError
        If its card is damaged.
    """
    path = folder / CARD
    if not path.exists():
        raise MissingProduct(
            f"{folder.resolve()} holds no model; give the folder of a model, RUN/models/NAME, "
            f"with its {CARD}"
        )
    card = read_json(path)
    lacking = _NEEDED - set(card)
    if lacking or card["kind"] not in KINDS:
        raise LandcoverError(
            f"{path} is damaged ({', '.join(sorted(lacking)) or 'unknown kind'}); "
            "train the model again"
        )
    return card


def file_of(folder: Path, kind: str) -> Path:
    """Path of the file of a model that is to be written into a folder."""
    return folder / KINDS[kind].file


def write_card(folder: Path, kind: str, legend: Legend, **fields: object) -> Path:
    """Write card.json, which finishes a model.

    Parameters
    ----------
    folder : Path
        Of the model, whose name it has.
    kind : str
        Key of `KINDS`.
    legend : Legend
        Classes in the order of the model's outputs.
    **fields
        bands, features, segment_layers, patch_size, temperature, probability_floor,
        trained_on, split, seed and more.
    """
    path = folder / CARD
    write_json(
        path,
        {
            "name": folder.name,
            "kind": kind,
            "file": KINDS[kind].file,
            "classes": [c.as_dict() for c in legend.classes],
            **fields,
            "versions": versions(),
            "commit": _commit(),
        },
    )
    return path


def _commit() -> str | None:
    """The commit of this checkout; None for an installed package or without git."""
    folder = Path(__file__).parents[1]
    if not (folder.parent / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None

"""A model as a notebook shows it: what it is, what it reads, what it learnt from, its classes."""

from __future__ import annotations

from pathlib import Path

from landcover.classifiers.applicability import APPLICABILITY
from landcover.classifiers.kind import Kind
from landcover.classifiers.protocol import Inputs
from landcover.files import html
from landcover.files.atomic import Fields
from landcover.legend import Legend


def model_page(
    folder: Path, title: str, kind: Kind, inputs: Inputs, legend: Legend, card: Fields
) -> str:
    """A small page of HTML on a model.

    Parameters
    ----------
    folder : Path
        Of the model.
    title : str
        Its name in words.
    kind, inputs, legend, card
        As `Model` has them.
    """
    patch = f"{inputs.patch_size} x {inputs.patch_size} pixels" if inputs.patch_size > 1 else None
    n_train = card.get("n_train")
    facts = [
        ("folder", folder),
        ("kind", kind.name),
        ("bands", " ".join(inputs.bands)),
        ("features", " ".join(inputs.features) or None),
        ("segment types", " ".join(inputs.segment_layers) or None),
        ("sees", patch or "a pixel by itself"),
        ("learnt from", _learnt_from(card)),
        ("training samples", None if n_train is None else f"{n_train:,}"),
        ("seed", card.get("seed")),
    ]
    remarks = [*card.get("notes", []), *card.get("lost_classes", [])]
    return html.card(
        f"Model {folder.name}: {title}",
        html.facts(facts),
        html.legend_table(legend),
        html.text(*remarks, faint=True),
        html.missing(_lacking(folder, kind)),
    )


def _learnt_from(card: Fields) -> str | None:
    """The labels that it learnt, and what was made of them before."""
    labels, way = card.get("trained_on"), card.get("denoise")
    if labels is None or way is None:
        return labels
    return f"{labels}, as they are" if way == "none" else f"{labels}, after denoise={way!r}"


def _lacking(folder: Path, kind: Kind) -> list[tuple[str, str]]:
    """What the folder of the model lacks, and the call that makes it."""
    bounded = kind.has_classes and not kind.reads_dates and not kind.classifies_images
    wanted = {"the model's file": kind.file}
    if bounded:
        wanted["area of applicability"] = APPLICABILITY
    call = f'lc.train(run, "{kind.name}")'
    return [(what, call) for what, file in wanted.items() if not (folder / file).exists()]

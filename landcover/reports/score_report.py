"""Scores as a program gets them: a dictionary that a notebook shows as a small page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landcover.files import html
from landcover.reports.words import interval, percent


class Report(dict[str, Any]):
    """What a report holds, by field."""

    def _repr_html_(self) -> str:
        raise NotImplementedError


class ScoreReport(Report):
    """What `landcover.score` gives."""

    def _repr_html_(self) -> str:
        per_class = self["per_class"].items()
        sure = (
            "pixels taken as independent: the intervals are too narrow where neighbours are alike"
            if self["n_blocks"] is None
            else f"intervals from {self['n_blocks']} blocks drawn again"
        )
        return html.card(
            f"Scores on {self['n_test']:,} pixels",
            html.table(
                ["score", "value", "95 % interval"],
                [
                    ["overall accuracy", *share(self, "overall_accuracy")],
                    ["balanced accuracy", *share(self, "balanced_accuracy")],
                    ["macro F1", *share(self, "macro_f1")],
                    ["kappa", *share(self, "kappa")],
                ],
            ),
            html.table(
                ["class", "precision", "recall", "F1", "pixels"],
                [
                    [
                        f"{code} {found.get('name', '')}".strip(),
                        *(percent(found[name]) for name in ("precision", "recall", "f1")),
                        f"{found['support']:,}",
                    ]
                    for code, found in per_class
                ],
            ),
            html.text(sure, faint=True),
        )


def share(scores: Mapping[str, Any], name: str) -> tuple[str, str]:
    """A score and its interval, in percent."""
    return percent(scores[name]), interval(scores.get(f"{name}_ci95"))

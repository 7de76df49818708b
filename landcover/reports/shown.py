"""Reports as a program gets them: dictionaries that a notebook shows as a small page.

Each holds what its JSON file holds, and nothing else. The page shows the numbers that lead, with
their 95 % intervals, and says what they are measured against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from landcover.files import html
from landcover.reports import assessment
from landcover.reports.score_report import Report, share
from landcover.reports.words import percent

#: Rows of a table of transitions.
_MOST_TRANSITIONS = 10


class ComparisonReport(Report):
    """What `landcover.compare` gives."""

    def _repr_html_(self) -> str:
        against = self["against"]
        scored = [(model, model["scores"][against]) for model in self["models"]]
        remarks = dict.fromkeys([*self.get("left_out", []), *self.get("remarks", [])])
        return html.card(
            "Maps compared",
            html.text(self["headline"]),
            html.table(
                ["map", self["measure"], "95 % interval", "balanced", "macro F1", "outside"],
                [
                    [
                        model["title"],
                        *share(scores, "overall_accuracy"),
                        percent(scores["balanced_accuracy"]),
                        f"{scores['macro_f1']:.3f}",
                        percent(model["outside_share"]),
                    ]
                    for model, scores in scored
                ],
            ),
            html.text(
                f"{self['n_test']:,} pixels, scored on {self['scored_on']}; split: "
                f"{self['split']}. outside: share of the map beyond the model's area of "
                "applicability, where known.",
                *_honest(against),
                *remarks,
                faint=True,
            ),
        )


class NoiseReport(Report):
    """What `landcover.denoise` gives."""

    def _repr_html_(self) -> str:
        known = any(row["really_right"] is not None for row in self["classes"])
        head = ["label", "pixels", "right", "kept", *(["right by the reference"] if known else [])]
        rows = [
            [
                f"{row['code']} {row['name']}",
                f"{row['pixels']:,}",
                percent(row["right"]),
                percent(row["labelled_as_itself"]),
                *([percent(row["really_right"])] if known else []),
            ]
            for row in self["classes"]
        ]
        return html.card(
            f"Labels are estimated to be right on {percent(self['mean_confidence'])} of the pixels",
            html.table(head, rows),
            html.text(
                "right: of the pixels with this label, the share estimated to be of the class. "
                "kept: of the pixels estimated to be of the class, the share that has its label.",
                *self.get("notes", []),
                faint=True,
            ),
        )


class AssessmentReport(Report):
    """What `landcover.assess` gives of one map."""

    def _repr_html_(self) -> str:
        rows = [
            [
                f"{code} {found.get('name', '')}".strip(),
                percent(found["users_accuracy"]),
                percent(found["producers_accuracy"]),
                _ha(found.get("mapped_ha")),
                _ha(found.get("area_ha")),
                _ha_interval(found.get("area_ha_ci95")),
                found["n_reference"],
            ]
            for code, found in self["per_class"].items()
        ]
        head = [
            *("class", "user's accuracy", "producer's accuracy", "mapped, ha"),
            *("estimated, ha", "95 % interval", "units"),
        ]
        return html.card(
            f"Assessment of {self['title']}",
            html.text(assessment.headline(self)),
            html.table(head, rows),
            html.text(*self.get("unmet", []), *self.get("remarks", []), faint=True),
        )


class AssessmentReports(dict[str, AssessmentReport]):
    """What `landcover.assess` gives, by model."""

    def _repr_html_(self) -> str:
        return "".join(report._repr_html_() for report in self.values())


class ChangeReport(Report):
    """What `landcover.find_change` gives.

    Parameters
    ----------
    fields : mapping
        Of change.json.
    folder : path
        Of the products, with the picture.
    """

    def __init__(self, fields: Mapping[str, Any], folder: Path) -> None:
        super().__init__(fields)
        self._picture = folder / "change.png"

    def _repr_html_(self) -> str:
        unit = self["unit"]
        names = {c["code"]: f"{c['code']} {c['name']}" for c in self["classes"]}
        found = sorted(self["transitions"], key=lambda cell: -cell["mapped"])[:_MOST_TRANSITIONS]
        rows = [
            [
                f"{names[cell['from']]} → {names[cell['to']]}",
                f"{cell['mapped']:,.1f}",
                f"{cell['area']:,.1f}",
                _ha_interval(cell["area_ci95"]),
            ]
            for cell in found
            if cell["mapped"] > 0
        ]
        pictures = {"before, after, change": self._picture} if self._picture.exists() else {}
        return html.card(
            f"Change from {self['before']} to {self['after']}",
            html.text(self["headline"]),
            html.gallery(pictures, side_px=760),
            html.table(["from → to", f"mapped, {unit}", f"expected, {unit}", "95 % interval"], rows)
            if rows
            else html.text("The map shows no change."),
            html.text(
                "mapped: what the map of change shows. expected: the sum of probabilities, which "
                "doubt of the model raises or lowers.",
                *self.get("notes", []),
                faint=True,
            ),
        )


def _honest(against: str) -> list[str]:
    """What a score against labels is not."""
    if against == "reference":
        return []
    return ["Scored against coarse labels, so this is agreement with them, and not accuracy."]


def _ha(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _ha_interval(bounds: Sequence[float] | None) -> str:
    return "–" if bounds is None else f"{bounds[0]:,.1f}–{bounds[1]:,.1f}"

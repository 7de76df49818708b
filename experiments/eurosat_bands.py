"""Which bands tell EuroSAT's classes apart: each alone, in threes, and all together.

python -m experiments.eurosat_bands EuroSATallBands.zip [--sets B02 RGB all ...] [--minutes 10]

Every set of bands trains the same network from nothing on the same split. The set's tifs hold all
bands at 10 m already: its authors brought those of 20 and 60 m there by cubic spline.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.study import add_finetuning, refusals
from landcover.commands.options import COUNT_OR_NONE
from landcover.files.atomic import replace_when_whole, write_json
from landcover.progress import say
from landcover.reports import figures
from landcover.reports.words import interval, percent
from landcover.run import Run
from landcover.sensors import EUROSAT_BANDS
from landcover.stages.finetune import Choices, Task, finetune, open_task
from landcover.stages.store import read_report

#: The published combinations (Helber et al. 2019, doi:10.1109/JSTARS.2019.2918242).
COMBINED = {
    "RGB": ("B04", "B03", "B02"),
    "colour-infrared": ("B08", "B04", "B03"),
    "SWIR": ("B12", "B8A", "B04"),
    "all": EUROSAT_BANDS,
}
SETS = {band: (band,) for band in sorted(EUROSAT_BANDS)} | COMBINED


def parser() -> argparse.ArgumentParser:
    """What the study takes."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("source", type=Path, help="EuroSAT's 13-band archive or folder")
    made.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    add_finetuning(made, minutes=10.0)
    made.add_argument("--seed", type=COUNT_OR_NONE, default=42)
    made.add_argument("--out", type=Path, default=Path("runs/eurosat_bands"), help="run folder")
    return made


def read(a: argparse.Namespace) -> Task:
    """The chips in all bands of the sets: 2.9 GB in memory where these are all 13."""
    bands = tuple(band for band in EUROSAT_BANDS if any(band in SETS[name] for name in a.sets))
    return open_task(a.source, Choices(split=a.split, seed=a.seed, bands=bands))


def measure(a: argparse.Namespace, run: Run, task: Task, name: str) -> dict[str, Any]:
    """Train on one set of bands; its row of the table."""
    choices = Choices(
        split=a.split,
        seed=a.seed,
        minutes=a.minutes,
        epochs=a.epochs,
        bands=SETS[name],
        name=f"compact-{name}",
    )
    finetune(run, a.source, choices, task.of_bands(SETS[name]))
    report = read_report(run.report(choices.name or ""))
    return {"set": name, "bands": " ".join(SETS[name])} | {
        key: report[key] for key in ("overall_accuracy", "overall_accuracy_ci95", "macro_f1")
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown, best first."""
    lines = ["| bands | accuracy | 95 % interval | macro F1 |", "|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: -row["overall_accuracy"]):
        title = row["set"] if row["set"] == row["bands"] else f"{row['set']} ({row['bands']})"
        lines.append(
            f"| {title} | {percent(row['overall_accuracy'])} | "
            f"{interval(row['overall_accuracy_ci95'])} | {row['macro_f1']:.3f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Train on every set of bands, print the table, draw the plot."""
    a = parser().parse_args(argv)
    run = Run(a.out)
    rows: list[dict[str, Any]] = []
    with refusals(parser()):
        task = read(a)
        for name in a.sets:
            rows.append(measure(a, run, task, name))
            say(f"{name}: {percent(rows[-1]['overall_accuracy'])}")
        write_json(run.path / "bands.json", {"rows": rows})
        bars = [
            (row["set"], row["overall_accuracy"], row["overall_accuracy_ci95"])
            for row in sorted(rows, key=lambda row: row["overall_accuracy"])
        ]
        plot, text = run.path / "bands.svg", run.path / "bands.md"
        for path, content in ((plot, figures.bars(bars, "accuracy")), (text, table(rows) + "\n")):
            with replace_when_whole(path) as part:
                part.write_text(content, "utf-8")
    print(table(rows))
    print(text, plot, run.path / "bands.json", sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The study of change between years, small."""

from __future__ import annotations

import pytest

from experiments import years
from landcover.maps import change_rasters


@pytest.mark.slow
def test_steps_leave_out_false_change(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(change_rasters, "SAMPLE", 4_000)
    monkeypatch.setattr(years, "DATES", 4)
    monkeypatch.setattr(years, "SAMPLES", 1_500)
    options = ["--seeds", "0", "--size", "160", "--models", "sequence-forest"]
    assert years.main([str(tmp_path), *options, "--trained-on", "reference"]) == 0
    said = "".join(capsys.readouterr())
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| 0 |")]
    assert [row[3] for row in rows] == [
        "the maps differ", "probabilities of both", "consistency over the year", "smallest area",
    ]  # fmt: skip
    false = [float(row[5]) for row in rows]
    assert false == sorted(false, reverse=True) and false[0] > 4 * false[-1]
    assert "true " in said and "estimated" in said

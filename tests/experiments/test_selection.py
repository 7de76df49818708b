"""Whether what chooses a map without a reference ranks maps as the truth does."""

import json

import numpy as np
import pytest

from experiments import selection
from landcover.errors import LandcoverError


def score(accuracy, agreement, refined, core, blocks=6):
    """A map that agrees with refined labels and finds one class's core on so many of 100 pixels."""
    return {
        "accuracy": accuracy,
        "agreement": agreement,
        "refined": [[100, refined]] * blocks,
        "cores": [[[100, core]]] * blocks,
        "largest": [0.4, 0.4],
    }


#: Of three maps the criterion takes the best; agreement with the labels the worst.
MAPS = {
    "CNN 7x7, refine; kind-4": score(0.9, 0.7, 90, 80),
    "MLP, none; kind-4": score(0.8, 0.75, 84, 70),
    "forest of leaf 1, none; kind-4": score(0.6, 0.8, 50, 76),
}


def test_scores_are_those_of_the_counts():
    accuracy, values = selection.judged(selection.scores_at(MAPS, "kind-4"))
    np.testing.assert_allclose(accuracy, [90, 80, 60])
    expected = [[85, 90, 80, 70], [77, 84, 70, 75], [63, 50, 76, 80]]
    np.testing.assert_allclose(values, expected)


def test_the_table_has_ranks_losses_and_the_map_that_is_named():
    _, _, row, mean = selection.table(MAPS).splitlines()
    place, maps, *cells, named, lost = row.strip("| ").split(" | ")
    assert (place, maps, named, lost) == ("woods 0.12, heath 0.2", "3", "CNN 7x7, refine", "0.0")
    pairs = ["1.00", "0.00", "1.00", "0.00", "0.50", "0.00", "-1.00", "30.00"]
    assert cells == pairs and mean.split(" | ")[2:10] == pairs


def test_few_blocks_name_no_map_and_two_maps_are_no_row():
    few = {key: score(0.5, 0.5, 50, 50, blocks=4) for key in MAPS}
    assert "the test set has 4 blocks, and 5 are needed | - |" in selection.table(few)
    assert len(selection.table(dict(list(MAPS.items())[:2])).splitlines()) == 2


def test_what_is_known_is_not_measured_again(tmp_path, capsys, monkeypatch):
    (tmp_path / "selection.json").write_text(json.dumps(MAPS))
    done = []

    def measured(a, place, candidate):
        done.append((place, candidate, tuple(a.size), a.samples, a.epochs))
        return score(0.7, 0.7, 70, 70)

    monkeypatch.setattr(selection, "measure_at", measured)
    call = [str(tmp_path), "--places", "kind-4", "--size", "300", "400", "--samples", "500"]
    candidates = ["MLP, none", "MLP, refine"]
    selection.main([*call, "--epochs", "3", "--candidates", *candidates])
    assert done == [("kind-4", "MLP, refine", (300, 400), 500, 3)]
    assert len(json.loads((tmp_path / "selection.json").read_text())) == 4
    assert "| woods 0.12, heath 0.2 | 4 |" in capsys.readouterr().out


@pytest.mark.parametrize("candidate", selection.CANDIDATES)
def test_candidates_are_what_training_takes(candidate):
    """An unknown kind or choice would end a study after hours."""
    from landcover.classifiers.kinds import trained_kind

    choices = selection.chosen(candidate, 5)
    kind, _ = choices.pop("kind"), choices.pop("denoise")
    trained_kind(kind, choices)
    with pytest.raises(LandcoverError):
        trained_kind(kind, choices | {"no_such_choice": 1})

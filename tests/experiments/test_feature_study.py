"""The study of features: blocks apart, gains with known answers, and a study that goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments import feature_study
from experiments.feature_figure import figure_of, gains_of
from experiments.feature_groups import GROUPS, columns_of
from experiments.feature_places import PLACES, Place, synthetic
from experiments.feature_study import SHUFFLES, Samples, draw, measure, pooled, sets_of, splits
from landcover.files.atomic import read_json
from landcover.sensors import SENTINEL2


@pytest.fixture(scope="module")
def place() -> Place:
    return synthetic(0, 160, 192)


@pytest.fixture(scope="module")
def drawn(place) -> Samples:
    return draw(place, 500, seed=0)


def made_up(place: Place, noise: float) -> Samples:
    """Samples of which one group tells the class, but for noise, and the others tell nothing."""
    rng = np.random.default_rng(5)
    rows, cols = (axis.ravel() for axis in np.mgrid[:160:4, :192:4])
    labels = rng.integers(1, 4, rows.size)
    told = labels + noise * rng.standard_normal(rows.size)
    groups = {
        "visible": {"a": rng.random(rows.size), "b": rng.random(rows.size)},
        "near infrared": {"c": rng.random(rows.size)},
        "terrain": {"told": told},
    }
    return Samples(groups, labels, place.blocks()[rows, cols], rows, cols)


def test_every_group_has_the_features_that_its_name_says(place, drawn):
    assert list(drawn.groups) == list(GROUPS)
    assert list(drawn.groups["visible"]) == ["B04", "B03", "B02"]
    bands = [n for g in feature_study.BASE for n in drawn.groups[g]]
    assert set(bands) == set(SENTINEL2.surface_names)
    assert {"ndvi", "mndwi", "ndre"} <= set(drawn.groups["indices"])
    assert {"elevation", "slope", "aspect_sin"} <= set(drawn.groups["terrain"])
    assert len(drawn.groups["dates"]) == 12 and "glcm:B08:entropy" in drawn.groups["texture"]
    for group in drawn.groups.values():
        for column in group.values():
            assert column.shape == (500,) and np.isfinite(column).all()
    ndvi, (red, infrared) = drawn.groups["indices"]["ndvi"], place.image[[3, 7]]
    there = drawn.rows, drawn.cols
    np.testing.assert_allclose(
        ndvi, ((infrared - red) / (infrared + red))[there], rtol=1e-5, atol=1e-6
    )
    level = Place(place.image, place.bands, place.labels, place.block_px)
    assert {"terrain", "dates"}.isdisjoint(columns_of(level, *there))


def test_no_block_is_learnt_and_scored_and_a_guard_lies_between(place, drawn):
    tested = np.zeros(drawn.labels.size, int)
    for train, test in splits(place, drawn, seed=0):
        tested[test] += 1
        assert not set(drawn.blocks[train]) & set(drawn.blocks[test])
        apart = np.maximum(
            np.abs(drawn.rows[train][:, None] - drawn.rows[test]),
            np.abs(drawn.cols[train][:, None] - drawn.cols[test]),
        )
        assert apart.min() > place.guard_px
        assert train.size > 100
    assert (tested == 1).all()


def test_gains_have_the_size_and_the_sign_that_they_must(place):
    found = measure(place, made_up(place, noise=0.0), "linear")["sets"]
    assert found["all bands"]["accuracy"] == pytest.approx(1 / 3, abs=0.06)
    assert found["+ terrain"]["accuracy"] == found["everything"]["accuracy"] == 1
    gain, low, high = found["+ terrain"]["gain"]
    assert gain == pytest.approx(1 - found["all bands"]["accuracy"]) and low <= gain <= high
    assert found["without terrain"]["gain"][0] == pytest.approx(-gain)
    # three classes at random: a shuffled feature is right in a third
    assert found["terrain shuffled"]["accuracy"] == pytest.approx(1 / 3, abs=0.05)
    assert found["terrain shuffled"]["gain"][2] < -0.5
    assert found["visible shuffled"]["gain"] == [0, 0, 0]
    assert found["without visible"]["gain"] == [0, 0, 0]


def test_noise_lessens_the_gain_and_intervals_hold_zero_where_nothing_is_told(place):
    sharp, dull, none = (
        measure(place, made_up(place, noise), "linear")["sets"]["+ terrain"]["gain"]
        for noise in (0.3, 1.0, 1e6)
    )
    assert sharp[0] > dull[0] > none[2]
    assert none[1] <= 0 <= none[2] and dull[1] > 0


def test_accuracies_are_those_of_scikit_learn(place, drawn, monkeypatch):
    from sklearn.metrics import accuracy_score, f1_score

    monkeypatch.setattr(feature_study, "TREES", 4)
    few = {group: drawn.groups[group] for group in ("visible", "near infrared", "indices")}
    found = measure(place, replace(drawn, groups=few), "forest")
    table, predicted = drawn.table(["visible"]), np.zeros_like(drawn.labels)
    for train, test in splits(place, drawn, seed=0):
        model = feature_study.classifier("forest", 0).fit(table[train], drawn.labels[train])
        predicted[test] = model.predict(table[test])
    rgb = found["sets"]["RGB"]
    assert rgb["accuracy"] == pytest.approx(accuracy_score(drawn.labels, predicted))
    assert rgb["macro_f1"] == pytest.approx(f1_score(drawn.labels, predicted, average="macro"))
    assert sum(rgb["right"]) == (predicted == drawn.labels).sum()
    assert sum(found["pixels"]) == found["samples"] == drawn.labels.size
    shuffled = found["sets"]["visible shuffled"]["right"]
    assert np.allclose(np.rint(np.array(shuffled) * SHUFFLES), np.array(shuffled) * SHUFFLES)


def test_scenes_are_pooled_by_their_blocks():
    """Two scenes of two blocks: 10 of 20 pixels right, and 16 of 20 with more features."""
    scenes = [
        {
            "pixels": [5, 5],
            "sets": {
                "all bands": {"right": [2, 3], "against": None},
                "+ dates": {"right": more, "against": "all bands"},
            },
        }
        for more in ([4, 5], [2, 5])
    ]
    assert pooled(scenes, "all bands") == (0.5, None)
    accuracy, gain = pooled(scenes, "+ dates")
    assert accuracy == pytest.approx(0.8) and gain is not None
    assert gain[0] == pytest.approx(0.3)
    # differences of blocks are 0.4, 0.4, 0 and 0.4; a mean of four draws
    assert 0 <= gain[1] < 0.3 < gain[2] <= 0.4


def test_sets_without_further_bands_do_not_name_the_base_twice():
    names = sets_of(["visible", "near infrared", "texture"])
    assert "RGB + NIR" not in names and names["all bands"][0] == ("visible", "near infrared")
    assert list(sets_of(["visible", "near infrared"])) == ["all bands", "RGB"]


def test_a_study_goes_on_where_it_stopped_and_its_picture_shows_its_table(
    tmp_path, capsys, monkeypatch
):
    small = {name: lambda _, k=k: synthetic(k, 160, 192) for k, name in enumerate(PLACES)}
    monkeypatch.setattr(feature_study, "PLACES", small)
    monkeypatch.setattr(feature_study, "CLASSIFIERS", ("linear",))
    for group in ("near infrared", "texture", "terrain", "segments"):
        monkeypatch.delitem(GROUPS, group)
    call = [str(tmp_path), "--places", "synthetic-0", "--samples", "400"]
    assert feature_study.main(call) == 0
    text = (tmp_path / "features.md").read_text()
    assert capsys.readouterr().out.endswith(text)
    assert (tmp_path / "features.png").read_bytes().startswith(b"\x89PNG")
    book = read_json(tmp_path / "rows.json")
    assert list(book) == ["synthetic-0 linear"]
    gains = gains_of(text)
    assert [title for title in gains if gains[title]][:3] == ["RGB", "+ indices", "+ dates"]
    of_rows = book["synthetic-0 linear"]["sets"]["RGB"]["gain"]
    assert gains["RGB"]["synthetic", "linear"] == pytest.approx(
        [100 * n for n in of_rows], abs=0.06
    )
    assert figure_of(text, "svg").count(b"<svg") == 1

    monkeypatch.setattr(feature_study, "measure", None)  # nothing is measured again
    assert feature_study.main(call) == 0
    assert capsys.readouterr().out == text == (tmp_path / "features.md").read_text()


def test_real_scenes_need_their_folder(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        feature_study.main([str(tmp_path), "--places", "amazon"])
    assert stopped.value.code == 2
    assert "real scenes need their folder; give it with --data" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["amazon", "slovenia"])
def test_real_places_have_layers_of_one_shape(shared_data, name):
    place = PLACES[name](shared_data)
    assert len(place.bands) == len(place.image) >= 12
    assert place.image.shape[1:] == place.labels.shape == place.elevation.shape
    assert 0 < np.nanmedian(place.image) < 1
    assert len(np.unique(place.labels[place.labels > 0])) >= 4

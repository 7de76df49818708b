"""Forest and nearest neighbours: targets, choices, determinism, storage as data."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from landcover.classifiers import estimators, forests, standardised, trees
from landcover.errors import LandcoverError


@pytest.fixture(scope="module")
def noisy():
    """Four classes by quadrant; a third of the training labels are wrong, validation is clean."""
    rng = np.random.default_rng(0)
    X = rng.random((4000, 3)).astype(np.float32)
    y = (X[:, 0] > 0.5) * 2 + (X[:, 1] > 0.5)
    wrong = rng.random(4000) < 0.33
    labels = np.where(wrong, rng.integers(4, size=4000), y)
    return X[:3000], labels[:3000], X[3000:], y[3000:]


@pytest.fixture(scope="module")
def fitted(noisy):
    return forests.fit_forest(*noisy, forests.Growth(3, n_trees=40), (1, 30))


def test_noise_calls_for_larger_leaves(noisy, fitted):
    forest, tried, _ = fitted
    assert set(tried) == {1, 30}
    assert tried[30] > tried[1]
    assert forest.min_samples_leaf == 30
    assert tried[30] > 0.93


@pytest.mark.parametrize("accelerate", [False, True])
def test_probabilities_are_those_of_scikit_learn(noisy, accelerate):
    forest, *_ = forests.fit_forest(
        *noisy, forests.Growth(3, n_trees=40, accelerate=accelerate), (30,)
    )
    assert type(forest) is RandomForestClassifier
    if not accelerate:
        X, y = noisy[:2]
        independent = RandomForestClassifier(40, min_samples_leaf=30, random_state=3).fit(X, y)
        expected = independent.predict_proba(noisy[2])
    else:
        expected = forest.set_params(n_jobs=1).predict_proba(noisy[2])
    found = estimators.probabilities(forest, noisy[2])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_accelerated_leaves_hold_the_shares_of_the_training_rows(noisy):
    """Told apart by scikit-learn's own `apply`, under class weights."""
    pytest.importorskip("sklearnex")
    X, y = noisy[:2]
    weights = {0: 1.0, 1: 2.0, 2: 0.5, 3: 1.0}
    forest, *_ = forests.fit_forest(*noisy, forests.Growth(0, weights, n_trees=4), (5,))
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        ends = tree.apply(X)
        for leaf in np.unique(ends)[:40]:
            sums = np.array([weights[k] * (y[ends == leaf] == k).sum() for k in range(4)])
            np.testing.assert_allclose(tree.value[leaf, 0], sums / sums.sum())
        np.testing.assert_allclose(tree.value[tree.children_left < 0, 0].sum(axis=1), 1)


@pytest.mark.parametrize("leaf_size", [1, 30])
def test_accelerated_forests_are_as_accurate(noisy, leaf_size):
    """Mean over seeds; a difference of 0.02 is three standard errors of 1000 rows."""
    pytest.importorskip("sklearnex")

    def accuracy(accelerate):
        return np.mean([
            forests.fit_forest(
                *noisy, forests.Growth(seed, n_trees=40, accelerate=accelerate), (leaf_size,)
            )[1][leaf_size]
            for seed in range(3)
        ])  # fmt: skip

    assert accuracy(True) > accuracy(False) - 0.02


def test_where_nothing_faster_is_installed_scikit_learn_grows_the_forest(noisy, monkeypatch):
    growth = forests.Growth(1, n_trees=5)
    plain, _, library = forests.fit_forest(*noisy, replace(growth, accelerate=False), (20,))
    assert library == f"scikit-learn {sklearn.__version__}"
    # Installed or not, it does not load
    monkeypatch.setitem(sys.modules, "sklearnex.ensemble", None)
    found, _, library = forests.fit_forest(*noisy, growth, (20,))
    assert library == f"scikit-learn {sklearn.__version__}"
    np.testing.assert_array_equal(
        estimators.probabilities(found, noisy[2]), estimators.probabilities(plain, noisy[2])
    )


def test_what_grew_a_forest_is_told(noisy, monkeypatch):
    growth = forests.Growth(1, n_trees=5)
    if forests.fast_forest():
        assert forests.fit_forest(*noisy, growth, (20,))[2].startswith("scikit-learn-intelex ")
    # A class that leaves the work to scikit-learn, as the faster one does with some settings
    monkeypatch.setattr(forests, "fast_forest", lambda: RandomForestClassifier)
    assert forests.fit_forest(*noisy, growth, (20,))[2] == f"scikit-learn {sklearn.__version__}"


def test_a_stored_forest_needs_scikit_learn_alone(fitted, tmp_path):
    path = tmp_path / "model.skops"
    estimators.save(fitted[0], path)
    code = (
        "import sys; sys.modules['sklearnex'] = sys.modules['daal4py'] = None;"
        "from landcover.classifiers import estimators;"
        "print(type(estimators.load(sys.argv[1])).__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "sklearn.ensemble._forest"


def test_rows_do_not_depend_on_their_company(noisy, fitted, monkeypatch):
    X = np.repeat(noisy[2], 20, axis=0)
    whole = estimators.probabilities(fitted[0], X)
    for block in (1000, 7777):
        monkeypatch.setattr(trees, "BLOCK_ROWS", block)
        assert estimators.probabilities(fitted[0], X).tobytes() == whole.tobytes()


def test_the_same_seed_gives_the_same_bytes(noisy, fitted):
    again, tried, _ = forests.fit_forest(*noisy, forests.Growth(3, n_trees=40), (1, 30))
    assert tried == fitted[1]
    first, second = (estimators.probabilities(model, noisy[2]) for model in (fitted[0], again))
    assert first.tobytes() == second.tobytes()
    other, *_ = forests.fit_forest(*noisy, forests.Growth(4, n_trees=40), (30,))
    assert estimators.probabilities(other, noisy[2]).tobytes() != first.tobytes()


def test_rows_with_missing_values_get_no_class(noisy, fitted):
    X = noisy[2][:5].copy()
    X[2, 1] = np.nan
    found = estimators.probabilities(fitted[0], X)
    assert (found[2] == 0).all()
    np.testing.assert_array_equal(
        found[[0, 1, 3, 4]], estimators.probabilities(fitted[0], noisy[2][[0, 1, 3, 4]])
    )


def test_columns_are_positions_even_where_a_class_has_no_row():
    X = np.arange(60, dtype=np.float32)[:, np.newaxis]
    y = np.where(X[:, 0] < 30, 1, 3)
    for model in (
        forests.fit_forest(X, y, X, y, forests.Growth(0, n_trees=5), (1,))[0],
        standardised.fit_knn(X, y, X, y, neighbours=(1,))[0],
    ):
        found = estimators.probabilities(model, X)
        assert found.shape == (60, 4)
        assert (found[:, [0, 2]] == 0).all()
        assert (found.argmax(axis=1) == y).all()


def test_class_weights_favour_the_rare_class():
    rng = np.random.default_rng(0)
    y = (rng.random(3000) < 0.05).astype(int)
    X = (rng.normal(size=(3000, 1)) + y[:, None]).astype(np.float32)
    data = X[:2000], y[:2000], X[2000:], y[2000:]

    def recall(class_weight):
        model, *_ = forests.fit_forest(*data, forests.Growth(0, class_weight, n_trees=30), (50,))
        predicted = estimators.probabilities(model, data[2]).argmax(axis=1)
        return (predicted == 1)[data[3] == 1].mean()

    assert recall(None) < 0.1
    assert recall({0: 1 / 0.95, 1: 1 / 0.05}) > 0.4


def test_neighbours_are_counted_on_standardised_inputs():
    """The class lies in the small input; unscaled, the large one would drown it."""
    rng = np.random.default_rng(0)
    X = np.stack([rng.random(1500) / 1000, 1000 * rng.random(1500)], axis=1).astype(np.float32)
    y = (X[:, 0] > 0.0005).astype(int)
    model, tried = standardised.fit_knn(X[:1000], y[:1000], X[1000:], y[1000:])
    assert max(tried.values()) > 0.95
    assert model[-1].n_neighbors in standardised.NEIGHBOURS


def test_neighbours_are_never_more_than_rows():
    X = np.arange(8, dtype=np.float32)[:, np.newaxis]
    y = (X[:, 0] > 3).astype(int)
    _, tried = standardised.fit_knn(X, y, X, y)
    assert set(tried) == {5, 8}


@pytest.mark.parametrize("kind", ["forest", "knn"])
def test_a_stored_model_is_data_and_the_same(kind, noisy, fitted, tmp_path):
    model = fitted[0] if kind == "forest" else standardised.fit_knn(*noisy)[0]
    path = tmp_path / "models" / "model.skops"
    estimators.save(model, path)
    assert [p.name for p in path.parent.iterdir()] == ["model.skops"]
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if name.endswith((".pkl", ".pickle"))]
    again = estimators.load(path)
    first, second = (estimators.probabilities(m, noisy[2]) for m in (model, again))
    assert first.tobytes() == second.tobytes()


def test_a_stored_forest_gives_the_same_in_another_process(noisy, fitted, tmp_path):
    path = tmp_path / "model.skops"
    estimators.save(fitted[0], path)
    np.save(tmp_path / "X.npy", noisy[2])
    code = (
        "import sys, hashlib, numpy as np; from landcover.classifiers import estimators;"
        "p = estimators.probabilities(estimators.load(sys.argv[1]), np.load(sys.argv[2]));"
        "print(hashlib.sha256(p.tobytes()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "X.npy")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    here = estimators.probabilities(fitted[0], noisy[2]).tobytes()
    assert done.stdout.strip() == hashlib.sha256(here).hexdigest()


class Harmful:
    """Stands for any type that a model file has no need of."""


def test_a_file_with_foreign_types_is_refused(tmp_path):
    import skops.io

    path = tmp_path / "model.skops"
    foreign = LogisticRegression()
    foreign.note = Harmful()
    skops.io.dump(foreign, path)
    with pytest.raises(LandcoverError, match=r"holds .*Harmful.*no model of landcover.*not loaded"):
        estimators.load(path)


def test_a_pickle_is_not_read(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(LandcoverError, match=r"not a readable model .*train the model again"):
        estimators.load(path)


def test_a_truncated_file_is_one_line(fitted, tmp_path):
    path = tmp_path / "model.skops"
    estimators.save(fitted[0], path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(LandcoverError, match="train the model again") as caught:
        estimators.load(path)
    assert "\n" not in str(caught.value)


def test_no_pickle_anywhere():
    text = Path(estimators.__file__).read_text("utf-8")
    assert "import pickle" not in text and "import joblib" not in text

"""Boosted trees, standardised classifiers and any estimator: scores, stored forms, refusals."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from landcover.classifiers import (
    any_estimator,
    boosting,
    estimators,
    forests,
    lightgbm_models,
    rbf_svm,
    row_models,
    standardised,
)
from landcover.classifiers.boosted_trees import Boosted
from landcover.classifiers.exchange import forest_onnx, scores_onnx
from landcover.classifiers.fitting import Setup
from landcover.classifiers.protocol import Inputs, Signature
from landcover.errors import InputError, LandcoverError, MissingDependency
from landcover.legend import Legend

ONE = Setup("one", Inputs(("B02", "B03")), seed=5)


def drawn(classes, n=400, seed=0):
    """Rows of classes around centres, at these positions of a legend, and the same again."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(classes), 4)) * 3
    index = rng.integers(len(classes), size=n)
    X = (centres[index] + rng.normal(size=(n, 4))).astype(np.float32)
    y = np.array(classes)[index]
    return X[: n // 2], y[: n // 2], X[n // 2 :], y[n // 2 :]


FITS = {
    "knn": standardised.fit_knn,
    "logistic": partial(standardised.fit_logistic, class_weight=None),
    "svm": partial(standardised.fit_svm, class_weight=None, seed=0),
    "centroid": standardised.fit_centroids,
    "boosting": partial(boosting.fit_boosting, class_weight=None, seed=0),
    "extra trees": partial(forests.fit_extra_trees, growth=forests.Growth(0, n_trees=10)),
}


@pytest.fixture(scope="module", autouse=True)
def few_iterations():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "ITERATIONS", (2, 6))
        yield


@pytest.fixture(scope="module", params=[(name, k) for name in FITS for k in (2, 3)], ids=str)
def fitted(request, few_iterations):
    """What is fitted, on which rows; positions of a longer legend."""
    name, k = request.param
    rows = drawn([1, 3, 4][:k])
    return name, *FITS[name](*rows), rows


def test_probabilities_are_those_of_scikit_learn_at_positions_of_the_legend(fitted):
    name, model, tried, (*_, X, y) = fitted
    found = estimators.probabilities(model, X)
    assert found.shape == (len(X), y.max() + 1) and found.dtype == np.float32
    absent = np.setdiff1d(np.arange(y.max() + 1), y)
    assert (found[:, absent] == 0).all()
    if name == "svm":  # it gives scores alone
        scores = model.decision_function(X.astype(np.float64))
        own = scores if scores.ndim == 2 else np.stack([-scores, scores], axis=1)
        expected = np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(rbf_svm.Scores.of(model)(X), own, rtol=1e-6, atol=1e-6)
    else:
        expected = model.predict_proba(X)
    np.testing.assert_allclose(found[:, model.classes_], expected, atol=1e-6)
    right = (found.argmax(axis=1) == y).mean()
    assert right == pytest.approx(max(tried.values()), abs=1e-5) and right > 0.9


def test_a_stored_model_gives_the_same(fitted, tmp_path):
    _, model, _, (*_, X, _) = fitted
    estimators.save(model, tmp_path / "model.skops")
    again = estimators.load(tmp_path / "model.skops")
    assert estimators.probabilities(again, X).tobytes() == (
        estimators.probabilities(model, X).tobytes()
    )


def test_onnx_gives_the_same(fitted):
    runtime = pytest.importorskip("onnxruntime")
    name, model, _, (*_, X, _) = fitted
    if name == "knn":
        assert row_models.export_neighbours(Path("model.skops"))[0] is None
        return
    proto = {
        "boosting": lambda: forest_onnx.boosted_to_onnx(Boosted.of(model), model.classes_),
        "extra trees": lambda: forest_onnx.to_onnx(model),
    }.get(name, lambda: scores_onnx.to_onnx(model))()
    X = X.copy()
    X[2, 1] = np.nan
    session = runtime.InferenceSession(proto.SerializeToString())
    (found,) = session.run(None, {"values": X})
    np.testing.assert_allclose(found, estimators.probabilities(model, X), atol=2e-6)
    assert (found[2] == 0).all()


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6), leaves=st.integers(2, 12), steps=st.sampled_from([3, 1000]),
    k=st.integers(2, 4),
)  # fmt: skip
def test_boosted_trees_are_walked_as_scikit_learn_walks_them(seed, leaves, steps, k):
    """Also on values that are thresholds: few steps make many ties."""
    rng = np.random.default_rng(seed)
    X = (rng.integers(steps, size=(120, 3)) / steps).astype(np.float32)
    y = rng.integers(k, size=120)
    if len(np.unique(y)) < 2:
        return
    with threadpool_limits(1, "openmp"):
        model = HistGradientBoostingClassifier(
            max_iter=3, max_leaf_nodes=leaves, min_samples_leaf=3, early_stopping=False
        ).fit(X, y)
        expected = model.predict_proba(X)
    np.testing.assert_allclose(Boosted.of(model).probabilities(X), expected, 1e-12)


def test_lightgbm_models_are_text_that_needs_no_lightgbm(monkeypatch, tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    for classes in ([0, 1], [0, 1, 2]):
        rows = drawn(classes)
        text, tried = boosting.fit_lightgbm(*rows, len(classes), None, 0)
        trees = Boosted.of_lightgbm(text)
        expected = lightgbm.Booster(model_str=text).predict(rows[2])
        np.testing.assert_allclose(trees.probabilities(rows[2]), expected, atol=1e-12)
        assert len(trees.trees) == len(classes) * max(tried, key=lambda n: tried[n])
        again, _ = boosting.fit_lightgbm(*rows, len(classes), None, 0)
        assert again == text
    path = tmp_path / "model.txt"
    path.write_text(text)
    legend = Legend.corine(3)
    signature = Signature("lightgbm", legend.subset([211, 311, 512]), Inputs(("B02",) * 4))
    loaded = lightgbm_models.load(path, signature)
    found = loaded.predict(np.vstack([rows[2][:3], [[np.nan] * 4]]), np.zeros((4, 0)))
    np.testing.assert_allclose(found[:3], expected[:3], atol=1e-6)
    assert (found[3] == 0).all()
    wrong = Signature("lightgbm", legend.subset([211, 311]), Inputs(("B02",) * 4))
    with pytest.raises(LandcoverError, match="tells 3 classes apart, and the model's card names 2"):
        lightgbm_models.load(path, wrong)
    for old, new, said in (
        ("objective=multiclass", "objective=regression", "no classification by trees"),
        ("left_child=", "left_child=99 ", "not whole|points at what is not there"),
        ("decision_type=2", "decision_type=1", "splits by categories"),
        ("leaf_value=", "leaf_value=x", "could not convert"),
    ):
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(LandcoverError, match=said) as caught:
            lightgbm_models.load(path, signature)
        assert "train the model again" in str(caught.value) and "\n" not in str(caught.value)


def test_a_tree_that_turns_in_circles_is_not_read():
    tree = "\n".join([
        "num_leaves=3", "split_feature=0 0", "threshold=1 2", "decision_type=2 2",
        "left_child=1 0", "right_child=-1 -2", "leaf_value=1 2 3",
    ])  # fmt: skip
    head = "num_class=2\nobjective=multiclass num_class:2\nmax_feature_idx=1\n"
    text = f"tree\n{head}\nTree=0\n{tree}\n"
    with pytest.raises(ValueError, match="points at what is not there"):
        Boosted.of_lightgbm(text)
    sound = text.replace("left_child=1 0", "left_child=1 -3")
    assert len(Boosted.of_lightgbm(sound).trees) == 1


def test_without_lightgbm_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(MissingDependency, match=r"pip install 'landcover\[lightgbm\]'"):
        lightgbm_models.trainer(ONE)


@pytest.mark.parametrize(
    ("path", "parameters", "said"),
    [
        (None, (), "no estimator is named; give the path of a classifier, such as sklearn"),
        ("os.system", (), "importing runs what is imported, so no other package is"),
        ("lightgbm.LGBMClassifier", (), "give a path that begins with sklearn"),
        ("sklearn.ensemble._forest.RandomForestClassifier", (), "is no public path"),
        ("sklearn.naive_bayes", (), "'sklearn.naive_bayes' is no classifier of scikit-learn"),
        ("sklearn.nothing.Here", (), "'sklearn.nothing.Here' is no classifier"),
        ("sklearn.linear_model.LinearRegression", (), "is no classifier of scikit-learn"),
        ("sklearn.svm.LinearSVC", (), "gives no probabilities"),
        ("sklearn.naive_bayes.GaussianNB", ("smoothing=1",), "takes priors, var_smoothing"),
        ("sklearn.naive_bayes.GaussianNB", ("priors",), "not of the form name=value"),
        ("sklearn.naive_bayes.GaussianNB", ("var_smoothing=-1",), "cannot be trained so"),
        ("sklearn.ensemble.VotingClassifier", (), "missing 1 required positional argument"),
        (
            "sklearn.calibration.CalibratedClassifierCV",
            ("estimator=sklearn.svm.SVC",),
            "cannot be trained so",
        ),
        (
            "sklearn.gaussian_process.GaussianProcessClassifier",
            ("kernel=__import__('os').system('true')",),
            "cannot be trained so",
        ),
    ],
)
def test_estimators_that_are_refused_before_anything_is_read(path, parameters, said):
    with pytest.raises(InputError, match=said) as caught:
        any_estimator.trainer(ONE, path, parameters)
    assert "\n" not in str(caught.value)


def test_an_estimator_that_cannot_be_stored_as_data_is_refused():
    """Before rows are read, though an unfitted one holds nothing that it could not."""
    with pytest.raises(InputError, match=r"cannot be stored as data: it holds .*kernels") as caught:
        any_estimator.trainer(ONE, "sklearn.gaussian_process.GaussianProcessClassifier")
    assert "\n" not in str(caught.value)
    foreign = LogisticRegression()
    foreign.called = print
    with pytest.raises(InputError, match=r"it holds .*print"):
        any_estimator._require_data(foreign, "sklearn.linear_model.LogisticRegression")


def test_parameters_and_the_seed_reach_the_estimator():
    made = any_estimator._made(
        "sklearn.neighbors.RadiusNeighborsClassifier",
        ("radius=2.5", "outlier_label=most_frequent", "weights=distance"),
        7,
    )
    assert (made.radius, made.outlier_label, made.weights) == (2.5, "most_frequent", "distance")
    tree = "sklearn.tree.DecisionTreeClassifier"
    assert any_estimator._made(tree, (), 7).random_state == 7
    assert any_estimator._made(tree, ("random_state=3",), 7).random_state == 3


def test_rows_that_an_estimator_finds_nothing_for_are_one_line():
    X, y, *_ = drawn([0, 1])
    made = any_estimator._made("sklearn.neighbors.RadiusNeighborsClassifier", ("radius=0.1",), 0)
    predict = any_estimator._predictor(made.fit(X, y), "model estimator-x")
    with pytest.raises(LandcoverError, match="model estimator-x gives some rows no prob") as caught:
        predict(X + 100, np.zeros((len(X), 0)))
    assert "\n" not in str(caught.value)

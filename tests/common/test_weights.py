"""`sample_weight` is relative: a common factor changes no answer of any estimator."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from skfingerprint import SourceDetector, SourceDiscriminant, WindowedClassifier
from skfingerprint.thresholds import _count_effective
from tests.estimators import ESTIMATORS, assert_same

N_SOURCES, N_IMAGES = 6, 30
Y = np.repeat(np.arange(N_SOURCES), N_IMAGES)
CONDITIONS = np.tile([0, 1], len(Y) // 2)
# A foreign classifier in windows weighs as it likes.
WEIGHTED = [
    estimator
    for estimator in ESTIMATORS
    if has_fit_parameter(estimator, "sample_weight")
    and not isinstance(estimator, WindowedClassifier)
]
METHODS = (
    "predict",
    "predict_proba",
    "decision_function",
    "score_samples",
    "transform",
    "false_alarm_probability",
)
WEIGHTS = {
    "equal": np.ones(len(Y)),
    "drawn": np.random.default_rng(1).uniform(0.1, 3, size=len(Y)),
    "some 0": np.where(np.arange(len(Y)) % 5, 1.0, 0.0),
    "1 to 100 by class": np.where(Y % 2, 1.0, 100.0),
}


def draw_rows(d):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(len(Y), d)).astype(np.float32)
    rows[np.arange(len(Y)), Y] += 6
    rows[:, 10] += 5 * CONDITIONS
    return rows


def answer(estimator, X, weights, **metadata):
    """Return all answers of an estimator that is fitted with weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = clone(estimator).fit(X, Y, sample_weight=weights, **metadata)
    found = [getattr(model, name)(X) for name in METHODS if hasattr(model, name)]
    names = ("offset_", "detection_rate_", "thresholds_", "n_images_", "shrinkage_")
    return found + [getattr(model, name) for name in names if hasattr(model, name)]


def assert_alike(found, expected):
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("d", [20, 200], ids=["many rows", "few rows"])
@pytest.mark.parametrize(
    "estimator", [SourceDiscriminant(), SourceDetector(), SourceDetector(miss_rate=0.1)]
)
def test_a_common_factor_changes_no_answer(estimator, d, weights):
    X, given = draw_rows(d), {"conditions": CONDITIONS}
    expected = answer(estimator, X, weights, **given)
    for factor in (1000, 1 / len(Y), 1e-200):
        assert_alike(answer(estimator, X, factor * weights, **given), expected)


@pytest.mark.parametrize("estimator", WEIGHTED, ids=str)
def test_a_common_factor_changes_no_answer_of_any_estimator(estimator):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(len(Y), 20, 24)) + 3 * rng.normal(size=(N_SOURCES, 20, 24))[Y]
    X = 128 + 8 * X.astype(np.float32)
    weights = WEIGHTS["drawn"]
    if estimator.__class__.__name__ in ("SourceDiscriminant", "SourceDetector"):
        X = X.reshape(len(X), -1)
    expected = answer(estimator, X, weights)
    assert_alike(answer(estimator, X, weights / len(Y)), expected)


def test_rows_without_weight_are_left_out():
    X, used = draw_rows(20), WEIGHTS["some 0"] > 0
    for estimator in (SourceDiscriminant(cv=4), SourceDetector(cv=4)):
        whole = clone(estimator).fit(X, Y, sample_weight=7 * WEIGHTS["some 0"])
        part = clone(estimator).fit(X[used], Y[used])
        name = "score_samples" if hasattr(part, "score_samples") else "predict_proba"
        assert_same(getattr(whole, name)(X), getattr(part, name)(X))


@pytest.mark.parametrize("largest", [1e3, 1e9, 1e18])
@pytest.mark.parametrize("estimator", [SourceDiscriminant(), SourceDetector()])
def test_weights_far_apart_are_fitted_or_refused_by_name(estimator, largest):
    weights = np.exp(np.random.default_rng(3).uniform(0, np.log(largest), len(Y)))
    for d in (20, 200):
        try:
            found = answer(estimator, draw_rows(d), weights)
        except ValueError as error:
            assert "spread" in str(error) and "sample_weight" in str(error)
            assert not isinstance(error, np.linalg.LinAlgError)
        else:
            assert all(np.isfinite(part).all() for part in found)


def test_a_spread_that_cannot_be_inverted_is_named():
    X = np.repeat(draw_rows(200)[::N_IMAGES], N_IMAGES, axis=0)
    message = "spread of the rows within their sources cannot be inverted"
    for alpha in (1e-30, 1e-300):
        with pytest.raises(ValueError, match=message) as caught:
            SourceDetector(alpha=alpha).fit(X, Y)
        assert not isinstance(caught.value, np.linalg.LinAlgError)


@pytest.mark.parametrize("value", [0, 137.3])
@pytest.mark.parametrize("d", [5, 200])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_equal_rows_are_refused_by_name(value, d, dtype):
    X = np.full((len(Y), d), value, dtype=dtype) + np.arange(d, dtype=dtype)
    with pytest.raises(ValueError, match="all rows of X are equal"):
        SourceDiscriminant().fit(X, Y)
    # One column is enough, however small beside the others.
    X = X.astype(dtype) * (dtype == np.uint8 or 1000)
    X[:, 0] = Y % 200 * 10
    assert SourceDiscriminant().fit(X, Y).score(X, Y) == 1


def test_effective_numbers_do_not_depend_on_units():
    members = np.array([0, 0, 0, 2, 2])
    assert _count_effective(np.ones(5), members).tolist() == [3, 0, 2]
    for unit in (1e-300, 1, 1e300):
        weights = unit * np.array([2, 1, 1, 0, 5.0])
        found = _count_effective(weights, members)
        np.testing.assert_allclose(found, [16 / 6, 0, 1])
        np.testing.assert_allclose(_count_effective(weights), [81 / 31])

"""Nullable integers of pandas stay integers, as labels and as groups."""

import numpy as np
import pytest

from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    FingerprintClassifier,
    FingerprintDetector,
    RejectingClassifier,
    SourceDetector,
    SourceDiscriminant,
    WindowedClassifier,
    make_attribution_pipeline,
)
from skfingerprint._core import as_integers, check_labels, find_folds
from skfingerprint.datasets import make_fingerprint_images

pandas = pytest.importorskip("pandas")
X, Y = make_fingerprint_images(24, 2, image_shape=(32, 32, 3), random_state=0)
LARGE = 2**53  # above it, floats skip integers
DISCRIMINANT = SourceDiscriminant(shrinkage=0.5)
FEATURES = AttributionFeatures()


@pytest.mark.parametrize(
    "estimator",
    [
        FingerprintClassifier(),
        AugmentedPipeline([("f", FEATURES), ("d", DISCRIMINANT)], perturbations=()),
        make_attribution_pipeline(perturbations=()),
        RejectingClassifier(FingerprintClassifier(), FingerprintDetector(cv=2)),
        WindowedClassifier(FingerprintClassifier(), window_size=16),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("dtype", ["Int64", "UInt64"])
@pytest.mark.filterwarnings("ignore:.*rate")
def test_labels_above_the_integers_of_floats(estimator, dtype):
    y = pandas.Series(LARGE + Y, dtype=dtype)
    estimator.fit(X, y)
    assert estimator.classes_.tolist() == [LARGE, LARGE + 1]
    assert set(estimator.predict(X).tolist()) <= {LARGE, LARGE + 1, "unknown", -1}


def test_booleans_stay_booleans():
    y = pandas.Series(Y == 1, dtype="boolean")
    assert FingerprintClassifier().fit(X, y).classes_.tolist() == [False, True]


def test_missing_labels_are_named():
    y = pandas.Series([*Y[:-1], None], dtype="Int64")
    with pytest.raises(ValueError, match="y holds <NA> for image 23"):
        FingerprintClassifier().fit(X, y)


def test_groups_above_the_integers_of_floats():
    """Two groups that floats merge are held out one by one."""
    groups = pandas.Series(LARGE + np.arange(24) // 12, dtype="Int64")
    detector = FingerprintDetector(cv=2)
    folds = find_folds(detector, np.zeros(24), groups, np.ones(24), {})
    assert sorted(np.unique(folds[:12]).tolist() + np.unique(folds[12:]).tolist()) == [
        0, 1
    ]  # fmt: skip
    rows = np.random.default_rng(0).normal(size=(24, 8))
    SourceDetector(cv=2, miss_rate=0.5, false_alarm_rate=None).fit(
        rows, Y, groups=groups
    )


@pytest.mark.parametrize("values", [[1, 2], np.arange(3), ["a"], None, "ab"])
def test_other_values_are_unchanged(values):
    assert as_integers(values) is values


def test_labels_are_returned():
    assert check_labels(["a", "b"]) == ["a", "b"]
    found = check_labels(pandas.Series([1, 2], dtype="Int64"))
    assert found.dtype == np.int64

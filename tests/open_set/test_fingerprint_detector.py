import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from skfingerprint import FingerprintClassifier, FingerprintDetector, ResidualExtractor
from skfingerprint.correlation import correlation_matrix
from skfingerprint.datasets import make_fingerprint_images


@pytest.fixture(scope="module")
def sources():
    images, y = make_fingerprint_images(
        1200, 12, image_shape=(32, 32), strength=10, random_state=0
    )
    X = ResidualExtractor().transform(images)
    fit = (np.arange(1200) < 600) & (y < 8)
    return X[fit], y[fit], X[600:], y[600:]


def test_scores_are_the_largest_correlations(sources):
    X, y, unseen, _ = sources
    detector = FingerprintDetector().fit(X, y)
    expected = FingerprintClassifier().fit(X, y).decision_function(unseen).max(axis=1)
    np.testing.assert_allclose(detector.score_samples(unseen), expected, atol=1e-5)
    np.testing.assert_allclose(
        detector.decision_function(unseen), expected - detector.offset_, atol=1e-5
    )
    known = detector.predict(unseen) == 1
    np.testing.assert_array_equal(known, expected >= detector.offset_)


@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_false_alarms_come_at_the_stated_rate(sources, rate):
    X, y, unseen, labels = sources
    detector = FingerprintDetector(false_alarm_rate=rate).fit(X, y)
    others = unseen[labels >= 8]
    found = np.mean(detector.predict(others) == 1)
    # A factor of two, and what 200 images can show of it.
    assert found <= 2 * rate + 2 * np.sqrt(2 * rate / len(others))
    if rate == 0.1:
        assert found >= rate / 2 - 2 * np.sqrt(rate / 2 / len(others))
    assert np.mean(detector.predict(unseen[labels < 8]) == 1) > 0.8


def test_lower_rates_have_higher_thresholds(sources):
    X, y, *_ = sources
    offsets = [
        FingerprintDetector(false_alarm_rate=rate).fit(X, y).offset_
        for rate in (0.5, 0.1, 0.099, 0.01, 1e-4)
    ]
    assert offsets == sorted(offsets)
    assert offsets[2] == pytest.approx(offsets[1], rel=0.01)


def test_null_scores_are_cross_fitted_and_leave_the_own_source_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8, 8)).astype(np.float32)
    y = np.repeat([0, 1, 2], 20)
    detector = FingerprintDetector(cv=GroupKFold(2))
    detector.fit(X, y, groups=np.tile([0, 1], 30))
    rows = X.reshape(60, -1)
    expected = np.empty(60)
    for fold in (0, 1):
        test = np.arange(60) % 2 == fold
        means = np.stack([rows[~test & (y == k)].mean(axis=0) for k in range(3)])
        scores = np.abs(correlation_matrix(rows[test], means))
        scores[np.arange(30), y[test]] = -1
        expected[test] = scores.max(axis=1)
    np.testing.assert_allclose(detector.null_scores_, expected, atol=1e-5)
    assert detector.smallest_rate_ == 1 / 60


def test_one_source_needs_no_labels(sources):
    X, y, unseen, labels = sources
    detector = FingerprintDetector(false_alarm_rate=0.05).fit(X[y == 3])
    assert detector.classes_.tolist() == [0]
    known = detector.predict(unseen) == 1
    assert known[labels == 3].mean() > 0.9
    assert known[labels != 3].mean() < 0.15


def test_refusals(sources):
    X, y, *_ = sources
    for rate in (0, 0.6, "low"):
        with pytest.raises(
            ValueError, match=r"false_alarm_rate must lie in \(0, 0.5\]"
        ):
            FingerprintDetector(false_alarm_rate=rate).fit(X, y)
    single = np.where(np.arange(len(y)) == 0, 8, y)
    with pytest.raises(ValueError, match=r"at least 2 groups.*1 of class 8"):
        FingerprintDetector().fit(X, single, groups=np.arange(len(y)) // 2)
    detector = FingerprintDetector().fit(X, single)
    assert len(detector.classes_) == 9
    assert np.isnan(detector.detection_rate_)
    for n_sources in (1, 2):
        few = y < n_sources
        with pytest.raises(ValueError, match="needs at least 3 sources"):
            FingerprintDetector(subtract_common=True).fit(X[few], y[few])
    with pytest.raises(ValueError, match="leaves no residual of some source"):
        FingerprintDetector(cv=GroupKFold(2)).fit(X, y, groups=y % 2)
    with pytest.raises(ValueError, match="at least 2 samples"):
        FingerprintDetector().fit(X[:1])

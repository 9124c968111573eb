import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    FingerprintClassifier,
    FingerprintDetector,
    LinearPatternRemover,
    RejectingClassifier,
    ResidualExtractor,
    SourceDetector,
    SourceDiscriminant,
)
from skfingerprint.datasets import make_fingerprint_images
from tests.estimators import DOUBLE, assert_same


@pytest.fixture(scope="module")
def sources():
    images, y = make_fingerprint_images(
        1200, 12, image_shape=(32, 32), strength=10, random_state=0
    )
    X = ResidualExtractor().transform(images)
    fit = (np.arange(1200) < 600) & (y < 8)
    return X[fit], y[fit], X[600:], y[600:]


def test_rejection_is_an_answer_for_metrics_and_search(sources):
    X, y, unseen, labels = sources
    names = np.array([f"network {k}" for k in range(12)], dtype=object)
    truth = np.where(labels < 8, names[labels], "unknown")
    model = RejectingClassifier(
        FingerprintClassifier(), FingerprintDetector(false_alarm_rate=0.01)
    ).fit(X, names[y])
    answers = model.predict(unseen)
    assert accuracy_score(truth, answers) > 0.85
    assert set(answers[labels >= 8]) >= {"unknown"}
    known = answers != "unknown"
    np.testing.assert_array_equal(
        answers[known], FingerprintClassifier().fit(X, names[y]).predict(unseen)[known]
    )
    assert model.classes_.tolist() == names[:8].tolist()
    grid = {"detector__false_alarm_rate": [1e-4, 0.1]}
    search = GridSearchCV(model, grid, scoring=make_scorer(accuracy_score), cv=2)
    assert search.fit(X, names[y]).best_score_ > 0.8


def test_short_names_are_not_cut(sources):
    X, y, unseen, _ = sources
    model = RejectingClassifier(FingerprintClassifier(), FingerprintDetector())
    answers = model.fit(X, np.array(list("abcdefgh"))[y]).predict(unseen)
    assert "unknown" in answers
    with pytest.raises(ValueError, match="y holds unknown_label='a'"):
        model.set_params(unknown_label="a").fit(X, np.array(list("abcdefgh"))[y])


def test_parts_may_be_pipelines_of_images():
    images, y = make_fingerprint_images(200, 5, strength=5, random_state=0)
    known = y < 4
    model = RejectingClassifier(
        make_pipeline(ResidualExtractor(), FingerprintClassifier()),
        make_pipeline(ResidualExtractor(), FingerprintDetector(false_alarm_rate=0.05)),
        unknown_label=-1,
    ).fit(images[:100][known[:100]], y[:100][known[:100]])
    truth = np.where(known, y, -1)[100:]
    assert model.score(images[100:], truth) > 0.9


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(8), 60)
    means = 4 * rng.normal(size=(8, 40))
    return means[y] + rng.normal(size=(480, 40)), y, np.tile(np.arange(60) % 2, 8) == 1


def test_defaults_work_on_rows_of_features(rows):
    X, y, later = rows
    fit = ~later & (y < 6)
    for labels, unknown in ((y, -1), (y - 3, -4), (y.astype(str), "unknown")):
        model = RejectingClassifier().fit(X[fit], labels[fit])
        assert model.unknown_label_ == unknown
        truth = np.where(y < 6, labels, unknown)
        assert model.score(X[later], truth[later]) > 0.95
        assert model.classes_.tolist() == np.unique(labels[fit]).tolist()


def test_what_is_known_of_each_image(rows):
    X, y, later = rows
    fit = ~later & (y < 6)
    model = RejectingClassifier().fit(X[fit], y[fit])
    answers = model.assess(X)
    np.testing.assert_array_equal(
        model.predict(X), np.where(answers.known, answers.source, -1)
    )
    np.testing.assert_array_equal(
        answers.known, answers.false_alarm_probability <= 0.01 * (1 + 1e-9)
    )
    probabilities = model.classifier_.predict_proba(X)
    assert_same(answers.probability, probabilities.max(axis=1), DOUBLE)
    assert answers.pop("log10_likelihood_ratios").shape == (len(X), 6)
    frame = pytest.importorskip("pandas").DataFrame(answers)
    assert frame.columns.tolist() == [
        "source",
        "known",
        "probability",
        "false_alarm_probability",
        "log10_likelihood_ratio",
    ]
    assert not hasattr(model, "predict_proba")


def test_what_parts_do_not_know_is_nan(sources):
    X, y, unseen, _ = sources
    model = RejectingClassifier(FingerprintClassifier(), FingerprintDetector())
    answers = model.fit(X, y).assess(unseen)
    assert np.isnan(answers.probability).all()
    assert answers.false_alarm_probability.min() < 1e-3
    forest = RejectingClassifier(RandomForestClassifier(), EllipticEnvelope())
    few = unseen[:, :3, :3].reshape(len(unseen), -1)
    answers = forest.fit(few, few[:, 0] > 0).assess(few)
    assert np.isnan(answers.false_alarm_probability).all()
    assert answers.probability.max() <= 1


def test_detectors_in_pipelines_are_asked_too(sources):
    X, y, unseen, _ = sources
    inner = make_pipeline(LinearPatternRemover(), FingerprintDetector())
    model = RejectingClassifier(FingerprintClassifier(), inner).fit(X, y)
    expected = inner.fit(X, y)[-1].false_alarm_probability(inner[:-1].transform(unseen))
    found = model.assess(unseen).false_alarm_probability
    assert_same(found, expected)


def test_one_source_with_a_miss_rate(rows):
    X, y, later = rows
    fit = ~later & (y == 2)
    model = RejectingClassifier(detector=SourceDetector(miss_rate=0.1))
    model.fit(X[fit], np.full(fit.sum(), "mine"))
    answers = model.predict(X[later])
    assert set(answers) == {"mine", "unknown"}
    assert np.mean((answers == "mine")[y[later] == 2]) > 0.7
    assert np.mean((answers == "mine")[y[later] != 2]) < 0.02
    with pytest.raises(ValueError, match="needs at least 2 classes"):
        RejectingClassifier().fit(X[fit], y[fit])


@pytest.mark.parametrize("classifier", [None, SourceDiscriminant(), GaussianNB()])
def test_the_background_is_no_answer(rows, classifier):
    X, y, later = rows
    names = np.array([*"abcdef", "photo", "x"])[y]
    fit = ~later & (y < 7)
    detector = SourceDetector(background="photo")
    model = RejectingClassifier(classifier, detector).fit(X[fit], names[fit])
    assert model.classes_.tolist() == list("abcdef")
    assert "photo" not in model.assess(X).source
    assert set(model.predict(X)) == {*"abcdef", "unknown"}


def test_labels_for_unknown_sources_are_checked(rows):
    X, y, _ = rows
    for labels, unknown, message in (
        (y, "unknown", "must be a number"),
        (y.astype(str), -1, "must be text"),
        (y, 3, "y holds unknown_label=3"),
        (y.astype(str), "3", "y holds unknown_label='3'"),
        (np.where(y == 3, "unknown", "b"), "auto", "y holds unknown_label='unknown'"),
    ):
        with pytest.raises(ValueError, match=message):
            RejectingClassifier(unknown_label=unknown).fit(X, labels)


def test_groups_and_weights_reach_both_parts(rows):
    X, y, _ = rows
    weights = np.random.default_rng(1).integers(0, 3, size=len(y)).astype(float)
    given = {"groups": np.tile(np.arange(60), 8), "sample_weight": weights}
    model = RejectingClassifier().fit(X, y, **given)
    classifier = SourceDiscriminant().fit(X, y, **given)
    detector = SourceDetector().fit(X, y, **given)
    assert_same(
        model.classifier_.decision_function(X), classifier.decision_function(X), DOUBLE
    )
    assert_same(model.detector_.offset_, detector.offset_, DOUBLE)
    assert model.detector_.detection_rate_ == detector.detection_rate_


def test_relatives_are_reported():
    rng = np.random.default_rng(0)
    y = np.repeat(list("abcdefg"), 60)
    means = 4 * rng.normal(size=(7, 30))
    means[6] = means[0]
    X = means[np.repeat(np.arange(7), 60)] + rng.normal(size=(420, 30))
    model = RejectingClassifier(detector=SourceDetector(alpha=10)).fit(X, y)
    report = model.report_relatives()
    pairs = list(zip(report.source, report.taken_for, strict=True))
    assert set(pairs[:2]) == {("a", "g"), ("g", "a")}
    assert np.all(np.diff(report.share) <= 0)
    np.testing.assert_array_equal(
        report.share[:2],
        [
            model.detector_.relatives_["abcdefg".index(a), "abcdefg".index(b)]
            for a, b in pairs[:2]
        ],
    )

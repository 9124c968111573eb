import numpy as np
import pytest
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    FingerprintClassifier,
    FingerprintDetector,
    RejectingClassifier,
    ResidualExtractor,
)
from skfingerprint.datasets import make_fingerprint_images


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

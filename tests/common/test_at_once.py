"""A fit that another thread commits meanwhile changes nothing in an answer."""

import threading

import numpy as np
import pytest
from sklearn.base import clone

from skfingerprint import (
    FingerprintClassifier,
    FingerprintLocalizer,
    FingerprintTransformer,
    WindowedClassifier,
)
from skfingerprint.datasets import make_fingerprint_images
from tests.common.test_interrupts import Interrupter, freeze
from tests.estimators import ESTIMATORS, assert_same

ONE = make_fingerprint_images(12, 3, image_shape=(16, 20, 3), random_state=0)
OTHER = make_fingerprint_images(12, 3, image_shape=(16, 20, 3), random_state=1)
# What grows in service while others ask it, and the localizers.
SERVING = (
    FingerprintClassifier,
    FingerprintLocalizer,
    FingerprintTransformer,
    WindowedClassifier,
)
METHODS = (
    "correlate",
    "decision_function",
    "find_shifts",
    "predict",
    "score_map",
    "transform",
)


class Switcher(Interrupter):
    """Gives an estimator another state at the n-th line of the package that runs."""

    def __init__(self, at, estimator, state):
        super().__init__(at)
        self.estimator, self.state = estimator, state

    def local(self, frame, event, argument):
        if event == "line":
            self.lines.append((frame.f_code.co_filename, frame.f_lineno))
            if len(self.lines) == self.at:
                self.estimator.__dict__ = self.state
        return self.local


CASES = [
    (estimator, method)
    for estimator in ESTIMATORS
    for method in METHODS
    if isinstance(estimator, SERVING) and hasattr(estimator, method)
]


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "method"), CASES, ids=str)
def test_an_answer_is_of_one_state(estimator, method):
    (X, y), (X_other, y_other) = ONE, OTHER
    estimator = clone(estimator).fit(X, y)
    other = clone(estimator).fit(X_other, np.array(["a", "b", "c"])[y_other])
    old, new = vars(estimator), vars(other)

    def answer():
        return freeze(getattr(estimator, method)(X))

    right = answer(), freeze(getattr(other, method)(X))
    lines = Interrupter()
    lines.run(answer)
    for at in lines.find_moments():
        estimator.__dict__ = old
        found = Switcher(at, estimator, new).run(answer)
        assert found in right


def test_threads_predict_while_others_fit():
    (X, y), (X_other, y_other) = ONE, OTHER
    model = FingerprintClassifier().fit(X, y)
    right = [
        freeze(FingerprintClassifier().fit(A, b).decision_function(X))
        for A, b in ((X, y), (X_other, y_other))
    ]
    answers, errors = [], []

    def work(number):
        try:
            for _ in range(40):
                if number % 2:
                    model.fit(X, y).fit(X_other, y_other)
                else:
                    answers.append(freeze(model.decision_function(X)))
        except Exception as error:  # pragma: no cover
            errors.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(answers) == 160
    assert set(answers) <= set(right)


def test_fingerprints_are_prepared_when_they_are_made():
    X, y = ONE
    model = FingerprintClassifier().fit(X, y)
    prepared = model._get_prepared()
    assert model._get_prepared() is prepared
    assert b"directions" not in repr(model.__getstate__()).encode()
    model.partial_fit(X, y)
    assert model._get_prepared() is not prepared
    expected = model.correlate(X)
    model.set_params(subtract_common=True)
    assert_same(
        model.correlate(X),
        FingerprintClassifier(subtract_common=True).fit(X, y).correlate(X),
    )
    model.set_params(subtract_common=False)
    assert_same(model.correlate(X), expected)
    model.fingerprints_ = model.fingerprints_[::-1]
    assert_same(model.correlate(X), expected[:, ::-1])

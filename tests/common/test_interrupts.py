"""An interrupt at any line of a fit leaves the old state, or the new one."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import skfingerprint
from skfingerprint import (
    FingerprintClassifier,
    FingerprintTransformer,
    ResidualExtractor,
    SpectrumTransformer,
    Unflatten,
)
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.perturbation import Shift
from tests.estimators import ESTIMATORS, assert_same, augment

pytestmark = pytest.mark.slow
# Lines that are tried of each call, and the last ones, which are tried in any case.
N_MOMENTS, N_LAST = 25, 4
FOLDER = str(Path(skfingerprint.__file__).parent)
OLD = make_fingerprint_images(8, 2, image_shape=(16, 20, 3), random_state=0)
NEW = make_fingerprint_images(12, 3, image_shape=(20, 16, 3), random_state=1)


class Interrupter:
    """Raises KeyboardInterrupt at the n-th line of the package that runs."""

    def __init__(self, at=None):
        self.at = at
        self.lines = []

    def __call__(self, frame, event, argument):
        return self.local if frame.f_code.co_filename.startswith(FOLDER) else None

    def local(self, frame, event, argument):
        if event == "line":
            self.lines.append((frame.f_code.co_filename, frame.f_lineno))
            if len(self.lines) == self.at:
                raise KeyboardInterrupt
        return self.local

    def find_moments(self):
        """Return when lines run for the first time, and for the last: some of them.

        With the environment variable ``SKFINGERPRINT_ALL_LINES``, all.
        """
        moments = dict(
            zip(self.lines[::-1], range(len(self.lines), 0, -1), strict=True)
        )
        last = dict(zip(self.lines, range(1, len(self.lines) + 1), strict=True))
        moments = np.array(sorted({*moments.values(), *last.values()}))
        if "SKFINGERPRINT_ALL_LINES" in os.environ:
            return moments.tolist()
        # The last ones come after the commit.
        some = np.linspace(0, len(moments) - 1, N_MOMENTS).astype(int)
        return np.unique(moments[[*some, *range(-N_LAST, 0)]]).tolist()

    def run(self, call):
        before = sys.gettrace()
        sys.settrace(self)
        try:
            return call()
        finally:
            sys.settrace(before)


class Floats:
    """Floats that equal what BLAS may make of them when it computes them again."""

    def __init__(self, values):
        self.values = np.array(values)

    def __eq__(self, other):
        if not isinstance(other, Floats) or hash(self) != hash(other):
            return False
        try:
            assert_same(self.values, other.values)
        except AssertionError:
            return False
        return True

    def __hash__(self):
        return hash((self.values.dtype.str, self.values.shape))


def freeze(value, exact=False):
    """What can be compared of a state, nested estimators included."""
    if isinstance(value, (np.ndarray, float, np.floating)):
        values = np.asarray(value)
        if values.dtype.kind == "f" and not exact:
            return Floats(values)
        return values.dtype.str, values.shape, values.tobytes()
    if hasattr(value, "get_params"):
        return type(value).__name__, freeze(vars(value), exact)
    if isinstance(value, dict):
        parts = sorted(value.items())
        return tuple((key, freeze(part, exact)) for key, part in parts)
    if isinstance(value, (list, tuple)):
        return tuple(freeze(part, exact) for part in value)
    return repr(value)


def count_torn_states(estimator, call):
    """Interrupt `call(estimator)` at each line, the first and the last time it runs.

    Return how often, and the number of states between the old one and the new.
    """
    start = vars(estimator).copy()
    old = freeze(start)
    lines = Interrupter()
    lines.run(lambda: call(estimator))
    new = freeze(vars(estimator))
    assert old != new
    torn, seen = 0, set()
    moments = lines.find_moments()
    for at in moments:
        estimator.__dict__ = start.copy()
        with pytest.raises(KeyboardInterrupt):
            Interrupter(at).run(lambda: call(estimator))
        state = freeze(vars(estimator))
        torn += state not in (old, new)
        seen.add(state)
    assert seen == {old, new}  # the last lines come after the commit
    return len(moments), torn


CASES = [(e, "fit") for e in ESTIMATORS]
CASES += [
    (FingerprintTransformer(), "fit_transform"),
    (FingerprintClassifier(), "partial_fit"),
    (FingerprintClassifier(), "merge"),
    (FingerprintClassifier(), "add_sources"),
    (
        augment(
            make_pipeline(
                ResidualExtractor(), SpectrumTransformer(), FingerprintClassifier()
            ),
            [Shift(down=1, right=0)],
        ),
        "fit",
    ),
]


@pytest.mark.parametrize(("estimator", "method"), CASES, ids=str)
def test_an_interrupt_leaves_the_old_state_or_the_new(estimator, method):
    (X_old, y_old), (X, y) = OLD, NEW
    estimator = clone(estimator)
    if isinstance(estimator, Unflatten):
        X_old, X = X_old.reshape(8, -1), np.concatenate([X.reshape(12, -1)] * 2, axis=1)
    elif estimator.__sklearn_tags__().requires_fit is False:
        X_old = X_old[..., 0]
    estimator.fit(X_old, y_old)
    calls = {
        "fit": lambda e: e.fit(X, y),
        "fit_transform": lambda e: e.fit_transform(X, y),
        "partial_fit": lambda e: e.partial_fit(X_old[::-1], y_old),
        "merge": lambda e: e.merge(FingerprintClassifier().fit(X_old, y_old + 1)),
        "add_sources": lambda e: e.add_sources(X_old, y_old + 1),
    }
    n_lines, torn = count_torn_states(estimator, calls[method])
    assert n_lines > 10
    assert torn == 0

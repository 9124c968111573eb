"""Pickles carry the version of the package, and those of another version warn."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning

import skfingerprint
from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    FingerprintClassifier,
    ResidualExtractor,
    SourceDiscriminant,
)
from tests.estimators import ESTIMATORS

KEY = "_skfingerprint_version"


def pickle_as(version, estimator, monkeypatch):
    """Pickle an estimator as another version of the package would."""
    with monkeypatch.context() as patch:
        patch.setattr(skfingerprint, "__version__", version)
        return pickle.dumps(estimator)


def dump_by_joblib(estimator):
    stream = io.BytesIO()
    joblib.dump(estimator, stream)
    stream.seek(0)
    return joblib.load(stream)


@pytest.fixture
def fitted(planted):
    images, y = planted
    return FingerprintClassifier().fit(images, y)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize(
    "duplicate",
    [
        clone,
        copy.copy,
        copy.deepcopy,
        dump_by_joblib,
        lambda estimator: pickle.loads(pickle.dumps(estimator)),
    ],
    ids=["clone", "copy", "deepcopy", "joblib", "pickle"],
)
def test_duplicates_of_one_version_do_not_warn(estimator, duplicate):
    assert duplicate(estimator).get_params().keys() == estimator.get_params().keys()
    assert KEY not in vars(duplicate(estimator))
    assert KEY not in vars(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_pickles_of_every_estimator_carry_the_version(estimator, monkeypatch):
    old = pickle_as("0.1.9", estimator, monkeypatch)
    with pytest.warns(InconsistentVersionWarning, match=r"version 0\.1\.9 when"):
        loaded = pickle.loads(old)
    assert KEY not in vars(loaded)


def test_the_warning_names_both_versions(fitted, planted, monkeypatch):
    images, _ = planted
    old = pickle_as("0.1.9", fitted, monkeypatch)
    with pytest.warns(InconsistentVersionWarning) as caught:
        loaded = pickle.loads(old)
    (warning,) = caught
    assert (
        "estimator FingerprintClassifier of skfingerprint from version 0.1.9 when "
        f"using version {skfingerprint.__version__}"
    ) in str(warning.message)
    np.testing.assert_array_equal(loaded.correlate(images), fitted.correlate(images))
    # Saved again, it is a pickle of this version.
    assert vars(pickle.loads(pickle.dumps(loaded))).keys() == vars(loaded).keys()


def test_a_pickle_without_version_is_of_an_unknown_one(fitted):
    state = fitted.__getstate__()
    assert state.pop(KEY) == skfingerprint.__version__
    loaded = FingerprintClassifier()
    with pytest.warns(InconsistentVersionWarning, match="from version unknown when"):
        loaded.__setstate__(state)
    assert vars(loaded).keys() == vars(fitted).keys()


def test_states_are_copies(fitted):
    state = fitted.__getstate__()
    before = dict(state)
    FingerprintClassifier().__setstate__(state)
    assert state == before
    assert KEY not in vars(fitted)


def test_a_pipeline_and_its_steps_warn(monkeypatch):
    pipeline = AugmentedPipeline(
        [("features", AttributionFeatures()), ("classifier", SourceDiscriminant())]
    )
    old = pickle_as("0.1.9", pipeline, monkeypatch)
    with pytest.warns(InconsistentVersionWarning, match=r"0\.1\.9") as caught:
        pickle.loads(old)
    names = {warning.message.estimator_name for warning in caught}
    assert names == {
        "AttributionFeatures of skfingerprint",
        "AugmentedPipeline of skfingerprint",
        "SourceDiscriminant of skfingerprint",
    }


def test_estimators_of_others_carry_it_too(monkeypatch):
    extractor = type("Mine", (ResidualExtractor,), {"__module__": __name__})()
    assert extractor.__getstate__()[KEY] == skfingerprint.__version__
    state = extractor.__getstate__() | {KEY: "9.0"}
    with pytest.warns(InconsistentVersionWarning, match=r"Mine .* version 9\.0 when"):
        extractor.__setstate__(state)

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skfingerprint import (
    AugmentedClassifier,
    FingerprintClassifier,
    ResidualExtractor,
    SpectrumTransformer,
)
from skfingerprint.augmentation import _split_stateless
from skfingerprint.perturbation import GaussianBlur, JPEGCompression, Shift


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted on."""

    def fit(self, X, y):
        self.X_, self.y_, self.classes_ = X, y, np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_trained_on_the_images_and_each_copy(planted):
    X, y = planted[0][:10], planted[1][:10]
    model = AugmentedClassifier(Recorder(), [Shift(1, 0), GaussianBlur(2)]).fit(X, y)
    seen = model.estimator_
    np.testing.assert_array_equal(seen.X_[::3], X)
    np.testing.assert_array_equal(seen.X_[1::3], Shift(1, 0).fit_transform(X))
    np.testing.assert_array_equal(seen.X_[2::3], GaussianBlur(2).fit_transform(X))
    np.testing.assert_array_equal(seen.y_, np.repeat(y, 3))


def test_stateless_steps_run_on_one_copy_at_a_time(planted, monkeypatch):
    X, y = planted[0][:12], planted[1][:12]
    sizes = []
    original = ResidualExtractor.transform

    def spy(self, X):
        sizes.append(len(X))
        return original(self, X)

    monkeypatch.setattr(ResidualExtractor, "transform", spy)
    pipeline = make_pipeline(ResidualExtractor(), SpectrumTransformer(), Recorder())
    model = AugmentedClassifier(pipeline, [Shift(1, 0), Shift(2, 0)]).fit(X, y)
    assert sizes == [12, 12, 12]
    expected = pipeline[:-1].fit_transform(
        np.concatenate([X, Shift(1, 0).transform(X)])
    )
    np.testing.assert_allclose(model.estimator_[-1].X_[::3], expected[:12], rtol=1e-5)
    np.testing.assert_allclose(model.estimator_[-1].X_[1::3], expected[12:], rtol=1e-5)


def test_what_learns_is_fitted_on_all_copies(planted):
    X, y = planted[0][:12], planted[1][:12]
    pipeline = make_pipeline(SpectrumTransformer(), StandardScaler(), LinearSVC())
    model = AugmentedClassifier(pipeline, [GaussianBlur(1)]).fit(X, y)
    assert model.estimator_[1].n_samples_seen_ == 24
    assert not hasattr(pipeline[1], "mean_")  # a clone was fitted
    assert model.decision_function(X).shape == (12, 3)


def test_stateless_prefix():
    residual, spectrum = ResidualExtractor(), SpectrumTransformer()
    union = FeatureUnion([("a", make_pipeline(residual, spectrum)), ("b", spectrum)])
    first, rest = _split_stateless(make_pipeline(union, StandardScaler(), LinearSVC()))
    assert first == [union]
    assert [name for name, _ in rest.steps] == ["standardscaler", "linearsvc"]
    learning = make_union(spectrum, StandardScaler())
    assert _split_stateless(make_pipeline(learning, LinearSVC()))[0] == []
    assert _split_stateless(LinearSVC())[0] == []


def test_a_cached_pipeline_is_fitted_whole(planted, tmp_path):
    X, y = planted[0][:12], planted[1][:12]
    pipeline = make_pipeline(
        SpectrumTransformer(), StandardScaler(), LinearSVC(), memory=str(tmp_path)
    )
    model = AugmentedClassifier(pipeline, [Shift(1, 0)]).fit(X, y)
    assert (model.predict(X) == y).all()


def test_no_copy_of_a_test_image_is_trained_on(planted):
    """Labels that say nothing must score at chance, and leaked copies would not."""
    X, y = planted
    labels = np.random.default_rng(0).permutation(y)

    class Memory(TransformerMixin, ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            self.X_, self.y_ = X.reshape(len(X), -1).astype(float), y
            return self

        def predict(self, X):
            rows = X.reshape(len(X), -1).astype(float)
            distances = np.linalg.norm(rows[:, None] - self.X_, axis=2)
            return self.y_[distances.argmin(axis=1)]

    model = AugmentedClassifier(Memory(), [GaussianBlur(0.3)])
    assert cross_val_score(model, X, labels, cv=3).mean() < 0.5
    leaky = np.concatenate([X, GaussianBlur(0.3).fit_transform(X)])
    order = np.random.default_rng(0).permutation(len(leaky))
    scores = cross_val_score(Memory(), leaky[order], np.tile(labels, 2)[order], cv=3)
    assert scores.mean() > 0.6  # the mistake that the estimator is there to prevent


def test_grid_search_reaches_inside(planted):
    X, y = planted
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    model = AugmentedClassifier(pipeline, [JPEGCompression(95)])
    grid = {"estimator__residualextractor__sigma": [2, 4]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9


def test_methods_are_those_of_the_classifier(planted):
    X, y = planted
    model = AugmentedClassifier(FingerprintClassifier(), [])
    assert hasattr(model, "decision_function")
    assert not hasattr(model, "predict_proba")
    dummy = AugmentedClassifier(DummyClassifier(), []).fit(X, y)
    assert dummy.predict_proba(X).shape == (120, 3)
    with pytest.raises(AttributeError, match="decision_function"):
        dummy.decision_function(X)

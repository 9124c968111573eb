"""Training on perturbed copies of the images."""

import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skfingerprint._base import (
    Estimator,
    all_or_nothing,
    copy_shape,
    share_metadata,
)


def _has(method):
    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class AugmentedClassifier(MetaEstimatorMixin, ClassifierMixin, Estimator):
    """Train a classifier on images and on perturbed copies of them.

    The copies are made inside `fit`, of the training images alone, so that
    cross-validation splits images and not their copies: no copy of a test image is
    ever trained on. Predictions are those of the classifier, on images as they come.

    Steps at the beginning of a pipeline that learn nothing, such as
    :class:`ResidualExtractor` and :class:`SpectrumTransformer`, are applied to one copy
    at a time, so that only their results are held for all copies.

    Parameters
    ----------
    estimator : classifier
        Takes images; usually a pipeline.
    perturbations : sequence of transformers
        One copy of the images is made by each; see `skfingerprint.perturbation`. The
        images themselves are always trained on.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one.
    classes_ : ndarray of shape (n_classes,)
        The sources.
    n_features_in_ : int
        Number of values in an image, if the estimator knows.

    Examples
    --------
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> from sklearn.model_selection import StratifiedGroupKFold
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import (
    ...     AugmentedClassifier, ResidualExtractor, SpectrumTransformer)
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import JPEGCompression
    >>> data = load_generators()
    >>> folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    >>> fit, test = next(folds.split(data.images, data.target, data.groups))
    >>> pipeline = make_pipeline(
    ...     ResidualExtractor(sigma=1),
    ...     SpectrumTransformer(block_size=16),
    ...     LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    ... )
    >>> robust = AugmentedClassifier(pipeline, [JPEGCompression(q) for q in (95, 75)])
    >>> compressed = JPEGCompression(85).fit_transform(data.images[test])
    >>> for model in (pipeline, robust):
    ...     model = model.fit(data.images[fit], data.target[fit])
    ...     print(f"{model.score(compressed, data.target[test]):.2f}")
    0.24
    0.37
    """

    def __init__(self, estimator, perturbations):
        self.estimator = estimator
        self.perturbations = perturbations

    @all_or_nothing
    def fit(self, X, y, groups=None, sample_weight=None, **params):
        """Fit a clone of the classifier on the images and their copies.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255.
        y : array-like of shape (n_samples,)
            Sources.
        groups : array-like of shape (n_samples,), default=None
            What each image shows, for a classifier that takes it; repeated for every
            copy.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, for a classifier that takes them; repeated for every copy.
        **params : dict
            Further metadata of images, if metadata routing is enabled and the
            classifier requests them; repeated for every copy.

        Returns
        -------
        self : AugmentedClassifier
        """
        fitted = clone(self.estimator)
        first, rest = _split_stateless(fitted)
        n = 1 + len(self.perturbations)
        metadata = {"groups": groups, "sample_weight": sample_weight} | params
        repeated = {k: _repeat(v, n) for k, v in metadata.items() if v is not None}
        shared = share_metadata(self, {"estimator": rest}, **repeated)["estimator"]
        X_copies = _make_copies(X, self.perturbations, first)
        rest.fit(X_copies, _repeat(y, n), **shared)
        if rest is not fitted:
            fitted.steps[len(first) :] = rest.steps
        self.estimator_ = fitted
        self.classes_ = rest.classes_
        copy_shape(self, *first, rest)
        return self

    @available_if(_has("predict"))
    def predict(self, X):
        """Name the source of each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X):
        """Probabilities of the sources, if the classifier has them.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_has("decision_function"))
    def decision_function(self, X):
        """Scores of the sources, if the classifier has them.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    def get_metadata_routing(self):
        """Return what the classifier requests.

        Returns
        -------
        routing : :class:`~sklearn.utils.metadata_routing.MetadataRouter`
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=mapping
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        return tags


def _split_stateless(estimator):
    """Return the steps in front that need no fit, and what is fitted behind them."""
    if not isinstance(estimator, Pipeline):
        return [], estimator
    steps = estimator.steps
    n = 0
    while n < len(steps) - 1 and _is_stateless(steps[n][1]):
        n += 1
    return [step for _, step in steps[:n]], estimator[n:]


def _is_stateless(step):
    if isinstance(step, Pipeline):
        return all(_is_stateless(part) for _, part in step.steps)
    if isinstance(step, FeatureUnion):
        return all(_is_stateless(part) for _, part in step.transformer_list)
    return hasattr(step, "transform") and not get_tags(step).requires_fit


def _make_copies(X, perturbations, steps):
    """Return the images and their copies, transformed.

    Copies of one image stand side by side, so that unshuffled folds inside the
    classifier, as of a calibration, do not tear them apart.
    """
    original = _transform(steps, X)
    if not len(perturbations):
        return original
    original = np.asarray(original)
    shape = (len(original), 1 + len(perturbations), *original.shape[1:])
    copies = np.empty(shape, dtype=original.dtype)
    copies[:, 0] = original
    for i, perturbation in enumerate(perturbations):
        copies[:, i + 1] = _transform(steps, clone(perturbation).fit_transform(X))
    return copies.reshape(-1, *shape[2:])


def _repeat(values, n):
    """Return one value for each copy; values of images alone stay as they are."""
    return values if n == 1 else np.repeat(np.asarray(values), n, axis=0)


def _transform(steps, X):
    for step in steps:
        X = step.fit_transform(X)
    return X

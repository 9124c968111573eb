"""Correlations of residuals with fingerprints as features for other models."""

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfingerprint._attribution.fingerprint_classifier import (
    FingerprintClassifier,
    restore_classifier,
)
from skfingerprint._attribution.held_out import average_held_out, correlate_held_out
from skfingerprint._core import (
    CrossFittedMixin,
    Estimator,
    all_or_nothing,
    at_once,
    check_classes,
    check_groups,
    check_training,
    find_folds,
    validate_images,
)


class FingerprintTransformer(CrossFittedMixin, TransformerMixin, Estimator):
    """Correlate residuals with the fingerprints, as features for another model.

    The training images are part of the fingerprint of their own class, so that their
    correlations with it are too high, and the next model would learn from the leak.
    Therefore `fit_transform`, which pipelines call in `fit`, correlates each training
    residual with fingerprints of the other folds. Its result differs from
    `fit(X, y).transform(X)`, as in :class:`sklearn.preprocessing.TargetEncoder`.

    Parameters
    ----------
    cv : int or cross-validation splitter, default=5
        Number of stratified folds, of whole groups if `groups` are passed, and at most
        the number of images of the smallest class; or a splitter.
    subtract_common : bool, default=False
        Whether to subtract the mean of all fingerprints first, as in
        :class:`FingerprintClassifier`.

    Attributes
    ----------
    classifier_ : FingerprintClassifier
        Classifier fitted on all residuals, whose fingerprints `transform` uses.
    classes_ : ndarray of shape (n_classes,)
        The sources.
    image_shape_ : tuple of int
        Shape of one residual.
    n_features_in_ : int
        Number of values in a residual.

    See Also
    --------
    FingerprintClassifier : Attributes residuals by their largest correlation.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintTransformer, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(120, 3, strength=3, random_state=0)
    >>> pipeline = make_pipeline(
    ...     ResidualExtractor(), FingerprintTransformer(), LogisticRegression(C=100))
    >>> pipeline.fit(images[:60], y[:60]).score(images[60:], y[60:])
    1.0
    >>> pipeline[:-1].transform(images).shape
    (120, 3)
    >>> pipeline[1].get_feature_names_out().tolist()
    ['correlation_0', 'correlation_1', 'correlation_2']
    """

    def __init__(self, *, cv=5, subtract_common=False):
        self.cv = cv
        self.subtract_common = subtract_common

    @all_or_nothing
    def fit(self, X, y, *, groups=None, sample_weight=None):
        """Average the residuals of each class into its fingerprint.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.
        y : array-like of shape (n_samples,)
            Sources; at least two.
        groups : array-like of shape (n_samples,), default=None
            Ignored: `fit` holds nothing out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the means, >= 0; not all 0 in any class.

        Returns
        -------
        self : FingerprintTransformer
        """
        X, y = validate_images(self, X, y, reset=True)
        check_groups(groups, len(y))
        classifier = FingerprintClassifier(subtract_common=self.subtract_common)
        self.classifier_ = classifier.fit(X, y, sample_weight=sample_weight)
        self.classes_ = self.classifier_.classes_
        return self

    @all_or_nothing
    def fit_transform(self, X, y, *, groups=None, sample_weight=None, **params):
        """Fit, and correlate each residual with fingerprints of the other folds.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.
        y : array-like of shape (n_samples,)
            Sources; at least two, with at least two residuals each.
        groups : array-like of shape (n_samples,), default=None
            Scene that each image shows: images of one group are held out together.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the means, >= 0; not all 0 in any class.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        correlations : ndarray of shape (n_samples, n_classes)
            Correlations, in [-1, 1].
        """
        X, y = validate_images(self, X, y, reset=True)
        members, weights = check_training(self, X, y, sample_weight)
        check_classes(self.classes_)
        # Residuals are read twice: for all means at once, and for the correlations.
        folds = find_folds(self, y, groups, weights, params)
        whole, held_out, totals = average_held_out(X, members, folds, weights)
        # Equal to a fit on all residuals, from the sums that are there already.
        self.classifier_ = restore_classifier(
            self.classes_,
            whole.reshape(-1, *self.image_shape_),
            totals,
            subtract_common=self.subtract_common,
        )
        return correlate_held_out(
            X, held_out, folds, subtract_common=self.subtract_common
        )

    @at_once
    def transform(self, X):
        """Correlate residuals with the fingerprints.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        correlations : ndarray of shape (n_samples, n_classes)
            Correlations, in [-1, 1].
        """
        check_is_fitted(self)
        return self.classifier_.correlate(validate_images(self, X, reset=False))

    def get_feature_names_out(self, input_features=None):
        """Return the name `correlation_<class>` for each class.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of shape (n_classes,), object
        """
        check_is_fitted(self)
        # scikit-learn expects an array of Python strings.
        names = [f"correlation_{name}" for name in self.classes_]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

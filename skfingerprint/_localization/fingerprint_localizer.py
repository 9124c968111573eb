"""Localization of sources in an image by the fingerprint at the same place."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfingerprint._attribution import average_held_out, restore_classifier
from skfingerprint._core import (
    all_or_nothing,
    as_stack,
    at_once,
    check_classes,
    check_int,
    check_rate,
    check_training,
    find_folds,
    iterate_blocks,
    score_blocks,
    validate_images,
)
from skfingerprint._localization.local_correlation import local_correlations
from skfingerprint._localization.localizer import Localizer
from skfingerprint._localization.masks import find_thresholds


class FingerprintLocalizer(Localizer):
    """Locate sources in an image by their fingerprints at the same place.

    The residual is correlated with the fingerprints of the sources in a window around
    each pixel. The maps show parts that were pasted at the place at which they were
    made, such as an exchanged face, and parts of a photograph that do not come from its
    camera. They do not show parts that were moved. Most networks leave a pattern that
    is too faint for a small window: use :class:`WindowedClassifier` for these.

    Parameters
    ----------
    window_size : int, default=64
        Side of the window in pixels. Much smaller parts are not detected. The time does
        not depend on it.
    pixel_false_alarm_rate : float, default=0.05
        In (0, 0.5]: share of the pixels of residuals without the source that a mask may
        assign to it, on average over residuals.
    cv : int or cross-validation splitter, default=5
        Folds for the thresholds: each residual is correlated with fingerprints of the
        other folds. As in :class:`WindowedClassifier`.

    Attributes
    ----------
    classifier_ : FingerprintClassifier
        Classifier of whole residuals, fitted on all of them.
    classes_ : ndarray of shape (n_classes,)
        The sources, and the background if there is one among them.
    thresholds_ : ndarray of shape (n_classes + 1, n_classes + 1)
        Thresholds of `predict_mask`, as in :class:`WindowedClassifier`.
    image_shape_ : tuple of int
        Shape of one residual.
    n_features_in_ : int
        Number of values in a residual.

    See Also
    --------
    WindowedClassifier : Locates sources by features of windows, in images of any size.
    FingerprintClassifier : Names the source of a whole image.

    Notes
    -----
    With the mean over the window around a pixel, written < >, the correlation of
    residual R and fingerprint F is ``<R F> / sqrt(<R R> <F F>)``. Products are summed
    over channels. This is equation 5 of [1]_ in a window, without the subtraction of
    means, because the mean of a residual is near 0. Box filters make the time
    O(height width) for any window. Forgeries are detected by such windows in [2]_.

    References
    ----------
    .. [1] F. Marra, D. Gragnaniello, L. Verdoliva, G. Poggi, "Do GANs Leave Artificial
       Fingerprints?", IEEE MIPR, 2019. :doi:`10.1109/MIPR.2019.00103`
    .. [2] M. Chen, J. Fridrich, M. Goljan, J. Lukas, "Determining Image Origin and
       Integrity Using Sensor Noise", IEEE TIFS, 2008.
       :doi:`10.1109/TIFS.2007.916285`

    Examples
    --------
    >>> from skfingerprint import FingerprintLocalizer, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(120, 3, strength=4, random_state=0)
    >>> residuals = ResidualExtractor().transform(images)
    >>> localizer = FingerprintLocalizer(window_size=24).fit(residuals[:100], y[:100])
    >>> spliced = residuals[y == 0][-1].copy()
    >>> spliced[:, 32:] = residuals[y == 1][-1][:, 32:]  # the right half
    >>> mask = localizer.predict_mask(spliced[None], 1, background=0)[0]
    >>> print(f"{mask[:, :32].mean():.1f} {mask[:, 32:].mean():.1f}")
    0.1 0.9
    """

    def __init__(self, *, window_size=64, pixel_false_alarm_rate=0.05, cv=5):
        self.window_size = window_size
        self.pixel_false_alarm_rate = pixel_false_alarm_rate
        self.cv = cv

    @all_or_nothing
    def fit(self, X, y, *, groups=None, sample_weight=None, **params):
        """Average the fingerprints, and compute the thresholds.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Aligned residuals, in grey levels.
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
        self : FingerprintLocalizer
        """
        check_int("window_size", self.window_size, 1)
        check_rate("pixel_false_alarm_rate", self.pixel_false_alarm_rate)
        X, y = validate_images(self, X, y, reset=True, neighbors=True)
        members, weights = check_training(self, X, y, sample_weight)
        check_classes(self.classes_)
        folds = find_folds(self, y, groups, weights, params, shuffle=True)
        whole, held_out, totals = average_held_out(X, members, folds, weights)
        whole = whole.reshape(-1, *self.image_shape_)
        self.classifier_ = restore_classifier(self.classes_, whole, totals)
        # A residual is a part of its own fingerprint, which would raise its scores: its
        # fold is left out of the fingerprints here.
        scores = score_blocks(
            _correlate_sparsely, X, (held_out, self.window_size), folds
        )
        n_scores = scores.shape[1]
        self.thresholds_ = find_thresholds(
            scores.reshape(-1, len(self.classes_)),
            np.repeat(members, n_scores),
            np.repeat(weights, n_scores),
            self.pixel_false_alarm_rate,
        )
        return self

    @at_once
    def decision_function(self, X):
        """Score whole residuals against the fingerprints.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Scores, as from :class:`FingerprintClassifier`.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False, neighbors=True)
        return self.classifier_.decision_function(X)

    @at_once
    def predict(self, X):
        """Name the source of whole residuals.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False, neighbors=True)
        return self.classifier_.predict(X)

    def _make_maps(self, X, contrast):
        """Return maps of a function of the local correlations."""
        X = validate_images(self, X, reset=False, neighbors=True)
        fingerprints = _add_channels(self.classifier_.fingerprints_)
        # Correlations with all fingerprints exist for one residual at a time, of which
        # a contrast keeps one value for each pixel.
        return np.stack(
            [
                contrast(local_correlations(residual, fingerprints, self.window_size))
                for block, _ in iterate_blocks(X)
                for residual in _add_channels(block)
            ]
        )


def _correlate_sparsely(residuals, state, folds):
    """Compute local correlations with held-out fingerprints at a few pixels.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, height, width[, n_channels])
        Residuals.
    state : tuple
        Fingerprints without each fold, of shape (n_folds, n_classes, n_features), and
        the side of the window.
    folds : ndarray of shape (n_samples,), int
        Fold that holds out each residual.

    Returns
    -------
    scores : ndarray of shape (n_samples, n_places, n_classes)
    """
    held_out, window_size = state
    stack = _add_channels(residuals)
    shape = stack.shape[1:]
    # Correlations at neighboring pixels are nearly equal: steps of half a window keep
    # few of them, which are enough for quantiles and medians.
    places = tuple(
        slice(min(window_size, n) // 2, None, max(1, window_size // 2))
        for n in shape[:2]
    )
    found = []
    for residual, fold in zip(stack, folds, strict=True):
        fingerprints = held_out[fold].reshape(-1, *shape)
        found.append(local_correlations(residual, fingerprints, window_size)[places])
    return np.stack(found).reshape(len(stack), -1, held_out.shape[1])


def _add_channels(X):
    """View rows and grey images as images with channels."""
    stack = as_stack(X)
    return stack.reshape(*stack.shape[:3], -1)

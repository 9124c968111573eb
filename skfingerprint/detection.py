"""Known source or not: decisions at a stated rate of false alarms."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from skfingerprint._base import Estimator, all_or_nothing
from skfingerprint._blocks import as_stack, score_blocks
from skfingerprint._crossfit import (
    CrossFittedMixin,
    average_held_out,
    correlate_held_out,
    find_folds,
)
from skfingerprint._layouts import validate_images
from skfingerprint.correlation import _correlate_with, _prepare_fingerprints
from skfingerprint.fingerprint import check_training
from skfingerprint.thresholds import tail_threshold

# Wrong alignments of the fingerprint that each residual of a single source meets.
N_ALIGNMENTS = 16


class FingerprintDetector(CrossFittedMixin, OutlierMixin, Estimator):
    """Tell residuals of known sources from all others, at a stated false-alarm rate.

    The score of a residual is its largest correlation with a fingerprint. What scores
    others reach is learned in `fit`: with several sources, each residual is scored by
    cross-fitting against the fingerprints of the sources that it is not from; with
    one, against wrong alignments of that source's fingerprint. The threshold is the
    quantile of these scores that leaves `false_alarm_rate` above it.

    The rate holds for sources as different from the known ones as these are from each
    other. It is exceeded by close relatives of a known source (another training of one
    network), and by scenes that were fitted on.

    Parameters
    ----------
    false_alarm_rate : float, default=1e-3
        In (0, 0.5]: share of residuals of other sources that may be taken for known.
    cv : int or cross-validation splitter, default=5
        Folds of the cross-fitting. Where images of several sources show the same
        scenes, pass `groups` to `fit`, or the scenes leak into the threshold: a number
        of folds then keeps groups together. Without groups, residuals of several
        sources are no part of what they are scored against, and a number holds out
        nothing unless `subtract_common`.
    subtract_common : bool, default=False
        As in :class:`FingerprintClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The known sources; `[0]` without y.
    fingerprints_ : ndarray of shape (n_classes, ...)
        In grey levels.
    null_scores_ : ndarray of shape (n_scores,)
        Scores of residuals against sources that did not make them, sorted.
    offset_ : float
        The threshold.
    image_shape_ : tuple of int
        Shape of one residual.
    n_features_in_ : int
        Number of values in a residual.

    See Also
    --------
    RejectingClassifier : Names the source, or answers "unknown".
    skfingerprint.thresholds.tail_probability : How many others reach a score.

    Notes
    -----
    The threshold is :func:`~skfingerprint.thresholds.tail_threshold` of the null
    scores, so that rates below one over their number can be asked for.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintDetector, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(200, 5, strength=5, random_state=0)
    >>> known = y < 4
    >>> detector = make_pipeline(
    ...     ResidualExtractor(), FingerprintDetector(false_alarm_rate=0.01))
    >>> detector = detector.fit(images[:100][known[:100]], y[:100][known[:100]])
    >>> answers = detector.predict(images[100:]) == 1
    >>> print(f"known {answers[known[100:]].mean():.2f}, "
    ...       f"of the fifth source {answers[~known[100:]].mean():.2f}")
    known 0.99, of the fifth source 0.06
    """

    def __init__(
        self,
        *,
        false_alarm_rate=1e-3,
        cv=5,
        subtract_common=False,
    ):
        self.false_alarm_rate = false_alarm_rate
        self.cv = cv
        self.subtract_common = subtract_common

    @all_or_nothing
    def fit(self, X, y=None, groups=None, sample_weight=None, **params):
        """Average the fingerprints and learn the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels; at least two of a single source, and two groups
            of each if there are groups.
        y : array-like of shape (n_samples,), default=None
            Sources. Without it, all residuals are of one.
        groups : array-like of shape (n_samples,), default=None
            What each image shows: images of one group are held out together.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0 in fingerprints and null scores; not all 0 in any class.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        self : FingerprintDetector
        """
        rate = self.false_alarm_rate
        if not isinstance(rate, Real) or not 0 < rate <= 0.5:
            raise ValueError(f"false_alarm_rate must lie in (0, 0.5], got {rate!r}.")
        X, y = self._check_training(X, y)
        members, weights = check_training(self, X, y, sample_weight)
        folds = np.zeros(len(y), dtype=int)
        if self._must_hold_out(groups):
            folds = find_folds(self, y, groups, weights, params)
        whole, held_out, _ = average_held_out(X, members, folds, weights)
        self.fingerprints_ = whole.reshape(-1, *self.image_shape_)
        null = self._score_null(X, members, folds, held_out)
        weights = np.repeat(weights, len(null) // len(weights))
        self.null_scores_ = np.sort(null[weights > 0])
        # No correlation exceeds 1.
        self.offset_ = min(tail_threshold(null, rate, sample_weight=weights), 1.0)
        return self

    def score_samples(self, X):
        """Return the largest correlation with a known fingerprint.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In [-1, 1].
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        prepared = _prepare_fingerprints(
            self.fingerprints_,
            X.dtype,
            subtract_common=self.subtract_common and len(self.fingerprints_) > 1,
        )
        return score_blocks(_find_largest, X, prepared)

    def decision_function(self, X):
        """Return the score minus the threshold: not negative for known sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return 1 for residuals of known sources and -1 for all others.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        known : ndarray of shape (n_samples,), int
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def _check_training(self, X, y):
        """Return X and labels; one label for all if there is no y.

        One source's null scores are those of shifts, which rows don't show.
        """
        if y is None:
            X = validate_images(self, X, reset=True, neighbours=True)
            y = np.zeros(len(X), dtype=int)
        else:
            X, y = validate_images(self, X, y, reset=True)
        if len(X) < 2:
            raise ValueError(
                f"the threshold needs at least 2 residuals, got {len(X)} sample."
            )
        return X, y

    def _must_hold_out(self, groups):
        """Whether residuals are part of what they are scored against.

        Those of several sources meet only the fingerprints of the others, which they
        are no part of, but their scenes may be.
        """
        return (
            groups is not None
            or len(self.classes_) == 1
            or self.subtract_common
            or not isinstance(self.cv, Integral)
        )

    def _score_null(self, X, members, folds, held_out):
        """Score residuals against what did not make them, out of their folds."""
        if len(self.classes_) == 1:
            stacks = held_out.reshape(-1, *as_stack(self.fingerprints_).shape)
            wrong = np.stack([_misalign(mean) for mean in stacks])
            return correlate_held_out(X, wrong, folds).ravel()
        scores = correlate_held_out(
            X, held_out, folds, subtract_common=self.subtract_common
        )
        scores[np.arange(len(scores)), members] = -np.inf
        return scores.max(axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _find_largest(residuals, prepared):
    return _correlate_with(residuals, prepared).max(axis=1)


def _misalign(fingerprint):
    """Return rows: the fingerprint at other alignments, far from each other.

    Odd shifts take patterns with periods of 2, 4, 8, ... pixels out of phase.
    """
    _, height, width = fingerprint.shape[:3]
    rng = np.random.default_rng(0)
    downs = 2 * rng.integers(height // 2 + 1, size=N_ALIGNMENTS) + 1
    rights = 2 * rng.integers(width // 2 + 1, size=N_ALIGNMENTS) + 1
    moved = [
        np.roll(fingerprint, (down, right), axis=(1, 2))
        for down, right in zip(downs, rights, strict=True)
    ]
    return np.concatenate(moved).reshape(N_ALIGNMENTS, -1)

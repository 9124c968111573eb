"""Known source or not: decisions at a stated rate of false alarms."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from skfingerprint._attribution import PreparedFingerprintsMixin, average_held_out
from skfingerprint._core import (
    CrossFittedMixin,
    Estimator,
    all_or_nothing,
    as_rows,
    as_stack,
    at_once,
    check_choice,
    check_rate,
    check_training,
    find_folds,
    score_blocks,
    validate_images,
    validate_known,
)
from skfingerprint._open_set.decisions import ThresholdMixin
from skfingerprint.correlation import (
    _correlate_with,
    _find_common,
    _prepare_fingerprints,
)
from skfingerprint.thresholds import tail_probability, tail_threshold

# Wrong alignments of the fingerprint that each residual of a single source meets.
N_ALIGNMENTS = 16
# Share of the known that is found below which `groups` are asked for, and residuals of
# each source from which on it says something.
LOW_DETECTION_RATE = 0.1
MANY_RESIDUALS = 10


class FingerprintDetector(
    ThresholdMixin, PreparedFingerprintsMixin, CrossFittedMixin, OutlierMixin, Estimator
):
    """Tell residuals of known sources from all others, at a stated false-alarm rate.

    The score of a residual is its largest correlation with a fingerprint. What scores
    others reach is learned in `fit`: with several sources, each residual is correlated
    with the fingerprints of the sources that it is not from, and the largest absolute
    value taken, since fingerprints may be each other's opposites; with one, with wrong
    alignments of its fingerprint. The threshold is the quantile of these scores that
    leaves `false_alarm_rate` above it.

    The rate holds for sources as different from the known ones as these are from each
    other, on average over sources. It is exceeded by close relatives of a known source
    (another training of one network), of which fewer than four sources say nothing,
    and by scenes that were fitted on.

    Parameters
    ----------
    false_alarm_rate : float, default=0.01
        In (0, 0.5]: share of residuals of other sources that may be taken for known.
    cv : int or cross-validation splitter, default=5
        Folds of the cross-fitting. Where images of several sources show the same
        scenes, pass `groups` to `fit`, or the scenes leak into the threshold: a number
        of folds then keeps groups together. Without groups folds are shuffled, and
        residuals are scored by the fingerprints of the other sources, which they are
        no part of, as a whole.
    subtract_common : bool, default=False
        As in :class:`FingerprintClassifier`. Needs three sources: what is common to two
        leaves exact opposites of them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The known sources; `[0]` without y.
    fingerprints_ : ndarray of shape (n_classes, ...)
        In grey levels.
    null_scores_ : ndarray of shape (n_scores,)
        Scores of residuals against sources that did not make them.
    null_sources_ : ndarray of shape (n_scores,), int
        Which of `classes_` made them.
    null_weights_ : ndarray of shape (n_scores,)
        Their weights.
    offset_ : float
        The threshold.
    detection_rate_ : float
        Share of the residuals that reach it, scored by fingerprints of the other
        folds. NaN if a source has a single residual.
    smallest_rate_ : float
        One over the number of null scores: lower rates are extrapolated.
    image_shape_ : tuple of int
        Shape of one residual.
    n_features_in_ : int
        Number of values in a residual.
    provenance_ : dict
        As in :class:`FingerprintClassifier`.

    See Also
    --------
    RejectingClassifier : Names the source, or answers "unknown".
    skfingerprint.thresholds.tail_probability : How many others reach a score.

    Notes
    -----
    The threshold is :func:`~skfingerprint.thresholds.tail_threshold` of the null
    scores with the sources as groups, so that rates below one over their number can be
    asked for. With `subtract_common`, what is common to the others alone is
    subtracted from them and from the residual.

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
    known 0.98, of the fifth source 0.06
    """

    def __init__(
        self,
        *,
        false_alarm_rate=0.01,
        cv=5,
        subtract_common=False,
    ):
        self.false_alarm_rate = false_alarm_rate
        self.cv = cv
        self.subtract_common = subtract_common

    @all_or_nothing
    def fit(self, X, y=None, *, groups=None, sample_weight=None, **params):
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
        self._check_parameters()
        # The null scores of one source are those of shifts, which rows don't show.
        X, y = validate_known(self, X, y, neighbors=True)
        members, weights = check_training(self, X, y, sample_weight)
        self._check_common()
        folds, is_scored = self._find_folds(y, groups, weights, params)
        whole, held_out, _ = average_held_out(X, members, folds, weights)
        self.fingerprints_ = whole.reshape(-1, *self.image_shape_)
        self._prepare()
        for_null = held_out
        if groups is None and isinstance(self.cv, Integral) and len(self.classes_) > 1:
            for_null = np.repeat(whole[np.newaxis], len(held_out), axis=0)
        state = held_out, for_null, self.subtract_common
        scores = score_blocks(_score_training, X, state, folds, members)
        own, null, used = scores[:, 0], scores[:, 1:], weights > 0
        self.null_scores_ = null[used].ravel()
        self.null_sources_, self.null_weights_ = (
            np.repeat(values[used], null.shape[1]) for values in (members, weights)
        )
        self.smallest_rate_ = 1 / len(self.null_scores_)
        self._n_residuals = float(weights.sum())
        offset = tail_threshold(
            self.null_scores_, self.false_alarm_rate, **self._describe_null()
        )
        self.offset_ = min(float(offset), 1.0)  # no correlation exceeds 1
        self.detection_rate_ = np.nan
        if is_scored:
            self.detection_rate_ = float(
                np.average(own >= self.offset_, weights=weights)
            )
        if groups is None and np.bincount(members).min() >= MANY_RESIDUALS:
            self._warn_if_few_are_found()
        vars(self).pop("provenance_", None)
        return self

    @at_once
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
        return score_blocks(_find_largest, X, self._get_prepared())

    @at_once
    def false_alarm_probability(self, X):
        """Return the share of residuals of other sources that score as high.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        probabilities : ndarray of shape (n_samples,)
            See :func:`~skfingerprint.thresholds.tail_probability`.
        """
        scores = self.score_samples(X)
        return tail_probability(self.null_scores_, scores, **self._describe_null())

    def _check_parameters(self):
        check_rate("false_alarm_rate", self.false_alarm_rate)
        check_choice("subtract_common", self.subtract_common, (False, True))

    def _describe_null(self):
        return {
            "sample_weight": self.null_weights_,
            "groups": self.null_sources_,
            # The scores of a single source are of several alignments of a residual.
            "n_scores": self._n_residuals,
        }

    def _check_common(self):
        n_sources = len(self.classes_)
        if self.subtract_common and n_sources < 3:
            raise ValueError(
                f"subtract_common needs at least 3 sources, got {n_sources} class(es): "
                "what is common to two leaves exact opposites of them."
            )

    def _warn_if_few_are_found(self):
        if self.detection_rate_ < LOW_DETECTION_RATE and len(self.classes_) > 1:
            warnings.warn(
                f"detection_rate_ is {self.detection_rate_:.2f}: few residuals of "
                "known sources reach the threshold. If images of several sources show "
                "the same scenes, pass groups to fit. Otherwise more images, or a "
                "higher false_alarm_rate, raise it.",
                stacklevel=4,
            )

    def _find_folds(self, y, groups, weights, params):
        """Return folds, and whether residuals are held out by them."""
        if isinstance(self.cv, Integral) and groups is None and len(self.classes_) > 1:
            smallest = np.unique(y[weights > 0], return_counts=True)[1].min()
            if smallest < 2:  # the threshold needs no folds
                return np.zeros(len(y), dtype=int), False
        shuffle = groups is None
        return find_folds(self, y, groups, weights, params, shuffle=shuffle), True


def restore_detector(classes, fingerprints, null, known, **params):
    """Return a detector that has these fingerprints.

    `null` are the scores, sources and weights of its null, and `known` its `offset_`,
    `detection_rate_` and number of residuals.
    """
    detector = FingerprintDetector(**params)
    detector.classes_ = classes
    detector.null_scores_, detector.null_sources_, detector.null_weights_ = null
    detector.offset_, detector.detection_rate_, detector._n_residuals = known
    detector.smallest_rate_ = 1 / len(detector.null_scores_)
    detector._restore(fingerprints)
    return detector


def _find_largest(residuals, prepared):
    return _correlate_with(residuals, prepared).max(axis=1)


def _score_training(residuals, state, folds, members):
    """Return the score of each residual, and scores of the null, by held-out means."""
    held_out, for_null, subtract_common = state
    rows, shape = as_rows(residuals), as_stack(residuals).shape[1:]
    found = np.empty((len(rows), 1 + (N_ALIGNMENTS if held_out.shape[1] == 1 else 1)))
    for fold, source in np.unique(np.stack([folds, members], axis=1), axis=0):
        inside = (folds == fold) & (members == source)
        own = rows[inside]
        means = held_out[fold]
        prepared = _prepare_fingerprints(means, _find_common(means, subtract_common))
        found[inside, 0] = _find_largest(own, prepared)
        if held_out.shape[1] == 1:
            wrong = _misalign(held_out[fold].reshape(1, *shape))
            prepared = _prepare_fingerprints(wrong)
            found[inside, 1:] = np.abs(_correlate_with(own, prepared))
        else:
            others = np.delete(for_null[fold], source, axis=0)
            common = _find_common(others, subtract_common)
            prepared = _prepare_fingerprints(others, common)
            largest = np.abs(_correlate_with(own, prepared)).max(axis=1)
            found[inside, 1] = largest
    return found


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

"""Detection of known sources by fingerprints, at a stated false-alarm rate."""

import warnings
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skfingerprint._attribution import PreparedFingerprintsMixin, average_held_out
from skfingerprint._core import (
    CrossFittedMixin,
    Estimator,
    all_or_nothing,
    as_rows,
    as_stack,
    check_choice,
    check_rate,
    check_training,
    find_folds,
    score_blocks,
    validate_images,
    validate_known,
)
from skfingerprint._open_set.decisions import ThresholdMixin
from skfingerprint._open_set.ratios import balance, fit_ratios, to_log_ratios
from skfingerprint.correlation import (
    _correlate_with,
    _find_common,
    _prepare_fingerprints,
)
from skfingerprint.thresholds import (
    _count_effective,
    _fit_tails,
    _mean_share,
    tail_threshold,
)

# Wrong alignments of the fingerprint with which each residual of a single source is
# correlated: each is one more row of a matrix product, and one more null score.
N_ALIGNMENTS = 16
# Detection rate below which `fit` warns, and residuals of each source that it needs: a
# rate of fewer residuals is too uncertain.
LOW_DETECTION_RATE = 0.1
MANY_RESIDUALS = 10


@dataclass(frozen=True)
class TrainingFingerprints:
    """Fingerprints that training residuals are scored by.

    Attributes
    ----------
    held_out : ndarray of shape (n_folds, n_classes, n_features)
        Fingerprints without each fold, for the scores of residuals of known sources.
    for_null : ndarray of shape (n_folds, n_classes, n_features)
        Fingerprints for the null scores of each fold.
    subtract_common : bool
        Whether to subtract the mean of the fingerprints.
    """

    held_out: np.ndarray
    for_null: np.ndarray
    subtract_common: bool


class FingerprintDetector(
    ThresholdMixin, PreparedFingerprintsMixin, CrossFittedMixin, OutlierMixin, Estimator
):
    """Detect residuals of known sources, at a stated false-alarm rate.

    The score of a residual is its largest correlation with a fingerprint. `fit` learns
    the scores of unknown sources from null scores. With several sources, each residual
    is correlated with the fingerprints of all sources but its own, and the largest
    absolute value is a null score, since two fingerprints may be opposites. With one
    source, each residual is correlated with wrong alignments of the fingerprint. The
    threshold is the score that a share `false_alarm_rate` of the null scores exceeds.

    The rate holds for sources as different from the known ones as these are from each
    other, on average over sources. It is exceeded by close relatives of a known source
    (another training of one network), about which fewer than four sources contain no
    information, and by unknown images of scenes that were fitted on.

    Parameters
    ----------
    false_alarm_rate : float, default=0.01
        In (0, 0.5]: share of residuals of unknown sources that may be accepted (FPR).
    cv : int or cross-validation splitter, default=5
        Folds of the cross-fitting. A number means stratified folds: of whole groups,
        and shuffled ones without groups. If images of several sources show the same
        scenes, pass `groups` to `fit`; otherwise the scenes leak into the threshold.
        With a number and without groups, the null scores are correlations with
        fingerprints of all folds, since a residual is not part of the fingerprints of
        other sources.
    subtract_common : bool, default=False
        Whether to subtract the mean of all fingerprints first, as in
        :class:`FingerprintClassifier`. It needs three sources: two fingerprints minus
        their mean are exact opposites.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The known sources; `[0]` without y.
    fingerprints_ : ndarray of shape (n_classes, ...)
        The fingerprints, each of shape `image_shape_`, in grey levels; read-only.
    null_scores_ : ndarray of shape (n_scores,)
        Scores of residuals for sources other than their own, or for wrong alignments.
    null_sources_ : ndarray of shape (n_scores,), int
        Index in `classes_` of the source of each of these residuals.
    null_weights_ : ndarray of shape (n_scores,)
        Weights of these residuals.
    offset_ : float
        The threshold.
    detection_rate_ : float
        Share of the residuals of known sources that are accepted (TPR) when they are
        scored by fingerprints of the other folds. NaN if a source has a single
        residual.
    smallest_rate_ : float
        One over the number of null scores: lower rates are extrapolated.
    image_shape_ : tuple of int
        Shape of one residual.
    n_features_in_ : int
        Number of values in a residual.
    provenance_ : dict
        How the fingerprints were made, as in :class:`FingerprintClassifier`.

    See Also
    --------
    RejectingClassifier : Names the source, or answers "unknown".
    SourceDetector : Detects by rows of features, of images of any size.
    skfingerprint.thresholds.tail_probability : Estimates the share of scores of unknown
        sources above a score.

    Notes
    -----
    The threshold is :func:`~skfingerprint.thresholds.tail_threshold` of the null scores
    with the sources as groups, which extrapolates to rates below one over the number of
    scores. With `subtract_common`, the null score of a residual is computed with the
    mean of the fingerprints of the other sources alone, subtracted from them and from
    the residual.

    A likelihood ratio compares how probable a correlation is for residuals of the
    source, by fingerprints of the other folds, and for residuals of other known sources
    (or for wrong alignments, with a single source), of which absolute values are taken.
    A logistic regression gives its logarithm, for all sources together, within the
    bounds that :class:`SourceDetector` states. Residuals of sources of another kind
    take no part in it.

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
    >>> accepted = detector.predict(images[100:]) == 1
    >>> print(f"known {accepted[known[100:]].mean():.2f}, "
    ...       f"unknown {accepted[~known[100:]].mean():.2f}")
    known 0.98, unknown 0.06
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
        """Average residuals to fingerprints, and learn the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels; at least two if there is a single source, and of
            at least two groups for each source if there are groups.
        y : array-like of shape (n_samples,), default=None
            Sources. Without it, all residuals come from one source.
        groups : array-like of shape (n_samples,), default=None
            Scene that each image shows: images of one group are held out together.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in fingerprints and null scores, >= 0; not all 0 in any class. They
            are relative: a common factor changes nothing.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        self : FingerprintDetector
        """
        self._check_parameters()
        # The null scores of a single source need shifts, which flat rows do not have.
        X, y = validate_known(self, X, y, neighbors=True)
        members, weights = check_training(self, X, y, sample_weight)
        self._check_common()
        folds, is_held_out = self._find_folds(y, groups, weights, params)
        whole, held_out, _ = average_held_out(X, members, folds, weights)
        self.fingerprints_ = whole.reshape(-1, *self.image_shape_)
        self._prepare()
        # A residual is not part of the fingerprints of other sources. Unless they share
        # a scene, these can score it without folds, and average as many residuals as
        # the fingerprints that `predict` uses.
        for_null = held_out
        if groups is None and isinstance(self.cv, Integral) and len(self.classes_) > 1:
            for_null = np.repeat(whole[np.newaxis], len(held_out), axis=0)
        state = TrainingFingerprints(held_out, for_null, self.subtract_common)
        scores = score_blocks(_score_training, X, state, folds, members)
        # Residuals without weight count nowhere, not in `smallest_rate_` either.
        n_sources, used = len(self.classes_), weights > 0
        correlations, null = scores[:, :n_sources], scores[:, n_sources:]
        own = correlations.max(axis=1)
        self.null_scores_ = null[used].ravel()
        self.null_sources_, self.null_weights_ = (
            np.repeat(values[used], null.shape[1]) for values in (members, weights)
        )
        self.smallest_rate_ = 1 / len(self.null_scores_)
        self._n_residuals = float(_count_effective(weights)[0])
        self._fit_tails()
        offset = tail_threshold(
            self.null_scores_, self.false_alarm_rate, **self._describe_null()
        )
        self.offset_ = min(float(offset), 1.0)  # no correlation exceeds 1
        self.detection_rate_ = np.nan
        if is_held_out:
            self.detection_rate_ = float(
                np.average(own >= self.offset_, weights=weights)
            )
        self._ratios = None
        if is_held_out:
            given = correlations[used], null[used], members[used], weights[used]
            self._ratios = _fit_ratios(*given)
        if groups is None and np.bincount(members).min() >= MANY_RESIDUALS:
            self._warn_if_few_are_accepted()
        # Nothing is known of how the new residuals were made.
        vars(self).pop("provenance_", None)
        return self

    def score_samples(self, X):
        """Score residuals by their largest correlation with a fingerprint.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Correlations, in [-1, 1].
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return score_blocks(_find_largest, X, self._get_prepared())

    def false_alarm_probability(self, X):
        """Estimate the share of residuals of unknown sources that score as high.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        probabilities : ndarray of shape (n_samples,)
            Tail probabilities of the null scores, see
            :func:`~skfingerprint.thresholds.tail_probability`.
        """
        scores = self.score_samples(X)
        return _mean_share(self._tails, scores)

    def log10_likelihood_ratios(self, X):
        """Compute likelihood ratios of each source against everything else.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        logs : ndarray of shape (n_samples, n_classes)
            Logarithms to base 10 of the ratios, see Notes: 2 if the correlation is 100
            times more probable for residuals of the source than for others. NaN if a
            source has a single residual, and if the detector was loaded from a file of
            an earlier release.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return score_blocks(_score_ratios, X, self._get_prepared(), self._ratios)

    def _check_parameters(self):
        check_rate("false_alarm_rate", self.false_alarm_rate)
        check_choice("subtract_common", self.subtract_common, (False, True))

    def _fit_tails(self):
        """Estimate the tail of the null scores once, as a Bunch for saved models."""
        tails = _fit_tails(self.null_scores_, **self._describe_null())
        self._tails = Bunch(**vars(tails))

    def _describe_null(self):
        """Return the options for the tail of the null scores."""
        return {
            "sample_weight": self.null_weights_,
            "groups": self.null_sources_,
            # A residual of a single source has a score for each alignment. These depend
            # on each other, so that they count as one.
            "n_scores": self._n_residuals,
        }

    def _check_common(self):
        n_sources = len(self.classes_)
        if self.subtract_common and n_sources < 3:
            raise ValueError(
                f"subtract_common needs at least 3 sources, got {n_sources} class(es): "
                "what is common to two leaves exact opposites of them."
            )

    def _warn_if_few_are_accepted(self):
        # A single source shares no scenes with other known sources.
        if self.detection_rate_ < LOW_DETECTION_RATE and len(self.classes_) > 1:
            warnings.warn(
                f"detection_rate_ is {self.detection_rate_:.2f}: few residuals of "
                "known sources reach the threshold. If images of several sources show "
                "the same scenes, pass groups to fit. Otherwise more images, or a "
                "higher false_alarm_rate, raise it.",
                stacklevel=4,
            )

    def _find_folds(self, y, groups, weights, params):
        """Assign residuals to folds.

        Parameters
        ----------
        y : ndarray of shape (n_samples,)
            Sources.
        groups : array-like of shape (n_samples,) or None
            Scenes.
        weights : ndarray of shape (n_samples,)
            Weights.
        params : dict
            Further metadata for a splitter.

        Returns
        -------
        folds : ndarray of shape (n_samples,), int
            Fold of each residual.
        is_held_out : bool
            Whether the folds hold residuals out.
        """
        if isinstance(self.cv, Integral) and groups is None and len(self.classes_) > 1:
            smallest = np.unique(y[weights > 0], return_counts=True)[1].min()
            # The threshold needs no folds then, and the detection rate stays NaN.
            if smallest < 2:
                return np.zeros(len(y), dtype=int), False
        shuffle = groups is None
        return find_folds(self, y, groups, weights, params, shuffle=shuffle), True


def restore_detector(classes, fingerprints, null, known, **params):
    """Return a fitted detector with given fingerprints and null scores.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The known sources.
    fingerprints : ndarray of shape (n_classes, ...)
        Their fingerprints, in grey levels; read-only from then on.
    null : sequence of 3 ndarray of shape (n_scores,)
        Null scores, their sources and their weights.
    known : sequence of 4
        Threshold, detection rate and number of residuals, and the likelihood ratios as
        :func:`~skfingerprint._open_set.ratios.fit_ratios` returns them, or None.
    **params : dict
        Parameters of the detector.

    Returns
    -------
    detector : FingerprintDetector
    """
    detector = FingerprintDetector(**params)
    detector.classes_ = classes
    detector.null_scores_, detector.null_sources_, detector.null_weights_ = null
    *numbers, detector._ratios = known
    detector.offset_, detector.detection_rate_, detector._n_residuals = numbers
    detector.smallest_rate_ = 1 / len(detector.null_scores_)
    detector._fit_tails()
    detector._restore(fingerprints)
    return detector


def _find_largest(residuals, prepared):
    return _correlate_with(residuals, prepared).max(axis=1)


def _score_ratios(residuals, prepared, ratios):
    correlations = _correlate_with(residuals, prepared)
    if ratios is None:
        return np.full(correlations.shape, np.nan)
    return to_log_ratios(correlations, ratios)


def _fit_ratios(correlations, null, members, weights):
    """Calibrate likelihood ratios of correlations.

    Parameters
    ----------
    correlations : ndarray of shape (n_samples, n_classes)
        Correlations with fingerprints that the residual is not a part of.
    null : ndarray of shape (n_samples, n_null)
        Null scores, of which other residuals are made if there is a single source.
    members : ndarray of shape (n_samples,), int
        Source of each residual.
    weights : ndarray of shape (n_samples,)
        Weights.

    Returns
    -------
    ratios : Bunch
    """
    places = np.arange(len(members)), members
    others = np.abs(correlations)
    if others.shape[1] == 1:
        others = null
    else:
        others[places] = np.nan
    weights = balance(weights, members)
    n_other = _count_effective(weights)[0]
    return fit_ratios((correlations[places], weights), [(others, weights)], n_other)


def _score_training(residuals, state, folds, members):
    """Score training residuals for known sources, and as if of unknown ones.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, ...)
        Residuals, in grey levels.
    state : TrainingFingerprints
        Fingerprints to correlate them with.
    folds, members : ndarray of shape (n_samples,), int
        Fold and source of each residual.

    Returns
    -------
    scores : ndarray of shape (n_samples, n_classes + n_null)
        Correlations with the fingerprints without the fold of the residual, and its
        null scores: one, or one for each wrong alignment if there is a single source.
    """
    held_out, subtract_common = state.held_out, state.subtract_common
    rows, shape = as_rows(residuals), as_stack(residuals).shape[1:]
    n_sources = held_out.shape[1]
    n_null = N_ALIGNMENTS if n_sources == 1 else 1
    found = np.empty((len(rows), n_sources + n_null))
    # Rows of one fold and source are scored by the same fingerprints.
    for fold, source in np.unique(np.stack([folds, members], axis=1), axis=0):
        inside = (folds == fold) & (members == source)
        own = rows[inside]
        means = held_out[fold]
        prepared = _prepare_fingerprints(means, _find_common(means, subtract_common))
        found[inside, :n_sources] = _correlate_with(own, prepared)
        # Fingerprints of few sources, and fingerprints minus a common part, are
        # anticorrelated, so that signed null scores would be too low: a residual of an
        # unknown source correlates with either sign.
        if n_sources == 1:
            wrong = _misalign(held_out[fold].reshape(1, *shape))
            prepared = _prepare_fingerprints(wrong)
            found[inside, n_sources:] = np.abs(_correlate_with(own, prepared))
        else:
            others = np.delete(state.for_null[fold], source, axis=0)
            common = _find_common(others, subtract_common)
            prepared = _prepare_fingerprints(others, common)
            largest = np.abs(_correlate_with(own, prepared)).max(axis=1)
            found[inside, n_sources] = largest
    return found


def _misalign(fingerprint):
    """Shift a fingerprint cyclically to wrong alignments.

    Parameters
    ----------
    fingerprint : ndarray of shape (1, height, width[, n_channels])
        The fingerprint.

    Returns
    -------
    rows : ndarray of shape (N_ALIGNMENTS, n_features)
        Shifted fingerprints.
    """
    _, height, width = fingerprint.shape[:3]
    # An odd shift is a multiple of no even period: it takes patterns of 2, 4, 8, ...
    # pixels, which upsampling leaves, out of phase.
    rng = np.random.default_rng(0)
    downs = 2 * rng.integers(height // 2 + 1, size=N_ALIGNMENTS) + 1
    rights = 2 * rng.integers(width // 2 + 1, size=N_ALIGNMENTS) + 1
    moved = [
        np.roll(fingerprint, (down, right), axis=(1, 2))
        for down, right in zip(downs, rights, strict=True)
    ]
    return np.concatenate(moved).reshape(N_ALIGNMENTS, -1)

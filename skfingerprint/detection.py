"""Known source or not: decisions at a stated rate of false alarms."""

from numbers import Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    OutlierMixin,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skfingerprint._batches import (
    flatten,
    fold,
    score_blocks,
    sum_weighted,
)
from skfingerprint._crossfit import (
    apply_with_labels,
    average_held_out,
    correlate_held_out,
    find_folds,
)
from skfingerprint._validation import restore_on_error, validate_images
from skfingerprint.correlation import (
    correlate_with,
    correlation_matrix,
    prepare_fingerprints,
)
from skfingerprint.fingerprint import FLOATS

# Share of the null scores that the exponential tail is fitted to.
TAIL = 0.1
# Wrong alignments of the fingerprint that each residual of a single source meets.
N_ALIGNMENTS = 16


class FingerprintDetector(OutlierMixin, BaseEstimator):
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
        scenes, take a group-aware splitter and pass `groups` to `fit`, or the scenes
        leak into the threshold.
    subtract_common : bool, default=False
        As in :class:`FingerprintClassifier`.
    image_shape : tuple of int, default=None
        (height, width) or (height, width, n_channels) of the residual in each row of a
        2-D X.

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

    Notes
    -----
    Beyond the upper tenth of the null scores, their tail is taken as exponential: the
    threshold is ``q + e log(0.1 / false_alarm_rate)`` with the 0.9 quantile q and the
    mean excess e over it, so that rates below one over their number can be asked for.

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
        false_alarm_rate=1e-3,
        cv=5,
        subtract_common=False,
        image_shape=None,
    ):
        self.false_alarm_rate = false_alarm_rate
        self.cv = cv
        self.subtract_common = subtract_common
        self.image_shape = image_shape

    def fit(self, X, y=None, groups=None):
        """Average the fingerprints and learn the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels; at least two of each source.
        y : array-like of shape (n_samples,), default=None
            Sources. Without it, all residuals are of one.
        groups : array-like of shape (n_samples,), default=None
            What each image shows, for a group-aware `cv`.

        Returns
        -------
        self : FingerprintDetector
        """
        rate = self.false_alarm_rate
        if not isinstance(rate, Real) or not 0 < rate <= 0.5:
            raise ValueError(f"false_alarm_rate must lie in (0, 0.5], got {rate!r}.")
        with restore_on_error(self):
            X, labels = self._check_training(X, y)
            self.classes_, members = np.unique(labels, return_inverse=True)
            folds = find_folds(self.cv, labels, groups)
            whole = np.equal.outer(np.arange(len(self.classes_)), members)
            means = sum_weighted(X, whole / whole.sum(axis=1, keepdims=True))
            self.fingerprints_ = means.reshape(-1, *X.shape[1:])
            self.null_scores_ = np.sort(self._score_null(X, members, folds))
            self.offset_ = _find_threshold(self.null_scores_, rate)
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
        X = self._validate(X, reset=False)
        prepared = prepare_fingerprints(
            flatten(self.fingerprints_),
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

    def _validate(self, X, y="no_validation", *, reset):
        return validate_images(
            self, X, y, dtype=FLOATS, reset=reset, image_shape=self.image_shape
        )

    def _check_training(self, X, y):
        """Return X and labels; one label for all if there is no y."""
        if y is None:
            X = self._validate(X, reset=True)
            y = np.zeros(len(X), dtype=int)
        else:
            X, y = self._validate(X, y, reset=True)
            check_classification_targets(y)
        if X.shape[0] < 2:
            raise ValueError(
                f"the threshold needs at least 2 residuals, got {len(X)} sample."
            )
        return X, y

    def _score_null(self, X, members, folds):
        """Score residuals against what did not make them, out of their folds."""
        if len(self.classes_) == 1:
            shape = self.image_shape_ if len(self.image_shape_) > 1 else None
            means = [fold(mean, shape) for mean in average_held_out(X, members, folds)]
            wrong = np.stack([_misalign(mean) for mean in means])

            def correlate(rows, row_folds):
                return np.stack(
                    [
                        correlation_matrix(row[None], wrong[number])[0]
                        for row, number in zip(rows, row_folds, strict=True)
                    ]
                )

            return apply_with_labels(correlate, X, folds).ravel()
        scores = correlate_held_out(
            X, members, folds, subtract_common=self.subtract_common
        )
        scores[np.arange(len(scores)), members] = -np.inf
        return scores.max(axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


class RejectingClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Name the source of an image, or answer that it is none of the known ones.

    Both parts are fitted on the same images: the detector says whether a source is
    known, and the classifier which. "unknown" is an answer like any other for
    scikit-learn's metrics, if the true labels of such images say so.

    Parameters
    ----------
    classifier : classifier
        Names the source, such as a pipeline that ends with a FingerprintClassifier, or
        that of :func:`make_attribution_pipeline`.
    detector : outlier detector
        Its `predict` gives 1 for known sources and -1 for others, such as a pipeline
        that ends with a FingerprintDetector.
    unknown_label : label, default="unknown"
        The answer for other sources, of the type of the labels.

    Attributes
    ----------
    classifier_ : classifier
        The fitted one.
    detector_ : outlier detector
        The fitted one.
    classes_ : ndarray of shape (n_classes,)
        The known sources, without `unknown_label`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import (
    ...     FingerprintClassifier, FingerprintDetector, RejectingClassifier,
    ...     ResidualExtractor)
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(200, 5, strength=5, random_state=0)
    >>> names = np.array(["a", "b", "c", "d", "unknown"])[y]
    >>> fit = (np.arange(200) < 100) & (y < 4)
    >>> model = RejectingClassifier(
    ...     make_pipeline(ResidualExtractor(), FingerprintClassifier()),
    ...     make_pipeline(ResidualExtractor(), FingerprintDetector()),
    ... ).fit(images[fit], names[fit])
    >>> model.predict(images[100:105]).tolist() == names[100:105].tolist()
    True
    >>> print(f"{model.score(images[100:], names[100:]):.2f}")
    0.98
    """

    def __init__(self, classifier, detector, *, unknown_label="unknown"):
        self.classifier = classifier
        self.detector = detector
        self.unknown_label = unknown_label

    def fit(self, X, y):
        """Fit the classifier and the detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images of known sources, or residuals, as the two parts take them.
        y : array-like of shape (n_samples,)
            Sources.

        Returns
        -------
        self : RejectingClassifier
        """
        classifier = clone(self.classifier).fit(X, y)
        if self.unknown_label in classifier.classes_.tolist():
            raise ValueError(
                f"y holds unknown_label={self.unknown_label!r}. Fit on known sources "
                "only, or choose another unknown_label."
            )
        self.detector_ = clone(self.detector).fit(X, y)
        self.classifier_ = classifier
        self.classes_ = classifier.classes_
        for name in ("n_features_in_", "feature_names_in_", "image_shape_"):
            if hasattr(classifier, name):
                setattr(self, name, getattr(classifier, name))
        return self

    def predict(self, X):
        """Name the source of each image, or give `unknown_label`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images or residuals, as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        unknown = np.array([self.unknown_label])
        y = self.classifier_.predict(X)
        y = y.astype(np.result_type(y.dtype, unknown.dtype))
        y[self.detector_.predict(X) == -1] = self.unknown_label
        return y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.classifier).input_tags
        # What it rejects is not what its training labels say.
        tags.classifier_tags.poor_score = True
        return tags


def _find_largest(residuals, prepared):
    return correlate_with(prepared, flatten(residuals)).max(axis=1)


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


def _find_threshold(null, rate):
    """Return the score that a share `rate` of the null exceeds."""
    if rate >= TAIL:
        return float(np.quantile(null, 1 - rate))
    start = np.quantile(null, 1 - TAIL)
    above = null[null > start]
    excess = (above - start).mean() if len(above) else 0
    # No correlation exceeds 1.
    return float(min(start + excess * np.log(TAIL / rate), 1))

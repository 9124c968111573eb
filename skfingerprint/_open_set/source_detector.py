"""Known source or not, by feature rows: at a stated rate, of changed images too."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils import Bunch, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import (
    CrossFittedMixin,
    Estimator,
    all_or_nothing,
    as_rows,
    at_once,
    check_length,
    check_positive,
    check_rate,
    check_training,
    find_folds,
    hide_background,
    read_blocks,
    score_blocks,
    track,
    validate_images,
    validate_known,
)
from skfingerprint._open_set.conditions import (
    describe_null,
    draw_rows,
    find_strata,
    find_tail,
    join,
    level_scores,
    pick_stratum,
    score_strata,
    separate_copies,
)
from skfingerprint._open_set.decisions import ThresholdMixin
from skfingerprint._open_set.simplex import (
    FEWEST_SOURCES,
    fit_space,
    score_space,
    select,
)
from skfingerprint.thresholds import _weighted_quantile, tail_threshold

# The rates unless others are asked for.
FALSE_ALARM_RATE = 0.01
MISS_RATE = 0.05
# Fewer sources than this say too little of strangers, and less found than this is next
# to nothing.
FEW_SOURCES = 5
FEW_FOUND = 0.1


class _Detector(ThresholdMixin, CrossFittedMixin, OutlierMixin, Estimator):
    """Decisions on scores, and what the detectors of feature rows check alike."""

    def __init__(
        self,
        alpha=100.0,
        *,
        false_alarm_rate=None,
        cv=5,
        background=None,
        miss_rate=None,
    ):
        self.alpha = alpha
        self.false_alarm_rate = false_alarm_rate
        self.cv = cv
        self.background = background
        self.miss_rate = miss_rate

    @at_once
    def score_samples(self, X):
        """Return the score of the best source of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self.score_sources(X).max(axis=1)

    def _read_training(self, X, y, copies, groups, sample_weight, params):
        """Check what is fitted on; return rows of it, and what is known of them."""
        self._check_parameters()
        X, y = validate_known(self, X, y)
        if groups is not None:
            check_length("groups", groups, len(X))
        labels, is_background = hide_background(y, self.background)
        members, weights = check_training(self, X, labels, sample_weight)
        self.check_rates(len(self.classes_))
        members[is_background] = -1
        names, kinds = _check_copies(copies, y)
        taken = draw_rows(members, kinds, weights)
        if isinstance(self.cv, Integral):
            groups = None if groups is None else column_or_1d(groups)[taken]
            given = (y[taken], groups, weights[taken], params)
            folds = find_folds(self, *given, shuffle=True)
        else:
            folds = find_folds(self, y, groups, weights, params)[taken]
        return Bunch(
            rows=as_rows(read_blocks(X, taken)),
            members=members[taken],
            kinds=kinds[taken],
            weights=weights[taken],
            folds=folds,
            names=names,
        )

    def _check_parameters(self):
        check_positive("alpha", self.alpha)
        for name in ("false_alarm_rate", "miss_rate"):
            if getattr(self, name) is not None:
                check_rate(name, getattr(self, name))
        if self.false_alarm_rate is not None and self.miss_rate is not None:
            raise ValueError(
                "false_alarm_rate and miss_rate each set the threshold: state one."
            )

    def check_rates(self, n_sources):
        """Refuse a false-alarm rate that can't be learned from so few sources.

        Parameters
        ----------
        n_sources : int
            Number of known sources.
        """
        self._check_parameters()
        if self.false_alarm_rate is not None and n_sources < FEWEST_SOURCES:
            raise ValueError(
                f"false_alarm_rate={self.false_alarm_rate} cannot be learned from "
                f"{n_sources} source(s): strangers are learned from by leaving out one "
                "source of at least 3. Leave false_alarm_rate at None, and say by "
                "miss_rate what share of the known may be missed."
            )

    def _set_threshold(self, null, known):
        """Choose the threshold: by strangers' scores, or by those of the known."""
        self.null_scores_, self.null_sources_ = null.scores, null.sources
        self.null_weights_ = null.weights
        rate, miss = self.false_alarm_rate, self.miss_rate
        by_rate = len(null.scores) and (rate or not miss)
        if by_rate:
            self.offset_ = self._find_offset(rate or FALSE_ALARM_RATE)
        else:
            share = miss or MISS_RATE
            self.offset_ = _weighted_quantile(known.scores, share, known.weights)
        self.detection_rate_ = _find_share(known, self.offset_)
        if by_rate:
            _warn_of_few(len(self.classes_), self.detection_rate_)


class SourceDetector(_Detector):
    """Tell feature rows of known sources from all others, at a stated rate.

    A ridge regression of one-hot targets puts the images of each known source near a
    corner of a simplex, and those of others between the corners. The score of a row is
    the larger the nearer it lies to a corner. What others reach is learned in `fit`:
    each source in turn is taken for one that is not known, together with each fold of
    scenes. The threshold is the quantile of these scores that leaves
    `false_alarm_rate` above it.

    The rate is that of sources as different from the known ones as these are from each
    other, on average over sources. A close relative of a known source (another training
    of one network) can be taken for it at any rate. Of fewer than five sources the rate
    is a guess, and `fit` warns; it also warns if next to nothing is found.

    With one or two sources there is none to leave out. The score is then a distance
    to the nearest source by the spread of its own images, and the threshold the
    quantile of held-out scores of these that leaves `miss_rate` below it. How many
    others it lets in is not known.

    Parameters
    ----------
    alpha : float, default=100
        Penalty of the ridge regression of standardized features, > 0.
    false_alarm_rate : float, default=None
        In (0, 0.5]: share of rows of other sources that may be taken for known. By
        default 0.01. Of fewer than three sources it can't be learned, and raises.
    cv : int or cross-validation splitter, default=5
        Folds that are held out. A number means stratified folds: of whole groups, and
        shuffled ones without groups.
    background : label, default=None
        Label in y of rows of no source, such as photographs: never an answer, and kept
        away from the sources.
    miss_rate : float, default=None
        In (0, 0.5]: share of rows of known sources that may be missed, if no
        `false_alarm_rate` is given. By default 0.05 of one or two sources.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The known sources, without the background; `[0]` without y.
    null_scores_ : ndarray of shape (n_scores,)
        Scores of rows while their source was left out; none of one or two sources.
    null_sources_ : ndarray of shape (n_scores,), int
        Which of `classes_` was left out.
    null_weights_ : ndarray of shape (n_scores,)
        Weights of these rows.
    offset_ : float
        The threshold.
    detection_rate_ : float
        Share of held-out rows of known sources that reach it.
    smallest_rate_ : float
        One over the number of null scores: lower rates are extrapolated. NaN of one or
        two sources.
    image_shape_ : tuple of int
        Shape of one row: (n_features,).
    n_features_in_ : int
        Number of features.

    See Also
    --------
    SourceDetector : The same for changed images, with a detector for each kind of change.
    RejectingClassifier : Names the source, or answers "unknown".
    FingerprintDetector : For residuals, by their correlation with fingerprints.

    Notes
    -----
    The score of source c is ``-log |f(x) - e_c|``, with the ridge regression f and the
    vertex e_c. No fit is repeated: what f would predict for rows that are left out
    follows from the block of its hat matrix (PRESS). At most 100 rows of a source, and
    1,600 in all, are learned from. The threshold is
    :func:`~skfingerprint.thresholds.tail_threshold` with the sources as groups.

    Of one or two sources the score is ``-log(d_c / sqrt(n_features))``, with the
    Mahalanobis distance d_c to the mean of source c by the pooled covariance within
    sources, a tenth of which is shrunk to a multiple of the identity.

    Examples
    --------
    >>> from skfingerprint import AttributionFeatures, SourceDetector
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(300, 6, strength=8, random_state=0)
    >>> X = AttributionFeatures().fit_transform(images)
    >>> known = y < 5
    >>> detector = SourceDetector(false_alarm_rate=0.1)
    >>> detector = detector.fit(X[:150][known[:150]], y[:150][known[:150]])
    >>> answers = detector.predict(X[150:]) == 1
    >>> print(f"known {answers[known[150:]].mean():.2f}, "
    ...       f"of the sixth source {answers[~known[150:]].mean():.2f}")
    known 1.00, of the sixth source 0.03
    """

    @all_or_nothing
    def fit(self, X, y=None, *, groups=None, sample_weight=None, **params):
        """Learn where the sources lie, and what others score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,), default=None
            Sources, and the background if there is one. Without it, all rows are of
            one source.
        groups : array-like of shape (n_samples,), default=None
            What each image shows: rows of one group are held out together.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; not all 0 in any class.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        self : SourceDetector
        """
        data = self._read_training(X, y, None, groups, sample_weight, params)
        self.space_, null, known = fit_space(data, len(self.classes_), self.alpha)
        self._set_threshold(null, known)
        self.smallest_rate_ = _find_resolution(null)
        return self

    @at_once
    def score_sources(self, X):
        """Score rows for each source.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            The larger, the nearer to the source.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return score_blocks(score_space, X, self.space_)

    @at_once
    def false_alarm_probability(self, X):
        """Return the share of images of other sources that score as high.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        probabilities : ndarray of shape (n_samples,)
            See :func:`~skfingerprint.thresholds.tail_probability`. NaN of one or two
            sources, where nothing is known of others.
        """
        null = self.null_scores_, self.null_sources_, self.null_weights_
        return find_tail(self.score_samples(X), *null)

    def _find_offset(self, rate):
        null = self.null_sources_, self.null_weights_
        return tail_threshold(self.null_scores_, rate, **describe_null(*null))


class SourceDetector(_Detector):
    """Tell known sources from others by images that may have been changed.

    Compression, noise and resizing move the features of an image by more than its
    source does. So each kind of copy that was trained on has a :class:`SourceDetector`
    of its own, with its own threshold, and a discriminant of the kinds picks the
    one that an image is asked. What a strong change has erased is not found, but
    it is not named wrongly either.

    Kinds that can't be told from others, and those that would draw unchanged images to
    themselves, have no detector.

    Of one or two sources the unchanged images alone are known: their copies
    stand in for strangers, as classes of their own.

    Parameters
    ----------
    alpha, false_alarm_rate, cv, background, miss_rate
        As in :class:`SourceDetector`.
    verbose : bool or int, default=False
        Whether to tell how many detectors are done: in a bar if tqdm is installed
        (extra `progress`), in lines otherwise.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The known sources, without the background; `[0]` without y.
    conditions_ : ndarray of shape (n_detectors,)
        The kinds of copies that have a detector of their own.
    null_scores_ : ndarray of shape (n_scores,)
        Scores of rows while their source was left out, of all kinds.
    null_sources_ : ndarray of shape (n_scores,), int
        Which of `classes_` was left out.
    null_weights_ : ndarray of shape (n_scores,)
        Weights of these rows.
    offset_ : float
        The threshold.
    detection_rate_ : float
        Share of held-out unchanged rows of known sources that reach it.
    detection_rate_by_condition_ : ndarray of shape (n_detectors,)
        The same for each kind.
    smallest_rate_ : float
        One over the number of null scores of unchanged rows.
    image_shape_ : tuple of int
        Shape of one row: (n_features,).
    n_features_in_ : int
        Number of features.

    See Also
    --------
    AugmentedClassifier : Makes the copies, and says which a row is.

    Notes
    -----
    The scores of one detector are not those of another. So they are given as
    ``-log p``, with the share p of images of other sources that score as high
    (:func:`~skfingerprint.thresholds.tail_probability`), and the threshold is
    ``-log(false_alarm_rate)``.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint import SourceDetector
    >>> rng = np.random.default_rng(0)
    >>> y, copies = np.repeat(np.arange(6), 80), np.tile([0, 1], 240)
    >>> X = rng.normal(size=(480, 20))
    >>> X[np.arange(480), y] += 9
    >>> X[:, 10] += 8 * copies
    >>> known = y < 5
    >>> detector = SourceDetector(alpha=1).fit(X[known], y[known], conditions=copies[known])
    >>> answers = detector.predict(X) == 1
    >>> print(f"known {answers[known].mean():.2f}, others {answers[~known].mean():.2f}")
    known 1.00, others 0.00
    """

    __metadata_request__fit = {"conditions": True}  # noqa: RUF012

    def __init__(
        self,
        *,
        alpha=100.0,
        false_alarm_rate=None,
        cv=5,
        background=None,
        miss_rate=None,
        verbose=False,
    ):
        super().__init__(
            alpha=alpha,
            false_alarm_rate=false_alarm_rate,
            cv=cv,
            background=background,
            miss_rate=miss_rate,
        )
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X, y=None, *, conditions=None, groups=None, sample_weight=None, **params):
        """Fit the detectors, and the discriminant that picks one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,), default=None
            Sources, and the background if there is one. Without it, all rows are of
            one source.
        copies : array-like of shape (n_samples,), default=None
            Which kind of copy each row is of; the least is that of unchanged images. By
            default all are unchanged.
        groups : array-like of shape (n_samples,), default=None
            What each image shows: rows of one group, copies of one image above all, are
            held out together.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; not all 0 in any class.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        self : SourceDetector
        """
        data = self._read_training(X, y, copies, groups, sample_weight, params)
        n_sources = len(self.classes_)
        if n_sources < FEWEST_SOURCES:
            self.gate_, strata = None, [0]
            parts = [separate_copies(data, n_sources)]
        else:
            self.gate_, strata = find_strata(data, n_sources)
            parts = [select(data, data.kinds == kind) for kind in strata]
        self.conditions_ = data.names[strata]
        fits = [
            fit_space(part, n_sources, self.alpha)
            for part in track(parts, "detectors", self.verbose)
        ]
        self.strata_ = [(space, null) for space, null, _ in fits]
        nulls = [level_scores(null, null) for _, null, _ in fits]
        knowns = [level_scores(known, null) for _, null, known in fits]
        self._set_threshold(join(nulls), knowns[0])
        self.smallest_rate_ = _find_resolution(nulls[0])
        self.detection_rate_by_condition_ = np.array([_find_share(k, self.offset_) for k in knowns])
        return self

    @at_once
    def score_sources(self, X):
        """Score rows for each source.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            ``-log p``: see the notes. Of one or two sources as
            :meth:`SourceDetector.score_sources`.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return score_blocks(score_strata, X, (self.gate_, self.strata_))

    @at_once
    def predict_conditions(self, X):
        """Return which kind of copy each row is taken for.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        copies : ndarray of shape (n_samples,)
            Of `conditions_`.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return self.conditions_[score_blocks(pick_stratum, X, self.gate_)]

    @at_once
    def false_alarm_probability(self, X):
        """Return the share of images of other sources that score as high.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        probabilities : ndarray of shape (n_samples,)
            Among images that were changed alike. NaN of one or two sources, where
            nothing is known of others.
        """
        scores = self.score_samples(X)
        if not len(self.null_scores_):
            return np.full(len(scores), np.nan)
        return np.exp(-scores)

    def _find_offset(self, rate):
        return -np.log(rate)


def draws_rows(detector):
    """Whether a detector learns from no other rows than :func:`draw_training` says."""
    return isinstance(detector, _Detector) and isinstance(detector.cv, Integral)


def draw_training(detector, y, conditions=None, groups=None, sample_weight=None):
    """Return the rows that a detector would learn from, before they are known."""
    labels, is_background = hide_background(y, detector.background)
    members = np.unique(labels, return_inverse=True)[1]
    members[is_background] = -1
    weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
    return draw_rows(members, _check_copies(copies, y)[1], weights)


def _check_copies(copies, y):
    """Return the kinds of copies, and the kind of each row."""
    copies = np.zeros(len(y), dtype=int) if copies is None else column_or_1d(copies)
    check_consistent_length(y, copies)
    return np.unique(copies, return_inverse=True)


def _warn_of_few(n_sources, found):
    """Warn where a rate is a guess, and where next to nothing is named."""
    if n_sources < FEW_SOURCES:
        warnings.warn(
            f"the false-alarm rate is learned from {n_sources} sources, each of which "
            "was taken for a stranger: of other strangers many times as many images "
            "may be let in. Fit more sources, of several kinds.",
            stacklevel=5,
        )
    if found < FEW_FOUND:
        warnings.warn(
            f"detection_rate_ is {found:.2f}: few images of known sources reach the threshold, "
            'and nearly all will be called "unknown". More images of each source, more '
            "sources, or a higher false_alarm_rate, find more.",
            stacklevel=5,
        )


def _find_share(known, offset):
    """Return the share of the weight of known rows that reach the threshold."""
    return float(np.average(known.scores >= offset, weights=known.weights))


def _find_resolution(null):
    return 1 / len(null.scores) if len(null.scores) else np.nan

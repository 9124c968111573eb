"""Detection of known sources by rows of features, at a stated rate."""

import warnings
from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils import Bunch, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import (
    CrossFittedMixin,
    Estimator,
    all_or_nothing,
    as_integers,
    as_rows,
    check_choice,
    check_groups,
    check_labels,
    check_positive,
    check_rate,
    check_training,
    find_folds,
    hide_background,
    needs_spread,
    read_blocks,
    relate_weights,
    score_blocks,
    track,
    validate_images,
    validate_known,
)
from skfingerprint._open_set.conditions import (
    assign_conditions,
    bound_by_neighbors,
    choose_conditions,
    fit_distances,
    fit_tails,
    score_conditions,
    score_ratios,
    separate_conditions,
    share_conditions,
    to_log_tail,
)
from skfingerprint._open_set.decisions import ThresholdMixin
from skfingerprint._open_set.ratios import fit_source_ratios
from skfingerprint._open_set.sets import keep_null, score_sets
from skfingerprint._open_set.simplex import FEWEST_SOURCES
from skfingerprint._open_set.training import TrainingRows, draw_rows
from skfingerprint._open_set.verification import (
    compare_sets,
    estimate_shares,
    fit_verification,
    project_outputs,
)
from skfingerprint.thresholds import _weighted_quantile

# The rates that "auto" stands for.
FALSE_ALARM_RATE = 0.01
MISS_RATE = 0.05
RELATIVES = ("reject", "accept")
# Numbers of sources below which, and detection rates below which, `fit` warns.
FEW_SOURCES = 5
LOW_DETECTION_RATE = 0.1


class SourceDetector(ThresholdMixin, CrossFittedMixin, OutlierMixin, Estimator):
    """Detect known sources by rows of features, at a stated false-alarm rate.

    A ridge regression of one-hot targets brings the images of each known source near a
    vertex of a simplex, and those of unknown sources between the vertices. `fit` learns
    the scores of unknown sources by holding out each source in turn, together with each
    fold of scenes. The threshold is the score that a share `false_alarm_rate` of them
    exceeds.

    Compression, noise and resizing move the features of an image by more than its
    source does. With `conditions`, each of them therefore has distances and null scores
    of its own, and a discriminant of conditions assigns each row to one. Conditions
    that cannot be distinguished from others, and those to which unprocessed images
    would be assigned, are left out.

    A few sources say little about unknown ones. Imitations say more: images of the
    known sources that went through small random networks (see
    :class:`~skfingerprint.imitation.ImitationGenerator`), so that their content stays
    and their last processing step is another one. :class:`AugmentedPipeline` makes
    them, and passes the kind of each row as `imitations`. They are rows of no source,
    and each kind of them is held out in turn as sources are.

    The rate holds on average over unknown sources. A close relative of a known source
    (another training of one network) can be taken for it at any rate. Without
    imitations the rate holds for sources as different from the known ones as these are
    from each other; with fewer than five sources it is a guess, and `fit` warns. It
    also warns if the detection rate is low.

    Without imitations, with one or two sources there is no source to hold out. The
    score is then a Mahalanobis distance to the nearest source, or that of a simplex
    whose further vertices are the conditions and the background, and the threshold is
    the score that a share `miss_rate` of held-out images falls below. The false-alarm
    rate is unknown.

    Parameters
    ----------
    alpha : float, default=100
        Penalty of the ridge regression of standardized features, > 0.
    false_alarm_rate : float, "auto" or None, default="auto"
        In (0, 0.5]: share of rows of unknown sources that may be accepted (FPR).
        It needs imitations, or three sources. "auto" is 0.01 if there are any of these
        and `miss_rate` is "auto" too; otherwise, and if None, the threshold follows
        from `miss_rate`.
    cv : int or cross-validation splitter, default=5
        Folds that are held out. A number means stratified folds: of whole groups, and
        shuffled ones without groups.
    background : label, default=None
        Label in y for rows without a common source, such as photographs. It is never an
        answer, and its rows are kept away from the sources.
    miss_rate : float or "auto", default="auto"
        In (0, 0.5]: share of rows of known sources that may be rejected, if no
        `false_alarm_rate` is stated. "auto" is 0.05.
    relatives : {"reject", "accept"}, default="reject"
        Whether an image from a source that is as near to a known one as some known
        sources are to each other should be rejected. "accept" learns the rate from
        imitations alone: more images of known sources are accepted, and more of their
        relatives. Without imitations both are the same.
    verbose : bool or int, default=False
        Whether to report how many conditions are done: in a bar if tqdm is installed
        (extra `progress`), in lines otherwise.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The known sources, without the background; `[0]` without y.
    conditions_ : ndarray of shape (n_conditions,)
        The conditions that have distances of their own, unprocessed first.
    null_scores_ : ndarray of shape (n_scores,)
        Scores of rows while their source or kind of imitation was held out, of all
        conditions; empty with one or two sources without imitations.
    null_sources_ : ndarray of shape (n_scores,), int
        Index in `classes_` of the source that was held out, -1 for an imitation.
    null_kinds_ : ndarray of shape (n_scores,), int
        Kind of imitation that was held out, -1 for an image.
    null_weights_ : ndarray of shape (n_scores,)
        Weights of these rows.
    offset_ : float
        The threshold.
    detection_rate_ : float
        Share of held-out unprocessed rows of known sources that are accepted (TPR).
    detection_rate_by_condition_ : ndarray of shape (n_conditions,)
        The same for each condition.
    relatives_ : ndarray of shape (n_classes, n_classes)
        Share of unprocessed rows of each source that are accepted as each other source
        while their own is held out; NaN with one or two sources.
    smallest_rate_ : float
        One over the number of null scores of unprocessed rows: lower rates are
        extrapolated. NaN without null scores.
    image_shape_ : tuple of int
        Shape of one row: (n_features,).
    n_features_in_ : int
        Number of features.

    See Also
    --------
    RejectingClassifier : Names the source, or answers "unknown".
    FingerprintDetector : Detects by the correlation of residuals with fingerprints.
    AugmentedPipeline : Perturbs the images, and passes the condition of each row.

    Notes
    -----
    The distance to source c is ``-log |f(x) - e_c|``, with the ridge regression f and
    the vertex e_c. No fit is repeated: predictions for rows that are held out follow
    from the block of the hat matrix (PRESS). At most 100 rows of a source, and 1,600 in
    all, are learned from in each condition.

    The distances of two conditions have different scales. With null scores, scores are
    therefore ``-log p``, with the share p of images of unknown sources that are as
    near: :func:`~skfingerprint.thresholds.tail_probability` with the sources as groups.
    With imitations it is the larger one of two shares: that of imitations, with their
    kinds as groups, and from three sources on that of imitations and held-out sources,
    with kinds and sources as groups. The threshold is ``-log(false_alarm_rate)``.

    All imitations of a condition together weigh at most as much as its images. At most
    600 of them are learned from. An imitation also takes part in the perturbed
    condition that it is assigned to. Unprocessed imitations take part in the
    discriminant of conditions, and unprocessed is preferred by as much as 2 % of
    perturbed images of known sources allow: most unknown sources would otherwise be
    taken for perturbed ones.

    With one or two sources, no imitations and a single condition the score is
    ``-log(d_c / sqrt(n_features))``, with the Mahalanobis distance d_c to the mean of
    source c by the pooled covariance within sources, of which a tenth is shrunk to a
    multiple of the identity.

    A likelihood ratio compares how probable a distance is if source c made the image,
    and if anything else did: another known source, or an unknown one, for which
    imitations and images of held-out sources stand, with the same weight. A logistic
    regression of held-out distances gives the logarithm for each of the two, for each
    condition, and for all sources together, and the lesser one is the answer. It is at
    most the logarithm of ``n_0 + 1`` and at least minus that of ``n_1 + 1``, with n_0
    images of anything else and n_1 images of known sources, the bounds within which
    [1]_ looks for the limits of extrapolation. An image may be assigned to a wrong
    condition, and the ratio of its source is then too low. The lower bound of a
    condition is therefore the least one that images of known sources got there for
    their own source if it is the best of the conditions that are not theirs, but at
    most 1. A false-alarm probability counts scores of unknown sources alone, and says
    nothing of how often known ones score as high; the ratio does both.

    With imitations :meth:`verify` has a ridge regression of its own, of unprocessed
    images, with a target for each source and each generator. Its outputs are whitened
    by the covariance of held-out rows within these classes. Null scores are those of
    pairs of classes from two groups, each a source or a kind of imitation, while both
    groups and the folds are held out. A class with fewer rows than a set is averaged as
    it is, and the score is scaled by the ratio of the expected lengths.

    References
    ----------
    .. [1] P. Vergeer, A. van Es, A. de Jongh, I. Alberink, R. Stoel, "Numerical
       likelihood ratios outputted by LR systems are often based on extrapolation: when
       to stop extrapolating?", Science & Justice, 2016.
       :doi:`10.1016/j.scijus.2016.06.003`

    Examples
    --------
    >>> from skfingerprint import AttributionFeatures, SourceDetector
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(300, 6, strength=8, random_state=0)
    >>> X = AttributionFeatures().fit_transform(images)
    >>> known = y < 5
    >>> detector = SourceDetector(false_alarm_rate=0.1)
    >>> detector = detector.fit(X[:150][known[:150]], y[:150][known[:150]])
    >>> accepted = detector.predict(X[150:]) == 1
    >>> print(f"known {accepted[known[150:]].mean():.2f}, "
    ...       f"unknown {accepted[~known[150:]].mean():.2f}")
    known 1.00, unknown 0.03

    Rows of perturbed images have distances of their own:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y, conditions = np.repeat(np.arange(6), 80), np.tile([0, 1], 240)
    >>> X = rng.normal(size=(480, 20))
    >>> X[np.arange(480), y] += 9
    >>> X[:, 10] += 8 * conditions
    >>> known = y < 5
    >>> detector = SourceDetector(alpha=1)
    >>> detector = detector.fit(X[known], y[known], conditions=conditions[known])
    >>> detector.predict_conditions(X[:4]).tolist()
    [0, 1, 0, 1]
    >>> accepted = detector.predict(X) == 1
    >>> print(f"known {accepted[known].mean():.2f}, "
    ...       f"unknown {accepted[~known].mean():.2f}")
    known 1.00, unknown 0.00
    """

    __metadata_request__fit = {"conditions": True, "imitations": True}  # noqa: RUF012

    def __init__(
        self,
        *,
        alpha=100.0,
        false_alarm_rate="auto",
        cv=5,
        background=None,
        miss_rate="auto",
        relatives="reject",
        verbose=False,
    ):
        self.alpha = alpha
        self.false_alarm_rate = false_alarm_rate
        self.cv = cv
        self.background = background
        self.miss_rate = miss_rate
        self.relatives = relatives
        self.verbose = verbose

    @all_or_nothing
    @needs_spread()
    def fit(
        self,
        X,
        y=None,
        *,
        conditions=None,
        imitations=None,
        groups=None,
        sample_weight=None,
        **params,
    ):
        """Fit the distances of each condition, and learn the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,), default=None
            Sources, and the background if there is one. Without it, all rows come from
            one source.
        conditions : array-like of shape (n_samples,), default=None
            Condition of each row; the least one is that of unprocessed images. By
            default all rows are unprocessed.
        imitations : array-like of shape (n_samples,) or (n_samples, 2), default=None
            Kind of imitation of each row, an int >= 0, and -1 for an image. y holds the
            source of the image that was imitated. A second column numbers the generator
            within all kinds; by default each kind is one generator.
        groups : array-like of shape (n_samples,), default=None
            Scene that each image shows: rows of one group, such as perturbed copies of
            one image, are held out together.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; not all 0 in any class. They are relative: a common factor
            changes nothing.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        self : SourceDetector
        """
        metadata = conditions, imitations, groups, sample_weight
        data, names = self._read_training(X, y, *metadata, params)
        n_sources = len(self.classes_)
        if n_sources < FEWEST_SOURCES and imitations is None:
            # Other conditions stand in for unknown sources, so that only unprocessed
            # images can be judged.
            self.gate_, chosen = None, [0]
            parts = [separate_conditions(data, n_sources)]
        else:
            self.gate_, chosen = choose_conditions(data, n_sources)
            parts = share_conditions(data, self.gate_, chosen)
        self.conditions_ = names[chosen]
        fits = [
            fit_distances(part, n_sources, self.alpha)
            for part in track(parts, "detectors", self.verbose)
        ]
        # On the scale of tail probabilities one threshold serves all conditions.
        tails = [fit_tails(null, self.relatives) for _, null, _ in fits]
        self.spaces_ = list(zip([space for space, *_ in fits], tails, strict=True))
        self.nulls_ = [keep_null(null) for _, null, _ in fits]
        ratios = [fit_source_ratios(known, null) for _, null, known in fits]
        state = self.gate_, self.spaces_
        self.ratios_ = bound_by_neighbors(data, state, chosen, ratios)
        nulls, knowns = (
            [_level(fit[part], tail) for fit, tail in zip(fits, tails, strict=True)]
            for part in (1, 2)
        )
        self._set_threshold(nulls, knowns, warns=imitations is None)
        unprocessed = data.select(data.conditions == 0)
        self.verification_ = fit_verification(unprocessed, self.alpha)
        return self

    def score_sources(self, X):
        """Score rows for each source.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            The larger, the nearer to the source: ``-log p``, see Notes; minus the
            logarithm of a distance with one or two sources.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return score_blocks(score_conditions, X, (self.gate_, self.spaces_))

    def score_sets(self, X, groups):
        """Score sets of rows for each source, all rows of a set being of one source.

        The outputs of the ridge regression are averaged over each set, and the scores
        of unknown sources are those of sets of as many imitations of one generator, or
        images of one held-out source.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        groups : array-like of shape (n_samples,)
            Set of each row.

        Returns
        -------
        scores : ndarray of shape (n_sets, n_classes)
            As of :meth:`score_sources`, in the order of the sorted labels of the sets.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        check_groups(groups, len(X))
        members = np.unique(column_or_1d(groups), return_inverse=True)[1]
        state = self.gate_, self.spaces_
        return score_sets(X, members, state, self.nulls_, self.relatives)

    def score_samples(self, X):
        """Score rows for their best source.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self.score_sources(X).max(axis=1)

    def predict_conditions(self, X):
        """Predict the condition of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        conditions : ndarray of shape (n_samples,)
            Entries of `conditions_`.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return self.conditions_[score_blocks(assign_conditions, X, self.gate_)]

    def false_alarm_probability(self, X):
        """Estimate the share of images of unknown sources that score as high.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        probabilities : ndarray of shape (n_samples,)
            Shares among images of the same condition. NaN with one or two sources and
            without imitations, where nothing is known about other sources.
        """
        scores = self.score_samples(X)
        # Without null scores the score is a distance, and not -log p.
        if not len(self.null_scores_):
            return np.full(len(scores), np.nan)
        return np.exp(-scores)

    def log10_likelihood_ratios(self, X):
        """Compute likelihood ratios of each source against everything else.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        logs : ndarray of shape (n_samples, n_classes)
            Logarithms to base 10 of the ratios, see Notes: 2 if the score for the
            source is 100 times more probable for images of the source than for others.
            NaN where :meth:`false_alarm_probability` is.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return score_blocks(score_ratios, X, (self.gate_, self.spaces_), self.ratios_)

    def verify(self, X1, X2):
        """Score whether two sets of rows have one source, known or not.

        Both sets are compared as unprocessed images. A perturbation of both sets counts
        as a part of their source, so that the false-alarm probability does not hold for
        them, and sets of which one was perturbed differ by it. No image should be in
        both sets.

        Parameters
        ----------
        X1, X2 : array-like of shape (n_samples, n_features)
            Features of the images of each set, which are taken to have one source.

        Returns
        -------
        answer : Bunch
            `score`, the cosine between the mean outputs of both sets, see Notes; and
            `false_alarm_probability`, the share of pairs of sets of different sources,
            with as many images in each set, that score as high. To answer "same" at a
            rate r, accept the pairs whose false-alarm probability is at most r.

        Raises
        ------
        ValueError
            If no imitations were given in `fit`.
        """
        check_is_fitted(self)
        if self.verification_ is None:
            raise ValueError(
                "verify learns from imitations how alike different sources are, and "
                "`fit` was given none. Fit images in make_attribution_pipeline with a "
                'false_alarm_rate and imitations="auto", which makes them.'
            )
        sets = [validate_images(self, X, reset=False) for X in (X1, X2)]
        outputs = [score_blocks(project_outputs, X, self.verification_) for X in sets]
        score = compare_sets(*outputs)
        sizes = len(outputs[0]), len(outputs[1])
        shares = estimate_shares(np.array([score]), sizes, self.verification_)
        return Bunch(score=score, false_alarm_probability=float(shares[0]))

    def check_rates(self, n_sources, *, imitated=False):
        """Raise ValueError if the stated rates cannot be learned from so few sources.

        A meta-estimator calls it before it reads images.

        Parameters
        ----------
        n_sources : int
            Number of known sources.
        imitated : bool, default=False
            Whether there are imitations.
        """
        # All are checked here, since a meta-estimator asks before it reads images.
        check_positive("alpha", self.alpha)
        check_choice("relatives", self.relatives, RELATIVES)
        if not self._is_auto("miss_rate"):
            check_rate("miss_rate", self.miss_rate)
        if self.false_alarm_rate is None or self._is_auto("false_alarm_rate"):
            return
        check_rate("false_alarm_rate", self.false_alarm_rate)
        if not self._is_auto("miss_rate"):
            raise ValueError(
                "false_alarm_rate and miss_rate each set the threshold: state one."
            )
        if n_sources < FEWEST_SOURCES and not imitated:
            raise ValueError(
                f"false_alarm_rate={self.false_alarm_rate} cannot be learned from "
                f"{n_sources} source(s) alone: unknown sources are learned from by "
                "holding out one source of at least 3. Fit images in "
                "make_attribution_pipeline, which makes imitations of unknown sources, "
                "or state by miss_rate the share of known images that may be rejected."
            )

    def draw_training(
        self, y, *, conditions=None, imitations=None, groups=None, sample_weight=None
    ):
        """Select the rows that `fit` would learn from, before they are computed.

        A fit on these rows alone is the same, so that a meta-estimator that reads many
        images can keep them and forget the others.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Sources, as in `fit`.
        conditions, imitations, groups, sample_weight : array-like of shape \
                (n_samples,), default=None
            As in `fit`; groups have no effect.

        Returns
        -------
        places : ndarray of int or None
            Sorted indices of the rows; None if a splitter `cv` has to see all of them.
        """
        if not isinstance(self.cv, Integral):
            # A splitter numbers all rows, also those that are not learned from.
            return None
        labels, is_background = hide_background(y, self.background)
        members = np.unique(labels, return_inverse=True)[1]
        kinds, _ = _check_imitations(imitations, y)
        members[is_background | (kinds >= 0)] = -1
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        return draw_rows(members, kinds, _check_conditions(conditions, y)[1], weights)

    def _is_auto(self, name):
        value = getattr(self, name)
        return isinstance(value, str) and value == "auto"

    def _read_training(
        self, X, y, conditions, imitations, groups, sample_weight, params
    ):
        """Check the input of `fit`, and select rows.

        Parameters
        ----------
        X, y, conditions, imitations, groups, sample_weight
            As in `fit`.
        params : dict
            Metadata for a splitter.

        Returns
        -------
        data : TrainingRows
            The rows that are learned from.
        names : ndarray of shape (n_conditions,)
            The conditions, in the order of their numbers.
        """
        # Parameters are checked before X, and once more when sources are counted.
        self.check_rates(FEWEST_SOURCES)
        X, y = validate_known(self, X, y)
        kinds, makers = _check_imitations(imitations, y)
        check_groups(groups, len(X))
        labels, is_background = hide_background(y, self.background)
        members, weights = check_training(self, X, labels, sample_weight)
        self.check_rates(len(self.classes_), imitated=kinds.max() >= 0)
        # The background was hidden behind the label of a source, so as not to be one of
        # the classes; from here on it and imitations are the rows with target 0.
        members[is_background | (kinds >= 0)] = -1
        names, numbers = _check_conditions(conditions, y)
        taken = draw_rows(members, kinds, numbers, weights)
        if isinstance(self.cv, Integral):
            if groups is not None:
                groups = column_or_1d(as_integers(groups))[taken]
            given = (y[taken], groups, weights[taken], params)
            folds = find_folds(self, *given, shuffle=True)
        else:
            # A splitter sees the rows as the user knows them.
            folds = find_folds(self, y, groups, weights, params)[taken]
        rows = as_rows(read_blocks(X, taken))
        known = members[taken], numbers[taken], relate_weights(weights[taken]), folds
        makers = kinds[taken], makers[taken]
        return TrainingRows(rows, *known, *makers, len(names)), names

    def _set_threshold(self, nulls, knowns, *, warns):
        """Choose the threshold, and set the rates that it attains.

        Parameters
        ----------
        nulls, knowns : list of HeldOut
            Scores of held-out sources and of known ones, for each condition.
        warns : bool
            Whether to warn of few sources.
        """
        self.null_scores_ = np.concatenate([null.best for null in nulls])
        for name in ("sources", "kinds", "weights"):
            values = np.concatenate([getattr(null, name) for null in nulls])
            setattr(self, f"null_{name}_", values)
        by_rate = len(self.null_scores_) and self._has_false_alarm_rate()
        if by_rate:
            auto = self._is_auto("false_alarm_rate")
            rate = FALSE_ALARM_RATE if auto else self.false_alarm_rate
            # Scores are -log p, and p is the share that the rate limits.
            self.offset_ = -np.log(rate)
        else:
            share = MISS_RATE if self._is_auto("miss_rate") else self.miss_rate
            # Unprocessed images only: the miss rate is stated for them.
            own = knowns[0]
            self.offset_ = _weighted_quantile(own.best, share, own.weights)
        accepted = [
            np.average(k.best >= self.offset_, weights=k.weights) for k in knowns
        ]
        self.detection_rate_by_condition_ = np.array(accepted)
        self.detection_rate_ = float(accepted[0])
        n_scores = len(nulls[0].scores)
        self.smallest_rate_ = 1 / n_scores if n_scores else np.nan
        self.relatives_ = _find_relatives(nulls[0], self.offset_)
        if by_rate:
            n_sources = len(self.classes_) if warns else FEW_SOURCES
            _warn_of_guesses(n_sources, self.detection_rate_)

    def _has_false_alarm_rate(self):
        """Whether the false-alarm rate sets the threshold, if it can be learned."""
        if self._is_auto("false_alarm_rate"):
            return self._is_auto("miss_rate")
        return self.false_alarm_rate is not None


def _level(values, tails):
    """Return a record of scores with these as ``-log p``."""
    return replace(values, scores=to_log_tail(values.scores, tails))


def _find_relatives(null, offset):
    """Compute the share of each held-out source that is accepted as each other one."""
    n_sources = null.scores.shape[1]
    names = np.where(null.best >= offset, null.scores.argmax(axis=1), n_sources)
    counts = np.zeros((n_sources, n_sources + 1))
    own = null.kinds < 0
    np.add.at(counts, (null.sources[own], names[own]), null.weights[own])
    with np.errstate(invalid="ignore"):
        return counts[:, :-1] / counts.sum(axis=1, keepdims=True)


def _check_imitations(imitations, y):
    """Return the kind and the generator of each row, both -1 for images."""
    if imitations is None:
        imitations = np.full(len(y), -1)
    imitations = np.asarray(imitations)
    check_consistent_length(y, imitations)
    is_pair = imitations.ndim == 2 and imitations.shape[1] == 2
    if imitations.dtype.kind not in "iu" or not (imitations.ndim == 1 or is_pair):
        raise ValueError(
            "imitations must hold the kind of each row, an int >= 0, or -1 for an "
            "image, and may hold the number of its generator in a second column."
        )
    kinds, makers = imitations.T if is_pair else (imitations, imitations)
    if not (kinds < 0).any():
        raise ValueError("imitations must be -1 for images of the sources.")
    if len(np.unique(kinds[kinds >= 0])) == 1:
        raise ValueError(
            "imitations must be of two kinds or more, since each is held out in turn."
        )
    return np.maximum(kinds, -1), np.where(kinds >= 0, makers, -1)


def _check_conditions(conditions, y):
    """Return the conditions, and the number of the condition of each row."""
    if conditions is None:
        conditions = np.zeros(len(y), dtype=int)
    check_labels(conditions, "conditions")
    conditions = column_or_1d(conditions)
    check_consistent_length(y, conditions)
    return np.unique(conditions, return_inverse=True)


def _warn_of_guesses(n_sources, detection_rate):
    """Warn if the rate is learned from few sources, or few images are accepted."""
    if n_sources < FEW_SOURCES:
        warnings.warn(
            f"the false-alarm rate is learned from {n_sources} sources, each of which "
            "was held out as an unknown one: of other unknown sources many times as "
            "many images may be accepted. Fit more sources, of several kinds.",
            stacklevel=6,
        )
    if detection_rate < LOW_DETECTION_RATE:
        warnings.warn(
            f"detection_rate_ is {detection_rate:.2f}: few images of known sources "
            'reach the threshold, and nearly all will be called "unknown". More images '
            "of each source, more sources, or a higher false_alarm_rate, raise it.",
            stacklevel=6,
        )

"""Thresholds and tail probabilities from null scores.

Null scores are scores of images that are known *not* to come from the source in
question, such as correlations of residuals with the fingerprints of other sources. Up
to the upper tenth of the scores their empirical distribution is used; beyond it their
tail is modeled as exponential.
"""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.optimize import brentq
from sklearn.utils import check_consistent_length, column_or_1d

from skfingerprint._core import shorten

# Share of the null scores that the exponential tail is fitted to.
TAIL = 0.1
# Groups share one tail if one of them has fewer null scores, with less than two of them
# in the tail.
FEWEST = 20


@dataclass(frozen=True)
class _Tails:
    """Null scores of each group, and the exponential tail that the groups share.

    Attributes
    ----------
    parts : list of tuple
        Sorted scores (n_scores,) of each group, cumulative sums of their weights
        (n_scores,), and the score at which the tail starts.
    excess : float
        Mean excess of the scores in a tail over the start of the tail, in the unit of
        the scores; 0 if no score exceeds it.
    count : float
        Number of scores from which the tail is known, or infinity.
    """

    parts: list
    excess: float
    count: float


def tail_threshold(
    null_scores, rate, *, sample_weight=None, groups=None, n_scores=None
):
    """Compute the threshold that a share `rate` of the null scores exceeds.

    Parameters
    ----------
    null_scores : array-like of shape (n_scores,)
        Null scores, finite, in any order and unit.
    rate : float
        Stated false-alarm rate, in (0, 1). A rate below one over the number of null
        scores is extrapolated.
    sample_weight : array-like of shape (n_scores,), default=None
        Weights >= 0. A score of weight 2 counts twice, and a score of weight 0 not at
        all.
    groups : array-like of shape (n_scores,), default=None
        Group of each null score, such as its source: the rate is then the mean of the
        rates of the groups. A common tail of all groups would be that of the worst
        group alone, and would extend to values that none of the groups reaches.
    n_scores : float, default=None
        Number of scores from which the tail is estimated. An estimate from few scores
        is uncertain, so the threshold that the next score exceeds at the stated rate is
        higher. By default the tail counts as known.

    Returns
    -------
    threshold : float
        Threshold in the unit of the scores.

    Raises
    ------
    ValueError
        If there is no score of any weight, one is not finite, or `rate` is outside
        (0, 1).

    See Also
    --------
    tail_probability : The inverse: the share of null scores that reach a score.

    Notes
    -----
    With the 0.9 quantile q of the null scores and the mean excess e of the scores above
    q, the threshold is ``q + e log(0.1 / rate)`` for rates below 0.1, which is the
    exponential tail by the method of moments [1]_. For higher rates it is the quantile
    of the null scores.

    With m = ``0.1 n_scores`` the logarithm is replaced by
    ``m ((0.1 / rate)^(1/m) - 1)``: for an exponential tail whose mean excess is
    estimated from m scores, the next score has a Pareto distribution [2]_.

    If all groups have at least 20 scores, each group has its own q, and e is the mean
    excess of the scores of all groups above the q of their group. Otherwise all scores
    form one group. With weights w the number of scores of a group is the effective
    number ``(sum w)^2 / sum w^2``, so that only ratios of weights matter.

    References
    ----------
    .. [1] J. Pickands, "Statistical Inference Using Extreme Order Statistics", Annals
       of Statistics, 1975. :doi:`10.1214/aos/1176343003`
    .. [2] J. Aitchison, I. R. Dunsmore, "Statistical Prediction Analysis", Cambridge
       University Press, 1975.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.thresholds import tail_threshold
    >>> null = np.random.default_rng(0).exponential(size=10_000)
    >>> [round(tail_threshold(null, rate), 1) for rate in (0.5, 0.01, 1e-5)]
    [0.7, 4.6, 11.5]
    """
    if not isinstance(rate, Real) or not 0 < rate < 1:
        raise ValueError(f"rate must lie in (0, 1), got {shorten(rate)}.")
    tails = _fit_tails(null_scores, sample_weight, groups, n_scores)
    scores, sums, start = tails.parts[0]
    if len(tails.parts) == 1 and rate >= TAIL:
        return float(_quantile(scores, sums, 1 - rate))
    if len(tails.parts) == 1 or tails.excess == 0:
        start = max(start for *_, start in tails.parts)
        return float(start + _invert_tail(tails, max(TAIL / rate, 1)))
    low = min(scores[0] for scores, *_ in tails.parts)
    # Here each tail has fallen below the rate: from TAIL < 1, by a ratio of 1 / rate.
    high = max(start for *_, start in tails.parts) + _invert_tail(tails, 1 / rate)
    return brentq(lambda score: _mean_share(tails, score) - rate, low, high)


def tail_probability(
    null_scores, scores, *, sample_weight=None, groups=None, n_scores=None
):
    """Estimate the share of null scores that reach each score.

    Parameters
    ----------
    null_scores : array-like of shape (n_scores,)
        Null scores, finite, in any order and unit.
    scores : array-like of any shape
        Scores to test, in the same unit.
    sample_weight : array-like of shape (n_scores,), default=None
        Weights of the null scores, as in :func:`tail_threshold`.
    groups : array-like of shape (n_scores,), default=None
        Group of each null score, as in :func:`tail_threshold`.
    n_scores : float, default=None
        Number of scores from which the tail is estimated, as in
        :func:`tail_threshold`.

    Returns
    -------
    probabilities : ndarray of the shape of `scores`
        Probabilities in [0, 1], which fall with the score. Probabilities below one over
        the number of null scores are extrapolated. They are not posteriors: the
        probability that a scored image comes from another source depends also on the
        number of such images.

    Raises
    ------
    ValueError
        If there is no null score of any weight, or one is not finite.

    Notes
    -----
    The probability is the share of null scores that are as high up to their 0.9
    quantile q, and ``0.1 exp(-(score - q) / e)`` beyond it, with the mean excess e of
    :func:`tail_threshold`. With groups it is the mean over the groups. If the upper
    tenth of n null scores is a single value, a tail cannot be estimated, and higher
    scores have the probability 1 / (n + 1).

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.thresholds import tail_probability, tail_threshold
    >>> null = np.random.default_rng(0).exponential(size=10_000)
    >>> tail_probability(null, [0.7, tail_threshold(null, 0.001)]).round(3)
    array([0.491, 0.001])
    """
    tails = _fit_tails(null_scores, sample_weight, groups, n_scores)
    return _mean_share(tails, np.asarray(scores, dtype=float))


def _fit_tails(null_scores, sample_weight=None, groups=None, n_scores=None):
    """Sort the scores of each group, and estimate the tail that the groups share.

    Parameters
    ----------
    null_scores : array-like of shape (n_scores,)
        Null scores.
    sample_weight, groups : array-like of shape (n_scores,) or None
        Weight and group of each null score.
    n_scores : float or None
        Number of scores from which the tail is estimated; None for a known tail.

    Returns
    -------
    tails : _Tails
    """
    scores, weights = _check_null(null_scores, sample_weight)
    members = np.zeros(len(scores), dtype=int)
    if groups is not None:
        check_consistent_length(scores, groups)
        members = np.unique(column_or_1d(groups), return_inverse=True)[1]
        counts = _count_effective(weights, members)
        if counts[counts > 0].min() < FEWEST:
            members[:] = 0
    parts, total, weight = [], 0.0, 0.0
    for group in np.unique(members[weights > 0]):
        own = members == group
        part, sums = _sort(scores[own], weights[own])
        start = _quantile(part, sums, 1 - TAIL)
        # Scores that differ by rounding alone count as equal.
        inside = part - start > 1e-9 * (part[-1] - part[0])
        beyond = np.diff(sums, prepend=0) * inside
        total, weight = total + beyond @ (part - start), weight + beyond.sum()
        parts.append((part, sums, start))
    count = np.inf if n_scores is None else TAIL * n_scores
    return _Tails(parts, total / weight if weight else 0.0, count)


def _invert_tail(tails, ratio):
    """Compute the height above its start at which the tail has fallen by a ratio."""
    if np.isinf(tails.count):
        return tails.excess * np.log(ratio)
    # The inverse of `_fall`: m ((ratio)^(1/m) - 1) excesses. The bound keeps the height
    # finite if m is close to 0.
    steps = min(np.log(ratio) / tails.count, 100)
    return tails.excess * tails.count * np.expm1(steps)


def _fall(tails, beyond):
    """Compute the ratio by which the tail has fallen at a height above its start."""
    beyond = beyond / tails.excess
    if np.isinf(tails.count):
        return np.exp(-beyond)
    # Pareto: (1 + x / m)^-m, which tends to exp(-x) for many scores m.
    return np.exp(-tails.count * np.log1p(beyond / tails.count))


def _mean_share(tails, scores):
    """Estimate the share of null scores that reach each score, averaged over groups."""
    shares = 0.0
    for part, sums, start in tails.parts:
        below = np.append(0, sums)[np.searchsorted(part, scores)] / sums[-1]
        beyond = np.maximum(scores - start, 0)
        # Without a tail: the next of n + 1 scores is the highest with this probability.
        tail = 1 / (len(part) + 1)
        if tails.excess:
            tail = TAIL * _fall(tails, beyond)
        shares = shares + np.where(scores > start, tail, 1 - below)
    return shares / len(tails.parts)


def _check_null(null_scores, sample_weight):
    """Validate null scores and their weights, and return them as arrays.

    Parameters
    ----------
    null_scores : array-like of shape (n_scores,)
        Null scores.
    sample_weight : array-like of shape (n_scores,) or None
        Weights; None for equal ones.

    Returns
    -------
    scores, weights : ndarray of shape (n_scores,)
    """
    scores = np.asarray(null_scores, dtype=float)
    weights = np.ones(scores.shape) if sample_weight is None else sample_weight
    weights = np.asarray(weights, dtype=float)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError("null_scores must be finite numbers of shape (n_scores,).")
    if weights.shape != scores.shape or not (weights >= 0).all():
        raise ValueError("sample_weight must hold a number >= 0 for each null score.")
    if not 0 < weights.sum() < np.inf:
        raise ValueError("null_scores must hold a score of some finite weight.")
    return scores, weights


def _sort(scores, weights):
    """Sort the scores with a weight > 0, and sum up their weights.

    Parameters
    ----------
    scores, weights : ndarray of shape (n_scores,)
        Scores and their weights.

    Returns
    -------
    scores : ndarray of shape (n_weighted,)
        Sorted scores.
    sums : ndarray of shape (n_weighted,)
        Cumulative sums of their weights.
    """
    order = np.argsort(scores, kind="stable")
    order = order[weights[order] > 0]
    return scores[order], np.cumsum(weights[order])


def _weighted_quantile(values, share, sample_weight):
    """Return the smallest value that a share of the weight does not exceed."""
    return _quantile(*_sort(*_check_null(values, sample_weight)), share)


def _count_effective(weights, members=None):
    """Return the effective number of rows of each group, whatever the unit of weights.

    It is ``(sum w)^2 / sum w^2`` (Kish), the number of rows if their weights are equal,
    and 0 without a weight.

    Parameters
    ----------
    weights : ndarray of shape (n_rows,)
        Weights >= 0.
    members : ndarray of shape (n_rows,), int, default=None
        Group of each row; by default all rows are one group.

    Returns
    -------
    counts : ndarray of shape (n_groups,)
    """
    members = np.zeros(len(weights), dtype=int) if members is None else members
    # Squares of weights at most 1 stay finite, and those that underflow count nothing.
    weights = weights / max(weights.max(initial=0), np.finfo(float).tiny)
    sums = np.bincount(members, weights)
    squares = np.bincount(members, np.square(weights))
    return np.divide(
        np.square(sums), squares, out=np.zeros_like(sums), where=squares > 0
    )


def _quantile(scores, sums, share):
    """Return the smallest score that a share of the weight does not exceed."""
    # The factor keeps a share of exactly k weights, once rounded, at the k-th score.
    at = np.searchsorted(sums, share * sums[-1] * (1 - 1e-12))
    return scores[min(at, len(scores) - 1)]

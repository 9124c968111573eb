"""Thresholds and tail probabilities from null scores: what others reach.

Null scores are those of what is known *not* to be looked for, such as residuals against
the fingerprints of sources that did not make them. Up to their upper tenth the scores
speak for themselves; beyond it their tail is taken as exponential.
"""

from numbers import Real

import numpy as np
from scipy.optimize import brentq
from sklearn.utils import Bunch, check_consistent_length, column_or_1d

# Share of the null scores that the exponential tail is fitted to.
TAIL = 0.1
# Null scores of a group from which on it has a tail of its own.
FEWEST = 20


def tail_threshold(
    null_scores, rate, *, sample_weight=None, groups=None, n_scores=None
):
    """Return the score that a share `rate` of others exceeds.

    Parameters
    ----------
    null_scores : array-like of shape (n_scores,)
        Scores of others, finite, in any order and unit.
    rate : float
        In (0, 1): the stated false-alarm rate. Below one over the number of null
        scores it is extrapolated.
    sample_weight : array-like of shape (n_scores,), default=None
        Weights >= 0. A weight of 2 counts as the same score twice, 0 as none.
    groups : array-like of shape (n_scores,), default=None
        Which of the others each score is of, such as its source: the rate is then the
        mean of the groups' rates. One tail for all would be that of the worst group
        alone, and run on where none of them has scores.
    n_scores : float, default=None
        From how many scores the tail is known. Of few it is known badly, and the
        threshold that the next score exceeds at the rate is higher. By default the tail
        is taken as it is.

    Returns
    -------
    threshold : float
        In the unit of the scores.

    Raises
    ------
    ValueError
        If there is no score of any weight, one is not finite, or `rate` is outside
        (0, 1).

    See Also
    --------
    tail_probability : The inverse: how many of the others reach a score.

    Notes
    -----
    With the 0.9 quantile q of the null scores and the mean excess e of those above q,
    the threshold is ``q + e log(0.1 / rate)`` for rates below 0.1, which is the
    exponential tail by the method of moments [1]_, and their quantile otherwise.

    With m = ``0.1 n_scores`` the logarithm is replaced by
    ``m ((0.1 / rate)^(1/m) - 1)``: whatever e may be, the next score of an exponential
    tail has that of a Pareto distribution [2]_.

    With groups of at least 20 scores each has its own q, and e is the mean excess of
    all groups' scores above it. Smaller groups are taken as one.

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
        raise ValueError(f"rate must lie in (0, 1), got {rate!r}.")
    tails = _fit_tails(null_scores, sample_weight, groups, n_scores)
    scores, sums, start = tails.parts[0]
    if len(tails.parts) == 1 and rate >= TAIL:
        return float(_quantile(scores, sums, 1 - rate))
    if len(tails.parts) == 1 or tails.excess == 0:
        start = max(start for *_, start in tails.parts)
        return float(start + _invert_tail(tails, max(TAIL / rate, 1)))
    low = min(scores[0] for scores, *_ in tails.parts)
    # Further up no group reaches a score as often.
    high = max(start for *_, start in tails.parts) + _invert_tail(tails, 1 / rate)
    return brentq(lambda score: _mean_share(tails, score) - rate, low, high)


def tail_probability(
    null_scores, scores, *, sample_weight=None, groups=None, n_scores=None
):
    """Return the share of others that reach each score.

    Parameters
    ----------
    null_scores : array-like of shape (n_scores,)
        Scores of others, finite, in any order and unit.
    scores : array-like of any shape
        The scores in question, in the same unit.
    sample_weight : array-like of shape (n_scores,), default=None
        Weights of the null scores, as in :func:`tail_threshold`.
    groups : array-like of shape (n_scores,), default=None
        Which of the others each null score is of, as in :func:`tail_threshold`.
    n_scores : float, default=None
        From how many scores the tail is known, as in :func:`tail_threshold`.

    Returns
    -------
    probabilities : ndarray of the shape of `scores`
        In [0, 1], the smaller the higher the score; below one over the number of null
        scores they are extrapolated. This is no posterior: how probable it is that the
        score is one of the others' depends on how many others there are.

    Raises
    ------
    ValueError
        If there is no null score of any weight, or one is not finite.

    Notes
    -----
    Beyond the 0.9 quantile q, ``0.1 exp(-(score - q) / e)`` with the mean excess e, see
    :func:`tail_threshold`; up to it the share of null scores that are as high. With
    groups it is the mean over them. Where the upper tenth is a single value nothing is
    known of a tail, and higher scores have the probability 1 / (n + 1) of n null
    scores.

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


def _fit_tails(null_scores, sample_weight, groups, n_scores):
    """Sort the scores of each group; return them, where tails start, and their scale.

    The scale is the mean excess of all scores that lie in the tail of their group.
    """
    scores, weights = _check_null(null_scores, sample_weight)
    members = np.zeros(len(scores), dtype=int)
    if groups is not None:
        check_consistent_length(scores, groups)
        members = np.unique(column_or_1d(groups), return_inverse=True)[1]
        counts = np.bincount(members, weights)
        if counts[counts > 0].min() < FEWEST:
            members[:] = 0
    parts, total, weight = [], 0.0, 0.0
    for group in np.unique(members[weights > 0]):
        own = members == group
        part, sums = _sort(scores[own], weights[own])
        start = _quantile(part, sums, 1 - TAIL)
        # What differs by rounding is one score.
        inside = part - start > 1e-9 * (part[-1] - part[0])
        beyond = np.diff(sums, prepend=0) * inside
        total, weight = total + beyond @ (part - start), weight + beyond.sum()
        parts.append((part, sums, start))
    count = np.inf if n_scores is None else TAIL * n_scores
    return Bunch(parts=parts, excess=total / weight if weight else 0.0, count=count)


def _invert_tail(tails, ratio):
    """Return how far above its start the tail has fallen by a ratio."""
    if np.isinf(tails.count):
        return tails.excess * np.log(ratio)
    # Of next to no score: far, but finite.
    steps = min(np.log(ratio) / tails.count, 100)
    return tails.excess * tails.count * np.expm1(steps)


def _fall(tails, beyond):
    """Return the ratio by which the tail has fallen so far above its start."""
    beyond = beyond / tails.excess
    if np.isinf(tails.count):
        return np.exp(-beyond)
    return np.exp(-tails.count * np.log1p(beyond / tails.count))


def _mean_share(tails, scores):
    """Return the share of the null scores that reach each score, mean of the groups."""
    shares = 0.0
    for part, sums, start in tails.parts:
        below = np.append(0, sums)[np.searchsorted(part, scores)] / sums[-1]
        beyond = np.maximum(scores - start, 0)
        tail = 1 / (len(part) + 1)
        if tails.excess:
            tail = TAIL * _fall(tails, beyond)
        shares = shares + np.where(scores > start, tail, 1 - below)
    return shares / len(tails.parts)


def _check_null(null_scores, sample_weight):
    """Return scores and their weights as arrays."""
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
    """Return the sorted scores that have a weight, and the weights' sums so far."""
    order = np.argsort(scores, kind="stable")
    order = order[weights[order] > 0]
    return scores[order], np.cumsum(weights[order])


def _weighted_quantile(values, share, sample_weight):
    """Return the smallest value that a share of the weight does not exceed."""
    return _quantile(*_sort(*_check_null(values, sample_weight)), share)


def _quantile(scores, sums, share):
    """Return the smallest score that a share of the weight does not exceed."""
    # Rounding must not push a share of exactly k weights to the next score.
    at = np.searchsorted(sums, share * sums[-1] * (1 - 1e-12))
    return scores[min(at, len(scores) - 1)]

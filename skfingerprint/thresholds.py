"""Thresholds and tail probabilities from null scores: what others reach.

Null scores are those of what is known *not* to be looked for, such as residuals against
the fingerprints of sources that did not make them. Up to their upper tenth the scores
speak for themselves; beyond it their tail is taken as exponential.
"""

from numbers import Real

import numpy as np

# Share of the null scores that the exponential tail is fitted to.
TAIL = 0.1


def tail_threshold(null_scores, rate, *, sample_weight=None):
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

    References
    ----------
    .. [1] J. Pickands, "Statistical Inference Using Extreme Order Statistics", Annals
       of Statistics, 1975. :doi:`10.1214/aos/1176343003`

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
    scores, sums = _sort_null(null_scores, sample_weight)
    if rate >= TAIL:
        return float(_quantile(scores, sums, 1 - rate))
    start, excess = _fit_tail(scores, sums)
    return float(start + excess * np.log(TAIL / rate))


def tail_probability(null_scores, scores, *, sample_weight=None):
    """Return the share of others that reach each score.

    Parameters
    ----------
    null_scores : array-like of shape (n_scores,)
        Scores of others, finite, in any order and unit.
    scores : array-like of any shape
        The scores in question, in the same unit.
    sample_weight : array-like of shape (n_scores,), default=None
        Weights of the null scores, as in :func:`tail_threshold`.

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
    :func:`tail_threshold`; up to it the share of null scores that are as high. Where
    the upper tenth is a single value nothing is known of a tail, and higher scores have
    the probability 1 / (n + 1) of n null scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.thresholds import tail_probability, tail_threshold
    >>> null = np.random.default_rng(0).exponential(size=10_000)
    >>> tail_probability(null, [0.7, tail_threshold(null, 0.001)]).round(3)
    array([0.491, 0.001])
    """
    null, sums = _sort_null(null_scores, sample_weight)
    scores = np.asarray(scores, dtype=float)
    start, excess = _fit_tail(null, sums)
    below = np.append(0, sums)[np.searchsorted(null, scores)] / sums[-1]
    beyond = np.maximum(scores - start, 0)
    tail = TAIL * np.exp(-beyond / excess) if excess else 1 / (len(null) + 1)
    return np.where(scores > start, tail, 1 - below)


def _sort_null(null_scores, sample_weight):
    """Return the sorted scores that have a weight, and the weights' sums so far."""
    scores = np.asarray(null_scores, dtype=float)
    weights = np.ones(scores.shape) if sample_weight is None else sample_weight
    weights = np.asarray(weights, dtype=float)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError("null_scores must be finite numbers of shape (n_scores,).")
    if weights.shape != scores.shape or not (weights >= 0).all():
        raise ValueError("sample_weight must hold a number >= 0 for each null score.")
    if not 0 < weights.sum() < np.inf:
        raise ValueError("null_scores must hold a score of some finite weight.")
    order = np.argsort(scores, kind="stable")
    order = order[weights[order] > 0]
    return scores[order], np.cumsum(weights[order])


def _fit_tail(scores, sums):
    """Return where the tail starts, and the mean excess of the scores in it."""
    start = _quantile(scores, sums, 1 - TAIL)
    inside = scores > start
    if not inside.any():
        return start, 0.0
    weights = np.diff(sums, prepend=0)[inside]
    return start, np.average(scores[inside] - start, weights=weights)


def _weighted_quantile(values, share, sample_weight):
    """Return the smallest value that a share of the weight does not exceed."""
    return _quantile(*_sort_null(values, sample_weight), share)


def _quantile(scores, sums, share):
    """Return the smallest score that a share of the weight does not exceed."""
    # Rounding must not push a share of exactly k weights to the next score.
    at = np.searchsorted(sums, share * sums[-1] * (1 - 1e-12))
    return scores[min(at, len(scores) - 1)]

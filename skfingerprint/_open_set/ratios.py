"""Likelihood ratios from scores, calibrated on scores of rows that were held out.

A logistic regression of the score gives log odds, which are the logarithm of the
likelihood ratio if both hypotheses weigh the same. A ratio is bounded by the number of
scores that it was learned from, since rarer events were not seen.
"""

import numpy as np
from sklearn.utils import Bunch

from skfingerprint.thresholds import _count_effective

# Inverse penalty of the logistic regression of standardized scores. It only keeps the
# slope finite: the number of scores is what limits the ratios.
PENALTY = 1e6


def fit_ratios(same, others, n_other):
    """Calibrate likelihood ratios by scores under both hypotheses.

    Parameters
    ----------
    same : tuple of ndarray of shape (n_rows,)
        Scores of images for the source that made them, and their weights.
    others : list of tuple of ndarray of shape (n_rows, n_scores)
        For each kind of other images, their scores for sources that did not make them,
        and the weights of the rows, of shape (n_rows,). Scores that are not finite do
        not count. Each kind has the same weight.
    n_other : float
        Number of other images. One image may be of several kinds.

    Returns
    -------
    ratios : Bunch
        `slope` and `intercept` of the log10 ratio, and its bounds `lower` and `upper`.

    Notes
    -----
    With n_1 images of the source in question, counted by their weights, and n_0 others
    the ratio lies in ``[1 / (n_1 + 1), n_0 + 1]``. These are the widest
    bounds that the data support: one image more that misleads is always possible, and
    beyond them it would cost more than all others gain [1]_.

    References
    ----------
    .. [1] P. Vergeer, A. van Es, A. de Jongh, I. Alberink, R. Stoel, "Numerical
       likelihood ratios outputted by LR systems are often based on extrapolation: when
       to stop extrapolating?", Science & Justice, 2016.
       :doi:`10.1016/j.scijus.2016.06.003`
    """
    parts = [(same[0], same[1] / same[1].sum())]
    for scores, weights in others:
        used = np.isfinite(scores)
        weights = np.broadcast_to(weights[:, np.newaxis], scores.shape)[used]
        parts.append((scores[used], weights / weights.sum() / len(others)))
    scores = np.concatenate([part for part, _ in parts])
    weights = np.concatenate([part for _, part in parts])
    is_same = np.arange(len(scores)) < len(same[0])
    slope, intercept = _fit_logistic(scores, is_same, weights)
    lower = -np.log10(_count_effective(same[1])[0] + 1)
    upper = np.log10(n_other + 1)
    values = slope, intercept, lower, upper
    names = "slope", "intercept", "lower", "upper"
    return Bunch(**dict(zip(names, map(float, values), strict=True)))


def _fit_logistic(scores, is_same, weights):
    """Fit slope and intercept of the log10 odds, which do not fall with the score.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        Scores.
    is_same : ndarray of shape (n_scores,), bool
        Whether the source in question made the image.
    weights : ndarray of shape (n_scores,)
        Weights, of which each hypothesis has the same sum.

    Returns
    -------
    slope, intercept : float
    """
    from sklearn.linear_model import LogisticRegression

    middle, spread = scores.mean(), scores.std() or 1.0
    model = LogisticRegression(C=PENALTY, tol=1e-8, max_iter=1000)
    columns = ((scores - middle) / spread)[:, np.newaxis]
    # The mean weight is 1, so that the penalty does not depend on the number of scores.
    model.fit(columns, is_same, sample_weight=weights / weights.mean())
    slope = model.coef_[0, 0] / spread / np.log(10)
    if slope <= 0:
        # Such scores say nothing.
        return 0.0, 0.0
    return slope, model.intercept_[0] / np.log(10) - slope * middle


def to_log_ratios(scores, ratios):
    """Return the log10 likelihood ratio of each score, within the bounds.

    With slopes and intercepts of several alternatives it is the least of their ratios.
    """
    slopes, intercepts = np.atleast_1d(ratios.slope, ratios.intercept)
    logs = np.multiply.outer(np.asarray(scores, dtype=float), slopes) + intercepts
    return np.clip(logs.min(axis=-1), ratios.lower, ratios.upper)


def fit_source_ratios(known, null):
    """Calibrate likelihood ratios of one condition, shared by all sources.

    There are two alternatives: another known source, and an unknown one, for which
    imitations and images of held-out sources stand, both with the same weight. A mean
    over the alternatives would be as easy as the easier one allows, so each has a
    calibration of its own, and the least ratio counts. Each source has the same weight.

    Parameters
    ----------
    known : HeldOut
        Scores of rows of known sources while their fold was held out.
    null : HeldOut
        Scores of rows while their source or their kind of imitation was held out.

    Returns
    -------
    ratios : Bunch or None
        For :func:`to_log_ratios`, with slopes and intercepts of shape
        (n_alternatives,); None without null scores.
    """
    if not len(null.scores) or not len(known.scores):
        return None
    places = np.arange(len(known.scores)), known.sources
    weights = balance(known.weights, known.sources)
    # Images of known sources are those that are held out, too, and count once.
    alternatives, unknown, counted, imitated = [], [], [], null.kinds >= 0
    if known.scores.shape[1] > 1:
        scores = known.scores.copy()
        scores[places] = -np.inf
        alternatives.append([(scores, weights)])
        counted.append(weights / weights.sum())
    if imitated.any():
        unknown.append((null.scores[imitated], null.weights[imitated]))
        counted.append(null.weights[imitated] / null.weights[imitated].sum())
    if not imitated.all():
        left_out = null.sources[~imitated]
        own = balance(null.weights[~imitated], left_out)
        unknown.append((null.scores[~imitated], own))
        counted[0] *= 2
    n_other = _count_effective(np.concatenate(counted))[0]
    same = known.scores[places], weights
    fits = [fit_ratios(same, part, n_other) for part in [*alternatives, unknown]]
    lines = {k: np.array([part[k] for part in fits]) for k in ("slope", "intercept")}
    return Bunch(**{**fits[0], **lines})


def balance(weights, members):
    """Return the weights with the same sum for each source."""
    return weights / np.bincount(members, weights)[members]

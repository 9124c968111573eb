"""The choice of a shrinkage, and of temperatures, by held-out scores."""

import numpy as np
from scipy.special import log_softmax

from skfingerprint._attribution.lda import (
    find_scatters,
    score_discriminants,
    solve,
    solve_scatter,
)
from skfingerprint.calibration import fit_temperature
from skfingerprint.thresholds import _count_effective

# A condition with fewer kept rows shares the temperature of all conditions.
FEWEST_KEPT = 50


def choose_shrinkage(moments, members, folds, weights, shares, candidates):
    """Choose the shrinkage with the least held-out log loss of all rows.

    It is chosen by the discriminants of all conditions, and the temperatures are fitted
    to the scores of the kinds, so that these are solved for a single shrinkage.

    Parameters
    ----------
    moments : Moments
        Moments of all rows, and the kept rows.
    members, folds : ndarray of shape (n_kept,), int
        Source and fold of each kept row.
    weights : ndarray of shape (n_kept,)
        Weights of the kept rows.
    shares : ndarray of shape (n_kept,)
        Weight of the rows that each kept row stands for.
    candidates : sequence of float
        The shrinkages to choose from.

    Returns
    -------
    shrinkage : float
    inverse : ndarray of shape (n_conditions,)
        Inverse temperature of each condition.
    """
    candidates, best = sorted(set(candidates)), (np.inf, None)
    n_conditions = moments.cells.conditions.max() + 1
    # The loss falls and rises once: after the first two shrinkages, which share their
    # scatters, the next one is tried only while the last one was the best.
    batches = [candidates[:2], *([one] for one in candidates[2:])]
    for number, batch in enumerate(batches):
        if number and best[1] != candidates[number]:
            break
        for shrinkage, scores, conditions in _score_kept(moments, folds, batch):
            known = members, weights, conditions, n_conditions
            inverse = _fit_temperatures(scores, *known)
            tempered = inverse[conditions][:, np.newaxis] * scores
            likelihoods = log_softmax(tempered, axis=1)
            # A kept row stands for all rows of its condition, of which others were
            # drawn.
            loss = -(weights * shares) @ likelihoods[np.arange(len(members)), members]
            if loss < best[0]:
                best = (loss, shrinkage, scores, conditions)
    _, shrinkage, scores, conditions = best
    _score_kinds_kept(moments, folds, shrinkage, scores, conditions)
    return shrinkage, _fit_temperatures(
        scores, members, weights, conditions, n_conditions
    )


def _score_kept(moments, folds, shrinkages):
    """Score the kept rows of each fold by the discriminants of the other folds.

    Parameters
    ----------
    moments : Moments
        Moments of all rows, and the kept rows.
    folds : ndarray of shape (n_kept,), int
        Fold of each kept row.
    shrinkages : sequence of float
        Shrinkages, which share the scatter of a fold.

    Returns
    -------
    scored : list of tuple
        Each shrinkage, the scores (n_kept, n_sources) and the predicted conditions
        (n_kept,).
    """
    n_kept, n_sources = len(folds), moments.cells.owners.max() + 1
    scored = [
        (shrinkage, np.empty((n_kept, n_sources)), np.empty(n_kept, dtype=int))
        for shrinkage in shrinkages
    ]
    for fold in np.unique(folds):
        own = folds == fold
        # All shrinkages share the scatters, which are sums over many rows.
        scatters = find_scatters(moments, fold)
        for shrinkage, scores, conditions in scored:
            solved = [solve_scatter(scatter, shrinkage) for scatter in scatters]
            found = score_discriminants(moments.kept[own], solved)
            scores[own], conditions[own] = found
    return scored


def _score_kinds_kept(moments, folds, shrinkage, scores, conditions):
    """Replace scores of the kept rows by those of the kinds of their conditions.

    Parameters
    ----------
    moments : Moments
        Moments of all rows, and the kept rows.
    folds : ndarray of shape (n_kept,), int
        Fold of each kept row.
    shrinkage : float
        Weight of the identity in the covariance.
    scores : ndarray of shape (n_kept, n_sources)
        Held-out scores, changed in place.
    conditions : ndarray of shape (n_kept,), int
        Condition that each row was assigned to.
    """
    for fold in np.unique(folds):
        for kind, kinds in enumerate(moments.parts[1:]):
            own = (folds == fold) & (moments.kinds[conditions] == kind)
            solved = solve(moments, shrinkage, fold, kinds)
            scores[own] = score_discriminants(moments.kept[own], solved)[0]


def _fit_temperatures(scores, members, weights, conditions, n_conditions):
    """Fit the inverse temperature of each condition, or of all if it has few rows.

    Parameters
    ----------
    scores : ndarray of shape (n_kept, n_sources)
        Held-out scores.
    members, conditions : ndarray of shape (n_kept,), int
        True source of each row, and the condition that it was assigned to.
    weights : ndarray of shape (n_kept,)
        Weights of the rows.
    n_conditions : int
        Number of conditions.

    Returns
    -------
    inverse : ndarray of shape (n_conditions,)
    """
    together = fit_temperature(scores, members, sample_weight=weights)
    inverse = np.full(n_conditions, together)
    for condition in np.unique(conditions):
        own = conditions == condition
        if _count_effective(weights[own])[0] >= FEWEST_KEPT:
            given = {"sample_weight": weights[own]}
            inverse[condition] = fit_temperature(scores[own], members[own], **given)
    return inverse

"""Conditions that can be distinguished, each with distances and a null of its own.

A condition is unprocessed, or one perturbation. A linear discriminant of conditions
assigns each row to one of them, whose distances and null scores then judge the row.
"""

from dataclasses import replace

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._attribution import (
    find_cells,
    read_moments,
    restore,
    score_discriminants,
    solve,
)
from skfingerprint._core import as_rows
from skfingerprint._open_set.mahalanobis import fit_mahalanobis, score_mahalanobis
from skfingerprint._open_set.ratios import to_log_ratios
from skfingerprint._open_set.simplex import FEWEST_SOURCES, fit_simplex, score_simplex
from skfingerprint._open_set.training import MAX_IMITATIONS
from skfingerprint.thresholds import _count_effective, _fit_tails, _mean_share

# A condition has a detector of its own if fewer than this share of the unprocessed
# images are assigned to it, since these are what a user states the rate for, and if at
# least this share of its own images is. Both were set by hand, not searched.
MOST_ASSIGNED = 0.05
FEWEST_RECOGNIZED = 1 / 3
# Shrinkage of the discriminant of conditions: the least of the candidates that the
# discriminant of sources chooses from, as conditions have many rows each.
SHRINKAGE = 0.02
# Held-out rows by which the conditions are chosen, at most.
MAX_KEPT = 2048
# Share of perturbed images that may be taken for unprocessed, where there are
# imitations: unknown sources look perturbed to those who know a few sources, and the
# distances of unprocessed images are the sharpest.
MOST_UNPROCESSED = 0.02


def fit_distances(data, n_sources, alpha):
    """Fit the distances of rows of one condition to their sources.

    They are distances to the vertices of a simplex from three classes on, and otherwise
    Mahalanobis distances to one or two means.

    Parameters
    ----------
    data : TrainingRows
        Rows of one condition.
    n_sources : int
        Number of sources.
    alpha : float
        Penalty of the ridge regression behind the simplex.

    Returns
    -------
    space : Bunch
        For :func:`score_distances`.
    null, known : HeldOut
        Scores of rows while their source or kind of imitation is held out, and while
        their fold is.
    """
    is_alone = data.members.max() < n_sources and data.kinds.max() < 0
    if n_sources < FEWEST_SOURCES and is_alone:
        return fit_mahalanobis(data, n_sources)
    return fit_simplex(data, n_sources, alpha)


def score_distances(rows, space):
    """Score rows for each source by their distance, (n_rows, n_sources)."""
    score = score_mahalanobis if "inverse" in space else score_simplex
    return score(as_rows(rows), space)


def separate_conditions(data, n_sources):
    """Make the background and each perturbation a further class.

    With one or two sources they stand in for unknown sources.
    """
    # A perturbed copy keeps its content, and its last processing step is another one:
    # the nearest thing to another source that images of one source can give.
    perturbed = data.conditions > 0
    members = np.where(perturbed, n_sources + data.conditions, data.members)
    if perturbed.any():
        members[members < 0] = n_sources
    return replace(data, members=members)


def choose_conditions(data, n_sources):
    """Fit the discriminant of conditions, and choose the ones that it distinguishes.

    Parameters
    ----------
    data : TrainingRows
        Rows of all conditions. Unprocessed imitations take part.
    n_sources : int
        Number of sources.

    Returns
    -------
    gate : tuple of (center, discriminants, margin) or None
        For :func:`assign_conditions`; None with a single condition.
    conditions : ndarray of int
        Sorted numbers of the chosen conditions; 0, unprocessed, is always one.
    """
    imitated = data.kinds >= 0
    conditions = _find_usable(data.select(~imitated), n_sources)
    if len(conditions) == 1:
        return None, conditions
    used = np.where(
        imitated, data.conditions == 0, np.isin(data.conditions, conditions)
    )
    data = data.select(used)
    truth = np.searchsorted(conditions, data.conditions)
    # Unprocessed images of unknown sources are as varied as kinds of imitations are.
    members = np.where(data.kinds >= 0, n_sources + data.kinds, data.members) + 1
    cells = find_cells(truth, members, data.weights)
    # Fold 0 is held out to count how often each condition is recognized.
    held_out = (data.folds == 0).astype(int)
    is_asked = (data.folds == 0) & (data.kinds < 0)
    kept = np.random.default_rng(0).permutation(np.flatnonzero(is_asked))
    kept = np.sort(kept[:MAX_KEPT])
    moments = read_moments(data.rows, cells, held_out, data.weights, kept)
    scores, _ = score_discriminants(moments.kept, solve(moments, SHRINKAGE, without=1))
    assigned = scores.argmax(axis=1)
    chosen = np.flatnonzero(_are_distinct(truth[kept], assigned, len(conditions)))
    margin = 0.0
    if imitated.any():
        margin = _find_margin(scores[np.ix_(truth[kept] > 0, chosen)])
    center, discriminants = restore(moments, solve(moments, SHRINKAGE))
    return (center, _keep_classes(discriminants, chosen), margin), conditions[chosen]


def _find_margin(scores):
    """Return the addend of the scores of unprocessed rows, from those of perturbed."""
    if not len(scores) or scores.shape[1] == 1:
        return 0.0
    ahead = scores[:, 1:].max(axis=1) - scores[:, 0]
    return max(0.0, float(np.quantile(ahead, MOST_UNPROCESSED)))


def share_conditions(data, gate, conditions):
    """List the rows of each condition.

    An imitation belongs to its own condition and, if it is another perturbed one, to
    the condition that it is assigned to, since there it is judged. Perturbed by others,
    images of one generator are those of another generator: a mean over both would vary
    less than one over images of a source.

    Parameters
    ----------
    data : TrainingRows
        Rows of all conditions.
    gate, conditions
        As :func:`choose_conditions` returns them.

    Returns
    -------
    parts : list of TrainingRows
    """
    imitated = np.flatnonzero(data.kinds >= 0)
    assigned = np.full(len(data.rows), -1)
    if len(imitated):
        assigned[imitated] = conditions[assign_conditions(data.rows[imitated], gate)]
    n_makers = data.makers.max(initial=0) + 1
    makers = np.where(data.kinds < 0, -1, data.conditions * n_makers + data.makers)
    data, parts = replace(data, makers=makers), []
    for number in conditions:
        own = data.conditions == number
        others = np.flatnonzero((assigned == number) & ~own & (number > 0))
        both = np.concatenate([np.flatnonzero(own & (data.kinds >= 0)), others])
        both = np.random.default_rng(0).permutation(both)[:MAX_IMITATIONS]
        own = np.flatnonzero(own & (data.kinds < 0))
        parts.append(data.select(np.sort(np.concatenate([own, both]))))
    return parts


def _are_distinct(truth, assigned, n_conditions):
    """Check which conditions are recognized, and attract few unprocessed images."""
    counts = np.zeros((n_conditions, n_conditions))
    np.add.at(counts, (truth, assigned), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    distinct = shares[0] < MOST_ASSIGNED
    distinct &= shares.diagonal() >= FEWEST_RECOGNIZED
    distinct[0] = True
    return distinct


def _keep_classes(discriminants, classes):
    """Select the cells of some classes from discriminants, and number these anew."""
    return [
        (coef[own], intercept[own], np.searchsorted(classes, owners[own]), others[own])
        for coef, intercept, owners, others in discriminants
        for own in [np.isin(owners, classes)]
    ]


def _find_usable(data, n_sources):
    """Select unprocessed, and conditions with rows of each source in two folds."""
    known = data.members >= 0
    shape = data.n_conditions, n_sources, data.folds.max() + 1
    found = np.zeros(shape, dtype=bool)
    found[data.conditions[known], data.members[known], data.folds[known]] = True
    # A source whose history is its own may have perturbed images alone.
    if not found[0].any():
        raise ValueError(
            "conditions must hold its least value, which is that of unprocessed "
            "images, for images of the sources."
        )
    # With rows in a single fold, nothing of a source is left when it is held out.
    usable = (found.sum(axis=2) > 1).all(axis=1)
    usable[0] = True
    return np.flatnonzero(usable)


def assign_conditions(rows, gate):
    """Assign each row to the place of its condition among the chosen ones."""
    return score_gate(rows, gate).argmax(axis=1)


def score_gate(rows, gate):
    """Score rows for each of the chosen conditions, (n_rows, n_conditions)."""
    if gate is None:
        return np.zeros((len(rows), 1))
    center, discriminants, margin = gate
    scores, _ = score_discriminants(as_rows(rows) - center, discriminants)
    scores[:, 0] += margin
    return scores


def score_conditions(rows, state):
    """Score rows for each source, each row by the distances of its condition.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Features.
    state : tuple of (gate, spaces)
        The discriminant of conditions, and for each condition its distances and the
        tails of its null scores, as :func:`fit_tails` returns them.

    Returns
    -------
    scores : ndarray of shape (n_rows, n_sources)
        ``-log p`` where there are null scores.
    """
    gate, spaces = state
    assigned = assign_conditions(rows, gate)
    scores = np.empty((len(rows), spaces[0][0].n_sources))
    for number in np.unique(assigned):
        space, tails = spaces[number]
        own = assigned == number
        scores[own] = to_log_tail(score_distances(rows[own], space), tails)
    return scores


def score_ratios(rows, state, ratios):
    """Compute log10 likelihood ratios of rows, each by the ratios of its condition.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Features.
    state : tuple of (gate, spaces)
        As in :func:`score_conditions`.
    ratios : list of Bunch or None
        Calibration of each condition; NaN without one.

    Returns
    -------
    logs : ndarray of shape (n_rows, n_sources)
    """
    gate, spaces = state
    assigned = assign_conditions(rows, gate)
    logs = np.full((len(rows), spaces[0][0].n_sources), np.nan)
    for number in np.unique(assigned):
        if ratios[number] is not None:
            own = assigned == number
            scores = score_distances(rows[own], spaces[number][0])
            logs[own] = to_log_ratios(scores, ratios[number])
    return logs


def bound_by_neighbors(data, state, chosen, ratios):
    """Raise the lower bounds of ratios to those of known images in a wrong condition.

    An image may be assigned to a condition that is not its own. It is most often the
    best of the other conditions, its neighbor. The least ratio that images of a
    condition's neighbors got there for the source that made them is the lower bound of
    the condition, as far as it is below 1.

    Parameters
    ----------
    data : TrainingRows
        Rows of all conditions.
    state : tuple of (gate, spaces)
        As in :func:`score_conditions`.
    chosen : ndarray of int
        Numbers of the conditions that have spaces.
    ratios : list of Bunch or None
        Calibration of each of them.

    Returns
    -------
    ratios : list of Bunch or None
        With `lower` raised.
    """
    gate, spaces = state
    least = np.full(len(chosen), np.inf)
    # A single condition has no neighbor.
    for condition in range(data.n_conditions if len(chosen) > 1 else 0):
        own = (data.conditions == condition) & (data.members >= 0)
        rows, members = data.rows[own], data.members[own]
        found = score_gate(rows, gate)
        found[:, np.equal(chosen, condition)] = -np.inf
        nearest = found.argmax(axis=1)
        for number in np.unique(nearest):
            if ratios[number] is None:
                continue
            there = nearest == number
            scores = score_distances(rows[there], spaces[number][0])
            scores = scores[np.arange(len(scores)), members[there]]
            logs = to_log_ratios(scores, ratios[number])
            least[number] = min(least[number], logs.min())
    return [
        Bunch(**{**part, "lower": min(0.0, float(bound))})
        if part and bound < np.inf
        else part
        for part, bound in zip(ratios, least, strict=True)
    ]


def fit_tails(null, relatives, n_images=1):
    """Estimate the tails of null scores, of which the heaviest counts.

    Parameters
    ----------
    null : HeldOut
        Scores of held-out sources and imitations.
    relatives : {"reject", "accept"}
        Whether held-out sources count beside imitations.
    n_images : int, default=1
        Number of images in each set, if scores are those of overlapping sets.

    Returns
    -------
    tails : list of Bunch
        That of imitations, each kind being a group, if there are any; and that of
        imitations and held-out sources, if these count or are alone.
    """
    imitated = null.kinds >= 0
    parts = [imitated] if imitated.any() else []
    if not imitated.all() and (relatives == "reject" or not parts):
        parts.append(np.ones(len(imitated), dtype=bool))
    n_sources = null.sources.max(initial=-1) + 1
    groups = np.where(imitated, n_sources + null.kinds, null.sources)
    best = null.best
    return [_fit_tail(best[p], null.weights[p], groups[p], n_images) for p in parts]


def _fit_tail(scores, weights, groups, n_images):
    n_scores = _count_effective(weights)[0] / n_images
    tails = _fit_tails(scores, weights, groups, n_scores=n_scores)
    # Saved models should not name a private class.
    return Bunch(**vars(tails))


def to_log_tail(scores, tails):
    """Return ``-log p``, p being the share of unknown sources that score as high.

    It is the largest share by any of the tails. Scores of all conditions are then on
    one scale. Without tails they stay as they are.
    """
    if not tails:
        return scores
    return -np.log(np.max([_mean_share(tail, scores) for tail in tails], axis=0))

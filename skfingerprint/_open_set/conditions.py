"""Kinds of copies that can be told apart, each with a space of its own.

Which rows are learned from, which of the spaces a row is asked, and scores of several
spaces on one scale. Pure functions of rows.
"""

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._attribution import (
    find_cells,
    read_moments,
    restore,
    score_discriminants,
    score_rows,
    solve,
)
from skfingerprint._open_set.simplex import score_space
from skfingerprint.thresholds import tail_probability

# Rows of one kind of copy that are learned from: of a source, of all, of no source.
ROWS_A_SOURCE = 100
MAX_ROWS = 1600
MAX_BACKGROUND = 400
# A kind of copy has a detector of its own if it draws less than this share of the
# unchanged images, and this share of its own images is recognized.
MOST_DRAWN = 0.05
FEWEST_RECOGNIZED = 1 / 3
GATE_SHRINKAGE = 0.02
# Held-out rows by which the kinds are chosen, at most.
MAX_KEPT = 2048


def draw_rows(members, kinds, weights):
    """Return the rows that a detector learns from: some of each source and kind.

    Drawn from what was drawn, they are the same.
    """
    n_sources = members.max() + 1
    limits = np.full(n_sources + 1, min(ROWS_A_SOURCE, max(MAX_ROWS // n_sources, 8)))
    limits[n_sources] = MAX_BACKGROUND  # of no source: the last, by its index of -1
    order = np.random.default_rng(0).permutation(np.flatnonzero(weights))
    cells = kinds[order] * (n_sources + 1) + members[order] + 1
    order = order[np.argsort(cells, kind="stable")]
    cells.sort()
    ranks = np.arange(len(cells)) - np.searchsorted(cells, cells)
    return np.sort(order[ranks < limits[members[order]]])


def separate_copies(data, n_sources):
    """Return the data with the background and each kind of copy as further classes."""
    changed = data.kinds > 0
    members = np.where(changed, n_sources + data.kinds, data.members)
    if changed.any():
        members[members < 0] = n_sources
    return Bunch(**(data | {"members": members}))


def find_strata(data, n_sources):
    """Return a discriminant of kinds of copies, and the kinds that it tells apart."""
    kinds = _find_usable(data, n_sources)
    if len(kinds) == 1:
        return None, kinds
    used = np.isin(data.kinds, kinds)
    rows, weights, truth = data.rows[used], data.weights[used], data.kinds[used]
    truth = np.searchsorted(kinds, truth)
    cells = find_cells(truth, data.members[used] + 1, weights)
    asked = (data.folds[used] == 0).astype(int)
    kept = np.flatnonzero(asked)
    kept = np.sort(np.random.default_rng(0).permutation(kept)[:MAX_KEPT])
    moments = read_moments(rows, cells, asked, weights, kept)
    held_out, _ = score_discriminants(
        moments.kept, solve(moments, GATE_SHRINKAGE, without=1)
    )
    counts = np.zeros((len(kinds), len(kinds)))
    np.add.at(counts, (truth[kept], held_out.argmax(axis=1)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    good = (shares[0] < MOST_DRAWN) & (shares.diagonal() >= FEWEST_RECOGNIZED)
    good[0] = True
    strata = np.flatnonzero(good)
    center, parts = restore(moments, solve(moments, GATE_SHRINKAGE))
    parts = [
        (coef[own], intercept[own], np.searchsorted(strata, owners[own]), sources[own])
        for coef, intercept, owners, sources in parts
        for own in [np.isin(owners, strata)]
    ]
    return (center, parts), kinds[strata]


def _find_usable(data, n_sources):
    """Return the kinds of which each source has rows in two folds, and the first."""
    known = data.members >= 0
    shape = len(data.names), n_sources, data.folds.max() + 1
    found = np.zeros(shape, dtype=bool)
    found[data.kinds[known], data.members[known], data.folds[known]] = True
    usable = (found.sum(axis=2) > 1).all(axis=1)
    usable[0] = True
    return np.flatnonzero(usable)


def pick_stratum(rows, gate):
    """Return which of the detectors each row is asked."""
    if gate is None:
        return np.zeros(len(rows), dtype=int)
    return score_rows(rows, gate)[0].argmax(axis=1)


def score_strata(rows, state):
    """Score rows for each source, each by the detector of its kind of copy."""
    gate, strata = state
    picked = pick_stratum(rows, gate)
    scores = np.empty((len(rows), strata[0][0].n_sources))
    for number in np.unique(picked):
        space, null = strata[number]
        own = picked == number
        scores[own] = _level(score_space(rows[own], space), null)
    return scores


def level_scores(values, null):
    """Return values with their scores as `-log p`."""
    return Bunch(**(values | {"scores": _level(values.scores, null)}))


def _level(scores, null):
    """Return `-log p` of scores, where p is the share of strangers that reach them."""
    if not len(null.scores):
        return scores
    return -np.log(find_tail(scores, null.scores, null.sources, null.weights))


def join(parts):
    """Return one Bunch of several with the same arrays."""
    return Bunch(**{k: np.concatenate([p[k] for p in parts]) for k in parts[0]})


def find_tail(scores, null_scores, null_sources, null_weights):
    """Return the share of strangers that score as high; NaN if none are known."""
    if not len(null_scores):
        return np.full(scores.shape, np.nan)
    given = describe_null(null_sources, null_weights)
    return tail_probability(null_scores, scores, **given)


def describe_null(sources, weights):
    """Return what the tail of null scores needs to know of them."""
    return {"sample_weight": weights, "groups": sources, "n_scores": weights.sum()}

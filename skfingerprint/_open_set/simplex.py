"""Distances of rows to the vertices of a simplex, one vertex for each source.

A ridge regression f of one-hot targets brings the rows of source c near the vertex e_c,
and rows of unknown sources between the vertices. The score of source c is
``-log |f(x) - e_c|``.
"""

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._open_set.ridge import fit_ridge, predict_without
from skfingerprint._open_set.training import SMALLEST, standardize, take_scores

# From three sources on, two are left while one is held out as an unknown source.
FEWEST_SOURCES = 3


def fit_simplex(data, n_sources, alpha):
    """Fit the ridge regression, and score rows that are held out of it.

    Parameters
    ----------
    data : TrainingRows
        Rows of the sources, of further classes and of the background, whose target
        is 0 everywhere.
    n_sources : int
        Number of sources.
    alpha : float
        Penalty of the ridge regression.

    Returns
    -------
    space : Bunch
        For :func:`score_simplex`.
    null : Scores
        Largest scores of rows while their source and their fold are held out; empty
        with fewer than three sources.
    known : Scores
        Largest scores of rows while their fold is held out.
    """
    center, scale = standardize(data.rows, data.weights)
    rows = (data.rows - center) / scale
    # A source without rows in this condition has a vertex that no row is near.
    n_targets = max(n_sources, data.members.max() + 1)
    targets = np.equal.outer(data.members, np.arange(n_targets))
    ridge = fit_ridge(rows, targets.astype(float), data.weights, alpha)
    held_out, unknown = _score_held_out(data, ridge, n_sources)
    known = take_scores(data, held_out, data.members >= 0, n_sources)
    null = take_scores(data, unknown, np.isfinite(unknown), n_sources)
    coef = ridge.coef.astype(rows.dtype) / scale[:, np.newaxis]
    space = Bunch(center=center, coef=coef, shift=ridge.intercept, n_sources=n_sources)
    return space, null, known


def score_simplex(rows, space):
    """Compute minus the logarithm of the distance to the vertex of each source."""
    rows = rows - space.center
    return _score_vertices(rows @ space.coef + space.shift, space.n_sources)


def _score_held_out(data, ridge, n_sources):
    """Score each row without its fold, and as a row of an unknown source.

    Parameters
    ----------
    data : TrainingRows
        The rows of the regression.
    ridge : Ridge
        The regression on all of them.
    n_sources : int
        Number of sources.

    Returns
    -------
    known : ndarray of shape (n_rows,)
        Largest score, the fold of the row held out.
    unknown : ndarray of shape (n_rows,)
        Largest score for another source, fold and source held out; NaN for rows without
        a source, and with fewer than three sources.
    """
    known, unknown = np.empty(len(data.rows)), np.full(len(data.rows), np.nan)
    sources = range(n_sources if n_sources >= FEWEST_SOURCES else 0)
    members = [np.flatnonzero(data.members == source) for source in sources]
    for fold in np.unique(data.folds):
        own = np.flatnonzero(data.folds == fold)
        outputs, by_source = predict_without(ridge, own, members)
        known[own] = _score_vertices(outputs, n_sources).max(axis=1)
        # The held-out source has no vertex any more; its column predicts nothing.
        for source, outputs in zip(sources, by_source, strict=True):
            scores = np.delete(_score_vertices(outputs, n_sources), source, axis=1)
            unknown[own[data.members[own] == source]] = scores.max(axis=1)
    return known, unknown


def _score_vertices(outputs, n_sources):
    """Score outputs of the regression by ``|f - e_c|^2 = |f|^2 + 1 - 2 f_c``."""
    lengths = np.square(outputs).sum(axis=1, keepdims=True)
    squares = lengths + 1 - 2 * outputs[:, :n_sources]
    return -0.5 * np.log(np.maximum(squares, SMALLEST))

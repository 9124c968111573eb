"""Distances of rows to the vertices of a simplex, one vertex for each source.

A ridge regression f of one-hot targets brings the rows of source c near the vertex e_c,
and rows of unknown sources between the vertices. The score of source c is
``-log |f(x) - e_c|``.
"""

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._open_set.ridge import fit_ridge, predict_without
from skfingerprint._open_set.training import (
    SMALLEST,
    balance_imitations,
    standardize,
    take_held_out,
)

# From three sources on, two are left while one is held out as an unknown source.
FEWEST_SOURCES = 3


def fit_simplex(data, n_sources, alpha):
    """Fit the ridge regression, and score rows that are held out of it.

    Parameters
    ----------
    data : TrainingRows
        Rows of the sources, of further classes, and of the background and imitations,
        whose target is 0 everywhere.
    n_sources : int
        Number of sources.
    alpha : float
        Penalty of the ridge regression.

    Returns
    -------
    space : Bunch
        For :func:`score_simplex`.
    null : HeldOut
        Scores of rows of each source while it and their fold are held out, from three
        sources on, and of imitations while their kind and their fold are.
    known : HeldOut
        Scores of rows of the sources while their fold is held out.
    """
    data = balance_imitations(data)
    center, scale = standardize(data.rows, data.weights)
    rows = (data.rows - center) / scale
    # A source without rows in this condition has a vertex that no row is near.
    n_targets = max(n_sources, data.members.max() + 1)
    targets = np.equal.outer(data.members, np.arange(n_targets))
    ridge = fit_ridge(rows, targets.astype(float), data.weights, alpha)
    inside, outside = _predict_held_out(data, ridge, n_sources)
    scores = score_vertices(inside, n_sources)
    known = take_held_out(data, scores, inside, data.members >= 0, n_sources)
    scores = score_vertices(outside, n_sources, without=data.members)
    is_null = np.isfinite(outside).all(axis=1)
    null = take_held_out(data, scores, outside, is_null, n_sources)
    coef = ridge.coef.astype(rows.dtype) / scale[:, np.newaxis]
    space = Bunch(center=center, coef=coef, shift=ridge.intercept, n_sources=n_sources)
    return space, null, known


def score_simplex(rows, space):
    """Compute minus the logarithm of the distance to the vertex of each source."""
    return score_vertices(predict_simplex(rows, space), space.n_sources)


def predict_simplex(rows, space):
    """Predict the place of rows in the space of the simplex, (n_rows, n_targets)."""
    return (rows - space.center) @ space.coef + space.shift


def _predict_held_out(data, ridge, n_sources):
    """Predict each row without its fold, and as a row of an unknown source.

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
    inside : ndarray of shape (n_rows, n_targets)
        Predictions with the fold of the row held out.
    outside : ndarray of shape (n_rows, n_targets)
        Predictions with the fold and the source of the row held out, or its kind of
        imitation; NaN for the background, and for sources if there are fewer than
        three.
    """
    inside = np.empty((len(data.rows), ridge.targets.shape[1]))
    outside = np.full(inside.shape, np.nan)
    imitated = data.kinds >= 0
    numbers = np.where(imitated, n_sources + data.kinds, data.members)
    is_source = (data.members >= 0) & (data.members < n_sources)
    is_left_out = imitated | (is_source if n_sources >= FEWEST_SOURCES else False)
    groups = np.unique(numbers[is_left_out])
    places = [np.flatnonzero(is_left_out & (numbers == group)) for group in groups]
    for fold in np.unique(data.folds):
        own = np.flatnonzero(data.folds == fold)
        inside[own], by_group = predict_without(ridge, own, places)
        for place, outputs in zip(places, by_group, strict=True):
            outside[np.intersect1d(own, place)] = outputs
    return inside, outside


def score_vertices(outputs, n_sources, without=None):
    """Score outputs of the regression by ``|f - e_c|^2 = |f|^2 + 1 - 2 f_c``.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, n_targets)
        Predictions of the regression.
    n_sources : int
        Number of sources, the first of the targets.
    without : ndarray of shape (n_rows,), int, default=None
        Source of each row that was held out, or -1. It has no vertex any more: its
        column predicts nothing.

    Returns
    -------
    scores : ndarray of shape (n_rows, n_sources)
    """
    lengths = np.square(outputs).sum(axis=1, keepdims=True)
    squares = lengths + 1 - 2 * outputs[:, :n_sources]
    scores = -0.5 * np.log(np.maximum(squares, SMALLEST))
    if without is not None:
        scores[np.equal.outer(without, np.arange(n_sources))] = -np.inf
    return scores

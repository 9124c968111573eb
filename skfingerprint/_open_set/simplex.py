"""Spaces in which rows of features lie near to their source, or near to none.

Of three sources or more a ridge regression of one-hot targets, with a vertex for each;
of fewer the distance to their means. Pure functions of rows.
"""

import numpy as np
from scipy import linalg
from sklearn.utils import Bunch

from skfingerprint._attribution import find_scale
from skfingerprint._core import as_rows
from skfingerprint._open_set.ridge import fit_ridge, predict_without

# Sources from which on strangers can be learned from by leaving one out.
FEWEST_SOURCES = 3
# Weight of the identity in the covariance of one or two sources.
SHRINKAGE = 0.1
SMALLEST = 1e-12
USED = ("rows", "members", "weights", "folds")


def fit_space(data, n_sources, alpha):
    """Fit the space in which rows are scored; return it, and held-out scores.

    Parameters
    ----------
    data : Bunch
        `rows`, their `weights` and `folds`, and `members`: the source of each, more
        than the sources for further classes, which are never an answer, and -1 for
        none.
    n_sources : int
        Number of sources.
    alpha : float
        Penalty of the ridge regression.

    Returns
    -------
    space : Bunch
        For :func:`score_space`.
    null, known : Bunch
        `scores`, `sources` and `weights` of rows while their source is left out, and of
        rows while their fold is.
    """
    if n_sources < FEWEST_SOURCES and data.members.max() < n_sources:
        return _fit_ellipsoids(data, n_sources)
    center, scale = _find_units(data.rows, data.weights)
    rows = (data.rows - center) / scale
    targets = np.equal.outer(data.members, np.arange(data.members.max() + 1))
    ridge = fit_ridge(rows, targets.astype(float), data.weights, alpha)
    held_out = np.empty((len(rows), n_sources))
    strangers = np.full(len(rows), np.nan)
    sources = range(n_sources if n_sources >= FEWEST_SOURCES else 0)
    members = [np.flatnonzero(data.members == source) for source in sources]
    for fold in np.unique(data.folds):
        own = np.flatnonzero(data.folds == fold)
        outputs, of_sources = predict_without(ridge, own, members)
        held_out[own] = _score_vertices(outputs, n_sources)
        for source, outputs in zip(sources, of_sources, strict=True):
            scores = np.delete(_score_vertices(outputs, n_sources), source, axis=1)
            strangers[own[data.members[own] == source]] = scores.max(axis=1)
    known = _take(data, held_out.max(axis=1), data.members >= 0, n_sources)
    null = _take(data, strangers, np.isfinite(strangers), n_sources)
    coef = ridge.coef.astype(rows.dtype) / scale[:, np.newaxis]
    space = Bunch(center=center, coef=coef, shift=ridge.intercept, n_sources=n_sources)
    return space, null, known


def _take(data, scores, where, n_sources):
    """Return scores of rows of sources, with these and their weights."""
    where = where & (data.members < n_sources)
    return Bunch(
        scores=scores[where], sources=data.members[where], weights=data.weights[where]
    )


def score_space(rows, space):
    """Score rows for each source by the distance to its vertex, or its mean."""
    rows = as_rows(rows) - space.center
    if "inverse" in space:
        return _score_ellipsoids(rows / space.scale, space)
    return _score_vertices(rows @ space.coef + space.shift, space.n_sources)


def _score_vertices(outputs, n_sources):
    """Return the negative logarithm of the distance to each source's vertex."""
    lengths = np.square(outputs).sum(axis=1, keepdims=True)
    squares = lengths + 1 - 2 * outputs[:, :n_sources]
    return -0.5 * np.log(np.maximum(squares, SMALLEST))


def _fit_ellipsoids(data, n_sources):
    """As :func:`fit_space`, by distances to one or two means."""
    data = select(data, data.members >= 0)
    scores = np.empty((len(data.rows), n_sources))
    for fold in np.unique(data.folds):
        own = data.folds == fold
        space = _fit_ellipsoid(data, ~own, n_sources)
        scores[own] = score_space(data.rows[own], space)
    everything = np.ones(len(data.rows), dtype=bool)
    known = _take(data, scores.max(axis=1), everything, n_sources)
    null = _take(data, scores.max(axis=1), ~everything, n_sources)
    return _fit_ellipsoid(data, everything, n_sources), null, known


def _fit_ellipsoid(data, used, n_sources):
    """Shrink the covariance of the rows about their sources' means."""
    rows, members = data.rows[used], data.members[used]
    weights = data.weights[used] / data.weights[used].sum()
    means = np.stack(
        [
            np.average(rows[members == k], axis=0, weights=weights[members == k])
            for k in range(n_sources)
        ]
    ).astype(rows.dtype)
    center, scale = _find_units(rows - means[members], weights)
    rows = (rows - means[members] - center) / scale
    rows *= np.sqrt(weights)[:, np.newaxis].astype(rows.dtype)
    gram = rows.astype(np.float64) @ rows.T
    level = SHRINKAGE * (gram.trace() / rows.shape[1] or 1)
    gram.flat[:: len(gram) + 1] += level / (1 - SHRINKAGE)
    return Bunch(
        center=means[0] + center,
        scale=scale,
        means=(means - means[0]) / scale,
        n_sources=n_sources,
        rows=rows,
        inverse=linalg.inv(gram),
        level=level,
    )


def _score_ellipsoids(rows, space):
    """Return the negative logarithm of the root mean square distance to each mean."""
    scores = []
    for mean in space.means:
        away = (rows - mean).astype(np.float64)
        inside = away @ space.rows.T
        squares = np.square(away).sum(axis=1)
        squares -= ((inside @ space.inverse) * inside).sum(axis=1)
        squares /= space.level * rows.shape[1]
        scores.append(-0.5 * np.log(np.maximum(squares, SMALLEST)))
    return np.stack(scores, axis=1)


def _find_units(rows, weights):
    """Return the mean and the standard deviation of each column."""
    center = np.average(rows, axis=0, weights=weights)
    variances = np.average(np.square(rows - center), axis=0, weights=weights)
    return center.astype(rows.dtype), find_scale(variances).astype(rows.dtype)


def select(data, where):
    """Return the rows where something holds, and what is known of them."""
    return Bunch(**{name: data[name][where] for name in USED})

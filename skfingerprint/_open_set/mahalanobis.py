"""Distances of rows to the means of one or two sources.

The score of source c is ``-log(d_c / sqrt(n_features))`` with the Mahalanobis distance
``d_c^2 = (x - m_c)' S^-1 (x - m_c)`` to the mean m_c, by the shrunk pooled covariance
``S = (1 - a) X'X + a t I`` of the rows X about the means of their sources.
"""

import numpy as np
from scipy import linalg
from sklearn.utils import Bunch

from skfingerprint._open_set.training import SMALLEST, standardize, take_held_out

# Weight a of the identity in the covariance. With one or two sources there is no source
# to hold out, by which it could be chosen.
SHRINKAGE = 0.1


def fit_mahalanobis(data, n_sources):
    """Fit the distances to the means of one or two sources.

    Parameters
    ----------
    data : TrainingRows
        Rows of the sources; those of the background are left out.
    n_sources : int
        Number of sources.

    Returns
    -------
    space : Bunch
        For :func:`score_mahalanobis`.
    null : HeldOut
        Empty: there is no source to hold out.
    known : HeldOut
        Scores of rows whose fold was held out.
    """
    # The background has no mean that says where other sources lie.
    data = data.select(data.members >= 0)
    scores = np.empty((len(data.rows), n_sources))
    for fold in np.unique(data.folds):
        own = data.folds == fold
        space = _fit_means(data.select(~own), n_sources)
        scores[own] = score_mahalanobis(data.rows[own], space)
    everything = np.ones(len(data.rows), dtype=bool)
    known = take_held_out(data, scores, scores, everything, n_sources)
    null = take_held_out(data, scores, scores, ~everything, n_sources)
    return _fit_means(data, n_sources), null, known


def _fit_means(data, n_sources):
    """Shrink the covariance of the rows about the means of their sources.

    There are fewer rows than columns, so that the covariance is kept as the rows and
    the inverse of their Gram matrix. By the Woodbury identity
    ``(b I + X'X)^-1 = (I - X' (b I + X X')^-1 X) / b``, up to the factor 1 - a.
    """
    rows, members = data.rows, data.members
    weights = data.weights / data.weights.sum()
    means = np.stack(
        [
            np.average(rows[members == k], axis=0, weights=weights[members == k])
            for k in range(n_sources)
        ]
    ).astype(rows.dtype)
    center, scale = standardize(rows - means[members], weights)
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


def score_mahalanobis(rows, space):
    """Compute minus the logarithm of the root mean square distance to each mean."""
    rows, scores = (rows - space.center) / space.scale, []
    for mean in space.means:
        away = (rows - mean).astype(np.float64)
        inside = away @ space.rows.T
        # |z|^2 minus the part inside the span of the rows, by the identity above.
        squares = np.square(away).sum(axis=1)
        squares -= ((inside @ space.inverse) * inside).sum(axis=1)
        squares /= space.level * rows.shape[1]
        scores.append(-0.5 * np.log(np.maximum(squares, SMALLEST)))
    return np.stack(scores, axis=1)

"""Linear discriminants, solved from moments, and their scores.

All shrinkages, and all fits without a fold, are solved from the same moments.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from skfingerprint._attribution.moments import add_products
from skfingerprint._core import as_rows


@dataclass(frozen=True)
class Scatter:
    """Covariance and means of classes, in columns of unit variance.

    Attributes
    ----------
    within : ndarray of shape (d, d)
        Lower triangle of the pooled covariance within classes.
    level : float
        Mean variance, ``trace(within) / d``.
    means : ndarray of shape (n_classes, d)
        Class means.
    inverse : ndarray of shape (d,)
        One over the standard deviations of the columns.
    labels : tuple of ndarray of shape (n_classes,), int
        Source and condition of each class.
    """

    within: np.ndarray
    level: float
    means: np.ndarray
    inverse: np.ndarray
    labels: tuple


def solve(moments, shrinkage, without=None, kinds=None):
    """Solve the discriminants of all folds, or of all folds but one.

    Parameters
    ----------
    moments : Moments
        Moments of all folds.
    shrinkage : float
        Weight of the identity in the covariance.
    without : int, default=None
        Fold to leave out.
    kinds : ndarray of int, default=None
        Kinds of conditions; by default all.

    Returns
    -------
    discriminants : list of tuple
        Coefficients (n_classes, d), intercepts (n_classes,), and source and condition
        of each class: with a class for each source, and with one for each cell if there
        are more of these.
    """
    scatters = find_scatters(moments, without, kinds)
    return [solve_scatter(scatter, shrinkage) for scatter in scatters]


def find_scatters(moments, without=None, kinds=None):
    """Compute the scatters of sources, and of cells, of all folds or all but one.

    Parameters
    ----------
    moments : Moments
        Moments of all folds.
    without : int, default=None
        Fold to leave out.
    kinds : ndarray of int, default=None
        Kinds of conditions; by default all.

    Returns
    -------
    scatters : list of Scatter
        With a class for each source, and with one for each cell if there are more of
        these.
    """
    kinds = moments.parts[0] if kinds is None else kinds
    parts = [fold for fold in range(len(moments.squares)) if fold != without]
    squares = sum(moments.squares[fold][kind] for fold in parts for kind in kinds)
    own = np.isin(moments.kinds[moments.cells.conditions], kinds)
    owners, conditions = moments.cells.owners[own], moments.cells.conditions[own]
    sums = moments.sums[parts].sum(axis=0)[own]
    totals = moments.totals[parts].sum(axis=0)[own]
    pooled = _pool(owners)
    sources = np.arange(pooled.shape[0])
    classes = [(pooled @ sums, pooled @ totals, sources, np.zeros_like(sources))]
    if not (classes[0][1] > 0).all():
        raise ValueError(
            "a fold of cv leaves no image of some source: take fewer folds, or more "
            "groups a source."
        )
    # With one condition the cells are the sources, and both discriminants the same.
    if len(owners) > len(sources):
        used = totals > 0
        classes.append((sums[used], totals[used], owners[used], conditions[used]))
    return [_find_scatter(moments, squares, *one) for one in classes]


def _pool(owners):
    """Return the matrix that adds up the cells of each source."""
    return sparse.csr_array((np.ones(len(owners)), (owners, np.arange(len(owners)))))


def _find_scatter(moments, squares, sums, totals, *labels):
    """Compute the scatter of classes with these sums.

    Parameters
    ----------
    moments : Moments
        For units and the number of columns.
    squares : ndarray of shape (d, d)
        Lower triangle of the products of the rows.
    sums : ndarray of shape (n_classes, d)
        Sums of the rows of each class.
    totals : ndarray of shape (n_classes,)
        Sums of their weights.
    *labels : ndarray of shape (n_classes,), int
        Source and condition of each class.

    Returns
    -------
    scatter : Scatter
    """
    means, centers, counts = sums / totals[:, np.newaxis], sums, totals
    if moments.rotation is not None:
        # With few rows the scatter is taken about the common mean, as in ridge
        # regression: the spread of a few images of a class says little.
        centers, counts = sums.sum(axis=0)[np.newaxis], totals.sum(keepdims=True)
    # Scatter about means: sum x x' - sum_k n_k m_k m_k', with n m m' = s s' / n.
    roots = centers / np.sqrt(counts)[:, np.newaxis]
    within = squares.copy(order="F")
    within = add_products(within, roots.astype(within.dtype), sign=-1)
    # From scatter to covariance, n rows less one for each mean, in units of columns.
    inverse = (1 / (moments.unit * np.ones(len(within)))).astype(within.dtype)
    within *= inverse[:, np.newaxis] / max(totals.sum() - len(counts), 1)
    within *= inverse
    level = within.trace(dtype=np.float64) / moments.n_columns
    means = (means * inverse).astype(within.dtype)
    return Scatter(within, level if level > 0 else 1, means, inverse, labels)


def solve_scatter(scatter, shrinkage):
    """Solve a shrunk linear discriminant.

    With the covariance S of d columns and the class means m_k of a scatter, it is
    ``A = (1 - a) S + a trace(S) / d I``, with coefficients ``A^-1 m_k`` and intercepts
    ``-m_k' A^-1 m_k / 2``.

    Parameters
    ----------
    scatter : Scatter
        The scatter.
    shrinkage : float
        The weight a.

    Returns
    -------
    coef : ndarray of shape (n_classes, d)
    intercept : ndarray of shape (n_classes,)
    sources, conditions : ndarray of shape (n_classes,), int
    """
    shrunk = (1 - shrinkage) * scatter.within
    shrunk.flat[:: len(shrunk) + 1] += shrinkage * scatter.level
    factor = linalg.cho_factor(shrunk, lower=True, overwrite_a=True, check_finite=False)
    coef = linalg.cho_solve(factor, scatter.means.T, check_finite=False).T
    squares = np.einsum("kd,kd->k", coef, scatter.means, dtype=np.float64)
    return coef * scatter.inverse, -0.5 * squares, *scatter.labels


def solve_kinds(moments, shrinkage):
    """Solve the discriminants of all conditions, and of each kind if there are several.

    Parameters
    ----------
    moments : Moments
        Moments of all folds.
    shrinkage : float
        Weight of the identity in the covariance.

    Returns
    -------
    center : ndarray of shape (n_columns,)
        Subtracted from the columns that were read.
    discriminants : list of list of tuple
        As returned by :func:`solve`, for all conditions and for each kind.
    """
    solved = [solve(moments, shrinkage, kinds=kinds) for kinds in moments.parts]
    restored = [restore(moments, part) for part in solved]
    return restored[0][0], [part for _, part in restored]


def restore(moments, discriminants):
    """Return center and discriminants in the columns that were read."""
    rotation = moments.rotation
    if rotation is None:
        return moments.center, discriminants
    found = [
        (rotation.turn_back(coef) / rotation.scale, intercept, *labels)
        for coef, intercept, *labels in discriminants
    ]
    return rotation.center, found


def find_mean(moments):
    """Compute the mean of the means of the sources, which count alike."""
    pooled, rotation = _pool(moments.cells.owners), moments.rotation
    sums, totals = moments.sums.sum(axis=0), moments.totals.sum(axis=0)
    mean = (pooled @ sums / (pooled @ totals)[:, np.newaxis]).mean(axis=0)
    if rotation is None:
        return moments.center + mean
    turned = rotation.turn_back(mean[np.newaxis])[0]
    return rotation.center + turned * rotation.scale


def score_rows(rows, state):
    """Score rows by a state of center, discriminants and kinds."""
    center, *given = state
    return score_kinds(as_rows(rows) - center, *given)


def score_kinds(rows, discriminants, kinds):
    """Score each row by the discriminants of the kind of its condition.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, d)
        Centered rows.
    discriminants : list of list of tuple
        Those of all conditions, which predict the condition of a row, and those of each
        kind if there are several.
    kinds : ndarray of shape (n_conditions,), int
        Kind of each condition.

    Returns
    -------
    scores, conditions
        As returned by :func:`score_discriminants`.
    """
    scores, conditions = score_discriminants(rows, discriminants[0])
    for kind, part in enumerate(discriminants[1:]):
        own = np.flatnonzero(kinds[conditions] == kind)
        if len(own):
            scores[own] = score_discriminants(rows[own], part)[0]
    return scores, conditions


def score_discriminants(rows, discriminants):
    """Add up the scores of discriminants, each joined over the cells of a source.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, d)
        Centered rows.
    discriminants : list of tuple
        As returned by :func:`solve`.

    Returns
    -------
    scores : ndarray of shape (n_rows, n_sources)
        Sum over the discriminants.
    conditions : ndarray of shape (n_rows,), int
        Condition of the largest score by the last discriminant, the sharpest.
    """
    total = 0
    for coef, intercept, owners, conditions in discriminants:  # noqa: B007
        scores = rows @ coef.T.astype(rows.dtype) + intercept
        total = total + _join(scores, owners)[0]
    joined, names = _join(scores, conditions)
    return total, names[joined.argmax(axis=1)]


def _join(scores, labels):
    """Compute the log mean exponential of the columns of each label."""
    order = np.argsort(labels, kind="stable")
    names, starts, counts = np.unique(
        labels[order], return_index=True, return_counts=True
    )
    # The mean, not the sum: a source with more conditions has no advantage.
    joined = np.logaddexp.reduceat(scores[:, order], starts, axis=1)
    return joined - np.log(counts), names

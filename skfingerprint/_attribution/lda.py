"""Moments of rows by class and fold, and the discriminants that follow from them.

Rows are read once; every shrinkage and every fold is solved from their second moments.
"""

import math

import numpy as np
from scipy import linalg, sparse
from scipy.special import log_softmax
from sklearn.utils import Bunch

from skfingerprint._core import as_rows, iterate_blocks
from skfingerprint.calibration import fit_temperature


def find_scale(variances):
    """Return standard deviations, and 1 for columns that are constant."""
    scale = np.sqrt(np.maximum(variances, 0))
    return np.where(scale > 1e-6 * scale.max(initial=0), scale, 1)


# Images of a (source, copy) pair from which on it is a class of its own.
FEWEST = 8
# Held-out rows that shrinkage and temperatures are learned from, at most.
MAX_KEPT = 4096
# Of them: those of a kind of copy from which on it has a temperature of its own.
FEWEST_KEPT = 50


def find_cells(members, copies, weights):
    """Return what class of its own each (source, copy) pair is.

    Pairs of few images are one class together with the source's other such pairs.
    """
    n_conditions = copies.max() + 1
    pairs = members * n_conditions + copies
    few = (np.bincount(pairs, weights) < FEWEST)[pairs]
    _, first, cells = np.unique(
        members * (n_conditions + 1) + np.where(few, n_conditions, copies),
        return_index=True,
        return_inverse=True,
    )
    copies = np.where(few, 0, copies)  # what is of several kinds counts as unchanged
    return Bunch(
        cells=cells, owners=members[first], conditions=np.where(few, 0, copies)[first]
    )


def draw_kept(weights, copies):
    """Return rows for shrinkage and temperatures: half of them unchanged if it can."""
    order = np.random.default_rng(0).permutation(np.flatnonzero(weights))
    unchanged = copies[order] == 0
    most = max(MAX_KEPT // 2, MAX_KEPT - np.count_nonzero(~unchanged))
    kept = np.concatenate([order[unchanged][:most], order[~unchanged]])
    return np.sort(kept[:MAX_KEPT])


def read_moments(X, cells, folds, weights, kept):
    """Read X once; return the moments of each fold, and the rows that are kept.

    Rows that are fewer than the columns span a space of as few dimensions: they are
    rotated into it, where the moments are small.
    """
    n_columns, way = math.prod(X.shape[1:]), None
    blocks, center, unit = iterate_blocks(X), None, None
    if X.shape[0] <= n_columns:
        rows = np.concatenate([as_rows(block) for block, _ in blocks])
        middle = np.average(rows, axis=0, weights=weights).astype(rows.dtype)
        rows = rows - middle
        scale = find_scale(np.average(np.square(rows), axis=0, weights=weights))
        rows /= scale.astype(rows.dtype)
        root = _find_root(rows)
        blocks, center, unit = [(root, slice(0, len(rows)))], 0, 1
        way = Bunch(root=root, rows=rows, scale=scale, center=middle)
    moments = _sum_moments(blocks, center, cells.cells, folds, weights, kept)
    moments.update(cells, n_columns=n_columns, way=way)
    moments.unit = _find_unit(moments) if unit is None else unit
    return moments


def _find_unit(moments):
    """Return the standard deviation of each column."""
    n_rows = moments.totals.sum()
    means = moments.sums.sum(axis=(0, 1)) / n_rows
    squares = sum(part.diagonal().astype(np.float64) for part in moments.squares)
    return find_scale(squares / n_rows - np.square(means))


def _find_root(rows):
    """Return the Cholesky factor of the products of rows, which may be dependent."""
    precise = rows.astype(np.float64)
    gram = precise @ precise.T
    gram.flat[:: len(gram) + 1] += 1e-9 * max(np.trace(gram) / len(gram), 1e-300)
    return linalg.cholesky(gram, lower=True).astype(rows.dtype)


def _sum_moments(blocks, center, cells, folds, weights, kept):
    """Sum rows, and their products, of each fold; products are lower triangles."""
    n_folds, n_cells = folds.max() + 1, cells.max() + 1
    totals = np.bincount(folds * n_cells + cells, weights, n_folds * n_cells)
    sums, squares, found = np.zeros((n_folds, n_cells, 1)), None, []
    for block, part in blocks:
        rows = as_rows(block)
        center = rows.mean(axis=0) if center is None else center
        rows = rows - center
        if squares is None:
            shape, order = (rows.shape[1],) * 2, "F"
            squares = [np.zeros(shape, rows.dtype, order) for _ in range(n_folds)]
            sums = np.zeros((n_folds, n_cells, rows.shape[1]))
        inside = (kept >= part.start) & (kept < part.stop)
        found.append(rows[kept[inside] - part.start])
        for fold in np.unique(folds[part]):
            own = np.flatnonzero(folds[part] == fold)
            weight, places = weights[part][own], (cells[part][own], np.arange(len(own)))
            members = sparse.csr_array((weight, places), (n_cells, len(own)))
            sums[fold] += members @ rows[own]
            roots = rows[own] * np.sqrt(weight)[:, np.newaxis].astype(rows.dtype)
            squares[fold] = _add_products(squares[fold], roots)
    return Bunch(
        center=center,
        squares=squares,
        sums=sums,
        totals=totals.reshape(n_folds, n_cells),
        kept=np.concatenate(found),
    )


def _add_products(squares, rows, sign=1):
    """Return the lower triangle of `squares + sign * rows.T @ rows`, in its place."""
    multiply = linalg.get_blas_funcs("syrk", dtype=squares.dtype)
    return multiply(sign, rows.T, beta=1, c=squares, lower=1, overwrite_c=1)


def solve(moments, shrinkage, without=None):
    """Return the discriminants of all folds, or of all but one.

    Each is a tuple of coefficients (n_cells, d), intercepts, and the source and the
    kind of copy of each cell: of the sources, and of the (source, copy) pairs if these
    are not the same.
    """
    parts = [fold for fold in range(len(moments.squares)) if fold != without]
    squares = sum(moments.squares[fold] for fold in parts)
    sums, totals = moments.sums[parts].sum(axis=0), moments.totals[parts].sum(axis=0)
    pairs = moments.owners
    pooled = _pool(pairs)
    sources = np.arange(pooled.shape[0])
    classes = [(pooled @ sums, pooled @ totals, sources, np.zeros_like(sources))]
    if not (classes[0][1] > 0).all():
        raise ValueError(
            "a fold of cv leaves no image of some source: take fewer folds, or more "
            "groups a source."
        )
    if len(pairs) > len(sources):
        used = totals > 0
        classes.append((sums[used], totals[used], pairs[used], moments.copies[used]))
    return [
        (*_solve_one(moments, squares, sums, totals, shrinkage), *labels)
        for sums, totals, *labels in classes
    ]


def _pool(owners):
    """Return the matrix that adds up what the cells of each source have."""
    return sparse.csr_array((np.ones(len(owners)), (owners, np.arange(len(owners)))))


def _solve_one(moments, squares, sums, totals, shrinkage):
    """Shrinkage LDA of classes with these sums: coefficients and intercepts."""
    means, centers, counts = sums / totals[:, np.newaxis], sums, totals
    if moments.way is not None:  # few rows: about the common mean, as in ridge
        centers, counts = sums.sum(axis=0)[np.newaxis], totals.sum(keepdims=True)
    roots = centers / np.sqrt(counts)[:, np.newaxis]
    within = squares.copy(order="F")
    within = _add_products(within, roots.astype(within.dtype), sign=-1)
    inverse = (1 / (moments.unit * np.ones(len(within)))).astype(within.dtype)
    within *= inverse[:, np.newaxis] / max(totals.sum() - len(counts), 1)
    within *= inverse
    level = within.trace(dtype=np.float64) / moments.n_columns
    within *= 1 - shrinkage
    within.flat[:: len(within) + 1] += shrinkage * (level if level > 0 else 1)
    factor = linalg.cho_factor(within, lower=True, overwrite_a=True, check_finite=False)
    scaled = (means * inverse).astype(within.dtype)
    coef = linalg.cho_solve(factor, scaled.T, check_finite=False).T
    return coef * inverse, -0.5 * np.einsum("kd,kd->k", coef, scaled, dtype=np.float64)


def choose_shrinkage(moments, members, folds, weights, shares, candidates):
    """Return the shrinkage of the least held-out log loss, and its temperatures.

    The loss is that of all rows, of which the kept ones stand for different shares.
    """
    best = (np.inf, None, None)
    for shrinkage in candidates:
        scores = np.empty((len(members), moments.owners.max() + 1))
        copies = np.empty(len(members), dtype=int)
        for fold in np.unique(folds):
            own = folds == fold
            solved = solve(moments, shrinkage, without=fold)
            scores[own], copies[own] = score_discriminants(moments.kept[own], solved)
        inverse = _fit_temperatures(scores, members, weights, copies, moments.copies)
        likelihoods = log_softmax(inverse[copies][:, np.newaxis] * scores, axis=1)
        loss = -(weights * shares) @ likelihoods[np.arange(len(members)), members]
        if loss < best[0]:
            best = (loss, shrinkage, inverse)
    return best[1:]


def _fit_temperatures(scores, members, weights, copies, kinds):
    """Return the inverse temperature of each kind of copy, or of all if it has few."""
    together = fit_temperature(scores, members, sample_weight=weights)
    inverse = np.full(kinds.max() + 1, together)
    for kind in np.unique(copies):
        own = copies == kind
        if weights[own].sum() >= FEWEST_KEPT:
            own_weights = weights[own]
            inverse[kind] = fit_temperature(
                scores[own], members[own], sample_weight=own_weights
            )
    return inverse


def restore(moments, discriminants):
    """Return the center and discriminants of the columns, also of rotated rows."""
    way = moments.way
    if way is None:
        return moments.center, discriminants
    found = []
    for coef, intercept, *labels in discriminants:
        found.append((_turn_back(coef, way) / way.scale, intercept, *labels))
    return way.center, found


def find_mean(moments):
    """Return the mean of the sources' means, in the columns."""
    pooled, way = _pool(moments.owners), moments.way
    sums, totals = moments.sums.sum(axis=0), moments.totals.sum(axis=0)
    mean = (pooled @ sums / (pooled @ totals)[:, np.newaxis]).mean(axis=0)
    if way is None:
        return moments.center + mean
    return way.center + _turn_back(mean[np.newaxis], way)[0] * way.scale


def _turn_back(rotated, way):
    """Return rows of scaled columns from where they were rotated to."""
    return linalg.solve_triangular(way.root, rotated.T, lower=True, trans="T").T @ (
        way.rows
    )


def score_rows(rows, state):
    center, discriminants = state
    return score_discriminants(as_rows(rows) - center, discriminants)


def score_discriminants(rows, discriminants):
    """Add the scores of the discriminants, each joined over the copies of a source.

    Return them, and the kind of copy that the last, the sharpest one, tells.
    """
    total = 0
    for coef, intercept, owners, copies in discriminants:  # noqa: B007
        scores = rows @ coef.T.astype(rows.dtype) + intercept
        total = total + _join(scores, owners)[0]
    joined, names = _join(scores, copies)
    return total, names[joined.argmax(axis=1)]


def _join(scores, labels):
    """Return the log mean exponential of the columns of each label, and the labels."""
    order = np.argsort(labels, kind="stable")
    names, starts, counts = np.unique(
        labels[order], return_index=True, return_counts=True
    )
    joined = np.logaddexp.reduceat(scores[:, order], starts, axis=1)
    return joined - np.log(counts), names

"""First and second moments of rows, by cell and by fold.

Rows are read once. The smallest class is a cell: a source in one condition.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from skfingerprint._attribution.condition_kinds import count_kinds, find_kinds
from skfingerprint._core import as_rows, iterate_blocks
from skfingerprint.thresholds import _count_effective

# A (source, condition) pair with fewer images has no mean worth a class of its own.
FEWEST = 8
# Rows kept to choose shrinkage and temperatures by: enough that a share of 1 % counts
# 40 of them, and few enough that all folds and shrinkages are scored in seconds.
MAX_KEPT = 4096
# Added to the products of dependent rows, relative to their mean square.
JITTER = 1e-9


@dataclass(frozen=True)
class Cells:
    """The classes of the sharpest discriminant: sources in one condition.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows,), int
        Cell of each row.
    owners : ndarray of shape (n_cells,), int
        Source of each cell.
    conditions : ndarray of shape (n_cells,), int
        Condition of each cell; 0 for a cell of several conditions with few images.
    """

    numbers: np.ndarray
    owners: np.ndarray
    conditions: np.ndarray


@dataclass(frozen=True)
class Rotation:
    """The space that fewer rows than columns span.

    With the Cholesky factor L of the products of the rows X, ``L L' = X X'``, the rows
    of L have the products of X in as many columns as there are rows.

    Attributes
    ----------
    root : ndarray of shape (n_rows, n_rows)
        The factor L.
    rows : ndarray of shape (n_rows, n_columns)
        The rows X, centered and scaled.
    center, scale : ndarray of shape (n_columns,)
        Mean and standard deviation of the columns before that.
    """

    root: np.ndarray
    rows: np.ndarray
    scale: np.ndarray
    center: np.ndarray

    def turn_back(self, rotated):
        """Return rows in scaled columns: ``X' L'^-1`` applied to each."""
        solved = linalg.solve_triangular(self.root, rotated.T, lower=True, trans="T")
        return solved.T @ self.rows


@dataclass(frozen=True)
class Moments:
    """First and second moments of rows, by fold and cell, and rows that are kept.

    The products are summed for each kind of conditions: noise and compression leave
    other variances within a source, which a discriminant of one kind does not mix.

    Attributes
    ----------
    center : ndarray of shape (d,) or 0
        Subtracted from rows before they are summed.
    unit : ndarray of shape (d,) or 1
        Standard deviation of the columns.
    squares : list of list of ndarray of shape (d, d)
        Lower triangles of the products of the rows of each fold and kind.
    sums : ndarray of shape (n_folds, n_cells, d)
        Weighted sums of rows.
    totals : ndarray of shape (n_folds, n_cells)
        Sums of weights.
    kept : ndarray of shape (n_kept, d)
        Kept rows, centered.
    cells : Cells
        The cells.
    kinds : ndarray of shape (n_conditions,), int
        Kind of each condition.
    n_columns : int
        Number of columns of the rows that were read; d with enough of them, and
        otherwise that of the rows of `rotation`.
    rotation : Rotation or None
        The space of d columns in which the moments are, if there are few rows.
    """

    center: np.ndarray | int
    unit: np.ndarray | int
    squares: list
    sums: np.ndarray
    totals: np.ndarray
    kept: np.ndarray
    cells: Cells
    kinds: np.ndarray
    n_columns: int
    rotation: Rotation | None

    @property
    def parts(self):
        """Sets of kinds with discriminants of their own: all of them, and each."""
        kinds = np.unique(self.kinds)
        return [kinds, *(kinds[:, np.newaxis] if len(kinds) > 1 else [])]


def find_scale(variances):
    """Return standard deviations, and 1 for columns that are constant."""
    # Rounding can make the variance of a constant column negative, or tiny beside the
    # others; dividing by it would make noise the strongest feature.
    scale = np.sqrt(np.maximum(variances, 0))
    return np.where(scale > 1e-6 * scale.max(initial=0), scale, 1)


def find_cells(members, conditions, weights):
    """Assign each row to the cell of its source and condition.

    Pairs with few images make one cell together with the other such pairs of their
    source.

    Parameters
    ----------
    members, conditions : ndarray of shape (n_rows,), int
        Source and condition of each row.
    weights : ndarray of shape (n_rows,)
        Weights.

    Returns
    -------
    cells : Cells
    """
    n_conditions = conditions.max() + 1
    pairs = members * n_conditions + conditions
    few = (_count_effective(weights, pairs) < FEWEST)[pairs]
    # Few images of a source share one condition behind the last.
    joined = np.where(few, n_conditions, conditions)
    _, first, numbers = np.unique(
        members * (n_conditions + 1) + joined, return_index=True, return_inverse=True
    )
    # A cell of several conditions counts as unprocessed.
    return Cells(numbers, members[first], np.where(few, 0, conditions)[first])


def draw_kept(weights, conditions):
    """Draw rows for shrinkage and temperatures, half of them unprocessed if possible.

    Parameters
    ----------
    weights : ndarray of shape (n_rows,)
        Weights; rows of weight 0 are not drawn.
    conditions : ndarray of shape (n_rows,), int
        Condition of each row, 0 for unprocessed.

    Returns
    -------
    places : ndarray of int
        Sorted indices.
    """
    # Unprocessed images are one condition of many, and the one that matters most.
    order = np.random.default_rng(0).permutation(np.flatnonzero(weights))
    unprocessed = conditions[order] == 0
    most = max(MAX_KEPT // 2, MAX_KEPT - np.count_nonzero(~unprocessed))
    kept = np.concatenate([order[unprocessed][:most], order[~unprocessed]])
    return np.sort(kept[:MAX_KEPT])


def read_moments(X, cells, folds, weights, kept, *, by_kind=False):
    """Read X once, and sum its moments.

    Fewer rows than columns are rotated into the space that they span, where the moments
    are small.

    Parameters
    ----------
    X : ndarray, dask array or source of blocks, of shape (n_rows, ...)
        The rows.
    cells : Cells
        Cell of each row.
    folds : ndarray of shape (n_rows,), int
        Fold of each row.
    weights : ndarray of shape (n_rows,)
        Weight of each row.
    kept : ndarray of int
        Sorted indices of the rows to keep.
    by_kind : bool, default=False
        Whether conditions are assigned to kinds.

    Returns
    -------
    moments : Moments
    """
    n_columns, rotation = math.prod(X.shape[1:]), None
    blocks, center, most = iterate_blocks(X), None, 1
    if X.shape[0] <= n_columns:
        rotation = _rotate([as_rows(block) for block, _ in blocks], weights)
        blocks, center = [(rotation.root, slice(0, len(rotation.root)))], 0
    elif by_kind:
        most = count_kinds(folds.max() + 1, n_columns)
    center, kinds, *given = _sum_moments(
        blocks, center, cells, folds, weights, kept, most
    )
    unit = 1 if rotation is not None else _find_unit(center, *given[:3])
    return Moments(center, unit, *given, cells, kinds, n_columns, rotation)


def _rotate(blocks, weights):
    """Center and scale few rows, and factorize their products."""
    rows = np.concatenate(blocks)
    center = np.average(rows, axis=0, weights=weights).astype(rows.dtype)
    rows = rows - center
    variances = np.average(np.square(rows), axis=0, weights=weights)
    _check_variances(variances, center)
    scale = find_scale(variances)
    rows /= scale.astype(rows.dtype)
    precise = rows.astype(np.float64)
    gram = precise @ precise.T
    gram.flat[:: len(gram) + 1] += JITTER * max(np.trace(gram) / len(gram), 1e-300)
    root = linalg.cholesky(gram, lower=True).astype(rows.dtype)
    return Rotation(root, rows, scale, center)


def _check_variances(variances, center):
    """Raise ValueError if no column varies by more than rounding about its mean."""
    rounding = 64 * np.finfo(center.dtype).eps
    if (variances <= np.square(rounding * center.astype(np.float64))).all():
        raise ValueError(
            "all rows of X are equal, so that no source differs from another: check "
            "that the images differ, and that none of them is one color alone."
        )


def _find_unit(center, squares, sums, totals):
    """Compute the standard deviation of each column from moments of all folds.

    Parameters
    ----------
    center, squares, sums, totals
        As in :class:`Moments`.
    """
    n_rows = totals.sum()
    means = sums.sum(axis=(0, 1)) / n_rows
    diagonals = [part.diagonal() for parts in squares for part in parts]
    powers = np.sum(diagonals, axis=0, dtype=np.float64)
    variances = powers / n_rows - np.square(means)
    _check_variances(variances, center)
    return find_scale(variances)


def _sum_moments(blocks, center, cells, folds, weights, kept, most):
    """Sum rows and their products in each fold.

    Parameters
    ----------
    blocks : iterable of (ndarray, slice)
        Blocks of rows, and their places.
    center : ndarray or 0 or None
        Subtracted from the rows; by default the mean of the first block, which keeps
        the sums of squares small in float32.
    cells : Cells
        Cell of each row.
    folds : ndarray of shape (n_rows,), int
        Fold of each row.
    weights : ndarray of shape (n_rows,)
        Weight of each row.
    kept : ndarray of int
        Sorted indices of the rows to keep.
    most : int
        Largest number of kinds.

    Returns
    -------
    center, kinds, squares, sums, totals, kept
        As in :class:`Moments`.
    """
    n_folds, n_cells = folds.max() + 1, len(cells.owners)
    numbers = folds * n_cells + cells.numbers
    totals = np.bincount(numbers, weights, n_folds * n_cells)
    totals = totals.reshape(n_folds, n_cells)
    conditions, squares, found = cells.conditions[cells.numbers], None, []
    for block, part in blocks:
        rows, condition = as_rows(block), conditions[part]
        center = rows.mean(axis=0) if center is None else center
        rows = rows - center
        if squares is None:
            kinds = find_kinds(rows, condition, _count_left(cells, totals), most)
            squares, sums = _make_sums(rows, n_folds, kinds.max() + 1, n_cells)
        inside = (kept >= part.start) & (kept < part.stop)
        found.append(rows[kept[inside] - part.start])
        # Products are summed by fold, so that moments without a fold are those of the
        # other folds: no row is read again to choose the shrinkage.
        for fold, kind in np.ndindex(len(squares), len(squares[0])):
            chosen = (folds[part] == fold) & (kinds[condition] == kind)
            own = np.flatnonzero(chosen)
            given = weights[part][own], (cells.numbers[part][own], np.arange(len(own)))
            sums[fold] += sparse.csr_array(given, (n_cells, len(own))) @ rows[own]
            roots = rows[own] * np.sqrt(given[0])[:, np.newaxis].astype(rows.dtype)
            squares[fold][kind] = add_products(squares[fold][kind], roots)
    return center, kinds, squares, sums, totals, np.concatenate(found)


def _count_left(cells, totals):
    """Return the weight of each source in each condition that any fold leaves.

    Parameters
    ----------
    cells : Cells
        The cells.
    totals : ndarray of shape (n_folds, n_cells)
        Sums of weights.

    Returns
    -------
    counts : ndarray of shape (n_sources, n_conditions)
    """
    counts = np.zeros((cells.owners.max() + 1, cells.conditions.max() + 1))
    left = (totals.sum(axis=0) - totals).min(axis=0)
    np.add.at(counts, (cells.owners, cells.conditions), left)
    return counts


def _make_sums(rows, n_folds, n_kinds, n_cells):
    """Return zeros for the products and the sums of such rows."""
    d = rows.shape[1]
    squares = [
        [np.zeros((d, d), rows.dtype, "F") for _ in range(n_kinds)]
        for _ in range(n_folds)
    ]
    return squares, np.zeros((n_folds, n_cells, d))


def add_products(squares, rows, sign=1):
    """Add `sign * rows.T @ rows` to the lower triangle of `squares`, in place."""
    # syrk computes one triangle of a symmetric product, half of the work of a GEMM.
    multiply = linalg.get_blas_funcs("syrk", dtype=squares.dtype)
    return multiply(sign, rows.T, beta=1, c=squares, lower=1, overwrite_c=1)

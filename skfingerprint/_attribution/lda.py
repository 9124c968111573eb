"""Linear discriminants from the second moments of rows, by class and by fold.

Rows are read once. All shrinkages, and all fits without a fold, are then solved from
their moments. The smallest class is a cell: a source in one condition.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse
from scipy.special import log_softmax

from skfingerprint._attribution.condition_kinds import count_kinds, find_kinds
from skfingerprint._core import as_rows, iterate_blocks
from skfingerprint.calibration import fit_temperature
from skfingerprint.thresholds import _count_effective

# A (source, condition) pair with fewer images has no mean worth a class of its own.
FEWEST = 8
# Rows kept to choose shrinkage and temperatures by: enough that a share of 1 % counts
# 40 of them, and few enough that all folds and shrinkages are scored in seconds.
MAX_KEPT = 4096
# A condition with fewer kept rows shares the temperature of all conditions.
FEWEST_KEPT = 50
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
            squares[fold][kind] = _add_products(squares[fold][kind], roots)
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


def _add_products(squares, rows, sign=1):
    """Add `sign * rows.T @ rows` to the lower triangle of `squares`, in place."""
    # syrk computes one triangle of a symmetric product, half of the work of a GEMM.
    multiply = linalg.get_blas_funcs("syrk", dtype=squares.dtype)
    return multiply(sign, rows.T, beta=1, c=squares, lower=1, overwrite_c=1)


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
    within = _add_products(within, roots.astype(within.dtype), sign=-1)
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

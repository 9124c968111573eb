"""Correlations of residuals with fingerprints of the other folds."""

import numpy as np

from skfingerprint._core import as_rows, score_blocks, sum_blocks
from skfingerprint.correlation import (
    _correlate_with,
    _find_common,
    _prepare_fingerprints,
)


def average_held_out(X, members, folds, sample_weight):
    """Average residuals to fingerprints, of all folds and without each fold.

    X is read once: sums of each fold give both.

    Parameters
    ----------
    X : ndarray or dask array of shape (n_samples, ...)
        Residuals.
    members, folds : ndarray of shape (n_samples,), int
        Class and fold of each residual.
    sample_weight : ndarray of shape (n_samples,)
        Weights in the means.

    Returns
    -------
    whole : ndarray of shape (n_classes, n_features)
        Means of all residuals.
    held_out : ndarray of shape (n_folds, n_classes, n_features)
        Means without each fold; means of all residuals if there is only one fold.
    totals : ndarray of shape (n_classes,)
        Sums of the weights in `whole`.
    """
    n_folds, n_classes = folds.max() + 1, members.max() + 1
    # A cell is a class in a fold; its sum is one row of the matrix product.
    cells = folds * n_classes + members
    # Weights of at most 1, so that no sum exceeds float32.
    largest = sample_weight.max()
    weights = np.equal.outer(np.arange(n_folds * n_classes), cells)
    weights = weights * (sample_weight / largest)
    sums = sum_blocks(X, weights).reshape(n_folds, n_classes, -1).astype(np.float64)
    counts = weights.sum(axis=1, dtype=np.float64).reshape(n_folds, n_classes, 1)
    totals = counts.sum(axis=0)
    total = sums.sum(axis=0)
    whole = (total / totals).astype(X.dtype)
    if n_folds == 1:
        return whole, whole[np.newaxis], totals[:, 0] * largest
    # Eq. 3 of Marra et al. without a fold: the sum of all residuals minus that of the
    # fold, divided by the same difference of the weights. If almost no weight is left,
    # the difference is mere rounding.
    left = totals - counts
    if not (left > 1e-9 * totals).all():
        raise ValueError(
            "a fold leaves no residual of some source to average: take fewer folds, or "
            "more groups a source."
        )
    return whole, ((total - sums) / left).astype(X.dtype), totals[:, 0] * largest


def correlate_held_out(X, held_out, folds, *, subtract_common=False):
    """Correlate residuals with fingerprints of the other folds.

    Parameters
    ----------
    X : ndarray or dask array of shape (n_samples, ...)
        Residuals.
    held_out : ndarray of shape (n_folds, n_fingerprints, n_features)
        Fingerprints without each fold.
    folds : ndarray of shape (n_samples,), int
        Fold of each residual.
    subtract_common : bool, default=False
        Whether to subtract the mean of the fingerprints first, as in
        :func:`~skfingerprint.correlation.correlation_matrix`.

    Returns
    -------
    correlations : ndarray of shape (n_samples, n_fingerprints)
        Correlations, in [-1, 1].
    """
    prepared = [
        _prepare_fingerprints(means, _find_common(means, subtract_common))
        for means in held_out
    ]
    return score_blocks(_correlate_by_fold, X, prepared, folds)


def _correlate_by_fold(residuals, prepared, folds):
    """Correlate the residuals of each fold with the fingerprints without it."""
    rows = as_rows(residuals)
    found = np.empty((len(rows), len(prepared[0].offsets)), dtype=rows.dtype)
    # A block of a lazy array need not hold residuals of all folds.
    for number in np.unique(folds):
        inside = folds == number
        found[inside] = _correlate_with(rows[inside], prepared[number])
    return found

"""Correlations of residuals with fingerprints that they are no part of."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import StratifiedKFold, check_cv

from skfingerprint._batches import flatten, is_lazy, sum_weighted
from skfingerprint.correlation import correlation_matrix


def find_folds(cv, y, groups=None):
    """Return the fold that holds out each sample.

    A number of folds is limited by the smallest class, so that each class has residuals
    left to average.
    """
    if isinstance(cv, Integral):
        names, counts = np.unique(y, return_counts=True)
        if cv < 2 or counts.min() < 2:
            smallest = names.tolist()[counts.argmin()]
            raise ValueError(
                f"cv must be >= 2, and each class needs at least 2 residuals; got "
                f"cv={cv} and {counts.min()} of class {smallest!r}."
            )
        splitter = StratifiedKFold(min(cv, counts.min()))
    else:
        splitter = check_cv(cv, y, classifier=True)
    folds = np.full(len(y), -1)
    for fold_number, (_, test) in enumerate(
        splitter.split(np.empty(len(y)), y, groups)
    ):
        if (folds[test] >= 0).any():
            folds[:] = -1
            break
        folds[test] = fold_number
    if (folds < 0).any():
        raise ValueError("cv must hold out each sample once.")
    return folds


def correlate_held_out(X, members, folds, *, subtract_common=False):
    """Correlate residuals with fingerprints of the folds that they are not in.

    Parameters
    ----------
    X : ndarray or dask array of shape (n_samples, ...)
        Residuals.
    members, folds : ndarray of shape (n_samples,), int
        Class and fold of each.
    subtract_common : bool, default=False
        As in :func:`~skfingerprint.correlation.correlation_matrix`.

    Returns
    -------
    correlations : ndarray of shape (n_samples, n_classes)
    """
    fingerprints = average_held_out(X, members, folds)

    def correlate(rows, row_folds):
        found = np.empty((len(rows), fingerprints.shape[1]), dtype=rows.dtype)
        for number in np.unique(row_folds):
            inside = row_folds == number
            found[inside] = correlation_matrix(
                rows[inside], fingerprints[number], subtract_common=subtract_common
            )
        return found

    return apply_with_labels(correlate, X, folds)


def average_held_out(X, members, folds):
    """Return the fingerprints without each fold, (n_folds, n_classes, n_features)."""
    n_folds, n_classes = folds.max() + 1, members.max() + 1
    cells = folds * n_classes + members
    weights = np.equal.outer(np.arange(n_folds * n_classes), cells)
    sums = sum_weighted(X, weights).astype(np.float64)
    sums = sums.reshape(n_folds, n_classes, -1)
    counts = weights.sum(axis=1).reshape(n_folds, n_classes, 1)
    left = counts.sum(axis=0) - counts
    if not left.all():
        raise ValueError(
            "a fold leaves no residual of some source to average: take fewer folds, or "
            "more groups a source."
        )
    return ((sums.sum(axis=0) - sums) / left).astype(X.dtype)


def apply_with_labels(function, X, labels):
    """Return `function(rows, labels)` in memory, block by block of a dask array."""
    if not is_lazy(X):
        return function(flatten(X), labels)
    ends = np.cumsum(X.chunks[0])
    parts = [
        function(flatten(np.asarray(X[end - size : end])), labels[end - size : end])
        for size, end in zip(X.chunks[0], ends, strict=True)
    ]
    return np.concatenate(parts)

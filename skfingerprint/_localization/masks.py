"""Thresholds of score maps, at a stated pixel false-alarm rate."""

import numpy as np

from skfingerprint.thresholds import _weighted_quantile


def find_thresholds(scores, members, weights, rate):
    """Return the score from which on a pixel is taken for a source's.

    It is the quantile of the scores of the background, but no less than half-way
    between the medians of background and source, where half of a window lies inside of
    a part: of several classes, between those that are nearest to each other.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
        Held-out scores of places in images that are of one class altogether.
    members : ndarray of shape (n,), int
        The class of each.
    weights : ndarray of shape (n,)
        Weights of these.
    rate : float
        Share of the scores of a background that may lie above.

    Returns
    -------
    thresholds : ndarray of shape (n_classes + 1, n_classes + 1)
        For the score of the class of a row, less that of the class of a column. The
        last row and the last column are any class, which have no score. NaN where both
        are the same.
    """
    n_classes = scores.shape[1]
    thresholds = np.full((n_classes + 1,) * 2, np.nan)
    for row, column in np.ndindex(thresholds.shape):
        if row == column:
            continue
        contrast = np.zeros(len(scores))
        contrast += scores[:, row] if row < n_classes else 0
        contrast -= scores[:, column] if column < n_classes else 0
        own, null = _find_sides(row, column, n_classes)
        below = np.isin(members, null)
        quantile = _weighted_quantile(contrast[below], 1 - rate, weights[below])
        medians = [
            _weighted_quantile(contrast[part], 0.5, weights[part])
            for part in (members == number for number in range(n_classes))
        ]
        middle = (min(np.take(medians, own)) + max(np.take(medians, null))) / 2
        thresholds[row, column] = max(quantile, middle)
    return thresholds


def _find_sides(row, column, n_classes):
    """Return the classes that are looked for, and those of the background."""
    classes = np.arange(n_classes)
    own = [row] if row < n_classes else np.delete(classes, column)
    return own, [column] if column < n_classes else np.delete(classes, row)

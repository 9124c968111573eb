"""Thresholds of score maps, at a stated pixel false-alarm rate."""

import numpy as np

from skfingerprint.thresholds import _weighted_quantile


def find_thresholds(scores, members, weights, rate):
    """Compute the score from which on a pixel is assigned to a source.

    The threshold is the quantile of the scores of the background that a share `rate`
    exceeds, or the middle between the medians of background and source if that is
    larger.

    Parameters
    ----------
    scores : ndarray of shape (n_places, n_classes)
        Held-out scores of places in images that come from one class as a whole.
    members : ndarray of shape (n_places,), int
        Class of each place.
    weights : ndarray of shape (n_places,)
        Weight of each place.
    rate : float
        Share of the scores of a background that may exceed the threshold.

    Returns
    -------
    thresholds : ndarray of shape (n_classes + 1, n_classes + 1)
        Thresholds of the score of the class of a row, less that of the class of a
        column. The last row and the last column stand for any class, which does not
        have a score. NaN where both are the same.
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
        # At the border of a part, half of the window lies inside of it. If scores are
        # linear in that share, the score there is the middle of the two medians: a
        # lower threshold would enlarge parts. With several classes on a side, the class
        # nearest to the other side counts.
        middle = (min(np.take(medians, own)) + max(np.take(medians, null))) / 2
        thresholds[row, column] = max(quantile, middle)
    return thresholds


def _find_sides(row, column, n_classes):
    """Return the classes that are searched for, and the classes of the background.

    Parameters
    ----------
    row, column : int
        Different indices of a threshold; `n_classes` stands for any class.
    n_classes : int
        Number of classes.

    Returns
    -------
    own, null : list or ndarray of int
    """
    classes = np.arange(n_classes)
    # "Any source" is each class but the background, and the reverse.
    own = [row] if row < n_classes else np.delete(classes, column)
    return own, [column] if column < n_classes else np.delete(classes, row)

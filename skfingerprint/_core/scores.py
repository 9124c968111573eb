"""Check scores of images, and likelihood ratios, against the images' sources."""

import numpy as np
from sklearn.utils import check_consistent_length

from skfingerprint._core.checks import shorten


def check_scores(y_true, scores, classes):
    """Validate labels, scores and classes, and return them as arrays.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Source of each image.
    scores : array-like of shape (n_samples, n_classes)
        Score of each image for each source.
    classes : array-like of shape (n_classes,)
        Source of each column.

    Returns
    -------
    y_true, scores, classes : ndarray
    """
    y_true, scores, classes = map(np.asarray, (y_true, scores, classes))
    if y_true.ndim != 1:
        raise ValueError(
            f"y_true must have shape (n_samples,), got {y_true.shape}: the order of "
            "arguments is (y_true, scores, classes)."
        )
    if scores.shape != (len(y_true), len(classes)):
        raise ValueError(
            "scores must have shape (n_samples, n_classes) = "
            f"{len(y_true), len(classes)}, got {scores.shape}."
        )
    return y_true, scores, classes


def check_ratios(y_true, log10_ratios):
    """Return a mask of the images that the source made, and the log10 ratios."""
    y_true, logs = map(np.asarray, (y_true, log10_ratios))
    check_consistent_length(y_true, logs)
    if logs.ndim != 1 or y_true.ndim != 1 or np.isnan(logs.astype(float)).any():
        raise ValueError(
            "y_true and log10_ratios must be of shape (n_samples,), without NaN: a "
            "detector that knows nothing of other sources gives no likelihood ratios."
        )
    if not np.array_equal(np.unique(y_true), [0, 1]):
        raise ValueError(
            "y_true must hold both True, for images that the source made, and False, "
            f"for all others, got {shorten(np.unique(y_true).tolist())}."
        )
    return y_true.astype(bool), logs.astype(float)

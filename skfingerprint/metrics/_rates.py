"""Error rates of scores."""

import numpy as np

from skfingerprint._core import shorten


def equal_error_rate(y_true, scores):
    """Compute the rate at which false alarms and misses are equally frequent.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True (or 1) for images of the source in question.
    scores : array-like of shape (n_samples,)
        Scores, higher for the source in question.

    Returns
    -------
    rate : float
        Rate in 0..1, interpolated between the points of the ROC curve.

    Examples
    --------
    >>> from skfingerprint.metrics import equal_error_rate
    >>> equal_error_rate([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 6, 4, 5, 7, 8])
    0.25
    """
    from sklearn.metrics import roc_curve

    false_alarms, hits, _ = roc_curve(y_true, scores, drop_intermediate=False)
    # Misses minus false alarms fall from 1 to -1 along the curve, and cross 0 once.
    difference = 1 - hits - false_alarms
    return float(np.interp(0, -difference, false_alarms))


def true_positive_rate_at(y_true, scores, *, false_positive_rate):
    """Compute the largest detection rate within a given false-alarm rate.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True (or 1) for images of the source in question.
    scores : array-like of shape (n_samples,)
        Scores, higher for the source in question.
    false_positive_rate : float
        Largest false-alarm rate, in 0..1. Below one over the number of negatives, a
        single false alarm is one too many.

    Returns
    -------
    rate : float
        True positive rate in 0..1.

    Examples
    --------
    >>> from skfingerprint.metrics import true_positive_rate_at
    >>> y_true, scores = [0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 6, 4, 5, 7, 8]
    >>> true_positive_rate_at(y_true, scores, false_positive_rate=0.1)
    0.5

    In a cross-validation, or a search, of one source against the others:

    >>> from sklearn.metrics import make_scorer
    >>> from sklearn.model_selection import cross_val_score
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(120, 3, strength=2, random_state=0)
    >>> residuals = ResidualExtractor().transform(images)
    >>> scorer = make_scorer(
    ...     true_positive_rate_at,
    ...     response_method="decision_function",
    ...     false_positive_rate=0.01,
    ... )
    >>> cross_val_score(
    ...     FingerprintClassifier(), residuals, y == 0, scoring=scorer, cv=3).round(2)
    array([0.77, 0.54, 0.79])
    """
    from sklearn.metrics import roc_curve

    if not 0 <= false_positive_rate <= 1:
        raise ValueError(
            f"false_positive_rate must lie in 0..1, got {shorten(false_positive_rate)}."
        )
    # All points are kept: a dropped one may be the last within the rate.
    false_alarms, hits, _ = roc_curve(y_true, scores, drop_intermediate=False)
    return float(hits[false_alarms <= false_positive_rate].max())

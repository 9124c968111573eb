"""Check labels, weights and background before an estimator learns."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from skfingerprint._core.checks import shorten
from skfingerprint._core.validation import validate_images


def to_decision(scores: np.ndarray) -> np.ndarray:
    """Return scores of classes as a `decision_function` does, two classes as one."""
    return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


def validate_known(
    estimator: BaseEstimator, X: Any, y: Any, **single: bool
) -> tuple[Any, np.ndarray]:
    """Validate the input of the `fit` of a detector.

    Parameters
    ----------
    estimator : estimator
        The detector.
    X : array-like
        Rows or residuals; at least two.
    y : array-like of shape (n_samples,) or None
        Sources. Without them all labels are 0.
    **single : bool
        Further arguments of :func:`validate_images` if there is a single source.

    Returns
    -------
    X : ndarray, dask array or source of blocks
    y : ndarray of shape (n_samples,)
    """
    if y is None:
        X = validate_images(estimator, X, reset=True, **single)
        y = np.zeros(len(X), dtype=int)
    else:
        X, y = validate_images(estimator, X, y, reset=True)
    if len(X) < 2:
        raise ValueError("the threshold needs at least 2 samples, got 1 sample.")
    return X, y


def check_training(
    estimator: BaseEstimator, X: Any, y: np.ndarray, sample_weight: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Set `classes_`, and check that each class has some weight.

    Parameters
    ----------
    estimator : estimator
        Gets the attribute.
    X : array-like
        Validated input.
    y : ndarray of shape (n_samples,)
        Labels.
    sample_weight : array-like of shape (n_samples,) or None
        Weights, by default 1.

    Returns
    -------
    members : ndarray of shape (n_samples,), int
        Number of the class of each sample.
    weights : ndarray of shape (n_samples,)
    """
    check_classification_targets(y)
    estimator.classes_, members = np.unique(y, return_inverse=True)
    weights = check_weights(y, sample_weight)
    totals = np.bincount(members, weights)
    check_totals(totals)
    check_weighed(totals, estimator.classes_)
    return members, weights


def find_background(y: np.ndarray, background: Any) -> np.ndarray:
    """Return a mask of the labels that are the background, images without a source."""
    if background is None:
        return np.zeros(len(y), dtype=bool)
    found = y == background
    if not found.any() or found.all():
        raise ValueError(
            f"background={shorten(background)} must be the label of some images, and "
            f"not of all; y holds {shorten(np.unique(y).tolist())}."
        )
    return found


def hide_background(y: np.ndarray, background: Any) -> tuple[np.ndarray, np.ndarray]:
    """Give the background the label of a source, so that it is not a class.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    background : label or None
        Label of images without a source.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Labels of sources alone.
    is_background : ndarray of shape (n_samples,), bool
    """
    is_background = find_background(y, background)
    return np.where(is_background, y[~is_background][:1], y), is_background


def check_weighed(totals: np.ndarray, classes: np.ndarray) -> None:
    """Raise ValueError if the weights of all samples of a class are 0."""
    if not totals.all():
        empty = classes[totals == 0].tolist()
        raise ValueError(f"sample_weight is 0 in all of class {shorten(empty)}.")


def check_known(y: np.ndarray, classes: np.ndarray) -> None:
    """Raise ValueError for labels beside the classes of a fingerprint classifier."""
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"y holds {shorten(unknown.tolist())}, which are not among the classes "
            f"{shorten(classes.tolist())}: `add_sources(X, y)` adds new ones, and "
            "partial_fit takes those of its first call."
        )


def check_classes(classes: np.ndarray, remedy: str = "") -> None:
    """Raise ValueError for fewer than two classes; the remedy ends the message."""
    if len(classes) < 2:
        raise ValueError(
            "attribution needs at least 2 classes, got one class: "
            f"{shorten(classes.tolist())}. "
            "Add images of another source, or real photographs as a class of their "
            f"own{remedy}."
        )


def check_totals(totals: np.ndarray) -> None:
    """Raise ValueError for sums of weights that are not finite."""
    if not np.isfinite(totals).all():
        raise ValueError(
            "sample_weight must have a finite sum: divide all weights by the largest."
        )


def relate_weights(weights: np.ndarray) -> np.ndarray:
    """Return weights relative to the mean of the ones that are not 0.

    Fits whose penalty or number of images counts beside the weights do not depend on
    the unit of these then.
    """
    # The largest weight becomes 1 first, so that no sum exceeds float64, and so that
    # equal weights become exactly 1.
    weights = weights / weights.max()
    return weights / weights[weights > 0].mean()


def check_weights(y: np.ndarray, sample_weight: Any) -> np.ndarray:
    """Return float64 weights of samples, all 1 without any."""
    if np.ma.is_masked(sample_weight):
        raise ValueError("sample_weight is masked: pass `sample_weight.filled(0)`.")
    return _check_sample_weight(
        sample_weight, y, dtype=np.float64, ensure_non_negative=True
    )

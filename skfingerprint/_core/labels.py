"""Check labels and weights before an estimator learns."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from skfingerprint._core.validation import validate_images


def to_decision(scores):
    """Return scores of classes as a `decision_function` does, of two by one column."""
    return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


def validate_known(estimator, X, y, **of_one):
    """Check what a detector learns from; return X and labels, all alike without y.

    `of_one` is what :func:`validate_images` should know if there is one source.
    """
    if y is None:
        X = validate_images(estimator, X, reset=True, **of_one)
        y = np.zeros(len(X), dtype=int)
    else:
        X, y = validate_images(estimator, X, y, reset=True)
    if len(X) < 2:
        raise ValueError("the threshold needs at least 2 samples, got 1 sample.")
    return X, y


def check_training(estimator, X, y, sample_weight):
    """Set the classes; return the class and the weight of each residual."""
    check_classification_targets(y)
    estimator.classes_, members = np.unique(y, return_inverse=True)
    weights = check_weights(y, sample_weight)
    totals = np.bincount(members, weights)
    check_totals(totals)
    check_weighed(totals, estimator.classes_)
    return members, weights


def find_background(y, background):
    """Return which labels are those of no source."""
    if background is None:
        return np.zeros(len(y), dtype=bool)
    found = y == background
    if not found.any() or found.all():
        raise ValueError(
            f"background={background!r} must be the label of some images, and not of "
            f"all; y holds {np.unique(y).tolist()[:20]}."
        )
    return found


def hide_background(y, background):
    """Return labels, of which the background has one of a source, and where it is."""
    is_background = find_background(y, background)
    return np.where(is_background, y[~is_background][:1], y), is_background


def check_weighed(totals, classes):
    """Refuse classes of which no residual has a weight."""
    if not totals.all():
        empty = classes[totals == 0].tolist()
        raise ValueError(f"sample_weight is 0 in all of class {empty}.")


def check_classes(y, classes):
    """Refuse labels that are not among the classes, and fewer than two classes."""
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"y holds {unknown.tolist()}, which are not among the classes "
            f"{classes.tolist()}. Pass all classes in the first call to partial_fit."
        )
    if len(classes) < 2:
        raise ValueError(
            f"attribution needs at least 2 classes, got one class: {classes.tolist()}. "
            "Add images of another source, or real photographs as a class of their own."
        )


def check_totals(totals):
    """Refuse sums of weights that are not finite."""
    if not np.isfinite(totals).all():
        raise ValueError(
            "sample_weight must have a finite sum: divide all weights by the largest."
        )


def check_weights(y, sample_weight):
    """Return weights of residuals, float64, all 1 without any."""
    return _check_sample_weight(
        sample_weight, y, dtype=np.float64, ensure_non_negative=True
    )

"""Split estimators into the steps before their last, and score images by both."""

from skfingerprint._core import split_last, transform_by


def split(estimator):
    """Split a pipeline or a search into the steps before the last, and the last.

    Parameters
    ----------
    estimator : estimator
        Fitted pipeline, search or bare estimator.

    Returns
    -------
    steps : list of transformers
        Steps before the last one; empty for a bare estimator.
    last : estimator
    """
    return split_last(estimator, ("best_estimator_",))


def check_has(estimator, attribute):
    """Raise ValueError unless a FingerprintClassifier's attribute is present."""
    if not hasattr(estimator, attribute):
        raise ValueError(
            "estimator must be a fitted FingerprintClassifier, or a fitted pipeline or "
            f"search that ends with one, got {type(estimator).__name__}."
        )


def correlate(estimator, X):
    """Score images against each fingerprint by the classifier of an estimator.

    Parameters
    ----------
    estimator : FingerprintClassifier, Pipeline or search
        Fitted estimator.
    X : array-like
        Images, or residuals for a bare classifier.

    Returns
    -------
    scores : ndarray of shape (n_samples, n_classes)
        Scores for each class, also with two classes.
    classifier : FingerprintClassifier
        Classifier at the end.
    """
    steps, classifier = split(estimator)
    check_has(classifier, "correlate")
    return classifier.correlate(transform_by(steps, X)), classifier

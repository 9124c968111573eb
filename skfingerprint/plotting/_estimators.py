"""What stands before the fingerprint classifier of an estimator, and its scores."""

from sklearn.pipeline import Pipeline


def split(estimator):
    """Return what comes before the last step (or None), and the last step."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return None, estimator
    return estimator[:-1] if len(estimator) > 1 else None, estimator[-1]


def check_has(estimator, attribute):
    """Refuse what has no fingerprints, or doesn't correlate with them."""
    if not hasattr(estimator, attribute):
        raise ValueError(
            "estimator must be a fitted FingerprintClassifier, or a fitted pipeline or "
            f"search that ends with one, got {type(estimator).__name__}."
        )


def correlate(estimator, X):
    """Return scores of each class, two classes included, and the classifier."""
    before, classifier = split(estimator)
    check_has(classifier, "correlate")
    residuals = X if before is None else before.transform(X)
    return classifier.correlate(residuals), classifier

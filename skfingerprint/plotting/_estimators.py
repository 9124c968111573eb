"""What stands before the fingerprint classifier of an estimator, and its scores."""

from sklearn.pipeline import Pipeline


def split(estimator):
    """Return what comes before the fingerprint classifier (or None), and that."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    before = None
    if isinstance(estimator, Pipeline):
        before, estimator = estimator[:-1], estimator[-1]
    if not hasattr(estimator, "fingerprints_"):
        raise ValueError(
            "estimator must be a fitted FingerprintClassifier, or a fitted pipeline or "
            f"search that ends with one, got {type(estimator).__name__}."
        )
    return before, estimator


def correlate(estimator, X):
    """Correlations with each fingerprint, two classes included, and the classes."""
    before, classifier = split(estimator)
    residuals = X if before is None else before.transform(X)
    return classifier._correlate(residuals), classifier.classes_

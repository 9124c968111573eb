"""Split estimators into the steps before their last, and score images by both."""

from skfingerprint._core import split_last, transform_by


def split(estimator):
    """Return the steps before the last one of a pipeline or a search, and that one."""
    return split_last(estimator, ("best_estimator_",))


def check_has(estimator, attribute):
    """Raise ValueError unless the estimator has the attribute of a fingerprint's."""
    if not hasattr(estimator, attribute):
        raise ValueError(
            "estimator must be a fitted FingerprintClassifier, or a fitted pipeline or "
            f"search that ends with one, got {type(estimator).__name__}."
        )


def correlate(estimator, X):
    """Return scores of each class, two classes included, and the classifier."""
    steps, classifier = split(estimator)
    check_has(classifier, "correlate")
    return classifier.correlate(transform_by(steps, X)), classifier

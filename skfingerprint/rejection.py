"""Names, or none of the known: a classifier and a detector as one classifier."""

import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from skfingerprint._base import (
    Estimator,
    all_or_nothing,
    copy_shape,
    share_metadata,
)


class RejectingClassifier(MetaEstimatorMixin, ClassifierMixin, Estimator):
    """Name the source of an image, or answer that it is none of the known ones.

    Both parts are fitted on the same images: the detector says whether a source is
    known, and the classifier which. "unknown" is an answer like any other for
    scikit-learn's metrics, if the true labels of such images say so.

    Parameters
    ----------
    classifier : classifier
        Names the source, such as a pipeline that ends with a FingerprintClassifier, or
        that of :func:`make_attribution_pipeline`.
    detector : outlier detector
        Its `predict` gives 1 for known sources and -1 for others, such as a pipeline
        that ends with a FingerprintDetector.
    unknown_label : label, default="unknown"
        The answer for other sources, of the type of the labels.

    Attributes
    ----------
    classifier_ : classifier
        The fitted one.
    detector_ : outlier detector
        The fitted one.
    classes_ : ndarray of shape (n_classes,)
        The known sources, without `unknown_label`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import (
    ...     FingerprintClassifier, FingerprintDetector, RejectingClassifier,
    ...     ResidualExtractor)
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(200, 5, strength=5, random_state=0)
    >>> names = np.array(["a", "b", "c", "d", "unknown"])[y]
    >>> fit = (np.arange(200) < 100) & (y < 4)
    >>> model = RejectingClassifier(
    ...     make_pipeline(ResidualExtractor(), FingerprintClassifier()),
    ...     make_pipeline(ResidualExtractor(), FingerprintDetector()),
    ... ).fit(images[fit], names[fit])
    >>> model.predict(images[100:105]).tolist() == names[100:105].tolist()
    True
    >>> print(f"{model.score(images[100:], names[100:]):.2f}")
    0.98
    """

    def __init__(self, classifier, detector, *, unknown_label="unknown"):
        self.classifier = classifier
        self.detector = detector
        self.unknown_label = unknown_label

    @all_or_nothing
    def fit(self, X, y, groups=None, sample_weight=None, **params):
        """Fit the classifier and the detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images of known sources, or residuals, as the two parts take them.
        y : array-like of shape (n_samples,)
            Sources.
        groups : array-like of shape (n_samples,), default=None
            What each image shows, for the parts that take it.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, for the parts that take them.
        **params : dict
            Further metadata, if metadata routing is enabled and a part requests them.

        Returns
        -------
        self : RejectingClassifier
        """
        parts = {"classifier": self.classifier, "detector": self.detector}
        shared = share_metadata(
            self, parts, groups=groups, sample_weight=sample_weight, **params
        )
        self.classifier_ = clone(self.classifier).fit(X, y, **shared["classifier"])
        if self.unknown_label in self.classifier_.classes_.tolist():
            raise ValueError(
                f"y holds unknown_label={self.unknown_label!r}. Fit on known sources "
                "only, or choose another unknown_label."
            )
        self.detector_ = clone(self.detector).fit(X, y, **shared["detector"])
        self.classes_ = self.classifier_.classes_
        copy_shape(self, self.classifier_)
        return self

    def predict(self, X):
        """Name the source of each image, or give `unknown_label`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images or residuals, as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        unknown = np.array([self.unknown_label])
        y = self.classifier_.predict(X)
        y = y.astype(np.result_type(y.dtype, unknown.dtype))
        y[self.detector_.predict(X) == -1] = self.unknown_label
        return y

    def get_metadata_routing(self):
        """Return what the two parts request.

        Returns
        -------
        routing : :class:`~sklearn.utils.metadata_routing.MetadataRouter`
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(
            classifier=self.classifier, detector=self.detector, method_mapping=mapping
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.classifier).input_tags
        # What it rejects is not what its training labels say.
        tags.classifier_tags.poor_score = True
        return tags

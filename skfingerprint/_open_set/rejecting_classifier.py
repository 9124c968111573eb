"""Names, or none of the known: a classifier and a detector as one classifier."""

import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, _safe_indexing, column_or_1d, get_tags
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skfingerprint._attribution import SourceDiscriminant
from skfingerprint._core import (
    BlockSource,
    Estimator,
    all_or_nothing,
    at_once,
    check_labels,
    copy_shape,
    find_background,
    keep_rows,
    read_blocks,
    share_metadata,
)
from skfingerprint._open_set.source_detector import (
    SourceDetector,
    draw_training,
    draws_rows,
)


class RejectingClassifier(MetaEstimatorMixin, ClassifierMixin, Estimator):
    """Name the source of an image, or answer that it is none of the known ones.

    Both parts are fitted on the same rows or images: the detector says whether a source
    is known, and the classifier which. "unknown" is an answer like any other for
    scikit-learn's metrics, if the true labels of such images say so.

    Parameters
    ----------
    classifier : classifier, default=None
        Names the source. By default a :class:`SourceDiscriminant` of feature rows; or
        such as a pipeline that ends with a FingerprintClassifier. A single source needs
        none if the detector has a `miss_rate`.
    detector : outlier detector, default=None
        Its `predict` gives 1 for known sources and -1 for others. By default a
        :class:`SourceDetector` of feature rows; or such as a pipeline that ends with a
        FingerprintDetector. Rows of its `background`, if it has one, are no business of
        the classifier.
    unknown_label : label, default="auto"
        The answer for other sources: "unknown" among labels that are text, and among
        numbers -1, or one less than the least of them if that is taken.

    Attributes
    ----------
    classifier_ : classifier
        The fitted one.
    detector_ : outlier detector
        The fitted one.
    classes_ : ndarray of shape (n_classes,)
        The known sources, without the label for unknown ones.
    unknown_label_ : label
        The answer for other sources.

    See Also
    --------
    make_attribution_pipeline : Composes it by `false_alarm_rate` or `miss_rate`.

    Notes
    -----
    There is no probability of "unknown": it would depend on how many images of other
    sources there are. :meth:`assess` gives what is known.

    Examples
    --------
    >>> from skfingerprint import AttributionFeatures, RejectingClassifier
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(300, 6, strength=8, random_state=0)
    >>> X = AttributionFeatures().fit_transform(images)
    >>> names = np.array(["a", "b", "c", "d", "e", "unknown"])[y]
    >>> fit = (np.arange(300) < 150) & (y < 5)
    >>> model = RejectingClassifier().fit(X[fit], names[fit])
    >>> print(f"{model.score(X[150:], names[150:]):.2f}")
    1.00
    >>> answers = model.assess(X[150:152])
    >>> names[150:152].tolist(), answers.source.tolist(), answers.known.tolist()
    (['a', 'unknown'], ['a', 'd'], [True, False])

    With pandas, ``pandas.DataFrame(model.assess(X))``.
    """

    # Handed on to the parts, whose requests decide.
    __metadata_request__fit = dict.fromkeys(
        ("conditions", "groups", "sample_weight"), UNUSED
    )

    def __init__(self, classifier=None, detector=None, *, unknown_label="auto"):
        self.classifier = classifier
        self.detector = detector
        self.unknown_label = unknown_label

    @all_or_nothing
    def fit(self, X, y, *, conditions=None, groups=None, sample_weight=None, **params):
        """Fit the classifier and the detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Of known sources, and of the background if the detector has one: features,
            residuals or images, as the two parts take them.
        y : array-like of shape (n_samples,)
            Sources.
        copies : array-like of shape (n_samples,), default=None
            Which kind of copy each row is of, for the parts that take it.
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
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None.")
        check_labels(y)
        y = column_or_1d(y, warn=True)
        classifier, detector = map(clone, self._get_parts())
        is_background = find_background(y, getattr(detector, "background", None))
        self.classes_ = np.unique(y[~is_background])
        self.unknown_label_ = _check_unknown_label(self.unknown_label, self.classes_)
        if hasattr(detector, "check_rates"):
            detector.check_rates(len(self.classes_))
        can_miss = getattr(detector, "miss_rate", None) is not None
        can_miss |= isinstance(detector, SourceDetector) and is_background.any()
        if len(self.classes_) == 1 and can_miss:
            classifier = DummyClassifier()
        parts = {"classifier": classifier, "detector": detector}
        metadata = {"groups": groups, "sample_weight": sample_weight, **params}
        if any(has_fit_parameter(part, "conditions") for part in parts.values()):
            metadata["conditions"] = copies
        shared = share_metadata(self, parts, **metadata)
        _fit_parts(classifier, detector, X, y, is_background, shared)
        self.classifier_, self.detector_ = classifier, detector
        copy_shape(self, self.detector_, self.classifier_)
        return self

    @at_once
    def predict(self, X):
        """Name the source of each image, or give the label for unknown ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Features, residuals or images, as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        unknown = np.array([self.unknown_label_])
        y = self.classifier_.predict(X)
        y = y.astype(np.result_type(y.dtype, unknown.dtype))
        y[self.detector_.predict(X) == -1] = self.unknown_label_
        return y

    @at_once
    def assess(self, X):
        """Say of each image what is known: for decisions at any rate, without a fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Features, residuals or images, as in `fit`.

        Returns
        -------
        answers : Bunch
            Of arrays of shape (n_samples,): `source`, the likeliest of the known ones;
            `known`, whether `predict` names it; `probability` of the source, given that
            it is one of the known ones (NaN if the classifier has none); and
            `false_alarm_probability`, the share of images of other sources that score
            as high (NaN if the detector does not know). To name sources at a rate r,
            take those of which the latter is at most r.
        """
        check_is_fitted(self)
        if hasattr(self.classifier_, "predict_proba"):
            probabilities = self.classifier_.predict_proba(X)
            source = self.classes_[probabilities.argmax(axis=1)]
            probability = probabilities.max(axis=1)
        else:
            source = self.classifier_.predict(X)
            probability = np.full(len(source), np.nan)
        known = self.detector_.predict(X) == 1
        last = self.detector_
        if isinstance(last, Pipeline):
            X, last = last[:-1].transform(X), last[-1]
        share = np.full(len(source), np.nan)
        if hasattr(last, "false_alarm_probability"):
            share = last.false_alarm_probability(X)
        return Bunch(
            source=source,
            known=known,
            probability=probability,
            false_alarm_probability=share,
        )

    def get_metadata_routing(self):
        """Return what the two parts request.

        Returns
        -------
        routing : :class:`~sklearn.utils.metadata_routing.MetadataRouter`
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        classifier, detector = self._get_parts()
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(
            classifier=classifier, detector=detector, method_mapping=mapping
        )

    def _get_parts(self):
        return (
            SourceDiscriminant() if self.classifier is None else self.classifier,
            SourceDetector() if self.detector is None else self.detector,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._get_parts()[0]).input_tags
        # What it rejects is not what its training labels say.
        tags.classifier_tags.poor_score = True
        return tags


def _check_unknown_label(label, classes):
    """Return the label for unknown sources; it must be new, and of the labels' type."""
    names = classes.tolist()
    is_text = all(isinstance(name, str) for name in names)
    if isinstance(label, str) and label == "auto":
        label = "unknown" if is_text else min(-1, min(names) - 1)
    if isinstance(label, str) != is_text:
        raise ValueError(
            f"unknown_label={label!r} must be {'text' if is_text else 'a number'}, as "
            "the labels in y are."
        )
    if label in names:
        raise ValueError(
            f"y holds unknown_label={label!r}. Fit on known sources only, or choose "
            "another unknown_label."
        )
    return label


def _fit_parts(classifier, detector, X, y, is_background, shared):
    """Fit both; what is computed when it is read is read once."""
    rows, labels, given = X, y, shared["detector"]
    if isinstance(X, BlockSource) and not isinstance(classifier, DummyClassifier):
        if has_fit_parameter(classifier, "conditions") and draws_rows(detector):
            taken = draw_training(detector, y, **given)
            X, rows = keep_rows(X, taken)
            labels, given = y[taken], {k: v[taken] for k, v in given.items()}
        else:
            X = rows = read_blocks(X)
    _fit_classifier(classifier, detector, X, y, is_background, shared["classifier"])
    detector.fit(rows, labels, **given)


def _fit_classifier(classifier, detector, X, y, is_background, given):
    """Fit a classifier without the background."""
    if not is_background.any():
        pass
    elif "background" in classifier.get_params():
        classifier.set_params(background=detector.background)
    else:
        X = read_blocks(X) if isinstance(X, BlockSource) else X
        used = np.flatnonzero(~is_background)
        X, y = _safe_indexing(X, used), y[used]
        given = {name: _safe_indexing(value, used) for name, value in given.items()}
    classifier.fit(X, y, **given)

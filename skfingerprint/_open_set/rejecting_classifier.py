"""Attribution to a known source, or to none: a classifier and a detector as one."""

from numbers import Real

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import (
    Bunch,
    _safe_indexing,
    check_consistent_length,
    column_or_1d,
    get_tags,
)
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skfingerprint._attribution import SourceDiscriminant
from skfingerprint._core import (
    Estimator,
    all_or_nothing,
    check_labels,
    copy_shape,
    find_background,
    select_rows,
    share_metadata,
    share_reading,
    shorten,
    split_last,
    transform_by,
)
from skfingerprint._open_set.source_detector import SourceDetector

# Method of detectors of sets of images.
SETS = "score_sets"


def _detector_has(method):
    def check(model):
        # A pipeline does not pass its methods on to its last step.
        getattr(split_last(model._get_parts()[1])[1], method)
        return True

    return check


class RejectingClassifier(MetaEstimatorMixin, ClassifierMixin, Estimator):
    """Name the source of an image, or answer that it is unknown.

    Both parts are fitted on the same rows or images: the detector decides whether the
    source is known, and the classifier names it. "unknown" is an answer like any other
    for scikit-learn's metrics, if the true labels of such images say so.

    Parameters
    ----------
    classifier : classifier, default=None
        Names the source. By default a :class:`SourceDiscriminant` of rows of features;
        another example is a pipeline that ends with a FingerprintClassifier. A single
        source needs no classifier if the detector has a background or a stated
        `miss_rate`.
    detector : outlier detector, default=None
        Its `predict` gives 1 for known sources and -1 for unknown ones. By default a
        :class:`SourceDetector` of rows of features; another example is a pipeline that
        ends with a FingerprintDetector. The classifier is not fitted on rows of its
        `background`, if it has one.
    unknown_label : label, default="auto"
        The answer for unknown sources: "unknown" among labels that are text, and among
        numbers -1, or one less than the least of them if that is taken.

    Attributes
    ----------
    classifier_ : classifier
        The fitted classifier.
    detector_ : outlier detector
        The fitted detector.
    classes_ : ndarray of shape (n_classes,)
        The known sources, without the label for unknown ones.
    unknown_label_ : label
        The answer for unknown sources.

    See Also
    --------
    make_attribution_pipeline : Composes it by `false_alarm_rate` or `miss_rate`.

    Notes
    -----
    There is no probability of "unknown": it would depend on the share of images from
    unknown sources. :meth:`assess` reports the probabilities that can be known.

    A detector may have two methods that are used if they are there.
    `check_rates(n_sources, imitated=False)` raises before images are read if a rate
    cannot be learned. `draw_training(y, conditions=None, imitations=None, groups=None,
    sample_weight=None)` returns the indices of the rows that it learns from, so that
    images are read once for both parts and only these rows are kept in memory.

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

    The likelihood ratio of the answer says how much more probable the score for the
    source is if it made the image than if anything else did:

    >>> [round(float(ratio), 1) for ratio in answers.log10_likelihood_ratio]
    [2.1, -2.1]

    A data frame takes the ratios of all sources as columns of their own:

    >>> import pandas as pd
    >>> ratios = answers.pop("log10_likelihood_ratios")
    >>> table = pd.DataFrame(answers).join(pd.DataFrame(ratios, columns=model.classes_))
    >>> table.columns[-6:].tolist()
    ['log10_likelihood_ratio', 'a', 'b', 'c', 'd', 'e']
    """

    # Passed on to the parts, whose requests decide.
    __metadata_request__fit = dict.fromkeys(
        ("conditions", "imitations", "groups", "sample_weight"), UNUSED
    )

    def __init__(self, classifier=None, detector=None, *, unknown_label="auto"):
        self.classifier = classifier
        self.detector = detector
        self.unknown_label = unknown_label

    @all_or_nothing
    def fit(
        self,
        X,
        y,
        *,
        conditions=None,
        imitations=None,
        groups=None,
        sample_weight=None,
        **params,
    ):
        """Fit the classifier and the detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Features, residuals or images of known sources, and of the background if the
            detector has one, as the two parts take them.
        y : array-like of shape (n_samples,)
            Sources.
        conditions : array-like of shape (n_samples,), default=None
            Condition of each row, for the parts that take it.
        imitations : array-like of shape (n_samples,) or (n_samples, 2), default=None
            Kind of imitation of each row, and -1 for an image, for a detector that
            takes it: see :class:`SourceDetector`. The classifier is not fitted on
            imitations.
        groups : array-like of shape (n_samples,), default=None
            Scene that each image shows, for the parts that take it.
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
        # All that can be wrong with labels and rates is found before images are read.
        y = column_or_1d(check_labels(y), warn=True)
        classifier, detector = map(clone, self._get_parts())
        is_background = find_background(y, getattr(detector, "background", None))
        is_imitation = _find_imitations(imitations, detector, y)
        self.classes_ = np.unique(y[~is_background])
        self.unknown_label_ = _check_unknown_label(self.unknown_label, self.classes_)
        if hasattr(detector, "check_rates"):
            imitated = {"imitated": True} if is_imitation.any() else {}
            detector.check_rates(len(self.classes_), **imitated)
        takes_one = _takes_one(detector, is_background | is_imitation)
        is_single = len(self.classes_) == 1 and takes_one
        if is_single:
            classifier = _name_always(self.classes_)
        parts = {"classifier": classifier, "detector": detector}
        # Conditions are no metadata that a user passes to foreign parts: an augmented
        # pipeline adds them, and a part that cannot use them is trained without.
        metadata = {"groups": groups, "sample_weight": sample_weight, **params}
        metadata["imitations"] = imitations
        if any(has_fit_parameter(part, "conditions") for part in parts.values()):
            metadata["conditions"] = conditions
        shared = share_metadata(self, parts, **metadata)
        if is_single:
            detector.fit(X, y, **shared["detector"])
        else:
            _fit_parts(parts, X, y, (is_background, is_imitation), shared)
        self.classifier_, self.detector_ = classifier, detector
        # The classifier of a single source has seen no X.
        copy_shape(self, self.detector_, self.classifier_)
        return self

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
        # Text arrays have a fixed width, which "unknown" may exceed.
        y = y.astype(np.result_type(y.dtype, unknown.dtype))
        y[self.detector_.predict(X) == -1] = self.unknown_label_
        return y

    def assess(self, X, *, groups=None):
        """Report source, decision and probabilities, for decisions at any rate.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Features, residuals or images, as in `fit`.
        groups : array-like of shape (n_samples,), default=None
            Set of each image, for one answer a set: all images of a set are known to
            share one source, such as those of a folder, an account or a video. More
            images of known sources are accepted in sets, at the same rate. It needs a
            :class:`SourceDetector` and a classifier with `predict_proba`.

        Returns
        -------
        answers : Bunch
            Arrays of shape (n_samples,): `source`, the likeliest of the known ones;
            `known`, whether `predict` names it; `probability` of the source, given that
            it is one of the known ones (NaN if the classifier has no `predict_proba`);
            and `false_alarm_probability`, the share of images of unknown sources that
            score as high (NaN if the detector cannot tell). To name sources at another
            rate r, accept the images whose false-alarm probability is at most r.
            `log10_likelihood_ratios`, of shape (n_samples, n_classes), says how much
            more probable the score for each source is if it made the image than if
            anything else did, as a logarithm to base 10; `log10_likelihood_ratio`, of
            shape (n_samples,), is that of `source` (NaN if the detector has no method
            `log10_likelihood_ratios`, and where it cannot tell).

            With `groups` the arrays have a row for each set, `groups` are the sorted
            labels of the sets, and there are no likelihood ratios. The probability of a
            set is that by the mean logarithm of the probabilities of its images.
        """
        check_is_fitted(self)
        if groups is not None:
            return self._assess_sets(X, groups)
        if hasattr(self.classifier_, "predict_proba"):
            probabilities = self.classifier_.predict_proba(X)
            source = self.classes_[probabilities.argmax(axis=1)]
            probability = probabilities.max(axis=1)
        else:
            source = self.classifier_.predict(X)
            probability = np.full(len(source), np.nan)
        known = self.detector_.predict(X) == 1
        # A pipeline does not pass this method on to its last step.
        steps, last = split_last(self.detector_)
        share = np.full(len(source), np.nan)
        logs = np.full((len(source), len(self.classes_)), np.nan)
        if hasattr(last, "false_alarm_probability"):
            rows = transform_by(steps, X)
            share = last.false_alarm_probability(rows)
            if hasattr(last, "log10_likelihood_ratios"):
                logs = last.log10_likelihood_ratios(rows)
        places = np.arange(len(source)), np.searchsorted(self.classes_, source)
        return Bunch(
            source=source,
            known=known,
            probability=probability,
            false_alarm_probability=share,
            log10_likelihood_ratio=logs[places],
            log10_likelihood_ratios=logs,
        )

    @available_if(_detector_has("verify"))
    def verify(self, X1, X2):
        """Score whether two sets of images have one source, known or not.

        Parameters
        ----------
        X1, X2 : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            The images of each set, which are taken to have one source.

        Returns
        -------
        answer : Bunch
            See :meth:`SourceDetector.verify`.
        """
        check_is_fitted(self)
        steps, last = split_last(self.detector_)
        return last.verify(transform_by(steps, X1), transform_by(steps, X2))

    def _assess_sets(self, X, groups):
        """Report one answer for each set of images."""
        steps, last = split_last(self.detector_)
        parts = {"classifier": self.classifier_, "detector": last}
        for name, method in (("classifier", "predict_proba"), ("detector", SETS)):
            if not hasattr(parts[name], method):
                raise ValueError(
                    f"groups need a {name} with the method {method}, and "
                    f"{type(parts[name]).__name__} has none: assess each image."
                )
        scores = last.score_sets(transform_by(steps, X), groups)
        probabilities = self.classifier_.predict_proba(X)
        labels, members = np.unique(column_or_1d(groups), return_inverse=True)
        logs = np.zeros((len(labels), len(self.classes_)))
        tiny = np.finfo(float).tiny
        np.add.at(logs, members, np.log(np.maximum(probabilities, tiny)))
        probabilities = softmax(logs / np.bincount(members)[:, np.newaxis], axis=1)
        best = scores.max(axis=1)
        is_share = len(last.null_scores_) > 0  # and not a distance
        return Bunch(
            groups=labels,
            source=self.classes_[probabilities.argmax(axis=1)],
            known=best >= last.offset_,
            probability=probabilities.max(axis=1),
            false_alarm_probability=np.exp(-best)
            if is_share
            else np.full(len(labels), np.nan),
        )

    def report_relatives(self):
        """Report which known sources would be taken for each other if unknown.

        Returns
        -------
        report : Bunch
            Arrays of shape (n_pairs,), the columns of a data frame, the largest share
            first: `source`, which was held out; `taken_for`, the source as which its
            unprocessed images were accepted; and `share`, the share of its images. It
            is empty if no image was accepted, and with one or two sources.
        """
        check_is_fitted(self)
        shares = split_last(self.detector_)[1].relatives_
        pairs = np.argwhere(shares > 0)
        pairs = pairs[np.argsort(-shares[tuple(pairs.T)], kind="stable")]
        return Bunch(
            source=self.classes_[pairs[:, 0]],
            taken_for=self.classes_[pairs[:, 1]],
            share=shares[tuple(pairs.T)],
        )

    def takes_imitations(self):
        """Whether the detector learns from imitations of unknown sources.

        Returns
        -------
        is_taken : bool
        """
        return has_fit_parameter(split_last(self._get_parts()[1])[1], "imitations")

    def get_metadata_routing(self):
        """Return the metadata that the two parts request.

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
        # Rejected images differ from their training labels.
        tags.classifier_tags.poor_score = True
        return tags


def _takes_one(detector, is_other):
    """Whether a detector distinguishes a single source from all others."""
    return is_other.any() or isinstance(getattr(detector, "miss_rate", None), Real)


def _find_imitations(imitations, detector, y):
    """Return a mask of the imitations, which a detector must take."""
    if imitations is None:
        return np.zeros(len(y), dtype=bool)
    check_consistent_length(y, imitations)
    if not has_fit_parameter(split_last(detector)[1], "imitations"):
        raise ValueError(
            f"{type(detector).__name__} takes no imitations in fit. Leave them out, or "
            "take a SourceDetector."
        )
    return np.asarray(imitations).reshape(len(y), -1)[:, 0] >= 0


def _name_always(classes):
    """Return a classifier that gives the single class for any X."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier().fit(np.zeros((1, 1)), classes)


def _check_unknown_label(label, classes):
    """Return the label for unknown sources; it must be new, and of the labels' type."""
    # scikit-learn's metrics sort true and predicted labels together, which text and
    # numbers do not allow.
    names = classes.tolist()
    is_text = all(isinstance(name, str) for name in names)
    if isinstance(label, str) and label == "auto":
        label = "unknown" if is_text else min(-1, min(names) - 1)
    if isinstance(label, str) != is_text:
        raise ValueError(
            f"unknown_label={shorten(label)} must be "
            f"{'text' if is_text else 'a number'}, as the labels in y are."
        )
    if label in names:
        raise ValueError(
            f"y holds unknown_label={shorten(label)}. Fit on known sources only, or "
            "choose another unknown_label."
        )
    return label


def _fit_parts(parts, X, y, masks, shared):
    """Fit the classifier and the detector, reading lazy input once.

    Parameters
    ----------
    parts : dict of estimators
        `classifier` and `detector`, both unfitted.
    X, y
        Rows or images, and their sources.
    masks : tuple of ndarray of shape (n_samples,), bool
        Whether a row has no common source, and whether it is an imitation.
    shared : dict of dict
        Metadata of `fit` for each part.
    """
    classifier, detector = parts["classifier"], parts["detector"]
    given, places = shared["detector"], None
    # A classifier that takes conditions reads X block by block; the rows that the
    # detector needs are kept meanwhile, so that no image is computed twice.
    streams = has_fit_parameter(classifier, "conditions")
    if streams and hasattr(detector, "draw_training"):
        places = detector.draw_training(y, **given)
    X, rows, kept = share_reading(X, places)
    _fit_classifier(classifier, detector, X, y, masks, shared["classifier"])
    given = {name: np.asarray(value)[kept] for name, value in given.items()}
    detector.fit(rows, y[kept], **given)


def _fit_classifier(classifier, detector, X, y, masks, given):
    """Fit a classifier without the background and without imitations.

    Parameters
    ----------
    classifier, detector : estimators
        The classifier to fit, and the detector that has the background.
    X, y
        Rows or images, and their sources.
    masks
        As in :func:`_fit_parts`.
    given : dict
        Metadata of `fit` for the classifier.
    """
    is_background, left_out = masks
    if is_background.any():
        if "background" in classifier.get_params():
            # It leaves the background out by itself.
            classifier.set_params(background=detector.background)
        else:
            left_out = is_background | left_out
    if left_out.any():
        used = np.flatnonzero(~left_out)
        X, y = select_rows(X, used), y[used]
        given = {name: _safe_indexing(value, used) for name, value in given.items()}
    classifier.fit(X, y, **given)

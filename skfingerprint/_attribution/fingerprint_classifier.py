"""Attribution of residuals to their sources by their fingerprints."""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import (
    Estimator,
    all_or_nothing,
    as_rows,
    as_stack,
    at_once,
    check_choice,
    check_classes,
    check_jobs,
    check_known,
    check_totals,
    check_weighed,
    check_weights,
    score_blocks,
    shorten,
    sum_blocks,
    to_decision,
    validate_images,
)
from skfingerprint.correlation import (
    _correlate_with,
    _find_common,
    _prepare_fingerprints,
    search_shifts,
)

# How a source is added to a fitted classifier, for a message.
REMEDY = ". To add a source to a fitted classifier, call `add_sources(X, y)`"


@dataclass(frozen=True)
class Preparation:
    """Prepared fingerprints, and the state that they were prepared from.

    Attributes
    ----------
    prepared : record
        Fingerprints of zero mean and unit norm, for one matrix product.
    fingerprints : ndarray of shape (n_classes, ...)
        The fingerprints themselves, in grey levels.
    subtract_common : bool
        Whether their mean was subtracted.
    """

    prepared: object
    fingerprints: np.ndarray
    subtract_common: bool


@dataclass(frozen=True)
class ShiftSearch:
    """Fingerprints, and how scores are searched over shifts.

    Attributes
    ----------
    fingerprints : ndarray of shape (n_classes, height, width[, n_channels])
        Fingerprints, in grey levels.
    subtract_common : bool
        Whether their mean is subtracted from residuals and fingerprints.
    max_shift : int or "full"
        Largest shift, in pixels.
    statistic : {"correlation", "pce"}
        Score of a shift.
    n_jobs : int or None
        Number of threads of the Fourier transforms.
    """

    fingerprints: np.ndarray
    subtract_common: bool
    max_shift: int | str
    statistic: str
    n_jobs: int | None


class PreparedFingerprintsMixin:
    """Mixin for estimators that correlate residuals with `fingerprints_`.

    The fingerprints are brought to zero mean and unit norm once, when they are made.
    The prepared fingerprints take as much memory as `fingerprints_`. They are not
    pickled; they are prepared again when a pickle is loaded.
    """

    def _restore(self, fingerprints):
        """Set fingerprints, and the attributes that follow from their shape."""
        self.fingerprints_ = fingerprints
        self.image_shape_ = fingerprints.shape[1:]
        self.n_features_in_ = math.prod(fingerprints.shape[1:])
        self._prepare()

    def _prepare(self):
        """Prepare the fingerprints, unless scores are searched over shifts."""
        # A change in place would go unnoticed, and scores would be outdated.
        self.fingerprints_.flags.writeable = False
        self._prepared = None if self._searches() else self._make_prepared()

    def _get_prepared(self):
        """Return the prepared fingerprints, or new ones if they are outdated."""
        kept = self._prepared
        # `fingerprints_` may have been assigned, and `subtract_common` been set, since
        # they were prepared. The array is read-only: its identity is its content.
        if (
            kept is not None
            and kept.fingerprints is self.fingerprints_
            and kept.subtract_common == self.subtract_common
        ):
            return kept.prepared
        return self._make_prepared().prepared

    def _make_prepared(self):
        common = _find_common(self.fingerprints_, self.subtract_common)
        prepared = _prepare_fingerprints(self.fingerprints_, common)
        return Preparation(prepared, self.fingerprints_, self.subtract_common)

    def _searches(self):
        """Return whether scores need more than one matrix product."""
        return False

    def __getstate__(self):
        # Without the prepared fingerprints, a pickle has half the size.
        state = super().__getstate__()
        state.pop("_prepared", None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        # An estimator that was pickled before its fit has nothing to prepare.
        if hasattr(self, "fingerprints_"):
            self._prepare()


class FingerprintClassifier(PreparedFingerprintsMixin, ClassifierMixin, Estimator):
    """Attribute a residual to the source whose fingerprint correlates most with it.

    The fingerprint of a source is the mean of its images' residuals. `fit` is one
    matrix product, and so is the scoring of new residuals; neither copies them.

    Training residuals are part of the fingerprint of their own class, so that their
    scores are too high to train another model on. The classifier therefore has no
    `transform`: use :class:`FingerprintTransformer`, or
    :class:`sklearn.ensemble.StackingClassifier`, which cross-fit, to combine the scores
    with other features.

    Parameters
    ----------
    statistic : {"correlation", "pce"}, default="correlation"
        Score: the correlation itself, or the energy of its peak against the rest of the
        surface of all shifts (:func:`~skfingerprint.correlation.\
peak_to_correlation_energy`), which measures how unlikely the peak is by chance.
    max_shift : int or "full", default=0
        Largest shift up, down, left and right, in pixels, over which the best score is
        searched, as for images that were cropped. Each further shift raises the chance
        of a false match: search only shifts that can occur.
    subtract_common : bool, default=False
        Whether to subtract the mean of all fingerprints from residuals and fingerprints
        before they are correlated. It helps with many sources that share a pattern.
        The scores are no longer plain correlations with a fingerprint, above all with
        two sources. It needs aligned images, `max_shift=0`.
    n_jobs : int, default=None
        Number of threads of the Fourier transforms of "pce" and `max_shift`; -1 for
        all processors.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sources.
    fingerprints_ : ndarray of shape (n_classes, ...)
        The fingerprints, each of shape `image_shape_`, in grey levels; read-only.
    class_weight_sum_ : ndarray of shape (n_classes,)
        Number of images, or the sum of their weights, in each fingerprint.
    image_shape_ : tuple of int
        Shape of one residual; (n_features,) for flat rows.
    n_features_in_ : int
        Number of values in a residual.
    provenance_ : dict
        How the fingerprints were made: the parameters of the `extractor` and the
        `offset` of the images. It exists only if the fingerprints were loaded from a
        file that contains it (:func:`~skfingerprint.files.load_fingerprints`). A new
        `fit` removes it.

    See Also
    --------
    ResidualExtractor : Computes residuals of images.
    FingerprintTransformer : Returns the correlations as features for another model.

    Notes
    -----
    Aligned correlations are one matrix product. "pce" and `max_shift` need Fourier
    transforms, which are computed for a few residuals at a time.

    The fingerprint is ``F = mean_i R_i``, eq. 3 of [1]_. The score, eq. 5, is the inner
    product of residual and fingerprint, both brought to zero mean and unit norm, with
    all pixels and channels as one vector. The largest correlation is the smallest
    distance.

    References
    ----------
    .. [1] F. Marra, D. Gragnaniello, L. Verdoliva, G. Poggi, "Do GANs Leave Artificial
       Fingerprints?", IEEE MIPR, 2019. :doi:`10.1109/MIPR.2019.00103`

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(120, 3, strength=3, random_state=0)
    >>> pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    >>> pipeline.fit(images[:60], y[:60]).score(images[60:], y[60:])
    1.0
    >>> pipeline.decision_function(images[60:62]).shape
    (2, 3)

    Residuals may come in parts, and from several places:

    >>> residuals = ResidualExtractor().transform(images)
    >>> here = FingerprintClassifier().partial_fit(residuals[:40], y[:40], [0, 1, 2])
    >>> there = FingerprintClassifier().fit(residuals[40:], y[40:])
    >>> here.merge(there).class_weight_sum_.tolist()
    [40.0, 40.0, 40.0]

    A new source costs one mean more, and the other fingerprints stay as they are:

    >>> known = FingerprintClassifier().fit(residuals[y < 2], y[y < 2])
    >>> known.add_sources(residuals[y == 2], y[y == 2]).classes_.tolist()
    [0, 1, 2]

    A search over shifts attributes cropped images, too, and finds the crop:

    >>> cropped = np.roll(residuals, (-3, 2), axis=(1, 2))
    >>> search = FingerprintClassifier(max_shift=4).fit(residuals, y)
    >>> search.find_shifts(cropped[:1])[0, y[0]].tolist()
    [3, -2]
    """

    def __init__(
        self,
        *,
        statistic="correlation",
        max_shift=0,
        subtract_common=False,
        n_jobs=None,
    ):
        self.statistic = statistic
        self.max_shift = max_shift
        self.subtract_common = subtract_common
        self.n_jobs = n_jobs

    @all_or_nothing
    def fit(self, X, y, *, sample_weight=None):
        """Average the residuals of each class into its fingerprint.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.
        y : array-like of shape (n_samples,)
            Sources; at least two.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the means, >= 0; not all 0 in any class.

        Returns
        -------
        self : FingerprintClassifier
        """
        self._update(X, y, None, sample_weight, reset=True, fewest=2)
        check_weighed(self.class_weight_sum_, self.classes_)
        # Nothing is known of how the new residuals were made.
        vars(self).pop("provenance_", None)
        return self

    @all_or_nothing
    def partial_fit(self, X, y, classes=None, *, sample_weight=None):
        """Add residuals to the fingerprints.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.
        y : array-like of shape (n_samples,)
            Sources, each of them one of `classes`.
        classes : array-like of shape (n_classes,), default=None
            All sources, including sources of later calls. Required in the first call.
            A single source makes a part that can be saved, or merged into another
            classifier; `predict` needs two.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the means, >= 0.

        Returns
        -------
        self : FingerprintClassifier
        """
        # After `fit` or `merge`, too, a call adds to the fingerprints.
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError(
                "classes must be passed on the first call to partial_fit; "
                "`add_sources(X, y)` takes them from y."
            )
        if not first:
            if classes is not None and not np.array_equal(
                self.classes_, unique_labels(classes)
            ):
                raise ValueError(
                    f"classes={shorten(classes)} differs from that of the first call, "
                    f"{shorten(self.classes_.tolist())}; `add_sources(X, y)` adds new "
                    "ones."
                )
            classes = self.classes_
        self._update(X, y, unique_labels(classes), sample_weight, reset=first)
        return self

    @all_or_nothing
    def add_sources(self, X, y):
        """Add new sources, or more images of known ones.

        The fingerprints of all other sources stay as they are. A classifier that is
        not fitted yet begins with these sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels, made in the same way as those of `fit`.
        y : array-like of shape (n_samples,)
            Sources: new names, known ones, or both.

        Returns
        -------
        self : FingerprintClassifier
        """
        first = not hasattr(self, "classes_")
        self._update(X, y, None, None, reset=first)
        return self

    @all_or_nothing
    def merge(self, other):
        """Merge the fingerprints of another classifier into this one, in place.

        Two merged partial fits equal one fit on all residuals. Classes of only one of
        the two classifiers are kept. This classifier changes and is returned; to keep
        it as well, merge into a copy, ``copy.deepcopy(classifier).merge(other)``.

        Parameters
        ----------
        other : FingerprintClassifier
            Fitted on residuals of the same shape, made in the same way: if one of the
            classifiers has a `provenance_`, the other one must have the same. It is
            left unchanged.

        Returns
        -------
        self : FingerprintClassifier
        """
        check_is_fitted(self)
        if not isinstance(other, FingerprintClassifier):
            raise TypeError(
                "other must be a fitted FingerprintClassifier, got "
                f"{type(other).__name__}: `add_sources(X, y)` takes residuals, and "
                "`pipeline[-1]` is the classifier of a pipeline."
            )
        check_is_fitted(other)
        if self.image_shape_ != other.image_shape_:
            raise ValueError(
                f"other has fingerprints of shape {other.image_shape_}, this one of "
                f"{self.image_shape_}: only equal shapes merge."
            )
        check_provenance(self, other)
        # Places of the classes of each part among the sorted classes of both.
        classes = unique_labels(self.classes_, other.classes_)
        parts = [
            (part, np.searchsorted(classes, part.classes_)) for part in (self, other)
        ]
        weights = np.zeros(len(classes))
        # A sum that overflows is infinite, which `check_totals` rejects.
        with np.errstate(over="ignore"):
            for part, at in parts:
                weights[at] += part.class_weight_sum_
        check_totals(weights)
        # Weighted mean of the means, (w_1 F_1 + w_2 F_2) / (w_1 + w_2), in float64. A
        # class without images yet has a fingerprint of zeros, divided by 1.
        means = np.zeros((len(classes), self.n_features_in_))
        for part, at in parts:
            shares = part.class_weight_sum_ / np.where(weights[at] > 0, weights[at], 1)
            means[at] += as_rows(part.fingerprints_) * shares[:, None]
        self.fingerprints_ = means.astype(self.fingerprints_.dtype).reshape(
            -1, *self.image_shape_
        )
        self.classes_ = classes
        self.class_weight_sum_ = weights
        self._prepare()
        return self

    @at_once
    def correlate(self, X):
        """Score residuals against each fingerprint.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            Correlations, in [-1, 1], or PCEs, by `statistic`: one column for each
            class, also with two classes.
        """
        X = self._check_fitted(X)
        if self._searches():
            return score_blocks(_find_scores, X, self._get_search())
        return score_blocks(_correlate_with, X, self._get_prepared())

    @at_once
    def decision_function(self, X):
        """Score residuals for the decision of `predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Scores of `correlate`. For two classes, the score of the second class minus
            the score of the first.
        """
        return to_decision(self._compare(X))

    @at_once
    def predict(self, X):
        """Predict the source of each residual.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes of the largest scores.
        """
        # Not by the decision function, which for two classes is a single column.
        scores = self._compare(X)
        return self.classes_[scores.argmax(axis=1)]

    @at_once
    def find_shifts(self, X):
        """Find the shift at which each score is reached.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        shifts : ndarray of shape (n_samples, n_classes, 2), int
            Shifts (down, right), in pixels: pixel (0, 0) of the residual lies on this
            pixel of the fingerprint.
        """
        X = self._check_fitted(X, neighbors=True)
        return score_blocks(_find_shifts, X, self._get_search())

    def _compare(self, X):
        """Score residuals against two fingerprints or more."""
        check_is_fitted(self)
        if len(self.classes_) < 2:
            raise ValueError(
                "attribution needs at least 2 sources, and there are "
                f"{self.classes_.tolist()}: add another by `add_sources` or `merge`. "
                "`correlate` scores a single one."
            )
        return self.correlate(X)

    def _searches(self):
        # The energy of a peak is relative to the scores at all shifts, so that "pce"
        # needs Fourier transforms with max_shift=0, too.
        return self.statistic != "correlation" or self.max_shift != 0

    def _get_search(self):
        return ShiftSearch(
            fingerprints=as_stack(self.fingerprints_),
            subtract_common=self.subtract_common,
            max_shift=self.max_shift,
            statistic=self.statistic,
            n_jobs=self.n_jobs,
        )

    def _check_fitted(self, X, *, neighbors=False):
        """Validate residuals, and that every class has a fingerprint.

        With `neighbors`, or if scores are searched over shifts, long flat rows raise an
        error, since neighboring values need not be neighboring pixels.
        """
        check_is_fitted(self)
        self._check_parameters()
        # `partial_fit` declares classes before their images come.
        if not self.class_weight_sum_.all():
            empty = self.classes_[self.class_weight_sum_ == 0].tolist()
            raise ValueError(
                f"classes {empty} have no images yet: call partial_fit with some."
            )
        neighbors = neighbors or self._searches()
        return validate_images(self, X, reset=False, neighbors=neighbors)

    def _check_parameters(self):
        check_jobs(self.n_jobs)
        if self.statistic not in ("correlation", "pce"):
            raise ValueError(
                'statistic must be "correlation" or "pce", got '
                f"{shorten(self.statistic)}."
            )
        if self.max_shift != "full" and (
            not isinstance(self.max_shift, Integral) or self.max_shift < 0
        ):
            raise ValueError(
                'max_shift must be an int >= 0 or "full", got '
                f"{shorten(self.max_shift)}."
            )
        check_choice("subtract_common", self.subtract_common, (False, True))
        # The common part lies in the frame of the fingerprints. Subtracted from a
        # residual of another frame, it would leave its own negative behind.
        if self.subtract_common and self.max_shift != 0:
            raise ValueError(
                "subtract_common needs aligned images: set max_shift=0, or "
                "subtract_common=False."
            )

    def _update(self, X, y, classes, sample_weight, *, reset, fewest=1):
        """Add residuals to the means.

        Parameters
        ----------
        X, y, sample_weight
            As in `partial_fit`.
        classes : ndarray of shape (n_classes,) or None
            Sorted classes; None for those of y, and those that there are.
        reset : bool
            Whether to begin with empty means.
        fewest : {1, 2}, default=1
            Fewest classes that are enough.
        """
        self._check_parameters()
        X, y = validate_images(self, X, y, reset=reset, neighbors=self._searches())
        check_classification_targets(y)
        weights = check_weights(y, sample_weight)
        if reset:
            self.classes_, self.class_weight_sum_ = np.unique(y)[:0], np.zeros(0)
            self.fingerprints_ = np.zeros((0, *self.image_shape_), X.dtype)
        if classes is None:
            classes = np.unique(y) if reset else unique_labels(self.classes_, y)
        if fewest == 2:
            check_classes(classes, REMEDY)
        check_known(y, classes)
        self._extend(classes)
        # Row k holds the weights of the residuals of class k, and 0 for all others, so
        # that the sums of all classes that y holds are one matrix product.
        held = np.isin(classes, y)
        members = (classes[held, None] == y) * weights
        # A sum that overflows is infinite, which `check_totals` rejects.
        with np.errstate(over="ignore"):
            added = members.sum(axis=1)
        old, totals = self.fingerprints_[held], self.class_weight_sum_.copy()
        totals[held] += added
        check_totals(totals)
        # Eq. 3 of Marra et al., continued: with the sum W of the old weights, the new
        # weights w_i and the new total T = W + sum w_i, the mean F of the old residuals
        # becomes (W F + sum w_i R_i) / T = F + sum (w_i / T) R_i - (sum w_i / T) F.
        # The factors are shares of at most 1, so that no sum exceeds float32. A class
        # without images keeps a fingerprint of zeros, divided by 1.
        divisors = np.where(totals > 0, totals, 1)[held]
        changes = sum_blocks(X, members / divisors[:, None])
        changes -= (added / divisors).astype(X.dtype)[:, None] * as_rows(old)
        # A new array: the draft shares the old one with the estimator.
        self.fingerprints_ = self.fingerprints_.copy()
        self.fingerprints_[held] = old + changes.reshape(old.shape).astype(
            old.dtype, copy=False
        )
        self.class_weight_sum_ = totals
        self._prepare()

    def _extend(self, classes):
        """Give each class a fingerprint, of zeros if it is new."""
        if len(classes) == len(self.classes_):
            return
        fingerprints, weights = self.fingerprints_, self.class_weight_sum_
        places = np.searchsorted(classes, self.classes_)
        self.fingerprints_ = np.zeros(
            (len(classes), *fingerprints.shape[1:]), fingerprints.dtype
        )
        self.class_weight_sum_ = np.zeros(len(classes))
        self.fingerprints_[places] = fingerprints
        self.class_weight_sum_[places] = weights
        self.classes_ = classes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Zero mean and unit norm leave only two different rows of two features, and the
        # data of scikit-learn's checks have two.
        tags.classifier_tags.poor_score = True
        return tags


def restore_classifier(classes, fingerprints, weights, **params):
    """Return a fitted classifier with given fingerprints.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The sources.
    fingerprints : ndarray of shape (n_classes, ...)
        Their fingerprints, in grey levels; read-only from then on.
    weights : ndarray of shape (n_classes,)
        Numbers of images, or sums of their weights.
    **params : dict
        Parameters of the classifier.

    Returns
    -------
    classifier : FingerprintClassifier
    """
    classifier = FingerprintClassifier(**params)
    classifier.classes_ = classes
    classifier.class_weight_sum_ = weights
    classifier._restore(fingerprints)
    return classifier


def check_provenance(one, other):
    """Raise ValueError unless two classifiers have the same provenance, or none."""
    # Fingerprints of residuals that were fitted here have none.
    here, there = (getattr(each, "provenance_", None) for each in (one, other))
    if (here is None) != (there is None):
        has, lacks = ("this", "other") if there is None else ("other", "this")
        raise ValueError(
            f"only {has} has a provenance_, and {lacks} has none: they may have been "
            "made otherwise. If they were made alike, set it to the same."
        )
    if here is not None and (found := describe_differences(here, there)):
        raise ValueError(
            f"other has fingerprints that were made otherwise: {found} there. Only "
            "those made alike merge."
        )


def describe_differences(here, there):
    """Describe the differences of two provenances; "" if there are none."""
    one, other = _flatten(here), _flatten(there)
    # A dict, unlike a set, keeps the order of the names.
    return ", ".join(
        f"{name} {shorten(one.get(name))} here and {shorten(other.get(name))}"
        for name in dict.fromkeys([*one, *other])
        if one.get(name) != other.get(name)
    )


def _flatten(provenance):
    """Return a provenance with the parameters of its parts on one level."""
    found = {}
    for name, value in provenance.items():
        found |= value if isinstance(value, dict) else {name: value}
    return found


def _find_scores(residuals, search):
    return _search(residuals, search).scores


def _find_shifts(residuals, search):
    return _search(residuals, search).shifts


def _search(residuals, search):
    """Find the best score of residuals with each fingerprint over shifts."""
    residuals, fingerprints = as_stack(residuals), search.fingerprints
    if search.subtract_common:
        # The surface of all shifts needs the residual itself; the offset that replaces
        # this subtraction in the matrix product holds for one alignment only.
        common = fingerprints.mean(axis=0)
        residuals, fingerprints = residuals - common, fingerprints - common
    return search_shifts(
        residuals,
        fingerprints,
        max_shift=search.max_shift,
        statistic=search.statistic,
        n_jobs=search.n_jobs,
    )

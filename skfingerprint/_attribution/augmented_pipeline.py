"""Training on perturbed copies of the images."""

from collections.abc import Iterator

import numpy as np
from sklearn import get_config
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skfingerprint._core import (
    BlockSource,
    Estimator,
    all_or_nothing,
    as_images,
    at_once,
    block_sizes,
    check_int,
    check_labels,
    check_length,
    copy_shape,
    make_report,
    read_blocks,
    share_metadata,
    split_stateless,
)

# Values of images of which all copies are held at a time.
IMAGE_VALUES = 2**22
# "auto": as many rows as so many images with all their copies have, and the copies that
# are made of each image however many there are.
MOST_IMAGES = 2**12
FEWEST_COPIES = 2


def _has(method):
    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


def _last_assesses(pipeline):
    if not hasattr(pipeline.steps[-1][1], "assess"):
        raise AttributeError(
            "assess needs a stated rate, as of "
            "make_attribution_pipeline(false_alarm_rate=0.01)."
        )
    return True


class AugmentedClassifier(MetaEstimatorMixin, ClassifierMixin, Estimator):
    """Train a classifier on images and on perturbed copies of them.

    The copies are made inside `fit`, of the training images alone, so that
    cross-validation splits images and not their copies: no copy of a test image is
    ever trained on. Predictions are those of the classifier, on images as they come.

    Steps at the beginning of a pipeline that learn nothing, such as
    :class:`AttributionFeatures`, are applied to a few images and their copies at a
    time, so that each image is read once. If a classifier that takes `copies` in `fit`,
    such as :class:`SourceDiscriminant`, stands right behind them, it reads their results
    block by block, and they are never held all at once.

    Parameters
    ----------
    estimator : classifier
        Takes images; usually a pipeline.
    perturbations : sequence of transformers, or None
        One copy of the images is made by each; see `skfingerprint.perturbation`. The
        images themselves are always trained on.
    max_perturbations : int, "auto" or None, default=None
        Number of copies of each image, drawn for each at random; None makes all.
        "auto" makes all for up to 4,096 images, and fewer for more, but at least two,
        so that the time of the fit does not grow by more than a few clean ones.
    n_jobs : int, default=None
        Number of threads that make copies and their features; -1 for all processors.
    verbose : bool or int, default=False
        Whether to tell how many blocks of images are done: in a bar if tqdm is
        installed (extra `progress`), in lines otherwise.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one.
    classes_ : ndarray of shape (n_classes,)
        The sources.
    n_features_in_ : int
        Number of values in an image, if the estimator knows.

    Examples
    --------
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> from sklearn.model_selection import StratifiedGroupKFold
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import (
    ...     AugmentedClassifier, ResidualExtractor, SpectrumTransformer)
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import JPEGCompression
    >>> data = load_generators()
    >>> folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    >>> fit, test = next(folds.split(data.images, data.target, data.groups))
    >>> pipeline = make_pipeline(
    ...     ResidualExtractor(sigma=1),
    ...     SpectrumTransformer(block_size=16),
    ...     LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    ... )
    >>> robust = AugmentedClassifier(pipeline, [JPEGCompression(quality=q) for q in (95, 75)])
    >>> compressed = JPEGCompression(quality=85).fit_transform(data.images[test])
    >>> for model in (pipeline, robust):
    ...     model = model.fit(data.images[fit], data.target[fit])
    ...     print(f"{model.score(compressed, data.target[test]):.2f}")
    0.24
    0.37
    """

    # Handed on to the parts, whose requests decide.
    __metadata_request__fit = dict.fromkeys(("groups", "sample_weight"), UNUSED)

    def __init__(
        self, estimator, perturbations, *, max_perturbations=None, n_jobs=None, verbose=False
    ):
        self.estimator = estimator
        # An iterator could be read, or cloned, only once.
        is_iterator = isinstance(perturbations, Iterator)
        self.perturbations = list(perturbations) if is_iterator else perturbations
        self.max_perturbations = max_perturbations
        self.n_jobs = n_jobs
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X, y, *, groups=None, sample_weight=None, **params):
        """Fit a clone of the classifier on the images and their copies.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features), or list of images
            Images in grey levels 0..255; of different sizes if what is fitted takes
            them, as the recommended pipeline does.
        y : array-like of shape (n_samples,)
            Sources.
        groups : array-like of shape (n_samples,), default=None
            What each image shows, for a classifier that takes it; repeated for every
            copy.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, for a classifier that takes them; repeated for every copy.
        **params : dict
            Further metadata of images, if metadata routing is enabled and the
            classifier requests them; repeated for every copy.

        Returns
        -------
        self : AugmentedClassifier
        """
        changes = [change for change in self.perturbations or () if change is not None]
        fitted = clone(self.estimator)
        metadata = {"groups": groups, "sample_weight": sample_weight} | params
        if not changes:
            shared = share_metadata(self, {"estimator": fitted}, **metadata)
            first, rest = [], fitted.fit(X, y, **shared["estimator"])
        else:
            first, rest = split_stateless(fitted)
            self._fit_copies(first, rest, X, y, changes, metadata)
            if rest is not fitted:
                fitted.steps[len(first) :] = rest.steps
        self.estimator_ = fitted
        self.classes_ = rest.classes_
        copy_shape(self, [*first, rest][0])
        return self

    def _fit_copies(self, first, rest, X, y, changes, metadata):
        """Fit what learns on the rows of all copies, read block by block if it can."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None.")
        X = as_images(X)
        check_labels(y)
        for name, values in {"y": y, **metadata}.items():
            if values is not None:
                check_length(name, values, len(X))
        kinds = _draw_kinds(len(X), len(changes), self.max_perturbations)
        last = rest[-1] if isinstance(rest, Pipeline) else rest
        streams = has_fit_parameter(last, "conditions")
        if streams and metadata["groups"] is None and _takes_groups(rest):
            metadata["groups"] = np.arange(len(X))
        repeated = {
            name: np.repeat(np.asarray(value), kinds.shape[1], axis=0)
            for name, value in {"y": y, **metadata}.items()
            if value is not None
        }
        if streams:
            repeated["conditions"] = kinds.ravel()
        y = repeated.pop("y")
        shared = share_metadata(self, {"estimator": rest}, **repeated)["estimator"]
        rows = _make_source(X, changes, kinds, first, self.n_jobs, self.verbose)
        if not streams or (rest is not last and len(rest) > 1):
            rows = read_blocks(rows)
        rest.fit(rows, y, **shared)

    @available_if(_has("predict"))
    @at_once
    def predict(self, X):
        """Name the source of each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(_has("predict_proba"))
    @at_once
    def predict_proba(self, X):
        """Probabilities of the sources, if the classifier has them.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_has("decision_function"))
    @at_once
    def decision_function(self, X):
        """Scores of the sources, if the classifier has them.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    def get_metadata_routing(self):
        """Return what the classifier requests.

        Returns
        -------
        routing : :class:`~sklearn.utils.metadata_routing.MetadataRouter`
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        return tags


class AugmentedPipeline(Pipeline):
    """A pipeline that is trained on its images and on perturbed copies of them.

    What :class:`AugmentedClassifier` is to any classifier, as a pipeline: its steps,
    and their parameters, have the names that they have without copies.

    Parameters
    ----------
    steps : list of (str, estimator)
        As in :class:`~sklearn.pipeline.Pipeline`; the last is a classifier.
    perturbations, max_perturbations, n_jobs
        As in :class:`AugmentedClassifier`.
    verbose : bool, default=False
        As in :class:`AugmentedClassifier`.
    transform_input, memory
        As in :class:`~sklearn.pipeline.Pipeline`.

    Examples
    --------
    >>> from skfingerprint import (
    ...     AttributionFeatures, AugmentedPipeline, SourceDiscriminant)
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> from skfingerprint.perturbation import GaussianBlur
    >>> X, y = make_fingerprint_images(60, 3, strength=8, random_state=0)
    >>> pipeline = AugmentedPipeline(
    ...     [("features", AttributionFeatures()), ("classifier", SourceDiscriminant())],
    ...     perturbations=[GaussianBlur(std=0.5), GaussianBlur(std=1)])
    >>> pipeline = pipeline.fit(X[:30], y[:30])
    >>> pipeline[:-1].get_feature_names_out().shape
    (3824,)
    """

    def __init__(
        self,
        steps,
        *,
        perturbations=(),
        max_perturbations=None,
        n_jobs=None,
        transform_input=None,
        memory=None,
        verbose=False,
    ):
        super().__init__(
            steps, transform_input=transform_input, memory=memory, verbose=verbose
        )
        self.perturbations = perturbations
        self.max_perturbations = max_perturbations
        self.n_jobs = n_jobs

    @all_or_nothing
    def fit(self, X, y=None, *, groups=None, sample_weight=None, **params):
        """Fit the steps on the images and their copies.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels])
            Images in grey levels 0..255.
        y : array-like of shape (n_samples,)
            Sources.
        groups, sample_weight : array-like of shape (n_samples,), default=None
            As in :class:`AugmentedClassifier`; `step__groups` means the same.
        **params : dict
            Further metadata of images.

        Returns
        -------
        self : AugmentedPipeline
        """
        metadata = {key.rpartition("__")[2]: value for key, value in params.items()}
        metadata = {"groups": groups, "sample_weight": sample_weight} | metadata
        model = AugmentedClassifier(
            Pipeline(self.steps),
            self.perturbations,
            max_perturbations=self.max_perturbations,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        ).fit(X, y, **metadata)
        self.steps = model.estimator_.steps
        return self

    @available_if(_last_assesses)
    @at_once
    def assess(self, X):
        """Say of each image what is known, if the last step does.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels])
            Images in grey levels 0..255.

        Returns
        -------
        answers : Bunch
            See :meth:`RejectingClassifier.assess`.
        """
        check_is_fitted(self)
        return self.steps[-1][1].assess(self[:-1].transform(X))


def _takes_groups(estimator):
    """Whether `fit` gets `groups`; with metadata routing its requests decide."""
    if not get_config()["enable_metadata_routing"]:
        return True
    return bool(get_routing_for_object(estimator).consumes("fit", {"groups"}))


def _draw_kinds(n_images, n_changes, max_perturbations):
    """Return which copies of each image are made, (n_images, n_conditions); 0 is none."""
    if max_perturbations == "auto":
        affordable = MOST_IMAGES * (n_changes + 1) // n_images - 1
        max_perturbations = max(FEWEST_COPIES, affordable)
    elif max_perturbations is not None:
        check_int("max_perturbations", max_perturbations, 1)
    kinds = np.tile(np.arange(n_changes + 1), (n_images, 1))
    if max_perturbations is None or max_perturbations >= n_changes:
        return kinds
    drawn = np.random.default_rng(0).permuted(kinds[:, 1:], axis=1)[:, :max_perturbations]
    return np.concatenate([kinds[:, :1], np.sort(drawn, axis=1)], axis=1)


def _make_source(X, changes, kinds, steps, n_jobs, verbose=False):
    """Return the images and their copies, transformed, as a source of blocks.

    Copies of one image stand side by side, so that unshuffled folds inside the
    classifier, as of a calibration, do not tear them apart.
    """
    sizes = block_sizes(X, IMAGE_VALUES)
    ends = np.cumsum(sizes)
    changes = [None, *[clone(change) for change in changes]]
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", batch_size=1)
    report = make_report("blocks of images and copies", len(sizes), verbose)

    def read(k):
        part = slice(ends[k] - sizes[k], ends[k])
        images = X.read(k) if isinstance(X, BlockSource) else X[part]
        images = images if isinstance(images, list) else np.asarray(images)
        own = kinds[part]
        if k == 0:
            _transform(images[:1], steps, "fit_transform")
        found = np.unique(own)
        places = [np.nonzero(own == kind) for kind in found]
        rows = parallel(
            delayed(_make_copies)(_safe_indexing(images, at[0]), changes[kind], steps)
            for kind, at in zip(found, places, strict=True)
        )
        report(k + 1)
        return _interleave(rows, places, own.shape)

    return BlockSource(read, [size * kinds.shape[1] for size in sizes])


def _make_copies(images, change, steps):
    """Return copies of images, transformed; their originals without a change."""
    if change is not None:
        images = clone(change).fit_transform(images)
    return _transform(images, steps, "transform")


def _interleave(rows, places, shape):
    """Put the rows of each kind of copy to their places; copies of an image adjoin."""
    sizes = {part.shape[1:] for part in rows}
    if len(sizes) > 1:
        raise ValueError(
            f"copies differ in shape: {sorted(sizes)}. Put features that take any "
            "size, such as AttributionFeatures, in front of the classifier, or restore "
            "the size of the images."
        )
    found = np.empty((*shape, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for part, at in zip(rows, places, strict=True):
        found[at] = part
    return found.reshape(-1, *found.shape[2:])


def _transform(X, steps, method):
    for step in steps:
        X = getattr(step, method)(X)
    return np.asarray(X)

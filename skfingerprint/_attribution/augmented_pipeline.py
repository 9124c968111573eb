"""Data augmentation: pipelines trained on images and perturbed copies of them."""

from collections.abc import Iterator

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metadata_routing import UNUSED, get_routing_for_object
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skfingerprint._attribution.copies import (
    CopyRows,
    check_perturbations,
    count_blocks,
    count_perturbations,
    fit_stateless,
    list_rows,
    make_source,
)
from skfingerprint._attribution.history import HISTORIES, check_history
from skfingerprint._attribution.imitations import find_generators, imitate, is_flat
from skfingerprint._attribution.row_memory import RowMemory
from skfingerprint._core import (
    Estimator,
    all_or_nothing,
    as_images,
    check_choice,
    check_container,
    check_groups,
    check_jobs,
    check_labels,
    check_length,
    find_store,
    follow_fit,
    join_stateless,
    list_readers,
    list_steps,
    read_blocks,
    read_by,
    select_rows,
    share_metadata,
    split_readers,
    split_stateless,
    transform_by,
    with_callbacks,
)


def _last_has(method):
    def check(pipeline):
        # An AttributeError of the last step says more than one of the pipeline.
        getattr(pipeline.steps[-1][1], method)
        return True

    return check


# Reasons why the pipeline lacks a method, for messages.
OF_ALL_SOURCES = dict.fromkeys(
    ("add_sources", "partial_fit", "merge"),
    "a discriminant depends on all sources at once. Fit again with the images of the "
    "new source: with `memory`, rows of the others are read and not computed. A "
    "FingerprintClassifier has `add_sources`, as "
    "`pipeline[-1].add_sources(pipeline[:-1].transform(X), y)`",
)
REASONS = {
    True: OF_ALL_SOURCES
    | {
        "predict_proba": "an image may come from none of the known sources, so that "
        "probabilities of these do not add up. `assess(X).probability` is that of the "
        "likeliest source, given that it is a known one"
    },
    False: OF_ALL_SOURCES
    | dict.fromkeys(
        ("assess", "verify"),
        "it needs a stated rate, as of "
        "make_attribution_pipeline(false_alarm_rate=0.01)",
    ),
}


class AugmentedPipeline(Estimator, Pipeline):
    """Pipeline that is trained on images and on perturbed copies of them.

    The copies are made inside `fit`, from the training images alone, so that
    cross-validation splits images and not their copies: no copy of a test image is
    ever trained on. Predictions are those of the fitted steps, for images as they come.
    Steps and their parameters have the names that they have in a plain pipeline.

    :class:`ImageReader` and :class:`Unflatten` at the beginning make the images, and
    the copies are made behind them, in front of all other steps. So X may hold paths or
    flat rows, and copies are never made of residuals.

    Further steps at the beginning that learn nothing, such as
    :class:`AttributionFeatures`, are applied to a few images and their copies at a
    time, so that each image is read once.
    If a classifier that takes `conditions` in `fit`, such as
    :class:`SourceDiscriminant`, stands right behind them, it reads their results block
    by block, and they are never all in memory.

    Parameters
    ----------
    steps : list of (str, estimator)
        As in :class:`~sklearn.pipeline.Pipeline`.
    perturbations : sequence of transformers or None, default=()
        Each makes one copy of the images; see `skfingerprint.perturbation`. The
        unprocessed images are always trained on.
    max_perturbations : int, "auto" or None, default=None
        Number of perturbed copies of each image, by the first perturbations of the
        list; None makes all. "auto" makes all for up to 4,096 images, and fewer for
        more images, but at least two, so that the time of the fit grows with that of a
        few unprocessed images.
    imitations : "auto", sequence of transformers or None, default="auto"
        Generators that imitate unknown sources, of two kinds or more; each has a `kind`
        or is a kind by its class. Imitations of some images are made in `fit`, with the
        same perturbations, and their rows are passed as `imitations` to the last step.
        "auto" takes `skfingerprint.imitation.IMITATIONS` if the last step learns from
        imitations, as a :class:`RejectingClassifier` with a :class:`SourceDetector`
        does, and otherwise none.
    n_jobs : int, default=None
        Number of threads that make copies and their features; -1 for all processors.
    transform_input : list of str, default=None
        As in :class:`~sklearn.pipeline.Pipeline`.
    memory : str, path-like, joblib.Memory or None, default=None
        Folder that keeps rows between fits: the results of the stateless steps at the
        beginning, for each image and perturbation. A further fit, such as one on other
        folds or with another classifier, computes new rows only. Fitted steps are not
        kept, unlike in :class:`~sklearn.pipeline.Pipeline`. See the Notes.
    history : {"auto", "warn", "ignore"}, default="auto"
        What to do if images of some classes were JPEG files once, and those of others
        were not, by :func:`~skfingerprint.metrics.jpeg_history`. "auto" warns; if the
        last step has a stated rate and no perturbation is a JPEG compression, it raises
        an error. "warn" always warns, and "ignore" does not judge. If the images are
        files whose headers differ by class, the same warning names the properties. See
        the Notes.
    verbose : bool or int, default=False
        Whether to report how many blocks of images are done: in a bar if tqdm is
        installed (extra `progress`), in lines otherwise. With `memory`, a line at the
        end of the fit reports how many rows were read and computed, and the size of the
        folder.

    See Also
    --------
    make_attribution_pipeline : The recommended pipeline.

    Notes
    -----
    Callbacks of scikit-learn (`set_callbacks`, from scikit-learn 1.9 on) see a task for
    each block of images, and one for the fit of the steps behind the stateless ones. If
    the classifier reads block by block, the blocks after the first are read during its
    fit. Without perturbations there is only the fit of all steps.

    With `memory`, a row is identified by the decoded pixels with their shape and dtype,
    by the perturbation and the stateless steps with their parameters, and by the
    versions of this package and of the packages that compute rows, such as NumPy, numba
    and Pillow. If any of them changes, the row is computed anew. Rows have the same
    bits as computed ones; without numba, or on another processor, they may differ from
    rows that are computed in another batch by rounding.

    Rows are computed in each fit, and a warning names the reason, if a parameter is a
    function or an object without a stable description, or if a step or perturbation
    belongs to a package other than this one and scikit-learn: its code may change while
    its name does not. Functions of NumPy are exceptions. Predictions do not use the
    folder.

    The JPEG history is judged before the fit, by the median score of up to 20 images of
    each class, which are read once more. A class has a JPEG past if it lies above 6. If
    the classes differ and a perturbation is a JPEG compression whose quality differs by
    at most 15, the classes with the rarer history take no part in the unchanged
    condition of a classifier that takes `conditions`: of these, only perturbed copies
    are trained on. With a stated rate this needs three other classes. The background is
    not judged, nor are images with a side below 32 pixels, residuals and rows. Headers
    of all files are compared as :func:`~skfingerprint.datasets.describe_image_folder`
    does, whatever the perturbations.

    There is one imitation of each source by each generator, but at most two of each
    image, and at least 250 and at most 600 in all; the sources take turns. An imitation
    has the group of its image.

    The folder holds one file for each image, and numbers only. It may be shared by
    several processes. It may be deleted at any time, and
    `joblib.Memory(folder).clear()` removes its rows. If the disk is full, the fit warns
    and goes on.

    Examples
    --------
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> from sklearn.model_selection import StratifiedGroupKFold
    >>> from skfingerprint import (
    ...     AugmentedPipeline, ResidualExtractor, SpectrumTransformer)
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import JPEGCompression
    >>> data = load_generators()
    >>> folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    >>> fit, test = next(folds.split(data.images, data.target, data.groups))
    >>> compressed = JPEGCompression(quality=85).fit_transform(data.images[test])
    >>> steps = [
    ...     ("residuals", ResidualExtractor(sigma=1)),
    ...     ("spectra", SpectrumTransformer(block_size=16)),
    ...     ("lda", LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")),
    ... ]
    >>> for qualities in ((), (95, 75)):
    ...     perturbations = [JPEGCompression(quality=q) for q in qualities]
    ...     pipeline = AugmentedPipeline(steps, perturbations=perturbations)
    ...     pipeline = pipeline.fit(data.images[fit], data.target[fit])
    ...     print(f"{pipeline.score(compressed, data.target[test]):.2f}")
    0.24
    0.37
    >>> pipeline[:-1].get_feature_names_out().shape
    (432,)

    With `memory`, the second fit reads all its rows, from one file for each image:

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.mkdtemp()
    >>> pipeline = pipeline.set_params(memory=folder)
    >>> for shrinkage in (0.1, 0.5):
    ...     pipeline = pipeline.set_params(lda__shrinkage=shrinkage)
    ...     pipeline = pipeline.fit(data.images[test][:40], data.target[test][:40])
    >>> sum(path.is_file() for path in Path(folder).rglob("*"))
    40
    """

    # Passed on to the steps, whose requests decide.
    __metadata_request__fit = dict.fromkeys(("groups", "sample_weight"), UNUSED)
    __metadata_request__fit_transform = __metadata_request__fit
    __metadata_request__fit_predict = __metadata_request__fit

    def __init__(
        self,
        steps,
        *,
        perturbations=(),
        max_perturbations=None,
        imitations="auto",
        n_jobs=None,
        transform_input=None,
        memory=None,
        history="auto",
        verbose=False,
    ):
        super().__init__(
            steps, transform_input=transform_input, memory=memory, verbose=verbose
        )
        # An iterator could be read, or cloned, only once.
        is_iterator = isinstance(perturbations, Iterator)
        self.perturbations = list(perturbations) if is_iterator else perturbations
        is_iterator = isinstance(imitations, Iterator)
        self.imitations = list(imitations) if is_iterator else imitations
        self.max_perturbations = max_perturbations
        self.n_jobs = n_jobs
        self.history = history

    @all_or_nothing
    def fit(self, X, y=None, *, groups=None, sample_weight=None, **params):
        """Fit clones of the steps on the images and their copies.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features), list of images, or paths
            Images in grey levels 0..255; of different sizes if the steps take them, as
            those of the recommended pipeline do. The steps in front decide whether they
            may be paths or rows.
        y : array-like of shape (n_samples,)
            Sources.
        groups : array-like of shape (n_samples,), default=None
            Scene that each image shows, for steps that take it; repeated for every
            copy. `step__groups` means the same.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, for steps that take them; repeated for every copy.
        **params : dict
            Further metadata of images for steps that take or, with metadata routing,
            request them; repeated for every copy.

        Returns
        -------
        self : AugmentedPipeline
        """
        params |= {"groups": groups, "sample_weight": sample_weight}
        self._fit_steps("fit", X, y, params)
        return self

    @available_if(Pipeline._can_fit_transform)
    @all_or_nothing
    def fit_transform(self, X, y=None, *, groups=None, sample_weight=None, **params):
        """Fit the steps on the images and their copies, and transform the images.

        The last step transforms the rows that it is fitted on, so that a cross-fitted
        one, such as :class:`FingerprintTransformer`, scores no row by itself.

        Parameters
        ----------
        X, y, groups, sample_weight, **params
            As in :meth:`fit`.

        Returns
        -------
        transformed : ndarray of shape (n_samples, ...)
            Results for the unprocessed images.
        """
        params |= {"groups": groups, "sample_weight": sample_weight}
        return self._fit_steps("fit_transform", X, y, params)

    @available_if(_last_has("fit_predict"))
    @all_or_nothing
    def fit_predict(self, X, y=None, *, groups=None, sample_weight=None, **params):
        """Fit the steps on the images and their copies, and predict the images.

        Parameters
        ----------
        X, y, groups, sample_weight, **params
            As in :meth:`fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predictions for the unprocessed images.
        """
        params |= {"groups": groups, "sample_weight": sample_weight}
        return self._fit_steps("fit_predict", X, y, params)

    @available_if(_last_has("assess"))
    def assess(self, X, *, groups=None):
        """Report source, decision and probabilities of each image, or set of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels])
            Images in grey levels 0..255.
        groups : array-like of shape (n_samples,), default=None
            Set of each image, for one answer a set of images that share one source.

        Returns
        -------
        answers : Bunch
            See :meth:`RejectingClassifier.assess`.
        """
        check_is_fitted(self)
        rows = self[:-1].transform(X)
        given = {} if groups is None else {"groups": groups}
        return self.steps[-1][1].assess(rows, **given)

    @available_if(_last_has("verify"))
    def verify(self, X1, X2):
        """Score whether two sets of images have one source, known or not.

        Parameters
        ----------
        X1, X2 : array-like of shape (n_samples, height, width[, n_channels])
            The images of each set in grey levels 0..255, which are taken to have one
            source.

        Returns
        -------
        answer : Bunch
            See :meth:`SourceDetector.verify`.
        """
        check_is_fitted(self)
        steps = self[:-1]
        return self.steps[-1][1].verify(steps.transform(X1), steps.transform(X2))

    def __getattr__(self, name):
        """Raise AttributeError, with the reason if a stated rate decides."""
        steps = vars(self).get("steps") or [(None, None)]
        reason = REASONS[hasattr(steps[-1][1], "assess")].get(name)
        message = f"This {type(self).__name__!r} has no attribute {name!r}"
        raise AttributeError(f"{message}: {reason}." if reason else message)

    @with_callbacks
    def _fit_steps(self, method, X, y, params):
        """Fit clones of the steps by a method of pipelines, and take them over.

        Parameters
        ----------
        method : {"fit", "fit_transform", "fit_predict"}
            Method of the pipeline of the clones.
        X, y
            Images and sources.
        params : dict
            Metadata; None is left out.

        Returns
        -------
        result : ndarray or estimator
            Result of the method, for the unprocessed images.
        """
        # "groups" and "step__groups" mean the same: every step that takes groups gets
        # them, since copies of one image must not be separated anywhere.
        given = {name: value for name, value in params.items() if value is not None}
        metadata = {name.rpartition("__")[2]: value for name, value in given.items()}
        changes = check_perturbations(self.perturbations)
        generators = find_generators(self.imitations, self.steps[-1][1])
        check_jobs(self.n_jobs)
        # Clones are fitted, so that an error leaves the steps of this pipeline as they
        # were. A plain pipeline does not make copies again, nor keep fitted steps.
        fitted = clone(Pipeline(self.steps))
        images = _read_images(fitted, X)
        # Rows are no images, and results of other methods are those of images.
        generators = [] if method != "fit" or is_flat(images) else generators
        left_out = self._check_history(images, y, changes)
        if changes or generators:
            given = metadata, changes, generators, left_out
            result = self._fit_copies(fitted, method, images, y, *given)
            _remember_input(fitted, X)
        elif find_store(self.memory) is not None and _keeps_rows(fitted):
            result = self._fit_kept(fitted, method, images, y, metadata)
        else:
            shared = _share(self, fitted, metadata)
            with follow_fit(self, method, 1, X=X, y=y) as run_task:
                with run_task("fit-steps", fitted):
                    result = getattr(fitted, method)(X, y, **shared)
                self.steps = fitted.steps
        return result

    def _check_history(self, images, y, changes):
        """Return the classes that take no part in the unchanged condition."""
        check_choice("history", self.history, HISTORIES)
        if self.history == "ignore":
            return []
        return check_history(self, images, y, changes)

    def _fit_copies(
        self, fitted, method, X, y, metadata, changes, generators, left_out
    ):
        """Fit a pipeline on images and their copies, read block by block if it can be.

        Parameters
        ----------
        fitted : Pipeline
            Unfitted clones of the steps.
        method : {"fit", "fit_transform", "fit_predict"}
            Its method.
        X, y
            Images and sources.
        metadata : dict
            Metadata of the images.
        changes : list of transformers
            The perturbations.
        generators : list of transformers
            The generators of imitations.
        left_out : list of labels
            Classes that take no part in the unchanged condition.

        Returns
        -------
        result : ndarray or estimator
            Result of the method, for the unprocessed images.
        """
        X, y = _check_training(X, y, metadata)
        rest = split_stateless(fitted)[1]
        takes_conditions = has_fit_parameter(list_steps(rest)[-1], "conditions")
        # Each image is a group of its own unless the user knows more: otherwise folds
        # inside the classifier would hold out an image and train on its copies.
        if takes_conditions and _takes_groups(rest):
            metadata = {"groups": np.arange(len(X))} | metadata
        weights = metadata.get("sample_weight")
        images, places, made = imitate(X, y, weights, generators, self.n_jobs)
        metadata = {name: np.asarray(v)[places] for name, v in metadata.items()}
        metadata |= {} if made is None else {"imitations": made}
        n_changes = count_perturbations(len(X), len(changes), self.max_perturbations)
        unused = None
        if takes_conditions:
            unused = np.zeros(len(places), dtype=bool)
            # Results of other methods are those of the unprocessed images.
            if method == "fit":
                unused[: len(X)] = [label in left_out for label in y.tolist()]
        rows = list_rows(images, y[places], metadata, changes[:n_changes], unused)
        result = self._fit_rows(fitted, method, X, y, rows)
        if method == "fit":
            return result
        # The first row of each image is that of the unprocessed image.
        return _safe_indexing(result, np.arange(0, len(rows.y), 1 + n_changes))

    def _fit_kept(self, fitted, method, X, y, metadata):
        """Fit a pipeline on unprocessed images whose rows may be known.

        Parameters
        ----------
        fitted, method, X, y, metadata
            As in :meth:`_fit_copies`; y may be None.

        Returns
        -------
        result : ndarray or estimator
            Result of the method.
        """
        # The pixels name a row, and not the path, behind which the file may change.
        images = check_container(as_images(X))
        kept = np.ones(len(images), dtype=bool)
        rows = CopyRows(images, [None], y, metadata, kept)
        result = self._fit_rows(fitted, method, images, y, rows)
        if hasattr(X, "columns"):  # a frame: steps remember its names
            steps = split_readers(split_stateless(fitted)[0])[1]
            fit_stateless(_safe_indexing(X, [0]), steps)
        return result

    def _fit_rows(self, fitted, method, X, y, rows):
        """Fit the steps behind the stateless ones on the rows of all copies.

        Parameters
        ----------
        fitted : Pipeline
            Unfitted clones of the steps.
        method : {"fit", "fit_transform", "fit_predict"}
            Method of the steps behind the stateless ones.
        X, y
            Images and sources, as callbacks see them.
        rows : CopyRows
            The rows, with images and labels.

        Returns
        -------
        result : ndarray or estimator
            Result of the method for all rows.
        """
        first, rest = split_stateless(fitted)
        steps, images = split_readers(first)[1], rows.images
        given = _share(self, rest, rows.metadata)
        # Only a classifier of this package, right behind the stateless steps, reads
        # blocks; any other step needs all rows in memory.
        streams = "conditions" in rows.metadata and len(rest) == 1 and method == "fit"
        store = find_store(self.memory) if steps else None
        memory = None if store is None else RowMemory(store, rows.changes, steps)
        options = {"n_jobs": self.n_jobs, "verbose": self.verbose}
        with follow_fit(self, method, count_blocks(images) + 1, X=X, y=y) as run_task:
            read = make_source(images, rows.changes, steps, memory, run_task, **options)
            if not rows.kept.all():
                read = select_rows(read, np.flatnonzero(rows.kept))
            read = read if streams else _name_columns(read_blocks(read), X, steps)
            with run_task("fit-steps", rest):
                result = getattr(rest, method)(read, rows.y, **given)
            join_stateless(fitted, rest)
            # Callbacks see the fitted steps at the end.
            self.steps = fitted.steps
        if self.verbose and memory is not None:
            memory.report()
        return result


def _check_training(X, y, metadata):
    """Validate images and sources of a fit, and their metadata, and return them."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    X, y = check_container(as_images(X)), check_labels(y)
    for name, values in {"y": y, **metadata}.items():
        check_length(name, values, len(X))
    check_groups(metadata.get("groups"), len(X))
    return X, np.asarray(y)


def _name_columns(rows, X, steps):
    """Return rows as a frame if this is the set output of the steps, with its names."""
    is_set = [hasattr(step, "_sklearn_output_config") for step in steps]
    if not steps or not (any(is_set) or get_config()["transform_output"] != "default"):
        return rows
    frame = transform_by(steps, _safe_indexing(X, [0]))
    if not hasattr(frame, "columns"):
        return rows
    key = "columns" if hasattr(frame, "iloc") else "schema"
    return type(frame)(rows, **{key: list(frame.columns)})


def _share(owner, pipeline, metadata):
    """Return the metadata that `fit` of a pipeline takes.

    With metadata routing it gets all of it, and passes it on by the requests of its
    steps.
    """
    if get_config()["enable_metadata_routing"]:
        return metadata
    return share_metadata(owner, {"steps": pipeline}, **metadata)["steps"]


def _takes_groups(estimator):
    """Whether `fit` gets `groups`; with metadata routing its requests decide."""
    if not get_config()["enable_metadata_routing"]:
        return True
    return bool(get_routing_for_object(estimator).consumes("fit", {"groups"}))


def _read_images(pipeline, X):
    """Fit the leading steps that read images, and return the images that they make."""
    return read_by(list_readers(pipeline), X, "fit_transform")


def _remember_input(pipeline, X):
    """Fit the first step on X itself if it was fitted on images that were made of X.

    Steps that learn may stand in one pipeline with a step that reads images.
    """
    for reader in list_readers(split_stateless(pipeline)[1])[:1]:
        reader.fit(X)


def _keeps_rows(pipeline):
    """Return whether stateless steps make rows of images that are read in front."""
    steps = split_readers(split_stateless(pipeline)[0])[1]
    # Steps that read files by themselves, such as branches of a union, hide the pixels.
    inside = [part for step in steps for part in [step, *step.get_params().values()]]
    return bool(steps) and not any(map(_reads_files, inside))


def _reads_files(step):
    return hasattr(step, "__sklearn_tags__") and get_tags(step).input_tags.string

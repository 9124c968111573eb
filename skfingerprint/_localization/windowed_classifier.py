"""Localization of sources in an image by a classifier of its windows."""

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.pipeline import make_pipeline
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.metadata_routing import MethodMapping
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skfingerprint._attribution import SourceDiscriminant
from skfingerprint._core import (
    StatelessTransformer,
    all_or_nothing,
    as_images,
    as_rows,
    as_stack,
    at_once,
    check_classes,
    check_grey_levels,
    check_int,
    check_labels,
    check_rate,
    check_training,
    find_folds,
    iterate_blocks,
    iterate_sources,
    join_stateless,
    list_readers,
    list_steps,
    read_by,
    share_metadata,
    skip_grey_levels,
    split_by_shape,
    split_readers,
    split_stateless,
    to_decision,
    track,
    validate_images,
)
from skfingerprint._features import AttributionFeatures
from skfingerprint._localization.localizer import Localizer
from skfingerprint._localization.masks import find_thresholds
from skfingerprint._localization.windows import (
    draw_windows,
    find_grid,
    score_windows,
    scores_to_pixels,
)

# Shrinkage of the default estimator. With less, it would be too certain of single
# windows.
SHRINKAGE = 0.3


class WindowedClassifier(MetaEstimatorMixin, Localizer):
    """Locate sources in an image by a classifier of its windows.

    A classifier of small images is trained on windows of the images. It then scores all
    windows of an image on a grid, and each pixel has the scores of the windows around
    it. The maps answer two questions. `score_map(X, source, background="photograph")`
    locates one source in photographs. `score_map(X, background="photograph")` locates
    all pixels that do not come from a photograph, of any source.

    Images may have any size that is not smaller than the window. Large images are read
    window by window, so that the workspace does not grow with their size, except for
    the map.

    Parameters
    ----------
    estimator : classifier, default=None
        Classifier with a `decision_function` or `predict_proba`, which gets windows as
        stacks of shape (n_samples, height, width[, n_channels]). By default
        :class:`AttributionFeatures` with blocks of 16 pixels and co-occurrences of
        order 4, and :class:`SourceDiscriminant` with shrinkage 0.3, which need three
        images of each source.
    window_size : int, default=20
        Side of the windows in pixels, at most the length of rows. Much smaller parts
        are not detected.
    stride : int, default=8
        Step between windows of maps in pixels. The last window ends at the border.
    max_windows : int, default=12
        Largest number of windows of an image for training. They are drawn by a seed
        that the pixels of the image determine, so that its place in X does not matter.
    pixel_false_alarm_rate : float, default=0.05
        In (0, 0.5]: share of the pixels of images without the source that a mask may
        assign to it, on average over images.
    cv : int or cross-validation splitter, default=5
        Folds of images for the thresholds: windows of each fold are scored by a
        classifier of the other folds. A number means stratified folds: of whole groups,
        and shuffled ones without groups.
    n_jobs : int, default=None
        Number of threads of the default estimator; -1 for all processors.
    verbose : bool or int, default=False
        Whether to report how many folds of the fit are done, and how many groups of
        windows of large images are scored: in a bar if tqdm is installed (extra
        `progress`), in lines otherwise.

    Attributes
    ----------
    estimator_ : classifier
        Classifier, fitted on windows of all images.
    classes_ : ndarray of shape (n_classes,)
        The sources, and the background if there is one among them.
    thresholds_ : ndarray of shape (n_classes + 1, n_classes + 1)
        Thresholds of `predict_mask`, for the score of the class of a row less that of
        the class of a column. The last row stands for any source and the last column
        for any background. NaN where both are the same.
    n_channels_ : int
        Number of channels: 1 for grey images.
    n_features_in_ : int
        Length of rows, if `fit` had rows.

    See Also
    --------
    FingerprintLocalizer : Locates sources by fingerprints, in aligned images.
    skfingerprint.plotting.ScoreMapDisplay : Draws an image with its map.

    Notes
    -----
    Overlapping windows are averaged by a Gaussian whose standard deviation is that of a
    window, ``window_size / sqrt(12)``. Scores are interpolated bilinearly between the
    centers of windows, and are constant beyond the outermost centers. Scores of the
    default estimator are logarithms of probabilities, so that the difference of two
    scores is a log-likelihood ratio.

    A threshold is the quantile of held-out scores of windows of the background that a
    share `pixel_false_alarm_rate` exceeds. It is at least the middle between the
    medians of background and source: at the border of a part, half of a window lies
    inside of it, and its score is that middle if scores are linear in the share. For
    any source, or any background, the class counts whose median is nearest to the
    other side.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint import WindowedClassifier
    >>> from skfingerprint.datasets import load_generators
    >>> data = load_generators()
    >>> y = data.target_names[data.target]
    >>> pair = np.isin(y, ["acnet-gan", "srgan-gan"])
    >>> X, y, groups = data.images[pair], y[pair], data.groups[pair]
    >>> fit = np.isin(groups, np.unique(groups)[::2])
    >>> model = WindowedClassifier(cv=3).fit(X[fit], y[fit], groups=groups[fit])
    >>> image = X[~fit & (y == "srgan-gan")][3].copy()
    >>> image[:32] = X[~fit & (y == "acnet-gan")][3][:32]  # the upper half
    >>> mask = model.predict_mask([image], "acnet-gan", background="srgan-gan")[0]
    >>> print(f"{mask[:32].mean():.1f} {mask[32:].mean():.1f}")
    0.9 0.0
    """

    def __init__(
        self,
        estimator=None,
        *,
        window_size=20,
        stride=8,
        max_windows=12,
        pixel_false_alarm_rate=0.05,
        cv=5,
        n_jobs=None,
        verbose=False,
    ):
        self.estimator = estimator
        self.window_size = window_size
        self.stride = stride
        self.max_windows = max_windows
        self.pixel_false_alarm_rate = pixel_false_alarm_rate
        self.cv = cv
        self.n_jobs = n_jobs
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X, y, *, groups=None, sample_weight=None, **params):
        """Fit the classifier on windows of the images, and compute the thresholds.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features), or list of images
            Images in grey levels 0..255, in a layout for the estimator.
        y : array-like of shape (n_samples,)
            Sources; at least two, with at least two images each.
        groups : array-like of shape (n_samples,), default=None
            Scene that each image shows: images of one group are held out together. An
            estimator that takes groups gets them, too. Without groups, it gets one
            group for the windows of each image.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the images, >= 0, for an estimator that takes them.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        self : WindowedClassifier

        Raises
        ------
        ValueError
            If an image is smaller than the window, or a class has fewer than two
            images or groups. The default estimator needs three, since it holds out a
            part of the images that a fold leaves.
        """
        self._check_parameters()
        self.estimator_ = clone(self._get_estimator())
        X = as_images(read_by(list_readers(self.estimator_), X, "fit_transform"))
        y = _check_labels(X, y)
        windows, owners = self._draw(X)
        members, weights = check_training(self, windows, y, sample_weight)
        check_classes(self.classes_)
        folds = find_folds(self, y, groups, weights, params, shuffle=True)
        # Steps in front that learn nothing see each window once, and not in each fold.
        first, rest = split_stateless(self.estimator_)
        given = {"sample_weight": None if sample_weight is None else weights}
        if has_fit_parameter(list_steps(rest)[-1], "groups"):
            # Windows of one image must not be on both sides of a split.
            given["groups"] = np.arange(len(y)) if groups is None else groups
        given = share_metadata(self, {"estimator": rest}, **given)["estimator"]
        given = {name: np.asarray(value)[owners] for name, value in given.items()}
        # Readers have read images, and windows are parts of these.
        steps, labels = split_readers(first)[1], y[owners]
        rows = self._transform(steps, windows, "fit_transform")
        scores = self._score_held_out(rest, rows, labels, folds[owners], given)
        self.thresholds_ = find_thresholds(
            scores, members[owners], weights[owners], self.pixel_false_alarm_rate
        )
        # Whole images have been checked. A dark window may look like an image in 0..1.
        skip_grey_levels(rest.fit, rows, labels, **given)
        join_stateless(self.estimator_, rest)
        return self

    @at_once
    def decision_function(self, X):
        """Compute the mean scores of the windows of each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features), or list of images
            Images in grey levels 0..255.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            For two classes, the score of the second minus that of the first.
        """
        return to_decision(self._score(X))

    @at_once
    def predict(self, X):
        """Name the source of each image, by the mean scores of its windows.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features), or list of images
            Images in grey levels 0..255.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        scores = self._score(X)
        return self.classes_[scores.argmax(axis=1)]

    def get_metadata_routing(self):
        """Return the metadata requests of `fit`, `cv` and the estimator.

        Returns
        -------
        routing : :class:`~sklearn.utils.metadata_routing.MetadataRouter`
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = super().get_metadata_routing()
        return router.add(estimator=self._get_estimator(), method_mapping=mapping)

    def _get_estimator(self):
        """Return the estimator, or the default one."""
        if self.estimator is not None:
            return self.estimator
        features = AttributionFeatures(block_size=16, order=4, n_jobs=self.n_jobs)
        return make_pipeline(features, SourceDiscriminant(shrinkage=SHRINKAGE))

    def _check_parameters(self):
        for name in ("window_size", "stride", "max_windows"):
            check_int(name, getattr(self, name), 1)
        check_rate("pixel_false_alarm_rate", self.pixel_false_alarm_rate)

    def _draw(self, X):
        """Draw windows of all images.

        Parameters
        ----------
        X : ndarray or list or source of blocks
            Images.

        Returns
        -------
        windows : ndarray of shape (n_windows, *sides[, n_channels])
            Windows, in the order of the images.
        owners : ndarray of shape (n_windows,), int
            Number of the image of each window.
        """
        # Images come grouped by size, and are brought back to their own order below.
        found = {}
        for places, stack in self._read(X, reset=True):
            sides = find_grid(stack.shape[1:3], self.window_size, self.stride).sides
            for place, image in zip(places, stack, strict=True):
                found[place] = draw_windows(image, sides, self.max_windows)
        drawn = [found[place] for place in range(len(found))]
        owners = np.repeat(np.arange(len(drawn)), [len(part) for part in drawn])
        return np.concatenate(drawn), owners

    def _read(self, X, *, reset=False):
        """Yield stacks of images of one size, after the numbers of their images."""
        start = 0
        for part in iterate_sources(X):
            part = validate_images(
                self,
                part,
                reset=reset and start == 0,
                dtype="numeric",
                aligned=False,
                neighbors=True,
            )
            for places, stack in _split(part):
                self._check_images(stack, start + places)
                yield start + places, as_stack(stack)
            start += len(part)

    def _check_images(self, stack, places):
        """Check the sizes of images, and their grey levels as the first step would."""
        height, width = as_stack(stack).shape[1:3]
        if stack.ndim > 2 and min(height, width) < self.window_size:
            raise ValueError(
                f"image {places[0]} has {height} x {width} pixels, and window_size is "
                f"{self.window_size}. Leave smaller images out, or take a smaller "
                "window_size."
            )
        # The first step sees windows, whose grey levels may all be dark.
        first = split_readers(list_steps(self.estimator_))[1][0]
        if isinstance(first, StatelessTransformer):
            check_grey_levels(stack, first._find_content(stack), places)

    def _transform(self, steps, windows, method):
        """Transform windows by the steps in front; windows of rows become rows.

        Parameters
        ----------
        steps : list of transformers
            Steps in front, which learn nothing.
        windows : ndarray of shape (n_windows, *sides[, n_channels])
            Windows.
        method : {"fit_transform", "transform"}
            Method of the steps.

        Returns
        -------
        rows : ndarray of shape (n_windows, ...)
            Output of the last step.
        """
        found = as_rows(windows) if hasattr(self, "n_features_in_") else windows
        for step in steps:
            found = skip_grey_levels(getattr(step, method), found)
        # Arrays, even if scikit-learn is configured to return data frames.
        return np.asarray(found)

    def _score_held_out(self, estimator, rows, labels, folds, given):
        """Score the windows of each fold by a classifier of the other folds.

        Parameters
        ----------
        estimator : classifier
            Classifier of rows, not fitted.
        rows : ndarray of shape (n_windows, ...)
            Rows of the windows.
        labels : ndarray of shape (n_windows,)
            Source of each window.
        folds : ndarray of shape (n_windows,), int
            Fold of the image of each window.
        given : dict
            Metadata for `fit`, with a value for each window.

        Returns
        -------
        scores : ndarray of shape (n_windows, n_classes)
        """
        scores = np.empty((len(rows), len(self.classes_)))
        for fold in track(np.unique(folds), "folds of windows", self.verbose):
            own, used = folds == fold, folds != fold
            metadata = {name: value[used] for name, value in given.items()}
            fitted = clone(estimator)
            skip_grey_levels(fitted.fit, rows[used], labels[used], **metadata)
            if len(fitted.classes_) < len(self.classes_):
                raise ValueError(
                    "a fold of cv leaves no image of some class: take fewer folds, "
                    "or more groups a class."
                )
            scores[own] = _score_classes(fitted, rows[own])
        return scores

    def _score(self, X):
        """Compute the mean scores of each image, (n_samples, n_classes)."""
        check_is_fitted(self)
        found = {}
        for places, scores, _ in self._score_each(X):
            found |= zip(places, scores.mean(axis=(1, 2)), strict=True)
        return np.stack([found[place] for place in range(len(found))])

    def _score_each(self, X):
        """Yield the numbers of images of one size, their scores and their grid.

        Parameters
        ----------
        X : array-like or list
            Images.

        Yields
        ------
        places : ndarray of shape (n_images,), int
            Numbers of the images.
        scores : ndarray of shape (n_images, n_rows, n_columns, n_classes)
            Scores of their windows.
        grid : Grid
            Positions of the windows.
        """
        X = read_by(list_readers(self.estimator_), X)
        for places, stack in self._read(as_images(X)):
            grid = find_grid(stack.shape[1:3], self.window_size, self.stride)
            score = self._score_windows
            yield places, score_windows(stack, grid, score, self.verbose), grid

    def _score_windows(self, windows):
        """Score windows by the steps in front and the fitted rest."""
        first, rest = split_stateless(self.estimator_)
        rows = self._transform(split_readers(first)[1], windows, "transform")
        return skip_grey_levels(_score_classes, rest, rows)

    def _make_maps(self, X, contrast):
        """Return maps of a function of the scores of windows."""
        found = {}
        for places, scores, grid in self._score_each(X):
            # The contrast comes first: one value for each window is interpolated then.
            for place, each in zip(places, contrast(scores), strict=True):
                found[place] = scores_to_pixels(each.astype(np.float32), grid)
        return _join([found[place] for place in range(len(found))])


def _split(X):
    """Yield stacks of images of one size, after the numbers of their images."""
    if isinstance(X, list):
        for places, stack in split_by_shape(X):
            yield np.array(places), stack
        return
    for block, part in iterate_blocks(X):
        yield np.arange(part.start, part.stop), block


def _check_labels(X, y):
    """Validate the labels of images."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    y = column_or_1d(check_labels(y), warn=True)
    check_consistent_length(X, y)
    assert_all_finite(y, input_name="y")
    return y


def _score_classes(estimator, X):
    """Score rows for all classes, (n_rows, n_classes), for two classes as well."""
    if not hasattr(estimator, "decision_function"):
        return estimator.predict_proba(X)
    scores = estimator.decision_function(X)
    # Halves, so that the second score minus the first is the decision.
    return scores if scores.ndim > 1 else np.stack([-scores, scores], axis=1) / 2


def _join(maps):
    """Stack maps of one size; maps that differ in size stay a list."""
    same = len({each.shape for each in maps}) == 1
    return np.stack(maps) if same else maps

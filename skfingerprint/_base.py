"""What the estimators share: all-or-nothing fits, stateless transformers, routing."""

import functools
import sys
from importlib.metadata import PackageNotFoundError, metadata

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skfingerprint._blocks import (
    BlockSource,
    as_rows,
    as_stack,
    check_values,
    map_blocks,
    read_blocks,
)
from skfingerprint._layouts import (
    REMEMBERED,
    check_grey_levels,
    split_by_shape,
    validate_images,
)


def all_or_nothing(method):
    """Let a method work on a shallow copy of the estimator, and commit it at the end.

    An error or an interrupt leaves the estimator as it was. Underflow is no error,
    whatever `numpy.errstate` says.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        draft = _share_state(self, vars(self).copy())
        with np.errstate(under="ignore"):
            result = method(draft, *args, **kwargs)
        self.__dict__ = vars(draft)
        return self if result is draft else result

    return run


def at_once(method):
    """Let a method read the state of the estimator at its head, once.

    A fit replaces the state as a whole, so that one which another thread commits
    meanwhile changes nothing in what the method returns. Underflow is no error.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        twin = _share_state(self, self.__dict__)
        with np.errstate(under="ignore"):
            return method(twin, *args, **kwargs)

    return run


def _share_state(estimator, state):
    """Return another object of the estimator's class that has this state."""
    twin = object.__new__(type(estimator))
    twin.__dict__ = state
    return twin


class Estimator(BaseEstimator):
    """Base of all estimators: links their HTML representation to the documentation.

    The address is that of the package's metadata, `Documentation` among its URLs;
    without one there is no link.
    """

    _doc_link_module = "skfingerprint"

    @property
    def _doc_link_template(self):
        address = _find_documentation()
        return address and address.rstrip("/") + "/api/generated/{name}.html"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _doc_link_url_param_generator(self):
        name = type(self).__name__
        package = sys.modules["skfingerprint"]
        at_top = getattr(package, name, None) is type(self)
        return {"name": f"{'skfingerprint' if at_top else self.__module__}.{name}"}


class StatelessTransformer(TransformerMixin, Estimator):
    """Transform each image by itself, in batches: the same whatever the batch.

    A subclass says how in `_get_function`. Nothing is learned, but `fit` remembers the
    number of channels, and the length of rows.
    """

    n_jobs = None
    _accepted_dtype = "numeric"
    _accepted_channels = (1, 3)
    _preserved_dtypes = ("float32",)
    _content = "images"

    @all_or_nothing
    def fit(self, X, y=None):
        """Check the parameters and the images; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels])
            Images or residuals, in grey levels.
        y : None
            Ignored.

        Returns
        -------
        self : transformer
        """
        self._get_function()
        X = self._validate(X.read(0) if isinstance(X, BlockSource) else X, reset=True)
        for places, stack in split_by_shape(X):
            check_grey_levels(stack, self._find_content(stack), places)
        return self

    @at_once
    def transform(self, X):
        """Transform each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]), or list
            Images or residuals, in grey levels, of any real dtype. Sizes need not be
            those of `fit`, nor those of each other in a list; channels must.

        Returns
        -------
        transformed : ndarray, dask array if X is one, or list
            Images, or rows of features. A list of images of a list of different sizes.
        """
        if not isinstance(X, BlockSource):
            return self._transform(X)
        # Images are read when they are needed; rows of features can be held.
        found = X.map(self._transform)
        return found if isinstance(self, ImageOutputMixin) else read_blocks(found)

    def _transform(self, X):
        function, params = self._get_function()
        X = self._validate(X, reset=False)
        if not isinstance(X, list):
            return self._transform_stack(X, function, params)
        found = [None] * len(X)
        for places, stack in split_by_shape(X):
            images = self._transform_stack(stack, function, params, places)
            for place, image in zip(places, images, strict=True):
                found[place] = image
        return found if found[0].ndim > 1 else np.stack(found)

    def _transform_stack(self, X, function, params, places=None):
        """Transform images of one size, of which `places` are the numbers."""
        content = check_grey_levels(X, self._find_content(X), places)
        check = functools.partial(_check_block, content=content)
        found = map_blocks(function, as_stack(X), self.n_jobs, check=check, **params)
        return found if X.ndim > 2 else as_rows(found)

    def _get_function(self):
        """Check the parameters; return a function of a stack and its arguments."""
        raise NotImplementedError

    def _find_content(self, X):
        """Return what X must hold; rows are no pictures."""
        return self._content if X.ndim > 2 else None

    def _validate(self, X, *, reset):
        return validate_images(
            self,
            X,
            reset=reset,
            dtype=self._accepted_dtype,
            aligned=False,
            neighbours=True,
            n_channels=self._accepted_channels,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = list(self._preserved_dtypes)
        return tags


class ImageOutputMixin(OneToOneFeatureMixin):
    """What gives images: no data frame holds them, and names pass through."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    def set_output(self, *, transform=None):
        """Do nothing: images are arrays, whatever the output of columns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored.

        Returns
        -------
        self : transformer
        """
        return self

    def get_feature_names_out(self, input_features=None):
        """Return the names that come in; images have none of their own.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of rows.

        Returns
        -------
        feature_names_out : ndarray of str, or None
        """
        check_is_fitted(self, "n_channels_")
        if hasattr(self, "n_features_in_"):
            return super().get_feature_names_out(input_features)
        return input_features


class ThresholdMixin:
    """Decisions by `score_samples`, from the threshold `offset_` on."""

    @at_once
    def decision_function(self, X):
        """Return the score minus the threshold: not negative for known sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            As in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    @at_once
    def predict(self, X):
        """Return 1 for known sources and -1 for all others.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            As in `fit`.

        Returns
        -------
        known : ndarray of shape (n_samples,), int
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)


def to_decision(scores):
    """Return scores of classes as a `decision_function` does, of two by one column."""
    return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


def copy_shape(estimator, *parts):
    """Take over what the first of the parts that knows remembers of X."""
    for name in REMEMBERED:
        vars(estimator).pop(name, None)
        for part in parts:
            if hasattr(part, name):
                setattr(estimator, name, getattr(part, name))
                break


def share_metadata(owner, parts, **metadata):
    """Return what the `fit` of each part takes of the metadata, by name of the part.

    With metadata routing their requests decide, without it their signatures, those of a
    pipeline's steps included. What nobody takes is refused.
    """
    given = {name: value for name, value in metadata.items() if value is not None}
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(owner, "fit", **given)
        return {name: routed[name].fit for name in parts}
    taken = {name: _find_taken(part, given) for name, part in parts.items()}
    used = {key.rpartition("__")[2] for params in taken.values() for key in params}
    if lost := sorted(set(given) - used):
        raise ValueError(
            f"{type(owner).__name__} got {lost}, and none of {sorted(parts)} takes "
            "that in fit. Leave it out, or enable metadata routing and request it."
        )
    return taken


def split_stateless(estimator):
    """Return the steps in front that need no fit, and what is fitted behind them."""
    if not isinstance(estimator, Pipeline):
        return [], estimator
    steps = estimator.steps
    n = 0
    while n < len(steps) - 1 and _is_stateless(steps[n][1]):
        n += 1
    return [step for _, step in steps[:n]], estimator[n:]


def _is_stateless(step):
    if isinstance(step, Pipeline):
        return all(_is_stateless(part) for _, part in step.steps)
    if isinstance(step, FeatureUnion):
        return all(_is_stateless(part) for _, part in step.transformer_list)
    return hasattr(step, "transform") and not get_tags(step).requires_fit


def _find_taken(part, given):
    """Return the keywords with which `part.fit` takes metadata, without routing."""
    if isinstance(part, Pipeline):
        return {
            f"{name}__{key}": value
            for name, step in part.steps
            for key, value in _find_taken(step, given).items()
        }
    if not hasattr(part, "fit"):
        return {}
    return {key: given[key] for key in given if has_fit_parameter(part, key)}


def _check_block(images, start, content):
    """Check images that were not computed before."""
    check_values(images, start)
    check_grey_levels(images, content, range(start, start + len(images)))


def _find_documentation():
    """Return the address of the documentation, or nothing."""
    try:
        urls = metadata("skfingerprint").get_all("Project-URL", [])
    except PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "")

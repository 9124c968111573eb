"""Base of transformers that treat each image by itself."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core.blocks import (
    apply,
    as_rows,
    as_stack,
    check_values,
    cut_largest,
    first_block,
    map_blocks,
)
from skfingerprint._core.containers import split_by_shape
from skfingerprint._core.grey_levels import check_grey_levels
from skfingerprint._core.state import Estimator, all_or_nothing
from skfingerprint._core.validation import validate_images


class StatelessTransformer(TransformerMixin, Estimator):
    """Transform each image by itself, with the same result whatever the batch.

    A subclass defines `_get_function`. Nothing is learned, but `fit` remembers the
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
        block = first_block(X)
        # Which image of a source is too small is said when it is transformed.
        X = self._validate(block if block is X else cut_largest(block), reset=True)
        for places, stack in split_by_shape(X):
            check_grey_levels(stack, self._find_content(stack), places)
        return self

    def transform(self, X):
        """Transform each image.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]), or list
            Images or residuals, in grey levels, of any real dtype. Their sizes may
            differ from those of `fit`, and in a list from each other; the number of
            channels is that of `fit`.

        Returns
        -------
        transformed : ndarray, dask array if X is one, or list
            Images, or rows of features. A list of images of different sizes becomes a
            list of images, and so do images that get different sizes.
        """
        # Images are read when they are needed; rows of features fit into memory.
        return apply(self._transform, X, lazily=isinstance(self, ImageOutputMixin))

    def _transform(self, X: Any) -> Any:
        """Transform an array, a dask array or a list in memory."""
        function, params = self._get_function()
        X = self._validate(X, reset=False)
        if not isinstance(X, list):
            return self._transform_stack(X, function, params)
        found = [None] * len(X)
        for places, stack in split_by_shape(X):
            try:
                images = self._transform_stack(stack, function, params, places)
            except ValueError as error:
                if places is None or str(error).startswith("image "):
                    raise
                raise ValueError(f"image {places[0]} of X: {error}") from error
            for place, image in zip(places, images, strict=True):
                found[place] = image
        return found if found[0].ndim > 1 else np.stack(found)

    def _transform_stack(
        self, X: Any, function: Callable, params: dict, places: Any = None
    ) -> Any:
        """Transform images of one size.

        Parameters
        ----------
        X : ndarray or dask array of shape (n_samples, height, width[, n_channels])
            Images, or rows.
        function : callable
            From a stack to transformed images or rows.
        params : dict
            Its keyword arguments.
        places : sequence of int, default=None
            Numbers of the images in messages.
        """
        content = check_grey_levels(X, self._find_content(X), places)
        check = functools.partial(_check_block, content=content)
        found = map_blocks(function, as_stack(X), self.n_jobs, check=check, **params)
        if X.ndim > 2:
            return found
        if isinstance(found, list):
            raise ValueError("rows of different lengths are not images: pass a stack.")
        return as_rows(found)

    def _get_function(self) -> tuple[Callable, dict]:
        """Check the parameters; return a function of a stack and its arguments."""
        raise NotImplementedError

    def _find_content(self, X: Any) -> str | None:
        """Return the content that X must hold; rows may hold any numbers."""
        return self._content if X.ndim > 2 else None

    def _validate(self, X: Any, *, reset: bool) -> Any:
        return validate_images(
            self,
            X,
            reset=reset,
            dtype=self._accepted_dtype,
            aligned=False,
            neighbors=True,
            n_channels=self._accepted_channels,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = list(self._preserved_dtypes)
        return tags


class ImageOutputMixin(OneToOneFeatureMixin):
    """Mixin of transformers with image output, which data frames cannot hold."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    def set_output(self, *, transform=None):
        """Do nothing: images are arrays, whatever the container of columns.

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
        """Return the input names; images have none of their own.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns, for rows.

        Returns
        -------
        feature_names_out : ndarray of str, or None
        """
        check_is_fitted(self, "n_channels_")
        if hasattr(self, "n_features_in_"):
            return super().get_feature_names_out(input_features)
        return input_features


def _check_block(images: np.ndarray, start: int, content: str | None) -> None:
    """Check a block of a dask array when it is computed."""
    check_values(images, start)
    check_grey_levels(images, content, range(start, start + len(images)))

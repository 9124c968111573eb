"""Images from flat rows, for pipelines whose input is 2-D."""

import math
from numbers import Integral

import numpy as np

from skfingerprint._core import (
    RAGGED,
    ImageOutputMixin,
    StatelessTransformer,
    shorten,
    validate_images,
)


class Unflatten(ImageOutputMixin, StatelessTransformer):
    """Fold each row into an image, so that neighboring pixels are neighbors.

    Some parts of scikit-learn take only 2-D input, such as
    :class:`~sklearn.ensemble.BaggingClassifier` and
    :class:`~sklearn.compose.ColumnTransformer`. Give them rows, and put this
    transformer at the head of the pipeline inside. No other estimator of this package
    folds rows.

    The transformer is stateless. Stacks of images that already have the shape are
    returned unchanged.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width) or (height, width, n_channels) of the image in each row. One
        entry may be -1: it follows from the length of the rows.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for rows.
    n_features_in_ : int
        Length of the rows.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when X was a data frame.

    Examples
    --------
    >>> from sklearn.ensemble import BaggingClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor, Unflatten
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(60, 3, strength=5, random_state=0)
    >>> rows = images.reshape(60, -1)
    >>> Unflatten((64, 64, 3)).fit_transform(rows).shape
    (60, 64, 64, 3)
    >>> pipeline = make_pipeline(
    ...     Unflatten((64, 64, 3)), ResidualExtractor(), FingerprintClassifier())
    >>> bagging = BaggingClassifier(pipeline, n_estimators=3, random_state=0)
    >>> bagging.fit(rows, y).predict(rows[:2]).shape
    (2,)
    """

    _preserved_dtypes = ("float64", "float32")
    _content = None
    _makes_images = True

    def __init__(self, image_shape):
        self.image_shape = image_shape

    def transform(self, X):
        """Fold rows into images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or a stack
            Images in grey levels, of any real dtype, which is kept.

        Returns
        -------
        images : ndarray or dask array of shape (n_samples, height, width[, \
                n_channels])
            A view of X where that is possible.
        """
        X = self._validate(X, reset=False)
        return X.reshape(len(X), *self._find_shape(X))

    def _get_function(self):
        """Return the sides of an image, of which one may be -1."""
        shape = self.image_shape
        sides = tuple(shape) if isinstance(shape, (tuple, list, np.ndarray)) else ()
        are_sides = [isinstance(n, Integral) and (n > 0 or n == -1) for n in sides]
        if len(sides) not in (2, 3) or not all(are_sides) or sides.count(-1) > 1:
            raise ValueError(
                "image_shape must be (height, width) or (height, width, n_channels), "
                f"of which one may be -1, got {shorten(shape)}."
            )
        return sides

    def _validate(self, X, *, reset):
        """Validate rows, and check that `image_shape` fits their length."""
        X = validate_images(self, X, reset=reset, dtype="numeric", aligned=False)
        if isinstance(X, list):
            raise ValueError(f"rows can't be made of X: {RAGGED}")
        self._find_shape(X)
        return X

    def _find_shape(self, X):
        """Return the shape of one image, with -1 replaced."""
        sides, length = self._get_function(), math.prod(X.shape[1:])
        rest = max(1, length // math.prod(n for n in sides if n > 0))
        sides = tuple(rest if n == -1 else n for n in sides)
        if math.prod(sides) != length or (X.ndim > 2 and X.shape[1:] != sides):
            raise ValueError(
                f"image_shape={self.image_shape} makes {math.prod(sides)} numbers an "
                f"image, but X has the shape {X.shape}, {length} numbers an image. "
                "Take the height, width and channels that the images had before they "
                "were flattened."
            )
        return sides

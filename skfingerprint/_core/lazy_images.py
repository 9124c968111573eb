"""Images that are read on request, as an array-like that can be cut and pickled."""

from collections.abc import Callable
from functools import cached_property, partial
from numbers import Integral
from types import EllipsisType
from typing import Any

import numpy as np

from skfingerprint._core.blocks import MIXED, BlockSource, compute_block


class LazyImages(BlockSource):
    """Images, or results for each of them, that are computed when they are read.

    The array-like has the length, shape, dtype and indices of a stack, for
    scikit-learn's splitters, searches and ensembles. Every part of it is another
    array-like of this kind, except for a single image, which is read at once.
    `numpy.asarray` reads all images. There is no arithmetic.

    A subclass defines `sizes`, `_read(k)` and `_take(places)`. Pickles hold the
    description of the images, and no pixels that were read.

    Attributes
    ----------
    shape : tuple of int
        Shape of the stack; (n_samples,) if the images differ in size.
    dtype : dtype
        Type of the values.
    """

    first = None

    def __init__(self):
        """Do nothing, unlike a source of blocks: nothing is read before a request."""

    @cached_property
    def shape(self) -> tuple:
        """Return the shape of the stack, which the first block shows."""
        block = self.read(0)
        rest = () if isinstance(block, list) else block.shape[1:]
        return (sum(self.sizes), *rest)

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return len(self.shape)

    @cached_property
    def dtype(self) -> np.dtype:
        """Return the type of the values, which the first block shows."""
        block = self.read(0)
        return (block[0] if isinstance(block, list) else block).dtype

    def __len__(self) -> int:
        return sum(self.sizes)

    def __getitem__(self, key: Any) -> Any:
        rows, *rest = key if isinstance(key, tuple) else (key,)
        if rows is Ellipsis:  # of the axes of a stack, or of one image alike
            rows, rest = slice(None), [Ellipsis, *rest]
        if not all(isinstance(k, (Integral, slice, EllipsisType)) for k in rest):
            raise IndexError(
                "images that are read on request take numbers and slices behind the "
                "first axis: read them first, `numpy.asarray(images)[...]`."
            )
        if isinstance(rows, Integral) and not isinstance(rows, (bool, np.bool_)):
            place = range(len(self))[rows]
            return self._take(np.array([place])).read(0)[0][tuple(rest)]
        places = np.arange(len(self))[rows]
        if places.ndim != 1:
            raise IndexError(f"images have no rows {rows!r:.100}.")
        found = self._take(places)
        is_whole = all(k is Ellipsis or k == slice(None) for k in rest)
        return found if is_whole else found.map(partial(_cut_each, key=tuple(rest)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read all images as a stack; raise ValueError if they differ in size."""
        if copy is False:
            raise ValueError("images that are read on request can't be had as a view.")
        images, shape = self, self.shape
        if self.ndim == 1:  # images of many sizes, or parts of one size that they have
            images = list(self)
            shape += np.shape(images[0])
        found = np.empty(shape, dtype=dtype or self.dtype)
        for place, image in enumerate(images):
            if image.shape != shape[1:]:
                raise ValueError(MIXED)
            found[place] = image
        return found

    def read(self, k: int) -> Any:
        """Return the k-th block; the first is kept until it is taken."""
        block = super().read(k)
        if k == 0:
            self.first = block
        return block

    def name(self, place: int) -> str:
        """Return the name of the image at a place, for messages."""
        return f"image {place} of X"

    def map(self, function: Callable) -> "LazyImages":
        """Return the results of a function for each block, computed on request.

        The function can be pickled, and treats each image by itself.
        """
        return _MappedImages(self, function)

    def _take(self, places: np.ndarray) -> "LazyImages":
        """Return the images at some places, in this order."""
        raise NotImplementedError


class _MappedImages(LazyImages):
    """Results of a function for each block of images.

    Parameters
    ----------
    images : LazyImages
        The images.
    function : callable
        From a block to a block.
    """

    def __init__(self, images: LazyImages, function: Callable):
        self._images, self._function = images, function

    @property
    def sizes(self) -> list:
        """Return the numbers of images in each block."""
        return self._images.sizes

    @cached_property
    def shape(self) -> tuple:
        """Return the shape of the stack of results."""
        shape = super().shape
        # Images of many sizes may have one in the first block.
        is_mixed = self._images.ndim == 1 and len(shape) > 2
        return shape[:1] if is_mixed else shape

    def __getstate__(self) -> dict:
        return {"_images": self._images, "_function": self._function}

    def _read(self, k: int) -> Any:
        images = self._images
        start = sum(images.sizes[:k])
        return compute_block(self._function, images.read(k), images, start)

    def name(self, place: int) -> str:
        """Return the name of the image at a place, for messages."""
        return self._images.name(place)

    def _take(self, places: np.ndarray) -> LazyImages:
        return _MappedImages(self._images._take(places), self._function)


def _cut_each(block: Any, key: tuple) -> Any:
    """Cut the same part out of each image of a block."""
    if isinstance(block, list):
        return [image[key] for image in block]
    return block[(slice(None), *key)]

"""Read containers of images: lists, columns of data frames, pictures, tensors."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from skfingerprint._core.blocks import check_blocks, drop_mask, is_lazy
from skfingerprint._core.checks import shorten
from skfingerprint._core.pictures import is_picture, load_as_stored, refuse_preview
from skfingerprint._core.refusals import (
    as_array,
    name_odd_shape,
    refuse_container,
    refuse_items,
    refuse_one_image,
)

RAGGED = (
    "the images differ in size, and a stack needs one size for all. Crop them to a "
    "common one: `load_image_folder(path, image_shape=(height, width))` does so."
)


def split_by_shape(X: Any) -> Iterator[tuple[list | None, Any]]:
    """Yield the numbers of images of one size, and a stack of them.

    A stack is yielded as it is, without numbers.
    """
    if not isinstance(X, list):
        yield None, X
        return
    groups = {}
    for number, image in enumerate(X):
        groups.setdefault((image.shape, image.dtype), []).append(number)
    for places in groups.values():
        yield places, np.stack([X[place] for place in places])


def as_images(X: Any) -> Any:
    """Return the content of X: an array, a frame of numbers, a dask array, or a list.

    Lists, columns of frames and object arrays of images become a stack, or a list of
    arrays if the images differ in size.
    """
    refuse_one_image(X)
    if is_lazy(X):
        return check_blocks(X)
    if sparse.issparse(X):
        return X
    if isinstance(X, (str, os.PathLike)):
        refuse_text(X)
    X = as_array(X)
    refuse_container(X)
    items = _find_items(X)
    if items is None:
        return X
    refuse_items(items)
    refuse_text(items[0])
    images = [_as_pixels(item, number) for number, item in enumerate(items)]
    shapes = [image.shape for image in images]
    if len(set(shapes)) == 1:
        return np.stack(images)
    if min(map(len, shapes)) < 2:
        if max(map(len, shapes)) > 1:
            raise ValueError(name_odd_shape(shapes))
        return np.asarray(X)
    return images


def _find_items(X: Any) -> list | None:
    """Return a list of images if X is a container of them, otherwise None."""
    if hasattr(X, "columns"):
        return _find_column(X)
    if isinstance(X, np.ndarray):
        is_container = X.ndim == 1 and X.dtype.kind == "O"
        return list(X) if is_container and any(map(_is_item, X)) else None
    if hasattr(X, "to_list"):  # a column of a frame
        return X.to_list()
    # A tensor is an array.
    return None if hasattr(X, "__array__") else list(X)


def _find_column(X: Any) -> list | None:
    """Return the images in the only column of a data frame, if it holds images."""
    names = [name for name in X.columns if _holds_items(X[name])]
    if not names:
        return None
    if len(X.columns) > 1:
        raise ValueError(
            f"X has {len(X.columns)} columns, {shorten(list(X.columns))}, and one of "
            "them holds images or paths: pass that column alone, "
            f"`X[{shorten(names[0])}]`, or choose columns with a ColumnTransformer."
        )
    return X[names[0]].to_list()


def _holds_items(column: Any) -> bool:
    kind = str(column.dtype).lower()
    held = any(name in kind for name in ("obj", "str", "list", "array"))
    return held and any(map(_is_item, column.to_list()))


def _is_item(item: Any) -> bool:
    """Whether an item of a container is an image, or the path of one."""
    return (
        isinstance(item, (str, bytes, os.PathLike, list))
        or is_picture(item)
        or getattr(item, "ndim", 0) >= 2
    )


def refuse_text(item: Any) -> None:
    """Raise ValueError for a path or text, with the remedy."""
    if isinstance(item, (str, bytes, os.PathLike)):
        raise ValueError(
            "X holds text, not pixels. If these are paths, put `ImageReader()` at the "
            "head of the pipeline, or load the files first: "
            "`load_image_files(paths).images`."
        )


def _as_pixels(item: Any, number: int) -> np.ndarray:
    """Return an image of this number as an array."""
    if isinstance(item, np.ma.MaskedArray):
        return drop_mask(item[np.newaxis], number)[0]
    try:
        return np.asarray(_as_plain(item) if is_picture(item) else as_array(item))
    except (OSError, ValueError) as error:
        raise ValueError(f"image {number} of X: {error}") from error


def _as_plain(picture: Any) -> Any:
    """Return a picture of Pillow without palette and alpha, as its file stores it."""
    refuse_preview(picture)
    load_as_stored(picture)
    kinds = {"1": "L", "LA": "L", "La": "L"}
    plain = picture.mode in ("L", "RGB", "F") or picture.mode.startswith("I")
    if plain:
        return picture
    picture = picture.convert("RGBA") if picture.mode == "P" else picture
    return picture.convert(kinds.get(picture.mode, "RGB"))

"""Read containers of images: lists, columns of data frames, pictures, tensors."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from skfingerprint._core.blocks import drop_empty_blocks, is_lazy
from skfingerprint._core.pictures import is_picture, load_as_stored, refuse_preview

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
    if is_lazy(X):
        return drop_empty_blocks(X)
    if sparse.issparse(X):
        return X
    if getattr(X, "shape", None) is None and hasattr(X, "__array__"):
        X = np.asarray(X)
    if isinstance(X, (str, os.PathLike)):
        refuse_text(X)
    if not hasattr(X, "__len__") and getattr(X, "shape", None) is None:
        raise ValueError(
            f"X is of type {type(X).__name__}, which holds no images, or can be read "
            "only once. Pass an array, or a list: `list(X)`."
        )
    items = _find_items(X)
    if items is None:
        return X
    if not items:
        return np.asarray(items)
    refuse_text(items[0])
    images = [_as_pixels(item) for item in items]
    shapes = {image.shape for image in images}
    if len(shapes) == 1:
        return np.stack(images)
    if min(len(shape) for shape in shapes) < 2:
        try:
            return np.asarray(X)
        except ValueError:
            raise ValueError(
                f"X holds items of different shapes: {sorted(shapes)[:4]}. Images have "
                "two axes, or three with channels."
            ) from None
    return images


def _find_items(X: Any) -> list | None:
    """Return a list of images if X is a container of them, otherwise None."""
    if hasattr(X, "columns"):
        return _find_column(X)
    if isinstance(X, np.ndarray):
        is_container = X.ndim == 1 and X.dtype.kind == "O"
        return list(X) if is_container and len(X) and _is_item(X[0]) else None
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
            f"X has {len(X.columns)} columns, {list(X.columns)[:9]}, of which "
            f"{names[0]!r} holds images or paths: pass that column alone, "
            f"`X[{names[0]!r}]`, or choose columns with a ColumnTransformer."
        )
    return X[names[0]].to_list()


def _holds_items(column: Any) -> bool:
    kind = str(column.dtype).lower()
    held = any(name in kind for name in ("obj", "str", "list", "array"))
    return held and len(column) > 0 and _is_item(column.to_list()[0])


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


def _as_pixels(item: Any) -> np.ndarray:
    """Return an image as an array; Pillow pictures without palette and alpha.

    Pictures that are not decoded yet are decoded as their files store them.
    """
    if is_picture(item):
        refuse_preview(item)
        load_as_stored(item)
        kinds = {"1": "L", "LA": "L", "La": "L"}
        plain = item.mode in ("L", "RGB", "F") or item.mode.startswith("I")
        if not plain:
            item = item.convert("RGBA") if item.mode == "P" else item
            item = item.convert(kinds.get(item.mode, "RGB"))
    return np.asarray(item)

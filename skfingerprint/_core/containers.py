"""Read containers of images: lists, columns of frames, pictures, tensors, files."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from skfingerprint._core.blocks import check_blocks, drop_mask, is_lazy
from skfingerprint._core.checks import shorten
from skfingerprint._core.items import (
    GREY_MODES,
    find_problem,
    is_file,
    is_single,
    unwrap,
)
from skfingerprint._core.pictures import (
    hold,
    is_picture,
    load_as_stored,
    refuse_preview,
    to_rgb,
)
from skfingerprint._core.refusals import (
    as_array,
    name_odd_row,
    name_odd_shape,
    refuse_container,
    refuse_items,
    refuse_one_image,
)

RAGGED = (
    "the images differ in size, and a stack needs one size for all. Crop them to a "
    "common one: `load_image_folder(path, image_shape=(height, width))` does so."
)
FILES = (
    "X holds text or files, not pixels. Put `ImageReader()` at the head of the "
    "pipeline, or load the files first: `load_image_files(paths).images`."
)
# Parts of the names of types of columns that hold images or paths.
HOLDING = "obj", "str", "list", "array", "struct", "binary", "cat", "enum"


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
    X = as_array(X)
    refuse_container(X)
    if is_picture(X):
        raise ValueError("X is one picture, which holds no images: pass a list, `[X]`.")
    if is_single(X):
        raise ValueError(FILES)
    items = _find_items(X)
    if items is None:
        return X
    refuse_items(items)
    if any(is_file(item) and not is_picture(item) for item in items):
        raise ValueError(FILES)
    images = [_as_pixels(item, number) for number, item in enumerate(items)]
    shapes = [image.shape for image in images]
    if len(set(shapes)) == 1:
        return np.stack(images)
    if min(map(len, shapes)) < 2:
        if max(map(len, shapes)) > 1:
            raise ValueError(name_odd_shape(shapes))
        raise ValueError(name_odd_row(shapes))
    return images


def find_files(X: Any) -> list | None:
    """Return the images of X that must be read, or None if X holds numbers.

    Such images are paths, bytes, file objects and pictures of Pillow, in a list, an
    array or the only column of a data frame. Nothing is read.

    Raises
    ------
    ValueError
        If X is a single image, can be read only once, or holds anything else beside
        files; the message gives the number of the image.
    """
    if is_lazy(X) or sparse.issparse(X):
        return None
    refuse_container(X)
    if is_single(X):
        raise ValueError(
            f"X must be a list of images, got one {type(X).__name__}: pass "
            f"[{shorten(X)}]. All files of a folder are `sorted(folder.glob('*.png'))`."
        )
    items = _find_items(X)
    if items is None or not any(map(is_file, items)):
        return None
    for number, item in enumerate(items):
        if problem := find_problem(item):
            raise ValueError(f"image {number} of X is {shorten(item)}, {problem}")
    return items


def _find_items(X: Any) -> list | None:
    """Return a list of images if X is a container of them, otherwise None."""
    items = _list_items(X)
    return items if items is None else [unwrap(item) for item in items]


def _list_items(X: Any) -> list | None:
    if hasattr(X, "to_pylist"):  # a table or a column of Arrow
        return _find_column(X) if hasattr(X, "column_names") else X.to_pylist()
    if hasattr(X, "columns"):
        return _find_column(X)
    if isinstance(X, np.ndarray):
        return _find_objects(X)
    if hasattr(X, "to_list"):  # a column of a frame
        return X.to_list()
    if hasattr(X, "__array__"):  # a tensor is an array
        return None
    return list(X)


def _find_objects(X: np.ndarray) -> list | None:
    """Return the images in an array of objects or of text, otherwise None."""
    if X.dtype.kind == "S":
        raise ValueError(
            "X is an array of bytes, from which NumPy cuts zeros at the end: pass a "
            "list, or an array of dtype object."
        )
    if X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]
    if X.dtype.kind not in "OUT":
        return None
    if X.ndim != 1:
        if any(isinstance(item, (str, bytes, os.PathLike)) for item in X.flat):
            raise ValueError(
                f"X has shape {X.shape}, and holds text or files: pass one column, or "
                "`X.ravel()` if each is an image."
            )
        return None
    items = X.tolist() if X.dtype.kind != "O" else list(X)
    return items if any(map(_is_item, items)) else None


def _find_column(X: Any) -> list | None:
    """Return the images in the only column of a data frame, if it holds images."""
    columns = list(getattr(X, "column_names", X.columns))
    held = {name: _find_held(X[name]) for name in columns}
    names = [name for name in columns if held[name] is not None]
    if not names:
        return None
    if len(columns) > 1:
        raise ValueError(
            f"X has {len(columns)} columns, {shorten(columns)}, and one of them holds "
            f"images or paths: pass that column alone, `X[{shorten(names[0])}]`, or "
            "choose columns with a ColumnTransformer."
        )
    return held[names[0]]


def _find_held(column: Any) -> list | None:
    """Return the images in a column of a data frame, otherwise None."""
    kind = str(getattr(column, "dtype", getattr(column, "type", ""))).lower()
    if not any(name in kind for name in HOLDING):
        return None
    listed = column.to_pylist() if hasattr(column, "to_pylist") else column.to_list()
    return listed if any(map(_is_item, listed)) else None


def _is_item(item: Any) -> bool:
    """Whether an item of a container is an image, or a file that holds one."""
    return (
        isinstance(item, list)
        or is_file(item)
        or is_picture(item)
        or getattr(item, "ndim", 0) >= 2
    )


def _as_pixels(item: Any, number: int) -> np.ndarray:
    """Return an image of this number as an array."""
    if isinstance(item, np.ma.MaskedArray):
        return drop_mask(item[np.newaxis], number)[0]
    try:
        pixels = np.asarray(_as_plain(item) if is_picture(item) else as_array(item))
    except (OSError, ValueError) as error:
        raise ValueError(f"image {number} of X: {error}") from error
    if not pixels.ndim and pixels.dtype.kind in "OV":
        raise ValueError(
            f"image {number} of X is {shorten(item)}, of type {type(item).__name__}, "
            "which holds no pixels: pass arrays, paths or bytes of files."
        )
    return pixels


def _as_plain(picture: Any) -> Any:
    """Return a picture of Pillow without palette and alpha, as its file stores it."""
    with hold(picture):
        refuse_preview(picture)
        load_as_stored(picture)
    plain = picture.mode in ("L", "RGB", "F") or picture.mode.startswith("I")
    if plain:
        return picture
    rgb = to_rgb(picture)
    return rgb.getchannel(0) if picture.mode in GREY_MODES else rgb

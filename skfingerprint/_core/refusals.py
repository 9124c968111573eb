"""Refuse containers and items without images, with the remedy."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn import get_config

from skfingerprint._core.blocks import drop_mask
from skfingerprint._core.checks import is_missing, shorten
from skfingerprint._core.items import is_single

# Names of the methods by which zip and tar archives list their members.
ARCHIVES = {"namelist": "read", "getnames": "extractfile"}


def as_array(X: Any) -> Any:
    """Return arrays of other libraries, and masked arrays, as arrays of NumPy.

    Anything else is returned as it is.

    Raises
    ------
    ValueError
        If a value is masked, or scikit-learn's dispatch to other libraries is on.
    """
    if not isinstance(X, np.ndarray) and hasattr(X, "__dlpack__"):
        if get_config()["array_api_dispatch"]:
            module = type(X).__module__.partition(".")[0]
            raise ValueError(
                f"X is an array of {module}, and array_api_dispatch is on, which "
                "estimators of this package do not follow: pass `np.asarray(X)`."
            )
        return np.asarray(X)
    if getattr(X, "shape", None) is None and hasattr(X, "__array__"):
        return np.asarray(X)
    return drop_mask(X)


def refuse_container(X: Any) -> None:
    """Raise ValueError for a container that is no list of images, with the remedy."""
    kind = type(X).__name__
    if isinstance(X, Mapping):
        names = list(X)
        entry = shorten(names[0]) if names else "name"
        raise ValueError(
            f"X is a {kind} with the entries {shorten(names)}: pass the one that holds "
            f"images, `X[{entry}]`."
        )
    if isinstance(X, (set, frozenset)):
        raise ValueError(f"X is a {kind}, which has no order: pass `sorted(X)`.")
    if hasattr(X, "collect_schema") and hasattr(X, "collect"):
        raise ValueError(f"X is a {kind}, which is not computed: pass `X.collect()`.")
    for names, read in ARCHIVES.items():
        if hasattr(X, names):
            raise ValueError(
                f"X is an open archive ({kind}): pass its images, `[Image.open("
                f"io.BytesIO(X.{read}(name))) for name in X.{names}()]` with Pillow."
            )
    if is_single(X):
        return
    if isinstance(X, Iterator):
        raise ValueError(
            f"X is of type {kind}, which can be read only once: pass a list, `list(X)`."
        )
    # Columns and tables of Arrow are lists, and other arrays are converted.
    is_table = any(hasattr(X, name) for name in ("to_pylist", "columns", "__array__"))
    if not (hasattr(X, "__len__") or hasattr(X, "shape") or is_table):
        raise ValueError(
            f"X is of type {kind}, which holds no images, or can be read only once. "
            "Pass an array, or a list: `list(X)`."
        )


def refuse_one_image(X: Any) -> None:
    """Raise ValueError for an image (height, width, n_channels) in place of a stack."""
    shape = getattr(X, "shape", ())
    if len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) > shape[2]:
        raise ValueError(
            f"X has shape {tuple(shape)}, which is that of one image with {shape[2]} "
            f"channels, and not of {shape[0]} images that are {shape[2]} pixels wide: "
            "pass `X[np.newaxis]`."
        )


def refuse_items(items: list) -> None:
    """Raise ValueError for items of a list that are no images, with their number."""
    if not items:
        raise ValueError("X is empty, and must hold at least one image or row.")
    for number, item in enumerate(items):
        if problem := _find_problem(item):
            raise ValueError(f"image {number} of X is {shorten(item)}, {problem}")


def _find_problem(item: Any) -> str:
    """Return the reason why an item of a list is no image, or empty text."""
    if is_missing(item):
        return "and no image: leave it out, and its label in y."
    if isinstance(item, Mapping) and not {"bytes", "path"} & set(item):
        return "a row of a table: pass its images, `[row['image'] for row in X]`."
    if isinstance(item, (tuple, list)) and len(item) == 2 and _is_pair(*item):
        return "a pair of an image and its label: `images, y = zip(*X)`."
    return ""


def _is_pair(image: Any, label: Any) -> bool:
    """Return whether an image, or the path of one, stands beside its label."""
    is_image = getattr(image, "ndim", 0) >= 2 or hasattr(image, "getbands")
    is_path = isinstance(image, (str, bytes)) or hasattr(image, "__fspath__")
    is_label = isinstance(label, str) or np.ndim(label) == 0
    return (is_image or is_path) and is_label


def name_odd_row(shapes: list) -> str:
    """Describe the first row of a list whose length differs from the one before."""
    number = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
    return (
        f"row {number} of X has shape {shapes[number]}, and row 0 has shape "
        f"{shapes[0]}: rows have one length. The content of files is passed as bytes, "
        "`row.tobytes()`, and images have two axes, or three with channels."
    )


def name_odd_shape(shapes: list) -> str:
    """Describe the first item of a list that is no image beside images."""
    number = next(i for i, shape in enumerate(shapes) if len(shape) < 2)
    other = next(i for i, shape in enumerate(shapes) if len(shape) > 1)
    return (
        f"image {number} of X has shape {shapes[number]}, and image {other} has shape "
        f"{shapes[other]}: images have two axes, or three with channels."
    )

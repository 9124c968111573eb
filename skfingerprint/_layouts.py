"""Layouts of X: the one place where input is checked and its shape is read.

Images come as a stack (n_samples, height, width[, n_channels]), a list of equal images,
a dask array, or as rows (n_samples, n_features) of an array or a data frame. A row is
an image one pixel high.
"""

import math
import os
import warnings
from contextvars import ContextVar, copy_context

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data

from skfingerprint._blocks import (
    MIXED,
    BlockSource,
    check_values,
    drop_empty_blocks,
    is_lazy,
)
from skfingerprint._checks import check_labels

FLOATS = [np.float32, np.float64]
# From this length on, a row holds a picture: its neighbours are not those of the image.
LONG_ROW = 128
# What estimators know of the X that they were fitted on.
REMEMBERED = ("n_features_in_", "feature_names_in_", "image_shape_", "n_channels_")
# Values that images may have, with what a resampling overshoots, and those by which a
# network's output in -1..1 and an ImageNet-normalised image are known.
LOWEST, HIGHEST = -64, 320
LOWEST_UNIT, HIGHEST_NORMALISED = -0.1, 4
NORMALISED = (
    "A network's output in -1..1 is `(X + 1) * 127.5`; what was normalised is "
    "`(X * std + mean) * 255`, by the mean and std that it was normalised with."
)
FAR_OFF = (
    "16 bits are `X / 257`. What has another range must be brought to 0..255 by one "
    "factor for all images."
)
# Whether the grey levels of what comes now have been checked.
CHECKED = ContextVar("checked", default=False)
RAGGED = (
    "the images differ in size, and a stack needs one size for all. Crop them to a "
    "common one: `load_image_folder(path, image_shape=(height, width))` does so."
)


def validate_images(
    estimator,
    X,
    y="no_validation",
    *,
    reset,
    dtype=FLOATS,
    aligned=True,
    neighbours=False,
    n_channels=None,
):
    """Return X, and y if given, checked and in the layout in which they came.

    Called with `reset` on a draft of the estimator, whose past it forgets.

    Parameters
    ----------
    estimator : estimator
        Its class gives the name in messages.
    X : array-like, data frame or dask array
        Stack of images or rows, or a container of images.
    y : array-like of shape (n_samples,), default="no_validation"
        Class labels.
    reset : bool
        Whether this is the first sight of data (`fit`): remember its shape, and
        compare with that otherwise.
    dtype : dtype, list of dtypes or "numeric"
        As in `sklearn.utils.check_array`.
    aligned : bool, default=True
        Whether all images must have one size: `image_shape_` and `n_features_in_` are
        remembered. Otherwise `n_channels_` is, and the length of rows.
    neighbours : bool, default=False
        Whether neighbouring pixels matter, so that long rows are refused.
    n_channels : tuple of int, default=None
        The numbers of channels that are allowed in the last axis.

    Returns
    -------
    X : ndarray or dask array, or a list of images that differ in size
    y : ndarray of shape (n_samples,), only if y was given
    """
    if y is not None and not isinstance(y, str):
        check_labels(y)
    X = as_images(X)
    if isinstance(X, list):
        return _validate_each(estimator, X, reset, dtype, aligned, n_channels)
    shape = tuple(X.shape)
    if aligned and isinstance(X, BlockSource) and len(shape) == 1:
        raise ValueError(MIXED)
    _check_axes(X, shape)
    if neighbours and len(shape) == 2 and shape[1] >= LONG_ROW:
        raise ValueError(_needs_unflatten(estimator, shape))
    _check_channels(shape, n_channels)
    if reset:
        for name in REMEMBERED:
            vars(estimator).pop(name, None)
    else:
        check = _check_same_shape if aligned else _check_same_channels
        check(estimator, shape)
    validate = _validate_lazy if is_lazy(X) else _validate_eager
    checked = validate(estimator, X, y, dtype=dtype, reset=reset)
    if len(shape) > 2 and aligned:
        stack = checked[0] if isinstance(checked, tuple) else checked
        rows = np.broadcast_to(np.float32(0), (len(stack), math.prod(shape[1:])))
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
    if reset and aligned:
        estimator.image_shape_ = shape[1:]
    elif reset:
        estimator.n_channels_ = _count_channels(shape)
    return checked


def split_by_shape(X):
    """Yield stacks of the images of one size, and their numbers; a stack is itself."""
    if not isinstance(X, list):
        yield None, X
        return
    groups = {}
    for number, image in enumerate(X):
        groups.setdefault((image.shape, image.dtype), []).append(number)
    for places in groups.values():
        yield places, np.stack([X[place] for place in places])


def check_grey_levels(X, content, places=None):
    """Refuse images that are not in grey levels 0..255, and say by what factor.

    Each image is judged by itself, so that nothing depends on which others there are.
    What a resampling overshoots passes, and so do dark and constant images.

    Parameters
    ----------
    X : ndarray of shape (n_samples, height, width[, n_channels])
        Images or residuals.
    content : {"images", "any", None}
        What X must hold. Residuals may look like images in 0..1, of which "any" warns.
    places : sequence of int, default=None
        Numbers of the images in messages.

    Returns
    -------
    content : str or None
        What is to be checked yet, of images that are not computed.
    """
    if CHECKED.get():
        return None
    if is_lazy(X):
        return content
    if content is None or X.dtype.kind == "b" or X.dtype.itemsize == 1:
        return None
    axes = tuple(range(1, X.ndim))
    low, high = (f(X, axis=axes).astype(float) for f in (np.min, np.max))
    is_float = X.dtype.kind == "f"
    if content == "images":
        signed = is_float & (high <= HIGHEST_NORMALISED) & (low < LOWEST_UNIT)
        far_off = (low < LOWEST) | (high > HIGHEST)
        for wrong, remedy in ((signed, NORMALISED), (far_off, FAR_OFF)):
            if wrong.any():
                raise ValueError(
                    f"{_describe_first(wrong, low, high, places)}, and images are in "
                    f"grey levels 0..255. {remedy}"
                )
    unit = is_float & (low >= 0) & (high <= 1) & (high > low)
    if unit.any():
        warnings.warn(
            f"{_describe_first(unit, low, high, places)}. If that is the range 0..1, "
            "multiply the images by 255.",
            UserWarning,
            stacklevel=5,
        )
    return None


def skip_grey_levels(function, *args, **kwargs):
    """Call a function on parts of images whose grey levels have been checked.

    A dark part of an image may look like an image in 0..1. What the function sees is a
    copy of the context, so that nothing outside of the call changes.
    """
    context = copy_context()
    context.run(CHECKED.set, True)
    return context.run(function, *args, **kwargs)


def _describe_first(which, low, high, places):
    first = int(which.argmax())
    number = first if places is None else places[first]
    return f"image {number} lies in {low[first]:.5g}..{high[first]:.5g}"


def _validate_eager(estimator, X, y, *, dtype, reset):
    """Check an array or a data frame; rows have a length, and columns names."""
    is_stack = len(X.shape) > 2
    checked = validate_data(
        estimator,
        X,
        y,
        dtype=dtype,
        reset=reset and not is_stack,
        ensure_2d=not is_stack,
        allow_nd=True,
        ensure_all_finite=False,
    )
    check_values(checked[0] if isinstance(checked, tuple) else checked)
    return checked


def _validate_lazy(estimator, X, y, *, dtype, reset):
    """Check what can be known of a dask array before it is computed.

    Its values are checked when its blocks are.
    """
    if np.isnan(X.shape[0]):
        raise ValueError(
            "X is a dask array of unknown length: call X.compute_chunk_sizes() first."
        )
    if X.shape[0] < 1:
        raise ValueError("Found array with 0 sample(s), a minimum of 1 is required.")
    if X.dtype.kind not in "buif":
        raise ValueError(f"X must hold real numbers, got dtype {X.dtype}.")
    given = not (isinstance(y, str) and y == "no_validation")
    if given:
        y = column_or_1d(np.asarray(y), warn=True)
        check_consistent_length(X, y)
        assert_all_finite(y, input_name="y")
    if X.ndim == 2:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    if dtype != "numeric" and X.dtype not in FLOATS:
        X = X.astype(np.float32)
    return (X, y) if given else X


def as_images(X):
    """Return what X holds: an array, a frame of numbers, a dask array, or a list.

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
        _refuse_text(X)
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
    _refuse_text(items[0])
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


def _find_items(X):
    """Return a list of images if X is a container of them, and None if it is not."""
    if hasattr(X, "columns"):
        return _find_column(X)
    if isinstance(X, np.ndarray):
        is_container = X.ndim == 1 and X.dtype.kind == "O"
        return list(X) if is_container and len(X) and _is_item(X[0]) else None
    if hasattr(X, "to_list"):  # a column of a frame
        return X.to_list()
    # A tensor is an array.
    return None if hasattr(X, "__array__") else list(X)


def _find_column(X):
    """Return the images of a data frame's only column, if there are any."""
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


def _holds_items(column):
    kind = str(column.dtype).lower()
    held = any(name in kind for name in ("obj", "str", "list", "array"))
    return held and len(column) > 0 and _is_item(column.to_list()[0])


def _is_item(item):
    """Whether an item of a container is an image, or the path of one."""
    return (
        isinstance(item, (str, bytes, os.PathLike, list))
        or _is_picture(item)
        or getattr(item, "ndim", 0) >= 2
    )


def _is_picture(item):
    return hasattr(item, "mode") and hasattr(item, "getbands")


def _refuse_text(item):
    if isinstance(item, (str, bytes, os.PathLike)):
        raise ValueError(
            "X holds text, not pixels. If these are paths, put `ImageReader()` at the "
            "head of the pipeline, or load the files first: "
            "`load_image_files(paths).images`."
        )


def _as_pixels(item):
    """Return an image as an array; pictures of Pillow's without palette and alpha."""
    if _is_picture(item):
        kinds = {"1": "L", "LA": "L", "La": "L"}
        plain = item.mode in ("L", "RGB", "F") or item.mode.startswith("I")
        if not plain:
            item = item.convert("RGBA") if item.mode == "P" else item
            item = item.convert(kinds.get(item.mode, "RGB"))
    return np.asarray(item)


def _validate_each(estimator, images, reset, dtype, aligned, n_channels):
    """Check images of different sizes; return a list of arrays."""
    if aligned:
        shapes = [image.shape for image in images]
        other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
        raise ValueError(
            f"image 0 has shape {shapes[0]} and image {other} has shape "
            f"{shapes[other]}: {RAGGED}"
        )
    counts = [_count_channels((1, *image.shape)) for image in images]
    if len(set(counts)) > 1:
        other = next(i for i, count in enumerate(counts) if count != counts[0])
        raise ValueError(
            f"image 0 has {counts[0]} channel(s) and image {other} has "
            f"{counts[other]}. Bring all images to one number of channels."
        )
    checked = []
    for index, image in enumerate(images):
        try:
            stack = validate_images(
                estimator,
                image[np.newaxis],
                reset=reset,
                dtype=dtype,
                aligned=False,
                n_channels=n_channels,
            )
        except ValueError as error:
            raise ValueError(f"image {index}: {error}") from None
        checked.append(stack[0])
    return checked


def _check_axes(X, shape):
    """Refuse paths and too many axes, with their remedies."""
    if len(shape) > 4:
        raise ValueError(
            "X must be rows (n_samples, n_features) or a stack (n_samples, height, "
            f"width[, n_channels]), got {len(shape)} axes: {shape}."
        )
    if (
        len(shape) == 1
        and isinstance(X, np.ndarray)
        and X.dtype.kind in "SU"
        and X.size
    ):
        _refuse_text(str(X[0]))


def _needs_unflatten(estimator, shape):
    return (
        f"X has rows of {shape[1]} numbers, and {type(estimator).__name__} looks at "
        "neighbouring pixels, which a row does not show. Put `Unflatten(image_shape)` "
        "at the head of the pipeline, with image_shape=(height, width) or (height, "
        "width, n_channels). One grey image is a stack as `X[np.newaxis]`."
    )


def _is_one_image(estimator, shape):
    return (
        f"X is one image of shape {shape}, and {type(estimator).__name__} takes "
        "stacks: pass `X[np.newaxis]`."
    )


def _count_channels(shape):
    return shape[3] if len(shape) == 4 else 1


def _check_channels(shape, n_channels):
    if n_channels is None or len(shape) < 4 or shape[3] in n_channels:
        return
    raise ValueError(
        f"images must have 1 or 3 channels in the last axis, got shape {shape[1:]}. "
        "Drop an alpha channel with `X[..., :3]`; move channels that come first to "
        "the end with `np.moveaxis(X, 1, -1)`."
    )


def _check_same_channels(estimator, shape):
    expected = getattr(estimator, "n_channels_", None)
    found = _count_channels(shape)
    if expected is None or found == expected:
        return
    if len(shape) == 3 and shape[2] == expected:
        raise ValueError(_is_one_image(estimator, shape))
    raise ValueError(
        f"X has images of {found} channel(s), shape {shape[1:]}, but "
        f"{type(estimator).__name__} was fitted with {expected}. Bring all images to "
        "one number of channels, or fit again."
    )


def _check_same_shape(estimator, shape):
    """Refuse other shapes; a plain 2-D mismatch is left to scikit-learn's message."""
    found = shape[1:]
    expected = getattr(estimator, "image_shape_", found)
    if found == expected or (len(shape) <= 2 and len(expected) == 1):
        return
    if shape == expected:
        raise ValueError(_is_one_image(estimator, shape))
    raise ValueError(
        f"X has images of shape {found}, but {type(estimator).__name__} was fitted "
        f"with images of shape {expected}. Crop the images to that size (on a grid of "
        "16 px, so that the phase of the fingerprint is kept) or fit again."
    )

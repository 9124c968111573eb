"""Validate X: the only place where input is checked and its shape is read.

Images come as a stack (n_samples, height, width[, n_channels]), a list of images, a
dask array, or as rows (n_samples, n_features) of an array or a data frame. A row is an
image one pixel high.
"""

import math
from typing import Any

import numpy as np
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    column_or_1d,
)
from sklearn.utils.validation import validate_data

from skfingerprint._core.blocks import (
    check_values,
    first_block,
    is_lazy,
    refuse_mixed_sizes,
)
from skfingerprint._core.checks import check_labels
from skfingerprint._core.containers import RAGGED, as_images

FLOATS = [np.float32, np.float64]
# Rows from this length on hold a picture, whose neighboring pixels are not neighbors in
# the row.
LONG_ROW = 128
BOOL = (
    "X holds images of True and False, which are not grey levels: black and white are "
    "0 and 255, `np.where(X, 255, 0).astype(np.uint8)`."
)
# Attributes that estimators remember of the X that they were fitted on.
REMEMBERED = ("n_features_in_", "feature_names_in_", "image_shape_", "n_channels_")


def validate_images(
    estimator: Any,
    X: Any,
    y: Any = "no_validation",
    *,
    reset: bool,
    dtype: Any = FLOATS,
    aligned: bool = True,
    neighbors: bool = False,
    n_channels: tuple[int, ...] | None = None,
) -> Any:
    """Validate X, and y if given, and keep their layout.

    With `reset` it is called on a draft of the estimator, whose input attributes it
    replaces.

    Parameters
    ----------
    estimator : estimator
        Its class gives the name in messages.
    X : array-like, data frame or dask array
        Stack of images or rows, or a container of images.
    y : array-like of shape (n_samples,), default="no_validation"
        Class labels.
    reset : bool
        Whether to remember the shape of X, as in `fit`; otherwise it is compared with
        the remembered one.
    dtype : dtype, list of dtypes or "numeric"
        As in `sklearn.utils.check_array`.
    aligned : bool, default=True
        Whether all images must have one size, so that `image_shape_` and
        `n_features_in_` are remembered. Otherwise these are `n_channels_` and the
        length of rows.
    neighbors : bool, default=False
        Whether neighboring pixels matter, so that long rows are refused.
    n_channels : tuple of int, default=None
        The allowed numbers of channels in the last axis.

    Returns
    -------
    X : ndarray or dask array, or a list of images that differ in size
    y : ndarray of shape (n_samples,), only if y was given
    """
    if y is not None and not isinstance(y, str):
        y = check_labels(y)
    X = as_images(X)
    if isinstance(X, list):
        return _validate_each(estimator, X, reset, dtype, aligned, n_channels)
    shape = tuple(X.shape)
    if len(shape) > 2 and getattr(getattr(X, "dtype", None), "kind", "") == "b":
        raise ValueError(BOOL)
    if aligned:
        refuse_mixed_sizes(X)
    elif (block := first_block(X)) is not X:
        # The other blocks are checked when they are read.
        params = {"dtype": dtype, "neighbors": neighbors, "n_channels": n_channels}
        validate_images(estimator, block, reset=reset, aligned=False, **params)
        return X
    _check_axes(X, shape)
    if neighbors and len(shape) == 2 and shape[1] >= LONG_ROW:
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
        # scikit-learn sets and compares `n_features_in_` for rows; an empty view of
        # their number and length is enough.
        stack = checked[0] if isinstance(checked, tuple) else checked
        rows = np.broadcast_to(np.float32(0), (len(stack), math.prod(shape[1:])))
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
    if reset and aligned:
        estimator.image_shape_ = shape[1:]
    elif reset:
        estimator.n_channels_ = _count_channels(shape)
    return checked


def check_container(X: Any) -> Any:
    """Return X, a frame as an array; raise ValueError for sparse and for empty X."""
    if is_lazy(X) or isinstance(X, list):
        return X
    params = {"dtype": None, "ensure_2d": False, "allow_nd": True}
    return check_array(X, ensure_all_finite=False, **params)


def copy_shape(estimator: Any, *parts: Any) -> None:
    """Copy the fitted input attributes from the first part that has them."""
    for name in REMEMBERED:
        vars(estimator).pop(name, None)
        for part in parts:
            if hasattr(part, name):
                setattr(estimator, name, getattr(part, name))
                break


def _validate_eager(estimator: Any, X: Any, y: Any, *, dtype: Any, reset: bool) -> Any:
    """Check an array or a data frame, with the length of rows and names of columns.

    Parameters
    ----------
    estimator, X, y, dtype, reset
        As in :func:`validate_images`.
    """
    is_stack = len(X.shape) > 2
    if not reset and not hasattr(estimator, "feature_names_in_"):
        # Rows of perturbed copies come in blocks without names, and those of the images
        # in frames if the output of transformers is set to these.
        X = np.asarray(X) if hasattr(X, "columns") else X
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


def _validate_lazy(estimator: Any, X: Any, y: Any, *, dtype: Any, reset: bool) -> Any:
    """Check the shape and dtype of a lazy array.

    Its values are checked when its blocks are computed.

    Parameters
    ----------
    estimator, X, y, dtype, reset
        As in :func:`validate_images`.
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


def _validate_each(
    estimator: Any,
    images: list,
    reset: bool,
    dtype: Any,
    aligned: bool,
    n_channels: tuple[int, ...] | None,
) -> list:
    """Validate images of different sizes one by one.

    Parameters
    ----------
    images : list of ndarray
        The images.
    estimator, reset, dtype, aligned, n_channels
        As in :func:`validate_images`.

    Returns
    -------
    images : list of ndarray
    """
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


def _check_axes(X: Any, shape: tuple) -> None:
    """Raise ValueError for too many axes, with the remedy."""
    if len(shape) > 4:
        raise ValueError(
            "X must be rows (n_samples, n_features) or a stack (n_samples, height, "
            f"width[, n_channels]), got {len(shape)} axes: {shape}."
        )


def _needs_unflatten(estimator: Any, shape: tuple) -> str:
    return (
        f"X has rows of {shape[1]} numbers, and {type(estimator).__name__} looks at "
        "neighboring pixels, which a row does not show. Put `Unflatten(image_shape)` "
        "at the head of the pipeline, with image_shape=(height, width) or (height, "
        "width, n_channels). One grey image is a stack as `X[np.newaxis]`."
    )


def _is_one_image(estimator: Any, shape: tuple) -> str:
    return (
        f"X is one image of shape {shape}, and {type(estimator).__name__} takes "
        "stacks: pass `X[np.newaxis]`."
    )


def _count_channels(shape: tuple) -> int:
    return shape[3] if len(shape) == 4 else 1


def _check_channels(shape: tuple, n_channels: tuple[int, ...] | None) -> None:
    if n_channels is None or len(shape) < 4 or shape[3] in n_channels:
        return
    raise ValueError(
        f"images must have 1 or 3 channels in the last axis, got shape {shape[1:]}. "
        "Drop an alpha channel with `X[..., :3]`; move channels that come first to "
        "the end with `np.moveaxis(X, 1, -1)`."
    )


def _check_same_channels(estimator: Any, shape: tuple) -> None:
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


def _check_same_shape(estimator: Any, shape: tuple) -> None:
    """Raise ValueError for another image shape than that of `fit`.

    For rows of another length, the message of scikit-learn is enough.
    """
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

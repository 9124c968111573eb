"""Image layouts: the one place where input is checked and its shape is read.

Images come as a stack (n_samples, height, width[, n_channels]) or as flat rows
(n_samples, n_features). `image_shape` folds rows into images.
"""

import math
from contextlib import contextmanager

import numpy as np
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data

from skfingerprint._batches import flatten, is_lazy

RAGGED = (
    "the images differ in size, and a stack needs one size for all. Crop them to a "
    "common one: `load_image_folder(path, image_shape=(height, width))` does so."
)


def validate_images(
    estimator, X, y="no_validation", *, dtype, reset, image_shape=None, n_channels=None
):
    """Return X, and y if given, checked and in the layout in which they came.

    Sets `n_features_in_` and `image_shape_` on the estimator if `reset`, and compares
    with them otherwise. Nothing is set when X or y is refused.

    Parameters
    ----------
    estimator : estimator
        Its class gives the name in messages.
    X : array-like
        Stack of images or flat rows.
    y : array-like of shape (n_samples,), default="no_validation"
        Class labels.
    dtype : dtype, list of dtypes or "numeric"
        As in `sklearn.utils.check_array`.
    reset : bool
        Whether this is the first sight of data (`fit`).
    image_shape : tuple of int, default=None
        (height, width) or (height, width, n_channels) of the image in each row.
    n_channels : tuple of int, default=None
        The numbers of channels that are allowed in the last axis.

    Returns
    -------
    X : ndarray
    y : ndarray of shape (n_samples,), only if y was given
    """
    shape = getattr(X, "shape", None)
    if shape is None:
        X = _as_array(X)
        shape = X.shape
    _check_elements(X)
    is_stack = len(shape) > 2
    if len(shape) > 4:
        raise ValueError(
            "X must be rows (n_samples, n_features) or a stack (n_samples, height, "
            f"width[, n_channels]), got {len(shape)} axes: {tuple(shape)}."
        )
    found = _find_image_shape(shape, image_shape)
    if is_stack or image_shape is not None:
        _check_channels(found, n_channels)
    if not reset and hasattr(estimator, "image_shape_"):
        _check_same_shape(estimator, found, shape)
    if is_lazy(X):
        return _validate_lazy(estimator, X, y, found, dtype=dtype, reset=reset)
    checked = validate_data(
        estimator,
        X,
        y,
        dtype=dtype,
        reset=reset and not is_stack,
        ensure_2d=not is_stack,
        allow_nd=True,
    )
    if is_stack:
        stack = checked if isinstance(y, str) else checked[0]
        rows = stack.reshape(len(stack), -1)
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
    if reset:
        estimator.image_shape_ = found
    return checked


def _validate_lazy(estimator, X, y, found, *, dtype, reset):
    """Check what can be known of a dask array before it is computed.

    NaN and infinity are looked for when its blocks are.
    """
    if np.isnan(X.shape[0]):
        raise ValueError(
            "X is a dask array of unknown length: call X.compute_chunk_sizes() first."
        )
    if X.shape[0] < 1:
        raise ValueError("Found array with 0 sample(s), a minimum of 1 is required.")
    if X.dtype.kind not in "buif":
        raise ValueError(f"X must hold real numbers, got dtype {X.dtype}.")
    validate_data(estimator, flatten(X), reset=reset, skip_check_array=True)
    if dtype != "numeric" and X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float32)
    if reset:
        estimator.image_shape_ = found
    if isinstance(y, str) and y == "no_validation":
        return X
    y = column_or_1d(np.asarray(y), warn=True)
    check_consistent_length(X, y)
    assert_all_finite(y, input_name="y")
    return X, y


def _as_array(X):
    try:
        return np.asarray(X)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"X can't be made into one array: {RAGGED}") from error


def _check_elements(X):
    """Refuse paths and ragged object arrays, with their remedies."""
    kind = getattr(getattr(X, "dtype", None), "kind", None)
    first = X.flat[0] if kind == "O" and isinstance(X, np.ndarray) and X.size else None
    if X.ndim < 2 and (kind in "SU" or isinstance(first, str)):
        raise ValueError(
            "X holds text, not pixels. If these are paths, load the files first: "
            "`load_image_folder(path)` reads a folder, `PIL.Image.open` one file."
        )
    if X.ndim < 2 and getattr(first, "ndim", 0) >= 2:
        raise ValueError(f"X holds {len(X)} separate arrays: {RAGGED}")


def _find_image_shape(shape, image_shape):
    """Return the shape of one image: that of the stack, or the fold of the rows."""
    if image_shape is None:
        return tuple(shape[1:])
    image_shape = tuple(np.ravel(image_shape).tolist())
    if len(image_shape) not in (2, 3) or min(image_shape) < 1:
        raise ValueError(
            "image_shape must be (height, width) or (height, width, n_channels), "
            f"got {image_shape}."
        )
    if len(shape) > 2 and tuple(shape[1:]) != image_shape:
        raise ValueError(
            f"image_shape={image_shape} does not fit X, a stack of images of shape "
            f"{tuple(shape[1:])}. Leave image_shape out for stacks."
        )
    if len(shape) == 2 and shape[1] != math.prod(image_shape):
        raise ValueError(
            f"image_shape={image_shape} makes {math.prod(image_shape)} features a "
            f"row, but X has {shape[1]} features."
        )
    return image_shape


def _check_channels(image_shape, n_channels):
    if n_channels is None or len(image_shape) == 2 or image_shape[2] in n_channels:
        return
    raise ValueError(
        f"images must have 1 or 3 channels in the last axis, got shape {image_shape}. "
        "Drop an alpha channel with `X[..., :3]`; move channels that come first to "
        "the end with `np.moveaxis(X, 1, -1)`."
    )


def _check_same_shape(estimator, found, shape):
    """Refuse other shapes; a plain 2-D mismatch is left to scikit-learn's message."""
    expected, name = estimator.image_shape_, type(estimator).__name__
    if found == expected or (len(shape) <= 2 and len(expected) == 1):
        return
    if tuple(shape) == expected:
        raise ValueError(
            f"X is one image of shape {expected}, and {name} takes stacks: pass "
            "`X[np.newaxis]`."
        )
    raise ValueError(
        f"X has images of shape {found}, but {name} was fitted with images of shape "
        f"{expected}. Crop the images to that size (on a grid of 16 px, so that the "
        "phase of the fingerprint is kept) or fit again."
    )


@contextmanager
def restore_on_error(estimator):
    """Leave the estimator as it was when the block fails."""
    state = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(state)
        raise

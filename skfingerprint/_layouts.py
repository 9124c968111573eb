"""Layouts of X: the one place where input is checked and its shape is read.

Images come as a stack (n_samples, height, width[, n_channels]), a list of equal images,
a dask array, or as rows (n_samples, n_features) of an array or a data frame. A row is
an image one pixel high.
"""

import warnings

import numpy as np
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data

from skfingerprint._blocks import as_rows, is_lazy

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
        Stack of images or rows.
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
    X : ndarray or dask array
    y : ndarray of shape (n_samples,), only if y was given
    """
    if getattr(X, "shape", None) is None:
        X = _as_array(X)
    shape = tuple(X.shape)
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
        validate_data(estimator, as_rows(stack), reset=reset, skip_check_array=True)
    if reset and aligned:
        estimator.image_shape_ = shape[1:]
    elif reset:
        estimator.n_channels_ = _count_channels(shape)
    return checked


def check_grey_levels(X, content):
    """Refuse images that are not in grey levels 0..255, and say by what factor.

    Each image is judged by itself, so that nothing depends on which others there are.
    What a resampling overshoots passes, and so do dark and constant images.

    Parameters
    ----------
    X : ndarray of shape (n_samples, height, width[, n_channels])
        Images or residuals.
    content : {"images", "any", None}
        What X must hold. Residuals may look like images in 0..1, of which "any" warns.
    """
    if content is None or X.dtype.kind == "b" or X.dtype.itemsize == 1:
        return
    axes = tuple(range(1, X.ndim))
    low, high = (f(X, axis=axes).astype(float) for f in (np.min, np.max))
    if max(-low.min(), high.max()) > np.finfo(np.float32).max:
        return  # refused as such
    is_float = X.dtype.kind == "f"
    if content == "images":
        signed = is_float & (high <= HIGHEST_NORMALISED) & (low < LOWEST_UNIT)
        _refuse_scale(low, high, signed, NORMALISED)
        _refuse_scale(low, high, (low < LOWEST) | (high > HIGHEST), FAR_OFF)
    unit = is_float & (low >= 0) & (high <= 1) & (high > low)
    if unit.any():
        warnings.warn(
            f"image {unit.argmax()} lies in {low[unit][0]:.3g}..{high[unit][0]:.3g}. "
            "If that is the range 0..1, multiply the images by 255.",
            UserWarning,
            stacklevel=5,
        )


def _refuse_scale(low, high, wrong, remedy):
    if wrong.any():
        first = wrong.argmax()
        raise ValueError(
            f"image {first} lies in {low[first]:.5g}..{high[first]:.5g}, and images "
            f"are in grey levels 0..255. {remedy}"
        )


def known_range(X):
    """Return the smallest and the largest value, or None before X is computed."""
    return None if is_lazy(X) else (X.min(), X.max())


def _validate_eager(estimator, X, y, *, dtype, reset):
    """Check an array or a data frame; rows have a length, and columns names."""
    is_stack = len(X.shape) > 2
    return validate_data(
        estimator,
        X,
        y,
        dtype=dtype,
        reset=reset and not is_stack,
        ensure_2d=not is_stack,
        allow_nd=True,
    )


def _validate_lazy(estimator, X, y, *, dtype, reset):
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


def _as_array(X):
    try:
        return np.asarray(X)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"X can't be made into one array: {RAGGED}") from error


def _check_axes(X, shape):
    """Refuse paths, ragged object arrays and too many axes, with their remedies."""
    if len(shape) > 4:
        raise ValueError(
            "X must be rows (n_samples, n_features) or a stack (n_samples, height, "
            f"width[, n_channels]), got {len(shape)} axes: {shape}."
        )
    if len(shape) != 1 or not isinstance(X, np.ndarray) or not X.size:
        return
    if X.dtype.kind in "SU" or isinstance(X[0], str):
        raise ValueError(
            "X holds text, not pixels. If these are paths, load the files first: "
            "`load_image_folder(path)` reads a folder, `PIL.Image.open` one file."
        )
    if getattr(X[0], "ndim", 0) >= 2:
        raise ValueError(f"X holds {len(X)} separate arrays: {RAGGED}")


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

"""Check that images are in grey levels 0..255."""

import warnings
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import numpy as np

from skfingerprint._core.blocks import (
    is_lazy,
)

# Range of images, overshoots of resampling included, and the bounds that identify the
# output of a network in -1..1 and an ImageNet-normalized image.
LOWEST, HIGHEST = -64, 320
LOWEST_UNIT, HIGHEST_NORMALIZED = -0.1, 4
NORMALIZED = (
    "A network's output in -1..1 is `(X + 1) * 127.5`; what was normalized is "
    "`(X * std + mean) * 255`, by the mean and std that it was normalized with."
)
FAR_OFF = (
    "16 bits are `X / 257`. What has another range must be brought to 0..255 by one "
    "factor for all images."
)
# Whether the grey levels of the images that come now have been checked already.
CHECKED = ContextVar("checked", default=False)


def check_grey_levels(X: Any, content: str | None, places: Any = None) -> str | None:
    """Raise ValueError for images that are not in grey levels 0..255, with the remedy.

    Each image is checked by itself, so that the result does not depend on the others.
    Small overshoots from resampling are accepted, and so are dark and constant images.

    Parameters
    ----------
    X : ndarray of shape (n_samples, height, width[, n_channels])
        Images or residuals.
    content : {"images", "any", None}
        Content that X must hold. Residuals may look like images in 0..1, for which
        "any" warns.
    places : sequence of int, default=None
        Numbers of the images in messages.

    Returns
    -------
    content : str or None
        Content that is yet to be checked, if X is not computed.
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
        signed = is_float & (high <= HIGHEST_NORMALIZED) & (low < LOWEST_UNIT)
        far_off = (low < LOWEST) | (high > HIGHEST)
        for wrong, remedy in ((signed, NORMALIZED), (far_off, FAR_OFF)):
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


def skip_grey_levels(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call a function on parts of images whose grey levels have been checked.

    A dark part of an image may look like an image in 0..1. The function runs in a copy
    of the context, so that other calls still check.
    """
    context = copy_context()
    context.run(CHECKED.set, True)
    return context.run(function, *args, **kwargs)


def _describe_first(
    which: np.ndarray, low: np.ndarray, high: np.ndarray, places: Any
) -> str:
    """Describe the range of the first image of a mask.

    Parameters
    ----------
    which : ndarray of shape (n_samples,), bool
        The images.
    low, high : ndarray of shape (n_samples,)
        Least and largest value of each image.
    places : sequence of int or None
        Numbers of the images.
    """
    first = int(which.argmax())
    number = first if places is None else places[first]
    return f"image {number} lies in {low[first]:.5g}..{high[first]:.5g}"

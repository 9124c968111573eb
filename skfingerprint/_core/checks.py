"""Checks of single parameters, and of packages that only some parts need."""

from contextlib import contextmanager
from math import inf
from numbers import Integral, Real

import numpy as np
import pywt

# In grey levels, of which images have 256.
MAX_SIGMA = 1e4


def check_int(name, value, low=-inf, high=inf, *, also=()):
    """Refuse what is neither an integer in low..high nor one of `also`."""
    if value in also or (isinstance(value, Integral) and low <= value <= high):
        return
    bounds = f" in {low}..{high}"
    if high == inf:
        bounds = "" if low == -inf else f" >= {low}"
    others = "".join(f" or {other!r}" for other in also)
    raise ValueError(f"{name} must be an int{bounds}{others}, got {value!r}.")


def check_positive(name, value, *, or_zero=False, high=inf, unit=""):
    """Refuse what is no finite number > 0, or >= 0 with `or_zero`, and <= `high`."""
    if isinstance(value, Real) and not isinstance(value, bool):
        if (0 < value <= high and value < inf) or (or_zero and value == 0):
            return
    sign = ">=" if or_zero else ">"
    bound = "" if high == inf else f" and <= {high:g}"
    raise ValueError(f"{name} must be {sign} 0{bound}{unit}, got {value!r}.")


def check_choice(name, value, choices):
    """Refuse what is not among the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}.")


def check_rate(name, value):
    """Refuse what is no stated rate."""
    if not isinstance(value, Real) or not 0 < value <= 0.5:
        raise ValueError(f"{name} must lie in (0, 0.5], got {value!r}.")


def check_length(name, values, n):
    """Refuse what has no entry for each of n images."""
    is_plain = isinstance(values, str) or not hasattr(values, "__len__")
    if is_plain or len(values) != n:
        given = repr(values) if is_plain else len(values)
        raise ValueError(
            f"{name} must have an entry for each of the {n} images or rows, got "
            f"{given}."
        )


def check_labels(y):
    """Refuse labels that are missing, and text beside numbers, which have no order."""
    labels = y if isinstance(y, (list, tuple)) else np.asarray(y)
    if isinstance(labels, np.ndarray):
        if labels.ndim == 0:
            kind = type(y).__name__
            raise ValueError(f"y must be a list or an array of labels, got {kind}.")
        if labels.dtype.kind != "O":
            return
        labels = labels.ravel()
    for number, label in enumerate(labels):
        if _is_missing(label):
            raise ValueError(
                f"y holds {label!r} for image {number}, which is no label: leave the "
                "image out, or give it a label of its own."
            )
    if len({isinstance(label, str) for label in labels}) > 1:
        raise ValueError(
            "y holds text and numbers, which have no common order: make all of it "
            "text, `[str(label) for label in y]`."
        )


def _is_missing(label):
    is_nan = isinstance(label, Real) and label != label
    return label is None or is_nan or type(label).__name__ in ("NAType", "NaTType")


def check_sigma(sigma):
    """Refuse what is no standard deviation of noise, in grey levels."""
    check_positive("sigma", sigma, high=MAX_SIGMA, unit=", in grey levels")


def find_wavelet(wavelet):
    """Return the name of a wavelet that PyWavelets knows.

    A ValueError tells that it is none of `pywt.wavelist(kind="discrete")`.
    """
    try:
        known = pywt.Wavelet(getattr(wavelet, "name", wavelet))
        filters = getattr(wavelet, "filter_bank", known.filter_bank)
        if filters == known.filter_bank:
            return known.name
    except (ValueError, TypeError, AttributeError):
        pass
    raise ValueError(
        "wavelet must be one of pywt.wavelist(kind='discrete'), such as 'db4', got "
        f"{wavelet!r}."
    )


@contextmanager
def needs_extra(extra, what):
    """Name the extra of this package that is missing if an import inside fails."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{what}: pip install 'skfingerprint[{extra}]'.") from error

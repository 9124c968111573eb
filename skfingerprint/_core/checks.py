"""Check single parameters, and packages that only some parts need."""

import os
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from numbers import Integral, Real
from typing import Any

import numpy as np
import pywt
from sklearn.utils import check_random_state

# Upper bound of sigma, in grey levels. Images have 256 of them.
MAX_SIGMA = 1e4
# Characters of a value in messages, at most, and items of a list.
LONGEST, MOST_ITEMS = 90, 20
# Packages that the extras install.
PACKAGES = {
    "images": "Pillow",
    "plot": "matplotlib",
    "denoise": "scikit-image",
    "dask": '"dask[array]" distributed',  # quotes that any shell takes
    "cluster": "networkx",
    "command": "skops",
}


def shorten(value: Any) -> str:
    """Return the text of a value, cut to a length that a message can show."""
    value = os.fsdecode(value) if isinstance(value, os.PathLike) else value
    shortener = reprlib.Repr()
    shortener.maxlist = shortener.maxtuple = MOST_ITEMS
    shortener.maxstring = shortener.maxother = LONGEST
    text = " ".join(shortener.repr(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def check_int(
    name: str, value: Any, low: float = -inf, high: float = inf, *, also: Sequence = ()
) -> None:
    """Raise ValueError unless `value` is an integer in low..high, or one of `also`."""
    if value in also or (isinstance(value, Integral) and low <= value <= high):
        return
    bounds = f" in {low}..{high}"
    if high == inf:
        bounds = "" if low == -inf else f" >= {low}"
    others = "".join(f" or {other!r}" for other in also)
    raise ValueError(f"{name} must be an int{bounds}{others}, got {shorten(value)}.")


def check_positive(
    name: str, value: Any, *, or_zero: bool = False, high: float = inf, unit: str = ""
) -> None:
    """Raise ValueError unless `value` is a finite number > 0, and at most `high`.

    With `or_zero` it may be 0.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        if (0 < value <= high and value < inf) or (or_zero and value == 0):
            return
    sign = ">=" if or_zero else ">"
    bound = "" if high == inf else f" and <= {high:g}"
    raise ValueError(f"{name} must be {sign} 0{bound}{unit}, got {shorten(value)}.")


def check_choice(name: str, value: Any, choices: Sequence) -> None:
    """Raise ValueError unless `value` is one of the choices."""
    if value not in choices:
        given = shorten(value)
        raise ValueError(f"{name} must be one of {list(choices)}, got {given}.")


def check_rate(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a rate in (0, 0.5]."""
    if not isinstance(value, Real) or not 0 < value <= 0.5:
        raise ValueError(f"{name} must lie in (0, 0.5], got {shorten(value)}.")


def check_length(name: str, values: Any, n: int) -> None:
    """Raise ValueError unless `values` has an entry for each of n images."""
    if hasattr(values, "__array__") and not hasattr(values, "__len__"):
        values = np.atleast_1d(np.asarray(values))
    is_plain = isinstance(values, str) or not hasattr(values, "__len__")
    if is_plain or len(values) != n:
        given = shorten(values) if is_plain else len(values)
        raise ValueError(
            f"{name} must have an entry for each of the {n} images or rows, got "
            f"{given}."
        )


def as_integers(values: Any) -> Any:
    """Return nullable integers and booleans of pandas as those of NumPy.

    scikit-learn makes floats of them, so that numbers above 2**53 would be merged.
    """
    if _is_nullable(values):
        return values.to_numpy(dtype=values.dtype.numpy_dtype)
    return values


def _is_nullable(values: Any) -> bool:
    dtype = getattr(values, "dtype", None)
    return getattr(dtype, "kind", "") in ("b", "i", "u") and hasattr(
        dtype, "numpy_dtype"
    )


def check_labels(y: Any, name: str = "y") -> Any:
    """Raise ValueError for missing labels, and for text beside numbers.

    Text and numbers do not have a common order. NumPy drops zeros at the end of text.
    Groups and conditions are labels, too. The labels are returned, nullable integers of
    pandas as integers.
    """
    labels = y if isinstance(y, (list, tuple)) else np.ma.asanyarray(y)
    if _is_nullable(y):
        labels = y.to_numpy(dtype=object)  # `asarray` may make floats
    if isinstance(labels, np.ndarray):
        if labels.ndim == 0:
            kind = type(y).__name__
            raise ValueError(
                f"{name} must be a list or an array of labels, got {kind}."
            )
        masked = missing = np.ma.getmaskarray(labels).ravel()
        labels = np.asarray(labels).ravel()
        if labels.dtype.kind in "fmM":
            missing = masked | (labels != labels)
        if missing.any():
            number = int(missing.argmax())
            label = "a mask" if masked[number] else str(labels[number])
            raise ValueError(_name_missing(name, label, number))
        if labels.dtype.kind != "O":
            return as_integers(y)
    for number, label in enumerate(labels):
        if is_missing(label):
            raise ValueError(_name_missing(name, str(label), number))
        if isinstance(label, str) and label.endswith("\0"):
            raise ValueError(
                f"{name} holds {shorten(label)} for image {number}, and NumPy drops "
                "zeros at the end of text: `label.rstrip('\\0')`, unless labels differ "
                "in these alone."
            )
    if len({isinstance(label, str) for label in labels}) > 1:
        raise ValueError(
            f"{name} holds text and numbers, which have no common order: make all of "
            f"it text, `[str(label) for label in {name}]`."
        )
    return as_integers(y)


def check_groups(groups: Any, n: int) -> None:
    """Raise ValueError unless groups are None, or name a scene for each of n images."""
    if groups is not None:
        check_length("groups", groups, n)
        check_labels(groups, "groups")


def _name_missing(name: str, label: str, number: int) -> str:
    return (
        f"{name} holds {label} for image {number}, which is no label: leave the image "
        "out, or give it a label of its own."
    )


def is_missing(label: Any) -> bool:
    """Return whether a label or an image is None, NaN, or missing for pandas."""
    is_nan = isinstance(label, Real) and label != label
    return label is None or is_nan or type(label).__name__ in ("NAType", "NaTType")


def check_jobs(n_jobs: Any) -> None:
    """Raise ValueError unless `n_jobs` is None or an integer other than 0."""
    if n_jobs is None or (isinstance(n_jobs, Integral) and n_jobs != 0):
        return
    raise ValueError(
        "n_jobs must be a number of threads, -1 for all processors, or None, got "
        f"{shorten(n_jobs)}."
    )


def check_sigma(sigma: Any) -> None:
    """Raise ValueError unless sigma is a standard deviation in grey levels."""
    check_positive("sigma", sigma, high=MAX_SIGMA, unit=", in grey levels")


def find_wavelet(wavelet: Any) -> str:
    """Return the name of a wavelet of PyWavelets.

    Raise ValueError unless it is one of `pywt.wavelist(kind="discrete")`.
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
        f"{shorten(wavelet)}."
    )


@contextmanager
def needs_extra(extra: str, need: str) -> Iterator[None]:
    """Name the packages of an extra that are missing if an import inside fails."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{need}: pip install {PACKAGES[extra]} (extra {extra!r})."
        ) from error


@contextmanager
def needs_spread() -> Iterator[None]:
    """Raise ValueError if the equations of a fit inside cannot be solved."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "the spread of the rows within their sources cannot be inverted: they are "
            "equal, or nearly so, or a few weights in sample_weight exceed all others "
            "by far. Leave out copies of one image, raise shrinkage or alpha, bring "
            "weights nearer to each other."
        ) from error


def find_generator(random_state: Any) -> np.random.Generator:
    """Create a generator that is seeded by a random state."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31))

"""Check single parameters, and packages that only some parts need."""

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
    raise ValueError(f"{name} must be an int{bounds}{others}, got {value!r}.")


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
    raise ValueError(f"{name} must be {sign} 0{bound}{unit}, got {value!r}.")


def check_choice(name: str, value: Any, choices: Sequence) -> None:
    """Raise ValueError unless `value` is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}.")


def check_rate(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a rate in (0, 0.5]."""
    if not isinstance(value, Real) or not 0 < value <= 0.5:
        raise ValueError(f"{name} must lie in (0, 0.5], got {value!r}.")


def check_length(name: str, values: Any, n: int) -> None:
    """Raise ValueError unless `values` has an entry for each of n images."""
    if hasattr(values, "__array__") and not hasattr(values, "__len__"):
        values = np.atleast_1d(np.asarray(values))
    is_plain = isinstance(values, str) or not hasattr(values, "__len__")
    if is_plain or len(values) != n:
        given = repr(values) if is_plain else len(values)
        raise ValueError(
            f"{name} must have an entry for each of the {n} images or rows, got "
            f"{given}."
        )


def check_labels(y: Any) -> None:
    """Raise ValueError for missing labels, and for text beside numbers.

    Text and numbers do not have a common order.
    """
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


def _is_missing(label: Any) -> bool:
    is_nan = isinstance(label, Real) and label != label
    return label is None or is_nan or type(label).__name__ in ("NAType", "NaTType")


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
        f"{wavelet!r}."
    )


@contextmanager
def needs_extra(extra: str, need: str) -> Iterator[None]:
    """Name the extra of this package that is missing if an import inside fails."""
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{need}: pip install 'skfingerprint[{extra}]'.") from error


@contextmanager
def needs_spread() -> Iterator[None]:
    """Raise ValueError if the equations of a fit inside cannot be solved."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "the spread of the rows within their sources cannot be inverted: they are "
            "equal, or nearly so, or a few weights in sample_weight exceed all others "
            "by far. Leave out copies of one image, raise shrinkage or alpha, and bring "
            "weights closer together."
        ) from error


def find_generator(random_state: Any) -> np.random.Generator:
    """Create a generator that is seeded by a random state."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31))

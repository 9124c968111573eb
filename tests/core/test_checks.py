import numpy as np
import pytest

from skfingerprint._core.checks import (
    check_choice,
    check_int,
    check_positive,
    needs_extra,
)


@pytest.mark.parametrize(
    ("bounds", "good", "bad", "message"),
    [
        ({}, -3, 0.5, "n must be an int, got 0.5"),
        ({"low": 1}, np.int64(1), 0, "n must be an int >= 1, got 0"),
        ({"low": 1, "high": 7}, 7, 8, "n must be an int in 1..7, got 8"),
        ({"low": 1, "also": (None,)}, None, "2", "n must be an int >= 1 or None, got"),
        ({"low": 0, "also": ("full",)}, "full", "all", "int >= 0 or 'full', got 'all'"),
    ],
)
def test_integers(bounds, good, bad, message):
    check_int("n", good, **bounds)
    with pytest.raises(ValueError, match=message):
        check_int("n", bad, **bounds)


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "1", None])
def test_positive_numbers(value):
    check_positive("std", np.float32(0.5))
    with pytest.raises(ValueError, match=r"std must be > 0, in pixels, got"):
        check_positive("std", value, unit=", in pixels")
    if value != 0:
        with pytest.raises(ValueError, match=r"std must be >= 0, got"):
            check_positive("std", value, or_zero=True)
    check_positive("std", 0, or_zero=True)


def test_choices():
    check_choice("mode", "soft", ("soft", "hard"))
    with pytest.raises(ValueError, match=r"mode must be one of .*'hard'\], got 'firm'"):
        check_choice("mode", "firm", ("soft", "hard"))


def test_a_missing_extra_is_named():
    with (
        pytest.raises(
            ImportError, match=r"needs x: pip install networkx \(extra 'cluster'"
        ),
        needs_extra("cluster", "it needs x"),
    ):
        import no_such_package  # noqa: F401

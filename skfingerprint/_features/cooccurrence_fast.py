"""Counts of the codes of runs, compiled by numba; `cooccurrence.py` has NumPy's."""

from numba import njit

from skfingerprint._core import is_caching


@njit(nogil=True, cache=is_caching())
def count(codes, counts):
    """Add the number of times that each code occurs in each plane to `counts`."""
    for i in range(codes.shape[0]):
        for y in range(codes.shape[1]):
            for x in range(codes.shape[2]):
                counts[i, codes[i, y, x]] += 1

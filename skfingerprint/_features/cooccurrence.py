"""Runs of signs of neighboring differences: their codes, and counts of the codes.

A run of k signs -1, 0, 1 has a code of k digits in base 3. Codes are built from the
codes of shorter runs, for all places at once, in bytes.
"""

from functools import cache

import numpy as np

from skfingerprint._core import find_compiled

# Codes in a plane from which on two at a time are counted, in 65,536 bins.
MANY = 2**15
# Bound of rounded grey levels, so that their differences fit into 16 bits.
LARGEST_LEVEL = 2**14 - 1


@cache
def run_classes(order):
    """Return the class of each run, equal for its mirror image and its negative.

    Parameters
    ----------
    order : int
        Number of signs in a run, 1..7.

    Returns
    -------
    classes : ndarray of shape (3 ** order,), int
        Class of the run of each code.
    smallest : ndarray of shape (n_classes,), int
        Smallest code in each class.
    """
    runs = np.arange(3**order)
    # Reversed axes reverse the digits. The negative of a run has digits 2 - d, so that
    # both codes add up to 3 ** order - 1.
    mirrored = runs.reshape([3] * order).transpose().ravel()
    negative = runs[::-1]
    alike = np.minimum.reduce([runs, mirrored, negative, negative[mirrored]])
    smallest, classes = np.unique(alike, return_inverse=True)
    return classes, smallest


def count_sets(planes, corner, size, quantization, order):
    """Count the runs of all channels and steps that start in a part of planes.

    Parameters
    ----------
    planes : ndarray of shape (n_channels, n, height, width), float32
        Luma and chroma in grey levels, which may be rounded in place.
    corner : tuple of int
        (top, left) of the part.
    size : tuple of int
        (height, width) of the part, within the planes.
    quantization : tuple of float
        Steps of luma in grey levels; chroma has the first one only.
    order : int
        Number of signs in a run, 1..7.

    Returns
    -------
    counts : ndarray of shape (n, n_sets, 2, 3 ** order), int
        Counts for each channel and step, along the difference and across it.
    """
    # A difference d is an integer: d / step is rounded to 1 or more if d > step / 2,
    # that is from floor(step / 2) + 1 on.
    largest = np.iinfo(np.int16).max
    leasts = [min(step // 2 + 1, largest) for step in quantization]
    leasts = np.array(leasts, dtype=np.int16)
    return _fastest_count()(planes, corner, size, leasts, order)


def _count_sets(planes, corner, size, leasts, order):
    """Count the runs of all channels and steps, one after the other."""
    counts = []
    for channel, plane in enumerate(planes):
        plane = plane[:, corner[0] :, corner[1] :]
        np.rint(plane, out=plane)
        np.clip(plane, -LARGEST_LEVEL, LARGEST_LEVEL, out=plane)
        levels = plane.astype(np.int16)
        own = leasts if channel == 0 else leasts[:1]
        counts += [count_runs(levels, least, order, size) for least in own]
    return np.stack(counts, axis=1)


def count_runs(planes, least, order, size):
    """Count the runs that start in the upper left part of planes.

    Parameters
    ----------
    planes : ndarray of shape (n, height, width), int16
        Grey levels.
    least : int
        Difference from which on a sign is 1.
    order : int
        Number of signs in a run, 1..7.
    size : tuple of int
        (height, width) of the part.

    Returns
    -------
    counts : ndarray of shape (n, 2, 3 ** order), int
        Counts of runs along the direction of the difference, and across it. Horizontal
        and vertical differences are counted together.
    """
    least = np.int16(least)
    counts = np.zeros((len(planes), 2, 3**order), dtype=np.int64)
    for axis in (1, 2):
        differences = np.diff(planes, axis=axis)
        signs = (differences >= least).view(np.uint8) + np.uint8(1)
        signs -= (differences <= -least).view(np.uint8)
        if order > 5:  # 3 ** 5 codes fit into bytes, 3 ** 6 do not
            signs = signs.astype(np.uint16)
        for across, along in enumerate((axis, 3 - axis)):
            codes = _encode(signs, order, along)
            _count(codes[:, : size[0], : size[1]], counts[:, across])
    return counts


def _encode(signs, order, axis):
    """Compute the code of each run of `order` signs along an axis."""
    if order == 1:
        return signs
    # The first part has the largest power of 2 below `order`. With order 2 or 4 the
    # second part is as long, and its codes are the same array, `first` places on.
    first = 1 << (order - 1).bit_length() - 1
    rest = order - first
    left = _encode(signs, first, axis)
    right = left if rest == first else _encode(signs, rest, axis)
    left, right = np.moveaxis(left, axis, -1), np.moveaxis(right, axis, -1)
    n = max(left.shape[-1] - rest, 0)
    joined = left[..., :n] * left.dtype.type(3**rest) + right[..., first : first + n]
    return np.moveaxis(joined, -1, axis)


def _count(codes, counts):
    """Add the number of times that each code occurs in each plane to `counts`."""
    for plane, total in zip(codes, counts, strict=True):
        if plane.size < MANY or plane.dtype != np.uint8:
            total += np.bincount(plane.ravel(), minlength=len(total))
            continue
        # Two bytes read as one number are a pair of codes. The table of pairs has the
        # counts of the first and of the second code as its marginal sums.
        flat = np.ascontiguousarray(plane).ravel()
        even = len(flat) // 2 * 2
        pairs = np.bincount(flat[:even].view(np.uint16), minlength=2**16)
        pairs = pairs.reshape(256, 256)
        total += (pairs.sum(axis=0) + pairs.sum(axis=1))[: len(total)]
        total += np.bincount(flat[even:], minlength=len(total))


@cache
def _fastest_count():
    """Return the count compiled by numba, or the one of NumPy without it."""
    return find_compiled(
        "skfingerprint._features.cooccurrence_fast",
        "count_sets",
        _count_sets,
        _is_right,
    )


def _is_right(count):
    """Check whether a compiled function counts correctly in a part of small planes."""
    planes = np.arange(2 * 13 * 14, dtype=np.float32) * 0.7 % 5
    planes = planes.reshape(2, 1, 13, 14)
    given = (1, 2), (10, 9), np.array([1, 2], dtype=np.int16), 3
    return np.array_equal(count(planes, *given), _count_sets(planes, *given))

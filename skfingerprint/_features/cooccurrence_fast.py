"""Counts of runs of signs, compiled by numba; `cooccurrence.py` has NumPy's.

A plane is read once, in strips of rows whose signs stay in the cache. Two things make
the counts fast:

* A read and a write of a counter take longer than all else. So words of seven signs are
  counted, not runs. A word contains 8 - `order` runs, so that one word of 8 - `order`
  is enough. The counts of the runs are marginal sums of those of the words.
* Signs and words are computed in blocks of a fixed length, with unsigned indices. numba
  tests signed ones for negative numbers, and then makes no vector instructions.
"""

import numpy as np
from numba import njit

from skfingerprint._core import is_caching
from skfingerprint._features.cooccurrence import LARGEST_LEVEL

# Signs in a word, those of the longest run: 9 KB of counters stay in the cache.
WORD = 7
N_WORDS = 3**WORD
# Counters of each word, used in turn. Flat parts of an image have the same word again
# and again, and each addition to one counter would wait for the one before.
TURNS = 4
# Values in a block: bytes of a vector register, or a multiple of it.
BLOCK = 32
# Values and rows of a strip. Each strip computes the signs of WORD more rows, which are
# few compared with 24.
STRIP_VALUES = 2**14
STRIP_ROWS = 24

compiled = njit(nogil=True, cache=is_caching(), error_model="numpy")
unsigned = np.uintp


def count_sets(planes, corner, size, leasts, order):
    """Count the runs that start in a part of planes, as `cooccurrence.count_sets`.

    Parameters
    ----------
    planes : ndarray of shape (n_channels, n, height, width), float32
        Grey levels, contiguous.
    corner : tuple of int
        (top, left) of the part.
    size : tuple of int
        (height, width) of the part, within the planes.
    leasts : ndarray of shape (n_steps,), int16
        Differences from which on a sign is 1, for each step.
    order : int
        Number of signs in a run, 1..7.

    Returns
    -------
    counts : ndarray of shape (n, n_sets, 2, 3 ** order), int64
        Counts for each channel and step, along the difference and across it.
    """
    n_channels, n, *shape = planes.shape
    n_steps, n_more = len(leasts), WORD - order
    # Runs end up to `order` pixels behind the part.
    area = [
        min(length - start, own + order)
        for length, start, own in zip(shape, corner, size, strict=True)
    ]
    n_rows = min(max(STRIP_VALUES // max(area[1], 1), STRIP_ROWS), size[0])
    n_rows = (n_rows // (n_more + 1) + 1) * (n_more + 1)
    # Blocks end behind the last row, and the signs there have to be valid.
    n_values = (n_rows + WORD) * area[1] + 2 * BLOCK
    buffers = [np.zeros(n_values, dtype) for dtype in (np.int16, np.uint8, np.uint16)]
    tables = np.zeros((n_steps, 2, TURNS * N_WORDS), dtype=np.uint32)
    first_runs = (np.arange(N_WORDS) // 3**n_more).astype(np.uint16)
    counts = np.zeros((n, n_steps + n_channels - 1, 2, 3**order), dtype=np.int64)
    part = (*corner, *size, *area)
    given = leasts, order, np.float32(LARGEST_LEVEL), n_rows
    _count_images(planes, part, *given, *buffers, tables, first_runs, counts)
    return counts


@compiled
def _count_images(
    planes, part, leasts, order, largest, strip, levels, signs, words, tables, runs, out
):
    """Count the runs of all images, with the same buffers.

    Parameters
    ----------
    planes, leasts, order, largest
        As above; `largest` bounds rounded grey levels.
    part : tuple of int
        (top, left, height, width) of the part, and (height, width) of what is read.
    strip : int
        Rows of a strip in which runs start, a multiple of 8 - `order`.
    levels, signs, words : ndarray of shape (n_values,), int16, uint8 and uint16
        Buffers for the rows of a strip, one behind the other.
    tables : ndarray of shape (n_steps, 2, TURNS * N_WORDS), uint32
        Counters of words, 0 before and after.
    runs : ndarray of shape (N_WORDS,), uint16
        Run of the first signs of each word.
    out : ndarray of shape (n, n_sets, 2, 3 ** order), int64
        Counts, to which those of the images are added.
    """
    n_channels, n_steps = len(planes), len(leasts)
    n_rows, height, width = part[2], part[4], part[5]
    for i in range(planes.shape[1]):
        for channel in range(n_channels):
            # The first channel has sets 0..n_steps - 1, and each other one has one.
            first = 0 if channel == 0 else n_steps + channel - 1
            n_sets = n_steps if channel == 0 else 1
            for y in range(0, n_rows, strip):
                area = min(height - y, strip + WORD), width
                start = part[0] + y, part[1]
                _round(planes[channel, i], start, area, largest, levels)
                own = min(strip, n_rows - y), part[3]
                for k in range(n_sets):
                    given = levels, area, own, leasts[k], order
                    counts = out[i, first + k]
                    _count_set(given, signs, words, tables[k], runs, counts)
            for k in range(n_sets):
                for direction in range(2):
                    _add_runs(tables[k, direction], out[i, first + k, direction])


@compiled
def _count_set(given, signs, words, table, runs, counts):
    """Count the runs of one set that start in a strip."""
    levels, area, own, least, order = given
    for axis in range(2):
        _compare(levels, area, axis, least, signs)
        # Runs in rows go along the differences in rows, and across those in columns.
        in_rows, in_columns = 1 - axis, axis
        shape = area[0] - 1 + axis, area[1] - axis
        common = area[1], own, shape, order
        _count_rows(signs, common, words, table[in_rows], runs, counts[in_rows])
        _count_columns(
            signs, common, words, table[in_columns], runs, counts[in_columns]
        )


@compiled
def _round(plane, start, area, largest, levels):
    """Round grey levels of an area, half to even, and clip them."""
    top, left = unsigned(start[0]), unsigned(start[1])
    height, width = unsigned(area[0]), unsigned(area[1])
    for y in range(height):
        for x in range(width):
            level = np.rint(plane[top + y, left + x])
            levels[y * width + x] = np.int16(max(min(level, largest), -largest))


@compiled
def _compare(levels, area, axis, least, signs):
    """Compute the signs of the differences to the next row (axis 0) or column.

    A sign is 0, 1 or 2, the digit of a code. Those behind the last column are digits
    of words that are not counted.
    """
    step = unsigned(1 if axis else area[1])
    n_values = unsigned((area[0] - 1 + axis) * area[1])
    for start in range(unsigned(0), n_values, unsigned(BLOCK)):
        for i in range(unsigned(BLOCK)):
            x = start + i
            difference = np.int16(levels[x + step] - levels[x])
            digit = np.uint8(1) + np.uint8(difference >= least)
            signs[x] = digit - np.uint8(difference <= -least)


@compiled
def _count_rows(signs, common, words, table, runs, counts):
    """Count the runs of signs next to each other in rows.

    Words start at every (8 - order)-th place. The last runs, too few for a word, are
    the first signs of words that end outside of the row.
    """
    width, own, shape, order = common
    n_rows, width = unsigned(min(own[0], shape[0])), unsigned(width)
    n_runs = unsigned(max(min(own[1], shape[1] - order + 1), 0))
    step = unsigned(WORD + 1 - order)
    n_words = n_runs // step
    _encode(signs, unsigned(0), unsigned(1), n_rows * width, words)
    for y in range(n_rows):
        start = y * width
        _count_words(words, start, step, n_words, table)
        for x in range(start + n_words * step, start + n_runs):
            counts[runs[words[x]]] += 1


@compiled
def _count_columns(signs, common, words, table, runs, counts):
    """Count the runs of signs below each other, in the same way."""
    width, own, shape, order = common
    n_runs = unsigned(max(min(own[0], shape[0] - order + 1), 0))
    n_columns, width = unsigned(max(min(own[1], shape[1]), 0)), unsigned(width)
    step = unsigned(WORD + 1 - order)
    whole = n_runs // step * step
    for y in range(unsigned(0), whole, step):
        _encode(signs, y * width, width, n_columns, words)
        _count_words(words, unsigned(0), unsigned(1), n_columns, table)
    for y in range(whole, n_runs):
        _encode(signs, y * width, width, n_columns, words)
        for x in range(n_columns):
            counts[runs[words[x]]] += 1


@compiled
def _encode(signs, first, step, n_values, words):
    """Compute the code of the word that starts at each place."""
    three = np.uint8(3)
    for start in range(unsigned(0), n_values, unsigned(BLOCK)):
        for i in range(unsigned(BLOCK)):
            x = first + start + i
            # Three and four digits fit into bytes, of which a register holds the most.
            high = low = np.uint8(0)
            for j in range(unsigned(3)):
                high = np.uint8(three * high + signs[x + j * step])
            for j in range(unsigned(3), unsigned(WORD)):
                low = np.uint8(three * low + signs[x + j * step])
            words[start + i] = np.uint16(np.uint16(3**4) * high + low)


@compiled
def _count_words(words, first, step, n_words, table):
    """Add the number of times that each word occurs at every `step`-th place."""
    one, turns = np.uint32(1), unsigned(TURNS)
    whole = n_words // turns * turns
    for i in range(unsigned(0), whole, turns):
        for turn in range(turns):
            table[turns * words[first + (i + turn) * step] + turn] += one
    for i in range(whole, n_words):
        table[turns * words[first + i * step]] += one


@compiled
def _add_runs(table, counts):
    """Add the runs in the counted words, and set the table to 0."""
    n_left, n_runs = unsigned(N_WORDS), unsigned(len(counts))
    turns, three = unsigned(TURNS), unsigned(3)
    for i in range(n_left):
        total = np.uint32(0)
        for turn in range(turns):
            total += table[turns * i + turn]
        table[i] = total
    # The last run of all words: any signs before it are summed. Then the last sign of
    # the words is summed, so that the run before is the last.
    while n_left >= n_runs:
        for start in range(unsigned(0), n_left, n_runs):
            for i in range(n_runs):
                counts[i] += table[start + i]
        n_left //= three
        for i in range(n_left):
            j = three * i
            table[i] = table[j] + table[j + unsigned(1)] + table[j + unsigned(2)]
    table[:] = 0

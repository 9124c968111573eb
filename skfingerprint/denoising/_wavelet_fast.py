"""Noise part of images in the wavelet domain, compiled by numba.

The same function as in `_wavelet.py`, for images too: rows stay interleaved. In a row
of pixels with n channels, neighbors of one channel lie n values apart (`step`), so that
one loop filters all channels.

A level of the transform is passed over twice. The first pass computes only its
approximation, for the next level. The second one goes down the rows of the bands: it
computes a row of details, scales one, inverts the filters, and writes the noise over
rows of the image that are no longer needed. Bands of details are never held as a whole,
so that the workspace is a third of an image and rows stay in the cache.

Filters are tuples, so that their length is known to the compiler: it unrolls the sums
over taps and makes vector instructions of the loops along rows. Indices in these loops
are unsigned, as negative ones would have to be tested for.
"""

from functools import lru_cache

import numpy as np
import pywt
from numba import njit

from skfingerprint._core import is_caching

# Columns whose sums over windows are computed together: they stay in the L1 cache.
COLUMNS = 512
# Half the largest window, in coefficients; as many zeros lie between bands in a row.
REACH = 4
WINDOW = 2 * REACH + 1
THIRD, FIFTH = np.float32(1 / 9), np.float32(1 / 25)
SEVENTH, NINTH = np.float32(1 / 49), np.float32(1 / 81)

unsigned = np.uintp
ONE, TWO, SIX = unsigned(1), unsigned(2), unsigned(6)
THREE, FOUR, FIVE = unsigned(3), unsigned(4), unsigned(5)

OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "reassoc"},
}
compiled = njit(cache=is_caching(), **OPTIONS)
# Compiled as a part of what calls it, which takes less time than one by one.
inlined = njit(inline="always", **OPTIONS)


def wavelet_noise(images, variance, wavelet, levels):
    """Return the noise part of images (n, height, width[, n_channels]), float32.

    Images have any real dtype, and the wavelet has at most 10 taps: with longer
    filters, noise would be written over rows that are still needed.
    """
    noise = np.array(images, dtype=np.float32, order="C")
    step = noise.shape[3] if noise.ndim == 4 else 1
    # Loops are made for grey images and three channels; others go one by one.
    for part in [noise] if step in (1, 3) else np.moveaxis(noise, 3, 0):
        rows = np.ascontiguousarray(part).reshape(*noise.shape[:2], -1)
        step = rows.shape[2] // noise.shape[2]
        _replace(rows, step, np.float32(variance), _make_filters(wavelet), levels)
        if rows.base is not noise:
            part[...] = rows.reshape(part.shape)
    return noise


@lru_cache(maxsize=256)
def _make_filters(wavelet):
    """Return pairs of low and high pass: to split, and to merge even and odd rows."""
    *analysis, low, high = np.float32(pywt.Wavelet(wavelet).filter_bank)
    # Even rows and columns take every second tap, and odd ones the others.
    synthesis = tuple((tuple(low[i::2]), tuple(high[i::2])) for i in range(2))
    return tuple(tuple(taps) for taps in analysis), synthesis


@compiled
def _replace(images, step, variance, filters, levels):
    """Replace images (n, height, width step), of interleaved pixels, by their noise."""
    n_samples, height, length = images.shape
    bands, space = _allocate(height, length, step, len(filters[0][0]), levels)
    first = np.empty(length, dtype=np.float32)
    for n in range(n_samples):
        image = images[n]
        # Without its first pixel, a flat image is exactly 0; bands do not see it.
        for i in range(length):
            first[i] = image[0, i % step]
        for row in range(height):
            for i in range(unsigned(length)):
                image[row, i] -= first[i]
        bands[0] = image
        for level in range(levels - 1):
            _approximate(bands[level], step, filters[0], space, bands[level + 1])
        bands[levels].fill(0)
        for level in range(levels - 1, -1, -1):
            x, coarse = bands[level], bands[level + 1]
            _take_noise(x, coarse, step, variance, filters, space)


@inlined
def _allocate(height, length, step, n_taps, levels):
    """Return arrays for the approximations, and rows for the largest level.

    These are one row filtered down the columns, with its even and odd samples, a ring
    of rows of details, another one of scaled details, and sums over windows.
    """
    width = length // step
    bands = [np.empty((1, 1), dtype=np.float32)]
    for _ in range(levels):
        height, width = (height + n_taps - 1) // 2, (width + n_taps - 1) // 2
        bands.append(np.empty((height, width * step), dtype=np.float32))
    gap = REACH * step
    slot = bands[1].shape[1] + gap
    space = (
        np.empty((3, 2 * slot), dtype=np.float32),
        np.empty((WINDOW, 3 * slot + gap), dtype=np.float32),
        np.zeros((n_taps // 2, 4 * slot), dtype=np.float32),
        np.empty((7, COLUMNS + 2 * gap), dtype=np.float32),
    )
    return bands, space


@inlined
def _approximate(x, step, analysis, space, coarse):
    """Compute the approximation `coarse` of x, both with rows of interleaved pixels."""
    rows = space[0]
    for k in range(len(coarse)):
        _filter_rows(x, 2 * k, analysis[0], rows[0])
        _deinterleave(rows, x.shape[1], coarse.shape[1], step, len(analysis[0]))
        _filter_pairs(rows, step, coarse.shape[1], analysis[0], coarse[k], 0)


@inlined
def _take_noise(x, coarse, step, variance, filters, space):
    """Replace x by its noise part, given that of its approximation."""
    analysis, synthesis = filters
    rows, details, scaled, sums = space
    half, slot = len(analysis[0]) // 2, coarse.shape[1] + REACH * step
    details.fill(0)
    for k in range(len(coarse) + REACH):
        if k < len(coarse):
            _compute_details(x, k, coarse.shape[1], step, analysis, rows, details)
        else:
            details[k % WINDOW].fill(0)
        row = k - REACH
        if row >= 0:
            target = scaled[row % half]
            for i in range(unsigned(coarse.shape[1])):
                target[i] = coarse[row, i]
            _scale(details, row, slot, step, variance, sums, target)
        pair = row - half + 1
        if pair >= 0:
            for i in range(min(2, len(x) - 2 * pair)):
                _merge_rows(scaled, pair, 2 * slot, synthesis[i], rows[0])
                _merge_pairs(rows, slot, step, synthesis, x.shape[1])
                _join_pairs(rows[1], rows[2], step, x[2 * pair + i])


@inlined
def _compute_details(x, k, length, step, analysis, rows, details):
    """Compute row k of three bands: with low and high pass, high and low, both high."""
    for i in range(2):
        _filter_rows(x, 2 * k, analysis[i], rows[0])
        _deinterleave(rows, x.shape[1], length, step, len(analysis[0]))
        for j in range(1 - i, 2):
            at = REACH * step + (2 * i + j - 1) * (length + REACH * step)
            _filter_pairs(rows, step, length, analysis[j], details[k % WINDOW], at)


@compiled
def _mirror(i, n):
    """Index of sample i of a signal of length n, mirrored at its ends."""
    return min(max(i, -1 - i), 2 * n - 1 - i)


@compiled
def _filter_rows(x, top, taps, out):
    """Filter x down the columns, to the row whose first tap meets x[top + 1]."""
    n = len(x)
    for i in range(unsigned(x.shape[1])):
        total = np.float32(0)
        for j in range(len(taps)):
            total += taps[j] * x[unsigned(_mirror(top + 1 - j, n)), i]
        out[i] = total


@compiled
def _deinterleave(rows, size, length, step, n_taps):
    """Split rows[0] into its even and odd pixels, mirrored at both ends."""
    row, even, odd = rows[0], rows[1], rows[2]
    n, before = size // step, n_taps // 2 - 1
    inside = n // 2
    at = unsigned(before * step)
    if step == 1:
        for i in range(unsigned(inside)):
            even[at + i] = row[TWO * i]
            odd[at + i] = row[TWO * i + ONE]
    else:
        for i in range(unsigned(inside)):
            a, b = SIX * i, at + THREE * i
            even[b] = row[a]
            even[b + ONE] = row[a + ONE]
            even[b + TWO] = row[a + TWO]
            odd[b] = row[a + THREE]
            odd[b + ONE] = row[a + FOUR]
            odd[b + TWO] = row[a + FIVE]
    for k in range(length // step + before - inside):
        i = k if k < before else k + inside
        a, b = _mirror(2 * (i - before), n), _mirror(2 * (i - before) + 1, n)
        for channel in range(step):
            even[i * step + channel] = row[a * step + channel]
            odd[i * step + channel] = row[b * step + channel]


@compiled
def _filter_pairs(rows, step, length, taps, out, at):
    """Keep every second sample of a filtered row, given its even and odd samples."""
    even, odd = rows[1], rows[2]
    half = len(taps) // 2
    at = unsigned(at)
    for i in range(unsigned(length)):
        total = np.float32(0)
        for m in range(half):
            k = i + unsigned((half - 1 - m) * step)
            total += taps[2 * m] * odd[k] + taps[2 * m + 1] * even[k]
        out[at + i] = total


@inlined
def _scale(details, row, slot, step, variance, sums, target):
    """Scale coefficients c to c * variance / max(min_w mean_w(c^2), variance)."""
    gap, length = 2 * REACH * step, 3 * slot
    source, target = details[row % WINDOW], target[slot:]
    for start in range(0, length, COLUMNS):
        n = min(COLUMNS, length - start)
        n_sums = min(n + gap, length + gap // 2 - start)
        _sum_squares(details, row, start, n_sums, sums)
        _scale_columns(source, start, n, step, variance, sums, target)


@compiled
def _sum_squares(details, row, start, n, sums):
    """Sum the squares over the 3, 5, 7 and 9 rows around `row`, which form a ring."""
    start = unsigned(start)
    r0, r1, r2 = _ring(row - 4), _ring(row - 3), _ring(row - 2)
    r3, r4, r5 = _ring(row - 1), _ring(row), _ring(row + 1)
    r6, r7, r8 = _ring(row + 2), _ring(row + 3), _ring(row + 4)
    for i in range(unsigned(n)):
        k = start + i
        a, b, c = details[r3, k], details[r4, k], details[r5, k]
        d, e = details[r2, k], details[r6, k]
        total = a * a + b * b + c * c
        sums[0, i] = total
        sums[1, i] = total + d * d + e * e
    for i in range(unsigned(n)):
        k = start + i
        a, b, c, d = details[r1, k], details[r7, k], details[r0, k], details[r8, k]
        total = sums[1, i] + a * a + b * b
        sums[2, i] = total
        sums[3, i] = total + c * c + d * d


@compiled
def _ring(row):
    return unsigned(row % WINDOW)


@compiled
def _scale_columns(source, start, n, step, variance, sums, target):
    """Scale n coefficients, given the sums of squares over rows.

    Sums over 7 and 9 columns are made of sums over three.
    """
    c1 = unsigned(step)
    c2, c3, c4, c5, c6 = TWO * c1, THREE * c1, FOUR * c1, FIVE * c1, SIX * c1
    s3, s5, s7, s9 = sums[0], sums[1], sums[2], sums[3]
    t7, t9, least = sums[4], sums[5], sums[6]
    for i in range(unsigned(n) + c6):
        t7[i] = s7[i] + s7[i + c1] + s7[i + c2]
        t9[i] = s9[i] + s9[i + c1] + s9[i + c2]
    for i in range(unsigned(n)):
        m3 = s3[i + c3] + s3[i + c4] + s3[i + c5]
        m5 = s5[i + c2] + s5[i + c3] + s5[i + c4] + s5[i + c5] + s5[i + c6]
        least[i] = min(m3 * THIRD, m5 * FIFTH)
    at, to = unsigned(start) + c4, unsigned(start)
    for i in range(unsigned(n)):
        m7 = t7[i + c1] + t7[i + c4] + s7[i + c6 + c1]
        m9 = t9[i] + t9[i + c3] + t9[i + c6]
        spread = max(min(least[i], min(m7 * SEVENTH, m9 * NINTH)), variance)
        target[to + i] = source[at + i] * (variance / spread)


@compiled
def _merge_rows(rows, top, length, taps, out):
    """Invert the filter down the columns, for one row of low and of high pass."""
    low, high = taps
    half = len(low)
    under = unsigned(length)
    for i in range(unsigned(length)):
        total = np.float32(0)
        for m in range(half):
            k = unsigned((top + half - 1 - m) % half)
            total += low[m] * rows[k, i] + high[m] * rows[k, under + i]
        out[i] = total


@compiled
def _merge_pairs(rows, slot, step, synthesis, size):
    """Invert the filter along a row, to its even and odd samples."""
    row, even, odd = rows[0], rows[1], rows[2]
    (low_even, high_even), (low_odd, high_odd) = synthesis
    half = len(low_even)
    n_pairs, slot = (size // step + 1) // 2, unsigned(slot)
    for i in range(unsigned(n_pairs * step)):
        a = b = np.float32(0)
        for m in range(half):
            k = i + unsigned((half - 1 - m) * step)
            p, q = row[k], row[slot + k]
            a += low_even[m] * p + high_even[m] * q
            b += low_odd[m] * p + high_odd[m] * q
        even[i], odd[i] = a, b


@compiled
def _join_pairs(even, odd, step, row):
    """Put even and odd pixels together."""
    n = len(row) // step
    if step == 1:
        for i in range(unsigned(n // 2)):
            row[TWO * i] = even[i]
            row[TWO * i + ONE] = odd[i]
    else:
        for i in range(unsigned(n // 2)):
            a, b = SIX * i, THREE * i
            row[a] = even[b]
            row[a + ONE] = even[b + ONE]
            row[a + TWO] = even[b + TWO]
            row[a + THREE] = odd[b]
            row[a + FOUR] = odd[b + ONE]
            row[a + FIVE] = odd[b + TWO]
    if n % 2:
        for channel in range(step):
            row[(n - 1) * step + channel] = even[n // 2 * step + channel]

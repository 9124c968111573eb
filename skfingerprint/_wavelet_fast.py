"""Noise part of planes in the wavelet domain, compiled by numba.

The same function as in `_wavelet.py`. Loops run along rows, which the compiler turns
into vector instructions, and pass a few rows at a time through the L1 cache.
"""

import numpy as np
import pywt
from numba import njit

compiled = njit(
    nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"}
)


def wavelet_noise(planes, variance, wavelet, levels):
    """Return the noise part of planes (m, height, width), float32."""
    filters = pywt.Wavelet(wavelet)
    analysis = np.array([filters.dec_lo, filters.dec_hi], dtype=np.float32)
    synthesis = np.array([filters.rec_lo, filters.rec_hi], dtype=np.float32)
    noise = np.empty_like(planes)
    for plane, out in zip(planes, noise, strict=True):
        _noise_of_plane(plane, np.float32(variance), analysis, synthesis, levels, out)
    return noise


@compiled
def _noise_of_plane(plane, variance, analysis, synthesis, levels, out):
    # A constant taken off exactly makes flat planes exactly 0; bands do not see it.
    approximation = plane - plane[0, 0]
    bands = []
    for _ in range(levels):
        decomposed = _decompose(approximation, analysis)
        for band in range(1, 4):
            _keep_noise(decomposed[band], variance)
        approximation = decomposed[0].copy()
        bands.append(decomposed)
    bands[-1][0][:] = 0
    for level in range(levels - 1, 0, -1):
        _recompose(bands[level], synthesis, bands[level - 1][0])
    _recompose(bands[0], synthesis, out)


@compiled
def _decompose(x, taps):
    """One level of the DWT: bands (4, h, w), [0] the approximation."""
    height, width = x.shape
    length = taps.shape[1]
    half = length // 2
    n_rows, n_columns = (height + length - 1) // 2, (width + length - 1) // 2
    bands = np.empty((4, n_rows, n_columns), dtype=np.float32)
    rows = np.empty((2, width), dtype=np.float32)
    even = np.empty(n_columns + half, dtype=np.float32)
    odd = np.empty(n_columns + half, dtype=np.float32)
    for k in range(n_rows):
        rows[:] = 0
        for m in range(half):
            upper = x[_mirror(2 * k + 1 - 2 * m, height)]
            lower = x[_mirror(2 * k - 2 * m, height)]
            for f in range(2):
                a, b, row = taps[f, 2 * m], taps[f, 2 * m + 1], rows[f]
                for i in range(width):
                    row[i] += a * upper[i] + b * lower[i]
        for f in range(2):
            _deinterleave(rows[f], half - 1, even, odd)
            for g in range(2):
                band = bands[2 * f + g, k]
                band[:] = 0
                for m in range(half):
                    a, b = taps[g, 2 * m], taps[g, 2 * m + 1]
                    first, second = odd[half - 1 - m :], even[half - 1 - m :]
                    for i in range(n_columns):
                        band[i] += a * first[i] + b * second[i]
    return bands


@compiled
def _mirror(i, n):
    """Index of sample i of a signal of length n, mirrored at its ends."""
    i %= 2 * n
    return min(i, 2 * n - 1 - i)


@compiled
def _deinterleave(row, before, even, odd):
    """Split into samples 2 i and 2 i + 1 for i >= -before, mirrored outside the row."""
    n = len(row)
    inside = n // 2
    for i in range(before):
        even[i] = row[_mirror(2 * (i - before), n)]
        odd[i] = row[_mirror(2 * (i - before) + 1, n)]
    for i in range(inside):
        even[before + i] = row[2 * i]
        odd[before + i] = row[2 * i + 1]
    for i in range(before + inside, len(even)):
        even[i] = row[_mirror(2 * (i - before), n)]
        odd[i] = row[_mirror(2 * (i - before) + 1, n)]


@compiled
def _keep_noise(band, variance):
    """Scale coefficients c to c * variance / max(min_w mean_w(c^2), variance)."""
    height, width = band.shape
    # The squares of nine rows, in a ring, and their sums over 3, 5, 7 and 9 rows.
    ring = np.zeros((9, width), dtype=np.float32)
    sums = np.zeros((4, width + 8), dtype=np.float32)
    third, fifth = np.float32(1 / 9), np.float32(1 / 25)
    seventh, ninth = np.float32(1 / 49), np.float32(1 / 81)
    for row in range(-4, height):
        new, entering = ring[(row + 4) % 9], row + 4
        if entering < height:
            source = band[entering]
            for i in range(width):
                new[i] = source[i] * source[i]
        else:
            new[:] = 0
        if row < 0:
            continue
        _sum_rows(ring, row, sums)
        s3, s5, s7, s9 = sums[0], sums[1], sums[2], sums[3]
        target = band[row]
        for i in range(width):
            m3 = s3[i + 3] + s3[i + 4] + s3[i + 5]
            m5 = s5[i + 2] + s5[i + 3] + s5[i + 4] + s5[i + 5] + s5[i + 6]
            m7 = s7[i + 1] + s7[i + 2] + s7[i + 3] + s7[i + 4]
            m7 += s7[i + 5] + s7[i + 6] + s7[i + 7]
            m9 = s9[i] + s9[i + 1] + s9[i + 2] + s9[i + 3] + s9[i + 4]
            m9 += s9[i + 5] + s9[i + 6] + s9[i + 7] + s9[i + 8]
            least = min(min(m3 * third, m5 * fifth), min(m7 * seventh, m9 * ninth))
            target[i] *= variance / max(least, variance)


@compiled
def _sum_rows(ring, row, sums):
    """Sum the squares over the 3, 5, 7 and 9 rows around `row`."""
    r0, r1, r2 = ring[(row - 4) % 9], ring[(row - 3) % 9], ring[(row - 2) % 9]
    r3, r4, r5 = ring[(row - 1) % 9], ring[row % 9], ring[(row + 1) % 9]
    r6, r7, r8 = ring[(row + 2) % 9], ring[(row + 3) % 9], ring[(row + 4) % 9]
    s3, s5, s7, s9 = sums[0], sums[1], sums[2], sums[3]
    for i in range(len(r0)):
        total = r3[i] + r4[i] + r5[i]
        s3[i + 4] = total
        total += r2[i] + r6[i]
        s5[i + 4] = total
        total += r1[i] + r7[i]
        s7[i + 4] = total
        s9[i + 4] = total + r0[i] + r8[i]


@compiled
def _recompose(bands, taps, out):
    """Inverse of one level of the DWT, cropped to the shape of `out`."""
    height, width = out.shape
    half = taps.shape[1] // 2
    n_rows = bands.shape[1]
    rows = np.empty((2, n_rows, width), dtype=np.float32)
    pair = np.empty((2, (width + 1) // 2), dtype=np.float32)
    for f in range(2):
        for k in range(n_rows):
            _merge(bands[2 * f, k], bands[2 * f + 1, k], taps, pair, rows[f, k])
    low, high = rows[0], rows[1]
    for i in range(height):
        target = out[i]
        target[:] = 0
        for m in range(half):
            # Sample i takes every second tap, counted from the filter's end.
            k = i // 2 + m
            j = 2 * half - 1 - 2 * m - (1 - i % 2)
            a, b, first, second = taps[0, j], taps[1, j], low[k], high[k]
            for c in range(width):
                target[c] += a * first[c] + b * second[c]


@compiled
def _merge(low, high, taps, pair, out):
    """Inverse of one level of the DWT of one row."""
    width, half = len(out), taps.shape[1] // 2
    n = len(pair[0])
    for parity in range(2):
        part = pair[parity]
        part[:] = 0
        for m in range(half):
            j = 2 * half - 1 - 2 * m - (1 - parity)
            a, b = taps[0, j], taps[1, j]
            for i in range(n):
                part[i] += a * low[i + m] + b * high[i + m]
    for i in range(width // 2):
        out[2 * i] = pair[0, i]
        out[2 * i + 1] = pair[1, i]
    if width % 2:
        out[width - 1] = pair[0, n - 1]

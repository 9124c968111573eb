"""Noise part of planes in the wavelet domain, compiled by numba.

`_wavelet.py` holds the same function with NumPy. Filters are tuples, so that their
length is known to the compiler: it unrolls the sums over taps and makes vector
instructions of the loops along rows.
"""

import numpy as np
import pywt
from numba import njit

from skfingerprint._core import is_caching

compiled = njit(
    nogil=True,
    cache=is_caching(),
    error_model="numpy",
    fastmath={"contract", "nsz", "reassoc"},
)


def wavelet_noise(planes, variance, wavelet, levels):
    """Compute the noise part of planes.

    Parameters
    ----------
    planes : ndarray of shape (m, height, width), float32
        Grey levels.
    variance : float32
        Variance of the noise.
    wavelet : str
        Name of a wavelet of PyWavelets.
    levels : int
        Number of decompositions.

    Returns
    -------
    noise : ndarray of shape (m, height, width), float32
    """
    filters = pywt.Wavelet(wavelet)
    banks = (filters.dec_lo, filters.dec_hi, filters.rec_lo, filters.rec_hi)
    taps = [tuple(np.float32(bank)) for bank in banks]
    noise = np.empty_like(planes)
    for plane, out in zip(planes, noise, strict=True):
        _noise_of_plane(plane, np.float32(variance), *taps, levels, out)
    return noise


@compiled
def _noise_of_plane(plane, variance, dec_lo, dec_hi, rec_lo, rec_hi, levels, out):
    """Compute the noise part of one plane.

    Parameters
    ----------
    plane : ndarray of shape (height, width), float32
        Grey levels.
    variance : float32
        Variance of the noise.
    dec_lo, dec_hi, rec_lo, rec_hi : tuple of float32
        Filters of the wavelet.
    levels : int
        Number of decompositions.
    out : ndarray of shape (height, width), float32
        Set to the noise part.
    """
    bands = []
    # Detail bands do not depend on a constant. Without the first pixel a flat plane is
    # exactly 0, and so is its noise.
    approximation, offset = plane, plane[0, 0]
    for _ in range(levels):
        decomposed = _decompose(approximation, offset, dec_lo, dec_hi)
        for band in range(1, 4):
            _keep_noise(decomposed[band], variance)
        approximation, offset = decomposed[0], np.float32(0)
        bands.append(decomposed)
    bands[-1][0][:] = 0
    for level in range(levels - 1, 0, -1):
        _recompose(bands[level], rec_lo, rec_hi, bands[level - 1][0])
    _recompose(bands[0], rec_lo, rec_hi, out)


@compiled
def _decompose(x, offset, low_taps, high_taps):
    """Compute one level of the DWT of x - offset.

    Parameters
    ----------
    x : ndarray of shape (height, width), float32
        The plane.
    offset : float32
        Constant to subtract.
    low_taps, high_taps : tuple of float32
        Decomposition filters.

    Returns
    -------
    bands : ndarray of shape (4, n_rows, n_columns), float32
        The first one is the approximation.
    """
    height, width = x.shape
    n_taps = len(low_taps)
    half = n_taps // 2
    n_rows, n_columns = (height - 1) // 2 + half, (width - 1) // 2 + half
    extended = np.empty((2 * n_rows + n_taps - 2, width), dtype=np.float32)
    for row in range(len(extended)):
        source, target = x[_mirror(row - n_taps + 2, height)], extended[row]
        for i in range(width):
            target[i] = source[i] - offset
    bands = np.empty((4, n_rows, n_columns), dtype=np.float32)
    low, high = np.empty(width, np.float32), np.empty(width, np.float32)
    n_pairs = n_columns + half - 1
    even, odd = np.empty(n_pairs, np.float32), np.empty(n_pairs, np.float32)
    for k in range(n_rows):
        for i in range(width):
            a = b = np.float32(0)
            for j in range(n_taps):
                sample = extended[2 * k + n_taps - 1 - j, i]
                a += low_taps[j] * sample
                b += high_taps[j] * sample
            low[i], high[i] = a, b
        _deinterleave(low, half - 1, even, odd)
        _split(even, odd, low_taps, high_taps, bands[0, k], bands[1, k])
        _deinterleave(high, half - 1, even, odd)
        _split(even, odd, low_taps, high_taps, bands[2, k], bands[3, k])
    return bands


@compiled
def _split(even, odd, low_taps, high_taps, low, high):
    """Compute one level of the DWT of one row.

    Parameters
    ----------
    even, odd : ndarray of shape (n_pairs,), float32
        Even and odd samples, extended beyond the ends of the row.
    low_taps, high_taps : tuple of float32
        Decomposition filters.
    low, high : ndarray of shape (n_columns,), float32
        Set to the coefficients.
    """
    half = len(low_taps) // 2
    for i in range(len(low)):
        a = b = np.float32(0)
        for m in range(half):
            p, q = odd[i + half - 1 - m], even[i + half - 1 - m]
            a += low_taps[2 * m] * p + low_taps[2 * m + 1] * q
            b += high_taps[2 * m] * p + high_taps[2 * m + 1] * q
        low[i], high[i] = a, b


@compiled
def _mirror(i, n):
    """Return the index of sample i of a signal of length n, mirrored at its ends."""
    i %= 2 * n
    return min(i, 2 * n - 1 - i)


@compiled
def _deinterleave(row, before, even, odd):
    """Split a row into even and odd samples, mirrored at its ends.

    Parameters
    ----------
    row : ndarray of shape (n,), float32
        The row.
    before : int
        Number of pairs of samples before the row.
    even, odd : ndarray of shape (n_pairs,), float32
        Set to samples 2 i and 2 i + 1 for i from -`before` on.
    """
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
    """Scale the coefficients c of a band to their noise part, in place.

    It is ``c s / max(min_w mean_w(c^2), s)`` for the variance s of the noise; the
    derivation is in `_wavelet.py`.
    """
    height, width = band.shape
    # The squares of nine rows, in a ring, and their sums over 3, 5, 7 and 9 rows. The
    # four zeros on either side of the sums stand for the outside of the band.
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
def _recompose(bands, low_taps, high_taps, out):
    """Compute the inverse of one level of the DWT, cropped to the shape of `out`.

    Parameters
    ----------
    bands : ndarray of shape (4, n_rows, n_columns), float32
        Coefficients; the first band is the approximation.
    low_taps, high_taps : tuple of float32
        Reconstruction filters.
    out : ndarray of shape (height, width), float32
        Set to the plane.
    """
    height, width = out.shape
    half = len(low_taps) // 2
    n_rows = bands.shape[1]
    low = np.empty((n_rows, width), dtype=np.float32)
    high = np.empty((n_rows, width), dtype=np.float32)
    n_pairs = (width + 1) // 2
    even, odd = np.empty(n_pairs, np.float32), np.empty(n_pairs, np.float32)
    for k in range(n_rows):
        _merge(bands[0, k], bands[1, k], low_taps, high_taps, even, odd)
        _interleave(even, odd, low[k])
        _merge(bands[2, k], bands[3, k], low_taps, high_taps, even, odd)
        _interleave(even, odd, high[k])
    for row in range(height):
        # Even samples are sums over the even taps, odd samples over the odd taps.
        k, parity = row // 2, row % 2
        target = out[row]
        if parity == 0:
            for i in range(width):
                a = np.float32(0)
                for m in range(half):
                    a += low_taps[2 * m] * low[k + half - 1 - m, i]
                    a += high_taps[2 * m] * high[k + half - 1 - m, i]
                target[i] = a
        else:
            for i in range(width):
                a = np.float32(0)
                for m in range(half):
                    a += low_taps[2 * m + 1] * low[k + half - 1 - m, i]
                    a += high_taps[2 * m + 1] * high[k + half - 1 - m, i]
                target[i] = a


@compiled
def _merge(low, high, low_taps, high_taps, even, odd):
    """Compute the inverse of one level of the DWT of one row.

    Parameters
    ----------
    low, high : ndarray of shape (n_columns,), float32
        Coefficients.
    low_taps, high_taps : tuple of float32
        Reconstruction filters.
    even, odd : ndarray of shape (n_pairs,), float32
        Set to the even and odd samples.
    """
    half = len(low_taps) // 2
    for i in range(len(even)):
        a = b = np.float32(0)
        for m in range(half):
            p, q = low[i + half - 1 - m], high[i + half - 1 - m]
            a += low_taps[2 * m] * p + high_taps[2 * m] * q
            b += low_taps[2 * m + 1] * p + high_taps[2 * m + 1] * q
        even[i], odd[i] = a, b


@compiled
def _interleave(even, odd, row):
    """Join even and odd samples to a row, which may have an odd length."""
    for i in range(len(row) // 2):
        row[2 * i] = even[i]
        row[2 * i + 1] = odd[i]
    if len(row) % 2:
        row[-1] = even[-1]

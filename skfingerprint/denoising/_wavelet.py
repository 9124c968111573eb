"""Noise part of planes in the wavelet domain, with NumPy: banded matrices as blocks.

`_wavelet_fast.py` holds the same function for numba.
"""

from functools import lru_cache

import numpy as np
import pywt
from scipy import sparse

WINDOWS = (3, 5, 7, 9)
# Rows of an operator that make one dense block, and the widest matrix that a block is
# multiplied with: products of this size stay in the L2 cache, and below the size at
# which BLAS starts threads of its own.
BLOCK = 16
CHUNK = 384
# Values in a strip of rows whose windows are averaged together.
STRIP_VALUES = 2**17


def wavelet_noise(planes, variance, wavelet, levels):
    """Return the noise part of planes (m, height, width), float32."""
    # A constant taken off exactly makes flat planes exactly 0; bands do not see it.
    noise = planes - planes[:, :1, :1]
    decompositions = []
    for _ in range(levels):
        bands = _decompose(noise, wavelet)
        _keep_noise(bands, variance)
        decompositions.append((bands, noise.shape))
        noise = bands[0, 0].copy()
    noise[:] = 0
    for bands, (_, height, width) in reversed(decompositions):
        bands[0, 0] = noise
        noise = _recompose(bands, height, width, wavelet)
    return noise


def _decompose(planes, wavelet):
    """One level of the DWT: bands (2, 2, m, h, w), [0, 0] the approximation."""
    m, height, width = planes.shape
    vertical, horizontal = _analysis(height, wavelet), _analysis(width, wavelet)
    n_rows, n_columns = vertical[-1][0].stop, horizontal[-1][0].stop
    rows = np.empty((len(vertical[0][2]), m, n_rows, width), dtype=np.float32)
    _multiply_columns(vertical, planes, out=rows)
    bands = np.empty((2, len(rows), m, n_rows, n_columns), dtype=np.float32)
    _multiply_rows(horizontal, rows, out=bands)
    return bands


def _recompose(bands, height, width, wavelet):
    """Inverse of one level of the DWT, cropped to (height, width)."""
    _, n_filters, m, n_rows, _ = bands.shape
    rows = np.empty((n_filters, m, n_rows, width), dtype=np.float32)
    for chunk in _chunks(n_rows):
        for out, source, matrices in _synthesis(width, wavelet):
            factors = matrices.swapaxes(1, 2)[:, np.newaxis, np.newaxis]
            parts = np.matmul(bands[:, :, :, chunk, source], factors)
            np.add(parts[0], parts[1], out=rows[:, :, chunk, out])
    planes = np.empty((m, height, width), dtype=np.float32)
    for out, source, matrices in _synthesis(height, wavelet):
        for chunk in _chunks(width):
            parts = np.matmul(matrices[:, np.newaxis], rows[:, :, source, chunk])
            np.sum(parts, axis=0, out=planes[:, out, chunk])
    return planes


def _keep_noise(bands, variance):
    """Scale coefficients c to c * variance / max(min_w mean_w(c^2), variance)."""
    details = bands.reshape(-1, *bands.shape[3:])[bands.shape[2] :]
    squares = np.square(details)
    m, height, width = details.shape
    vertical, horizontal = _windows(height, BLOCK), _windows(width, BLOCK)
    n_blocks = max(1, STRIP_VALUES // (len(WINDOWS) * m * BLOCK * width))
    for first in range(0, len(vertical), n_blocks):
        blocks = vertical[first : first + n_blocks]
        top, bottom = blocks[0][0].start, blocks[-1][0].stop
        sums = np.empty((len(WINDOWS), m, bottom - top, width), dtype=np.float32)
        _multiply_columns(blocks, squares, out=sums, top=top)
        means = np.empty_like(sums)
        # The images' rows, laid end to end.
        rows = sums.reshape(len(WINDOWS), -1, width)
        _multiply_rows(horizontal, rows, out=means.reshape(rows.shape))
        spread = np.maximum(means.min(axis=0), variance)
        details[:, top:bottom] *= variance / spread


def _multiply_columns(blocks, planes, *, out, top=0):
    """Multiply planes (m, h, w) from the left: out[k, m] is matrix k @ plane m."""
    for rows, source, matrices in blocks:
        rows = slice(rows.start - top, rows.stop - top)
        for chunk in _chunks(planes.shape[2]):
            columns = planes[:, source, chunk]
            np.matmul(matrices[:, np.newaxis], columns, out=out[:, :, rows, chunk])


def _multiply_rows(blocks, planes, *, out):
    """Multiply planes (..., h, w) from the right by each matrix, transposed."""
    between = tuple(range(1, out.ndim - 2))
    for chunk in _chunks(planes.shape[-2]):
        for columns, source, matrices in blocks:
            factors = np.expand_dims(matrices.swapaxes(1, 2), between)
            rows = planes[..., chunk, source]
            np.matmul(rows, factors, out=out[..., chunk, columns])


def _chunks(length):
    """Slices of at most CHUNK."""
    return [slice(i, min(i + CHUNK, length)) for i in range(0, length, CHUNK)]


@lru_cache(maxsize=256)
def _analysis(length, wavelet):
    """Low- and high-pass filters with half the samples kept, as banded operators."""
    if length == 1:
        return _to_blocks([sparse.eye_array(1, format="csr")], BLOCK)
    filters = pywt.Wavelet(wavelet)
    pair = (filters.dec_lo, filters.dec_hi)
    return _to_blocks([_filter_matrix(length, f, reflect=True) for f in pair], BLOCK)


@lru_cache(maxsize=256)
def _synthesis(length, wavelet):
    """Inverse of `_analysis`: what the operators return adds up to the signal."""
    if length == 1:
        return _analysis(length, wavelet)
    filters = pywt.Wavelet(wavelet)
    pair = (filters.rec_lo[::-1], filters.rec_hi[::-1])
    matrices = [_filter_matrix(length, f, reflect=False).T.tocsr() for f in pair]
    return _to_blocks(matrices, 2 * BLOCK)


@lru_cache(maxsize=256)
def _windows(length, block):
    """Means over the windows, zeros outside and the divisor always the window."""
    matrices = []
    for window in WINDOWS:
        outputs, j = np.indices((length, window))
        weights = np.full(window, 1 / window)
        matrices.append(_matrix(outputs, outputs + j - window // 2, weights, length))
    return _to_blocks(matrices, block)


def _filter_matrix(length, taps, *, reflect):
    """Matrix of a convolution that keeps every second sample, as pywt.dwt does.

    Output k is ``sum_j taps[j] * x[2 k + 1 - j]``. Outside, x is its mirror image
    (pywt's mode "symmetric") if `reflect`, and left out otherwise.
    """
    outputs, j = np.indices(((length + len(taps) - 1) // 2, len(taps)))
    inputs = 2 * outputs + 1 - j
    if reflect:
        inputs %= 2 * length
        inputs = np.minimum(inputs, 2 * length - 1 - inputs)
    return _matrix(outputs, inputs, taps, length)


def _matrix(outputs, inputs, weights, length):
    """Sparse matrix with weights[j] at (outputs[i, j], inputs[i, j]), if inside."""
    inside = (inputs >= 0) & (inputs < length)
    values = np.broadcast_to(weights, inputs.shape)[inside]
    positions = (outputs[inside], inputs[inside])
    return sparse.coo_array((values, positions), shape=(len(outputs), length)).tocsr()


def _to_blocks(matrices, block):
    """Cut banded matrices of one shape into dense blocks of rows.

    Returns a list of (rows, columns, blocks): slices, and an array (n_matrices, n_rows,
    n_columns) of what the matrices hold there; they are 0 elsewhere in these rows.
    """
    blocks = []
    n_rows = matrices[0].shape[0]
    for start in range(0, n_rows, block):
        rows = slice(start, min(start + block, n_rows))
        parts = [matrix[rows] for matrix in matrices]
        used = np.concatenate([part.indices for part in parts])
        columns = slice(int(used.min()), int(used.max()) + 1)
        dense = [part.toarray()[:, columns].astype(np.float32) for part in parts]
        blocks.append((rows, columns, np.stack(dense)))
    return blocks

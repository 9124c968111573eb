"""Noise part of planes in the wavelet domain, by products of matrices with NumPy.

Filters are banded matrices, which are cut into dense blocks. `_wavelet_fast.py` holds
the same function for numba.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pywt
from scipy import sparse

# Sides of the windows in which the variance is estimated (Mihcak et al.).
WINDOWS = (3, 5, 7, 9)
# Rows of a banded matrix in one dense block, and the widest matrix that a block is
# multiplied with: products of this size stay in the L2 cache, and below the size at
# which BLAS starts threads of its own.
BLOCK = 16
CHUNK = 384
# Values in a strip of rows whose windows are averaged together.
STRIP_VALUES = 2**17


@dataclass(frozen=True)
class DenseBlock:
    """Some rows of banded matrices of one shape.

    Attributes
    ----------
    rows : slice
        The rows.
    columns : slice
        Columns outside which the matrices are 0 in these rows.
    matrices : ndarray of shape (n_matrices, n_rows, n_columns), float32
        Values in these rows and columns.
    """

    rows: slice
    columns: slice
    matrices: np.ndarray


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
    # Detail bands do not depend on a constant. Without the first pixel flat planes are
    # exactly 0, and so is their noise.
    noise = planes - planes[:, :1, :1]
    decompositions = []
    for _ in range(levels):
        bands = _decompose(noise, wavelet)
        _keep_noise(bands, variance)
        decompositions.append((bands, noise.shape))
        noise = bands[0, 0].copy()
    noise[:] = 0  # the coarsest approximation is all signal
    for bands, (_, height, width) in reversed(decompositions):
        bands[0, 0] = noise
        noise = _recompose(bands, height, width, wavelet)
    return noise


def _decompose(planes, wavelet):
    """Compute one level of the DWT of planes.

    Parameters
    ----------
    planes : ndarray of shape (m, height, width), float32
        The planes.
    wavelet : str
        Name of the wavelet.

    Returns
    -------
    bands : ndarray of shape (2, n_filters, m, n_rows, n_columns), float32
        By horizontal and vertical filter, low-pass first: [0, 0] is the approximation.
        Planes one pixel high have a single vertical filter, the identity.
    """
    m, height, width = planes.shape
    vertical, horizontal = _analysis(height, wavelet), _analysis(width, wavelet)
    n_rows, n_columns = vertical[-1].rows.stop, horizontal[-1].rows.stop
    rows = np.empty((len(vertical[0].matrices), m, n_rows, width), dtype=np.float32)
    _multiply_columns(vertical, planes, out=rows)
    bands = np.empty((2, len(rows), m, n_rows, n_columns), dtype=np.float32)
    _multiply_rows(horizontal, rows, out=bands)
    return bands


def _recompose(bands, height, width, wavelet):
    """Compute the inverse of one level of the DWT.

    Parameters
    ----------
    bands : ndarray of shape (2, n_filters, m, n_rows, n_columns), float32
        As returned by :func:`_decompose`.
    height, width : int
        Size of the planes, to which the inverse is cropped.
    wavelet : str
        Name of the wavelet.

    Returns
    -------
    planes : ndarray of shape (m, height, width), float32
    """
    _, n_filters, m, n_rows, _ = bands.shape
    rows = np.empty((n_filters, m, n_rows, width), dtype=np.float32)
    for chunk in _chunks(n_rows):
        for block in _synthesis(width, wavelet):
            factors = block.matrices.swapaxes(1, 2)[:, np.newaxis, np.newaxis]
            parts = np.matmul(bands[:, :, :, chunk, block.columns], factors)
            np.add(parts[0], parts[1], out=rows[:, :, chunk, block.rows])
    planes = np.empty((m, height, width), dtype=np.float32)
    for block in _synthesis(height, wavelet):
        factors = block.matrices[:, np.newaxis]
        for chunk in _chunks(width):
            parts = np.matmul(factors, rows[:, :, block.columns, chunk])
            np.sum(parts, axis=0, out=planes[:, block.rows, chunk])
    return planes


def _keep_noise(bands, variance):
    """Scale detail coefficients to their noise part, in place.

    With the variance s of the noise, the Wiener filter leaves ``c s / (v + s)`` of a
    coefficient c to the noise. The variance of the signal is estimated by ``v = max(0,
    M - s)`` with ``M = min_w mean_w(c^2)``, so that ``v + s = max(M, s)``.
    """
    # All bands but the first, the approximation, as planes of one stack.
    details = bands.reshape(-1, *bands.shape[3:])[bands.shape[2] :]
    squares = np.square(details)
    m, height, width = details.shape
    vertical, horizontal = _windows(height, BLOCK), _windows(width, BLOCK)
    n_blocks = max(1, STRIP_VALUES // (len(WINDOWS) * m * BLOCK * width))
    for first in range(0, len(vertical), n_blocks):
        blocks = vertical[first : first + n_blocks]
        top, bottom = blocks[0].rows.start, blocks[-1].rows.stop
        sums = np.empty((len(WINDOWS), m, bottom - top, width), dtype=np.float32)
        _multiply_columns(blocks, squares, out=sums, top=top)
        means = np.empty_like(sums)
        # The rows of all planes, one below the other, are a single tall matrix.
        rows = sums.reshape(len(WINDOWS), -1, width)
        _multiply_rows(horizontal, rows, out=means.reshape(rows.shape))
        spread = np.maximum(means.min(axis=0), variance)
        details[:, top:bottom] *= variance / spread


def _multiply_columns(blocks, planes, *, out, top=0):
    """Multiply the columns of planes by banded matrices.

    Parameters
    ----------
    blocks : list of DenseBlock
        Rows of the matrices, from row `top` on.
    planes : ndarray of shape (m, n, width), float32
        The planes.
    out : ndarray of shape (n_matrices, m, n_rows, width), float32
        Set to the products `matrix @ plane`.
    top : int, default=0
        Row of the matrices that is the first row of `out`.
    """
    for block in blocks:
        rows = slice(block.rows.start - top, block.rows.stop - top)
        factors = block.matrices[:, np.newaxis]
        for chunk in _chunks(planes.shape[2]):
            columns = planes[:, block.columns, chunk]
            np.matmul(factors, columns, out=out[:, :, rows, chunk])


def _multiply_rows(blocks, planes, *, out):
    """Multiply the rows of planes by banded matrices: set out[k] to planes @ matrix.T.

    The axes of `out` are the matrices and the axes of `planes`, rows and columns last.
    """
    between = tuple(range(1, out.ndim - 2))
    for chunk in _chunks(planes.shape[-2]):
        for block in blocks:
            factors = np.expand_dims(block.matrices.swapaxes(1, 2), between)
            rows = planes[..., chunk, block.columns]
            np.matmul(rows, factors, out=out[..., chunk, block.rows])


def _chunks(length):
    """Split a length into slices of at most CHUNK."""
    return [slice(i, min(i + CHUNK, length)) for i in range(0, length, CHUNK)]


@lru_cache(maxsize=256)
def _analysis(length, wavelet):
    """Return the low- and high-pass filter that keep every second sample, as blocks."""
    if length == 1:
        return _to_blocks([sparse.eye_array(1, format="csr")], BLOCK)
    filters = pywt.Wavelet(wavelet)
    pair = (filters.dec_lo, filters.dec_hi)

    def build(length):
        matrices = [_filter_matrix(length, f, reflect=True) for f in pair]
        return _to_blocks(matrices, BLOCK)

    return _repeat_middle(build, length, 2 * BLOCK, filters.dec_len)


@lru_cache(maxsize=256)
def _synthesis(length, wavelet):
    """Return the inverses of the filters of `_analysis`, as blocks.

    The sum of both products is the signal.
    """
    if length == 1:
        return _analysis(length, wavelet)
    filters = pywt.Wavelet(wavelet)
    # The inverse of a filter bank is the transpose of the analysis by its reversed
    # reconstruction filters. It has two rows for each column, so that twice as many
    # rows make a block of the same size.
    pair = (filters.rec_lo[::-1], filters.rec_hi[::-1])

    def build(length):
        matrices = [_filter_matrix(length, f, reflect=False).T.tocsr() for f in pair]
        return _to_blocks(matrices, 2 * BLOCK)

    return _repeat_middle(build, length, 2 * BLOCK, filters.rec_len)


@lru_cache(maxsize=256)
def _windows(length, block):
    """Return the means over the windows along one axis, as blocks.

    There are zeros outside the band, and the divisor is always the side of the window.
    """

    def build(length):
        matrices = []
        for window in WINDOWS:
            outputs, j = np.indices((length, window))
            inputs, weights = outputs + j - window // 2, np.full(window, 1 / window)
            matrices.append(_matrix(outputs, inputs, weights, length))
        return _to_blocks(matrices, block)

    return _repeat_middle(build, length, block, WINDOWS[-1])


def _repeat_middle(build, length, period, n_taps):
    """Build the blocks of banded matrices in a time that is linear in their length.

    Blocks that no end of the signal reaches are the same array, further down. They are
    built for a short signal, and the one in its middle is repeated.

    Parameters
    ----------
    build : callable
        `build(length)` returns the blocks for a signal of this length.
    length : int
        Length of the signal.
    period : int
        Samples of the signal that one more block stands for.
    n_taps : int
        Length of the longest filter.

    Returns
    -------
    blocks : list of DenseBlock
    """
    n_more = max(0, (length - 4 * n_taps) // period - 8)
    blocks = build(length - n_more * period)
    if not n_more:
        return blocks
    middle = len(blocks) // 2
    above, block = blocks[middle - 1 : middle + 1]
    down = block.rows.start - above.rows.start
    right = block.columns.start - above.columns.start

    def move(block, k):
        rows, columns = (
            slice(part.start + k * step, part.stop + k * step)
            for part, step in ((block.rows, down), (block.columns, right))
        )
        return DenseBlock(rows, columns, block.matrices)

    repeated = [move(block, k) for k in range(n_more + 1)]
    return blocks[:middle] + repeated + [move(b, n_more) for b in blocks[middle + 1 :]]


def _filter_matrix(length, taps, *, reflect):
    """Return the matrix of a convolution that keeps every second sample.

    As in pywt.dwt, output k is ``sum_j taps[j] * x[2 k + 1 - j]``. Beyond its ends, x
    is its mirror image (mode "symmetric") if `reflect`, and 0 otherwise.
    """
    outputs, j = np.indices(((length + len(taps) - 1) // 2, len(taps)))
    inputs = 2 * outputs + 1 - j
    if reflect:  # the mirrored signal has the period 2 n, and x[2 n - 1 - i] = x[i]
        inputs %= 2 * length
        inputs = np.minimum(inputs, 2 * length - 1 - inputs)
    return _matrix(outputs, inputs, taps, length)


def _matrix(outputs, inputs, weights, length):
    """Build a sparse matrix from the inputs of each output.

    Parameters
    ----------
    outputs, inputs : ndarray of shape (n_outputs, n_weights), int
        Rows and columns of the weights. Weights outside the columns are left out, and
        weights at the same place are added.
    weights : array-like of shape (n_weights,)
        Weights, equal for all outputs.
    length : int
        Number of columns.

    Returns
    -------
    matrix : csr_array of shape (n_outputs, length)
    """
    inside = (inputs >= 0) & (inputs < length)
    values = np.broadcast_to(weights, inputs.shape)[inside]
    positions = (outputs[inside], inputs[inside])
    return sparse.coo_array((values, positions), shape=(len(outputs), length)).tocsr()


def _to_blocks(matrices, block):
    """Cut banded matrices of one shape into dense blocks of rows.

    Parameters
    ----------
    matrices : list of csr_array of shape (n_rows, n_columns)
        The matrices.
    block : int
        Rows in a block; the last one may have fewer.

    Returns
    -------
    blocks : list of DenseBlock
    """
    blocks = []
    n_rows = matrices[0].shape[0]
    for start in range(0, n_rows, block):
        rows = slice(start, min(start + block, n_rows))
        parts = [matrix[rows] for matrix in matrices]
        used = np.concatenate([part.indices for part in parts])
        columns = slice(int(used.min()), int(used.max()) + 1)
        dense = [part.toarray()[:, columns].astype(np.float32) for part in parts]
        blocks.append(DenseBlock(rows, columns, np.stack(dense)))
    return blocks

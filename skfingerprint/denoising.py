"""Denoisers: pure functions, a stack of images in, a stack of smooth images out.

Each takes images of shape (n_samples, height, width) or (n_samples, height, width,
n_channels), in grey levels 0..255 of any real dtype, works on each image and channel
by itself, reflects at the borders, and returns float32. `DENOISERS` names them.
"""

from functools import lru_cache

import numpy as np
import pywt
from scipy import ndimage, sparse

WINDOWS = (3, 5, 7, 9)
# Rows of an operator that make one dense block, and the widest matrix that a block is
# multiplied with: products of this size stay in the L2 cache, and below the size at
# which BLAS starts threads of its own.
BLOCK = 16
CHUNK = 384
GROUP_PIXELS = 2**18


def wavelet_wiener(images, *, sigma=3.0, wavelet="db4", level=4):
    """Wiener filter in the wavelet domain, with the variance estimated locally.

    The standard denoiser of camera and generator fingerprints: it keeps what stands out
    of the noise in any of four neighbourhoods and takes the rest for noise.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels. Both sides must be at least `2 * (taps - 1)` pixels (14
        for "db4"), but for images one pixel high, which are decomposed along the width.
    sigma : float, default=3.0
        Standard deviation of the noise, in grey levels.
    wavelet : str, default="db4"
        Name of an orthogonal or biorthogonal wavelet of PyWavelets.
    level : int, default=4
        Largest number of decompositions; small images allow fewer.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Raises
    ------
    ValueError
        If the images are too small for the wavelet.

    Notes
    -----
    For each detail coefficient `c` [1]_ [2]_, ``v = max(0, min_w mean_w(c^2) -
    sigma^2)`` over windows w of 3, 5, 7 and 9 (zeros outside the band), and the noise
    part is ``c * sigma^2 / (v + sigma^2) = c * sigma^2 / max(min_w mean_w(c^2),
    sigma^2)``. The inverse transform of the noise part is subtracted from the image.

    Transforms and windows are banded matrices, applied as dense blocks.

    References
    ----------
    .. [1] M. K. Mihcak, I. Kozintsev, K. Ramchandran, "Spatially adaptive statistical
       modeling of wavelet image coefficients and its application to denoising",
       ICASSP, 1999. :doi:`10.1109/ICASSP.1999.757535`
    .. [2] J. Lukas, J. Fridrich, M. Goljan, "Digital camera identification from sensor
       pattern noise", IEEE TIFS 1(2), 2006. :doi:`10.1109/TIFS.2006.873602`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import wavelet_wiener
    >>> noise = np.random.default_rng(0).normal(128, 2, size=(1, 64, 64))
    >>> bool(wavelet_wiener(noise, sigma=3).std() < 0.3 * noise.std())
    True
    """
    planes = _to_planes(images)
    levels = _count_levels(planes.shape[1:], wavelet, level)
    for group in _groups(planes):
        group -= _wavelet_noise(group, np.float32(sigma**2), wavelet, levels)
    return _from_planes(planes, images.shape)


def gaussian(images, *, kernel_std=1.0):
    """Gaussian blur: the fastest denoiser, and the roughest.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.
    kernel_std : float, default=1.0
        Standard deviation of the kernel, in pixels.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import gaussian
    >>> float(gaussian(np.full((1, 8, 8), 7, dtype=np.uint8))[0, 0, 0])
    7.0
    """
    images = np.asarray(images, dtype=np.float32)
    stds = (0, kernel_std, kernel_std, 0)[: images.ndim]
    return ndimage.gaussian_filter(images, stds, mode="reflect")


def median(images, *, size=3):
    """Median of a square window: keeps edges, takes away thin lines.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.
    size : int, default=3
        Side of the window, in pixels.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import median
    >>> image = np.zeros((1, 8, 8))
    >>> image[0, 4, 4] = 255
    >>> float(median(image).max())
    0.0
    """
    images = np.asarray(images, dtype=np.float32)
    window = (1, size, size, 1)[: images.ndim]
    return ndimage.median_filter(images, size=window, mode="reflect")


DENOISERS = {
    "wavelet_wiener": wavelet_wiener,
    "gaussian": gaussian,
    "median": median,
}


def _to_planes(images):
    """Copy a stack to float32 planes (n_samples * n_channels, height, width)."""
    images = np.asarray(images)
    if images.ndim == 4:
        images = np.moveaxis(images, -1, 1)
    planes = np.array(images, dtype=np.float32, order="C")
    return planes.reshape(-1, *planes.shape[-2:])


def _from_planes(planes, shape):
    """View planes as a stack again."""
    if len(shape) == 3:
        return planes
    n_samples, height, width, n_channels = shape
    return np.moveaxis(planes.reshape(n_samples, n_channels, height, width), 1, -1)


def _groups(planes):
    """Yield views of a few planes whose bands fit into the cache together."""
    step = max(1, GROUP_PIXELS // max(1, planes[0].size)) if len(planes) else 1
    for start in range(0, len(planes), step):
        yield planes[start : start + step]


def _count_levels(shape, wavelet, level):
    """Return the number of decompositions that the shortest axis allows."""
    height, width = shape
    taps = pywt.Wavelet(wavelet).dec_len
    if height == 1:
        return min(level, max(1, pywt.dwt_max_level(width, taps)))
    levels = min(level, pywt.dwt_max_level(min(shape), taps))
    if levels < 1:
        raise ValueError(
            f"images of {height}x{width} pixels are too small for wavelet={wavelet!r}: "
            f"both sides need at least {2 * (taps - 1)}. Use larger images or a "
            "shorter wavelet such as 'haar'; if X is one image, pass `X[np.newaxis]`."
        )
    return levels


def _wavelet_noise(planes, variance, wavelet, levels):
    """Return the noise part of planes (m, height, width)."""
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
    for out, source, matrices in vertical:
        for chunk in _chunks(width):
            np.matmul(
                matrices[:, np.newaxis],
                planes[:, source, chunk],
                out=rows[:, :, out, chunk],
            )
    bands = np.empty((2, len(rows), m, n_rows, n_columns), dtype=np.float32)
    for chunk in _chunks(n_rows):
        for out, source, matrices in horizontal:
            np.matmul(
                rows[:, :, chunk, source],
                _transpose(matrices)[:, np.newaxis, np.newaxis],
                out=bands[:, :, :, chunk, out],
            )
    return bands


def _recompose(bands, height, width, wavelet):
    """Inverse of one level of the DWT, cropped to (height, width)."""
    _, n_filters, m, n_rows, _ = bands.shape
    rows = np.empty((n_filters, m, n_rows, width), dtype=np.float32)
    for chunk in _chunks(n_rows):
        for out, source, matrices in _synthesis(width, wavelet):
            parts = np.matmul(
                bands[:, :, :, chunk, source],
                _transpose(matrices)[:, np.newaxis, np.newaxis],
            )
            np.add(parts[0], parts[1], out=rows[:, :, chunk, out])
    planes = np.empty((m, height, width), dtype=np.float32)
    for out, source, matrices in _synthesis(height, wavelet):
        for chunk in _chunks(width):
            parts = np.matmul(matrices[:, np.newaxis], rows[:, :, source, chunk])
            np.sum(parts, axis=0, out=planes[:, out, chunk])
    return planes


def _keep_noise(bands, variance):
    """Scale coefficients c to c * variance / max(min_w mean_w(c^2), variance)."""
    details = bands.reshape(-1, *bands.shape[2:])[1:]
    details = details.reshape(-1, *bands.shape[3:])
    squares = np.square(details)
    m, height, width = details.shape
    buffers = np.empty((2, len(WINDOWS), m, BLOCK, width), dtype=np.float32)
    for rows, source, matrices in _windows(height, BLOCK):
        # Both are (window, row, column) once the images' rows are laid end to end.
        n_rows = matrices.shape[1]
        strips, means = buffers.reshape(2, -1)[:, : 4 * m * n_rows * width].reshape(
            2, len(WINDOWS), m, n_rows, width
        )
        for chunk in _chunks(width):
            np.matmul(
                matrices[:, np.newaxis],
                squares[:, source, chunk],
                out=strips[..., chunk],
            )
        rows_in, rows_out = (
            a.reshape(len(WINDOWS), -1, width) for a in (strips, means)
        )
        for columns, source_columns, right in _windows(width, 2 * BLOCK):
            np.matmul(
                rows_in[..., source_columns],
                _transpose(right),
                out=rows_out[..., columns],
            )
        spread = means[0]
        for mean in means[1:]:
            np.minimum(spread, mean, out=spread)
        np.maximum(spread, variance, out=spread)
        np.divide(variance, spread, out=spread)
        details[:, rows] *= spread


def _chunks(length):
    """Slices of at most CHUNK."""
    return [slice(i, min(i + CHUNK, length)) for i in range(0, length, CHUNK)]


def _transpose(matrices):
    return matrices.swapaxes(-1, -2)


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

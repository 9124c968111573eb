"""Traces that an earlier JPEG compression left in decoded pixels."""

import numpy as np
from scipy.fft import dct

# Luma of RGB, as JPEG computes it (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
# The transform of JPEG: each row is a cosine of one frequency in a block of 8 pixels.
BLOCK = 8
COSINES = dct(np.eye(BLOCK, dtype=np.float32), axis=0, norm="ortho")
# Sum of the vertical and horizontal frequency from which on a coefficient is high.
LOWEST_HIGH = 5
# A coefficient below it, in grey levels, counts as zero: rounding of the pixels moves
# each by about 0.3.
NEAR_ZERO = 0.6
# Added to the spread over the phases, which is next to 0 in smooth images.
LEAST_SPREAD = 0.003
# Steps of quality 50 for the low coefficients but the mean, row by row (T.81, K.1).
STEPS = (11, 10, 16, 24, 12, 12, 14, 19, 14, 13, 16, 14, 17, 18)
# Qualities to choose from, the highest of equal ones first; the steps of 100 are as
# small as the rounding.
QUALITIES = range(99, 29, -1)
# Deviation of a coefficient from multiples of its step, in grey levels, the least
# relative density of one, and the fewest multiples that a quality is estimated from.
DEVIATION = 0.4
LEAST_DENSITY = 0.05
FEWEST_MULTIPLES = 20
# Side of the central part that is judged, and of the smallest image, in pixels.
LARGEST_SIDE = 128
SMALLEST_SIDE = 32


def score_history(image):
    """Score the history of one image; see :func:`skfingerprint.metrics.jpeg_history`.

    Parameters
    ----------
    image : ndarray of shape (height, width[, n_channels])
        Grey or RGB image in grey levels 0..255.

    Returns
    -------
    score : float
        NaN for a small image.
    """
    if min(image.shape[:2]) < SMALLEST_SIDE:
        return np.nan
    shares = _share_by_grid(_find_luma(image))
    middle = np.median(shares)
    spread = np.median(np.abs(shares - middle)) + LEAST_SPREAD
    return float((shares.max() - middle) / spread)


def estimate_quality(image):
    """Estimate the quality of the earlier JPEG compression of one image.

    Parameters
    ----------
    image : ndarray of shape (height, width[, n_channels])
        Image that was a JPEG file once, in grey levels 0..255.

    Returns
    -------
    quality : float
        On libjpeg's scale, among `QUALITIES`; NaN if too few coefficients are not 0.

    Notes
    -----
    Coefficients on the best grid are near multiples of the steps s of the quality. With
    the remainder r, the density of a coefficient relative to a smooth one is
    ``s N(r; 0, DEVIATION)``. The quality with the largest mean logarithm is taken, of
    coefficients that are not nearest to 0, where all steps agree.
    """
    steps = _scale_steps(np.array(QUALITIES))[:, np.newaxis]
    low = _read_low(_find_luma(image))
    multiples = np.rint(low / steps)
    remainders = (low - multiples * steps) / DEVIATION
    densities = steps / (DEVIATION * np.sqrt(2 * np.pi)) * np.exp(-(remainders**2) / 2)
    logarithms = np.log(np.maximum(densities, LEAST_DENSITY))
    counts = np.count_nonzero(multiples, axis=(1, 2))
    means = np.sum(logarithms, axis=(1, 2), where=multiples != 0) / np.maximum(
        counts, 1
    )
    means[counts < FEWEST_MULTIPLES] = -np.inf
    return float(QUALITIES[means.argmax()]) if np.isfinite(means.max()) else np.nan


def _scale_steps(qualities):
    """Return the steps of each quality, as libjpeg scales them, (n_qualities, 14)."""
    percents = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    return np.maximum((np.outer(percents, STEPS) + 50) // 100, 1)


def _read_low(luma):
    """Return the low coefficients of the blocks of the best grid, (n_blocks, 14)."""
    top, left = np.unravel_index(_share_by_grid(luma).argmax(), (BLOCK, BLOCK))
    part = luma[top:, left:]
    height, width = (n // BLOCK * BLOCK for n in part.shape)
    blocks = part[:height, :width].reshape(-1, BLOCK, width // BLOCK, BLOCK)
    coefficients = COSINES @ blocks.swapaxes(1, 2) @ COSINES.T
    frequencies = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
    is_low = (frequencies > 0) & (frequencies < LOWEST_HIGH)
    return coefficients[..., is_low].reshape(-1, len(STEPS))


def _share_by_grid(luma):
    """Return the share of near-zero high coefficients on each grid, shape (8, 8)."""
    counts, n_high = _count_near_zero(luma)
    # The window at (y, x) is a block of the grid with the phase (y % 8, x % 8).
    padded = np.zeros([-(-n // BLOCK) * BLOCK for n in counts.shape])
    padded[: counts.shape[0], : counts.shape[1]] = counts
    grids = padded.reshape(-1, BLOCK, padded.shape[1] // BLOCK, BLOCK)
    n_blocks = [(n - np.arange(BLOCK) + BLOCK - 1) // BLOCK for n in counts.shape]
    return grids.sum(axis=(0, 2)) / (n_high * np.outer(*n_blocks))


def _find_luma(image):
    """Return luma of the central part of an image, shape (height, width), float32."""
    top, left = (max(0, (n - LARGEST_SIDE) // 2) for n in image.shape[:2])
    part = image[top : top + LARGEST_SIDE, left : left + LARGEST_SIDE]
    part = part.astype(np.float32)
    if part.ndim == 2:
        return part
    return part[..., 0] if part.shape[2] == 1 else part @ np.float32(LUMA)


def _count_near_zero(luma):
    """Count the high coefficients near zero in each window of 8x8 pixels.

    Parameters
    ----------
    luma : ndarray of shape (height, width), float32
        Luma of an image.

    Returns
    -------
    counts : ndarray of shape (height - 7, width - 7), uint8
        Count for the window that begins at each pixel.
    n_high : int
        Number of high coefficients of a window.
    """
    height, width = (n - BLOCK + 1 for n in luma.shape)
    # The transform of all windows is separable: columns first, then rows.
    columns = np.stack([luma[k : k + height] for k in range(BLOCK)])
    columns = np.tensordot(COSINES, columns, axes=1)
    counts, n_high = np.zeros(height * width, dtype=np.uint8), 0
    for u in range(BLOCK):
        windows = np.stack([columns[u, :, k : k + width] for k in range(BLOCK)])
        cosines = COSINES[max(0, LOWEST_HIGH - u) :]
        found = cosines @ windows.reshape(BLOCK, -1)
        counts += (np.abs(found, out=found) < NEAR_ZERO).sum(axis=0, dtype=np.uint8)
        n_high += len(cosines)
    return counts.reshape(height, width), n_high

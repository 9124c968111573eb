"""Correlation of a residual with fingerprints in a window around each pixel."""

import numpy as np
from scipy.ndimage import uniform_filter

# Box filters add and subtract running sums. A local energy below this share of the mean
# energy of the image is taken for their rounding error.
SMALLEST_SHARE = 1e-6


def local_correlations(residual, fingerprints, window_size):
    """Correlate a residual with fingerprints in a window around each pixel.

    Parameters
    ----------
    residual : ndarray of shape (height, width, n_channels)
        Residual of one image.
    fingerprints : ndarray of shape (n_fingerprints, height, width, n_channels)
        Fingerprints, aligned with the residual.
    window_size : int
        Side of the window. At the border, the window is cut to the image.

    Returns
    -------
    correlations : ndarray of shape (height, width, n_fingerprints), float32
        In [-1, 1]; 0 where the residual or the fingerprint vanishes.
    """
    found = np.empty((*residual.shape[:2], len(fingerprints)), dtype=np.float32)
    energy = _sum_locally(residual, residual, window_size)
    for number, fingerprint in enumerate(fingerprints):
        # Eq. 5 of Marra et al. in a window, <R F> / sqrt(<R R> <F F>), without the
        # means, which residuals do not have.
        own = energy * _sum_locally(fingerprint, fingerprint, window_size)
        inner = _sum_locally(residual, fingerprint, window_size)
        # An infinite denominator makes the correlation 0 where an energy is 0.
        inner /= np.sqrt(np.where(own > 0, own, np.inf))
        np.clip(inner, -1, 1, out=found[..., number], casting="same_kind")
    return found


def _sum_locally(one, other, window_size):
    """Average products over a window, after the sum over channels.

    Parameters
    ----------
    one, other : ndarray of shape (height, width, n_channels)
        Residual or fingerprint. The average of squares, if both are the same object, is
        0 where it is rounding error.
    window_size : int
        Side of the window.

    Returns
    -------
    means : ndarray of shape (height, width)
    """
    products = np.einsum("hwc,hwc->hw", one, other, dtype=np.float64)
    # Zeros beyond the border add nothing to sums, and the number of pixels cancels out
    # in correlations. The time does not depend on the window.
    means = uniform_filter(products, window_size, mode="constant")
    if one is other:
        means[means < SMALLEST_SHARE * products.mean()] = 0
    return means

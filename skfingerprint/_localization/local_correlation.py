"""Correlation of a residual with fingerprints in a window around each pixel."""

import numpy as np
from scipy.ndimage import uniform_filter

# Below this share of its mean over the image, a local energy is rounding.
SMALLEST_SHARE = 1e-6


def local_correlations(residual, fingerprints, window):
    """Correlate a residual with fingerprints in a window around each pixel.

    Parameters
    ----------
    residual : ndarray of shape (height, width, n_channels)
        Of one image.
    fingerprints : ndarray of shape (n_fingerprints, height, width, n_channels)
        Aligned with it.
    window : int
        Side of the window. At the border it covers what the image holds of it.

    Returns
    -------
    correlations : ndarray of shape (height, width, n_fingerprints), float32
        In [-1, 1]; 0 where the residual or the fingerprint vanishes.
    """
    found = np.empty((*residual.shape[:2], len(fingerprints)), dtype=np.float32)
    energy = _sum_locally(residual, residual, window)
    for number, fingerprint in enumerate(fingerprints):
        own = energy * _sum_locally(fingerprint, fingerprint, window)
        inner = _sum_locally(residual, fingerprint, window)
        inner /= np.sqrt(np.where(own > 0, own, np.inf))
        np.clip(inner, -1, 1, out=found[..., number], casting="same_kind")
    return found


def _sum_locally(one, other, window):
    """Return sums of products over channels, and over a window; no less than rounding.

    A box filter's cost does not depend on its size.
    """
    products = np.einsum("hwc,hwc->hw", one, other, dtype=np.float64)
    means = uniform_filter(products, window, mode="constant")
    if one is other:
        means[means < SMALLEST_SHARE * products.mean()] = 0
    return means

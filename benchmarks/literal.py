"""The wavelet-Wiener residual as it is usually written, to measure against."""

import numpy as np
import pywt
from scipy.ndimage import uniform_filter


def literal_residual(image, sigma=3.0):
    """Per channel, in float64, with four box filters on each band."""
    planes = [literal_plane(image[..., c].astype(float), sigma) for c in range(3)]
    return np.stack(planes, axis=-1)


def literal_plane(plane, sigma):
    """Mihcak's filter on one plane (height, width)."""
    approximation, *details = pywt.wavedec2(plane, "db4", "symmetric", level=4)
    noise = [np.zeros_like(approximation)]
    noise += [tuple(literal_band(b, sigma**2) for b in bands) for bands in details]
    return pywt.waverec2(noise, "db4", "symmetric")[: plane.shape[0], : plane.shape[1]]


def literal_band(band, variance):
    """Noise part of one band of detail coefficients."""
    squares = band * band
    means = [uniform_filter(squares, w, mode="constant") for w in (3, 5, 7, 9)]
    local = np.maximum(0, np.minimum.reduce(means) - variance)
    return band * variance / (local + variance)

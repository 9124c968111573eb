"""Implement the methods as their formulas are usually written down, for comparison."""

from collections import defaultdict
from functools import cache
from itertools import product

import numpy as np
import pywt
from scipy.ndimage import uniform_filter
from sklearn.cluster import AgglomerativeClustering

BLOCK, HOP, SMALLEST_POWER = 32, 16, 1e-3
TO_LUMA_CHROMA = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
# Of co-occurrences: channel and step in grey levels.
SETS = ((0, 1), (0, 3), (1, 1), (2, 1))


def literal_residual(image, sigma=3.0):
    """Compute the residual per channel, in float64, with four box filters a band."""
    planes = [literal_plane(image[..., c].astype(float), sigma) for c in range(3)]
    return np.stack(planes, axis=-1)


def literal_plane(plane, sigma):
    """Apply Mihcak's filter to one plane (height, width)."""
    level = min(4, pywt.dwt_max_level(min(plane.shape), "db4"))
    approximation, *details = pywt.wavedec2(plane, "db4", "symmetric", level=level)
    noise = [np.zeros_like(approximation)]
    noise += [tuple(literal_band(b, sigma**2) for b in bands) for bands in details]
    return pywt.waverec2(noise, "db4", "symmetric")[: plane.shape[0], : plane.shape[1]]


def literal_band(band, variance):
    """Return the noise part of one band of detail coefficients."""
    squares = band * band
    means = [uniform_filter(squares, w, mode="constant") for w in (3, 5, 7, 9)]
    local = np.maximum(0, np.minimum.reduce(means) - variance)
    return band * variance / (local + variance)


def literal_features(image):
    """Return an RGB image's spectra (residual, luma, chroma) and co-occurrences."""
    luma_chroma = image @ TO_LUMA_CHROMA.T
    parts = literal_residual(image, 1.0), luma_chroma
    spectra = [literal_spectrum(part, fold=True) for part in parts]
    return np.concatenate([*spectra, literal_cooccurrences(luma_chroma, 5)])


def literal_spectrum(image, fold=False):
    """Return the log mean power of overlapping windowed blocks (Welch).

    With `fold` the powers at the vertical frequencies v and -v are averaged.
    """
    window = np.hanning(BLOCK + 1)[:-1]
    window = np.outer(window, window)
    window = window[..., np.newaxis] / np.sqrt(np.sum(window**2))
    power = [
        np.abs(np.fft.rfft2(image[y : y + BLOCK, x : x + BLOCK] * window, axes=(0, 1)))
        ** 2
        for y in range(0, image.shape[0] - BLOCK + 1, HOP)
        for x in range(0, image.shape[1] - BLOCK + 1, HOP)
    ]
    power = np.mean(power, axis=0)
    if fold:
        power = ((power + power[-np.arange(BLOCK)]) / 2)[: BLOCK // 2 + 1]
    return np.log(np.maximum(power, SMALLEST_POWER)).ravel()


def literal_cooccurrences(image, length, sets=SETS):
    """Return roots of the shares of runs of differences, along and across."""
    levels = np.round(image)
    rows = []
    for channel, step in sets:
        signs = literal_signs(levels[..., channel], step)
        for across in (0, 1):
            axes = (1 - across, across)  # of the runs: along the difference or across
            codes = [
                literal_runs(s, a, length) for s, a in zip(signs, axes, strict=True)
            ]
            rows.append(literal_shares(np.concatenate(codes), length))
    return np.sqrt(np.concatenate(rows))


def literal_signs(plane, step):
    """Return differences to the right and down, divided by a step and clipped."""
    differences = np.diff(plane, axis=1), np.diff(plane, axis=0)
    return [np.clip(np.round(d / step), -1, 1).astype(int) for d in differences]


def literal_runs(signs, axis, length):
    """Return the codes of the runs of signs that start at each place, in base 3."""
    n = signs.shape[axis] - length + 1
    digits = [np.take(signs + 1, range(i, i + n), axis=axis) for i in range(length)]
    return sum(d * 3 ** (length - 1 - i) for i, d in enumerate(digits)).ravel()


def literal_shares(codes, length):
    """Return the share of each class of runs, with mirror images and negatives."""
    shares = np.bincount(codes, minlength=3**length) / len(codes)
    return [sum(shares[code] for code in members) for members in run_classes(length)]


@cache
def run_classes(length):
    """Return the codes of the runs of each class, ordered by their smallest runs."""
    classes = defaultdict(list)
    for code, run in enumerate(product((-1, 0, 1), repeat=length)):
        negative = tuple(-sign for sign in run)
        classes[min(run, run[::-1], negative, negative[::-1])].append(code)
    return list(classes.values())


def literal_correlations(residuals, fingerprints):
    """Correlate each residual with each fingerprint, pair by pair."""
    return np.array([[literal_pair(r, f) for f in fingerprints] for r in residuals])


def literal_pair(residual, fingerprint):
    """Return the inner product of two images at zero mean and unit norm (eq. 5)."""
    one, other = residual - residual.mean(), fingerprint - fingerprint.mean()
    return np.sum(one * other) / (np.linalg.norm(one) * np.linalg.norm(other))


def literal_shifts(residuals, fingerprints):
    """Return the best shift of each pair, and its PCE."""
    return np.array([[literal_shift(r, f) for f in fingerprints] for r in residuals])


def literal_shift(residual, fingerprint, side=11):
    """Return the shift (down, right) of the best correlation, and its PCE."""
    one, other = residual - residual.mean(), fingerprint - fingerprint.mean()
    surface = np.real(np.fft.ifft2(np.fft.fft2(one).conj() * np.fft.fft2(other)))
    peak = np.unravel_index(surface.argmax(), surface.shape)
    centered = np.roll(surface, (side // 2 - peak[0], side // 2 - peak[1]), axis=(0, 1))
    outside = np.ones(surface.shape, dtype=bool)
    outside[:side, :side] = False
    return *peak, surface[peak] ** 2 / np.mean(centered[outside] ** 2)


def literal_clusters(residuals, n_clusters):
    """Cluster by average linkage of all correlations, with the number given."""
    distances = 1 - np.corrcoef(np.reshape(residuals, (len(residuals), -1)))
    clustering = AgglomerativeClustering(
        n_clusters, metric="precomputed", linkage="average"
    )
    return clustering.fit_predict(distances)

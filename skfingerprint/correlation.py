"""Correlation of residuals with fingerprints (eq. 5), aligned or over shifts.

Without shifts, all pairs are one matrix product. Over shifts they are Fourier
transforms, and a peak is scored by its energy (PCE).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, special
from sklearn.utils import Bunch

from skfingerprint._core import check_int

# A vector with less variance than this share of its energy counts as constant. Float32
# rounds a value by up to 6e-8 of itself: a variance of up to 4e-15 of the energy.
RESOLUTION = 1e-12
# Values that are converted to float64 at a time: 1 MiB, which stays in the cache.
BLOCK_VALUES = 2**17
# Fingerprints that are prepared at a time: at least so many, for a large matrix
# product, and otherwise so many values, for a bounded workspace (64 MiB in float32).
FEWEST_FINGERPRINTS = 64
FINGERPRINT_VALUES = 2**24
# Values of surfaces that are held at a time: 16 MiB in float32.
SURFACE_VALUES = 2**22


@dataclass(frozen=True)
class _PreparedFingerprints:
    """Fingerprints at zero mean and unit norm, ready for many residuals.

    Attributes
    ----------
    directions : ndarray of shape (n_classes, d) or (n_classes + 1, d)
        Fingerprints at zero mean and unit norm; 0 for constant ones. With a common
        pattern, its values at zero mean follow as the last row.
    offsets : ndarray of shape (n_classes,)
        Inner products of the directions with the common pattern; 0 without one.
    common_energy : float
        Energy of the common pattern at zero mean; 0 without one.
    """

    directions: np.ndarray
    offsets: np.ndarray
    common_energy: float


def correlation_matrix(residuals, fingerprints, *, subtract_common=False):
    """Correlate each residual with each fingerprint.

    Rows are vectors of all pixels and channels of an image. Only the fingerprints are
    brought to zero mean and unit norm, so the residuals are read once and not copied.
    A constant residual or fingerprint has a correlation of 0 with every other vector.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, n_features)
        Residuals, in grey levels, float32 or float64.
    fingerprints : ndarray of shape (n_classes, n_features)
        Fingerprints, in grey levels.
    subtract_common : bool, default=False
        Subtract the mean of the fingerprints from residuals and fingerprints first.

    Returns
    -------
    correlations : ndarray of shape (n_samples, n_classes)
        Correlations in [-1, 1], in the dtype of the residuals.

    Notes
    -----
    Eq. 5 of [1]_ is ``corr(X, Y) = <X - mean(X), Y - mean(Y)> / (norm * norm)``. With
    a zero-mean fingerprint the residual need not be centered for the inner product, and
    the norm of the residual follows from ``|R - mean|^2 = |R|^2 - d mean^2``.

    References
    ----------
    .. [1] F. Marra, D. Gragnaniello, L. Verdoliva, G. Poggi, "Do GANs Leave Artificial
       Fingerprints?", IEEE MIPR, 2019. :doi:`10.1109/MIPR.2019.00103`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.correlation import correlation_matrix
    >>> residuals = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [5.0, 5.0, 5.0]])
    >>> correlation_matrix(residuals, np.array([[2.0, 4.0, 6.0]])).round(6)
    array([[ 1.], [-1.], [ 0.]])
    """
    common = _find_common(fingerprints, subtract_common)
    found = np.empty((len(residuals), len(fingerprints)), residuals.dtype)
    step = max(FEWEST_FINGERPRINTS, FINGERPRINT_VALUES // fingerprints.shape[1])
    for start in range(0, len(fingerprints), step):
        part = slice(start, start + step)
        prepared = _prepare_fingerprints(fingerprints[part], common, residuals.dtype)
        found[:, part] = _correlate_with(residuals, prepared)
    return found


def _find_common(fingerprints, subtract_common=True):
    """Compute the mean of fingerprints, or return None if it is not subtracted."""
    if not subtract_common:
        return None
    return fingerprints.mean(axis=0, dtype=np.float64)


def _prepare_fingerprints(fingerprints, common=None, dtype=None):
    """Bring fingerprints to zero mean and unit norm, once for many residuals.

    Parameters
    ----------
    fingerprints : ndarray of shape (n_classes, ...), float32 or float64
        Fingerprints in grey levels.
    common : ndarray of shape (...), default=None
        Pattern to subtract from fingerprints and residuals first.
    dtype : dtype, default=None
        Type of the directions; by default that of the fingerprints.

    Returns
    -------
    prepared : _PreparedFingerprints
    """
    rows = fingerprints.reshape(len(fingerprints), math.prod(fingerprints.shape[1:]))
    if common is not None:
        common = common.ravel().astype(np.float64)
    n_directions = len(rows) + (common is not None)
    directions = np.empty((n_directions, rows.shape[1]), dtype or rows.dtype)
    offsets = np.zeros(len(rows))
    for k, row in enumerate(rows):
        direction = row.astype(np.float64)
        if common is not None:
            direction -= common
        direction -= direction.mean()
        length = np.linalg.norm(direction)
        if length > 0:
            direction /= length
        if common is not None:
            offsets[k] = direction @ common
        directions[k] = direction
    energy = 0.0
    if common is not None:
        common = common - common.mean()
        energy, directions[-1] = common @ common, common
    return _PreparedFingerprints(directions, offsets, energy)


def _correlate_with(residuals, prepared):
    """Correlate residuals, a stack or rows, with prepared fingerprints."""
    residuals = residuals.reshape(len(residuals), -1)
    found = np.empty((len(residuals), len(prepared.offsets)), residuals.dtype)
    step = len(residuals)
    # Residuals of another dtype are converted, a bounded number of values at a time.
    if residuals.dtype != prepared.directions.dtype:
        step = max(1, FINGERPRINT_VALUES // residuals.shape[1])
    for start in range(0, len(residuals), max(1, step)):
        part = slice(start, start + step)
        found[part] = _correlate_rows(residuals[part], prepared)
    return found


def _correlate_rows(residuals, prepared):
    """Correlate rows with prepared fingerprints (eq. 5 of Marra et al.).

    Rows of another dtype than the fingerprints are copied.
    """
    directions, energy = prepared.directions, prepared.common_energy
    products = residuals.astype(directions.dtype, copy=False) @ directions.T
    products = products.astype(np.float64)
    sums, energies = _moments(residuals)
    squares = energies - sums**2 / residuals.shape[1]
    # With the common pattern C, at zero mean C', and a direction u of zero mean:
    # <R - C, u> = <R, u> - <C, u>, and for the energy about the mean
    # |R' - C'|^2 = |R'|^2 - 2 <R, C'> + |C'|^2.
    if products.shape[1] > len(prepared.offsets):
        squares += energy - 2 * products[:, -1]
    correlations = products[:, : len(prepared.offsets)] - prepared.offsets
    varied = squares > RESOLUTION * (energies + energy)
    correlations[varied] /= np.sqrt(squares[varied, np.newaxis])
    correlations[~varied] = 0
    return np.clip(correlations, -1, 1)


def correlation_surfaces(residuals, fingerprints, *, n_jobs=None):
    """Correlate residuals with fingerprints at all cyclic shifts.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, height, width[, n_channels])
        Residuals, in grey levels.
    fingerprints : ndarray of shape (n_classes, height, width[, n_channels])
        Fingerprints of the same size, in grey levels.
    n_jobs : int, default=None
        Number of threads for the Fourier transforms; -1 for all processors.

    Returns
    -------
    surfaces : ndarray of shape (n_samples, n_classes, height, width), float32
        Correlation (eq. 5 of Marra et al., 2019) at each shift: `surfaces[i, k, down,
        right]` is that of residual i and fingerprint k if pixel (0, 0) of the residual
        lies on pixel (down, right) of the fingerprint. Negative shifts count from the
        end. Pixels that leave on one side enter on the other.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.correlation import correlation_surfaces
    >>> fingerprint = np.random.default_rng(0).normal(size=(1, 16, 16))
    >>> cropped = np.roll(fingerprint, (-3, -5), axis=(1, 2))
    >>> surface = correlation_surfaces(cropped, fingerprint)[0, 0]
    >>> np.argwhere(surface > 0.9).tolist()
    [[3, 5]]
    """
    spectra = [_unit_spectra(stack, n_jobs) for stack in (residuals, fingerprints)]
    return _multiply_spectra(*spectra, residuals.shape[1:3], n_jobs)


def peak_to_correlation_energy(surfaces, *, max_shift=0, neighborhood=11):
    """Compute the peak-to-correlation energy (PCE) of correlation surfaces.

    Parameters
    ----------
    surfaces : ndarray of shape (..., height, width)
        Surfaces, as returned by :func:`correlation_surfaces`.
    max_shift : int or "full", default=0
        Largest shift, in pixels up, down, left and right, at which the peak is
        searched. Search only shifts that can occur: each further shift raises the
        number of false alarms.
    neighborhood : int, default=11
        Side in pixels of the square around the peak that is left out of the mean
        energy; it wraps around the borders. At most half of a side of the surface is
        left out.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        pce : ndarray of shape (...)
            Peak-to-correlation energy, with the sign of the peak.
        peak : ndarray of shape (...)
            Correlation at the peak, the largest one.
        shift : ndarray of shape (..., 2), int
            Shift (down, right) of the peak, each in -max_shift..max_shift.

    Notes
    -----
    ``sign(peak) peak^2 / mean(surface^2 outside the neighborhood)`` [1]_. For cameras
    60 is a usual threshold.

    References
    ----------
    .. [1] M. Goljan, J. Fridrich, T. Filler, "Large Scale Test of Sensor Fingerprint
       Camera Identification", SPIE, 2009. :doi:`10.1117/12.805701`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.correlation import (
    ...     correlation_surfaces, peak_to_correlation_energy)
    >>> rng = np.random.default_rng(0)
    >>> fingerprint, noise = rng.normal(size=(2, 1, 64, 64))
    >>> cropped = np.roll(fingerprint + 4 * noise, (-3, -5), axis=(1, 2))
    >>> surface = correlation_surfaces(cropped, fingerprint)[0, 0]
    >>> aligned = peak_to_correlation_energy(surface)
    >>> print(f"{aligned.pce:.1f} at {aligned.shift.tolist()}")
    -4.8 at [0, 0]
    >>> searched = peak_to_correlation_energy(surface, max_shift=8)
    >>> print(f"{searched.pce:.1f} at {searched.shift.tolist()}")
    218.0 at [3, 5]
    """
    check_int("neighborhood", neighborhood, 1)
    peak, shift = _find_peaks(surfaces, max_shift)
    height, width = surfaces.shape[-2:]
    flat = surfaces.reshape(-1, height, width)
    sides = [min(neighborhood, n // 2 // 2 * 2 + 1) for n in (height, width)]
    # The energy outside the square is that of the surface minus that of the square,
    # so that a mask of the whole surface is not needed.
    total = np.einsum("kij,kij->k", flat, flat, dtype=np.float64)
    down, right = (np.arange(-(side // 2), side // 2 + 1) for side in sides)
    places = shift.reshape(-1, 2, 1)
    rows, columns = (places[:, 0] + down) % height, (places[:, 1] + right) % width
    square = np.take_along_axis(flat, rows[:, :, None], axis=1)
    square = np.take_along_axis(square, columns[:, None], axis=2)
    inside = np.einsum("kij,kij->k", square, square, dtype=np.float64)
    count = height * width - sides[0] * sides[1]
    energy = np.maximum(total - inside, 0).reshape(peak.shape) / max(count, 1)
    squares = np.square(peak, dtype=np.float64)
    usable = energy > RESOLUTION * squares
    ratio = np.divide(squares, energy, out=np.zeros_like(energy), where=usable)
    return Bunch(pce=np.sign(peak) * ratio, peak=peak, shift=shift)


def false_alarm_probability(pce, n_shifts=1, *, log10=True):
    """Compute the probability that an image of another source reaches a PCE.

    The surface is modeled as white Gaussian noise. Real residuals are not white: the
    probability is a lower bound, and :class:`skfingerprint.FingerprintDetector` learns
    from data instead.

    Parameters
    ----------
    pce : array-like
        Peak-to-correlation energies with their signs, as returned by
        :func:`peak_to_correlation_energy`.
    n_shifts : int, default=1
        Number of shifts among which the peak was searched: `(2 * max_shift + 1) ** 2`,
        or `height * width` for "full".
    log10 : bool, default=True
        Return the decimal logarithm, which does not underflow.

    Returns
    -------
    probability : ndarray of the shape of `pce`
        Probabilities, or their decimal logarithms.

    Notes
    -----
    With the tail Q of the normal distribution, the probability is ``Q(sqrt(pce))`` for
    a known alignment, and ``1 - (1 - Q(sqrt(pce)))^m`` for the best of m shifts.

    Examples
    --------
    >>> from skfingerprint.correlation import false_alarm_probability
    >>> false_alarm_probability([0, 60, 10_000]).round(2)
    array([-3.00000e-01, -1.43200e+01, -2.17387e+03])
    >>> false_alarm_probability([60], n_shifts=17**2).round(2)
    array([-11.86])
    """
    check_int("n_shifts", n_shifts, 1)
    pce = np.asarray(pce, dtype=np.float64)
    single = special.log_ndtr(-np.sign(pce) * np.sqrt(np.abs(pce)))
    # log(1 - (1 - p)^m); for a tiny p, which exp would round to 0, it is log(m p).
    with np.errstate(divide="ignore"):
        several = np.log(-np.expm1(n_shifts * np.log1p(-np.exp(single))))
    natural = np.where(single < -30, single + np.log(n_shifts), several)
    return natural / np.log(10) if log10 else np.exp(natural)


def search_shifts(
    residuals, fingerprints, *, max_shift, statistic="correlation", n_jobs=None
):
    """Search the best score of each residual with each fingerprint over shifts.

    Residuals are read in batches: the memory holds the spectra of the fingerprints and
    the surfaces of a few residuals at a time.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, height, width[, n_channels])
        Residuals, in grey levels.
    fingerprints : ndarray of shape (n_classes, height, width[, n_channels])
        Fingerprints of the same size, in grey levels.
    max_shift : int or "full"
        Largest shift in pixels, as in :func:`peak_to_correlation_energy`.
    statistic : {"correlation", "pce"}, default="correlation"
        Score: the largest correlation, or its peak-to-correlation energy.
    n_jobs : int, default=None
        Number of threads for the Fourier transforms; -1 for all processors.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        scores : ndarray of shape (n_samples, n_classes)
            Correlations or PCEs.
        shifts : ndarray of shape (n_samples, n_classes, 2), int
            Shift (down, right) of each score.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.correlation import search_shifts
    >>> fingerprints = np.random.default_rng(0).normal(size=(2, 16, 16))
    >>> cropped = np.roll(fingerprints[:1], (-3, 2), axis=(1, 2))
    >>> result = search_shifts(cropped, fingerprints, max_shift=4)
    >>> result.scores[0, 0].round(3), result.shifts[0, 0].tolist()
    (np.float32(1.0), [3, -2])
    """
    size = fingerprints.shape[1:3]
    spectra = _unit_spectra(fingerprints, n_jobs)
    n_samples, n_classes = len(residuals), len(fingerprints)
    scores = np.empty((n_samples, n_classes), dtype=np.float32)
    shifts = np.empty((n_samples, n_classes, 2), dtype=np.intp)
    step = max(1, SURFACE_VALUES // (n_classes * size[0] * size[1]))
    for start in range(0, n_samples, step):
        part = slice(start, start + step)
        own = _unit_spectra(residuals[part], n_jobs)
        surfaces = _multiply_spectra(own, spectra, size, n_jobs)
        if statistic == "pce":
            result = peak_to_correlation_energy(surfaces, max_shift=max_shift)
            scores[part], shifts[part] = result.pce, result.shift
        else:
            scores[part], shifts[part] = _find_peaks(surfaces, max_shift)
    return Bunch(scores=scores, shifts=shifts)


def _unit_spectra(stack, n_jobs):
    """Compute half spectra of images at zero mean and unit norm, channels last."""
    images = stack.reshape(*stack.shape[:3], -1).astype(np.float32)
    axes = (1, 2, 3)
    energies = np.square(images).sum(axis=axes, keepdims=True, dtype=np.float64)
    images -= images.mean(axis=axes, keepdims=True, dtype=np.float64)
    squares = np.square(images).sum(axis=axes, keepdims=True, dtype=np.float64)
    varied = squares > RESOLUTION * energies
    scale = np.where(varied, 1 / np.sqrt(np.where(varied, squares, 1)), 0)
    images *= scale.astype(np.float32)
    return fft.rfft2(images, axes=(1, 2), workers=n_jobs)


def _multiply_spectra(residuals, fingerprints, size, n_jobs):
    """Compute the surfaces of all pairs from their spectra; channels are added up.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, height, n_frequencies, n_channels), complex
        Half spectra of residuals, with ``n_frequencies = width // 2 + 1``.
    fingerprints : ndarray of shape (n_classes, height, n_frequencies, n_channels), \
            complex
        Half spectra of fingerprints.
    size : tuple of int
        Height and width in pixels.
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    surfaces : ndarray of shape (n_samples, n_classes, height, width)
    """
    # By the correlation theorem sum_p R(p) F(p + s) has the spectrum conj(R^) F^.
    products = np.zeros((len(residuals), *fingerprints.shape[:3]), dtype=np.complex64)
    for channel in range(fingerprints.shape[3]):
        products += residuals[:, None, ..., channel].conj() * fingerprints[..., channel]
    return fft.irfft2(products, s=size, axes=(2, 3), workers=n_jobs)


def _find_peaks(surfaces, max_shift):
    """Find the largest value within the allowed shifts, and its shift.

    Parameters
    ----------
    surfaces : ndarray of shape (..., height, width)
        Correlation surfaces.
    max_shift : int or "full"
        Largest shift in pixels.

    Returns
    -------
    peak : ndarray of shape (...)
        Largest value of each surface.
    shift : ndarray of shape (..., 2), int
        Its shift (down, right).
    """
    height, width = surfaces.shape[-2:]
    rows, columns = (_allowed_shifts(n, max_shift) for n in (height, width))
    allowed = surfaces[..., rows % height, :][..., columns % width]
    flat = allowed.reshape(*allowed.shape[:-2], -1)
    best = flat.argmax(axis=-1)
    peak = np.take_along_axis(flat, best[..., None], axis=-1)[..., 0]
    shift = np.stack([rows[best // len(columns)], columns[best % len(columns)]], -1)
    return peak, shift


def _allowed_shifts(length, max_shift):
    """Return the shifts along an axis, the smallest first, each cyclic one once."""
    check_int("max_shift", max_shift, 0, also=("full",))
    max_shift = length if max_shift == "full" else max_shift
    low, high = max(-max_shift, -((length - 1) // 2)), min(max_shift, length // 2)
    # Small shifts come first, since argmax takes the first of equal values.
    return np.array(sorted(range(low, high + 1), key=abs))


def _moments(rows):
    """Compute the sum and the sum of squares of each row, in float64.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        Rows of any float dtype.

    Returns
    -------
    sums, energies : ndarray of shape (n_rows,)
        Sums, and sums of squares.
    """
    n_rows, n_columns = rows.shape
    sums, energies = np.zeros((2, n_rows))
    step = max(1, BLOCK_VALUES // n_columns)
    for start in range(0, n_rows, step):
        part = slice(start, start + step)
        for column in range(0, n_columns, BLOCK_VALUES):
            block = rows[part, column : column + BLOCK_VALUES].astype(np.float64)
            sums[part] += block.sum(axis=1)
            energies[part] += np.einsum("ij,ij->i", block, block)
    return sums, energies

"""Spectrum and autocorrelation of fingerprints and residuals.

Pure functions of an array (height, width) or (height, width, n_channels); channels are
treated one by one.
"""

import numpy as np
from scipy import fft
from sklearn.utils import Bunch


def power_spectrum(image):
    """Power spectrum, with frequency 0 in the middle.

    Parameters
    ----------
    image : ndarray of shape (height, width[, n_channels])
        Fingerprint or residual, in grey levels.

    Returns
    -------
    power : ndarray of the shape of `image`
        In grey levels squared: its mean is the mean square of the image (Parseval).
        Frequency 0 lies at `[height // 2, width // 2]`.

    Examples
    --------
    A pattern that repeats every 4 pixels has its power at 1/4 of the sampling rate:

    >>> import numpy as np
    >>> from skfingerprint.spectrum import power_spectrum
    >>> waves = np.tile(np.cos(np.pi / 2 * np.arange(16)), (16, 1))
    >>> np.argwhere(power_spectrum(waves) > 1).tolist()
    [[8, 4], [8, 12]]
    """
    image = _check_image(image)
    transformed = fft.fft2(image, axes=(0, 1))
    power = np.square(np.abs(transformed)) / (image.shape[0] * image.shape[1])
    return fft.fftshift(power, axes=(0, 1))


def autocorrelation(image):
    """Autocorrelation over all cyclic shifts, with shift 0 in the middle.

    Parameters
    ----------
    image : ndarray of shape (height, width[, n_channels])
        Fingerprint or residual, in grey levels.

    Returns
    -------
    correlations : ndarray of the shape of `image`
        In [-1, 1]; 1 at `[height // 2, width // 2]`, and 0 everywhere for a constant
        image.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.spectrum import autocorrelation
    >>> waves = np.tile(np.cos(np.pi / 2 * np.arange(16)), (16, 1))
    >>> autocorrelation(waves)[8, 8:13].round(6) + 0
    array([ 1.,  0., -1.,  0.,  1.])
    """
    image = _check_image(image)
    centred = image - image.mean(axis=(0, 1))
    power = np.square(np.abs(fft.rfft2(centred, axes=(0, 1))))
    products = fft.irfft2(power, s=image.shape[:2], axes=(0, 1))
    energy = np.square(centred).sum(axis=(0, 1))
    # A constant's variance is rounding: nothing correlates.
    varied = energy > 1e-12 * np.square(image).sum(axis=(0, 1))
    scaled = np.where(varied, products / np.where(varied, energy, 1), 0)
    return fft.fftshift(scaled, axes=(0, 1))


def radial_profile(power):
    """Mean of a spectrum over rings of equal frequency.

    Parameters
    ----------
    power : ndarray of shape (height, width[, n_channels])
        A spectrum with frequency 0 in the middle, as of :func:`power_spectrum`.

    Returns
    -------
    profile : :class:`~sklearn.utils.Bunch`
        frequency : ndarray of shape (n_rings,)
            Middle of each ring, in cycles per pixel, up to 0.5. The rings are as wide
            as a sample of the shorter side's spectrum.
        power : ndarray of shape (n_rings[, n_channels])
            Mean over each ring.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.spectrum import power_spectrum, radial_profile
    >>> waves = np.tile(np.cos(np.pi / 2 * np.arange(16)), (16, 1))
    >>> profile = radial_profile(power_spectrum(waves))
    >>> float(profile.frequency[profile.power.argmax()])
    0.25
    """
    power = _check_image(power)
    height, width = power.shape[:2]
    y = fft.fftshift(fft.fftfreq(height))[:, None]
    x = fft.fftshift(fft.fftfreq(width))
    step = 1 / min(height, width)
    rings = np.round(np.hypot(y, x) / step).astype(int)
    n_rings = min(height, width) // 2 + 1
    inside = rings < n_rings
    values = power[inside].reshape(inside.sum(), -1)
    sums = np.zeros((n_rings, values.shape[1]))
    np.add.at(sums, rings[inside], values)
    means = sums / np.bincount(rings[inside], minlength=n_rings)[:, None]
    return Bunch(
        frequency=step * np.arange(n_rings),
        power=means.reshape(n_rings, *power.shape[2:]),
    )


def _check_image(image):
    """Return a float array of two or three axes."""
    image = np.asarray(image)
    if image.ndim not in (2, 3):
        raise ValueError(
            "expected one image of shape (height, width) or (height, width, "
            f"n_channels), got shape {image.shape}."
        )
    return image.astype(np.float64)

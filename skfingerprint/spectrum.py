"""Spectrum and autocorrelation of fingerprints and residuals.

These are pure functions. :func:`welch_spectrum` takes stacks; the others take a single
array of shape (height, width) or (height, width, n_channels). Channels are treated one
by one.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, ndimage
from sklearn.utils import Bunch

# Values of blocks that are transformed together: so many that threads seldom wait for
# the interpreter.
BLOCK_VALUES = 2**18


def power_spectrum(image):
    """Compute the power spectrum, with frequency 0 in the middle.

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
    transformed = fft.fft2(image, axes=(0, 1), norm="ortho")
    return fft.fftshift(np.square(np.abs(transformed)), axes=(0, 1))


def autocorrelation(image):
    """Compute the autocorrelation over all cyclic shifts, with shift 0 in the middle.

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
    centered = image - image.mean(axis=(0, 1))
    # The power spectrum is the transform of the autocorrelation (Wiener-Khinchin).
    power = np.square(np.abs(fft.rfft2(centered, axes=(0, 1))))
    products = fft.irfft2(power, s=image.shape[:2], axes=(0, 1))
    energy = np.square(centered).sum(axis=(0, 1))
    # The variance of a constant image is a rounding error, and not to be divided by.
    varied = energy > 1e-12 * np.square(image).sum(axis=(0, 1))
    scaled = np.where(varied, products / np.where(varied, energy, 1), 0)
    return fft.fftshift(scaled, axes=(0, 1))


def radial_profile(power):
    """Average a spectrum over rings of equal frequency.

    Parameters
    ----------
    power : ndarray of shape (height, width[, n_channels])
        Spectrum with frequency 0 in the middle, as :func:`power_spectrum` returns it.

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
    numbers = np.arange(min(height, width) // 2 + 1)
    channels = power.reshape(height, width, -1).transpose(2, 0, 1)
    means = np.transpose([ndimage.mean(c, rings, numbers) for c in channels])
    shape = (len(numbers), *power.shape[2:])
    return Bunch(frequency=step * numbers, power=means.reshape(shape))


def welch_spectrum(images, *, block_size=32, stride=None):
    """Average the power spectra of windowed blocks of each image (Welch's method).

    The spectrum does not depend on the position of a pattern in the image. A crop or a
    shift changes it only by the pixels that enter and leave.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Residuals, in grey levels.
    block_size : int or None, default=32
        Side of the square blocks in pixels. In smaller images a block has the side of
        the image. None makes the whole image one block.
    stride : int, default=None
        Pixels from block to block; half of `block_size` by default. A last block ends
        at the border.

    Returns
    -------
    power : ndarray of shape (n_samples, block_height, block_width // 2 + 1[, \
            n_channels]), float32
        In grey levels squared: for white noise its mean is the variance of the noise.
        The frequency of row i is `fftfreq(block_height)[i]`, and the frequency of
        column j is `j / block_width`, in cycles per pixel.

    Notes
    -----
    The blocks have a Hann window along both axes. See P. D. Welch, "The use of fast
    Fourier transform for the estimation of power spectra", IEEE Transactions on Audio
    and Electroacoustics, 1967. :doi:`10.1109/TAU.1967.1161901`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.spectrum import welch_spectrum
    >>> waves = np.tile(np.cos(np.pi / 2 * np.arange(64)), (1, 64, 1))
    >>> power = welch_spectrum(waves, block_size=16)
    >>> power.shape, int(power[0, 0].argmax())
    ((1, 16, 9), 4)
    """
    planes = np.moveaxis(images.reshape(*images.shape[:3], -1), -1, 0)
    n_channels, n_samples, height, width = planes.shape
    sides = _block_sides((height, width), block_size)
    starts = [_block_starts(n, block_size, stride) for n in (height, width)]
    power = np.zeros((n_channels * n_samples, sides[0], sides[1] // 2 + 1), np.float32)
    _add_block_powers(planes.reshape(-1, height, width), *starts, sides, power)
    power /= np.float32(len(starts[0]) * len(starts[1]))
    power = power.reshape(n_channels, n_samples, *power.shape[1:])
    return np.moveaxis(power, 0, -1).reshape(
        n_samples, *power.shape[2:], *images.shape[3:]
    )


def _add_block_powers(planes, rows, columns, sides, power):
    """Add the power spectra of windowed blocks of planes to `power`.

    Parameters
    ----------
    planes : ndarray of shape (m, height, width)
        Grey levels.
    rows, columns : sequence of int
        First rows and columns of the blocks, rising.
    sides : tuple of int
        (height, width) of a block.
    power : ndarray of shape (m, sides[0], sides[1] // 2 + 1), float32
        Sums over the blocks, changed in place.
    """
    # With a window of unit energy, the mean power of white noise is its variance.
    window = np.outer(*(_hann(n) for n in sides))
    window = (window / np.sqrt(np.square(window).sum())).astype(np.float32)
    step = max(1, BLOCK_VALUES // (window.size * max(1, len(columns))))
    buffer = np.empty((step, len(columns), *sides), dtype=np.float32)
    for first in range(0, len(planes), step):
        group = sliding_window_view(planes[first : first + step], sides, axis=(1, 2))
        blocks, sums = buffer[: len(group)], np.float32(0)
        for top in rows:
            # One multiplication for all blocks of a row that are evenly spaced.
            for places, starts in _split_starts(columns):
                np.multiply(group[:, top, starts], window, out=blocks[:, places])
            # |z|^2 is the sum of the squares of two real numbers, which are side by
            # side in memory. They are added up last, after the sum over the blocks.
            parts = fft.rfft2(blocks).view(np.float32)
            sums = sums + np.square(parts, out=parts).sum(axis=1)
        sums = sums.reshape(len(group), *power.shape[1:], 2).sum(axis=-1)
        power[first : first + step] += sums


def _split_starts(starts):
    """Split rising starts into evenly spaced ones, and yield these as slices.

    Parameters
    ----------
    starts : sequence of int
        First rows or columns of blocks. Only the last one may be spaced differently.

    Yields
    ------
    places : slice
        Indices of evenly spaced starts in the sequence.
    pixels : slice
        These starts themselves.
    """
    n = len(starts)
    stride = starts[1] - starts[0] if n > 1 else 1
    if n > 2 and starts[-1] - starts[-2] != stride:
        n -= 1  # the last block ends at the border
        yield slice(n, n + 1), slice(starts[n], starts[n] + 1)
    yield slice(0, n), slice(starts[0], starts[n - 1] + 1, stride)


def _hann(n):
    """Compute the Hann window, or ones for a side that is too short for it."""
    from scipy.signal import windows

    return windows.hann(n, sym=False) if n > 2 else np.ones(n)


def _block_sides(size, block_size):
    """Return the (height, width) of a block in images of a size."""
    return tuple(min(block_size or n, n) for n in size)


def _block_starts(length, block_size, stride):
    """Return the starts of blocks along an axis; the last block ends at the border."""
    side = min(block_size or length, length)
    last = length - side
    return sorted({*range(0, last, stride or max(1, side // 2)), last})


def _check_image(image):
    """Check that an image has two or three axes, and return it in float64."""
    image = np.asarray(image)
    if image.ndim not in (2, 3):
        raise ValueError(
            "expected one image of shape (height, width) or (height, width, "
            f"n_channels), got shape {image.shape}."
        )
    return image.astype(np.float64)

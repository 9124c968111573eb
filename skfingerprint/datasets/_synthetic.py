"""Synthetic images with planted fingerprints."""

import numpy as np
from scipy import fft
from sklearn.utils import check_random_state

from skfingerprint._core import check_int, check_positive


def make_fingerprint_images(
    n_samples=100,
    n_classes=2,
    *,
    image_shape=(64, 64, 3),
    strength=1.0,
    return_fingerprints=False,
    random_state=None,
):
    """Make images with natural-looking content and one planted fingerprint per class.

    The content is 1/f noise, whose spectrum resembles that of photographs; it is drawn
    for each image. The fingerprint is quasi-periodic, like that of an up-sampling
    network: a few waves with periods between 2 and 8 pixels, added to a pattern that
    does not repeat.

    Parameters
    ----------
    n_samples : int, default=100
        Number of images, spread as evenly as possible over the classes.
    n_classes : int, default=2
        Number of sources.
    image_shape : tuple of int, default=(64, 64, 3)
        (height, width) or (height, width, n_channels).
    strength : float, default=1.0
        Standard deviation of the fingerprint, in grey levels.
    return_fingerprints : bool, default=False
        Whether to return the planted fingerprints as well.
    random_state : int, RandomState instance or None, default=None
        Seed for content, fingerprints and order.

    Returns
    -------
    images : ndarray of shape (n_samples, height, width[, n_channels]), uint8
        Grey levels 0..255.
    y : ndarray of shape (n_samples,)
        Classes from 0 to n_classes - 1.
    fingerprints : ndarray of shape (n_classes, height, width[, n_channels]), float32
        Planted fingerprints, in grey levels. Only if `return_fingerprints` is True.

    Examples
    --------
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(6, 3, image_shape=(32, 48), random_state=0)
    >>> images.shape, images.dtype, y
    ((6, 32, 48), dtype('uint8'), array([2, 1, 0, 1, 2, 0]))
    """
    check_int("n_samples", n_samples, 1)
    check_int("n_classes", n_classes, 1)
    check_positive("strength", strength, or_zero=True, unit=", in grey levels")
    if len(image_shape) not in (2, 3) or min(image_shape) < 1:
        raise ValueError(
            "image_shape must be (height, width) or (height, width, n_channels), got "
            f"{image_shape}."
        )
    rng = check_random_state(random_state)
    fingerprints = np.stack([_draw_waves(image_shape, rng) for _ in range(n_classes)])
    fingerprints = (strength * fingerprints).astype(np.float32)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    images = np.empty((n_samples, *image_shape), dtype=np.uint8)
    for image, label in zip(images, y, strict=True):
        grey = _draw_content(image_shape, rng) + fingerprints[label]
        image[...] = np.clip(np.round(grey), 0, 255)
    return (images, y, fingerprints) if return_fingerprints else (images, y)


def _draw_content(image_shape, rng):
    """Draw 1/f noise with mean 128 and standard deviation 40, in grey levels."""
    height, width = image_shape[:2]
    y, x = fft.fftfreq(height)[:, None], fft.rfftfreq(width)
    # The bound only avoids a division by 0: the constant is subtracted below.
    distance = np.maximum(np.hypot(y, x), 1 / max(height, width))
    planes = []
    for _ in range(1 if len(image_shape) == 2 else 1 + image_shape[2]):
        spectrum = fft.rfft2(rng.normal(size=(height, width))) / distance
        plane = fft.irfft2(spectrum, s=(height, width))
        planes.append((plane - plane.mean()) / max(plane.std(), 1e-9))
    if len(image_shape) == 2:
        return 128 + 40 * planes[0]
    # The first plane is the brightness, common to all channels. The squares of the two
    # factors sum to 1, which keeps the variance; channels correlate by 0.9^2 = 0.81.
    colors = np.moveaxis(np.array(planes[1:]), 0, -1)
    return 128 + 40 * (0.9 * planes[0][..., None] + 0.4359 * colors)


def _draw_waves(image_shape, rng, n_waves=4):
    """Draw a quasi-periodic pattern with mean 0 and standard deviation 1.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width) or (height, width, n_channels).
    rng : RandomState instance
        Source of the random numbers.
    n_waves : int, default=4
        Number of plane waves.

    Returns
    -------
    pattern : ndarray of shape `image_shape`
        Pattern without unit.
    """
    y, x, *channel = np.indices(image_shape)
    pattern = 0.5 * rng.normal(size=image_shape)
    for period_y, period_x in rng.uniform(2, 8, size=(n_waves, 2)):
        # The waves are shifted by one radian from channel to channel.
        phase = rng.uniform(0, 2 * np.pi) + (channel[0] if channel else 0)
        pattern += np.cos(2 * np.pi * (y / period_y + x / period_x) + phase)
    return (pattern - pattern.mean()) / max(pattern.std(), 1e-9)

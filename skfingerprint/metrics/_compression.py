"""Traces of JPEG compression in images."""

import numpy as np

from skfingerprint._core import (
    as_images,
    block_sizes,
    check_grey_levels,
    check_values,
    read_images,
)
from skfingerprint._history import score_history


def jpeg_history(images):
    """Score how clearly the pixels of images show an earlier JPEG compression.

    JPEG sets most high frequencies of its blocks of 8x8 pixels to zero, and they stay
    near zero after decoding, if blocks are cut where JPEG cut them. An image that never
    was a JPEG file has as many near zero wherever its blocks begin. The score compares
    the best of the 64 possible grids with the others, so that it also recognizes images
    that were cropped after decoding. Resizing, blur and noise remove the trace.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width[, n_channels]) or list
        Images in grey levels 0..255, grey or RGB; they may differ in size, and may be
        a dask array, of which one block at a time is computed.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Scores, >= 0. Values above 6 are rare without an earlier compression; see the
        Notes. NaN for images with a side below 32 pixels, which have too few blocks.

    Raises
    ------
    ValueError
        If the images are not grey or RGB images in grey levels 0..255.

    Notes
    -----
    For each grid the share p of near-zero coefficients (magnitude below 0.6 grey
    levels) is counted among those of the orthonormal discrete cosine transform of luma
    with frequencies ``u + v >= 5``. With the median m of p over the grids, the score is
    ``(max p - m) / (median |p - m| + 0.003)``. Zeros are counted on each grid in [1]_,
    too, where a statistical test takes the place of the spread over the grids.

    Only the central 128x128 pixels are used, so that scores of large images can be
    compared and cost the same. The page :ref:`evaluation` has the error rates.

    References
    ----------
    .. [1] T. Nikoukhah, J. Anger, M. Colom, J.-M. Morel, R. Grompone von Gioi, "ZERO: a
       Local JPEG Grid Origin Detector Based on the Number of DCT Zeros and its
       Applications in Image Forensics", Image Processing On Line, 2021.
       :doi:`10.5201/ipol.2021.390`

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.metrics import jpeg_history
    >>> from skfingerprint.perturbation import JPEGCompression
    >>> images = load_generators().images[::40]
    >>> print(f"{jpeg_history(images).max():.1f}")
    3.6
    >>> compressed = JPEGCompression(quality=85).fit_transform(images)
    >>> print(f"{jpeg_history(compressed).min():.1f}")
    7.8
    """
    X, scores, start = as_images(images), [], 0
    if getattr(X, "ndim", 4) not in (3, 4):
        raise ValueError(
            "images must have shape (n_samples, height, width[, n_channels]), got "
            f"{X.shape}; a single image is images[np.newaxis]."
        )
    for k, size in enumerate(block_sizes(X)):
        block = read_images(X, k, slice(start, start + size))
        for number, image in enumerate(block, start):
            _check_image(image, number)
            scores.append(score_history(image))
        start += size
    return np.array(scores)


def _check_image(image, number):
    """Raise ValueError for anything but a grey or RGB image in grey levels 0..255."""
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            f"image {number} must be grey or RGB, shape (height, width) or (height, "
            f"width, 3), got {image.shape}."
        )
    check_values(image[np.newaxis], number)
    check_grey_levels(image[np.newaxis], "images", [number])

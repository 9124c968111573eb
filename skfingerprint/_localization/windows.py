"""Windows of images: their positions, their scores, and maps of the scores."""

import zlib

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter1d
from sklearn.utils import Bunch

from skfingerprint.spectrum import _block_starts

# Values of windows that are cut out and scored at a time.
GROUP_VALUES = 2**23
# Rows of an image that are read at a time for its seed.
ROWS = 512


def find_grid(size, window, stride):
    """Return where windows lie in images of a size.

    Parameters
    ----------
    size : tuple of int
        (height, width) of the images.
    window, stride : int
        Side of the windows, at most that of the image, and the step between them.

    Returns
    -------
    grid : Bunch
        `size`; `sides`, (height, width) of a window; `tops` and `lefts`, rising lists
        of where windows start. The last ones end at the border.
    """
    return Bunch(
        size=tuple(size),
        sides=tuple(min(window, n) for n in size),
        tops=_block_starts(size[0], window, stride),
        lefts=_block_starts(size[1], window, stride),
    )


def draw_windows(image, sides, n_windows):
    """Return different windows of an image, at most so many, drawn by its content.

    Neither its dtype, nor the other images, nor their order change what is drawn.

    Parameters
    ----------
    image : ndarray of shape (height, width[, n_channels])
        In grey levels.
    sides : tuple of int
        (height, width) of a window.
    n_windows : int
        All windows are taken if there are fewer.

    Returns
    -------
    windows : ndarray of shape (n_drawn, *sides[, n_channels])
    """
    windows = _view_windows(image[np.newaxis], sides)[0]
    n_rows, n_columns = windows.shape[:2]
    rng, n_places = np.random.default_rng(_find_seed(image)), n_rows * n_columns
    drawn = np.arange(n_places)
    if n_places > n_windows:
        drawn = np.sort(rng.choice(n_places, n_windows, replace=False))
    return windows[drawn // n_columns, drawn % n_columns]


def score_windows(images, grid, score):
    """Score the windows of images of one size, some at a time.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        In grey levels.
    grid : Bunch
        Of :func:`find_grid`.
    score : callable
        From windows (n, *sides[, n_channels]) to scores (n, n_scores).

    Returns
    -------
    scores : ndarray of shape (n_samples, n_rows, n_columns, n_scores)
    """
    shape = len(images), len(grid.tops), len(grid.lefts)
    windows = _view_windows(images, grid.sides)
    step = max(1, GROUP_VALUES // np.prod(windows.shape[3:], dtype=int))
    total, parts = np.prod(shape), []
    for first in range(0, total, step):
        places = np.arange(first, min(first + step, total))
        image, row, column = np.unravel_index(places, shape)
        tops, lefts = np.take(grid.tops, row), np.take(grid.lefts, column)
        parts.append(score(windows[image, tops, lefts]))
    return np.concatenate(parts).reshape(*shape, -1)


def scores_to_pixels(scores, grid):
    """Average scores over the windows around a pixel, which overlap.

    They are smoothed by a Gaussian of the spread of a window, and interpolated
    bilinearly between the centers of windows.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns[, n_scores]), float
        Of the windows of one image.
    grid : Bunch
        Of :func:`find_grid`.

    Returns
    -------
    score_map : ndarray of shape (height, width[, n_scores])
        Beyond the outermost centers the scores of these go on.
    """
    for axis, starts in enumerate((grid.tops, grid.lefts)):
        if len(starts) > 1:
            spread = grid.sides[axis] / np.sqrt(12) / (starts[1] - starts[0])
            scores = gaussian_filter1d(scores, spread, axis=axis, mode="nearest")
    for axis, starts in enumerate((grid.tops, grid.lefts)):
        scores = _interpolate(scores, starts, grid.sides[axis], grid.size[axis], axis)
    return scores


def _interpolate(scores, starts, side, length, axis):
    """Interpolate scores along an axis between the centers of windows."""
    centers = np.add(starts, (side - 1) / 2)
    at = np.interp(np.arange(length), centers, np.arange(len(starts)))
    before = at.astype(int)
    after = np.minimum(before + 1, len(starts) - 1)
    share = np.expand_dims(at - before, tuple(range(1, scores.ndim - axis)))
    low, high = (np.take(scores, k, axis=axis) for k in (before, after))
    high -= low
    high *= share.astype(scores.dtype)
    return np.add(low, high, out=high)


def _view_windows(images, sides):
    """Return all windows as a view: (n, tops, lefts, *sides[, n_channels])."""
    view = sliding_window_view(images, sides, axis=(1, 2))
    return np.moveaxis(view, 3, -1) if images.ndim == 4 else view


def _find_seed(image):
    """Return a number that depends on the values of an image alone."""
    seed = 0
    for first in range(0, len(image), ROWS):
        seed = zlib.crc32(image[first : first + ROWS].astype("<f4", order="C"), seed)
    return seed

"""Windows of images: their positions, their scores, and maps of the scores."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter1d

from skfingerprint._core import track
from skfingerprint.spectrum import _block_starts

# Values of windows that are copied and scored at a time: 64 MiB in float64.
GROUP_VALUES = 2**23
# Rows of an image that are read at a time for its seed, as a bound of the memory.
ROWS = 512


@dataclass(frozen=True)
class Grid:
    """Positions of windows in images of one size.

    Attributes
    ----------
    size : tuple of int
        (height, width) of the images in pixels.
    sides : tuple of int
        (height, width) of a window in pixels.
    tops, lefts : list of int
        First row and first column of the windows, rising. The last windows end at the
        border.
    """

    size: tuple
    sides: tuple
    tops: list
    lefts: list


def find_grid(size, window_size, stride):
    """Compute the positions of windows in images of one size.

    Parameters
    ----------
    size : tuple of int
        (height, width) of the images in pixels.
    window_size, stride : int
        Side of the windows, and the step between them. A window is cut to the image.

    Returns
    -------
    grid : Grid
    """
    return Grid(
        size=tuple(size),
        sides=tuple(min(window_size, n) for n in size),
        tops=_block_starts(size[0], window_size, stride),
        lefts=_block_starts(size[1], window_size, stride),
    )


def draw_windows(image, sides, n_windows):
    """Draw different windows of an image, by a seed that its content determines.

    Neither the dtype of the image, nor the other images, nor their order change the
    windows that are drawn.

    Parameters
    ----------
    image : ndarray of shape (height, width[, n_channels])
        Image in grey levels.
    sides : tuple of int
        (height, width) of a window.
    n_windows : int
        Largest number of windows. All windows are returned if there are fewer.

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


def score_windows(images, grid, score, verbose=False):
    """Score the windows of images of one size, some at a time.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.
    grid : Grid
        Positions of the windows.
    score : callable
        Computes scores (n, n_scores) of windows (n, *sides[, n_channels]).
    verbose : bool or int, default=False
        Whether to report how many groups of windows are done, if there are several.

    Returns
    -------
    scores : ndarray of shape (n_samples, n_rows, n_columns, n_scores)
    """
    shape = len(images), len(grid.tops), len(grid.lefts)
    windows = _view_windows(images, grid.sides)
    # Overlapping windows hold more values than the images. Only the windows of one step
    # are copied from the view, so that the memory does not grow with the images.
    step = max(1, GROUP_VALUES // np.prod(windows.shape[3:], dtype=int))
    total, parts = np.prod(shape), []
    groups = range(0, total, step)
    # Small images are a single group each, and would all print a line.
    for first in track(groups, "groups of windows", verbose and len(groups) > 1):
        places = np.arange(first, min(first + step, total))
        image, row, column = np.unravel_index(places, shape)
        tops, lefts = np.take(grid.tops, row), np.take(grid.lefts, column)
        parts.append(score(windows[image, tops, lefts]))
    return np.concatenate(parts).reshape(*shape, -1)


def scores_to_pixels(scores, grid):
    """Average the scores of the windows around each pixel.

    Scores are smoothed by a Gaussian of the spread of a window, and interpolated
    bilinearly between the centers of windows.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns[, n_scores]), float
        Scores of the windows of one image.
    grid : Grid
        Positions of the windows.

    Returns
    -------
    score_map : ndarray of shape (height, width[, n_scores])
        Pixels beyond the outermost centers have the scores of these centers.
    """
    for axis, starts in enumerate((grid.tops, grid.lefts)):
        if len(starts) > 1:
            # Positions spread evenly over a side w have the variance w^2 / 12. The
            # Gaussian has this spread, in steps between windows.
            spread = grid.sides[axis] / np.sqrt(12) / (starts[1] - starts[0])
            scores = gaussian_filter1d(scores, spread, axis=axis, mode="nearest")
    for axis, starts in enumerate((grid.tops, grid.lefts)):
        scores = _interpolate(scores, starts, grid.sides[axis], grid.size[axis], axis)
    return scores


def _interpolate(scores, starts, side, length, axis):
    """Interpolate scores along an axis between the centers of windows.

    Parameters
    ----------
    scores : ndarray
        Scores, with an entry for each start along the axis.
    starts : list of int
        First pixels of the windows along the axis, rising.
    side, length : int
        Side of a window and of the image along the axis, in pixels.
    axis : int
        The axis.

    Returns
    -------
    scores : ndarray
        Scores, with an entry for each pixel along the axis.
    """
    centers = np.add(starts, (side - 1) / 2)
    # Fractional indices of windows; `interp` is constant beyond the outermost centers.
    at = np.interp(np.arange(length), centers, np.arange(len(starts)))
    before = at.astype(int)
    after = np.minimum(before + 1, len(starts) - 1)
    share = np.expand_dims(at - before, tuple(range(1, scores.ndim - axis)))
    low, high = (np.take(scores, k, axis=axis) for k in (before, after))
    # low + share (high - low) in place: maps are the largest arrays here.
    high -= low
    high *= share.astype(scores.dtype)
    return np.add(low, high, out=high)


def _view_windows(images, sides):
    """View all windows, (n, n_tops, n_lefts, *sides[, n_channels]), without a copy."""
    view = sliding_window_view(images, sides, axis=(1, 2))
    return np.moveaxis(view, 3, -1) if images.ndim == 4 else view


def _find_seed(image):
    """Compute a seed that depends on the values of an image alone."""
    seed = 0
    for first in range(0, len(image), ROWS):
        # One dtype and one order of bytes and pixels, so that equal values have equal
        # checksums on all machines.
        seed = zlib.crc32(image[first : first + ROWS].astype("<f4", order="C"), seed)
    return seed

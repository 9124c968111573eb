"""Resampling, filters and convolutions of planes (n_channels, height, width)."""

import functools
import itertools

import numpy as np

BLOCK = 32
SEGMENT = 128
LONGEST_KEPT = 512
COLUMN_VALUES = 2**16


def convolve_planes(x, kernel, stride=1):
    """Convolve planes, mirrored at the border, by matrix products of a few rows.

    Parameters
    ----------
    x : ndarray of shape (n_in, height, width)
        Planes.
    kernel : ndarray of shape (n_out, n_in, size, size)
        Weights.
    stride : int, default=1
        Distance of the results in both directions.

    Returns
    -------
    convolved : ndarray of shape (n_out, ceil(height / stride), ceil(width / stride))
    """
    n_out, _, size, _ = kernel.shape
    border = size // 2, size - 1 - size // 2
    x = np.pad(x, ((0, 0), border, border), "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    windows = windows[:, ::stride, ::stride].transpose(1, 0, 3, 4, 2)
    height, width, kernel = len(windows), windows.shape[-1], kernel.reshape(n_out, -1)
    n_rows = max(COLUMN_VALUES // (kernel.shape[1] * SEGMENT), 1)
    convolved = np.empty((n_out, height, width), np.float32)
    for i, j in itertools.product(range(0, height, n_rows), range(0, width, SEGMENT)):
        columns = windows[i : i + n_rows, ..., j : j + SEGMENT]
        columns = columns.reshape(len(columns), kernel.shape[1], -1)
        part = convolved[:, i : i + n_rows, j : j + SEGMENT]
        part[:] = (kernel @ columns).swapaxes(0, 1)
    return convolved


def interleave_channels(x, factor):
    """Make sub-pixels of channels (n * factor**2, height, width)."""
    if factor == 1:
        return x
    n, height, width = len(x) // factor**2, *x.shape[1:]
    x = x.reshape(n, factor, factor, height, width).transpose(0, 3, 1, 4, 2)
    return x.reshape(n, height * factor, width * factor)


def crop_planes(x, like):
    """Cut planes at the bottom and the right to the size of other planes."""
    return x[:, : like.shape[1], : like.shape[2]]


def blur_planes(x, std):
    """Blur planes with a Gaussian kernel."""
    if not std:
        return x
    return resample_planes(x, x.shape[1:], 1, "gaussian", float(std))


def average_planes(x, size):
    """Average planes over squares."""
    return resample_planes(x, x.shape[1:], 1, "box", size)


def resample_planes(x, sizes, step, name, stretch=None):
    """Filter and resample planes, rows and columns one after the other.

    Parameters
    ----------
    x : ndarray of shape (n_channels, height, width)
        Planes.
    sizes : sequence of int
        New height and width.
    step : float or None
        Distance of the results in pixels; by default the ratio of the sizes.
    name : str
        Filter.
    stretch : float, default=None
        Factor of the filter's distances; by default `step`, if it is above 1.

    Returns
    -------
    resampled : ndarray of shape (n_channels, *sizes)
    """
    columns, rows = (
        _find_bands(n_in, n_out, step or n_in / n_out, name, stretch)
        for n_in, n_out in zip(x.shape[1:], sizes, strict=True)
    )
    x = np.concatenate([band @ x[:, part] for part, band in columns], axis=1)
    return np.concatenate([x[:, :, part] @ band.T for part, band in rows], axis=2)


def _find_bands(n_in, n_out, *params):
    """Return the matrix of a filter, which is kept for small images only."""
    is_small = max(n_in, n_out) <= LONGEST_KEPT
    make = _make_bands if is_small else _make_bands.__wrapped__
    return make(n_in, n_out, *params)


@functools.lru_cache(maxsize=512)
def _make_bands(n_in, n_out, step, name, stretch):
    """Return the matrix (n_out, n_in) of a filter, as parts of n_in and few rows."""
    stretch, bands = stretch or max(step, 1), []
    reach = stretch * FILTERS[name][1]
    for start in range(0, n_out, BLOCK):
        centers = (np.arange(start, min(start + BLOCK, n_out)) + 0.5) * step
        centers = centers[:, np.newaxis]
        part = slice(
            max(int(centers[0, 0] - reach), 0),
            min(int(np.ceil(centers[-1, 0] + reach)), n_in),
        )
        places = np.arange(part.start, part.stop) + 0.5
        rows = evaluate_filter(name, (places - centers) / stretch)
        rows /= rows.sum(axis=1, keepdims=True)
        bands.append((part, rows.astype(np.float32)))
    return tuple(bands)


def evaluate_filter(name, distances):
    """Return the weights of a filter at distances in its own unit."""
    function, reach = FILTERS[name]
    inside = (distances > -reach) & (distances <= reach)
    return np.where(inside, function(np.abs(distances)), 0)


def _bicubic(x):
    near = (1.5 * x - 2.5) * x * x + 1
    return np.where(x < 1, near, ((-0.5 * x + 2.5) * x - 4) * x + 2)


FILTERS = {
    "box": (np.ones_like, 0.5),
    "triangle": (lambda x: 1 - x, 1),
    "hamming": (lambda x: np.sinc(x) * (0.54 + 0.46 * np.cos(np.pi * x)), 1),
    "bicubic": (_bicubic, 2),
    "lanczos": (lambda x: np.sinc(x) * np.sinc(x / 3), 3),
    "gaussian": (lambda x: np.exp(-0.5 * x * x), 4),
}


def filter_median(x):
    """Return the median of 3 x 3 pixels: of the sorted columns' extremes and medians.

    It is the median of the greatest minimum, the median of the medians and the least
    maximum of the three columns.
    """
    x = np.pad(x, ((0, 0), (1, 1), (1, 1)), "edge")
    low, middle, high = _sort_three(*(x[:, i : x.shape[1] - 2 + i] for i in range(3)))

    def shift(x):
        return (x[:, :, i : x.shape[2] - 2 + i] for i in range(3))

    return _sort_three(
        _sort_three(*shift(low))[2],
        _sort_three(*shift(middle))[1],
        _sort_three(*shift(high))[0],
    )[1]


def _sort_three(a, b, c):
    a, b = np.minimum(a, b), np.maximum(a, b)
    b, c = np.minimum(b, c), np.maximum(b, c)
    return np.minimum(a, b), np.maximum(a, b), c

"""Axes to plot into, and palettes; matplotlib is imported only to make axes."""

import numpy as np

from skfingerprint._core import needs_extra

# The palette of Okabe and Ito, whose colors color-blind readers can distinguish.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", ":", "-.")
MARKERS = "os^vDP*X"  # one more than colors: the pairs repeat after 56
# A legend beside the axes does not cover a curve.
BESIDE = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "fontsize": "small"}


def style(i):
    """Return color, line style and marker of the i-th curve."""
    looks = {"color": COLORS, "linestyle": LINES, "marker": MARKERS}
    return {name: values[i % len(values)] for name, values in looks.items()}


def make_axes(ax, *, size=None):
    """Return the given axes with their figure, or make new ones.

    Parameters
    ----------
    ax : Axes or None
        Axes to plot into; None for new ones.
    size : float, default=None
        Height of a new figure in inches; by default that of matplotlib.

    Returns
    -------
    figure : Figure
    ax : Axes
    """
    if ax is not None:
        return ax.figure, ax
    figsize = None if size is None else (1.15 * size, size)
    return _make_subplots(1, 1, figsize=figsize)


def make_picture_axes(ax, n, n_columns):
    """Return the given axes as a flat array with their figure, or make new ones.

    Parameters
    ----------
    ax : array-like of Axes or None
        Axes to plot into; None for new ones.
    n : int
        Number of pictures.
    n_columns : int
        Number of pictures beside each other in a new figure.

    Returns
    -------
    figure : Figure
    axes : ndarray of Axes of shape (n,)
    """
    if ax is not None:
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != n:
            raise ValueError(f"ax must hold {n} axes, one a picture, got {len(axes)}.")
        return axes[0].figure, axes
    n_columns = min(n, n_columns)
    n_rows = -(-n // n_columns)
    size = (3.5 * n_columns, 3.2 * n_rows)
    figure, axes = _make_subplots(n_rows, n_columns, figsize=size, squeeze=False)
    for unused in axes.flat[n:]:
        unused.remove()
    return figure, axes.ravel()[:n]


def _make_subplots(n_rows, n_columns, **options):
    with needs_extra("plot", "Displays need matplotlib"):
        import matplotlib.pyplot as plt
    return plt.subplots(n_rows, n_columns, layout="constrained", **options)

"""Color planes of images, read a few images, or a tile of a large one, at a time."""

import math
from dataclasses import dataclass

import numpy as np

# Values of images that are worked on together: few calls, so that threads seldom wait
# for the interpreter.
GROUP_VALUES = 2**21
# Pixels that are converted to luma and chroma together.
CHUNK = 2**15
# Images of more pixels than TILED are read in tiles: square cores, and a margin for the
# filters around each. Core and margin are multiples of 16 pixels, the grid of the
# coarsest of four wavelet levels, so that a tile has the coefficients of the whole
# image. Runs that start in a core end less than REACH pixels behind it.
TILED = 2**21
CORE = 896
MARGIN = 192
REACH = 64
# ITU-R BT.601: luma, blue and red difference, of red, green and blue.
LUMA = (0.299, 0.587, 0.114)
BLUE_DIFFERENCE = (-0.168736, -0.331264, 0.5)
RED_DIFFERENCE = (0.5, -0.418688, -0.081312)
LUMA_CHROMA = np.array([LUMA, BLUE_DIFFERENCE, RED_DIFFERENCE], dtype=np.float32)


@dataclass(frozen=True)
class Tile:
    """Part of an image that is read at once.

    Blocks and runs belong to the tile in whose core they start.

    Attributes
    ----------
    size : tuple of int
        (height, width) of the whole image, in pixels.
    cores : tuple of tuple of int
        Rows and columns of the core in the image, each as (start, stop).
    rows : slice
        Rows of the image that are read: the core and its margin.
    columns : slice
        Columns of the image that are read.
    """

    size: tuple
    cores: tuple
    rows: slice
    columns: slice


def sum_tiles(images, collect, *, margin=0, reach=REACH, tiled=True):
    """Add up arrays that are collected from the tiles of images.

    A few images are read at a time.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Grey levels.
    collect : callable
        `collect(planes, tile)` gets planes of shape (n_channels, n, height, width),
        float32, which it may change, and their :class:`Tile`. It returns a list of
        arrays of shape (n, ...).
    margin : int, default=0
        Pixels around a core that filters reach.
    reach : int, default=64
        Pixels below and to the right of a core that are read as well, in front of the
        margin: the side of the blocks that start in the core, if it is larger.
    tiled : bool, default=True
        Whether large images are read in tiles.

    Returns
    -------
    sums : list of ndarray of shape (n_samples, ...)
        Sums over the tiles of each image.
    """
    n_values = max(1, math.prod(images.shape[1:]))
    size = images.shape[1:3]
    core = CORE if tiled and math.prod(size) > TILED else max(1, *size)
    tiles = _split_tiles(size, core, margin, max(reach, REACH))
    step, found = max(1, GROUP_VALUES // n_values), []
    for first in range(0, len(images), step):
        group, sums = images[first : first + step], None
        for tile in tiles:
            part = group[:, tile.rows, tile.columns]
            part = part.reshape(*part.shape[:3], -1)
            planes = np.moveaxis(part, -1, 0).astype(np.float32, order="C")
            parts = collect(planes, tile)
            sums = parts if sums is None else list(map(np.add, sums, parts))
        found.append(sums)
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _split_tiles(size, core, margin, reach):
    """Split images of a size into tiles.

    Parameters
    ----------
    size : tuple of int
        (height, width) of the images.
    core : int
        Side of the cores in pixels.
    margin, reach : int
        As in :func:`sum_tiles`.

    Returns
    -------
    tiles : list of Tile
        The cores cover the image without overlap.
    """
    cores = [[(i, min(i + core, n)) for i in range(0, n, core)] for n in size]
    return [
        Tile(
            size=size,
            cores=(rows, columns),
            rows=_extend(rows, margin, reach + margin),
            columns=_extend(columns, margin, reach + margin),
        )
        for rows in cores[0]
        for columns in cores[1]
    ]


def _extend(core, before, after):
    """Return the slice of a core and its margins, which starts at 0 or later."""
    return slice(max(core[0] - before, 0), core[1] + after)


def to_luma_chroma(planes):
    """Change color planes to luma and chroma in place; grey ones stay as they are."""
    if len(planes) == 3:
        flat = planes.reshape(3, -1)
        for first in range(0, flat.shape[1], CHUNK):
            part = flat[:, first : first + CHUNK]
            part[:] = LUMA_CHROMA @ part

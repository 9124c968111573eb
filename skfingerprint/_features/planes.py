"""Color planes of images, read a few images or a tile of a large one at a time."""

import math

import numpy as np
from sklearn.utils import Bunch

# Values of images, and of their planes, that are worked on together: few calls, so that
# threads seldom wait for the interpreter.
GROUP_VALUES = 2**21
CHUNK = 2**15
# Images of more pixels are read in tiles: a core, and around it what filters reach. The
# margin is that of the wavelets, on the grid of their coarsest level.
TILED = 2**21
CORE = 896
MARGIN = 224
REACH = 64
# ITU-R BT.601: luma, blue and red difference, of red, green and blue.
LUMA = (0.299, 0.587, 0.114)
BLUE_DIFFERENCE = (-0.168736, -0.331264, 0.5)
RED_DIFFERENCE = (0.5, -0.418688, -0.081312)
LUMA_CHROMA = np.array([LUMA, BLUE_DIFFERENCE, RED_DIFFERENCE], dtype=np.float32)


def _collect(images, collect, *, margin=0, tiled=True):
    """Add up what is collected from the tiles of images, a few images at a time.

    `collect` gets planes (n_channels, n, height, width), which it may change, and their
    tile, and returns a list of arrays (n, ...).
    """
    n_values = max(1, math.prod(images.shape[1:]))
    size = images.shape[1:3]
    tiles = _find_tiles(size, margin if tiled and math.prod(size) > TILED else None)
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


def _find_tiles(size, margin):
    """Return the parts in which images of a size are read; one if margin is None.

    What starts in the core of a tile is counted there; around it is what that needs.
    """
    if margin is None:
        cores = [[(0, n)] for n in size]
    else:
        cores = [[(i, min(i + CORE, n)) for i in range(0, n, CORE)] for n in size]
    reach = max(margin or 0, REACH)
    return [
        Bunch(
            size=size,
            cores=(rows, columns),
            rows=_around(rows, margin or 0, reach),
            columns=_around(columns, margin or 0, reach),
        )
        for rows in cores[0]
        for columns in cores[1]
    ]


def _around(core, before, after):
    return slice(max(core[0] - before, 0), core[1] + after)


def _to_luma_chroma(planes):
    """Change color planes to luma and chroma in place; grey ones stay as they are."""
    if len(planes) == 3:
        flat = planes.reshape(3, -1)
        for first in range(0, flat.shape[1], CHUNK):
            part = flat[:, first : first + CHUNK]
            part[:] = LUMA_CHROMA @ part

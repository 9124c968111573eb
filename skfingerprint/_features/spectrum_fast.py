"""Add up power spectra of blocks of 32 x 32 pixels, compiled by numba.

The same function as `_add_block_powers` in `spectrum.py`, for blocks of this size.

Two real blocks a and b are transformed as one complex block z = a + i b. Transforms of
real blocks are conjugate symmetric, so that in the sum over f and -f the mixed terms
cancel: ``|Z(f)|^2 + |Z(-f)|^2 = 2 (|A(f)|^2 + |B(f)|^2)``. That is all a sum of powers
needs, and a and b are never separated.

Columns are transformed first. A vector instruction works on neighboring columns, which
are neighbors in memory, and blocks that overlap horizontally share transformed columns.
These are transposed, so that the rows are transformed at 32 vertical frequencies at
once. Each plane is computed by itself: its powers do not depend on the batch.

A complex block is a flat array: the real parts of its 32 points, each with one value
for each of 32 lanes, then the imaginary parts. Indices are unsigned, as numba would
test signed ones for negative values, and distances are constants: then LLVM knows that
the values do not overlap, and makes vector instructions of the loops over lanes.
"""

import numpy as np
from numba import njit

from skfingerprint._core import is_caching
from skfingerprint.spectrum import _hann

SIDE, LANES = 32, 32
AREA = SIDE * LANES
HALF_SIDE = SIDE // 2 + 1
# Columns of a run: blocks side by side, whose transformed columns are kept together.
# They take 135 KB, and so stay in the processor's second cache. Neighboring runs
# overlap by half a block, whose columns are transformed twice.
RUN = 16 * SIDE + SIDE // 2
# Bytes in a cache line. Vectors that cross lines take 15 % longer altogether.
LINE = 64

# With a window of unit energy, the mean power of white noise is its variance.
WINDOW = (_hann(SIDE) / np.linalg.norm(_hann(SIDE))).astype(np.float32)
REPEATED_WINDOW = WINDOW.repeat(LANES)

UNSIGNED = np.uintp
# Distances in a block: of the imaginary from the real part, and of points.
IMAGINARY = UNSIGNED(AREA)
ONE, TWO = UNSIGNED(LANES), UNSIGNED(2 * LANES)
FOUR, EIGHT = UNSIGNED(4 * LANES), UNSIGNED(8 * LANES)
TWIDDLES = np.exp(-2j * np.pi * np.outer(range(8), range(4)) / SIDE).astype("c8")
EIGHTH_TURN = np.complex64(np.exp(-2j * np.pi / 8))

# Where the transforms leave frequency 0, 1, ..., and so where sums hold the frequencies
# f and -f of a half spectrum. A row of the sums is a horizontal frequency.
PLACES = np.arange(SIDE).reshape(8, 4).T.ravel().argsort()
PLACE = (PLACES[:HALF_SIDE] * LANES + PLACES[:, np.newaxis]).ravel().astype("uintp")
MIRRORED = PLACES[-np.arange(SIDE)]
OPPOSITE = MIRRORED[:HALF_SIDE] * LANES + MIRRORED[:, np.newaxis]
OPPOSITE = OPPOSITE.ravel().astype("uintp")

compiled = njit(
    nogil=True,
    cache=is_caching(),
    error_model="numpy",
    fastmath={"contract", "nsz", "reassoc"},
)


def add_block_powers(planes, rows, columns, sides, power):
    """Add the power spectra of windowed blocks of planes to `power`.

    Parameters
    ----------
    planes : ndarray of shape (m, height, width)
        Grey levels: whole planes, or a strip of their rows.
    rows, columns : sequence of int
        First rows and columns of the blocks, rising.
    sides : tuple of int
        (height, width) of a block, which must be (32, 32).
    power : ndarray of shape (m, 32, 17), float32
        Sums over the blocks, changed in place.
    """
    if sides != (SIDE, SIDE):
        raise ValueError(f"sides must be {(SIDE, SIDE)}, got {sides}.")
    if not (len(rows) and len(columns)):
        return
    # Compiled code would read whatever lies behind the planes.
    if rows[-1] + SIDE > planes.shape[1] or columns[-1] + SIDE > planes.shape[2]:
        raise IndexError(f"blocks must lie in planes of shape {planes.shape}.")
    _add_powers(
        np.require(planes, np.float32, ["C", "W"]),
        np.array(rows, np.intp),
        np.array(columns, np.intp),
        np.array(_split_runs(columns), np.intp),
        _allocate(2 * AREA),
        _allocate(2 * RUN * LANES),
        _allocate(AREA),
        power,
    )


def _allocate(n):
    """Allocate n values of float32 that begin with a cache line."""
    values = np.empty(n + LINE // 4, np.float32)
    first = -values.ctypes.data % LINE // 4
    return values[first : first + n]


def _split_runs(columns):
    """Return the index of the first block of each run of blocks, and the end."""
    edges = [0]
    for i in range(1, len(columns)):
        is_apart = columns[i] > columns[i - 1] + SIDE
        if is_apart or columns[i] + SIDE > columns[edges[-1]] + RUN:
            edges.append(i)
    return [*edges, len(columns)]


@compiled
def _add_powers(planes, rows, columns, edges, block, run, sums, power):
    """Add the powers of each plane. The workspace is a block, a run and sums, flat."""
    for i in range(len(planes)):
        sums[:] = 0
        for j in range(0, len(rows), 2):
            for k in range(len(edges) - 1):
                lefts = columns[edges[k] : edges[k + 1]]
                start, end = lefts[0], lefts[-1] + SIDE
                _transform_columns(planes[i], rows[j : j + 2], start, end, block, run)
                for left in lefts:
                    _load_rows(run, left - start, block)
                    _transform(block)
                    _add_squares(block, sums)
        _add_symmetric(sums, power[i])


@compiled
def _transform_columns(plane, rows, start, end, block, run):
    """Transform columns start..end of a pair of rows of blocks, and transpose them."""
    for column in range(start, end, LANES):
        left = min(column, end - LANES)
        _load_columns(plane, rows[0], left, UNSIGNED(0), block)
        if len(rows) > 1:
            _load_columns(plane, rows[1], left, IMAGINARY, block)
        else:
            block[AREA:] = 0
        _transform(block)
        _transpose(block, left - start, run)


@compiled
def _load_columns(plane, top, left, part, block):
    """Read 32 rows and columns of a plane as the real or the imaginary part."""
    # Always 32, but the compiler must not know: it would unroll the loop, and make no
    # vector instructions.
    lanes = UNSIGNED(min(LANES, plane.shape[1]))
    for point in range(UNSIGNED(SIDE)):
        row, weight = UNSIGNED(top) + point, WINDOW[point]
        at = part + point * ONE
        for lane in range(lanes):
            block[at + lane] = weight * plane[row, UNSIGNED(left) + lane]


@compiled
def _transpose(block, offset, run):
    """Write lanes to 32 rows of `run` (2, RUN, 32), flat: real and imaginary parts."""
    for part in range(UNSIGNED(2)):
        source = part * IMAGINARY
        target = (part * UNSIGNED(RUN) + UNSIGNED(offset)) * ONE
        for lane in range(UNSIGNED(LANES)):
            for point in range(UNSIGNED(SIDE)):
                at = target + lane * ONE + point
                run[at] = block[source + point * ONE + lane]


@compiled
def _load_rows(run, offset, block):
    """Read 32 transformed columns, which the horizontal window scales."""
    for part in range(UNSIGNED(2)):
        source = (part * UNSIGNED(RUN) + UNSIGNED(offset)) * ONE
        target = part * IMAGINARY
        for i in range(UNSIGNED(AREA)):
            block[target + i] = REPEATED_WINDOW[i] * run[source + i]


@compiled
def _add_squares(block, sums):
    for i in range(UNSIGNED(AREA)):
        real, imaginary = block[i], block[i + IMAGINARY]
        sums[i] += real * real + imaginary * imaginary


@compiled
def _add_symmetric(sums, power):
    """Add the means over f and -f to the half spectrum (32, 17)."""
    for i in range(len(PLACE)):
        both = sums[PLACE[i]] + sums[OPPOSITE[i]]
        power[i // HALF_SIDE, i % HALF_SIDE] += np.float32(0.5) * both


@compiled
def _transform(block):
    """Apply the Fourier transform of 32 points in place.

    Frequency k + 4 s, for k < 4 and s < 8, is left at point 8 k + s: with
    ``w(n) = exp(-2 pi i / n)`` it is the transform of 8 points q, at frequency s, of
    ``w(32)^(q k)`` times the transform of the 4 points q, q + 8, ... at frequency k.
    """
    for q in range(8):
        turn1, turn2, turn3 = TWIDDLES[q, 1], TWIDDLES[q, 2], TWIDDLES[q, 3]
        for i in range(UNSIGNED(q * LANES), UNSIGNED((q + 1) * LANES)):
            a, b, c, d = _fft4(_get4(block, i, EIGHT))
            _put4(block, i, EIGHT, (a, b * turn1, c * turn2, d * turn3))
    for k in range(4):
        for i in range(UNSIGNED(8 * k * LANES), UNSIGNED((8 * k + 1) * LANES)):
            low, high = _fft8(_get4(block, i, TWO), _get4(block, i + ONE, TWO))
            _put4(block, i, ONE, low)
            _put4(block, i + FOUR, ONE, high)


@compiled
def _get4(block, i, step):
    """Return four complex values, a step apart."""
    j = i + step
    m = j + step
    n = m + step
    return (
        complex(block[i], block[i + IMAGINARY]),
        complex(block[j], block[j + IMAGINARY]),
        complex(block[m], block[m + IMAGINARY]),
        complex(block[n], block[n + IMAGINARY]),
    )


@compiled
def _put4(block, i, step, values):
    """Store four complex values, a step apart."""
    for value in values:
        block[i], block[i + IMAGINARY] = value.real, value.imag
        i += step


@compiled
def _fft8(evens, odds):
    """Return frequencies 0..3 and 4..7 of eight points."""
    a, b, c, d = _fft4(evens)
    e, f, g, h = _fft4(odds)
    f, g, h = f * EIGHTH_TURN, _turn(g), _turn(h * EIGHTH_TURN)
    return (a + e, b + f, c + g, d + h), (a - e, b - f, c - g, d - h)


@compiled
def _fft4(points):
    a, b, c, d = points
    evens, odds = a + c, b + d
    difference, turned = a - c, _turn(b - d)
    return evens + odds, difference + turned, evens - odds, difference - turned


@compiled
def _turn(z):
    """Return -i z."""
    return complex(z.imag, -z.real)

import numpy as np
import pytest

from skfingerprint import SpectrumTransformer
from skfingerprint._features import spectrum_transformer
from skfingerprint.spectrum import _add_block_powers, _block_starts

pytest.importorskip("numba", reason="needs numba (extra fast)")
from skfingerprint._features.spectrum_fast import RUN, add_block_powers

SIDES = (32, 32)
SIZES = [
    *[(n, n) for n in (32, 33, 64, 98, 100, 129, 256)],
    *[(33, 200), (129, 64), (48, RUN), (40, RUN + 1), (33, 2 * RUN + 77)],
]


def compute(add, planes, stride=None):
    power = np.zeros((len(planes), 32, 17), dtype=np.float32)
    starts = [_block_starts(n, 32, stride) for n in planes.shape[1:]]
    add(planes, *starts, SIDES, power)
    return power


def draw(m, height, width):
    """Return smooth planes with noise, whose powers differ as those of photographs."""
    rng = np.random.default_rng(height + width)
    planes = rng.normal(size=(m, height, width)).cumsum(axis=1).cumsum(axis=2)
    planes /= np.abs(planes).max() / 100
    return (100 + planes + rng.normal(size=planes.shape)).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("m", [1, 3])
def test_compiled_powers_are_those_of_numpy(size, m):
    planes = np.random.default_rng(m).uniform(0, 255, (m, *size)).astype(np.float32)
    found, expected = (
        compute(f, planes) for f in (add_block_powers, _add_block_powers)
    )
    # Powers of a single block may be tiny beside that of frequency 0.
    atol = 1e-3 if size == SIDES else 1e-4
    np.testing.assert_allclose(np.log(found), np.log(expected), atol=atol)


@pytest.mark.parametrize("stride", [5, 32, 40, 500])
def test_any_stride(stride):
    planes = draw(2, 99, 700)
    found = compute(add_block_powers, planes, stride)
    expected = compute(_add_block_powers, planes, stride)
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_impulses_at_borders_count_where_blocks_reach_them():
    # One pixel has a flat spectrum, which the windows of the blocks around it scale.
    for row, column in [(0, 5), (66, 60), (35, 76), (66, 76), (1, 1), (50, 61)]:
        plane = np.zeros((1, 67, 77), dtype=np.float32)
        plane[0, row, column] = 8
        found = compute(add_block_powers, plane)
        expected = compute(_add_block_powers, plane)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("size", [(64, 64), (70, 133)])
def test_powers_do_not_depend_on_the_batch(size):
    planes = draw(5, *size)
    together = compute(add_block_powers, planes)
    alone = [compute(add_block_powers, planes[i : i + 1])[0] for i in range(5)]
    np.testing.assert_array_equal(together, alone)


def test_strips_of_rows_add_up():
    planes = draw(2, 118, 90)
    starts = _block_starts(118, 32, None)
    columns = _block_starts(90, 32, None)
    power = np.zeros((2, 32, 17), dtype=np.float32)
    for first in range(0, len(starts), 2):
        rows = starts[first : first + 2]
        strip = planes[:, rows[0] : rows[-1] + 32]
        add_block_powers(strip, [r - rows[0] for r in rows], columns, SIDES, power)
    np.testing.assert_allclose(power, compute(add_block_powers, planes), rtol=1e-4)


def test_planes_of_other_types_and_layouts():
    planes = draw(2, 50, 60)
    expected = compute(add_block_powers, planes)
    frozen = planes.copy()
    frozen.setflags(write=False)
    for same in (frozen, planes.astype(np.float64), np.asfortranarray(planes)):
        np.testing.assert_array_equal(compute(add_block_powers, same), expected)


def test_no_blocks_other_blocks_and_blocks_outside():
    power = np.ones((1, 32, 17), dtype=np.float32)
    add_block_powers(draw(1, 40, 40), [], [], SIDES, power)
    assert (power == 1).all()
    with pytest.raises(ValueError, match=r"sides must be \(32, 32\), got \(16, 32\)"):
        add_block_powers(draw(1, 40, 40), [0], [0], (16, 32), power)
    for rows, columns in [([9], [0]), ([0], [0, 9])]:
        with pytest.raises(IndexError, match=r"must lie in planes of shape \(1, 40, 4"):
            add_block_powers(draw(1, 40, 40), rows, columns, SIDES, power)


@pytest.mark.parametrize("shape", [(45, 70, 3), (33, 32)])
def test_features_with_and_without_numba(monkeypatch, shape):
    X = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    found = SpectrumTransformer().fit_transform(X)
    monkeypatch.setattr(spectrum_transformer, "_fastest_add", lambda: _add_block_powers)
    np.testing.assert_allclose(found, SpectrumTransformer().fit_transform(X), atol=2e-4)

import numpy as np
import pytest

from skfingerprint import correlation
from skfingerprint.correlation import (
    correlation_matrix,
    correlation_surfaces,
    false_alarm_probability,
    peak_to_correlation_energy,
    search_shifts,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 100])
def test_equals_corrcoef(dtype, offset):
    rng = np.random.default_rng(0)
    residuals = (rng.normal(size=(7, 500)) + offset).astype(dtype)
    fingerprints = (rng.normal(size=(3, 500)) + residuals[:3] - offset).astype(dtype)
    expected = np.corrcoef(residuals, fingerprints)[:7, 7:]
    found = correlation_matrix(residuals, fingerprints)
    assert found.dtype == dtype
    np.testing.assert_allclose(
        found, expected, atol=1e-5 if dtype == np.float32 else 1e-12
    )


@pytest.mark.parametrize("block", [7, 500, 1200])
def test_blocks_change_nothing(block, monkeypatch):
    monkeypatch.setattr(correlation, "BLOCK_VALUES", block)
    rows = np.random.default_rng(0).normal(3, 1, size=(7, 500)).astype(np.float32)
    sums, energies = correlation._moments(rows)
    np.testing.assert_allclose(sums, rows.sum(axis=1, dtype=float))
    np.testing.assert_allclose(energies, np.square(rows, dtype=float).sum(axis=1))


@pytest.mark.parametrize("offset", [0, 20])
def test_subtract_common_equals_corrcoef(offset):
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(7, 500)) + offset
    fingerprints = rng.normal(size=(3, 500)) + residuals[:3]
    common = fingerprints.mean(axis=0)
    expected = np.corrcoef(residuals - common, fingerprints - common)[:7, 7:]
    found = correlation_matrix(residuals, fingerprints, subtract_common=True)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_scale_and_offset_change_nothing():
    rng = np.random.default_rng(0)
    residuals, fingerprints = rng.normal(size=(2, 4, 300))
    np.testing.assert_allclose(
        correlation_matrix(5 * residuals + 3, 0.1 * fingerprints - 2),
        correlation_matrix(residuals, fingerprints),
        atol=1e-12,
    )


@pytest.mark.parametrize("subtract_common", [False, True])
@pytest.mark.parametrize("value", [0, 0.1, 255.3])
def test_constant_vectors_correlate_zero(value, subtract_common):
    rng = np.random.default_rng(0)
    fingerprints = rng.normal(size=(3, 1000)).astype(np.float32)
    flat = np.full((2, 1000), value, dtype=np.float32)
    if not subtract_common:
        assert not correlation_matrix(flat, fingerprints).any()
    found = correlation_matrix(fingerprints, flat, subtract_common=subtract_common)
    assert np.isfinite(found).all()
    assert not found.any()


def test_the_residuals_are_not_copied():
    import tracemalloc

    residuals = np.random.default_rng(0).normal(size=(200, 50_000)).astype(np.float32)
    fingerprints = residuals[:2]
    tracemalloc.start()
    correlation_matrix(residuals, fingerprints)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < residuals.nbytes / 4


def literal_surface(residual, fingerprint):
    """Eq. 5 at each cyclic shift, one by one."""
    height, width = residual.shape[:2]
    surface = np.empty((height, width))
    for down in range(height):
        for right in range(width):
            moved = np.roll(residual, (down, right), axis=(0, 1))
            surface[down, right] = np.corrcoef(moved.ravel(), fingerprint.ravel())[0, 1]
    return surface


def literal_pce(surface, rows, columns, side=11):
    """PCE with loops, the neighborhood wrapped around the borders."""
    height, width = surface.shape
    allowed = [(i, j) for i in rows for j in columns]
    peak = max(allowed, key=lambda place: surface[place])
    outside = [
        surface[i, j] ** 2
        for i in range(height)
        for j in range(width)
        if min((i - peak[0]) % height, (peak[0] - i) % height) > side // 2
        or min((j - peak[1]) % width, (peak[1] - j) % width) > side // 2
    ]
    value = surface[peak]
    return np.sign(value) * value**2 / np.mean(outside), peak


@pytest.mark.parametrize("shape", [(12, 15), (12, 15, 3), (9, 8)])
def test_surfaces_are_correlations_at_each_shift(shape):
    rng = np.random.default_rng(0)
    residuals, fingerprints = rng.normal(size=(2, *shape)), rng.normal(size=(3, *shape))
    found = correlation_surfaces(residuals, fingerprints)
    for i in range(2):
        for k in range(3):
            expected = literal_surface(residuals[i], fingerprints[k])
            np.testing.assert_allclose(found[i, k], expected, atol=1e-6)
    rows = correlation_matrix(residuals.reshape(2, -1), fingerprints.reshape(3, -1))
    np.testing.assert_allclose(found[..., 0, 0], rows, atol=1e-6)


def test_surfaces_of_constants_are_zero():
    flat = np.full((1, 16, 16), 3.0)
    noise = np.random.default_rng(0).normal(size=(1, 16, 16))
    assert not correlation_surfaces(flat, noise).any()
    assert not correlation_surfaces(noise, flat).any()
    result = peak_to_correlation_energy(correlation_surfaces(noise, flat))
    assert result.pce.item() == 0


@pytest.mark.parametrize("max_shift", [0, 3, "full"])
def test_pce_equals_counting(max_shift):
    rng = np.random.default_rng(0)
    for height, width in ((32, 40), (33, 27)):
        surfaces = rng.normal(size=(20, height, width)).astype(np.float32)
        # Peaks at and near the borders, where the neighborhood wraps.
        for i, place in enumerate([(0, 0), (height - 1, 2), (2, width - 1), (5, 5)]):
            surfaces[i][place] = 9
        rows = (
            range(height) if max_shift == "full" else range(-max_shift, max_shift + 1)
        )
        columns = range(width) if max_shift == "full" else rows
        result = peak_to_correlation_energy(surfaces, max_shift=max_shift)
        for surface, pce, shift in zip(surfaces, result.pce, result.shift, strict=True):
            expected, peak = literal_pce(surface, rows, columns)
            assert pce == pytest.approx(expected, rel=1e-4)
            assert tuple(shift % (height, width)) == tuple(
                np.mod(peak, (height, width))
            )


def test_pce_has_the_sign_of_the_peak():
    surface = np.random.default_rng(0).normal(size=(32, 32))
    surface[0, 0] = -20
    result = peak_to_correlation_energy(surface)
    assert result.pce < -300
    assert result.peak == -20


def test_small_surfaces_leave_something_outside():
    for shape in ((1, 2), (2, 2), (5, 9), (1, 30)):
        surface = np.random.default_rng(0).normal(size=shape)
        assert np.isfinite(peak_to_correlation_energy(surface, max_shift=1).pce)
    assert peak_to_correlation_energy(np.ones((1, 1))).pce == 0


@pytest.mark.parametrize("statistic", ["correlation", "pce"])
def test_search_finds_the_crop_whatever_the_batch(statistic, monkeypatch):
    rng = np.random.default_rng(0)
    fingerprints = rng.normal(size=(3, 40, 48, 3))
    shifts = rng.integers(-6, 7, size=(9, 2))
    residuals = np.stack(
        [
            np.roll(fingerprints[i % 3], -shift, axis=(0, 1))
            + 3 * rng.normal(size=(40, 48, 3))
            for i, shift in enumerate(shifts)
        ]
    )
    whole = search_shifts(residuals, fingerprints, max_shift=6, statistic=statistic)
    assert whole.scores.argmax(axis=1).tolist() == [0, 1, 2] * 3
    np.testing.assert_array_equal(
        whole.shifts[np.arange(9), whole.scores.argmax(axis=1)], shifts
    )
    monkeypatch.setattr("skfingerprint.correlation.SURFACE_VALUES", 2 * 3 * 40 * 48)
    parts = search_shifts(residuals, fingerprints, max_shift=6, statistic=statistic)
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(parts.shifts, whole.shifts)
    threads = search_shifts(
        residuals, fingerprints, max_shift=6, statistic=statistic, n_jobs=2
    )
    np.testing.assert_allclose(threads.scores, whole.scores, rtol=1e-4, atol=1e-6)


def test_false_alarm_probability_of_white_noise():
    rng = np.random.default_rng(0)
    surfaces = rng.normal(size=(4000, 24, 24))
    for max_shift, level in ((0, 4), (2, 9)):
        pce = peak_to_correlation_energy(surfaces, max_shift=max_shift).pce
        stated = false_alarm_probability(level, (2 * max_shift + 1) ** 2, log10=False)
        assert np.mean(pce > level) == pytest.approx(stated, rel=0.35)


def test_false_alarm_probability_does_not_underflow():
    pce = np.array([0, 10, 100, 1e4, 1e8])
    logs = false_alarm_probability(pce, n_shifts=10**6)
    assert np.isfinite(logs).all()
    assert (np.diff(logs) <= 0).all()
    assert logs[-1] < -1e7
    single, several = (false_alarm_probability(900, m) for m in (1, 1000))
    assert several - single == pytest.approx(3)
    # Both branches agree where they meet.
    near = false_alarm_probability(np.linspace(45, 65, 200), 289)
    assert np.abs(np.diff(near, 2)).max() < 1e-3
    assert false_alarm_probability(-4, log10=False) > 0.97


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: peak_to_correlation_energy(s, max_shift=-1), "max_shift must be"),
        (lambda s: peak_to_correlation_energy(s, max_shift="all"), "max_shift must be"),
        (
            lambda s: peak_to_correlation_energy(s, neighborhood=0),
            "neighborhood must",
        ),
        (lambda s: false_alarm_probability(s, 0), "n_shifts must be an int >= 1"),
    ],
)
def test_search_arguments_are_checked(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((16, 16)))

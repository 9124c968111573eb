import numpy as np
import pytest

from skfingerprint import correlation
from skfingerprint.correlation import correlation_matrix


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

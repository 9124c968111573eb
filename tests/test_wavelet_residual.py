"""Residuals from image to image: the literal formula, whatever the size and batch."""

from pathlib import Path

import numpy as np
import pytest
import pywt

from benchmarks.speed.literal import literal_plane
from benchmarks.speed.side_by_side import read_peak, restart_peak
from skfingerprint import ResidualExtractor, denoising
from skfingerprint.datasets import load_generators
from skfingerprint.denoising import _wavelet, wavelet_residual, wavelet_wiener
from skfingerprint.denoising._wavelet import _analysis, _synthesis, _windows

SIZES = [(14, 14), (14, 61), (33, 33), (64, 64), (98, 100), (129, 40), (256, 256)]


def draw(shape, seed=0):
    """Return random images, smooth in part, where the filter's gain varies."""
    images = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    images[:, : shape[1] // 2] //= 16
    return images


@pytest.fixture(params=["numpy", "numba"])
def kernel(request, monkeypatch):
    if request.param == "numba":
        pytest.importorskip("numba", reason="needs numba (extra fast)")
        from skfingerprint.denoising import _wavelet_fast as module
    else:
        module = _wavelet
    monkeypatch.setattr(denoising, "_fastest_kernel", lambda: module.wavelet_noise)
    return module


@pytest.mark.parametrize("n_channels", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_residual_is_the_literal_one(size, n_channels, kernel):
    images = draw((2, *size, n_channels) if n_channels else (2, *size))
    found = wavelet_residual(images)
    assert found.shape == images.shape
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    planes = images.reshape(*images.shape[:3], -1)[1]
    for channel in range(planes.shape[2]):
        expected = literal_plane(planes[..., channel].astype(float), 3.0)
        part = found.reshape(*found.shape[:3], -1)[1, ..., channel]
        np.testing.assert_allclose(part, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(500, 17), (17, 700), (30, 1500)])
def test_tall_and_wide_images(size, kernel):
    image = draw((1, *size, 3))
    expected = [literal_plane(image[0, ..., c].astype(float), 3.0) for c in range(3)]
    found = np.moveaxis(wavelet_residual(image)[0], -1, 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("wavelet", ["haar", "db4", "db38", "coif17", "bior1.3"])
@pytest.mark.parametrize("length", [2, 100, 701, 1333, 2048, 5001])
def test_repeated_blocks_are_those_of_the_whole_matrix(wavelet, length, monkeypatch):
    makers = [
        lambda f=f: f.__wrapped__(length, wavelet) for f in (_analysis, _synthesis)
    ]
    makers += [lambda b=b: _windows.__wrapped__(length, b) for b in (5, 16)]
    found = [make() for make in makers]
    monkeypatch.setattr(
        _wavelet, "_repeat_middle", lambda build, length, *_: build(length)
    )
    for blocks, make in zip(found, makers, strict=True):
        for one, other in zip(blocks, make(), strict=True):
            assert (one.rows, one.columns) == (other.rows, other.columns)
            np.testing.assert_array_equal(one.matrices, other.matrices)


def test_a_wide_image_takes_no_larger_matrices_than_a_small_one(monkeypatch):
    sizes, cut = [], _wavelet._to_blocks

    def count(matrices, block):
        sizes.append(matrices[0].shape)
        return cut(matrices, block)

    monkeypatch.setattr(_wavelet, "_to_blocks", count)
    for make in (_analysis, _synthesis):
        blocks = make.__wrapped__(100_003, "db4")
        assert len({id(block.matrices) for block in blocks}) < 40
        assert blocks[-1].rows.stop in (100_003, 50_005)
    assert np.max(sizes) < 500


@pytest.mark.parametrize("height", [1, 14])
def test_parts_of_a_wide_image_are_those_of_the_whole(height, monkeypatch):
    monkeypatch.setattr(denoising, "_fastest_kernel", lambda: _wavelet.wavelet_noise)
    whole = draw((1, height, 6000))
    found = wavelet_residual(whole, level=1)
    # On an even grid, a part has the same coefficients except at its ends.
    part = wavelet_residual(whole[:, :, 2000:4000], level=1)
    inside = slice(100, -100)
    expected = found[:, :, 2000:4000][:, :, inside]
    np.testing.assert_allclose(part[:, :, inside], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["haar", "db2", "db3", "sym4", "db5", "bior2.2"])
def test_both_kernels_agree_on_short_filters(name):
    fast = pytest.importorskip("skfingerprint.denoising._wavelet_fast")
    planes = draw((3, 61, 98)).astype(np.float32)
    given = np.float32(4), name, pywt.dwt_max_level(61, pywt.Wavelet(name))
    found, expected = (k.wavelet_noise(planes, *given) for k in (fast, _wavelet))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["db6", "coif3", "bior6.8"])
def test_long_filters_are_left_to_numpy(name):
    assert denoising._choose_kernel((64, 64), name) is _wavelet.wavelet_noise


@pytest.mark.parametrize("dtype", ["bool", "int16", "uint64", "float16", "float64"])
def test_any_real_dtype(dtype, kernel):
    images = draw((2, 40, 50, 3)).astype(dtype)
    expected = wavelet_residual(images.astype(np.float32))
    np.testing.assert_array_equal(wavelet_residual(images), expected)


def test_layouts_of_memory_and_input_are_left_alone(kernel):
    images = draw((2, 40, 50, 3)).astype(np.float32)
    before = images.copy()
    expected = wavelet_residual(images)
    np.testing.assert_array_equal(images, before)
    images.flags.writeable = False
    for view in (np.asfortranarray(images), images[::-1, ::-1][::-1, ::-1]):
        np.testing.assert_array_equal(wavelet_residual(view), expected)


@pytest.mark.parametrize("shape", [(33, 47), (33, 47, 3), (256, 100, 3)])
def test_an_image_alone_has_the_bits_of_the_batch(shape):
    pytest.importorskip("numba", reason="needs numba (extra fast)")
    images = draw((5, *shape))
    whole = ResidualExtractor().transform(images)
    for i, image in enumerate(images):
        alone = ResidualExtractor().transform(image[np.newaxis])[0]
        np.testing.assert_array_equal(alone, whole[i])


def test_a_flat_image_has_no_residual_beside_others(kernel):
    images = draw((3, 40, 50, 3))
    images[1] = (7, 200, 31)
    assert not wavelet_residual(images)[1].any()


def test_residual_and_denoised_add_up_to_the_image(kernel):
    images = load_generators().images[:3]
    for params in ({}, {"cycle_spins": 3}, {"wavelet": "db8", "level": 2}):
        total = wavelet_residual(images, **params) + wavelet_wiener(images, **params)
        np.testing.assert_allclose(total, images, rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", [(1000, 1500), (1000, 1500, 3)])
def test_memory_is_at_most_one_and_a_half_images(shape):
    pytest.importorskip("numba", reason="needs numba (extra fast)")
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak is measured on Linux")
    image = draw((1, *shape))
    wavelet_residual(image[:, :64, :64])  # compiles
    before = restart_peak()
    wavelet_residual(image)
    assert read_peak() - before < 1.5 * 4 * image.size / 2**20 + 1

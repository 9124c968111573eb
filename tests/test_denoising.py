import sys
from importlib import import_module

import numpy as np
import pytest
import pywt
from scipy import ndimage

from skfingerprint import denoising
from skfingerprint.datasets import load_generators
from skfingerprint.denoising import (
    DENOISERS,
    _wavelet,
    wavelet_shrink,
    wavelet_wiener,
    wiener,
)

EVERY = pytest.mark.parametrize("name", sorted(DENOISERS))


def local_mean(squares, row, column, window):
    """Mean over a window around one coefficient, zeros outside, divisor window^2."""
    half = window // 2
    rows = slice(max(0, row - half), row + half + 1)
    columns = slice(max(0, column - half), column + half + 1)
    return squares[rows, columns].sum() / window**2


def literal_band(band, sigma):
    noise = np.empty_like(band)
    squares = band**2
    for row, column in np.ndindex(*band.shape):
        means = [local_mean(squares, row, column, w) for w in (3, 5, 7, 9)]
        variance = max(0, min(means) - sigma**2)
        noise[row, column] = band[row, column] * sigma**2 / (variance + sigma**2)
    return noise


def literal_residual(plane, sigma, wavelet="db4", level=4):
    """Mihcak's filter written down pixel by pixel, in float64."""
    level = min(level, pywt.dwt_max_level(min(plane.shape), pywt.Wavelet(wavelet)))
    bands = pywt.wavedec2(plane.astype(float), wavelet, "symmetric", level=level)
    noise = [np.zeros_like(bands[0])]
    noise += [
        tuple(literal_band(band, sigma) for band in bands_) for bands_ in bands[1:]
    ]
    height, width = plane.shape
    return pywt.waverec2(noise, wavelet, "symmetric")[:height, :width]


@pytest.fixture(params=["_wavelet", "_wavelet_fast"])
def kernel(request):
    return import_module(f"skfingerprint.denoising.{request.param}")


def use(kernel, monkeypatch):
    monkeypatch.setattr(denoising, "_fastest_kernel", lambda: kernel.wavelet_noise)


@pytest.mark.parametrize("shape", [(64, 64), (47, 70), (14, 33), (113, 15)])
@pytest.mark.parametrize("wavelet", ["db4", "haar", "bior2.2"])
def test_wavelet_wiener_equals_the_literal_filter(shape, wavelet, kernel, monkeypatch):
    use(kernel, monkeypatch)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *shape, 3)).astype(np.uint8)
    images[1] = ndimage.gaussian_filter(images[1], (3, 3, 0))
    residuals = images - wavelet_wiener(images, sigma=3.0, wavelet=wavelet)
    for image, residual in zip(images, residuals, strict=True):
        for channel in range(3):
            expected = literal_residual(image[..., channel], 3.0, wavelet)
            np.testing.assert_allclose(residual[..., channel], expected, atol=1e-3)


def test_wavelet_wiener_equals_the_literal_filter_on_real_images(kernel, monkeypatch):
    use(kernel, monkeypatch)
    image = load_generators().images[5]
    residual = image - wavelet_wiener(image[None], sigma=2.0)[0]
    expected = [literal_residual(image[..., c], 2.0) for c in range(3)]
    np.testing.assert_allclose(residual, np.moveaxis(expected, 0, -1), atol=1e-3)


@pytest.mark.parametrize("chunk", [16, 50])
def test_wide_images_in_chunks_are_the_same(chunk, monkeypatch):
    use(_wavelet, monkeypatch)
    images = np.random.default_rng(0).normal(128, 20, (1, 90, 130))
    whole = wavelet_wiener(images)
    monkeypatch.setattr(_wavelet, "CHUNK", chunk)
    np.testing.assert_allclose(wavelet_wiener(images), whole, atol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 7, 14, 33, 256])
@pytest.mark.parametrize("wavelet", ["db4", "haar", "sym5", "bior3.5"])
def test_operators_are_those_of_pywavelets(length, wavelet):
    signal = np.random.default_rng(0).normal(size=length)
    filters = pywt.Wavelet(wavelet)
    bands = [
        _wavelet._filter_matrix(length, taps, reflect=True) @ signal
        for taps in (filters.dec_lo, filters.dec_hi)
    ]
    np.testing.assert_allclose(bands, pywt.dwt(signal, wavelet, "symmetric"), atol=1e-9)
    inverse = sum(
        _wavelet._filter_matrix(length, taps[::-1], reflect=False).T @ band
        for taps, band in zip((filters.rec_lo, filters.rec_hi), bands, strict=True)
    )
    np.testing.assert_allclose(inverse, signal, atol=1e-9)


@pytest.mark.parametrize("shape", [(13, 64), (64, 13), (2, 2)])
def test_wavelet_wiener_refuses_small_images(shape):
    with pytest.raises(ValueError, match=r"too small for wavelet='db4'.*at least 14"):
        wavelet_wiener(np.zeros((3, *shape)))


def test_a_row_is_decomposed_along_its_width():
    row = np.random.default_rng(0).normal(128, 1, (1, 1, 200))
    assert wavelet_wiener(row).std() < 0.5 * row.std()


@EVERY
@pytest.mark.parametrize("value", [0, 17, 128, 255, 100.3])
def test_flat_images_have_no_residual(name, value):
    images = np.full((2, 40, 50, 3), value, dtype=np.float32)
    np.testing.assert_array_equal(DENOISERS[name](images), images)


@EVERY
def test_channels_and_images_are_independent(name):
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 40, 3))
    whole = DENOISERS[name](images)
    assert whole.dtype == np.float32
    assert whole.shape == images.shape
    one = DENOISERS[name](images[2:3, ..., 1])
    np.testing.assert_allclose(one[0], whole[2, ..., 1], atol=1e-4)


@EVERY
def test_input_is_left_alone(name):
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 40)).astype(np.float32)
    before = images.copy()
    DENOISERS[name](images)
    np.testing.assert_array_equal(images, before)


@EVERY
def test_borders_leave_no_common_frame(name):
    """Mean residuals of two sets of noise do not correlate along the border."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(2):
        images = rng.normal(128, 3, (8, 32, 6000)).astype(np.float32)
        residuals = (images - DENOISERS[name](images)).mean(axis=0)
        means.append(np.r_[residuals[:4], residuals[-4:]].ravel())
    assert abs(np.corrcoef(means)[0, 1]) < 0.02


@pytest.mark.parametrize("shape", [(64, 64), (33, 130), (256, 200), (15, 14)])
def test_kernels_treat_planes_alike(kernel, shape):
    """What a plane gives does not depend on the planes beside it."""
    planes = np.random.default_rng(0).uniform(0, 255, (7, *shape)).astype(np.float32)
    whole = kernel.wavelet_noise(planes, np.float32(9), "db4", 1)
    for i in range(0, 7, 3):
        part = kernel.wavelet_noise(planes[i : i + 3], np.float32(9), "db4", 1)
        # BLAS may round otherwise when it has more rows; numba does not.
        atol = 1e-5 if kernel is _wavelet else 0
        np.testing.assert_allclose(part, whole[i : i + 3], rtol=0, atol=atol)


def test_numba_is_chosen_where_it_is_installed(monkeypatch):
    from skfingerprint.denoising import _wavelet_fast

    denoising._fastest_kernel.cache_clear()
    assert denoising._fastest_kernel() is _wavelet_fast.wavelet_noise
    denoising._fastest_kernel.cache_clear()
    monkeypatch.delattr(denoising, "_wavelet_fast")
    monkeypatch.setitem(sys.modules, "skfingerprint.denoising._wavelet_fast", None)
    assert denoising._fastest_kernel() is _wavelet.wavelet_noise
    denoising._fastest_kernel.cache_clear()


@pytest.mark.parametrize("name", ["nl_means", "total_variation"])
def test_without_scikit_image_the_extra_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(
        ImportError, match=r"nl_means and total_v.*pip install scikit-image"
    ):
        DENOISERS[name](np.zeros((1, 16, 16)))


@pytest.mark.parametrize("value", [0, 257, 2.5, "4"])
def test_cycle_spins_are_checked(value):
    with pytest.raises(ValueError, match=r"cycle_spins must be an int in 1\.\.256"):
        wavelet_wiener(np.zeros((1, 16, 16)), cycle_spins=value)


def test_spins_cover_all_phases_evenly():
    for period, n_spins in ((2, 4), (4, 16)):
        offsets = [denoising._spin_offset(i, (64, 64)) for i in range(n_spins)]
        assert len({(y % period, x % period) for y, x in offsets}) == n_spins


def test_cycle_spins_average_shifted_residuals():
    image = np.random.default_rng(0).uniform(0, 255, (1, 48, 64)).astype(np.float32)
    spun = image - wavelet_wiener(image, cycle_spins=2)
    padded = np.pad(image, ((0, 0), (0, 0), (5, 0)), mode="symmetric")
    shifted = (padded - wavelet_wiener(padded))[..., 5:]
    expected = (image - wavelet_wiener(image) + shifted) / 2
    np.testing.assert_allclose(spun, expected, atol=1e-4)


def test_cycle_spins_lessen_the_dependence_on_the_crop():
    images = load_generators().images[:40]
    agreement = []
    for spins in (1, 4, 16):
        whole = images - wavelet_wiener(images, cycle_spins=spins)
        crop = images[:, 3:, 5:] - wavelet_wiener(images[:, 3:, 5:], cycle_spins=spins)
        inner = whole[:, 3:, 5:][:, 8:-8, 8:-8], crop[:, 8:-8, 8:-8]
        agreement.append(np.corrcoef(inner[0].ravel(), inner[1].ravel())[0, 1])
    assert agreement[0] < agreement[1] < agreement[2]
    assert agreement[2] > 0.98


def test_wavelet_shrink_equals_scikit_image():
    from skimage import restoration

    image = load_generators().images[3, ..., 1].astype(np.float64)
    for method, name in (("bayes", "BayesShrink"), ("visu", "VisuShrink")):
        for mode in ("soft", "hard"):
            expected = restoration.denoise_wavelet(
                image, 3.0, "db4", mode, 3, method=name, rescale_sigma=False
            )
            found = wavelet_shrink(image[None], method=method, mode=mode)[0]
            np.testing.assert_allclose(found, expected, atol=0.05)


def test_wavelet_shrink_names_its_choices():
    images = np.zeros((1, 32, 32))
    with pytest.raises(ValueError, match=r"method must be .*'bayes', 'visu'.*'sure'"):
        wavelet_shrink(images, method="sure")
    with pytest.raises(ValueError, match=r"mode must be .*'soft', 'hard'.*'firm'"):
        wavelet_shrink(images, mode="firm")


def test_wiener_equals_the_literal_filter():
    image = np.random.default_rng(0).normal(100, 5, (30, 40))
    padded = np.pad(image, 2, mode="symmetric")
    expected = np.empty_like(image)
    for row, column in np.ndindex(*image.shape):
        window = padded[row : row + 5, column : column + 5]
        gain = max(window.var() - 9, 0) / max(window.var(), 9)
        expected[row, column] = window.mean() + gain * (
            image[row, column] - window.mean()
        )
    found = wiener(image[None], sigma=3.0, size=5)[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)

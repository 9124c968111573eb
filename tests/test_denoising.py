import numpy as np
import pytest
import pywt
from scipy import ndimage

from skfingerprint import denoising
from skfingerprint.datasets import load_generators
from skfingerprint.denoising import DENOISERS, wavelet_wiener

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


@pytest.mark.parametrize("shape", [(64, 64), (47, 70), (14, 33), (113, 15)])
@pytest.mark.parametrize("wavelet", ["db4", "haar", "bior2.2"])
def test_wavelet_wiener_equals_the_literal_filter(shape, wavelet):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *shape, 3)).astype(np.uint8)
    images[1] = ndimage.gaussian_filter(images[1], (3, 3, 0))
    residuals = images - wavelet_wiener(images, sigma=3.0, wavelet=wavelet)
    for image, residual in zip(images, residuals, strict=True):
        for channel in range(3):
            expected = literal_residual(image[..., channel], 3.0, wavelet)
            np.testing.assert_allclose(residual[..., channel], expected, atol=1e-3)


def test_wavelet_wiener_equals_the_literal_filter_on_real_images():
    image = load_generators().images[5]
    residual = image - wavelet_wiener(image[None], sigma=2.0)[0]
    expected = [literal_residual(image[..., c], 2.0) for c in range(3)]
    np.testing.assert_allclose(residual, np.moveaxis(expected, 0, -1), atol=1e-3)


@pytest.mark.parametrize("chunk", [16, 50])
def test_wide_images_in_chunks_are_the_same(chunk, monkeypatch):
    images = np.random.default_rng(0).normal(128, 20, (1, 90, 130))
    whole = wavelet_wiener(images)
    monkeypatch.setattr(denoising, "CHUNK", chunk)
    np.testing.assert_allclose(wavelet_wiener(images), whole, atol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 7, 14, 33, 256])
@pytest.mark.parametrize("wavelet", ["db4", "haar", "sym5", "bior3.5"])
def test_operators_are_those_of_pywavelets(length, wavelet):
    signal = np.random.default_rng(0).normal(size=length)
    filters = pywt.Wavelet(wavelet)
    bands = [
        denoising._filter_matrix(length, taps, reflect=True) @ signal
        for taps in (filters.dec_lo, filters.dec_hi)
    ]
    np.testing.assert_allclose(bands, pywt.dwt(signal, wavelet, "symmetric"), atol=1e-9)
    inverse = sum(
        denoising._filter_matrix(length, taps[::-1], reflect=False).T @ band
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

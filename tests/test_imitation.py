import builtins
import pickle
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, signal
from sklearn.base import clone

from skfingerprint.datasets import load_generators
from skfingerprint.imitation import IMITATIONS, KINDS, ImitationGenerator
from skfingerprint.imitation._networks import (
    _draw_decoder,
    _draw_kernel,
    _draw_subpixels,
    _draw_texture,
    _make_noise,
    draw_network,
)
from skfingerprint.imitation._planes import (
    _make_bands,
    convolve_planes,
    filter_median,
    interleave_channels,
    resample_planes,
)
from skfingerprint.perturbation import JPEGCompression

EACH = pytest.mark.parametrize("kind", KINDS)
PILLOWS = {"triangle": "bilinear"}


@pytest.fixture(scope="module")
def images():
    return load_generators().images[:6]


def make(kind, seed=0):
    return ImitationGenerator(kind, random_state=seed)


def test_fixed_imitations():
    assert len(KINDS) == 10
    assert Counter(i.kind for i in IMITATIONS) == dict.fromkeys(KINDS, 8) | {"jpeg": 10}
    assert len({(i.kind, i.random_state) for i in IMITATIONS}) == len(IMITATIONS) == 82


def test_no_two_imitations_are_alike(images):
    results = np.stack([i.fit_transform(images[1:2])[0] for i in IMITATIONS])
    results = results.astype(float).reshape(len(results), -1)
    distances = np.abs(results[:, np.newaxis] - results).mean(axis=-1)
    assert distances[~np.eye(len(results), dtype=bool)].min() > 0.02
    # Content stays where nothing is mirrored or moved.
    stays = [i.kind not in ("shrunk", "retouched", "jpeg") for i in IMITATIONS]
    content = images[1].ravel().astype(float)
    assert min(np.corrcoef(content, r)[0, 1] for r in results[stays]) > 0.7


@EACH
def test_dtype_and_batch_change_nothing(kind, images):
    expected = make(kind).fit_transform(images)
    assert expected.dtype == np.uint8
    assert expected.shape == images.shape
    for dtype in (np.float32, np.float64, np.int32):
        found = make(kind).fit_transform(images.astype(dtype))
        np.testing.assert_array_equal(found, expected)
    for i in (0, 4):
        found = make(kind).fit_transform(images[i : i + 1])
        np.testing.assert_array_equal(found, expected[i : i + 1])
    np.testing.assert_array_equal(
        make(kind).fit_transform(images[::-1]), expected[::-1]
    )


@EACH
def test_networks_drawn_anew_are_the_same(kind, images):
    expected = make(kind, 3).fit_transform(images)
    draw_network.cache_clear()
    _make_noise.cache_clear()
    _make_bands.cache_clear()
    make(kind, 4).fit_transform(images[::-1, ::2])
    copy = pickle.loads(pickle.dumps(clone(make(kind, 3))))
    np.testing.assert_array_equal(copy.fit_transform(images), expected)
    assert np.any(make(kind, 4).fit_transform(images) != expected)


@EACH
@pytest.mark.parametrize("seed", range(8))
def test_images_of_any_size(kind, seed):
    rng = np.random.default_rng(0)
    for shape in [(1, 1, 3), (1, 9), (7, 1, 1), (2, 3, 3), (33, 18, 3), (40, 139)]:
        X = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
        found = make(kind, seed).fit_transform(X)
        assert found.shape == X.shape
        assert found.dtype == np.uint8


@EACH
def test_lists_of_different_sizes(kind, images):
    sizes = [images[0], images[1, :40], images[2, :, :33]]
    found = make(kind).fit_transform(sizes)
    for image, imitated in zip(sizes, found, strict=True):
        np.testing.assert_array_equal(
            imitated, make(kind).fit_transform(image[np.newaxis])[0]
        )


@EACH
def test_grey_images(kind, images):
    grey = images[..., 0]
    flat = make(kind).fit_transform(grey)
    assert flat.shape == grey.shape
    column = make(kind).fit_transform(grey[..., np.newaxis])
    np.testing.assert_array_equal(column[..., 0], flat)


@EACH
def test_the_input_is_left_as_it_is(kind, images):
    before = images.astype(np.float32)
    given = before.copy()
    make(kind).fit_transform(given)
    np.testing.assert_array_equal(given, before)


def test_parameters_are_checked(images):
    with pytest.raises(ValueError, match=r"kind must be one of .*'transposed'"):
        make("unknown").fit(images)
    for seed in (-1, 0.5, None):
        with pytest.raises(ValueError, match="random_state must be an int >= 0"):
            make("jpeg", seed).fit(images)


def test_only_jpeg_needs_pillow(images, monkeypatch):
    actual = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] == "PIL":
            raise ImportError(name)
        return actual(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for imitation in IMITATIONS:
        if imitation.kind == "jpeg":
            with pytest.raises(ImportError, match="images"):
                imitation.fit_transform(images[:1])
        else:
            imitation.fit_transform(images[:1])


def test_jpeg_imitations_were_jpeg_files(images):
    """Compression with the same tables changes a decompressed image very little."""
    for seed in range(10):
        imitated = make("jpeg", seed).fit_transform(images[:2]).astype(int)
        losses = [
            np.abs(
                JPEGCompression(quality=q, subsampling=s).fit_transform(imitated) - c
            )
            for c in [imitated]
            for q in range(78, 99)
            for s in ("4:4:4", "4:2:0")
        ]
        losses = np.sort([loss.mean() for loss in losses])
        assert losses[0] < 0.6 * np.median(losses)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_textures_grow_with_contrast_alone(factor):
    """Their gain is fixed, not by the image: no weight is added anywhere."""
    for seed in range(5):
        texture = _draw_texture(np.random.default_rng(seed), 4.0, factor)
        noise = np.repeat(_make_noise(), 3, axis=0)
        whole, half = texture(noise), texture(128 + (noise - 128) / 2)
        assert whole.shape == (3, factor * 128, factor * 128)
        assert np.abs(whole).max() <= 32
        assert whole.std() == pytest.approx(4, rel=0.05)
        inside = np.abs(whole) < 32
        np.testing.assert_allclose(half[inside], whole[inside] / 2, atol=2e-3)
        flat = np.full((3, 16, 16), 200, np.float32)
        np.testing.assert_allclose(texture(flat)[:, 4:-4, 4:-4].std(), 0, atol=16)


def test_noise_falls_as_one_over_f():
    (noise,) = _make_noise()
    assert noise.mean() == pytest.approx(128)
    assert noise.std() == pytest.approx(50)
    powers = np.abs(np.fft.rfft2(noise.astype(float))) ** 2
    radius = np.hypot(np.fft.fftfreq(128)[:, np.newaxis], np.fft.rfftfreq(128))
    means = [
        powers[(radius > f) & (radius < 1.2 * f)].mean() for f in (0.04, 0.08, 0.16)
    ]
    np.testing.assert_allclose(np.divide(means[:-1], means[1:]), 4, rtol=0.4)


@pytest.mark.parametrize("name", ["box", "triangle", "hamming", "bicubic", "lanczos"])
def test_resampling_is_pillows(name):
    x = _make_noise()
    method = Image.Resampling[PILLOWS.get(name, name).upper()]
    for width, height in [(64, 32), (77, 100), (128, 128), (200, 131), (384, 256)]:
        expected = Image.fromarray(x[0]).resize((width, height), method)
        found = resample_planes(x, (height, width), None, name)
        np.testing.assert_allclose(found[0], expected, atol=1e-3)


def test_filters_keep_flat_areas_and_spread():
    flat = np.full((3, 37, 20), 91, np.float32)
    for name, step, stretch in [("box", 1, 5), ("gaussian", 1, 2.0), ("lanczos", 3, 0)]:
        sizes = [-(-n // step) for n in flat.shape[1:]]
        np.testing.assert_allclose(
            resample_planes(flat, sizes, step, name, stretch or None), 91, rtol=1e-5
        )
    x = _make_noise()
    found = resample_planes(x, (128, 128), 1, "gaussian", 1.5)
    inner = slice(8, -8), slice(8, -8)
    expected = ndimage.gaussian_filter(x[0], 1.5)
    np.testing.assert_allclose(found[0][inner], expected[inner], atol=0.05)
    found = resample_planes(x, (128, 128), 1, "box", 5)
    expected = ndimage.uniform_filter(x[0], 5)
    np.testing.assert_allclose(found[0][inner], expected[inner], atol=1e-3)


def test_long_sides_are_filtered_alike():
    """Filters of long sides are made anew for each image."""
    x = np.random.default_rng(0).normal(size=(1, 600, 3)).astype(np.float32)
    expected = resample_planes(x[:, :512], (512, 3), 1, "gaussian", 1.0)
    found = resample_planes(x, (600, 3), 1, "gaussian", 1.0)
    np.testing.assert_allclose(found[:, :500], expected[:, :500], atol=1e-5)


@pytest.mark.parametrize("size", [3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_is_scipys(size, stride):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 41, 300)).astype(np.float32)
    kernel = _draw_kernel(rng, 5, 3, size)
    border = size // 2, size - 1 - size // 2
    padded = np.pad(x, ((0, 0), border, border), "reflect")
    expected = [
        sum(map(lambda a, b: signal.correlate(a, b, "valid"), padded, weights))
        for weights in kernel
    ]
    found = convolve_planes(x, kernel, stride)
    expected = np.stack(expected)[:, ::stride, ::stride]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_decoders_are_transposed_convolutions():
    """Sub-pixels in all but the border are those of zeros put between the pixels."""
    for size in (3, 4):
        x = np.random.default_rng(1).normal(size=(2, 9, 11)).astype(np.float32)
        kernel = _draw_decoder(np.random.default_rng(0), 3, 2, size)
        whole = _draw_kernel(np.random.default_rng(0), 3, 2, size)
        found = interleave_channels(convolve_planes(x, kernel), 2)
        sparse = np.zeros((2, 18, 22))
        sparse[:, ::2, ::2] = x
        for plane, weights in zip(found, whole, strict=True):
            expected = sum(map(signal.convolve2d, sparse, weights))[1:19, 1:23]
            np.testing.assert_allclose(
                plane[3:-3, 3:-3], expected[3:-3, 3:-3], atol=1e-4
            )


@pytest.mark.parametrize("factor", [2, 4])
def test_subpixels_interpolate_unevenly(factor):
    flat = []
    for seed in range(20):
        kernel = _draw_subpixels(np.random.default_rng(seed), factor)
        assert kernel.shape == (factor**2, 1, 5, 5)
        sums = kernel.sum(axis=(1, 2, 3))
        assert sums.mean() == pytest.approx(1, abs=1e-5)
        flat.append(np.ptp(sums) < 1e-5)
        # Plain interpolation is the same from the other side.
        mirrored = kernel[::-1, :, ::-1, ::-1]
        assert 1e-3 < np.abs(kernel - mirrored).max() < 1
    assert 0 < sum(flat) < 20


def test_median_is_scipys():
    x = np.random.default_rng(0).normal(size=(3, 17, 12)).astype(np.float32)
    expected = [ndimage.median_filter(plane, 3, mode="nearest") for plane in x]
    np.testing.assert_array_equal(filter_median(x), expected)

import itertools
import tracemalloc

import numpy as np
import pytest
from sklearn.pipeline import make_union

from skfingerprint import (
    AttributionFeatures,
    CooccurrenceTransformer,
    ResidualExtractor,
    SpectrumTransformer,
)
from skfingerprint._features import cooccurrence as _runs
from skfingerprint._features import planes
from skfingerprint._features.planes import LUMA_CHROMA
from skfingerprint.datasets import load_generators, make_fingerprint_images
from skfingerprint.spectrum import power_spectrum, radial_profile, welch_spectrum


@pytest.fixture(scope="module")
def images():
    return load_generators().images[:12]


def test_welch_of_one_block_is_the_windowed_power_spectrum():
    block = np.random.default_rng(0).normal(size=(1, 16, 16))
    window = np.outer(*[np.sin(np.pi * np.arange(16) / 16) ** 2] * 2)
    window /= np.sqrt(np.mean(window**2))
    expected = np.fft.ifftshift(power_spectrum(block[0] * window))[:, :9]
    np.testing.assert_allclose(
        welch_spectrum(block, block_size=None)[0], expected, rtol=1e-4, atol=1e-6
    )


def test_welch_averages_blocks_that_reach_the_border():
    stack = np.random.default_rng(0).normal(size=(2, 20, 30, 3)).astype(np.float32)
    corners = [(i, j) for i in (0, 8, 4) for j in (0, 8, 14)]
    assert {i for i, _ in corners} == {0, 4, 8}
    blocks = [
        welch_spectrum(stack[:, i : i + 16, j : j + 16], block_size=16)
        for i in (0, 4)
        for j in (0, 8, 14)
    ]
    np.testing.assert_allclose(
        welch_spectrum(stack, block_size=16), np.mean(blocks, axis=0), rtol=1e-4
    )


def test_welch_of_white_noise_is_flat_and_calibrated():
    noise = np.random.default_rng(0).normal(scale=3, size=(4, 256, 256))
    power = welch_spectrum(noise, block_size=16).mean(axis=0)
    # The mean of a block is no part of a residual's color: all cells are alike.
    np.testing.assert_allclose(power, 9, rtol=0.15)
    assert power.mean() == pytest.approx(9, rel=0.02)


@pytest.mark.parametrize("n_channels", [None, 1, 3])
@pytest.mark.parametrize("radial", [False, True])
def test_spectrum_features_have_names(n_channels, radial, images):
    stack = images if n_channels == 3 else images[..., :1]
    stack = stack[..., 0] if n_channels is None else stack
    transformer = SpectrumTransformer(block_size=16, radial=radial)
    features = transformer.fit_transform(stack)
    names = transformer.get_feature_names_out()
    assert features.shape == (12, len(names))
    assert len(set(names)) == len(names)
    assert features.shape[1] == (9 if radial else 144) * (n_channels or 1)


def test_radial_features_are_means_over_rings():
    noise = np.random.default_rng(0).normal(size=(1, 16, 16))
    radial = SpectrumTransformer(block_size=16, radial=True).fit_transform(noise)
    power = welch_spectrum(noise, block_size=16)[0]
    radius = np.hypot(np.fft.fftfreq(16)[:, None], np.fft.rfftfreq(16)) * 16
    ring = np.round(radius) == 3
    assert radial[0, 3] == pytest.approx(np.log(power[ring].mean()), rel=1e-5)
    assert len(radial_profile(power_spectrum(noise[0])).power) == radial.shape[1]


def test_luma_and_chroma():
    grey = np.full((1, 16, 16, 3), 77.0)
    grey += np.random.default_rng(0).normal(size=(1, 16, 16, 1))
    power = SpectrumTransformer(block_size=8, color_space="ycbcr").fit_transform(grey)
    power = power.reshape(8, 5, 3)
    np.testing.assert_allclose(power[..., 1:], np.log(np.float32(1e-3)), rtol=1e-4)
    luma = SpectrumTransformer(block_size=8).fit_transform(grey[..., 0])
    np.testing.assert_allclose(power[..., 0].ravel(), luma[0], atol=1e-3)
    np.testing.assert_allclose(LUMA_CHROMA.sum(axis=1), [1, 0, 0], atol=1e-6)


@pytest.mark.parametrize(
    "transformer", [SpectrumTransformer(block_size=16), CooccurrenceTransformer()]
)
def test_features_forget_position(transformer):
    # One texture, cut at two offsets, against the spread between textures.
    rng = np.random.default_rng(0)
    textures = rng.normal(scale=20, size=(6, 140, 140))
    for i, texture in enumerate(textures):
        texture += np.roll(texture, i + 1, axis=1) + 128
    textures = textures.clip(0, 255).astype(np.uint8)
    here = transformer.fit_transform(textures[:, :128, :128])
    there = transformer.fit_transform(textures[:, 7:135, 11:139])
    moved = np.linalg.norm(here - there, axis=1)
    others = np.linalg.norm(here[:, None] - here, axis=2)
    assert moved.max() < 0.5 * others[others > 0].min()


def literal_runs(plane, step, length):
    """The features of one plane, counted run by run."""
    features = []
    for across in (False, True):
        counts = {}
        for axis in (0, 1):
            signs = np.clip(np.rint(np.diff(plane, axis=axis) / step), -1, 1)
            lines = signs if axis == 1 else signs.T
            for line in lines.T if across else lines:
                for start in range(len(line) - length + 1):
                    run = tuple(line[start : start + length].astype(int))
                    for r in (run, run[::-1]):
                        for sign in (1, -1):
                            key = tuple(sign * s for s in r)
                            counts[key] = counts.get(key, 0) + 1
        total = sum(counts.values())
        done = set()
        for run in itertools.product((-1, 0, 1), repeat=length):
            negative = tuple(-s for s in run)
            alike = {run, run[::-1], negative, negative[::-1]}
            if not alike & done:
                features.append(np.sqrt(sum(counts.get(r, 0) for r in alike) / total))
            done |= alike
    return features


@pytest.mark.parametrize(("step", "length"), [(1, 3), (3, 4), (2, 1)])
def test_cooccurrences_equal_counting(step, length):
    plane = np.random.default_rng(0).integers(0, 9, size=(12, 15))
    found = CooccurrenceTransformer(quantization=[step], order=length).fit_transform(
        plane[None]
    )
    np.testing.assert_allclose(found[0], literal_runs(plane, step, length), atol=1e-6)


def test_cooccurrence_names_and_order(images):
    transformer = CooccurrenceTransformer(quantization=[1, 4], order=2)
    features = transformer.fit_transform(images)
    names = transformer.get_feature_names_out()
    assert features.shape == (12, (2 + 1 + 1) * 2 * 4) == (12, len(names))
    assert names[0] == "cooccurrence_0_1_along_--"
    assert names[-1] == "cooccurrence_2_1_across_00"
    grey = transformer.fit_transform(np.full((1, 8, 8), 9, np.uint8))
    assert names[:16][grey[0] == 1].tolist() == [
        f"cooccurrence_0_{step}_{way}_00"
        for step in (1, 4)
        for way in ("along", "across")
    ]
    np.testing.assert_allclose(np.square(features).sum(axis=1), 8, rtol=1e-4)


def test_small_images_have_no_runs():
    assert not CooccurrenceTransformer().fit_transform(np.zeros((2, 4, 4))).any()


def test_threads_change_nothing(monkeypatch, images):
    for transformer in (SpectrumTransformer, CooccurrenceTransformer):
        expected = transformer().fit_transform(images)
        monkeypatch.setattr(
            "skfingerprint._core.blocks.BATCH_VALUES", 5 * images[0].size
        )
        found = transformer(n_jobs=2).fit_transform(images)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_features_as_a_data_frame(images):
    union = make_union(SpectrumTransformer(block_size=8), CooccurrenceTransformer())
    frame = union.set_output(transform="pandas").fit_transform(images)
    assert frame.shape == (12, 120 + 560)
    assert frame.columns[0].startswith("spectrumtransformer__spectrum_0")


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (SpectrumTransformer(block_size=0), "block_size must be an int >= 1 or None"),
        (
            SpectrumTransformer(stride=1.5),
            "stride must be an int >= 1 or None, got 1.5",
        ),
        (SpectrumTransformer(color_space="lab"), "color_space must be one of"),
        (
            CooccurrenceTransformer(quantization=()),
            "quantization must hold numbers > 0",
        ),
        (
            CooccurrenceTransformer(quantization=[1, -1]),
            "quantization must hold numbers > 0",
        ),
        (CooccurrenceTransformer(order=8), "order must be an int in 1..7, got 8"),
    ],
)
def test_parameters_are_checked(transformer, message, images):
    with pytest.raises(ValueError, match=message):
        transformer.fit(images)


def test_huge_values_are_refused():
    with pytest.raises(ValueError, match="too large"):
        SpectrumTransformer().fit(np.full((1, 16, 16), 1e30))


def test_spectra_of_residuals_in_a_pipeline(images):
    residuals = ResidualExtractor(sigma=1).fit_transform(images)
    assert SpectrumTransformer().fit_transform(residuals).dtype == np.float32


@pytest.mark.parametrize("shape", [(64, 64, 3), (37, 61, 3), (48, 40), (32, 40, 1)])
def test_attribution_features_are_those_of_their_families(shape):
    X, _ = make_fingerprint_images(5, 1, image_shape=shape, random_state=0)
    features = AttributionFeatures(sigma=2, block_size=16, quantization=(1, 2), order=3)
    found, names = features.fit_transform(X), features.get_feature_names_out()
    spectra = [
        SpectrumTransformer(block_size=16, fold=True),
        SpectrumTransformer(block_size=16, fold=True, color_space="ycbcr"),
    ]
    residuals = ResidualExtractor(sigma=2).transform(X)
    runs = CooccurrenceTransformer(quantization=(1, 2), order=3)
    expected = [
        spectra[0].fit_transform(residuals),
        spectra[1].fit_transform(X),
        runs.fit_transform(X),
    ]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=2e-3)
    inner = [part.get_feature_names_out() for part in (*spectra, runs)]
    inner[0] = [f"residual_{name}" for name in inner[0]]
    assert names.tolist() == np.concatenate(inner).tolist()


@pytest.mark.parametrize("side", [32, 15])
def test_folded_powers_are_means_of_both_vertical_frequencies(side):
    X = np.random.default_rng(0).integers(0, 256, (3, 64, 70, 3)).astype(np.uint8)
    full = SpectrumTransformer(block_size=side).fit_transform(X)
    full = np.exp(full).reshape(3, side, side // 2 + 1, 3)
    transformer = SpectrumTransformer(block_size=side, fold=True)
    found = np.exp(transformer.fit_transform(X)).reshape(3, -1, side // 2 + 1, 3)
    assert found.shape[1] == side // 2 + 1
    assert len(transformer.get_feature_names_out()) == found[0].size
    for v in range(side // 2 + 1):
        np.testing.assert_allclose(found[:, v], (full[:, v] + full[:, -v]) / 2, 1e-5)


def test_mirrored_images_have_nearly_the_same_features():
    images = load_generators().images[:40]
    features = AttributionFeatures()
    rows, mirrored = (features.fit_transform(X) for X in (images, images[:, :, ::-1]))
    spread = rows.std(axis=0)
    away = np.abs(rows - mirrored).mean(axis=0)
    # Blocks start at other pixels of the mirrored images, and wavelets are not even.
    assert np.median(away[spread > 0] / spread[spread > 0]) < 0.1
    other = np.abs(rows - rows[::-1]).mean(axis=0)
    assert np.median(other[spread > 0] / spread[spread > 0]) > 0.7
    with pytest.raises(ValueError, match="no vertical frequencies"):
        SpectrumTransformer(radial=True, fold=True).fit(images)


@pytest.mark.parametrize("shape", [(300, 200, 3), (257, 310)])
def test_tiles_change_nothing(monkeypatch, shape):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
    for transformer in (
        AttributionFeatures(),
        AttributionFeatures(block_size=65),
        AttributionFeatures(block_size=200),
        SpectrumTransformer(stride=11),
        SpectrumTransformer(block_size=128, stride=11),
        SpectrumTransformer(block_size=None),
        CooccurrenceTransformer(order=7),
    ):
        monkeypatch.setattr(planes, "TILED", 2**21)
        whole = transformer.fit_transform(X)
        monkeypatch.setattr(planes, "TILED", 0)
        monkeypatch.setattr(planes, "CORE", 48)
        np.testing.assert_allclose(transformer.transform(X), whole, atol=1e-3)


def test_counts_of_large_planes_are_complete():
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 6, (2, 200, 201)).astype(np.int16)
    assert planes[0].size > _runs.MANY
    for length in (2, 5, 6):
        found = _runs.count_runs(planes, 1, length, (200, 201))
        starts = 200 * (201 - length) + 201 * (200 - length)
        assert found[:, 0].sum(axis=1).tolist() == [starts, starts]


def check_compiled_counts(planes, corner, size, quantization, order):
    """Compare the counts with numba, where it is installed, and with NumPy."""
    expected = _runs._count_sets(
        planes.copy(), corner, size, find_leasts(quantization), order
    )
    found = _runs.count_sets(planes.copy(), corner, size, quantization, order)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype == np.int64
    n_sets = len(quantization) + len(planes) - 1
    assert found.shape == (planes.shape[1], n_sets, 2, 3**order)
    return found


def find_leasts(quantization):
    """Return the smallest difference with a sign, found by rounding all of them."""
    differences = np.arange(1, 2**15 - 1)
    signs = np.rint(np.divide.outer(differences, quantization)) >= 1
    return np.where(signs.any(axis=0), 1 + signs.argmax(axis=0), 2**15 - 1)


@pytest.mark.parametrize("order", range(1, 8))
@pytest.mark.parametrize(
    "shape",
    [
        *((1, 1), (1, 40), (40, 1), (2, 2), (3, 9), (5, 5), (6, 6), (7, 8), (8, 7)),
        *((33, 33), (32, 96), (98, 100), (129, 37), (30, 400), (400, 30)),
    ],
)
def test_compiled_counts_are_equal(order, shape):
    rng = np.random.default_rng(0)
    planes = rng.normal(100, 2, (2, 2, *shape)).astype(np.float32)
    found = check_compiled_counts(planes, (0, 0), shape, (1, 3.0, 0.2), order)
    height, width = shape
    along = height * max(width - order, 0) + width * max(height - order, 0)
    across = (width - 1) * max(height - order + 1, 0)
    across += (height - 1) * max(width - order + 1, 0)
    assert (found.sum(axis=-1) == [along, across]).all()


@pytest.mark.parametrize("order", [1, 4, 5, 7])
@pytest.mark.parametrize("width", [300, 3000])
def test_compiled_counts_of_parts_add_up(order, width):
    rng = np.random.default_rng(0)
    planes = rng.normal(100, 2, (3, 1, 131, width)).astype(np.float32)
    total = 0
    for top, bottom in [(0, 1), (1, 50), (50, 131)]:
        for left, right in [(0, 17), (17, width - 2), (width - 2, width)]:
            size = bottom - top, right - left
            total += check_compiled_counts(planes, (top, left), size, (1, 2), order)
    whole = check_compiled_counts(planes, (0, 0), (131, width), (1, 2), order)
    np.testing.assert_array_equal(total, whole)


def test_compiled_counts_round_half_to_even_and_clip():
    rng = np.random.default_rng(0)
    planes = rng.integers(-9, 9, (1, 1, 40, 70)).astype(np.float32) / 2
    check_compiled_counts(planes, (0, 0), (40, 70), (1, 3), 3)
    planes *= 10.0 ** rng.integers(0, 18, planes.shape)
    check_compiled_counts(planes, (0, 0), (40, 70), (1, 5e4, 1e12), 3)
    check_compiled_counts(np.zeros_like(planes), (0, 0), (40, 70), (1,), 5)


def test_workspace_does_not_grow_with_the_size():
    peaks = []
    for side in (1500, 3000):
        X = np.zeros((1, side, side, 3), np.uint8)
        X[:, ::3, ::2] = 9
        AttributionFeatures().transform(X[:, :64, :64])
        tracemalloc.start()
        AttributionFeatures().transform(X)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]  # of four times as many pixels
    assert peaks[1] < 128 * 2**20

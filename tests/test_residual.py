import tracemalloc
import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
)
from sklearn.pipeline import FeatureUnion, make_pipeline

from skfingerprint import (
    ChannelDecorrelator,
    FingerprintClassifier,
    LinearPatternRemover,
    ResidualExtractor,
    SpectrumFlattener,
)
from skfingerprint.datasets import load_generators, make_fingerprint_images
from skfingerprint.denoising import gaussian, wavelet_wiener


def test_residual_is_image_minus_denoised(planted):
    images, _ = planted
    found = ResidualExtractor(sigma=2.0, wavelet="db2", level=2).transform(images)
    expected = images - wavelet_wiener(images, sigma=2.0, wavelet="db2", level=2)
    np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous


def test_denoiser_params_reach_the_denoiser(planted):
    images, _ = planted
    extractor = ResidualExtractor("gaussian", denoiser_params={"kernel_std": 2.0})
    expected = images - gaussian(images, kernel_std=2.0)
    np.testing.assert_array_equal(extractor.transform(images), expected)


def test_a_callable_gets_float32_and_its_own_parameters(planted):
    images, _ = planted
    seen = []

    def halve(stack, *, by):
        seen.append((stack.dtype, stack.shape[1:], by))
        return stack / by

    extractor = ResidualExtractor(halve, denoiser_params={"by": 2})
    np.testing.assert_array_equal(extractor.fit_transform(images), images / 2)
    assert set(seen) == {(np.dtype(np.float32), (32, 48), 2)}


def test_a_callable_that_changes_the_shape_is_refused(planted):
    images, _ = planted
    with pytest.raises(ValueError, match="must return the shape that it is given"):
        ResidualExtractor(lambda stack: stack[:, ::2]).transform(images)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"denoiser": "bm4d"}, r"one of \['gaussian', 'median', .*\], got 'bm4d'"),
        ({"sigma": -1.0}, r"sigma must be > 0, in grey levels, got -1.0"),
        ({"sigma": np.nan}, "sigma must be > 0"),
        ({"sigma": "3"}, "sigma must be > 0"),
        ({"level": 0}, "level must be an int >= 1, got 0"),
        ({"level": 2.5}, "level must be an int >= 1"),
        ({"wavelet": "db400"}, "db400"),
        ({"denoiser_params": {"sise": 3}}, r"holds \['sise'\]; for 'wavelet_wiener'"),
        ({"denoiser_params": {"sigma": 3}}, r"parameters of the extractor"),
        ({"image_shape": (32, 47)}, r"does not fit X, a stack"),
        ({"image_shape": 32}, "image_shape must be"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_wrong_parameters_are_named(planted, params, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(ResidualExtractor(**params), method)(planted[0])


def test_rows_that_do_not_fold_are_refused(planted):
    rows = planted[0].reshape(120, -1)
    with pytest.raises(ValueError, match=r"makes 1024 features a row, but X has 1536"):
        ResidualExtractor(image_shape=(32, 32)).fit(rows)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 32, 48, 4), r"Drop an alpha channel with `X\[..., :3\]`"),
        ((4, 3, 32, 48), r"np.moveaxis\(X, 1, -1\)"),
        ((48, 32, 3), r"too small.*pass `X\[np.newaxis\]`"),
        ((4, 13, 48), "too small"),
    ],
)
def test_layouts_that_are_not_stacks_are_refused(shape, message):
    images = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    with pytest.raises(ValueError, match=message):
        ResidualExtractor().fit(images).transform(images)


def test_images_scaled_to_one_raise_a_warning(planted):
    with pytest.warns(UserWarning, match="multiply the images by 255"):
        ResidualExtractor().fit(planted[0] / 255)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ResidualExtractor().fit(np.ones((2, 32, 32), dtype=np.float32))


def test_values_beyond_float32_are_refused():
    for value in (1e300, -1e300):
        with pytest.raises(ValueError, match="too large for float32"):
            ResidualExtractor().transform(np.full((1, 32, 32), value))


def test_one_image_is_refused_with_the_remedy(planted):
    images, y = planted
    for model in (ResidualExtractor(), FingerprintClassifier()):
        colour = np.stack([images] * 3, axis=-1)
        method = "transform" if hasattr(model, "transform") else "predict"
        with pytest.raises(ValueError, match=r"one image.*pass `X\[np.newaxis\]`"):
            getattr(model.fit(colour, y), method)(colour[0])


def test_stateless_transform_takes_any_size():
    extractor = ResidualExtractor()
    for size in (20, 32):
        assert extractor.transform(np.zeros((2, size, size))).shape == (2, size, size)


def test_names_exist_for_rows_only(planted):
    images, _ = planted
    with pytest.raises(NotFittedError):
        ResidualExtractor().get_feature_names_out()
    assert not hasattr(ResidualExtractor().fit(images), "get_feature_names_out")
    rows = images.reshape(120, -1)
    flat = ResidualExtractor(image_shape=(32, 48)).fit(rows)
    assert flat.get_feature_names_out()[-1] == "x1535"
    frame = flat.set_output(transform="pandas").transform(rows)
    assert frame.shape == rows.shape
    assert list(frame.columns[:2]) == ["x0", "x1"]


def test_feature_union_of_two_denoisers(planted):
    rows = planted[0].reshape(120, -1)
    union = FeatureUnion(
        [
            ("wiener", ResidualExtractor(image_shape=(32, 48))),
            ("gaussian", ResidualExtractor("gaussian", image_shape=(32, 48))),
        ]
    )
    found = union.fit_transform(rows)
    assert found.shape == (120, 2 * 32 * 48)
    np.testing.assert_array_equal(
        found[:, :1536], ResidualExtractor(image_shape=(32, 48)).transform(rows)
    )


def test_grid_search_over_the_denoiser(planted):
    images, y = planted
    grid = {
        "residualextractor__sigma": [1, 5],
        "residualextractor__denoiser": ["wavelet_wiener", "gaussian", "median"],
    }
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    search = GridSearchCV(pipeline, grid, cv=3).fit(images, y)
    assert len(search.cv_results_["params"]) == 6
    assert search.best_score_ > 0.9
    assert search.predict(images[:3]).tolist() == y[:3].tolist()


def test_memory_does_not_grow_with_the_number_of_images():
    images, _ = make_fingerprint_images(192, 2, image_shape=(128, 128, 3))
    workspace = []
    for n_samples in (48, 192):
        X = images[:n_samples]
        ResidualExtractor().transform(X[:1])
        tracemalloc.start()
        residuals = ResidualExtractor().transform(X)
        workspace.append(tracemalloc.get_traced_memory()[1] - residuals.nbytes)
        tracemalloc.stop()
    assert workspace[1] < 1.2 * workspace[0]


def test_whitened_channels_are_uncorrelated_whatever_their_order():
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(4, 16, 20, 3)) @ rng.normal(size=(3, 3))
    white = ChannelDecorrelator(shrinkage=0).fit_transform(mixed)
    for image in white.reshape(4, -1, 3):
        np.testing.assert_allclose(image.T @ image / len(image), np.eye(3), atol=1e-9)
    reverse = ChannelDecorrelator(shrinkage=0).fit_transform(mixed[..., ::-1])
    np.testing.assert_allclose(reverse[..., ::-1], white, atol=1e-9)


def test_whitening_of_grey_and_flat_residuals():
    rng = np.random.default_rng(0)
    grey = rng.normal(size=(3, 16, 20))
    scaled = ChannelDecorrelator().fit_transform(grey)
    ratio = scaled / grey
    np.testing.assert_allclose(ratio, ratio[:, :1, :1] * np.ones_like(grey))
    assert not ChannelDecorrelator().fit_transform(np.zeros((2, 8, 8, 3))).any()
    with pytest.raises(ValueError, match=r"shrinkage must be >= 0, got -0\.1"):
        ChannelDecorrelator(shrinkage=-0.1).fit(grey)


def test_whitening_helps_on_real_networks():
    data = load_generators()
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    scores = [
        cross_val_score(
            make_pipeline(ResidualExtractor(), *steps, FingerprintClassifier()),
            data.images,
            data.target,
            groups=data.groups,
            cv=folds,
        ).mean()
        for steps in ([], [ChannelDecorrelator()])
    ]
    assert scores[1] > scores[0]


@pytest.mark.parametrize("shape", [(2, 16, 20), (2, 15, 9, 3), (2, 1, 7)])
def test_linear_patterns_go_and_what_is_left_stays(shape):
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=shape)
    cleaned = LinearPatternRemover().fit_transform(residuals)
    for top in (0, 1):
        for left in (0, 1):
            part = cleaned[:, top::2, left::2]
            if part.size:
                np.testing.assert_allclose(part.mean(axis=1), 0, atol=1e-12)
                np.testing.assert_allclose(part.mean(axis=2), 0, atol=1e-12)
    again = LinearPatternRemover().fit_transform(cleaned)
    np.testing.assert_allclose(again, cleaned, atol=1e-12)


def literal_flattening(plane):
    height, width = plane.shape
    spectrum = np.fft.fft2(plane)
    amplitudes = np.abs(spectrum) / np.sqrt(height * width)
    noise = plane.var()
    kept = np.empty_like(amplitudes)
    for i in range(height):
        for j in range(width):
            means = []
            for side in (3, 5, 7, 9):
                half = side // 2
                rows = slice(max(i - half, 0), i + half + 1)
                columns = slice(max(j - half, 0), j + half + 1)
                means.append((amplitudes[rows, columns] ** 2).sum() / side**2)
            kept[i, j] = noise / (max(min(means) - noise, 0) + noise)
    return np.fft.ifft2(spectrum * kept).real


def test_flattening_equals_the_literal_filter():
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(2, 16, 18, 3))
    residuals += 2 * np.cos(np.pi / 2 * np.arange(18))[:, None]
    found = SpectrumFlattener().fit_transform(residuals)
    for i in range(2):
        for c in range(3):
            expected = literal_flattening(residuals[i, ..., c])
            np.testing.assert_allclose(found[i, ..., c], expected, atol=1e-9)
    assert not SpectrumFlattener().fit_transform(np.zeros((1, 16, 16))).any()


def test_cleaners_keep_float32_and_batches(planted, monkeypatch):
    images, _ = planted
    residuals = ResidualExtractor().transform(images[:9])
    for cleaner in (LinearPatternRemover(), SpectrumFlattener()):
        whole = cleaner.fit_transform(residuals)
        assert whole.dtype == np.float32
        monkeypatch.setattr("skfingerprint._batches.BATCH_VALUES", 2 * 32 * 48)
        np.testing.assert_allclose(cleaner.transform(residuals), whole, atol=1e-5)

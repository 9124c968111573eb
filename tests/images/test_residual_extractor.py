import tracemalloc
import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
)
from sklearn.pipeline import FeatureUnion, make_pipeline

from skfingerprint import FingerprintClassifier, ResidualExtractor, SpectrumTransformer
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.denoising import gaussian, wavelet_wiener
from tests.estimators import assert_same


def test_residual_is_image_minus_denoised(planted):
    images, _ = planted
    found = ResidualExtractor(sigma=2.0, wavelet="db2", level=2).transform(images)
    expected = images - wavelet_wiener(images, sigma=2.0, wavelet="db2", level=2)
    assert_same(found, expected)
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
    with pytest.raises(ValueError, match="must return real numbers of the shape"):
        ResidualExtractor(lambda stack: stack[:, ::2]).transform(images)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"denoiser": "bm4d"}, r"one of \['gaussian', 'median', .*\], got 'bm4d'"),
        ({"sigma": -1.0}, r"sigma must be > 0 and <= 10000, in grey levels, got -1.0"),
        ({"sigma": np.nan}, "sigma must be > 0"),
        ({"sigma": "3"}, "sigma must be > 0"),
        ({"level": 0}, "level must be an int >= 1, got 0"),
        ({"level": 2.5}, "level must be an int >= 1"),
        ({"wavelet": "db400"}, "db400"),
        ({"denoiser_params": {"sise": 3}}, r"holds \['sise'\]; for 'wavelet_wiener'"),
        ({"denoiser_params": {"sigma": 3}}, r"parameters of the extractor"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_wrong_parameters_are_named(planted, params, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(ResidualExtractor(**params), method)(planted[0])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 32, 48, 4), r"Drop an alpha channel with `X\[..., :3\]`"),
        ((4, 3, 32, 48), r"np.moveaxis\(X, 1, -1\)"),
        ((48, 32, 3), r"one image with 3 channels.*pass `X\[np.newaxis\]`"),
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
        color = np.stack([images] * 3, axis=-1)
        method = "transform" if hasattr(model, "transform") else "predict"
        with pytest.raises(ValueError, match=r"one image.*pass `X\[np.newaxis\]`"):
            getattr(model.fit(color, y), method)(color[0])


def test_stateless_transform_takes_any_size():
    extractor = ResidualExtractor()
    for size in (20, 32):
        assert extractor.transform(np.zeros((2, size, size))).shape == (2, size, size)


def test_names_pass_through_and_images_have_none(planted):
    images, _ = planted
    with pytest.raises(NotFittedError):
        ResidualExtractor().get_feature_names_out()
    extractor = ResidualExtractor().fit(images)
    assert extractor.get_feature_names_out() is None
    assert extractor.get_feature_names_out(["a", "b"]) == ["a", "b"]
    short = ResidualExtractor().fit(np.zeros((2, 20)))
    assert short.get_feature_names_out()[-1] == "x19"


def test_feature_union_of_two_denoisers(planted):
    images, _ = planted
    union = FeatureUnion(
        [
            (name, make_pipeline(ResidualExtractor(name), SpectrumTransformer()))
            for name in ("wiener", "gaussian")
        ]
    )
    found = union.fit_transform(images)
    expected = SpectrumTransformer().transform(
        ResidualExtractor("wiener").transform(images)
    )
    assert found.shape == (120, 2 * expected.shape[1])
    np.testing.assert_array_equal(found[:, : expected.shape[1]], expected)
    names = union.get_feature_names_out()
    assert len(names) == found.shape[1]
    assert names[0].startswith("wiener__spectrum_0_")


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
    images, _ = make_fingerprint_images(384, 2, image_shape=(128, 128, 3))
    workspace = []
    for n_samples in (96, 384):
        X = images[:n_samples]
        ResidualExtractor().transform(X[:1])
        tracemalloc.start()
        residuals = ResidualExtractor().transform(X)
        workspace.append(tracemalloc.get_traced_memory()[1] - residuals.nbytes)
        tracemalloc.stop()
    assert workspace[1] < 1.2 * workspace[0]

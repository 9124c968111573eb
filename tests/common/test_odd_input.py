"""What is not finite, too large, empty, or of an odd kind: an answer, or its name."""

import warnings

import joblib
import numpy as np
import pytest
import pywt
from sklearn.base import clone, is_classifier

from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    FingerprintDetector,
    FingerprintTransformer,
    ResidualExtractor,
    make_attribution_pipeline,
)
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.denoising import DENOISERS
from skfingerprint.perturbation import GaussianBlur, GaussianNoise, Resize
from tests.estimators import ANY_SIZE, ESTIMATORS, PERTURBING, assert_same

IMAGES, Y = make_fingerprint_images(
    24, 3, image_shape=(20, 24, 3), strength=5, random_state=0
)
RESIDUALS = IMAGES - IMAGES.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
LEARNERS = [FingerprintClassifier(), FingerprintTransformer(), FingerprintDetector()]


def takes_images(estimator):
    in_grey_levels = estimator in [*ANY_SIZE, *PERTURBING]
    return in_grey_levels or not hasattr(estimator, "predict")


def find_fingerprints(model):
    return getattr(model, "classifier_", model).fingerprints_


@pytest.mark.parametrize("model", LEARNERS, ids=str)
@pytest.mark.parametrize("weight", [1e38, 1e300, 1e-40, 1e-300])
def test_weights_of_any_size_weigh_alike(model, weight):
    expected = find_fingerprints(clone(model).fit(RESIDUALS, Y))
    weighted = clone(model).fit(RESIDUALS, Y, sample_weight=np.full(len(Y), weight))
    np.testing.assert_allclose(find_fingerprints(weighted), expected, atol=1e-4)
    with pytest.raises(ValueError, match="must have a finite sum"):
        model.fit(RESIDUALS, Y, sample_weight=np.full(len(Y), 1e308))


def test_weights_add_up_to_what_is_finite():
    model = FingerprintClassifier().fit(
        RESIDUALS, Y, sample_weight=np.full(len(Y), 1e307)
    )
    before = joblib.hash(vars(model))
    with pytest.raises(ValueError, match="must have a finite sum"):
        model.partial_fit(RESIDUALS, Y, sample_weight=np.full(len(Y), 1e308))
    assert joblib.hash(vars(model)) == before
    other = FingerprintClassifier().fit(
        RESIDUALS, Y, sample_weight=np.full(len(Y), 2e307)
    )
    with pytest.raises(ValueError, match="must have a finite sum"):
        model.merge(other)
    assert joblib.hash(vars(model)) == before


def test_merging_keeps_what_is_large():
    large = np.sign(RESIDUALS) * np.float32(1e18)
    one = FingerprintClassifier().fit(large, Y, sample_weight=np.full(len(Y), 1e300))
    other = FingerprintClassifier().fit(-large, Y, sample_weight=np.full(len(Y), 1e300))
    merged = one.merge(other)
    np.testing.assert_allclose(merged.fingerprints_ / 1e18, 0, atol=1e-6)


def as_dask(X):
    return pytest.importorskip("dask.array").from_array(X, chunks=(5, *X.shape[1:]))


@pytest.mark.parametrize("convert", [np.asarray, as_dask])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39, -1e19, 1e300])
@pytest.mark.parametrize(
    "model", [*LEARNERS, AttributionFeatures(), ResidualExtractor()], ids=str
)
def test_the_image_that_is_not_finite_is_named(model, value, convert):
    X = IMAGES.astype(np.float64)
    X[13, 1, 2, 0] = value
    message = "image 13 of X holds NaN or inf"
    if np.isfinite(value):
        message = "image 13 of X holds .*, too large for float32"
    with pytest.raises(ValueError, match=message):
        np.asarray(clone(model).fit(convert(X), Y).transform(convert(X)))
    scoring = "predict" if hasattr(model, "predict") else "transform"
    with pytest.raises(ValueError, match=message):
        np.asarray(getattr(model.fit(IMAGES, Y), scoring)(convert(X)))


def test_rows_are_named_rows():
    X = RESIDUALS.reshape(len(Y), -1)[:, :100].copy()
    X[7, 3] = np.nan
    with pytest.raises(ValueError, match="row 7 of X holds NaN"):
        FingerprintClassifier().fit(X, Y)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_blocks_without_images_change_nothing(estimator):
    if type(estimator).__name__ == "Unflatten":
        estimator = type(estimator)(IMAGES.shape[1:])
    X = IMAGES if takes_images(estimator) else RESIDUALS
    lazy = as_dask(X).rechunk({0: (0, 7, 0, 9, 8, 0)})
    for call in ("fit", "predict", "transform"):
        if not hasattr(estimator, call):
            continue
        if call == "fit":
            eager, model = (clone(estimator).fit(part, Y) for part in (X, lazy))
            continue
        found, expected = (getattr(m, call)(p) for m, p in ((model, lazy), (eager, X)))
        if call == "transform":
            np.testing.assert_allclose(np.asarray(found), expected, atol=1e-3)
        else:
            assert found.tolist() == expected.tolist()


def test_masks_and_dask_labels_go_through_the_recommended_pipeline():
    da = pytest.importorskip("dask.array")
    mask = np.arange(len(Y)) >= 5
    X = as_dask(IMAGES)[da.from_array(mask, chunks=5)].compute_chunk_sizes()
    y = da.from_array(Y[mask], chunks=3)
    assert 0 in X.chunks[0]
    pipeline = make_attribution_pipeline(perturbations=[GaussianBlur(std=0.5)])
    expected = clone(pipeline).fit(IMAGES[mask], Y[mask])
    found = pipeline.fit(X, y)
    np.testing.assert_allclose(
        found.predict_proba(X), expected.predict_proba(IMAGES[mask]), atol=1e-2
    )
    assert found.score(X, y) == 1


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "loky"])
def test_every_backend_of_joblib_does(backend):
    images = np.concatenate([IMAGES] * 120)  # of several batches
    expected = ResidualExtractor().fit_transform(images)
    with joblib.parallel_config(backend, n_jobs=2):
        found = ResidualExtractor(n_jobs=2).fit_transform(images)
        pipeline = make_attribution_pipeline(perturbations=[GaussianBlur()], n_jobs=2)
        assert pipeline.fit(IMAGES, Y).score(IMAGES, Y) == 1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["f2", ">f4", ">u2", "g", "i8", "u4"])
def test_dtypes_of_every_kind_do(dtype):
    X = IMAGES.astype(dtype)
    for transformer in (ResidualExtractor(), AttributionFeatures()):
        expected = transformer.fit_transform(IMAGES)
        np.testing.assert_allclose(transformer.fit_transform(X), expected, atol=1e-4)
    assert FingerprintClassifier().fit(X, Y).score(X, Y) > 0.3


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_settings_of_floating_point_errors_change_nothing(estimator):
    if type(estimator).__name__ == "Unflatten":
        pytest.skip("no arithmetic")
    X = IMAGES.astype(np.float32) if takes_images(estimator) else RESIDUALS
    black = X * (np.arange(len(X)) != 7)[:, None, None, None]
    for images in (X, black, X * np.float32(1e-20)):
        images = images.astype(np.float32)
        with np.errstate(all="raise"):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "image 0 lies in")
                estimator.fit(images, Y)
                for name in ("transform", "predict", "decision_function", "assess"):
                    if hasattr(estimator, name):
                        getattr(estimator, name)(images)


def test_a_wavelet_may_be_an_object():
    expected = ResidualExtractor(wavelet="sym4").fit_transform(IMAGES)
    extractor = clone(ResidualExtractor(wavelet=pywt.Wavelet("sym4")))
    assert_same(extractor.fit_transform(IMAGES), expected)
    own = pywt.Wavelet("db4", filter_bank=pywt.Wavelet("sym4").filter_bank)
    for wrong in ("morl", "none", 3, None, own):
        with pytest.raises(ValueError, match="wavelet must be one of"):
            ResidualExtractor(wavelet=wrong).fit(IMAGES)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("wavelet_wiener", {"sigma": -1}),
        ("wavelet_wiener", {"sigma": 1e30}),
        ("wavelet_wiener", {"level": 0}),
        ("wavelet_shrink", {"sigma": 0}),
        ("wiener", {"sigma": -1}),
        ("wiener", {"size": 0}),
        ("wiener", {"size": 2.5}),
        ("gaussian", {"kernel_std": -1}),
        ("gaussian", {"kernel_std": 0}),
        ("gaussian", {"kernel_std": np.nan}),
        ("gaussian", {"kernel_std": "1"}),
        ("gaussian", {"kernel_std": 1e9}),
        ("median", {"size": 0}),
        ("median", {"size": -3}),
        ("median", {"size": 2.5}),
        ("nl_means", {"patch_size": 0}),
        ("nl_means", {"patch_distance": -1}),
        ("total_variation", {"weight": 0}),
        ("total_variation", {"weight": np.inf}),
        ("total_variation", {"n_iter": 0}),
    ],
)
def test_parameters_of_denoisers_are_checked(name, params):
    (key,) = params
    with pytest.raises(ValueError, match=f"{key} must be"):
        DENOISERS[name](IMAGES, **params)
    own = {} if key in ("sigma", "level") else {"denoiser_params": params}
    extractor = ResidualExtractor(name, **(own or params))
    with pytest.raises(ValueError, match=f"{key} must be"):
        extractor.fit_transform(IMAGES)


@pytest.mark.parametrize(
    "perturbation",
    [GaussianBlur(std=1e9), GaussianNoise(std=np.inf), Resize(scale=1e9)],
    ids=str,
)
def test_perturbations_stay_within_memory(perturbation):
    pytest.importorskip("PIL")
    with pytest.raises(ValueError, match="must be > 0 and <="):
        perturbation.fit_transform(IMAGES)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("denoiser", "message"),
    [
        (lambda images: images * np.nan, "must return finite numbers"),
        (lambda images: images + np.inf, "must return finite numbers"),
        (lambda images: None, "must return real numbers of the shape"),
        (lambda images: images + 0j, "must return real numbers of the shape"),
        (lambda images: images[1:], "must return real numbers of the shape"),
    ],
)
def test_what_a_callable_returns_is_checked(denoiser, message, lazy):
    X = as_dask(IMAGES) if lazy else IMAGES
    with pytest.raises(ValueError, match=message):
        np.asarray(ResidualExtractor(denoiser).fit_transform(X))


def test_a_callable_may_change_its_images_in_place():
    def halve(images):
        images *= 0.5
        return images

    X = IMAGES.astype(np.float32)
    np.testing.assert_array_equal(ResidualExtractor(halve).fit_transform(X), X / 2)
    np.testing.assert_array_equal(X, IMAGES)


WITH_LABELS = [
    *(e for e in ESTIMATORS if is_classifier(e)),
    FingerprintDetector(),
    FingerprintTransformer(),
    make_attribution_pipeline(perturbations=()),
    make_attribution_pipeline(
        perturbations=[GaussianBlur(std=1)], false_alarm_rate=0.1
    ),
]


@pytest.mark.parametrize("model", WITH_LABELS, ids=str)
def test_labels_that_have_no_order_are_named(model):
    X = IMAGES.astype(np.float32)
    for odd, message in (
        (None, "y holds None for image 3"),
        (np.nan, "y holds nan for image 3"),
        (7, "y holds text and numbers"),
    ):
        labels = [f"source {label}" for label in Y]
        labels[3] = odd
        for y in (labels, np.array(labels, dtype=object)):
            with pytest.raises(ValueError, match=message):
                clone(model).fit(X, y)


def test_labels_of_frames_may_be_missing():
    pandas = pytest.importorskip("pandas")
    y = pandas.Series(["a", pandas.NA, *"ba" * 11], dtype=object)
    with pytest.raises(ValueError, match="y holds <NA> for image 1"):
        FingerprintClassifier().fit(RESIDUALS, y)


def test_one_image_of_a_source_is_named():
    model = make_attribution_pipeline(perturbations=())
    with pytest.raises(ValueError, match="each class needs at least 2 images"):
        model.fit(IMAGES[:4], [0, 1, 2, 3])
    with pytest.raises(ValueError, match="at least 2 groups"):
        model.fit(IMAGES, Y, groups=np.zeros(24))
    with pytest.raises(ValueError, match="groups must have an entry for each of"):
        model.fit(IMAGES, Y, groups=np.zeros(23))


@pytest.mark.parametrize("model", WITH_LABELS, ids=str)
def test_what_is_no_list_of_labels_is_named(model):
    X = IMAGES.astype(np.float32)
    for y in ((label for label in Y), 3):
        with pytest.raises(ValueError, match="y must be a list or an array of labels"):
            clone(model).fit(X, y)
    column = np.array([["a"], [None], *[["b"], ["a"]] * 11], dtype=object)
    with pytest.raises(ValueError, match="y holds None for image 1"):
        clone(model).fit(X, column)


@pytest.mark.parametrize("perturbations", [(), [GaussianBlur(std=1)]])
def test_labels_and_lengths_come_before_the_work(perturbations):
    model = make_attribution_pipeline(perturbations=perturbations)
    with pytest.raises(ValueError, match="requires y"):
        model.fit(IMAGES)
    for groups in ("scene", range(23)):
        with pytest.raises(ValueError, match="groups must have an entry for each of"):
            model.fit(IMAGES, Y, groups=groups)

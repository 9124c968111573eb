"""Checks that every exported estimator passes: scikit-learn's, and the project's."""

import pickle

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import skfingerprint
from skfingerprint import (
    AugmentedClassifier,
    ChannelDecorrelator,
    CooccurrenceTransformer,
    FingerprintClassifier,
    FingerprintDetector,
    FingerprintTransformer,
    LinearPatternRemover,
    RejectingClassifier,
    ResidualExtractor,
    SpectrumFlattener,
    SpectrumTransformer,
)
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.perturbation import (
    Crop,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    Resize,
    Shift,
)

ESTIMATORS = [
    ResidualExtractor(),
    ResidualExtractor("gaussian"),
    ResidualExtractor("median"),
    ResidualExtractor("wavelet_shrink"),
    ResidualExtractor("wiener"),
    ResidualExtractor(cycle_spins=4),
    FingerprintClassifier(),
    FingerprintClassifier(subtract_common=True),
    FingerprintClassifier(statistic="pce"),
    FingerprintClassifier(max_shift=2),
    FingerprintTransformer(),
    FingerprintDetector(),
    FingerprintDetector(false_alarm_rate=0.2, subtract_common=True),
    RejectingClassifier(
        FingerprintClassifier(), FingerprintDetector(), unknown_label=-7
    ),
    SpectrumTransformer(),
    SpectrumTransformer(block_size=8, radial=True, color_space="ycbcr"),
    CooccurrenceTransformer(),
    ChannelDecorrelator(),
    LinearPatternRemover(),
    SpectrumFlattener(),
    AugmentedClassifier(FingerprintClassifier(), []),
    JPEGCompression(),
    Resize(),
    GaussianBlur(),
    GaussianNoise(),
    Crop(),
    Shift(),
]
# By design: `fit_transform` scores each row against folds without it, and `transform`
# against all. Equality would be the leak that the estimator is there to prevent.
CROSS_FITTED = {"check_transformer_general", "check_transformer_data_not_an_array"}
ALL = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
COLOUR = make_fingerprint_images(24, 3, image_shape=(20, 24, 3), random_state=0)
GREY = make_fingerprint_images(24, 3, image_shape=(20, 24), random_state=0)


def answer(estimator, X):
    """What an estimator says of X."""
    for method in ("transform", "decision_function", "predict"):
        if hasattr(estimator, method):
            return getattr(estimator, method)(X)


def test_every_estimator_is_checked():
    exported = {
        name
        for name in skfingerprint.__all__
        if hasattr(getattr(skfingerprint, name), "get_params")
    }
    exported |= {
        name
        for name, value in vars(skfingerprint.perturbation).items()
        if name[0] != "_" and value.__class__ is type and hasattr(value, "_perturb")
    }
    assert exported == {type(estimator).__name__ for estimator in ESTIMATORS}


@ALL
def test_scikit_learn_checks(estimator):
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    failed = [
        (result["check_name"], result["status"], result["exception"])
        for result in results
        if result["status"] != "passed"
    ]
    if isinstance(estimator, FingerprintTransformer):
        assert {name for name, *_ in failed} == CROSS_FITTED
        failed = []
    assert not failed
    assert len(results) > 40


@ALL
@pytest.mark.parametrize("data", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_stack_equals_its_rows(estimator, data):
    X, y = data
    stacked = answer(clone(estimator).fit(X, y), X)
    flat = clone(estimator)
    if "image_shape" in flat.get_params():
        flat.set_params(image_shape=X.shape[1:])
    rows = X.reshape(len(X), -1)
    found = answer(flat.fit(rows, y), rows)
    np.testing.assert_array_equal(found, stacked.reshape(found.shape))
    assert flat.n_features_in_ == rows.shape[1]


@ALL
def test_dtypes_agree(estimator):
    X, y = COLOUR
    expected = answer(clone(estimator).fit(X, y), X)
    for dtype in (np.float32, np.float64, np.int16, ">f4"):
        found = answer(clone(estimator).fit(X.astype(dtype), y), X.astype(dtype))
        np.testing.assert_allclose(found, expected, atol=1e-4)


@ALL
def test_pickle_and_clone(estimator):
    X, y = COLOUR
    fitted = clone(estimator).fit(X, y)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(answer(copied, X), answer(fitted, X))
    assert repr(clone(fitted)) == repr(estimator)


@ALL
def test_refit_forgets(estimator):
    (X, y), (grey, labels) = COLOUR, GREY
    refitted = clone(estimator).fit(grey, labels[::-1]).fit(X, y)
    fresh = clone(estimator).fit(X, y)
    assert refitted.image_shape_ == fresh.image_shape_ == (20, 24, 3)
    np.testing.assert_array_equal(answer(refitted, X), answer(fresh, X))


@ALL
def test_order_and_size_of_batches_change_nothing(estimator):
    X, y = COLOUR
    fitted = clone(estimator).fit(X, y)
    whole = answer(fitted, X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(answer(fitted, X[order]), whole[order], atol=1e-5)
    parts = [answer(fitted, X[i : i + 5]) for i in range(0, len(X), 5)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


@pytest.mark.parametrize("backend", ["threading", "loky", None])
def test_n_jobs_changes_nothing(backend, monkeypatch):
    monkeypatch.setattr("skfingerprint._batches.BATCH_VALUES", 5 * 20 * 24 * 3)
    X, _ = COLOUR
    expected = ResidualExtractor().transform(X)
    if backend is None:
        found = ResidualExtractor(n_jobs=2).transform(X)
    else:
        with parallel_config(backend, n_jobs=2):
            found = ResidualExtractor().transform(X)
    np.testing.assert_array_equal(found, expected)


@ALL
def test_refused_data_change_nothing(estimator):
    X, y = COLOUR
    fitted = clone(estimator).fit(X, y)
    before = {name: np.copy(value) for name, value in vars(fitted).items()}
    holed = X[:, :16].astype(float)
    holed[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(holed, y)
    with pytest.raises(ValueError, match=r"shape \(16, 24, 3\).*shape \(20, 24, 3\)"):
        answer(fitted, X[:, :16])
    with pytest.raises(ValueError, match=r"shape \(24, 20, 3\)"):
        answer(fitted, X.swapaxes(1, 2))
    with pytest.raises(ValueError, match=r"shape \(1440,\)"):
        answer(fitted, X.reshape(len(X), -1))
    after = vars(fitted)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)


@ALL
@pytest.mark.parametrize("container", [list, "object"])
def test_ragged_images_are_refused_with_the_remedy(estimator, container):
    images = [np.zeros((20, 24, 3)), np.zeros((20, 25, 3))]
    if container == "object":
        ragged = np.empty(2, dtype=object)
        ragged[:] = images
        images = ragged
    with pytest.raises(ValueError, match=r"load_image_folder\(path, image_shape="):
        clone(estimator).fit(images, [0, 1])


@ALL
def test_paths_are_refused_with_the_remedy(estimator):
    for paths in (["a.png", "b.png"], np.array(["a.png", "b.png"], dtype=object)):
        with pytest.raises(ValueError, match="load the files first"):
            clone(estimator).fit(paths, [0, 1])


@ALL
def test_a_list_of_images_is_a_stack(estimator):
    X, y = COLOUR
    fitted = clone(estimator).fit(list(X), y)
    np.testing.assert_array_equal(
        answer(fitted, list(X)), answer(clone(estimator).fit(X, y), X)
    )


@ALL
def test_five_axes_are_refused(estimator):
    with pytest.raises(ValueError, match="got 5 axes"):
        clone(estimator).fit(np.zeros((2, 3, 16, 16, 3)), [0, 1])


@ALL
@pytest.mark.parametrize("output", ["pandas", "default"])
def test_global_output_does_not_break_stacks(estimator, output):
    X, y = COLOUR
    expected = answer(clone(estimator).fit(X, y), X)
    with sklearn.config_context(transform_output=output):
        found = answer(clone(estimator).fit(X, y), X)
    np.testing.assert_array_equal(found, expected)

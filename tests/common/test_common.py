"""Checks that every exported estimator passes: scikit-learn's, and the project's."""

import pickle
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import skfingerprint
from skfingerprint import (
    FingerprintClustering,
    FingerprintDetector,
    FingerprintTransformer,
    ImageReader,
    PatchWhitener,
    RejectingClassifier,
    ResidualExtractor,
    SourceDetector,
    SourceDiscriminant,
    SpectrumTransformer,
    Unflatten,
    WindowedClassifier,
)
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.perturbation import (
    AVIFCompression,
    JPEGCompression,
    Resize,
    WebPCompression,
)
from tests.estimators import (
    ANY_SIZE,
    ESTIMATORS,
    PERTURBING,
    SORTING,
    STATELESS,
    TRANSFORMERS,
    assert_same,
)

# By design: `fit_transform` scores each row against folds without it, and `transform`
# against all. Equality would be the leak that the estimator is there to prevent.
CROSS_FITTED = {"check_transformer_general", "check_transformer_data_not_an_array"}
# By design: weights are relative, so that a fit does not depend on their unit. Repeated
# rows are more images, on which the penalty, the tails and the probabilities depend.
RELATIVE_WEIGHTS = {"check_sample_weight_equivalence_on_dense_data"}
RELATIVE = (
    SourceDiscriminant,
    SourceDetector,
    FingerprintDetector,
    RejectingClassifier,
)
PANDAS = find_spec("pandas") is not None
ALL = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
COLOR = make_fingerprint_images(24, 3, image_shape=(20, 24, 3), random_state=0)
GREY = make_fingerprint_images(24, 3, image_shape=(20, 24), random_state=0)
# Those that scikit-learn's own Pipeline of this single step fails: fitted steps take
# the place of the unfitted ones, so that `fit` changes the parameter `steps`.
OF_PIPELINES = {
    "check_dont_overwrite_parameters",
    "check_estimators_overwrite_params",
}
# Rows that scikit-learn's checks could feed, and that are no pictures.
SHORT = (GREY[0].reshape(24, -1)[:, ::5].astype(np.float32), GREY[1])


def fit(estimator, X, y):
    """Fit a clone, of which only Unflatten has a shape that must fit the data."""
    fresh = clone(estimator)
    if isinstance(fresh, Unflatten) and np.ndim(X) > 2:
        fresh.set_params(image_shape=np.shape(X)[1:])
    return fresh.fit(X, y)


def answer(estimator, X):
    """What an estimator says of X; of the X of `fit` if it sorts nothing else."""
    for method in ("transform", "decision_function", "predict"):
        if hasattr(estimator, method):
            return getattr(estimator, method)(X)
    steps = getattr(estimator, "steps", [("", estimator)])
    return steps[-1][1].labels_


def looks_at_neighbors(estimator):
    if isinstance(estimator, RejectingClassifier):
        return False
    params = estimator.get_params()
    if "max_shift" in params:
        return params["max_shift"] != 0 or params["statistic"] == "pce"
    if "window_size" in params:
        return True
    makes_images = isinstance(estimator, (ImageReader, Unflatten))
    return estimator in PERTURBING or (estimator in ANY_SIZE and not makes_images)


def find_first(fitted):
    """Return what saw the images: the first step of a pipeline, or the estimator."""
    return fitted[0] if isinstance(fitted, Pipeline) else fitted


def test_every_estimator_is_checked():
    exported = {
        name
        for name in skfingerprint.__all__
        if hasattr(getattr(skfingerprint, name), "get_params")
    }
    exported |= {
        name
        for name, value in vars(skfingerprint.perturbation).items()
        if name[0] != "_" and isinstance(value, type) and hasattr(value, "_perturb")
    }
    exported |= {"ImitationGenerator"}
    assert exported == {type(estimator).__name__ for estimator in ESTIMATORS}


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:detection_rate_ is"
)  # the checks' data have no sources
@ALL
def test_scikit_learn_checks(estimator):
    if isinstance(estimator, Unflatten):
        estimator = Unflatten((1, -1))  # the checks' rows have many lengths
    if isinstance(
        estimator, (AVIFCompression, JPEGCompression, Resize, WebPCompression)
    ):
        pytest.importorskip("PIL")
    if isinstance(estimator, FingerprintClustering):
        pytest.importorskip("networkx")
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    failed = [
        (result["check_name"], result["status"], result["exception"])
        for result in results
        if result["status"] != "passed"
        and (PANDAS or "pandas is not installed" not in str(result["exception"]))
    ]
    expected = set()
    if isinstance(estimator, FingerprintTransformer):
        expected = CROSS_FITTED
    elif isinstance(estimator, Pipeline):
        expected = OF_PIPELINES
    elif isinstance(estimator, RELATIVE):
        expected = RELATIVE_WEIGHTS
    assert {name for name, *_ in failed} == expected, failed
    assert len(results) > 40


@ALL
@pytest.mark.parametrize("data", [GREY, COLOR], ids=["grey", "color"])
def test_a_stack_equals_unflattened_rows(estimator, data):
    X, y = data
    stacked = answer(fit(estimator, X, y), X)
    rows = X.reshape(len(X), -1)
    shape = X.shape[1:]
    inner = estimator
    if isinstance(inner, Unflatten):
        inner = Unflatten(shape)
    flat = make_pipeline(Unflatten(shape), clone(inner)).fit(rows, y)
    assert_same(answer(flat, rows), stacked)
    assert flat.n_features_in_ == rows.shape[1]


@ALL
def test_long_rows_are_folded_or_refused(estimator):
    X, y = COLOR
    rows = X.reshape(len(X), -1)
    if looks_at_neighbors(estimator):
        for width in (128, rows.shape[1]):
            message = rf"rows of {width} numbers.*Unflatten\(image_shape\)"
            with pytest.raises(ValueError, match=message):
                clone(estimator).fit(rows[:, :width], y)
            if estimator not in PERTURBING:  # no image is perturbed but in `fit`
                with pytest.raises(ValueError, match=message):
                    answer(clone(estimator).fit(rows[:, :127], y), rows[:, :width])
    else:
        found = answer(fit(estimator, rows, y), rows)
        expected = answer(fit(estimator, X, y), X)
        assert_same(found.reshape(expected.shape), expected)


@ALL
def test_no_other_estimator_has_an_image_shape(estimator):
    assert ("image_shape" in estimator.get_params(deep=True)) == isinstance(
        estimator, (ImageReader, Unflatten)
    )


@ALL
def test_dtypes_agree(estimator):
    X, y = COLOR
    expected = answer(fit(estimator, X, y), X)
    for dtype in (np.float32, np.float64, np.int16, ">f4"):
        found = answer(fit(estimator, X.astype(dtype), y), X.astype(dtype))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@ALL
def test_pickle_and_clone(estimator):
    X, y = COLOR
    fitted = fit(estimator, X, y)
    copied = pickle.loads(pickle.dumps(fitted))
    assert_same(answer(copied, X), answer(fitted, X))
    if not isinstance(estimator, Unflatten):
        assert repr(clone(fitted)) == repr(estimator)


@ALL
def test_refit_forgets(estimator):
    (X, y), (rows, labels) = COLOR, SHORT
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=[f"p{i}" for i in range(rows.shape[1])])
    fresh = fit(estimator, X, y)
    refitted = clone(estimator)
    if isinstance(estimator, Unflatten):
        refitted.set_params(image_shape=(1, -1)).fit(frame).set_params(
            image_shape=fresh.image_shape
        )
    else:
        refitted.fit(frame, labels[::-1])
        if estimator not in PERTURBING:  # columns of copies have no names
            assert list(refitted.feature_names_in_) == list(frame.columns)
    refitted.fit(X, y)
    assert vars(refitted).keys() == vars(fresh).keys()
    assert_same(answer(refitted, X), answer(fresh, X))


@ALL
def test_what_is_remembered_of_the_images(estimator):
    X, y = COLOR
    fitted = fit(estimator, X, y)
    if estimator in ANY_SIZE:
        assert fitted.n_channels_ == 3
        assert not hasattr(fitted, "image_shape_")
        assert not hasattr(fitted, "n_features_in_")
    else:
        assert find_first(fitted).image_shape_ == (20, 24, 3)
        assert fitted.n_features_in_ == 20 * 24 * 3


@pytest.mark.parametrize(
    "estimator", [e for e in ANY_SIZE if e in TRANSFORMERS], ids=repr
)
def test_transformers_take_other_sizes_but_not_other_channels(estimator):
    if isinstance(estimator, Unflatten):
        return
    X, y = COLOR
    fitted = fit(estimator, X, y)
    other, _ = make_fingerprint_images(3, 3, image_shape=(36, 30, 3), random_state=0)
    if isinstance(estimator, PatchWhitener):
        assert fitted.transform(other).shape == (3, 23)
    elif getattr(fitted, "block_shape_", (20, 24)) == (20, 24) and hasattr(
        fitted, "block_shape_"
    ):
        with pytest.raises(ValueError, match=r"blocks of \(32, 30\).*\(20, 24\)"):
            fitted.transform(other)
    else:
        found = fitted.transform(other)
        assert_same(found, clone(fitted).fit_transform(other))
    with pytest.raises(ValueError, match=r"1 channel\(s\).*fitted with 3"):
        fitted.transform(GREY[0])
    with pytest.raises(ValueError, match=r"one image.*pass `X\[np.newaxis\]`"):
        fitted.transform(X[0])


@ALL
def test_order_and_size_of_batches_change_nothing(estimator):
    if estimator in SORTING:
        return
    X, y = COLOR
    fitted = fit(estimator, X, y)
    whole = answer(fitted, X)
    order = np.random.default_rng(0).permutation(len(X))
    # Without numba, how products are summed depends on the size of the batch.
    np.testing.assert_allclose(answer(fitted, X[order]), whole[order], atol=1e-4)
    parts = [answer(fitted, X[i : i + 5]) for i in range(0, len(X), 5)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky", None])
def test_n_jobs_changes_nothing(backend, monkeypatch):
    monkeypatch.setattr("skfingerprint._core.blocks.BATCH_VALUES", 5 * 20 * 24 * 3)
    X, _ = COLOR
    expected = ResidualExtractor().transform(X)
    if backend is None:
        found = ResidualExtractor(n_jobs=2).transform(X)
    else:
        with parallel_config(backend, n_jobs=2):
            found = ResidualExtractor().transform(X)
    np.testing.assert_array_equal(found, expected)


@ALL
def test_refused_data_change_nothing(estimator):
    X, y = COLOR
    fitted = fit(estimator, X, y)
    before = pickle.dumps(vars(fitted))
    holed = X[:, :16].astype(float)
    holed[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(holed, y)
    if estimator not in [*ANY_SIZE, *SORTING]:
        with pytest.raises(ValueError, match=r"\(16, 24, 3\).*shape \(20, 24, 3\)"):
            answer(fitted, X[:, :16])
        with pytest.raises(ValueError, match=r"shape \(24, 20, 3\)"):
            answer(fitted, X.swapaxes(1, 2))
        with pytest.raises(ValueError, match=r"shape \(1440,\)|rows of 1440 numbers"):
            answer(fitted, X.reshape(len(X), -1))
    assert pickle.dumps(vars(fitted)) == before


@ALL
@pytest.mark.parametrize("container", [list, "object"])
def test_ragged_images_are_refused_with_the_remedy(estimator, container):
    images = [np.zeros((20, 24, 3)), np.zeros((20, 25, 3))]
    if container == "object":
        ragged = np.empty(2, dtype=object)
        ragged[:] = images
        images = ragged
    if isinstance(estimator, WindowedClassifier):
        fitted = clone(estimator).fit([*images, *images], [0, 0, 1, 1])
        assert fitted.predict(images).shape == (2,)
        return
    if estimator in ANY_SIZE and not isinstance(estimator, Unflatten):
        # Position does not matter; blocks of spectra do.
        wide = [image.repeat(2, axis=0).repeat(2, axis=1) for image in images]
        assert len(clone(estimator).fit(wide).transform(wide)) == 2
        return
    with pytest.raises(ValueError, match=r"load_image_folder\(path, image_shape="):
        clone(estimator).fit(images, [0, 1])


@ALL
def test_paths_are_refused_with_the_remedy(estimator):
    if isinstance(estimator, ImageReader):
        return
    for paths in (["a.png", "b.png"], np.array(["a.png", "b.png"], dtype=object)):
        with pytest.raises(ValueError, match="load the files first"):
            clone(estimator).fit(paths, [0, 1])


@ALL
def test_a_list_of_images_is_a_stack(estimator):
    X, y = COLOR
    fitted = fit(estimator, list(X), y)
    assert_same(answer(fitted, list(X)), answer(fit(estimator, X, y), X))


@ALL
def test_five_axes_are_refused(estimator):
    with pytest.raises(ValueError, match="got 5 axes"):
        clone(estimator).fit(np.zeros((2, 3, 16, 16, 3)), [0, 1])


@ALL
@pytest.mark.parametrize("output", ["pandas", "polars", "default"])
def test_global_output_does_not_break_stacks(estimator, output):
    X, y = COLOR
    if output != "default":
        pytest.importorskip(output)
    expected = answer(fit(estimator, X, y), X)
    with sklearn.config_context(transform_output=output):
        found = answer(fit(estimator, X, y), X)
    assert_same(found, expected)


@pytest.mark.parametrize("estimator", TRANSFORMERS, ids=repr)
@pytest.mark.parametrize("output", ["pandas", "polars", "default"])
def test_every_transformer_has_set_output_before_and_after_fit(estimator, output):
    X, y = COLOR
    if output != "default":
        pytest.importorskip(output)
    for stage in ("before", "after"):
        fitted = fit(estimator, X, y)
        if stage == "before":
            fitted = clone(fitted).set_output(transform=output).fit(X, y)
        assert fitted.set_output(transform=output) is fitted
        found = fitted.transform(X)
        if output == "default" or fitted.get_feature_names_out() is None:
            assert isinstance(found, np.ndarray)
        else:
            assert type(found).__module__.startswith(output)
            assert list(found.columns) == list(fitted.get_feature_names_out())


@pytest.mark.parametrize("estimator", TRANSFORMERS, ids=repr)
def test_names_pass_through_to_what_has_columns(estimator):
    X, y = COLOR
    steps = [clone(estimator)]
    if isinstance(estimator, Unflatten):
        steps = [Unflatten(X.shape[1:])]
    if estimator.__class__ not in (FingerprintTransformer,):
        given = clone(steps[0]).fit(X, y)
        if given.get_feature_names_out() is None:
            steps.append(SpectrumTransformer())
    pipeline = make_pipeline(*steps).fit(X, y)
    names = pipeline.get_feature_names_out()
    assert len(names) == pipeline.transform(X).shape[1] == len(set(names))


@ALL
@pytest.mark.parametrize("kind", ["pandas", "nullable", "polars"])
def test_frames_of_rows_give_no_warning(estimator, kind):
    rows, y = SHORT
    names = [f"p{i}" for i in range(rows.shape[1])]
    library = pytest.importorskip("polars" if kind == "polars" else "pandas")
    if kind == "polars":
        frame = library.DataFrame(rows, schema=names)
    else:
        frame = library.DataFrame(rows, columns=names)
        if kind == "nullable":
            frame = frame.astype("Float32")
    estimator = Unflatten((1, -1)) if isinstance(estimator, Unflatten) else estimator
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "the false-alarm rate is learned from")
        warnings.filterwarnings("ignore", "detection_rate_ is")
        fitted = clone(estimator).fit(frame, y)
        # Columns of copies have no names.
        found = answer(fitted, rows if estimator in PERTURBING else frame)
    if estimator not in PERTURBING:
        assert list(fitted.feature_names_in_) == names
    expected = answer(clone(estimator).fit(rows, y), rows)
    assert_same(found, expected)


@ALL
def test_the_documentation_is_linked_where_the_package_names_it(estimator, monkeypatch):
    assert estimator._get_doc_link() == ""
    monkeypatch.setattr(
        "skfingerprint._core.state._find_documentation", lambda: "https://docs.example/"
    )
    name = type(estimator).__name__
    module = "" if hasattr(skfingerprint, name) else ".perturbation"
    if name == "ImitationGenerator":
        module = ".imitation"
    assert estimator._get_doc_link() == (
        f"https://docs.example/api/generated/skfingerprint{module}.{name}.html"
    )
    assert "https://docs.example/" in ResidualExtractor()._repr_html_()


@pytest.mark.parametrize("urls", [[], ["Documentation, https://docs.example"]])
def test_the_metadata_of_the_package_have_the_address(urls, tmp_path, monkeypatch):
    lines = ["Metadata-Version: 2.4", "Name: skfingerprint", "Version: 0"]
    lines += [f"Project-URL: {url}" for url in ["Paper, https://paper.example", *urls]]
    folder = tmp_path / "skfingerprint-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    page = "https://docs.example/api/generated/skfingerprint.ResidualExtractor.html"
    assert ResidualExtractor()._get_doc_link() == (page if urls else "")
    assert ("docs.example" in ResidualExtractor()._repr_html_()) == bool(urls)


@ALL
def test_tags_say_what_is_taken(estimator):
    tags = get_tags(estimator)
    assert tags.input_tags.two_d_array
    assert tags.input_tags.three_d_array
    assert tags.requires_fit == (estimator not in STATELESS)

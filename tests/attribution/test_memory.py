import errno
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    ImageReader,
    ResidualExtractor,
    SourceDiscriminant,
    SpectrumTransformer,
    Unflatten,
    make_attribution_pipeline,
)
from skfingerprint._core import progress
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.perturbation import Crop, GaussianBlur, GaussianNoise, Shift
from tests.estimators import augment

X, Y = make_fingerprint_images(
    30, 3, image_shape=(32, 40, 3), strength=6, random_state=0
)
CHANGES = [GaussianBlur(std=0.5), GaussianNoise(std=3)]
FEATURES = AttributionFeatures(block_size=16, order=3)
STEPS = make_pipeline(FEATURES, SourceDiscriminant(cv=2))


# Numbers of images whose features are computed, one for each call.
CALLS = []


@pytest.fixture
def computed(monkeypatch):
    original = AttributionFeatures.transform

    def spy(self, X):
        CALLS.append(len(X))
        return original(self, X)

    monkeypatch.setattr(AttributionFeatures, "transform", spy)
    CALLS.clear()
    return CALLS


def fit(memory, images=X, y=Y, steps=STEPS, changes=CHANGES, **params):
    return augment(steps, changes, memory=memory, **params).fit(images, y)


def count(computed):
    """Return the number of images since the last call."""
    n = sum(computed)
    computed.clear()
    return n


def list_files(folder):
    """Return the files of rows, and temporary files beside them."""
    return list(Path(folder).glob("joblib/skfingerprint/*/*"))


def assert_equal(model, expected, images=X):
    """Assert that two models give equal bits; their predictions are not counted."""
    n = len(CALLS)
    np.testing.assert_array_equal(
        model.predict_proba(images), expected.predict_proba(images)
    )
    del CALLS[n:]


@pytest.mark.parametrize("changes", [CHANGES, [], None], ids=["some", "no", "None"])
@pytest.mark.parametrize("kind", [str, Path, joblib.Memory], ids=lambda k: k.__name__)
def test_a_second_fit_computes_nothing(computed, tmp_path, changes, kind):
    memory = kind(tmp_path, verbose=0) if kind is joblib.Memory else kind(tmp_path)
    n = 30 * (1 + len(changes or ()))
    expected = fit(None, changes=changes)
    assert count(computed) == n
    model = fit(memory, changes=changes)
    assert count(computed) == n
    again = clone(model).fit(X, Y)
    assert count(computed) == 0
    assert len(list_files(tmp_path)) == 30
    assert_equal(model, expected)
    assert_equal(again, expected)
    assert len(again[:-1].get_feature_names_out()) == again[:-1].transform(X).shape[1]


def test_one_more_source_computes_its_own_rows(computed, tmp_path):
    old = Y < 2
    fit(tmp_path, X[old], Y[old])
    assert count(computed) == 3 * old.sum()
    model = fit(tmp_path)
    assert count(computed) == 3 * (~old).sum()
    assert_equal(model, fit(None))


def test_images_alone_then_perturbed_then_with_one_perturbation_more(
    computed, tmp_path
):
    sizes = []
    for changes in ([], CHANGES[:1], CHANGES, CHANGES[::-1], CHANGES[1:]):
        model = fit(tmp_path, changes=changes)
        sizes.append(count(computed))
        assert_equal(model, fit(None, changes=changes))
        count(computed)
    assert sizes == [30, 30, 30, 0, 0]


def test_other_classifiers_and_searches_read_rows(computed, tmp_path):
    model = fit(tmp_path)
    count(computed)
    grid = {"sourcediscriminant__shrinkage": [0.1, 0.5]}
    GridSearchCV(model, grid, cv=2).fit(X, Y)
    # Predictions of the validation folds are computed: two candidates, all images.
    assert count(computed) == 2 * 30
    fit(tmp_path, steps=make_pipeline(FEATURES, SourceDiscriminant(shrinkage=0.3)))
    assert count(computed) == 0


def test_cross_validation_computes_each_row_once(computed, tmp_path):
    model = augment(STEPS, CHANGES, memory=tmp_path)
    found = cross_validate(model, X, Y, cv=5, error_score="raise")["test_score"]
    assert count(computed) == 3 * 30 + 30  # the rows of the fits, and predictions
    expected = cross_validate(model.set_params(memory=None), X, Y, cv=5)["test_score"]
    np.testing.assert_array_equal(found, expected)


def test_a_rate_after_a_fit_without(computed, tmp_path):
    params = {"perturbations": CHANGES, "memory": tmp_path}
    make_attribution_pipeline(**params).fit(X, Y)
    assert count(computed) == 90
    model = make_attribution_pipeline(false_alarm_rate=0.2, **params).fit(X, Y)
    # The detector makes imitations of the images, which are no rows of this pipeline.
    n_imitations = count(computed)
    params["memory"] = None
    expected = make_attribution_pipeline(false_alarm_rate=0.2, **params).fit(X, Y)
    assert count(computed) == 90 + n_imitations
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


def test_changes_compute_anew(computed, tmp_path, monkeypatch):
    fit(tmp_path)
    count(computed)
    fit(tmp_path, changes=[GaussianBlur(std=0.6), GaussianNoise(std=3, random_state=1)])
    assert count(computed) == 60
    fit(tmp_path, steps=clone(STEPS).set_params(attributionfeatures__sigma=2))
    assert count(computed) == 90
    further = make_pipeline(FEATURES, FunctionTransformer(), SourceDiscriminant(cv=2))
    fit(tmp_path, steps=further)
    assert count(computed) == 1 + 90  # the second step is fitted on one row
    changed = X.copy()
    changed[4, 0, 0, 0] ^= 1
    fit(tmp_path, changed)
    assert count(computed) == 3
    fit(tmp_path, X.astype(np.float32))
    assert count(computed) == 90
    fit(tmp_path, X[:, :, :32])
    assert count(computed) == 90
    fit(tmp_path, X[..., 0])
    assert count(computed) == 90
    monkeypatch.setattr(sys.modules["skfingerprint"], "__version__", "9.9")
    fit(tmp_path)
    assert count(computed) == 90
    fit(tmp_path)
    assert count(computed) == 0
    assert len(list_files(tmp_path)) == 30 + 1 + 3 * 30


def test_rows_of_numba_and_of_numpy_do_not_mix(computed, tmp_path, monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    fit(tmp_path)
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    count(computed)
    fit(tmp_path)
    assert count(computed) == 90


def test_few_perturbations_of_each_image(computed, tmp_path):
    params = {"changes": [*CHANGES, Shift()], "max_perturbations": 1}
    model = fit(tmp_path, **params)
    assert count(computed) == 60
    assert_equal(model, fit(None, **params))
    count(computed)
    fit(tmp_path, **params)
    assert count(computed) == 0


def box_blur(images):
    return uniform_filter(images, (1, 3, 3, 1))


class Mine(GaussianBlur):
    pass


def test_functions_and_foreign_classes_are_computed_each_time(tmp_path, recwarn):
    steps = make_pipeline(
        ResidualExtractor(box_blur), SpectrumTransformer(), SourceDiscriminant(cv=2)
    )
    expected = fit(None, steps=steps)
    assert len(recwarn) == 0
    for _ in range(2):
        with pytest.warns(UserWarning, match="memory keeps no rows of") as warned:
            model = fit(tmp_path, steps=steps)
        assert len(warned) == 1
        assert "ResidualExtractor(denoiser=box_blur):" in str(warned[0].message)
        assert_equal(model, expected)
    assert list_files(tmp_path) == []


def test_the_other_perturbations_are_kept(computed, tmp_path):
    changes = [Mine(), CHANGES[0], FunctionTransformer(box_blur)]
    for n in (120, 60):
        with pytest.warns(UserWarning, match="memory keeps no rows of") as warned:
            model = fit(tmp_path, changes=changes)
        assert len(warned) == 1
        assert "Mine, FunctionTransformer(func=box_blur):" in str(warned[0].message)
        assert count(computed) == n
    assert_equal(model, fit(None, changes=changes))


def test_perturbations_that_learn_are_not_kept(computed, tmp_path):
    from sklearn.preprocessing import StandardScaler

    steps = make_pipeline(SpectrumTransformer(), SourceDiscriminant(cv=2))
    rows = np.random.default_rng(0).normal(size=(30, 8))
    with pytest.warns(UserWarning, match="no rows of StandardScaler:"):
        fit(tmp_path, rows, steps=steps, changes=[StandardScaler()])


@pytest.mark.parametrize("name", ["os.replace", "pathlib.Path.mkdir"])
def test_a_full_disk_ends_no_fit(computed, tmp_path, monkeypatch, name):
    tried = []

    def fail(*args, **kwargs):
        tried.append(args)
        raise OSError(errno.ENOSPC, "No space left on device")

    expected = fit(None)
    count(computed)
    with monkeypatch.context() as patch:
        patch.setattr(name, fail)
        with pytest.warns(UserWarning, match="new rows are not kept: .*No space") as w:
            model = fit(tmp_path)
    assert len(w) == len(tried) == 1
    assert list_files(tmp_path) == []
    assert_equal(model, expected)
    count(computed)
    fit(tmp_path)
    assert count(computed) == 90


def test_damaged_files_are_written_again(computed, tmp_path):
    expected = fit(tmp_path)
    whole, short, flipped, other = sorted(list_files(tmp_path))[:4]
    short.write_bytes(short.read_bytes()[:2000])
    flipped.write_bytes(flipped.read_bytes()[:-1] + b"x")
    other.write_bytes(whole.read_bytes())
    whole.with_name(".1234.part").write_bytes(b"skfrows1")
    count(computed)
    assert_equal(fit(tmp_path), expected)
    # Of the short file the rows before its end are good, of the flipped one all others.
    n = count(computed)
    assert 3 + 1 + 1 <= n <= 3 + 1 + 3
    fit(tmp_path)
    assert count(computed) == 0


SCRIPT = """
import sys
from tests.attribution.test_memory import X, Y, fit

fit(sys.argv[1])
"""


@pytest.mark.slow
def test_two_processes_share_a_folder(computed, tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=root) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(list_files(tmp_path)) == 30
    model = fit(tmp_path)
    assert count(computed) == 0
    assert_equal(model, fit(None))


@pytest.mark.parametrize("changes", [CHANGES, []], ids=["changes", "no changes"])
def test_lists_of_sizes(computed, tmp_path, changes):
    images = [image[: 24 + number % 8] for number, image in enumerate(X)]
    expected = fit(None, images, changes=changes)
    n = count(computed)
    for size in (n, 0):
        model = fit(tmp_path, images, changes=changes)
        assert count(computed) == size
        assert_equal(model, expected, images)
    fit(tmp_path, [*images[:7], *X[:7]], [*Y[:7], *Y[:7]], changes=changes)
    assert count(computed) == n // 30 * 7  # whole images are new


@pytest.mark.parametrize("changes", [CHANGES, []], ids=["changes", "no changes"])
def test_dask(computed, tmp_path, changes):
    da = pytest.importorskip("dask.array")
    lazy = da.from_array(X, chunks=(8, -1, -1, -1))
    expected = fit(None, changes=changes)
    count(computed)
    for size in (30 * (1 + len(changes)), 0):
        model = fit(tmp_path, lazy, changes=changes)
        assert count(computed) == size
        assert_equal(model, expected)
    fit(tmp_path, changes=changes)
    assert count(computed) == 0


@pytest.fixture
def paths(tmp_path):
    picture = pytest.importorskip("PIL.Image")
    (tmp_path / "images").mkdir()
    files = [tmp_path / "images" / f"{number}.png" for number in range(30)]
    for file, image in zip(files, X, strict=True):
        picture.fromarray(image).save(file)
    return files


@pytest.mark.parametrize("changes", [CHANGES, []], ids=["changes", "no changes"])
def test_images_that_are_read_are_known_by_their_pixels(
    computed, tmp_path, paths, changes
):
    fit(tmp_path / "rows", changes=changes)
    count(computed)
    pipeline = make_pipeline(
        ImageReader(), augment(STEPS, changes, memory=tmp_path / "rows")
    )
    pipeline.fit(paths, Y)
    assert count(computed) == 0
    paths[3].write_bytes(paths[4].read_bytes())
    pipeline.fit(paths, Y)
    assert count(computed) == 0  # the pixels of another image, which are known


def test_a_reader_among_the_steps(computed, tmp_path, paths):
    fit(tmp_path, changes=[])
    expected = fit(None, changes=[])
    count(computed)
    nested = make_pipeline(ImageReader(), FEATURES)
    steps = make_pipeline(ImageReader(), *[step for _, step in STEPS.steps])
    for chain in (steps, make_pipeline(nested, SourceDiscriminant(cv=2))):
        model = fit(tmp_path, paths, steps=chain, changes=[])
        assert count(computed) == 0
        np.testing.assert_array_equal(
            model.predict_proba(paths), expected.predict_proba(X)
        )
        computed.clear()
    union = FeatureUnion([("a", nested), ("b", clone(nested))])
    fit(tmp_path, paths, steps=make_pipeline(union, SourceDiscriminant()), changes=[])
    assert count(computed) == 60  # the union reads files: it is fitted as it is


def test_other_stateless_steps(tmp_path):
    rows = X.reshape(30, -1)
    chain = Unflatten(X.shape[1:]), ResidualExtractor(), SpectrumTransformer()
    steps = make_pipeline(*chain, FunctionTransformer(np.arcsinh), SourceDiscriminant())
    expected = fit(None, rows, steps=steps, changes=[])
    for _ in range(2):
        assert_equal(fit(tmp_path, rows, steps=steps, changes=[]), expected, rows)
    steps = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    expected = fit(None, steps=steps).decision_function(X)
    for _ in range(2):
        found = fit(tmp_path, steps=steps).decision_function(X)
        np.testing.assert_array_equal(found, expected)


def test_names_of_columns_are_remembered(tmp_path):
    pandas = pytest.importorskip("pandas")
    rows = X.reshape(30, -1)
    frame = pandas.DataFrame(rows, columns=[f"p{i}" for i in range(rows.shape[1])])
    steps = make_pipeline(Unflatten(X.shape[1:]), FEATURES, SourceDiscriminant(cv=2))
    expected = fit(None, frame, steps=steps, changes=[])
    for _ in range(2):
        model = fit(tmp_path, frame, steps=steps, changes=[])
        assert_equal(model, expected, frame)
        assert (model.feature_names_in_ == expected.feature_names_in_).all()


def test_without_stateless_steps_nothing_is_kept(tmp_path):
    fit(tmp_path, steps=FingerprintClassifier())
    fit(tmp_path, steps=FingerprintClassifier(), changes=[])
    assert list_files(tmp_path) == []


def test_results_of_other_methods(tmp_path):
    steps = make_pipeline(FEATURES, KMeans(3, n_init=1, random_state=0))
    expected = augment(steps, []).fit_predict(X)
    transformed = augment(steps, []).fit_transform(X)
    for _ in range(2):
        model = augment(steps, [], memory=tmp_path)
        np.testing.assert_array_equal(model.fit_predict(X), expected)
        np.testing.assert_array_equal(model.fit_transform(X), transformed)


def test_errors_are_those_of_a_fit_without(tmp_path):
    fit(tmp_path)
    mixed = [*X[:15], *X[15:, :, :, 0]]
    for images, y, message in (
        (mixed, Y, "Bring all images to one number of channels"),
        (X[:0], Y[:0], "minimum of 1 is required"),
        (X, Y[:5], "inconsistent numbers of samples"),
        (X - 400.0, Y, "image 0 lies in"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(tmp_path, images, y, changes=[])
    for memory in (3, object()):
        with pytest.raises(ValueError, match="memory must be"):
            fit(memory)
        with pytest.raises(ValueError, match="memory must be"):
            fit(memory, changes=[])
    steps = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    for _ in range(2):
        with pytest.raises(ValueError, match="copies differ in shape"):
            fit(tmp_path, steps=steps, changes=[Crop(top=4)])
    fit(tmp_path, X[:, :24], steps=steps)
    both = [*X[:15], *X[15:, :24]]
    with pytest.raises(ValueError, match="differ in size"):
        fit(tmp_path, both, steps=steps)


def test_a_report_of_rows(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    for memory, changes, expected in (
        (None, CHANGES, None),
        (tmp_path, CHANGES, "rows: 0 read, 90 computed; 0.2 MiB in "),
        (tmp_path, CHANGES, "rows: 90 read, 0 computed; 0.2 MiB in "),
        (tmp_path, [], "rows: 30 read, 0 computed; 0.2 MiB in "),
    ):
        fit(memory, changes=changes, verbose=True)
        line = capsys.readouterr().out.splitlines()[-1]
        assert line.startswith(expected or "blocks of images")
    fit(tmp_path)
    assert capsys.readouterr().out == ""

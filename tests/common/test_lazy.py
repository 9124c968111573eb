"""dask arrays as stacks: equal to the in-memory result whatever the chunks."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import has_fit_parameter

from skfingerprint import (
    FingerprintClassifier,
    FingerprintDetector,
    FingerprintTransformer,
    PatchWhitener,
    ResidualExtractor,
    SpectrumTransformer,
    Unflatten,
    make_attribution_pipeline,
)
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.files import load_fingerprints, save_fingerprints
from tests.estimators import ANY_SIZE, CLUSTERINGS, ESTIMATORS, PERTURBING, STATELESS

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
IMAGES, Y = make_fingerprint_images(
    60, 3, image_shape=(32, 40, 3), strength=4, random_state=0
)
CHUNKS = pytest.mark.parametrize(
    "chunks", [60, 7, (25, 25, 10), (13, 16, 20, 3)], ids=str
)


def split(images, chunks):
    """A dask array; a single number or three chunks along the first axis."""
    if isinstance(chunks, int):
        chunks = (chunks, -1, -1, -1)
    elif len(chunks) == 3:
        chunks = (chunks, -1, -1, -1)
    return da.from_array(images, chunks=chunks)


@CHUNKS
@pytest.mark.parametrize("transformer", STATELESS, ids=repr)
def test_transformers_stay_lazy_and_equal(transformer, chunks):
    images = IMAGES
    if isinstance(transformer, Unflatten):
        transformer = Unflatten(IMAGES.shape[1:])
    elif not hasattr(transformer, "_perturb"):
        images = IMAGES.astype(np.float32)
    expected = clone(transformer).fit_transform(images)
    lazy = clone(transformer).fit(split(images, chunks))
    found = lazy.transform(split(images, chunks))
    assert isinstance(found, da.Array)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert lazy.n_channels_ == 3
    np.testing.assert_allclose(found.compute(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.filterwarnings("ignore:detection_rate_ is")  # the images have no sources
@CHUNKS
@pytest.mark.parametrize(
    "estimator",
    [e for e in ESTIMATORS if has_fit_parameter(e, "sample_weight")],
    ids=repr,
)
def test_what_learns_equals_the_one_in_memory(estimator, chunks):
    residuals = ResidualExtractor().transform(IMAGES)
    lazy = ResidualExtractor().transform(split(IMAGES, chunks))
    if estimator in [*ANY_SIZE, *PERTURBING]:
        residuals, lazy = IMAGES, split(IMAGES, chunks)
    weights = np.random.default_rng(0).uniform(size=len(Y))
    expected = clone(estimator).fit(residuals, Y, sample_weight=weights)
    found = clone(estimator).fit(lazy, Y, sample_weight=weights)
    if estimator not in ANY_SIZE:
        parts = (
            getattr(model, "steps", [(0, model)])[0][1] for model in (found, expected)
        )
        assert [part.image_shape_ for part in parts] == [(32, 40, 3)] * 2
    for method in ("decision_function", "predict", "transform"):
        if hasattr(estimator, method):
            answers = getattr(found, method)(lazy)
            assert isinstance(answers, np.ndarray)
            np.testing.assert_allclose(
                answers, getattr(expected, method)(residuals), rtol=1e-3, atol=1e-4
            )


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [7, (13, 16, 20, 3)])
@pytest.mark.parametrize("clustering", CLUSTERINGS, ids=repr)
def test_clusters_equal_those_in_memory(clustering, chunks):
    residuals = ResidualExtractor().transform(IMAGES)
    found = clone(clustering).fit(ResidualExtractor().transform(split(IMAGES, chunks)))
    expected = clone(clustering).fit(residuals)
    assert found.image_shape_ == expected.image_shape_ == (32, 40, 3)
    np.testing.assert_array_equal(found.labels_, expected.labels_)


@CHUNKS
def test_whitened_rows_stay_lazy_and_equal(chunks):
    expected = PatchWhitener(random_state=0).fit_transform(IMAGES)
    whitener = PatchWhitener(random_state=0).fit(split(IMAGES, chunks))
    found = whitener.transform(split(IMAGES, chunks))
    assert isinstance(found, da.Array)
    np.testing.assert_allclose(found.compute(), expected, rtol=1e-3, atol=1e-3)


class Counted:
    """A denoiser that counts the images that it sees, and the threads it runs in."""

    def __init__(self):
        self.n_images = 0
        self.threads = set()
        self.lock = threading.Lock()

    def __call__(self, images):
        if images.any():  # not the probe for the shape
            with self.lock:
                self.n_images += len(images)
                self.threads.add(threading.get_ident())
            time.sleep(0.01)
        return np.zeros_like(images)


@pytest.mark.filterwarnings("ignore:detection_rate_ is")  # the images have no sources
@pytest.mark.parametrize(
    ("fit", "passes"),
    [
        (lambda X: FingerprintClassifier().fit(X, Y), 1),
        (lambda X: FingerprintTransformer().fit(X, Y), 1),
        (lambda X: FingerprintTransformer().fit_transform(X, Y), 2),
        (lambda X: FingerprintDetector().fit(X, Y), 2),
        (lambda X: FingerprintDetector().fit(X, Y, groups=np.arange(60) // 6), 2),
        (lambda X: FingerprintDetector(subtract_common=True).fit(X, Y), 2),
        (lambda X: FingerprintDetector().fit(X), 2),
    ],
)
def test_passes_over_lazy_blocks(fit, passes):
    denoiser = Counted()
    blocks = ResidualExtractor(denoiser).transform(split(IMAGES, 5))
    assert blocks.numblocks[0] == 12
    with dask.config.set(scheduler="threads", num_workers=4):
        fit(blocks)
    assert denoiser.n_images == passes * len(IMAGES)
    assert threading.get_ident() not in denoiser.threads
    assert len(denoiser.threads) > 1


def test_nothing_is_computed_before_it_is_needed():
    computed = []

    def note(block):
        computed.append(len(block))
        return block

    meta = np.empty((0, 0, 0, 0), np.uint8)
    X = split(IMAGES, 20).map_blocks(note, meta=meta)
    residuals = ResidualExtractor().fit(X).transform(X)
    assert computed == []
    classifier = FingerprintClassifier().fit(residuals, Y)
    assert sorted(computed) == [20, 20, 20]
    assert isinstance(classifier.fingerprints_, np.ndarray)


@CHUNKS
@pytest.mark.parametrize(
    "classifier",
    [
        FingerprintClassifier(),
        FingerprintClassifier(subtract_common=True),
        FingerprintClassifier(statistic="pce", max_shift=2),
    ],
    ids=repr,
)
def test_classifier_equals_the_one_in_memory(classifier, chunks):
    residuals = ResidualExtractor().transform(IMAGES)
    expected = clone(classifier).fit(residuals, Y)
    lazy = ResidualExtractor().transform(split(IMAGES, chunks))
    found = clone(classifier).fit(lazy, Y)
    np.testing.assert_allclose(found.fingerprints_, expected.fingerprints_, atol=1e-5)
    scores = found.decision_function(lazy)
    assert isinstance(scores, np.ndarray)
    np.testing.assert_allclose(
        scores, expected.decision_function(residuals), rtol=1e-3, atol=1e-5
    )
    np.testing.assert_array_equal(found.predict(lazy), expected.predict(residuals))
    np.testing.assert_array_equal(
        found.find_shifts(lazy), expected.find_shifts(residuals)
    )


def test_weights_parts_merges_and_files_agree(tmp_path):
    lazy = ResidualExtractor().transform(split(IMAGES, 11))
    residuals = lazy.compute()
    weights = np.random.default_rng(0).uniform(size=60)
    expected = (
        FingerprintClassifier().fit(residuals, Y, sample_weight=weights).fingerprints_
    )
    found = FingerprintClassifier().fit(lazy, Y, sample_weight=weights).fingerprints_
    np.testing.assert_allclose(found, expected, atol=1e-5)
    whole = FingerprintClassifier().fit(residuals, Y).fingerprints_
    parts = FingerprintClassifier().partial_fit(lazy[:30], Y[:30], classes=[0, 1, 2])
    save_fingerprints(parts, tmp_path / "half.npz")
    resumed = load_fingerprints(tmp_path / "half.npz").partial_fit(lazy[30:], Y[30:])
    other = FingerprintClassifier().fit(lazy[30:], Y[30:])
    merged = FingerprintClassifier().fit(residuals[:30], Y[:30]).merge(other)
    for fitted in (resumed, merged):
        np.testing.assert_allclose(fitted.fingerprints_, whole, atol=1e-5)


def test_cross_fitted_estimators_equal_those_in_memory():
    lazy = ResidualExtractor().transform(split(IMAGES, 17))
    residuals = lazy.compute()
    np.testing.assert_allclose(
        FingerprintTransformer().fit_transform(lazy, Y),
        FingerprintTransformer().fit_transform(residuals, Y),
        atol=1e-5,
    )
    for y in (Y, None):
        found = FingerprintDetector(false_alarm_rate=0.1).fit(lazy, y)
        expected = FingerprintDetector(false_alarm_rate=0.1).fit(residuals, y)
        assert found.offset_ == pytest.approx(expected.offset_, abs=1e-4)
        np.testing.assert_allclose(
            found.score_samples(lazy), expected.score_samples(residuals), atol=1e-5
        )


def test_model_selection_on_lazy_images():
    X = split(IMAGES, 16)
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    expected = cross_val_score(pipeline, IMAGES, Y, cv=3)
    np.testing.assert_array_equal(cross_val_score(pipeline, X, Y, cv=3), expected)
    grid = {"residualextractor__sigma": [1, 3]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert search.predict(X).shape == (60,)


def test_recommended_pipeline_on_lazy_images():
    X = split(IMAGES, 16)
    expected = make_attribution_pipeline(perturbations=()).fit(IMAGES, Y)
    found = make_attribution_pipeline(perturbations=()).fit(X, Y)
    np.testing.assert_allclose(
        found.predict_proba(X), expected.predict_proba(IMAGES), atol=1e-3
    )


def test_rows_fold_lazily():
    rows = da.from_array(IMAGES.reshape(60, -1), chunks=(13, 500))
    pipeline = make_pipeline(Unflatten((32, 40, 3)), ResidualExtractor())
    found = pipeline.fit_transform(rows)
    assert isinstance(found, da.Array)
    expected = ResidualExtractor().fit_transform(IMAGES)
    np.testing.assert_allclose(found.compute(), expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"rows of 3840 numbers.*Unflatten"):
        ResidualExtractor().fit(rows)


def test_bad_lazy_input_ends_well():
    X = split(IMAGES.astype(np.float32), 16)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        ResidualExtractor().fit(X[da.from_array(Y, chunks=16) == 1])
    with pytest.raises(ValueError, match="must hold real numbers"):
        ResidualExtractor().fit(X.astype(complex))
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        ResidualExtractor().fit(X[:0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        FingerprintClassifier().fit(X, Y[:-1])
    with pytest.raises(ValueError, match=r"shape \(16, 40, 3\)"):
        FingerprintClassifier().fit(X, Y).predict(X[:, :16])
    with pytest.raises(ValueError, match="too large for float32"):
        SpectrumTransformer().transform(1e20 * X).compute()
    holed = IMAGES.astype(np.float32)
    holed[40, 3, 3] = np.nan
    lazy = split(holed, 16)
    with pytest.raises(ValueError, match="NaN"):
        ResidualExtractor().transform(lazy).compute()
    fitted = FingerprintClassifier().fit(X, Y)
    before = fitted.fingerprints_.copy()
    with pytest.raises(ValueError, match="NaN"):
        fitted.partial_fit(lazy, Y)
    np.testing.assert_array_equal(fitted.fingerprints_, before)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


class Slowly:
    """Give a block back after a while, and note which process did it."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, block):
        (self.folder / f"{os.getpid()}-{time.time_ns()}").touch()
        time.sleep(0.2)
        return block


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_killed_worker_changes_nothing(client, tmp_path):
    expected = FingerprintClassifier().fit(ResidualExtractor().transform(IMAGES), Y)
    meta = np.empty((0, 0, 0, 0), np.uint8)
    X = split(IMAGES, 3).map_blocks(Slowly(tmp_path), meta=meta)

    def kill_one():
        deadline = time.time() + 30
        while time.time() < deadline:
            started = [int(p.name.split("-")[0]) for p in tmp_path.iterdir()]
            if len(started) >= 4:
                os.kill(started[0], signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one)
    killer.start()
    found = FingerprintClassifier().fit(ResidualExtractor().transform(X), Y)
    killer.join()
    workers = {p.name.split("-")[0] for p in tmp_path.iterdir()}
    assert len(workers) >= 2
    assert len(list(tmp_path.iterdir())) > 20  # something was computed again
    np.testing.assert_allclose(found.fingerprints_, expected.fingerprints_, atol=1e-5)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_gives_the_same(client):
    expected = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    expected.fit(IMAGES, Y)
    found = clone(expected).fit(split(IMAGES, 9), Y)
    np.testing.assert_allclose(
        found.decision_function(split(IMAGES, 9)),
        expected.decision_function(IMAGES),
        atol=1e-5,
    )
    with parallel_config(backend="dask"):
        residuals = ResidualExtractor(n_jobs=2).transform(IMAGES)
    np.testing.assert_array_equal(residuals, ResidualExtractor().transform(IMAGES))


def test_progress_is_dasks_and_silent_unless_asked_for(capsys):
    from dask.diagnostics import ProgressBar

    lazy = ResidualExtractor().transform(split(IMAGES, 20))
    FingerprintClassifier().fit(lazy, Y)
    assert capsys.readouterr() == ("", "")
    with dask.config.set(scheduler="threads"), ProgressBar(minimum=0):
        FingerprintClassifier().fit(lazy, Y)
    assert "100% Completed" in capsys.readouterr().out


def test_progress_in_memory_is_scikit_learns(capsys):
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    search = GridSearchCV(pipeline, {"residualextractor__sigma": [1, 3]}, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(IMAGES, Y)
    assert search.best_score_ > 0.5
    assert "GridSearchCV" in capsys.readouterr().out

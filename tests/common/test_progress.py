import importlib.util
import pickle
import sys
import threading

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    FingerprintClustering,
    PatchWhitener,
    SourceDetector,
    WindowedClassifier,
    make_attribution_pipeline,
)
from skfingerprint._attribution import copies
from skfingerprint._core import iterate_blocks, progress
from skfingerprint._localization import windows
from skfingerprint.datasets import load_image_files, make_fingerprint_images
from skfingerprint.perturbation import GaussianBlur
from tests.estimators import WINDOWS

IMAGES, Y = make_fingerprint_images(24, 3, strength=8, random_state=0)
ROWS = np.random.default_rng(0).normal(size=(240, 12)) + 9 * np.repeat(
    np.eye(4, 12), 60, axis=0
)
FITS = {
    "copies": lambda verbose: make_attribution_pipeline(
        perturbations=[GaussianBlur(std=0.5)], verbose=verbose
    ).fit(IMAGES, Y),
    "detectors": lambda verbose: SourceDetector(verbose=verbose).fit(
        ROWS, np.repeat(np.arange(4), 60), conditions=np.tile([0, 1], 120)
    ),
    "neighbors": lambda verbose: FingerprintClustering(verbose=verbose).fit(ROWS),
    "views": lambda verbose: PatchWhitener(verbose=verbose).fit(IMAGES),
    "windows": lambda verbose: WindowedClassifier(
        clone(WINDOWS), max_windows=3, verbose=verbose
    ).fit(IMAGES, Y),
}


@pytest.fixture
def no_tqdm(monkeypatch):
    monkeypatch.setattr(progress, "find_spec", lambda name: None)


@pytest.mark.parametrize("name", FITS)
def test_long_fits_tell_how_far_they_are(name, no_tqdm, capsys):
    if name == "neighbors":
        pytest.importorskip("networkx")
    FITS[name](False)
    assert capsys.readouterr() == ("", "")
    FITS[name](True)
    lines = capsys.readouterr().out.splitlines()
    assert any(name in line for line in lines)
    done, total = lines[-1].rpartition(": ")[2].split(" of ")
    assert done == total


def test_loaders_tell_how_many_files_are_read(no_tqdm, tmp_path, capsys):
    picture = pytest.importorskip("PIL.Image")
    files = [tmp_path / f"{number}.png" for number in range(24)]
    for file, image in zip(files, IMAGES, strict=True):
        picture.fromarray(image).save(file)
    silent = load_image_files(files)
    assert capsys.readouterr() == ("", "")
    np.testing.assert_array_equal(
        load_image_files(files, verbose=True).images, silent.images
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "files: 24 of 24"
    assert len(lines) == 10


def test_a_bar_where_tqdm_is_installed(capsys):
    pytest.importorskip("tqdm")
    assert list(progress.track("abc", "letters", True)) == ["a", "b", "c"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "letters: 100%" in printed.err
    assert "3/3" in printed.err


@pytest.mark.parametrize("total", [1, 3, 10, 11, 1000])
def test_few_lines_and_the_last_one(no_tqdm, total, capsys):
    assert list(progress.track(range(total), "items", 1)) == list(range(total))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == min(total, 10)
    assert lines[-1] == f"items: {total} of {total}"


def test_maps_of_large_images_tell_how_many_windows_are_scored(
    no_tqdm, monkeypatch, capsys
):
    model = WindowedClassifier(clone(WINDOWS), max_windows=3).fit(IMAGES, Y)
    silent = model.score_map(IMAGES[:2], 0)
    # A small image is a single group of windows, which needs no report.
    model.set_params(verbose=True).score_map(IMAGES[:2], 0)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(windows, "GROUP_VALUES", 18 * 20 * 20 * 3)
    np.testing.assert_allclose(model.score_map(IMAGES[:2], 0), silent)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"groups of windows: {k} of 6" for k in range(1, 7)]
    model.set_params(verbose=False).score_map(IMAGES[:2], 0)
    assert capsys.readouterr() == ("", "")


class Recorder:
    """Callback that is not passed on to the steps."""

    def __init__(self):
        self.record, self.given = [], []

    def setup(self, estimator, context):
        self.record.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.record.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.record.append(("begin", context.task_name))
        self.given.append((type(estimator), X, y))

    def on_fit_task_end(self, estimator, context):
        self.record.append(("end", context.task_name))
        # The steps are fitted before the end of the fit is reported.
        if context.parent is None:
            self.classes = getattr(estimator, "classes_", None)


class PassedOn(Recorder):
    """Callback that is passed on to the steps of the steps."""

    max_propagation_depth = None


class PassedOnOnce(Recorder):
    """Callback that is passed on to the pipeline of the steps, and no further."""

    max_propagation_depth = 1


class FailsInTheMiddle(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, groups=None, conditions=None):
        next(iterate_blocks(X))
        raise ValueError("in the middle")


@pytest.fixture
def callback(monkeypatch):
    # Three blocks of eight images.
    monkeypatch.setattr(copies, "IMAGE_VALUES", 8 * IMAGES[0].size)
    return pytest.importorskip("sklearn.callback")


def make_recommended(**params):
    return make_attribution_pipeline(perturbations=[GaussianBlur(std=0.5)], **params)


def make_augmented(*steps, perturbed=True):
    perturbations = [GaussianBlur(std=0.5)] if perturbed else None
    steps = [("features", AttributionFeatures(block_size=8, order=2)), *steps]
    return AugmentedPipeline(steps, perturbations=perturbations)


def name_tasks(*names):
    """Return the events of tasks that begin and end one after the other."""
    return [(event, name) for name in names for event in ("begin", "end")]


def frame(name, tasks):
    """Return the events of a fit with these tasks."""
    return [("setup", name), ("begin", name), *tasks, ("end", name), ("teardown", name)]


def test_callbacks_see_blocks_that_are_read_during_the_fit(callback):
    recorder = Recorder()
    pipeline = make_recommended().set_callbacks(recorder).fit(IMAGES, Y)
    blocks = name_tasks("block")
    fit = [("begin", "fit-steps"), *2 * blocks, ("end", "fit-steps")]
    assert recorder.record == frame("fit", blocks + fit)
    for kind, X, y in recorder.given:
        assert kind is AugmentedPipeline
        assert X.shape == IMAGES.shape
        np.testing.assert_array_equal(y, Y)
    np.testing.assert_array_equal(recorder.classes, np.unique(Y))
    assert not any("callback_" in name for name in vars(pipeline))


@pytest.mark.parametrize(
    ("method", "step"),
    [
        ("fit", LogisticRegression(max_iter=1000)),
        ("fit_transform", StandardScaler()),
        ("fit_predict", KMeans(3, random_state=0)),
    ],
)
def test_callbacks_see_blocks_that_are_read_before_the_fit(callback, method, step):
    recorder, plain = Recorder(), make_augmented(("last", step))
    pipeline = clone(plain).set_callbacks(recorder)
    found = getattr(pipeline, method)(IMAGES, Y)
    tasks = name_tasks("block", "block", "block", "fit-steps")
    assert recorder.record == frame(method.replace("_", "-"), tasks)
    if method != "fit":
        np.testing.assert_array_equal(found, getattr(plain, method)(IMAGES, Y))


def test_callbacks_without_perturbations(callback):
    recorder = Recorder()
    pipeline = make_augmented(("last", LogisticRegression()), perturbed=False)
    pipeline.set_callbacks(recorder).fit(IMAGES, Y)
    assert recorder.record == frame("fit", name_tasks("fit-steps"))


def test_callbacks_see_the_blocks_of_lazy_images(callback):
    array = pytest.importorskip("dask.array")
    recorder = Recorder()
    lazy = array.from_array(IMAGES, chunks=(6, *IMAGES.shape[1:]))
    make_recommended().set_callbacks(recorder).fit(lazy, Y)
    assert recorder.record.count(("end", "block")) == 4


def test_callbacks_change_no_answer(callback):
    plain = make_recommended().fit(IMAGES, Y)
    seen = make_recommended().set_callbacks(Recorder(), PassedOnOnce()).fit(IMAGES, Y)
    np.testing.assert_array_equal(
        seen.predict_proba(IMAGES), plain.predict_proba(IMAGES)
    )


@pytest.mark.parametrize("kind", [Recorder, PassedOnOnce])
def test_callbacks_are_torn_down_after_errors(callback, kind):
    recorder = kind()
    pipeline = make_augmented(("last", FailsInTheMiddle())).set_callbacks(recorder)
    before = dict(vars(pipeline))
    for _ in range(2):
        recorder.record.clear()
        with pytest.raises(ValueError, match="in the middle"):
            pipeline.fit(IMAGES, Y)
        assert recorder.record[-1] == ("teardown", "fit")
        assert recorder.record.count(("setup", "fit")) == 1
        assert recorder.record.count(("end", "block")) == 1
        assert ("end", "fit") not in recorder.record
        assert vars(pipeline) == before
    # Errors before the fit begins set nothing up.
    recorder.record.clear()
    with pytest.raises(ValueError, match="requires y"):
        pipeline.fit(IMAGES)
    assert recorder.record == []


def test_callbacks_are_passed_on_and_taken_back(callback):
    recorder = PassedOn()
    pipeline = make_augmented(("last", LogisticRegression(max_iter=3, tol=1e9)))
    pipeline.set_callbacks(recorder).fit(IMAGES, Y)
    names = {name for _, name in recorder.record}
    assert {"fit", "block", "lbfgs-iter"} <= names
    # Set up and torn down once, by the outermost estimator.
    assert [e for e, _ in recorder.record if e in ("setup", "teardown")] == [
        "setup",
        "teardown",
    ]
    for _, step in pipeline.steps:
        assert not any("callback" in name for name in vars(step))


def test_callbacks_survive_clones_and_pickles(callback):
    recorder = Recorder()
    pipeline = make_recommended().set_callbacks(recorder)
    clone(pipeline).fit(IMAGES, Y)
    n_events = len(recorder.record)
    assert n_events
    fitted = pickle.loads(pickle.dumps(pipeline.fit(IMAGES, Y)))
    assert len(recorder.record) == 2 * n_events
    # A pickle holds a copy of the callback.
    fitted.fit(IMAGES, Y)
    assert len(recorder.record) == 2 * n_events
    pipeline.set_callbacks().fit(IMAGES, Y)
    assert len(recorder.record) == 2 * n_events


def test_callbacks_of_searches_see_the_blocks(callback):
    recorder, grid = PassedOnOnce(), {"max_perturbations": [None, 1]}
    search = GridSearchCV(make_recommended(), grid, cv=2)
    search.set_callbacks(recorder).fit(IMAGES, Y)
    # Four fits of two blocks, and one of three.
    assert recorder.record.count(("end", "block")) == 4 * 2 + 3
    assert [e for e, _ in recorder.record if e in ("setup", "teardown")] == [
        "setup",
        "teardown",
    ]
    assert not any("callback" in name for name in vars(search.best_estimator_))


def test_callbacks_of_pipelines_in_cross_validation(callback):
    recorder = Recorder()
    pipeline = make_recommended().set_callbacks(recorder)
    cross_validate(pipeline, IMAGES, Y, cv=2)
    for event in ("setup", "teardown"):
        assert recorder.record.count((event, "fit")) == 2
    assert recorder.record.count(("end", "block")) == 2 * 2


def test_bars_of_scikit_learn_show_the_pipeline(callback, capsys):
    pytest.importorskip("rich")
    make_recommended().set_callbacks(callback.ProgressBar()).fit(IMAGES, Y)
    printed = capsys.readouterr().out
    assert "AugmentedPipeline - fit" in printed
    assert "100%" in printed
    failing = make_augmented(("last", FailsInTheMiddle()))
    with pytest.raises(ValueError, match="in the middle"):
        failing.set_callbacks(callback.ProgressBar()).fit(IMAGES, Y)
    names = {type(thread).__name__ for thread in threading.enumerate()}
    assert "RichProgressMonitor" not in names


def test_nothing_happens_without_callbacks_of_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    spec = importlib.util.spec_from_file_location("progress_before", progress.__file__)
    before = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(before)
    assert before.with_callbacks(len) is len
    with before.follow_fit(object(), "fit", 2) as run_task, run_task("fit-steps"):
        assert before.follow_blocks(str, run_task)(7) == "7"


def test_blocks_that_are_read_again_are_one_task():
    tasks = []

    def run_task(name):
        tasks.append(name)
        return progress.nullcontext()

    read = progress.follow_blocks(lambda k: 10 * k, run_task)
    assert [read(k) for k in (0, 1, 0, 1)] == [0, 10, 0, 10]
    assert tasks == ["block", "block"]

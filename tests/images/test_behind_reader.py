"""scikit-learn behind the reader, tool by tool: the same on paths as on arrays."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    permutation_test_score,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfingerprint import (
    AttributionFeatures,
    CooccurrenceTransformer,
    FingerprintClassifier,
    ImageReader,
    ResidualExtractor,
    SourceDiscriminant,
    SpectrumTransformer,
)
from skfingerprint._images import file_images
from skfingerprint.datasets import load_generators
from tests.estimators import assert_same

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (extra images)")
DATA = load_generators()
CHOSEN = np.arange(0, 320, 13)
IMAGES, Y = DATA.images[CHOSEN, :48, :48], DATA.target[CHOSEN] % 2
TWO = StratifiedKFold(2)
CORRELATION = FingerprintClassifier()
RUNS = CooccurrenceTransformer(order=2)
SPECTRA = SpectrumTransformer(block_size=16, radial=True)
LINEAR = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    found = [str(folder / f"{i:02}.png") for i in range(len(IMAGES))]
    for path, image in zip(found, IMAGES, strict=True):
        Image.fromarray(image).save(path)
    return found


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(file_images, "BLOCK_FILES", 7)


def mean_color(X):
    """Compute a feature that needs an array."""
    return np.asarray(X).mean(axis=(1, 2))


def behind(*steps):
    """Make a pipeline whose first step reads."""
    return make_pipeline(ImageReader(), *steps)


# Each is fitted on paths and on arrays, and answers by one of its methods.
MODELS = {
    "correlation": behind(ResidualExtractor(), CORRELATION),
    "calibration of the FAQ": behind(
        ResidualExtractor(), CalibratedClassifierCV(CORRELATION)
    ),
    "calibration with one split": behind(
        ResidualExtractor(), CalibratedClassifierCV(CORRELATION, ensemble=False, cv=2)
    ),
    "calibration of a frozen model": behind(
        ResidualExtractor(), CalibratedClassifierCV(CORRELATION, method="isotonic")
    ),
    "calibration of images": behind(
        CalibratedClassifierCV(make_pipeline(SPECTRA, clone(LINEAR)), cv=2)
    ),
    "stacking": behind(
        ResidualExtractor(),
        StackingClassifier(
            [("a", CORRELATION), ("b", make_pipeline(SPECTRA, SourceDiscriminant()))],
            cv=2,
        ),
    ),
    "stacking of readers": StackingClassifier(
        [("a", behind(CORRELATION)), ("b", behind(RUNS, SourceDiscriminant()))], cv=2
    ),
    "voting": behind(
        VotingClassifier(
            [
                ("a", make_pipeline(SPECTRA, SourceDiscriminant())),
                ("b", make_pipeline(RUNS, SourceDiscriminant())),
            ],
            voting="soft",
        )
    ),
    "voting of labels": behind(
        VotingClassifier([("a", CORRELATION), ("b", CORRELATION)])
    ),
    "grid search": behind(
        ResidualExtractor(),
        GridSearchCV(CORRELATION, {"subtract_common": [False, True]}, cv=2),
    ),
    "grid search over the reader": GridSearchCV(
        behind(ResidualExtractor(), CORRELATION),
        {"residualextractor__sigma": [1, 5], "imagereader": [ImageReader()]},
        cv=2,
        error_score="raise",
    ),
    "one against the rest": behind(AttributionFeatures(), OneVsRestClassifier(LINEAR)),
    "tuned threshold": behind(
        ResidualExtractor(), TunedThresholdClassifierCV(CORRELATION, cv=2)
    ),
    "fixed threshold": behind(
        ResidualExtractor(), FixedThresholdClassifier(CORRELATION, threshold=0.0)
    ),
    "union": behind(
        FeatureUnion([("a", RUNS), ("b", SPECTRA)]),
        LINEAR,
    ),
    "function of an array": behind(
        FeatureUnion([("a", FunctionTransformer(mean_color)), ("b", SPECTRA)]),
        LINEAR,
    ),
    "numpy.asarray": behind(
        FunctionTransformer(np.asarray), ResidualExtractor(), CORRELATION
    ),
    "nested": make_pipeline(behind(ResidualExtractor()), make_pipeline(CORRELATION)),
}


def answer(model, X):
    for method in ("predict_proba", "decision_function"):
        if hasattr(model, method):
            return getattr(model, method)(X)
    return model.predict(X)


@pytest.mark.parametrize("name", MODELS)
def test_models_are_the_same_on_paths(paths, name):
    model = clone(MODELS[name])
    expected = clone(model).fit(IMAGES, Y)
    found = model.fit(paths, Y)
    assert_same(answer(found, paths), answer(expected, IMAGES))
    assert_same(answer(found, IMAGES), answer(expected, paths))
    assert_same(found.predict(paths), expected.predict(IMAGES))


def test_frozen_models_are_calibrated(paths):
    fitted = behind(ResidualExtractor(), CORRELATION).fit(paths[::2], Y[::2])
    found = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(paths[1::2], Y[1::2])
    other = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(IMAGES[1::2], Y[1::2])
    assert_same(found.predict_proba(paths), other.predict_proba(IMAGES))


TOOLS = {
    "cross_val_score": lambda model, X: cross_val_score(
        model, X, Y, cv=TWO, error_score="raise"
    ),
    "cross_val_predict": lambda model, X: cross_val_predict(model, X, Y, cv=TWO),
    "learning_curve": lambda model, X: learning_curve(
        model,
        X,
        Y,
        cv=TWO,
        shuffle=True,
        train_sizes=[0.6, 1.0],
        random_state=0,
        error_score="raise",
    )[2],
    "permutation_test_score": lambda model, X: permutation_test_score(
        model, X, Y, cv=TWO, n_permutations=3, random_state=0
    )[1],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_are_the_same_on_paths_and_behind_the_reader(paths, tool):
    inner = make_pipeline(ResidualExtractor(), CORRELATION)
    expected = TOOLS[tool](inner, IMAGES)
    assert_same(TOOLS[tool](behind(*clone(inner)), paths), expected)
    # The tool itself takes the images that the reader returns.
    assert_same(TOOLS[tool](inner, ImageReader().transform(paths)), expected)


def test_train_test_split_of_read_images(paths):
    read = ImageReader().transform(paths)
    for given in (read, ResidualExtractor().fit(read).transform(read)):
        whole = np.asarray(given)
        parts = train_test_split(given, Y, random_state=0, stratify=Y)
        expected = train_test_split(whole, Y, random_state=0, stratify=Y)
        for found, other in zip(parts, expected, strict=True):
            assert_same(found, other)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_three_backends(paths, backend):
    union = FeatureUnion([("a", RUNS), ("b", SPECTRA)], n_jobs=2)
    model = behind(union, LINEAR)
    search = behind(
        ResidualExtractor(),
        GridSearchCV(CORRELATION, {"subtract_common": [False, True]}, cv=2, n_jobs=2),
    )
    for each in (model, search):
        expected = clone(each).fit(IMAGES, Y)
        with parallel_config(backend):
            found = clone(each).fit(paths, Y)
            assert_same(answer(found, paths), answer(expected, IMAGES))


class Counting(SpectrumTransformer):
    """Spectra, and the number of images that they were computed of."""

    seen = []  # noqa: RUF012 - pickled instances share it

    def transform(self, X):
        self.seen.append(len(X))
        return super().transform(X)


def fit_cached(paths, folder, steps):
    """Fit a plain pipeline with `memory`; return its rows and the images computed."""
    Counting.seen.clear()
    model = Pipeline(steps, memory=str(folder))
    rows = model.fit(paths, Y)[:-1].transform(paths)
    return rows, sum(Counting.seen) - len(paths)  # without those of this transform


@pytest.mark.parametrize("middle", [[], [("residuals", ResidualExtractor("gaussian"))]])
def test_memory_of_scikit_learn_notices_overwritten_files(tmp_path, paths, middle):
    files = [tmp_path / f"{i:02}.png" for i in range(len(paths))]
    for file, image in zip(files, IMAGES, strict=True):
        Image.fromarray(image).save(file)
    steps = [
        ("reader", ImageReader()),
        *middle,
        ("spectra", Counting(block_size=16, radial=True)),
        ("last", LINEAR),
    ]
    first, n_first = fit_cached(files, tmp_path / "cache", steps)
    again, n_again = fit_cached(files, tmp_path / "cache", steps)
    assert (n_first, n_again) == (len(files), 0)
    np.testing.assert_array_equal(first, again)
    Image.fromarray(IMAGES[9]).save(files[4])
    changed, n_changed = fit_cached(files, tmp_path / "cache", steps)
    assert n_changed == len(files)
    np.testing.assert_allclose(changed[4], first[9], rtol=1e-5, atol=1e-5)
    # Of another size as well, which the cached images must not remember.
    steps[0] = ("reader", ImageReader((32, 32)))
    small, _ = fit_cached(files, tmp_path / "cache", steps)
    Image.fromarray(np.tile(IMAGES[9], (2, 2, 1))).save(files[4])
    larger, n_larger = fit_cached(files, tmp_path / "cache", steps)
    assert n_larger == len(files)
    assert not np.allclose(small[4], larger[4])


@pytest.fixture
def frame(paths):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    return pandas.DataFrame({"path": paths, "a": rng.normal(size=len(paths)), "b": Y})


def make_table():
    """Make a classifier of a table with a column of paths."""
    features = ColumnTransformer(
        [("images", behind(SPECTRA), "path"), ("rest", StandardScaler(), ["a", "b"])]
    )
    return make_pipeline(features, LINEAR)


def test_a_table_of_paths_equals_features_by_hand(frame):
    rest = frame[["a", "b"]].to_numpy(dtype=float)
    rows = np.hstack(
        [SPECTRA.fit_transform(IMAGES), StandardScaler().fit_transform(rest)]
    )
    expected = clone(LINEAR).fit(rows, Y).predict_proba(rows)
    found = make_table().fit(frame, Y).predict_proba(frame)
    assert_same(found, expected)
    scores = cross_val_score(make_table(), frame, Y, cv=TWO, error_score="raise")
    assert scores.shape == (2,)


def test_permutation_importance_of_a_table_of_paths(frame):
    model = make_table().fit(frame, Y)
    found = permutation_importance(model, frame, Y, n_repeats=3, random_state=0)
    # By hand: the score falls as the paths, or the labels among the columns, change.
    rng = np.random.RandomState(0)
    seed = rng.randint(np.iinfo(np.int32).max + 1)
    shuffled, order = frame.copy(), np.arange(len(Y))
    drawn = np.random.RandomState(seed)
    drops = []
    for _ in range(3):
        drawn.shuffle(order)
        shuffled["path"] = frame["path"].to_numpy()[order]
        drops.append(model.score(frame, Y) - model.score(shuffled, Y))
    np.testing.assert_allclose(found.importances[0], drops)
    assert found.importances_mean[2] > 0.2


def test_what_takes_no_stacks_takes_features(paths):
    bagging = BaggingClassifier(LINEAR, n_estimators=3, random_state=0)
    found = behind(SPECTRA, bagging).fit(paths, Y)
    expected = clone(bagging).fit(SPECTRA.fit_transform(IMAGES), Y)
    assert_same(
        found.predict_proba(paths), expected.predict_proba(SPECTRA.transform(IMAGES))
    )
    with pytest.raises(ValueError, match="dim 4"):
        behind(clone(bagging)).fit(paths, Y)

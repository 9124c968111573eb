import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    FingerprintClassifier,
    FingerprintTransformer,
    ImageReader,
    LinearPatternRemover,
    ResidualExtractor,
    SourceDiscriminant,
    SpectrumTransformer,
    Unflatten,
)
from skfingerprint._attribution.copies import count_perturbations
from skfingerprint._core.blocks import iterate_blocks
from skfingerprint._core.steps import split_stateless
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.perturbation import (
    Crop,
    GaussianBlur,
    JPEGCompression,
    RandomPerturbation,
    Resize,
    Shift,
)
from tests.estimators import assert_same, augment


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted on."""

    def fit(self, X, y):
        self.X_, self.y_, self.classes_ = X, y, np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_trained_on_the_images_and_each_copy(planted):
    X, y = planted[0][:10], planted[1][:10]
    model = augment(Recorder(), [Shift(down=1, right=0), GaussianBlur(std=2)]).fit(X, y)
    seen = model[-1]
    np.testing.assert_array_equal(seen.X_[::3], X)
    np.testing.assert_array_equal(
        seen.X_[1::3], Shift(down=1, right=0).fit_transform(X)
    )
    np.testing.assert_array_equal(seen.X_[2::3], GaussianBlur(std=2).fit_transform(X))
    np.testing.assert_array_equal(seen.y_, np.repeat(y, 3))


def test_stateless_steps_run_on_one_copy_at_a_time(planted, monkeypatch):
    X, y = planted[0][:12], planted[1][:12]
    sizes = []
    original = ResidualExtractor.transform

    def spy(self, X):
        sizes.append(len(X))
        return original(self, X)

    monkeypatch.setattr(ResidualExtractor, "transform", spy)
    pipeline = make_pipeline(ResidualExtractor(), SpectrumTransformer(), Recorder())
    model = augment(pipeline, [Shift(down=1, right=0), Shift(down=2, right=0)]).fit(
        X, y
    )
    assert sizes == [1, 12, 12, 12]
    expected = pipeline[:-1].fit_transform(
        np.concatenate([X, Shift(down=1, right=0).transform(X)])
    )
    np.testing.assert_allclose(model[-1].X_[::3], expected[:12], atol=1e-4)
    np.testing.assert_allclose(model[-1].X_[1::3], expected[12:], atol=1e-4)


def test_what_learns_is_fitted_on_all_copies(planted):
    X, y = planted[0][:12], planted[1][:12]
    pipeline = make_pipeline(SpectrumTransformer(), StandardScaler(), LinearSVC())
    model = augment(pipeline, [GaussianBlur(std=1)]).fit(X, y)
    assert model[1].n_samples_seen_ == 24
    assert not hasattr(pipeline[1], "mean_")  # a clone was fitted
    assert model.decision_function(X).shape == (12, 3)


def test_stateless_prefix():
    residual, spectrum = ResidualExtractor(), SpectrumTransformer()
    union = FeatureUnion([("a", make_pipeline(residual, spectrum)), ("b", spectrum)])
    first, rest = split_stateless(make_pipeline(union, StandardScaler(), LinearSVC()))
    assert first == [union]
    assert [name for name, _ in rest.steps] == ["standardscaler", "linearsvc"]
    learning = make_union(spectrum, StandardScaler())
    assert split_stateless(make_pipeline(learning, LinearSVC()))[0] == []
    assert split_stateless(LinearSVC())[0] == []


def test_a_cached_pipeline_is_fitted_whole(planted, tmp_path):
    X, y = planted[0][:12], planted[1][:12]
    pipeline = make_pipeline(
        SpectrumTransformer(), StandardScaler(), LinearSVC(), memory=str(tmp_path)
    )
    model = augment(pipeline, [Shift(down=1, right=0)]).fit(X, y)
    assert (model.predict(X) == y).all()


def test_no_copy_of_a_test_image_is_trained_on(planted):
    """Labels that say nothing must score at chance, and leaked copies would not."""
    X, y = planted
    labels = np.random.default_rng(0).permutation(y)

    class Memory(TransformerMixin, ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            self.X_, self.y_ = X.reshape(len(X), -1).astype(float), y
            return self

        def predict(self, X):
            rows = X.reshape(len(X), -1).astype(float)
            distances = np.linalg.norm(rows[:, None] - self.X_, axis=2)
            return self.y_[distances.argmin(axis=1)]

    model = augment(Memory(), [GaussianBlur(std=0.3)])
    assert cross_val_score(model, X, labels, cv=3).mean() < 0.5
    leaky = np.concatenate([X, GaussianBlur(std=0.3).fit_transform(X)])
    order = np.random.default_rng(0).permutation(len(leaky))
    scores = cross_val_score(Memory(), leaky[order], np.tile(labels, 2)[order], cv=3)
    assert scores.mean() > 0.6  # the mistake that the estimator is there to prevent


def test_grid_search_reaches_inside(planted):
    X, y = planted
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    model = augment(pipeline, [JPEGCompression(quality=95)])
    grid = {"residualextractor__sigma": [2, 4]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9


def test_methods_are_those_of_the_classifier(planted):
    X, y = planted
    model = augment(FingerprintClassifier(), [])
    assert hasattr(model, "decision_function")
    assert not hasattr(model, "predict_proba")
    dummy = augment(DummyClassifier(), []).fit(X, y)
    assert dummy.predict_proba(X).shape == (120, 3)
    with pytest.raises(AttributeError, match="decision_function"):
        dummy.decision_function(X)


class Changer(TransformerMixin, Recorder):
    """Keeps what it is fitted on, and gives it back changed, by one method at once."""

    def transform(self, X):
        return -np.asarray(X, dtype=float)

    def fit(self, X, y, groups=None):
        self.groups_ = groups
        return super().fit(X, y)

    def fit_transform(self, X, y, groups=None):
        self.called_ = "fit_transform"
        return self.fit(X, y, groups).transform(X)

    def fit_predict(self, X, y, groups=None):
        self.called_ = "fit_predict"
        return np.arange(len(self.fit(X, y, groups).y_))


@pytest.mark.parametrize("method", ["fit_transform", "fit_predict"])
@pytest.mark.parametrize("max_perturbations", [None, 1])
def test_results_of_a_fit_are_those_of_the_unprocessed_images(
    planted, method, max_perturbations
):
    X, y = planted[0][:20], planted[1][:20]
    changes = [GaussianBlur(std=1), Shift(down=1, right=0)]
    model = augment(
        make_pipeline(ResidualExtractor("gaussian"), Changer()),
        changes,
        max_perturbations=max_perturbations,
    )
    scenes = np.arange(20) // 4
    found = getattr(model, method)(X, y, groups=scenes)
    n_copies = 3 if max_perturbations is None else 2
    seen, residuals = model[-1], ResidualExtractor("gaussian").transform(X)
    assert seen.called_ == method
    np.testing.assert_allclose(seen.X_[::n_copies], residuals, atol=1e-4)
    assert not np.allclose(seen.X_[1::n_copies], residuals, atol=1)
    np.testing.assert_array_equal(seen.y_, np.repeat(y, n_copies))
    np.testing.assert_array_equal(seen.groups_, np.repeat(scenes, n_copies))
    if method == "fit_transform":
        np.testing.assert_allclose(found, -residuals, atol=1e-4)
    else:
        np.testing.assert_array_equal(found, np.arange(0, 20 * n_copies, n_copies))


def test_a_cross_fitted_last_step_scores_no_image_by_itself(planted):
    X, y = planted[0][:60], planted[1][:60]
    scenes = np.arange(60)
    model = augment(FingerprintTransformer(), [GaussianBlur(std=1)])
    found = model.fit_transform(X, y, groups=scenes)
    both = np.stack([X, GaussianBlur(std=1).fit_transform(X)], axis=1)
    rows, sources = both.reshape(120, *X.shape[1:]), np.repeat(y, 2)
    expected = FingerprintTransformer().fit_transform(
        rows, sources, groups=np.repeat(scenes, 2)
    )
    assert_same(found, expected[::2])
    assert found[np.arange(60), y].mean() < model.transform(X)[np.arange(60), y].mean()


def test_a_nested_pipeline_is_split_like_its_own_steps(planted, monkeypatch):
    X, y = planted[0][:30], planted[1][:30]
    monkeypatch.setattr("skfingerprint._attribution.copies.IMAGE_VALUES", 7 * X[0].size)
    changes = [GaussianBlur(std=0.5), GaussianBlur(std=1)]
    steps = ResidualExtractor(), SpectrumTransformer(), SourceDiscriminant(cv=2)
    nestings = {
        "flat": make_pipeline(*steps),
        "last two": make_pipeline(steps[0], make_pipeline(*steps[1:])),
        "all": make_pipeline(make_pipeline(*steps)),
        "twice": make_pipeline(
            steps[0], make_pipeline(steps[1], make_pipeline(steps[2]))
        ),
        "first two": make_pipeline(make_pipeline(*steps[:2]), steps[2]),
    }
    expected = augment(nestings["flat"], changes).fit(X, y).predict_proba(X)
    for name, nested in nestings.items():
        model = augment(nested, changes).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), expected, err_msg=name)
        assert [part for part, _ in model.steps] == [part for part, _ in nested.steps]
        assert not hasattr(steps[2], "classes_")
    inner = make_pipeline(SpectrumTransformer(), TakesCopies())
    seen = augment(make_pipeline(inner), changes).fit(X, y)[-1][-1]
    assert [len(block) for block in seen.blocks_] == [21, 21, 21, 21, 6]


class TakesCopies(Recorder):
    """Keeps what it is fitted on, block by block, and which copies these are."""

    def fit(self, X, y, conditions=None, groups=None, sample_weight=None):
        self.blocks_ = [block for block, _ in iterate_blocks(X)]
        self.conditions_, self.groups_ = conditions, groups
        return super().fit(np.concatenate(self.blocks_), y)


def test_rows_are_streamed_to_what_takes_copies(planted, monkeypatch):
    X, y = planted[0][:30], planted[1][:30]
    monkeypatch.setattr("skfingerprint._attribution.copies.IMAGE_VALUES", 7 * X[0].size)
    pipeline = make_pipeline(SpectrumTransformer(), TakesCopies())
    model = augment(pipeline, [Shift(down=1, right=0), GaussianBlur(std=1)], n_jobs=2)
    seen = model.fit(X, y)[-1]
    assert [len(block) for block in seen.blocks_] == [21, 21, 21, 21, 6]
    np.testing.assert_array_equal(seen.conditions_, np.tile([0, 1, 2], 30))
    np.testing.assert_array_equal(seen.groups_, np.repeat(np.arange(30), 3))
    blurred = SpectrumTransformer().transform(GaussianBlur(std=1).transform(X))
    np.testing.assert_allclose(seen.X_[2::3], blurred, rtol=1e-5)
    scenes = np.arange(30) // 6
    seen = model.fit(X, y, groups=scenes)[-1]
    np.testing.assert_array_equal(seen.groups_, np.repeat(scenes, 3))


def test_each_lazy_image_is_read_once(planted):
    da = pytest.importorskip("dask.array")
    X, y = planted[0][:30], planted[1][:30]
    read = []

    def note(block):
        read.append(len(block))
        return block

    lazy = da.from_array(X, chunks=(8, -1, -1)).map_blocks(
        note, meta=np.empty((0, 0, 0), np.uint8)
    )
    pipeline = make_pipeline(AttributionFeatures(), SourceDiscriminant())
    changes = [Shift(down=1, right=0), GaussianBlur(std=1)]
    model = augment(pipeline, changes, history="ignore")
    found = model.fit(lazy, y).predict(X)
    assert sum(read) == 30
    np.testing.assert_array_equal(found, model.fit(X, y).predict(X))


@pytest.mark.parametrize(
    ("max_perturbations", "n"), [(None, 4), (1, 2), (3, 4), (9, 4)]
)
def test_the_first_perturbations_make_the_copies_of_every_image(
    planted, max_perturbations, n
):
    X, y = planted[0][:60], planted[1][:60]
    changes = [Shift(down=1, right=0), Shift(down=0, right=1), GaussianBlur(std=1)]
    pipeline = make_pipeline(SpectrumTransformer(), TakesCopies())
    model = augment(pipeline, changes, max_perturbations=max_perturbations).fit(X, y)
    copies = model[-1].conditions_.reshape(60, n)
    np.testing.assert_array_equal(copies, np.tile(np.arange(n), (60, 1)))


def test_copies_get_fewer_with_many_images():
    for n_images, n in ((10, 24), (4096, 24), (8192, 12), (50_000, 3), (10**6, 3)):
        assert count_perturbations(n_images, 23, "auto") == n - 1
    with pytest.raises(
        ValueError, match="max_perturbations must be an int >= 1, got 0"
    ):
        count_perturbations(10, 3, 0)


def test_larger_copies_are_cut_to_their_image(planted):
    X, y = planted[0][:8], planted[1][:8]
    sizes = []

    class Noted(SpectrumTransformer):
        def transform(self, X):
            sizes.extend(image.shape[:2] for image in X)
            return super().transform(X)

    larger = Resize(scale=1.5, restore=False)
    mixed = RandomPerturbation(Resize(restore=False), {"scale": [0.75, 1.5]})
    pipeline = make_pipeline(Noted(block_size=16), Recorder())
    seen = augment(pipeline, [larger, mixed]).fit(X, y)[-1]
    height, width = X.shape[1:3]
    smaller = round(0.75 * height), round(0.75 * width)
    assert set(sizes) == {(height, width), smaller}
    spectra = SpectrumTransformer(block_size=16)
    part = larger.fit_transform(X)[:, :height, :width]
    np.testing.assert_allclose(seen.X_[1::3], spectra.fit_transform(part), rtol=1e-5)
    drawn = [image[:height, :width] for image in mixed.fit_transform(X)]
    np.testing.assert_allclose(seen.X_[2::3], spectra.transform(drawn), rtol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (40, 20), (33, 70), (20, 31)])
def test_small_images_have_copies_with_the_blocks_of_the_features(size):
    X = np.random.default_rng(0).integers(0, 256, (8, *size)).astype(np.uint8)
    resized = RandomPerturbation(
        Resize(restore=False, min_side=32), {"scale": [0.3, 0.48, 0.9, 2]}
    )
    pipeline = make_pipeline(AttributionFeatures(), Recorder())
    seen = augment(pipeline, [resized]).fit(X, np.arange(8) % 2)[-1]
    assert len(seen.X_) == 16
    assert np.isfinite(seen.X_).all()


def test_crops_and_sizes_among_the_copies(planted):
    X, y = planted[0][:36], planted[1][:36]
    changes = (c for c in (Crop(top=2, left=4), Resize(scale=1.5, restore=False), None))
    pipeline = make_pipeline(AttributionFeatures(block_size=16), SourceDiscriminant())
    model = augment(pipeline, changes)
    assert repr(clone(model)) == repr(model)
    assert model.fit(X, y).predict(X).shape == (36,)
    assert model.fit(X, y).predict(X[:, :20, :24]).shape == (36,)
    with pytest.raises(ValueError, match="copies differ in shape"):
        augment(FingerprintClassifier(), [Crop(top=2, left=4)]).fit(X, y)
    for nothing in (None, [], [None]):
        bare = augment(FingerprintClassifier(), nothing).fit(X, y)
        expected = FingerprintClassifier().fit(X, y).decision_function(X)
        assert_same(bare.decision_function(X), expected)


def test_the_pipeline_is_the_classifier_under_its_own_names(planted):
    X, y = planted[0][:60], planted[1][:60]
    scenes = np.arange(60) // 6
    steps = [("features", AttributionFeatures()), ("classifier", SourceDiscriminant())]
    changes = [GaussianBlur(std=0.5), GaussianBlur(std=1)]
    pipeline = AugmentedPipeline(steps, perturbations=changes)
    inner = make_pipeline(AttributionFeatures(), SourceDiscriminant())
    expected = augment(inner, changes).fit(X, y, groups=scenes)
    for metadata in ({"groups": scenes}, {"classifier__groups": scenes}):
        found = clone(pipeline).fit(X, y, **metadata)
        assert_same(found.predict_proba(X), expected.predict_proba(X))
    assert len(found[:-1].get_feature_names_out()) == found[:-1].transform(X).shape[1]
    grid = {"classifier__shrinkage": [0.1, 0.5], "max_perturbations": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_estimator_["classifier"].shrinkage_ in (0.1, 0.5)


def test_values_in_an_image_are_those_of_the_first_step():
    X, y = make_fingerprint_images(20, 2, image_shape=(24, 24, 3), random_state=0)
    chain = [AttributionFeatures(), SourceDiscriminant(cv=2)]
    model = augment(make_pipeline(*chain), [GaussianBlur(std=0.5)])
    assert not hasattr(model.fit(X, y), "n_features_in_")  # not that of the rows
    chain = [ResidualExtractor(), FingerprintClassifier()]
    model = augment(make_pipeline(*chain), [GaussianBlur(std=0.5)])
    assert model.fit(X[:, 0, :, 0], y).n_features_in_ == 24


@pytest.fixture
def files(tmp_path):
    """30 files of three sources, their images and their sources."""
    picture = pytest.importorskip("PIL.Image", reason="needs Pillow (extra images)")
    X, y = make_fingerprint_images(
        30, 3, image_shape=(32, 48, 3), strength=6, random_state=0
    )
    paths = [tmp_path / f"{number}.png" for number in range(30)]
    for path, image in zip(paths, X, strict=True):
        picture.fromarray(image).save(path)
    return paths, X, y


CHANGES = [Shift(down=1, right=0), GaussianBlur(std=1)]
CLASSIFIER = make_pipeline(SpectrumTransformer(block_size=16), SourceDiscriminant(cv=2))
CHAINS = {
    "reader": [ImageReader(), *CLASSIFIER],
    "two readers": [ImageReader(), ImageReader(), *CLASSIFIER],
    "nested": [make_pipeline(ImageReader(), CLASSIFIER[0]), CLASSIFIER[1]],
    "nested last": [ImageReader(), CLASSIFIER],
    "all nested": [make_pipeline(ImageReader(), *CLASSIFIER)],
    "nested twice": [make_pipeline(make_pipeline(ImageReader())), CLASSIFIER],
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("memory", [False, True])
def test_copies_are_made_behind_the_reader(files, tmp_path, name, memory):
    paths, X, y = files
    folder = tmp_path / "rows" if memory else None
    expected = augment(CLASSIFIER, CHANGES).fit(X, y)
    model = augment(make_pipeline(*CHAINS[name]), CHANGES, memory=folder)
    for fitted in (paths, X, [path.read_bytes() for path in paths]):
        found = clone(model).fit(fitted, y, groups=np.arange(30) // 5)
        for asked in (paths, X):
            np.testing.assert_array_equal(found.predict(asked), expected.predict(X))
    expected = expected.fit(X, y, groups=np.arange(30) // 5)
    assert_same(found.predict_proba(paths), expected.predict_proba(X))


@pytest.mark.parametrize("nested", [False, True])
def test_copies_are_made_behind_unflatten(files, nested):
    pandas = pytest.importorskip("pandas")
    _, X, y = files
    rows = X.reshape(len(X), -1)
    steps = Unflatten(X.shape[1:]), *CLASSIFIER
    if nested:
        steps = make_pipeline(*steps[:2]), steps[2]
    expected = augment(CLASSIFIER, CHANGES).fit(X, y).predict_proba(X)
    model = augment(make_pipeline(*steps), CHANGES).fit(rows, y)
    assert_same(model.predict_proba(rows), expected)
    assert model.n_features_in_ == rows.shape[1]
    frame = pandas.DataFrame(rows, columns=[f"p{i}" for i in range(rows.shape[1])])
    model.fit(frame, y)
    assert list(model.feature_names_in_) == list(frame.columns)
    assert_same(model.predict_proba(frame), expected)
    # Without the step in front, rows are no images whose copies could be made.
    with pytest.raises(ValueError, match=r"Unflatten\(image_shape\)"):
        augment(CLASSIFIER, CHANGES).fit(rows, y)


class LearningReader(StandardScaler):
    """Divide images by one number that is learned."""

    def fit(self, X, y=None):
        self.n_features_in_ = 1
        self.scale_ = float(np.asarray(X).std())
        return self

    def transform(self, X):
        return np.asarray(X) / self.scale_


def test_a_reader_beside_a_step_that_learns(files):
    paths, X, y = files
    inner = make_pipeline(ImageReader(), LearningReader())
    model = augment(make_pipeline(inner, Recorder()), CHANGES).fit(paths, y)
    copies = [X, *(clone(change).fit_transform(X) for change in CHANGES)]
    scale = np.stack(copies, axis=1).reshape(-1, *X.shape[1:]).std()
    for k, copy in enumerate(copies):
        np.testing.assert_allclose(model[-1].X_[k::3], copy / scale, rtol=1e-6)
    rows = X.reshape(30, -1)
    inner = make_pipeline(Unflatten(X.shape[1:]), LearningReader())
    model = augment(make_pipeline(inner, Recorder()), CHANGES).fit(rows, y)
    assert model.n_features_in_ == rows.shape[1]
    np.testing.assert_allclose(model[-1].X_[::3], X / scale, rtol=1e-6)


class Noticing(GaussianBlur):
    """A perturbation that keeps what it perturbs."""

    seen = []  # noqa: RUF012 - clones share it

    def _perturb(self, images, **params):
        self.seen.append(images)
        return super()._perturb(images, **params)


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("stateless", [ResidualExtractor(), LinearPatternRemover()])
def test_copies_are_never_made_of_residuals(files, reads, stateless):
    paths, X, y = files
    Noticing.seen.clear()
    steps = [ImageReader()] * reads + [stateless, FingerprintClassifier()]
    augment(make_pipeline(*steps), [Noticing(std=1)]).fit(paths if reads else X, y)
    seen = np.concatenate(Noticing.seen)
    np.testing.assert_array_equal(np.unique(seen), np.unique(X))
    assert len(seen) >= 30


def test_bad_input_of_a_pipeline_that_reads(files, tmp_path):
    paths, X, y = files
    model = augment(make_pipeline(ImageReader(), *CLASSIFIER), CHANGES).fit(X, y)
    before = vars(model).copy()
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(paths[0].read_bytes()[:300])
    for images, labels, message in (
        (paths, y[:5], "an entry for each of the 30 images"),
        (paths[0], y, "list of images"),
        ([*paths[:29], damaged], y, "damaged.png"),
        ([*paths[:29], None], y, "image 29 of X is None"),
        (paths, None, "requires y"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(images, labels)
        assert vars(model) == before
    with pytest.raises(ValueError, match=r"put|Put `ImageReader\(\)` at the head"):
        augment(CLASSIFIER, CHANGES).fit(paths, y)

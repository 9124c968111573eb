"""Classes that differ in their JPEG history: judged, named, and not learned from."""

import warnings

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import randint
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline, make_pipeline

from skfingerprint import (
    AttributionFeatures,
    ImageReader,
    RejectingClassifier,
    ResidualExtractor,
    SourceDetector,
    SourceDiscriminant,
    make_attribution_pipeline,
)
from skfingerprint._attribution.history import (
    _draw_places,
    list_qualities,
    read_history,
)
from skfingerprint._core import BlockSource, select_rows
from skfingerprint._history import estimate_quality
from skfingerprint._images import file_images
from skfingerprint.datasets import load_generators
from skfingerprint.perturbation import (
    GaussianBlur,
    JPEGCompression,
    RandomPerturbation,
    Resize,
    WebPCompression,
)
from tests.estimators import augment

NESTED = RandomPerturbation(
    make_pipeline(Resize(), JPEGCompression(quality=85)), {"resize__scale": [0.8, 0.9]}
)
PAST = "class 'c': 10 of 10 images were JPEG files once, of the other 3 class.* 0 of 30"


def make_images(n, seed=0):
    """Draw color images like photographs: smooth, with some detail."""
    rng = np.random.default_rng(seed)
    coarse = ndimage.gaussian_filter(rng.normal(size=(n, 48, 48, 3)), (0, 3, 3, 0))
    fine = ndimage.gaussian_filter(rng.normal(size=(n, 48, 48, 3)), (0, 0.6, 0.6, 0))
    return (128 + 400 * coarse + 8 * fine).clip(0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def images():
    return make_images(40)


@pytest.fixture(scope="module")
def y():
    return np.repeat(["a", "b", "c", "d"], 10)


@pytest.fixture(scope="module")
def mixed(images, y):
    """Images of which those of class "c" were JPEG files once."""
    return plant(images, y == "c")


def plant(images, where, quality=75):
    planted = images.copy()
    planted[where] = JPEGCompression(quality=quality).fit_transform(images[where])
    return planted


def fit(X, y, perturbations=(), last=None, **params):
    pipeline = make_pipeline(AttributionFeatures(), last or SourceDiscriminant())
    return augment(pipeline, perturbations, **params).fit(X, y)


def rated():
    """Return a classifier with a rate, which few images would not reach."""
    return RejectingClassifier(detector=SourceDetector(miss_rate=0.5))


@pytest.mark.parametrize("perturbations", [(), [GaussianBlur(std=1)]])
def test_classes_and_counts_are_named(mixed, y, perturbations):
    with pytest.warns(UserWarning, match=PAST) as caught:
        fit(mixed, y, perturbations)
    assert "JPEG compression among the perturbations" in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("quality", [None, 75, 95])
def test_classes_alike_are_silent(images, y, quality):
    """All classes were JPEG files once, or none was."""
    fit(plant(images, slice(None), quality) if quality else images, y)


def test_a_rate_needs_jpeg_among_the_perturbations(mixed, y):
    for perturbations in ((), [GaussianBlur(std=1)]):
        with pytest.raises(ValueError, match=f'{PAST}.*history="warn"'):
            fit(mixed, y, perturbations, rated())
        with pytest.warns(UserWarning, match=PAST):
            fit(mixed, y, perturbations, rated(), history="warn")
    fit(mixed, y, (), rated(), history="ignore")


@pytest.mark.parametrize("change", [JPEGCompression(quality=80), NESTED], ids=repr)
def test_jpeg_is_found_inside_of_perturbations(mixed, y, change):
    with pytest.warns(UserWarning, match="Only perturbed copies are used of class 'c'"):
        fit(mixed, y, [GaussianBlur(std=1), change], rated())


@pytest.mark.parametrize("quality", [60, 95])
def test_the_quality_of_the_past_must_be_near(images, y, quality):
    mixed = plant(images, y == "c", quality)
    far = JPEGCompression(quality=quality - 20 if quality > 80 else quality + 20)
    with pytest.raises(
        ValueError, match=f"of a quality about ({quality}|{quality - 1})"
    ):
        fit(mixed, y, [far], rated())
    near = JPEGCompression(quality=quality - 12 if quality > 80 else quality + 12)
    with pytest.warns(UserWarning, match="Only perturbed"):
        fit(mixed, y, [far, near], rated())


@pytest.mark.parametrize(
    ("change", "qualities"),
    [
        (GaussianBlur(), []),
        (WebPCompression(), []),
        (JPEGCompression(quality=70), [70]),
        (NESTED, [85]),
        (make_pipeline(Resize(), JPEGCompression(quality=70)), [70]),
        (RandomPerturbation(JPEGCompression(), {"quality": [60, 70]}), [60, 70]),
        (RandomPerturbation(WebPCompression(), {"quality": [60, 70]}), []),
        (make_pipeline("passthrough", make_pipeline(JPEGCompression())), [95]),
    ],
    ids=repr,
)
def test_qualities_of_perturbations(change, qualities):
    assert list_qualities(change) == qualities


def test_qualities_of_a_distribution():
    random = RandomPerturbation(JPEGCompression(), {"quality": randint(60, 90)})
    found = list_qualities(random)
    assert 60 <= min(found) < 65 < 85 < max(found) < 90


@pytest.mark.parametrize("quality", [40, 60, 75, 85, 90, 95])
def test_the_quality_is_estimated(quality):
    pixels = JPEGCompression(quality=quality).fit_transform(
        load_generators().images[::40]
    )
    found = [estimate_quality(image[3:, 5:]) for image in pixels]
    assert abs(np.median(found) - quality) <= 2
    assert np.isnan(estimate_quality(np.full((40, 40), 128)))


def test_a_failed_fit_changes_nothing(mixed, y):
    model = make_attribution_pipeline(perturbations=(), miss_rate=0.1)
    before = vars(model).copy()
    with pytest.raises(ValueError, match="JPEG files once"):
        model.fit(mixed, y)
    assert vars(model) == before


def test_the_setting_is_checked(images, y):
    with pytest.raises(ValueError, match=r"history must be one of .*'no'"):
        fit(images, y, history="no")


class Conditions(SourceDiscriminant):
    """Keeps the labels and conditions of its rows."""

    def fit(self, X, y, *, conditions=None, groups=None):
        self.seen_ = list(zip(y.tolist(), conditions.tolist(), strict=True))
        self.groups_ = groups
        return super().fit(X, y, conditions=conditions, groups=groups)


@pytest.mark.parametrize(
    ("past", "left_out"),
    [("c", "c"), ("bda", "c"), ("cd", "cd"), ("abcd", ""), ("", "")],
)
def test_the_rarer_history_takes_no_part_in_the_unchanged_condition(
    images, y, past, left_out
):
    X = plant(images, np.isin(y, list(past))) if past else images
    changes = [JPEGCompression(quality=80), GaussianBlur(std=1)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fit(X, y, changes, Conditions())
    assert len(caught) == bool(left_out)
    expected = [
        (label, condition)
        for label in y.tolist()
        for condition in range(3)
        if condition or label not in left_out
    ]
    assert model[-1].seen_ == expected
    numbers = [i for i in range(40) for _ in range(3 - (y[i] in left_out))]
    assert model[-1].groups_.tolist() == numbers


def test_with_a_rate_three_classes_stay(mixed, y):
    kept = y != "a"
    with pytest.warns(UserWarning, match="JPEG files once") as caught:
        fit(mixed[kept], y[kept], [JPEGCompression(quality=80)], rated())
    assert "Only perturbed" not in str(caught[0].message)


@pytest.mark.parametrize("past", ["a", "d"])
def test_a_detector_works_without_unprocessed_images_of_a_class(images, y, past):
    X = plant(images, y == past)
    changes = [JPEGCompression(quality=80), GaussianBlur(std=1)]
    with pytest.warns(UserWarning, match="Only perturbed"):
        model = fit(X, y, changes, rated())
    detector = model[-1].detector_
    assert detector.score_sources(model[:-1].transform(X)).shape == (40, 4)
    # Unprocessed rows of three sources were held out, each in turn.
    assert set(detector.null_sources_[: np.sum(y != past)]) == {
        k for k in range(4) if "abcd"[k] != past
    }
    shares = model.assess(X).false_alarm_probability
    assert ((shares > 0) & (shares <= 1)).all()


def test_rows_of_a_mask_are_selected_block_by_block():
    X, kept = np.arange(20).reshape(10, 2), np.flatnonzero(np.arange(10) % 3)
    source = BlockSource(lambda k: X[4 * k : 4 * k + 4], [4, 4, 2])
    found = select_rows(source, kept)
    assert found.sizes == [2, 3, 1] and found.shape == (6, 2)
    np.testing.assert_array_equal(np.stack(list(found)), X[kept])


def test_memory_keeps_the_same_rows(mixed, y, tmp_path):
    changes, found = [JPEGCompression(quality=80), GaussianBlur(std=1)], []
    for memory in (None, tmp_path, tmp_path):
        with pytest.warns(UserWarning, match="JPEG files once"):
            model = fit(mixed, y, changes, memory=memory)
        found.append(model.decision_function(mixed))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[2], found[1], rtol=1e-6, atol=1e-6)


def test_a_jpeg_past_is_not_taken_for_a_source():
    """Two classes of one source, one of them saved as JPEG: nothing to be sure of."""
    X, y = make_images(120, seed=1), np.tile(["jpeg", "png"], 60)
    X, new = plant(X, y == "jpeg"), plant(make_images(60, seed=2), slice(None))
    changes = [JPEGCompression(quality=quality) for quality in (90, 60)]
    sure = {}
    for history in ("ignore", "auto"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = fit(X, y, changes, history=history)
        sure[history] = np.mean(model.predict_proba(new)[:, 0] > 0.9)
    assert sure["ignore"] > 0.4
    assert sure["auto"] < 0.15


def test_lazy_lists_and_files_are_judged_alike(mixed, y, tmp_path):
    da = pytest.importorskip("dask.array")
    image = pytest.importorskip("PIL.Image")
    paths = [tmp_path / f"{i}.png" for i in range(len(mixed))]
    for path, pixels in zip(paths, mixed, strict=True):
        image.fromarray(pixels).save(path)
    ragged = [x[: 40 + i % 3] for i, x in enumerate(mixed)]
    for X in (da.from_array(mixed, chunks=(7, -1, -1, -1)), list(mixed), ragged):
        with pytest.warns(UserWarning, match=PAST):
            fit(X, y)
    last = make_pipeline(AttributionFeatures(), SourceDiscriminant())
    with pytest.warns(UserWarning, match=PAST):
        augment(make_pipeline(ImageReader(), last), ()).fit(paths, y)
    with pytest.warns(UserWarning, match=PAST):
        fit(ImageReader().transform(paths), y)


def write(folder, images, y, ways):
    """Write images, each class in a way of its own, and return the paths."""
    pytest.importorskip("PIL.Image", reason="needs Pillow (extra images)")
    from PIL import Image

    files = []
    for number, (image, label) in enumerate(zip(images, y, strict=True)):
        suffix, options = ways.get(label, ways[None])
        files.append(folder / f"{number}.{suffix}")
        Image.fromarray(image).save(files[-1], **options)
    return files


PNG = "png", {}
HEADERS = {
    "lossless and lossy": (PNG, ("webp", {"quality": 95}), "format"),
    "two formats": (PNG, ("bmp", {}), "format"),
    "two tables": (
        ("jpg", {"quality": 90}),
        ("jpg", {"quality": 70}),
        "JPEG quality",
    ),
    "profiles": (PNG, ("png", {"icc_profile": b"a profile" * 20}), "ICC profile"),
}


@pytest.mark.parametrize("kind", ["paths", "bytes", "pictures"])
@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_told_in_the_one_warning_of_a_fit(images, y, tmp_path, name, kind):
    usual, other, expected = HEADERS[name]
    files = write(tmp_path, images, y, {None: usual, "c": other})
    if kind == "pictures":
        from PIL import Image

        files = [Image.open(file) for file in files]
    X = [file.read_bytes() for file in files] if kind == "bytes" else files
    model = make_attribution_pipeline(perturbations=())
    with pytest.warns(UserWarning, match=f"^Headers of files: .* {expected}") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    model.predict(X[:2])
    model.set_params(history="ignore").fit(X, y)
    # No label, or labels that are not compared: nothing to tell.
    ImageReader().fit_transform(X)
    two = make_attribution_pipeline(perturbations=(), miss_rate=0.5, background="c")
    two.fit(X, y)


def test_headers_and_pixels_are_told_together(images, y, tmp_path):
    ways = {None: PNG, "c": ("jpg", {"quality": 75})}
    files = write(tmp_path, images, y, ways)
    model = make_attribution_pipeline(perturbations=())
    with pytest.warns(UserWarning, match=f"{PAST}.*Headers of files: .* format") as few:
        model.fit(files, y)
    assert len(few) == 1


@pytest.mark.parametrize(
    "other", [PNG, ("png", {"compress_level": 1})], ids=["equal", "another level"]
)
def test_headers_alike_are_silent(images, y, tmp_path, other):
    files = write(tmp_path, images, y, {None: PNG, "c": other})
    make_attribution_pipeline(perturbations=()).fit(files, y)


def test_progressive_files_are_silent(images, y, tmp_path):
    ways = {None: ("jpg", {}), "c": ("jpg", {"progressive": True})}
    files = write(tmp_path, images, y, ways)
    make_attribution_pipeline(perturbations=()).fit(files, y)


def test_grey_images_are_judged(mixed, y):
    with pytest.warns(UserWarning, match=r"JPEG files once"):
        fit(mixed[..., 1], y)


@pytest.mark.parametrize(
    "kind", ["residuals", "rows", "small", "0..1", "labels", "infinity"]
)
def test_anything_else_is_silent(mixed, y, kind):
    if kind == "residuals":
        X = ResidualExtractor().fit_transform(mixed)
    else:
        parts = {"rows": mixed.reshape(40, -1), "small": mixed[:, :31], "0..1": mixed}
        X = parts.get(kind, mixed)
    X = X / np.float32(255) if kind == "0..1" else X
    y = np.arange(40) / 7 if kind == "labels" else y
    y = np.where(y == "a", np.inf, 1) if kind == "infinity" else y
    history = read_history(X, y)
    assert history is None or not history.differs()


def test_backgrounds_and_few_images_are_not_judged(mixed, y):
    """Photographs mostly were JPEG files once, and are never an answer."""
    assert read_history(mixed, y).differs()
    assert not read_history(mixed, y, ["c"]).differs()
    kept = (y != "c") | (np.arange(40) < 22)
    history = read_history(mixed[kept], y[kept])
    assert history.classes.tolist() == ["a", "b", "d"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(mixed, y, (), SourceDiscriminant(background="c"))


def test_draws_are_bounded_and_read_few_blocks():
    members = np.repeat(np.arange(4), 1000)
    one_by_one = _draw_places(np.ones(4000, dtype=int), members)
    assert np.bincount(members[one_by_one]).tolist() == [20] * 4
    by_block = _draw_places(np.full(40, 100), members)
    assert np.bincount(members[by_block]).tolist() == [20] * 4
    assert len(np.unique(by_block // 100)) == 4
    many = np.repeat(np.arange(500), 10)
    assert np.bincount(many[_draw_places(np.ones(5000, int), many)]).max() == 3


def test_blocks_without_drawn_images_are_not_read(mixed, y):
    read = []

    def note(k):
        read.append(k)
        return np.concatenate([mixed[k * 10 : k * 10 + 10]] * 10)

    source = BlockSource(note, [100] * 4)
    assert read_history(source, np.repeat(y, 10)).n_judged.tolist() == [20] * 4
    assert sorted(read) == [0, 1, 2, 3]


def test_files_that_are_not_drawn_are_not_decoded(mixed, y, tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    for i, pixels in enumerate(mixed):
        image.fromarray(pixels).save(tmp_path / f"{i}.png")
    read, decode = [], file_images.read_image

    def note(file, shape=None):
        read.append(file)
        return decode(file, shape)

    monkeypatch.setattr(file_images, "read_image", note)
    paths = [str(tmp_path / f"{i}.png") for i in range(len(mixed))] * 10
    history = read_history(ImageReader(n_jobs=2).fit_transform(paths), [*y] * 10, (), 2)
    assert history.n_judged.tolist() == [20] * 4
    assert len(read) == 80


def test_steps_that_are_no_classifier(mixed, y):
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    steps = [("features", AttributionFeatures()), ("lda", lda)]
    with pytest.warns(UserWarning, match=PAST) as caught:
        augment(Pipeline(steps), [JPEGCompression(quality=80)]).fit(mixed, y)
    assert len(caught) == 1

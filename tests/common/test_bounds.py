"""What holds no images is refused by name, and messages show little of the data."""

import io
import warnings
import zipfile

import numpy as np
import pytest
import sklearn

from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    FingerprintClassifier,
    FingerprintClustering,
    FingerprintDetector,
    FingerprintLocalizer,
    FingerprintTransformer,
    ResidualExtractor,
    SourceDetector,
    SourceDiscriminant,
    SpectrumTransformer,
    Unflatten,
    WindowedClassifier,
    make_attribution_pipeline,
)
from skfingerprint._core import shorten
from skfingerprint._core.checks import PACKAGES
from skfingerprint.datasets import (
    load_image_files,
    load_image_folder,
    make_fingerprint_images,
    make_paired_sources,
)
from skfingerprint.denoising import wavelet_wiener
from skfingerprint.metrics import open_set_report
from skfingerprint.perturbation import GaussianBlur, JPEGCompression
from skfingerprint.plotting import SourceConfusionDisplay

IMAGES, Y = make_fingerprint_images(
    60, 3, image_shape=(20, 24, 3), strength=5, random_state=0
)
RESIDUALS = IMAGES - IMAGES.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
FEATURES = SpectrumTransformer(block_size=8)
NAMES = np.array(["a", "b", "c"])[Y]
LONG = "data:image/png;base64," + "A" * 100_000
LEARNERS = {
    "classifier": (FingerprintClassifier(), RESIDUALS),
    "transformer": (FingerprintTransformer(), RESIDUALS),
    "detector": (FingerprintDetector(), RESIDUALS),
    "clustering": (FingerprintClustering(random_state=0), RESIDUALS),
    "discriminant": (SourceDiscriminant(), FEATURES.fit_transform(IMAGES)),
    "source detector": (SourceDetector(), FEATURES.fit_transform(IMAGES)),
    "pipeline": (make_attribution_pipeline(perturbations=()), IMAGES),
    "copies": (make_attribution_pipeline(perturbations=[GaussianBlur()]), IMAGES),
    "residuals": (ResidualExtractor(), IMAGES),
    "features": (AttributionFeatures(block_size=8), IMAGES),
}
GROUPED = ("transformer", "detector", "discriminant", "source detector", "copies")
EACH = pytest.mark.parametrize("name", LEARNERS)


def fit(model, X, y=Y, **metadata):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return sklearn.clone(model).fit(X, y, **metadata)


def answer(model, X):
    method = "predict" if hasattr(model, "predict") else "transform"
    return np.asarray(getattr(model, method)(X))


def shift(X, change):
    """Return a dask array whose second block is changed, and its chunks are not."""
    da = pytest.importorskip("dask.array")

    def function(block, block_info=None):
        at = block_info[0]["chunk-location"][0] if block_info else 0
        return change(block) if at == 1 else block

    lazy = da.from_array(X, chunks=(20, *X.shape[1:]))
    meta = np.empty((0,) * X.ndim, X.dtype)
    return lazy.map_blocks(function, dtype=X.dtype, meta=meta)


CHANGES = {
    "one less": lambda block: block[:-1],
    "one more": lambda block: np.concatenate([block, block[:1]]),
    "none": lambda block: block[:0],
    "one of half": lambda block: block[:10],
    "smaller": lambda block: block[:, 1:],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@EACH
def test_blocks_of_another_shape_than_declared_are_named(name, change):
    if name == "clustering":
        pytest.importorskip("networkx")
    model, X = LEARNERS[name]
    message = r"block 1 of X has shape \(.*, and its chunks declare \(20, "
    with pytest.raises(ValueError, match=message):
        found = fit(model, shift(X, change))
        answer(found, shift(X, change))
    if name != "clustering":
        with pytest.raises(ValueError, match=message):
            answer(fit(model, X), shift(X, change))


def test_blocks_as_declared_are_compared_once():
    lazy = shift(RESIDUALS, np.asarray)
    residuals = ResidualExtractor().fit_transform(shift(IMAGES, np.asarray))
    model = fit(FingerprintClassifier(), lazy)
    assert answer(model, lazy).tolist() == answer(model, RESIDUALS).tolist()
    names = [key for key in residuals.dask.layers if "checked" in str(key)]
    assert len(names) == 2  # of the images, and of the function that checks them


MISSING = {
    "None": lambda values: [*values[:7], None, *values[8:]],
    "NaN": lambda values: np.where(np.arange(len(values)) == 7, np.nan, values),
    "NaT": lambda values: np.where(
        np.arange(len(values)) == 7, np.datetime64("NaT"), np.datetime64("2020", "s")
    ),
    "mask": lambda values: np.ma.array(values, mask=np.arange(len(values)) == 7),
    "NUL": lambda values: [*map(str, values[:7]), "1\0", *map(str, values[8:])],
}


@pytest.mark.parametrize("missing", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("name", GROUPED)
def test_missing_groups_are_numbered(name, missing):
    model, X = LEARNERS[name]
    with pytest.raises(ValueError, match=r"groups holds .* for image 7"):
        fit(model, X, groups=missing(np.arange(60) // 2))
    if name in ("discriminant", "source detector"):
        with pytest.raises(ValueError, match=r"conditions holds .* for image 7"):
            fit(model, X, conditions=missing(np.arange(60) % 2))


@pytest.mark.parametrize("name", ["classifier", "discriminant", "pipeline", "copies"])
@pytest.mark.parametrize("dtype", [list, lambda y: np.array(y, dtype=object)])
def test_labels_that_numpy_would_merge_are_numbered(name, dtype):
    model, X = LEARNERS[name]
    labels = ["a" if k else "a\0" for k in Y]
    with pytest.raises(ValueError, match=r"y holds 'a\\x00' for image .* NumPy drops"):
        fit(model, X, dtype(labels))
    with pytest.raises(ValueError, match="y holds a mask for image 3"):
        fit(model, X, np.ma.array(Y, mask=np.arange(60) == 3))


@EACH
def test_empty_input_is_named(name):
    model, X = LEARNERS[name]
    for empty in ([], (), X[:0]):
        with pytest.raises(ValueError, match=r"X is empty|0 sample\(s\)"):
            fit(model, empty, Y[:0])
        if name != "clustering":
            with pytest.raises(ValueError, match=r"X is empty|0 sample\(s\)"):
                answer(fit(model, X), empty)


ITEMS = {
    "None": (None, "is None, and no image: leave it out"),
    "NaN": (float("nan"), "is nan, and no image"),
    "number": (3, r"has shape \(\)"),
    "row": (np.arange(5), r"has shape \(5,\)"),
    "pair": ((IMAGES[0], 3), r"a pair of an image and its label: `images, y = zip"),
    "row of a table": ({"image": IMAGES[0]}, r"pass its images, `\[row\['image'\]"),
    "mask": (
        np.ma.array(IMAGES[0], mask=IMAGES[0] > 100),
        "has masked values",
    ),
}


@pytest.mark.parametrize(("item", "message"), ITEMS.values(), ids=ITEMS)
@pytest.mark.parametrize("place", [0, 2])
def test_items_that_are_no_images_are_numbered(item, message, place):
    given = list(IMAGES[:4])
    given[place] = item
    objects = np.empty(4, dtype=object)
    objects[:] = given
    for X in (given, tuple(given), objects):
        with pytest.raises(
            ValueError, match=rf"image (or row )?{place} of X.*{message}"
        ):
            ResidualExtractor().fit(X)


def test_the_image_that_is_too_small_is_numbered():
    given = [IMAGES[0], IMAGES[1], IMAGES[2][:9]]
    with pytest.raises(ValueError, match="image 2 of X: images of 9x24"):
        ResidualExtractor().fit_transform(given)


def test_a_truncated_picture_is_numbered():
    Image = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(file, "png")
    cut = Image.open(io.BytesIO(file.getvalue()[:700]))
    with pytest.raises(ValueError, match=r"image 1 of X: .*truncated"):
        ResidualExtractor().fit([Image.fromarray(IMAGES[0]), cut])


def mask_one(X, place):
    mask = np.zeros(X.shape, dtype=bool)
    mask[place, 3, 4] = True
    return np.ma.array(X, mask=mask)


def open_zip():
    archive = zipfile.ZipFile(io.BytesIO(), "w")
    archive.writestr("0.png", b"")
    return archive


def open_npz():
    file = io.BytesIO()
    np.savez(file, images=IMAGES)
    file.seek(0)
    return np.load(file)


CONTAINERS = {
    "generator": (lambda: (image for image in IMAGES), r"pass a list, `list\(X\)`"),
    "map": (lambda: map(np.asarray, IMAGES), r"pass a list, `list\(X\)`"),
    "dict": (lambda: {"images": IMAGES}, r"`X\['images'\]`"),
    "npz": (open_npz, r"`X\['images'\]`"),
    "zip": (open_zip, "open archive .*namelist"),
    "number": (lambda: 3, "holds no images"),
    "images and labels": (lambda: (IMAGES, Y), r"image 1 of X has shape \(60,\)"),
    "True and False": (lambda: IMAGES > 100, "True and False, which are not grey"),
    "list of them": (lambda: list(IMAGES > 100), "True and False"),
    "one image": (lambda: IMAGES[0], r"one image with 3 channels.*`X\[np.newaxis\]`"),
    "with alpha": (
        lambda: np.concatenate([IMAGES[0], IMAGES[0, ..., :1]], axis=-1),
        r"one image with 4 channels.*`X\[np.newaxis\]`",
    ),
    "masked": (
        lambda: mask_one(IMAGES, 5),
        "image or row 5 of X has masked values",
    ),
}


@pytest.mark.parametrize(("make", "message"), CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize(
    "name", ["residuals", "features", "pipeline", "classifier", "copies"]
)
def test_containers_that_hold_no_images_are_told_the_remedy(name, make, message):
    model, X = LEARNERS[name]
    with pytest.raises(ValueError, match=message):
        fit(model, make())
    if name in ("pipeline", "residuals"):
        with pytest.raises(ValueError, match=message):
            answer(fit(model, X), make())


def test_masked_arrays_without_a_mask_are_arrays():
    model = fit(ResidualExtractor(), IMAGES)
    found = answer(model, np.ma.array(IMAGES))
    np.testing.assert_array_equal(found, answer(model, IMAGES))
    assert type(model.transform(np.ma.array(IMAGES))) is np.ndarray
    lazy = shift(IMAGES, lambda block: mask_one(block, 3))
    with pytest.raises(ValueError, match="image or row 23 of X has masked values"):
        np.asarray(model.transform(lazy))


def test_small_stacks_are_no_single_images():
    rng = np.random.default_rng(0)
    for shape in ((30, 4, 4), (30, 3, 3), (3, 20, 3), (30, 3, 4)):
        X = rng.normal(size=shape).astype(np.float32)
        assert len(fit(FingerprintClassifier(), X, np.arange(len(X)) % 2).classes_) == 2


class Foreign:
    """An array of another library, as far as the array API names it."""

    shape, dtype, ndim = IMAGES.shape, object(), 4

    def __dlpack__(self):
        raise NotImplementedError

    def __len__(self):
        return len(IMAGES)

    def __array__(self, dtype=None, copy=None):
        return np.array(IMAGES, dtype=dtype)


def test_arrays_of_other_libraries_are_read_or_refused():
    model = fit(ResidualExtractor(), IMAGES)
    np.testing.assert_array_equal(answer(model, Foreign()), answer(model, IMAGES))
    with sklearn.config_context(array_api_dispatch=True):
        with pytest.raises(ValueError, match=r"array_api_dispatch is on.*np.asarray"):
            model.transform(Foreign())


@pytest.mark.parametrize("n_jobs", ["all", 0, 1.5, LONG])
def test_numbers_of_threads_are_named(n_jobs):
    for model, X in (
        (ResidualExtractor(n_jobs=n_jobs), IMAGES),
        (AttributionFeatures(n_jobs=n_jobs), IMAGES),
        (FingerprintClassifier(n_jobs=n_jobs), RESIDUALS),
        (make_attribution_pipeline(n_jobs=n_jobs, perturbations=[None]), IMAGES),
        (make_attribution_pipeline(n_jobs=n_jobs), IMAGES),
    ):
        with pytest.raises(ValueError, match=r"n_jobs must be .*, -1 for all"):
            answer(fit(model, X), X)


@pytest.mark.parametrize(
    "perturbations",
    ["none", "jpeg", LONG, 3, False, JPEGCompression(), [JPEGCompression], ["jpeg"]],
)
def test_perturbations_are_named(perturbations):
    message = r"perturbations must be a sequence .*\(\) or None .*got"
    steps = [("features", FEATURES), ("last", SourceDiscriminant())]
    with pytest.raises(ValueError, match=message):
        fit(AugmentedPipeline(steps, perturbations=perturbations), IMAGES)
    with pytest.raises(ValueError, match=message):
        fit(make_attribution_pipeline(perturbations=perturbations), IMAGES)


def test_assess_is_named_where_there_are_no_probabilities():
    plain = make_attribution_pipeline(perturbations=())
    with pytest.raises(AttributeError, match=r"'assess': it needs a stated rate"):
        _ = plain.assess
    stated = make_attribution_pipeline(false_alarm_rate=0.1)
    with pytest.raises(AttributeError, match=r"'predict_proba': .*assess\(X\)"):
        _ = stated.predict_proba
    assert hasattr(plain, "predict_proba") and not hasattr(stated, "predict_proba")
    assert hasattr(stated, "assess") and not hasattr(plain, "assess")
    for model in (plain, stated):
        with pytest.raises(AttributeError, match=r"has no attribute 'other'$"):
            _ = model.other


@pytest.mark.parametrize("output", ["pandas", "polars"])
@pytest.mark.parametrize("rate", [None, 0.1])
@pytest.mark.parametrize("perturbations", [(), [GaussianBlur()]])
def test_set_output_warns_of_no_names(output, rate, perturbations):
    pytest.importorskip(output)
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    model = make_attribution_pipeline(
        perturbations=perturbations, false_alarm_rate=rate
    )
    model.steps[:2] = [("features", FEATURES)]
    foreign = AugmentedPipeline(
        [("features", FEATURES), ("last", LinearDiscriminantAnalysis())],
        perturbations=perturbations,
    )
    expected = [fit(m, IMAGES).predict(IMAGES).tolist() for m in (model, foreign)]
    with sklearn.config_context(transform_output=output):
        for one, other in zip((model, foreign), expected, strict=True):
            found = fit(one, IMAGES)
            assert found.predict(IMAGES).tolist() == other  # warnings are errors
    inside = fit(model.set_output(transform=output), IMAGES)
    assert inside.predict(IMAGES).tolist() == expected[0]


SHOWN = {
    "sigma": lambda v: ResidualExtractor(sigma=v).fit(IMAGES),
    "denoiser": lambda v: ResidualExtractor(v).fit(IMAGES),
    "wavelet": lambda v: wavelet_wiener(IMAGES, wavelet=v),
    "image_shape": lambda v: Unflatten(v).fit(IMAGES),
    "perturbations": lambda v: make_attribution_pipeline(perturbations=v).fit(
        IMAGES, Y
    ),
    "max": lambda v: make_attribution_pipeline(max_perturbations=v).fit(IMAGES, Y),
    "memory": lambda v: make_attribution_pipeline(memory=[v]).fit(IMAGES, Y),
    "background": lambda v: SourceDiscriminant(background=v).fit(RESIDUALS[:, 0, 0], Y),
    "rate": lambda v: FingerprintDetector(false_alarm_rate=v).fit(RESIDUALS, Y),
    "groups": lambda v: FingerprintDetector().fit(RESIDUALS, Y, groups=v),
    "one class": lambda v: FingerprintLocalizer(window_size=9).fit(RESIDUALS, [v] * 60),
    "statistic": lambda v: FingerprintClassifier(statistic=v).fit(RESIDUALS, Y),
    "max_shift": lambda v: FingerprintClassifier(max_shift=v).fit(RESIDUALS, Y),
    "classes": lambda v: FingerprintClassifier().partial_fit(
        RESIDUALS, NAMES, [v, "a"]
    ),
    "many": lambda v: FingerprintClassifier().partial_fit(
        RESIDUALS, [f"{k}{v[:50]}" for k in Y], ["a", "b"]
    ),
    "label": lambda v: open_set_report(Y, Y, Y, unknown_label=v),
    "list": lambda v: ResidualExtractor(sigma=[v] * 1000).fit(IMAGES),
    "path": lambda v: load_image_files([v]),
    "paths": load_image_files,
    "folder": load_image_folder,
    "classes of files": lambda v: load_image_files(["a"], ["b"], classes=[v]),
    "shape of files": lambda v: load_image_files(["a"], image_shape=v),
    "functions": lambda v: make_paired_sources(IMAGES, v),
    "window": lambda v: WindowedClassifier(window_size=v).fit(IMAGES, Y),
}


@pytest.mark.parametrize("refuse", SHOWN.values(), ids=SHOWN)
def test_messages_show_little_of_long_values(refuse):
    with pytest.raises((ValueError, TypeError)) as caught:
        refuse(LONG)
    assert str(caught.value).count("A") <= 200
    assert len(str(caught.value)) <= 500


def test_texts_of_values_are_short():
    for value in (
        LONG,
        LONG.encode(),
        [LONG] * 50,
        {LONG: LONG},
        np.arange(1e6),
        IMAGES,
    ):
        assert len(shorten(value)) <= 90
    assert shorten("all") == "'all'" and shorten([1, 2]) == "[1, 2]"


def test_remedies_name_packages_that_anybody_can_install():
    from importlib.metadata import requires

    required = [
        line.replace('"', "'").replace(" ", "").lower()
        for line in requires("skfingerprint")
    ]
    for extra, packages in PACKAGES.items():
        for package in packages.replace('"', "").split():
            assert any(
                line.startswith(package.lower()) and f"extra=='{extra}'" in line
                for line in required
            )


def test_the_answer_for_unknown_sources_stands_last():
    pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt

    y_true, y_pred = ["a", "z", "b", "z"], ["a", "unknown", "b", "z"]
    display = SourceConfusionDisplay.from_predictions(y_true, y_pred)
    assert display.display_labels.tolist() == ["a", "b", "z", "unknown"]
    assert display.ax_.get_ylim() == (2.5, -0.5)
    assert display.text_[2, 3].get_text() == "50"
    # Images of unknown sources have a row.
    display = SourceConfusionDisplay.from_predictions(
        [*y_true, "unknown"], [*y_pred, "a"]
    )
    assert display.ax_.get_ylim() == (3.5, -0.5)
    display = SourceConfusionDisplay.from_predictions([0, 1, 2], [0, -1, 2])
    assert display.display_labels.tolist() == [0, 1, 2, -1]
    display = SourceConfusionDisplay.from_predictions([0, 1], [0, -7], unknown_label=-7)
    assert display.display_labels.tolist() == [0, 1, -7]
    # Without such answers nothing changes, nor for an order that is given.
    display = SourceConfusionDisplay.from_predictions(["b", "a"], ["b", "b"])
    assert display.display_labels.tolist() == ["a", "b"]
    display = SourceConfusionDisplay.from_predictions(
        y_true, y_pred, labels=["unknown", "z", "a", "b"]
    )
    assert display.ax_.get_ylim() == (3.5, -0.5)
    plt.close("all")

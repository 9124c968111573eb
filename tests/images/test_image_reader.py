"""Paths at the head of a pipeline. Text input is exempt from scikit-learn's checks."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    ImageReader,
    ResidualExtractor,
    SpectrumTransformer,
    make_attribution_pipeline,
)
from skfingerprint._images import file_images
from skfingerprint.datasets import load_generators, load_image_files
from skfingerprint.perturbation import JPEGCompression

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (extra images)")
DATA = load_generators()
CHOSEN = np.arange(0, 320, 8)
IMAGES, Y = DATA.images[CHOSEN], DATA.target[CHOSEN] % 2


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    found = [folder / f"{i:03}.png" for i in range(len(IMAGES))]
    for path, image in zip(found, IMAGES, strict=True):
        Image.fromarray(image).save(path)
    return found


@pytest.fixture
def counted(monkeypatch):
    """Small blocks, and the files that are decoded."""
    decoded, read = [], file_images.read_image

    def count(path, shape):
        decoded.append(Path(str(path)).name)
        return read(path, shape)

    monkeypatch.setattr(file_images, "read_image", count)
    monkeypatch.setattr(file_images, "BLOCK_FILES", 7)
    return decoded


def as_frame(paths):
    return pytest.importorskip("pandas").DataFrame({"path": paths})


CONTAINERS = {
    "list of Path": list,
    "list of str": lambda paths: [str(path) for path in paths],
    "tuple": tuple,
    "array": lambda paths: np.array([str(path) for path in paths]),
    "object array": lambda paths: np.array(paths, dtype=object),
    "column": lambda paths: np.array([[str(path)] for path in paths]),
    "Series": lambda paths: as_frame(paths)["path"],
    "DataFrame": as_frame,
    "polars": lambda paths: pytest.importorskip("polars").Series(map(str, paths)),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_paths_in_every_container(paths, name):
    images = ImageReader().fit_transform(CONTAINERS[name](paths))
    np.testing.assert_array_equal(np.stack(list(images)), IMAGES)
    assert len(images) == len(paths)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_each_file_is_decoded_once_a_pass(paths, counted, n_jobs):
    expected = AttributionFeatures().fit_transform(IMAGES)
    pipeline = make_pipeline(ImageReader(n_jobs=n_jobs), AttributionFeatures())
    rows = pipeline.fit_transform(paths)
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    names = [path.name for path in paths]
    assert sorted(counted[: len(names)]) == names
    # `fit` looked at the first block, and `transform` had it still.
    assert len(counted) == len(names)


def test_copies_are_made_of_the_same_batch(paths, counted):
    perturbations = [JPEGCompression(quality=80)]
    model = make_attribution_pipeline(perturbations=perturbations, history="ignore")
    expected = model.fit(IMAGES, Y).decision_function(IMAGES)
    read = make_pipeline(ImageReader(), clone(model)).fit(paths, Y)
    assert sorted(counted) == [path.name for path in paths]
    np.testing.assert_allclose(read.decision_function(paths), expected, atol=1e-3)


def test_residuals_are_made_when_they_are_read(paths, counted):
    expected = SpectrumTransformer().fit_transform(
        ResidualExtractor().transform(IMAGES)
    )
    steps = ImageReader(), ResidualExtractor(), SpectrumTransformer()
    np.testing.assert_allclose(
        make_pipeline(*steps).fit_transform(paths), expected, atol=1e-5
    )
    assert len(counted) <= len(paths) + 7  # the first block may be read again


def test_aligned_images_need_one_size(paths, counted):
    model = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    expected = model.fit(IMAGES[:, :48, :48], Y).decision_function(IMAGES[:, :48, :48])
    reader = ImageReader(image_shape=(48, 48))
    assert reader.fit_transform(paths).shape == (len(paths), 48, 48, 3)
    read = make_pipeline(reader, clone(model)).fit(paths, Y)
    found = read.decision_function(paths)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_aligned_images_of_many_sizes_are_refused(paths, tmp_path, counted):
    whole = make_pipeline(ImageReader(), FingerprintClassifier())
    assert whole.fit(paths, Y).predict(paths).shape == Y.shape
    small = tmp_path / "small.png"
    Image.fromarray(IMAGES[0][:40, :50]).save(small)
    files = [*paths[:20], small, *paths[21:]]
    for steps in ([], [ResidualExtractor()]):
        mixed = make_pipeline(ImageReader(), *steps, FingerprintClassifier())
        with pytest.raises(ValueError, match=r"ImageReader\(image_shape="):
            mixed.fit(files, Y)


def test_sizes_may_differ(paths, tmp_path):
    small = tmp_path / "small.png"
    Image.fromarray(IMAGES[0][:40, :50]).save(small)
    pipeline = make_pipeline(ImageReader(), AttributionFeatures())
    rows = pipeline.fit_transform([paths[0], small, paths[1]])
    alone = AttributionFeatures().fit_transform(IMAGES[:1, :40, :50])
    np.testing.assert_allclose(rows[1:2], alone, atol=1e-5)


def test_a_column_of_paths_beside_other_columns(paths):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {"path": paths, "a": rng.normal(size=40), "b": rng.normal(size=40)}
    )
    images = make_pipeline(ImageReader(), SpectrumTransformer(radial=True))
    for column in ("path", ["path"]):
        features = ColumnTransformer(
            [("images", images, column), ("rest", StandardScaler(), ["a", "b"])]
        )
        model = make_pipeline(features, StandardScaler(), LogisticRegression())
        folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
        scores = cross_val_score(
            model, frame, Y, groups=DATA.groups[CHOSEN], cv=folds, error_score="raise"
        )
        assert len(scores) == 2
    wide = features.fit(frame).set_output(transform="pandas").transform(frame)
    assert len(wide) == 40
    with pytest.raises(ValueError, match=r"3 columns.*ColumnTransformer"):
        ImageReader().fit(frame)


def test_bad_files_are_all_named(paths, tmp_path, counted):
    damaged, missing = tmp_path / "damaged.png", tmp_path / "missing.png"
    damaged.write_bytes(paths[0].read_bytes()[:500])
    pipeline = make_pipeline(ImageReader(), AttributionFeatures())
    files = [*paths[:3], damaged, paths[3], missing, *paths[4:], missing]
    with pytest.raises(ValueError, match=r"(?s)2 of 43.*missing.*missing.*on_error"):
        pipeline.fit_transform(files)
    assert counted == []  # headers tell it, before the first image is decoded
    with pytest.raises(ValueError, match=r"(?s)1 of 7.*damaged.*on_error"):
        pipeline.fit_transform(files[:5] + paths)
    cropped = make_pipeline(ImageReader((32, 32)), AttributionFeatures())
    with pytest.raises(ValueError, match=r"(?s)2 of 7.*damaged.*missing.*on_error"):
        cropped.fit_transform(files)
    with pytest.raises(ValueError, match=r"(?s)30 of 30.*and 10 more") as error:
        pipeline.fit_transform([missing] * 30)
    assert str(error.value).count("missing.png: ") == 20
    with pytest.raises(ValueError, match="smaller than 80x80"):
        make_pipeline(ImageReader((80, 80)), AttributionFeatures()).fit(paths)
    with pytest.raises(ValueError, match=r"missing\.png"):
        ImageReader().fit_transform([missing])


def test_what_are_no_images_is_refused():
    for X in ([1, 2], [], [None], np.zeros((0, 4, 4)), ["a.png", None], [("a", 1)]):
        with pytest.raises(ValueError, match=r"array|empty|image \d of X"):
            ImageReader().fit(X)
    for shape in ((0, 3), (1, 2, 4), 5, "big"):
        with pytest.raises((ValueError, TypeError)):
            ImageReader(shape).fit(["a.png"])
    with pytest.raises(ValueError, match=r"ImageReader\(\)"):
        ResidualExtractor().fit(["a.png"])


def test_home_is_expanded_and_nothing_is_read_by_fit(tmp_path, monkeypatch, counted):
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.fromarray(IMAGES[0]).save(tmp_path / "a.png")
    reader = ImageReader().fit(["~/a.png", "~/not-there.png"])
    assert counted == []
    (image,) = reader.transform(["~/a.png"])
    np.testing.assert_array_equal(image, IMAGES[0])


def test_it_is_an_estimator(paths):
    reader = ImageReader(image_shape=(32, 32), n_jobs=2)
    assert (
        repr(clone(reader))
        == repr(reader)
        == "ImageReader(image_shape=(32, 32), n_jobs=2)"
    )
    copied = pickle.loads(pickle.dumps(reader.fit(paths)))
    np.testing.assert_array_equal(
        np.stack(list(copied.transform(paths))), np.stack(list(reader.transform(paths)))
    )
    loaded = load_image_files(paths, image_shape=(32, 32))
    np.testing.assert_array_equal(
        np.stack(list(reader.transform(paths))), loaded.images
    )
    assert not ImageReader().__sklearn_tags__().requires_fit


@pytest.mark.parametrize("one", ["a/b.png", Path("a/b.png")])
def test_one_path_is_no_list(one):
    with pytest.raises(ValueError, match=r"a list of images, .*\['a/b.png'\]"):
        ImageReader().fit([one]).transform(one)
    with pytest.raises(ValueError, match="X must be a list"):
        make_attribution_pipeline().fit(one, [0])
    with pytest.raises(ValueError, match="ImageReader"):
        AttributionFeatures().fit(one, [0])

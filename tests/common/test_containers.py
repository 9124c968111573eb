"""Whatever holds images: lists, frames, pictures, tensors; of one size and of many."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    AttributionFeatures,
    CooccurrenceTransformer,
    FingerprintClassifier,
    ResidualExtractor,
    SpectrumTransformer,
    Unflatten,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators
from skfingerprint.perturbation import COMMON_PERTURBATIONS, JPEGCompression, Resize
from tests.estimators import assert_same

DATA = load_generators()
IMAGES = DATA.images[:6]
FREE = [
    ResidualExtractor(),
    ResidualExtractor("median"),
    SpectrumTransformer(),
    CooccurrenceTransformer(),
    AttributionFeatures(),
    JPEGCompression(quality=80),
    Resize(scale=0.5),
]
EACH = pytest.mark.parametrize("transformer", FREE, ids=lambda t: type(t).__name__)


def as_objects(images):
    found = np.empty(len(images), dtype=object)
    found[:] = list(images)
    return found


def as_pictures(images):
    picture = pytest.importorskip("PIL.Image")
    return [picture.fromarray(image) for image in images]


def as_series(images):
    return pytest.importorskip("pandas").Series(list(images), index=range(3, 9))


def as_column(images):
    return pytest.importorskip("pandas").DataFrame({"image": list(images)})


def as_polars(images):
    return pytest.importorskip("polars").Series("image", images.tolist())


def as_polars_column(images):
    return pytest.importorskip("polars").DataFrame({"image": images.tolist()})


class Tensor:
    """What a tensor has: a shape, and what NumPy converts."""

    def __init__(self, images):
        self.images = images
        self.shape = images.shape

    def __len__(self):
        return len(self.images)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.images, dtype=dtype)


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "nested lists": lambda images: images.tolist(),
    "object array": as_objects,
    "pictures": as_pictures,
    "tensor": Tensor,
    "list of tensors": lambda images: [Tensor(image) for image in images],
    "Series": as_series,
    "Series of pictures": lambda images: as_series(as_pictures(images)),
    "DataFrame": as_column,
    "polars Series": as_polars,
    "polars DataFrame": as_polars_column,
}


@EACH
@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_a_stack(transformer, name):
    expected = transformer.fit(IMAGES).transform(IMAGES)
    found = transformer.fit_transform(CONTAINERS[name](IMAGES))
    assert_same(found, expected)


@pytest.mark.parametrize("name", CONTAINERS)
def test_classifiers_take_them_too(name):
    X, y = DATA.images[::20], DATA.target[::20]
    model = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    expected = model.fit(X, y).decision_function(X)
    if name in ("Series", "Series of pictures"):
        X = [np.asarray(image) for image in X]
    found = model.fit(CONTAINERS[name](X) if "Series" not in name else X, y)
    assert_same(found.decision_function(X), expected)


def crops(images, seed=0):
    """Parts of different sizes, by 64 pixels at most and 33 at least."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(33, 65, size=(len(images), 2))
    return [image[:h, :w] for image, (h, w) in zip(images, sizes, strict=True)]


@EACH
def test_different_sizes_are_what_each_is_alone(transformer):
    mixed = [*crops(IMAGES), *crops(IMAGES)[:2]]
    found = transformer.fit_transform(mixed)
    alone = [transformer.fit_transform(image[np.newaxis])[0] for image in mixed]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    if alone[0].ndim == 1:
        assert isinstance(found, np.ndarray)
    again = transformer.fit(IMAGES).transform(as_objects(mixed))
    for one, other in zip(again, found, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("perturbations", [(), COMMON_PERTURBATIONS[:1]])
def test_the_recommended_pipeline_takes_any_sizes(perturbations):
    few = np.arange(len(DATA.images)) % 4 == 0
    X, y, groups = crops(DATA.images[few]), DATA.target[few], DATA.groups[few]
    model = make_attribution_pipeline(
        perturbations=perturbations, false_alarm_rate=0.1
    ).fit(X, y, groups=groups)
    answers = model.predict(DATA.images[~few])
    assert np.mean(answers == DATA.target[~few]) > 0.4
    np.testing.assert_array_equal(model.predict(X[:3]), model.predict(X)[:3])
    assert model.assess([DATA.images[0], X[1]]).source.shape == (2,)


def test_model_selection_works_on_lists():
    few = np.arange(len(DATA.images)) % 4 == 0
    X, y = crops(DATA.images[few]), DATA.target[few]
    pipeline = make_attribution_pipeline(perturbations=())
    answers = cross_val_predict(pipeline, X, y, cv=2)
    assert np.mean(answers == y) > 0.6
    grid = {"classifier__shrinkage": [0.1, 0.9]}
    assert GridSearchCV(pipeline, grid, cv=2).fit(X, y).best_score_ > 0.6


def test_what_needs_one_size_says_so_and_only_then():
    mixed = crops(IMAGES)
    with pytest.raises(ValueError, match=r"image 0 has shape .* image 1 has shape"):
        FingerprintClassifier().fit(mixed, [0, 1, 0, 1, 0, 1])
    residuals = as_objects(ResidualExtractor().transform(IMAGES))
    FingerprintClassifier().fit(residuals, [0, 1, 0, 1, 0, 1])
    model = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    with pytest.raises(ValueError, match="differ in size"):
        model.fit(mixed, [0, 1, 0, 1, 0, 1])


def test_small_and_odd_images_are_named():
    tiny = [*IMAGES[:2], IMAGES[2][:20, :50], IMAGES[3]]
    for transformer in (SpectrumTransformer(), AttributionFeatures()):
        with pytest.raises(ValueError, match=r"1 images do not.*images \[2\] of sizes"):
            transformer.fit_transform(tiny)
    grey = [*IMAGES[:2], IMAGES[2][..., 0], IMAGES[3][:50]]
    with pytest.raises(ValueError, match=r"image 2 has 1.*one number of channels"):
        ResidualExtractor().fit(grey)
    alpha = [np.dstack([image, image[..., :1]]) for image in crops(IMAGES)]
    with pytest.raises(ValueError, match=r"image 0: .*alpha channel"):
        ResidualExtractor().fit(alpha)
    scaled = [*crops(IMAGES)[:3], crops(IMAGES)[3].astype(np.uint16) * 257]
    with pytest.raises(ValueError, match="image 3 lies in"):
        ResidualExtractor().fit(scaled)


def test_what_can_be_read_once_is_refused():
    for once in (iter(IMAGES), (image for image in IMAGES), map(np.asarray, IMAGES)):
        with pytest.raises(ValueError, match=r"list\(X\)"):
            ResidualExtractor().fit(once)


@pytest.mark.parametrize("as_path", [str, __import__("pathlib").Path])
def test_paths_are_no_pixels(as_path):
    paths = [as_path("a.png"), as_path("b.png")]
    pandas = pytest.importorskip("pandas")
    for held in (paths, as_objects(paths), pandas.Series(paths)):
        with pytest.raises(ValueError, match="X holds text or files, not pixels"):
            ResidualExtractor().fit(held)
    with pytest.raises(ValueError, match="X holds text or files, not pixels"):
        ResidualExtractor().fit(pandas.DataFrame({"path": paths}))


def test_a_frame_with_more_than_images_says_so():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"image": list(IMAGES), "size": range(6)})
    with pytest.raises(ValueError, match="pass that column alone"):
        ResidualExtractor().fit(frame)
    assert_same(
        ResidualExtractor().fit_transform(frame["image"]),
        ResidualExtractor().fit_transform(IMAGES),
    )


def test_rows_in_frames_are_still_rows():
    pandas = pytest.importorskip("pandas")
    rows = IMAGES.reshape(6, -1)[:, :48]
    frame = pandas.DataFrame(rows).astype(object)
    np.testing.assert_array_equal(
        Unflatten((4, 4, 3)).fit_transform(frame), rows.reshape(6, 4, 4, 3)
    )

"""What ImageReader gives is an array-like: indices, pickles, hashes, and no pixels."""

import os
import pickle

import joblib
import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from skfingerprint import ImageReader, ResidualExtractor, SpectrumTransformer
from skfingerprint._images import file_images
from skfingerprint.datasets import load_generators
from skfingerprint.perturbation import GaussianBlur

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (extra images)")
IMAGES = load_generators().images[::32]
N = len(IMAGES)


@pytest.fixture
def paths(tmp_path):
    found = [tmp_path / f"{i:02}.png" for i in range(N)]
    for path, image in zip(found, IMAGES, strict=True):
        Image.fromarray(image).save(path)
    return found


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded, in blocks of seven."""
    names, read = [], file_images.read_image

    def note(path, shape):
        names.append(os.path.basename(path))
        return read(path, shape)

    monkeypatch.setattr(file_images, "read_image", note)
    monkeypatch.setattr(file_images, "BLOCK_FILES", 7)
    return names


MASK = np.arange(N) % 3 == 0
KEYS = {
    "slice": slice(2, 15),
    "step": slice(None, None, -3),
    "mask": MASK,
    "list of bool": MASK.tolist(),
    "integers": np.array([19, 0, 3, 3, -1]),
    "list": [4, 2],
    "uint8": np.array([4, 2], dtype=np.uint8),
    "none": [],
    "all": Ellipsis,
    "tuple": (slice(3, 5),),
    "rows of scikit-learn": (np.array([3, 1]), Ellipsis),
    "part": (slice(None), slice(8, 40), slice(None, None, 2)),
    "row of pixels": (np.array([1, 0]), 5),
    "last channel": (Ellipsis, -1),
    "channels": (Ellipsis, slice(0, 2)),
    "mask and part": (MASK, Ellipsis, 1),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_indices_are_those_of_a_stack(paths, decoded, key):
    images = ImageReader().transform(paths)
    found, expected = images[key], IMAGES[key]
    assert decoded == []
    assert len(found) == len(expected)
    assert (found.ndim, found.dtype) == (expected.ndim, expected.dtype)
    if not len(expected):
        return
    assert found.shape == expected.shape
    np.testing.assert_array_equal(np.asarray(found), expected)
    again = found[::-1]
    np.testing.assert_array_equal(np.asarray(again), expected[::-1])


@pytest.mark.parametrize("key", [3, -1, np.int64(5), (2, slice(3, 9)), (2, 3, 4, 1)])
def test_an_integer_reads_one_image(paths, decoded, key):
    found = ImageReader().transform(paths)[key]
    assert len(decoded) == 1
    np.testing.assert_array_equal(found, IMAGES[key])


def test_other_indices_are_errors(paths):
    images = ImageReader().transform(paths)
    for key in (N, -N - 1, np.zeros((2, 2), int), None, "a", MASK[:-1], 1.5, [0.5]):
        with pytest.raises(IndexError):
            images[key]
    with pytest.raises(IndexError, match=r"numpy\.asarray\(images\)"):
        images[:, [0, 1]]
    with pytest.raises(TypeError):
        images * 2


def test_arrays(paths, decoded):
    images = ImageReader().transform(paths)
    assert (len(images), images.shape, images.ndim) == (N, IMAGES.shape, 4)
    assert images.dtype == np.uint8
    assert decoded == []
    np.testing.assert_array_equal(np.asarray(images), IMAGES)
    assert len(decoded) == N
    assert np.array(images, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.stack(list(images)), IMAGES)
    with pytest.raises(ValueError, match="view"):
        np.asarray(images, copy=False)


def test_images_of_many_sizes(paths, tmp_path):
    files = list(paths[:9])
    Image.fromarray(IMAGES[4, :40]).save(paths[4])
    images = ImageReader().transform(files)
    assert (images.shape, images.ndim) == ((9,), 1)
    assert images[4].shape == (40, 64, 3)
    assert images[:4].shape == (4, 64, 64, 3)
    with pytest.raises(ValueError, match=r"ImageReader\(image_shape="):
        np.asarray(images)
    for lazy in (images, ResidualExtractor().fit(images).transform(images)):
        parts = np.asarray(lazy[:, :32, :48])
        assert parts.shape == (9, 32, 48, 3)
        assert lazy.shape == (9,)
    np.testing.assert_array_equal(np.asarray(images[:, :32])[4], IMAGES[4, :32])
    rows = SpectrumTransformer().fit_transform(images)
    assert rows.shape[0] == 9


@pytest.mark.parametrize(
    "transformer", [ResidualExtractor(), GaussianBlur(std=1), ImageReader((32, 32))]
)
def test_results_are_array_likes_too(paths, decoded, transformer):
    expected = transformer.fit_transform(IMAGES)
    lazy = transformer.fit(IMAGES).transform(ImageReader().transform(paths))
    assert decoded == []
    part = lazy[[5, 2, 9]]
    np.testing.assert_array_equal(np.asarray(part), expected[[5, 2, 9]])
    assert sorted(set(decoded)) == ["02.png", "05.png", "09.png"]
    np.testing.assert_array_equal(lazy[3], expected[3])
    np.testing.assert_array_equal(lazy.astype(np.float64)[3], expected[3])
    assert (lazy.shape, lazy.dtype) == (expected.shape, expected.dtype)
    copied = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(np.asarray(copied), expected)
    train, test = train_test_split(lazy, random_state=0)
    arrays = train_test_split(expected, random_state=0)
    np.testing.assert_array_equal(np.asarray(train), arrays[0])
    np.testing.assert_array_equal(np.asarray(test), arrays[1])


def test_pickles_hold_no_pixels(paths):
    images = ImageReader().transform(paths)
    residuals = ResidualExtractor().fit(images).transform(images)
    assert residuals.shape == IMAGES.shape  # the first block was read
    for lazy in (images, residuals):
        assert len(pickle.dumps(lazy)) < 500 * N
        copied = pickle.loads(pickle.dumps(lazy))
        np.testing.assert_array_equal(np.asarray(copied), np.asarray(lazy))
    content = [path.read_bytes() for path in paths]
    copied = pickle.loads(pickle.dumps(ImageReader().transform(content)))
    np.testing.assert_array_equal(np.asarray(copied), IMAGES)


def test_hashes_tell_of_changed_files(paths):
    """Of files that were written again, with equal sizes and times as well."""
    images = ImageReader().transform(paths)
    lazy = [images, images[2:6], ResidualExtractor().fit(IMAGES).transform(images)]

    def sums():
        return [joblib.hash(each) for each in lazy]

    first = sums()
    assert sums() == first == sums()
    assert [joblib.hash(pickle.loads(pickle.dumps(each))) for each in lazy] == first
    status, content = paths[3].stat(), paths[3].read_bytes()
    paths[3].write_bytes(content[:-1] + b"x")
    os.utime(paths[3], ns=(status.st_atime_ns, status.st_mtime_ns))
    changed = paths[3].stat()
    assert changed.st_size == status.st_size
    assert changed.st_mtime_ns == status.st_mtime_ns
    second = sums()
    assert all(a != b for a, b in zip(first, second, strict=True))
    paths[3].unlink()
    assert all(a != b for a, b in zip(second, sums(), strict=True))
    assert joblib.hash(images[7:]) == joblib.hash(ImageReader().transform(paths[7:]))


def test_threads_may_share_images(paths, decoded):
    images = ImageReader().transform(paths)
    blur = GaussianBlur(std=1).fit(IMAGES)
    means = joblib.Parallel(4, prefer="threads")(
        joblib.delayed(lambda lazy: np.asarray(lazy).mean())(blur.transform(images))
        for _ in range(8)
    )
    assert len(set(means)) == 1

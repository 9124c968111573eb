import json

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skfingerprint
from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.files import load_fingerprints, save_fingerprints


@pytest.fixture
def fitted(planted):
    images, y = planted
    names = np.array(["a", "b", "c"])[y]
    pipeline = make_pipeline(
        ResidualExtractor("median", denoiser_params={"size": 5}, sigma=np.float64(2)),
        FingerprintClassifier(max_shift=np.int64(2)),
    )
    return pipeline.fit(images[:60], names[:60])


def test_what_is_loaded_answers_as_what_was_saved(fitted, planted, tmp_path):
    path = tmp_path / "sources.npz"
    save_fingerprints(path, fitted, offset=(16, 0))
    loaded, notes = load_fingerprints(path, return_notes=True)
    images = planted[0][60:]
    np.testing.assert_array_equal(
        loaded.decision_function(images), fitted.decision_function(images)
    )
    np.testing.assert_array_equal(loaded.predict(images), fitted.predict(images))
    assert loaded[0].get_params() == fitted[0].get_params()
    assert loaded[1].get_params() == fitted[1].get_params()
    assert loaded[-1].image_shape_ == (32, 48)
    assert loaded[-1].class_weight_sum_.sum() == 60
    assert notes["offset"] == [16, 0]
    assert notes["package_version"] == skfingerprint.__version__
    assert notes["extractor"]["denoiser_params"] == {"size": 5}
    assert [p.name for p in tmp_path.iterdir()] == ["sources.npz"]


def test_a_bare_classifier_on_rows(planted, tmp_path):
    images, y = planted
    rows = images.reshape(len(images), -1).astype(np.float32)
    classifier = FingerprintClassifier().fit(rows, y)
    save_fingerprints(tmp_path / "f.npz", classifier)
    loaded = load_fingerprints(tmp_path / "f.npz")
    np.testing.assert_array_equal(loaded.predict(rows), classifier.predict(rows))
    assert loaded.image_shape_ == (1536,)
    with pytest.raises(ValueError, match="features"):
        loaded.predict(rows[:, :-1])


def test_files_of_version_1_are_read_without_image_shape(fitted, planted, tmp_path):
    path = tmp_path / "old.npz"
    save_fingerprints(path, fitted)
    with np.load(path) as file:
        notes = json.loads(file["notes"].item())
    assert notes["format_version"] == 2
    for step in ("classifier", "extractor"):
        assert "image_shape" not in notes[step]
        notes[step]["image_shape"] = [32, 48]
    tampered(path, **notes | {"format_version": 1, "package_version": "0.1.0"})
    loaded = load_fingerprints(path)
    assert loaded[1].get_params() == fitted[1].get_params()
    images = planted[0][60:]
    np.testing.assert_array_equal(
        loaded.decision_function(images), fitted.decision_function(images)
    )


def test_two_laboratories_merge(planted, tmp_path):
    images, y = planted
    X = ResidualExtractor().transform(images)
    whole = FingerprintClassifier().fit(X, y)
    for name, part in (("a", slice(0, 50)), ("b", slice(50, None))):
        save_fingerprints(
            tmp_path / name, FingerprintClassifier().fit(X[part], y[part])
        )
    merged = load_fingerprints(tmp_path / "a").merge(load_fingerprints(tmp_path / "b"))
    np.testing.assert_allclose(merged.fingerprints_, whole.fingerprints_, atol=1e-5)


def test_an_interrupted_run_goes_on(planted, tmp_path):
    images, y = planted
    X = ResidualExtractor().transform(images)
    path = tmp_path / "half"
    started = FingerprintClassifier().partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    save_fingerprints(path, started)
    resumed = load_fingerprints(path).partial_fit(X[60:], y[60:])
    whole = FingerprintClassifier().fit(X, y)
    np.testing.assert_allclose(resumed.fingerprints_, whole.fingerprints_, atol=1e-5)


def tampered(path, **changes):
    with np.load(path) as file:
        content = dict(file)
    notes = json.loads(content["notes"].item())
    for key, value in changes.items():
        if key in content:
            content[key] = value
        else:
            notes[key] = value
    np.savez(path, **content | {"notes": np.array(json.dumps(notes))})


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_truncated_files_are_refused(fitted, tmp_path, kept):
    path = tmp_path / "f.npz"
    save_fingerprints(path, fitted)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"f\.npz is damaged, or not a file"):
        load_fingerprints(path)


def test_a_flipped_byte_is_noticed(fitted, tmp_path):
    path = tmp_path / "f.npz"
    save_fingerprints(path, fitted)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        load_fingerprints(path)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("hello"),
        lambda path: np.savez(path, a=np.zeros(3)),
        lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00{}"),
        lambda path: np.savez(path, notes=np.array([{"pickled": print}], dtype=object)),
        lambda path: np.savez(path, notes=np.array("[1, 2]")),
    ],
    ids=["text", "npz", "npy", "pickle", "other json"],
)
def test_foreign_files_are_refused(tmp_path, write):
    path = tmp_path / "f.npz"
    write(path)
    with pytest.raises(ValueError, match="not a file that save_fingerprints wrote"):
        load_fingerprints(path)


def test_newer_files_name_the_remedy(fitted, tmp_path):
    path = tmp_path / "f.npz"
    save_fingerprints(path, fitted)
    tampered(path, format_version=3, package_version="9.0")
    with pytest.raises(ValueError, match=r"install skfingerprint >= 9\.0"):
        load_fingerprints(path)


def test_contradictory_files_are_refused(fitted, tmp_path):
    path = tmp_path / "f.npz"
    save_fingerprints(path, fitted)
    tampered(path, classes=np.array(["a", "b"]))
    with pytest.raises(ValueError, match="is damaged"):
        load_fingerprints(path)
    save_fingerprints(path, fitted)
    tampered(path, classifier={"unheard_of": 1})
    with pytest.raises(ValueError, match="is damaged"):
        load_fingerprints(path)


def test_missing_files_are_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_fingerprints(tmp_path / "f.npz")
    with pytest.raises(OSError, match="directory"):
        load_fingerprints(tmp_path)


def test_what_a_file_cant_hold_is_refused_and_nothing_written(planted, tmp_path):
    images, y = planted
    own = make_pipeline(ResidualExtractor(lambda x: x * 0.9), FingerprintClassifier())
    other = make_pipeline(ResidualExtractor(), LogisticRegression())
    path = tmp_path / "f.npz"
    with pytest.raises(ValueError, match="can't hold a function"):
        save_fingerprints(path, own.fit(images, y))
    with pytest.raises(ValueError, match="must be a FingerprintClassifier, or"):
        save_fingerprints(path, other)
    with pytest.raises((ValueError, NotFittedError), match="fit it first"):
        save_fingerprints(path, FingerprintClassifier())
    assert not list(tmp_path.iterdir())


def test_names_in_object_arrays_are_saved_as_text(planted, tmp_path):
    images, y = planted
    names = np.array(["a", "bb", "ccc"], dtype=object)[y]
    save_fingerprints(tmp_path / "f", FingerprintClassifier().fit(images, names))
    assert load_fingerprints(tmp_path / "f").classes_.tolist() == ["a", "bb", "ccc"]

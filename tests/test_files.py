import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import pywt
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

import skfingerprint
from benchmarks.faults.hostile_files import (
    count,
    flip_bits,
    make_older,
    mutate,
    read_members,
    repack,
    write_example,
)
from skfingerprint import (
    FingerprintClassifier,
    FingerprintDetector,
    ResidualExtractor,
)
from skfingerprint.files import _digest, load_fingerprints, save_fingerprints
from tests.common.test_interrupts import freeze
from tests.estimators import ESTIMATORS, assert_same
from tests.polyglots import POLYGLOTS


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
    save_fingerprints(fitted, path, offset=(16, 0))
    loaded, notes = load_fingerprints(path, return_notes=True)
    images = planted[0][60:]
    assert_same(loaded.decision_function(images), fitted.decision_function(images))
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
    save_fingerprints(classifier, tmp_path / "f.npz")
    loaded = load_fingerprints(tmp_path / "f.npz")
    np.testing.assert_array_equal(loaded.predict(rows), classifier.predict(rows))
    assert loaded.image_shape_ == (1536,)
    with pytest.raises(ValueError, match="features"):
        loaded.predict(rows[:, :-1])


def test_files_of_version_1_are_read_without_image_shape(fitted, planted, tmp_path):
    path = tmp_path / "old.npz"
    save_fingerprints(fitted, path)
    assert "image_shape" not in read_members(path)[1]["extractor"]
    make_older(path, 1)
    loaded, notes = load_fingerprints(path, return_notes=True)
    assert notes["extractor"]["image_shape"] == [32, 48]
    assert loaded[1].provenance_["extractor"]["sigma"] == 2
    assert "image_shape" not in loaded[1].provenance_["extractor"]
    assert loaded[1].get_params() == fitted[1].get_params()
    images = planted[0][60:]
    assert_same(loaded.decision_function(images), fitted.decision_function(images))


def test_rows_of_version_1_become_images(fitted, planted, tmp_path):
    path = tmp_path / "old.npz"
    save_fingerprints(fitted, path)
    flat = fitted[-1].fingerprints_.reshape(3, -1)
    make_older(path, 1)
    tampered(path, fingerprints=flat)
    loaded = load_fingerprints(path)
    assert loaded[-1].image_shape_ == (32, 48)
    images = planted[0][60:]
    np.testing.assert_array_equal(loaded.predict(images), fitted.predict(images))


def test_two_laboratories_merge(planted, tmp_path):
    images, y = planted
    X = ResidualExtractor().transform(images)
    whole = FingerprintClassifier().fit(X, y)
    for name, part in (("a", slice(0, 50)), ("b", slice(50, None))):
        save_fingerprints(
            FingerprintClassifier().fit(X[part], y[part]), tmp_path / name
        )
    merged = load_fingerprints(tmp_path / "a").merge(load_fingerprints(tmp_path / "b"))
    np.testing.assert_allclose(merged.fingerprints_, whole.fingerprints_, atol=1e-5)


def test_an_interrupted_run_goes_on(planted, tmp_path):
    images, y = planted
    X = ResidualExtractor().transform(images)
    path = tmp_path / "half"
    started = FingerprintClassifier().partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    save_fingerprints(started, path)
    resumed = load_fingerprints(path).partial_fit(X[60:], y[60:])
    whole = FingerprintClassifier().fit(X, y)
    np.testing.assert_allclose(resumed.fingerprints_, whole.fingerprints_, atol=1e-5)


def tampered(path, **changes):
    """Change arrays and notes of a file, and its SHA-256 with them."""
    content, notes = read_members(path)
    for key, value in changes.items():
        (content if key in content else notes)[key] = value
    if notes["format_version"] == 3:
        notes["sha256"] = _digest(content, notes)
    np.savez(path, notes=np.array(json.dumps(notes)), **content)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_truncated_files_are_refused(fitted, tmp_path, kept):
    path = tmp_path / "f.npz"
    save_fingerprints(fitted, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"f\.npz is damaged, or not a file"):
        load_fingerprints(path)


def test_a_flipped_byte_is_noticed(fitted, tmp_path):
    path = tmp_path / "f.npz"
    save_fingerprints(fitted, path)
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
    save_fingerprints(fitted, path)
    tampered(path, format_version=4, package_version="9.0")
    with pytest.raises(ValueError, match=r"install skfingerprint >= 9\.0"):
        load_fingerprints(path)


def test_contradictory_files_are_refused(fitted, tmp_path):
    path = tmp_path / "f.npz"
    save_fingerprints(fitted, path)
    tampered(path, classes=np.array(["a", "b"]))
    with pytest.raises(ValueError, match="is damaged"):
        load_fingerprints(path)
    save_fingerprints(fitted, path)
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
        save_fingerprints(own.fit(images, y), path)
    with pytest.raises(ValueError, match="must be a FingerprintClassifier or"):
        save_fingerprints(other, path)
    with pytest.raises((ValueError, NotFittedError), match="fit it first"):
        save_fingerprints(FingerprintClassifier(), path)
    assert not list(tmp_path.iterdir())


def test_swapped_arguments_are_named_and_nothing_is_written(fitted, tmp_path):
    path = tmp_path / "f.npz"
    for given in (path, str(path)):
        with pytest.raises(
            TypeError, match=r"save_fingerprints\(estimator, path\), got a \w+ first"
        ):
            save_fingerprints(given, fitted)
    with pytest.raises(TypeError, match="PathLike"):
        save_fingerprints(fitted, fitted)
    with pytest.raises(TypeError, match="positional"):
        save_fingerprints(fitted, path, (16, 0))
    assert not list(tmp_path.iterdir())


def test_names_in_object_arrays_are_saved_as_text(planted, tmp_path):
    images, y = planted
    names = np.array(["a", "bb", "ccc"], dtype=object)[y]
    save_fingerprints(FingerprintClassifier().fit(images, names), tmp_path / "f")
    assert load_fingerprints(tmp_path / "f").classes_.tolist() == ["a", "bb", "ccc"]


EXAMPLES = [(1, None), (2, None), (3, None), (3, FingerprintDetector(cv=2))]


@pytest.mark.parametrize(("version", "last"), EXAMPLES)
def test_flipped_bits_change_nothing_or_are_named(tmp_path, version, last):
    path = tmp_path / "f.npz"
    whole = write_example(path, version, last)
    changed = list(flip_bits(whole))
    rng = np.random.default_rng(version)
    some = rng.choice(len(changed), 1000, replace=False)
    numbers = count(path, whole, (changed[i] for i in some))
    assert numbers["named"] > 800
    assert numbers["right"] + numbers["named"] == 1000


def test_mutated_and_truncated_files_change_nothing_or_are_named(tmp_path):
    path = tmp_path / "f.npz"
    whole = write_example(path)
    numbers = count(path, whole, mutate(whole, 1000, random_state=0))
    assert numbers["right"] + numbers["named"] == 1000
    numbers = count(path, whole, repack(whole, 400, random_state=0))
    assert numbers["named"] > 300
    assert numbers["right"] + numbers["named"] == 400
    cuts = range(0, len(whole), 7)
    numbers = count(path, whole, (whole[:end] for end in cuts))
    assert numbers["named"] == len(cuts)


def pack(path, members, **options):
    """Write a zip file of (name, bytes)."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", **options) as archive:
        warnings.simplefilter("ignore")  # of duplicate names
        for name, data in members:
            archive.writestr(name, data)


def unpack(path):
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def as_npy(descr, shape, data=b""):
    stream = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + data


HOSTILE = {
    "long integers": lambda m: [
        (name, data.replace(b"(2,), }", b"(2L,),}")) for name, data in m
    ],
    "extra member": lambda m: [*m, ("more.npy", b"")],
    "traversal": lambda m: [*m, ("../../more.npy", b"")],
    "renamed": lambda m: [("../" + m[1][0], m[1][1]), m[0], *m[2:]],
    "duplicate": lambda m: [*m, m[2]],
    "missing member": lambda m: m[:-1],
    "terabytes": lambda m: [*m[:2], (m[2][0], as_npy("<f4", (2, 2**20, 2**20))), m[3]],
    "negative": lambda m: [*m[:2], (m[2][0], as_npy("<f4", (-2, -4))), m[3]],
    "no bytes": lambda m: [m[0], (m[1][0], as_npy("<U0", (2**60,))), *m[2:]],
    "objects": lambda m: [m[0], (m[1][0], as_npy("|O", (2,), b"x" * 16)), *m[2:]],
    "no text": lambda m: [
        m[0],
        (m[1][0], as_npy("<U1", (2,), b"\xfe" + b"\xff" * 7)),
        *m[2:],
    ],
    "nested header": lambda m: [
        m[0],
        (m[1][0], b"\x93NUMPY\x01\x00\x84\x03" + b"-" * 900),
        *m[2:],
    ],
    "unended header": lambda m: [
        m[0],
        (m[1][0], b"\x93NUMPY\x01\x00\x08\x00{'a': ((\n"),
        *m[2:],
    ],
    "nested json": lambda m: [
        (m[0][0], as_npy("<U50000", (), ("[" * 50000).encode("utf-32-le"))),
        *m[1:],
    ],
    "long notes": lambda m: [
        (m[0][0], as_npy("<U2000000", (), bytes(8000000))),
        *m[1:],
    ],
    "many members": lambda m: [*m, *((f"{i:0200}.npy", b"") for i in range(5000))],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_named(tmp_path, name):
    path = tmp_path / "f.npz"
    write_example(path, 2)
    pack(path, HOSTILE[name](unpack(path)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"f\.npz is damaged"):
        load_fingerprints(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, method):
    path = tmp_path / "f.npz"
    write_example(path)
    pack(path, unpack(path), compression=method)
    with pytest.raises(ValueError, match=r"f\.npz is damaged"):
        load_fingerprints(path)


def test_sizes_are_limited_before_anything_is_unpacked(tmp_path):
    path = tmp_path / "f.npz"
    whole = write_example(path)
    for max_bytes in (len(whole) - 1, len(whole)):
        with pytest.raises(ValueError, match=rf"f\.npz has .* max_bytes={max_bytes}:"):
            load_fingerprints(path, max_bytes=max_bytes)
    size = sum(len(data) for _, data in unpack(path))
    load_fingerprints(path, max_bytes=size)
    with pytest.raises(ValueError, match=f"holds {size} bytes"):
        load_fingerprints(path, max_bytes=size - 1)
    with pytest.raises(ValueError, match="max_bytes must be > 0"):
        load_fingerprints(path, max_bytes=-1)
    with path.open("wb") as file:  # a hole
        file.truncate(2**42)
    with pytest.raises(ValueError, match=f"{2**42} bytes"):
        load_fingerprints(path)


@pytest.mark.parametrize("declared", [100, 2**24, 2**31, 2**42])
def test_bombs_are_not_unpacked(tmp_path, declared):
    path = tmp_path / "f.npz"
    write_example(path)
    members = unpack(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, bytes(2**26) if "fingerprints" in name else data)
        archive.getinfo("fingerprints.npy").file_size = declared
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"f\.npz (is damaged|.*max_bytes)"):
        load_fingerprints(path, max_bytes=2**25)
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": np.array(["b", "a"])},
        {"classes": np.array(["a", "a"])},
        {"classes": np.array([0, np.nan])},
        {"classes": np.array([["a", "b"]])},
        {"classes": np.array([1j, 2j])},
        {"fingerprints": np.full((2, 4, 5), np.nan, np.float32)},
        {"fingerprints": np.full((2, 4, 5), np.inf)},
        {"fingerprints": np.zeros((2, 4, 5), int)},
        {"fingerprints": np.zeros((2, 4, 5), np.float16)},
        {"fingerprints": np.zeros(2)},
        {"fingerprints": np.zeros((3, 4, 5))},
        {"class_weight_sum": np.array([1, -1.0])},
        {"class_weight_sum": np.array([1, np.nan])},
        {"class_weight_sum": np.ones((2, 1))},
        {"classifier": {"statistic": "magic"}},
        {"classifier": {"max_shift": -1}},
        {"classifier": {"n_jobs": "many"}},
        {"classifier": ["statistic"]},
        {"extractor": {"sigma": -1}},
        {"extractor": {"sigma": float("nan")}},
        {"extractor": {"cycle_spins": 0}},
        {"extractor": {"wavelet": "none"}},
        {"extractor": {"denoiser": "magic"}},
        {"extractor": {"denoiser": ["median"]}},
        {"extractor": {"denoiser_params": {"magic": 1}}},
        {"extractor": {"denoiser": "median", "denoiser_params": ["size"]}},
        {"offset": [0]},
        {"offset": ["a", "b"]},
        {"provenance": "magic"},
        {"format_version": 0},
        {"format_version": "3"},
        {"format_version": True},
    ],
    ids=str,
)
def test_what_no_fit_gives_is_refused(tmp_path, changes):
    path = tmp_path / "f.npz"
    write_example(path)
    tampered(path)
    load_fingerprints(path)
    tampered(path, **changes)
    with pytest.raises(ValueError, match=r"f\.npz is damaged"):
        load_fingerprints(path)


def test_the_sha256_covers_arrays_and_notes(tmp_path):
    path = tmp_path / "f.npz"
    write_example(path)
    content, notes = read_members(path)
    for change in ({"package_version": "9"}, {"sha256": "0" * 64}):
        changed = np.array(json.dumps(notes | change))
        np.savez(path, notes=changed, **content)
        with pytest.raises(ValueError, match=r"f\.npz is damaged"):
            load_fingerprints(path)
    changed = content | {"class_weight_sum": content["class_weight_sum"] + 1}
    np.savez(path, notes=np.array(json.dumps(notes)), **changed)
    with pytest.raises(ValueError, match=r"f\.npz is damaged"):
        load_fingerprints(path)


def test_other_orders_of_bytes_and_axes_are_read(tmp_path):
    path = tmp_path / "f.npz"
    write_example(path)
    expected = load_fingerprints(path)[-1].fingerprints_
    tampered(path, fingerprints=np.asfortranarray(expected.astype(">f4")))
    loaded = load_fingerprints(path)[-1]
    np.testing.assert_array_equal(loaded.fingerprints_, expected)
    assert loaded.fingerprints_.dtype == np.float32


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_and_devices_do_not_hang(fitted, tmp_path):
    path = tmp_path / "f.npz"
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"f\.npz is not a regular file"):
        load_fingerprints(path)
    with pytest.raises(ValueError, match="/dev/zero is not a regular file"):
        load_fingerprints("/dev/zero")
    with pytest.raises(OSError, match=r"f\.npz is not a regular file"):
        save_fingerprints(fitted, path)


@pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX's")
def test_mode_and_links_are_kept(fitted, tmp_path):
    path, link = tmp_path / "f.npz", tmp_path / "link.npz"
    link.symlink_to(path)
    (tmp_path / "plain").touch()
    save_fingerprints(fitted, link)  # a link that leads nowhere yet
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    save_fingerprints(fitted, link)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.npz", "link.npz", "plain"]
    load_fingerprints(link)


@pytest.mark.parametrize("broken", ["savez_compressed", "fsync", "replace"])
def test_an_error_while_saving_leaves_the_old_file(
    fitted, tmp_path, monkeypatch, broken
):
    path = tmp_path / "f.npz"
    whole = write_example(path)

    def fail(*args, **kwargs):
        raise OSError("no space left")

    owner = {"savez_compressed": np, "fsync": os, "replace": os}[broken]
    monkeypatch.setattr(owner, broken, fail)
    with pytest.raises(OSError, match="no space"):
        save_fingerprints(fitted, path)
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


SAVER = """
import sys
import numpy as np
from skfingerprint.files import load_fingerprints, save_fingerprints
path, number = sys.argv[1:]
estimator = load_fingerprints(path)
estimator[-1].fingerprints_ = np.full_like(estimator[-1].fingerprints_, int(number))
print("ready", flush=True)
for times in sys.stdin:
    for _ in range(int(times)):
        save_fingerprints(estimator, path)
    print("done", flush=True)
"""


def start_saver(path, number):
    """Start a process that saves fingerprints, all of one number, when it is told."""
    return subprocess.Popen(
        [sys.executable, "-c", SAVER, str(path), str(number)],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="open files block savers elsewhere")
def test_savers_at_once_and_killed_ones_leave_whole_files(tmp_path):
    path = tmp_path / "f.npz"
    write_example(path)
    before = load_fingerprints(path)[-1].fingerprints_
    savers = [start_saver(path, number) for number in (1, 2)]
    for saver in savers:
        assert saver.stdout.readline() == b"ready\n"
    for saver in savers:
        saver.stdin.write(b"30\n")
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(lambda: [saver.stdout.readline() for saver in savers])
        while not done.done():
            found = load_fingerprints(path)[-1].fingerprints_
            number = float(found[0, 0, 0])
            assert np.all(found == number) or np.array_equal(found, before)
            seen.add(number)
    assert done.result() == [b"done\n"] * 2
    assert {1.0, 2.0} & seen
    assert list(tmp_path.iterdir()) == [path]
    for number, saver in enumerate(savers, start=1):
        saver.stdin.write(b"1000000\n")
        time.sleep(0.2)
        saver.kill()
        saver.communicate()
        assert saver.returncode == -signal.SIGKILL
        assert np.all(load_fingerprints(path)[-1].fingerprints_ == number)
    rest = {p.name for p in tmp_path.iterdir()} - {path.name}
    assert len(rest) <= 2
    assert all(name.startswith(".skfingerprint-") for name in rest)


def test_provenance_stays_with_fingerprints(fitted, planted, tmp_path):
    path = tmp_path / "f.npz"
    assert not hasattr(fitted[-1], "provenance_")
    save_fingerprints(fitted, path, offset=(16, 0))
    pipeline = load_fingerprints(path)
    provenance = pipeline[-1].provenance_
    assert provenance["offset"] == [16, 0]
    assert provenance["extractor"]["denoiser_params"] == {"size": 5}
    assert "n_jobs" not in provenance["extractor"]
    for estimator in (pipeline, pipeline[-1]):
        save_fingerprints(estimator, path)
        loaded, notes = load_fingerprints(path, return_notes=True)
        classifier = getattr(loaded, "steps", [("", loaded)])[-1][1]
        assert classifier.provenance_ == notes["provenance"] == provenance
        assert notes["offset"] == [16, 0]
    images, y = planted
    names = np.array(["a", "b", "c"])[y]
    X = pipeline[:-1].transform(images)
    assert classifier.partial_fit(X[60:], names[60:]).provenance_ == provenance
    assert not hasattr(classifier.fit(X, names), "provenance_")


def test_provenance_that_contradicts_is_refused(fitted, tmp_path):
    path = tmp_path / "f.npz"
    save_fingerprints(fitted, path, offset=(16, 0))
    loaded = load_fingerprints(path)
    with pytest.raises(ValueError, match=r"offset \[0, 0\] here and \[16, 0\] in"):
        save_fingerprints(loaded, path, offset=(0, 0))
    loaded[0].set_params(sigma=4, n_jobs=2)
    with pytest.raises(ValueError, match=r"otherwise: sigma 4 here and 2\.0 in"):
        save_fingerprints(loaded, path)
    assert load_fingerprints(path)[0].sigma == 2


def test_only_fingerprints_made_alike_merge(fitted, tmp_path):
    path = tmp_path / "f.npz"
    save_fingerprints(fitted, path)
    one, same = load_fingerprints(path)[-1], load_fingerprints(path)[-1]
    assert one.merge(same).provenance_ == same.provenance_
    other = load_fingerprints(path)[-1]
    other.provenance_ = {
        "extractor": one.provenance_["extractor"] | {"sigma": 3},
        "offset": [0, 8],
    }
    with pytest.raises(
        ValueError,
        match=r"otherwise: sigma 2\.0 here and 3, offset \[0, 0\] here and \[0, 8\] th",
    ):
        one.merge(other)
    with pytest.raises(ValueError, match="only this has a provenance_, and other has"):
        one.merge(fitted[-1])
    with pytest.raises(ValueError, match="only other has a provenance_, and this has"):
        fitted[-1].merge(one)


@pytest.mark.parametrize("n_sources", [1, 3])
def test_detectors_are_kept_too(planted, tmp_path, n_sources):
    images, y = planted
    path, used = tmp_path / "f.npz", y < n_sources
    detector = FingerprintDetector(false_alarm_rate=0.05)
    pipeline = make_pipeline(ResidualExtractor(wavelet=pywt.Wavelet("db4")), detector)
    pipeline.fit(images[used], np.array(["a", "b", "c"])[y[used]])
    save_fingerprints(pipeline, path, offset=(16, 0))
    loaded, notes = load_fingerprints(path, return_notes=True)
    for method in ("predict", "score_samples", "decision_function"):
        assert_same(getattr(loaded, method)(images), getattr(pipeline, method)(images))
    X = pipeline[:-1].transform(images)
    assert_same(
        loaded[-1].false_alarm_probability(X), detector.false_alarm_probability(X)
    )
    expected = detector.__getstate__() | {"provenance_": notes["provenance"]}
    state = loaded[-1].__getstate__()
    assert freeze(state, exact=True) == freeze(expected, exact=True)
    assert loaded[0].wavelet == "db4"
    assert not hasattr(loaded[-1].fit(X, y), "provenance_")
    with pytest.raises(ValueError, match="nor a splitter"):
        save_fingerprints(detector.set_params(cv=KFold(2)), path)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_every_estimator_goes_through_skops(planted, estimator):
    skops_io = pytest.importorskip("skops.io")
    images, y = (part[:24] for part in planted)
    if type(estimator).__name__ == "Unflatten":
        estimator = type(estimator)(images.shape[1:])
    fitted = clone(estimator).fit(images, y)
    data = skops_io.dumps(fitted)
    types = skops_io.get_untrusted_types(data=data)
    assert all(name.startswith(("skfingerprint.", "sklearn.")) for name in types)
    loaded = skops_io.loads(data, trusted=types)
    # What is prepared for answers is computed again.
    assert freeze(vars(loaded)) == freeze(vars(fitted))


@pytest.mark.parametrize(
    "changes",
    [
        {"null_scores": np.full(8, np.nan)},
        {"null_scores": np.full(8, 2.0)},
        {"null_sources": np.full(8, 2)},
        {"null_sources": np.full(8, -1)},
        {"null_sources": np.zeros(7, int)},
        {"null_weights": np.full(8, -1.0)},
        {"null_weights": np.zeros(8)},
        {"known": [0.1, 0.5]},
        {"known": [float("nan"), 0.5, 8]},
        {"known": [0.1, 1.5, 8]},
        {"known": [0.1, 0.5, 0]},
        {"detector": {"false_alarm_rate": 2}},
        {"detector": {"cv": "many"}},
        {"detector": {"subtract_common": "magic"}},
        {"classifier": {}},
    ],
    ids=str,
)
def test_what_no_fit_of_a_detector_gives_is_refused(tmp_path, changes):
    path = tmp_path / "f.npz"
    write_example(path, last=FingerprintDetector(cv=2))
    tampered(path)
    assert load_fingerprints(path)[-1].null_scores_.shape == (8,)
    tampered(path, **changes)
    with pytest.raises(ValueError, match=r"f\.npz is damaged"):
        load_fingerprints(path)


@pytest.mark.parametrize("change", POLYGLOTS.values(), ids=POLYGLOTS)
def test_bytes_outside_of_the_arrays_are_refused(tmp_path, change):
    path = tmp_path / "f.npz"
    write_example(path)
    content = change(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None  # others read it
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"f\.npz is damaged, .* outside"):
        load_fingerprints(path)


def test_bare_classifiers_have_no_provenance_unless_it_is_told(fitted, tmp_path):
    path = tmp_path / "f.npz"
    save_fingerprints(fitted[-1], path)
    assert not hasattr(load_fingerprints(path), "provenance_")
    load_fingerprints(path).merge(fitted[-1])
    make_older(path, 2)
    assert not hasattr(load_fingerprints(path), "provenance_")
    save_fingerprints(fitted[-1], path, offset=(0, 8))
    told = load_fingerprints(path)
    assert told.provenance_ == {"extractor": None, "offset": [0, 8]}
    save_fingerprints(make_pipeline(fitted[0], told), path)
    completed = load_fingerprints(path)[-1].provenance_
    assert completed["extractor"]["sigma"] == 2
    assert completed["offset"] == [0, 8]


def test_what_could_not_be_loaded_is_not_saved(fitted, tmp_path):
    path = tmp_path / "f.npz"
    with pytest.raises(ValueError, match="max_shift must be"):
        save_fingerprints(fitted.set_params(fingerprintclassifier__max_shift=-1), path)
    fitted.set_params(fingerprintclassifier__max_shift=0)
    with pytest.raises(ValueError, match="offset must be two"):
        save_fingerprints(fitted, path, offset=(1, 2, 3))
    fitted.set_params(residualextractor__denoiser_params={"size": "x" * 2**20})
    with pytest.raises(ValueError, match="too long"):
        save_fingerprints(fitted, path)
    fitted[-1].fingerprints_ = fitted[-1].fingerprints_ * np.nan
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        save_fingerprints(fitted, path)
    fitted[-1].classes_ = np.array([0, "b", None], dtype=object)
    with pytest.raises(ValueError, match="must be text or numbers"):
        save_fingerprints(fitted, path)
    assert not list(tmp_path.iterdir())


def test_saving_leaves_the_arrays_of_the_user_alone(fitted, tmp_path):
    classifier = clone(fitted[-1]).set_params(**fitted[-1].get_params())
    vars(classifier).update(vars(fitted[-1]))
    mine = fitted[-1].fingerprints_.copy()
    classifier.fingerprints_ = mine
    save_fingerprints(classifier, tmp_path / "f.npz")
    assert mine.flags.writeable

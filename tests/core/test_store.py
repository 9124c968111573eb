import errno
import os
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
import pywt
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from skfingerprint import AttributionFeatures, ResidualExtractor, SpectrumTransformer
from skfingerprint._core import compilation, store
from skfingerprint._core.store import (
    RowStore,
    describe,
    find_store,
    hash_image,
    list_versions,
    name_rows,
)
from skfingerprint.perturbation import COMMON_PERTURBATIONS, GaussianBlur

KEYS = [hash_image(np.full((4, 4), i)) for i in range(3)]
ROWS = {
    "a" * 32: np.arange(5, dtype=np.float32),
    "b" * 32: np.arange(6.0).reshape(2, 3),
    "c" * 32: np.array([], dtype=np.int16),
    "d" * 32: np.array([True, False]),
    "e" * 32: np.asfortranarray(np.arange(24).reshape(2, 3, 4)),
}


@pytest.fixture
def rows(tmp_path):
    return RowStore(tmp_path / "rows")


def list_files(kept):
    return sorted(path for path in kept.folder.rglob("*") if path.is_file())


def assert_rows(found, expected):
    assert found.keys() == expected.keys()
    for name, row in expected.items():
        np.testing.assert_array_equal(found[name], row, strict=True)


def test_rows_come_back_as_they_were(rows):
    assert rows.get(KEYS[0], ROWS) == {}
    assert rows.size() == 0
    rows.put(KEYS[0], ROWS)
    assert_rows(rows.get(KEYS[0], [*ROWS, "f" * 32]), ROWS)
    assert rows.get(KEYS[1], ROWS) == {}
    (file,) = list_files(rows)
    assert file.relative_to(rows.folder).parts == (KEYS[0][:2], KEYS[0][2:])
    assert rows.size() == file.stat().st_size


def test_rows_are_added_and_replaced(rows):
    (first, one), (second, other), *_ = ROWS.items()
    rows.put(KEYS[0], {first: one})
    rows.put(KEYS[0], {second: other})
    assert_rows(rows.get(KEYS[0], ROWS), {first: one, second: other})
    rows.put(KEYS[0], {first: one + 1})
    assert_rows(rows.get(KEYS[0], ROWS), {first: one + 1, second: other})
    assert len(list_files(rows)) == 1


def test_rows_without_numbers_are_left_out(rows):
    texts = {"f" * 32: np.array(["a"]), "0" * 32: np.array([None, 1])}
    rows.put(KEYS[0], ROWS | texts)
    assert_rows(rows.get(KEYS[0], [*ROWS, *texts]), ROWS)


def test_a_short_file_has_the_rows_before_its_end(rows):
    rows.put(KEYS[0], ROWS)
    (file,) = list_files(rows)
    content = file.read_bytes()
    for length in range(0, len(content), 7):
        file.write_bytes(content[:length])
        found = rows.get(KEYS[0], ROWS)
        assert_rows(found, {name: ROWS[name] for name in found})
        assert len(found) < len(ROWS)
    rows.put(KEYS[0], ROWS)
    assert file.read_bytes() == content


def test_no_damaged_byte_is_read(rows):
    rows.put(KEYS[0], ROWS)
    (file,) = list_files(rows)
    content = file.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        file.write_bytes(damaged)
        found = rows.get(KEYS[0], ROWS)
        assert_rows(found, {name: ROWS[name] for name in found})
        assert len(found) < len(ROWS)


def test_a_file_of_another_image_is_not_read(rows):
    for key in KEYS[:2]:
        rows.put(key, ROWS)
    one, other = (rows._find_path(key) for key in KEYS[:2])
    os.replace(one, other)
    assert rows.get(KEYS[1], ROWS) == {}


def test_odd_indices_are_no_rows(rows, monkeypatch):
    odd = ['{"a": 1}', "[[1, 2]]", '[["a", "O", [1], 0]]', '[["a", "<f4", [-1], 0]]']
    for index in [*odd, '[["a", 5, [1], 0]]', '[[[], "<f4", [1], 0]]', "no"]:
        with monkeypatch.context() as patch:
            patch.setattr(store.json, "dumps", lambda value, index=index: index)
            rows.put(KEYS[0], ROWS)
        assert rows.get(KEYS[0], ["a"]) == {}


def test_parts_of_killed_writers_are_ignored_and_cleared(tmp_path):
    kept = find_store(tmp_path)
    kept.put(KEYS[0], ROWS)
    (file,) = list_files(kept)
    part = file.with_name(".0123.part")
    part.write_bytes(file.read_bytes()[:100])
    assert_rows(kept.get(KEYS[0], ROWS), ROWS)
    joblib.Memory(tmp_path, verbose=0).clear(warn=False)
    assert list_files(kept) == []
    kept.put(KEYS[0], ROWS)
    assert_rows(kept.get(KEYS[0], ROWS), ROWS)


@pytest.mark.parametrize("name", ["replace", "open"])
def test_a_full_disk_leaves_what_was_there(rows, name, monkeypatch):
    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    rows.put(KEYS[0], ROWS)
    with monkeypatch.context() as patch:
        patch.setattr(
            *(("os.replace", fail) if name == "replace" else ("builtins.open", fail))
        )
        with pytest.raises(OSError, match="No space left"):
            rows.put(KEYS[0], {"a" * 32: np.ones(3)})
    assert_rows(rows.get(KEYS[0], ROWS), ROWS)
    assert len(list_files(rows)) == 1


WRITER = """
import sys
import numpy as np
from skfingerprint._core.store import RowStore, hash_image

rows, number = RowStore(sys.argv[1]), int(sys.argv[2])
for turn in range(60):
    image = hash_image(np.full((4, 4), turn % 3))
    name = f"{number}{turn:02}".ljust(32, "0")
    rows.put(image, {name: np.full(999, 1000 * number + turn, dtype=np.float32)})
    for other in range(2):
        names = {f"{other}{t:02}".ljust(32, "0"): 1000 * other + t for t in range(60)}
        for name, row in rows.get(image, names).items():
            assert row.shape == (999,) and (row == names[name]).all()
"""


@pytest.mark.slow
def test_two_processes_write_into_one_folder(rows):
    command = [sys.executable, "-c", WRITER, str(rows.folder)]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(list_files(rows)) == 3  # no temporary file is left


def test_stores_of_folders_and_memories(tmp_path, monkeypatch):
    kept = find_store(str(tmp_path))
    for memory in (tmp_path, joblib.Memory(tmp_path, verbose=0)):
        assert find_store(memory).folder == kept.folder
    assert kept.folder.is_relative_to(tmp_path)
    assert find_store(None) is None
    assert find_store(joblib.Memory(None)) is None
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find_store("~").folder == kept.folder
    for wrong in (3, True, object(), GaussianBlur()):
        with pytest.raises(ValueError, match=r"memory must be None, a folder, or a"):
            find_store(wrong)


def test_digests_of_images():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    others = [image + 1, image.T, image.reshape(4, 3), image.astype(np.int8), image[:2]]
    others += [image.astype(np.float32), image.astype(">u2"), image.astype("<u2")]
    assert len({hash_image(each) for each in [image, *others]}) == 9
    wide = np.repeat(image, 2, axis=1)[:, ::2]
    assert hash_image(wide) == hash_image(np.asfortranarray(image)) == hash_image(image)
    assert hash_image(image.astype(object)) == hash_image(image.astype(float))


def box_blur(images):
    return images


class Mine(GaussianBlur):
    pass


def test_equal_values_have_equal_descriptions():
    for value in [None, 1, 1.5, "a", b"a", range(3), (1, [2, {"a": 3}]), np.float32(2)]:
        assert describe(value) == describe(value)
        name_rows(describe(value))
    values = [0, False, 0.0, -0.0, None, "", b"", "0", [], (), {}, range(0)]
    values += [np.float32(0), np.zeros(1), np.zeros((1, 1)), np.zeros(1, int), 1, True]
    values += [[1, 2], [[1], 2], [[1, 2]], {"a": 1, "b": 2}, {"b": 2, "a": 1}]
    assert len({name_rows(describe(value)) for value in values}) == len(values)
    objects = np.array([1, "a", None], dtype=object)
    assert describe(objects) == describe(objects.copy())
    assert describe(pywt.Wavelet("db4")) == describe(pywt.Wavelet("db4"))
    assert describe(np.log1p) != describe(np.log)


def test_estimators_are_described_by_parameters_and_state():
    images = np.zeros((1, 40, 40, 3), dtype=np.uint8)
    features = AttributionFeatures()
    same = AttributionFeatures(n_jobs=2)
    assert describe(features) == describe(same) == describe(clone(features))
    others = [AttributionFeatures(sigma=2), AttributionFeatures(quantization=[1, 3])]
    others += [clone(features).fit(images), clone(features).fit(images[..., 0])]
    others += [clone(features).fit(images[:, :20]), SpectrumTransformer(), Normalizer()]
    others += [make_pipeline(features), make_pipeline(AttributionFeatures(sigma=2))]
    assert len({name_rows(describe(each)) for each in [features, *others]}) == 10
    assert describe(make_pipeline(features, memory="a")) == describe(
        make_pipeline(same, verbose=True)
    )
    names = [name_rows(describe(change)) for change in COMMON_PERTURBATIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (box_blur, "box_blur"),
        (lambda: 0, "<lambda>"),
        (np.random.default_rng(0), "Generator"),
        (object(), "object"),
        (np.zeros(1, dtype="i4,f4"), "array of"),
        (Mine(), "Mine"),
        (ResidualExtractor(box_blur), "ResidualExtractor(denoiser=box_blur)"),
        (
            make_pipeline(FunctionTransformer(box_blur)),
            "Pipeline(steps=FunctionTransformer(func=box_blur))",
        ),
    ],
)
def test_values_that_may_change_unnoticed_have_no_description(value, name):
    with pytest.raises(ValueError) as error:
        describe(value)
    assert name in str(error.value)


def test_a_function_with_a_name_of_numpy_is_not_of_numpy():
    def log(x):
        return x

    def row_stack(x):  # a name that NumPy warns of
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in (log, row_stack):
            with pytest.raises(ValueError):
                describe(function)


def test_versions_tell_which_functions_compute(monkeypatch):
    found = dict(list_versions())
    assert found["numpy"] == np.__version__
    monkeypatch.setattr(sys.modules["skfingerprint"], "__version__", "9.9")
    assert dict(list_versions()) == found | {"skfingerprint": "9.9"}
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert dict(list_versions())["kernels"] == "numpy"
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    monkeypatch.setattr(compilation, "find_spec", lambda name: None)
    assert dict(list_versions())["kernels"] == "numpy"
    monkeypatch.setattr(compilation, "find_spec", lambda name: name)
    monkeypatch.setattr(compilation, "find_version", lambda name: "1.2")
    monkeypatch.setattr(compilation, "failed", {"fast"})
    assert dict(list_versions())["kernels"] == "numba 1.2 fast"

import numpy as np
import pytest
from sklearn.base import clone

from skfingerprint import (
    FingerprintClustering,
    PatchWhitener,
    SourceDetector,
    WindowedClassifier,
    make_attribution_pipeline,
)
from skfingerprint._core import progress
from skfingerprint.datasets import load_image_files, make_fingerprint_images
from skfingerprint.perturbation import GaussianBlur
from tests.estimators import WINDOWS

IMAGES, Y = make_fingerprint_images(24, 3, strength=8, random_state=0)
ROWS = np.random.default_rng(0).normal(size=(240, 12)) + 9 * np.repeat(
    np.eye(4, 12), 60, axis=0
)
FITS = {
    "copies": lambda verbose: make_attribution_pipeline(
        perturbations=[GaussianBlur(std=0.5)], verbose=verbose
    ).fit(IMAGES, Y),
    "detectors": lambda verbose: SourceDetector(verbose=verbose).fit(
        ROWS, np.repeat(np.arange(4), 60), conditions=np.tile([0, 1], 120)
    ),
    "neighbors": lambda verbose: FingerprintClustering(verbose=verbose).fit(ROWS),
    "views": lambda verbose: PatchWhitener(verbose=verbose).fit(IMAGES),
    "windows": lambda verbose: WindowedClassifier(
        clone(WINDOWS), max_windows=3, verbose=verbose
    ).fit(IMAGES, Y),
}


@pytest.fixture
def no_tqdm(monkeypatch):
    monkeypatch.setattr(progress, "find_spec", lambda name: None)


@pytest.mark.parametrize("name", FITS)
def test_long_fits_tell_how_far_they_are(name, no_tqdm, capsys):
    if name == "neighbors":
        pytest.importorskip("networkx")
    FITS[name](False)
    assert capsys.readouterr() == ("", "")
    FITS[name](True)
    lines = capsys.readouterr().out.splitlines()
    assert any(name in line for line in lines)
    done, total = lines[-1].rpartition(": ")[2].split(" of ")
    assert done == total


def test_loaders_tell_how_many_files_are_read(no_tqdm, tmp_path, capsys):
    picture = pytest.importorskip("PIL.Image")
    files = [tmp_path / f"{number}.png" for number in range(24)]
    for file, image in zip(files, IMAGES, strict=True):
        picture.fromarray(image).save(file)
    silent = load_image_files(files)
    assert capsys.readouterr() == ("", "")
    np.testing.assert_array_equal(
        load_image_files(files, verbose=True).images, silent.images
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "files: 24 of 24"
    assert len(lines) == 10


def test_a_bar_where_tqdm_is_installed(capsys):
    pytest.importorskip("tqdm")
    assert list(progress.track("abc", "letters", True)) == ["a", "b", "c"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "letters: 100%" in printed.err
    assert "3/3" in printed.err


@pytest.mark.parametrize("total", [1, 3, 10, 11, 1000])
def test_few_lines_and_the_last_one(no_tqdm, total, capsys):
    assert list(progress.track(range(total), "items", 1)) == list(range(total))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == min(total, 10)
    assert lines[-1] == f"items: {total} of {total}"

"""numba may be missing, off, damaged or unable to write: residuals are right."""

import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest

from skfingerprint import ResidualExtractor, denoising
from skfingerprint._core import compilation as _numba
from skfingerprint._features import cooccurrence as _runs
from skfingerprint._features import spectrum_transformer as _spectra
from skfingerprint.denoising import _wavelet

pytestmark = pytest.mark.slow
pytest.importorskip("numba", reason="needs numba (extra fast)")
PLANES = np.random.default_rng(0).uniform(0, 255, (2, 40, 40)).astype(np.float32)
SCRIPT = """
import warnings
import numpy as np
from skfingerprint import ResidualExtractor
images = np.random.default_rng(0).uniform(0, 255, (2, 40, 40)).astype(np.float32)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    residual = ResidualExtractor().fit_transform(images)
told = [str(w.message) for w in caught if "numba" in str(w.message)]
print(f"{np.abs(residual).sum():.2f} {residual.max():.4f}", len(told))
"""


def run(**environment):
    """Return what a new process computes, and how often it warns."""
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return found[:2], int(found[2])


@pytest.fixture(scope="module")
def expected():
    return run(NUMBA_DISABLE_JIT="1")


@pytest.fixture
def fresh():
    """Forget what is compiled, before and after."""
    finders = denoising._fastest_kernel, _runs._fastest_count, _spectra._fastest_add
    for finder in finders:
        finder.cache_clear()
    yield
    for finder in finders:
        finder.cache_clear()


def close(found, expected):
    return np.allclose(np.array(found, float), np.array(expected, float), rtol=1e-4)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, expected):
    """A folder with a good cache, that two processes raced for."""
    folder = tmp_path_factory.mktemp("cache")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in started:
        *found, n_warnings = process.communicate()[0].split()
        assert process.returncode == 0
        assert close(found, expected[0])
        assert int(n_warnings) == 0
    return folder


def test_switched_off_is_numpy(expected, fresh, monkeypatch):
    assert expected[1] == 0
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert denoising._fastest_kernel() is _wavelet.wavelet_noise
    assert _runs._fastest_count() is _runs._count_sets
    assert _spectra._fastest_add() is _spectra._add_block_powers


@pytest.mark.parametrize("damage", ["emptied", "garbage"])
def test_damaged_files_of_the_cache(tmp_path, compiled, expected, damage):
    folder = shutil.copytree(compiled, tmp_path / "cache")
    files = list(folder.rglob("*.nb?"))
    assert files
    for path in files:
        length = len(path.read_bytes()) if damage == "garbage" else 0
        path.write_bytes(os.urandom(length))
    found, n_warnings = run(NUMBA_CACHE_DIR=str(folder))
    assert close(found, expected[0])
    assert n_warnings <= 1


def test_a_cache_that_cannot_be_written(expected):
    found, n_warnings = run(NUMBA_CACHE_DIR="/proc/self/none")
    assert close(found, expected[0])
    assert n_warnings <= 1


@pytest.mark.parametrize("error", [RuntimeError, OSError, ImportError])
def test_an_import_that_raises_anything(fresh, monkeypatch, error):
    def fail(module, with_cache):
        raise error("broken")

    monkeypatch.setattr(_numba, "_import", fail)
    with pytest.warns(UserWarning, match=r"numba can't be used.*NumPy is used"):
        assert denoising._fastest_kernel() is _wavelet.wavelet_noise
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once only
        ResidualExtractor().fit_transform(PLANES)


def test_wrong_results_are_not_taken(fresh, monkeypatch):
    class Wrong:
        @staticmethod
        def wavelet_noise(planes, *_):
            return planes

    monkeypatch.setattr(_numba, "_import", lambda module, with_cache: Wrong)
    with pytest.warns(UserWarning, match="it computes something else"):
        assert denoising._fastest_kernel() is _wavelet.wavelet_noise


def test_a_missing_numba_says_nothing(fresh, monkeypatch):
    monkeypatch.setitem(sys.modules, "skfingerprint.denoising._wavelet_fast", None)
    monkeypatch.setitem(sys.modules, "skfingerprint._features.cooccurrence_fast", None)
    monkeypatch.setitem(sys.modules, "skfingerprint._features.spectrum_fast", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert denoising._fastest_kernel() is _wavelet.wavelet_noise
        assert _runs._fastest_count() is _runs._count_sets
        assert _spectra._fastest_add() is _spectra._add_block_powers

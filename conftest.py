"""Tests and doctests of the extras skip where an extra is not installed."""

import doctest
import os
import sys
from importlib.util import find_spec

import pytest

# Workers side by side share the processors: threads of BLAS would wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# Packages that only extras bring, by the name that is imported.
EXTRAS = {
    "PIL": "Pillow",
    "dask": "dask",
    "distributed": "distributed",
    "matplotlib": "matplotlib",
    "networkx": "networkx",
    "numba": "numba",
    "pandas": "pandas",
    "polars": "polars",
    "rich": "rich",
    "skimage": "scikit-image",
    "skops": "skops",
    "tqdm": "tqdm",
}


def missing_extra(error):
    """Return the package that an import error is about, if it is one of the extras'.

    Only if the package really is not installed: an import that fails inside of an
    installed package, or of a name that it does not have, stays an error. So does
    what goes wrong after an import error was caught.
    """
    if isinstance(error, doctest.UnexpectedException):
        error = error.exc_info[1]
    while isinstance(error, (ImportError, pytest.Collector.CollectError)):
        package = (getattr(error, "name", None) or "").partition(".")[0]
        if package in EXTRAS and find_spec(package) is None:
            return EXTRAS[package]
        error = error.__cause__
    return None


def _skip_if_missing():
    try:
        return (yield)
    except Exception as error:
        if package := missing_extra(error):
            pytest.skip(f"{package} is not installed")
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Skip what has a fixture of an extra."""
    return (yield from _skip_if_missing())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Skip a test or doctest that uses an extra."""
    return (yield from _skip_if_missing())


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Skip a file that imports an extra."""
    report = yield
    error = report.call.excinfo
    if error and (package := missing_extra(error.value)):
        report.outcome = "skipped"
        reason = f"Skipped: {package} is not installed"
        report.longrepr = (str(collector.path), 1, reason)
        # What pytest imported halfway must not be taken for the module.
        path = collector.path.relative_to(collector.config.rootpath)
        sys.modules.pop(".".join(path.with_suffix("").parts), None)
    return report

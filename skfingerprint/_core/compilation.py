"""Load functions that numba compiles, where it is installed and works."""

import importlib
import os
import threading
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType

from skfingerprint._core.versions import find_version

# Whether compiled functions are kept in files: read by compiling modules at import.
caching = True
LOCK = threading.Lock()
# Modules whose compiled functions fail here, so that those of NumPy are used.
failed = set()


def is_caching() -> bool:
    """Return whether a module that compiles now keeps its functions in files."""
    return caching


def find_compiled(
    module: str, name: str, fallback: Callable, probe: Callable
) -> Callable:
    """Load a compiled function, or return the one of NumPy where that fails.

    If files of the cache are damaged, or its folder is read-only, as in containers, the
    function is compiled without a cache.

    Parameters
    ----------
    module : str
        Full name of the module with the compiled function.
    name : str
        Name of the function.
    fallback : callable
        The same function with NumPy.
    probe : callable
        `probe(function)` calls it on a few numbers, and checks the result.

    Returns
    -------
    function : callable
    """
    if _is_disabled():
        return fallback
    problems = []
    for with_cache in (True, False):
        try:
            function = getattr(_import(module, with_cache), name)
            if probe(function):
                break
            problems.append("it computes something else")
        except ModuleNotFoundError:
            return fallback
        except Exception as error:  # numba, LLVM and damaged files raise anything
            problems.append(repr(error))
    else:
        function = fallback
        failed.add(module)
    if problems:
        instead = "NumPy is used" if function is fallback else "it does without"
        warnings.warn(
            f"numba can't be used with its cache ({problems[0][:200]}): {instead}, "
            "which takes longer.",
            UserWarning,
            stacklevel=3,
        )
    return function


def describe_kernels() -> str:
    """Return "numpy", or the version of numba and the modules that can't use it."""
    if _is_disabled() or find_spec("numba") is None:
        return "numpy"
    return " ".join(["numba", find_version("numba"), *sorted(failed)])


def _is_disabled() -> bool:
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def _import(module: str, with_cache: bool) -> ModuleType:
    """Import a compiling module, again if it has to compile without a cache."""
    global caching
    with LOCK:
        caching = with_cache
        try:
            found = importlib.import_module(module)
            return found if with_cache else importlib.reload(found)
        finally:
            caching = True

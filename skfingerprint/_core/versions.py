"""Versions of installed packages, for bug reports."""

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version


def show_versions() -> None:
    """Print the versions of Python, of the packages in use, and of the system.

    Packages of extras that are not installed are shown as "-".

    Examples
    --------
    >>> import skfingerprint
    >>> skfingerprint.show_versions()  # doctest: +ELLIPSIS
    skfingerprint  ...
    python         3...
    """
    rows = {
        "skfingerprint": find_version("skfingerprint"),
        "python": sys.version.replace("\n", " "),
        "system": f"{platform.platform()}, {os.cpu_count()} processors",
    }
    rows |= {name: find_version(name) for name in _list_packages()}
    width = max(map(len, rows)) + 2
    print("\n".join(f"{name:{width}}{found}" for name, found in rows.items()))


def _list_packages() -> dict:
    """List the names of the dependencies, those of the extras for users included."""
    needed = [line for line in requires("skfingerprint") or [] if "test" not in line]
    names = [re.match(r"[\w-]+", line)[0] for line in needed if "docs" not in line]
    return dict.fromkeys(name for name in names if name != "skfingerprint")


def find_version(name: str) -> str:
    """Return the version of an installed package, and "-" for any other."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"

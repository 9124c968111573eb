"""What needs an extra skips where it is not installed, and nothing else does."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import conftest

pytest_plugins = ["pytester"]
ROOT = Path(conftest.__file__).parent
# The package itself, and the tools that check it.
TOOLS = {"codespell", "pytest", "pytest-cov", "pytest-xdist", "ruff", "skfingerprint"}


@pytest.fixture
def inner(pytester):
    """A project with our hooks, and two packages in its extras, one of them missing."""
    pytester.makeconftest(
        (ROOT / "conftest.py").read_text()
        + "\nEXTRAS |= {'missing': 'Missing', 'present': 'present'}\n"
    )
    pytester.syspathinsert()
    return pytester


def test_missing_extras_skip(inner):
    inner.makepyfile(
        module='''
        """Doctest.

        >>> from missing.part import name
        """
        import helper
        ''',
        helper="""
        def use():
            try:
                import missing.part
            except ImportError as error:
                raise ImportError("install it") from error
        """,
        test_module="import missing",
        test_functions="""
        import pytest

        import helper

        @pytest.fixture
        def fixture():
            import missing

        def test_import():
            import missing

        def test_fixture(fixture):
            pass

        def test_reraised():
            helper.use()
        """,
    )
    inner.maketxtfile(page=">>> import helper\n>>> helper.use()\n")
    result = inner.runpytest(
        "-rs", "--import-mode=importlib", "--doctest-modules", "--doctest-glob=*.txt"
    )
    # Three functions, two doctests, and a file that is read for tests and doctests.
    result.assert_outcomes(skipped=7)
    reasons = re.findall(r"SKIPPED \[(\d)\].*: Missing is not", result.stdout.str())
    assert sum(map(int, reasons)) == 7


def test_other_failures_fail(inner):
    inner.makepyfile(
        """
        import pytest

        @pytest.fixture
        def broken():
            import present

        def test_not_an_extra():
            import missing_too

        def test_installed_but_broken():
            import present

        def test_fixture(broken):
            pass

        def test_installed_without_the_name():
            from present.part import name

        def test_refused_by_hand():
            raise ImportError("missing")

        def test_after_the_import_was_given_up():
            try:
                import missing
            except ImportError:
                assert False
        """,
        present="import missing_too",
        test_module="import missing_too",
    )
    result = inner.runpytest("--continue-on-collection-errors")
    result.assert_outcomes(failed=5, errors=2)


def test_no_file_is_mistaken_for_the_module_that_failed(inner):
    """Code that asks whether a module can be imported gets the same answer later."""
    inner.makepyfile(
        fast="""
        import missing

        def fast():
            pass
        """,
        test_fast="""
        import pytest

        def test_it():
            with pytest.raises(ImportError):
                from fast import fast
            with pytest.raises(ModuleNotFoundError):
                import fast
        """,
    )
    result = inner.runpytest("--import-mode=importlib", "--doctest-modules")
    result.assert_outcomes(passed=1, skipped=1)


def test_all_extras_are_known():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    asked_for = {
        re.match(r"[\w-]+", requirement)[0]
        for name, requirements in extras.items()
        if name != "docs"
        for requirement in requirements
    }
    assert asked_for - TOOLS == set(conftest.EXTRAS.values())


def test_every_module_but_the_compiled_imports_without_extras():
    package = ROOT / "skfingerprint"
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(package.rglob("*.py"))
        if not path.stem.endswith("_fast")
    ]
    code = (
        f"import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({list(conftest.EXTRAS)}))\n"
        f"for module in {modules}: importlib.import_module(module)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

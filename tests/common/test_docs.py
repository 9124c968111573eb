"""The documentation names what exists, and all of it."""

import ast
import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import skfingerprint

DOCS = Path(__file__).parents[2] / "docs"
BENCHMARKS = DOCS.parent / "benchmarks"
FINDINGS = DOCS.parent / "findings"
PACKAGE = Path(skfingerprint.__file__).parent
MODULES = [
    "calibration",
    "correlation",
    "datasets",
    "denoising",
    "explanation",
    "files",
    "imitation",
    "metrics",
    "perturbation",
    "plotting",
    "spectrum",
    "thresholds",
]


def read_reference():
    """Return the names that the API reference lists, by module."""
    listed = {}
    for line in (DOCS / "api.rst").read_text().splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            names = listed.setdefault(match[1], [])
        elif match := re.match(r"   (\w+)$", line):
            names.append(match[1])
    return listed


def public_names(module):
    """Return the functions and classes that a module defines for others."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    )


@pytest.mark.parametrize(
    "name", ["skfingerprint"] + [f"skfingerprint.{m}" for m in MODULES]
)
def test_reference_lists_all_that_is_public(name):
    assert sorted(read_reference()[name]) == public_names(importlib.import_module(name))


def test_one_version_everywhere():
    version = skfingerprint.__version__
    citation = (DOCS.parent / "CITATION.cff").read_text()
    assert f"\nversion: {version}\n" in citation
    news = (DOCS / "whats_new.rst").read_text()
    assert re.search(r"^Version (\S+)$", news, re.M)[1] == version
    date = re.search(r"^date-released: (\S+)$", citation, re.M)[1]
    assert date in news


def test_every_public_module_is_in_the_reference():
    modules = {
        path.stem
        for path in PACKAGE.glob("*")
        if not path.name.startswith("_") and (path.suffix == ".py" or path.is_dir())
    }
    assert modules == set(MODULES)
    assert set(read_reference()) == {"skfingerprint"} | {
        f"skfingerprint.{name}" for name in MODULES
    }


def test_links_of_the_readme_lead_somewhere():
    root = DOCS.parent
    links = re.findall(r"\]\(([^)\s]+)\)", (root / "README.md").read_text())
    assert links
    assert [link for link in links if not (root / link).is_file()] == []


def test_the_readme_of_an_index_names_no_files():
    root = DOCS.parent
    tools = tomllib.loads((root / "pyproject.toml").read_text())["tool"]
    readme = tools["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = (root / "README.md").read_text()
    for rule in readme["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)", text)
    assert [link for link in links if not "".join(link).startswith("http")] == []
    assert not re.search(r"</?(img|source|picture)\b", text)


def name_benchmarks(text):
    """Return the benchmarks that a text names, by path or by module."""
    paths = re.findall(r"\bbenchmarks/([\w/]+\.\w+)", text)
    modules = re.findall(r"-m benchmarks\.([\w.]*\w)", text)
    return {*paths, *(name.replace(".", "/") + ".py" for name in modules)}


def test_named_benchmarks_exist():
    root = DOCS.parent
    files = [root / "README.md", *DOCS.glob("*.rst"), *BENCHMARKS.rglob("*.py")]
    files += [BENCHMARKS / "README.md"]
    named = {(p.name, n) for p in files for n in name_benchmarks(p.read_text())}
    assert {("README.md", "accuracy/registry.py")} < named
    assert [n for n in named if not (BENCHMARKS / n[1]).is_file()] == []


def test_table_of_benchmarks_is_complete():
    links = []
    for line in (BENCHMARKS / "README.md").read_text().splitlines():
        if line.startswith("| ["):
            script, *pages = re.findall(r"\]\(([^)]+)\)", line)
            links.append(script)
            for page in pages:
                text = (BENCHMARKS / page).read_text()
                assert script in name_benchmarks(text), f"{page} lacks {script}"
    scripts = [p.relative_to(BENCHMARKS).as_posix() for p in BENCHMARKS.rglob("*.py")]
    assert sorted(links) == sorted(s for s in scripts if "__init__" not in s)


def test_findings_are_listed_and_say_what_they_must():
    scripts = {path.stem: path.read_text() for path in FINDINGS.glob("*.sh")}
    page = (DOCS / "findings.rst").read_text()
    assert sorted(scripts) == sorted(re.findall(r"^   \* - ``(\w+)``$", page, re.M))
    parts = "# Guess before: ", "# Seen with ", "# For attribution: ", "mktemp -d"
    lacking = [(n, part) for n, t in scripts.items() for part in parts if part not in t]
    assert lacking == []


def test_findings_pin_one_version_of_each_package():
    texts = [path.read_text() for path in FINDINGS.glob("*.sh")]
    pins = {pin for text in texts for pin in re.findall(r"([\w-]+)==([\w.]+)", text)}
    assert len(pins) == len({name for name, _ in pins}) > 10


@pytest.mark.parametrize(
    "name",
    [n for n in skfingerprint.__all__ if inspect.isclass(vars(skfingerprint)[n])],
)
def test_every_estimator_is_in_an_example(name):
    examples = (DOCS.parent / "examples").rglob("*.py")
    assert any(re.search(rf"\b{name}\b", path.read_text()) for path in examples)


def list_summaries():
    """Return the first lines of all docstrings of the package, by file and name."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    return {
        f"{path.relative_to(PACKAGE)}: {getattr(node, 'name', 'the module')}": summary
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, kinds)
        for summary in (ast.get_docstring(node) or "").splitlines()[:1]
    }


def test_summaries_name_nouns():
    summaries = list_summaries()
    assert len(summaries) > 300
    vague = {n: s for n, s in summaries.items() if re.search(r"\bwhat\b", s, re.I)}
    assert vague == {}

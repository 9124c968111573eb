"""The conda recipe requires what pyproject.toml requires."""

import re
import tomllib
from pathlib import Path

import pytest

import skfingerprint

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "conda" / "recipe.yaml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Packages without what only the extras of these packages bring.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "dask": "dask-core"}


def read_list(name):
    """Return the entries of a list of the recipe."""
    entries = re.search(rf"^ +{name}:\n((?: +- .+\n)+)", RECIPE.read_text(), re.M)[1]
    return {line.strip().removeprefix("- ") for line in entries.splitlines()}


def rename(requirements):
    """Return requirements of pip as a recipe has them."""
    found = set()
    for requirement in requirements:
        if match := re.fullmatch(r"([\w-]+)(?:\[\w+\])?(>=[\w.]+)", requirement):
            name = match[1].lower()
            found.add(f"{CONDA_NAMES.get(name, name)} {match[2]}")
    return found


def test_the_recipe_has_the_dependencies():
    run = read_list("run")
    assert run - {"python >=${{ python_min }}"} == rename(PROJECT["dependencies"])


def test_the_recipe_has_the_lowest_versions_of_the_extras():
    extras = PROJECT["optional-dependencies"]
    asked = [r for name in extras if name not in ("docs", "test") for r in extras[name]]
    assert read_list("run_constraints") == rename(asked)


@pytest.mark.parametrize(
    "line",
    [
        f'version: "{skfingerprint.__version__}"',
        f'python_min: "{PROJECT["requires-python"].removeprefix(">=")}"',
        f"summary: {PROJECT['description']}",
        f"license: {PROJECT['license']}",
        *(f"- {name} = {value}" for name, value in PROJECT["scripts"].items()),
    ],
)
def test_the_recipe_has_the_metadata(line):
    assert line in [row.strip() for row in RECIPE.read_text().splitlines()]

"""Validate the conda recipe, and print it for a feedstock.

Run: python conda/check_recipe.py [ADDRESS SDIST]

With the address of an uploaded source archive and the archive, the printed recipe
downloads that archive, and has its SHA-256.
"""

import hashlib
import re
import sys
from pathlib import Path

from rattler_build import Stage0Recipe

RECIPE = Path(__file__).parent / "recipe.yaml"


def name_archive(text, address, archive):
    """Replace the checkout in a recipe by an archive at an address."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    source = f"source:\n  url: {address}\n  sha256: {digest}\n"
    changed, count = re.subn(r"^source:\n(?:  .*\n)+", source, text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{RECIPE} should have one source, got {count}")
    return changed


def check(text):
    """Raise an error unless a text is a recipe of version 1 that renders once."""
    recipe = Stage0Recipe.from_yaml(text)
    if recipe.schema_version != 1 or len(recipe.render()) != 1:
        raise ValueError("the recipe should have version 1 and a single variant")


if __name__ == "__main__":
    text = RECIPE.read_text(encoding="utf-8")
    if sys.argv[1:]:
        address, archive = sys.argv[1:]
        text = name_archive(text, address, Path(archive))
        print(text, end="")
    check(text)

"""Draw the package's modules, and what they import of each other.

``python docs/draw_layers.py`` writes ``docs/images/layers.png``. Layers are those of
the table on the contributing page, lines go from a module to what it imports.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

import matplotlib

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "skfingerprint"


def read_layers():
    """Return the modules of each layer, by the table."""
    text = (DOCS / "contributing.rst").read_text(encoding="utf-8")
    layers = defaultdict(list)
    for layer, name in re.findall(r"^(\d)\s+``([\w/.]+)``", text, re.M):
        layers[int(layer)].append(name.removesuffix(".py").rstrip("/"))
    return dict(layers)


def find_imports(name):
    """Return the modules of the package that a module imports."""
    path = PACKAGE / name
    files = path.glob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom):
                continue
            modules = [node.module]
            if node.module == "skfingerprint":
                modules = [f"skfingerprint.{alias.name}" for alias in node.names]
            parts = [module.split(".") for module in modules]
            found |= {p[1] for p in parts if p[0] == "skfingerprint" and len(p) > 1}
    return found - {name}


def place_modules(layers):
    """Return (x, y) of each module: a column for a layer, used least at its ends."""
    tallest = max(map(len, layers.values()))
    return {
        name: (layer, (row + 0.5) / len(names) * tallest)
        for layer, names in layers.items()
        for row, name in enumerate(names)
    }


def main():
    """Draw the picture."""
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    layers = read_layers()
    places = place_modules(layers)
    figure, ax = plt.subplots(figsize=(9.75, 6), layout="constrained")
    for name, (x, y) in places.items():
        for other in find_imports(name) & set(places):
            to_x, to_y = places[other]
            bend = 0.25 if to_x == x else 0.0
            ax.annotate(
                "",
                (to_x, to_y),
                (x, y),
                zorder=1,
                arrowprops={
                    "arrowstyle": "-",
                    "color": f"C{x}",
                    "alpha": 0.35,
                    "linewidth": 0.8,
                    "connectionstyle": f"arc3,rad={bend}",
                },
            )
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": f"C{x}"}
        ax.text(x, y, name, ha="center", va="center", fontsize=8.5, bbox=box, zorder=3)
    ax.set_xlim(-0.5, max(layers) + 0.5)
    ax.set_ylim(max(map(len, layers.values())), 0)
    ax.set_xticks(list(layers), [f"layer {layer}" for layer in layers])
    ax.tick_params(length=0, labelsize=10)
    ax.xaxis.tick_top()
    ax.yaxis.set_visible(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    figure.savefig(DOCS / "images" / "layers.png", dpi=100)


if __name__ == "__main__":
    main()

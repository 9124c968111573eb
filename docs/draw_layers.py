"""Draw the rooms of the package by row, and the rooms that they import.

``python docs/draw_layers.py`` writes ``docs/images/layers.png``. Rows are those of the
table on the contributing page; a line leads from a room down to a room that it imports.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

import matplotlib

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "skfingerprint"
# Nearly all rooms import it: a bar below all of them instead of many lines.
BASE = "_core"


def read_rows():
    """Return the rooms of each row, by the table."""
    text = (DOCS / "contributing.rst").read_text(encoding="utf-8")
    rows = defaultdict(list)
    for row, name in re.findall(r"^(\d)\s+``([\w/.]+)``", text, re.M):
        rows[int(row)].append(name.removesuffix(".py").rstrip("/"))
    return dict(rows)


def find_imports(name):
    """Return the other rooms that a room imports."""
    path = PACKAGE / name
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                package, *parts = node.module.split(".")
                if package == "skfingerprint" and parts:
                    found.add(parts[0])
    return found - {name}


def place_rooms(rows, imports):
    """Return (x, y) of each room; rooms of a row stand near those they import.

    The x of a row are equally far apart, in the order of the mean x of imported rooms.
    Rooms that import another one of their row stand higher.
    """
    widest = max(map(len, rows.values()))
    places = {}
    for row, names in sorted(rows.items()):
        names = [name for name in names if name != BASE]
        targets = {
            name: [places[other][0] for other in imports[name] if other in places]
            for name in names
        }
        means = {
            name: sum(targets[name]) / len(targets[name]) if targets[name] else i + 0.5
            for i, name in enumerate(names)
        }
        ordered = sorted(names, key=means.get)
        for place, name in enumerate(ordered):
            is_above = bool(imports[name] & set(names))
            x = (place + 0.5) / len(names) * widest
            places[name] = x, row + 0.4 * is_above
    return places


def main():
    """Draw the picture."""
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    rows = read_rows()
    imports = {name: find_imports(name) for names in rows.values() for name in names}
    places = place_rooms(rows, imports)
    widest = max(map(len, rows.values()))
    figure, ax = plt.subplots(figsize=(9.75, 6.5), layout="constrained")
    for name, (x, y) in places.items():
        for other in sorted(imports[name] & set(places)):
            to_x, to_y = places[other]
            # Long lines are bent, so that they do not run behind rooms between.
            bend = 0.12 * max(int(y) - int(to_y) - 1, 0)
            line = {
                "arrowstyle": "-",
                "color": f"C{int(y)}",
                "alpha": 0.6,
                "linewidth": 1.1,
                "connectionstyle": f"arc3,rad={bend}",
            }
            ax.annotate("", (to_x, to_y), (x, y), zorder=1, arrowprops=line)
        alone = BASE not in imports[name]
        box = {
            "boxstyle": "round,pad=0.35",
            "facecolor": "white",
            "edgecolor": f"C{int(y)}",
            "linestyle": "--" if alone else "-",
        }
        ax.text(x, y, name, ha="center", va="center", fontsize=10, bbox=box, zorder=3)
    ax.text(
        widest / 2,
        -0.75,
        f"{BASE}: imported by all rooms but those with a dashed frame",
        ha="center",
        va="center",
        fontsize=10,
        bbox={"boxstyle": "round,pad=0.5", "facecolor": "0.93", "edgecolor": "0.5"},
    )
    ax.set_xlim(-0.1, widest + 0.1)
    ax.set_ylim(-1.05, max(rows) + 0.55)
    ax.set_yticks(list(rows), [f"row {row}" for row in rows])
    ax.tick_params(length=0, labelsize=10)
    ax.xaxis.set_visible(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    figure.savefig(DOCS / "images" / "layers.png", dpi=100)


if __name__ == "__main__":
    main()

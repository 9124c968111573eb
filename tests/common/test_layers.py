"""Rooms import from lower rows or their own, never in a circle, and keep the seams.

A room is an entry of the package's folder: a module, or a folder of modules. The table
on the contributing page gives each a row.
"""

import ast
import functools
import re
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

import skfingerprint

PACKAGE = Path(skfingerprint.__file__).parent
CONTRIBUTING = PACKAGE.parent / "docs" / "contributing.rst"
CONSTANTS = PACKAGE.parent / "docs" / "constants.rst"
FILES = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda


def read_rows():
    """Return the row of each room, by the table of the contributing page."""
    table = re.findall(r"^(\d)\s+``([\w/.]+)``", CONTRIBUTING.read_text(), re.M)
    names = [name.removesuffix(".py").rstrip("/") for _, name in table]
    assert len(names) == len(set(names))
    return {name: int(row) for name, (row, _) in zip(names, table, strict=True)}


def name_room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_file(path):
    """Return the path of a file inside of the package, for messages."""
    return path.relative_to(PACKAGE).as_posix()


@functools.cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def walk(node, at_top=True):
    """Yield all nodes, and whether they run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        yield child, at_top
        yield from walk(child, at_top and not isinstance(child, FUNCTIONS))


def find_imports(path):
    """Yield the modules that a file imports, and whether at its top.

    A name of the package itself is given as if it were a module.
    """
    for node, at_top in walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_file(path)} imports relatively"
            if node.module == "skfingerprint":
                yield from (
                    (f"skfingerprint.{alias.name}", at_top) for alias in node.names
                )
            else:
                yield node.module, at_top


def find_own_imports(path):
    """Yield the parts of the names that a file imports of this package."""
    for name, at_top in find_imports(path):
        package, *parts = name.split(".")
        if package == "skfingerprint":
            yield parts, at_top


def find_calls(path, name):
    """Return the calls of a function in a file, by its bare name."""
    nodes = ast.walk(parse(path))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return [call for call in calls if getattr(call.func, "id", None) == name]


def find_names(path):
    """Return all names that the code of a file uses, without its texts."""
    names = set()
    for node in ast.walk(parse(path)):
        names |= {getattr(node, key, None) for key in ("id", "attr", "name")}
    return names


def test_every_room_has_a_row():
    assert {name_room(path) for path in FILES} == set(read_rows())


def test_no_import_goes_up():
    rows, n_imports = read_rows(), 0
    for path in FILES:
        room = name_room(path)
        for parts, _ in find_own_imports(path):
            if parts and parts[0] in rows:
                n_imports += 1
                assert rows[parts[0]] <= rows[room], f"{name_file(path)} -> {parts}"
    assert n_imports > 100


def test_no_circle_between_rooms():
    """Not inside of a row either, and not by imports inside of functions."""
    rows = read_rows()
    graph = {room: set() for room in rows}
    for path in FILES:
        used = {parts[0] for parts, _ in find_own_imports(path) if parts}
        graph[name_room(path)] |= (used & set(rows)) - {name_room(path)}
    # Raises CycleError, which names the rooms of a circle.
    assert len(list(TopologicalSorter(graph).static_order())) == len(rows)


def test_nothing_imports_the_package_itself():
    """It imports all rooms; `from skfingerprint import X` would be a circle."""
    rows = read_rows()
    for path in FILES:
        for parts, at_top in find_own_imports(path):
            is_room = bool(parts) and parts[0] in rows
            assert is_room or not at_top, f"{name_file(path)} imports the package"


def test_no_import_of_inner_files_of_another_room():
    """A private room is imported by its name alone, and a public one has open files."""
    for path in FILES:
        room = name_room(path)
        for parts, _ in find_own_imports(path):
            if len(parts) > 1 and parts[0] != room:
                inner = parts[0].startswith("_") or parts[1].startswith("_")
                assert not inner, f"{name_file(path)} imports {'.'.join(parts)}"


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        # Lazy arrays of files are made by the room that reads them.
        ("dask", r"_core/blocks\.py|datasets/.*"),
        ("matplotlib", r"plotting/.*"),
        ("networkx", r"_clustering/.*"),
    ],
)
def test_packages_that_few_files_know(package, allowed):
    for path in FILES:
        imported = {name.split(".")[0] for name, _ in find_imports(path)}
        if package in imported:
            assert re.fullmatch(allowed, name_file(path)), name_file(path)


def test_extras_are_imported_when_they_are_needed():
    """numba compiles whole modules, which are themselves imported late."""
    extras = {"PIL", "dask", "distributed", "matplotlib", "networkx", "skimage", "tqdm"}
    for path in FILES:
        tops = {name.split(".")[0] for name, at_top in find_imports(path) if at_top}
        assert not tops & extras, name_file(path)
        assert "numba" not in tops or path.stem.endswith("_fast"), name_file(path)


def test_seams_of_input():
    """Only one room knows of lazy input, and one file of scikit-learn's checks."""
    lazy = {name_room(path) for path in FILES if "is_lazy" in find_names(path)}
    assert lazy == {"_core"}
    checked = {name_file(p) for p in FILES if "validate_data" in find_names(p)}
    assert checked == {"_core/validation.py"}
    tests = [
        name_file(path)
        for path in FILES
        for call in find_calls(path, "isinstance")
        if "BlockSource" in ast.unparse(call.args[1])
    ]
    assert tests == ["_core/blocks.py"]


def read_constants():
    """Return the text of the value of each constant, by the table of the docs."""
    row = r'^   "``([\w/.]+)``", "``(\w+)``", "``(.+?)``"'
    table = re.findall(row, CONSTANTS.read_text(encoding="utf-8"), re.M)
    return {(file, name): value for file, name, value in table}


def evaluate(expression):
    """Return a number, or a tuple of numbers; None for any other expression."""
    try:
        value = eval(expression, {"np": np})
    except (NameError, SyntaxError):
        return None
    values = np.asarray(value).ravel()
    return value if values.dtype.kind in "iuf" and values.size else None


def find_constants(path):
    """Yield the upper-case names that a module assigns, and their expressions."""
    for node in parse(path).body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=True)
            for name, value in pairs:
                if getattr(name, "id", "").isupper():
                    yield name.id, ast.unparse(value)


def test_every_constant_has_its_reason():
    """The page of constants has the names and values of the code, and no others."""
    table, names, numbers = read_constants(), set(), {}
    for path in FILES:
        for name, expression in find_constants(path):
            names.add((name_file(path), name))
            value = evaluate(expression)
            if value is not None:
                numbers[name_file(path), name] = value
    assert len(numbers) > 90
    assert set(numbers) - set(table) == set()
    assert set(table) - names == set()
    assert {key: evaluate(table[key]) for key in numbers} == numbers


def test_the_page_of_constants_counts_its_rows():
    text = CONSTANTS.read_text(encoding="utf-8")
    by_hand, n_all, measured = re.search(
        r"(\d+) of the (\d+) constants .*?; (\d+) were", text
    ).groups()
    assert int(n_all) == len(read_constants())
    assert int(by_hand) == text.count('"set by hand"')
    assert int(measured) == text.count('"measured"')

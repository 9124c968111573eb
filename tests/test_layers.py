"""A module imports only from a lower layer or its own, and nothing the package."""

import ast
import re
from pathlib import Path

import skfingerprint

PACKAGE = Path(skfingerprint.__file__).parent
CONTRIBUTING = PACKAGE.parent / "docs" / "contributing.rst"


def read_layers():
    """Return the layer of each module, by the table of the contributing page."""
    table = re.findall(r"^(\d)\s+``([\w/.]+)``", CONTRIBUTING.read_text(), re.M)
    return {name.removesuffix(".py").rstrip("/"): int(layer) for layer, name in table}


def find_modules():
    return {
        path: path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "__init__.py"
    }


def find_imports(path):
    """Return the absolute names that a file imports, and whether at its top."""
    tree = ast.parse(path.read_text())
    top = set(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [node.module]
            if node.module == "skfingerprint":  # its modules, or what it exports
                names = [f"skfingerprint.{alias.name}" for alias in node.names]
            yield from ((name, node in top) for name in names)


def test_every_module_has_a_layer():
    assert set(find_modules().values()) == set(read_layers())


def test_no_import_goes_up():
    layers = read_layers()
    n_imports = 0
    for path, module in find_modules().items():
        for name, at_top in find_imports(path):
            parts = name.split(".")
            if parts[0] != "skfingerprint":
                continue
            if len(parts) == 1:
                assert not at_top, f"{module} imports the package"
                continue
            n_imports += 1
            assert layers[parts[1]] <= layers[module], f"{module} imports {name}"
    assert n_imports > 50


def test_seams():
    """Who knows of dask, of lazy input, and of scikit-learn's checks of X."""
    for path, module in find_modules().items():
        text = path.read_text()
        imported = {name.split(".")[0] for name, _ in find_imports(path)}
        assert "dask" not in imported or module in ("_blocks", "datasets")
        assert "is_lazy" not in text or module in ("_blocks", "_layouts")
        assert "validate_data" not in text or module == "_layouts"
        tops = {name.split(".")[0] for name, top in find_imports(path) if top}
        assert not tops & {"matplotlib", "PIL", "dask", "skimage"}
        assert "numba" not in tops or module.endswith("_fast")

"""Print figures on the structure of a package folder.

``python docs/measure_structure.py [--package FOLDER] [--list] [--trace]
[--imports-time]`` prints a line for each figure, and the members of a list below it. It
reads the source files, and imports the package only where it is asked to run it.
"""

import argparse
import ast
import importlib
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import tokenize
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "skfingerprint"
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef
DOCUMENTED = ast.Module, ast.ClassDef, *FUNCTIONS
BLANK_TOKENS = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
DIRECTIVE = re.compile(r"#\s*(noqa|doctest|pragma|type:|fmt:)")
WHAT = re.compile(r"\bwhat\b", re.IGNORECASE)
# A sentence opens a line, or follows the end of another.
OPENING = re.compile(r"(?:^\s*|[.!?:]\s+)(?:Of|What)\b", re.MULTILINE)
LONG = 40
N_REPEATS = 7


@dataclass(frozen=True)
class SourceFile:
    """A source file, parsed.

    Attributes
    ----------
    module : tuple of str
        Parts of the module's name; a package's file has the name of its folder.
    tree : ast.Module
        The syntax tree.
    code_lines : set of int
        Numbers of the lines with code.
    comments : list of str
        Consecutive lines that hold a comment alone are one.
    trailing : list of str
        Comments behind code, without directives such as `noqa`.
    """

    module: tuple
    is_package: bool
    tree: ast.Module
    code_lines: set
    comments: list
    trailing: list

    @property
    def name(self):
        """Dotted name of the module."""
        return ".".join(self.module)

    @property
    def entry(self):
        """Name of the module or folder at the top of the package."""
        return self.module[1] if len(self.module) > 1 else "__init__"


def read_package(folder):
    """Return the files of a package by the dotted names of their modules."""
    found = [read_file(path, folder) for path in sorted(folder.rglob("*.py"))]
    return {file.name: file for file in found}


def read_file(path, folder):
    """Parse one file."""
    text = path.read_text(encoding="utf-8")
    parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    tree = ast.parse(text)
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    return SourceFile(
        parts[:-1] if is_package else parts,
        is_package,
        tree,
        find_code_lines(text, tree, tokens),
        *find_comments(tokens),
    )


def find_code_lines(text, tree, tokens):
    """Return the numbers of lines with code: no blanks, comments or docstrings."""
    found, lines = set(), text.splitlines()
    for token in tokens:
        if token.type not in BLANK_TOKENS:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in find_docstrings(tree):
        found.difference_update(range(node.lineno, node.end_lineno + 1))
    return {number for number in found if lines[number - 1].strip()}


def find_docstrings(tree):
    """Return the nodes of the docstrings of a module, its classes and functions."""
    documented = (node for node in ast.walk(tree) if isinstance(node, DOCUMENTED))
    return [node.body[0] for node in documented if ast.get_docstring(node) is not None]


def find_comments(tokens):
    """Return the comments on lines of their own, and those behind code."""
    alone, trailing, last = [], [], None
    for token in tokens:
        if token.type != tokenize.COMMENT or DIRECTIVE.match(token.string):
            continue
        text, number = token.string.lstrip("#").strip(), token.start[0]
        if token.line[: token.start[1]].strip():
            trailing.append(text)
        elif last == number - 1:
            alone[-1] += "\n" + text
            last = number
        else:
            alone.append(text)
            last = number
    return alone, trailing


def find_imports(file, files):
    """Return the names of the package's modules that a file imports."""
    found = set()
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve(node, file)
            names = [f"{base}.{alias.name}" for alias in node.names]
            found |= {name if name in files else base for name in names}
    return {name for name in found if name in files} - {file.name}


def resolve(node, file):
    """Return the absolute name of the module that names are imported from."""
    if not node.level:
        return node.module
    inside = file.module if file.is_package else file.module[:-1]
    parts = inside[: len(inside) - node.level + 1]
    return ".".join([*parts, *filter(None, [node.module])])


def find_arrows(files):
    """Return the distinct pairs of files of which the first imports the second."""
    return {
        (name, other)
        for name, file in files.items()
        for other in find_imports(file, files)
    }


def find_entry_arrows(arrows, files):
    """Return the distinct pairs of entries of which the first imports the second."""
    pairs = {(files[name].entry, files[other].entry) for name, other in arrows}
    return {pair for pair in pairs if pair[0] != pair[1] and "__init__" not in pair}


def is_inner_import(name, other, files):
    """Check if a file imports an inner file of a folder that it lies outside of."""
    module = files[other].module
    if files[name].entry == files[other].entry or len(module) < 3:
        return False
    return module[1].startswith("_") or any(part[0] == "_" for part in module[2:])


def find_circles(arrows):
    """Return the groups of entries that import each other, if by a detour."""
    names = sorted({name for pair in arrows for name in pair})
    reached = {name: find_reached(name, arrows) for name in names}
    circles = {
        tuple(b for b in names if b in reached[a] and a in reached[b]) for a in names
    }
    return sorted(filter(None, circles))


def find_reached(start, arrows):
    """Return all that an entry imports, directly or not."""
    found, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        new = {other for one, other in arrows if one == name} - found
        found |= new
        waiting += new
    return found


def measure_functions(files):
    """Return the code lines of each function: its body, and all of it."""
    bodies, wholes = {}, {}
    for file in files.values():
        for node in ast.walk(file.tree):
            if not isinstance(node, FUNCTIONS):
                continue
            first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
            key = f"{file.name}:{node.lineno} {node.name}"
            for found, start in (bodies, node.body[0].lineno), (wholes, first):
                lines = range(start, node.end_lineno + 1)
                found[key] = len(file.code_lines.intersection(lines))
    return bodies, wholes


def read_exports(folder, files):
    """Return the names in `__all__` of the package, and those that are classes."""
    names = []
    for node in files[folder.name].tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
    nodes = (node for file in files.values() for node in file.tree.body)
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    return names, sorted(classes.intersection(names))


def count_bunches(files):
    """Count the calls of `Bunch`."""
    nodes = (node for file in files.values() for node in ast.walk(file.tree))
    called = (node.func for node in nodes if isinstance(node, ast.Call))
    names = (getattr(func, "id", getattr(func, "attr", None)) for func in called)
    return sum(name == "Bunch" for name in names)


def read_docstrings(files):
    """Return the text of each docstring by its place."""
    return {
        f"{file.name}:{node.lineno}": ast.literal_eval(node.value)
        for file in files.values()
        for node in find_docstrings(file.tree)
    }


def find_summary(docstring):
    """Return the first paragraph of a docstring on one line."""
    return " ".join(docstring.strip().split("\n\n")[0].split())


def show(name, value, members=()):
    """Print a figure, and the members of a list below it."""
    print(f"{name}: {value}")
    for member in members:
        print(f"    {member}")


def show_imports(files):
    """Print the figures on imports."""
    arrows = find_arrows(files)
    between = find_entry_arrows(arrows, files)
    inner = sorted(pair for pair in arrows if is_inner_import(*pair, files))
    circles = find_circles(between)
    entries = {file.entry for file in files.values()} - {"__init__"}
    show("entries at the top of the package", len(entries))
    show("import arrows between entries", len(between))
    show("import arrows between files", len(arrows))
    listed = [f"{name} imports {other}" for name, other in inner]
    show("imports of another folder's inner file", len(inner), listed)
    show("circles between entries", len(circles), map(" ".join, circles))


def show_code(folder, files):
    """Print the figures on code lines, functions and exports."""
    counts = count_by_entry(files, lambda file: len(file.code_lines))
    listed = [f"{entry} {count:,}" for entry, count in sorted(counts.items())]
    show("files", len(files))
    show("code lines", f"{counts.total():,}", listed)
    bodies, wholes = measure_functions(files)
    show("functions and methods", len(bodies))
    for name, sizes in ("bodies", bodies), ("with signature and decorators", wholes):
        show(f"median code lines, {name}", statistics.median(sizes.values()))
        long = [f"{key} {n}" for key, n in sizes.items() if n > LONG]
        show(f"functions over {LONG} code lines, {name}", len(long), long)
    names, classes = read_exports(folder, files)
    show("entries of __all__", len(names))
    show("public classes in __all__", len(classes))
    show("calls of Bunch", count_bunches(files))


def count_by_entry(files, count):
    """Return the sum of a count of each file by the entries of the package."""
    counts = Counter()
    for file in files.values():
        counts[file.entry] += count(file)
    return counts


def show_words(files, *, is_listed):
    """Print the figures on docstrings and comments."""
    docstrings = read_docstrings(files)
    n_words = sum(len(text.split()) for text in docstrings.values())
    n_whats = sum(len(WHAT.findall(text)) for text in docstrings.values())
    summaries = {key: find_summary(text) for key, text in docstrings.items()}
    found = [f"{key} {text}" for key, text in summaries.items() if WHAT.search(text)]
    show("docstring words", f"{n_words:,}")
    show("'what' in 1,000 docstring words", f"{1000 * n_whats / n_words:.2f}")
    show("summaries with 'what'", len(found), found if is_listed else ())
    texts = list(docstrings.values())
    for file in files.values():
        texts += file.comments + file.trailing
    opened = sum(len(OPENING.findall(text)) for text in texts)
    show("sentences that open with 'Of' or 'What'", opened)


def show_comments(files):
    """Print the figures on comments."""
    codes = count_by_entry(files, lambda file: len(file.code_lines))
    counts = count_by_entry(files, lambda file: len(file.comments))
    listed = [
        f"{entry} 1 in {code / counts[entry]:.0f}" if counts[entry] else f"{entry} none"
        for entry, code in sorted(codes.items())
    ]
    share = f"{counts.total()}, 1 in {codes.total() / max(1, counts.total()):.1f} lines"
    show("comments on lines of their own, for code lines", share, listed)
    show("trailing comments", sum(len(file.trailing) for file in files.values()))


class Tracer:
    """Collect the functions of a package that are entered inside a `with` block."""

    def __init__(self, folder):
        self.folder = f"{folder}{os.sep}"
        self.entered = set()

    def __enter__(self):
        threading.setprofile(self._look)
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        threading.setprofile(None)

    def _look(self, frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(self.folder):
            if not code.co_name.startswith("<"):  # comprehensions, lambdas, modules
                self.entered.add((code.co_filename, code.co_qualname))

    def __str__(self):
        files = {file for file, _ in self.entered}
        return f"{len(files)} files, {len(self.entered)} functions"


def show_trace(folder):
    """Fit and use a pipeline; print how much of the package was entered."""
    sys.path.insert(0, str(folder.parent))
    package = importlib.import_module(folder.name)
    if Path(package.__file__).parent != folder:
        raise ImportError(f"{folder.name} was imported from {package.__file__}.")
    datasets, perturbation = (
        importlib.import_module(f"{folder.name}.{name}")
        for name in ("datasets", "perturbation")
    )
    data = datasets.load_generators()
    images, y, groups = (part[::8] for part in (data.images, data.target, data.groups))
    changes = [
        perturbation.JPEGCompression(quality=90),
        perturbation.GaussianBlur(std=1.0),
    ]
    pipeline = package.make_attribution_pipeline(
        perturbations=changes, false_alarm_rate=0.01, n_jobs=None
    )
    with warnings.catch_warnings(action="ignore"):
        with Tracer(folder) as fit:
            pipeline.fit(images, y, groups=groups)
        with Tracer(folder) as predict:
            pipeline.predict(images)
    show("entered by fit", fit)
    show("entered by predict", predict)


def show_imports_time(folder):
    """Print the processor time of the import, without that of the packages below it."""
    needed, whole = "sklearn, scipy, pywt", folder.name
    times = {needed: [], whole: []}
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(1 + N_REPEATS):  # the first ones compile
            for name, found in times.items():
                found.append(measure_import(name, folder, cache))
    below, above = (1000 * statistics.median(times[n][1:]) for n in (needed, whole))
    show(f"processor time of import {needed}", f"{below:.0f} ms")
    show(f"processor time of import {whole}, beyond it", f"{above - below:.0f} ms")


def measure_import(names, folder, cache):
    """Return the processor time of a new process that imports these names."""
    command = f"import {names}, time; print(time.process_time())"
    paths = {"PYTHONPATH": str(folder.parent), "PYTHONPYCACHEPREFIX": cache}
    environment = os.environ | paths
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    run = [sys.executable, "-c", command]
    return float(subprocess.check_output(run, env=environment, text=True))


def main():
    """Print the figures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, default=PACKAGE, metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="list summaries with what")
    parser.add_argument("--trace", action="store_true", help="trace a fit")
    parser.add_argument("--imports-time", action="store_true", help="time the import")
    given = parser.parse_args()
    folder = given.package.resolve()
    files = read_package(folder)
    show_imports(files)
    show_code(folder, files)
    show_words(files, is_listed=given.list)
    show_comments(files)
    if given.trace:
        show_trace(folder)
    if given.imports_time:
        show_imports_time(folder)


if __name__ == "__main__":
    main()

"""Print the lowest versions that pyproject.toml allows, as constraints for pip.

All that the tests need: the package's dependencies, and those of the extra ``test``
with the extras that it names.
"""

import re
import tomllib
from pathlib import Path


def lowest_versions(project, extra):
    """Return requirements ``name==version`` of a project with one of its extras."""
    extras = project["optional-dependencies"]
    pins, left = [], project["dependencies"] + extras[extra]
    while left:
        requirement = left.pop(0)
        if own := re.fullmatch(rf"{project['name']}\[([\w,-]+)\]", requirement):
            for name in own[1].split(","):
                left += extras[name]
        elif match := re.fullmatch(r"([\w-]+)(\[[\w,-]+\])?>=([\w.]+)", requirement):
            pins.append(f"{match[1]}=={match[3]}")
        else:
            raise ValueError(f"{requirement!r} should be a name, >= and a version")
    return pins


if __name__ == "__main__":
    path = Path(__file__).parents[1] / "pyproject.toml"
    project = tomllib.loads(path.read_text())["project"]
    print(*lowest_versions(project, "test"), sep="\n")

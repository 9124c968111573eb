"""Which files of a folder are images, and of which class."""

from collections import Counter

import numpy as np

from skfingerprint._images import naming, suffix_problem


def list_files(path):
    """Return the classes' names, the files, each file's class, and what was left.

    Raises
    ------
    ValueError
        If there is no class folder, it may not be read, or a class has no image file.
    """
    with naming(path):
        if not path.is_dir():
            raise ValueError("it is not a folder.")
        folders = sorted(p for p in path.iterdir() if p.is_dir() and p.name[0] != ".")
    if not folders:
        raise ValueError(
            f"{path} holds no folder: put the images of each source into a folder of "
            "its own, path/<class>/*.png."
        )
    names = np.array([folder.name for folder in folders])
    passed_over = Counter()
    parts = [_list_class(folder, passed_over) for folder in folders]
    files = [file for part in parts for file in part]
    target = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    counts = ", ".join(f"{n} {what}" for what, n in sorted(passed_over.items()))
    if empty := [n for n, part in zip(names.tolist(), parts, strict=True) if not part]:
        end = f"; passed over: {counts}." if counts else "."
        raise ValueError(f"classes {empty} have no readable image{end}")
    return names, files, target, counts


def _list_class(folder, passed_over):
    """Return the image files of a class, sorted, and count what else is there."""
    files = []
    with naming(folder):
        for path in sorted(folder.iterdir()):
            if path.name[0] == ".":
                continue
            if problem := _find_problem(path):
                passed_over[problem] += 1
            else:
                files.append(path)
    return files


def _find_problem(path):
    """Return why a path is no image file, or None."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return "folder (nested: not searched)"
    if problem := suffix_problem(suffix):
        return f"{suffix or 'without suffix'} ({problem})"
    if not path.exists():
        return f"{suffix} (broken link)"
    if not path.is_file():
        return f"{suffix} (a fifo, socket or device)"
    return None

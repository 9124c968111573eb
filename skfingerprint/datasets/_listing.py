"""Lists of the image files in a folder with one folder for each class."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skfingerprint._images import name_in_errors, suffix_problem


@dataclass(frozen=True)
class FolderListing:
    """Image files of the class folders in a folder.

    Attributes
    ----------
    names : ndarray of shape (n_classes,)
        Names of the class folders, sorted.
    files : list of Path of length n_files
        Image files, sorted within their class.
    target : ndarray of shape (n_files,), int
        Index in `names` of the class of each file.
    passed_over : str
        Numbers of skipped files and folders by reason, or empty.
    """

    names: np.ndarray
    files: list[Path]
    target: np.ndarray
    passed_over: str


def list_files(path):
    """List the image files of the class folders in a folder.

    Parameters
    ----------
    path : Path
        Folder with one folder for each class.

    Returns
    -------
    listing : FolderListing

    Raises
    ------
    ValueError
        If there is no class folder, if a folder may not be read, or if a class has no
        image file.
    """
    with name_in_errors(path):
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
    counts = ", ".join(f"{n} {reason}" for reason, n in sorted(passed_over.items()))
    if empty := [n for n, part in zip(names.tolist(), parts, strict=True) if not part]:
        end = f"; passed over: {counts}." if counts else "."
        raise ValueError(f"classes {empty} have no readable image{end}")
    return FolderListing(names, files, target, counts)


def _list_class(folder, passed_over):
    """Return the sorted image files of a class, and count skipped paths by reason."""
    files = []
    with name_in_errors(folder):
        for path in sorted(folder.iterdir()):
            if path.name[0] == ".":
                continue
            if problem := _find_problem(path):
                passed_over[problem] += 1
            else:
                files.append(path)
    return files


def _find_problem(path):
    """Return the reason why a path is not a readable image file, or None."""
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

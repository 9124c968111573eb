"""The history of images, from the headers of their files."""

import hashlib
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
from scipy.stats import chi2_contingency
from sklearn.utils import Bunch

from skfingerprint._core import needs_extra
from skfingerprint._images import (
    NO_HEADER,
    describe,
    naming,
    open_image,
    without_bomb_warnings,
)
from skfingerprint.datasets._listing import list_files

SOFTWARE = 305  # the tag of EXIF and TIFF
SHOWN = 5


class Description(Bunch):
    """A Bunch that prints its findings."""

    def __str__(self):
        return "\n".join(self.findings)


def describe_image_folder(path):
    """Tell how the image files of classes differ, before a classifier learns it.

    Reads headers and JPEG's quantization tables, and no pixels. Where classes differ
    in format, JPEG quality, size or mode, a classifier may tell these apart and not
    the sources. Needs Pillow (`pip install "skfingerprint[images]"`).

    Parameters
    ----------
    path : str or path-like
        Folder with one folder for each class, as for :func:`load_image_folder`.

    Returns
    -------
    description : :class:`~sklearn.utils.Bunch`
        Prints its findings.

        files : pandas.DataFrame, or Bunch of ndarrays without pandas
            A row for each file: `class`, `filename`, `width`, `height`, `mode`,
            `format`, `quality` (that of libjpeg with the same quantization tables, NaN
            for other tables and formats), `subsampling` and `tables` (a checksum) of
            JPEG, `software` (from EXIF or the header), and `error`: why the file can't
            be read, or "".
        findings : list of str
            Files that are passed over or can't be read; differences between classes;
            identical files in several classes; and which `image_shape` to take.

    Raises
    ------
    ImportError
        If Pillow is missing.
    ValueError
        If there is no class folder, or a class has no image file.

    Notes
    -----
    Classes differ in something if its distribution does (chi-squared test, p < 0.001,
    and p < 0.01 where the files of each class are all alike) by more than a trace
    (Cramér's V of 0.1). Of two classes that takes six files of each.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> from skfingerprint.datasets import (
    ...     describe_image_folder, make_fingerprint_images)
    >>> images, y = make_fingerprint_images(40, 2, random_state=0)
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for i, (image, label) in enumerate(zip(images, y)):
    ...     file = folder / f"source-{label}" / f"{i}.jpg"
    ...     file.parent.mkdir(exist_ok=True)
    ...     Image.fromarray(image).save(file, quality=[75, 90][label])
    >>> description = describe_image_folder(folder)
    >>> print(description)
    Classes differ in JPEG quality:
      source-0: 75 4:2:0 (20)
      source-1: 90 4:2:0 (20)
    All images have 64x64 pixels: no image_shape is needed.
    >>> description.files["quality"][0]
    np.float64(75.0)
    """
    with needs_extra("images", "reading images needs Pillow"):
        import PIL  # noqa: F401
    names, files, target, passed_over = list_files(Path(path).expanduser())
    with without_bomb_warnings():
        rows = [_describe_file(file) for file in files]
    good = [index for index, row in enumerate(rows) if not row["error"]]
    headers = [rows[index] for index in good]
    findings = [
        *_find_unread(passed_over, rows),
        *find_differences(headers, names[target[good]]).values(),
        *_find_duplicates([files[index] for index in good], names[target[good]]),
        *_suggest_shape(headers),
    ]
    columns = {"class": names[target], "filename": [str(file) for file in files]}
    columns |= {key: [row[key] for row in rows] for key in rows[0]}
    return Description(files=_make_table(columns), findings=findings)


def find_differences(headers, classes):
    """Return {what the classes differ in: a sentence}."""
    found = {}
    for name, values in _list_features(headers).items():
        told = np.array([value is not None for value in values], dtype=bool)
        values = np.array([str(value) for value in values])[told]
        if _depends(values, classes[told]):
            lines = [
                f"{label}: {_count(values[classes[told] == label])}"
                for label in np.unique(classes[told])
            ]
            found[name] = _list(f"Classes differ in {name}", lines)
    return found


def _list_features(headers):
    """Return what is compared, each with a value for each file."""
    return {
        "format": [row["format"] for row in headers],
        "JPEG quality": [_name_quality(row) for row in headers],
        "size": ["{height}x{width}".format(**row) for row in headers],
        "mode": [row["mode"] for row in headers],
    }


def _name_quality(row):
    """Return quality and subsampling, or None of what is no JPEG image."""
    if not row["tables"]:
        return None
    known = not np.isnan(row["quality"])
    quality = f"{row['quality']:.0f}" if known else f"tables {row['tables']}"
    return f"{quality} {row['subsampling']}".strip()


def _depends(values, classes):
    """Whether the classes' distributions of values differ, by more than a trace."""
    levels, columns = np.unique(values, return_inverse=True)
    names, rows = np.unique(classes, return_inverse=True)
    if min(len(levels), len(names)) < 2:
        return False
    table = np.zeros((len(names), len(levels)))
    np.add.at(table, (rows, columns), 1)
    test = chi2_contingency(table)
    strength = np.sqrt(test.statistic / len(values) / (min(table.shape) - 1))
    pure = (np.count_nonzero(table, axis=1) == 1).all()
    return bool(test.pvalue < (0.01 if pure else 0.001) and strength >= 0.1)


def _count(values):
    """Name the most frequent values, with their numbers."""
    counts = Counter(values.tolist()).most_common()
    more = [f"{len(counts) - SHOWN} others"] if len(counts) > SHOWN else []
    return ", ".join([f"{v} ({n})" for v, n in counts[:SHOWN]] + more)


def _list(head, lines):
    return "\n  ".join([f"{head}:", *lines])


def _describe_file(file):
    """Return a file's header, software and what is wrong with it."""
    try:
        with naming(file), open_image(file) as image:
            return {**describe(image), "software": _find_software(image), "error": ""}
    except ValueError as error:
        return {**NO_HEADER, "software": "", "error": str(error)}


def _find_software(image):
    """Return the program that wrote a file, if it says so."""
    from PIL import Image

    texts = []
    with suppress(Exception):  # damaged EXIF does not make the pixels unreadable
        texts.append(image.info.get("Software"))
        texts.append(getattr(image, "tag_v2", {}).get(SOFTWARE))
        exif = Image.Exif()  # not image.getexif(), which decodes a PNG image
        exif.load(image.info.get("exif"))
        texts.append(exif.get(SOFTWARE))
    return next((str(text).strip("\0 ") for text in texts if text), "")


def _find_unread(passed_over, rows):
    bad = [row["error"] for row in rows if row["error"]]
    if passed_over:
        yield f"Passed over: {passed_over}."
    if bad:
        yield _list(f"{len(bad)} of {len(rows)} files can't be read", bad)


def _find_duplicates(files, classes):
    """Name files of several classes that are the same, byte by byte."""
    same = []
    for group in _group(range(len(files)), lambda i: files[i].stat().st_size):
        same += _group(group, lambda i: _hash(files[i]))
    same = [group for group in same if len(set(classes[group])) > 1]
    if same:
        lines = [" = ".join(str(files[i]) for i in group) for group in same[:SHOWN]]
        lines += [f"and {len(same) - SHOWN} others"] if len(same) > SHOWN else []
        yield _list(f"Identical files in several classes ({len(same)})", lines)


def _group(indices, key):
    """Return lists of two or more indices that have the same key."""
    groups = defaultdict(list)
    for index in indices:
        with suppress(OSError):  # it is among the files that can't be read
            groups[key(index)].append(index)
    return [group for group in groups.values() if len(group) > 1]


def _hash(file):
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _suggest_shape(headers):
    """Say what the largest common part is, and one that most images have."""
    if not headers:
        return
    sizes = np.array([(row["height"], row["width"]) for row in headers])
    common, most = sizes.min(axis=0), np.percentile(sizes, 5, axis=0, method="lower")
    if (sizes == common).all():
        yield "All images have {}x{} pixels: no image_shape is needed.".format(*common)
        return
    text = "Sizes differ: image_shape=({}, {}) is the largest common part".format(
        *common
    )
    share = (sizes >= most).all(axis=1).mean()
    if (most > common).any():
        text += ", ({}, {}) that of {:.0%} of the images".format(*most, share)
    yield text + "."


def _make_table(columns):
    """Return a data frame if pandas is installed, else arrays."""
    try:
        import pandas as pd
    except ImportError:
        return Bunch(**{key: np.array(values) for key, values in columns.items()})
    return pd.DataFrame(columns)

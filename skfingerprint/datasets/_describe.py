"""Reports on image files: how classes differ in the headers of their files."""

import hashlib
from collections import defaultdict
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._core import needs_extra
from skfingerprint._images import (
    SHOWN,
    Header,
    find_differences,
    list_lines,
    read_header,
    without_bomb_warnings,
)
from skfingerprint.datasets._listing import list_files


class Description(Bunch):
    """Bunch that prints its findings."""

    def __str__(self):
        return "\n".join(self.findings)


def describe_image_folder(path):
    """Report how the image files of classes differ, before a classifier learns it.

    The function reads headers and metadata, but not pixels. If classes differ in
    format, compression, size, mode or metadata, a classifier may distinguish these
    instead of the sources. Of a file that was compressed before it was saved without
    loss, the header tells nothing: its pixels do. Reading needs Pillow
    (`pip install "skfingerprint[images]"`).

    Parameters
    ----------
    path : str or path-like
        Folder with one folder for each class, as for :func:`load_image_folder`.

    Returns
    -------
    description : :class:`~sklearn.utils.Bunch`
        Report that prints its findings.

        files : pandas.DataFrame, or Bunch of ndarrays without pandas
            Table with a row for each file and these columns:

            * `class`, `filename`; `width`, `height` of the pixels as they are stored;
              `mode`, `format`, and `bits` of a value, 8 or 16.
            * `compression` ("lossy", "lossless", or "" if the header does not tell)
              and `codec`, such as "VP8L" of a lossless WebP file.
            * `quality` of JPEG, also inside of TIFF (the quality at which libjpeg has
              the same quantization tables, NaN for other tables and formats),
              `subsampling` and `tables` (a checksum).
            * `quantizer` of WebP (0..127) and AVIF (0..255), coarse if large, and
              `bytes_per_pixel` of the file.
            * `orientation`, the tag, which reading does not apply.
            * `icc`, the name of the ICC profile, `software`, `texts` (names of the
              texts in the header, in which generators write their prompts) and `c2pa`
              (whether the file holds a C2PA manifest).
            * `error`, the reason why the file can't be read, or "".
        findings : list of str
            Sentences on files that are skipped or can't be read, differences between
            classes, identical files in several classes, and a suitable `image_shape`.

    Raises
    ------
    ImportError
        If Pillow is missing.
    ValueError
        If there is no class folder, or if a class has no image file.

    Notes
    -----
    The properties are the format (of WebP, TIFF and JPEG 2000 with the compression,
    lossy or lossless), the quality of JPEG, size, mode, ICC profile, and the presence
    of software, texts and a C2PA manifest. Of lossy files of other formats the
    quantizer is compared, or the bytes per pixel if it can't be read: classes differ if
    the ranges from the 5th to the 95th percentile of two classes, of six files or more
    each, don't overlap.

    Classes differ in another property if its distributions differ significantly and by
    more than a trace. The chi-squared test must give p < 0.001, or p < 0.01 if the
    files of each class are all alike, and Cramér's V must be at least 0.1. Two classes
    therefore need at least six files each.

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
    listing = list_files(Path(path).expanduser())
    files, classes = listing.files, listing.names[listing.target]
    with without_bomb_warnings():
        rows = [_describe_file(file) for file in files]
    good = [index for index, row in enumerate(rows) if not row.error]
    headers = [rows[index] for index in good]
    findings = [
        *_find_unread(listing.passed_over, rows),
        *find_differences(headers, classes[good]).values(),
        *_find_duplicates([files[index] for index in good], classes[good]),
        *_suggest_shape(headers),
    ]
    columns = {"class": classes, "filename": [str(file) for file in files]}
    columns |= {f.name: [getattr(row, f.name) for row in rows] for f in fields(Header)}
    return Description(files=_make_table(columns), findings=findings)


def _describe_file(file):
    """Read the header of a file, or the error."""
    try:
        return read_header(file)
    except ValueError as error:
        return Header(error=str(error))


def _find_unread(passed_over, headers):
    """Yield findings on skipped files and on files that can't be read."""
    bad = [header.error for header in headers if header.error]
    if passed_over:
        yield f"Passed over: {passed_over}."
    if bad:
        yield list_lines(f"{len(bad)} of {len(headers)} files can't be read", bad)


def _find_duplicates(files, classes):
    """Yield a finding on files of several classes that are equal in all bytes."""
    same = []
    # Only files of equal size are hashed.
    for group in _group(range(len(files)), lambda i: files[i].stat().st_size):
        same += _group(group, lambda i: _hash(files[i]))
    same = [group for group in same if len(set(classes[group])) > 1]
    if same:
        lines = [" = ".join(str(files[i]) for i in group) for group in same[:SHOWN]]
        lines += [f"and {len(same) - SHOWN} others"] if len(same) > SHOWN else []
        yield list_lines(f"Identical files in several classes ({len(same)})", lines)


def _group(indices, key):
    """Return lists of two or more indices with the same key."""
    groups = defaultdict(list)
    for index in indices:
        with suppress(OSError):  # the file may have vanished since its header was read
            groups[key(index)].append(index)
    return [group for group in groups.values() if len(group) > 1]


def _hash(file):
    """Compute the SHA-256 checksum of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _suggest_shape(headers):
    """Yield a finding on the largest part of all images, and of most images."""
    if not headers:
        return
    sizes = np.array([(header.height, header.width) for header in headers])
    # In each side, at least 95 % of the images are as large as the second shape.
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
    """Return a data frame if pandas is installed, otherwise a Bunch of arrays."""
    try:
        import pandas as pd
    except ImportError:
        return Bunch(**{key: np.array(values) for key, values in columns.items()})
    return pd.DataFrame(columns)

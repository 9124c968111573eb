"""Rows of images that are kept in files between fits, and the names of rows.

The name of a row describes how it was computed: by which steps and perturbation, with
which parameters, and by which versions. Files hold numbers and never code.
"""

import hashlib
import json
import os
import platform
import secrets
import struct
import sys
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pywt

from skfingerprint._core.checks import find_wavelet, shorten
from skfingerprint._core.compilation import describe_kernels
from skfingerprint._core.versions import find_version

# A file is this head, the index of its rows as JSON, and the values of the rows. The
# head has the format, the checksum of the index, and the length of the index.
HEAD = struct.Struct("<8sII")
FORMAT = b"skfrows1"
# Kinds of values in rows. Bytes must never be read as objects, which are addresses.
KINDS = "biufc"
# joblib.Memory keeps its own files in the first of these folders, and empties it.
FOLDERS = "joblib", "skfingerprint"
# Packages whose classes have versions that tell a change of their code.
VERSIONED = "skfingerprint", "sklearn"
PACKAGES = "numpy", "scipy", "scikit-learn", "PyWavelets", "Pillow", "scikit-image"
# Libraries that Pillow compresses with.
CODECS = "jpg", "libjpeg_turbo", "webp"
# Parameters that change no row.
IGNORED = "memory", "n_jobs", "verbose"
PLAIN = type(None), bool, int, float, complex, str, bytes, range


class RowStore:
    """Rows of images in files, one file for each image.

    Several processes may share a folder. A file is replaced as a whole, so that of two
    writers at the same time the last one wins, and rows of the other may be lost. A
    damaged file counts as absent, and so do the temporary files of killed writers.

    Parameters
    ----------
    folder : path-like
        Folder of the files, created for the first row.
    """

    def __init__(self, folder: Any):
        self.folder = Path(folder)

    def get(self, image: str, names: Any) -> dict:
        """Return the known rows of an image among some names.

        Parameters
        ----------
        image : str
            Digest of the image, see :func:`hash_image`.
        names : iterable of str
            Names of the rows.

        Returns
        -------
        rows : dict of str to ndarray
        """
        kept = self._read(image)
        found = {name: kept[name] for name in names if name in kept}
        return {n: r.values for n, r in found.items() if _sum(r.values) == r.checksum}

    def put(self, image: str, rows: dict) -> None:
        """Add rows to those that are known for an image; raise OSError on failure.

        Parameters
        ----------
        image : str
            Digest of the image.
        rows : dict of str to ndarray
            Rows by name. Rows that do not hold numbers are left out.
        """
        kept = self._read(image)
        for name, values in rows.items():
            if values.dtype.kind in KINDS:
                kept[name] = _Row(values, _sum(values))
        path = self._find_path(image)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another name until the file is complete: a killed writer leaves no half file
        # where a reader looks. Without a flush to the disk, checksums reject the file
        # that a loss of power leaves.
        partial = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with open(partial, "xb") as file:
                file.writelines(_pack(image, kept))
            os.replace(partial, path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def size(self) -> int:
        """Return the number of bytes in all files."""
        total = 0
        for path in self.folder.rglob("*"):
            with suppress(OSError):  # another process has just replaced the file
                total += path.stat().st_size if path.is_file() else 0
        return total

    def _find_path(self, image: str) -> Path:
        return self.folder / image[:2] / image[2:]

    def _read(self, image: str) -> dict:
        """Return all rows in the file of an image; none if it is absent or damaged."""
        try:
            return _unpack(image, self._find_path(image).read_bytes())
        except (OSError, struct.error, TypeError, ValueError):
            return {}


@dataclass(frozen=True)
class _Row:
    """Row in a file.

    Attributes
    ----------
    values : ndarray
        Values of the row.
    checksum : int
        CRC-32 of the values, as it stands in the file.
    """

    values: np.ndarray
    checksum: int


def _view_bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _sum(values: np.ndarray) -> int:
    return zlib.crc32(_view_bytes(values))


def _pack(image: str, rows: dict) -> list:
    """Return the parts of the file that holds these rows of an image."""
    described = [
        [name, row.values.dtype.str, row.values.shape, row.checksum]
        for name, row in rows.items()
    ]
    index = json.dumps(described).encode()
    # The image is part of the checksum: a file under another name is not read.
    head = HEAD.pack(FORMAT, zlib.crc32(image.encode() + index), len(index))
    return [head, index, *(_view_bytes(row.values) for row in rows.values())]


def _unpack(image: str, content: bytes) -> dict:
    """Return the rows in a file as views of its content.

    Raise ValueError, TypeError or struct.error for a file of another format, of another
    image, or with a damaged index. Rows behind the end of a file are left out.
    """
    form, checksum, length = HEAD.unpack_from(content)
    index = content[HEAD.size : HEAD.size + length]
    if form != FORMAT or checksum != zlib.crc32(image.encode() + index):
        raise ValueError(f"no rows of image {image}")
    rows, start = {}, HEAD.size + length
    for name, dtype, shape, own in json.loads(index):
        dtype = np.dtype(dtype)
        if dtype.kind not in KINDS:
            raise ValueError(f"rows of {dtype}")
        end = start + dtype.itemsize * int(np.prod(shape, dtype=int))
        if end <= len(content):
            values = np.ndarray(shape, dtype, buffer=content, offset=start)
            rows[name] = _Row(values, own)
        start = end
    return rows


def find_store(memory: Any) -> RowStore | None:
    """Return the store of rows in a folder.

    Parameters
    ----------
    memory : str, path-like, joblib.Memory or None
        The folder, or a memory in this folder.

    Returns
    -------
    store : RowStore or None
        None if there is no folder.
    """
    if isinstance(memory, (str, os.PathLike)):
        return RowStore(Path(memory).expanduser().joinpath(*FOLDERS))
    location = getattr(memory, "location", None)
    if memory is not None and getattr(memory, "backend", None) != "local":
        raise ValueError(
            "memory must be None, a folder, or a joblib.Memory of the backend 'local', "
            f"got {shorten(memory)}."
        )
    return None if location is None else RowStore(Path(location).joinpath(*FOLDERS))


def hash_image(image: np.ndarray) -> str:
    """Return the SHA-256 digest of the pixels, shape and dtype of an image."""
    if image.dtype.kind == "O":  # the bytes of its pixels are addresses
        image = image.astype(np.float64)
    digest = hashlib.sha256(f"{image.dtype.str} {image.shape}".encode())
    digest.update(_view_bytes(image))
    return digest.hexdigest()


def name_rows(*parts: Any) -> str:
    """Return the name of the rows that are computed from some descriptions.

    Parameters
    ----------
    *parts
        Results of :func:`describe` and :func:`list_versions`.

    Returns
    -------
    name : str
        First half of the SHA-256 digest.
    """
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def describe(value: Any) -> list:
    """Describe a value such that equal descriptions mean equal results.

    Estimators are described by class, parameters and fitted attributes.

    Parameters
    ----------
    value : object
        An estimator, or a value of a parameter.

    Returns
    -------
    description : list
        Nested lists of text and numbers.

    Raises
    ------
    ValueError
        For functions, objects without a stable description, and estimators of other
        packages, whose code may change unnoticed. The message names the value.
    """
    kind = type(value)
    if kind in PLAIN:
        return [kind.__name__, repr(value)]
    if kind in (list, tuple):
        return [kind.__name__, *map(describe, value)]
    if kind is dict:  # the order of distributions is the order of the draws
        return ["dict", *([describe(k), describe(v)] for k, v in value.items())]
    if isinstance(value, (np.ndarray, np.generic)):
        return _describe_array(np.asarray(value))
    if isinstance(value, pywt.Wavelet):
        return ["wavelet", find_wavelet(value)]
    name = getattr(value, "__name__", None)
    if isinstance(name, str) and vars(np).get(name) is value:
        return ["function of NumPy", name]
    if hasattr(kind, "get_params") and kind.__module__.split(".")[0] in VERSIONED:
        return _describe_estimator(value)
    raise ValueError(name or kind.__name__)


def _describe_array(array: np.ndarray) -> list:
    if array.dtype.kind == "O":
        return ["array", array.shape, describe(array.tolist())]
    if array.dtype.kind == "V":
        raise ValueError(f"array of {array.dtype}")
    return [array.dtype.str, array.shape, hash_image(array)]


def _describe_estimator(estimator: Any) -> list:
    """Describe an estimator; an error names the parameter that prevents it."""
    kind = type(estimator)
    values = estimator.get_params(deep=False)
    fitted = [n for n in vars(estimator) if n.endswith("_") and not n.startswith("_")]
    values |= {name: getattr(estimator, name) for name in fitted}
    described = [f"{kind.__module__}.{kind.__qualname__}"]
    for name in sorted(set(values) - set(IGNORED)):
        try:
            described.append([name, describe(values[name])])
        except ValueError as error:
            raise ValueError(f"{kind.__name__}({name}={error})") from None
    return described


def list_versions() -> list:
    """List the versions of all software that rows depend on, and the processor's type.

    Rows of numba and of NumPy differ by rounding, and so may those of two types of
    processors.
    """
    found = [[name, find_version(name)] for name in PACKAGES]
    found += [["skfingerprint", sys.modules["skfingerprint"].__version__]]
    found += [["kernels", describe_kernels()], ["processor", platform.machine()]]
    with suppress(ImportError):
        from PIL import features

        found += [[name, str(features.version(name))] for name in CODECS]
    return found

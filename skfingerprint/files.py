"""Fingerprints in files: what a laboratory keeps, and another merges."""

import hashlib
import io
import json
import math
import os
import secrets
import stat
import zipfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.pipeline import make_pipeline

from skfingerprint._attribution import (
    FingerprintClassifier,
    describe_differences,
    restore_classifier,
)
from skfingerprint._core import (
    check_int,
    check_positive,
    check_values,
    find_wavelet,
    list_steps,
)
from skfingerprint._images import ResidualExtractor
from skfingerprint._open_set import FingerprintDetector, restore_detector

FORMAT = "skfingerprint fingerprints"
# 1: release 0.1.0, with `image_shape`. 2: without. 3: with `sha256` and `provenance`.
FORMAT_VERSION = 3
# The members of a file of each kind of estimator, and the kinds of their dtypes.
COMMON = {"notes": "U", "classes": "biufU", "fingerprints": "f"}
MEMBERS = {
    "classifier": {**COMMON, "class_weight_sum": "iuf"},
    "detector": {
        **COMMON,
        "null_scores": "f",
        "null_sources": "iu",
        "null_weights": "iuf",
    },
}
MAX_BYTES = 2**30
MAX_NOTES_BYTES = 2**22
MAX_HEADER_BYTES = 1024
PIECE = 2**20
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def save_fingerprints(path, estimator, *, offset=None):
    """Save fingerprints, and how they were made, in one `.npz` file.

    The file is written under a name of its own and takes its place at the end, at once:
    whoever reads or writes the same path meanwhile sees whole files only. An error
    leaves the old file, and nothing else; a process that is killed may leave a
    `.skfingerprint-*.part` beside it.

    Parameters
    ----------
    path : str or path-like
        File to write, replaced if it exists; it keeps its mode. A link is followed.
    estimator : FingerprintClassifier or FingerprintDetector, or Pipeline that ends \
            with one
        Fitted. Parameters of a pipeline's ResidualExtractor are saved with it.
    offset : tuple of int, default=None
        (down, right) corner of the images within the frame of their source, in pixels:
        fingerprints of other corners don't match. None is the one that the fingerprints
        were loaded with, or (0, 0).

    Raises
    ------
    OSError
        If the file can't be written.
    ValueError
        If the classes are not text or numbers, if the denoiser is a function or `cv` a
        splitter, which a file can't hold, if a parameter is not valid, or if the
        extractor or the offset is not that of the estimator's `provenance_`.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> from skfingerprint.files import load_fingerprints, save_fingerprints
    >>> images, y = make_fingerprint_images(60, 3, random_state=0)
    >>> pipeline = make_pipeline(ResidualExtractor(sigma=2), FingerprintClassifier())
    >>> path = pathlib.Path(tempfile.mkdtemp(), "three-sources.npz")
    >>> save_fingerprints(path, pipeline.fit(images, y))
    >>> loaded = load_fingerprints(path)
    >>> loaded
    Pipeline(steps=[('residualextractor', ResidualExtractor(sigma=2)),
                    ('fingerprintclassifier', FingerprintClassifier())])
    >>> bool((loaded.predict(images) == pipeline.predict(images)).all())
    True

    Fingerprints of two laboratories merge, and a run goes on where it ended:

    >>> loaded[-1].merge(load_fingerprints(path)[-1]).class_weight_sum_.tolist()
    [40.0, 40.0, 40.0]
    >>> residuals = loaded[:-1].transform(images[:10])
    >>> loaded[-1].partial_fit(residuals, y[:10]).class_weight_sum_.sum()
    np.float64(130.0)

    How fingerprints were made stays with them, so that unlike ones don't merge:

    >>> loaded[-1].provenance_["extractor"]["sigma"], loaded[-1].provenance_["offset"]
    (2, [0, 0])
    >>> save_fingerprints(path, pipeline, offset=(16, 0))
    >>> loaded[-1].merge(load_fingerprints(path)[-1])
    Traceback (most recent call last):
    ...
    ValueError: other has fingerprints that were made otherwise: offset [0, 0] here and
    [16, 0] there. Only those made alike merge.
    """
    import skfingerprint

    kind, extractor, last = _split(estimator)
    notes = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "package_version": skfingerprint.__version__,
        kind: _plain(last.get_params()),
        "extractor": None if extractor is None else _plain(extractor.get_params()),
        "provenance": _update_provenance(extractor, last, offset),
    }
    notes["offset"] = (notes["provenance"] or {}).get("offset", [0, 0])
    content = {"classes": _name_classes(last.classes_)}
    for name in list(MEMBERS[kind])[2:]:
        content[name] = getattr(last, f"{name}_")
    if kind == "detector":
        notes["known"] = [last.offset_, last.detection_rate_, last._n_residuals]
    # Views: what is made of them makes its fingerprints read-only.
    _restore({name: part.view() for name, part in content.items()}, notes)
    notes["sha256"] = _digest(content, notes)
    written = np.array(json.dumps(notes))
    if written.nbytes > MAX_NOTES_BYTES:
        raise ValueError("the parameters are too long to be saved.")
    _replace(path, lambda file: np.savez_compressed(file, notes=written, **content))


def load_fingerprints(path, *, max_bytes=MAX_BYTES, return_notes=False):
    """Load fingerprints that :func:`save_fingerprints` wrote.

    The file may come from anybody: it is read without pickle, nothing larger than
    `max_bytes` is unpacked, and checksums, values and parameters are checked.

    Parameters
    ----------
    path : str or path-like
        File to read.
    max_bytes : int, default=2**30
        The largest size of the file, and of what it holds once unpacked.
    return_notes : bool, default=False
        Return how the fingerprints were made, too.

    Returns
    -------
    estimator : Pipeline, FingerprintClassifier or FingerprintDetector
        Fitted. A pipeline with the ResidualExtractor, if one was saved. The classifier
        or detector has `provenance_`, if the file says how its fingerprints were made.
    notes : dict, only if `return_notes`
        `format_version`, `package_version`, `offset`, `provenance`, and the parameters
        of `classifier` or `detector` and of `extractor`.

    Raises
    ------
    OSError
        If the file can't be opened.
    ValueError
        If the file is damaged, foreign, too large, or of a newer version; the message
        names it.

    Notes
    -----
    A file has format version 3, and a SHA-256 of all that it holds. Versions 1, of
    release 0.1.0, and 2 are read too: the CRC-32 of their members alone tells damage.
    A newer version is refused, with the release that wrote it.
    """
    check_positive("max_bytes", max_bytes)
    with _PieceReader(Path(path), opener=_open_at_once) as stream:
        try:
            content, notes = _read(stream, max_bytes)
            estimator = _restore(content, notes)
        except _Refusal as error:
            raise ValueError(f"{path} {error}") from None
        # What NumPy, zipfile and json raise of foreign files has no end.
        except Exception as error:
            raise ValueError(
                f"{path} is damaged, or not a file that save_fingerprints wrote: get a "
                "fresh copy of it."
            ) from error
    return (estimator, notes) if return_notes else estimator


class _Refusal(ValueError):
    """Why a file is refused that need not be damaged."""


class _PieceReader(io.FileIO):
    """A file that is read in pieces, so that no declared size is allocated."""

    def read(self, size=-1):
        if size > PIECE:
            raise ValueError(f"{size} bytes at once")
        return super().read(size)


def _open_at_once(path, flags):
    """Open a file without waiting, as a pipe would let us."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(stream, max_bytes):
    """Return the arrays of a file, and its notes."""
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise _Refusal("is not a regular file.")
    _check_size(status.st_size, max_bytes)
    with zipfile.ZipFile(stream) as archive:
        _check_size(sum(info.file_size for info in archive.infolist()), max_bytes)
        notes = _read_notes(archive)
        members = MEMBERS[_find_kind(notes)]
        if sorted(archive.namelist()) != sorted(f"{name}.npy" for name in members):
            raise ValueError(f"it holds {archive.namelist()}")
        content = {
            name: _read_array(archive, name, dtypes)
            for name, dtypes in list(members.items())[1:]
        }
    if notes["format_version"] > 2 and notes["sha256"] != _digest(content, notes):
        raise ValueError("its SHA-256 is another")
    return content, notes


def _check_size(size, max_bytes):
    if size > max_bytes:
        raise _Refusal(
            f"has or holds {size} bytes, more than max_bytes={max_bytes}: if you trust "
            "it, pass a larger one."
        )


def _read_notes(archive):
    """Return the notes of a file, if this release can read it."""
    if archive.getinfo("notes.npy").file_size > MAX_NOTES_BYTES:
        raise ValueError("too long notes")
    notes = json.loads(_read_array(archive, "notes", COMMON["notes"]).item())
    version = notes["format_version"]
    if notes["format"] != FORMAT or type(version) is not int or version < 1:
        raise ValueError("another format")
    if version > FORMAT_VERSION:
        raise _Refusal(
            f"is of format version {version}, and this skfingerprint reads up to "
            f"{FORMAT_VERSION}: install skfingerprint >= {notes['package_version']}."
        )
    return notes


def _find_kind(notes):
    """Return what a file holds; before version 3, classifiers only."""
    kinds = [kind for kind in MEMBERS if kind in notes]
    if len(kinds) != 1 or (notes["format_version"] < 3 and kinds != ["classifier"]):
        raise ValueError(f"parameters of {kinds}")
    return kinds[0]


def _read_array(archive, name, dtypes):
    """Return a member, read to its end, so that its CRC is checked."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in COMPRESSIONS:
        raise ValueError(f"compressed by method {info.compress_type}")
    data = bytearray()
    with archive.open(info) as member:
        while piece := member.read(PIECE):
            data += piece
    if b"L" in data[: max(0, data.find(b"\n"))]:  # NumPy would warn of Python 2
        raise ValueError(f"{name} has a header of another kind")
    stream = io.BytesIO(data[: 2 * MAX_HEADER_BYTES])
    read_header = READ_HEADER[np.lib.format.read_magic(stream)]
    shape, is_fortran, dtype = read_header(stream, max_header_size=MAX_HEADER_BYTES)
    start = stream.tell()
    size = start + math.prod(shape) * dtype.itemsize
    if not info.file_size == len(data) == size or min(shape, default=1) < 1:
        raise ValueError(f"{name} has {len(data)} bytes, not {size}")
    if dtype.kind not in dtypes:
        raise ValueError(f"{name} of dtype {dtype}")
    order = "F" if is_fortran else "C"
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)


def _digest(content, notes):
    """Return the SHA-256 of notes and arrays, as hexadecimal text."""
    described = {key: value for key, value in notes.items() if key != "sha256"}
    layout = [[name, part.dtype.str, part.shape] for name, part in content.items()]
    digest = hashlib.sha256(json.dumps([described, layout], sort_keys=True).encode())
    for part in content.values():
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _restore(content, notes):
    """Return a fitted estimator of what a file holds, if all of it is valid."""
    classes, fingerprints, *rest = (_to_native(part) for part in content.values())
    kind = _find_kind(notes)
    fingerprints = _fold(fingerprints, notes)
    _check_content(classes, fingerprints, 2 if kind == "classifier" else 1)
    params = _read_params(notes[kind])
    if kind == "classifier":
        weights = rest[0].astype(float, copy=False)
        _check_weights(weights, classes)
        last = restore_classifier(classes, fingerprints, weights, **params)
        joblib.effective_n_jobs(last.n_jobs)
    else:
        known = [float(number) for number in notes["known"]]
        _check_null(*rest, known, classes)
        last = restore_detector(classes, fingerprints, rest, known, **params)
        check_int("cv", last.cv, 2, also=(None,))
    last._check_parameters()
    extractor = None
    if notes["extractor"] is not None:
        extractor = ResidualExtractor(**_read_params(notes["extractor"]))
        extractor._get_function()
        joblib.effective_n_jobs(extractor.n_jobs)
    provenance = _read_provenance(notes, extractor)
    if provenance is not None:
        last.provenance_ = provenance
    return last if extractor is None else make_pipeline(extractor, last)


def _to_native(array):
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _name_classes(classes):
    """Return classes as a file holds them."""
    names = classes.astype(str) if classes.dtype.kind == "O" else classes
    if not (names.dtype.kind in COMMON["classes"] and np.array_equal(names, classes)):
        raise ValueError("classes must be text or numbers to be saved.")
    return names


def _check_content(classes, fingerprints, fewest):
    """Refuse what no fit gives."""
    if classes.ndim != 1 or not np.array_equal(np.unique(classes), classes):
        raise ValueError("classes must be one row, sorted, each of them once.")
    classes.tolist()  # refuses what is no text
    if fingerprints.ndim not in (2, 3, 4) or not (
        classes.shape == fingerprints.shape[:1] >= (fewest,)
    ):
        raise ValueError(
            f"there must be {fewest} classes or more, and a fingerprint for each, got "
            f"the shapes {classes.shape} and {fingerprints.shape}."
        )
    if fingerprints.dtype not in (np.float32, np.float64):
        raise ValueError(f"fingerprints have the dtype {fingerprints.dtype}.")
    check_values(fingerprints)


def _check_weights(weights, classes):
    if weights.shape != classes.shape:
        raise ValueError("there must be a weight for each class.")
    if not (np.isfinite(weights).all() and weights.min() >= 0):
        raise ValueError("weights must be finite and >= 0.")


def _check_null(scores, sources, weights, known, classes):
    """Refuse a null that no fit of a detector gives."""
    if not scores.shape == sources.shape == weights.shape == (scores.size,):
        raise ValueError("there must be a source and a weight for each null score.")
    if not (np.abs(scores) <= 1).all() or not 0 <= sources.min() <= sources.max() < len(
        classes
    ):
        raise ValueError("null scores must be correlations, of the known sources.")
    _check_weights(weights, scores)
    offset, found, n_residuals = known
    if not (
        abs(offset) <= 1
        and (math.isnan(found) or 0 <= found <= 1)
        and 0 < n_residuals < math.inf
        and weights.any()
    ):
        raise ValueError(f"threshold, found share and number of residuals: {known}.")


def _read_provenance(notes, extractor):
    """Return how fingerprints were made, or None if a file does not tell."""
    offset, version = notes["offset"], notes["format_version"]
    if len(offset) != 2 or {type(number) for number in offset} != {int}:
        raise ValueError(f"offset must be two ints, got {offset}.")
    if version > 2:
        found = notes["provenance"]
        if found is not None and not isinstance(found, dict):
            raise ValueError(f"provenance must be a dict, got {found}.")
        return found
    known = extractor is not None or any(offset)
    return _make_provenance(extractor, offset) if known else None


def _make_provenance(extractor, offset):
    """Say how fingerprints were made; the number of threads changes nothing."""
    params = None if extractor is None else _plain(extractor.get_params())
    if params is not None:
        del params["n_jobs"]
    return {"extractor": params, "offset": [int(number) for number in offset]}


def _update_provenance(extractor, last, offset):
    """Return the estimator's provenance, or what is told now, if they agree."""
    kept = getattr(last, "provenance_", None)
    told = _make_provenance(extractor, (0, 0) if offset is None else offset)
    if kept is None:
        known = extractor is not None or offset is not None
        return told if known else None
    kept = _plain(kept)
    if extractor is None:
        told["extractor"] = kept.get("extractor")
    elif kept.get("extractor") is None:
        kept["extractor"] = told["extractor"]
    if offset is None:
        told["offset"] = kept.get("offset")
    if differences := describe_differences(kept | told, kept):
        raise ValueError(
            f"the fingerprints were made otherwise: {differences} in their provenance_."
        )
    return kept


def _replace(path, write):
    """Write a file beside the one that it replaces at the end."""
    path = Path(os.path.realpath(path))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        raise OSError(f"{path} is not a regular file: it can't be replaced.")
    partial = path.with_name(f".skfingerprint-{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            if mode is not None:
                partial.chmod(stat.S_IMODE(mode))
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _split(estimator):
    """Return the kind of the last step, the residual extractor, and the last step."""
    steps = list_steps(estimator)
    kinds = {FingerprintClassifier: "classifier", FingerprintDetector: "detector"}
    kind = kinds.get(type(steps[-1]))
    extractor = steps[0] if len(steps) > 1 else None
    if kind is None or [type(s) for s in steps[:-1]] not in ([], [ResidualExtractor]):
        raise ValueError(
            "estimator must be a FingerprintClassifier or a FingerprintDetector, or a "
            "pipeline of a ResidualExtractor and one of these, got "
            f"{[type(step).__name__ for step in steps]}. Save the last step alone, "
            "`pipeline[-1]`, or the whole pipeline with skops or joblib."
        )
    if not hasattr(steps[-1], "fingerprints_"):
        raise ValueError(
            f"the {type(steps[-1]).__name__} has no fingerprints: fit it first."
        )
    return kind, extractor, steps[-1]


def _plain(params):
    """Return parameters as JSON holds them."""
    try:
        return json.loads(json.dumps(params, default=_as_plain))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"parameters {params} can't be saved: a file can't hold a function, nor a "
            "splitter. Save the last step alone, `pipeline[-1]`, with a number as cv, "
            "and keep the denoiser as code."
        ) from error


def _as_plain(value):
    """Return a number of NumPy's as Python's, and a wavelet's name."""
    return value.item() if isinstance(value, np.generic) else find_wavelet(value)


def _fold(fingerprints, notes):
    """Return fingerprints of rows as images, if format version 1 tells their shape."""
    parts = notes.get("classifier"), notes.get("extractor")
    shapes = [part.get("image_shape") for part in parts if part]
    shape = next((shape for shape in shapes if shape), None)
    if notes["format_version"] > 1 or fingerprints.ndim > 2 or shape is None:
        return fingerprints
    return fingerprints.reshape(-1, *shape)


def _read_params(params):
    """Return parameters, without `image_shape`, which format version 1 had."""
    return {name: value for name, value in params.items() if name != "image_shape"}

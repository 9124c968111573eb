"""Files of fingerprints, which laboratories keep, exchange and merge."""

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
from sklearn.utils import Bunch

from skfingerprint._attribution import (
    FingerprintClassifier,
    describe_differences,
    restore_classifier,
)
from skfingerprint._core import (
    check_int,
    check_positive,
    check_values,
    fills_file,
    find_wavelet,
    list_steps,
    split_readers,
)
from skfingerprint._images import ResidualExtractor
from skfingerprint._open_set import FingerprintDetector, restore_detector

FORMAT = "skfingerprint fingerprints"
# 1: release 0.1.0, with `image_shape`. 2: without it. 3: `sha256` and `provenance` too.
FORMAT_VERSION = 3
# Arrays in the file of each kind of estimator, in this order, and their kinds of dtype.
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
# Bounds on what a hostile file can make the reader allocate: all members together, the
# notes (which JSON parses), the header of an array (which NumPy evaluates), and a read.
MAX_BYTES = 2**30
MAX_NOTES_BYTES = 2**22
MAX_HEADER_BYTES = 1024
PIECE = 2**20
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def save_fingerprints(estimator, path, *, offset=None):
    """Save fingerprints, and how they were made, in one `.npz` file.

    The file is written under a temporary name, and replaces the old file at the end, in
    one step: other readers and writers of the same path see whole files only. An error
    leaves the old file, and nothing else. A process that is killed may leave a file
    `.skfingerprint-*.part` in the same folder.

    Parameters
    ----------
    estimator : FingerprintClassifier or FingerprintDetector, or Pipeline that ends \
            with one
        Fitted estimator. The parameters of the ResidualExtractor in a pipeline are
        saved with it. An ImageReader or Unflatten in front of it is not saved.
    path : str or path-like
        File to write. An existing file is replaced and keeps its mode; a link is
        followed.
    offset : tuple of int, default=None
        Corner (down, right) of the images within the frame of their source, in pixels:
        fingerprints of different corners do not match. By default, it is the offset
        that the fingerprints were loaded with, or (0, 0).

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If the path comes first.
    ValueError
        If the classes are neither text nor numbers; if the denoiser is a function or
        `cv` is a splitter, which a file cannot hold; if a parameter is not valid; or if
        extractor or offset contradict the `provenance_` of the estimator.

    See Also
    --------
    load_fingerprints : Loads the file.

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
    >>> save_fingerprints(pipeline.fit(images, y), path)
    >>> loaded = load_fingerprints(path)
    >>> loaded
    Pipeline(steps=[('residualextractor', ResidualExtractor(sigma=2)),
                    ('fingerprintclassifier', FingerprintClassifier())])
    >>> bool((loaded.predict(images) == pipeline.predict(images)).all())
    True

    Fingerprints of two laboratories can be merged, and an interrupted run continued:

    >>> loaded[-1].merge(load_fingerprints(path)[-1]).class_weight_sum_.tolist()
    [40.0, 40.0, 40.0]
    >>> residuals = loaded[:-1].transform(images[:10])
    >>> loaded[-1].partial_fit(residuals, y[:10]).class_weight_sum_.sum()
    np.float64(130.0)

    The provenance of fingerprints stays with them, so that fingerprints that were made
    in different ways are not merged:

    >>> loaded[-1].provenance_["extractor"]["sigma"], loaded[-1].provenance_["offset"]
    (2, [0, 0])
    >>> save_fingerprints(pipeline, path, offset=(16, 0))
    >>> loaded[-1].merge(load_fingerprints(path)[-1])
    Traceback (most recent call last):
    ...
    ValueError: other has fingerprints that were made otherwise: offset [0, 0] here and
    [16, 0] there. Only those made alike merge.
    """
    import skfingerprint

    _check_order(estimator)
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
        notes["ratios"] = last._ratios
    # A file that could not be loaded is not written. Restoring makes fingerprints
    # read-only: of views, so that the arrays of the user stay writable.
    _restore({name: part.view() for name, part in content.items()}, notes)
    notes["sha256"] = _digest(content, notes)
    written = np.array(json.dumps(notes))
    if written.nbytes > MAX_NOTES_BYTES:
        raise ValueError("the parameters are too long to be saved.")
    _replace(path, lambda file: np.savez_compressed(file, notes=written, **content))


def load_fingerprints(path, *, max_bytes=MAX_BYTES, return_notes=False):
    """Load fingerprints that :func:`save_fingerprints` wrote.

    The file may come from an untrusted source: it is read without pickle, not more than
    `max_bytes` are unpacked, and checksums, values and parameters are checked.

    Parameters
    ----------
    path : str or path-like
        File to read.
    max_bytes : int, default=2**30
        Largest size of the file, and of its unpacked content, in bytes.
    return_notes : bool, default=False
        Whether to return the notes of the file, too.

    Returns
    -------
    estimator : Pipeline, FingerprintClassifier or FingerprintDetector
        Fitted estimator: a pipeline if a ResidualExtractor was saved with it. The
        classifier or detector has a `provenance_` if the file contains one.
    notes : dict
        `format_version`, `package_version`, `offset`, `provenance`, and the parameters
        of `classifier` or `detector` and of `extractor`. Only returned if
        `return_notes` is true.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If the file is damaged, foreign, too large, or of a newer version, or if it
        holds bytes outside of its arrays, which can be a file of another format; the
        message names the file.

    See Also
    --------
    save_fingerprints : Writes the file.

    Notes
    -----
    Files have format version 3, and contain a SHA-256 of their whole content. Versions
    1 (release 0.1.0) and 2 are read, too; only the CRC-32 of their members reveals
    damage. A file of a newer version raises an error that names the release to install.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> from skfingerprint.files import load_fingerprints, save_fingerprints
    >>> images, y = make_fingerprint_images(60, 3, random_state=0)
    >>> residuals = ResidualExtractor().transform(images)
    >>> path = pathlib.Path(tempfile.mkdtemp(), "three-sources.npz")
    >>> save_fingerprints(FingerprintClassifier().fit(residuals, y), path)
    >>> classifier, notes = load_fingerprints(path, return_notes=True)
    >>> classifier.classes_.tolist(), notes["offset"]
    ([0, 1, 2], [0, 0])
    """
    check_positive("max_bytes", max_bytes)
    with _PieceReader(Path(path), opener=_open_at_once) as stream:
        try:
            content, notes = _read(stream, max_bytes)
            estimator = _restore(content, notes)
        except _Refusal as error:
            raise ValueError(f"{path} {error}") from None
        # NumPy, zipfile and json raise many kinds of errors for foreign files.
        except Exception as error:
            raise ValueError(
                f"{path} is damaged, or not a file that save_fingerprints wrote, or "
                "holds bytes outside of its arrays: get a fresh copy of it."
            ) from error
    return (estimator, notes) if return_notes else estimator


class _Refusal(ValueError):
    """Error for a file that is rejected, but need not be damaged."""


class _PieceReader(io.FileIO):
    """File that is read in pieces, so that no declared size is allocated."""

    def read(self, size=-1):
        if size > PIECE:
            raise ValueError(f"{size} bytes at once")
        return super().read(size)


def _open_at_once(path, flags):
    """Open a file without waiting for a writer, if it is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(stream, max_bytes):
    """Read a file.

    Parameters
    ----------
    stream : _PieceReader
        The open file.
    max_bytes : int
        Largest size, packed and unpacked.

    Returns
    -------
    content : dict of str to ndarray
        Arrays by name.
    notes : dict
        The notes.
    """
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise _Refusal("is not a regular file.")
    _check_size(status.st_size, max_bytes)
    with zipfile.ZipFile(stream) as archive:
        if not fills_file(archive):
            raise ValueError("bytes outside of its members")
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
    """Read the notes of a file; raise an error if this release cannot read it."""
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
    """Return "classifier" or "detector", whose parameters the notes contain."""
    # Detectors came with version 3.
    kinds = [kind for kind in MEMBERS if kind in notes]
    if len(kinds) != 1 or (notes["format_version"] < 3 and kinds != ["classifier"]):
        raise ValueError(f"parameters of {kinds}")
    return kinds[0]


def _read_array(archive, name, dtypes):
    """Read an array of a file.

    Parameters
    ----------
    archive : ZipFile
        The file.
    name : str
        Name of the array.
    dtypes : str
        Kinds of dtype that are valid.

    Returns
    -------
    array : ndarray
        Read-write, in the byte order of the file.
    """
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in COMPRESSIONS:
        raise ValueError(f"compressed by method {info.compress_type}")
    # `np.load` need not read a member to its end, where zipfile checks the CRC.
    data = bytearray()
    with archive.open(info) as member:
        while piece := member.read(PIECE):
            data += piece
    # NumPy warns of integers of Python 2, which no release of this package wrote.
    if b"L" in data[: max(0, data.find(b"\n"))]:
        raise ValueError(f"{name} has a header of another kind")
    stream = io.BytesIO(data[: 2 * MAX_HEADER_BYTES])
    read_header = READ_HEADER[np.lib.format.read_magic(stream)]
    shape, is_fortran, dtype = read_header(stream, max_header_size=MAX_HEADER_BYTES)
    start = stream.tell()
    # A header may declare any shape: it must be that of the bytes that are there.
    size = start + math.prod(shape) * dtype.itemsize
    if not info.file_size == len(data) == size or min(shape, default=1) < 1:
        raise ValueError(f"{name} has {len(data)} bytes, not {size}")
    if dtype.kind not in dtypes:
        raise ValueError(f"{name} of dtype {dtype}")
    order = "F" if is_fortran else "C"
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)


def _digest(content, notes):
    """Compute the SHA-256 of notes and arrays, as hexadecimal text."""
    # Names, dtypes and shapes go in first, since the same bytes can be several arrays.
    described = {key: value for key, value in notes.items() if key != "sha256"}
    layout = [[name, part.dtype.str, part.shape] for name, part in content.items()]
    digest = hashlib.sha256(json.dumps([described, layout], sort_keys=True).encode())
    for part in content.values():
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _restore(content, notes):
    """Restore the estimator of a file, whose content is checked.

    Parameters
    ----------
    content : dict of str to ndarray
        Arrays, in the order of `MEMBERS`.
    notes : dict
        Notes of the file.

    Returns
    -------
    estimator : FingerprintClassifier, FingerprintDetector or Pipeline
    """
    classes, fingerprints, *rest = (_to_native(part) for part in content.values())
    kind = _find_kind(notes)
    fingerprints = _fold(fingerprints, notes)
    _check_content(classes, fingerprints)
    params = _read_params(notes[kind])
    if kind == "classifier":
        weights = rest[0].astype(float, copy=False)
        _check_weights(weights, classes)
        last = restore_classifier(classes, fingerprints, weights, **params)
        joblib.effective_n_jobs(last.n_jobs)
    else:
        known = [float(number) for number in notes["known"]]
        _check_null(*rest, known, classes)
        # Files of earlier releases have no likelihood ratios.
        known.append(_read_ratios(notes.get("ratios")))
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
    """Return classes as text or numbers, which a file can hold."""
    # Text in an array of objects is saved as text; other objects do not equal the text
    # that stands for them.
    names = classes.astype(str) if classes.dtype.kind == "O" else classes
    if not (names.dtype.kind in COMMON["classes"] and np.array_equal(names, classes)):
        raise ValueError("classes must be text or numbers to be saved.")
    return names


def _check_content(classes, fingerprints):
    """Raise ValueError for classes and fingerprints that no fit returns."""
    if classes.ndim != 1 or not np.array_equal(np.unique(classes), classes):
        raise ValueError("classes must be one row, sorted, each of them once.")
    classes.tolist()  # raises an error for bytes that are not Unicode
    if fingerprints.ndim not in (2, 3, 4) or not (
        classes.shape == fingerprints.shape[:1] >= (1,)
    ):
        raise ValueError(
            "there must be a class or more, and a fingerprint for each, got the shapes "
            f"{classes.shape} and {fingerprints.shape}."
        )
    if fingerprints.dtype not in (np.float32, np.float64):
        raise ValueError(f"fingerprints have the dtype {fingerprints.dtype}.")
    check_values(fingerprints)


def _check_weights(weights, classes):
    """Raise ValueError for weights that no fit returns."""
    if weights.shape != classes.shape:
        raise ValueError("there must be a weight for each class.")
    if not (np.isfinite(weights).all() and weights.min() >= 0):
        raise ValueError("weights must be finite and >= 0.")


def _read_ratios(ratios):
    """Return likelihood ratios, or raise ValueError if no fit returns them."""
    if ratios is None:
        return None
    names = "slope", "intercept", "lower", "upper"
    values = Bunch(**{name: float(ratios[name]) for name in names})
    if not (
        np.isfinite(list(values.values())).all()
        and values.slope >= 0
        and values.lower <= 0 <= values.upper
    ):
        raise ValueError(f"likelihood ratios: {values}.")
    return values


def _check_null(scores, sources, weights, known, classes):
    """Raise ValueError for null scores that no fit of a detector returns.

    Parameters
    ----------
    scores, sources, weights : ndarray of shape (n_scores,)
        Null scores, their sources and their weights.
    known : list of 3 float
        Threshold, detection rate and number of residuals.
    classes : ndarray of shape (n_classes,)
        The known sources.
    """
    if not scores.shape == sources.shape == weights.shape == (scores.size,):
        raise ValueError("there must be a source and a weight for each null score.")
    if not (np.abs(scores) <= 1).all() or not 0 <= sources.min() <= sources.max() < len(
        classes
    ):
        raise ValueError("null scores must be correlations, of the known sources.")
    _check_weights(weights, scores)
    # The detection rate is NaN if a source has a single residual.
    offset, detection_rate, n_residuals = known
    if not (
        abs(offset) <= 1
        and (math.isnan(detection_rate) or 0 <= detection_rate <= 1)
        and 0 < n_residuals < math.inf
        and weights.any()
    ):
        raise ValueError(f"threshold, detection rate, number of residuals: {known}.")


def _read_provenance(notes, extractor):
    """Return the provenance that a file contains, or None."""
    offset, version = notes["offset"], notes["format_version"]
    if len(offset) != 2 or {type(number) for number in offset} != {int}:
        raise ValueError(f"offset must be two ints, got {offset}.")
    if version > 2:
        found = notes["provenance"]
        if found is not None and not isinstance(found, dict):
            raise ValueError(f"provenance must be a dict, got {found}.")
        return found
    # Older files have no provenance: it follows from their extractor and their offset.
    known = extractor is not None or any(offset)
    return _make_provenance(extractor, offset) if known else None


def _make_provenance(extractor, offset):
    """Describe how fingerprints were made, by extractor and offset."""
    params = None if extractor is None else _plain(extractor.get_params())
    # The number of threads changes no residual.
    if params is not None:
        del params["n_jobs"]
    return {"extractor": params, "offset": [int(number) for number in offset]}


def _update_provenance(extractor, last, offset):
    """Complete the provenance of an estimator, and check that nothing contradicts it.

    Parameters
    ----------
    extractor : ResidualExtractor or None
        First step of the pipeline that is saved.
    last : FingerprintClassifier or FingerprintDetector
        Last step, which may have a `provenance_`.
    offset : tuple of int or None
        Offset that is stated now.

    Returns
    -------
    provenance : dict or None
        None if neither extractor nor offset are known.
    """
    kept = getattr(last, "provenance_", None)
    stated = _make_provenance(extractor, (0, 0) if offset is None else offset)
    if kept is None:
        known = extractor is not None or offset is not None
        return stated if known else None
    # Each side is completed by the other one, so that only stated values can differ.
    kept = _plain(kept)
    if extractor is None:
        stated["extractor"] = kept.get("extractor")
    elif kept.get("extractor") is None:
        kept["extractor"] = stated["extractor"]
    if offset is None:
        stated["offset"] = kept.get("offset")
    if differences := describe_differences(kept | stated, kept):
        raise ValueError(
            f"the fingerprints were made otherwise: {differences} in their provenance_."
        )
    return kept


def _replace(path, write):
    """Write a file in the folder of the file that it replaces at the end."""
    # Renaming would replace a link itself, and works within one file system only.
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
            # Else a crash could leave the new name with none of the new bytes.
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _check_order(estimator):
    """Raise TypeError if a path was passed first, as in earlier releases."""
    if isinstance(estimator, (str, os.PathLike)):
        raise TypeError(
            "save_fingerprints takes the estimator first and the path second, "
            "save_fingerprints(estimator, path), got a "
            f"{type(estimator).__name__} first."
        )


def _split(estimator):
    """Split an estimator into the parts that are saved.

    Parameters
    ----------
    estimator : estimator
        Estimator or pipeline.

    Returns
    -------
    kind : {"classifier", "detector"}
        Kind of the last step.
    extractor : ResidualExtractor or None
        Step before it.
    last : FingerprintClassifier or FingerprintDetector
        Last step.
    """
    # Paths and rows are read in front of the residuals, of which fingerprints are.
    steps = split_readers(list_steps(estimator))[1]
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
    """Return parameters as they come back from JSON."""
    try:
        return json.loads(json.dumps(params, default=_as_plain))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"parameters {params} can't be saved: a file can't hold a function, nor a "
            "splitter. Save the last step alone, `pipeline[-1]`, with a number as cv, "
            "and keep the denoiser as code."
        ) from error


def _as_plain(value):
    """Return a NumPy number as a Python number, and a wavelet as its name."""
    return value.item() if isinstance(value, np.generic) else find_wavelet(value)


def _fold(fingerprints, notes):
    """Reshape fingerprints of rows to images, if format version 1 has their shape."""
    parts = notes.get("classifier"), notes.get("extractor")
    shapes = [part.get("image_shape") for part in parts if part]
    shape = next((shape for shape in shapes if shape), None)
    if notes["format_version"] > 1 or fingerprints.ndim > 2 or shape is None:
        return fingerprints
    return fingerprints.reshape(-1, *shape)


def _read_params(params):
    """Return parameters without `image_shape`, which format version 1 had."""
    return {name: value for name, value in params.items() if name != "image_shape"}

"""Fingerprints in files: what a laboratory keeps, and another merges."""

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

from skfingerprint.fingerprint import FingerprintClassifier, restore_classifier
from skfingerprint.residual import ResidualExtractor

FORMAT = "skfingerprint fingerprints"
FORMAT_VERSION = 2
# What NumPy, zipfile and json raise of files that are damaged or foreign.
UNREADABLE = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_fingerprints(path, estimator, *, offset=(0, 0)):
    """Save a classifier's fingerprints, and how they were made, in one `.npz` file.

    Parameters
    ----------
    path : str or path-like
        File to write, replaced if it exists. Nothing is written if something fails.
    estimator : FingerprintClassifier, or Pipeline that ends with one
        Fitted. Parameters of a pipeline's ResidualExtractor are saved with it.
    offset : tuple of int, default=(0, 0)
        (down, right) corner of the images within the frame of their source, in pixels:
        fingerprints of other corners don't match.

    Raises
    ------
    ValueError
        If the classes are not text or numbers, or the denoiser is a function, which a
        file can't hold.

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
    """
    import skfingerprint

    extractor, classifier = _split(estimator)
    classes = classifier.classes_
    names = classes.astype(str) if classes.dtype.kind == "O" else classes
    if not np.array_equal(names, classes):
        raise ValueError("classes must be text or numbers to be saved.")
    notes = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "package_version": skfingerprint.__version__,
        "offset": [int(n) for n in offset],
        "classifier": _plain(classifier.get_params()),
        "extractor": None if extractor is None else _plain(extractor.get_params()),
    }
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                notes=np.array(json.dumps(notes)),
                classes=names,
                fingerprints=classifier.fingerprints_,
                class_weight_sum=classifier.class_weight_sum_,
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_fingerprints(path, *, return_notes=False):
    """Load fingerprints that :func:`save_fingerprints` wrote.

    The file is read without pickle, so that a foreign one can't run code.

    Parameters
    ----------
    path : str or path-like
        File to read.
    return_notes : bool, default=False
        Return how the fingerprints were made, too.

    Returns
    -------
    estimator : Pipeline or FingerprintClassifier
        Fitted. A pipeline with the ResidualExtractor, if one was saved.
    notes : dict, only if `return_notes`
        `format_version`, `package_version`, `offset`, and the parameters of
        `classifier` and `extractor`.

    Raises
    ------
    OSError
        If the file can't be opened.
    ValueError
        If the file is damaged, foreign, or of a newer version.
    """
    with Path(path).open("rb") as stream:
        try:
            content, notes = _read(stream)
            newer = notes["format_version"] > FORMAT_VERSION
            estimator = None if newer else _restore(content, notes)
        except UNREADABLE as error:
            raise ValueError(
                f"{path} is damaged, or not a file that save_fingerprints wrote: get a "
                "fresh copy of it."
            ) from error
    if newer:
        raise ValueError(
            f"{path} is of format version {notes['format_version']}, and this "
            f"skfingerprint reads up to {FORMAT_VERSION}: install skfingerprint >= "
            f"{notes['package_version']}."
        )
    return (estimator, notes) if return_notes else estimator


def _read(stream):
    """Return the arrays of a file, and its notes."""
    with np.load(stream, allow_pickle=False) as file:
        content = dict(file)
    notes = json.loads(content["notes"].item())
    if notes["format"] != FORMAT:
        raise ValueError("another format")
    return content, notes


def _restore(content, notes):
    """Return a fitted estimator from what a file holds."""
    fingerprints, classes = content["fingerprints"], content["classes"]
    weights = content["class_weight_sum"].astype(float)
    if not len(fingerprints) == len(classes) == len(weights):
        raise ValueError("lengths differ")
    params = _read_params(notes["classifier"])
    classifier = restore_classifier(classes, fingerprints, weights, **params)
    if notes["extractor"] is None:
        return classifier
    extractor = ResidualExtractor(**_read_params(notes["extractor"]))
    return make_pipeline(extractor, classifier)


def _split(estimator):
    """Return the residual extractor, if there is one, and the classifier."""
    steps = [step for _, step in getattr(estimator, "steps", [(None, estimator)])]
    classifier = steps[-1]
    expected = [ResidualExtractor, FingerprintClassifier][-len(steps) :]
    if [type(step) for step in steps] != expected:
        raise ValueError(
            "estimator must be a FingerprintClassifier, or a pipeline of a "
            "ResidualExtractor and a FingerprintClassifier, got "
            f"{[type(step).__name__ for step in steps]}. Save the last step alone, "
            "`pipeline[-1]`, and keep the others with joblib."
        )
    if not hasattr(classifier, "fingerprints_"):
        raise ValueError("the FingerprintClassifier has no fingerprints: fit it first.")
    return (steps[0] if len(steps) > 1 else None), classifier


def _plain(params):
    """Return parameters as JSON holds them."""
    try:
        return json.loads(json.dumps(params, default=np.generic.item))
    except TypeError as error:
        raise ValueError(
            f"parameters {params} can't be saved: a file can't hold a function. Save "
            "the last step alone, `pipeline[-1]`, and keep the denoiser as code."
        ) from error


def _read_params(params):
    """Return parameters, without `image_shape`, which format version 1 had."""
    return {name: value for name, value in params.items() if name != "image_shape"}

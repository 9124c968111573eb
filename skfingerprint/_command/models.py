"""Models in files of skops: fit, save, load."""

import hashlib
import io
import json
import warnings
import zipfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from skfingerprint._core import fills_file, list_readers, needs_extra, track
from skfingerprint._features import AttributionFeatures
from skfingerprint._images import read_image, without_bomb_warnings
from skfingerprint._pipeline import make_attribution_pipeline
from skfingerprint.datasets import describe_image_folder
from skfingerprint.files import MAX_BYTES, _replace

# Types in a model of the command `fit` that skops does not trust by itself.
TRUSTED = {
    "builtins.range",
    "sklearn.utils._bunch.Bunch",
    "skfingerprint._attribution.augmented_pipeline.AugmentedPipeline",
    "skfingerprint._attribution.source_discriminant.SourceDiscriminant",
    "skfingerprint._features.attribution_features.AttributionFeatures",
    "skfingerprint._images.image_reader.ImageReader",
    "skfingerprint._open_set.rejecting_classifier.RejectingClassifier",
    "skfingerprint._open_set.source_detector.SourceDetector",
    "skfingerprint.perturbation.AVIFCompression",
    "skfingerprint.perturbation.GaussianBlur",
    "skfingerprint.perturbation.GaussianNoise",
    "skfingerprint.perturbation.JPEGCompression",
    "skfingerprint.perturbation.RandomPerturbation",
    "skfingerprint.perturbation.Resize",
    "skfingerprint.perturbation.WebPCompression",
}
VERSION_KEY = "_skfingerprint_version"
MODEL_SUFFIX = ".skops"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Model:
    """A model from a file.

    Attributes
    ----------
    estimator : estimator
        The fitted pipeline.
    path : str
        Path of the file.
    checksum : str
        SHA-256 of the file, hexadecimal.
    """

    estimator: Any
    path: str
    checksum: str


def fit_folder(folder, *, false_alarm_rate, background, perturbations, scenes=None):
    """Fit the recommended pipeline on the readable files of a folder.

    Parameters
    ----------
    folder : str
        Folder with one folder of images for each source.
    false_alarm_rate : float
        Stated rate.
    background : str or None
        Name of the folder of images without a common source.
    perturbations : "common" or ()
        Perturbations of the pipeline.
    scenes : re.Pattern, default=None
        Pattern of the scene in the stem of each file. By default each file is one.

    Returns
    -------
    model : AugmentedPipeline
        Fitted pipeline.
    counts : dict of str to int
        Number of fitted images of each class.
    bad : list of str
        Errors of the files that were left out.
    """
    _import_skops()  # a fit that can't be saved is not begun
    table = describe_image_folder(folder).files
    files, labels = list(table["filename"]), list(table["class"])
    _check_names(folder, set(map(str, labels)), background)
    groups = None if scenes is None else [_name_scene(f, scenes) for f in files]
    kept, bad = _check_files(files)
    paths, y = [files[i] for i in kept], [str(labels[i]) for i in kept]
    groups = groups and [groups[i] for i in kept]
    if lost := sorted(set(map(str, labels)) - set(y)):
        raise ValueError(f"no image of {lost} can be read. The first error: {bad[0]}")
    _check_counts(y, groups)
    for text in bad:
        warnings.warn(f"left out: {text}", UserWarning, stacklevel=2)
    model = make_attribution_pipeline(
        perturbations=perturbations,
        false_alarm_rate=false_alarm_rate,
        background=background,
        n_jobs=-1,
        verbose=True,
    )
    return model.fit(paths, y, groups=groups), dict(Counter(y)), bad


def _check_names(folder, names, background):
    """Raise ValueError for names of folders that no fit can take."""
    if background is not None and background not in names:
        raise ValueError(
            f"{folder} holds no folder {background!r}: the background is among "
            f"{sorted(names)}."
        )
    if not names - {background}:
        raise ValueError(
            f"{folder} holds no folder beside the background {background!r}: add one "
            "with the images of a source."
        )
    if UNKNOWN in names - {background}:
        raise ValueError(
            f"{folder}: a folder cannot have the name {UNKNOWN!r}, the answer for all "
            "other sources: rename it."
        )


def _name_scene(file, scenes):
    """Return the part of the name of a file that names its scene."""
    match = scenes.search(Path(file).stem)
    scene = match and match[min(scenes.groups, 1)]
    if not scene:
        raise ValueError(
            f"--scenes {scenes.pattern!r} finds no scene in the name of {file}: take a "
            "pattern that matches the name of each file."
        )
    return scene


def _check_counts(y, groups):
    """Raise ValueError for a class of one image or scene: some are held out."""
    unit = "image" if groups is None else "scene"
    pairs = set(zip(y, range(len(y)) if groups is None else groups, strict=True))
    for name, count in sorted(Counter(name for name, _ in pairs).items()):
        if count < 2:
            raise ValueError(
                f"class {name!r} has 1 {unit}, and a fit needs at least 2 of each "
                "class: add more, or leave its folder out."
            )


def _check_files(files):
    """Return the places of files that a fit can read, and errors of the others."""
    kept, bad = [], []
    # The features of one fit have spectra of whole blocks.
    side = AttributionFeatures().block_size
    for place, file in enumerate(track(files, "files", verbose=True)):
        try:
            with without_bomb_warnings():
                read_image(file, (side, side))
        except ValueError as error:
            bad.append(str(error))
        else:
            kept.append(place)
    return kept, bad


def save_model(model, path):
    """Save a model in one step, and return its SHA-256."""
    content = _import_skops().dumps(model)
    _replace(path, lambda file: file.write(content))
    return hashlib.sha256(content).hexdigest()


def load_model(path, trust=()):
    """Load a model, which may come from a stranger.

    Parameters
    ----------
    path : str
        File that the command `fit` or `skops.io.dump` wrote.
    trust : sequence of str, default=()
        Types that it may hold beside those of a model of `fit`.

    Returns
    -------
    model : Model

    Raises
    ------
    ImportError
        If skops is missing.
    OSError
        If the file cannot be read.
    ValueError
        If the file is damaged, holds bytes outside of its members or other types, or is
        of another version of the package.
    """
    skops_io, content = _import_skops(), _read(path)
    with _name_damage(path):
        versions = _find_versions(_read_schema(content))
    _check_versions(path, versions)
    with _name_damage(path):
        types = set(skops_io.get_untrusted_types(data=content))
    if others := sorted(types - TRUSTED - set(trust)):
        options = " ".join(f"--trust {name}" for name in others)
        raise ValueError(
            f"{path} holds types that a model of `fit` does not hold. If you trust "
            f"them and the file, add {options}"
        )
    with _name_damage(path):
        estimator = skops_io.loads(content, trusted=sorted(types))
    _check_pipeline(path, estimator)
    return Model(estimator, str(path), hashlib.sha256(content).hexdigest())


def _import_skops():
    with needs_extra("command", "models are files of skops"):
        import skops.io
    return skops.io


def _read(path):
    """Read a file of a bounded size, without waiting for a pipe."""
    path = Path(path)
    if not path.exists():
        raise ValueError(f"no model file {path}: the command fit writes one.")
    if not path.is_file():
        raise ValueError(f"{path} is not a regular file.")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES} bytes.")
    return content


@contextmanager
def _name_damage(path):
    """Raise any error as a ValueError that names the file."""
    try:
        yield
    except Exception as error:  # zipfile, json and skops raise many kinds of errors
        raise ValueError(
            f"{path} is damaged, or no file of skops, or holds bytes outside of its "
            "members: get a fresh copy of it."
        ) from error


def _read_schema(content):
    """Read the tree of a file whose members are whole, and its only bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if not fills_file(archive):
            raise ValueError("bytes outside of its members")
        if sum(info.file_size for info in archive.infolist()) > MAX_BYTES:
            raise ValueError("too many bytes")
        if archive.testzip() is not None:
            raise ValueError("a checksum differs")
        return json.loads(archive.read("schema.json"))


def _find_versions(schema):
    """Return the versions of this package that the states in a tree name."""
    versions, nodes = set(), [schema]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            if VERSION_KEY in node:
                versions.add(json.loads(node[VERSION_KEY]["content"]))
            nodes += node.values()
        elif isinstance(node, list):
            nodes += node
    return versions


def _check_versions(path, versions):
    """Raise ValueError unless this version of the package made a model."""
    import skfingerprint

    if not versions:
        raise ValueError(f"{path} holds no estimator of skfingerprint.")
    if versions != {skfingerprint.__version__}:
        made = " and ".join(sorted(map(str, versions)))
        raise ValueError(
            f"{path} was fitted by skfingerprint {made}, and this is "
            f"{skfingerprint.__version__}, which may answer otherwise: install that "
            "version, or fit the model again."
        )


def _check_pipeline(path, estimator):
    """Raise ValueError unless an estimator names the sources of paths."""
    is_fit = isinstance(estimator, Pipeline) and hasattr(estimator, "classes_")
    answers = hasattr(estimator, "assess") or hasattr(estimator, "predict_proba")
    if not (is_fit and answers and list_readers(estimator)):
        raise ValueError(
            f"{path} holds no fitted model that takes files "
            f"({type(estimator).__name__}): take one that the command fit wrote."
        )

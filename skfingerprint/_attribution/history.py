"""Judge whether the JPEG history of training images separates their classes."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from skfingerprint._core import (
    LazyImages,
    as_images,
    check_labels,
    list_readings,
    list_steps,
    take_images,
)
from skfingerprint._history import SMALLEST_SIDE, estimate_quality, score_history
from skfingerprint._images import HISTORY, FileImages, find_differences
from skfingerprint.perturbation import JPEGCompression, RandomPerturbation

HISTORIES = ("auto", "warn", "ignore")
# Score above which an image probably was a JPEG file once.
PAST = 6.0
# Images that are judged at most, of a class and of all, and at least of a class.
MOST_JUDGED = 20
MOST_JUDGED_OF_ALL = 1200
FEWEST_JUDGED = 3
# Largest difference of a quality from that of a JPEG perturbation that covers it.
FARTHEST_QUALITY = 15
# Classes that a message names.
MOST_NAMED = 5
# Classes that a detector needs in the unchanged condition to hold one of them out.
FEWEST_LEFT = 3


@dataclass(frozen=True)
class History:
    """JPEG history of the classes of a training set.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Labels of the classes of which enough images could be judged.
    n_judged, n_past : ndarray of shape (n_classes,), int
        Numbers of the judged images, and of those that were JPEG files once.
    has_past : ndarray of shape (n_classes,), bool
        Whether the median score of the class is that of earlier JPEG files.
    quality : ndarray of shape (n_classes,)
        Median quality of these files; NaN if it is not known.
    """

    classes: np.ndarray
    n_judged: np.ndarray
    n_past: np.ndarray
    has_past: np.ndarray
    quality: np.ndarray

    def differs(self):
        """Return whether some classes have a JPEG past and others have none."""
        return bool(self.has_past.any() and not self.has_past.all())

    def find_minority(self):
        """Return the classes with the rarer history; those with a past if equal."""
        is_rarer = 2 * np.count_nonzero(self.has_past) <= len(self.classes)
        return self.classes[self.has_past == is_rarer]

    def is_covered(self, changes):
        """Return whether perturbations compress by about the quality of each past."""
        trained = [quality for change in changes for quality in list_qualities(change)]
        distances = np.abs(np.subtract.outer(self.quality[self.has_past], trained))
        # An unknown quality is near any.
        return bool((~(distances > FARTHEST_QUALITY)).any(axis=1).all())

    def describe(self):
        """Describe the difference by classes and counts."""
        own, others = self.has_past, ~self.has_past
        return (
            f"{_name(self.classes[own])}: {self.n_past[own].sum()} of "
            f"{self.n_judged[own].sum()} images were JPEG files once, of the other "
            f"{np.count_nonzero(others)} class(es) {self.n_past[others].sum()} of "
            f"{self.n_judged[others].sum()}. The classifier may learn this difference "
            "in place of the sources."
        )

    def advise(self):
        """Advise perturbations like the past."""
        known = np.unique(self.quality[self.has_past & ~np.isnan(self.quality)])
        about = ", ".join(f"{quality:.0f}" for quality in known[:MOST_NAMED])
        return (
            f"Train with JPEG compression among the perturbations, as "
            "`make_attribution_pipeline()` does"
            f"{about and ', of a quality about ' + about}, or save all classes alike"
        )


def check_history(pipeline, X, y, changes):
    """Judge whether the JPEG history of the images separates the classes.

    Parameters
    ----------
    pipeline : AugmentedPipeline
        Pipeline to fit.
    X, y
        Training images and labels; anything but labeled images is not judged.
    changes : list of transformers
        Its perturbations.

    Returns
    -------
    left_out : list of labels
        Classes that should take no part in the unchanged condition.
    """
    last = list_steps(pipeline)[-1]
    backgrounds = _find_backgrounds(last)
    history = read_history(X, y, backgrounds, pipeline.n_jobs)
    texts, left_out = [compare_headers(X, y, backgrounds)], []
    if history is not None and history.differs():
        is_rated = hasattr(last, "assess")
        text, left_out = _judge_history(history, changes, is_rated)
        if is_rated and pipeline.history == "auto" and not history.is_covered(changes):
            raise ValueError(
                f"{text} Images of other sources would be accepted by their "
                'history, whatever the stated rate; history="warn" fits nevertheless.'
            )
        texts.insert(0, text)
    if message := " ".join(filter(None, texts)):
        warnings.warn(message, UserWarning, stacklevel=7)
    return left_out


def _judge_history(history, changes, is_rated):
    """Describe classes of different history, and choose those to leave out.

    Parameters
    ----------
    history : History
        History of the classes, which differs.
    changes : list of transformers
        The perturbations.
    is_rated : bool
        Whether the classifier has a stated rate.

    Returns
    -------
    text : str
        Description and advice.
    left_out : list of labels
        Classes that should take no part in the unchanged condition.
    """
    if not history.is_covered(changes):
        return f"{history.describe()} {history.advise()}.", []
    left_out = history.find_minority()
    if is_rated and len(history.classes) - len(left_out) < FEWEST_LEFT:
        left_out = left_out[:0]
    text = f"{history.describe()} Save all classes alike if you can."
    if len(left_out):
        text += f" Only perturbed copies are used of {_name(left_out)}."
    return text, left_out.tolist()


def compare_headers(X, y, backgrounds=()):
    """Name the properties in which the headers of the files of the classes differ.

    Parameters
    ----------
    X, y
        Images and labels.
    backgrounds : sequence of labels
        Labels of images that are not compared, as they are never an answer.

    Returns
    -------
    text : str
        Empty if the classes don't differ, or if X holds no files.
    """
    y = _find_labels(y)
    if y is None or not isinstance(X, FileImages) or len(X) != len(y):
        return ""
    places = [k for k, label in enumerate(y.tolist()) if label not in backgrounds]
    headers = X.read_headers(places)
    good = [k for k, header in enumerate(headers) if not header.error]
    found = find_differences([headers[k] for k in good], y[places][good])
    return f"Headers of files: {HISTORY.format(', '.join(found))}" if found else ""


def read_history(X, y, backgrounds=(), n_jobs=None):
    """Judge some images of each class.

    Parameters
    ----------
    X, y
        Images and labels.
    backgrounds : sequence of labels
        Labels of images that are not judged, as they are never an answer.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    history : History or None
        None unless y holds labels of several classes.
    """
    y = _find_labels(y)
    if y is None:
        return None
    classes, members = np.unique(y, return_inverse=True)
    members[[label in backgrounds for label in y.tolist()]] = -1
    places, images = _draw_images(X, members)
    parallel = Parallel(n_jobs=n_jobs, prefer="threads")
    judged = np.array(parallel(delayed(_judge)(image) for image in images))
    judged = judged.reshape(-1, 2)
    own = [judged[members[places] == k] for k in range(len(classes))]
    own = [part[~np.isnan(part[:, 0])] for part in own]
    kept = [k for k, part in enumerate(own) if len(part) >= FEWEST_JUDGED]
    return History(
        classes=classes[kept],
        n_judged=np.array([len(own[k]) for k in kept], dtype=int),
        n_past=np.array([np.sum(own[k][:, 0] > PAST) for k in kept], dtype=int),
        has_past=np.array([np.median(own[k][:, 0]) > PAST for k in kept], dtype=bool),
        quality=np.array([_find_median(own[k][:, 1]) for k in kept]),
    )


def list_qualities(change):
    """List the qualities of JPEG compression in a perturbation and its parts."""
    if isinstance(change, Pipeline):
        return [q for step in list_steps(change) for q in list_qualities(step)]
    if isinstance(change, RandomPerturbation):
        fixed, drawn = list_qualities(change.perturbation), []
        for name, values in change.distributions.items():
            if name.rpartition("__")[2] == "quality":
                # A few draws of a distribution stand for its range.
                is_drawn = hasattr(values, "rvs")
                drawn += [*(values.rvs(100, random_state=0) if is_drawn else values)]
        return fixed and (drawn or fixed)
    params = change.get_params() if hasattr(change, "get_params") else {}
    parts = [change, *params.values()]
    return [part.quality for part in parts if isinstance(part, JPEGCompression)]


def _find_median(values):
    """Return the median of the values that are known, or NaN."""
    known = values[~np.isnan(values)]
    return np.median(known) if len(known) else np.nan


def _name(classes):
    """Name a few classes in a message."""
    names = ", ".join(map(repr, classes[:MOST_NAMED].tolist()))
    if len(classes) > MOST_NAMED:
        names += f" and {len(classes) - MOST_NAMED} more"
    return f"class{'es' if len(classes) > 1 else ''} {names}"


def _find_labels(y):
    """Return y as an array of the labels of several classes, or None."""
    try:
        check_labels(y)
        y = np.asarray(y)
        is_float = y.dtype.kind == "f"
        is_whole = not is_float or (np.isfinite(y).all() and not (y % 1).any())
        is_label = y.ndim == 1 and is_whole
        return y if is_label and len(set(y.tolist())) > 1 else None
    except (TypeError, ValueError):  # which the fit reports
        return None


def _draw_images(X, members):
    """Draw images of each class, of few blocks if they are yet to be computed.

    Parameters
    ----------
    X : array-like
        Images, or anything else.
    members : ndarray of shape (n_samples,), int
        Number of the class of each image; -1 for images that are not drawn.

    Returns
    -------
    places : ndarray of int
        Sorted indices of the drawn images.
    images : iterable of ndarray
        The images; none if X holds no images, or small ones.
    """
    none = np.array([], dtype=int), []
    try:
        X = X if isinstance(X, list) else as_images(X)
        shape = getattr(X, "shape", (0,))
        # Lists, and sources of images of different sizes, have one axis.
        if len(shape) in (0, 2) or min(shape[1:3], default=np.inf) < SMALLEST_SIDE:
            return none
        sizes = list_readings(X)
        if sizes.sum() != len(members):
            return none
        places = _draw_places(sizes, members)
        if isinstance(X, LazyImages):  # whole photographs fill the memory
            return places, X[places]
        images = take_images(X, places)
        return places, as_images(images) if isinstance(images, list) else images
    except ValueError:  # which the fit reports, if its steps do not take such X
        return none


def _draw_places(sizes, members):
    """Draw the same number of images of each class, block by block.

    Parameters
    ----------
    sizes : ndarray of int
        Numbers of images that are read together.
    members : ndarray of shape (n_samples,), int
        Number of the class of each image; -1 for images that are not drawn.

    Returns
    -------
    places : ndarray of int
        Sorted indices.
    """
    n_each = min(MOST_JUDGED, MOST_JUDGED_OF_ALL // (members.max() + 1))
    blocks = np.split(np.arange(len(members)), np.cumsum(sizes)[:-1])
    drawn = np.random.default_rng(0).permutation(len(blocks))
    order = np.concatenate([blocks[k] for k in drawn])
    order = order[members[order] >= 0]
    order = order[np.argsort(members[order], kind="stable")]
    # Rank of each image within its class.
    ranks = np.arange(len(order)) - np.searchsorted(members[order], members[order])
    return np.sort(order[ranks < max(n_each, FEWEST_JUDGED)])


def _judge(image):
    """Return the score of an image, and the quality if it was a JPEG file once.

    The score is NaN for anything that does not look like an image of a file.
    """
    image = np.asarray(image)
    is_picture = image.ndim in (2, 3) and image.shape[2:] in ((), (1,), (3,))
    if not is_picture or image.dtype.kind not in "uif" or not image.size:
        return np.nan, np.nan
    # Residuals have negative values; NaN is outside of any range.
    if not (image.min() >= 0 and image.max() <= 255):
        return np.nan, np.nan
    score = score_history(image)
    return score, estimate_quality(image) if score > PAST else np.nan


def _find_backgrounds(estimator):
    """Return the labels of the background that an estimator or its parts have."""
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    named = {k: v for k, v in params.items() if k.rpartition("__")[2] == "background"}
    return [label for label in named.values() if label is not None]

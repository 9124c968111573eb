"""Imitations of unknown sources, made of the images of a fit."""

from collections.abc import Iterable

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter

from skfingerprint._attribution.copies import IMAGE_VALUES
from skfingerprint._core import (
    BlockSource,
    block_sizes,
    read_images,
    shorten,
    stack_images,
)
from skfingerprint.imitation import IMITATIONS

# Imitations of a fit: one of each source by each generator, within these bounds, and
# two of each image: further ones of few images would cost more than they tell.
FEWEST_IMITATIONS = 250
MOST_IMITATIONS = 600
IMITATIONS_AN_IMAGE = 2


def find_generators(imitations, step):
    """Return the generators of a fit, and check them.

    Parameters
    ----------
    imitations : "auto", sequence of transformers or None
        As in :class:`AugmentedPipeline`.
    step : estimator
        The last step.

    Returns
    -------
    generators : list of transformers
        Empty for none.
    """
    if imitations is None:
        return []
    takes = getattr(step, "takes_imitations", None)
    is_taken = takes() if takes else has_fit_parameter(step, "imitations")
    if isinstance(imitations, str) and imitations == "auto":
        return list(IMITATIONS) if is_taken else []
    listed = list(imitations) if isinstance(imitations, Iterable) else [imitations]
    odd = [g for g in listed if isinstance(g, type) or not hasattr(g, "fit_transform")]
    if isinstance(imitations, str) or odd or _count_kinds(listed) == 1:
        raise ValueError(
            'imitations must be "auto", None, or a sequence of transformers of two '
            "kinds or more, such as skfingerprint.imitation.IMITATIONS, got "
            f"{shorten(imitations)}."
        )
    if listed and not is_taken:
        raise ValueError(
            f"{type(step).__name__} takes no imitations in fit. Leave them at "
            '"auto", or end the pipeline with a RejectingClassifier or SourceDetector.'
        )
    return listed


def is_flat(X):
    """Whether X holds rows, and not images."""
    if isinstance(X, list):
        return len(X) > 0 and np.ndim(X[0]) == 1
    return getattr(X, "ndim", 0) == 2


def _count_kinds(generators):
    return len(set(map(_name_kind, generators)))


def _name_kind(generator):
    """Return the kind of a generator: its parameter, or its class."""
    return getattr(generator, "kind", type(generator).__name__)


def imitate(X, y, weights, generators, n_jobs):
    """Put imitations behind the images of a fit.

    Parameters
    ----------
    X : stack, list, dask array or source of images
        The images.
    y, weights
        As in :func:`draw_imitations`.
    generators : list of transformers
        The generators; empty for no imitations.
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    images : X or BlockSource
        The images, and behind them the imitations.
    places : ndarray of shape (n_images + n_imitations,), int
        Number of the image that each is, or is an imitation of.
    made : ndarray of shape (n_images + n_imitations, 2), int, or None
        Kind and number of the generator, -1 for images; None without generators.
    """
    if not generators:
        return X, np.arange(len(y)), None
    places, makers = draw_imitations(y, weights, len(generators))
    kinds = np.unique(list(map(_name_kind, generators)), return_inverse=True)[1]
    made = np.stack([kinds[makers], makers], axis=1)
    return (
        add_imitations(X, places, makers, generators, n_jobs),
        np.concatenate([np.arange(len(y)), places]),
        np.concatenate([np.full((len(y), 2), -1), made]),
    )


def draw_imitations(y, weights, n_generators):
    """Draw the image and the generator of each imitation.

    Generators take turns with the images of each source, and each image is imitated
    about as often as others of its source.

    Parameters
    ----------
    y : ndarray of shape (n_images,)
        Sources.
    weights : ndarray of shape (n_images,) or None
        Weights; images of weight 0 are not imitated.
    n_generators : int
        Number of generators.

    Returns
    -------
    places, makers : ndarray of shape (n_imitations,), int
        Sorted numbers of the images, and numbers of the generators.
    """
    rng, used = np.random.default_rng(0), np.ones(len(y), dtype=bool)
    if weights is not None and np.any(weights):
        used = np.asarray(weights) > 0
    sources, members = np.unique(y[used], return_inverse=True)
    n = min(n_generators * len(sources), IMITATIONS_AN_IMAGE * len(members))
    numbers = np.arange(min(MOST_IMITATIONS, max(FEWEST_IMITATIONS, n)))
    makers = numbers % n_generators
    turns = (makers + numbers // n_generators) % len(sources)
    places = np.empty_like(numbers)
    for source in range(len(sources)):
        own, turn = np.flatnonzero(used)[members == source], turns == source
        n_turns = np.count_nonzero(turn)
        # Another order in each round: with as many images as generators each generator
        # would otherwise get one image again and again.
        rounds = [rng.permutation(own) for _ in range(n_turns // len(own) + 1)]
        places[turn] = np.concatenate(rounds)[:n_turns]
    order = np.argsort(places, kind="stable")
    return places[order], makers[order]


def add_imitations(X, places, makers, generators, n_jobs):
    """Return images and behind them imitations, as a source of blocks.

    Parameters
    ----------
    X : stack, list, dask array or source of images
        The images.
    places, makers : ndarray of shape (n_imitations,), int
        As :func:`draw_imitations` returns them.
    generators : list of transformers
        The generators.
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    images : BlockSource
    """
    sizes = block_sizes(X, IMAGE_VALUES)
    ends = np.cumsum(sizes)
    parts = np.split(np.arange(len(places)), np.searchsorted(places, ends[:-1]))
    filled = [k for k, part in enumerate(parts) if len(part)]
    parallel = Parallel(n_jobs=n_jobs, prefer="threads")

    def read(k):
        source = k if k < len(sizes) else filled[k - len(sizes)]
        start = ends[source] - sizes[source]
        images = read_images(X, source, slice(start, ends[source]))
        if k < len(sizes):
            return images
        calls = (
            delayed(_imitate)(images[places[i] - start], generators[makers[i]])
            for i in parts[source]
        )
        return stack_images(parallel(calls))

    return BlockSource(read, [*sizes, *(len(parts[k]) for k in filled)])


def _imitate(image, generator):
    # Threads share the generator, and `fit` would write to it.
    return clone(generator).fit_transform(image[np.newaxis])[0]

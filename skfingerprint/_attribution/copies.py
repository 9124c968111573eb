"""Perturbed copies of images, made and described block by block."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from skfingerprint._core import (
    RAGGED,
    BlockSource,
    block_sizes,
    check_int,
    compute_block,
    cut_largest,
    follow_blocks,
    make_report,
    read_images,
    shorten,
    stack_images,
    transform_by,
)

# Values of images whose copies are held in memory at a time.
IMAGE_VALUES = 2**22
# "auto" makes at most as many rows as this number of images has with all perturbations,
# but at least two perturbed copies of each image.
MOST_IMAGES = 2**12
FEWEST_PERTURBATIONS = 2


@dataclass(frozen=True)
class CopyRows:
    """The rows that a fit is made on: one of each copy of each image.

    Copies of one image are neighbors, the unprocessed image first.

    Attributes
    ----------
    images : stack, list, dask array or source of images
        The images, with imitations behind them.
    changes : list of transformers or None
        Perturbation of each copy; None for the unprocessed image.
    y : ndarray of shape (n_rows,), or None
        Source of each row.
    metadata : dict of str to ndarray of shape (n_rows, ...)
        Metadata of the rows.
    kept : ndarray of shape (n_images * n_copies,), bool
        Mask of the copies that have a row.
    """

    images: object
    changes: list
    y: np.ndarray | None
    metadata: dict
    kept: np.ndarray


def list_rows(images, y, metadata, changes, unused=None):
    """List the rows of all copies of images.

    Parameters
    ----------
    images : stack, list, dask array or source of images
        The images.
    y : ndarray of shape (n_images,)
        Sources.
    metadata : dict of str to ndarray of shape (n_images, ...)
        Metadata of the images.
    changes : list of transformers
        The perturbations.
    unused : ndarray of shape (n_images,), bool, default=None
        Images whose unprocessed copy has no row. If given, the metadata of the rows
        holds the number of their condition, too.

    Returns
    -------
    rows : CopyRows
    """
    kept = np.ones((len(y), 1 + len(changes)), dtype=bool)
    if unused is not None:
        kept[:, 0] = ~unused
    numbers, conditions = np.nonzero(kept)
    given = {name: np.asarray(values)[numbers] for name, values in metadata.items()}
    if unused is not None:
        given["conditions"] = conditions
    copies = [None, *map(clone, changes)]
    return CopyRows(images, copies, y[numbers], given, kept.ravel())


def count_perturbations(n_images, n_changes, max_perturbations):
    """Return the number of perturbed copies of each image.

    Parameters
    ----------
    n_images, n_changes : int
        Numbers of images and of perturbations.
    max_perturbations : int, "auto" or None
        As in :class:`AugmentedPipeline`.

    Returns
    -------
    n_perturbations : int
    """
    if max_perturbations == "auto":
        affordable = MOST_IMAGES * (n_changes + 1) // n_images - 1
        max_perturbations = max(FEWEST_PERTURBATIONS, affordable)
    elif max_perturbations is None:
        return n_changes
    check_int("max_perturbations", max_perturbations, 1)
    return min(max_perturbations, n_changes)


def check_perturbations(perturbations):
    """Return a list of the perturbations; raise ValueError for anything else.

    Parameters
    ----------
    perturbations : sequence of transformers or None
        As in :class:`AugmentedPipeline`; None among them is left out.

    Returns
    -------
    changes : list of transformers
    """
    given = () if perturbations is None else perturbations
    listed = list(given) if isinstance(given, Iterable) else [given]
    changes = [change for change in listed if change is not None]
    odd = [c for c in changes if isinstance(c, type) or not hasattr(c, "fit_transform")]
    if isinstance(given, str) or not isinstance(given, Iterable) or odd:
        raise ValueError(
            "perturbations must be a sequence of transformers, such as "
            "[JPEGCompression(quality=90)], () or None for unprocessed images alone, "
            'or "common" in make_attribution_pipeline, got '
            f"{shorten(odd[0] if odd and not isinstance(given, str) else given)}."
        )
    return changes


def count_blocks(X):
    """Return the number of blocks in which copies of images are made."""
    return len(block_sizes(X, IMAGE_VALUES))


def make_source(X, changes, steps, memory, run_task, *, n_jobs, verbose):
    """Return the images and their copies, transformed, as a source of blocks.

    Copies of one image are neighbors, so that unshuffled folds inside the classifier,
    as of a calibration, do not separate them.

    Parameters
    ----------
    X : stack, list, dask array or source of images
        The images.
    changes : list of transformers or None
        Perturbation of each copy; None for the unprocessed image.
    steps : list of transformers
        Stateless steps that are applied to images and copies.
    memory : RowMemory or None
        Memory of the rows that other fits computed.
    run_task : callable
        Makes the reading of a block a task; see `follow_fit`.
    n_jobs, verbose
        As in :class:`AugmentedPipeline`.

    Returns
    -------
    rows : BlockSource
    """
    sizes = block_sizes(X, IMAGE_VALUES)
    ends = np.cumsum(sizes)
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", batch_size=1)
    report = make_report("blocks of images and copies", len(sizes), verbose)

    def compute(parts, numbers):
        # By perturbation: one call describes many images.
        return parallel(
            delayed(_make_copies)(images, changes[number], steps)
            for images, number in zip(parts, numbers, strict=True)
        )

    def complete(images):
        numbers = range(len(changes))
        if memory is None:
            return compute([images] * len(changes), numbers)
        return memory.complete(images, numbers, compute)

    def read(k):
        images = read_images(X, k, slice(ends[k] - sizes[k], ends[k]))
        if k == 0:
            # Stateless steps learn nothing, but remember the number of channels.
            fit_stateless(cut_largest(images), steps)
        rows = compute_block(complete, images, X, ends[k] - sizes[k])
        report(k + 1)
        return _interleave(rows)

    n_rows = [size * len(changes) for size in sizes]
    return BlockSource(follow_blocks(read, run_task), n_rows)


def fit_stateless(X, steps):
    """Fit stateless steps on a few images."""
    for step in steps[:-1]:
        X = step.fit_transform(X)
    for step in steps[-1:]:
        step.fit(X)


def _make_copies(images, change, steps):
    """Perturb images, unless the change is None, and transform them by the steps."""
    # Threads share the perturbation, and `fit` would write to it.
    if change is not None:
        images = cut_copies(clone(change).fit_transform(images), images)
    rows = transform_by(steps, images)
    if isinstance(rows, list):
        raise ValueError(RAGGED)
    return np.asarray(rows)


def cut_copies(copies, images):
    """Cut copies to the sizes of their images, so that larger ones cost no more."""
    return stack_images(
        [
            copy[tuple(map(slice, image.shape))]
            for copy, image in zip(copies, images, strict=True)
        ]
    )


def _interleave(rows):
    """Put the copies of each image, computed by perturbation, side by side."""
    sizes = {part.shape[1:] for part in rows}
    if len(sizes) > 1:
        raise ValueError(
            f"copies differ in shape: {sorted(sizes)}. Put features that take any "
            "size, such as AttributionFeatures, in front of the classifier, or restore "
            "the size of the images."
        )
    return np.stack(rows, axis=1).reshape(-1, *rows[0].shape[1:])

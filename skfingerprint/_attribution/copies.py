"""Perturbed copies of images, made and described block by block."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from skfingerprint._core import (
    RAGGED,
    BlockSource,
    block_sizes,
    check_int,
    follow_blocks,
    make_report,
    read_images,
    transform_by,
)

# Values of images whose copies are held in memory at a time.
IMAGE_VALUES = 2**22
# "auto" makes at most as many rows as this number of images has with all perturbations,
# but at least two perturbed copies of each image.
MOST_IMAGES = 2**12
FEWEST_PERTURBATIONS = 2


@dataclass(frozen=True)
class Copies:
    """Images, and the copies that are made of them.

    Attributes
    ----------
    X : stack, list, dask array or source of images
        The images.
    changes : list of transformers or None
        Perturbation of each condition; None for unprocessed images.
    conditions : ndarray of shape (n_images, n_copies), int
        Condition of each copy of each image.
    steps : list of transformers
        Stateless steps that make rows of images and copies.
    """

    X: Any
    changes: list
    conditions: np.ndarray
    steps: list


def draw_conditions(n_images, n_changes, max_perturbations):
    """Draw the condition of each copy of each image.

    Parameters
    ----------
    n_images, n_changes : int
        Numbers of images and of perturbations.
    max_perturbations : int, "auto" or None
        Number of perturbed copies of each image.

    Returns
    -------
    conditions : ndarray of shape (n_images, n_copies), int
        Sorted in each row; 0 for the unprocessed image, which is always there.
    """
    if max_perturbations == "auto":
        affordable = MOST_IMAGES * (n_changes + 1) // n_images - 1
        max_perturbations = max(FEWEST_PERTURBATIONS, affordable)
    elif max_perturbations is not None:
        check_int("max_perturbations", max_perturbations, 1)
    conditions = np.tile(np.arange(n_changes + 1), (n_images, 1))
    if max_perturbations is None or max_perturbations >= n_changes:
        return conditions
    # A draw for each image: with many images all perturbations are seen anyway.
    drawn = np.random.default_rng(0).permuted(conditions[:, 1:], axis=1)
    drawn = np.sort(drawn[:, :max_perturbations], axis=1)
    return np.concatenate([conditions[:, :1], drawn], axis=1)


def count_blocks(X):
    """Return the number of blocks in which copies of images are made."""
    return len(block_sizes(X, IMAGE_VALUES))


def make_source(copies, memory, run_task, *, n_jobs, verbose):
    """Return the images and their copies, transformed, as a source of blocks.

    Copies of one image are neighbors, so that unshuffled folds inside the classifier,
    as of a calibration, do not separate them.

    Parameters
    ----------
    copies : Copies
        Images, and the copies to make.
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
    X, conditions, steps = copies.X, copies.conditions, copies.steps
    sizes = block_sizes(X, IMAGE_VALUES)
    ends = np.cumsum(sizes)
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", batch_size=1)
    report = make_report("blocks of images and copies", len(sizes), verbose)

    def compute(images, found, numbers):
        # By condition: one call describes many images.
        return parallel(
            delayed(_make_copies)(_safe_indexing(images, own), change, steps)
            for change, own in zip(
                [copies.changes[number] for number in found], numbers, strict=True
            )
        )

    def read(k):
        part = slice(ends[k] - sizes[k], ends[k])
        images, own = read_images(X, k, part), conditions[part]
        if k == 0:
            # Stateless steps learn nothing, but remember the number of channels.
            fit_stateless(images[:1], steps)
        found = np.unique(own)
        places = [np.nonzero(own == condition) for condition in found]
        given = images, found, [at[0] for at in places]
        rows = compute(*given) if memory is None else memory.complete(*given, compute)
        report(k + 1)
        return _interleave(rows, places, own.shape)

    n_rows = [size * conditions.shape[1] for size in sizes]
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
        images = clone(change).fit_transform(images)
    rows = transform_by(steps, images)
    if isinstance(rows, list):
        raise ValueError(RAGGED)
    return np.asarray(rows)


def _interleave(rows, places, shape):
    """Put the rows of each condition to their places, copies of one image together.

    Parameters
    ----------
    rows : list of ndarray of shape (n, ...)
        Rows of each condition.
    places : list of tuple of ndarray
        Indices (image, copy) of these rows.
    shape : tuple of int
        (n_images, n_copies).

    Returns
    -------
    interleaved : ndarray of shape (n_images * n_copies, ...)
    """
    sizes = {part.shape[1:] for part in rows}
    if len(sizes) > 1:
        raise ValueError(
            f"copies differ in shape: {sorted(sizes)}. Put features that take any "
            "size, such as AttributionFeatures, in front of the classifier, or restore "
            "the size of the images."
        )
    # Rows are computed by condition, one call for many images, and sorted by image.
    found = np.empty((*shape, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for part, at in zip(rows, places, strict=True):
        found[at] = part
    return found.reshape(-1, *found.shape[2:])

"""What patches of images differ by, and features whitened by it."""

import numpy as np
from scipy import linalg
from sklearn.decomposition import PCA

from skfingerprint._core import split_by_shape, track
from skfingerprint.denoising import median

# Added to standard deviations of features, which have the size of logarithms.
SMALLEST_SCALE = 1e-3
# Of the sides of a patch that wavelets can decompose.
SMALLEST_PATCH = 14


def find_patch_side(images):
    """Return the shortest side of a patch, along the axes that are cut."""
    sides = [n for image in images for n in _find_sides(image) if n > 1]
    return min(sides, default=1)


def cut_patches(images):
    """Yield a list of one patch of each image, four times: its quarters.

    Those of small images overlap. Of images one pixel high they are halves.
    """
    for bottom in _find_rows(images):
        for right in (False, True):
            yield [_cut(image, bottom, right) for image in images]


def whiten_by_patches(images, function, n_components, shrinkage, seed, verbose=False):
    """Return the mean of features, the directions that whiten, and their eigenvalues.

    `function` makes features of a stack. `n_components` are the numbers of directions
    and of principal components.
    """
    total = 2 + 2 * len(_find_rows(images))
    views = track(_make_views(images), "views of all images", verbose, total)
    rows = _describe(next(views), function)
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + SMALLEST_SCALE
    n_kept = min(n_components[1], len(rows) - 1, rows.shape[1])
    pca = PCA(
        n_kept,
        svd_solver="randomized",
        power_iteration_normalizer="QR",
        random_state=seed,
    )
    with np.errstate(invalid="ignore"):  # of images that are all alike
        pca.fit((rows - mean) / scale)
    axes = pca.components_.T / scale[:, None]
    scores = ((rows - mean) @ axes).astype(float)
    *parts, filtered = (_describe(view, function) @ axes for view in views)
    patches = np.stack(parts, axis=1)
    patches -= patches.mean(axis=1, keepdims=True)
    within = _find_content(patches.reshape(-1, n_kept), filtered)
    within += shrinkage * (np.trace(within) / n_kept or 1) * np.eye(n_kept)
    eigenvalues, vectors = linalg.eigh(scores.T @ scores / len(scores), within)
    order = np.argsort(-eigenvalues, kind="stable")[: n_components[0]]
    return mean, (axes @ vectors[:, order]).astype(np.float32), eigenvalues[order]


def project(rows, mean, directions):
    """Return whitened features."""
    return (rows - mean) @ directions


def _make_views(images):
    """Yield the images, their patches, and copies that have one last source."""
    yield images
    yield from cut_patches(images)
    yield _map_each(median, images)


def _find_rows(images):
    """Return whether patches are cut at the bottom: not of rows."""
    return (False, True) if min(len(image) for image in images) > 1 else (False,)


def _find_sides(image):
    """Return the height and width of patches of an image."""
    least = SMALLEST_PATCH if min(image.shape[:2]) > 1 else 1
    return [max(n // 2, min(n, least)) for n in image.shape[:2]]


def _cut(image, bottom, right):
    height, width = _find_sides(image)
    rows = slice(-height, None) if bottom else slice(height)
    return image[rows, slice(-width, None) if right else slice(width)]


def _find_content(patches, filtered):
    """Return the covariance of patches, plus that of filtered images of equal trace."""
    filtered = filtered - filtered.mean(axis=0)
    first, second = (rows.T @ rows / len(rows) for rows in (patches, filtered))
    traces = float(np.trace(first)), float(np.trace(second))
    return first + second * (traces[0] / traces[1] if min(traces) > 0 else 1)


def _map_each(function, images):
    """Return a list of what a function of stacks makes of images of any sizes."""
    found = [None] * len(images)
    for places, stack in split_by_shape(list(images)):
        for place, image in zip(places, function(stack), strict=True):
            found[place] = image
    return found


def _describe(images, function):
    return np.stack(_map_each(function, images))

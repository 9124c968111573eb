"""Whitening of features by the differences between patches of one image.

Within-class covariance normalization whitens features by the scatter W within classes.
Here an image is a class and its patches are the members, so that labels are not needed.
With the covariance B of images, the ratio ``v' B v / v' W v`` is largest along the
directions in which sources differ more than content does.
"""

import numpy as np
from scipy import linalg

from skfingerprint._core import split_by_shape, track
from skfingerprint.denoising import median

# Added to the standard deviations of features, which are logarithms of powers and roots
# of shares. It bounds the scale of columns that are constant or nearly so.
SMALLEST_SCALE = 1e-3
# Shortest side of a patch: wavelets with 8 taps need 2 * 7 pixels for one level.
SMALLEST_PATCH = 14


def find_patch_side(images):
    """Return the shortest side of a patch, along the axes that are cut."""
    sides = [n for image in images for n in _find_sides(image) if n > 1]
    return min(sides, default=1)


def cut_patches(images):
    """Yield four lists with one patch of each image: its quarters.

    Patches of small images overlap. Images one pixel high are cut in two halves.
    """
    for bottom in _find_rows(images):
        for right in (False, True):
            yield [_cut(image, bottom, right) for image in images]


def whiten_by_patches(images, function, n_components, shrinkage, seed, verbose):
    """Compute directions that whiten features by the scatter of content.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels]), or list
        Images in grey levels.
    function : callable
        Computes the features of a stack, (n, n_features).
    n_components : tuple of int
        Largest numbers of directions and of principal components.
    shrinkage : float
        Multiple of the identity in W, as a share of its mean variance.
    seed : int
        Seed of the principal components.
    verbose : bool or int
        Whether to report how many views of the images are done.

    Returns
    -------
    mean : ndarray of shape (n_features,)
        Mean of the features.
    directions : ndarray of shape (n_features, n_directions), float32
        Directions, in falling order of the eigenvalues.
    eigenvalues : ndarray of shape (n_directions,)
        Variances of images along the directions, the variance of content being 1.
    """
    total = 2 + 2 * len(_find_rows(images))
    views = track(_make_views(images), "views of all images", verbose, total)
    rows = _describe(next(views), function)
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + SMALLEST_SCALE
    n_kept = min(n_components[1], len(rows) - 1, rows.shape[1])
    axes = _find_axes((rows - mean) / scale, n_kept, seed) / scale[:, None]
    scores = ((rows - mean) @ axes).astype(float)
    # No mean is subtracted before the projection: patches are centered by image below,
    # and filtered images about their own mean.
    *parts, filtered = (_describe(view, function) @ axes for view in views)
    patches = np.stack(parts, axis=1)
    patches -= patches.mean(axis=1, keepdims=True)
    within = _sum_content(patches.reshape(-1, n_kept), filtered)
    # W is positive definite with this multiple of the identity, also if it is 0.
    within += shrinkage * (np.trace(within) / n_kept or 1) * np.eye(n_kept)
    # B v = l W v, the stationary points of v' B v / v' W v; the solver's v' W v is 1.
    eigenvalues, vectors = linalg.eigh(scores.T @ scores / len(scores), within)
    order = np.argsort(-eigenvalues, kind="stable")[: n_components[0]]
    return mean, (axes @ vectors[:, order]).astype(np.float32), eigenvalues[order]


def project(rows, mean, directions):
    """Whiten rows of features."""
    return (rows - mean) @ directions


def _find_axes(rows, n_kept, seed):
    """Return the principal axes of rows, (n_features, n_kept)."""
    from sklearn.decomposition import PCA

    pca = PCA(
        n_kept,
        svd_solver="randomized",
        power_iteration_normalizer="QR",
        random_state=seed,
    )
    # Images that are all alike have the total variance 0, by which PCA divides.
    with np.errstate(invalid="ignore"):
        return pca.fit(rows).components_.T


def _make_views(images):
    """Yield the images, their patches, and the images filtered alike."""
    yield images
    yield from cut_patches(images)
    yield _map_each(median, images)


def _find_rows(images):
    """Return the vertical positions of patches: False at the top, True at the bottom.

    Images one pixel high have one position.
    """
    return (False, True) if min(len(image) for image in images) > 1 else (False,)


def _find_sides(image):
    """Return the height and width of patches of an image."""
    least = SMALLEST_PATCH if min(image.shape[:2]) > 1 else 1
    return [max(n // 2, min(n, least)) for n in image.shape[:2]]


def _cut(image, bottom, right):
    """Cut one patch out of an image."""
    height, width = _find_sides(image)
    rows = slice(-height, None) if bottom else slice(height)
    return image[rows, slice(-width, None) if right else slice(width)]


def _sum_content(patches, filtered):
    """Add the covariance of filtered images to that of patches, at equal traces.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, n_kept)
        Scores of patches, less the mean of their image.
    filtered : ndarray of shape (n_samples, n_kept)
        Scores of filtered images.

    Returns
    -------
    within : ndarray of shape (n_kept, n_kept)
    """
    filtered = filtered - filtered.mean(axis=0)
    first, second = (rows.T @ rows / len(rows) for rows in (patches, filtered))
    # At equal traces both kinds of content count alike, whatever their sizes.
    traces = float(np.trace(first)), float(np.trace(second))
    return first + second * (traces[0] / traces[1] if min(traces) > 0 else 1)


def _map_each(function, images):
    """Return the results of a function of stacks for images of any sizes, as a list."""
    found = [None] * len(images)
    for places, stack in split_by_shape(list(images)):
        for place, image in zip(places, function(stack), strict=True):
            found[place] = image
    return found


def _describe(images, function):
    """Compute the features of images of any sizes."""
    return np.stack(_map_each(function, images))

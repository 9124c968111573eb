"""One source or many? Images sorted by sources that nobody has named."""

from numbers import Real

import numpy as np
from scipy import linalg
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skfingerprint._base import Estimator, all_or_nothing
from skfingerprint._blocks import BlockSource, map_blocks, read_rows, take_images
from skfingerprint._checks import check_int, check_positive
from skfingerprint._graphs import (
    MAX_JUDGED,
    MAX_TESTED,
    are_several,
    draw_places,
    find_communities,
    find_neighbours,
    judge,
    number_by_size,
    to_unit_norm,
)
from skfingerprint._layouts import split_by_shape, validate_images
from skfingerprint.denoising import median
from skfingerprint.features import AttributionFeatures

# What is tried where the number of neighbours is not given.
NEIGHBOURS = (5, 7, 10, 15, 20, 30)
# Of fewer rows nothing can be said.
FEWEST = 8


class PatchWhitener(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator
):
    def __init__(
        self,
        n_components=60,
        *,
        n_pca=300,
        ridge=0.01,
        max_samples=2000,
        block_size=32,
        n_jobs=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.n_pca = n_pca
        self.ridge = ridge
        self.max_samples = max_samples
        self.block_size = block_size
        self.n_jobs = n_jobs
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X, y=None):
        self._check_parameters()
        X = self._validate(X, reset=True)
        rng = check_random_state(self.random_state)
        rng = np.random.default_rng(rng.randint(2**31))
        images = take_images(X, draw_places(len(X), self.max_samples, rng))
        if len(images) < 2:
            raise ValueError("what images differ by needs 2 of them, got 1 sample.")
        side = min(self.block_size, find_patch_side(images))
        self.features_ = AttributionFeatures(block_size=side, n_jobs=self.n_jobs)
        self.features_.fit(X)
        whitened = whiten_by_patches(
            images,
            self.features_.transform,
            (self.n_components, self.n_pca),
            self.ridge,
            int(rng.integers(2**31)),
        )
        self.mean_, self.directions_, self.eigenvalues_ = whitened
        return self

    def transform(self, X):
        check_is_fitted(self)
        if not isinstance(X, BlockSource):
            X = self._validate(X, reset=False)
        rows = self.features_.transform(X)
        params = {"mean": self.mean_, "directions": self.directions_}
        return map_blocks(_project, rows, **params)

    @property
    def _n_features_out(self):
        return self.directions_.shape[1]

    def _check_parameters(self):
        for name, low in (("n_components", 1), ("n_pca", 1), ("max_samples", 2)):
            check_int(name, getattr(self, name), low)
        check_int("block_size", self.block_size, 1)
        check_positive("ridge", self.ridge)

    def _validate(self, X, *, reset):
        params = {"aligned": False, "neighbours": True, "n_channels": (1, 3)}
        probe = X.read(0) if isinstance(X, BlockSource) else X
        checked = validate_images(self, probe, reset=reset, dtype="numeric", **params)
        return X if isinstance(X, BlockSource) else checked

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.three_d_array = True
        return tags


class FingerprintClustering(ClusterMixin, Estimator):
    def __init__(
        self,
        n_neighbors="auto",
        *,
        resolution=1.0,
        test_single=True,
        random_state=None,
    ):
        self.n_neighbors = n_neighbors
        self.resolution = resolution
        self.test_single = test_single
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X, y=None):
        check_int("n_neighbors", self.n_neighbors, 1, also=("auto",))
        check_positive("resolution", self.resolution)
        rows = read_rows(validate_images(self, X, reset=True))
        rng = check_random_state(self.random_state)
        rng = np.random.default_rng(rng.randint(2**31))
        # Sorted, so that the order of rows is of no effect; equal ones are one.
        rows, places = np.unique(rows, axis=0, return_inverse=True)
        labels = np.full(len(rows), -1)
        present = rows.any(axis=1)
        labels[present], self.n_neighbors_ = self._cluster(rows[present], rng)
        self.labels_ = number_by_size(labels[places.ravel()])
        self.n_clusters_ = int(self.labels_.max()) + 1
        return self

    def _cluster(self, rows, rng):
        if len(rows) < FEWEST:
            return np.zeros(len(rows), dtype=np.intp), None
        ks = NEIGHBOURS if self.n_neighbors == "auto" else (self.n_neighbors,)
        ks = [k for k in ks if k < len(rows)] or [len(rows) - 1]
        return find_sources(rows, ks, self.resolution, self.test_single, rng)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def find_sources(rows, ks, resolution, test_single, rng):
    """Return the best of the partitions by so many neighbours, and their number."""
    tested = rows[draw_places(len(rows), MAX_TESTED, rng)]
    judged = draw_places(len(rows), MAX_JUDGED, rng)
    seed = int(rng.integers(2**31))
    rows = to_unit_norm(rows)
    neighbours = find_neighbours(rows, max(ks))
    best, labels, n_neighbors = -2.0, None, None
    for k in ks:
        found = find_communities(neighbours[:, :k], resolution, seed)
        score = judge(rows[judged], found[judged])
        if score > best:
            best, labels, n_neighbors = score, found, k
    n_found = labels.max() + 1
    if test_single and not any(
        are_several(tested, n, rng) for n in dict.fromkeys((2, n_found)) if n > 1
    ):
        labels = np.zeros(len(rows), dtype=np.intp)
    return labels, n_neighbors


def find_patch_side(images):
    """Return the shortest side of a patch, along the axes that are halved."""
    shapes = {image.shape[:2] for image in images}
    return min(
        [min(shape[axis] for shape in shapes) // 2 for axis in _halved(images)] or [1]
    )


def _halved(images):
    """Return the axes along which all images are two pixels long or more."""
    return [a for a in (0, 1) if min(image.shape[a] for image in images) > 1]


def cut_patches(images):
    """Yield the halves, or quarters, of all images: a list or a stack of each."""
    axes = _halved(images)
    for vertical in (0, 1) if 0 in axes else (None,):
        for horizontal in (0, 1) if 1 in axes else (None,):
            yield [_cut(image, vertical, horizontal) for image in images]


def _cut(image, *halves):
    parts = [
        slice(None) if half is None else slice(half * (n // 2), (half + 1) * (n // 2))
        for half, n in zip(halves, image.shape[:2], strict=True)
    ]
    return image[tuple(parts)]


def whiten_by_patches(images, find_features, n_components, ridge, seed):
    """Return the mean of features, the directions that whiten, and their eigenvalues.
    """
    rows = find_features(images)
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    n_kept = min(n_components[1], len(rows) - 1, rows.shape[1])
    pca = PCA(n_kept, svd_solver="randomized", random_state=seed)
    scores = pca.fit_transform((rows - mean) / scale)
    axes = pca.components_.T / scale[:, None]
    patches = np.stack([find_features(p) @ axes for p in cut_patches(images)], axis=1)
    patches -= patches.mean(axis=1, keepdims=True)
    blurred = find_features(_filter(images)) @ axes
    within = _add_scatters(patches.reshape(-1, n_kept), blurred - blurred.mean(axis=0))
    within += ridge * (np.trace(within) / n_kept or 1) * np.eye(n_kept)
    eigenvalues, vectors = linalg.eigh(scores.T @ scores / len(scores), within)
    order = np.argsort(-eigenvalues, kind="stable")[: n_components[0]]
    return mean, (axes @ vectors[:, order]).astype(np.float32), eigenvalues[order]


def _add_scatters(patches, blurred):
    """Return the covariance of patches, plus that of filtered images of equal trace.

    They are of what is not the source: content.
    """
    first, second = (rows.T.astype(float) @ rows / len(rows) for rows in (patches, blurred))
    traces = np.trace(first), np.trace(second)
    return first + second * (traces[0] / traces[1] if traces[1] else 1)


def _filter(images):
    """Return images that have one source in common: the median filter."""
    if not isinstance(images, list):
        return median(images)
    found = [None] * len(images)
    for places, stack in split_by_shape(images):
        for place, image in zip(places, median(stack), strict=True):
            found[place] = image
    return found


def _project(rows, mean, directions):
    return (rows - mean) @ directions

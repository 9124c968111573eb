"""One source or many? Images sorted by their sources, of which none is known."""

from functools import partial

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skfingerprint._base import Estimator, all_or_nothing
from skfingerprint._blocks import (
    BlockSource,
    as_rows,
    as_stack,
    map_blocks,
    read_blocks,
    take_images,
)
from skfingerprint._checks import check_int, check_positive
from skfingerprint._evidence import (
    find_freedom,
    merge_by_evidence,
    reassign,
)
from skfingerprint._graphs import (
    draw_places,
    find_sources,
    number_by_size,
    to_unit_norm,
)
from skfingerprint._layouts import validate_images
from skfingerprint._patches import find_patch_side, project, whiten_by_patches
from skfingerprint._progress import track
from skfingerprint.features import AttributionFeatures
from skfingerprint.fingerprint import restore_classifier

# What is tried where the number of neighbours is not given.
NEIGHBOURS = (5, 7, 10, 15, 20, 30)
# Of fewer rows nothing can be said.
FEWEST = 8


class PatchWhitener(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Features in which images of one source point in one direction, without labels.

    The features of :class:`AttributionFeatures` differ between two images because
    their sources do, and because they show different things. The patches of one image
    share its source, so that what they differ by is content. The same goes for copies
    of all images that went through one filter, their last source. Both scatters are
    learned here, and features are whitened by them: the cosine of two rows says
    whether they are of one source.

    Images may be of any size, and need not be aligned. Nothing is known of sources
    that all leave the same, and what changed all images alike is part of their source.

    Parameters
    ----------
    n_components : int, default=60
        Number of columns, at most that of the images less one.
    n_pca : int, default=300
        Number of principal components that are whitened.
    ridge : float, default=0.01
        What is added to the scatter of content, > 0, as a share of its mean.
    max_samples : int, default=2000
        Number of images that are learned from, at most, drawn at random.
    block_size : int, default=32
        Side of the blocks of the spectra in pixels, at most that of a patch.
    n_jobs : int, default=None
        Number of threads; -1 for all processors.
    random_state : int, RandomState instance or None, default=None
        Draws the images and starts the principal components.
    verbose : bool or int, default=False
        Whether to tell how much of the fit is done: in a bar if tqdm is installed
        (extra `progress`), in lines otherwise.

    Attributes
    ----------
    features_ : AttributionFeatures
        What the features are made by.
    mean_ : ndarray of shape (n_values,)
        Mean of the features.
    directions_ : ndarray of shape (n_values, n_components)
        What features less their mean are multiplied by.
    eigenvalues_ : ndarray of shape (n_components,)
        Scatter of images along each column, that of content being 1. The columns are
        in its order.
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    See Also
    --------
    FingerprintClustering : Sorts the rows by sources.
    AttributionFeatures : The features, for sources that are known.

    Notes
    -----
    Of the standardised features' principal components, with the covariance B of
    images, the mean covariance W of the four quarters of an image about their mean,
    and that of 3x3 medians of all images, brought to the trace of W and added to it,
    the columns are the eigenvectors v of ``B v = l W v`` of largest l: within-class
    covariance normalisation [1]_, with patches in the place of classes.

    References
    ----------
    .. [1] A. Hatch, S. Kajarekar, A. Stolcke, "Within-Class Covariance Normalization
       for SVM-based Speaker Recognition", Interspeech, 2006.
       :doi:`10.21437/Interspeech.2006-183`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics.pairwise import cosine_similarity
    >>> from skfingerprint import PatchWhitener
    >>> from skfingerprint.datasets import load_generators
    >>> data = load_generators()
    >>> images, y = data.images[::4], data.target[::4]
    >>> rows = PatchWhitener(random_state=0).fit_transform(images)
    >>> rows.shape
    (160, 60)
    >>> cosines = cosine_similarity(rows)
    >>> same = y[:, None] == y
    >>> bool(cosines[same].mean() > cosines[~same].mean() + 0.2)
    True
    """

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
        verbose=False,
    ):
        self.n_components = n_components
        self.n_pca = n_pca
        self.ridge = ridge
        self.max_samples = max_samples
        self.block_size = block_size
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X, y=None):
        """Learn by what patches and filtered copies differ.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]), or list
            Images, in grey levels, of any number of sources.
        y : None
            Ignored.

        Returns
        -------
        self : PatchWhitener
        """
        self._check_parameters()
        X, rng = self._validate(X, reset=True), _find_generator(self.random_state)
        images = take_images(_as_images(X), draw_places(len(X), self.max_samples, rng))
        if len(images) < 2:
            raise ValueError("what images differ by needs 2 of them, got 1 sample.")
        side = min(self.block_size, find_patch_side(images))
        features = AttributionFeatures(block_size=side, n_jobs=self.n_jobs)
        self.features_ = features.set_output(transform="default")
        function, params = self.features_.fit(X)._get_function()
        describe = partial(map_blocks, function, n_jobs=self.n_jobs, **params)
        sizes, seed = (self.n_components, self.n_pca), int(rng.integers(2**31))
        given = images, describe, sizes, self.ridge, seed
        found = whiten_by_patches(*given, verbose=self.verbose)
        self.mean_, self.directions_, self.eigenvalues_ = found
        return self

    def transform(self, X):
        """Whiten the features of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]), or list
            Images, in grey levels. Sizes need not be those of `fit`.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_components), or dask array if X is one
            Float32, the content of an image having the scatter 1.
        """
        check_is_fitted(self)
        if not isinstance(X, BlockSource):
            X = self._validate(X, reset=False)
        rows = self.features_.transform(X)
        return map_blocks(project, rows, mean=self.mean_, directions=self.directions_)

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
        return tags


class _Clustering(ClusterMixin, Estimator):
    """What both clusterings do alike: read rows, number clusters."""

    def _read(self, X):
        """Check X; return its rows in memory, float32, and a generator."""
        X = validate_images(self, X, reset=True)
        if X.dtype != np.float32:
            X = X.astype(np.float32)  # of what is lazy, block by block
        return as_rows(read_blocks(X)), _find_generator(self.random_state)

    def _keep(self, labels):
        self.labels_ = number_by_size(labels)
        self.n_clusters_ = int(self.labels_.max()) + 1


class FingerprintClustering(_Clustering):
    """Sort rows of :class:`PatchWhitener` by sources, without their number.

    Rows are joined to their neighbours by cosine, the more strongly the more neighbours
    they share, and the clusters are the communities of this graph. Whether there are
    several sources at all is asked apart: a graph has communities even in a cloud of
    one source. Rows must split better than random ones that have their mean
    and covariance, and no clusters.

    What it can't tell: sources that are nearer to each other than the scenes of one
    are, such as two trainings of one network, and sources of very few images.
    Fewer than 8 different rows are taken for one source.

    It needs networkx: ``pip install 'skfingerprint[cluster]'``.

    Parameters
    ----------
    n_neighbors : int or "auto", default="auto"
        Neighbours of a row: fewer make more and smaller clusters. By default the one
        of 5, 7, 10, 15, 20 and 30 whose clusters have the largest silhouette.
    resolution : float, default=1.0
        Of the modularity, > 0: larger values make more clusters.
    test_single : bool, default=True
        Whether to ask if the rows are of one source; otherwise they are sorted in any
        case.
    max_samples : int, default=10000
        Rows that are sorted, at most, drawn at random, >= 8. The others join the
        cluster of most of their neighbours among these. Sources that have few images
        in the draw are lost.
    random_state : int, RandomState instance or None, default=None
        Draws the rows, and orders the moves between communities.
    verbose : bool or int, default=False
        Whether to tell how many numbers of neighbours are done: in a bar if tqdm is
        installed (extra `progress`), in lines otherwise.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int
        Cluster of each row, the largest cluster 0. Rows alone in theirs, and zero
        rows, have -1.
    n_clusters_ : int
        Number of clusters.
    n_neighbors_ : int or None
        The number of neighbours; None where nothing was sorted.
    image_shape_ : tuple of int
        Shape of one row: (n_features,).
    n_features_in_ : int
        Number of features.

    See Also
    --------
    ResidualClustering : For aligned residuals of cameras.
    SourceDetector : Once some sources are known.

    Notes
    -----
    The weight of an edge is the Jaccard index of two neighbourhoods [1]_; communities
    are those of Louvain's method [2]_. Equal rows count once, and the order of rows is
    of no effect. Rows are of several sources if the cosine silhouette of their
    split in two by k-means exceeds the mean of 20 Gaussian draws' by more than .03,
    or that of a split into as many as there are communities by more than .15, and by
    more than the draws' standard deviation: a gap statistic [3]_. It is taken
    of at most 500 rows.

    References
    ----------
    .. [1] R. Jarvis, E. Patrick, "Clustering Using a Similarity Measure Based on
       Shared Near Neighbors", IEEE Transactions on Computers, 1973.
       :doi:`10.1109/T-C.1973.223640`
    .. [2] V. Blondel, J.-L. Guillaume, R. Lambiotte, E. Lefebvre, "Fast Unfolding of
       Communities in Large Networks", Journal of Statistical Mechanics, 2008.
       :doi:`10.1088/1742-5468/2008/10/P10008`
    .. [3] R. Tibshirani, G. Walther, T. Hastie, "Estimating the Number of Clusters in
       a Data Set via the Gap Statistic", Journal of the Royal Statistical Society B,
       2001. :doi:`10.1111/1467-9868.00293`

    Examples
    --------
    >>> from sklearn.metrics import adjusted_rand_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClustering, PatchWhitener
    >>> from skfingerprint.datasets import load_generators
    >>> data = load_generators()
    >>> clustering = make_pipeline(
    ...     PatchWhitener(random_state=0), FingerprintClustering(random_state=0))
    >>> images, y = data.images[::2], data.target[::2]
    >>> labels = clustering.fit_predict(images)
    >>> int(labels.max()) + 1, len(data.target_names)
    (10, 8)
    >>> round(adjusted_rand_score(y, labels), 2)
    0.9

    One source alone is one cluster:

    >>> int(clustering.fit_predict(images[y == 0]).max()) + 1
    1
    """

    def __init__(
        self,
        n_neighbors="auto",
        *,
        resolution=1.0,
        test_single=True,
        max_samples=10000,
        random_state=None,
        verbose=False,
    ):
        self.n_neighbors = n_neighbors
        self.resolution = resolution
        self.test_single = test_single
        self.max_samples = max_samples
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X, y=None):
        """Sort the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, those of :class:`PatchWhitener` above all. They are held in memory.
        y : None
            Ignored.

        Returns
        -------
        self : FingerprintClustering
        """
        check_int("n_neighbors", self.n_neighbors, 1, also=("auto",))
        check_int("max_samples", self.max_samples, FEWEST)
        check_positive("resolution", self.resolution)
        rows, rng = self._read(X)
        # Sorted, so that the order of rows is of no effect; equal ones are one.
        rows, places = np.unique(rows, axis=0, return_inverse=True)
        labels, present = np.full(len(rows), -1), rows.any(axis=1)
        labels[present], self.n_neighbors_ = self._sort(rows[present], rng)
        self._keep(labels[places.ravel()])
        return self

    def _sort(self, rows, rng):
        """Return a label for each row, and the number of neighbours."""
        if len(rows) < FEWEST:
            return np.zeros(len(rows), dtype=np.intp), None
        n_rows = min(len(rows), self.max_samples)
        ks = NEIGHBOURS if self.n_neighbors == "auto" else (self.n_neighbors,)
        ks = [k for k in ks if k < n_rows] or [n_rows - 1]
        tried = partial(track, title="numbers of neighbours", verbose=self.verbose)
        params = n_rows, self.resolution, self.test_single, rng
        return find_sources(rows, tried(ks), max(ks), *params)


class ResidualClustering(_Clustering):
    """Sort aligned residuals by the cameras that made them, without their number.

    Each residual starts as a cluster. The two clusters whose union gains most evidence
    of a common fingerprint are merged, while the gain is more than chance
    yields among all pairs; the fingerprint grows with the cluster, and with it what a
    further residual adds. Then each residual is asked once more which fingerprint it
    correlates with most, its own part in it left out.

    For residuals of one size of a sensor's same area: photo-response noise is
    locked to the pixels. Networks leave periodic patterns, which match at wrong
    alignments too, by which chance is judged here: take :class:`FingerprintClustering`.

    Parameters
    ----------
    reassign : bool, default=True
        Whether to take the last step.
    random_state : int, RandomState instance or None, default=None
        Draws the wrong alignments.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int
        Cluster of each residual, the largest cluster 0. Those alone in theirs, and
        zero ones, have -1.
    n_clusters_ : int
        Number of clusters.
    fingerprints_ : ndarray of shape (n_clusters, ...)
        Mean residual of each cluster, of shape `image_shape_`, in grey levels.
    cluster_sizes_ : ndarray of shape (n_clusters,), int
        Number of residuals in each.
    classifier_ : FingerprintClassifier
        Has these fingerprints, and the numbers of clusters as classes: it attributes
        further residuals, takes them in (`partial_fit`) and is merged with others.
    degrees_of_freedom_ : float
        Of correlations of residuals that share no fingerprint.
    image_shape_ : tuple of int
        Shape of one residual.
    n_features_in_ : int
        Number of values in a residual.

    See Also
    --------
    ResidualExtractor, LinearPatternRemover : Make and clean residuals of cameras.
    FingerprintClassifier : Once the sources have names.

    Notes
    -----
    Of n unit residuals with the sum s, ``a = max(|s|^2 / n, 1)`` is 1 on average if
    they share nothing. Their evidence is ``D / 2 (a - 1 - log a)``, the log-likelihood
    ratio of the variance of D normal values. D is one over the mean square of the
    correlations of residuals with others at wrong alignments: fewer than the values
    of a residual, since neighbours are alike. A merger must gain more than the
    logarithm of the number of pairs. Memory holds the residuals and the correlations
    of all pairs.

    Examples
    --------
    >>> from sklearn.metrics import adjusted_rand_score
    >>> from skfingerprint import ResidualClustering, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(60, 4, strength=12, random_state=0)
    >>> residuals = ResidualExtractor().transform(images)
    >>> clustering = ResidualClustering(random_state=0).fit(residuals)
    >>> clustering.n_clusters_, adjusted_rand_score(y, clustering.labels_)
    (4, 1.0)
    >>> clustering.fingerprints_.shape
    (4, 64, 64, 3)
    >>> more, _ = make_fingerprint_images(80, 4, strength=12, random_state=0)
    >>> clustering.classifier_.predict(ResidualExtractor().transform(more[60:])).shape
    (20,)
    """

    def __init__(self, *, reassign=True, random_state=None):
        self.reassign = reassign
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X, y=None):
        """Sort the residuals, and average those of each cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels. They are held in memory.
        y : None
            Ignored.

        Returns
        -------
        self : ResidualClustering
        """
        rows, rng = self._read(X)
        labels, present = np.full(len(rows), -1), rows.any(axis=1)
        units = to_unit_norm(rows[present])
        self.degrees_of_freedom_ = find_freedom(units, self.image_shape_, rng)
        found = merge_by_evidence(units @ units.T, self.degrees_of_freedom_)
        labels[present] = reassign(units, found) if self.reassign else found
        self._keep(labels)
        self._average(rows)
        return self

    def _average(self, rows):
        numbers = np.arange(self.n_clusters_)
        members = (numbers[:, None] == self.labels_).astype(np.float32)
        self.cluster_sizes_ = np.bincount(self.labels_ + 1, minlength=1)[1:]
        means = members @ rows / self.cluster_sizes_[:, None].astype(np.float32)
        self.fingerprints_ = means.reshape(-1, *self.image_shape_)
        weights = self.cluster_sizes_.astype(float)
        self.classifier_ = restore_classifier(numbers, self.fingerprints_, weights)


def _as_images(X):
    """View rows as images one pixel high; a list stays one."""
    return X if isinstance(X, (list, BlockSource)) else as_stack(X)


def _find_generator(random_state):
    """Return a generator of its own, seeded by a random state."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31))

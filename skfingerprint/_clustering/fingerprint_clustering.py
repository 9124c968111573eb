"""Cluster rows by source, without knowing the number of sources."""

from functools import partial

import numpy as np

from skfingerprint._clustering.base import _Clustering
from skfingerprint._clustering.communities import (
    find_sources,
)
from skfingerprint._core import (
    all_or_nothing,
    check_int,
    check_positive,
    track,
)

# What is tried where the number of neighbors is not given.
NEIGHBOURS = (5, 7, 10, 15, 20, 30)
# Of fewer rows nothing can be said.
FEWEST = 8


class FingerprintClustering(_Clustering):
    """Sort rows of :class:`PatchWhitener` by sources, without their number.

    Rows are joined to their neighbors by cosine, the more strongly the more neighbors
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
        Neighbors of a row: fewer make more and smaller clusters. By default the one
        of 5, 7, 10, 15, 20 and 30 whose clusters have the largest silhouette.
    resolution : float, default=1.0
        Of the modularity, > 0: larger values make more clusters.
    test_single : bool, default=True
        Whether to ask if the rows are of one source; otherwise they are sorted in any
        case.
    max_samples : int, default=10000
        Rows that are sorted, at most, drawn at random, >= 8. The others join the
        cluster of most of their neighbors among these. Sources that have few images
        in the draw are lost.
    random_state : int, RandomState instance or None, default=None
        Draws the rows, and orders the moves between communities.
    verbose : bool or int, default=False
        Whether to tell how many numbers of neighbors are done: in a bar if tqdm is
        installed (extra `progress`), in lines otherwise.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int
        Cluster of each row, the largest cluster 0. Rows alone in theirs, and zero
        rows, have -1.
    n_clusters_ : int
        Number of clusters.
    n_neighbors_ : int or None
        The number of neighbors; None where nothing was sorted.
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
    The weight of an edge is the Jaccard index of two neighborhoods [1]_; communities
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
        *,
        n_neighbors="auto",
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
        """Return a label for each row, and the number of neighbors."""
        if len(rows) < FEWEST:
            return np.zeros(len(rows), dtype=np.intp), None
        n_rows = min(len(rows), self.max_samples)
        ks = NEIGHBOURS if self.n_neighbors == "auto" else (self.n_neighbors,)
        ks = [k for k in ks if k < n_rows] or [n_rows - 1]
        tried = partial(track, title="numbers of neighbors", verbose=self.verbose)
        params = n_rows, self.resolution, self.test_single, rng
        return find_sources(rows, tried(ks), max(ks), *params)

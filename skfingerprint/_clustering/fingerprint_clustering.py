"""Clustering of rows by source, without the number of sources."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfingerprint._clustering.base import Clustering
from skfingerprint._clustering.communities import (
    Reference,
    find_clusters,
    find_sources,
)
from skfingerprint._core import (
    all_or_nothing,
    as_rows,
    check_int,
    check_positive,
    score_blocks,
    track,
    validate_images,
)

# Numbers of neighbors that "auto" chooses from.
NEIGHBORS = (5, 7, 10, 15, 20, 30)
# Fewer different rows have no clusters worth a test, and count as one source.
FEWEST = 8


class FingerprintClustering(Clustering):
    """Cluster rows of :class:`PatchWhitener` by source, without the number of sources.

    Each row is joined to its nearest neighbors by cosine. The more neighbors two rows
    share, the larger is the weight of their edge, and the clusters are the communities
    of this graph. A graph has communities even in a cloud of one source. A separate
    test therefore decides whether there are several sources at all: the rows must split
    better than random rows with their mean and covariance, which have no clusters.

    Two sources cannot be distinguished if they are nearer to each other than the scenes
    of one source are, such as two trainings of one network. Sources of very few images
    are not detected. Fewer than 8 different rows count as one source.

    This estimator needs networkx: ``pip install "skfingerprint[cluster]"``.

    Parameters
    ----------
    n_neighbors : int or "auto", default="auto"
        Number of neighbors of each row, reduced to the number of other rows if there
        are fewer. Fewer neighbors make more and smaller clusters. "auto" selects the
        one of 5, 7, 10, 15, 20 and 30 whose clusters have the largest silhouette.
    resolution : float, default=1.0
        Resolution of the modularity, > 0. Larger values make more clusters.
    test_single : bool, default=True
        Whether to test if all rows come from one source. Without the test the rows are
        always divided into communities.
    max_samples : int, default=10000
        Largest number of rows that are clustered, >= 8. They are drawn at random, and
        each other row joins the cluster of most of its nearest neighbors among them.
        Sources with few images in the draw are lost. The drawn rows are kept for
        `predict`.
    random_state : int, RandomState instance or None, default=None
        Draws the rows, and orders the moves between communities.
    verbose : bool or int, default=False
        Whether to report how many numbers of neighbors are done: in a bar if tqdm is
        installed (extra `progress`), in lines otherwise.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int
        Cluster of each row, the largest cluster 0. Zero rows, and rows that are alone
        in a cluster, have -1.
    n_clusters_ : int
        Number of clusters.
    n_neighbors_ : int or None
        Number of neighbors; None with fewer than 8 different rows.
    image_shape_ : tuple of int
        Shape of one row: (n_features,).
    n_features_in_ : int
        Number of features.

    See Also
    --------
    ResidualClustering : Clusters aligned residuals of cameras.
    SourceDetector : Detects sources that are known.

    Notes
    -----
    Neighbors are searched among all drawn rows, scaled to unit norm, by scikit-learn's
    :class:`~sklearn.neighbors.NearestNeighbors`. The weight of an edge is the Jaccard
    index of two neighborhoods [1]_. Communities are those of Louvain's method [2]_.
    Equal rows count once, and the order of rows has no effect.

    The test is a gap statistic [3]_ of at most 500 rows: the excess of the cosine
    silhouette of a split by k-means over the mean of 20 Gaussian draws. Rows are of
    several sources if the excess is more than 0.03 for a split in two, or more than
    0.15 for a split into as many parts as there are communities. The excess must also
    be larger than the standard deviation of the draws.

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
    0.91

    The images of a single source make one cluster:

    >>> int(clustering.fit_predict(images[y == 0]).max()) + 1
    1

    New images join the clusters that were found:

    >>> labels = clustering.fit_predict(images)
    >>> further = clustering.predict(data.images[1::2])
    >>> round(adjusted_rand_score(data.target[1::2], further), 1)
    0.9
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
        """Cluster the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, usually from :class:`PatchWhitener`. They are held in memory.
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
        # Equal rows would be each other's only neighbors. As rows are sorted as well,
        # their order in X has no effect.
        params = {"return_index": True, "return_inverse": True}
        rows, firsts, places = np.unique(rows, axis=0, **params)
        labels, present = np.full(len(rows), -1), rows.any(axis=1)
        labels[present], k, drawn = self._cluster(rows[present], rng)
        self._keep(labels[places.ravel()])
        self.n_neighbors_, kept = k, np.flatnonzero(present)[drawn]
        numbers = np.full(labels.max(initial=-1) + 1, -1)
        numbers[labels[present]] = self.labels_[firsts[present]]
        self._reference = Reference(rows[kept], labels[kept], k or 1, numbers)
        return self

    def predict(self, X):
        """Predict the cluster of new rows.

        A row joins the cluster of most of its `n_neighbors_` nearest neighbors among
        the rows that were clustered, as rows beyond `max_samples` do in `fit`. Rows of
        `fit` keep their clusters. The number of clusters stays as it is: images of
        a further source join the nearest cluster, and a new fit with them is needed to
        separate it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows from the same :class:`PatchWhitener` as those of `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int
            Cluster of each row; -1 for zero rows, and for rows whose neighbors are in
            no cluster.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return score_blocks(_find_clusters, X, self._reference)

    def _cluster(self, rows, rng):
        """Return the label of each row, the number of neighbors, and drawn rows."""
        if len(rows) < FEWEST:
            return np.zeros(len(rows), dtype=np.intp), None, np.arange(len(rows))
        n_rows = min(len(rows), self.max_samples)
        ks = NEIGHBORS if self.n_neighbors == "auto" else (self.n_neighbors,)
        ks = [k for k in ks if k < n_rows] or [n_rows - 1]
        tried = track(ks, "numbers of neighbors", self.verbose)
        params = n_rows, self.resolution, self.test_single, rng
        return find_sources(rows, tried, max(ks), *params)


def _find_clusters(block, reference):
    return find_clusters(as_rows(block), reference)

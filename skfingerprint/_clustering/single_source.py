"""Test whether rows come from one source."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

# Draws from one Gaussian.
N_DRAWS = 20
# By how much a silhouette must exceed that of draws from one Gaussian: of a split in
# two, and of one in more, which scenes that repeat bring about as well.
EXCESS_OF_TWO = 0.03
EXCESS_OF_MORE = 0.15


def judge(rows, labels):
    """Return the mean cosine silhouette; -1 where there are not several clusters."""
    if not 1 < len(np.unique(labels)) < len(rows):
        return -1.0
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(rows, labels, metric="cosine"))


def are_several(rows, n_clusters, rng):
    """Whether a split of rows is better than those of draws from one Gaussian.

    The draws have the mean and the covariance of the rows.
    """
    if len(rows) <= n_clusters:
        return False
    seed = int(rng.integers(2**31))
    center = rows.mean(axis=0)
    scores, axes = np.linalg.svd(rows - center, full_matrices=False)[1:]
    factor = scores[:, None] * axes / np.sqrt(len(rows) - 1)
    null = np.empty(N_DRAWS)
    with threadpool_limits(1):  # so few rows are slower by several threads
        for i in range(N_DRAWS):
            drawn = rng.standard_normal((len(rows), len(factor)), dtype=np.float32)
            null[i] = _split(drawn @ factor + center, n_clusters, seed)
        excess = _split(rows, n_clusters, seed) - null.mean()
    margin = EXCESS_OF_TWO if n_clusters == 2 else EXCESS_OF_MORE
    return excess > max(margin, null.std())


def _split(rows, n_clusters, seed):
    """Return the silhouette of rows, split by k-means of their directions."""
    from sklearn.cluster import KMeans

    rows = normalize(rows)
    model = KMeans(n_clusters, n_init=3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of rows that coincide
        return judge(rows, model.fit_predict(rows))

"""Test whether rows come from one source, by a gap statistic.

A graph has communities even in a cloud of one source. Rows of several sources split
better than draws from one Gaussian with their mean and covariance do.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

# Draws from one Gaussian.
N_DRAWS = 20
# Least excess of a silhouette over those of the draws, for a split in two and for a
# split into more parts. The second is larger because scenes that recur form small
# clusters within one source, too. Both were chosen on the even half of the photographs
# of docs/one_or_many.rst, which gives the errors of both halves.
EXCESS_OF_TWO = 0.03
EXCESS_OF_MORE = 0.15


def judge(rows, labels):
    """Compute the mean cosine silhouette; -1 unless there are several clusters."""
    # The silhouette is undefined for one cluster, and if each row is a cluster.
    if not 1 < len(np.unique(labels)) < len(rows):
        return -1.0
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(rows, labels, metric="cosine"))


def are_several(rows, n_clusters, rng):
    """Test whether rows split better than draws from one Gaussian.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Rows, not scaled to unit norm.
    n_clusters : int
        Number of parts of the split.
    rng : numpy.random.Generator
        Draws the Gaussian rows.

    Returns
    -------
    are_several : bool
        Whether the rows come from several sources.
    """
    if len(rows) <= n_clusters:
        return False
    seed = int(rng.integers(2**31))
    center = rows.mean(axis=0)
    # With the decomposition U S V' of n centered rows, the rows F = S V' / sqrt(n - 1)
    # have F' F = V S^2 V' / (n - 1), their covariance. Normal rows times F have it too.
    scores, axes = np.linalg.svd(rows - center, full_matrices=False)[1:]
    factor = scores[:, None] * axes / np.sqrt(len(rows) - 1)
    null = np.empty(N_DRAWS)
    # So few rows are slower by several threads.
    with threadpool_limits(1):
        for i in range(N_DRAWS):
            drawn = rng.standard_normal((len(rows), len(factor)), dtype=np.float32)
            null[i] = _split(drawn @ factor + center, n_clusters, seed)
        excess = _split(rows, n_clusters, seed) - null.mean()
    margin = EXCESS_OF_TWO if n_clusters == 2 else EXCESS_OF_MORE
    # The draws of few rows may differ among themselves by more than the margin.
    return excess > max(margin, null.std())


def _split(rows, n_clusters, seed):
    """Split rows by k-means of their directions, and compute the silhouette."""
    from sklearn.cluster import KMeans

    # Between unit rows, squared Euclidean distances are 2 - 2 cos: those of cosines.
    rows = normalize(rows)
    model = KMeans(n_clusters, n_init=3, random_state=seed)
    with warnings.catch_warnings():
        # Rows that coincide make fewer clusters, of which k-means warns.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return judge(rows, model.fit_predict(rows))

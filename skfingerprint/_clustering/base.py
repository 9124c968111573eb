"""Base class of the clusterings."""

import numpy as np
from sklearn.base import ClusterMixin

from skfingerprint._core import (
    Estimator,
    as_rows,
    find_generator,
    read_blocks,
    validate_images,
)


class Clustering(ClusterMixin, Estimator):
    """Reading of rows and numbering of clusters, which both clusterings share."""

    def _read(self, X):
        """Validate X; return its rows in memory, float32, and a generator."""
        X = validate_images(self, X, reset=True)
        if X.dtype != np.float32:
            # Lazy input is cast block by block; memory never holds it in float64.
            X = X.astype(np.float32)
        return as_rows(read_blocks(X)), find_generator(self.random_state)

    def _keep(self, labels):
        """Set the fitted labels and the number of clusters."""
        self.labels_ = number_by_size(labels)
        self.n_clusters_ = int(self.labels_.max()) + 1


def number_by_size(labels):
    """Renumber clusters by size, the largest 0.

    Clusters of one size keep the order of their first rows. Clusters of one row, and
    the label -1, become -1.
    """
    names, firsts, inverse, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    counts = np.where(names < 0, 0, counts)
    numbers = np.full(len(names), -1)
    # The last key of `lexsort` is the first to sort by.
    order = np.lexsort((firsts, -counts))[: np.count_nonzero(counts > 1)]
    numbers[order] = np.arange(len(order))
    return numbers[inverse]

"""Base class of the clusterings."""

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.utils import check_random_state

from skfingerprint._clustering.communities import number_by_size
from skfingerprint._core import Estimator, as_rows, read_blocks, validate_images


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


def find_generator(random_state):
    """Create a generator that is seeded by a random state."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31))

"""Base of the clusterings: reading rows, numbering clusters."""

import numpy as np
from sklearn.base import ClusterMixin
from sklearn.utils import check_random_state

from skfingerprint._clustering.communities import number_by_size
from skfingerprint._core import (
    Estimator,
    as_rows,
    read_blocks,
    validate_images,
)


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


def _find_generator(random_state):
    """Return a generator of its own, seeded by a random state."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31))

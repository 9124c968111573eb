"""Clustering of residuals by camera, without the number of cameras."""

import numpy as np
from sklearn.preprocessing import normalize

from skfingerprint._attribution import restore_classifier
from skfingerprint._clustering.agglomeration import (
    find_freedom,
    merge_by_evidence,
    reassign,
)
from skfingerprint._clustering.base import Clustering
from skfingerprint._core import all_or_nothing


class ResidualClustering(Clustering):
    """Cluster aligned residuals by camera, without the number of cameras.

    Each residual starts as a cluster. The two clusters whose union gains most evidence
    of a common fingerprint are merged, while the gain is larger than chance yields
    among all pairs. The fingerprint of a cluster becomes more precise with its size, so
    that fainter residuals can join. In a last step, each residual is assigned to the
    cluster whose fingerprint it correlates with most; the residual itself is left out
    of that fingerprint.

    The residuals must have one size and show the same area of the sensor, because
    photo-response noise is locked to the pixels. Networks leave periodic patterns,
    which match at wrong alignments as well, and wrong alignments measure chance here:
    use :class:`FingerprintClustering` for networks.

    Parameters
    ----------
    reassign : bool, default=True
        Whether to do the last step.
    random_state : int, RandomState instance or None, default=None
        Draws the wrong alignments.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int
        Cluster of each residual, the largest cluster 0. Zero residuals, and residuals
        that are alone in a cluster, have -1.
    n_clusters_ : int
        Number of clusters.
    fingerprints_ : ndarray of shape (n_clusters, ...)
        Mean residual of each cluster, of shape `image_shape_`, in grey levels.
    cluster_sizes_ : ndarray of shape (n_clusters,), int
        Number of residuals in each cluster.
    classifier_ : FingerprintClassifier
        Classifier with these fingerprints, whose classes are the numbers of the
        clusters. It attributes further residuals if there are two clusters or more,
        learns from them by `partial_fit` and `add_sources`, and can be merged with
        other classifiers.
    degrees_of_freedom_ : float
        Effective degrees of freedom of correlations without a common fingerprint.
    image_shape_ : tuple of int
        Shape of one residual.
    n_features_in_ : int
        Number of values in a residual.

    See Also
    --------
    ResidualExtractor, LinearPatternRemover : Make and clean residuals of cameras.
    FingerprintClassifier : Attributes residuals to sources with names.

    Notes
    -----
    For n unit residuals with the sum s, ``a = max(|s|^2 / n, 1)`` is about 1 without a
    common fingerprint. The evidence is ``D / 2 (a - 1 - log a)``: the log-likelihood
    ratio of two variances of D normal values, a and 1. D is one over the mean square of
    the correlations of residuals with other residuals at wrong alignments. It is
    smaller than the number of values in a residual, since neighboring values are alike.
    A merger must gain more than the logarithm of the number of pairs. Memory holds the
    residuals and the correlations of all pairs.

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
        """Cluster the residuals, and average the residuals of each cluster.

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
        # A zero residual has no direction, and belongs to no cluster.
        labels, present = np.full(len(rows), -1), rows.any(axis=1)
        units = normalize(rows)[present]
        self.degrees_of_freedom_ = find_freedom(units, self.image_shape_, rng)
        found = merge_by_evidence(units @ units.T, self.degrees_of_freedom_)
        labels[present] = reassign(units, found) if self.reassign else found
        self._keep(labels)
        self._average(rows)
        return self

    def _average(self, rows):
        """Set the fingerprints, and a classifier that has them."""
        numbers = np.arange(self.n_clusters_)
        members = (numbers[:, None] == self.labels_).astype(np.float32)
        # The first count is that of the label -1.
        self.cluster_sizes_ = np.bincount(self.labels_ + 1, minlength=1)[1:]
        means = members @ rows / self.cluster_sizes_[:, None].astype(np.float32)
        self.fingerprints_ = means.reshape(-1, *self.image_shape_)
        weights = self.cluster_sizes_.astype(float)
        self.classifier_ = restore_classifier(numbers, self.fingerprints_, weights)

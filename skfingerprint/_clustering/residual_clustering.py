"""Cluster residuals by camera, without knowing the number of cameras."""

import numpy as np
from sklearn.preprocessing import normalize

from skfingerprint._attribution import restore_classifier
from skfingerprint._clustering.agglomeration import (
    find_freedom,
    merge_by_evidence,
    reassign,
)
from skfingerprint._clustering.base import _Clustering
from skfingerprint._core import all_or_nothing


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
    of a residual, since neighbors are alike. A merger must gain more than the
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
        units = normalize(rows)[present]
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

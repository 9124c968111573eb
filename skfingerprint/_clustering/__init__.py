"""Clustering of images by source, without labels."""

from skfingerprint._clustering.fingerprint_clustering import FingerprintClustering
from skfingerprint._clustering.patch_whitener import PatchWhitener
from skfingerprint._clustering.residual_clustering import ResidualClustering

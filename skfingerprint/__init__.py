"""Which generator or camera made an image? Noise fingerprints for scikit-learn."""

from skfingerprint.fingerprint import FingerprintClassifier
from skfingerprint.residual import ResidualExtractor

__version__ = "0.1.0"

__all__ = ["FingerprintClassifier", "ResidualExtractor"]

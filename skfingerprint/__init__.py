"""Which generator or camera made an image? Noise fingerprints for scikit-learn."""

from skfingerprint.augmentation import AugmentedClassifier
from skfingerprint.fingerprint import FingerprintClassifier, FingerprintTransformer
from skfingerprint.residual import ResidualExtractor, SpectrumTransformer

__version__ = "0.1.0"

__all__ = [
    "AugmentedClassifier",
    "FingerprintClassifier",
    "FingerprintTransformer",
    "ResidualExtractor",
    "SpectrumTransformer",
]

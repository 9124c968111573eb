"""Which generator or camera made an image? Noise fingerprints for scikit-learn."""

from skfingerprint.augmentation import AugmentedClassifier
from skfingerprint.detection import FingerprintDetector, RejectingClassifier
from skfingerprint.features import CooccurrenceTransformer, SpectrumTransformer
from skfingerprint.fingerprint import FingerprintClassifier, FingerprintTransformer
from skfingerprint.pipeline import make_attribution_pipeline
from skfingerprint.residual import (
    ChannelDecorrelator,
    LinearPatternRemover,
    ResidualExtractor,
    SpectrumFlattener,
)

__version__ = "0.1.0"

__all__ = [
    "AugmentedClassifier",
    "ChannelDecorrelator",
    "CooccurrenceTransformer",
    "FingerprintClassifier",
    "FingerprintDetector",
    "FingerprintTransformer",
    "LinearPatternRemover",
    "RejectingClassifier",
    "ResidualExtractor",
    "SpectrumFlattener",
    "SpectrumTransformer",
    "make_attribution_pipeline",
]

"""Which generator or camera made an image? Noise fingerprints for scikit-learn."""

from skfingerprint._versions import show_versions
from skfingerprint.augmentation import AugmentedClassifier, AugmentedPipeline
from skfingerprint.cleaning import (
    ChannelDecorrelator,
    LinearPatternRemover,
    SpectrumFlattener,
)
from skfingerprint.clustering import (
    FingerprintClustering,
    PatchWhitener,
    ResidualClustering,
)
from skfingerprint.datasets._reader import ImageReader
from skfingerprint.detection import FingerprintDetector
from skfingerprint.discriminant import CopyDiscriminant
from skfingerprint.features import (
    AttributionFeatures,
    CooccurrenceTransformer,
    SpectrumTransformer,
)
from skfingerprint.fingerprint import FingerprintClassifier
from skfingerprint.localization import FingerprintLocalizer
from skfingerprint.open_set import CopyDetector, SourceDetector
from skfingerprint.pipeline import make_attribution_pipeline
from skfingerprint.rejection import RejectingClassifier
from skfingerprint.residual import ResidualExtractor
from skfingerprint.transformer import FingerprintTransformer
from skfingerprint.unflatten import Unflatten
from skfingerprint.windowed import WindowedClassifier

__version__ = "0.2.0"

__all__ = [
    "AttributionFeatures",
    "AugmentedClassifier",
    "AugmentedPipeline",
    "ChannelDecorrelator",
    "CooccurrenceTransformer",
    "CopyDetector",
    "CopyDiscriminant",
    "FingerprintClassifier",
    "FingerprintClustering",
    "FingerprintDetector",
    "FingerprintLocalizer",
    "FingerprintTransformer",
    "ImageReader",
    "LinearPatternRemover",
    "PatchWhitener",
    "RejectingClassifier",
    "ResidualClustering",
    "ResidualExtractor",
    "SourceDetector",
    "SpectrumFlattener",
    "SpectrumTransformer",
    "Unflatten",
    "WindowedClassifier",
    "make_attribution_pipeline",
    "show_versions",
]

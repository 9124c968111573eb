"""Which generator or camera made an image? Noise fingerprints for scikit-learn."""

from skfingerprint._attribution import (
    AugmentedPipeline,
    FingerprintClassifier,
    FingerprintTransformer,
    SourceDiscriminant,
)
from skfingerprint._clustering import (
    FingerprintClustering,
    PatchWhitener,
    ResidualClustering,
)
from skfingerprint._core import show_versions
from skfingerprint._features import (
    AttributionFeatures,
    CooccurrenceTransformer,
    SpectrumTransformer,
)
from skfingerprint._images import (
    ChannelDecorrelator,
    ImageReader,
    LinearPatternRemover,
    ResidualExtractor,
    SpectrumFlattener,
    Unflatten,
)
from skfingerprint._localization import FingerprintLocalizer, WindowedClassifier
from skfingerprint._open_set import (
    FingerprintDetector,
    RejectingClassifier,
    SourceDetector,
)
from skfingerprint._pipeline import make_attribution_pipeline

__version__ = "0.3.0"
__all__ = [
    "AttributionFeatures",
    "AugmentedPipeline",
    "ChannelDecorrelator",
    "CooccurrenceTransformer",
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
    "SourceDiscriminant",
    "SpectrumFlattener",
    "SpectrumTransformer",
    "Unflatten",
    "WindowedClassifier",
    "make_attribution_pipeline",
    "show_versions",
]

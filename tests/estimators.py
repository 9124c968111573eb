"""Every exported estimator, in the settings that matter, for the common checks."""

from sklearn.base import is_clusterer

from skfingerprint import (
    AttributionFeatures,
    AugmentedClassifier,
    ChannelDecorrelator,
    CooccurrenceTransformer,
    CopyDetector,
    CopyDiscriminant,
    FingerprintClassifier,
    FingerprintClustering,
    FingerprintDetector,
    FingerprintTransformer,
    LinearPatternRemover,
    PatchWhitener,
    RejectingClassifier,
    ResidualClustering,
    ResidualExtractor,
    SourceDetector,
    SpectrumFlattener,
    SpectrumTransformer,
    Unflatten,
)
from skfingerprint.perturbation import (
    Crop,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    RandomPerturbation,
    Resize,
    Shift,
    WebPCompression,
)

ESTIMATORS = [
    ResidualExtractor(),
    ResidualExtractor("gaussian"),
    ResidualExtractor("median"),
    ResidualExtractor("wavelet_shrink"),
    ResidualExtractor("wiener"),
    ResidualExtractor(cycle_spins=4),
    FingerprintClassifier(),
    FingerprintClassifier(subtract_common=True),
    FingerprintClassifier(statistic="pce"),
    FingerprintClassifier(max_shift=2),
    FingerprintTransformer(),
    FingerprintDetector(),
    RejectingClassifier(FingerprintClassifier(), FingerprintDetector()),
    SpectrumTransformer(),
    SpectrumTransformer(block_size=8, radial=True, color_space="ycbcr"),
    CooccurrenceTransformer(),
    AttributionFeatures(),
    CopyDiscriminant(),
    SourceDetector(),
    SourceDetector(miss_rate=0.1),
    CopyDetector(),
    ChannelDecorrelator(),
    LinearPatternRemover(),
    SpectrumFlattener(),
    AugmentedClassifier(FingerprintClassifier(), []),
    PatchWhitener(random_state=0),
    FingerprintClustering(random_state=0),
    ResidualClustering(random_state=0),
    Unflatten((20, -1)),
    JPEGCompression(),
    Resize(),
    GaussianBlur(),
    GaussianNoise(),
    Crop(),
    Shift(),
    WebPCompression(),
    RandomPerturbation(GaussianBlur(), {"std": [0.5, 1.0, 2.0]}),
]
TRANSFORMERS = [
    estimator
    for estimator in ESTIMATORS
    if hasattr(estimator, "transform") and not hasattr(estimator, "predict")
]
STATELESS = [e for e in TRANSFORMERS if not e.__sklearn_tags__().requires_fit]
# What takes images of other sizes than those of `fit`.
ANY_SIZE = [*STATELESS, *(e for e in TRANSFORMERS if isinstance(e, PatchWhitener))]
# Sort what they are fitted on, and say nothing of other images.
CLUSTERINGS = [estimator for estimator in ESTIMATORS if is_clusterer(estimator)]

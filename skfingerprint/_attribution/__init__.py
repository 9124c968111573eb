"""Attribution of an image to a known source, by fingerprints or by features."""

from skfingerprint._attribution.augmented_pipeline import (
    AugmentedPipeline,
)
from skfingerprint._attribution.copies import check_perturbations
from skfingerprint._attribution.fingerprint_classifier import (
    FingerprintClassifier,
    PreparedFingerprintsMixin,
    describe_differences,
    restore_classifier,
)
from skfingerprint._attribution.fingerprint_transformer import FingerprintTransformer
from skfingerprint._attribution.held_out import average_held_out
from skfingerprint._attribution.history import PAST
from skfingerprint._attribution.lda import (
    restore,
    score_discriminants,
    score_kinds,
    solve,
)
from skfingerprint._attribution.moments import find_cells, find_scale, read_moments
from skfingerprint._attribution.source_discriminant import SourceDiscriminant

"""Every exported estimator, in the settings that matter, for the common checks."""

import numpy as np
from sklearn.base import is_clusterer
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    ChannelDecorrelator,
    CooccurrenceTransformer,
    FingerprintClassifier,
    FingerprintClustering,
    FingerprintDetector,
    FingerprintLocalizer,
    FingerprintTransformer,
    ImageReader,
    LinearPatternRemover,
    PatchWhitener,
    RejectingClassifier,
    ResidualClustering,
    ResidualExtractor,
    SourceDetector,
    SourceDiscriminant,
    SpectrumFlattener,
    SpectrumTransformer,
    Unflatten,
    WindowedClassifier,
)
from skfingerprint.imitation import ImitationGenerator
from skfingerprint.perturbation import (
    AVIFCompression,
    Crop,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    RandomPerturbation,
    Resize,
    Shift,
    WebPCompression,
)


def augment(estimator, perturbations, **params):
    """Return a pipeline of one or several steps that is trained on copies."""
    steps = getattr(estimator, "steps", [("last", estimator)])
    return AugmentedPipeline(steps, perturbations=perturbations, **params)


# Shares of the largest value: what float32, in which nearly all products of matrices
# are computed, may round away, and what float64 may.
SINGLE, DOUBLE = 1e-4, 1e-9


def assert_same(found, expected, tolerance=SINGLE):
    """Assert that two runs of one computation gave the same.

    Labels, counts and pixels must be equal. Floats may differ by the rounding of BLAS
    and LAPACK, which depends on the processor, and on the size, the order and the place
    of arrays in memory.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
    else:
        largest = np.abs(expected).max(where=np.isfinite(expected), initial=0)
        np.testing.assert_allclose(
            found, expected, rtol=tolerance, atol=tolerance * largest
        )


# Copies of a row must not change how it is weighed; folds of the default estimator do.
WINDOWS = make_pipeline(
    AttributionFeatures(block_size=8, order=2),
    FunctionTransformer(np.float64, feature_names_out="one-to-one"),
    RidgeClassifier(),
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
    SourceDiscriminant(),
    SourceDetector(),
    SourceDetector(miss_rate=0.1),
    ChannelDecorrelator(),
    LinearPatternRemover(),
    SpectrumFlattener(),
    augment(FingerprintClassifier(), []),
    augment(FingerprintClassifier(), [GaussianBlur(std=1)]),
    FingerprintLocalizer(window_size=9),
    WindowedClassifier(WINDOWS, window_size=16, stride=5, max_windows=3),
    PatchWhitener(random_state=0),
    FingerprintClustering(random_state=0),
    ResidualClustering(random_state=0),
    Unflatten((20, -1)),
    ImageReader(),
    JPEGCompression(),
    Resize(),
    GaussianBlur(),
    GaussianNoise(),
    Crop(),
    Shift(),
    JPEGCompression(upsampling="dct"),
    WebPCompression(),
    AVIFCompression(speed=10),
    RandomPerturbation(GaussianBlur(), {"std": [0.5, 1.0, 2.0]}),
    ImitationGenerator(),
    ImitationGenerator("retouched", random_state=1),
]
TRANSFORMERS = [
    estimator
    for estimator in ESTIMATORS
    if hasattr(estimator, "transform") and not hasattr(estimator, "predict")
]
STATELESS = [e for e in TRANSFORMERS if not e.__sklearn_tags__().requires_fit]
# Whose fit perturbs the images, which must be in grey levels for that.
PERTURBING = [e for e in ESTIMATORS if getattr(e, "perturbations", ())]
# What takes images of other sizes than those of `fit`.
ANY_SIZE = [
    *STATELESS,
    *(e for e in ESTIMATORS if isinstance(e, (PatchWhitener, WindowedClassifier))),
]
CLUSTERINGS = [estimator for estimator in ESTIMATORS if is_clusterer(estimator)]
# Sort what they are fitted on, and say nothing of other images.
SORTING = [estimator for estimator in CLUSTERINGS if not hasattr(estimator, "predict")]

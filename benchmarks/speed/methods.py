"""List the methods that `side_by_side.py` and `growth.py` compare, part by part.

All methods of a part take the same input. Other packages are imported in the call, as
they may not be installed.
"""

import numpy as np
from sklearn.pipeline import make_pipeline

from benchmarks.speed.literal import (
    literal_clusters,
    literal_cooccurrences,
    literal_correlations,
    literal_features,
    literal_residual,
    literal_shifts,
    literal_signs,
)
from skfingerprint import (
    AttributionFeatures,
    CooccurrenceTransformer,
    FingerprintClustering,
    PatchWhitener,
    ResidualClustering,
    ResidualExtractor,
    denoising,
)
from skfingerprint._features import cooccurrence as _runs
from skfingerprint.correlation import correlation_matrix, search_shifts
from skfingerprint.denoising import _wavelet as _wavelet


def by_numba(function):
    """Return a function that has numba's kernels chosen before each call."""

    def call(*args):
        from skfingerprint._features import cooccurrence_fast
        from skfingerprint.denoising import _wavelet_fast

        denoising._fastest_kernel = lambda: _wavelet_fast.wavelet_noise
        _runs._fastest_count = lambda: cooccurrence_fast.count
        return function(*args)

    return call


def by_numpy(function):
    """Return a function that has NumPy's kernels chosen before each call."""

    def call(*args):
        denoising._fastest_kernel = lambda: _wavelet.wavelet_noise
        _runs._fastest_count = lambda: _runs._count
        return function(*args)

    return call


def residual(image):
    """Compute the residual with this package."""
    return ResidualExtractor().transform(image[np.newaxis])[0]


def skimage_residual(image):
    """Apply soft thresholding of scikit-image, which is another formula."""
    from skimage.restoration import denoise_wavelet

    image = image.astype(np.float32)
    return image - denoise_wavelet(
        image, sigma=3.0, wavelet="db4", wavelet_levels=4, channel_axis=-1
    )


def prnu_residual(image):
    """Compute the grey residual of prnu-python, with its clean-up for cameras."""
    from prnu import extract_single

    return extract_single(image)


def bm3d_residual(image):
    """Compute the residual of BM3D, channel by channel."""
    import bm3d

    image = image.astype(float)
    planes = [image[..., c] - bm3d.bm3d(image[..., c], 3.0) for c in range(3)]
    return np.stack(planes, axis=-1)


def features(image):
    """Compute the features with this package."""
    return AttributionFeatures().fit_transform(image[np.newaxis])[0]


def pairs(plane):
    """Compute the co-occurrences of two differences of a grey image."""
    transformer = CooccurrenceTransformer(quantization=[1], order=2)
    return transformer.fit_transform(plane[np.newaxis])[0]


def literal_pairs(plane):
    """Compute the co-occurrences of two differences by the formula."""
    return literal_cooccurrences(plane[..., np.newaxis].astype(float), 2, [(0, 1)])


def skimage_pairs(plane):
    """Compute the co-occurrences of two differences by scikit-image, for signs."""
    from skimage.feature import graycomatrix

    counts = np.zeros((2, 3, 3))
    for across, signs in enumerate(literal_signs(plane.astype(float), 1)):
        levels = (signs + 1).astype(np.uint8)
        found = graycomatrix(levels, [1], [0, np.pi / 2], levels=3)[:, :, 0]
        counts += np.moveaxis(found, -1, 0)[:: -1 if across else 1]
    classes, smallest = _runs.run_classes(2)
    rows = [np.bincount(classes, c.ravel(), len(smallest)) / c.sum() for c in counts]
    return np.sqrt(np.concatenate(rows))


def correlate(residuals, classifier):
    """Correlate by a fitted classifier, which has prepared its fingerprints."""
    return classifier.correlate(residuals)


def correlate_arrays(residuals, classifier):
    """Correlate arrays, without any preparation."""
    stacks = residuals, classifier.fingerprints_
    return correlation_matrix(*(stack.reshape(len(stack), -1) for stack in stacks))


def literal_scores(residuals, classifier):
    """Correlate pair by pair."""
    return literal_correlations(residuals, classifier.fingerprints_)


def prnu_scores(residuals, classifier):
    """Correlate by one matrix product, without centering."""
    from prnu import aligned_cc

    return aligned_cc(residuals, classifier.fingerprints_)["ncc"]


def shifts(residuals, fingerprints):
    """Search all shifts of each pair; the PCE is computed with it."""
    found = search_shifts(residuals, fingerprints, max_shift="full", statistic="pce")
    return found.shifts % residuals.shape[1]


def literal_best(residuals, fingerprints):
    """Search shifts pair by pair, with their PCE."""
    return literal_shifts(residuals, fingerprints)[..., :2]


def skimage_shifts(residuals, fingerprints):
    """Search shifts by the largest absolute value, without a PCE."""
    from skimage.registration import phase_cross_correlation

    found = [
        [phase_cross_correlation(f, r, normalization=None)[0] for f in fingerprints]
        for r in residuals
    ]
    return np.array(found) % residuals.shape[1]


def prnu_shifts(residuals, fingerprints):
    """Search shifts pair by pair, with their PCE."""
    from prnu import crosscorr_2d, pce

    found = [[pce(crosscorr_2d(f, r))["peak"] for f in fingerprints] for r in residuals]
    return (np.array(found) + 1) % residuals.shape[1]


def cluster_residuals(residuals, n_clusters):
    """Cluster residuals; the number is not used."""
    return ResidualClustering(random_state=0).fit_predict(residuals)


def cluster_images(images, n_clusters):
    """Cluster images; the number is not used."""
    clustering = FingerprintClustering(random_state=0)
    return make_pipeline(PatchWhitener(random_state=0), clustering).fit_predict(images)


def literal_image_clusters(images, n_clusters):
    """Cluster images by the correlations of their residuals."""
    return literal_clusters([literal_residual(image) for image in images], n_clusters)


METHODS = {
    "residual": {
        "literal": literal_residual,
        "numba": by_numba(residual),
        "numpy": by_numpy(residual),
        "skimage": skimage_residual,
        "prnu": prnu_residual,
        "bm3d": bm3d_residual,
    },
    "features": {
        "literal": literal_features,
        "numba": by_numba(features),
        "numpy": by_numpy(features),
    },
    "pairs": {
        "literal": literal_pairs,
        "numba": by_numba(pairs),
        "numpy": by_numpy(pairs),
        "skimage": skimage_pairs,
    },
    "scoring": {
        "literal": literal_scores,
        "fitted": correlate,
        "arrays": correlate_arrays,
        "prnu": prnu_scores,
    },
    "shifts": {
        "literal": literal_best,
        "ours": shifts,
        "skimage": skimage_shifts,
        "prnu": prnu_shifts,
    },
    "cameras": {"literal": literal_clusters, "ours": cluster_residuals},
    "networks": {
        "literal": literal_image_clusters,
        "numba": by_numba(cluster_images),
        "numpy": by_numpy(cluster_images),
    },
}

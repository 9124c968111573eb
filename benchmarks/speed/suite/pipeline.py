"""Time and memory of extraction, fit and score."""

import numpy as np

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import make_fingerprint_images


class Extraction:
    """Residuals of eight RGB images."""

    params = (
        ["wavelet_wiener", "wavelet_shrink", "wiener", "gaussian", "median"],
        [128, 512],
    )
    param_names = ("denoiser", "size")

    def setup(self, denoiser, size):
        """Make images, and let numba compile."""
        shape = (size, size, 3)
        self.images, _ = make_fingerprint_images(8, 1, image_shape=shape)
        self.extractor = ResidualExtractor(denoiser)
        self.extractor.transform(self.images[:1])

    def time_transform(self, denoiser, size):
        """Time the residuals."""
        self.extractor.transform(self.images)

    def peakmem_transform(self, denoiser, size):
        """Peak memory of the process."""
        self.extractor.transform(self.images)


class Classification:
    """Fingerprints of 20 sources from 1,000 residuals of 128 x 128 pixels."""

    def setup(self):
        """Make residuals of noise; their values do not matter here."""
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((1000, 128, 128, 3), dtype=np.float32)
        self.y = np.arange(1000) % 20
        self.model = FingerprintClassifier().fit(self.X, self.y)

    def time_fit(self):
        """Time the means."""
        FingerprintClassifier().fit(self.X, self.y)

    def time_decision_function(self):
        """Time the correlations."""
        self.model.decision_function(self.X)

    def peakmem_decision_function(self):
        """Peak memory of the process."""
        self.model.decision_function(self.X)

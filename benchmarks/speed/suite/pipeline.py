"""Measure time and memory of extraction, correlation and the recommended pipeline."""

import numpy as np

from skfingerprint import (
    FingerprintClassifier,
    ResidualExtractor,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators, make_fingerprint_images


class Extraction:
    """Measure residuals of eight RGB images."""

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
        """Measure the peak memory of the process."""
        self.extractor.transform(self.images)


class Classification:
    """Measure fingerprints of 20 sources from 1,000 residuals of 128 x 128 pixels."""

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
        """Measure the peak memory of the process."""
        self.model.decision_function(self.X)


class Attribution:
    """Measure the recommended pipeline on 40 images of eight networks (64 x 64)."""

    params = ("unprocessed", "perturbed with a rate")
    param_names = ("training",)

    def setup_cache(self):
        """Fit both pipelines once, as a fit takes longer than the rest."""
        self.read_images()
        pipelines = {
            "unprocessed": make_attribution_pipeline(perturbations=()),
            "perturbed with a rate": make_attribution_pipeline(false_alarm_rate=0.01),
        }
        return {name: self.fit(pipeline) for name, pipeline in pipelines.items()}

    def setup(self, pipelines, training):
        """Read the images, and let numba compile."""
        self.read_images()
        pipelines[training].predict(self.others[:1])

    def read_images(self):
        """Keep images to fit, their sources and scenes, and others to attribute."""
        data = load_generators()
        self.images, self.others = data.images[::16], data.images[8::16]
        self.y, self.groups = data.target[::16], data.groups[::16]

    def fit(self, pipeline):
        """Return the fitted pipeline."""
        return pipeline.fit(self.images, self.y, groups=self.groups)

    def time_fit(self, pipelines, training):
        """Time features, discriminant and, with a rate, the detector."""
        self.fit(pipelines[training])

    def peakmem_fit(self, pipelines, training):
        """Measure the peak memory of the process."""
        self.fit(pipelines[training])

    def time_predict(self, pipelines, training):
        """Time features and answers."""
        pipelines[training].predict(self.others)

    def peakmem_predict(self, pipelines, training):
        """Measure the peak memory of the process."""
        pipelines[training].predict(self.others)

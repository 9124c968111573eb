"""The recommended pipeline."""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfingerprint.augmentation import AugmentedClassifier
from skfingerprint.features import CooccurrenceTransformer, SpectrumTransformer
from skfingerprint.residual import ResidualExtractor


def make_attribution_pipeline(*, perturbations=(), n_jobs=None):
    """Return the pipeline that we recommend for attribution, from images to sources.

    The spectrum of the residual, the spectra of luma and chroma, and co-occurrences of
    neighbouring pixels go into a ridge classifier, whose scores are calibrated to
    probabilities. It forgets where a pattern lies, so a crop does no harm, and names
    many more images rightly than the correlation with fingerprints.

    It is an ordinary scikit-learn object; look at its parts, set their parameters, or
    take it as a recipe.

    Parameters
    ----------
    perturbations : sequence of transformers, default=()
        What may have happened to the images to attribute, as in
        `skfingerprint.perturbation`. Spectra of images that were compressed or resized
        differ, so the classifier is trained on such copies, too.
    n_jobs : int, default=None
        Number of threads; -1 for all processors.

    Returns
    -------
    pipeline : :class:`~sklearn.pipeline.Pipeline` or AugmentedClassifier
        The latter, around the pipeline, if there are perturbations.

    See Also
    --------
    FingerprintClassifier : The published rule: needs no tuning, tells where the
        fingerprint is, adds sources without a new fit.

    Examples
    --------
    >>> from sklearn.model_selection import StratifiedGroupKFold
    >>> from skfingerprint import make_attribution_pipeline
    >>> from skfingerprint.datasets import load_generators
    >>> data = load_generators()
    >>> folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    >>> fit, test = next(folds.split(data.images, data.target, data.groups))
    >>> pipeline = make_attribution_pipeline()
    >>> pipeline = pipeline.fit(data.images[fit], data.target[fit])
    >>> print(f"{pipeline.score(data.images[test], data.target[test]):.2f}")
    1.00
    >>> pipeline.predict_proba(data.images[test]).shape
    (320, 8)
    """
    features = FeatureUnion(
        [
            (
                "residual_spectrum",
                make_pipeline(
                    ResidualExtractor(sigma=1, n_jobs=n_jobs),
                    SpectrumTransformer(n_jobs=n_jobs),
                ),
            ),
            (
                "image_spectrum",
                SpectrumTransformer(color_space="ycbcr", n_jobs=n_jobs),
            ),
            ("cooccurrence", CooccurrenceTransformer(n_jobs=n_jobs)),
        ]
    )
    classifier = CalibratedClassifierCV(
        # Spectra are so correlated that float32 would leave the ridge ill-conditioned.
        make_pipeline(
            _apply(np.float64),
            StandardScaler(copy=False),
            RidgeClassifier(alpha=100, copy_X=False),
        ),
        method="temperature",
        cv=3,
        ensemble=False,
    )
    pipeline = Pipeline(
        [
            ("features", features),
            ("in_memory", _apply(np.asarray)),  # of a dask array: once, for all folds
            ("classifier", classifier),
        ]
    )
    if len(perturbations):
        return AugmentedClassifier(pipeline, perturbations)
    return pipeline


def _apply(function):
    """Return a transformer that gives arrays, whatever the global output."""
    transformer = FunctionTransformer(function, feature_names_out="one-to-one")
    return transformer.set_output(transform="default")

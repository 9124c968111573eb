"""Features of the recommended pipeline, from one reading of each image."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import StatelessTransformer, check_int, check_sigma
from skfingerprint._features.cooccurrence_transformer import (
    check_runs,
    count_tile,
    to_root_shares,
)
from skfingerprint._features.names import name_runs, name_spectra
from skfingerprint._features.planes import MARGIN, sum_tiles, to_luma_chroma
from skfingerprint._features.spectrum_transformer import (
    check_block_shape,
    fold_powers,
    sum_powers,
    to_log_power,
)
from skfingerprint.denoising import wavelet_residual


class AttributionFeatures(StatelessTransformer):
    """Spectra and co-occurrences of images: features of the recommended pipeline.

    The features of an image are the spectrum of its residual, the spectra of luma and
    chroma, and the co-occurrences. :class:`SpectrumTransformer` with `fold=True` and
    :class:`CooccurrenceTransformer` compute the same features; here each image is read
    once. Large images are read in tiles, so that the workspace does not grow with their
    size.

    Parameters
    ----------
    sigma : float, default=1.0
        Standard deviation of the noise that the wavelet denoiser removes, in grey
        levels.
    block_size : int, default=32
        Side of the blocks of the spectra in pixels. In smaller images a block has the
        side of the image.
    quantization : sequence of float, default=(1.0, 3.0)
        Steps of the co-occurrences, in grey levels.
    order : int, default=5
        Number of differences in a run, 1..7.
    n_jobs : int, default=None
        Number of threads; -1 for all processors.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.
    block_shape_ : tuple of int
        (height, width) of a block in `fit`: `block_size`, or less in smaller images.

    See Also
    --------
    make_attribution_pipeline : These features and a classifier.

    Examples
    --------
    >>> from skfingerprint import AttributionFeatures
    >>> from skfingerprint.datasets import load_generators
    >>> features = AttributionFeatures()
    >>> features.fit_transform(load_generators().images[:10]).shape
    (10, 2294)
    >>> features.get_feature_names_out()[[0, -1]].tolist()
    ['residual_spectrum_0_0.0000_0.0000', 'cooccurrence_2_1_across_00000']
    """

    def __init__(
        self, *, sigma=1.0, block_size=32, quantization=(1.0, 3.0), order=5, n_jobs=None
    ):
        self.sigma = sigma
        self.block_size = block_size
        self.quantization = quantization
        self.order = order
        self.n_jobs = n_jobs

    def get_feature_names_out(self, input_features=None):
        """Return the names of spectra of residuals and images, and of co-occurrences.

        Names of spectra of residuals begin with `residual_`. The other names are the
        same as in :class:`SpectrumTransformer` and :class:`CooccurrenceTransformer`.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "block_shape_")
        given = self.block_shape_, self.n_channels_
        names = name_spectra(*given, "residual_spectrum", fold=True)
        names += name_spectra(*given, fold=True)
        names += name_runs(self.n_channels_, self.quantization, self.order)
        return np.array(names, dtype=object)

    def _get_function(self):
        check_sigma(self.sigma)
        check_int("block_size", self.block_size, 1)
        quantization, order = check_runs(self.quantization, self.order), self.order
        params = {"sigma": self.sigma, "block_size": self.block_size}
        return _describe, params | {"quantization": quantization, "order": order}

    def _validate(self, X, *, reset):
        X = super()._validate(X, reset=reset)
        return check_block_shape(self, X, reset=reset)


def _describe(images, sigma, block_size, quantization, order):
    """Compute the features of images of one size.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Grey levels.
    sigma : float
        Standard deviation of the noise in grey levels.
    block_size : int
        Side of the blocks of the spectra in pixels.
    quantization : tuple of float
        Steps of the co-occurrences in grey levels.
    order : int
        Number of differences in a run.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features), float32
        Spectra of residuals, spectra of luma and chroma, and co-occurrences.
    """

    def take_residual(planes):
        return wavelet_residual(planes, sigma=sigma)

    def collect(planes, tile):
        # The order matters: luma and chroma replace the colors, and the counts then
        # round them, in place.
        residual = sum_powers(planes, tile, block_size, None, take_residual)
        to_luma_chroma(planes)
        image = sum_powers(planes, tile, block_size, None)
        return [residual, image, count_tile(planes, tile, quantization, order)]

    *spectra, counts = sum_tiles(images, collect, margin=MARGIN, reach=block_size)
    rows = [to_log_power(fold_powers(part)) for part in spectra]
    return np.concatenate([*rows, to_root_shares(counts)], axis=1)

"""Cleaning of residuals, between the denoiser and the fingerprint."""

from functools import reduce

import numpy as np
from scipy import fft
from scipy.ndimage import uniform_filter

from skfingerprint._core import (
    FLOATS,
    ImageOutputMixin,
    StatelessTransformer,
    check_positive,
)

# Sides in pixels of the windows over which the squares of a spectrum are averaged, the
# same as for the wavelet bands of `skfingerprint.denoising.wavelet_wiener`.
WINDOWS = (3, 5, 7, 9)


class _Cleaner(ImageOutputMixin, StatelessTransformer):
    """Base of transformers of residuals with any number of channels."""

    _accepted_dtype = FLOATS
    _accepted_channels = None
    _preserved_dtypes = ("float64", "float32")
    _content = None


class ChannelDecorrelator(_Cleaner):
    """Whiten the channels of each residual: equal variances, zero correlation.

    Red, green and blue residuals resemble each other, because of the scene and of the
    last layers of most networks. The differences between the channels distinguish a
    source better, but they hardly count in the correlation of an image with a
    fingerprint. Put this transformer between :class:`ResidualExtractor` and
    :class:`FingerprintClassifier`. It helps with unprocessed and slightly compressed
    images, but not after strong JPEG compression.

    The transformer is stateless. Grey residuals are only scaled.

    Parameters
    ----------
    shrinkage : float, default=0.1
        Share of the mean variance that is added to all variances before they are
        inverted, >= 0. A larger value whitens less.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Notes
    -----
    The result is ``R (S + shrinkage trace(S) / c I)^(-1/2)``, with the second moments S
    of the c channels of the residual R of an image. The matrix is symmetric, so the
    order of the channels does not matter. The result is not in grey levels.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint import ChannelDecorrelator, ResidualExtractor
    >>> from skfingerprint.datasets import load_generators
    >>> residuals = ResidualExtractor().transform(load_generators().images[:5])
    >>> white = ChannelDecorrelator(shrinkage=0).fit_transform(residuals)
    >>> np.corrcoef(residuals[0].reshape(-1, 3).T)[0].round(2)
    array([ 1.  , -0.14,  0.48])
    >>> np.corrcoef(white[0].reshape(-1, 3).T)[0].round(2) + 0
    array([1., 0., 0.])
    """

    def __init__(self, *, shrinkage=0.1):
        self.shrinkage = shrinkage

    def _get_function(self):
        check_positive("shrinkage", self.shrinkage, or_zero=True)
        return _whiten_channels, {"shrinkage": self.shrinkage}


class LinearPatternRemover(_Cleaner):
    """Subtract row and column means on the four sub-lattices of a Bayer pattern.

    Cameras of one model share patterns of rows, columns and color interpolation, which
    make the fingerprints of different devices resemble each other. Subtracting the
    means removes these patterns ("zero-mean total") [1]_. Use it for cameras only: in
    images of networks these patterns are the fingerprint.

    The transformer is stateless.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    See Also
    --------
    SpectrumFlattener : Attenuates periodic patterns of any direction.

    References
    ----------
    .. [1] M. Chen, J. Fridrich, M. Goljan, J. Lukas, "Determining Image Origin and
       Integrity Using Sensor Noise", IEEE TIFS, 2008. :doi:`10.1109/TIFS.2007.916285`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint import LinearPatternRemover
    >>> rng = np.random.default_rng(0)
    >>> pattern = np.add.outer(rng.normal(size=16), rng.normal(size=16))
    >>> bool((abs(LinearPatternRemover().fit_transform(pattern[None])) < 1e-12).all())
    True
    """

    def _get_function(self):
        return _remove_linear_pattern, {}


class SpectrumFlattener(_Cleaner):
    """Attenuate the peaks in the spectrum of each residual, by a Wiener filter.

    Periodic patterns of a camera model and of JPEG blocks leave such peaks. Use it for
    cameras only, if at all: in images of networks the peaks are the fingerprint, and on
    six Nikons :class:`LinearPatternRemover` alone did better. The filter is not linear,
    so the mean of filtered residuals is not the filtered mean.

    The transformer is stateless.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Notes
    -----
    The amplitudes ``A = |DFT(R)| / sqrt(height width)`` are filtered like a wavelet
    band of :func:`skfingerprint.denoising.wavelet_wiener`, with the variance s2 of the
    residual as the variance of the noise. With the local excess v of their squares over
    s2, ``A s2 / (v + s2)`` remains, and the phase is kept.

    References
    ----------
    .. [1] M. Chen, J. Fridrich, M. Goljan, J. Lukas, "Determining Image Origin and
       Integrity Using Sensor Noise", IEEE TIFS, 2008. :doi:`10.1109/TIFS.2007.916285`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint import SpectrumFlattener
    >>> noise = np.random.default_rng(0).normal(size=(64, 64))
    >>> waves = np.tile(np.cos(np.pi / 4 * np.arange(64)), (64, 1))
    >>> flat = SpectrumFlattener().fit_transform((noise + waves)[None])[0]
    >>> for image in (noise + waves, flat):
    ...     print(f"{(image * waves).mean() / (waves * waves).mean():.2f}")
    0.99
    0.11
    """

    def _get_function(self):
        return _flatten_spectrum, {}


def _planes(residuals):
    """Return a view of a stack that has an axis of channels."""
    return residuals.reshape(*residuals.shape[:3], -1)


def _whiten_channels(residuals, shrinkage):
    """Multiply the channels by the inverse root of their shrunk second moments."""
    pixels = _planes(residuals).reshape(len(residuals), -1, _planes(residuals).shape[3])
    moments = np.matmul(pixels.transpose(0, 2, 1), pixels) / pixels.shape[1]
    # With S = U diag(v) U', the inverse root of S + t I is U diag(v + t)^(-1/2) U'.
    # Rounding can make the v of channels that depend on each other negative.
    variances, axes = np.linalg.eigh(moments)
    variances = np.maximum(variances, 0)
    variances += shrinkage * variances.mean(axis=1, keepdims=True)
    # Directions without variance, as in flat images, become 0 and not infinite.
    scales = np.zeros_like(variances)
    np.power(variances, -0.5, out=scales, where=variances > 1e-12)
    mixing = (axes * scales[:, None]) @ axes.transpose(0, 2, 1)
    return np.matmul(pixels, mixing.astype(pixels.dtype)).reshape(residuals.shape)


def _remove_linear_pattern(residuals):
    """Subtract the means of rows and columns on each of the four sub-lattices."""
    cleaned = residuals.copy()
    for top in (0, 1):
        for left in (0, 1):
            part = cleaned[:, top::2, left::2]
            if part.size:  # images one pixel high have empty sub-lattices
                part -= part.mean(axis=2, keepdims=True)
                part -= part.mean(axis=1, keepdims=True)
    return cleaned


def _flatten_spectrum(residuals):
    """Attenuate frequencies whose local power exceeds the variance of the residual."""
    planes = _planes(residuals)
    spectra = fft.fft2(planes, axes=(1, 2), norm="ortho")
    squares = np.square(np.abs(spectra))
    noise = planes.var(axis=(1, 2), keepdims=True)
    means = (uniform_filter(squares, (1, n, n, 1), mode="constant") for n in WINDOWS)
    # For white noise each squared amplitude has the variance of the residual as its
    # mean, since the transform is orthonormal.
    excess = np.maximum(reduce(np.minimum, means) - noise, 0)
    # A flat plane has neither noise nor excess; 0 / 0 becomes 0.
    kept = np.divide(noise, excess + noise, out=np.zeros_like(squares), where=noise > 0)
    flat = fft.ifft2(spectra * kept, axes=(1, 2), norm="ortho").real
    return flat.astype(planes.dtype).reshape(residuals.shape)

"""Noise residuals: what a denoiser takes away from an image."""

import inspect
import warnings
from numbers import Integral, Real

import numpy as np
import pywt
from scipy import fft
from scipy.ndimage import uniform_filter
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if

from skfingerprint._batches import apply_in_batches, fold, is_lazy
from skfingerprint._validation import restore_on_error, validate_images
from skfingerprint.denoising import DENOISERS

# Parameters of denoisers that the extractor has under their own names.
OWN_PARAMETERS = ("sigma", "wavelet", "level", "cycle_spins")


def _has_flat_features(extractor):
    return len(getattr(extractor, "image_shape_", ())) < 2 or extractor.image_shape


class ResidualExtractor(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Extract the noise residual of images: the image minus its denoised version.

    Stateless: `transform` needs no `fit`, treats each image by itself and gives the
    same numbers whatever the batch or `n_jobs`. In a pipeline, put it in front of
    :class:`FingerprintClassifier`.

    Parameters
    ----------
    denoiser : str or callable, default="wavelet_wiener"
        A name in `skfingerprint.denoising.DENOISERS` ("wavelet_wiener",
        "wavelet_shrink", "wiener", "gaussian", "median", and with scikit-image
        "nl_means" and "total_variation"), or a function `f(images, **denoiser_params)`
        that takes a float32 stack (n_samples, height, width[, n_channels]) in grey
        levels 0..255 and returns it denoised, in the same shape.
    sigma : float, default=3.0
        Standard deviation of the noise, in grey levels, for denoisers that have one.
    wavelet : str, default="db4"
        Name of PyWavelets' wavelet, for denoisers that have one. "db4" has 8 taps.
    level : int, default=4
        Largest number of wavelet decompositions; the image's size may allow fewer.
    cycle_spins : int, default=1
        Number of shifted decompositions that "wavelet_wiener" averages.
    denoiser_params : dict, default=None
        Further keyword arguments of the denoiser, such as `{"size": 5}` for "median",
        and all of those of a callable.
    image_shape : tuple of int, default=None
        (height, width) or (height, width, n_channels) of the image in each row of a 2-D
        X. Without it, each row is an image one pixel high.
    n_jobs : int, default=None
        Number of threads; -1 for all processors. `joblib.parallel_config` may choose
        another backend.

    Attributes
    ----------
    n_features_in_ : int
        Number of values in an image.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when X was a data frame.
    image_shape_ : tuple of int
        Shape of one image seen in `fit`.

    See Also
    --------
    FingerprintClassifier : Attributes residuals to their sources.

    Notes
    -----
    Eq. 1 of [1]_: ``R = X - f(X)``, per image and channel, in grey levels and float32.
    Images scaled to 0..1 raise a warning: multiply them by 255, or `sigma` is off.

    References
    ----------
    .. [1] F. Marra, D. Gragnaniello, L. Verdoliva, G. Poggi, "Do GANs Leave Artificial
       Fingerprints?", IEEE MIPR, 2019. :doi:`10.1109/MIPR.2019.00103`

    Examples
    --------
    >>> from skfingerprint import ResidualExtractor
    >>> from skfingerprint.datasets import load_generators
    >>> images = load_generators().images[:10]
    >>> images.shape, images.dtype
    ((10, 64, 64, 3), dtype('uint8'))
    >>> residuals = ResidualExtractor(sigma=3).fit_transform(images)
    >>> residuals.shape, residuals.dtype
    ((10, 64, 64, 3), dtype('float32'))

    Flat rows say how they fold, and come back flat:

    >>> rows = images.reshape(10, -1)
    >>> flat = ResidualExtractor(image_shape=(64, 64, 3)).fit_transform(rows)
    >>> bool((flat.reshape(residuals.shape) == residuals).all())
    True

    A function of your own takes the place of the denoiser:

    >>> from scipy.ndimage import uniform_filter
    >>> def box_blur(images, size):
    ...     return uniform_filter(images, (1, size, size, 1))
    >>> extractor = ResidualExtractor(box_blur, denoiser_params={"size": 3})
    >>> extractor.fit_transform(images).shape
    (10, 64, 64, 3)
    """

    def __init__(
        self,
        denoiser="wavelet_wiener",
        *,
        sigma=3.0,
        wavelet="db4",
        level=4,
        cycle_spins=1,
        denoiser_params=None,
        image_shape=None,
        n_jobs=None,
    ):
        self.denoiser = denoiser
        self.sigma = sigma
        self.wavelet = wavelet
        self.level = level
        self.cycle_spins = cycle_spins
        self.denoiser_params = denoiser_params
        self.image_shape = image_shape
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        """Check the parameters and the shape of the images; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255.
        y : None
            Ignored.

        Returns
        -------
        self : ResidualExtractor
        """
        self._get_denoiser()
        with restore_on_error(self):
            self._validate(X, reset=True)
        return self

    def transform(self, X):
        """Return the residuals of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images in grey levels 0..255, of any real dtype.

        Returns
        -------
        residuals : ndarray of the shape of X, float32
            In grey levels.

        Raises
        ------
        ValueError
            If an image is too small for the wavelet, the size differs from that seen in
            `fit`, or X holds NaN or infinity.
        """
        denoise, params = self._get_denoiser()
        X = self._validate(X, reset=False)
        images = fold(X, self.image_shape)
        residuals = apply_in_batches(
            _subtract_denoised, images, self.n_jobs, denoise=denoise, params=params
        )
        return residuals.reshape(X.shape)

    @available_if(_has_flat_features)
    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns, for flat rows: those of the input.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        return super().get_feature_names_out(input_features)

    def _validate(self, X, *, reset):
        X = validate_images(
            self,
            X,
            dtype="numeric",
            reset=reset,
            image_shape=self.image_shape,
            n_channels=(1, 3),
        )
        is_image = X.ndim > 2 or self.image_shape is not None
        if X.dtype.kind == "f" and not is_lazy(X):
            _check_range(X.min(), X.max(), is_image)
        return X

    def _get_denoiser(self):
        """Return the denoising function and its keyword arguments."""
        extra = self.denoiser_params or {}
        if callable(self.denoiser):
            return self.denoiser, extra
        if self.denoiser not in DENOISERS:
            raise ValueError(
                f"denoiser must be a callable or one of {sorted(DENOISERS)}, got "
                f"{self.denoiser!r}."
            )
        if not isinstance(self.sigma, Real) or not 0 < self.sigma < np.inf:
            raise ValueError(f"sigma must be > 0, in grey levels, got {self.sigma!r}.")
        if not isinstance(self.level, Integral) or self.level < 1:
            raise ValueError(f"level must be an int >= 1, got {self.level!r}.")
        pywt.Wavelet(self.wavelet)  # raises a ValueError that names it
        function = DENOISERS[self.denoiser]
        known = list(inspect.signature(function).parameters)[1:]
        further = [name for name in known if name not in OWN_PARAMETERS]
        unknown = sorted(set(extra) - set(further))
        if unknown:
            raise ValueError(
                f"denoiser_params holds {unknown}; for {self.denoiser!r} it may hold "
                f"{further}. {list(OWN_PARAMETERS)} are parameters of the extractor."
            )
        own = {name: getattr(self, name) for name in OWN_PARAMETERS if name in known}
        return function, own | extra

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.three_d_array = True
        return tags


class _Cleaner(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Validate residuals, fold rows and clean each residual by `_clean`."""

    def fit(self, X, y=None):
        """Check the parameters and the shape of the residuals; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.
        y : None
            Ignored.

        Returns
        -------
        self : transformer
        """
        self._check_parameters()
        with restore_on_error(self):
            self._validate(X, reset=True)
        return self

    def transform(self, X):
        """Clean each residual.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Residuals, in grey levels.

        Returns
        -------
        cleaned : ndarray of the shape of X
        """
        self._check_parameters()
        X = self._validate(X, reset=False)
        images = fold(X, self.image_shape)
        planes = images.reshape(*images.shape[:3], -1)
        return apply_in_batches(self._clean, planes, None).reshape(X.shape)

    @available_if(_has_flat_features)
    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns, for flat rows: those of the input.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        return super().get_feature_names_out(input_features)

    def _validate(self, X, *, reset):
        return validate_images(
            self,
            X,
            dtype=[np.float32, np.float64],
            reset=reset,
            image_shape=self.image_shape,
        )

    def _check_parameters(self):
        pass

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags


class ChannelDecorrelator(_Cleaner):
    """Whiten the channels of each residual: equal variances, no correlation.

    Red, green and blue residuals resemble each other, by the scene and by most
    networks' last layers; what is peculiar to a source is rather in their differences,
    which an image's correlation with a fingerprint hardly sees. Put it between
    :class:`ResidualExtractor` and :class:`FingerprintClassifier`. It helps with clean
    and slightly compressed images, not after strong JPEG compression.

    Stateless; grey residuals are only scaled.

    Parameters
    ----------
    shrinkage : float, default=0.1
        >= 0. Added to the variances, as a share of their mean, before they are
        inverted: the larger, the weaker the whitening.
    image_shape : tuple of int, default=None
        (height, width) or (height, width, n_channels) of the residual in each row of a
        2-D X.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one residual seen in `fit`.
    n_features_in_ : int
        Number of values in a residual.

    Notes
    -----
    ``R (S + shrinkage trace(S) / c I)^(-1/2)`` with the second moments S of the c
    channels of an image's residual R: symmetric, so the order of the channels does not
    matter. Its unit is no longer the grey level.

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

    def __init__(self, *, shrinkage=0.1, image_shape=None):
        self.shrinkage = shrinkage
        self.image_shape = image_shape

    def _clean(self, planes):
        pixels = planes.reshape(len(planes), -1, planes.shape[3])
        moments = np.matmul(pixels.transpose(0, 2, 1), pixels) / pixels.shape[1]
        variances, axes = np.linalg.eigh(moments)
        variances = np.maximum(variances, 0)
        variances += self.shrinkage * variances.mean(axis=1, keepdims=True)
        scales = np.zeros_like(variances)
        np.power(variances, -0.5, out=scales, where=variances > 1e-12)
        mixing = (axes * scales[:, None]) @ axes.transpose(0, 2, 1)
        return np.matmul(pixels, mixing.astype(pixels.dtype)).reshape(planes.shape)

    def _check_parameters(self):
        value = self.shrinkage
        if not isinstance(value, Real) or not 0 <= value < np.inf:
            raise ValueError(f"shrinkage must be >= 0, got {value!r}.")


class LinearPatternRemover(_Cleaner):
    """Subtract row and column means on the four sub-lattices of a Bayer pattern.

    Cameras of one model share patterns of rows, columns and colour interpolation, which
    make fingerprints of different devices resemble each other ("zero-mean total").
    For cameras only: in images of networks these patterns are the fingerprint.

    Stateless.

    Parameters
    ----------
    image_shape : tuple of int, default=None
        (height, width) or (height, width, n_channels) of the residual in each row of a
        2-D X.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one residual seen in `fit`.
    n_features_in_ : int
        Number of values in a residual.

    See Also
    --------
    SpectrumFlattener : Takes away periodic patterns of any direction.

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

    def __init__(self, *, image_shape=None):
        self.image_shape = image_shape

    def _clean(self, planes):
        cleaned = planes.copy()
        for top in (0, 1):
            for left in (0, 1):
                part = cleaned[:, top::2, left::2]
                if part.size:
                    part -= part.mean(axis=2, keepdims=True)
                    part -= part.mean(axis=1, keepdims=True)
        return cleaned


class SpectrumFlattener(_Cleaner):
    """Attenuate the peaks of each residual's spectrum, by a Wiener filter.

    Peaks are what periodic patterns of a camera model or of JPEG blocks leave. For
    cameras only, if at all: in images of networks the peaks are the fingerprint, and on
    six Nikons :class:`LinearPatternRemover` alone did better. Cleaning is not linear,
    so it differs for residuals and for their mean.

    Stateless.

    Parameters
    ----------
    image_shape : tuple of int, default=None
        (height, width) or (height, width, n_channels) of the residual in each row of a
        2-D X.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of one residual seen in `fit`.
    n_features_in_ : int
        Number of values in a residual.

    Notes
    -----
    The amplitudes ``A = |DFT(R)| / sqrt(height width)`` are taken for a wavelet band of
    :func:`skfingerprint.denoising.wavelet_wiener` with the residual's variance as that
    of the noise: ``A s2 / (v + s2)`` remains, and the phase is kept.

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

    def __init__(self, *, image_shape=None):
        self.image_shape = image_shape

    def _clean(self, planes):
        size = planes.shape[1:3]
        spectra = fft.fft2(planes, axes=(1, 2))
        amplitudes = np.abs(spectra) / np.sqrt(size[0] * size[1])
        noise = planes.var(axis=(1, 2), keepdims=True)
        squares = np.square(amplitudes)
        lowest = None
        for width in (3, 5, 7, 9):
            means = uniform_filter(
                squares, size=(1, width, width, 1), mode="constant", cval=0
            )
            lowest = means if lowest is None else np.minimum(lowest, means, out=lowest)
        excess = np.maximum(lowest - noise, 0)
        kept = np.divide(
            noise, excess + noise, out=np.zeros_like(squares), where=noise > 0
        )
        return fft.ifft2(spectra * kept, axes=(1, 2)).real.astype(planes.dtype)


def _subtract_denoised(images, denoise, params):
    """Eq. 1 on one batch, in memory of the batch's own."""
    if denoise in DENOISERS.values():
        denoised = denoise(images, **params)
        return np.subtract(images, denoised, out=denoised)
    images = images.astype(np.float32)
    denoised = np.asarray(denoise(images, **params))
    if denoised.shape != images.shape:
        raise ValueError(
            f"the denoiser must return the shape that it is given, {images.shape}, got "
            f"{denoised.shape}."
        )
    return np.subtract(images, denoised, out=images, casting="same_kind")


def _check_range(low, high, is_image):
    """Refuse what float32 can't hold; warn when 1.0 seems to be white."""
    if max(-low, high) > np.finfo(np.float32).max:
        raise ValueError(
            f"X lies in {low:.3g}..{high:.3g}, too large for float32. Images are in "
            "grey levels 0..255."
        )
    if is_image and 0 <= low < high <= 1:
        warnings.warn(
            f"X lies in {low:.3g}..{high:.3g}, as if white were 1. Residuals are in "
            "grey levels 0..255: multiply the images by 255.",
            UserWarning,
            stacklevel=4,
        )

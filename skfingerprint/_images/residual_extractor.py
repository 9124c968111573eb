"""Noise residuals: images minus their denoised versions."""

import inspect
from functools import cache

import numpy as np

from skfingerprint._core import (
    ImageOutputMixin,
    StatelessTransformer,
    check_int,
    check_sigma,
    find_wavelet,
    shorten,
)
from skfingerprint.denoising import (
    DENOISERS,
    MAX_SPINS,
    wavelet_residual,
    wavelet_wiener,
)

# Parameters of denoisers that are parameters of the extractor too.
OWN_PARAMETERS = ("sigma", "wavelet", "level", "cycle_spins")


class ResidualExtractor(ImageOutputMixin, StatelessTransformer):
    """Extract the noise residual of images: the image minus its denoised version.

    The transformer is stateless: `transform` does not need `fit`, treats each image by
    itself, and gives the same numbers whatever the batch or `n_jobs`. In a pipeline,
    put it in front of :class:`FingerprintClassifier`.

    Parameters
    ----------
    denoiser : str or callable, default="wavelet_wiener"
        Name in `skfingerprint.denoising.DENOISERS` ("wavelet_wiener",
        "wavelet_shrink", "wiener", "gaussian", "median", and with scikit-image
        "nl_means" and "total_variation"), or a function `f(images, **denoiser_params)`
        that takes a float32 stack (n_samples, height, width[, n_channels]) in grey
        levels 0..255 and returns the denoised stack, in the same shape.
    sigma : float, default=3.0
        Standard deviation of the noise, in grey levels, for denoisers with this
        parameter.
    wavelet : str or pywt.Wavelet, default="db4"
        Wavelet of PyWavelets, for denoisers that use wavelets. "db4" has 8 taps.
    level : int, default=4
        Largest number of wavelet decompositions; small images allow fewer.
    cycle_spins : int, default=1
        Number of shifted decompositions that "wavelet_wiener" averages.
    denoiser_params : dict, default=None
        Further keyword arguments of a named denoiser, such as `{"size": 5}` for
        "median", or all keyword arguments of a callable.
    n_jobs : int, default=None
        Number of threads; -1 for all processors. `joblib.parallel_config` can set
        another backend.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    See Also
    --------
    FingerprintClassifier : Attributes residuals to their sources.

    Notes
    -----
    The residual is ``R = X - f(X)`` (eq. 1 of [1]_), for each image and channel, in
    float32 and grey levels. Images scaled to 0..1 raise a warning: multiply them by
    255, or `sigma` does not fit. An image has the same residual alone and in a batch.
    Without numba the two agree to 1e-4 grey levels, since sums are rounded in another
    order.

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

    The same extractor takes images of another size:

    >>> ResidualExtractor().fit(images).transform(images[:, :48]).shape
    (10, 48, 64, 3)

    A function can replace the denoiser:

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
        n_jobs=None,
    ):
        self.denoiser = denoiser
        self.sigma = sigma
        self.wavelet = wavelet
        self.level = level
        self.cycle_spins = cycle_spins
        self.denoiser_params = denoiser_params
        self.n_jobs = n_jobs

    def _get_function(self):
        denoise, params = self._get_denoiser()
        return _subtract_denoised, {"denoise": denoise, "params": params}

    def _get_denoiser(self):
        """Return the denoising function and its keyword arguments."""
        extra = self.denoiser_params or {}
        if callable(self.denoiser):
            return self.denoiser, extra
        if self.denoiser not in DENOISERS:
            raise ValueError(
                f"denoiser must be a callable or one of {sorted(DENOISERS)}, got "
                f"{shorten(self.denoiser)}."
            )
        check_sigma(self.sigma)
        check_int("level", self.level, 1)
        check_int("cycle_spins", self.cycle_spins, 1, MAX_SPINS)
        find_wavelet(self.wavelet)
        function = DENOISERS[self.denoiser]
        known = _list_parameters(function)
        further = [name for name in known if name not in OWN_PARAMETERS]
        if unknown := sorted(set(extra) - set(further)):
            raise ValueError(
                f"denoiser_params holds {shorten(unknown)}; for {self.denoiser!r} it "
                f"may hold {further}. {list(OWN_PARAMETERS)} are parameters of the "
                "extractor."
            )
        own = {name: getattr(self, name) for name in OWN_PARAMETERS if name in known}
        return function, own | extra


@cache
def _list_parameters(denoise):
    """Return the names of a denoiser's parameters, which takes a while to find out."""
    return list(inspect.signature(denoise).parameters)[1:]


def _subtract_denoised(images, denoise, params):
    """Subtract the denoised images of one batch (eq. 1 of Marra et al.)."""
    if denoise is wavelet_wiener:
        return wavelet_residual(images, **params)
    if denoise in DENOISERS.values():  # they return a new array, which is reused
        denoised = denoise(images, **params)
        return np.subtract(images, denoised, out=denoised)
    # The function gets an array of its own, since it may change it in place.
    denoised = np.asarray(denoise(images.astype(np.float32), **params))
    if denoised.shape != images.shape or denoised.dtype.kind not in "buif":
        raise ValueError(
            "the denoiser must return real numbers of the shape that it is given, "
            f"{images.shape}, got {denoised.dtype} of shape {denoised.shape}."
        )
    residuals = images.astype(np.float32)
    np.subtract(residuals, denoised, out=residuals, casting="same_kind")
    if not np.isfinite(residuals).all():
        raise ValueError("the denoiser must return finite numbers, got NaN or infinity")
    return residuals

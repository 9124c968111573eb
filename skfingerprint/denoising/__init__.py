"""Denoisers: pure functions from stacks of images to stacks of smooth images.

Each takes images of shape (n_samples, height, width) or (n_samples, height, width,
n_channels), in grey levels 0..255 of any real dtype. Images and channels are denoised
independently, and reflected at the borders; the result is float32. `sigma` is always
the standard deviation of the noise in grey levels. `DENOISERS` names the functions:

================= ======================== ===========================================
Name              Parameters               Properties
================= ======================== ===========================================
wavelet_wiener    sigma, wavelet, level,   The field's standard, local in every band.
                  cycle_spins
wavelet_shrink    sigma, wavelet, level,   One threshold for each band: rougher.
                  method, mode
wiener            sigma, size              Local mean and variance of the pixels: fast.
gaussian          kernel_std               Blur: fastest, leaves edges in the residual.
median            size                     Keeps edges, removes thin lines and dots.
nl_means          sigma, patch_size,       Averages similar patches: slow.
                  patch_distance
total_variation   weight, n_iter           Flat areas and sharp edges: slow.
================= ======================== ===========================================

`nl_means` and `total_variation` are scikit-image's (extra `denoise`).
"""

from functools import cache

import numpy as np
import pywt
from scipy import ndimage

from skfingerprint._core import (
    MAX_SIGMA,
    check_choice,
    check_int,
    check_positive,
    check_sigma,
    find_compiled,
    find_wavelet,
    needs_extra,
)
from skfingerprint.denoising import _wavelet as _wavelet

# Pixels of planes that are filtered together: their bands stay in the L2 cache.
GROUP_PIXELS = 2**18
# All 16 x 16 shifts that four levels of decomposition distinguish.
MAX_SPINS = 256
# Longest filters of the compiled function. NumPy takes less time for longer ones.
COMPILED_TAPS = 10
# Bound of sides of windows and widths of kernels, in pixels: far above useful ones, and
# low enough not to fill the memory.
MAX_SIZE = 1000


def wavelet_wiener(images, *, sigma=3.0, wavelet="db4", level=4, cycle_spins=1):
    """Denoise by a Wiener filter of wavelet coefficients with local variances.

    This is the standard denoiser of camera and generator fingerprints. A coefficient is
    kept to the degree that its variance, the least estimate from four neighborhoods,
    exceeds the variance of the noise. With numba (extra `fast`) the filter takes a
    quarter of the time or less, and the results are equal up to rounding.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels. Both sides must be at least `2 * (taps - 1)` pixels (14
        for "db4"). Images one pixel high are decomposed along the width alone.
    sigma : float, default=3.0
        Standard deviation of the noise, in grey levels.
    wavelet : str or pywt.Wavelet, default="db4"
        Orthogonal or biorthogonal wavelet of PyWavelets.
    level : int, default=4
        Largest number of decompositions; small images allow fewer.
    cycle_spins : int, default=1
        Number of shifted decompositions, 1 to 256, that are averaged. With more of them
        the result depends less on the position of a crop, and the time grows in
        proportion.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Raises
    ------
    ValueError
        If the images are too small for the wavelet, or a parameter is out of its range.

    Notes
    -----
    The variance of the signal at each detail coefficient `c` is estimated by ``v =
    max(0, min_w mean_w(c^2) - sigma^2)`` over windows w of 3, 5, 7 and 9, with zeros
    outside the band [1]_ [2]_. The noise part is ``c * sigma^2 / (v + sigma^2) = c *
    sigma^2 / max(min_w mean_w(c^2), sigma^2)``. Its inverse transform is subtracted
    from the image. Cycle spinning follows [3]_, with mirrored borders.

    References
    ----------
    .. [1] M. K. Mihcak, I. Kozintsev, K. Ramchandran, "Spatially adaptive statistical
       modeling of wavelet image coefficients and its application to denoising",
       ICASSP, 1999. :doi:`10.1109/ICASSP.1999.757535`
    .. [2] J. Lukas, J. Fridrich, M. Goljan, "Digital camera identification from sensor
       pattern noise", IEEE TIFS 1(2), 2006. :doi:`10.1109/TIFS.2006.873602`
    .. [3] R. R. Coifman, D. L. Donoho, "Translation-invariant de-noising", Wavelets and
       Statistics, 1995. :doi:`10.1007/978-1-4612-2544-7_9`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import wavelet_wiener
    >>> noise = np.random.default_rng(0).normal(128, 2, size=(1, 64, 64))
    >>> bool(wavelet_wiener(noise, sigma=3).std() < 0.3 * noise.std())
    True
    """
    options = {"wavelet": wavelet, "level": level, "cycle_spins": cycle_spins}
    residuals = wavelet_residual(images, sigma=sigma, **options)
    return np.subtract(images, residuals, out=residuals, casting="same_kind")


def wavelet_shrink(
    images, *, sigma=3.0, wavelet="db4", level=4, method="bayes", mode="soft"
):
    """Denoise by wavelet shrinkage, with one threshold for each band.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels, at least as large as for :func:`wavelet_wiener`.
    sigma : float, default=3.0
        Standard deviation of the noise, in grey levels.
    wavelet : str or pywt.Wavelet, default="db4"
        Orthogonal or biorthogonal wavelet of PyWavelets.
    level : int, default=4
        Largest number of decompositions; small images allow fewer.
    method : {"bayes", "visu"}, default="bayes"
        BayesShrink [1]_, ``T = sigma^2 / sqrt(max(mean(c^2) - sigma^2, 0))`` for each
        band, or VisuShrink [2]_, ``T = sigma sqrt(2 log(height width))`` for all.
    mode : {"soft", "hard"}, default="soft"
        Whether coefficients above the threshold are reduced by it, or kept.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    References
    ----------
    .. [1] S. G. Chang, B. Yu, M. Vetterli, "Adaptive wavelet thresholding for image
       denoising and compression", IEEE TIP 9(9), 2000. :doi:`10.1109/83.862633`
    .. [2] D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet
       shrinkage", Biometrika 81(3), 1994. :doi:`10.1093/biomet/81.3.425`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import wavelet_shrink
    >>> noise = np.random.default_rng(0).normal(128, 2, size=(1, 64, 64))
    >>> bool(wavelet_shrink(noise, sigma=3).std() < 0.3 * noise.std())
    True
    """
    check_sigma(sigma)
    check_choice("method", method, ("bayes", "visu"))
    check_choice("mode", mode, ("soft", "hard"))
    height, width = images.shape[1:3]
    wavelet = find_wavelet(wavelet)
    axes = (-1,) if height == 1 else (-2, -1)
    levels = _count_levels((height, width), wavelet, level)
    universal = sigma * np.sqrt(2 * np.log(max(2, height * width)))

    def shrink(band):
        # The signal is independent of the noise, so that their variances add up. The
        # floor guards the division: in a band of noise alone the threshold is so high
        # that no coefficient is kept.
        power = np.square(band).mean(axis=(1, 2), keepdims=True)
        signal = np.sqrt(np.maximum(power - sigma**2, 1e-12))
        threshold = sigma**2 / signal if method == "bayes" else universal
        return pywt.threshold(band, threshold, mode)

    def smooth(planes, levels):
        # The approximation is decomposed again; the other bands have a "d" for detail.
        if levels == 0:
            return planes
        bands = pywt.dwtn(planes, wavelet, "symmetric", axes)
        for name, band in bands.items():
            bands[name] = shrink(band) if "d" in name else smooth(band, levels - 1)
        rows, columns = planes.shape[1:]
        return pywt.idwtn(bands, wavelet, "symmetric", axes)[:, :rows, :columns]

    def denoise(planes):
        # Without the first pixel flat planes are exactly 0, and stay flat.
        first = planes[:, :1, :1].copy()
        np.add(smooth(planes - first, levels), first, out=planes)

    return _apply_to_planes(denoise, images)


def wiener(images, *, sigma=3.0, size=5):
    """Denoise by a Wiener filter of pixels, with local means and variances.

    Unlike :func:`scipy.signal.wiener` it takes the variance of the noise as given, and
    reflects at the borders, so that no common frame is left in all residuals.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.
    sigma : float, default=3.0
        Standard deviation of the noise, in grey levels.
    size : int, default=5
        Side of the window, in pixels.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Notes
    -----
    ``f(x) = m + max(v - sigma^2, 0) / max(v, sigma^2) * (x - m)`` with m and v the mean
    and the variance in the window.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import wiener
    >>> noise = np.random.default_rng(0).normal(128, 2, size=(1, 64, 64))
    >>> bool(wiener(noise, sigma=3).std() < 0.3 * noise.std())
    True
    """
    check_sigma(sigma)
    check_int("size", size, 1, MAX_SIZE)
    window = (1, size, size)
    noise = np.float32(sigma**2)

    def denoise(planes):
        # The variance is a difference of squares, which lose fewer digits in float32
        # after a constant is subtracted; flat planes stay exactly flat.
        first = planes[:, :1, :1].copy()
        planes -= first
        mean = ndimage.uniform_filter(planes, window, mode="reflect")
        power = ndimage.uniform_filter(np.square(planes), window, mode="reflect")
        variance = np.maximum(power - np.square(mean), noise)
        # max(v - s, 0) / max(v, s) = 1 - s / max(v, s) for the noise variance s.
        planes -= mean
        planes *= 1 - noise / variance
        planes += mean
        planes += first

    return _apply_to_planes(denoise, images)


def gaussian(images, *, kernel_std=1.0):
    """Denoise by a Gaussian blur, the fastest denoiser and the roughest.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.
    kernel_std : float, default=1.0
        Standard deviation of the kernel, in pixels.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import gaussian
    >>> float(gaussian(np.full((1, 8, 8), 7, dtype=np.uint8))[0, 0, 0])
    7.0
    """
    check_positive("kernel_std", kernel_std, high=MAX_SIZE, unit=", in pixels")
    images = np.asarray(images, dtype=np.float32)
    stds = (0, kernel_std, kernel_std, 0)[: images.ndim]
    return ndimage.gaussian_filter(images, stds, mode="reflect")


def median(images, *, size=3):
    """Denoise by the median of a square window, which keeps edges.

    Thin lines and dots are removed.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.
    size : int, default=3
        Side of the window, in pixels.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import median
    >>> image = np.zeros((1, 8, 8))
    >>> image[0, 4, 4] = 255
    >>> float(median(image).max())
    0.0
    """
    check_int("size", size, 1, MAX_SIZE)
    images = np.asarray(images, dtype=np.float32)
    window = (1, size, size, 1)[: images.ndim]
    return ndimage.median_filter(images, size=window, mode="reflect")


def nl_means(images, *, sigma=3.0, patch_size=5, patch_distance=6):
    """Denoise by non-local means, averages of pixels with similar surroundings.

    The function is part of scikit-image.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.
    sigma : float, default=3.0
        Standard deviation of the noise, in grey levels. The cut-off in grey levels is
        `0.8 * sigma`, as scikit-image advises.
    patch_size : int, default=5
        Side of the patches that are compared, in pixels.
    patch_distance : int, default=6
        Largest distance of the patches, in pixels.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Raises
    ------
    ImportError
        If scikit-image is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import nl_means
    >>> noise = np.random.default_rng(0).normal(128, 2, size=(1, 32, 32))
    >>> bool(nl_means(noise, sigma=3).std() < 0.5 * noise.std())
    True
    """
    check_sigma(sigma)
    check_int("patch_size", patch_size, 1, MAX_SIZE)
    check_int("patch_distance", patch_distance, 1, MAX_SIZE)
    options = {"patch_size": patch_size, "patch_distance": patch_distance}
    return _restore(images, "nl_means", h=0.8 * sigma, sigma=sigma, **options)


def total_variation(images, *, weight=3.0, n_iter=100):
    """Denoise by total variation with Chambolle's algorithm, as in scikit-image.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.
    weight : float, default=3.0
        Weight of the total variation against half the squared residual, in grey levels.
    n_iter : int, default=100
        Largest number of iterations.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32

    Raises
    ------
    ImportError
        If scikit-image is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import total_variation
    >>> noise = np.random.default_rng(0).normal(128, 2, size=(1, 32, 32))
    >>> bool(total_variation(noise).std() < 0.5 * noise.std())
    True
    """
    check_positive("weight", weight, high=MAX_SIGMA, unit=", in grey levels")
    check_int("n_iter", n_iter, 1)
    return _restore(images, "tv_chambolle", weight=weight, max_num_iter=n_iter)


DENOISERS = {
    "wavelet_wiener": wavelet_wiener,
    "wavelet_shrink": wavelet_shrink,
    "wiener": wiener,
    "gaussian": gaussian,
    "median": median,
    "nl_means": nl_means,
    "total_variation": total_variation,
}


def wavelet_residual(images, *, sigma=3.0, wavelet="db4", level=4, cycle_spins=1):
    """Compute the residual of :func:`wavelet_wiener`, without a denoised image.

    The inverse transform of the noise part is the residual, so that nothing has to be
    subtracted (eq. 1 of Marra et al.).

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels, of any real dtype.
    sigma, wavelet, level, cycle_spins
        As in :func:`wavelet_wiener`.

    Returns
    -------
    residuals : ndarray of the shape of `images`, float32

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.denoising import wavelet_residual, wavelet_wiener
    >>> images = np.random.default_rng(0).normal(100, 3, (2, 32, 32))
    >>> expected = images - wavelet_wiener(images)
    >>> bool(np.allclose(wavelet_residual(images), expected, atol=1e-4))
    True
    """
    check_sigma(sigma)
    check_int("cycle_spins", cycle_spins, 1, MAX_SPINS)
    shape, wavelet = images.shape[1:3], find_wavelet(wavelet)
    levels = _count_levels(shape, wavelet, level)
    kernel = _choose_kernel(shape, wavelet)
    options = np.float32(sigma**2), wavelet, levels
    if cycle_spins == 1 and kernel is not _wavelet.wavelet_noise:
        return kernel(images, *options)

    def replace(planes):
        noise = kernel(planes, *options)
        for spin in range(1, cycle_spins):
            top, left = _spin_offset(spin, shape)
            padded = np.pad(planes, ((0, 0), (top, 0), (left, 0)), mode="symmetric")
            noise += kernel(padded, *options)[:, top:, left:]
        np.divide(noise, np.float32(cycle_spins), out=planes)

    return _apply_to_planes(replace, images)


def _choose_kernel(shape, wavelet):
    """Return the function for the noise part of images (height, width)."""
    if shape[0] == 1 or pywt.Wavelet(wavelet).dec_len > COMPILED_TAPS:
        return _wavelet.wavelet_noise
    return _fastest_kernel()


@cache
def _fastest_kernel():
    """Return the `wavelet_noise` compiled by numba, or the one of NumPy without it."""
    return find_compiled(
        "skfingerprint.denoising._wavelet_fast",
        "wavelet_noise",
        _wavelet.wavelet_noise,
        _is_right,
    )


def _is_right(wavelet_noise):
    """Check whether a compiled function agrees with the one of NumPy."""
    planes = np.random.default_rng(0).uniform(0, 255, (1, 20, 20)).astype(np.float32)
    given = planes, np.float32(9), "db4", 1
    return np.allclose(wavelet_noise(*given), _wavelet.wavelet_noise(*given), atol=1e-3)


def _restore(images, name, **options):
    """Denoise each plane with a function of scikit-image."""
    with needs_extra("denoise", "nl_means and total_variation need scikit-image"):
        from skimage import restoration

    function = getattr(restoration, f"denoise_{name}")

    def denoise(planes):
        for plane in planes:  # without the first pixel, flat planes stay flat
            first = plane[0, 0]
            plane[:] = first + function(plane - first, **options)

    return _apply_to_planes(denoise, images)


def _spin_offset(spin, shape):
    """Return the shift of a decomposition.

    All phases modulo 2 come first, then all modulo 4, 8 and 16.

    Parameters
    ----------
    spin : int
        Number of the decomposition, 0..255.
    shape : tuple of int
        (height, width) of the planes.

    Returns
    -------
    top, left : int
        Shift in pixels, 0..15; 0 along an axis of length 1.
    """
    # Even bits of the number count the horizontal shift, odd bits the vertical one.
    # Multiplication by an odd number permutes the phases modulo 2, 4, 8 and 16, which
    # keeps the order above. By 5, 101 in base 2, coarse phases vary from the start.
    bits = [(spin >> place) & 1 for place in range(8)]
    left = 5 * sum(bit << place for place, bit in enumerate(bits[::2])) % 16
    top = 5 * sum(bit << place for place, bit in enumerate(bits[1::2])) % 16
    return (0 if shape[0] == 1 else top), (0 if shape[1] == 1 else left)


def _apply_to_planes(denoise, images):
    """Denoise a stack by a function of planes.

    Parameters
    ----------
    denoise : callable
        `denoise(planes)` changes a few planes of shape (m, height, width), float32, in
        place.
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Images in grey levels.

    Returns
    -------
    denoised : ndarray of the shape of `images`, float32
    """
    channels = images.reshape(*images.shape[:3], -1)
    n_samples, height, width, n_channels = channels.shape
    denoised = np.empty(channels.shape, dtype=np.float32)
    n_planes = max(1, GROUP_PIXELS // (height * width))
    step = max(1, n_planes // n_channels)
    for start in range(0, n_samples, step):
        group = slice(start, start + step)
        planes = np.array(np.moveaxis(channels[group], -1, 0), np.float32, order="C")
        rows = planes.reshape(-1, height, width)
        for first in range(0, len(rows), n_planes):
            denoise(rows[first : first + n_planes])
        for channel, plane in enumerate(planes):  # faster than a moved axis
            denoised[group, ..., channel] = plane
    return denoised.reshape(images.shape)


def _count_levels(shape, wavelet, level):
    """Count the decompositions that the shorter axis allows, at most `level`."""
    check_int("level", level, 1)
    height, width = shape
    taps = pywt.Wavelet(wavelet).dec_len
    if height == 1:
        return min(level, max(1, pywt.dwt_max_level(width, taps)))
    levels = min(level, pywt.dwt_max_level(min(shape), taps))
    if levels < 1:
        raise ValueError(
            f"images of {height}x{width} pixels are too small for wavelet={wavelet!r}: "
            f"both sides need at least {2 * (taps - 1)}. Use larger images or a "
            "shorter wavelet such as 'haar'; if X is one image, pass `X[np.newaxis]`."
        )
    return levels

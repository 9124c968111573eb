"""Log-power spectra of images or residuals as rows of features."""

from functools import cache

import numpy as np
from scipy import fft
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import (
    StatelessTransformer,
    as_stack,
    check_choice,
    check_int,
    find_compiled,
)
from skfingerprint._features.names import name_rings, name_spectra
from skfingerprint._features.planes import sum_tiles, to_luma_chroma
from skfingerprint.spectrum import _add_block_powers, _block_sides, _block_starts

# Lower bound of powers before their logarithm, in grey levels squared. The rounding of
# pixels to whole grey levels alone has a power of 1 / 12.
SMALLEST_POWER = np.float32(1e-3)
# Values of planes that are prepared and transformed together, while they are in the
# cache.
PLANE_VALUES = 2**20
# (height, width) of the blocks that numba has a function for.
COMPILED_SIDES = (32, 32)


class SpectrumTransformer(StatelessTransformer):
    """Log-power spectra of images or residuals.

    Up-sampling leaves peaks and dips in the spectrum, which stay at their frequencies
    when an image is cropped or shifted. The spectrum is the mean over windowed blocks
    (Welch's method). Spectra change with JPEG compression and resizing: train on such
    images too, with :class:`AugmentedPipeline`.

    Parameters
    ----------
    block_size : int or None, default=32
        Side of the blocks in pixels. In smaller images a block has the side of the
        image. None makes the whole image one block.
    stride : int, default=None
        Pixels from block to block; by default half of `block_size`.
    radial : bool, default=False
        Whether to average the spectrum over rings of equal frequency. There are fewer
        features then, and they do not depend on direction.
    fold : bool, default=False
        Whether to average over the vertical frequencies v and -v, before the logarithm.
        There are nearly half as many features then, and a mirrored image has nearly the
        same ones.
    color_space : {"rgb", "ycbcr"}, default="rgb"
        Channels of the spectra: the channels of the images, or luma and chroma.
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
    skfingerprint.spectrum.welch_spectrum : The spectrum itself.
    make_attribution_pipeline : Spectra, co-occurrences and a classifier.

    Notes
    -----
    Features are natural logarithms of powers in grey levels squared. Powers below 1e-3
    are set to 1e-3.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import ResidualExtractor, SpectrumTransformer
    >>> from skfingerprint.datasets import load_generators
    >>> images = load_generators().images[:10]
    >>> pipeline = make_pipeline(ResidualExtractor(sigma=1), SpectrumTransformer())
    >>> pipeline.fit_transform(images).shape
    (10, 1632)
    >>> pipeline[-1].get_feature_names_out()[[0, 3]].tolist()
    ['spectrum_0_+0.0000_0.0000', 'spectrum_0_+0.0000_0.0312']
    """

    _content = "any"

    def __init__(
        self,
        *,
        block_size=32,
        stride=None,
        radial=False,
        fold=False,
        color_space="rgb",
        n_jobs=None,
    ):
        self.block_size = block_size
        self.stride = stride
        self.radial = radial
        self.fold = fold
        self.color_space = color_space
        self.n_jobs = n_jobs

    def get_feature_names_out(self, input_features=None):
        """Return `spectrum_<channel>_<vertical>_<horizontal frequency>`.

        Frequencies are in cycles per pixel. Vertical ones have a sign unless the
        spectrum is folded. Names of rings have a single frequency.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "block_shape_")
        if not self.radial:
            given = self.block_shape_, self.n_channels_
            return np.array(name_spectra(*given, fold=self.fold), object)
        n_rings = _number_rings(self.block_shape_).max() + 1
        names = name_rings(self.block_shape_, n_rings, self.n_channels_)
        return np.array(names, dtype=object)

    def _validate(self, X, *, reset):
        X = super()._validate(X, reset=reset)
        return check_block_shape(self, X, reset=reset)

    def _get_function(self):
        check_int("block_size", self.block_size, 1, also=(None,))
        check_int("stride", self.stride, 1, also=(None,))
        check_choice("color_space", self.color_space, ("rgb", "ycbcr"))
        for name in ("radial", "fold"):
            check_choice(name, getattr(self, name), (False, True))
        if self.radial and self.fold:
            raise ValueError("radial spectra have no vertical frequencies to fold.")
        names = ("block_size", "stride", "radial", "fold")
        params = {name: getattr(self, name) for name in names}
        return _log_spectrum, params | {"to_luma": self.color_space == "ycbcr"}

    def _find_content(self, X):
        """Return the content that X must have: luma needs images, not residuals."""
        is_image = self.color_space == "ycbcr" and X.ndim > 2
        return "images" if is_image else super()._find_content(X)


def _log_spectrum(images, block_size, stride, radial, fold, to_luma):
    """Compute log-power spectra of images of one size.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width[, n_channels])
        Grey levels.
    block_size, stride : int or None
        Side of the blocks, and pixels from block to block.
    radial, fold : bool
        Whether to average over rings, or over vertical frequencies v and -v.
    to_luma : bool
        Whether to change colors to luma and chroma.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_features), float32
        Frequencies first, channels last.
    """

    def collect(planes, tile):
        if to_luma:
            to_luma_chroma(planes)
        return [sum_powers(planes, tile, block_size, stride)]

    reach = {"tiled": False} if block_size is None else {"reach": block_size}
    (power,) = sum_tiles(images, collect, **reach)
    if radial:
        # A matrix product with one column for each ring computes the means. Narrow
        # blocks may have rings without a frequency, whose mean is 0.
        rings = _number_rings(_block_sides(images.shape[1:3], block_size))
        members = np.equal.outer(np.arange(rings.max() + 1), rings).astype(np.float32)
        members /= np.maximum(members.sum(axis=1, keepdims=True), 1)
        power = power.reshape(*power.shape[:2], -1) @ members.T
    return to_log_power(fold_powers(power) if fold else power)


def fold_powers(power):
    """Compute the mean of the powers at the vertical frequencies v and -v.

    A mirrored image has the powers of the image with one of the two frequencies negated
    (and those of real images are equal if both are), so that its folded ones are equal.

    Parameters
    ----------
    power : ndarray of shape (n, n_channels, n_vertical, n_horizontal)
        Powers in the order of `scipy.fft.fftfreq`.

    Returns
    -------
    folded : ndarray of shape (n, n_channels, n_vertical // 2 + 1, n_horizontal)
    """
    n_kept = power.shape[2] // 2 + 1
    negative = -np.arange(n_kept) % power.shape[2]
    return (power[:, :, :n_kept] + power[:, :, negative]) / 2


def sum_powers(planes, tile, block_size, stride, prepare=np.asarray):
    """Compute the share of one tile in the mean power of all blocks of an image.

    Parameters
    ----------
    planes : ndarray of shape (n_channels, n, height, width), float32
        Grey levels.
    tile : Tile
        Place of the planes in the images.
    block_size, stride : int or None
        Side of the blocks, and pixels from block to block.
    prepare : callable
        `prepare(planes)` returns the planes to transform, such as residuals, for planes
        of shape (m, height, width).

    Returns
    -------
    power : ndarray of shape (n, n_channels, block_height, block_width // 2 + 1), \
            float32
        Sum over the blocks that start in the core, divided by the number of blocks in
        the whole image: the sum over the tiles is the mean.
    """
    n_channels, n_samples, height, width = planes.shape
    sides = _block_sides(tile.size, block_size)
    starts = [_block_starts(n, block_size, stride) for n in tile.size]
    own = [
        [start - part.start for start in along if core[0] <= start < core[1]]
        for along, core, part in zip(
            starts, tile.cores, (tile.rows, tile.columns), strict=True
        )
    ]
    power = np.zeros((n_channels * n_samples, sides[0], sides[1] // 2 + 1), np.float32)
    flat = planes.reshape(-1, height, width)
    add = _fastest_add() if sides == COMPILED_SIDES else _add_block_powers
    step = max(1, PLANE_VALUES // (height * width))
    for first in range(0, len(flat) if all(own) else 0, step):
        part = slice(first, first + step)
        add(prepare(flat[part]), *own, sides, power[part])
    power /= np.float32(len(starts[0]) * len(starts[1]))
    return power.reshape(n_channels, n_samples, *power.shape[1:]).swapaxes(0, 1)


@cache
def _fastest_add():
    """Return the function compiled by numba, or the NumPy function without numba."""
    return find_compiled(
        "skfingerprint._features.spectrum_fast",
        "add_block_powers",
        _add_block_powers,
        _is_right,
    )


def _is_right(add):
    """Check whether a compiled function computes the powers of overlapping blocks."""
    planes = np.random.default_rng(0).normal(size=(1, 64, 57)).astype(np.float32)
    found, expected = np.zeros((2, 1, 32, 17), dtype=np.float32)
    for function, power in ((add, found), (_add_block_powers, expected)):
        function(planes, [0, 16, 32], [0, 16, 25], COMPILED_SIDES, power)
    return np.allclose(found, expected, rtol=1e-3)


def to_log_power(power):
    """Return rows of logarithms of (n, n_channels, ...), channels last."""
    channels_last = np.moveaxis(power, 1, -1)
    return np.log(np.maximum(channels_last, SMALLEST_POWER)).reshape(len(power), -1)


def check_block_shape(transformer, X, *, reset):
    """Set the shape of the blocks of spectra, or check it, and return X."""
    if isinstance(X, list):
        return _check_block_shapes(transformer, X, reset=reset)
    found = _block_sides(as_stack(X).shape[1:3], transformer.block_size)
    expected = found if reset else getattr(transformer, "block_shape_", found)
    if found != expected:
        raise ValueError(
            f"X has blocks of {found} pixels, but {type(transformer).__name__} was "
            f"fitted with {expected}, and spectra of other blocks are other features. "
            "Take images of at least block_size pixels a side, or fit again."
        )
    if reset:
        transformer.block_shape_ = found
    return X


def _check_block_shapes(transformer, images, *, reset):
    """Set the shape of the blocks of images of different sizes, or check it."""
    sides = [_block_sides(image.shape[:2], transformer.block_size) for image in images]
    expected = max(sides) if reset else getattr(transformer, "block_shape_", max(sides))
    few = [i for i, found in enumerate(sides) if tuple(found) != tuple(expected)]
    if few:
        sizes = [images[i].shape[:2] for i in few[:4]]
        raise ValueError(
            f"{len(few)} images do not have the blocks of {expected} pixels of which "
            f"spectra are made, such as images {few[:4]} of sizes {sizes}. Leave small "
            "images out, or take a smaller block_size."
        )
    if reset:
        transformer.block_shape_ = expected
    return images


def _number_rings(sides):
    """Return the number of the ring of each frequency of a half spectrum, flat.

    Rings are one sample of the longer side wide. The corners of the spectrum, beyond
    half a cycle per pixel, are in the last ring.
    """
    radius = np.hypot(fft.fftfreq(sides[0])[:, None], fft.rfftfreq(sides[1]))
    rings = np.round(radius * max(sides)).astype(int)
    return np.minimum(rings, max(sides) // 2).ravel()

"""Log-power spectra of images or residuals as rows of features."""

import numpy as np
from scipy import fft
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import StatelessTransformer, as_stack, check_choice, check_int
from skfingerprint._features.planes import _collect, _to_luma_chroma
from skfingerprint.spectrum import _add_block_powers, _block_sides, _block_starts

# Below this, in grey levels squared, a spectrum is the rounding of pixels.
SMALLEST_POWER = np.float32(1e-3)
PLANE_VALUES = 2**20


class SpectrumTransformer(StatelessTransformer):
    """Log-power spectra of images or residuals.

    Up-sampling leaves peaks and dips in the spectrum that do not move when an image is
    cropped or shifted. The spectrum is the mean over windowed blocks (Welch's method).
    Spectra change with JPEG compression and resizing: train on such images too, see
    :class:`AugmentedClassifier`.

    Parameters
    ----------
    block_size : int or None, default=32
        Side of the blocks in pixels, at most that of the image; None takes the whole
        image as one block.
    stride : int, default=None
        Pixels from block to block; by default half of `block_size`.
    radial : bool, default=False
        Average the spectrum over rings of equal frequency: fewer features, blind to
        direction.
    color_space : {"rgb", "ycbcr"}, default="rgb"
        Take the spectra of the channels as they are, or of luma and chroma.
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
    Features are natural logarithms of grey levels squared, no lower than that of 1e-3.

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
        color_space="rgb",
        n_jobs=None,
    ):
        self.block_size = block_size
        self.stride = stride
        self.radial = radial
        self.color_space = color_space
        self.n_jobs = n_jobs

    def get_feature_names_out(self, input_features=None):
        """Return `spectrum_<channel>_<vertical>_<horizontal frequency>`.

        Frequencies are in cycles per pixel; those of rings have only one.

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
            return np.array(_name_spectra(self.block_shape_, self.n_channels_), object)
        rings = range(_find_rings(self.block_shape_).max() + 1)
        names = [
            f"spectrum_{c}_{ring / max(self.block_shape_):.4f}"
            for ring in rings
            for c in range(self.n_channels_)
        ]
        return np.array(names, dtype=object)

    def _validate(self, X, *, reset):
        X = super()._validate(X, reset=reset)
        return _remember_blocks(self, X, reset=reset)

    def _get_function(self):
        check_int("block_size", self.block_size, 1, also=(None,))
        check_int("stride", self.stride, 1, also=(None,))
        check_choice("color_space", self.color_space, ("rgb", "ycbcr"))
        params = {
            name: getattr(self, name) for name in ("block_size", "stride", "radial")
        }
        return _log_spectrum, params | {"to_luma": self.color_space == "ycbcr"}

    def _find_content(self, X):
        """Return what X must hold: residuals have no luma."""
        is_image = self.color_space == "ycbcr" and X.ndim > 2
        return "images" if is_image else super()._find_content(X)


def _log_spectrum(images, block_size, stride, radial, to_luma):
    """Return rows of log power, frequencies first, channels last."""

    def collect(planes, tile):
        if to_luma:
            _to_luma_chroma(planes)
        return [_sum_powers(planes, tile, block_size, stride)]

    (power,) = _collect(images, collect, tiled=block_size is not None)
    if radial:
        rings = _find_rings(_block_sides(images.shape[1:3], block_size))
        members = np.equal.outer(np.arange(rings.max() + 1), rings).astype(np.float32)
        members /= np.maximum(members.sum(axis=1, keepdims=True), 1)
        power = power.reshape(*power.shape[:2], -1) @ members.T
    return _to_log_power(power)


def _sum_powers(planes, tile, block_size, stride, prepare=np.asarray):
    """Return the mean power of the blocks that start in a tile, (n, channels, ...).

    A few planes at a time are prepared and transformed, while they are in the cache.
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
    step = max(1, PLANE_VALUES // (height * width))
    for first in range(0, len(flat) if all(own) else 0, step):
        part = slice(first, first + step)
        _add_block_powers(prepare(flat[part]), *own, sides, power[part])
    power /= np.float32(len(starts[0]) * len(starts[1]))
    return power.reshape(n_channels, n_samples, *power.shape[1:]).swapaxes(0, 1)


def _to_log_power(power):
    """Return rows of logarithms of (n, channels, ...), channels last."""
    channels_last = np.moveaxis(power, 1, -1)
    return np.log(np.maximum(channels_last, SMALLEST_POWER)).reshape(len(power), -1)


def _name_spectra(sides, n_channels):
    places = [
        f"{v:+.4f}_{h:.4f}"
        for v in fft.fftfreq(sides[0])
        for h in fft.rfftfreq(sides[1])
    ]
    return [f"spectrum_{c}_{place}" for place in places for c in range(n_channels)]


def _remember_blocks(transformer, X, *, reset):
    """Set or compare the shape of the blocks of spectra."""
    if isinstance(X, list):
        return _remember_blocks_of_each(transformer, X, reset=reset)
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


def _remember_blocks_of_each(transformer, images, *, reset):
    """Set or compare the shape of the blocks of images of different sizes."""
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


def _find_rings(sides):
    """Return the number of the ring of each frequency of a half spectrum, flat."""
    radius = np.hypot(fft.fftfreq(sides[0])[:, None], fft.rfftfreq(sides[1]))
    rings = np.round(radius * max(sides)).astype(int)
    return np.minimum(rings, max(sides) // 2).ravel()

"""Features that forget position: spectra and co-occurrences, rows for any classifier.

Stateless transformers. They treat each image by itself, and a crop or a shift of it
leaves them as they are, up to what enters and leaves the frame.
"""

import math
from itertools import product
from numbers import Real

import numpy as np
from scipy import fft
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skfingerprint._base import StatelessTransformer
from skfingerprint._blocks import as_stack
from skfingerprint._checks import check_choice, check_int, check_sigma
from skfingerprint._runs import count_runs, run_classes
from skfingerprint.denoising import wavelet_residual
from skfingerprint.spectrum import _add_block_powers, _block_sides, _block_starts

# Below this, in grey levels squared, a spectrum is the rounding of pixels.
SMALLEST_POWER = np.float32(1e-3)
# Of a rounded grey level, so that differences fit into 16 bits.
LARGEST_LEVEL = 2**14 - 1
# Values of images, and of their planes, that are worked on together: few calls, so that
# threads seldom wait for the interpreter.
GROUP_VALUES = 2**21
PLANE_VALUES = 2**20
CHUNK = 2**15
# Images of more pixels are read in tiles: a core, and around it what filters reach. The
# margin is that of the wavelets, on the grid of their coarsest level.
TILED = 2**21
CORE = 896
MARGIN = 224
REACH = 64
# ITU-R BT.601: luma, blue and red difference, of red, green and blue.
LUMA = (0.299, 0.587, 0.114)
BLUE_DIFFERENCE = (-0.168736, -0.331264, 0.5)
RED_DIFFERENCE = (0.5, -0.418688, -0.081312)
LUMA_CHROMA = np.array([LUMA, BLUE_DIFFERENCE, RED_DIFFERENCE], dtype=np.float32)


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
    hop : int, default=None
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
        hop=None,
        radial=False,
        color_space="rgb",
        n_jobs=None,
    ):
        self.block_size = block_size
        self.hop = hop
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
        check_int("hop", self.hop, 1, also=(None,))
        check_choice("color_space", self.color_space, ("rgb", "ycbcr"))
        params = {name: getattr(self, name) for name in ("block_size", "hop", "radial")}
        return _log_spectrum, params | {"to_luma": self.color_space == "ycbcr"}

    def _find_content(self, X):
        """Return what X must hold: residuals have no luma."""
        is_image = self.color_space == "ycbcr" and X.ndim > 2
        return "images" if is_image else super()._find_content(X)


class CooccurrenceTransformer(StatelessTransformer):
    """Co-occurrences of the differences of neighbouring pixels.

    How often do five neighbours fall, stay, rise, rise, stay? Networks and cameras
    differ in such local habits, which spectra, being blind to phase, do not see, and
    some of which outlive JPEG compression.

    Differences of luma and chroma to the next pixel are divided by a step, rounded and
    clipped to -1, 0, 1. The features are the square roots of the shares of each class
    of runs of them, along the direction of the difference and across. A run, its mirror
    image and its negative are one class.

    Parameters
    ----------
    steps : sequence of float, default=(1.0, 3.0)
        Steps in grey levels, each > 0: a set of features of luma for each. Chroma,
        which varies less, has features of the first one only.
    length : int, default=5
        Number of differences in a run, 1..7: 2, 4, 10, 25, 70, 196 or 574 classes for
        a step, channel and direction.
    n_jobs : int, default=None
        Number of threads; -1 for all processors.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    See Also
    --------
    make_attribution_pipeline : Spectra, co-occurrences and a classifier.

    References
    ----------
    .. [1] T. Pevny, P. Bas, J. Fridrich, "Steganalysis by Subtractive Pixel Adjacency
       Matrix", IEEE TIFS, 2010. :doi:`10.1109/TIFS.2010.2045842`

    Examples
    --------
    >>> from skfingerprint import CooccurrenceTransformer
    >>> from skfingerprint.datasets import load_generators
    >>> transformer = CooccurrenceTransformer()
    >>> transformer.fit_transform(load_generators().images[:10]).shape
    (10, 560)
    >>> transformer.get_feature_names_out()[0]
    'cooccurrence_0_1_along_-----'
    """

    def __init__(self, *, steps=(1.0, 3.0), length=5, n_jobs=None):
        self.steps = steps
        self.length = length
        self.n_jobs = n_jobs

    def get_feature_names_out(self, input_features=None):
        """Return `cooccurrence_<channel>_<step>_<along or across>_<run>`.

        The run is the first of its class: signs of its differences.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "n_channels_")
        names = _name_runs(self.n_channels_, self.steps, self.length)
        return np.array(names, dtype=object)

    def _get_function(self):
        steps = _check_runs(self.steps, self.length)
        return _count_cooccurrences, {"steps": steps, "length": self.length}


class AttributionFeatures(StatelessTransformer):
    """Spectra and co-occurrences of images, as the recommended pipeline takes them.

    Of each image the spectrum of its residual, the spectra of luma and chroma, and the
    co-occurrences: what :class:`SpectrumTransformer` and
    :class:`CooccurrenceTransformer` give, from one reading of the image. Large images
    are read in tiles, so that the workspace does not grow with their size.

    Parameters
    ----------
    sigma : float, default=1.0
        Standard deviation of the noise that the wavelet denoiser takes away, in grey
        levels.
    block_size : int, default=32
        Side of the blocks of the spectra in pixels, at most that of the image.
    steps : sequence of float, default=(1.0, 3.0)
        Steps of the co-occurrences, in grey levels.
    length : int, default=5
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
    (10, 3824)
    >>> features.get_feature_names_out()[[0, -1]].tolist()
    ['residual_spectrum_0_+0.0000_0.0000', 'cooccurrence_2_1_across_00000']
    """

    def __init__(
        self, *, sigma=1.0, block_size=32, steps=(1.0, 3.0), length=5, n_jobs=None
    ):
        self.sigma = sigma
        self.block_size = block_size
        self.steps = steps
        self.length = length
        self.n_jobs = n_jobs

    def get_feature_names_out(self, input_features=None):
        """Return the names of both families, and `residual_spectrum_...`.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "block_shape_")
        names = _name_spectra(self.block_shape_, self.n_channels_)
        residual = [f"residual_{name}" for name in names]
        runs = _name_runs(self.n_channels_, self.steps, self.length)
        return np.array([*residual, *names, *runs], dtype=object)

    def _get_function(self):
        check_sigma(self.sigma)
        check_int("block_size", self.block_size, 1)
        steps, length = _check_runs(self.steps, self.length), self.length
        params = {"sigma": self.sigma, "block_size": self.block_size}
        return _describe, params | {"steps": steps, "length": length}

    def _validate(self, X, *, reset):
        X = super()._validate(X, reset=reset)
        return _remember_blocks(self, X, reset=reset)


def _describe(images, sigma, block_size, steps, length):
    """Return rows of spectra of residual, of luma and chroma, and of co-occurrences."""

    def denoise(planes):
        return wavelet_residual(planes, sigma=sigma)

    def collect(planes, tile):
        of_residual = _sum_powers(planes, tile, block_size, None, denoise)
        _to_luma_chroma(planes)
        of_image = _sum_powers(planes, tile, block_size, None)
        return [of_residual, of_image, _count_runs(planes, tile, steps, length)]

    *spectra, counts = _collect(images, collect, margin=MARGIN)
    rows = [_to_log_power(part) for part in spectra]
    return np.concatenate([*rows, _to_roots(counts)], axis=1)


def _log_spectrum(images, block_size, hop, radial, to_luma):
    """Return rows of log power, frequencies first, channels last."""

    def collect(planes, tile):
        if to_luma:
            _to_luma_chroma(planes)
        return [_sum_powers(planes, tile, block_size, hop)]

    (power,) = _collect(images, collect, tiled=block_size is not None)
    if radial:
        rings = _find_rings(_block_sides(images.shape[1:3], block_size))
        members = np.equal.outer(np.arange(rings.max() + 1), rings).astype(np.float32)
        members /= np.maximum(members.sum(axis=1, keepdims=True), 1)
        power = power.reshape(*power.shape[:2], -1) @ members.T
    return _to_log_power(power)


def _count_cooccurrences(images, steps, length):
    """Return rows of features: channels, steps, directions, classes of runs."""

    def collect(planes, tile):
        _to_luma_chroma(planes)
        return [_count_runs(planes, tile, steps, length)]

    return _to_roots(*_collect(images, collect))


def _collect(images, collect, *, margin=0, tiled=True):
    """Add up what is collected from the tiles of images, a few images at a time.

    `collect` gets planes (n_channels, n, height, width), which it may change, and their
    tile, and returns a list of arrays (n, ...).
    """
    n_values = max(1, math.prod(images.shape[1:]))
    size = images.shape[1:3]
    tiles = _find_tiles(size, margin if tiled and math.prod(size) > TILED else None)
    step, found = max(1, GROUP_VALUES // n_values), []
    for first in range(0, len(images), step):
        group, sums = images[first : first + step], None
        for tile in tiles:
            part = group[:, tile.rows, tile.columns]
            part = part.reshape(*part.shape[:3], -1)
            planes = np.moveaxis(part, -1, 0).astype(np.float32, order="C")
            parts = collect(planes, tile)
            sums = parts if sums is None else list(map(np.add, sums, parts))
        found.append(sums)
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _find_tiles(size, margin):
    """Return the parts in which images of a size are read; one if margin is None.

    What starts in the core of a tile is counted there; around it is what that needs.
    """
    if margin is None:
        cores = [[(0, n)] for n in size]
    else:
        cores = [[(i, min(i + CORE, n)) for i in range(0, n, CORE)] for n in size]
    reach = max(margin or 0, REACH)
    return [
        Bunch(
            size=size,
            cores=(rows, columns),
            rows=_around(rows, margin or 0, reach),
            columns=_around(columns, margin or 0, reach),
        )
        for rows in cores[0]
        for columns in cores[1]
    ]


def _around(core, before, after):
    return slice(max(core[0] - before, 0), core[1] + after)


def _sum_powers(planes, tile, block_size, hop, prepare=np.asarray):
    """Return the mean power of the blocks that start in a tile, (n, channels, ...).

    A few planes at a time are prepared and transformed, while they are in the cache.
    """
    n_channels, n_samples, height, width = planes.shape
    sides = _block_sides(tile.size, block_size)
    starts = [_block_starts(n, block_size, hop) for n in tile.size]
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


def _count_runs(planes, tile, steps, length):
    """Return counts of the runs that start in a tile, (n, sets, 2, 3 ** length).

    Chroma, which varies less, has the first step only. The planes are rounded in place.
    """
    (top, bottom), (left, right) = tile.cores
    counts = []
    for channel, plane in enumerate(planes):
        plane = plane[:, top - tile.rows.start :, left - tile.columns.start :]
        np.rint(plane, out=plane)
        np.clip(plane, -LARGEST_LEVEL, LARGEST_LEVEL, out=plane)
        levels, size = plane.astype(np.int16), (bottom - top, right - left)
        own = steps if channel == 0 else steps[:1]
        counts += [count_runs(levels, step, length, size) for step in own]
    return np.stack(counts, axis=1)


def _to_roots(counts):
    """Return rows of roots of the shares of the classes of runs."""
    length = round(math.log(counts.shape[-1], 3))
    classes, smallest = run_classes(length)
    members = np.equal.outer(classes, np.arange(len(smallest))).astype(np.float32)
    totals = np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    shares = counts.astype(np.float32) @ members / totals.astype(np.float32)
    return np.sqrt(shares).reshape(len(counts), -1)


def _to_luma_chroma(planes):
    """Change colour planes to luma and chroma in place; grey ones stay as they are."""
    if len(planes) == 3:
        flat = planes.reshape(3, -1)
        for first in range(0, flat.shape[1], CHUNK):
            part = flat[:, first : first + CHUNK]
            part[:] = LUMA_CHROMA @ part


def _name_spectra(sides, n_channels):
    places = [
        f"{v:+.4f}_{h:.4f}"
        for v in fft.fftfreq(sides[0])
        for h in fft.rfftfreq(sides[1])
    ]
    return [f"spectrum_{c}_{place}" for place in places for c in range(n_channels)]


def _name_runs(n_channels, steps, length):
    steps = np.ravel(steps).tolist()
    runs = ["".join(run) for run in product("-0+", repeat=length)]
    runs = [runs[smallest] for smallest in run_classes(length)[1]]
    return [
        f"cooccurrence_{channel}_{step:g}_{direction}_{run}"
        for channel in range(n_channels)
        for step in (steps if channel == 0 else steps[:1])
        for direction in ("along", "across")
        for run in runs
    ]


def _check_runs(steps, length):
    """Return the steps of co-occurrences as a tuple."""
    steps_ = tuple(np.ravel(steps).tolist())
    if not steps_ or not all(isinstance(s, Real) and 0 < s < np.inf for s in steps_):
        raise ValueError(f"steps must hold numbers > 0, got {steps!r}.")
    check_int("length", length, 1, 7)
    return steps_


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

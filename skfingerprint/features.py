"""Features that forget position: spectra and co-occurrences, rows for any classifier.

Stateless transformers. They treat each image by itself, and a crop or a shift of it
leaves them as they are, up to what enters and leaves the frame.
"""

from itertools import product
from numbers import Real

import numpy as np
from scipy import fft
from sklearn.utils.validation import check_is_fitted

from skfingerprint._base import StatelessTransformer
from skfingerprint._blocks import as_stack
from skfingerprint._checks import check_choice, check_int
from skfingerprint.spectrum import _find_block, welch_spectrum

# Below this, in grey levels squared, a spectrum is the rounding of pixels.
SMALLEST_POWER = np.float32(1e-3)
# Of an image; above it float32 can't hold powers.
LARGEST_VALUE = 1e18
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

    _largest = LARGEST_VALUE

    def __init__(
        self, *, block_size=32, hop=None, radial=False, color_space="rgb", n_jobs=None
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
        sides = self.block_shape_
        vertical, horizontal = fft.fftfreq(sides[0]), fft.rfftfreq(sides[1])
        places = [f"{v:+.4f}_{h:.4f}" for v in vertical for h in horizontal]
        if self.radial:
            rings = range(_find_rings(sides).max() + 1)
            places = [f"{ring / max(sides):.4f}" for ring in rings]
        channels = range(self.n_channels_)
        names = [f"spectrum_{c}_{place}" for place in places for c in channels]
        return np.array(names, dtype=object)

    def _validate(self, X, *, reset):
        X = super()._validate(X, reset=reset)
        found = _find_block(as_stack(X).shape[1:3], self.block_size)
        if reset:
            self.block_shape_ = found
        elif (expected := getattr(self, "block_shape_", found)) != found:
            raise ValueError(
                f"X has blocks of {found} pixels, but SpectrumTransformer was fitted "
                f"with {expected}, and spectra of other blocks are other features. "
                "Take images of at least block_size pixels a side, or fit again."
            )
        return X

    def _get_function(self):
        check_int("block_size", self.block_size, 1, also=(None,))
        check_int("hop", self.hop, 1, also=(None,))
        check_choice("color_space", self.color_space, ("rgb", "ycbcr"))
        params = {name: getattr(self, name) for name in ("block_size", "hop", "radial")}
        return _log_spectrum, params | {"to_luma": self.color_space == "ycbcr"}


class CooccurrenceTransformer(StatelessTransformer):
    """Co-occurrences of the differences of neighbouring pixels.

    How often do five neighbours fall, stay, rise, rise, stay? Networks and cameras
    differ in such local habits, which spectra, being blind to phase, do not see, and
    some of which outlive JPEG compression.

    Differences of luma and chroma to the next pixel are divided by a step, rounded and
    clipped to -1, 0, 1. The features are the square roots of the frequencies of each
    run of them, along the direction of the difference and across, with a run, its
    mirror image and its negative counted as one average.

    Parameters
    ----------
    steps : sequence of float, default=(1.0, 3.0)
        Steps in grey levels, each > 0: a set of features of luma for each. Chroma,
        which varies less, has features of the first one only.
    length : int, default=5
        Number of differences in a run, 1..7: 3 ** length features for a step, channel
        and direction.
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
    (10, 1944)
    >>> transformer.get_feature_names_out()[0]
    'cooccurrence_0_1_along_-----'
    """

    _largest = LARGEST_VALUE

    def __init__(self, *, steps=(1.0, 3.0), length=5, n_jobs=None):
        self.steps = steps
        self.length = length
        self.n_jobs = n_jobs

    def get_feature_names_out(self, input_features=None):
        """Return `cooccurrence_<channel>_<step>_<along or across>_<run>`.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "n_channels_")
        names = [
            f"cooccurrence_{channel}_{step:g}_{direction}_{run}"
            for channel in range(self.n_channels_)
            for step in (self.steps if channel == 0 else self.steps[:1])
            for direction in ("along", "across")
            for run in map("".join, product("-0+", repeat=self.length))
        ]
        return np.array(names, dtype=object)

    def _get_function(self):
        steps = tuple(np.ravel(self.steps).tolist())
        if not steps or not all(isinstance(s, Real) and 0 < s < np.inf for s in steps):
            raise ValueError(f"steps must hold numbers > 0, got {self.steps!r}.")
        check_int("length", self.length, 1, 7)
        return _count_cooccurrences, {"steps": steps, "length": self.length}


def _to_luma_chroma(images):
    """Return float32 luma and chroma of colour images, and grey ones as they are."""
    images = images.astype(np.float32, copy=False)
    if images.ndim == 4 and images.shape[3] == 3:
        return images @ LUMA_CHROMA.T
    return images


def _log_spectrum(images, block_size, hop, radial, to_luma):
    """Return rows of log power, frequencies first, channels last."""
    images = _to_luma_chroma(images) if to_luma else images.astype(np.float32)
    power = welch_spectrum(images, block_size=block_size, hop=hop)
    if radial:
        rings = _find_rings(_find_block(images.shape[1:3], block_size))
        members = np.equal.outer(np.arange(rings.max() + 1), rings).astype(np.float32)
        members /= np.maximum(members.sum(axis=1, keepdims=True), 1)
        power = members @ power.reshape(len(power), rings.size, -1)
    return np.log(np.maximum(power, SMALLEST_POWER)).reshape(len(power), -1)


def _find_rings(sides):
    """Return the number of the ring of each frequency of a half spectrum, flat."""
    radius = np.hypot(fft.fftfreq(sides[0])[:, None], fft.rfftfreq(sides[1]))
    rings = np.round(radius * max(sides)).astype(int)
    return np.minimum(rings, max(sides) // 2).ravel()


def _count_cooccurrences(images, steps, length):
    """Return rows of features: channels, steps, directions, runs."""
    planes = _to_luma_chroma(images)
    planes = planes[..., None] if planes.ndim == 3 else planes
    luma, *chroma = np.moveaxis(np.rint(planes), 3, 0)
    rows = [_count_runs(luma, step, length) for step in steps]
    rows += [_count_runs(plane, steps[0], length) for plane in chroma]
    return np.concatenate(rows, axis=1)


def _count_runs(plane, step, length):
    """Return the roots of the frequencies of runs along and across, (n, 2 * 3^length).

    Both axes are averaged, and so are each run, its mirror image and its negative.
    """
    n_runs = 3**length
    counts = np.zeros((2, len(plane), n_runs))
    for axis in (1, 2):
        signs = np.rint(np.diff(plane, axis=axis) / np.float32(step))
        signs = signs.clip(-1, 1).astype(np.int16) + 1
        for across, along_axis in enumerate((axis, 3 - axis)):
            codes = _encode_runs(signs, length, along_axis)
            for i, image_codes in enumerate(codes):
                counts[across, i] += np.bincount(image_codes.ravel(), minlength=n_runs)
    # The negative of run r is 3^length - 1 - r; the mirror reverses its digits.
    mirrored = np.arange(n_runs).reshape([3] * length).transpose().ravel()
    counts += counts[..., ::-1]
    counts += counts[..., mirrored]
    totals = counts.sum(axis=2, keepdims=True)
    roots = np.sqrt(counts / np.maximum(totals, 1))
    return np.concatenate(list(roots), axis=1).astype(np.float32)


def _encode_runs(signs, length, axis):
    """Return the number in base 3 of each run of `length` signs along an axis."""
    n = max(signs.shape[axis] - length + 1, 0)
    codes = 0
    for k in range(length):
        part = [slice(None)] * 3
        part[axis] = slice(k, k + n)
        codes = 3 * codes + signs[tuple(part)]
    return codes

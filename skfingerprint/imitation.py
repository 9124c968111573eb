"""Imitation generators: small random networks that make images of unknown sources.

Sources of other people are unknown when a classifier is fitted, but their traces can be
imitated. An imitation keeps the content of an image and replaces its last processing,
as another network, resampling program or camera would. The networks are random and
untrained: they copy the operations of generators, not their weights.

All are stateless transformers of images in grey levels 0..255, as perturbations are.
"""

import functools
import itertools

import numpy as np

from skfingerprint._core import (
    ImageOutputMixin,
    StatelessTransformer,
    check_choice,
    check_int,
)
from skfingerprint.perturbation import JPEGCompression, _seed_by_image, _to_uint8

KINDS = (
    "transposed",
    "shuffled",
    "convolved",
    "resampled",
    "filtered",
    "sharpened",
    "autoencoded",
    "shrunk",
    "retouched",
    "jpeg",
)
# Filters as functions of the distance in pixels, and the distances where they end.
REDUCTIONS = ("box", "triangle", "hamming", "bicubic", "lanczos")
ENLARGEMENTS = ("box", "triangle", "bicubic", "lanczos")
# The kinds that are saved as JPEG; "moved" is an image moved by a few pixels.
BEFORE_JPEG = (
    "shrunk",
    "transposed",
    "shuffled",
    "shrunk",
    "resampled",
    "sharpened",
    "autoencoded",
    "moved",
    "filtered",
    "moved",
)
BLOCK = 32
SEGMENT = 128
LONGEST_KEPT = 512
COLUMN_VALUES = 2**16
NOISE_SIDE = 128
NOISE_STD = 50.0


class ImitationGenerator(ImageOutputMixin, StatelessTransformer):
    """Imitate an unknown source: give images the traces of a small random network.

    Parameters
    ----------
    kind : str, default="transposed"
        Kind of the network, one of `KINDS`:

        - "transposed": reduction, and transposed convolutions whose kernels differ
          between the sub-pixels;
        - "shuffled": reduction, and convolutions whose channels become sub-pixels;
        - "convolved": reduction, enlargement and convolutions;
        - "resampled": reduction and enlargement, of which half sharpen;
        - "filtered": smoothing or resampling, and convolutions;
        - "sharpened": reduction, enlargement, unsharp masking and convolutions;
        - "autoencoded": strided convolutions, and transposed convolutions;
        - "shrunk": a smaller image, mirrored to the old size, as a photograph is;
        - "retouched": the same, and convolutions with a small effect;
        - "jpeg": another kind, saved as JPEG (Pillow, extra `images`).
    random_state : int, default=0
        Seed of the weights and all other choices, >= 0.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    See Also
    --------
    skfingerprint.perturbation : Changes of images after their source made them.

    Notes
    -----
    Convolutions read the mean of the colors and write a texture for each color, which
    is added to the image. Its standard deviation is between 0.8 and 8 grey levels for
    an image of noise with a spectrum that falls as 1 / f, and so depends on the kind
    and the seed, not on other images. Uneven kernels of transposed convolutions and
    of sub-pixels leave the checkerboards of [1]_ and [2]_. [3]_ trains one such
    network to imitate generators; random networks need no training.

    References
    ----------
    .. [1] A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts",
       Distill, 2016. https://doi.org/10.23915/distill.00003
    .. [2] W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an
       Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016.
       https://doi.org/10.1109/CVPR.2016.207
    .. [3] X. Zhang, S. Karaman, S.-F. Chang, "Detecting and Simulating Artifacts in
       GAN Fake Images", WIFS 2019. https://doi.org/10.1109/WIFS47025.2019.9035107

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.imitation import IMITATIONS, ImitationGenerator
    >>> images = load_generators().images[:10]
    >>> imitated = ImitationGenerator("shuffled", random_state=3).fit_transform(images)
    >>> imitated.shape, imitated.dtype
    ((10, 64, 64, 3), dtype('uint8'))

    The content stays, and each kind and seed is a source of its own:

    >>> bool(abs(imitated.astype(float) - images).mean() < 20)
    True
    >>> len(IMITATIONS)
    82
    """

    _preserved_dtypes = ()

    def __init__(self, kind="transposed", *, random_state=0):
        self.kind = kind
        self.random_state = random_state

    def _get_function(self):
        check_choice("kind", self.kind, KINDS)
        check_int("random_state", self.random_state, 0)
        return self._imitate_all, {}

    def _imitate_all(self, images):
        network = _draw_network(self.kind, int(self.random_state))
        return np.stack([_imitate(network, _to_uint8(image)) for image in images])


def _imitate(network, image):
    """Apply a network to an image (height, width[, n_channels]) of uint8."""
    planes = image.reshape(*image.shape[:2], -1).transpose(2, 0, 1)
    imitated = _to_uint8(network(np.ascontiguousarray(planes, np.float32)))
    return imitated.transpose(1, 2, 0).reshape(image.shape)


# A network is a function from planes (n_channels, height, width) of float32 to planes
# of the same shape. Its choices are drawn once, by the functions below.


@functools.lru_cache(maxsize=512)
def _draw_network(kind, seed):
    rng = np.random.default_rng([KINDS.index(kind), seed])
    if kind == "jpeg":
        return _draw_jpeg(rng, BEFORE_JPEG[seed % len(BEFORE_JPEG)])
    return NETWORKS[kind](rng)


def _draw_jpeg(rng, kind):
    network = NETWORKS[kind](rng)
    jpeg = JPEGCompression(
        quality=int(rng.integers(78, 99)),
        subsampling=str(rng.choice(["4:4:4", "4:2:0"])),
    )

    def apply(x):
        image = np.ascontiguousarray(_to_uint8(network(x)).transpose(1, 2, 0))
        return jpeg._perturb(image).transpose(2, 0, 1).astype(np.float32)

    return apply


def _draw_transposed(rng):
    factor, reduce = _draw_reduction(rng, (2, 2, 4))
    kernel = _draw_subpixels(rng, factor)
    recolor = _draw_colors(rng)

    def apply(x):
        planes = [_convolve(plane[np.newaxis], kernel) for plane in reduce(x)]
        enlarged = np.concatenate([_interleave(plane, factor) for plane in planes])
        return recolor(_crop(enlarged, x))

    return apply


def _draw_subpixels(rng, factor):
    """Draw kernels (factor**2, 1, 5, 5): interpolation, uneven from pixel to pixel."""
    name = rng.choice(["bicubic", "triangle", "lanczos", "triangle"])
    shift = (np.arange(factor) + 0.5) / factor - 0.5
    line = _evaluate_filter(name, np.arange(-2, 3) - shift[:, np.newaxis])
    kernel = line[:, np.newaxis, :, np.newaxis] * line[:, np.newaxis]
    kernel = kernel.reshape(factor**2, 5, 5)
    noise = rng.normal(size=kernel.shape) * _draw_geometric(rng, 0.003, 0.1)
    places = (kernel != 0) | (rng.uniform(size=kernel.shape) < 0.3)
    if rng.integers(2):  # flat areas stay flat
        noise -= np.average(noise, (1, 2), places)[:, np.newaxis, np.newaxis]
    kernel = kernel / kernel.sum(axis=(1, 2), keepdims=True) + noise * places
    kernel *= factor**2 / kernel.sum()
    return kernel[:, np.newaxis].astype(np.float32)


def _draw_shuffled(rng):
    factor, reduce = _draw_reduction(rng, (2, 2, 4))
    enlarge = _draw_enlargement(rng, factor)
    texture = _draw_texture(rng, _draw_geometric(rng, 0.8, 8), factor)
    recolor = _draw_colors(rng)

    def apply(x):
        reduced = reduce(x)
        return recolor(enlarge(reduced, x) + _crop(texture(reduced), x))

    return apply


def _draw_convolved(rng):
    factor, reduce = _draw_reduction(rng, (2, 2, 4))
    enlarge = _draw_enlargement(rng, factor)
    std = _draw_geometric(rng, 0.8, 8)
    textures = [_draw_texture(rng, std), _draw_texture(rng, std / 2)]
    recolor = _draw_colors(rng)

    def apply(x):
        x = enlarge(reduce(x), x)
        for texture in textures:
            x = x + texture(x)
        return recolor(x)

    return apply


def _draw_resampled(rng):
    factor, reduce = _draw_reduction(rng, (2, 2, 3, 4))
    enlarge = _draw_enlargement(rng, factor)
    sharpen = _draw_sharpening(rng) if rng.integers(2) else _keep
    recolor = _draw_colors(rng)
    return lambda x: recolor(sharpen(enlarge(reduce(x), x)))


def _draw_filtered(rng):
    smooth = (_draw_median, _draw_gaussian, _draw_wiener, _draw_detour)
    smooth = smooth[rng.integers(4)](rng)
    texture = _draw_texture(rng, _draw_geometric(rng, 0.8, 8))
    sharpen = _draw_sharpening(rng) if rng.uniform() < 0.25 else _keep
    recolor = _draw_colors(rng)

    def apply(x):
        x = smooth(x)
        return recolor(sharpen(x + texture(x)))

    return apply


def _draw_sharpened(rng):
    factor, reduce = _draw_reduction(rng, (2, 2, 3, 4))
    enlarge = _draw_enlargement(rng, factor)
    sharpen = _draw_sharpening(rng)
    texture = _draw_texture(rng, max(_draw_geometric(rng, 0.8, 8) / 3, 0.5))
    recolor = _draw_colors(rng)

    def apply(x):
        x = sharpen(enlarge(reduce(x), x))
        return recolor(x + texture(x))

    return apply


def _draw_autoencoded(rng):
    width, size = int(rng.integers(8, 17)), int(rng.choice([3, 4]))
    std, activate = _draw_geometric(rng, 2, 8), _draw_activation(rng)
    encoder = _draw_kernel(rng, width, 1, 4), _draw_kernel(rng, width, width, 3)
    decoder = _draw_decoder(rng, width, width, size), _draw_decoder(rng, 3, width, size)
    blur, share = rng.uniform(1, 3), 0.6
    recolor = _draw_colors(rng)

    def decode(x):
        code = _center(x)
        for kernel in encoder:
            code = activate(_convolve(code, kernel, 2))
        code = activate(_interleave(_convolve(code, decoder[0]), 2))
        code = _crop(_interleave(_convolve(code, decoder[1]), 2), x)
        return code - _blur(code, 3)

    gain = std / _measure_std(decode)

    def apply(x):
        smooth = _blur(x, blur)
        if blur < 2:
            smooth = smooth + share * (x - smooth)
        return recolor(smooth + np.clip(gain * decode(x)[: len(x)], -60, 60))

    return apply


def _draw_decoder(rng, n_out, n_in, size):
    """Draw a transposed convolution of stride 2 as convolutions for four sub-pixels.

    A size of 3 is no multiple of the stride, so that sub-pixels get different numbers
    of weights, which is what leaves a checkerboard.
    """
    whole = _draw_kernel(rng, n_out, n_in, size)
    kernel = np.zeros((n_out, 2, 2, n_in, 3, 3), np.float32)
    for i, j in np.ndindex(size, size):
        y, x = i - 1, j - 1
        kernel[:, y % 2, x % 2, :, 1 - y // 2, 1 - x // 2] = whole[:, :, i, j]
    return kernel.reshape(4 * n_out, n_in, 3, 3)


def _draw_shrunk(rng):
    shrink, std = _draw_shrinking(rng), rng.choice([0, 0, 1, 2])
    seed = int(rng.integers(2**31))

    def apply(x):
        x = shrink(x)
        if std:
            noise = _seed_by_image(seed, x).standard_normal(x.shape, np.float32)
            x = x + np.float32(std) * noise
        return x

    return apply


def _draw_retouched(rng):
    shrink = _draw_shrinking(rng)
    texture = _draw_texture(rng, _draw_geometric(rng, 0.5, 3))
    sharpen = _draw_sharpening(rng, ((0.6, 1.5), (0.2, 0.8), (0,)))
    sharpen = sharpen if rng.uniform() < 0.4 else _keep

    def apply(x):
        x = shrink(x)
        return sharpen(x + texture(x))

    return apply


def _draw_moved(rng):
    shift = tuple(int(by) for by in rng.integers(1, 8, 2))
    return lambda x: _blur(np.roll(x, shift, (1, 2)), 0.5)


NETWORKS = {
    "transposed": _draw_transposed,
    "shuffled": _draw_shuffled,
    "convolved": _draw_convolved,
    "resampled": _draw_resampled,
    "filtered": _draw_filtered,
    "sharpened": _draw_sharpened,
    "autoencoded": _draw_autoencoded,
    "shrunk": _draw_shrunk,
    "retouched": _draw_retouched,
    "moved": _draw_moved,
}


def _keep(x):
    return x


def _draw_geometric(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _draw_reduction(rng, factors):
    """Draw a factor, and a function that reduces planes by it."""
    factor, name = int(rng.choice(factors)), str(rng.choice(REDUCTIONS))
    blur, step = float(rng.choice([0, 0, 0.5, 0.8])), rng.choice([0, 0, 0, 1, 2])

    def reduce(x):
        sizes = [-(-n // factor) for n in x.shape[1:]]
        x = _resample(_blur(x, blur), sizes, factor, name)
        return np.rint(x / np.float32(step)) * np.float32(step) if step else x

    return factor, reduce


def _draw_enlargement(rng, factor):
    name = str(rng.choice(ENLARGEMENTS))
    return lambda x, like: _resample(x, like.shape[1:], 1 / factor, name)


def _draw_sharpening(rng, choices=((0.6, 2), (0.2, 1.5), (0, 1, 2, 4))):
    """Draw an unsharp mask: ranges of its deviation and amount, and its thresholds."""
    std, amount = rng.uniform(*choices[0]), np.float32(rng.uniform(*choices[1]))
    threshold = np.float32(rng.choice(choices[2]))

    def sharpen(x):
        detail = x - _blur(x, std)
        if threshold:
            detail -= detail.clip(-threshold, threshold)
        return x + amount * detail

    return sharpen


def _draw_colors(rng):
    """Draw a matrix that mixes the colors slightly, and an exponent."""
    matrix = np.eye(3) + rng.normal(size=(3, 3)) * rng.choice([0, 0.01, 0.04])
    matrix = matrix.astype(np.float32)
    gamma = np.float32(np.exp(rng.normal() * rng.choice([0, 0, 0.15])))

    def recolor(x):
        if len(x) == 3:
            x = (matrix @ x.reshape(3, -1)).reshape(x.shape)
        return x if gamma == 1 else 255 * (x.clip(0, 255) / 255) ** gamma

    return recolor


def _draw_shrinking(rng):
    """Draw a reduction of the image, mirrored to the old size."""
    scale, name = rng.choice([0.5, 0.5, 0.6, 0.7]), str(rng.choice(REDUCTIONS))
    blur = float(rng.choice([0, 0, 0.5]))

    def shrink(x):
        sizes = [max(int(scale * n), 1) for n in x.shape[1:]]
        small = _resample(_blur(x, blur), sizes, None, name)
        extra = [(0, n - size) for n, size in zip(x.shape[1:], sizes, strict=True)]
        return np.pad(small, [(0, 0), *extra], "symmetric")

    return shrink


def _draw_median(rng):
    return _filter_median


def _draw_gaussian(rng):
    std = rng.uniform(0.4, 1.6)
    return lambda x: _blur(x, std)


def _draw_wiener(rng):
    variance = np.float32((8 * rng.uniform(0.4, 1.6)) ** 2)

    def smooth(x):
        mean = _average(x, 3)
        local = _average(x * x, 3) - mean * mean
        share = np.maximum(local - variance, 0) / np.maximum(local, 1e-3)
        return mean + share * (x - mean)

    return smooth


def _draw_detour(rng):
    """Draw a reduction by a fifth and an enlargement to the old size."""
    down, up = str(rng.choice(REDUCTIONS)), str(rng.choice(ENLARGEMENTS))

    def smooth(x):
        sizes = [max(int(0.8 * n), 1) for n in x.shape[1:]]
        return _resample(_resample(x, sizes, None, down), x.shape[1:], None, up)

    return smooth


def _draw_texture(rng, std, factor=1):
    """Draw a convolutional network from planes to a texture of a standard deviation.

    Its weights are independent of each other, or partly equal for all sub-pixels and
    colors. Activations are linear on both sides of zero and nothing is added to them,
    so that the texture grows with the contrast of the image.
    """
    width = int(rng.integers(6, 17) if factor > 1 else rng.integers(4, 8))
    n_layers = int(rng.integers(1, 4) if factor > 1 else rng.integers(1, 3))
    activate, widths = _draw_activation(rng), [1] + [width] * n_layers
    kernels = [
        _draw_kernel(rng, n_out, n_in, int(rng.choice([3, 5])) if n_in == 1 else 3)
        for n_in, n_out in itertools.pairwise(widths)
    ]
    last = _draw_kernel(rng, 3 * factor**2, width, 3)
    last = last.reshape(3, factor**2, width, 3, 3)
    if factor > 1:
        mean = last.mean(axis=1, keepdims=True)
        last = mean + np.float32(rng.uniform() ** 2) * (last - mean)
    if rng.integers(2):
        mean = last.mean(axis=0, keepdims=True)
        last = mean + np.float32(0.2) * (last - mean)
    last, is_fine = last.reshape(-1, width, 3, 3), rng.uniform() < 0.8

    def convolve(x):
        x = _center(x)
        for kernel in kernels:
            x = activate(_convolve(x, kernel))
        x = _interleave(_convolve(x, last), factor)
        x = x - _average(x, 5) if is_fine else x
        return x - x.mean(axis=(1, 2), keepdims=True)

    gain, limit = np.float32(std / _measure_std(convolve)), np.float32(8 * std)
    return lambda x: (gain * convolve(x)[: len(x)]).clip(-limit, limit)


def _draw_activation(rng):
    slope = np.float32(rng.choice([0, 0.1, 0.2, 0.25]))
    return lambda x: np.maximum(x, slope * x)


def _draw_kernel(rng, n_out, n_in, size):
    """Draw weights (n_out, n_in, size, size), smooth in most layers."""
    kernel = rng.normal(size=(n_out, n_in, size, size))
    smooth = rng.uniform(0, 1.2)
    if smooth > 0.3:
        distances = np.subtract.outer(np.arange(size), np.arange(size))
        line = np.exp(-0.5 * (distances / smooth) ** 2)
        kernel = line @ kernel @ line
    kernel *= np.sqrt(2 / np.square(kernel).sum(axis=(1, 2, 3)).mean())
    return kernel.astype(np.float32)


@functools.cache
def _make_noise():
    """Return a plane (1, side, side) of noise whose amplitudes fall as 1 / f."""
    frequencies = np.fft.fftfreq(NOISE_SIDE)
    radius = np.hypot(frequencies[:, np.newaxis], frequencies)
    radius[0, 0] = np.inf
    white = np.random.default_rng(0).normal(size=radius.shape)
    noise = np.fft.ifft2(np.fft.fft2(white) / radius).real
    return np.float32(128 + NOISE_STD * noise / noise.std())[np.newaxis]


def _measure_std(convolve):
    """Measure the standard deviation of the result for noise."""
    return max(float(convolve(_make_noise()).std()), 1e-6)


def _center(x):
    """Return the mean of the colors, (1, height, width), with a mean near zero."""
    return (x.mean(axis=0, keepdims=True) - 128) / 64


def _convolve(x, kernel, stride=1):
    """Convolve planes, mirrored at the border, by matrix products of a few rows.

    Parameters
    ----------
    x : ndarray of shape (n_in, height, width)
        Planes.
    kernel : ndarray of shape (n_out, n_in, size, size)
        Weights.
    stride : int, default=1
        Distance of the results in both directions.

    Returns
    -------
    convolved : ndarray of shape (n_out, ceil(height / stride), ceil(width / stride))
    """
    n_out, _, size, _ = kernel.shape
    border = size // 2, size - 1 - size // 2
    x = np.pad(x, ((0, 0), border, border), "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    windows = windows[:, ::stride, ::stride].transpose(1, 0, 3, 4, 2)
    height, width, kernel = len(windows), windows.shape[-1], kernel.reshape(n_out, -1)
    n_rows = max(COLUMN_VALUES // (kernel.shape[1] * SEGMENT), 1)
    convolved = np.empty((n_out, height, width), np.float32)
    for i, j in itertools.product(range(0, height, n_rows), range(0, width, SEGMENT)):
        columns = windows[i : i + n_rows, ..., j : j + SEGMENT]
        columns = columns.reshape(len(columns), kernel.shape[1], -1)
        part = convolved[:, i : i + n_rows, j : j + SEGMENT]
        part[:] = (kernel @ columns).swapaxes(0, 1)
    return convolved


def _interleave(x, factor):
    """Make sub-pixels of channels (n * factor**2, height, width)."""
    if factor == 1:
        return x
    n, height, width = len(x) // factor**2, *x.shape[1:]
    x = x.reshape(n, factor, factor, height, width).transpose(0, 3, 1, 4, 2)
    return x.reshape(n, height * factor, width * factor)


def _crop(x, like):
    return x[:, : like.shape[1], : like.shape[2]]


def _blur(x, std):
    if not std:
        return x
    return _resample(x, x.shape[1:], 1, "gaussian", float(std))


def _average(x, size):
    return _resample(x, x.shape[1:], 1, "box", size)


def _resample(x, sizes, step, name, stretch=None):
    """Filter and resample planes, rows and columns one after the other.

    Parameters
    ----------
    x : ndarray of shape (n_channels, height, width)
        Planes.
    sizes : sequence of int
        New height and width.
    step : float or None
        Distance of the results in pixels; by default the ratio of the sizes.
    name : str
        Filter.
    stretch : float, default=None
        Factor of the filter's distances; by default `step`, if it is above 1.

    Returns
    -------
    resampled : ndarray of shape (n_channels, *sizes)
    """
    columns, rows = (
        _find_bands(n_in, n_out, step or n_in / n_out, name, stretch)
        for n_in, n_out in zip(x.shape[1:], sizes, strict=True)
    )
    x = np.concatenate([band @ x[:, part] for part, band in columns], axis=1)
    return np.concatenate([x[:, :, part] @ band.T for part, band in rows], axis=2)


def _find_bands(n_in, n_out, *params):
    """Return the matrix of a filter, which is kept for small images only."""
    is_small = max(n_in, n_out) <= LONGEST_KEPT
    make = _make_bands if is_small else _make_bands.__wrapped__
    return make(n_in, n_out, *params)


@functools.lru_cache(maxsize=512)
def _make_bands(n_in, n_out, step, name, stretch):
    """Return the matrix (n_out, n_in) of a filter, as parts of n_in and few rows."""
    stretch, bands = stretch or max(step, 1), []
    reach = stretch * FILTERS[name][1]
    for start in range(0, n_out, BLOCK):
        centers = (np.arange(start, min(start + BLOCK, n_out)) + 0.5) * step
        centers = centers[:, np.newaxis]
        part = slice(
            max(int(centers[0, 0] - reach), 0),
            min(int(np.ceil(centers[-1, 0] + reach)), n_in),
        )
        places = np.arange(part.start, part.stop) + 0.5
        rows = _evaluate_filter(name, (places - centers) / stretch)
        rows /= rows.sum(axis=1, keepdims=True)
        bands.append((part, rows.astype(np.float32)))
    return tuple(bands)


def _evaluate_filter(name, distances):
    function, reach = FILTERS[name]
    inside = (distances > -reach) & (distances <= reach)
    return np.where(inside, function(np.abs(distances)), 0)


def _bicubic(x):
    near = (1.5 * x - 2.5) * x * x + 1
    return np.where(x < 1, near, ((-0.5 * x + 2.5) * x - 4) * x + 2)


FILTERS = {
    "box": (np.ones_like, 0.5),
    "triangle": (lambda x: 1 - x, 1),
    "hamming": (lambda x: np.sinc(x) * (0.54 + 0.46 * np.cos(np.pi * x)), 1),
    "bicubic": (_bicubic, 2),
    "lanczos": (lambda x: np.sinc(x) * np.sinc(x / 3), 3),
    "gaussian": (lambda x: np.exp(-0.5 * x * x), 4),
}


def _filter_median(x):
    """Return the median of 3 x 3 pixels: of the sorted columns' extremes and medians.

    It is the median of the greatest minimum, the median of the medians and the least
    maximum of the three columns.
    """
    x = np.pad(x, ((0, 0), (1, 1), (1, 1)), "edge")
    low, middle, high = _sort_three(*(x[:, i : x.shape[1] - 2 + i] for i in range(3)))

    def shift(x):
        return (x[:, :, i : x.shape[2] - 2 + i] for i in range(3))

    return _sort_three(
        _sort_three(*shift(low))[2],
        _sort_three(*shift(middle))[1],
        _sort_three(*shift(high))[0],
    )[1]


def _sort_three(a, b, c):
    a, b = np.minimum(a, b), np.maximum(a, b)
    b, c = np.minimum(b, c), np.maximum(b, c)
    return np.minimum(a, b), np.maximum(a, b), c


# Eight of each kind but ten of JPEG, after other kinds.
IMITATIONS = tuple(
    ImitationGenerator(kind, random_state=seed)
    for kind in KINDS
    for seed in range(10 if kind == "jpeg" else 8)
)

"""Random networks, which give images the traces of an unknown source.

A network is a function from planes (n_channels, height, width) of float32 to planes of
the same shape. Its choices are drawn once.
"""

import functools
import itertools

import numpy as np

from skfingerprint.imitation._planes import (
    average_planes,
    blur_planes,
    convolve_planes,
    crop_planes,
    evaluate_filter,
    filter_median,
    interleave_channels,
    resample_planes,
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
NOISE_SIDE = 128
NOISE_STD = 50.0


@functools.lru_cache(maxsize=512)
def draw_network(kind, seed):
    """Draw the network of a kind and a seed, which is kept."""
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
        planes = [convolve_planes(plane[np.newaxis], kernel) for plane in reduce(x)]
        enlarged = np.concatenate(
            [interleave_channels(plane, factor) for plane in planes]
        )
        return recolor(crop_planes(enlarged, x))

    return apply


def _draw_subpixels(rng, factor):
    """Draw kernels (factor**2, 1, 5, 5): interpolation, uneven from pixel to pixel."""
    name = rng.choice(["bicubic", "triangle", "lanczos", "triangle"])
    shift = (np.arange(factor) + 0.5) / factor - 0.5
    line = evaluate_filter(name, np.arange(-2, 3) - shift[:, np.newaxis])
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
        return recolor(enlarge(reduced, x) + crop_planes(texture(reduced), x))

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
            code = activate(convolve_planes(code, kernel, 2))
        code = activate(interleave_channels(convolve_planes(code, decoder[0]), 2))
        code = crop_planes(interleave_channels(convolve_planes(code, decoder[1]), 2), x)
        return code - blur_planes(code, 3)

    gain = std / _measure_std(decode)

    def apply(x):
        smooth = blur_planes(x, blur)
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
    return lambda x: blur_planes(np.roll(x, shift, (1, 2)), 0.5)


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
        x = resample_planes(blur_planes(x, blur), sizes, factor, name)
        return np.rint(x / np.float32(step)) * np.float32(step) if step else x

    return factor, reduce


def _draw_enlargement(rng, factor):
    name = str(rng.choice(ENLARGEMENTS))
    return lambda x, like: resample_planes(x, like.shape[1:], 1 / factor, name)


def _draw_sharpening(rng, choices=((0.6, 2), (0.2, 1.5), (0, 1, 2, 4))):
    """Draw an unsharp mask: ranges of its deviation and amount, and its thresholds."""
    std, amount = rng.uniform(*choices[0]), np.float32(rng.uniform(*choices[1]))
    threshold = np.float32(rng.choice(choices[2]))

    def sharpen(x):
        detail = x - blur_planes(x, std)
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
        small = resample_planes(blur_planes(x, blur), sizes, None, name)
        extra = [(0, n - size) for n, size in zip(x.shape[1:], sizes, strict=True)]
        return np.pad(small, [(0, 0), *extra], "symmetric")

    return shrink


def _draw_median(rng):
    return filter_median


def _draw_gaussian(rng):
    std = rng.uniform(0.4, 1.6)
    return lambda x: blur_planes(x, std)


def _draw_wiener(rng):
    variance = np.float32((8 * rng.uniform(0.4, 1.6)) ** 2)

    def smooth(x):
        mean = average_planes(x, 3)
        local = average_planes(x * x, 3) - mean * mean
        share = np.maximum(local - variance, 0) / np.maximum(local, 1e-3)
        return mean + share * (x - mean)

    return smooth


def _draw_detour(rng):
    """Draw a reduction by a fifth and an enlargement to the old size."""
    down, up = str(rng.choice(REDUCTIONS)), str(rng.choice(ENLARGEMENTS))

    def smooth(x):
        sizes = [max(int(0.8 * n), 1) for n in x.shape[1:]]
        return resample_planes(
            resample_planes(x, sizes, None, down), x.shape[1:], None, up
        )

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
            x = activate(convolve_planes(x, kernel))
        x = interleave_channels(convolve_planes(x, last), factor)
        x = x - average_planes(x, 5) if is_fine else x
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

"""Perturbations of images: compression, resizing, blur, noise, crops and shifts.

All are stateless transformers of images in grey levels 0..255. They return uint8, as a
file would hold it, and treat each image by itself, so the result does not depend on the
batch. Images that come out in different sizes are a list. Chain perturbations with
:func:`sklearn.pipeline.make_pipeline`.
"""

import io
import zlib

import numpy as np
from scipy import fft, ndimage
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skfingerprint._core import (
    ImageOutputMixin,
    StatelessTransformer,
    check_choice,
    check_int,
    check_positive,
    list_steps,
    needs_extra,
    shorten,
    stack_images,
)

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
UPSAMPLINGS = ("triangle", "repeat", "dct")
RESAMPLES = ("nearest", "bilinear", "bicubic", "lanczos")
# Red, green and blue of the differences of blue and of red from luma (JFIF, BT.601).
CHROMA_TO_RGB = ((0, -0.344136, 1.772), (1.402, -0.714136, 0))
# Side of a block of chroma in samples; in the image it is twice as long.
CHROMA_BLOCK = 8


class _Perturbation(ImageOutputMixin, StatelessTransformer):
    """Base of perturbations: rounds images to uint8 and calls `_perturb` for each."""

    _preserved_dtypes = ()

    def _get_function(self):
        self._check_parameters()
        return self._perturb_all, {}

    def _perturb_all(self, images):
        return np.stack([self._perturb(_to_uint8(image)) for image in images])


class JPEGCompression(_Perturbation):
    """Save images as JPEG and read them again (Pillow, extra `images`).

    Parameters
    ----------
    quality : int, default=95
        Quality on libjpeg's scale, 1 to 100.
    subsampling : {"4:4:4", "4:2:2", "4:2:0"}, default="4:2:0"
        Chroma subsampling of color images.
    upsampling : {"triangle", "repeat", "dct"}, default="triangle"
        Enlargement of the chroma of 4:2:0 files when they are read: by a triangle
        filter as in Pillow, OpenCV and other programs with libjpeg-turbo or libjpeg 6b;
        by repeating each sample as in ffmpeg and other fast decoders; or by the
        discrete cosine transform (DCT) as in libjpeg 7 to 9. Other subsamplings are
        read by Pillow and take "triangle" only.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Notes
    -----
    By the DCT, each block of 8 x 8 samples is enlarged to the 16 x 16 samples of the
    same cosines: with C_n the orthonormal DCT matrix of n samples and J the first 8
    rows of the identity matrix of 16, it becomes 2 C_16^T J^T C_8 block C_8^T J C_16.
    Here the block is rounded before; libjpeg 7 to 9 round once, afterwards.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import JPEGCompression
    >>> images = load_generators().images[:10]
    >>> compressed = JPEGCompression(quality=75).fit_transform(images)
    >>> compressed.shape, compressed.dtype
    ((10, 64, 64, 3), dtype('uint8'))

    A chain is a pipeline:

    >>> from sklearn.pipeline import Pipeline, make_pipeline
    >>> from skfingerprint.perturbation import Resize
    >>> chain = make_pipeline(Resize(scale=0.5), JPEGCompression(quality=75))
    >>> chain.fit_transform(images).shape
    (10, 64, 64, 3)
    """

    def __init__(self, *, quality=95, subsampling="4:2:0", upsampling="triangle"):
        self.quality = quality
        self.subsampling = subsampling
        self.upsampling = upsampling

    def _check_parameters(self):
        check_int("quality", self.quality, 1, 100)
        check_choice("subsampling", self.subsampling, SUBSAMPLINGS)
        check_choice("upsampling", self.upsampling, UPSAMPLINGS)
        if self.upsampling != "triangle" and self.subsampling != "4:2:0":
            raise ValueError(
                f"upsampling={self.upsampling!r} needs subsampling='4:2:0', got "
                f"{self.subsampling!r}."
            )

    def _perturb(self, image):
        picture = _to_picture(image)
        options = {} if picture.mode == "L" else {"subsampling": self.subsampling}
        if options and self.upsampling != "triangle":
            picture = _to_picture(_pad_to_blocks(image))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(self.quality), **options)
        if options and self.upsampling != "triangle":
            read = _read_upsampled(file, self.upsampling)
            return read[: image.shape[0], : image.shape[1]]
        return np.asarray(_import_pillow().open(file)).reshape(image.shape)


def _pad_to_blocks(image):
    """Repeat the last row and column, as libjpeg does, up to whole blocks of chroma."""
    extra = [(0, -n % (2 * CHROMA_BLOCK)) for n in image.shape[:2]]
    return np.pad(image, [*extra, (0, 0)], "edge")


def _read_upsampled(file, upsampling):
    """Read a 4:2:0 JPEG file of whole blocks, enlarging the chroma by a method.

    A reader at half the size gets the samples of chroma as they are in the file, since
    libjpeg leaves out steps that shrink them and enlarge them again.
    """
    pictures = [_import_pillow().open(file) for _ in range(2)]
    size = pictures[0].size
    for picture, part in zip(pictures, (1, 2), strict=True):
        picture.draft("YCbCr", (size[0] // part, size[1] // part))
    luma, chroma = np.asarray(pictures[0])[..., :1], np.asarray(pictures[1])[..., 1:]
    enlarge = _repeat_samples if upsampling == "repeat" else _enlarge_blocks
    colors = (enlarge(chroma).astype(np.float32) - 128) @ np.float32(CHROMA_TO_RGB)
    return _to_uint8(luma + colors)


def _repeat_samples(chroma):
    return chroma.repeat(2, axis=0).repeat(2, axis=1)


def _enlarge_blocks(chroma):
    """Enlarge blocks of 8 x 8 samples to 16 x 16 by the discrete cosine transform."""
    n = CHROMA_BLOCK
    cosines = fft.dct(np.eye(n), axis=0, norm="ortho")
    matrix = np.sqrt(2) * fft.idct(cosines, n=2 * n, axis=0, norm="ortho")
    matrix = matrix.astype(np.float32)
    height, width, n_channels = chroma.shape
    # Rows first, then columns, of blocks side by side.
    rows = matrix @ chroma.reshape(height // n, n, width * n_channels)
    columns = rows.reshape(2 * height, width // n, n, n_channels).swapaxes(2, 3)
    enlarged = (columns @ matrix.T).swapaxes(2, 3)
    return _to_uint8(enlarged.reshape(2 * height, 2 * width, n_channels))


class WebPCompression(_Perturbation):
    """Save images as lossy WebP and read them again (Pillow, extra `images`).

    Parameters
    ----------
    quality : int, default=80
        Quality on libwebp's scale, 0 to 100.
    method : int, default=4
        Effort of libwebp, 0 (fast) to 6 (slow): programs use different ones.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import WebPCompression
    >>> WebPCompression(quality=70).fit_transform(load_generators().images[:10]).shape
    (10, 64, 64, 3)
    """

    def __init__(self, *, quality=80, method=4):
        self.quality = quality
        self.method = method

    def _check_parameters(self):
        check_int("quality", self.quality, 0, 100)
        check_int("method", self.method, 0, 6)

    def _perturb(self, image):
        picture = _to_picture(image)
        file = io.BytesIO()
        options = {"quality": int(self.quality), "method": int(self.method)}
        picture.save(file, "WEBP", **options)
        # WebP has color pictures only, so grey ones come back as RGB.
        read = _import_pillow().open(file).convert(picture.mode)
        return np.asarray(read).reshape(image.shape)


class AVIFCompression(_Perturbation):
    """Save images as lossy AVIF and read them again (Pillow with libavif).

    Parameters
    ----------
    quality : int, default=75
        Quality on libavif's scale, 0 to 100.
    speed : int, default=6
        Effort of the encoder, from 0 for the slowest to 10 for the fastest.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import AVIFCompression
    >>> images = load_generators().images[:10]
    >>> AVIFCompression(quality=90, speed=10).fit_transform(images).shape
    (10, 64, 64, 3)
    """

    def __init__(self, *, quality=75, speed=6):
        self.quality = quality
        self.speed = speed

    def _check_parameters(self):
        check_int("quality", self.quality, 0, 100)
        check_int("speed", self.speed, 0, 10)

    def _perturb(self, image):
        picture = _to_picture(image)
        file = io.BytesIO()
        options = {"quality": int(self.quality), "speed": int(self.speed)}
        _check_avif()
        # One thread, since images of a batch are small and threads run batches.
        picture.save(file, "AVIF", max_threads=1, **options)
        # AVIF has color pictures only, so grey ones come back as RGB.
        read = _import_pillow().open(file).convert(picture.mode)
        return np.asarray(read).reshape(image.shape)


def _check_avif():
    """Raise ImportError unless Pillow writes AVIF."""
    _import_pillow()
    from PIL import features

    if not features.check("avif"):
        raise ImportError(
            "AVIFCompression needs a Pillow that writes AVIF, as the wheels of version "
            "11.3 and later do. Leave it out, or `pip install --upgrade Pillow`."
        )


class Resize(_Perturbation):
    """Resize images, and restore their size by default (Pillow, extra `images`).

    Parameters
    ----------
    scale : float, default=0.5
        Factor for height and width, > 0.
    resample : {"nearest", "bilinear", "bicubic", "lanczos"}, default="lanczos"
        Filter of Pillow, for both directions.
    restore : bool, default=True
        Whether to resize images back to their size, which a classifier of pixels needs.
    min_side : int, default=1
        Length in pixels, >= 1, below which no side is reduced: features may need it.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import Resize
    >>> images = load_generators().images[:10]
    >>> Resize(scale=0.75).fit_transform(images).shape
    (10, 64, 64, 3)
    >>> Resize(scale=0.75, restore=False).fit_transform(images).shape
    (10, 48, 48, 3)
    """

    def __init__(self, *, scale=0.5, resample="lanczos", restore=True, min_side=1):
        self.scale = scale
        self.resample = resample
        self.restore = restore
        self.min_side = min_side

    def _check_parameters(self):
        check_positive("scale", self.scale, high=100)
        check_choice("resample", self.resample, RESAMPLES)
        check_int("min_side", self.min_side, 1)

    def _perturb(self, image):
        picture = _to_picture(image)
        height, width = image.shape[:2]
        resized = tuple(
            max(round(self.scale * n), min(n, self.min_side)) for n in (width, height)
        )
        sizes = [resized, (width, height)] if self.restore else [resized]
        resample = _import_pillow().Resampling[self.resample.upper()]
        for size in sizes:
            picture = picture.resize(size, resample)
        return np.asarray(picture).reshape(*sizes[-1][::-1], *image.shape[2:])


class GaussianBlur(_Perturbation):
    """Blur images with a Gaussian kernel, each channel by itself.

    Parameters
    ----------
    std : float, default=1.0
        Standard deviation of the kernel in pixels, > 0.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import GaussianBlur
    >>> GaussianBlur(std=2).fit_transform(load_generators().images[:10]).shape
    (10, 64, 64, 3)
    """

    def __init__(self, *, std=1.0):
        self.std = std

    def _check_parameters(self):
        check_positive("std", self.std, high=1000, unit=", in pixels")

    def _perturb(self, image):
        spread = (self.std, self.std, 0)[: image.ndim]
        blurred = ndimage.gaussian_filter(image.astype(np.float32), spread)
        return _to_uint8(blurred)


class GaussianNoise(_Perturbation):
    """Add white Gaussian noise to images.

    The noise of an image depends only on `random_state` and the image, so it is the
    same in each batch and at each call.

    Parameters
    ----------
    std : float, default=2.0
        Standard deviation of the noise in grey levels, > 0.
    random_state : int, default=0
        Seed of the noise, >= 0.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import GaussianNoise
    >>> images = load_generators().images[:10]
    >>> noisy = GaussianNoise(std=5).fit_transform(images)
    >>> bool((GaussianNoise(std=5).fit_transform(images[3:]) == noisy[3:]).all())
    True
    """

    def __init__(self, *, std=2.0, random_state=0):
        self.std = std
        self.random_state = random_state

    def _check_parameters(self):
        check_positive("std", self.std, high=1e4, unit=", in grey levels")
        check_int("random_state", self.random_state, 0)

    def _perturb(self, image):
        rng = _seed_by_image(self.random_state, image)
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        return _to_uint8(image + np.float32(self.std) * noise)


class Crop(_Perturbation):
    """Cut a part out of each image.

    Parameters
    ----------
    top, left : int, default=0
        Corner of the part in pixels, >= 0.
    height, width : int, default=None
        Size of the part in pixels; None extends it to the lower or right border.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import Crop
    >>> images = load_generators().images[:10]
    >>> Crop(top=3, left=5, height=48, width=48).fit_transform(images).shape
    (10, 48, 48, 3)
    """

    def __init__(self, *, top=0, left=0, height=None, width=None):
        self.top = top
        self.left = left
        self.height = height
        self.width = width

    def _check_parameters(self):
        check_int("top", self.top, 0)
        check_int("left", self.left, 0)
        check_int("height", self.height, 1, also=(None,))
        check_int("width", self.width, 1, also=(None,))

    def _perturb(self, image):
        height, width = image.shape[:2]
        bottom = height if self.height is None else self.top + self.height
        right = width if self.width is None else self.left + self.width
        if bottom > height or right > width or self.top >= bottom or self.left >= right:
            raise ValueError(
                f"the part [{self.top}:{bottom}, {self.left}:{right}] does not fit "
                f"into images of {height} x {width} pixels."
            )
        return image[self.top : bottom, self.left : right]


class Shift(_Perturbation):
    """Move images within their frame, and fill the border by reflection.

    Parameters
    ----------
    down, right : int, default=1
        Distances in pixels; negative values move images up and left.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.perturbation import Shift
    >>> Shift(down=0, right=2).fit_transform(np.arange(16).reshape(1, 2, 8))[0, 0]
    array([1, 0, 0, 1, 2, 3, 4, 5], dtype=uint8)
    """

    def __init__(self, *, down=1, right=1):
        self.down = down
        self.right = right

    def _check_parameters(self):
        check_int("down", self.down)
        check_int("right", self.right)

    def _perturb(self, image):
        # Pad the indices on both sides, and take the n of them that start `by` earlier.
        rows, columns = (
            np.pad(np.arange(n), abs(by), "symmetric")[abs(by) - by :][:n]
            for n, by in zip(image.shape[:2], (self.down, self.right), strict=True)
        )
        return image[rows][:, columns]


class RandomPerturbation(_Perturbation):
    """Perturb each image with parameters that are drawn for it at random.

    The drawn values depend only on `random_state` and the image, so they are the same
    in each batch and at each call. Images whose sizes differ then, as after
    `Resize(restore=False)`, are a list.

    Parameters
    ----------
    perturbation : transformer
        Transformer of images, such as a perturbation of this module or a pipeline of
        several.
    distributions : dict of str to sequence or distribution
        Values to choose from for each parameter that varies, or an object with `rvs`,
        as the distributions of scipy.stats are. Parameters of the steps of a pipeline
        are named `step__parameter`.
    random_state : int, default=0
        Seed of the drawn values, >= 0.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.perturbation import JPEGCompression, RandomPerturbation
    >>> images = load_generators().images[:10]
    >>> random = RandomPerturbation(JPEGCompression(), {"quality": range(60, 86)})
    >>> compressed = random.fit_transform(images)
    >>> bool((random.fit_transform(images[3:]) == compressed[3:]).all())
    True

    Random sizes give a list:

    >>> from skfingerprint.perturbation import Resize
    >>> random = RandomPerturbation(Resize(restore=False), {"scale": (0.5, 0.75)})
    >>> sorted({image.shape for image in random.fit_transform(images)})
    [(32, 32, 3), (48, 48, 3)]
    """

    def __init__(self, perturbation, distributions, *, random_state=0):
        self.perturbation = perturbation
        self.distributions = distributions
        self.random_state = random_state

    def _check_parameters(self):
        check_int("random_state", self.random_state, 0)
        values = self.distributions.values()
        if not values or not all(hasattr(v, "rvs") or len(v) for v in values):
            raise ValueError(
                "distributions must hold a sequence, or an object with `rvs`, for at "
                f"least one parameter, got {shorten(self.distributions)}."
            )
        # One draw on a clone raises the error of a parameter that does not exist.
        clone(self.perturbation).set_params(**self._draw(np.random.default_rng(0)))

    def _perturb_all(self, images):
        perturbation, perturbed = clone(self.perturbation), []
        for image in map(_to_uint8, images):
            rng = _seed_by_image(self.random_state, image)
            perturbation.set_params(**self._draw(rng))
            perturbed.append(_apply(perturbation, image))
        return stack_images(perturbed)

    def _perturb(self, image):
        return self._perturb_all(image[np.newaxis])[0]

    def _draw(self, rng):
        """Draw a value for each parameter that varies."""
        return {
            name: values.rvs(random_state=rng)
            if hasattr(values, "rvs")
            else values[rng.integers(len(values))]
            for name, values in self.distributions.items()
        }


def _apply(perturbation, image):
    """Perturb one image without validating a stack, which would take longer."""
    for step in list_steps(perturbation):
        if isinstance(step, _Perturbation):
            step._check_parameters()  # the values were drawn and not checked yet
            image = step._perturb(_to_uint8(image))
        else:
            image = step.fit_transform(image[np.newaxis])[0]
    return image


def _seed_by_image(random_state, image):
    """Return a random generator that depends on the seed and the pixels only."""
    seed = [int(random_state), zlib.crc32(np.ascontiguousarray(image))]
    return np.random.default_rng(seed)


def _to_uint8(image):
    """Round an image to uint8, the grey levels that a file can hold."""
    if image.dtype == np.uint8:
        return image
    return np.rint(image).clip(0, 255).astype(np.uint8)


def _to_picture(image):
    """Return an image of Pillow, without the axis of a single channel."""
    grey_axis = 2 if image.ndim == 3 and image.shape[2] == 1 else ()
    return _import_pillow().fromarray(np.squeeze(image, grey_axis))


def _import_pillow():
    """Import the module Image of Pillow, or raise ImportError with the extra."""
    needs = (
        "compression and Resize need Pillow. Leave them out, in a pipeline by "
        "`perturbations=()` and, with a rate, `imitations=None`, or install it"
    )
    with needs_extra("images", needs):
        from PIL import Image
    return Image


def _random(perturbation, **distributions):
    return RandomPerturbation(perturbation, distributions)


def _leave(low, high):
    """Resize to a random scale, and leave the size, as web pages do."""
    scales = np.linspace(low, high, 36)
    # Smaller images have no blocks for the features.
    return _random(Resize(restore=False, min_side=32), scale=scales)


# Perturbations of images on the web that `make_attribution_pipeline` trains on, ordered
# by use, for `max_perturbations`. They were chosen on the half of the registry of
# generators that the pages fit on; `benchmarks/accuracy/perturbations.py` prints the
# mean accuracy of the list, and without each of its perturbations.
COMMON_PERTURBATIONS = (
    _random(
        make_pipeline(Resize(), JPEGCompression()),
        resize__scale=np.linspace(0.55, 1, 46),
        jpegcompression__quality=range(65, 96),
    ),
    _random(GaussianBlur(), std=np.geomspace(0.5, 1.5, 36)),
    GaussianNoise(std=5.0),
    _leave(0.62, 0.85),
    JPEGCompression(quality=95),
    Resize(scale=0.5),
    _leave(1.2, 2),
    JPEGCompression(quality=85),
    _random(GaussianNoise(), std=np.linspace(1, 4, 31)),
    GaussianBlur(std=2.0),
    _leave(0.48, 0.62),
    _random(JPEGCompression(subsampling="4:4:4"), quality=range(65, 93)),
    # The fast method of libwebp leaves nearly the same traces in half of the time.
    _random(WebPCompression(method=1), quality=range(70, 93)),
    _random(
        make_pipeline(JPEGCompression(), JPEGCompression()),
        **{"jpegcompression-1__quality": range(80, 96)},
        **{"jpegcompression-2__quality": range(65, 91)},
    ),
    # Other programs enlarge the colors of a JPEG file in other ways.
    _random(JPEGCompression(), quality=range(80, 96), upsampling=("repeat", "dct")),
    _random(JPEGCompression(), quality=range(60, 86)),
    Resize(scale=0.5, restore=False, min_side=32),
    Resize(scale=2.0, restore=False),
    # At its default speed the encoder takes ten times as long.
    _random(AVIFCompression(speed=10), quality=range(65, 96)),
    GaussianNoise(std=10.0),
    GaussianBlur(std=1.0),
    _random(Resize(), scale=np.linspace(0.5, 0.85, 36)),
)


class _Mirror(_Perturbation):
    """Mirror images left to right."""

    def _check_parameters(self):
        """Do nothing: there are no parameters."""

    def _perturb(self, image):
        return image[:, ::-1]


# Ways on which images reach others, by name, for `metrics.delivery_report`: typical
# settings, set by hand and not chosen by any result.
DELIVERIES = {
    "messenger": make_pipeline(
        Resize(scale=0.75, restore=False, min_side=32), JPEGCompression(quality=75)
    ),
    "thumbnail": make_pipeline(
        Resize(scale=0.5, restore=False, min_side=32), JPEGCompression(quality=85)
    ),
    "AVIF": AVIFCompression(speed=10),
    # Many screens enlarge pictures by a quarter.
    "screenshot": Resize(scale=1.25, resample="bilinear", restore=False),
    "mirrored": _Mirror(),
}

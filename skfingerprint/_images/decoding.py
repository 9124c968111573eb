"""One image file: whether it is read, what its header says, and its pixels."""

import os
import stat
import warnings
import zlib
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO

import numpy as np

GRID = 16
# What Pillow has and we don't read. Any other format of Pillow's is a raster of a size
# that its header tells, decoded inside this process.
REFUSED = {
    "EPS": "drawn by another program, Ghostscript",
    "WMF": "a drawing, no pixels",
    "PDF": "a document",
    "IPTC": "a container that hands its content to any format",
    "FPX": "a container of other files",
    "MIC": "a container of other files",
    "ICO": "an icon, of a size that its header does not tell",
    "ICNS": "an icon, of a size that its header does not tell",
    "BLP": "a texture, of a size that its header does not tell",
    "MPEG": "a film",
    "BUFR": "no image",
    "GRIB": "no image",
    "HDF5": "no image",
    "FITS": "signed values, scaled by keys that Pillow does not read",
}
HEIF_SUFFIXES = (".heic", ".heif", ".hif")
SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
SAMPLE_FORMAT = 339  # the TIFF tag that is 2 if values are signed
NO_HEADER = {
    "width": 0,
    "height": 0,
    "mode": "",
    "format": "",
    "quality": np.nan,
    "subsampling": "",
    "tables": "",
}


@cache
def readable_formats():
    """Return the names of the formats that are read."""
    from PIL import Image

    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return [name for name in Image.ID if name not in REFUSED]


def suffix_problem(suffix):
    """Return why files of this suffix aren't read, or None if they are."""
    from PIL import Image

    # Pillow's JPEG reader opens MPO, several JPEG images in a file.
    readable = [*readable_formats(), "MPO"]
    name = Image.registered_extensions().get(suffix)
    if name in readable:
        return None
    if suffix in HEIF_SUFFIXES:
        return "needs the package pillow_heif"
    return REFUSED.get(name, "no image format")


@contextmanager
def naming(file):
    """Turn all that can go wrong with a file into a ValueError that names it."""
    try:
        yield
    except Exception as error:  # a damaged file makes decoders raise anything
        plain = isinstance(error, (OSError, ValueError)) and str(error)
        raise ValueError(f"{file}: {error if plain else repr(error)}") from error


@contextmanager
def without_bomb_warnings():
    """Silence Pillow's warning of images that we refuse for their size.

    Not for threads: what is silenced belongs to the whole process.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


@contextmanager
def open_image(file):
    """Open a file; refuse by its header what is too large or holds no grey levels."""
    from PIL import Image, UnidentifiedImageError

    if not stat.S_ISREG(os.stat(file).st_mode):  # opening a fifo would never return
        raise ValueError("it is no regular file")
    try:
        image = Image.open(file, formats=readable_formats())
    except UnidentifiedImageError:
        raise ValueError("its content is no image of a format that is read") from None
    with image:
        _check_pixels(image.height, image.width, Image.MAX_IMAGE_PIXELS)
        _check_values(image)
        yield image


def read_header(file):
    """Return what a file's header says, as a dict with the keys of `NO_HEADER`."""
    with naming(file), open_image(file) as image:
        return describe(image)


def read_size(file):
    """Return (height, width) from a file's header."""
    with naming(file), open_image(file) as image:
        return image.height, image.width


def read_image(file, shape=None):
    """Read a file as RGB, or its part of the shape (height, width).

    Parameters
    ----------
    file : str or path-like
        The file.
    shape : tuple of int, default=None
        (height, width) of the most central part whose corner lies on the grid.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), uint8
        Grey levels 0..255.

    Raises
    ------
    ValueError
        If the file can't be read or is too small, with its name.
    """
    with naming(file), open_image(file) as image:
        check_fits((image.height, image.width), shape)
        return crop(_to_rgb(image), shape)


def check_fits(size, shape):
    """Refuse a size, as (height, width), that doesn't hold the shape."""
    if shape is not None and (size[0] < shape[0] or size[1] < shape[1]):
        raise ValueError("{}x{} pixels, smaller than {}x{}".format(*size, *shape))


def crop(pixels, shape):
    """Cut out the most central part whose corner lies on the grid."""
    if shape is None or pixels.shape[:2] == shape:
        return pixels
    check_fits(pixels.shape[:2], shape)
    top = (pixels.shape[0] - shape[0]) // 2 // GRID * GRID
    left = (pixels.shape[1] - shape[1]) // 2 // GRID * GRID
    return pixels[top : top + shape[0], left : left + shape[1]]


def describe(image):
    """Return what the header of an image of Pillow's says."""
    tables = _distinct_tables(image)
    return {
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "format": image.format,
        "quality": _libjpeg_qualities().get(tables, np.nan) if tables else np.nan,
        "subsampling": _subsampling(image) if tables else "",
        "tables": f"{zlib.crc32(repr(tables).encode()):08x}" if tables else "",
    }


def _check_pixels(height, width, limit):
    if limit is not None and height * width > limit:
        raise ValueError(
            f"{height}x{width} pixels, more than PIL.Image.MAX_IMAGE_PIXELS = {limit}"
        )


def _check_values(image):
    """Refuse values that are no unsigned integers of up to 16 bits."""
    signed = 2 in np.ravel(getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT, 1))
    # Pillow holds 16 bits of PPM files, and its older versions those of PNG, in "I".
    is_integer = image.mode == "I" and image.format not in ("PNG", "PPM")
    if signed or is_integer or image.mode == "F":
        kind = "float" if image.mode == "F" else "signed or 32-bit"
        raise ValueError(
            f"mode {image.mode!r}, {kind} values: convert it to 8 or 16 bits without "
            "a sign"
        )


def _to_rgb(image):
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.float32) / 257
        return np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2)
    if image.mode == "P":
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _distinct_tables(image):
    """Return the quantization tables of a JPEG image, each once."""
    tables = getattr(image, "quantization", None) or {}
    return tuple(dict.fromkeys(tuple(tables[key]) for key in sorted(tables)))


@cache
def _libjpeg_qualities():
    """Return {tables: quality} of libjpeg, grey and in colors."""
    from PIL import Image

    qualities = {}
    for mode in ("L", "RGB"):
        for quality in range(1, 101):
            file = BytesIO()
            Image.new(mode, (8, 8)).save(file, "JPEG", quality=quality)
            qualities[_distinct_tables(Image.open(file))] = float(quality)
    return qualities


def _subsampling(image):
    from PIL.JpegImagePlugin import get_sampling

    return SUBSAMPLINGS.get(get_sampling(image), "")

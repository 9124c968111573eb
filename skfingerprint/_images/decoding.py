"""Decoding of image files: readable formats, headers and pixels."""

import os
import stat
import warnings
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np

# Corners of parts lie on multiples of this number of pixels, so that all parts have one
# phase to the blocks of JPEG (8 px, or 16 px with subsampled chroma) and to periodic
# fingerprints whose period divides it.
GRID = 16
# Formats that Pillow opens and this package does not read. Any other format of Pillow
# is a raster whose size is in its header, decoded inside this process.
REJECTED = {
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


@dataclass(frozen=True)
class Header:
    """Header of one image file; the defaults stand for a file that can't be read.

    Attributes
    ----------
    width, height : int
        Size in pixels.
    mode, format : str
        Names of Pillow for the kind of values and for the format.
    quality : float
        Quality on libjpeg's scale, or NaN for other quantization tables and formats.
    subsampling : str
        Chroma subsampling of a JPEG image, or empty.
    tables : str
        Checksum of the quantization tables of a JPEG image, or empty.
    software : str
        Program that wrote the file; empty unless it was searched for and found.
    error : str
        Reason why the file can't be read, or empty.
    """

    width: int = 0
    height: int = 0
    mode: str = ""
    format: str = ""
    quality: float = np.nan
    subsampling: str = ""
    tables: str = ""
    software: str = ""
    error: str = ""


@cache
def readable_formats():
    """Return Pillow's names of the readable formats."""
    from PIL import Image

    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()  # registers all formats, some of which Pillow would load later
    return [name for name in Image.ID if name not in REJECTED]


def suffix_problem(suffix):
    """Return the reason why files with this suffix aren't read, or None."""
    from PIL import Image

    # MPO files hold several JPEG images, and the JPEG reader of Pillow opens them.
    readable = [*readable_formats(), "MPO"]
    name = Image.registered_extensions().get(suffix)
    if name in readable:
        return None
    if suffix in HEIF_SUFFIXES:
        return "needs the package pillow_heif"
    return REJECTED.get(name, "no image format")


@contextmanager
def name_in_errors(file):
    """Raise any error as a ValueError that names the file, or its number of bytes."""
    try:
        yield
    except Exception as error:  # a damaged file makes decoders raise anything
        name = f"{len(file)} bytes" if isinstance(file, bytes) else file
        plain = isinstance(error, (OSError, ValueError)) and str(error)
        raise ValueError(f"{name}: {error if plain else repr(error)}") from error


@contextmanager
def without_bomb_warnings():
    """Silence Pillow's warning about large images, which are rejected by their size.

    Do not use it in threads: warning filters belong to the whole process.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


@contextmanager
def open_image(file):
    """Open a file, and check its size and kind of values by its header."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(file, bytes):
        file = BytesIO(file)
    elif not stat.S_ISREG(os.stat(file).st_mode):  # opening a fifo would never return
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
    """Read the header of a file, except for the software."""
    with name_in_errors(file), open_image(file) as image:
        return describe_header(image)


def read_size(file):
    """Read (height, width) from the header of a file."""
    with name_in_errors(file), open_image(file) as image:
        return image.height, image.width


def read_image(file, shape=None):
    """Read a file as RGB, or a part with the shape (height, width).

    Parameters
    ----------
    file : str, path-like or bytes
        The file, or its content.
    shape : tuple of int, default=None
        (height, width) of the part, the most central one whose corner lies on the
        grid; the whole image by default.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), uint8
        Grey levels 0..255.

    Raises
    ------
    ValueError
        If the file can't be read or is too small; the message names the file.
    """
    with name_in_errors(file), open_image(file) as image:
        check_fits((image.height, image.width), shape)
        return crop(_to_rgb(image), shape)


def read_picture_size(picture):
    """Return (height, width) of a picture of Pillow, as its file stores it."""
    return picture.height, picture.width


def read_picture(picture, shape=None):
    """Read a picture of Pillow as :func:`read_image` reads its file."""
    _check_values(picture)
    check_fits(read_picture_size(picture), shape)
    return crop(_to_rgb(picture), shape)


def check_fits(size, shape):
    """Raise ValueError if a size, as (height, width), is smaller than the shape."""
    if shape is not None and (size[0] < shape[0] or size[1] < shape[1]):
        raise ValueError("{}x{} pixels, smaller than {}x{}".format(*size, *shape))


def crop(pixels, shape):
    """Return the most central part whose corner lies on the grid."""
    if shape is None or pixels.shape[:2] == shape:
        return pixels
    check_fits(pixels.shape[:2], shape)
    top = (pixels.shape[0] - shape[0]) // 2 // GRID * GRID
    left = (pixels.shape[1] - shape[1]) // 2 // GRID * GRID
    return pixels[top : top + shape[0], left : left + shape[1]]


def describe_header(image):
    """Return the Header of an opened image of Pillow, except for the software."""
    tables = _distinct_tables(image)
    return Header(
        width=image.width,
        height=image.height,
        mode=image.mode,
        format=image.format,
        quality=_libjpeg_qualities().get(tables, np.nan) if tables else np.nan,
        subsampling=_find_subsampling(image) if tables else "",
        tables=f"{zlib.crc32(repr(tables).encode()):08x}" if tables else "",
    )


def _check_pixels(height, width, limit):
    """Raise ValueError if an image has more pixels than the limit of Pillow."""
    if limit is not None and height * width > limit:
        raise ValueError(
            f"{height}x{width} pixels, more than PIL.Image.MAX_IMAGE_PIXELS = {limit}"
        )


def _check_values(image):
    """Raise ValueError unless values are unsigned integers of up to 16 bits."""
    signed = 2 in np.ravel(getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT, 1))
    # Mode "I" holds 32 bits, but Pillow uses it for PPM files with 16 bits too, and
    # older versions for PNG files.
    is_integer = image.mode == "I" and image.format not in ("PNG", "PPM")
    if signed or is_integer or image.mode == "F":
        kind = "float" if image.mode == "F" else "signed or 32-bit"
        raise ValueError(
            f"mode {image.mode!r}, {kind} values: convert it to 8 or 16 bits without "
            "a sign"
        )


def _to_rgb(image):
    """Decode the pixels as RGB, shape (height, width, 3), uint8."""
    if image.mode.startswith("I"):
        # 65535 / 257 is 255; `convert` would clip 16 bits instead of scaling them.
        grey = np.asarray(image).astype(np.float32) / 257
        return np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2)
    # Pillow warns if a palette with transparency is converted to RGB directly.
    if image.mode == "P":
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _distinct_tables(image):
    """Return the distinct quantization tables of a JPEG image, () for others."""
    tables = getattr(image, "quantization", None) or {}
    return tuple(dict.fromkeys(tuple(tables[key]) for key in sorted(tables)))


@cache
def _libjpeg_qualities():
    """Return {tables: quality} of libjpeg, for grey and color images."""
    from PIL import Image

    # libjpeg is linked into Pillow, so saving at each quality gives its tables.
    qualities = {}
    for mode in ("L", "RGB"):
        for quality in range(1, 101):
            file = BytesIO()
            Image.new(mode, (8, 8)).save(file, "JPEG", quality=quality)
            qualities[_distinct_tables(Image.open(file))] = float(quality)
    return qualities


def _find_subsampling(image):
    """Return the chroma subsampling of a JPEG image, or "" for unusual ones."""
    from PIL.JpegImagePlugin import get_sampling

    return SUBSAMPLINGS.get(get_sampling(image), "")

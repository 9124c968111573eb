"""Decoding of image files: readable formats and pixels as they are stored."""

import os
import stat
import warnings
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import numpy as np

from skfingerprint._core import (
    TAGS,
    find_stored_size,
    load_as_stored,
    refuse_preview,
    to_rgb,
)
from skfingerprint._images.headers import describe_header
from skfingerprint._images.segments import without_exif, without_metadata

# Corners of parts lie on multiples of this number of pixels, so that all parts have one
# phase to the blocks of JPEG (8 px, or 16 px with subsampled chroma) and to periodic
# fingerprints whose period divides it.
GRID = 16
# Characters of a path in a message, at most.
LONGEST_PATH = 200
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
# Packages that add formats to Pillow, by suffix.
PLUGINS = dict.fromkeys((".heic", ".heif", ".hif"), "pillow-heif")
PLUGINS[".jxl"] = "pillow-jxl-plugin"
# First bytes of JPEG XL, and brands of HEIC behind the first eight bytes.
JXL_SIGNATURES = (b"\xff\x0a", b"\0\0\0\x0cJXL ")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
RAW_SUFFIXES = set(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .iiq .kdc .mef .mos .nef .nrw .orf .pef "
    ".raf .raw .rw2 .rwl .sr2 .srf .srw .x3f".split()
)
RAW = "a RAW file: develop it first, in one way for all files"


def readable_formats():
    """Return Pillow's names of the readable formats."""
    from PIL import Image

    Image.init()  # registers all formats, some of which Pillow would load later
    return [name for name in Image.ID if name not in REJECTED]


def register_plugins():
    """Register the plug-ins for HEIC and JPEG XL with Pillow if they are installed."""
    from PIL import Image

    if "HEIF" not in Image.ID:
        with suppress(ImportError):
            import pillow_heif

            pillow_heif.register_heif_opener()
    if "JXL" not in Image.ID:
        with suppress(ImportError):
            import pillow_jxl  # noqa: F401, which registers itself


def suffix_problem(suffix):
    """Return the reason why files with this suffix aren't read, or None."""
    from PIL import Image

    if suffix in PLUGINS:
        register_plugins()
    # MPO files hold several JPEG images, and the JPEG reader of Pillow opens them.
    readable = [*readable_formats(), "MPO"]
    name = Image.registered_extensions().get(suffix)
    if name in readable:
        return None
    if suffix in PLUGINS:
        return f"needs the package {PLUGINS[suffix]}"
    return RAW if suffix in RAW_SUFFIXES else REJECTED.get(name, "no image format")


@contextmanager
def name_in_errors(file):
    """Raise any error as a ValueError that names the file, or its number of bytes."""
    try:
        yield
    except Exception as error:  # a damaged file makes decoders raise anything
        plain = isinstance(error, (OSError, ValueError)) and str(error)
        reason = str(error) if plain else repr(error)
        if isinstance(error, OSError) and error.filename is not None:
            reason = error.strerror  # the path is named already
        raise ValueError(f"{name_file(file)}: {reason}") from error


def name_file(file):
    """Return the path of a file, its middle cut if it is long, or a number of bytes."""
    if isinstance(file, bytes):
        return f"{len(file)} bytes"
    path, half = str(file), LONGEST_PATH // 2
    return path if len(path) <= LONGEST_PATH else f"{path[:half]}...{path[-half:]}"


@contextmanager
def without_bomb_warnings():
    """Silence Pillow's warnings about large images and about damaged metadata.

    Large images are rejected by their size, and metadata are not needed.

    Do not use it in threads: warning filters belong to the whole process.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")
        yield


@contextmanager
def open_image(file):
    """Open an image, and check its size and kind of values by its header.

    Parameters
    ----------
    file : str, path-like or bytes
        The file, or its content.

    Yields
    ------
    image : Pillow image
        The image, not decoded. Metadata of PNG and JPEG are not read.
    stream : binary file
        The whole file.
    """
    from PIL import Image, UnidentifiedImageError

    with _open_binary(file) as stream:
        head = stream.read(16)
        if _find_plugin(head):
            register_plugins()
        try:
            image = _open_without_metadata(stream)
        except UnidentifiedImageError:
            raise ValueError(_explain(file, head)) from None
        with image:
            refuse_preview(image)
            _check_pixels(*find_stored_size(image), Image.MAX_IMAGE_PIXELS)
            _check_values(image)
            yield image, stream


def _open_without_metadata(stream):
    from PIL import Image

    formats = readable_formats()
    try:
        return Image.open(without_metadata(stream), formats=formats)
    except Exception:  # libavif and Pillow raise what they like
        copy = without_exif(stream)
        if copy is None:
            raise
        return Image.open(copy, formats=formats)


def _open_binary(file):
    if isinstance(file, bytes):
        return BytesIO(file)
    if not stat.S_ISREG(os.stat(file).st_mode):  # opening a fifo would never return
        raise ValueError("it is no regular file")
    return open(file, "rb")


def _find_plugin(head):
    """Return the package that reads a file with these first bytes, or None."""
    if head.startswith(JXL_SIGNATURES):
        return PLUGINS[".jxl"]
    is_heic = head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS
    return PLUGINS[".heic"] if is_heic else None


def _explain(file, head):
    """Return the reason why Pillow does not know a file with these first bytes."""
    if not head:
        return "it is empty"
    suffix = "" if isinstance(file, bytes) else Path(file).suffix.lower()
    package = _find_plugin(head)
    if package and suffix_problem(".jxl" if package == PLUGINS[".jxl"] else ".heic"):
        return f"it needs the package {package}: pip install {package}"
    if suffix in RAW_SUFFIXES:
        return f"it is {RAW}"
    return "its content is no image of a format that is read"


def read_header(file):
    """Read the header of a file: size, compression and metadata, but not pixels."""
    with name_in_errors(file), open_image(file) as (image, stream):
        return describe_header(image, stream)


def read_size(file):
    """Read (height, width) of the stored pixels from the header of a file."""
    with name_in_errors(file), open_image(file) as (image, _):
        return find_stored_size(image)


def read_image(file, shape=None):
    """Read a file as RGB, or a part with the shape (height, width).

    The pixels are as the file stores them: no orientation tag is applied. Values of 16
    bits are cut to their upper 8 bits.

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
    with name_in_errors(file), open_image(file) as (image, _):
        check_fits(find_stored_size(image), shape)
        _forget_inner_tags(image)
        return _to_rgb(image, shape)


def read_picture(picture, shape=None):
    """Read a picture of Pillow as :func:`read_image` reads its file."""
    refuse_preview(picture)
    _check_values(picture)
    check_fits(find_stored_size(picture), shape)
    return _to_rgb(picture, shape)


def check_fits(size, shape):
    """Raise ValueError if a size, as (height, width), is smaller than the shape."""
    if shape is not None and (size[0] < shape[0] or size[1] < shape[1]):
        raise ValueError("{}x{} pixels, smaller than {}x{}".format(*size, *shape))


def crop(pixels, shape):
    """Return the most central part whose corner lies on the grid."""
    if shape is None or pixels.shape[:2] == shape:
        return pixels
    check_fits(pixels.shape[:2], shape)
    top, left = _find_corner(pixels.shape[:2], shape)
    return pixels[top : top + shape[0], left : left + shape[1]]


def _find_corner(size, shape):
    """Return (top, left) of the part of an image of a size, as (height, width)."""
    return [(n - part) // 2 // GRID * GRID for n, part in zip(size, shape, strict=True)]


def _check_pixels(height, width, limit):
    """Raise ValueError if an image has more pixels than the limit of Pillow."""
    if limit is not None and height * width > limit:
        raise ValueError(
            f"{height}x{width} pixels, more than PIL.Image.MAX_IMAGE_PIXELS = {limit}"
        )


def _check_values(image):
    """Raise ValueError unless values are unsigned integers of up to 16 bits."""
    signed = 2 in np.ravel(getattr(image, "tag_v2", {}).get(TAGS["signs"], 1))
    # Mode "I" holds 32 bits, but Pillow uses it for PPM files with 16 bits too, and
    # older versions for PNG files.
    is_integer = image.mode == "I" and image.format not in ("PNG", "PPM")
    if signed or is_integer or image.mode == "F":
        kind = "float" if image.mode == "F" else "signed or 32-bit"
        raise ValueError(
            f"mode {image.mode!r}, {kind} values: convert it to 8 or 16 bits without "
            "a sign"
        )


def _forget_inner_tags(image):
    """Keep Pillow from reading the EXIF of a TIFF image, which may be damaged."""
    if hasattr(image, "tag_v2"):
        from PIL import TiffTags

        exif = image.getexif()
        for tag in set(TiffTags.TAGS_V2_GROUPS) & set(exif):
            del exif[tag]


def _to_rgb(image, shape):
    """Decode the pixels, or the part with a shape, as RGB (height, width, 3), uint8."""
    load_as_stored(image)
    if shape is not None:  # the whole image is not converted
        top, left = _find_corner((image.height, image.width), shape)
        image = image.crop((left, top, left + shape[1], top + shape[0]))
    if image.mode.startswith("I"):
        # Pillow cuts color to the upper 8 bits as well; `convert` would clip.
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(to_rgb(image))

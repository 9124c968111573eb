"""Headers of image files: size, compression, and the history that they tell."""

import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np

from skfingerprint._core import TAGS, find_stored_size
from skfingerprint._images.quantizers import find_quantizer
from skfingerprint._images.segments import (
    MOST_BYTES,
    Segment,
    list_segments,
    read_content,
)

SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
# Formats whose files are lossless, apart from the number of colors.
LOSSLESS = ("PNG", "BMP", "DIB", "GIF", "PPM", "TGA", "PCX", "SGI", "QOI", "IM", "MSP")
LOSSY = ("JPEG", "AVIF", "HEIF")
C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# Bytes that are read of a text.
TEXT_BYTES = 2**10
# Bytes of a JPEG 2000 file in which its coding style is searched.
STYLE_BYTES = 2**16


@dataclass(frozen=True)
class Header:
    """Header of one image file; the defaults stand for a file that can't be read.

    Attributes
    ----------
    width, height : int
        Size of the pixels as they are stored.
    mode, format : str
        Names of Pillow for the kind of values and for the format.
    bits : int
        Bits of a value, 8 or 16, or 0.
    compression : str
        "lossy" or "lossless", or empty if the header does not tell.
    codec : str
        Name of the compression.
    quality : float
        Quality on libjpeg's scale, or NaN for other quantization tables and formats.
    subsampling : str
        Chroma subsampling of a JPEG image, or empty.
    tables : str
        Checksum of the quantization tables of a JPEG image, or empty.
    quantizer : float
        Quantizer of WebP (0..127) or AVIF (0..255), coarse if large, or NaN.
    bytes_per_pixel : float
        Size of the file, or of its compressed pixels, over the number of pixels.
    orientation : int
        Orientation tag, which reading does not apply.
    icc : str
        Name of the ICC profile, or empty.
    software : str
        Program that wrote the file, or empty.
    texts : str
        Names of the texts in the header, or empty.
    c2pa : bool
        Whether the file holds a C2PA manifest.
    error : str
        Reason why the file can't be read, or empty.
    """

    width: int = 0
    height: int = 0
    mode: str = ""
    format: str = ""
    bits: int = 0
    compression: str = ""
    codec: str = ""
    quality: float = np.nan
    subsampling: str = ""
    tables: str = ""
    quantizer: float = np.nan
    bytes_per_pixel: float = np.nan
    orientation: int = 1
    icc: str = ""
    software: str = ""
    texts: str = ""
    c2pa: bool = False
    error: str = ""


def describe_header(image: Any, file: Any) -> Header:
    """Describe an opened image by its header, without decoding it.

    Parameters
    ----------
    image : Pillow image
        The image, not decoded.
    file : binary file
        The file that it was opened from.

    Returns
    -------
    header : Header
    """
    height, width = find_stored_size(image)
    segments = list_segments(file)
    codec, compression = _find_codec(image, file, segments)
    tables = _find_tables(image)
    return Header(
        width=width,
        height=height,
        mode=image.mode,
        format=image.format,
        bits=_find_bits(image),
        compression=compression,
        codec=codec,
        quality=_libjpeg_qualities().get(tables, np.nan) if tables else np.nan,
        subsampling=_find_subsampling(image) if tables else "",
        tables=f"{zlib.crc32(repr(tables).encode()):08x}" if tables else "",
        quantizer=find_quantizer(file, segments),
        bytes_per_pixel=_count_bytes(file, segments) / (height * width),
        **_find_metadata(image, file, segments),
    )


def _find_bits(image: Any) -> int:
    """Find the bits of a value: 16 if Pillow decodes values of two bytes."""
    layout = " ".join(str(tile[-1]) for tile in getattr(image, "tile", ()))
    bits = getattr(image, "tag_v2", {}).get(TAGS["bits"], 8)
    is_wide = image.mode.startswith("I") or ";16" in layout or np.max(bits) > 8
    return 16 if is_wide else 8


def _find_codec(image: Any, file: Any, segments: list[Segment]) -> tuple[str, str]:
    """Find the name of the compression, and whether it is lossy."""
    name = image.format
    if name == "WEBP":
        kinds = [part.kind for part in segments]
        if b"VP8 " in kinds:
            return "VP8", "lossy"
        return ("VP8L", "lossless") if b"VP8L" in kinds else ("", "")
    if name == "TIFF":
        return _find_tiff_codec(image, file)
    if name == "JPEG2000":
        return _find_wavelet(file)
    if name in LOSSY:
        return name, "lossy"
    return name, "lossless" if name in LOSSLESS else ""


def _find_tiff_codec(image: Any, file: Any) -> tuple[str, str]:
    codec = image.info.get("compression", "")
    if codec == "webp":
        offsets = (
            image.tag_v2.get(TAGS["strips"]) or image.tag_v2.get(TAGS["tiles"]) or (0,)
        )
        file.seek(offsets[0])
        is_lossless = b"VP8L" in file.read(64)
        return codec, "lossless" if is_lossless else "lossy"
    return codec, "lossy" if codec in ("jpeg", "tiff_jpeg") else "lossless"


def _find_wavelet(file: Any) -> tuple[str, str]:
    """Find the wavelet of JPEG 2000; a reversible one may be cut off, and be lossy."""
    file.seek(0)
    data = file.read(STYLE_BYTES)
    place = data.find(b"\xff\x4f\xff\x51") + 2
    while data[place : place + 2] != b"\xff\x52":
        if len(data) < place + 4:
            return "", ""
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    # Behind the marker: length (2), style (1), order (1), layers (2), color (1),
    # levels (1), block (2), its style (1), wavelet (1).
    if len(data) < place + 14:
        return "", ""
    return ("5/3", "lossless") if data[place + 13] else ("9/7", "lossy")


def _count_bytes(file: Any, segments: list[Segment]) -> int:
    """Count the bytes of a file, of WebP those of the pixels."""
    pixels = [part.length for part in segments if part.kind in (b"VP8 ", b"VP8L")]
    if pixels:
        return pixels[0]
    return file.seek(0, 2)


def _find_tables(image: Any) -> tuple:
    """Find the distinct quantization tables of JPEG and of JPEG inside of TIFF."""
    tables = getattr(image, "quantization", None) or {}
    if data := getattr(image, "tag_v2", {}).get(TAGS["JPEG tables"]):
        with suppress(Exception):  # whatever damaged tables raise
            tables = _parse_tables(data)
    return tuple(dict.fromkeys(tuple(tables[key]) for key in sorted(tables)))


def _parse_tables(data: bytes) -> dict[int, list[int]]:
    """Parse the quantization tables of a JPEG stream without an image."""
    from PIL.JpegImagePlugin import JpegImageFile

    # A frame of one pixel makes the stream one that Pillow opens.
    frame = b"\xff\xc0" + struct.pack(">HBHHB3B", 11, 8, 1, 1, 1, 1, 0x11, 0)
    scan = b"\xff\xda" + struct.pack(">H6B", 8, 1, 1, 0, 0, 63, 0)
    stream = data.removesuffix(b"\xff\xd9") + frame + scan
    return JpegImageFile(BytesIO(stream)).quantization


@cache
def _libjpeg_qualities() -> dict[tuple, float]:
    """Return {tables: quality} of libjpeg, for grey and color images."""
    from PIL import Image

    # libjpeg is linked into Pillow, so saving at each quality gives its tables.
    qualities = {}
    for mode in ("L", "RGB"):
        for quality in range(1, 101):
            file = BytesIO()
            Image.new(mode, (8, 8)).save(file, "JPEG", quality=quality)
            qualities[_find_tables(Image.open(file))] = float(quality)
    return qualities


def _find_subsampling(image: Any) -> str:
    """Return the chroma subsampling of a JPEG image, or "" for unusual ones."""
    from PIL.JpegImagePlugin import get_sampling

    if image.format != "JPEG":
        return ""
    return SUBSAMPLINGS.get(get_sampling(image), "")


def _find_metadata(image: Any, file: Any, segments: list[Segment]) -> dict[str, Any]:
    """Find the metadata of a file; damaged ones are as if they were missing."""
    tags = dict(getattr(image, "tag_v2", {}))
    found = {"software": tags.get(TAGS["software"]), "icc": tags.get(TAGS["ICC"])}
    found["exif"] = image.info.get("exif")
    found["icc"] = found["icc"] or image.info.get("icc_profile")
    texts = (
        ["ImageDescription"] if str(tags.get(TAGS["description"], "")).strip() else []
    )
    is_c2pa = TAGS["C2PA"] in tags
    for part in segments:
        with suppress(Exception):  # whatever damaged metadata raise
            if part.kind in PNG_TEXTS:
                texts.append(_read_text(file, part, found))
            elif part.kind in METADATA:
                METADATA[part.kind](file, part, found)
            elif not part.needed and part.kind == b"\xfe":
                texts.append("comment")
            is_c2pa = is_c2pa or _is_c2pa(file, part)
    if found["exif"]:
        with suppress(Exception):
            texts += _read_exif(found)
    return {
        "orientation": _read_orientation(image, found),
        "icc": _name_profile(found["icc"]),
        "software": str(found["software"] or "").strip("\0 "),
        "texts": ", ".join(dict.fromkeys(name for name in texts if name)),
        "c2pa": is_c2pa,
    }


def _read_text(file: Any, part: Segment, found: dict) -> str:
    """Read the name of a text in PNG, and the value if it names the software."""
    name, _, value = read_content(file, part, TEXT_BYTES).partition(b"\0")
    name = name.decode("latin-1")[:80]
    if name == "Software":
        found["software"] = value.rsplit(b"\0", 1)[-1].decode("latin-1")
        return ""
    return name


def _read_icc_of_png(file: Any, part: Segment, found: dict) -> None:
    _, _, data = read_content(file, part).partition(b"\0")
    found["icc"] = zlib.decompressobj().decompress(data[1:], MOST_BYTES)


def _read_exif_of_png(file: Any, part: Segment, found: dict) -> None:
    found["exif"] = read_content(file, part)


def _read_exif_of_jpeg(file: Any, part: Segment, found: dict) -> None:
    content = read_content(file, part)
    if content.startswith(b"Exif\0\0"):
        found["exif"] = content


def _read_icc_of_jpeg(file: Any, part: Segment, found: dict) -> None:
    """Join the parts of a profile, each behind a name, its number and their count."""
    content = read_content(file, part)
    if content.startswith(b"ICC_PROFILE\0") and len(found["icc"] or b"") < MOST_BYTES:
        found["icc"] = (found["icc"] or b"") + content[14:]


METADATA = {
    b"iCCP": _read_icc_of_png,
    b"eXIf": _read_exif_of_png,
    b"\xe1": _read_exif_of_jpeg,
    b"\xe2": _read_icc_of_jpeg,
}


def _is_c2pa(file: Any, part: Segment) -> bool:
    """Check whether a segment holds a C2PA manifest."""
    if part.kind in (b"caBX", b"C2PA", b"jumb"):
        return True
    if part.kind == b"uuid":
        return read_content(file, part, 16) == C2PA_BOX
    return part.kind == b"\xeb" and b"c2pa" in read_content(file, part)


def _read_exif(found: dict) -> list[str]:
    """Read the software from EXIF, and return the names of its texts."""
    from PIL import Image

    exif = Image.Exif()  # not image.getexif(), which decodes a PNG image
    exif.load(found["exif"])
    found["orientation"] = exif.get(TAGS["orientation"])
    found["software"] = found["software"] or exif.get(TAGS["software"])
    texts = {"ImageDescription": exif.get(TAGS["description"])}
    texts["UserComment"] = exif.get_ifd(TAGS["EXIF"]).get(TAGS["comment"])
    return [name for name, text in texts.items() if _is_text(text)]


def _is_text(value: Any) -> bool:
    """Check whether a text of EXIF says something; its code may stand in front."""
    if isinstance(value, bytes):
        value = value.removeprefix(b"ASCII\0\0\0").removeprefix(b"UNICODE\0")
        value = value.decode("latin-1")
    return bool(str(value or "").strip("\0 \n"))


def _read_orientation(image: Any, found: dict) -> int:
    stated = image.info.get("original_orientation")  # of HEIC
    stated = stated or getattr(image, "tag_v2", {}).get(TAGS["orientation"])
    stated = stated or found.get("orientation")
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1


def _name_profile(profile: bytes | None) -> str:
    """Return the description of an ICC profile, or a checksum without one."""
    if not profile:
        return ""
    with suppress(Exception):  # whatever a damaged profile raises
        for k in range(min(int.from_bytes(profile[128:132], "big"), 99)):
            name, start, length = struct.unpack_from(">4sII", profile, 132 + 12 * k)
            if name == b"desc":
                return _read_description(profile[start : start + length])
    return f"{zlib.crc32(profile):08x}"


def _read_description(data: bytes) -> str:
    """Read a description of ICC version 2 (one text) or 4 (texts by language)."""
    if data[:4] == b"mluc":
        length, start = struct.unpack_from(">II", data, 20)
        return data[start : start + length].decode("utf-16-be").strip("\0 ")
    length = int.from_bytes(data[8:12], "big")
    return data[12 : 12 + length].decode("latin-1").strip("\0 ")

"""Read pictures of Pillow: pixels as they are stored, and pictures of the whole."""

from contextlib import suppress
from threading import RLock
from typing import Any

# Tags of TIFF and EXIF.
TAGS = {
    "kind of page": 254,
    "old kind of page": 255,
    "width": 256,
    "height": 257,
    "bits": 258,
    "meaning": 262,
    "description": 270,
    "strips": 273,
    "orientation": 274,
    "software": 305,
    "tiles": 324,
    "inner pages": 330,
    "signs": 339,
    "JPEG tables": 347,
    "EXIF": 34665,
    "ICC": 34675,
    "comment": 37510,
    "DNG": 50706,
    "C2PA": 52545,
}
# Values of the meaning that stand for raw sensor data.
RAW_VALUES = (32803, 34892)
# Largest number of pages inside of a page that are looked at.
MOST_PAGES = 9
PREVIEW = (
    "a preview or a mask, not the picture of the whole. Develop a RAW file first, in "
    "one way for all files; of other files, save the whole picture as the first page"
)
# Threads may share a picture that is not decoded yet. Each takes one of these locks.
LOCKS = tuple(RLock() for _ in range(64))
# Turns of Pillow by orientation tag, and the turn that undoes each.
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
INVERSE = {"ROTATE_90": "ROTATE_270", "ROTATE_270": "ROTATE_90"}
# Turns of HEIF: mirrors by axis, rotations by degrees.
HEIF_TURNS = {
    ("imir", 0): "FLIP_TOP_BOTTOM",
    ("imir", 1): "FLIP_LEFT_RIGHT",
    ("irot", 90): "ROTATE_90",
    ("irot", 180): "ROTATE_180",
    ("irot", 270): "ROTATE_270",
}


def is_picture(item: Any) -> bool:
    """Check whether an item is a picture of Pillow."""
    return hasattr(item, "mode") and hasattr(item, "getbands")


def hold(picture: Any) -> RLock:
    """Return the lock of a picture, for a `with` statement around its decoding."""
    return LOCKS[hash(id(picture)) % len(LOCKS)]


def to_rgb(picture: Any) -> Any:
    """Convert a decoded picture to RGB, without palette and alpha."""
    # Pillow warns if a palette with transparency is converted to RGB directly.
    if picture.mode == "P":
        picture = picture.convert("RGBA")
    return (picture.convert("LA") if picture.mode == "La" else picture).convert("RGB")


def load_as_stored(picture: Any) -> None:
    """Decode a picture of Pillow in place, with its pixels as the file stores them.

    Pillow turns TIFF files by their orientation tag, and its plug-in HEIC files by
    their transformations. The turn is undone. A picture that is decoded already is
    left as it is.
    """
    from PIL import Image

    turns = list_turns(picture)
    picture.load()
    for turn in reversed(turns):
        method = Image.Transpose[INVERSE.get(turn, turn)]
        picture.im = picture.im.transpose(method)
        picture._size = picture.im.size


def find_stored_size(picture: Any) -> tuple[int, int]:
    """Return (height, width) of the pixels as the file stores them."""
    # TIFF states the size as stored; Pillow gives it turned.
    with suppress(AttributeError, KeyError):
        return picture.tag_v2[TAGS["height"]], picture.tag_v2[TAGS["width"]]
    width, height = picture.size
    is_turned = sum(turn in INVERSE for turn in list_turns(picture)) % 2
    return (width, height) if is_turned else (height, width)


def list_turns(picture: Any) -> list[str]:
    """List the turns that decoding a picture applies, in their order."""
    state = vars(picture)
    if state.get("_im", state.get("im")) is not None:
        return []  # it is decoded
    if hasattr(picture, "tag_v2"):
        turn = TURNS.get(picture.getexif().get(TAGS["orientation"]))
        return [turn] if turn else []
    heif = getattr(picture, "_heif_file", None)
    if heif is None:
        return []
    try:
        found = heif[picture.tell()]._c_image.transformations
    except AttributeError:
        raise ValueError(
            "this version of the package pillow-heif does not say how it turns "
            "pictures: update it"
        ) from None
    return [HEIF_TURNS[item] for item in found if item in HEIF_TURNS]


def refuse_preview(picture: Any) -> None:
    """Raise ValueError for a page of TIFF that is a thumbnail, a mask or raw data.

    The first page of most RAW files (DNG, NEF, ARW, CR2) is a thumbnail.
    """
    tags = getattr(picture, "tag_v2", None)
    if tags is None:
        return
    kind = tags.get(TAGS["kind of page"], 0)
    is_part = isinstance(kind, int) and kind & 5  # bit 0: reduced, bit 2: a mask
    is_part = is_part or tags.get(TAGS["old kind of page"]) == 2
    if is_part or TAGS["DNG"] in tags or _is_canon(picture) or _holds_more(picture):
        raise ValueError(PREVIEW)


def _is_canon(picture: Any) -> bool:
    """Check the signature of CR2 files."""
    with suppress(AttributeError, OSError, ValueError):  # a decoded file is closed
        picture.fp.seek(8)
        return picture.fp.read(2) == b"CR"
    return False


def _holds_more(picture: Any) -> bool:
    """Check whether a page inside of the page is larger, or raw sensor data."""
    from PIL import TiffImagePlugin

    tags = picture.tag_v2
    offsets = tags.get(TAGS["inner pages"], ())
    for offset in (offsets if isinstance(offsets, tuple) else (offsets,))[:MOST_PAGES]:
        with suppress(Exception):  # whatever damaged tags raise
            page = TiffImagePlugin.ImageFileDirectory_v2(prefix=tags.prefix)
            picture.fp.seek(offset)
            page.load(picture.fp)
            is_raw = page.get(TAGS["meaning"]) in RAW_VALUES
            if is_raw or _count_pixels(page) > _count_pixels(tags):
                return True
    return False


def _count_pixels(tags: Any) -> int:
    return tags.get(TAGS["width"], 0) * tags.get(TAGS["height"], 0)

"""Single images that must be read: files, bytes and pictures of Pillow."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import TextIOBase
from typing import Any

from skfingerprint._core.checks import shorten
from skfingerprint._core.pictures import is_picture

BYTES = bytes, bytearray, memoryview
GREY_MODES = "1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N"
# Longest path, in characters.
LONGEST_PATH = 4096


@dataclass(frozen=True)
class NamedImage:
    """Image without a path.

    Attributes
    ----------
    source : bytes or picture of Pillow
        Content of a file, or a picture.
    name : str
        Name of the image in messages.
    """

    source: Any
    name: str

    def __str__(self) -> str:
        return self.name


def open_file(item: Any, number: int) -> Any:
    """Return the path of an image; read whole whatever has no path.

    Parameters
    ----------
    item : object
        One of the images that :func:`find_files` returned.
    number : int
        Its number, for messages.

    Returns
    -------
    file : str or NamedImage
    """
    name = f"image {number} of X"
    if isinstance(item, Mapping):
        path = item.get("path")
        name = f"{name} ({shorten(path)})" if path else name
        item = path if item.get("bytes") is None else item["bytes"]
    if isinstance(item, (str, os.PathLike)):
        return os.path.expanduser(os.fsdecode(item))
    if not isinstance(item, BYTES) and not is_picture(item):
        name = f"{name} ({shorten(getattr(item, 'name', item))})"
        try:
            item = _read_whole(item)
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{name}: {error}") from error
    return NamedImage(item if is_picture(item) else bytes(item), name)


def is_grey_picture(item: Any) -> bool:
    """Return whether an image is a picture of Pillow without color."""
    return is_picture(item) and item.mode in GREY_MODES


def _read_whole(item: Any) -> bytes:
    """Read a file object, or an entry of an archive, from its start to its end."""
    if hasattr(item, "read_bytes"):
        return item.read_bytes()
    is_text = isinstance(item, TextIOBase)
    if hasattr(item, "seekable") and item.seekable():
        item.seek(0)
    content = b"" if is_text else item.read()
    if is_text or isinstance(content, str):
        raise ValueError("it was opened as text: open it with mode 'rb'.")
    if not content:
        raise ValueError(
            "it is empty, or a stream that was read before: pass its bytes, "
            "`stream.read()`."
        )
    return content


def find_problem(item: Any) -> str:
    """Return the reason why an item among files can't be read, or empty text."""
    if isinstance(item, (tuple, list)):
        return (
            f"a {type(item).__name__}: pass images and labels apart, "
            "`images, y = zip(*pairs)`."
        )
    if isinstance(item, Mapping) and not (item.get("bytes") or item.get("path")):
        return (
            "a row or a file without content: images have the keys 'bytes' or 'path', "
            "and those of a table are a column, `X['image']`."
        )
    if isinstance(item, Mapping) and not _has_content(item):
        return "whose 'bytes' are no bytes of a file, or whose 'path' is no path."
    if isinstance(item, str) and (not item or "://" in item):
        return "no path: pass the path of a file, or the bytes of a download."
    if isinstance(item, str) and (len(item) > LONGEST_PATH or item[:5] == "data:"):
        return (
            "no path: decode what is text, "
            "`base64.b64decode(text.partition(',')[2])`, and pass the bytes."
        )
    if hasattr(item, "namelist"):
        return "an archive: pass `archive.read(name)` for each of its images."
    if is_picture(item) and not is_file(item):
        kind = "float" if item.mode == "F" else "signed or 32-bit"
        return (
            f"with {kind} values: convert it to 8 or 16 bits without a sign, or pass "
            "arrays alone."
        )
    if not is_file(item):
        return (
            f"of type {type(item).__name__}, and other images are files: leave it "
            "out, or pass arrays alone."
        )
    return ""


def _has_content(item: Any) -> bool:
    """Whether a row of bytes and path holds a file, its path or a picture."""
    content = item.get("bytes")
    if content is None:
        return isinstance(item["path"], (str, os.PathLike))
    return is_file(content) and not isinstance(content, (str, Mapping, tuple, list))


def unwrap(item: Any) -> Any:
    """Return a scalar or a buffer of Arrow as text or bytes; anything else as it is."""
    if hasattr(item, "as_py"):
        return item.as_py()
    return item.to_pybytes() if hasattr(item, "to_pybytes") else item


def is_file(item: Any) -> bool:
    """Whether an item is an image that must be read: a file, bytes or a picture.

    Pictures of floats and of 32 bits are arrays, which no file that is read holds.
    """
    if isinstance(item, (str, os.PathLike, Mapping, *BYTES)):
        return True
    if isinstance(item, (tuple, list)):  # a file beside its label
        return len(item) > 0 and isinstance(item[0], (str, os.PathLike, *BYTES))
    if is_picture(item):
        return item.mode not in ("F", "I")
    return any(hasattr(item, name) for name in ("read", "read_bytes"))


def is_single(item: Any) -> bool:
    """Return whether an item is one file, picture or archive, and no list of them."""
    has_axes = getattr(item, "shape", None) is not None or hasattr(item, "columns")
    return not has_axes and not isinstance(item, (tuple, list)) and is_file(item)

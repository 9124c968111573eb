"""Segments of image files: where they lie, and a file without its metadata.

Metadata never decide whether an image is read: Pillow gets PNG and JPEG files without
the segments that pixels do not depend on, and those are never read for decoding.
"""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

# Largest number of segments that are looked at for metadata.
MOST_SEGMENTS = 2**14
# Largest number of bytes that are read of a segment of metadata, and of its content
# after decompression.
MOST_BYTES = 2**20
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
BOX_SIGNATURES = (b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ")
# Markers of JPEG without a length: TEM, the restarts and the start of the image.
BARE_MARKERS = {0x01, *range(0xD0, 0xD9)}
START_OF_SCAN = 0xDA
# Markers of metadata: applications and comments. libjpeg knows two of them, which name
# the colors, by their first bytes and from a shortest content on.
METADATA_MARKERS = {*range(0xE0, 0xF0), 0xFE}
KNOWN_MARKERS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}


@dataclass(frozen=True)
class Segment:
    """Segment of a file.

    Attributes
    ----------
    kind : bytes
        Name of a chunk or box, the marker of a JPEG segment, or `b""` for the rest.
    start, end : int
        Places of the segment and of the byte behind it.
    content, length : int
        Place of the content, and its number of bytes.
    needed : bool
        Whether decoding the pixels needs the segment.
    """

    kind: bytes
    start: int
    end: int
    content: int = 0
    length: int = 0
    needed: bool = True


def list_segments(file: Any) -> list[Segment]:
    """List the segments of a PNG, JPEG, RIFF or box file; none of other files."""
    walk = _find_walk(file)
    return list(islice(walk(file), MOST_SEGMENTS)) if walk else []


def without_metadata(file: Any) -> Any:
    """Return a file for Pillow, of PNG and JPEG without the metadata."""
    walk = _find_walk(file)
    file.seek(0)
    if walk not in (_walk_png, _walk_jpeg):
        return file
    return io.BufferedReader(_NeededSegments(file, walk(file)))


def without_exif(file: Any) -> io.BytesIO | None:
    """Return a copy of an AVIF file without EXIF, or None if it has none.

    libavif refuses a picture whose EXIF is damaged.
    """
    meta = [part for part in list_segments(file) if part.kind == b"meta"]
    file.seek(0)
    data = file.read()
    for part in meta:
        # The kind of an item is in the box that lists the items.
        items = data[part.start : part.end].replace(b"Exif", b"free")
        if items != data[part.start : part.end]:
            return io.BytesIO(data[: part.start] + items + data[part.end :])
    return None


def read_content(file: Any, segment: Segment, n_bytes: int = MOST_BYTES) -> bytes:
    """Read the content of a segment, at most a number of bytes."""
    file.seek(segment.content)
    return file.read(min(segment.length, n_bytes))


class _NeededSegments(io.RawIOBase):
    """Read-only view of the needed segments of a file, which are searched on demand.

    Parameters
    ----------
    file : binary file
        The whole file.
    segments : iterator of Segment
        Its segments in order.
    """

    def __init__(self, file: Any, segments: Iterator[Segment]) -> None:
        self._file, self._segments = file, segments
        self._place = 0
        self._parts = []  # (place in the view, start and end in the file)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place, or relatively to the place; Pillow needs no other way."""
        self._place = offset + (self._place if whence == io.SEEK_CUR else 0)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Read bytes up to the end of the part that holds the place."""
        part = self._find_part()
        if part is None:
            return 0
        place, start, end = part
        self._file.seek(start + self._place - place)
        data = self._file.read(min(len(buffer), place + end - start - self._place))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _find_part(self) -> tuple[int, int, int] | None:
        for part in reversed(self._parts):
            place, start, end = part
            if place <= self._place < place + end - start:
                return part
        for segment in self._segments:
            if not segment.needed:
                continue
            place, start, end = self._parts[-1] if self._parts else (0, 0, 0)
            if self._parts and segment.start == end:  # most parts are chunks of pixels
                self._parts[-1] = place, start, segment.end
            else:
                place += end - start
                self._parts.append((place, segment.start, segment.end))
            place, start, end = self._parts[-1]
            if place <= self._place < place + end - start:
                return self._parts[-1]
        return None


def _find_walk(file: Any) -> Callable | None:
    """Find the function that walks over the segments of a file, by its first bytes."""
    file.seek(0)
    head = file.read(12)
    if head.startswith(PNG):
        return _walk_png
    if head.startswith(JPEG):
        return _walk_jpeg
    if head[:4] == b"RIFF":
        return _walk_riff
    if head[4:8] == b"ftyp" or head.startswith(BOX_SIGNATURES):
        return _walk_boxes
    return None


def _walk_png(file: Any) -> Iterator[Segment]:
    """Walk over the chunks of PNG; those with a small first letter are ancillary."""
    yield Segment(b"", 0, len(PNG))
    start = len(PNG)
    while len(head := _read_at(file, start, 8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        end = start + 12 + length  # with a checksum of 4 bytes
        yield Segment(kind, start, end, start + 8, length, not kind[0] & 32)
        if kind == b"IEND":
            return
        start = end


def _walk_jpeg(file: Any) -> Iterator[Segment]:
    """Walk over the segments of JPEG up to the pixels, which are the last segment."""
    yield Segment(b"", 0, 2)
    start = 2
    while len(head := _read_at(file, start, 4)) == 4 and head[0] == 0xFF:
        marker, length = head[1], int.from_bytes(head[2:], "big")
        if marker == 0xFF or marker in BARE_MARKERS:
            end = start + (1 if marker == 0xFF else 2)
            yield Segment(b"", start, end)
        elif marker == START_OF_SCAN or length < 2:
            break
        else:
            end = start + 2 + length
            needed = _needs_marker(file, marker, start + 4, length - 2)
            yield Segment(bytes([marker]), start, end, start + 4, length - 2, needed)
        start = end
    yield Segment(b"", start, file.seek(0, io.SEEK_END))


def _needs_marker(file: Any, marker: int, content: int, length: int) -> bool:
    """Check whether libjpeg needs a segment.

    Parameters
    ----------
    file : binary file
        JPEG file.
    marker : int
        Marker of the segment.
    content, length : int
        Place of the content, and its number of bytes.
    """
    if marker in KNOWN_MARKERS:
        name, shortest = KNOWN_MARKERS[marker]
        return length >= shortest and _read_at(file, content, len(name)) == name
    return marker not in METADATA_MARKERS


def _walk_riff(file: Any) -> Iterator[Segment]:
    """Walk over the chunks of WebP, and over those inside of frames."""
    start = 12
    while len(head := _read_at(file, start, 8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        yield Segment(kind, start, start + 8 + length, start + 8, length)
        # A frame of an animation has 16 bytes and chunks of its own.
        start += 24 if kind == b"ANMF" else 8 + length + length % 2


def _walk_boxes(file: Any) -> Iterator[Segment]:
    """Walk over the outer boxes of AVIF, HEIC, JPEG 2000 and JPEG XL."""
    start = 0
    while len(head := _read_at(file, start, 16)) >= 8:
        length, kind = struct.unpack(">I4s", head[:8])
        content = start + 8
        if length == 1 and len(head) == 16:
            length, content = int.from_bytes(head[8:], "big"), start + 16
        end = start + length if length else file.seek(0, io.SEEK_END)
        if end < content:
            return
        yield Segment(kind, start, end, content, end - content)
        start = end


def _read_at(file: Any, place: int, n_bytes: int) -> bytes:
    file.seek(place)
    return file.read(n_bytes)

"""Quantizers of WebP and AVIF files, read from the headers of their frames."""

from collections.abc import Callable
from typing import Any

from skfingerprint._images.segments import Segment, read_content

# Bytes that are read of a frame, and of the boxes that say where frames lie.
FRAME_BYTES, META_BYTES = 256, 2**16
# Kinds of units in a stream of AV1 that hold the header of the stream and of a frame.
SEQUENCE, FRAMES = 1, (3, 6)


def find_quantizer(file: Any, segments: list[Segment]) -> float:
    """Find the quantizer of the first frame; NaN for other files, and damaged ones.

    WebP (VP8) has 0..127 and AVIF (AV1) 0..255; coarser quantizers are larger.
    """
    try:
        for part in segments:
            if part.kind == b"VP8 ":
                return _read_vp8(read_content(file, part, FRAME_BYTES))
            if part.kind == b"meta":
                meta = read_content(file, part, META_BYTES)
                for place in _list_items(meta):
                    file.seek(place)
                    found = _read_av1(file.read(FRAME_BYTES))
                    if found is not None:
                        return found
    except (
        IndexError,
        StopIteration,
    ):  # the header is longer than what was read, or damaged
        pass
    return float("nan")


def _read_vp8(data: bytes) -> float:
    """Read the quantizer of a key frame of VP8 (RFC 6386, section 19.2)."""
    read = _decode_booleans(data[10:])  # behind the frame tag, start code and size

    def skip_optional(n_values, n_bits):
        for _ in range(n_values):
            if read(1):
                read(n_bits)

    read(2)  # color space, clamping
    if read(1):  # segments
        changes_map, changes_values = read(1), read(1)
        if changes_values:
            read(1)
            skip_optional(4, 8)  # quantizers with a sign
            skip_optional(4, 7)  # filter levels with a sign
        if changes_map:
            skip_optional(3, 8)
    read(10)  # kind, level and sharpness of the filter
    if read(1) and read(1):
        skip_optional(8, 7)  # differences of filter levels with a sign
    read(2)  # number of partitions
    return float(read(7))


def _decode_booleans(data: bytes) -> Callable:
    """Return a function that reads numbers of some even bits (RFC 6386, section 7)."""
    value, width, n_shifts, place = int.from_bytes(data[:2], "big"), 255, 0, 2

    def read(n_bits):
        nonlocal value, width, n_shifts, place
        number = 0
        for _ in range(n_bits):
            split = 1 + ((width - 1) * 128 >> 8)
            bit = value >= split << 8
            value, width = (
                (value - (split << 8), width - split) if bit else (value, split)
            )
            number = 2 * number + bit
            while width < 128:
                value, width, n_shifts = 2 * value, 2 * width, n_shifts + 1
                if n_shifts == 8:
                    value, n_shifts, place = value | data[place], 0, place + 1
        return number

    return read


def _list_items(meta: bytes) -> list[int]:
    """List the places in the file of the items of an AVIF file (ISO 14496-12)."""
    start = meta.find(b"iloc") + 4
    if start < 4:
        return []
    version, sizes = meta[start], meta[start + 4 : start + 6].hex()
    offset_size, length_size, base_size, index_size = (int(size, 16) for size in sizes)
    number_size = 4 if version == 2 else 2
    place, items = start + 6, []

    def read(n_bytes):
        nonlocal place
        place += n_bytes
        return int.from_bytes(meta[place - n_bytes : place], "big")

    for _ in range(min(read(number_size), len(meta))):
        read(number_size)
        method = read(2) & 15 if version else 0
        read(2)
        base = read(base_size)
        for extent in range(read(2)):
            read(index_size if version else 0)
            offset = read(offset_size)
            read(length_size)
            if extent == 0 and method == 0:
                items.append(base + offset)
    return items


def _read_av1(data: bytes) -> float | None:
    """Read the quantizer of a still picture of AV1; None for other data."""
    place, sequence = 0, None
    while place < len(data):
        head = data[place]
        kind, has_size = head >> 3 & 15, head & 2
        place += 2 if head & 4 else 1
        size, n_bytes = len(data), 0
        if has_size:
            # Seven bits a byte, the lowest first; the eighth says that more follow.
            n_bytes = next(k + 1 for k in range(8) if data[place + k] < 128)
            size = sum((data[place + k] & 127) << 7 * k for k in range(n_bytes))
        place += n_bytes
        unit = data[place : place + size]
        if kind == SEQUENCE:
            sequence = _read_sequence(_read_bits(unit))
        elif kind in FRAMES:
            return sequence and _read_frame(_read_bits(unit), *sequence)
        place += size
    return None


def _read_bits(data: bytes) -> Callable:
    """Return a function that reads numbers of some bits."""
    place = 0

    def read(n_bits):
        nonlocal place
        number = 0
        for _ in range(n_bits):
            number = 2 * number + (data[place >> 3] >> (7 - place % 8) & 1)
            place += 1
        return number

    return read


def _read_sequence(read: Callable) -> tuple | None:
    """Read width, height, side of blocks and superresolution of a still picture.

    None stands for a film, whose headers are longer (AV1 specification, 5.5).
    """
    read(4)
    if not read(1):  # the short header of a still picture
        return None
    read(5)
    n_width, n_height = read(4) + 1, read(4) + 1
    width, height = read(n_width) + 1, read(n_height) + 1
    side = 128 if read(1) else 64
    read(2)
    return width, height, side, read(1)


def _read_frame(
    read: Callable, width: int, height: int, side: int, can_enlarge: int
) -> float:
    """Read the quantizer of a still picture (AV1 specification, 5.9).

    Parameters
    ----------
    read : callable
        Function that reads numbers of some bits.
    width, height, side : int
        Size of the picture, and side of its largest blocks.
    can_enlarge : int
        Whether pictures may be coded at a smaller width.
    """
    read(1)
    is_screen = read(1)
    if is_screen:
        read(1)
    if can_enlarge and read(1):
        read(3)
        is_screen = 0  # copies inside of the picture need its full width
    if read(1):  # another size of display
        read(32)
    if is_screen:
        read(1)
    n_columns, n_rows = -(-width // side), -(-height // side)
    log_columns = log_rows = 0
    widest, largest = 4096 // side, 4096 * 2304 // side**2
    fewest_columns = max(-(-n_columns // widest) - 1, 0).bit_length()
    fewest = max(fewest_columns, (-(-n_rows * n_columns // largest) - 1).bit_length())
    if not read(1):
        return float("nan")  # tiles of different sizes
    log_columns = fewest_columns
    while log_columns < (min(n_columns, 64) - 1).bit_length() and read(1):
        log_columns += 1
    log_rows = max(fewest - log_columns, 0)
    while log_rows < (min(n_rows, 64) - 1).bit_length() and read(1):
        log_rows += 1
    if log_columns or log_rows:
        read(log_columns + log_rows + 2)
    return float(read(8))

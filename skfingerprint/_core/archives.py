"""Zip files that hold nothing but their members."""

import struct
import zipfile

# Bytes of the fixed parts of a zip file: the header in front of a member, its entry in
# the directory, and the end of the directory (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16).
HEADER, ENTRY, END = 30, 46, 22


def fills_file(archive: zipfile.ZipFile) -> bool:
    """Return whether each byte of an open zip file belongs to a member or a header.

    Bytes in front of, between or behind the members, comments and extra fields can be
    read as a file of another format (a polyglot), while the members are read as ever.
    Files of more than 4 GiB, or of more than 65,535 members, are not accepted.
    """
    members, position, directory = archive.infolist(), 0, 0
    for info in members:
        if info.header_offset != position or info.extra or info.comment:
            return False
        name, extra = _read_header(archive, info)
        # NumPy reserves the sizes of members beyond 4 GiB.
        sizes = struct.pack("<HHQQ", 1, 16, info.file_size, info.compress_size)
        if extra not in (b"", sizes):
            return False
        position += HEADER + len(name) + len(extra) + info.compress_size
        directory += ENTRY + len(name)
    names = {info.filename for info in members}
    return (
        len(names) == len(members)
        and archive.start_dir == position
        and archive.fp.seek(0, 2) == position + directory + END
    )


def _read_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple:
    """Read the name and the extra field in front of a member."""
    archive.fp.seek(info.header_offset)
    *_, n_name, n_extra = struct.unpack("<26x2H", archive.fp.read(HEADER))
    return archive.fp.read(n_name), archive.fp.read(n_extra)

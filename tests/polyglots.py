"""Zip files that hold bytes outside of their members, which others read as ever."""

import io
import zipfile


def rewrite(content, *, comment=b"", extra=b"", member=None, order=None):
    """Write the members of a zip file again, with additions."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(stream, "w") as new,
    ):
        new.comment = comment
        for info in old.infolist():
            info.extra = extra
            new.writestr(info, old.read(info))
        for name in [member] if member else []:
            new.writestr(name, old.read(name))
    return stream.getvalue()


def insert(content):
    """Put bytes between the members and the directory of a zip file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.start_dir
    end = bytearray(content[-22:])
    end[16:20] = (start + 9).to_bytes(4, "little")
    return content[:start] + b"inserted " + content[start:-22] + bytes(end)


POLYGLOTS = {
    "appended": lambda content: content + b"<html></html>",
    "one byte": lambda content: content + b"\0",
    "prepended": lambda content: b"%PDF-1.4 " + content,
    "inserted": insert,
    "comment": lambda content: rewrite(content, comment=b"#!/bin/sh"),
    "extra": lambda content: rewrite(content, extra=b"\xfe\xca\x04\0code"),
}

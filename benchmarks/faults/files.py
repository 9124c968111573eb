"""Check that every kind of image file is read right, warned about or refused.

``python -m benchmarks.faults.files [earlier]`` writes files that are turned, previews,
hold metadata of any kind or values of few bits, or whose classes were saved otherwise,
and loads them. It prints a row for each: "right" for the pixels of the plain file, the
text of the warning or of the error, or "WRONG" for other pixels and for a difference
that nothing tells. Given a file with the output of an earlier version, it prints the
answer of that version above each row whose answer has changed. It needs the extra
`images` and pandas, and takes a minute.
"""

import io
import itertools
import struct
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from skfingerprint import FingerprintClassifier
from skfingerprint.datasets import (
    load_generators,
    load_image_files,
    load_image_folder,
)

NOISE = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
SHAPES = [(48, 32), (32, 48), (40, 40)]
# Formats in which orientation tags are tried, and their options.
FORMATS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "MPO": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "TIFF": {"compression": "raw"},
    "TIFF-LZW": {"compression": "tiff_lzw"},
    "TIFF-JPEG": {"compression": "jpeg", "quality": 100},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}
SUFFIXES = {"tif": "TIFF", "jpg": "JPEG", "jp2": "JPEG2000", "j2k": "JPEG2000"}


def pack_tiff(pixels, tags, inner=None, signature=b""):
    """Return a TIFF file of grey pixels, with a page inside of the page.

    Parameters
    ----------
    pixels : ndarray of shape (height, width), uint8
        The pixels.
    tags : dict of int to int
        Tags of the page.
    inner : dict of int to int, default=None
        Tags of the inner page, without pixels.
    signature : bytes, default=b""
        Bytes behind the first eight.
    """
    data = pixels.tobytes()
    place = 16
    plain = {256: pixels.shape[1], 257: pixels.shape[0], 258: 8, 259: 1, 262: 1}
    plain |= {273: place, 277: 1, 278: pixels.shape[0], 279: len(data)} | tags

    def pack(entries):
        packed = struct.pack("<H", len(entries))
        for tag, value in sorted(entries.items()):
            packed += struct.pack("<HHII", tag, 4, 1, value)
        return packed + struct.pack("<I", 0)

    pages = pack(inner) if inner else b""
    if inner:
        plain[330] = place + len(data)
    first = place + len(data) + len(pages)
    head = struct.pack("<2sHI", b"II", 42, first) + signature.ljust(8, b"\0")
    return head + data + pages + pack(plain)


PREVIEWS = {
    "reduced": pack_tiff(NOISE[..., 0], {254: 1}),
    "mask": pack_tiff(NOISE[..., 0], {254: 4}),
    "reduced, old": pack_tiff(NOISE[..., 0], {255: 2}),
    "DNG": pack_tiff(NOISE[..., 0], {50706: 0x0401}),
    "CR2": pack_tiff(NOISE[..., 0], {}, signature=b"CR\2\0"),
    "inner page is larger": pack_tiff(NOISE[..., 0], {}, {256: 480, 257: 400}),
    "inner page is raw": pack_tiff(NOISE[..., 0], {}, {256: 8, 257: 8, 262: 32803}),
    "inner page is linear": pack_tiff(NOISE[..., 0], {}, {256: 8, 262: 34892}),
}


def pack_chunk(name, content, checksum=None):
    """Return a chunk of PNG."""
    if checksum is None:
        checksum = zlib.crc32(name + content)
    return (
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
    )


BOMB = zlib.compress(b"a" * 2**24)

CHUNKS = {
    "text bomb": pack_chunk(b"zTXt", b"prompt\0\0" + BOMB),
    "international text bomb": pack_chunk(b"iTXt", b"prompt\0\1\0\0\0" + BOMB),
    "profile bomb": pack_chunk(b"iCCP", b"x\0\0" + BOMB),
    "large text": pack_chunk(b"tEXt", b"workflow\0" + b"x" * 2**24),
    "many texts": pack_chunk(b"tEXt", b"key\0" + b"value" * 500) * 40_000,
    "wrong checksum": pack_chunk(b"tEXt", b"key\0value", 5),
    "wrong checksum of a profile": pack_chunk(b"iCCP", b"x\0\0abc", 5),
    "unknown compression": pack_chunk(b"zTXt", b"key\0\7abc"),
    "unknown compression of a profile": pack_chunk(b"iCCP", b"x\0\7abc"),
    **{
        f"empty {name}": pack_chunk(name.encode(), b"")
        for name in "tEXt zTXt iTXt iCCP eXIf gAMA cHRM sRGB sBIT pHYs tRNS bKGD tIME "
        "hIST sPLT acTL fcTL caBX prVt".split()
    },
}


def pack_segment(marker, content):
    """Return a segment of JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


PHOTOSHOP = b"Photoshop 3.0\0"

MARKERS = {
    "photoshop without content": pack_segment(0xED, PHOTOSHOP + b"8BIM"),
    "photoshop cut off": pack_segment(0xED, PHOTOSHOP + b"8BIM\3\xed\0\0\0\0\0\4ab"),
    "photoshop with a long name": pack_segment(0xED, PHOTOSHOP + b"8BIM\3\xed\xff"),
    "profile without number": pack_segment(0xE2, b"ICC_PROFILE\0"),
    "second part of a profile": pack_segment(0xE2, b"ICC_PROFILE\0\2\3abc"),
    "pictures without directory": pack_segment(0xE2, b"MPF\0"),
    "pictures of nowhere": pack_segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
    "exif": pack_segment(0xE1, b"Exif\0\0bad"),
    "exif of nowhere": pack_segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
    "xmp": pack_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<"),
    "flashpix": pack_segment(0xE2, b"FPXR\0"),
    "short adobe": pack_segment(0xEE, b"Adobe"),
    "short jfif": pack_segment(0xE0, b"JFIF\0"),
    "comment": pack_segment(0xFE, b""),
    "padding": b"\xff\xff\xff",
    "large": pack_segment(0xE5, b"x" * 65_000) * 300,
}


def write_png16(file, values):
    """Write a PNG file of 16 bits a value, which Pillow writes for grey only."""
    height, width, n_channels = values.shape
    color = {1: 0, 3: 2, 2: 4, 4: 6}[n_channels]
    rows = values.astype(">u2").reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(pack_chunk(*chunk) for chunk in chunks)
    file.write_bytes(content)


LOSSLESS_WEBP = "webp", {"lossless": True}

JPEG2000 = {"quality_mode": "rates", "quality_layers": [20]}

# The two ways of saving, and the property that tells them apart.
TOLD = {
    "WebP lossless / 80": (LOSSLESS_WEBP, ("webp", {"quality": 80}), "format"),
    "WebP 95 / 60": (
        ("webp", {"quality": 95}),
        ("webp", {"quality": 60}),
        "quantizer of WEBP",
    ),
    "AVIF 95 / 50": (
        ("avif", {"quality": 95, "speed": 10}),
        ("avif", {"quality": 50, "speed": 10}),
        "quantizer of AVIF",
    ),
    "TIFF raw / JPEG": (
        ("tif", {}),
        ("tif", {"compression": "jpeg"}),
        "format",
    ),
    "TIFF JPEG 95 / 50": (
        ("tif", {"compression": "jpeg", "quality": 95}),
        ("tif", {"compression": "jpeg", "quality": 50}),
        "JPEG quality",
    ),
    "JPEG 2000 lossless / lossy": (
        ("jp2", {}),
        ("jp2", {"irreversible": True, **JPEG2000}),
        "format",
    ),
    "JPEG 2000 lossless / cut off": (
        ("jp2", {}),
        ("jp2", {"irreversible": False, **JPEG2000}),
        "bytes per pixel of JPEG2000",
    ),
    "JPEG 2000 stream, lossless / lossy": (
        ("j2k", {"no_jp2": True}),
        ("j2k", {"no_jp2": True, "irreversible": True, **JPEG2000}),
        "format",
    ),
    "JPEG 95 / 75": (("jpg", {"quality": 95}), ("jpg", {"quality": 75}), "JPEG qual"),
    "PNG / WebP lossless": (("png", {}), LOSSLESS_WEBP, "format"),
}

SILENT = {
    "PNG / PNG": (("png", {}), ("png", {"compress_level": 1})),
    "JPEG baseline / progressive": (
        ("jpg", {"quality": 90}),
        ("jpg", {"quality": 90, "progressive": True}),
    ),
    "JPEG with and without optimized tables": (
        ("jpg", {"quality": 90}),
        ("jpg", {"quality": 90, "optimize": True}),
    ),
    "TIFF raw / LZW": (("tif", {}), ("tif", {"compression": "tiff_lzw"})),
    "WebP 80 / 80": (("webp", {"quality": 80}), ("webp", {"quality": 80, "method": 6})),
    "WebP lossless / lossless": (
        LOSSLESS_WEBP,
        ("webp", {"lossless": True, "method": 1}),
    ),
    "AVIF 80 / 80": (
        ("avif", {"quality": 80, "speed": 10}),
        ("avif", {"quality": 80, "speed": 9}),
    ),
    "JPEG 2000 / JPEG 2000": (("jp2", {}), ("jp2", {})),
}


def add_chunk(name, content, behind=False):
    """Return a suffix, and a function that adds a chunk to a PNG file."""

    def add(data):
        place = len(data) - 12 if behind else 33
        return data[:place] + pack_chunk(name, content) + data[place:]

    return "png", add


def add_segment(marker, content):
    """Return a suffix, and a function that adds a segment to a JPEG file."""
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
    return "jpg", lambda data: data[:2] + segment + data[2:]


def pack_exif(tags):
    """Return EXIF with these tags."""
    exif = Image.Exif()
    for tag, value in tags.items():
        if tag == 37510:
            exif.get_ifd(34665)[tag] = value
        else:
            exif[tag] = value
    return exif.tobytes()


def pack_profile(name):
    """Return an ICC profile with nothing but a description."""
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0"
    head = bytes(128) + struct.pack(">I4sII", 1, b"desc", 144, len(text))
    return head + text


ICC_JPEG = b"ICC_PROFILE\0\1\1" + pack_profile(b"Display P3")

C2PA_BOX = struct.pack(">I4s", 40, b"uuid") + bytes.fromhex(
    "d8fec3d61b0e483c92975828877ec481"
)

MARKS = {
    "parameters": (add_chunk(b"tEXt", b"parameters\0a cat"), "texts", "parameters"),
    "prompt": (add_chunk(b"iTXt", b"prompt\0\0\0\0\0{}"), "texts", "prompt"),
    "workflow behind": (
        add_chunk(b"zTXt", b"workflow\0\0x", True), "texts", "workflow"),
    "software": (add_chunk(b"tEXt", b"Software\0Tool 1"), "software", "Tool 1"),
    "software in EXIF of PNG": (
        add_chunk(b"eXIf", pack_exif({305: "Tool"})), "software", "Tool"),
    "software in EXIF": (
        add_segment(0xE1, pack_exif({305: "Tool"})), "software", "Tool"),
    "comment in EXIF": (
        add_segment(0xE1, pack_exif({37510: b"ASCII\0\0\0Steps: 20"})),
        "texts", "UserComment"),
    "comment": (add_segment(0xFE, b"made by"), "texts", "comment"),
    "C2PA in PNG": (add_chunk(b"caBX", b"jumb"), "c2pa", True),
    "C2PA in JPEG": (
        add_segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\1jumbc2pa"), "c2pa", True),
    "C2PA in WebP": (
        ("webp", lambda data: data + b"C2PA\2\0\0\0ab"), "c2pa", True),
    "C2PA in AVIF": (("avif", lambda data: data + C2PA_BOX + bytes(16)), "c2pa", True),
    "profile of PNG": (
        add_chunk(b"iCCP", b"x\0\0" + zlib.compress(pack_profile(b"Adobe RGB"))),
        "icc", "Adobe RGB"),
    "profile of JPEG": (add_segment(0xE2, ICC_JPEG), "icc", "Display P3"),
}  # fmt: skip

PROPERTIES = {
    "texts": "texts",
    "software": "software",
    "c2pa": "C2PA",
    "icc": "ICC profile",
}


def draw_ramp(shape):
    """Draw smooth pixels, different in each corner, which lossy codecs keep."""
    rows, columns = np.indices(shape)
    ramp = np.stack([rows * 5, columns * 5, 120 + rows - columns], axis=-1)
    return ramp.astype(np.uint8)


def save(image, suffix, options):
    """Return the content of a file, in a format by suffix or name."""
    file = io.BytesIO()
    name = SUFFIXES.get(suffix, suffix.upper())
    Image.fromarray(image).save(file, name, **options)
    return file.getvalue()


def save_turned(name, pixels, orientation):
    """Return the content of a file with an orientation tag."""
    options = dict(FORMATS.get(name, {}))
    if name.startswith("TIFF"):
        options["tiffinfo"] = {274: orientation}
    else:
        options["exif"] = pack_exif({274: orientation})
    if name == "MPO":
        options |= {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}
    return save(pixels, name.split("-")[0], options)


def ask(load, expected=None, atol=0, must_tell=False):
    """Return the outcome of a load, as text.

    Parameters
    ----------
    load : callable
        Function without arguments that loads images.
    expected : ndarray, default=None
        Right result, if it is known.
    atol : int, default=0
        Largest difference of the right result.
    must_tell : bool, default=False
        Whether silence is wrong.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = load()
        except Exception as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())[-180:]}"
    told = [" ".join(str(w.message).split())[:180] for w in caught]
    if told:
        return f"warns: {told[0]}"
    right = not must_tell
    if expected is not None:
        right = found.shape == expected.shape and bool(
            (np.abs(found.astype(int) - expected) <= atol).all()
        )
    return "right" if right else "WRONG, in silence"


def list_turned(folder):
    """Yield rows of turned files: kind, name and answer."""
    for name, shape, tag in itertools.product(FORMATS, SHAPES, range(1, 9)):
        pixels, file = draw_ramp(shape), folder / "turned.image"
        try:
            file.write_bytes(save_turned(name, pixels, tag))
        except (KeyError, OSError) as error:
            yield "turned", f"{name} {shape} {tag}", f"not written here: {error}"
            continue
        answer = ask(lambda file=file: load_image_files([file]).images[0], pixels, 12)
        yield "turned", f"{name} {shape} {tag}", answer


def list_single(folder):
    """Yield rows of single files: previews, metadata, few bits, missing plug-ins."""
    png, jpeg = save(NOISE, "png", {}), save(NOISE, "jpg", {})
    decoded = np.asarray(Image.open(io.BytesIO(jpeg)))
    cases = [("preview", n, c, "tif", None, True) for n, c in PREVIEWS.items()]
    for name, chunk in CHUNKS.items():
        for place, where in ((33, "before"), (len(png) - 12, "behind")):
            content = png[:place] + chunk + png[place:]
            cases.append(("PNG", f"{name}, {where}", content, "png", NOISE, False))
    for name, part in MARKERS.items():
        content = jpeg[:2] + part + jpeg[2:]
        cases.append(("JPEG", name, content, "jpg", decoded, False))
    for name, suffix, content in [
        ("JPEG XL without plug-in", "jxl", b"\xff\x0a" + b"x" * 30),
        ("HEIC without plug-in", "heic", b"\0\0\0\x18ftypheic" + b"x" * 30),
        ("RAW", "raf", b"FUJIFILMCCD-RAW" * 9),
    ]:
        cases.append(("unread", name, content, suffix, None, True))
    for n_bits, n_channels in itertools.product((10, 12, 14), (1, 3)):
        values = np.full((40, 48, n_channels), 2**n_bits - 1)
        write_png16(folder / "bits.png", values)
        content = (folder / "bits.png").read_bytes()
        name = f"{n_bits} bits, {n_channels} channels"
        cases.append(("bits", name, content, "png", None, True))
    for kind, name, content, suffix, expected, must_tell in cases:
        file = folder / f"single.{suffix}"
        file.write_bytes(content)
        load = lambda file=file: load_image_files([file]).images[0]  # noqa: E731
        yield kind, name, ask(load, expected, must_tell=must_tell)


def list_classes(folder):
    """Yield rows of one source under two labels that were saved otherwise."""
    data = load_generators()
    images = data.images[data.target == 0][:24]
    ways = {n: (*pair[:2], True) for n, pair in TOLD.items()}
    ways |= {n: (*pair, False) for n, pair in SILENT.items()}
    for name, ((suffix, add), _, _) in MARKS.items():
        ways[name] = ((suffix, {}), (suffix, add), True)
    for number, (name, (*pair, must_tell)) in enumerate(ways.items()):
        for k, image in enumerate(images):
            suffix, options = pair[k % 2]
            label = folder / f"{number}" / "ab"[k % 2]
            label.mkdir(parents=True, exist_ok=True)
            content = save(image, suffix, {} if callable(options) else options)
            content = options(content) if callable(options) else content
            (label / f"{k}.{suffix}").write_bytes(content)
        load = lambda path=label.parent: load_image_folder(path)  # noqa: E731
        yield "classes", name, ask(load, must_tell=must_tell)


def list_labels(folder):
    """Yield rows of labels."""
    import pandas as pd

    files = [folder / f"{k}.png" for k in range(4)]
    for file in files:
        Image.fromarray(NOISE).save(file)
    large = pd.Series([2**53, 2**53, 2**53 + 1, 2**53 + 1], dtype="Int64")
    for name, labels in {
        "two columns": [["a", "b"]] * 4,
        "one-hot": [[0, 1]] * 4,
        "nan": np.array([0.0, 0.0, 1.0, np.nan]),
        "nan in a list": ["a", "a", "b", np.nan],
        "None": ["a", "a", "b", None],
        "mixed types": ["a", "a", 1, 1],
        "missing Int64": pd.Series([0, 0, 1, None], dtype="Int64"),
    }.items():
        load = lambda labels=labels: load_image_files(files, labels)  # noqa: E731
        yield "labels", name, ask(load, must_tell=True)
    expected = np.array(large.tolist())[[0, 2]]
    load = lambda: load_image_files(files, large).target_names  # noqa: E731
    yield "labels", "Int64 above 2**53, loader", ask(load, expected)
    fit = lambda: FingerprintClassifier().fit([NOISE] * 4, large).classes_  # noqa: E731
    yield "labels", "Int64 above 2**53, fit", ask(fit, expected)
    load = lambda: load_image_files(files, list("bbcc"), classes=list("abc")).target  # noqa: E731
    yield "labels", "classes of another load", ask(load, np.array([1, 1, 2, 2]))
    load = lambda: load_image_files(files, list("bbdd"), classes=list("abc"))  # noqa: E731
    yield "labels", "a label beside the classes", ask(load, must_tell=True)


def list_cut(folder):
    """Yield rows of images of several sizes that are cut to one."""
    for number, shape in enumerate([(60, 40), (40, 60), (60, 40)]):
        file = folder / "cut" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(draw_ramp(shape)).save(file)
    files = sorted((folder / "cut").iterdir())
    load = lambda: load_image_files(files, image_shape=(32, 32))  # noqa: E731
    yield "cut", "portrait and landscape", ask(load, must_tell=True)
    load = lambda: load_image_files(files[::2], image_shape=(32, 32))  # noqa: E731
    yield "cut", "one size", ask(load)


def main(earlier=None):
    """Print the table."""
    lines = Path(earlier).read_text().splitlines() if earlier else []
    before = {line[4:56].strip(): line[56:] for line in lines}
    number = itertools.count(1)
    kinds = list_turned, list_single, list_classes, list_labels, list_cut
    with tempfile.TemporaryDirectory() as folder:
        for kind, name, answer in itertools.chain(*(k(Path(folder)) for k in kinds)):
            title = f"{kind:8} {name}"
            if before.get(title, answer) != answer:
                print(f"    {'before':52}{before[title]}")
            print(f"{next(number):3} {title:52}{answer}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

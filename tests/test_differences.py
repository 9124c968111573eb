"""History that headers tell: one source under two labels that were saved otherwise."""

import io
import struct
import zlib

import numpy as np
import pytest

from skfingerprint._images import read_header
from skfingerprint.datasets import (
    describe_image_folder,
    load_generators,
    load_image_files,
    load_image_folder,
)

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (extra images)")
DATA = load_generators()
IMAGES = DATA.images[DATA.target == 0][:24]
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


def save(image, suffix, options):
    """Return the content of a file; skip formats that are not written here."""
    file = io.BytesIO()
    name = {"tif": "TIFF", "jpg": "JPEG", "jp2": "JPEG2000", "j2k": "JPEG2000"}
    try:
        Image.fromarray(image).save(file, name.get(suffix, suffix.upper()), **options)
    except (KeyError, OSError) as error:
        pytest.skip(f"Pillow does not write {suffix} here: {error!r}")
    return file.getvalue()


def write_classes(folder, ways):
    """Write one source under two labels, each in its own way."""
    for number, image in enumerate(IMAGES):
        suffix, options = ways[number % 2]
        (folder / "ab"[number % 2]).mkdir(exist_ok=True)
        file = folder / "ab"[number % 2] / f"{number}.{suffix}"
        file.write_bytes(save(image, suffix, options))


@pytest.mark.parametrize("name", TOLD)
def test_history_in_headers_is_told(tmp_path, name):
    *ways, expected = TOLD[name]
    write_classes(tmp_path, ways)
    for lazy in (False, True):
        with pytest.warns(UserWarning, match=f"classes differ in .*{expected}"):
            load_image_folder(tmp_path, lazy=lazy)
    files = sorted(tmp_path.glob("*/*"))
    with pytest.warns(UserWarning, match=f"classes differ in .*{expected}"):
        load_image_files(files, [file.parent.name for file in files])
    assert f"Classes differ in {expected}" in str(describe_image_folder(tmp_path))


@pytest.mark.parametrize("name", SILENT)
def test_controls_are_silent(tmp_path, name):
    write_classes(tmp_path, SILENT[name])
    load_image_folder(tmp_path)
    assert "Classes differ" not in str(describe_image_folder(tmp_path))


@pytest.mark.parametrize(
    ("suffix", "options", "codec", "compression"),
    [
        ("webp", {}, "VP8", "lossy"),
        ("webp", {"lossless": True}, "VP8L", "lossless"),
        ("webp", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}, "VP8", "lossy"),
        ("webp", {"save_all": True, "append_images": [Image.new("RGB", (64, 64))]},
         "VP8", "lossy"),
        ("tif", {}, "raw", "lossless"),
        ("tif", {"compression": "packbits"}, "packbits", "lossless"),
        ("tif", {"compression": "jpeg"}, "jpeg", "lossy"),
        ("tif", {"compression": "webp"}, "webp", "lossy"),
        ("jp2", {}, "5/3", "lossless"),
        ("jp2", {"irreversible": True}, "9/7", "lossy"),
        ("png", {}, "PNG", "lossless"),
        ("bmp", {}, "BMP", "lossless"),
        ("jpg", {}, "JPEG", "lossy"),
        ("avif", {}, "AVIF", "lossy"),
    ],
)  # fmt: skip
def test_codecs_are_read_from_headers(suffix, options, codec, compression):
    header = read_header(save(IMAGES[0], suffix, options))
    assert (header.codec, header.compression) == (codec, compression)
    assert 0 < header.bytes_per_pixel < 4.5


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_the_quality_of_jpeg_inside_of_tiff_is_read(quality):
    options = {"compression": "jpeg", "quality": quality}
    assert read_header(save(IMAGES[0], "tif", options)).quality == quality


def pack_chunk(name, content):
    checksum = zlib.crc32(name + content)
    return (
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
    )


def add_chunk(name, content, behind=False):
    def add(data):
        place = len(data) - 12 if behind else 33
        return data[:place] + pack_chunk(name, content) + data[place:]

    return "png", add


def add_segment(marker, content):
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
    return "jpg", lambda data: data[:2] + segment + data[2:]


def pack_exif(tags):
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


@pytest.mark.parametrize("name", MARKS)
def test_metadata_that_name_the_label_are_told(tmp_path, name):
    (suffix, add), column, value = MARKS[name]
    for number, image in enumerate(IMAGES):
        label = tmp_path / "ab"[number % 2]
        label.mkdir(exist_ok=True)
        content = save(image, suffix, {})
        if number % 2:
            content = add(content)
        (label / f"{number}.{suffix}").write_bytes(content)
    assert getattr(read_header(content), column) == value
    with pytest.warns(UserWarning, match=f"classes differ in {PROPERTIES[column]}, "):
        load_image_folder(tmp_path)
    description = describe_image_folder(tmp_path)
    assert list(description.files[column]).count(value) == 12
    assert f"Classes differ in {PROPERTIES[column]}:" in str(description)


def test_empty_texts_of_cameras_are_none():
    exif = {270: "      ", 37510: b"ASCII\0\0\0" + bytes(30)}
    _, add = add_segment(0xE1, pack_exif(exif))
    assert read_header(add(save(IMAGES[0], "jpg", {}))).texts == ""


def test_damaged_metadata_are_as_if_missing():
    for kind, content in [
        (b"iCCP", b""),
        (b"iCCP", b"x\0\0abc"),
        (b"iCCP", b"x\0\0" + zlib.compress(b"short")),
        (b"eXIf", b"II*\0\xff\xff\xff\xff"),
        (b"tEXt", b"\xff" * 200),
    ]:
        _, add = add_chunk(kind, content)
        header = read_header(add(save(IMAGES[0], "png", {})))
        assert header.software == ""
        assert len(header.texts) <= 80
        assert len(header.icc) in (0, 8)


def test_few_files_prove_nothing(tmp_path):
    for number, image in enumerate(IMAGES[:10]):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        content = save(image, "webp", {"quality": [95, 10][number % 2]})
        (tmp_path / "ab"[number % 2] / f"{number}.webp").write_bytes(content)
    load_image_folder(tmp_path)


@pytest.mark.parametrize("size", [(1, 1), (17, 70), (64, 64), (300, 130)])
@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_quantizers_are_read(size, mode):
    """They are those that the encoder was told, at any size and layout of tiles."""
    image = Image.fromarray(IMAGES[0]).convert(mode).resize(size[::-1])
    image = np.asarray(image)
    # libaom has 64 steps, of 4 quantizers up to 60 and of more above.
    for quality, expected in [(100, 0), (95, 16), (80, 60), (50, 148), (0, 255)]:
        for tiles in ({}, {"tile_rows": 1, "tile_cols": 1, "autotiling": False}):
            options = {"quality": quality, "speed": 10, "max_threads": 1} | tiles
            content = save(image, "avif", options)
            assert read_header(content).quantizer == expected
    qualities = 100, 80, 60, 30, 0
    contents = [save(image, "webp", {"quality": quality}) for quality in qualities]
    found = [read_header(content).quantizer for content in contents]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 127)
    assert np.isnan(read_header(save(image, "webp", {"lossless": True})).quantizer)


def test_quantizers_of_large_pictures_are_read():
    """Noise at a high quality makes a frame whose length takes several bytes."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 700, 3), dtype=np.uint8)
    content = save(noise, "avif", {"quality": 95, "speed": 10})
    assert len(content) > 2**15
    assert read_header(content).quantizer == 16


@pytest.mark.parametrize("suffix", ["avif", "webp"])
def test_damaged_quantizers_never_escape(suffix):
    """Any content gives a number, NaN or an error that the loaders name."""
    rng = np.random.default_rng(0)
    content = np.frombuffer(save(IMAGES[0], suffix, {}), dtype=np.uint8)
    for _ in range(200):
        damaged = content.copy()
        places = rng.integers(min(len(content), 400), size=4)
        damaged[places] = rng.integers(0, 256, size=4, dtype=np.uint8)
        cut = int(rng.integers(16, len(content) + 1))
        try:
            header = read_header(damaged[:cut].tobytes())
        except ValueError:
            continue
        assert np.isnan(header.quantizer) or 0 <= header.quantizer <= 255

"""History that headers tell: one source under two labels that were saved otherwise."""

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
cases = pytest.importorskip("benchmarks.faults.files", reason="needs Pillow")
add_chunk, add_segment, pack_exif = cases.add_chunk, cases.add_segment, cases.pack_exif
DATA = load_generators()
IMAGES = DATA.images[DATA.target == 0][:24]


def save(image, suffix, options):
    """Return the content of a file; skip formats that are not written here."""
    try:
        return cases.save(image, suffix, options)
    except (KeyError, OSError) as error:
        pytest.skip(f"Pillow does not write {suffix} here: {error!r}")


def write_classes(folder, ways):
    """Write one source under two labels, each in its own way."""
    for number, image in enumerate(IMAGES):
        suffix, options = ways[number % 2]
        (folder / "ab"[number % 2]).mkdir(exist_ok=True)
        file = folder / "ab"[number % 2] / f"{number}.{suffix}"
        file.write_bytes(save(image, suffix, options))


@pytest.mark.parametrize("name", cases.TOLD)
def test_history_in_headers_is_told(tmp_path, name):
    *ways, expected = cases.TOLD[name]
    write_classes(tmp_path, ways)
    for lazy in (False, True):
        with pytest.warns(UserWarning, match=f"classes differ in .*{expected}"):
            load_image_folder(tmp_path, lazy=lazy)
    files = sorted(tmp_path.glob("*/*"))
    with pytest.warns(UserWarning, match=f"classes differ in .*{expected}"):
        load_image_files(files, [file.parent.name for file in files])
    assert f"Classes differ in {expected}" in str(describe_image_folder(tmp_path))


@pytest.mark.parametrize("name", cases.SILENT)
def test_controls_are_silent(tmp_path, name):
    write_classes(tmp_path, cases.SILENT[name])
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


@pytest.mark.parametrize("name", cases.MARKS)
def test_metadata_that_name_the_label_are_told(tmp_path, name):
    (suffix, add), column, value = cases.MARKS[name]
    for number, image in enumerate(IMAGES):
        label = tmp_path / "ab"[number % 2]
        label.mkdir(exist_ok=True)
        content = save(image, suffix, {})
        if number % 2:
            content = add(content)
        (label / f"{number}.{suffix}").write_bytes(content)
    assert getattr(read_header(content), column) == value
    with pytest.warns(
        UserWarning, match=f"classes differ in {cases.PROPERTIES[column]}, "
    ):
        load_image_folder(tmp_path)
    description = describe_image_folder(tmp_path)
    assert list(description.files[column]).count(value) == 12
    assert f"Classes differ in {cases.PROPERTIES[column]}:" in str(description)


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

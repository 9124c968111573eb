"""Files as they are: turned, previews, with metadata of any kind, of 16 bits."""

import io
import sys
import warnings

import numpy as np
import pytest

from skfingerprint import FingerprintClassifier, ImageReader
from skfingerprint._core import as_images
from skfingerprint._images import decoding, segments
from skfingerprint.datasets import (
    describe_image_folder,
    load_image_files,
    load_image_folder,
)

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (extra images)")

cases = pytest.importorskip("benchmarks.faults.files", reason="needs Pillow")

NOISE, draw_ramp = cases.NOISE, cases.draw_ramp
pack_chunk, pack_tiff, write_png16 = (
    cases.pack_chunk,
    cases.pack_tiff,
    cases.write_png16,
)
FORMATS = cases.FORMATS | {
    "HEIF": {"quality": 100, "chroma": 444},
    "JXL": {"lossless": True},
}


def write(name, pixels, **options):
    """Return the content of a file; skip formats that are not written here."""
    if name in ("HEIF", "JXL"):
        pytest.importorskip({"HEIF": "pillow_heif", "JXL": "pillow_jxl"}[name])
        decoding.register_plugins()
    file = io.BytesIO()
    options = FORMATS.get(name, {}) | options
    if name == "MPO":
        options |= {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}
    try:
        Image.fromarray(pixels).save(file, name.split("-")[0], **options)
    except (KeyError, OSError) as error:
        pytest.skip(f"Pillow does not write {name} here: {error!r}")
    return file.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


@pytest.fixture(params=FORMATS)
def format_name(request):
    return request.param


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", cases.SHAPES, ids=str)
def test_pixels_are_as_stored(tmp_path, format_name, shape, orientation):
    """By file, content, picture and lazily, for each shape, tag and format."""
    pixels = draw_ramp(shape)
    if format_name == "HEIF":
        # The encoder writes the pixels as they are, and a transformation beside them.
        pixels = draw_ramp((2 * shape[0], 2 * shape[1]))
    if format_name.startswith("TIFF"):
        content = write(format_name, pixels, tiffinfo={274: orientation})
    else:
        content = write(format_name, pixels, exif=turned(orientation))
    file = tmp_path / "0.image"
    file.write_bytes(content)

    def check(found):
        assert found.shape == pixels.shape
        assert np.abs(found.astype(int) - pixels).max() <= 12

    check(decoding.read_image(file))
    check(decoding.read_image(content))
    check(load_image_files([file]).images[0])
    header = decoding.read_header(file)
    assert (header.height, header.width) == decoding.read_size(file) == pixels.shape[:2]
    assert header.orientation == orientation
    with Image.open(file) as picture:
        for _ in range(2):  # the second pass finds it decoded
            check(as_images([picture])[0])
    opened = io.BytesIO(content), Image.open(io.BytesIO(content))
    for source in (str(file), content, *opened):
        read = ImageReader().fit_transform([source])
        assert read.shape == (1, *pixels.shape)
        check(np.asarray(read)[0])
    if pytest.importorskip("dask"):
        check(load_image_files([file], lazy=True).images.compute()[0])


def test_decoded_pictures_are_taken_as_they_are():
    content = write("TIFF", NOISE, tiffinfo={274: 6})
    picture = Image.open(io.BytesIO(content))
    picture.load()  # Pillow turns it
    np.testing.assert_array_equal(as_images([picture])[0], np.rot90(NOISE, -1))


def test_turns_by_xmp_are_undone_too(tmp_path):
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    content = write("TIFF", NOISE, tiffinfo={700: xmp})
    np.testing.assert_array_equal(decoding.read_image(content), NOISE)
    picture = Image.open(io.BytesIO(content))
    np.testing.assert_array_equal(as_images([picture])[0], NOISE)


def test_turned_files_share_a_fingerprint(tmp_path):
    """A folder of TIFF files with mixed tags gives the pixels of untagged ones."""
    for number in range(8):
        label = tmp_path / "ab"[number % 2]
        label.mkdir(exist_ok=True)
        content = write("TIFF", np.roll(NOISE, number, 0), tiffinfo={274: number + 1})
        (label / f"{number}.tif").write_bytes(content)
    data = load_image_folder(tmp_path, image_shape=(32, 32))
    expected = [np.roll(NOISE, k, 0)[:32, :32] for k in (0, 2, 4, 6, 1, 3, 5, 7)]
    np.testing.assert_array_equal(data.images, expected)


@pytest.mark.parametrize("lazy", [False, True])
def test_mixed_sizes_that_are_cropped_are_told(tmp_path, lazy):
    pytest.importorskip("dask")
    for number, shape in enumerate([(60, 40), (40, 60), (60, 40), (60, 40)]):
        label = tmp_path / ("phone" if number < 2 else "camera")
        label.mkdir(exist_ok=True)
        Image.fromarray(draw_ramp(shape)).save(label / f"{number}.png")
    with pytest.warns(UserWarning, match=r"size or orientation(?s:.*)phone: 60x40"):
        load_image_folder(tmp_path, image_shape=(32, 32), lazy=lazy)
    files = sorted(tmp_path.glob("*/*.png"))
    with pytest.warns(UserWarning, match="all files: 60x40"):
        load_image_files(files, image_shape="min", lazy=lazy)
    # Each class has one size: nothing to tell.
    load_image_files(files[:3], ["a", "a", "b"], image_shape=(32, 32), lazy=lazy)


@pytest.mark.parametrize("name", cases.PREVIEWS)
@pytest.mark.parametrize("suffix", ["tif", "dng", "nef"])
def test_previews_are_refused(tmp_path, name, suffix):
    file = tmp_path / f"0.{suffix}"
    file.write_bytes(cases.PREVIEWS[name])
    for lazy in (False, True):
        with pytest.raises(ValueError, match=rf"0\.{suffix}: a preview.*[Dd]evelop"):
            load_image_files([file], lazy=lazy)
    with Image.open(file) as picture:
        with pytest.raises(ValueError, match="a preview"):
            as_images([picture])
        with pytest.raises(ValueError, match="a preview"):
            FingerprintClassifier().fit([picture, picture], ["a", "b"])


@pytest.mark.parametrize(
    "content",
    [
        pack_tiff(NOISE[..., 0], {}),
        pack_tiff(NOISE[..., 0], {254: 0}),
        pack_tiff(NOISE[..., 0], {254: 2}),  # one page of several
        pack_tiff(NOISE[..., 0], {255: 1}),
        # A pyramid: reduced copies inside of the whole picture.
        pack_tiff(NOISE[..., 0], {}, {254: 1, 256: 24, 257: 20, 262: 1}),
        pack_tiff(NOISE[..., 0], {330: 10**9}),
        pack_tiff(NOISE[..., 0], {330: 0}),
    ],
)
def test_whole_pages_are_read(content):
    grey = decoding.read_image(content)[..., 0]
    np.testing.assert_array_equal(grey, NOISE[..., 0])


def test_raw_files_that_nothing_reads_say_develop(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(NOISE).save(tmp_path / "a" / "0.png")
    for suffix in ("nef", "CR3", "raf"):
        (tmp_path / "a" / f"1.{suffix}").write_bytes(b"FUJIFILMCCD-RAW" * 9)
        with pytest.raises(ValueError, match="a RAW file: develop it first"):
            load_image_files([tmp_path / "a" / f"1.{suffix}"])
    with pytest.warns(UserWarning, match=r"1 \.cr3 \(a RAW file: develop"):
        assert len(load_image_folder(tmp_path).images) == 1


@pytest.mark.parametrize(
    ("suffix", "package", "content"),
    [
        ("jxl", "pillow-jxl-plugin", b"\xff\x0a" + b"x" * 30),
        ("jxl", "pillow-jxl-plugin", b"\0\0\0\x0cJXL \r\n\x87\n" + b"x" * 30),
        ("heic", "pillow-heif", b"\0\0\0\x18ftypheic\0\0\0\0" + b"x" * 30),
    ],
)
def test_missing_plugins_are_named(tmp_path, monkeypatch, suffix, package, content):
    for module in ("pillow_heif", "pillow_jxl"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(Image, "ID", [n for n in Image.ID if n not in ("HEIF", "JXL")])
    (tmp_path / "a").mkdir()
    Image.fromarray(NOISE).save(tmp_path / "a" / "0.png")
    file = tmp_path / "a" / f"1.{suffix}"
    file.write_bytes(content)
    with pytest.warns(
        UserWarning, match=rf"1 \.{suffix} \(needs the package {package}"
    ):
        load_image_folder(tmp_path)
    for path in (file, tmp_path / "misnamed.png"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"needs the package {package}: pip inst"):
            load_image_files([path])


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("name", cases.CHUNKS)
def test_chunks_of_png_never_cost_the_image(tmp_path, name, behind):
    content = write("PNG", NOISE)
    place = len(content) - 12 if behind else 33  # before IEND, or behind IHDR
    file = tmp_path / "0.png"
    file.write_bytes(content[:place] + cases.CHUNKS[name] + content[place:])
    np.testing.assert_array_equal(load_image_files([file]).images[0], NOISE)
    header = decoding.read_header(file)
    assert (header.height, header.width, header.format) == (40, 48, "PNG")
    assert len(header.texts) < 100


def test_only_needed_chunks_of_png_reach_pillow(monkeypatch):
    """Neither the text nor its compressed content is read for decoding."""
    content = write("PNG", NOISE)
    content = content[:33] + cases.CHUNKS["large text"] + content[33:]
    read = segments.without_metadata(io.BytesIO(content)).read()
    assert read == write("PNG", NOISE)


@pytest.mark.parametrize("name", cases.MARKERS)
def test_segments_of_jpeg_never_cost_the_image(tmp_path, name):
    content = write("JPEG", NOISE)
    expected = np.asarray(Image.open(io.BytesIO(content)))
    file = tmp_path / "0.jpg"
    file.write_bytes(content[:2] + cases.MARKERS[name] + content[2:])
    np.testing.assert_array_equal(load_image_files([file]).images[0], expected)
    assert decoding.read_header(file).quality == 100


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("keep_rgb", [False, True])
def test_colors_of_jpeg_stay(mode, keep_rgb):
    """The segments that say what the colors mean reach Pillow and libjpeg."""
    file = io.BytesIO()
    options = {"keep_rgb": True} if keep_rgb and mode == "RGB" else {}
    Image.fromarray(NOISE).convert(mode).save(file, "JPEG", quality=90, **options)
    expected = np.asarray(Image.open(file).convert("RGB"))
    np.testing.assert_array_equal(decoding.read_image(file.getvalue()), expected)


@pytest.mark.parametrize("tag", [34665, 34853])
def test_damaged_exif_of_tiff_never_costs_the_image(tag):
    content = pack_tiff(NOISE[..., 0], {tag: 10**9})
    grey = decoding.read_image(content)[..., 0]
    np.testing.assert_array_equal(grey, NOISE[..., 0])


@pytest.mark.parametrize("name", ["AVIF", "WEBP"])
def test_damaged_exif_never_costs_the_image(name):
    exif = Image.Exif()
    exif[305] = "Tool"
    content = write(name, NOISE, exif=exif.tobytes())
    place = max(content.find(b"MM\0*"), content.find(b"II*\0"))
    assert place > 0
    damaged = content[:place] + b"XXXX" + content[place + 4 :]
    assert decoding.read_header(content).software == "Tool"
    assert decoding.read_header(damaged).software == ""
    expected = decoding.read_image(content)
    np.testing.assert_array_equal(decoding.read_image(damaged), expected)


def test_damage_to_pixels_is_still_named(tmp_path):
    content = write("PNG", NOISE)
    for place in (20, 60):  # in IHDR and in IDAT
        file = tmp_path / f"{place}.png"
        file.write_bytes(content[:place] + b"\x99" + content[place + 1 :])
        with pytest.raises(ValueError, match=rf"{place}\.png"):
            load_image_files([file])


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm", "jp2"])
def test_grey_is_cut_as_color_is(tmp_path, suffix):
    values = np.arange(60 * 70, dtype=np.uint16).reshape(60, 70) * 15
    file = tmp_path / f"0.{suffix}"
    if suffix == "pgm":
        file.write_bytes(b"P5 70 60 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(file)
    expected = np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)
    np.testing.assert_array_equal(decoding.read_image(file), expected)
    assert decoding.read_header(file).bits == 16


def test_color_of_16_bits_is_cut(tmp_path):
    values = np.random.default_rng(0).integers(0, 2**16, (40, 48, 4))
    for n_channels in (1, 2, 3, 4):
        file = tmp_path / f"{n_channels}.png"
        write_png16(file, values[..., :n_channels])
        shown = values[..., : 3 if n_channels > 2 else 1] >> 8
        expected = np.broadcast_to(shown, (40, 48, 3))
        np.testing.assert_array_equal(decoding.read_image(file), expected)
        assert decoding.read_header(file).bits == 16


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("n_bits", [8, 10, 12, 14])
def test_fewer_bits_are_told_and_not_scaled(tmp_path, lazy, n_channels, n_bits):
    pytest.importorskip("dask")
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files:
        values = rng.integers(0, 2**n_bits, (40, 48, n_channels))
        values[0, 0] = 2**n_bits - 1
        write_png16(file, values)
    factor = 2 ** (16 - n_bits)
    with pytest.warns(UserWarning, match=rf"nearly black(?s:.*)b: {n_bits} bits, fac.* "
                      rf"{factor}$"):  # fmt: skip
        data = load_image_files(files, ["b"] * 4, lazy=lazy)
    assert np.asarray(data.images).max() < 2 ** (n_bits - 8) or n_bits == 8
    with pytest.warns(UserWarning, match=f"all files: {n_bits} bits"):
        load_image_files(files, lazy=lazy)


@pytest.mark.parametrize("lazy", [False, True])
def test_dark_files_among_bright_ones_are_silent(tmp_path, lazy):
    pytest.importorskip("dask")
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files:
        values = np.random.default_rng(0).integers(0, 2**12, (40, 48, 1))
        values[0, 0] = 2**14 * (file is files[2])
        write_png16(file, values)
    assert len(load_image_files(files, ["a"] * 4, lazy=lazy).images) == 4
    # The class with the bright file is silent, the other is not.
    with pytest.warns(UserWarning, match=r"black(?s:.*)\n  a: 12 bits, factor 16$"):
        load_image_files(files, ["a", "a", "b", "b"], lazy=lazy)
    # 8 bits may be dark.
    Image.fromarray(NOISE >> 6).save(files[0])
    assert len(load_image_files(files[:1], lazy=lazy).images) == 1


def test_damaged_files_of_16_bits_are_named_when_they_are_read(tmp_path):
    pytest.importorskip("dask")
    file = tmp_path / "0.png"
    write_png16(file, np.full((40, 48, 1), 2**12))
    file.write_bytes(file.read_bytes()[:-40])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = load_image_files([file], lazy=True).images
    with pytest.raises(ValueError, match=r"0\.png"):
        images.compute()


def test_orientation_is_in_the_description(tmp_path):
    (tmp_path / "a").mkdir()
    for orientation in (1, 6):
        content = write("JPEG", NOISE, exif=turned(orientation))
        (tmp_path / "a" / f"{orientation}.jpg").write_bytes(content)
    files = describe_image_folder(tmp_path).files
    assert list(files["orientation"]) == [1, 6]
    assert list(files["height"]) == [40, 40]

import builtins
import os
import re
import shutil
import struct
import sys
import types
import zlib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from skfingerprint import datasets
from skfingerprint._images import decoding
from skfingerprint.datasets import (
    describe_image_folder,
    load_generators,
    load_image_files,
    load_image_folder,
    make_fingerprint_images,
    make_paired_sources,
    write_generators,
)


def picture(pixels):
    """Make Pillow's image of an array."""
    from PIL import Image

    return Image.fromarray(pixels)


@pytest.mark.parametrize("name", ["generators.csv", "generators.npy.xz"])
def test_damaged_files_of_the_package_are_named(tmp_path, monkeypatch, name):
    folder = tmp_path / "datasets"
    shutil.copytree(Path(datasets.__file__).parent / "data", folder / "data")
    monkeypatch.setattr(resources, "files", lambda package: folder)
    content = bytearray((folder / "data" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "data" / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{re.escape(name)} is damaged: install"):
        load_generators()


def test_generators_are_eight_real_sources():
    data = load_generators()
    assert data.images.shape == (640, 64, 64, 3)
    assert data.images.dtype == np.uint8
    assert np.bincount(data.target).tolist() == [80] * 8
    assert len(data.target_names) == 8
    assert len(np.unique(data.groups)) == 170
    assert "License" in data.DESCR
    # No image is flat, and none occurs twice.
    assert data.images.std(axis=(1, 2)).max(axis=1).min() > 0.5
    assert len(np.unique(data.images.reshape(640, -1), axis=0)) == 640
    # The same tile, enlarged by two networks, is the same scene.
    same = data.images[data.target == 0][9], data.images[data.target == 1][9]
    assert np.corrcoef(same[0].ravel(), same[1].ravel())[0, 1] > 0.9
    images, target = load_generators(return_X_y=True)
    np.testing.assert_array_equal(images, data.images)
    np.testing.assert_array_equal(target, data.target)


def test_written_generators_are_read_back(tmp_path):
    data = load_generators()
    paths = write_generators(tmp_path / "new" / "folder")
    assert [path.parent.name for path in paths] == list(data.target_names[data.target])
    assert [path.stem.rpartition("_")[0] for path in paths] == list(data.groups)
    read = load_image_folder(tmp_path / "new" / "folder")
    order = np.argsort([str(path) for path in paths])
    assert list(read.filenames) == [str(paths[index]) for index in order]
    assert np.array_equal(read.images, data.images[order])


@pytest.mark.parametrize("image_shape", [(24, 40), (24, 40, 3), (24, 40, 1)])
def test_synthetic_images(image_shape):
    images, y, fingerprints = make_fingerprint_images(
        11, 3, image_shape=image_shape, strength=2, return_fingerprints=True,
        random_state=1,
    )  # fmt: skip
    assert images.shape == (11, *image_shape)
    assert images.dtype == np.uint8
    assert sorted(np.bincount(y)) == [3, 4, 4]
    assert fingerprints.shape == (3, *image_shape)
    np.testing.assert_allclose(fingerprints.std(axis=tuple(range(1, images.ndim))), 2)
    again, _ = make_fingerprint_images(
        11, 3, image_shape=image_shape, strength=2, random_state=1
    )
    np.testing.assert_array_equal(images, again)


def test_strength_plants_the_fingerprint_and_nothing_else():
    options = {"image_shape": (32, 32), "random_state": 0}
    plain, y = make_fingerprint_images(20, 2, strength=0, **options)
    marked, _, fingerprints = make_fingerprint_images(
        20, 2, strength=3, return_fingerprints=True, **options
    )
    inside = (plain > 15) & (plain < 240)
    difference = marked.astype(float) - plain - fingerprints[y]
    assert np.abs(difference[inside]).max() <= 1


def test_synthetic_content_has_a_spectrum_of_1_over_f():
    images, _ = make_fingerprint_images(
        40, 1, image_shape=(64, 64), strength=0, random_state=0
    )
    power = (np.abs(np.fft.fft(images.astype(float), axis=2)) ** 2).mean(axis=(0, 1))
    slope = np.polyfit(np.log(np.arange(2, 20)), np.log(power[2:20]), 1)[0]
    assert -2 < slope < -0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "n_samples must be an int >= 1, got 0"),
        ({"n_classes": 1.5}, "n_classes must be an int >= 1, got 1.5"),
        ({"strength": -1}, "strength must be >= 0"),
        ({"image_shape": (3,)}, "image_shape must be"),
    ],
)
def test_synthetic_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_fingerprint_images(**arguments)


@pytest.fixture
def folder(tmp_path):
    """Two classes of 60 x 70 images whose pixels tell where they lie."""
    rows, columns = np.indices((60, 70))
    pixels = np.stack([rows, columns, rows + columns], axis=-1).astype(np.uint8)
    for name, suffixes in {"b": ("png", "tif"), "a": ("PNG", "webp")}.items():
        (tmp_path / name).mkdir()
        for suffix in suffixes:
            picture(pixels).save(tmp_path / name / f"0.{suffix}", lossless=True)
    (tmp_path / "a" / ".hidden.png").write_text("not an image")
    return tmp_path


def test_folder(folder):
    data = load_image_folder(folder)
    assert data.target_names.tolist() == ["a", "b"]
    assert data.target.tolist() == [0, 0, 1, 1]
    assert data.images.shape == (4, 60, 70, 3)
    assert (data.images == data.images[0]).all()
    assert data.filenames[0] == str(folder / "a" / "0.PNG")


@pytest.mark.parametrize("image_shape", [(28, 20), (28, 20, 3)])
def test_crops_lie_on_the_grid(folder, image_shape):
    images = load_image_folder(folder, image_shape=image_shape).images
    assert images.shape == (4, 28, 20, 3)
    # (60 - 28) / 2 = 16 and (70 - 20) / 2 = 25, on the grid 16.
    assert images[0, 0, 0].tolist() == [16, 16, 32]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "I;16", "1", "CMYK"])
def test_every_mode_becomes_rgb(folder, mode):
    grey = np.full((60, 70), 204, dtype=np.uint8)
    if mode == "I;16":
        image = picture(grey.astype(np.uint16) * 257)
    else:
        image = picture(grey).convert("RGB").convert(mode)
    image.save(folder / "b" / "9.tif")
    last = load_image_folder(folder).images[-1]
    assert last.shape == (60, 70, 3)
    if mode != "1":
        np.testing.assert_allclose(last, 204, atol=1)


def test_alpha_is_dropped(folder):
    rgba = np.full((60, 70, 4), (10, 20, 30, 0), dtype=np.uint8)
    picture(rgba).save(folder / "b" / "9.png")
    assert load_image_folder(folder).images[-1, 5, 5].tolist() == [10, 20, 30]


def test_exif_rotation_is_not_applied(folder):
    image = picture(np.zeros((60, 70, 3), dtype=np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(folder / "b" / "9.jpg", exif=exif)
    assert load_image_folder(folder).images.shape == (5, 60, 70, 3)


def spoil(folder, kind):
    path = folder / "b" / "5.png"
    if kind == "corrupt":
        path.write_bytes(b"not a picture")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        noise = np.random.default_rng(0).integers(0, 255, (60, 70, 3))
        picture(noise.astype(np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:4000])
    else:
        picture(np.zeros((20, 70, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize("kind", ["corrupt", "empty", "truncated", "small"])
@pytest.mark.parametrize("image_shape", [None, (32, 32)])
def test_bad_files_raise_their_name_or_are_left_out(folder, kind, image_shape):
    path = spoil(folder, kind)
    with pytest.raises(ValueError, match=path.name):
        load_image_folder(folder, image_shape=image_shape)
    with pytest.warns(UserWarning, match=r"1 of 5 files were left out:\n.*5.png"):
        data = load_image_folder(folder, image_shape=image_shape, on_error="warn")
    assert data.target.tolist() == [0, 0, 1, 1]
    assert len(data.images) == len(data.filenames) == 4
    assert str(path) not in data.filenames


def test_other_sizes_name_the_remedy(folder):
    spoil(folder, "small")
    with pytest.raises(ValueError, match=r"20x70 pixels, but.*pass image_shape="):
        load_image_folder(folder)


def test_folders_that_are_not_data_sets_are_refused(tmp_path, folder):
    with pytest.raises(ValueError, match="is not a folder"):
        load_image_folder(tmp_path / "missing")
    with pytest.raises(ValueError, match="holds no folder"):
        load_image_folder(folder / "a")
    (folder / "c").mkdir()
    with pytest.raises(ValueError, match=r"classes \['c'\] have no readable image"):
        load_image_folder(folder)
    (folder / "c" / "1.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"(?s)class 'c': no image is left.*1.png"):
        load_image_folder(folder, on_error="warn")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_error": "ignore"}, "on_error must be one of .*'raise', 'warn'"),
        ({"image_shape": (32, 32, 4)}, "image_shape must be"),
        ({"image_shape": (32,)}, "image_shape must be"),
    ],
)
def test_folder_arguments_are_checked(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_image_folder(folder, **arguments)


def test_without_pillow_the_extra_is_named(folder, monkeypatch):
    real_import = builtins.__import__

    def fake_import(name, *args, **kwargs):
        if name.startswith("PIL"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fake_import)
    with pytest.raises(ImportError, match="pip install Pillow"):
        load_image_folder(folder)


def test_lazy_equals_eager(folder):
    pytest.importorskip("dask.array")
    eager = load_image_folder(folder, image_shape=(32, 40))
    lazy = load_image_folder(folder, image_shape=(32, 40), lazy=True, chunk_size=2)
    assert lazy.images.chunks[0][0] == 2
    np.testing.assert_array_equal(lazy.images.compute(), eager.images)
    np.testing.assert_array_equal(lazy.target, eager.target)
    np.testing.assert_array_equal(lazy.filenames, eager.filenames)


def test_files_in_any_order_and_any_labels(folder):
    data = load_image_folder(folder)
    order = np.random.default_rng(0).permutation(len(data.target))
    names = data.target_names[data.target]
    found = load_image_files(data.filenames[order], names[order])
    np.testing.assert_array_equal(found.images, data.images[order])
    np.testing.assert_array_equal(found.target_names[found.target], names[order])
    with pytest.raises(ValueError, match="must have one length, at least 1, got 2 and"):
        load_image_files(data.filenames[:2], names[:1])


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("kind", ["zero-byte", "text", "bomb", "truncated"])
def test_faulty_files_are_named(folder, lazy, kind):
    pytest.importorskip("dask.array")
    good = load_image_folder(folder)
    path = folder / "a" / "zz.png"
    noise = np.random.default_rng(0).integers(0, 256, size=(60, 70, 3), dtype=np.uint8)
    picture(noise).save(path)
    whole = path.read_bytes()
    if kind == "bomb":
        write_png(path, 20_000, 20_000)
    else:
        contents = {"zero-byte": b"", "text": b"no image", "truncated": whole[:-400]}
        path.write_bytes(contents[kind])
    if lazy and kind == "truncated":  # its header is whole: seen when it is decoded
        images = load_image_folder(folder, lazy=True).images
        with pytest.raises(ValueError, match=r"zz\.png"):
            images.compute()
        return
    with pytest.raises(ValueError, match=r"zz\.png"):
        load_image_folder(folder, lazy=lazy)
    with pytest.warns(UserWarning, match=r"1 of .* files were left out:\n.*zz\.png"):
        data = load_image_folder(folder, lazy=lazy, on_error="warn")
    np.testing.assert_array_equal(np.asarray(data.images), good.images)


@pytest.mark.parametrize("change", ["vanish", "shrink"])
def test_files_that_change_after_the_scan_are_named(folder, change):
    pytest.importorskip("dask.array")
    data = load_image_folder(folder, lazy=True)
    path = Path(data.filenames[1])
    if change == "vanish":
        path.unlink()
    else:
        picture(np.zeros((8, 8, 3), np.uint8)).save(path)
    with pytest.raises(ValueError, match=path.name):
        data.images.compute()


def test_all_kinds_of_files_are_rgb(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(16, 20, 3), dtype=np.uint8)
    image = picture(pixels)
    folder = tmp_path / "a"
    folder.mkdir()
    image.convert("CMYK").save(folder / "cmyk.tif")
    image.convert("P").save(folder / "palette.png")
    image.convert("RGBA").save(folder / "alpha.png")
    image.convert("LA").save(folder / "grey-alpha.png")
    image.convert("1").save(folder / "bits.png")
    picture(pixels[..., 0].astype(np.uint16) * 257).save(folder / "16bit.png")
    exif = image.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees to view
    image.save(folder / "rotated.jpg", exif=exif, quality=100, subsampling=0)
    data = load_image_folder(tmp_path)
    assert data.images.shape == (7, 16, 20, 3)
    by_name = {
        Path(f).stem: i for f, i in zip(data.filenames, data.images, strict=True)
    }
    np.testing.assert_array_equal(by_name["alpha"], pixels)
    np.testing.assert_array_equal(by_name["cmyk"], pixels)
    np.testing.assert_array_equal(by_name["16bit"][..., 1], pixels[..., 0])
    assert np.abs(by_name["rotated"].astype(int) - pixels).mean() < 2


def test_missing_packages_name_their_extra(folder, monkeypatch):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("dask"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "dask\[array\]"'):
        load_image_folder(folder, lazy=True)
    assert load_image_folder(folder).images.ndim == 4


def test_chunk_size_is_checked(folder):
    pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="chunk_size must be an int >= 1, got 0"):
        load_image_folder(folder, lazy=True, chunk_size=0)


def test_all_formats_of_pillow_are_read(tmp_path):
    (tmp_path / "a").mkdir()
    pixels = np.full((32, 32, 3), (10, 200, 90), dtype=np.uint8)
    suffixes = ["bmp", "dib", "gif", "pcx", "ppm", "tga"]
    suffixes += ["jfif", "sgi", "apng", "mpo"]
    for suffix in suffixes:
        picture(pixels).save(tmp_path / "a" / f"0.{suffix}")
    data = load_image_folder(tmp_path, image_shape=(16, 16))
    assert len(data.images) == len(suffixes)
    difference = data.images.astype(int) - pixels[0, 0]
    assert np.abs(difference).max() <= 2


needs_fifos = pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="this system has no fifos"
)


@needs_fifos
def test_what_is_passed_over_is_counted_by_suffix_and_reason(folder):
    for i in range(3):
        (folder / "b" / f"{i}.txt").write_text("not an image")
    (folder / "b" / "LICENSE").write_text("not an image")
    (folder / "a" / "0.eps").write_text("not read")
    (folder / "a" / "0.ico").write_text("not read")
    (folder / "a" / "0.heic").write_text("not read")
    (folder / "a" / "gone.png").symlink_to(folder / "missing.png")
    os.mkfifo(folder / "a" / "pipe.png")
    (folder / "a" / "more").mkdir()
    (folder / "a" / ".cache").mkdir()
    with pytest.warns(UserWarning, match="passed over: ") as caught:
        assert len(load_image_folder(folder).images) == 4
    (warning,) = caught
    assert warning.filename == __file__
    counts = str(warning.message).removeprefix("passed over: ").split(", ")
    expected = [
        "3 .txt (no image format)",
        "1 without suffix (no image format)",
        "1 .eps (drawn by another program",
        "1 .ico (an icon",
        "1 .png (broken link)",
        "1 .png (a fifo",
        "1 folder (nested: not searched)",
    ]
    for text in expected:
        assert any(count.startswith(text) for count in counts), text
    assert any(count.startswith("1 .heic") for count in counts) or _has_heif()
    assert len(describe_image_folder(folder).files) == 4


def _has_heif():
    return "HEIF" in decoding.readable_formats()


def test_an_empty_class_says_what_was_passed_over(folder):
    (folder / "c").mkdir()
    (folder / "c" / "1.txt").write_text("not an image")
    with pytest.raises(ValueError, match=r"passed over: 1 \.txt \(no image format\)"):
        load_image_folder(folder)


def test_heic_is_read_with_its_plugin(folder, monkeypatch):
    from PIL import Image

    def register():
        Image.register_extension("PNG", ".heic")

    plugin = types.SimpleNamespace(register_heif_opener=register)
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    monkeypatch.setattr(Image, "EXTENSION", dict(Image.registered_extensions()))
    assert decoding.suffix_problem(".heic") is None


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 70 60\n%%EndComments\n",
        b"%PDF-1.4\n",
        b"\x89HDF\r\n\x1a\n",
        b"SIMPLE  =                    T",
    ],
)
def test_content_does_not_select_a_refused_format(folder, content):
    (folder / "b" / "5.png").write_bytes(content + b" " * 5000)
    with pytest.raises(ValueError, match=r"5\.png: its content is no image"):
        load_image_folder(folder)


def make_unusual(path, kind):
    if kind == "float":
        picture(np.zeros((60, 70), np.float32)).save(path)
    elif kind == "int32":
        picture(np.zeros((60, 70), np.int32)).save(path)
    elif kind == "signed":  # 8 bits with the tag that says that they have a sign
        picture(np.zeros((60, 70), np.uint8)).save(path, tiffinfo={339: 2})


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("kind", "message"),
    [("float", "'F', float"), ("int32", "'I', signed or 32-"), ("signed", "'L', sig")],
)
def test_values_that_are_no_grey_levels_are_refused(folder, kind, message, lazy):
    pytest.importorskip("dask.array")
    make_unusual(folder / "b" / "5.tif", kind)
    with pytest.raises(ValueError, match=rf"5\.tif: mode {message}"):
        load_image_folder(folder, lazy=lazy)
    with pytest.warns(UserWarning, match="left out"):
        data = load_image_folder(folder, lazy=lazy, on_error="warn")
    assert len(data.images) == 4


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bits_are_scaled(folder, suffix):
    grey = np.arange(60 * 70, dtype=np.uint16).reshape(60, 70) * 15
    file = folder / "b" / f"9.{suffix}"
    if suffix == "pgm":  # older versions of Pillow don't write it
        file.write_bytes(b"P5 70 60 65535\n" + grey.astype(">u2").tobytes())
    else:
        picture(grey).save(file)
    last = load_image_folder(folder).images[-1]
    np.testing.assert_array_equal(last[..., 2], grey >> 8)


@pytest.fixture
def no_decoding(monkeypatch):
    """Fail if pixels are decoded."""
    from PIL import ImageFile

    def load(self):
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


def write_png(path, height, width, chunks=()):
    """Write a PNG file whose header promises these pixels, and which has none."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = (b"IDAT", zlib.compress(b"\0" * 100))
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in [(b"IHDR", header), *chunks, data, (b"IEND", b"")]:
            file.write(struct.pack(">I", len(content)) + name + content)
            file.write(struct.pack(">I", zlib.crc32(name + content)))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((9_500, 10_000), "9500x10000 pixels, more than PIL.Image.MAX_IMAGE_PIXELS"),
        ((20_000, 20_000), "Image size"),
        ((31, 70), "31x70 pixels, smaller than 32x32"),
    ],
)
@pytest.mark.usefixtures("no_decoding")
def test_sizes_are_refused_by_the_header(tmp_path, size, message):
    write_png(tmp_path / "0.png", *size)
    with pytest.raises(ValueError, match=rf"0\.png: .*{message}"):
        load_image_files([tmp_path / "0.png"], image_shape=(32, 32))


def test_the_size_limit_is_pillows(tmp_path, monkeypatch):
    from PIL import Image

    picture(np.zeros((60, 70), np.uint8)).save(tmp_path / "0.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4199)
    with pytest.raises(ValueError, match="60x70 pixels, more than"):
        load_image_files([tmp_path / "0.png"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert load_image_files([tmp_path / "0.png"]).images.shape == (1, 60, 70, 3)


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), struct.error("bad")])
@pytest.mark.parametrize("lazy", [False, True])
def test_whatever_a_decoder_raises_is_named(folder, monkeypatch, error, lazy):
    from PIL import WebPImagePlugin

    pytest.importorskip("dask.array")
    options = {"lazy": lazy, "verify": True}

    def load(self):
        raise error

    monkeypatch.setattr(WebPImagePlugin.WebPImageFile, "load", load)
    with pytest.raises(ValueError, match=rf"0\.webp: .*{type(error).__name__}|bad"):
        load_image_folder(folder, **options)
    with pytest.warns(UserWarning, match=r"1 of 4 files were left out:\n.*0\.webp"):
        data = load_image_folder(folder, on_error="warn", **options)
    assert data.images.shape == (3, 60, 70, 3)


def test_an_interrupt_stays_an_interrupt(folder, monkeypatch):
    from PIL import WebPImagePlugin

    def load(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(WebPImagePlugin.WebPImageFile, "load", load)
    with pytest.raises(KeyboardInterrupt):
        load_image_folder(folder, on_error="warn")


def test_class_folders_without_permission_are_named(folder, monkeypatch):
    iterdir = Path.iterdir

    def refuse(self):
        if self.name == "b":
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may read everything
    with pytest.raises(ValueError, match=r"b: .*Permission denied"):
        load_image_folder(folder, on_error="warn")


@needs_fifos
def test_fifos_and_folders_in_a_list_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match=r"pipe\.png: it is no regular file"):
        load_image_files([tmp_path / "pipe.png"])
    with pytest.raises(ValueError, match="it is no regular file"):
        load_image_files([tmp_path])
    with pytest.raises(ValueError, match=r"gone\.png: .*No such file"):
        load_image_files([tmp_path / "gone.png"])


def test_one_file(folder):
    file = str(folder / "a" / "0.PNG")
    assert decoding.read_size(file) == (60, 70)
    data = load_image_folder(folder)
    np.testing.assert_array_equal(decoding.read_image(file), data.images[0])
    part = decoding.read_image(file, (28, 20))
    np.testing.assert_array_equal(part, data.images[0, 16:44, 16:36])
    with pytest.raises(ValueError, match=r"0\.PNG: 60x70 pixels, smaller than 61x8"):
        decoding.read_image(file, (61, 8))


def test_verify_finds_damaged_pixels_before_the_run(folder):
    pytest.importorskip("dask.array")
    good = load_image_folder(folder)
    path = spoil(folder, "truncated")
    assert len(load_image_folder(folder, lazy=True).images) == 5
    with pytest.raises(ValueError, match=path.name):
        load_image_folder(folder, lazy=True, verify=True)
    with pytest.warns(UserWarning, match=r"1 of 5 files were left out:\n.*5\.png"):
        data = load_image_folder(folder, lazy=True, verify=True, on_error="warn")
    np.testing.assert_array_equal(data.images.compute(), good.images)


@pytest.mark.parametrize("lazy", [False, True])
def test_files_without_target(folder, lazy, monkeypatch):
    pytest.importorskip("dask.array")
    monkeypatch.setenv("HOME", str(folder))
    data = load_image_files(["~/a/0.PNG", folder / "b" / "0.tif"], lazy=lazy)
    assert data.images.shape == (2, 60, 70, 3)
    assert data.target is None
    assert data.target_names is None
    assert data.filenames[0] == str(folder / "a" / "0.PNG")
    assert load_image_folder("~").images.shape == (4, 60, 70, 3)
    with pytest.raises(ValueError, match=r"filenames must be a list of files, .*glob"):
        load_image_files("~/a/0.PNG")
    with pytest.raises(ValueError, match="at least 1, got 0"):
        load_image_files([])
    (folder / "bad.png").write_text("no image")
    with pytest.raises(ValueError, match=r"(?s)no image is left.*bad\.png"):
        load_image_files(["~/bad.png"], on_error="warn", lazy=lazy)


@pytest.mark.parametrize("lazy", [False, True])
def test_the_largest_common_part(folder, lazy):
    pytest.importorskip("dask.array")
    picture(np.zeros((40, 90, 3), np.uint8)).save(folder / "a" / "wide.png")
    with pytest.warns(UserWarning, match="differ in size or orientation"):
        data = load_image_folder(folder, image_shape="min", lazy=lazy)
    assert data.images.shape == (5, 40, 70, 3)
    with pytest.warns(UserWarning, match="differ in size or orientation"):
        same = load_image_folder(folder, image_shape=(40, 70))
    np.testing.assert_array_equal(np.asarray(data.images), same.images)
    (folder / "a" / "wide.png").write_text("no image, and so of no size")
    with pytest.warns(UserWarning, match="left out"):
        data = load_image_folder(folder, image_shape="min", on_error="warn")
    assert data.images.shape == (4, 60, 70, 3)
    with pytest.raises(ValueError, match=r"image_shape must be .* or 'min', got 'max'"):
        load_image_folder(folder, image_shape="max")


def test_the_first_file_does_not_set_the_size(folder):
    picture(np.zeros((20, 70, 3), np.uint8)).save(folder / "a" / "-first.png")
    with pytest.warns(UserWarning, match=r"-first\.png: 20x70 pixels, but most images"):
        data = load_image_folder(folder, on_error="warn")
    assert data.images.shape == (4, 60, 70, 3)


def test_too_small_is_not_called_unreadable(folder):
    with pytest.raises(ValueError, match="smaller than 80x80") as caught:
        load_image_folder(folder, image_shape=(80, 80), on_error="warn")
    assert "readable" not in str(caught.value)


@pytest.fixture
def history(tmp_path):
    """Two classes of 20 JPEG files that differ in all that can be seen."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 40, 3), dtype=np.uint8)
    for i, pixels in enumerate(noise):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        file = tmp_path / "ab"[i % 2] / f"{i:02}"
        if i % 2 == 0:
            picture(pixels).save(file.with_suffix(".jpg"), quality=75)
        elif i < 10:
            grey = picture(pixels[:32, :, 0])
            grey.save(file.with_suffix(".jpg"), quality=90)
        else:
            picture(pixels[:32, :, 0]).save(file.with_suffix(".png"))
    return tmp_path


@pytest.mark.usefixtures("no_decoding")
def test_differences_between_classes_are_described(history):
    description = describe_image_folder(history)
    text = str(description)
    assert text == "\n".join(description.findings)
    for line in [
        "Classes differ in format:\n  a: JPEG (20)\n  b: PNG (15), JPEG (5)",
        "Classes differ in JPEG quality:\n  a: 75 4:2:0 (20)\n  b: 90 (5)",
        "Classes differ in size:\n  a: 40x40 (20)\n  b: 32x40 (20)",
        "Classes differ in mode:\n  a: RGB (20)\n  b: L (20)",
        "Sizes differ: image_shape=(32, 40) is the largest common part.",
    ]:
        assert line in text


def test_a_history_that_is_learned_is_warned_of(history):
    message = "classes differ in format, JPEG quality, size, mode, .*describe_image_f"
    with pytest.warns(UserWarning, match=message) as caught:
        load_image_folder(history, image_shape="min")
    assert [w.filename for w in caught] == [__file__]


def test_no_difference_is_seen_where_there_is_none(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(120):
        (tmp_path / f"{i % 3}").mkdir(exist_ok=True)
        size = rng.integers(32, 64, size=2)
        picture(np.zeros(size, np.uint8)).save(
            tmp_path / f"{i % 3}" / f"{i}.jpg", quality=int(rng.integers(60, 95))
        )
    findings = describe_image_folder(tmp_path).findings
    assert len(findings) == 1
    assert findings[0].startswith("Sizes differ: image_shape=(32, 32) is the largest")
    assert "% of the images" in findings[0]
    with pytest.warns(UserWarning, match="differ in size or orientation") as caught:
        load_image_folder(tmp_path, image_shape="min")
    assert len(caught) == 1


def _columns(description):
    return {key: np.asarray(description.files[key]) for key in description.files.keys()}


@pytest.mark.parametrize("without_pandas", [False, True])
def test_files_are_described(tmp_path, monkeypatch, without_pandas):
    if without_pandas:
        monkeypatch.setitem(sys.modules, "pandas", None)
    rng = np.random.default_rng(0)
    image = picture(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8))
    (tmp_path / "a").mkdir()
    exif = image.getexif()
    exif[305] = "Editor 2"
    options = {
        "0.jpg": {"quality": 83, "subsampling": 1, "exif": exif},
        "1.jpg": {"quality": 83, "subsampling": 0},
        "2.jpg": {"qtables": "web_high"},
        "3.png": {"exif": exif},
        "4.tif": {"tiffinfo": {305: "Scanner"}},
        "5.webp": {"exif": exif},
    }
    for name, option in options.items():
        image.save(tmp_path / "a" / name, **option)
    image.convert("L").save(tmp_path / "a" / "6.jpg", quality=30)
    (tmp_path / "a" / "7.png").write_bytes(b"no image")
    description = describe_image_folder(tmp_path)
    files = _columns(description)
    assert files["class"].tolist() == ["a"] * 8
    assert files["width"].tolist() == [48] * 7 + [0]
    assert files["height"].tolist() == [40] * 7 + [0]
    assert files["mode"].tolist() == ["RGB"] * 6 + ["L", ""]
    assert files["format"].tolist() == [
        "JPEG", "JPEG", "JPEG", "PNG", "TIFF", "WEBP", "JPEG", ""
    ]  # fmt: skip
    nan = np.nan
    np.testing.assert_array_equal(files["quality"], [83, 83, *[nan] * 4, 30, nan])
    assert files["subsampling"][:3].tolist() == ["4:2:2", "4:4:4", "4:2:0"]
    assert files["software"].tolist() == [
        "Editor 2", "", "", "Editor 2", "Scanner", "Editor 2", "", ""
    ]  # fmt: skip
    assert files["tables"][0] == files["tables"][1] != files["tables"][2] != ""
    assert [bool(text) for text in files["error"]] == [False] * 7 + [True]
    assert "1 of 8 files can't be read:\n" in str(description)
    assert "All images have 40x48 pixels" in str(description)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_quality_of_libjpeg_is_recognized(tmp_path, mode):
    from PIL import Image

    for quality in range(1, 101, 3):
        file = tmp_path / "0.jpg"
        picture(np.zeros((8, 8, 3), np.uint8)).convert(mode).save(file, quality=quality)
        assert decoding.read_header(file).quality == quality
    with Image.open(file) as image:
        luma = image.quantization[0]
    picture(np.zeros((8, 8), np.uint8)).save(file, qtables=[[n + 1 for n in luma]])
    assert np.isnan(decoding.read_header(file).quality)


def test_the_same_file_in_several_classes_is_found(folder):
    image = (folder / "a" / "0.PNG").read_bytes()
    (folder / "b" / "0.png").write_bytes(image[:-1] + b"x")
    assert "several classes" not in str(describe_image_folder(folder))
    (folder / "a" / "copy.png").write_bytes(image)
    (folder / "b" / "copy.png").write_bytes(image)
    names = [str(folder / name) for name in ("a/0.PNG", "a/copy.png", "b/copy.png")]
    text = "Identical files in several classes (1):\n  " + " = ".join(names)
    assert text in str(describe_image_folder(folder))


def test_a_folder_of_unreadable_files_is_described(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_text("no image")
    (finding,) = describe_image_folder(tmp_path).findings
    assert finding.startswith("1 of 1 files can't be read:\n")


@pytest.mark.filterwarnings("ignore")  # Pillow's, of what it mends
@pytest.mark.parametrize(
    "name", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF"]
)
def test_damaged_files_are_loaded_or_named(tmp_path, name):
    pytest.importorskip("dask.array")
    from benchmarks.faults import damaged_files  # it needs Pillow

    if not damaged_files.has_codec(name):
        pytest.skip(f"this Pillow has no codec for {name}")
    (tmp_path / "a").mkdir()
    files = damaged_files.write_damaged(tmp_path / "a", name, 40)
    loaded, named, neither, differ = damaged_files.count(files)
    assert loaded + named == 41
    assert loaded >= 1
    assert (neither, differ) == (0, 0)
    errors = np.asarray(describe_image_folder(tmp_path).files["error"])
    assert len(errors) == 41
    assert (errors == "").sum() >= loaded


def test_tables_and_single_numbers_are_named(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"path": ["a.png"], "source": ["a"]})
    with pytest.raises(ValueError, match=r"one column .*'path', 'source'"):
        load_image_files(table)
    with pytest.raises(ValueError, match=r"image_shape must be .*, got 64"):
        load_image_files(["a.png"], image_shape=64)


def test_few_files_that_are_all_alike_in_a_class_are_told(tmp_path):
    picture = pytest.importorskip("PIL.Image")
    for label, mode in (("a", "L"), ("b", "RGB")):
        (tmp_path / label).mkdir()
        for number in range(6):
            picture.new(mode, (8, 8), number).save(tmp_path / label / f"{number}.png")
    with pytest.warns(UserWarning, match="mode"):
        load_image_folder(tmp_path)


def darken(image):
    image //= 2  # in place: the function gets a copy
    return image


def turn(image):
    return image[::-1, ::-1]


@pytest.mark.parametrize("n_axes", [3, 4])
@pytest.mark.parametrize("kind", ["stack", "list", "dask", "pictures"])
def test_paired_sources_are_photographs_and_functions_of_them(n_axes, kind):
    shape = (8, 12, 3)[: n_axes - 1]
    images, _ = make_fingerprint_images(3, 1, image_shape=shape, random_state=0)
    before, X = images.copy(), images
    if kind == "list":
        X = list(images)
    elif kind == "dask":
        X = pytest.importorskip("dask.array").from_array(images, chunks=2)
    elif kind == "pictures":
        pytest.importorskip("PIL")
        X = [picture(image) for image in images]
    groups = ["p", "q", "p"]
    data = make_paired_sources(X, {"turned": turn, "dark": darken}, groups=groups)
    np.testing.assert_array_equal(images, before)
    assert data.target_names.tolist() == ["dark", "photograph", "turned"]
    assert data.target.tolist() == [1, 1, 1, 2, 2, 2, 0, 0, 0]
    assert data.groups.tolist() == groups * 3
    made = [images, images[:, ::-1, ::-1], images // 2]
    np.testing.assert_array_equal(data.images, np.concatenate(made))
    assert data.images.dtype == np.uint8
    by_scene = make_paired_sources(X, {"turned": turn}).groups
    assert by_scene.tolist() == [0, 1, 2, 0, 1, 2]


def test_paired_sources_of_images_that_differ_in_size():
    images = [np.full((n, 8), 9.5, np.float32) for n in (8, 9)]
    data = make_paired_sources(images, {"turned": turn})
    assert isinstance(data.images, list)
    assert [image.shape for image in data.images] == [(8, 8), (9, 8)] * 2
    assert {image.dtype for image in data.images} == {np.dtype(np.float32)}


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: image.repeat(2, axis=0), r"shape \(16, 8, 3\), and the phot"),
        (lambda image: image[..., 0], r"has shape \(8, 8\)"),
        (lambda image: image[np.newaxis], r"has shape \(1, 8, 8, 3\)"),
        (lambda image: None, r"has shape \(\)"),
        (lambda image: "text", r"has shape \(\)"),
        (lambda image: image.astype(np.float32), "has dtype float32"),
        (lambda image: image.astype(np.int16), "has dtype int16"),
        (lambda image: (image > 99).astype(image.dtype), r"lies in 1\.\.1, and"),
        (lambda image: image.undefined, "AttributeError: .*undefined"),
        (lambda image: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_unusable_functions_are_named_with_the_image(change, message, dtype, as_list):
    images = np.full((3, 8, 8, 3), 200, dtype)

    def spoil(image):
        return change(image) if image[0, 0, 0] == 100 else image

    images[1] = 100
    images = list(images) if as_list else images
    with pytest.raises(ValueError, match=rf"^function 'new', image 1: .*{message}"):
        make_paired_sources(images, {"turned": turn, "new": spoil})


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda image: image / 255, r"0\.78431\.\.0\.78431"),
        (lambda image: image / 127.5 - 1, r"0\.56863"),
        (lambda image: image - 300, r"-100\.\.-100"),
        (lambda image: image * 2, r"400\.\.400"),
        (lambda image: image * np.nan, "nan"),
        (lambda image: image + np.inf, "inf"),
    ],
)
def test_functions_of_another_range_are_named(change, found):
    images = np.full((2, 8, 8), 200.0)
    with pytest.raises(
        ValueError, match=rf"'new', image 0: the result lies in {found}"
    ):
        make_paired_sources(images, {"new": change})


def test_dark_photographs_stay_usable():
    images = np.zeros((2, 8, 8), np.uint8)
    images[0, 0, 0] = 1
    assert len(make_paired_sources(images, {"turned": turn}).images) == 4


@pytest.mark.parametrize(
    ("images", "functions", "groups", "message"),
    [
        (np.ones((2, 8, 8)) * 9, {}, None, "at least one function"),
        (np.ones((2, 8, 8)) * 9, [turn], None, "at least one function"),
        (np.ones((2, 8, 8)) * 9, turn, None, "at least one function"),
        (np.ones((2, 8, 8)) * 9, {1: turn}, None, "named by text .* got 1"),
        (np.ones((2, 8, 8)) * 9, {"photograph": turn}, None, "named by text"),
        (np.ones((2, 8, 8)) * 9, {"new": "turn"}, None, "'new' must be a function"),
        (np.ones((2, 8, 8)) * 9, {"new": turn}, [1], "groups must have an entry for"),
        (np.ones((2, 8, 8)) * 9, {"new": turn}, [1, None], "groups holds None"),
        (np.ones((2, 8)) * 9, {"new": turn}, None, "images must hold numbers of shape"),
        (np.ones((2, 2, 2, 2, 2)), {"new": turn}, None, "images must hold numbers of"),
        (np.ones((2, 8, 8)) * 9j, {"new": turn}, None, "."),
        (np.ones((2, 8, 8)) * 999, {"new": turn}, None, "image 0 lies in 999..999"),
        (
            [np.ones((8, 8)) * 9, np.full((9, 8), -99)],
            {"new": turn},
            None,
            "image 1 li",
        ),
        (np.full((2, 8, 8), np.nan), {"new": turn}, None, "image 0 of X holds NaN"),
        (["a.png"], {"new": turn}, None, "X holds text or files, not pixels"),
        ([], {"new": turn}, None, "."),
    ],
)
def test_unusable_photographs_are_named(images, functions, groups, message):
    with pytest.raises(ValueError, match=message):
        make_paired_sources(images, functions, groups=groups)


@pytest.mark.parametrize("lazy", [False, True])
def test_classes_number_two_loads_alike(folder, lazy):
    """Training has {a, b, c} and the test {b, c}: `target` means the same."""
    pytest.importorskip("dask.array")
    shutil.copytree(folder / "b", folder / "c")
    train = load_image_folder(folder, lazy=lazy)
    assert train.target_names.tolist() == ["a", "b", "c"]
    shutil.rmtree(folder / "a")
    assert load_image_folder(folder, lazy=lazy).target.tolist() == [0, 0, 1, 1]
    test = load_image_folder(folder, classes=train.target_names, lazy=lazy)
    assert test.target.tolist() == [1, 1, 2, 2]
    assert test.target_names.tolist() == ["a", "b", "c"]
    names = [Path(name).parent.name for name in test.filenames]
    again = load_image_files(test.filenames, names, classes=["c", "a", "b"], lazy=lazy)
    assert again.target.tolist() == [2, 2, 0, 0]
    assert again.target_names.tolist() == ["c", "a", "b"]
    for load, args in (
        (load_image_folder, [folder]),
        (load_image_files, [test.filenames, names]),
    ):
        with pytest.raises(ValueError, match=r"found \['c'\], which are not among"):
            load(*args, classes=["a", "b"], lazy=lazy)
        with pytest.raises(ValueError, match="classes must differ"):
            load(*args, classes=["a", "b", "c", "a"], lazy=lazy)
    with pytest.raises(ValueError, match="classes need a target"):
        load_image_files(test.filenames, classes=["a"])


def test_a_class_without_files_here_is_not_an_error(folder):
    files = sorted(folder.glob("a/0.*"))
    data = load_image_files(files, [5, 5], classes=[3, 5], on_error="warn")
    assert data.target.tolist() == [1, 1]
    files[0].write_bytes(b"no image")
    files[1].write_bytes(b"no image")
    with pytest.raises(ValueError, match="class 5: no image is left"):
        load_image_files(files, [5, 5], classes=[3, 5], on_error="warn")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([["a", "b"], ["a", "b"]], "y should be a 1d array"),
        ([[0, 1], [1, 0]], "y should be a 1d array"),
        (["a", np.nan], "y holds nan for image 1"),
        ([0.0, np.nan], "y holds nan for image 1"),
        (np.array([0.0, np.nan]), "y holds nan for image 1"),
        (["a", None], "y holds None for image 1"),
        (["a", 1], "y holds text and numbers"),
        (np.array(["a", 1], dtype=object), "y holds text and numbers"),
        ("ab", "y must be a list or an array"),
        (["a"], "must have one length, at least 1, got 2 and 1"),
    ],
)
def test_labels_are_checked_as_estimators_do(folder, target, message):
    with pytest.raises(ValueError, match=message):
        load_image_files(sorted(folder.glob("a/0.*")), target)


LARGE = 2**53  # above it, floats skip integers


@pytest.mark.parametrize("dtype", ["Int64", "UInt64", "int64", object])
def test_large_numbers_as_labels_stay_apart(folder, dtype):
    pandas = pytest.importorskip("pandas")
    target = pandas.Series([LARGE, LARGE + 1], dtype=dtype)
    data = load_image_files(sorted(folder.glob("a/0.*")), target)
    assert data.target_names.tolist() == [LARGE, LARGE + 1]

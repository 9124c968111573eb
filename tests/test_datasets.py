import builtins
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from skfingerprint.datasets import (
    load_generators,
    load_image_files,
    load_image_folder,
    make_fingerprint_images,
)


def picture(pixels):
    """Make Pillow's image of an array."""
    from PIL import Image

    return Image.fromarray(pixels)


def test_generators_are_eight_real_sources():
    data = load_generators()
    assert data.images.shape == (640, 64, 64, 3)
    assert data.images.dtype == np.uint8
    assert np.bincount(data.target).tolist() == [80] * 8
    assert len(data.target_names) == 8
    assert len(np.unique(data.groups)) == 170
    assert "Licence" in data.DESCR
    # No image is flat, and none occurs twice.
    assert data.images.std(axis=(1, 2)).max(axis=1).min() > 0.5
    assert len(np.unique(data.images.reshape(640, -1), axis=0)) == 640
    # The same tile, enlarged by two networks, is the same scene.
    same = data.images[data.target == 0][9], data.images[data.target == 1][9]
    assert np.corrcoef(same[0].ravel(), same[1].ravel())[0, 1] > 0.9
    images, target = load_generators(return_X_y=True)
    np.testing.assert_array_equal(images, data.images)
    np.testing.assert_array_equal(target, data.target)


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
    with pytest.raises(ImportError, match=r"skfingerprint\[images\]"):
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


def huge_png(path):
    """Write a file whose header promises 400 million pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in chunks:
            file.write(struct.pack(">I", len(content)) + name + content)
            file.write(struct.pack(">I", zlib.crc32(name + content)))


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
        huge_png(path)
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
    with pytest.raises(ImportError, match=r"pip install 'skfingerprint\[dask\]'"):
        load_image_folder(folder, lazy=True)
    assert load_image_folder(folder).images.ndim == 4


def test_chunk_size_is_checked(folder):
    pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="chunk_size must be an int >= 1, got 0"):
        load_image_folder(folder, lazy=True, chunk_size=0)

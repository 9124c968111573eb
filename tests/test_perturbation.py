import builtins
import io
import pickle

import numpy as np
import pytest
from PIL import Image, features
from scipy import fft, stats
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfingerprint import make_attribution_pipeline
from skfingerprint.datasets import load_generators
from skfingerprint.perturbation import (
    COMMON_PERTURBATIONS,
    DELIVERIES,
    AVIFCompression,
    Crop,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    RandomPerturbation,
    Resize,
    Shift,
    WebPCompression,
    _seed_by_image,
)

NEEDS_AVIF = pytest.mark.skipif(
    not features.check("avif"), reason="Pillow without AVIF"
)
ALL = [
    JPEGCompression(quality=75),
    Resize(scale=0.5),
    GaussianBlur(std=1),
    GaussianNoise(std=5),
    Crop(top=3, left=5, height=40, width=32),
    Shift(down=3, right=-2),
    WebPCompression(quality=60),
    JPEGCompression(quality=75, upsampling="repeat"),
    JPEGCompression(quality=75, upsampling="dct"),
    RandomPerturbation(JPEGCompression(), {"quality": range(50, 90)}),
]
EACH = pytest.mark.parametrize("perturbation", ALL, ids=repr)


@pytest.fixture(scope="module")
def images():
    return load_generators().images[:6]


@EACH
def test_uint8_out_whatever_comes_in(perturbation, images):
    expected = perturbation.fit_transform(images)
    assert expected.dtype == np.uint8
    for dtype in (np.float32, np.float64, np.int32):
        found = perturbation.fit_transform(images.astype(dtype))
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        perturbation.fit_transform(images + 0.3),
        expected,  # rounded, as in a file
    )


@EACH
def test_each_image_by_itself(perturbation, images):
    whole = perturbation.fit_transform(images)
    np.testing.assert_array_equal(perturbation.fit_transform(images[4:5]), whole[4:5])
    np.testing.assert_array_equal(perturbation.fit_transform(images), whole)


@EACH
def test_grey_images(perturbation, images):
    grey = images[..., 0]
    flat = perturbation.fit_transform(grey)
    assert flat.ndim == 3
    np.testing.assert_array_equal(
        perturbation.fit_transform(grey[..., None])[..., 0], flat
    )


@EACH
def test_the_input_is_left_as_it_is(perturbation, images):
    before = images.copy()
    perturbation.fit_transform(images)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_is_pillows(images, subsampling):
    found = JPEGCompression(quality=60, subsampling=subsampling).fit_transform(images)
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(images[2]).save(file, "JPEG", quality=60, subsampling=subsampling)
    np.testing.assert_array_equal(found[2], np.asarray(Image.open(file)))


@pytest.mark.parametrize("size", [(64, 64), (50, 37), (9, 1), (1, 1)])
def test_chroma_is_enlarged_as_stated(size):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    padded = np.pad(image, [*((0, -n % 16) for n in size), (0, 0)], "edge")
    blocks = padded.shape[0] // 16, padded.shape[1] // 16
    file = io.BytesIO()
    Image.fromarray(padded).save(file, "JPEG", quality=80, subsampling="4:2:0")
    luma, chroma = _read_planes(file)
    C = [fft.dct(np.eye(n), axis=0, norm="ortho") for n in (8, 16)]
    for upsampling in ("repeat", "dct"):
        planes = [np.kron(plane, np.ones((2, 2))) for plane in chroma]
        for plane, samples in zip(planes, chroma, strict=True):
            for i, j in np.ndindex(blocks) if upsampling == "dct" else ():
                block = samples[8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
                wide = np.zeros((16, 16))
                wide[:8, :8] = 2 * C[0] @ block @ C[0].T
                part = slice(16 * i, 16 * i + 16), slice(16 * j, 16 * j + 16)
                plane[part] = (C[1].T @ wide @ C[1]).round().clip(0, 255)
        blue, red = (plane - 128 for plane in planes)
        # The equations of JFIF.
        green = luma - 0.344136 * blue - 0.714136 * red
        expected = np.stack([luma + 1.402 * red, green, luma + 1.772 * blue], axis=-1)
        expected = expected.clip(0, 255)[: size[0], : size[1]]
        jpeg = JPEGCompression(quality=80, upsampling=upsampling)
        found = jpeg.fit_transform(image[np.newaxis])[0]
        # Halves are rounded either way, of samples as well as of colors.
        limit = 0.51 if upsampling == "repeat" else 2.3
        assert np.abs(found - expected).max() < limit
        assert np.mean(np.abs(found - expected) < 0.51) > 0.99


def _read_planes(file):
    """Read luma, and the samples of chroma as a reader of half the size gets them."""
    full, half = Image.open(file), Image.open(file)
    full.draft("YCbCr", full.size)
    half.draft("YCbCr", (half.width // 2, half.height // 2))
    assert half.size == (full.width // 2, full.height // 2)
    chroma = np.moveaxis(np.asarray(half), -1, 0)[1:]
    return np.asarray(full)[..., 0].astype(float), chroma


def test_upsampling_changes_chroma_only_where_it_is_not_flat(images):
    methods = "triangle", "repeat", "dct"
    for flat in (images[..., 0], np.full((2, 40, 24, 3), (200, 90, 30), np.uint8)):
        found = [JPEGCompression(upsampling=m).fit_transform(flat) for m in methods]
        np.testing.assert_allclose(found[1], found[0], atol=1)
        np.testing.assert_allclose(found[2], found[0], atol=1)
    colors = [JPEGCompression(upsampling=m).fit_transform(images) for m in methods]
    distances = [np.abs(colors[0].astype(int) - c).mean() for c in colors[1:]]
    assert 0.3 < min(distances) <= max(distances) < 5


@NEEDS_AVIF
@pytest.mark.parametrize("shape", [(40, 48, 3), (41, 37), (40, 48, 1)])
def test_avif_loses_more_at_lower_quality(shape):
    X = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    losses = []
    for quality in (95, 60, 10):
        found = AVIFCompression(quality=quality, speed=10).fit_transform(X)
        assert found.shape == X.shape
        losses.append(np.square(found.astype(float) - X).mean())
    assert losses == sorted(losses)
    for wrong in ({"quality": 101}, {"speed": 11}):
        with pytest.raises(ValueError, match="must be an int in 0"):
            AVIFCompression(**wrong).fit(X)


def test_without_avif_the_remedy_is_named(monkeypatch, images):
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(ImportError, match="pip install --upgrade Pillow"):
        AVIFCompression().fit_transform(images)


def test_jpeg_quality_orders_the_error(images):
    errors = [
        np.abs(
            JPEGCompression(quality=q).fit_transform(images).astype(int) - images
        ).mean()
        for q in (50, 75, 95, 100)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] > 0


def test_resize_is_pillows(images):
    from PIL import Image

    found = Resize(scale=0.75, resample="bicubic", restore=False).fit_transform(images)
    expected = Image.fromarray(images[1]).resize((48, 48), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(found[1], np.asarray(expected))
    assert Resize(scale=0.75).fit_transform(images).shape == images.shape
    assert Resize(scale=1.5, restore=False).fit_transform(images[..., 0]).shape == (
        6,
        96,
        96,
    )


def test_sides_are_not_reduced_below_the_least():
    X = np.zeros((2, 60, 20, 3), np.uint8)
    for scale, least, size in (
        (0.5, 1, (30, 10)),
        (0.5, 24, (30, 20)),
        (0.5, 80, (60, 20)),
        (0.01, 1, (1, 1)),
        (2, 200, (120, 40)),
    ):
        resize = Resize(scale=scale, restore=False, min_side=least)
        assert resize.fit_transform(X).shape == (2, *size, 3)


def test_blur_keeps_flat_areas_and_channels(images):
    flat = np.full((1, 16, 16, 3), (10, 100, 200), np.uint8)
    np.testing.assert_array_equal(GaussianBlur(std=2).fit_transform(flat), flat)
    assert GaussianBlur(std=2).fit_transform(images).std() < images.std()


def test_noise_has_its_deviation_and_seed():
    grey = np.full((4, 100, 100), 128, np.uint8)
    grey += np.arange(4, dtype=np.uint8)[:, None, None]
    noisy = GaussianNoise(std=5).fit_transform(grey).astype(int) - grey
    assert noisy.std() == pytest.approx(5, rel=0.02)
    assert abs(noisy.mean()) < 0.1
    first, second = noisy[0].ravel(), noisy[1].ravel()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    other = GaussianNoise(std=5, random_state=1).fit_transform(grey).astype(int) - grey
    assert (other != noisy).mean() > 0.5


def test_crop_and_shift_move_pixels(images):
    crop = Crop(top=3, left=5, height=40, width=32).fit_transform(images)
    np.testing.assert_array_equal(crop, images[:, 3:43, 5:37])
    np.testing.assert_array_equal(Crop().fit_transform(images), images)
    shifted = Shift(down=3, right=-2).fit_transform(images)
    np.testing.assert_array_equal(shifted[:, 3:, :-2], images[:, :-3, 2:])
    np.testing.assert_array_equal(shifted[:, 2, :-2], images[:, 0, 2:])
    np.testing.assert_array_equal(Shift(down=0, right=0).fit_transform(images), images)


def test_a_chain_is_a_pipeline(images):
    chain = make_pipeline(Resize(scale=0.5), JPEGCompression(quality=75))
    expected = JPEGCompression(quality=75).fit_transform(
        Resize(scale=0.5).fit_transform(images)
    )
    np.testing.assert_array_equal(chain.fit_transform(images), expected)


@pytest.mark.parametrize(
    ("perturbation", "message"),
    [
        (JPEGCompression(quality=0), "quality must be an int in 1..100, got 0"),
        (JPEGCompression(quality=75.5), "quality must be an int"),
        (JPEGCompression(subsampling="4:1:1"), "subsampling must be one of"),
        (
            JPEGCompression(upsampling="dct", subsampling="4:4:4"),
            "upsampling='dct' needs subsampling='4:2:0', got '4:4:4'",
        ),
        (JPEGCompression(upsampling="bicubic"), "upsampling must be one of"),
        (Resize(scale=0), "scale must be > 0"),
        (Resize(min_side=0), "min_side must be an int >= 1"),
        (Resize(resample="area"), "resample must be one of"),
        (GaussianBlur(std=-1), "std must be > 0 and <= 1000, in pixels, got -1"),
        (GaussianNoise(std=np.nan), "std must be > 0"),
        (GaussianNoise(random_state=None), "random_state must be an int >= 0"),
        (Crop(top=-1), "top must be an int >= 0"),
        (Crop(height=0), "height must be an int >= 1"),
        (
            Crop(top=30, height=40),
            r"\[30:70, 0:64\] does not fit into images of 64 x 64",
        ),
        (Crop(top=64), "does not fit"),
        (Shift(down=0.5), "down must be an int"),
    ],
)
def test_parameters_are_checked(perturbation, message, images):
    with pytest.raises(ValueError, match=message):
        perturbation.fit_transform(images)


def test_without_pillow_the_remedy_is_named(monkeypatch, images):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("PIL"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for perturbation in (JPEGCompression(), Resize()):
        with pytest.raises(ImportError, match="pip install Pillow"):
            perturbation.fit_transform(images)
    y = np.arange(6) % 2
    with pytest.raises(
        ImportError, match=r"`perturbations=\(\)` and, with a rate, `imit"
    ):
        make_attribution_pipeline().fit(images, y)
    quick = make_attribution_pipeline(perturbations=())
    assert quick.fit(images, y).predict(images).shape == (6,)
    with_rate = make_attribution_pipeline(perturbations=(), false_alarm_rate=0.1)
    with pytest.raises(ImportError, match="`imitations=None`, or install it: pip"):
        with_rate.fit(images, y)
    plain = make_attribution_pipeline(perturbations=(), imitations=None, miss_rate=0.1)
    assert plain.fit(images, y).predict(images).shape == (6,)


@pytest.mark.parametrize("shape", [(40, 48, 3), (40, 48), (40, 48, 1)])
def test_webp_loses_more_at_lower_quality(shape):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (4, *shape)).astype(np.uint8)
    losses = []
    for quality in (95, 60, 10):
        found = WebPCompression(quality=quality).fit_transform(X)
        assert found.shape == X.shape
        losses.append(np.square(found.astype(float) - X).mean())
    assert losses == sorted(losses)
    with pytest.raises(ValueError, match=r"quality must be an int in 0\.\.100"):
        WebPCompression(quality=101).fit(X)


def test_random_strengths_are_those_of_the_image_and_vary():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (40, 24, 24, 3)).astype(np.uint8)
    random = RandomPerturbation(GaussianBlur(), {"std": [0.5, 2.0]})
    found = random.fit_transform(X)
    order = rng.permutation(40)
    np.testing.assert_array_equal(random.fit_transform(X[order]), found[order])
    weak, strong = (GaussianBlur(std=std).fit_transform(X) for std in (0.5, 2.0))
    is_weak = (found == weak).all(axis=(1, 2, 3))
    is_strong = (found == strong).all(axis=(1, 2, 3))
    assert (is_weak ^ is_strong).all()
    assert 10 < is_weak.sum() < 30
    other = RandomPerturbation(GaussianBlur(), {"std": [0.5, 2.0]}, random_state=1)
    assert (other.fit_transform(X) != found).any()


def test_random_chains_and_distributions():
    X = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3)).astype(np.uint8)
    chain = make_pipeline(Resize(), JPEGCompression(), FunctionTransformer(np.flip))
    random = RandomPerturbation(
        chain,
        {"resize__scale": stats.uniform(0.5, 0.4), "jpegcompression__quality": [70]},
    )
    found = random.fit_transform(X)
    assert found.shape == X.shape
    scales = [
        stats.uniform(0.5, 0.4).rvs(random_state=_seed_by_image(0, image))
        for image in X
    ]
    assert len(set(scales)) == 9
    expected = make_pipeline(
        Resize(scale=scales[3]), JPEGCompression(quality=70)
    ).fit_transform(X)
    np.testing.assert_array_equal(found[3], np.flip(expected[3]))


def test_random_sizes_are_a_list():
    # More images than a batch holds, in which sizes are equal at first.
    X = np.random.default_rng(0).integers(0, 256, (40, 300, 200)).astype(np.uint8)
    random = RandomPerturbation(Resize(restore=False), {"scale": [0.25, 0.5]})
    found = random.fit_transform(X)
    assert {image.shape for image in found} == {(75, 50), (150, 100)}
    for image, whole in zip(found, X, strict=True):
        alone = random.fit_transform(whole[np.newaxis])
        assert alone.shape == (1, *image.shape)
        np.testing.assert_array_equal(alone[0], image)
        scale = len(image) / 300
        expected = Resize(scale=scale, restore=False).fit_transform(whole[np.newaxis])
        np.testing.assert_array_equal(expected[0], image)
    # A list stays a list, and chains go on with it.
    for image, again in zip(found, random.fit_transform(list(X)), strict=True):
        np.testing.assert_array_equal(again, image)
    chain = make_pipeline(random, JPEGCompression(quality=75))
    assert [image.shape for image in chain.fit_transform(X)] == [
        image.shape for image in found
    ]


def test_random_sizes_of_rows_and_of_dask_are_refused():
    X = np.random.default_rng(0).integers(0, 256, (20, 40, 30)).astype(np.uint8)
    random = RandomPerturbation(Resize(restore=False), {"scale": [0.25, 0.5]})
    with pytest.raises(ValueError, match="rows of different lengths"):
        random.fit_transform(X[:, 0, :12])
    da = pytest.importorskip("dask.array")
    lazy = random.fit(X).transform(da.from_array(X, chunks=(5, -1, -1)))
    with pytest.raises(ValueError, match="the results differ in size"):
        lazy.compute()


@pytest.mark.parametrize(
    ("distributions", "message"),
    [
        ({}, "distributions must hold a sequence"),
        ({"std": []}, "distributions must hold a sequence"),
        ({"strength": [1]}, "Invalid parameter 'strength'"),
        ({"std": [-1]}, "std must be > 0"),
    ],
)
def test_random_parameters_are_checked(distributions, message):
    X = np.zeros((2, 16, 16), np.uint8)
    with pytest.raises(ValueError, match=message):
        RandomPerturbation(GaussianBlur(), distributions).fit_transform(X)


def test_common_perturbations_differ_and_some_change_the_size():
    pytest.importorskip("PIL")
    X = np.random.default_rng(0).integers(0, 256, (3, 80, 72, 3)).astype(np.uint8)
    found = [change.fit_transform(X) for change in COMMON_PERTURBATIONS]
    sizes = [{image.shape[:2] for image in part} for part in found]
    assert sum(size != {(80, 72)} for size in sizes) == 5
    found = [np.concatenate([image.ravel() for image in part]) for part in found]
    assert len({part.tobytes() for part in found}) == len(COMMON_PERTURBATIONS)
    assert all(repr(clone(c)) == repr(c) for c in COMMON_PERTURBATIONS)


@NEEDS_AVIF
def test_deliveries_of_stacks_lists_and_sizes(images):
    sizes = {"messenger": 48, "thumbnail": 32, "screenshot": 80}
    for name, delivery in DELIVERIES.items():
        found = clone(delivery).fit_transform(images)
        side = sizes.get(name, 64)
        assert found.shape == (len(images), side, side, 3)
        listed = clone(delivery).fit_transform(list(images))
        for one, other in zip(found, listed, strict=True):
            np.testing.assert_array_equal(one, other)
    mirrored = DELIVERIES["mirrored"].fit_transform(images)
    np.testing.assert_array_equal(mirrored, np.flip(images, axis=2))
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(DELIVERIES["mirrored"])).fit_transform(images),
        mirrored,
    )

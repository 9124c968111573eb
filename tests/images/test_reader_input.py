"""Every kind of input of ImageReader, and the errors for all others."""

import base64
import collections
import io
import os
import pathlib
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    ImageReader,
    ResidualExtractor,
    Unflatten,
    make_attribution_pipeline,
)
from skfingerprint._attribution import copies
from skfingerprint._images import file_images
from skfingerprint.datasets import load_generators, load_image_files
from skfingerprint.perturbation import GaussianBlur

Image = pytest.importorskip("PIL.Image", reason="needs Pillow (extra images)")
IMAGES = load_generators().images[::80]
N = len(IMAGES)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    found = [folder / f"{i}.png" for i in range(N)]
    for path, image in zip(found, IMAGES, strict=True):
        Image.fromarray(image).save(path)
    return found


class Fspath:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return os.fsencode(self.path)


class Arrow:
    """A column of Arrow, as far as the reader knows it."""

    type = "struct<bytes: binary, path: string>"

    def __init__(self, items):
        self.items = items

    def to_pylist(self):
        return self.items


class ArrowTable:
    columns = ()

    def __init__(self, items, names=("image",)):
        self.column_names, self.items = list(names), items

    def __getitem__(self, name):
        return Arrow(self.items)

    def to_pylist(self):
        return [{"image": item} for item in self.items]


def read(paths):
    return [path.read_bytes() for path in paths]


def as_structs(paths):
    return [{"bytes": path.read_bytes(), "path": path.name} for path in paths]


def as_zip(paths):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in paths:
            archive.write(path, path.name)
    return [zipfile.Path(buffer, path.name) for path in paths]


def as_pandas(items):
    return pytest.importorskip("pandas").DataFrame({"image": items})


def as_polars(items):
    return pytest.importorskip("polars").DataFrame({"image": items})


def as_objects(items):
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found


def as_arrow(items):
    return pytest.importorskip("pyarrow").table({"image": items})


class Scalar:
    """A scalar of Arrow, as far as the reader knows it."""

    def __init__(self, item):
        self.as_py = lambda: item


class Buffer:
    """A buffer of Arrow, as far as the reader knows it."""

    def __init__(self, item):
        self.to_pybytes = lambda: item


class Stream(io.RawIOBase):
    """A stream that can be read once, like the answer of a server."""

    def __init__(self, content):
        self.content = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, part):
        return self.content.readinto(part)


KINDS = {
    "Path": list,
    "PurePath": lambda paths: [pathlib.PurePosixPath(path) for path in paths],
    "str": lambda paths: list(map(str, paths)),
    "numpy text": lambda paths: np.array(list(map(str, paths))),
    "new numpy text": lambda paths: np.array(
        list(map(str, paths)), dtype=np.dtypes.StringDType()
    ),
    "column of text": lambda paths: np.array([[str(path)] for path in paths]),
    "bytes of a path": lambda paths: [Fspath(path) for path in paths],
    "DirEntry": lambda paths: sorted(
        os.scandir(paths[0].parent), key=lambda entry: entry.name
    ),
    "bytes": read,
    "bytearray": lambda paths: [bytearray(item) for item in read(paths)],
    "memoryview": lambda paths: [memoryview(item) for item in read(paths)],
    "objects of bytes": lambda paths: as_objects(read(paths)),
    "BytesIO": lambda paths: [io.BytesIO(item) for item in read(paths)],
    "open files": lambda paths: [path.open("rb") for path in paths],
    "entries of a zip": as_zip,
    "structs": as_structs,
    "structs of paths": lambda paths: [
        {"bytes": None, "path": str(path)} for path in paths
    ],
    "pictures": lambda paths: [Image.open(path) for path in paths],
    "pictures in memory": lambda paths: [Image.fromarray(image) for image in IMAGES],
    "objects of pictures": lambda paths: as_objects(
        [Image.open(path) for path in paths]
    ),
    "a mixture": lambda paths: [
        *paths[:3],
        *read(paths[3:5]),
        *as_structs(paths[5:7]),
        Image.open(paths[7]),
    ],
    "pandas Series": lambda paths: as_pandas(paths)["image"],
    "pandas of text": lambda paths: as_pandas(list(map(str, paths))),
    "pandas categories": lambda paths: as_pandas(list(map(str, paths))).astype(
        "category"
    ),
    "pandas of bytes": lambda paths: as_pandas(read(paths)),
    "pandas of structs": lambda paths: as_pandas(as_structs(paths)),
    "pandas of pictures": lambda paths: as_pandas([Image.open(path) for path in paths]),
    "polars of text": lambda paths: as_polars(list(map(str, paths))),
    "polars of bytes": lambda paths: as_polars(read(paths)),
    "polars of structs": lambda paths: as_polars(as_structs(paths)),
    "polars Series": lambda paths: as_polars(as_structs(paths))["image"],
    "scalars of Arrow": lambda paths: [Scalar(item) for item in read(paths)],
    "texts of Arrow": lambda paths: [Scalar(str(path)) for path in paths],
    "buffers of Arrow": lambda paths: [Buffer(item) for item in read(paths)],
    "structs of files": lambda paths: [{"bytes": io.BytesIO(b)} for b in read(paths)],
    "a deque": collections.deque,
    "Arrow column": lambda paths: Arrow(as_structs(paths)),
    "Arrow table": lambda paths: ArrowTable(as_structs(paths)),
    "pyarrow of text": lambda paths: as_arrow(list(map(str, paths))),
    "pyarrow of bytes": lambda paths: as_arrow(read(paths)),
    "pyarrow of structs": lambda paths: as_arrow(as_structs(paths))["image"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_pixels(paths, kind):
    X = KINDS[kind](paths)
    reader = ImageReader()
    images = reader.fit_transform(X)
    assert reader.n_channels_ == 3
    np.testing.assert_array_equal(np.asarray(images), IMAGES)
    # A second time: open files are read from their start.
    np.testing.assert_array_equal(np.asarray(reader.transform(X)), IMAGES)
    for item in X if isinstance(X, list) else []:
        if hasattr(item, "fileno"):
            item.close()
    np.testing.assert_array_equal(images[[2, 0]][1], IMAGES[0])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_pictures_are_read_as_their_files(tmp_path, mode):
    grey = IMAGES[:2, ..., 0]
    pictures = [Image.fromarray(image) for image in IMAGES[:2]]
    if mode == "I;16":
        pictures = [Image.fromarray(image.astype(np.uint16) * 257) for image in grey]
    else:
        pictures = [picture.convert(mode) for picture in pictures]
    files = [tmp_path / f"{i}.{'tif' if mode == 'CMYK' else 'png'}" for i in range(2)]
    for picture, file in zip(pictures, files, strict=True):
        picture.save(file)
    expected = load_image_files(files).images
    np.testing.assert_array_equal(
        np.asarray(ImageReader().transform(pictures)), expected
    )
    reader = ImageReader().fit(pictures)
    assert reader.n_channels_ == (1 if mode in ("1", "L", "LA", "I;16") else 3)
    if reader.n_channels_ == 1:
        expected = expected[..., 0]
    for X in (files, pictures, [Image.open(file) for file in files]):
        np.testing.assert_array_equal(np.asarray(reader.transform(X)), expected)


@pytest.mark.parametrize("mode", ["La", "RGBa", "PA", "RGBX"])
def test_modes_of_pictures_that_no_file_has(mode):
    """Opaque pictures in memory have the pixels of plain ones."""
    plain = Image.fromarray(IMAGES[0])
    plain = plain.convert("P").convert("RGB") if mode == "PA" else plain
    between = {"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode, "RGB")
    picture = plain.convert(between).convert(mode)
    plain = plain.convert("L") if mode == "La" else plain
    reader = ImageReader().fit([picture])
    assert reader.n_channels_ == len(plain.getbands())
    np.testing.assert_array_equal(reader.transform([picture])[0], np.asarray(plain))
    found = ResidualExtractor().fit_transform([picture])
    assert (found == ResidualExtractor().fit_transform([plain])).all()


@pytest.mark.parametrize("suffix", ["png", "tif", "gif", "jpg"])
def test_threads_may_share_pictures(suffix):
    """Pictures that are not decoded yet, given several times and to two readers."""
    stream = io.BytesIO()
    image = Image.fromarray(np.tile(IMAGES[0], (6, 6, 1)))
    image.save(stream, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix))
    expected = np.asarray(Image.open(stream).convert("RGB"))
    for _ in range(5):
        X = [Image.open(io.BytesIO(stream.getvalue()))] * 8
        with ThreadPoolExecutor(2) as pool:
            found = [
                pool.submit(np.asarray, ImageReader(n_jobs=4).transform(X))
                for _ in range(2)
            ]
        assert all((result.result() == expected).all() for result in found)


def test_a_stream_is_read_once():
    content = [pack(image) for image in IMAGES]
    read_once = [Stream(item) for item in content]
    np.testing.assert_array_equal(
        np.asarray(ImageReader().transform(read_once)), IMAGES
    )
    with pytest.raises(
        ValueError, match=r"image 0 of X.*read before.*stream\.read\(\)"
    ):
        ImageReader().transform(read_once)


def pack(image, suffix="png"):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, suffix)
    return stream.getvalue()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize(("n_bits", "factor"), [(8, 256), (10, 64), (12, 16), (14, 4)])
def test_few_bits_in_16_are_told_once(suffix, n_bits, factor):
    grey = IMAGES[..., 0].astype(np.uint16) >> max(0, 8 - n_bits)
    files = [pack(image << n_bits - 8, suffix) for image in grey]
    images = ImageReader().transform([*files, pack(IMAGES[0] // 5)])
    match = f"nearly black.*Nothing was scaled(?s:.*): {n_bits} bits, factor {factor}$"
    with pytest.warns(UserWarning, match=match) as caught:
        np.asarray(images)
    assert len(caught) == 1
    np.asarray(images)  # a second reading is silent
    np.testing.assert_array_equal(images[0][..., 0], grey[0] >> 16 - n_bits)


def test_one_bright_file_of_16_bits_and_dark_files_of_8_are_silent():
    grey = IMAGES[..., 0].astype(np.uint16)
    np.asarray(ImageReader().transform([pack(grey[0] << 4), pack(grey[1] << 8)]))
    np.asarray(ImageReader().transform([pack(IMAGES[0] // 16)]))
    # A part of the files is not the whole load.
    ImageReader().transform([pack(grey[0] << 4), pack(grey[1] << 8)])[:1].read(0)


@pytest.mark.parametrize("perturbations", [(), [GaussianBlur(std=1)]])
@pytest.mark.parametrize("kind", ["paths", "bytes", "arrays"])
@pytest.mark.parametrize("place", [0, 5])
def test_a_small_image_is_named(
    tmp_path, monkeypatch, kind, perturbations, place, n_good=7
):
    """In any block, and for arrays by its number in X."""
    monkeypatch.setattr(file_images, "BLOCK_FILES", 2)
    monkeypatch.setattr(copies, "IMAGE_VALUES", 3 * IMAGES[0].size)
    images = list(IMAGES[:n_good])
    images.insert(place, IMAGES[7][:31])
    files = [tmp_path / f"{i}.png" for i in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    X = {"paths": files, "bytes": read(files), "arrays": images}[kind]
    y = np.arange(len(X)) % 2
    name = {"paths": re.escape(str(files[place]))}.get(kind, f"image {place} of X")
    if kind == "arrays" and not perturbations:
        name = rf"images \[{place}\]"
    model = make_attribution_pipeline(perturbations=perturbations, history="ignore")
    model.fit(IMAGES, np.arange(N) % 2)
    # The larger ones of a block tell that one is small.
    if place:
        with pytest.raises(ValueError, match=name):
            clone(model).fit(X, y)
    name = rf"images \[{place}\]" if kind == "arrays" else name
    with pytest.raises(ValueError, match=name):
        model.predict(X)


def test_a_wrong_parameter_names_no_image(paths):
    with pytest.raises(ValueError, match=r"^sigma must be"):
        make_pipeline(ImageReader(), ResidualExtractor(sigma=-1)).fit_transform(paths)


@pytest.mark.parametrize("n_jobs", ["all", 0, 1.5])
def test_the_number_of_threads_is_checked(paths, n_jobs):
    for X in (paths, IMAGES):
        with pytest.raises(ValueError, match=r"n_jobs must be .* -1 for all"):
            ImageReader(n_jobs=n_jobs).fit(X)
    with pytest.raises(ValueError, match=r"n_jobs must be .* -1 for all"):
        ImageReader(n_jobs=n_jobs).transform(paths)


def test_pictures_of_floats_are_arrays():
    floats = IMAGES[:3, ..., 0].astype(np.float32) + 0.25
    for dtype in (np.float32, np.int32):
        X = [Image.fromarray(image.astype(dtype)) for image in floats]
        np.testing.assert_array_equal(
            ImageReader().fit_transform(X), floats.astype(dtype)
        )


def test_a_grey_file_is_grey_if_fit_saw_grey(tmp_path, paths):
    grey = IMAGES[..., 1]
    files = [tmp_path / f"{i}.png" for i in range(N)]
    for file, image in zip(files, grey, strict=True):
        Image.fromarray(image).save(file)
    model = make_attribution_pipeline(perturbations=())
    y = np.arange(N) % 2
    expected = model.fit(grey, y).decision_function(grey)
    assert model["reader"].n_channels_ == 1
    found = model.decision_function(files)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(ValueError, match=r"(?s)8 of 8.*0\.png: a color image.*grey"):
        model.predict(paths)
    # Files are in color otherwise, as the loaders read them.
    assert ImageReader().fit_transform(files).shape == (N, 64, 64, 3)
    odd = ImageReader().fit(np.zeros((2, 4, 4, 5)))
    with pytest.raises(ValueError, match="images with 5 channels"):
        odd.transform(files)


def test_arrays_pass_unchanged():
    frame = pytest.importorskip("pandas").DataFrame(np.eye(4), columns=list("abcd"))
    reader = ImageReader()
    for X in (IMAGES, IMAGES[..., 0], IMAGES / 3, IMAGES.astype(">f4"), np.eye(3)):
        found = reader.fit_transform(X)
        assert np.shares_memory(found, X) or X.dtype.byteorder == ">"
        assert found.dtype == X.dtype
        np.testing.assert_array_equal(found, X)
    assert reader.fit(IMAGES).n_channels_ == 3
    assert not hasattr(reader, "n_features_in_")
    np.testing.assert_array_equal(reader.fit_transform(frame), frame)
    assert list(reader.feature_names_in_) == list("abcd")
    assert not hasattr(reader.fit(["a.png"]), "feature_names_in_")
    sizes = [IMAGES[0], IMAGES[1][:40], IMAGES[2][:, :50]]
    found = reader.fit_transform(sizes)
    for one, other in zip(found, sizes, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match=r"one image.*X\[np.newaxis\]"):
        reader.fit(IMAGES).transform(IMAGES[0])
    with pytest.raises(ValueError, match="NaN"):
        reader.fit(np.full((2, 4, 4), np.nan))


def test_dask_stays_lazy():
    da = pytest.importorskip("dask.array")
    computed = []

    def note(block):
        computed.append(len(block))
        return block

    meta = np.empty((0, 0, 0, 0), np.uint8)
    X = da.from_array(IMAGES, chunks=(3, -1, -1, -1)).map_blocks(note, meta=meta)
    for shape, expected in ((None, IMAGES), ((32, 48), IMAGES[:, 16:48, :48])):
        found = ImageReader(shape).fit(X).transform(X)
        assert isinstance(found, da.Array)
        assert computed == []
        np.testing.assert_array_equal(found.compute(), expected)
        computed.clear()


def test_the_part_is_the_same_by_files_and_arrays(paths):
    reader = ImageReader(image_shape=(32, 48))
    expected = load_image_files(paths, image_shape=(32, 48)).images
    nested = ImageReader().transform(paths)
    for X in (paths, IMAGES, list(IMAGES), nested, expected):
        np.testing.assert_array_equal(np.asarray(reader.fit_transform(X)), expected)
    sizes = [IMAGES[0], IMAGES[1][:40], IMAGES[2][:, :50]]
    assert {image.shape for image in reader.fit_transform(sizes)} == {(32, 48, 3)}
    for X in (IMAGES[:, :20], paths):
        with pytest.raises(ValueError, match="smaller than"):
            list(ImageReader((32, 65)).transform(X))
    with pytest.raises(ValueError, match=r"rows.*Unflatten"):
        reader.fit_transform(np.eye(3))
    rows = IMAGES.reshape(N, -1)
    chain = make_pipeline(Unflatten(IMAGES.shape[1:]), reader)
    np.testing.assert_array_equal(chain.fit_transform(rows), expected)


def test_parts_do_not_keep_whole_images(tmp_path):
    large = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    files = [tmp_path / f"{i}.png" for i in range(2)]
    for file in files:
        Image.fromarray(large).save(file)
    reader = file_images.FileReader((32, 32), 3, None)
    for image in reader.read(list(map(str, files)), np.array([[32, 32]] * 2)):
        owner = image
        while getattr(owner, "base", None) is not None:
            owner = owner.base
        assert memoryview(owner).nbytes == 32 * 32 * 3


def test_blocks_hold_a_bounded_number_of_values(tmp_path, monkeypatch):
    sizes = [(8, 8), *[(80, 90)] * 5, *[(10, 10)] * 9, (200, 200), (8, 8)]
    files = [tmp_path / f"{i}.png" for i in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(file)
    monkeypatch.setattr(file_images, "BLOCK_VALUES", 3 * 80 * 90 * 2)
    monkeypatch.setattr(file_images, "BLOCK_FILES", 6)
    images = ImageReader().transform(files)
    values = [sum(image.size for image in images.read(k)) for k in range(7)]
    assert images.sizes == [2, 2, 2, 6, 3, 1, 1]
    assert [len(images.read(k)) for k in range(7)] == images.sizes
    assert max(v for v, n in zip(values, images.sizes, strict=True) if n > 1) <= 43_200
    assert [image.shape[:2] for image in images] == sizes


WRONG = {
    "None among paths": (lambda p: [p[0], None], "image 1 of X is None.*leave it out"),
    "NaN among paths": (lambda p: [p[0], np.nan], "image 1 of X is nan, of type float"),
    "an array among paths": (lambda p: [p[0], IMAGES[0]], "image 1 of X.*ndarray"),
    "pairs": (lambda p: [(q, 0) for q in p], r"image 0 of X.*zip\(\*pairs\)"),
    "one path": (lambda p: p[0], r"a list of images, got one PosixPath.*glob"),
    "one picture": (
        lambda p: Image.fromarray(IMAGES[0]),
        "a list of images, got one Image",
    ),
    "bytes": (lambda p: p[0].read_bytes(), "a list of images, got one bytes"),
    "one struct": (
        lambda p: {"bytes": p[0].read_bytes()},
        r"a dict with the entries \['bytes'\]",
    ),
    "an open file": (lambda p: io.BytesIO(p[0].read_bytes()), "got one BytesIO"),
    "a generator": (lambda p: (q for q in p), r"only once.*list\(X\)"),
    "glob": (lambda p: p[0].parent.glob("*.png"), r"only once.*list\(X\)"),
    "an open zip": (
        lambda p: close(zipfile.ZipFile(io.BytesIO(), "w")),
        r"open archive \(ZipFile\)",
    ),
    "open archives": (
        lambda p: [close(zipfile.ZipFile(io.BytesIO(), "w"))],
        r"image 0 of X.*archive\.read\(name\)",
    ),
    "rows of a table": (
        lambda p: [{"image": Image.fromarray(IMAGES[0]), "label": 1}],
        r"image 0 of X is .*, a row.*X\['image'\]",
    ),
    "an empty struct": (lambda p: [{"bytes": None, "path": None}], "without content"),
    "data URI": (
        lambda p: [
            "data:image/png;base64," + base64.b64encode(p[0].read_bytes()).decode()
        ],
        "image 0 of X.*b64decode",
    ),
    "base64": (
        lambda p: [base64.b64encode(8 * p[0].read_bytes()).decode()],
        "image 0 of X.*b64decode",
    ),
    "array of bytes": (lambda p: np.array(read(p)), "NumPy cuts zeros"),
    "two columns": (
        lambda p: ArrowTable(list(map(str, p)), ("image", "label")),
        r"2 columns.*`X\['image'\]`",
    ),
    "text mode": (lambda p: [io.StringIO("a")], "image 0 of X.*opened as text.*'rb'"),
    "closed files": (lambda p: [close(io.BytesIO(b"a"))], "image 0 of X.*closed file"),
    "damaged bytes": (
        lambda p: [*read(p[:3]), p[0].read_bytes()[:500]],
        r"(?s)1 of 4.*image 3 of X",
    ),
    "text as bytes": (lambda p: [b"no image"], r"(?s)1 of 1.*image 0 of X.*no image"),
    "a truncated picture": (
        lambda p: [Image.open(io.BytesIO(p[0].read_bytes()[:500]))],
        "(?s)1 of 1.*image 0 of X",
    ),
    "a float picture": (
        lambda p: [p[0], Image.fromarray(IMAGES[0, ..., 0].astype(np.float32))],
        "image 1 of X.*float values",
    ),
    "a picture of 32 bits": (
        lambda p: [p[0], Image.fromarray(IMAGES[0, ..., 0].astype(np.int32))],
        "image 1 of X.*32-bit values",
    ),
    "a set": (lambda p: set(p), r"no order: pass `sorted\(X\)`"),
    "a lazy frame": (
        lambda p: as_polars(list(map(str, p))).lazy(),
        r"LazyFrame, which is not computed: pass `X.collect\(\)`",
    ),
    "text in two axes": (lambda p: np.array([list(map(str, p))]), r"shape \(1, 8\)"),
    "paths in two axes": (lambda p: np.array(p).reshape(4, 2), r"shape \(4, 2\)"),
    "an array of one path": (lambda p: np.array(p[0]), r"shape \(\), and holds"),
    "members of a zip by name": (
        lambda p: [zipfile.ZipInfo("a.png")],
        "image 0 of X.*ZipInfo, which holds no pixels",
    ),
    "arrays of bytes": (
        lambda p: [np.frombuffer(item, np.uint8) for item in read(p)],
        r"row 1 of X has shape.*`row.tobytes\(\)`",
    ),
    "a file without content": (lambda p: [p[0], b""], "image 1 of X.*it is empty"),
    "an empty stream": (lambda p: [io.BytesIO()], "image 0 of X.*it is empty"),
    "empty text": (lambda p: [str(p[0]), ""], "image 1 of X is '', no path"),
    "an address": (lambda p: ["https://localhost/a.png"], "image 0 of X.*no path"),
    "a file in text mode": (
        lambda p: [(io.TextIOWrapper(io.BytesIO(p[0].read_bytes())))],
        "image 0 of X.*opened as text",
    ),
    "a struct of text": (lambda p: [{"bytes": "a"}], "image 0 of X.*no bytes"),
    "a struct of a number": (lambda p: [{"path": 3}], "image 0 of X.*no path"),
    "a folder": (lambda p: [p[0].parent], "no regular file"),
    "no images": (lambda p: [], "X is empty"),
}


def close(file):
    file.close()
    return file


@pytest.mark.parametrize("name", WRONG)
def test_anything_else_is_refused_with_the_remedy(paths, name):
    make, message = WRONG[name]
    reader = ImageReader().fit(paths)
    before = vars(reader).copy()
    with pytest.raises(ValueError, match=message) as error:
        list(reader.fit_transform(make(paths)))
    assert len(str(error.value)) < 500
    assert before.keys() == vars(reader).keys()


def test_no_message_prints_an_image(paths):
    long = [paths[0].read_bytes() * 100]
    for X in (long[0], {"bytes": long[0]}, [long[0], None], [{"a": long[0]}]):
        with pytest.raises(ValueError, match="X") as error:
            ImageReader().fit_transform(X)
        assert len(str(error.value)) < 400


SCRIPT = """
import sys
sys.modules["PIL"] = None
import numpy as np
from skfingerprint import ImageReader, make_attribution_pipeline
from skfingerprint.datasets import load_generators
data = load_generators()
X, y = data.images[::20], data.target[::20]
model = make_attribution_pipeline(perturbations=()).fit(X, y)
assert (model.predict(list(X)) == model.predict(X)).all()
try:
    ImageReader().transform(["a.png"])
except ImportError as error:
    print(error)
"""


@pytest.mark.slow
def test_arrays_need_no_pillow():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    assert "reading images needs Pillow: pip install" in done.stdout


def test_an_overwritten_file_is_not_read_as_another(paths, tmp_path):
    file = tmp_path / "a.png"
    Image.fromarray(IMAGES[0]).save(file)
    images = ImageReader().transform([file])
    Image.fromarray(IMAGES[0][:40]).save(file)
    with pytest.raises(ValueError, match="not the one that its header said"):
        images[0]


@pytest.mark.parametrize(
    "model",
    [
        make_attribution_pipeline(perturbations=()),
        make_pipeline(ImageReader(), ResidualExtractor(), FingerprintClassifier()),
        make_pipeline(ImageReader(), AttributionFeatures(), FingerprintClassifier()),
    ],
    ids=["recommended", "correlation", "features"],
)
def test_fitted_on_one_kind_and_asked_about_another(paths, model):
    y = np.arange(N) % 2
    expected = model.fit(IMAGES, y).decision_function(IMAGES)
    for fitted, asked in ((paths, IMAGES), (IMAGES, read(paths)), (read(paths), paths)):
        found = model.fit(fitted, y).decision_function(asked)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)

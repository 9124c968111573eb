"""Check that every kind of input gives the right features or a clear error.

``python -m benchmarks.faults.inputs`` gives images that ship with the package to the
recommended features, in every container, dtype, scale, size and file format that we
could think of. It prints "right" for the features of the unchanged images, within
rounding, or else the text of the error. It needs the extras `images` and `dask`, and
pandas and polars, and takes ten seconds.
"""

import base64
import io
import itertools
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
from PIL import Image
from sklearn import config_context
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    FingerprintDetector,
    ImageReader,
    ResidualExtractor,
    SourceDetector,
    SourceDiscriminant,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators
from skfingerprint.denoising import wavelet_residual

IMAGES = load_generators().images[:4]
EXPECTED = AttributionFeatures().fit_transform(IMAGES)


def objects(items):
    """Return an array of objects."""
    found = np.empty(len(items), dtype=object)
    found[:] = list(items)
    return found


CONTAINERS = {
    "stack": np.asarray,
    "list": list,
    "tuple": tuple,
    "nested lists": lambda X: X.tolist(),
    "object array": objects,
    "Series": lambda X: pd.Series(list(X)),
    "DataFrame column": lambda X: pd.DataFrame({"image": list(X)}),
    "polars Series": lambda X: pl.Series(X.tolist()),
    "polars DataFrame": lambda X: pl.DataFrame({"image": X.tolist()}),
    "pictures": lambda X: [Image.fromarray(x) for x in X],
    "dask": lambda X: da.from_array(X, chunks=(2, -1, -1, -1)),
    "generator": iter,
    "frame with numbers": lambda X: pd.DataFrame({"image": list(X), "n": range(4)}),
    "one image": lambda X: X[0],
    "channels first": lambda X: np.moveaxis(X, -1, 1),
    "alpha": lambda X: np.concatenate([X, X[..., :1]], axis=-1),
    "flat rows": lambda X: X.reshape(len(X), -1),
    "five axes": lambda X: X[np.newaxis],
    "empty list": lambda X: [],
    "None": lambda X: None,
    "text": lambda X: ["a", "b"],
}
DTYPES = ("uint8", "int16", "int64", "float16", "float32", "float64", ">f4")
SCALES = {
    "0..1": lambda X: X / 255,
    "-1..1": lambda X: X / 127.5 - 1,
    "ImageNet": lambda X: (X / 255 - 0.45) / 0.225,
    "16 bit": lambda X: X.astype(np.uint16) * 257,
    "-128..127": lambda X: X.astype(np.int16) - 128,
    "overshoot": lambda X: X * 1.02 - 2.5,
    "black": lambda X: X * 0.0,
    "NaN": lambda X: np.where(X > 150, np.nan, X),
    "infinite": lambda X: np.where(X > 150, np.inf, X),
    "1e300": lambda X: X * 1e300,
    "complex": lambda X: X + 0j,
    "bool": lambda X: X > 128,
}
SIZES = {
    "of many sizes": lambda X: [x[: 40 + 7 * k, : 64 - 3 * k] for k, x in enumerate(X)],
    "one too small": lambda X: [*X[:3], X[3][:20]],
    "one grey": lambda X: [*X[:3], X[3][..., 0]],
    "one of 16 bits": lambda X: [*X[:3], X[3].astype(np.uint16) * 257],
    "grey": lambda X: X[..., 0],
    "one channel": lambda X: X[..., :1],
    "20 x 20": lambda X: X[:, :20, :20],
    "1 x 1": lambda X: X[:, :1, :1],
}
FORMATS = ("png", "jpg", "webp", "tif", "bmp", "gif", "ppm", "jp2", "avif", "tga")
FILES = {
    "16-bit PNG": (
        "a.png",
        lambda X: Image.fromarray(X[..., 0].astype(np.uint16) * 257),
    ),
    "float TIFF": ("a.tif", lambda X: Image.fromarray(X[..., 0] / np.float32(255))),
    "PNG with alpha": ("b.png", lambda X: Image.fromarray(X).convert("RGBA")),
    "palette": ("c.png", lambda X: Image.fromarray(X).convert("P")),
    "CMYK": ("a.jpg", lambda X: Image.fromarray(X).convert("CMYK")),
}


def shift(X, change):
    """Return a dask array whose second block is changed, and its chunks are not."""

    def function(block, block_info=None):
        second = bool(block_info) and block_info[0]["chunk-location"][0] == 1
        return change(block) if second else block

    lazy = da.from_array(X, chunks=(len(X) // 2, *X.shape[1:]))
    return lazy.map_blocks(function, dtype=X.dtype, meta=np.empty((0,) * X.ndim))


def list_bounds():
    """Return rows on what is silent or without a bound: kind, name and a call.

    A call returns a text that is printed, or raises the error that is printed. "OTHER"
    in a text is a wrong answer.
    """
    return [
        *_list_containers(),
        *_list_carried(),
        *_list_blocks(),
        *_list_labels(),
        *_list_weights(),
        *_list_parameters(),
    ]


def _draw():
    data = load_generators()
    places = np.concatenate([np.flatnonzero(data.target == k)[:20] for k in range(5)])
    images, y = data.images[places], data.target[places]
    return images, y, AttributionFeatures().fit_transform(images)


def _list_containers():
    """Return rows on containers and items that hold no images."""
    mask = np.zeros(IMAGES.shape, dtype=bool)
    mask[2, 3, 4] = True
    masked = np.ma.array(IMAGES, mask=mask)
    truncated = io.BytesIO()
    Image.fromarray(IMAGES[1]).save(truncated, "png")
    archive = zipfile.ZipFile(io.BytesIO(), "w")
    given = {
        "generator": lambda: (x for x in IMAGES),
        "map": lambda: map(np.asarray, IMAGES),
        "Path.glob": lambda: Path().glob("*.none"),
        "open zip": lambda: archive,
        "dict": lambda: {"image": IMAGES},
        "pairs": lambda: list(zip(IMAGES, range(4), strict=True)),
        "images and labels": lambda: (IMAGES, np.arange(4)),
        "rows of a table": lambda: [{"image": x} for x in IMAGES],
        "empty list": list,
        "empty stack": lambda: IMAGES[:0],
        "empty Series": lambda: pd.Series([], dtype=object),
        "None inside": lambda: [*IMAGES[:2], None],
        "None first": lambda: [None, *IMAGES[:2]],
        "None in objects": lambda: objects([IMAGES[0], None]),
        "None in a Series": lambda: pd.Series([IMAGES[0], None]),
        "NaN inside": lambda: [*IMAGES[:2], float("nan")],
        "number inside": lambda: [*IMAGES[:2], 3],
        "row inside": lambda: [*IMAGES[:2], IMAGES[0, 0, :, 0]],
        "path inside": lambda: [*IMAGES[:2], "a.png"],
        "truncated picture": lambda: [
            Image.fromarray(IMAGES[0]),
            Image.open(io.BytesIO(truncated.getvalue()[:2000])),
        ],
        "one too small": lambda: [*IMAGES[:2], IMAGES[2][:9]],
        "masked, no mask": lambda: np.ma.array(IMAGES),
        "masked": lambda: masked,
        "masked inside": lambda: list(masked),
        "masked, lazily": lambda: da.from_array(masked, chunks=2, asarray=False),
        "True and False": lambda: IMAGES > 100,
        "list of them": lambda: list(IMAGES > 100),
        "lazily": lambda: da.from_array(IMAGES > 100, chunks=(2, -1, -1, -1)),
        "one image": lambda: IMAGES[0],
        "one with alpha": lambda: np.concatenate(
            [IMAGES[0], IMAGES[0, ..., :1]], axis=-1
        ),
        "one, lazily": lambda: da.from_array(IMAGES[0]),
    }
    equal = {"masked, no mask"}
    return [
        (
            "no images",
            name,
            lambda m=make, n=name: ask(m, EXPECTED if n in equal else None),
        )
        for name, make in given.items()
    ]


def _list_carried():
    """Return rows on files in any container, which the reader reads."""
    files = [write(image) for image in IMAGES]
    folder = Path(tempfile.mkdtemp())
    paths = [folder / f"{k}.png" for k in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    texts = list(map(str, paths))
    pictures = [Image.fromarray(image) for image in IMAGES]
    frames = {"save_all": True, "append_images": pictures[1:]}
    wide = [image[..., 0].astype(np.uint16) for image in IMAGES]
    closed = io.BytesIO()
    closed.close()
    right = {
        "paths": paths,
        "text": texts,
        "array of text": np.array(texts),
        "column of text": np.array(texts)[:, np.newaxis],
        "bytes": files,
        "bytearray": list(map(bytearray, files)),
        "memoryview": list(map(memoryview, files)),
        "objects of bytes": objects(files),
        "streams": list(map(io.BytesIO, files)),
        "structs": [{"bytes": item, "path": None} for item in files],
        "structs of paths": [{"bytes": None, "path": item} for item in texts],
        "structs without bytes": [{"path": item} for item in texts],
        "Series of text": pd.Series(texts),
        "Series of categories": pd.Series(texts).astype("category"),
        "Series of bytes": pd.Series(files),
        "polars of text": pl.Series(texts),
        "polars of bytes": pl.DataFrame({"image": files}),
        "polars of structs": pl.Series([{"bytes": item} for item in files]),
        "pictures of files": [Image.open(io.BytesIO(item)) for item in files],
        "mixed": [paths[0], files[1], io.BytesIO(files[2]), pictures[3]],
        "animated WebP": [
            write(IMAGES[0], "webp", lossless=True, **frames),
            *files[1:],
        ],
        "animated PNG": [write(IMAGES[0], **frames), *files[1:]],
        "BigTIFF": [write(IMAGES[0], "tiff", big_tiff=True), *files[1:]],
    }
    others = {
        "MPO": [write(IMAGES[0], "mpo", **frames), *files[1:]],
        "animated GIF": [write(IMAGES[0], "gif", **frames), *files[1:]],
        "1-bit PNG": [write(pictures[0].convert("1")), *files[1:]],
        "CMYK as JPEG": [write(pictures[0].convert("CMYK"), "jpeg"), *files[1:]],
        "mode La": [pictures[0].convert("LA").convert("La"), *pictures[1:]],
        "mode LAB": [Image.frombytes("LAB", (64, 64), IMAGES[0]), *pictures[1:]],
        "mode F": [pictures[0].convert("F"), *files[1:]],
        "mode I": [pictures[0].convert("I"), *files[1:]],
        "14 bits": [write(image << 6) for image in wide],
        "12 bits": [write(image << 4) for image in wide],
        "10 bits": [write(image << 2) for image in wide],
        "16 bits": [write(image << 8) for image in wide],
        "small image": [*paths[:3], write(IMAGES[3, :31])],
        "set": set(texts),
        "lazy frame": pl.LazyFrame({"image": texts}),
        "text in two axes": np.array([texts]),
        "paths in two axes": np.array(paths).reshape(2, 2),
        "array of bytes": np.array(files),
        "arrays of bytes": [np.frombuffer(item, np.uint8) for item in files],
        "None among paths": [*paths[:3], None],
        "array among paths": [*paths[:3], IMAGES[3]],
        "lists of paths": [[path] for path in paths],
        "pairs of paths": list(zip(paths, range(4), strict=True)),
        "names in a zip": [zipfile.ZipInfo("a.png")],
        "empty bytes": [*files[:3], b""],
        "read before": [*files[:3], io.BytesIO()],
        "truncated": [*files[:3], files[3][:2000]],
        "closed": [*files[:3], closed],
        "in text mode": [*files[:3], io.StringIO("a")],
        "empty text": [*texts[:3], ""],
        "address": [*texts[:3], "https://localhost/a.png"],
        "base64": [base64.b64encode(item).decode() for item in files],
        "struct of None": [*files[:3], {"bytes": None, "path": None}],
        "struct of text": [*files[:3], {"bytes": "a"}],
        "folder": [*paths[:3], folder],
        "web page": [*files[:3], b"<!DOCTYPE html>"],
    }
    rows = [("carried", name, X, EXPECTED) for name, X in right.items()]
    rows += [("carried", name, X, None) for name, X in others.items()]
    return [
        (kind, name, lambda X=X, rows=rows: ask(lambda: X, rows, ImageReader()))
        for kind, name, X, rows in rows
    ]


def write(image, suffix="png", **options):
    """Return the content of a file of an image or of a picture."""
    stream = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(stream, suffix, **options)
    return stream.getvalue()


def _list_blocks():
    """Return rows on blocks of dask that are not as their chunks declare."""
    images, y, rows = _draw()
    residuals = images[..., 0].astype(np.float32)
    changes = {
        "one less": lambda block: block[:-1],
        "one more": lambda block: np.concatenate([block, block[:1]]),
        "empty": lambda block: block[:0],
    }
    models = {
        "pipeline": (make_attribution_pipeline(perturbations=()), images),
        "discriminant": (SourceDiscriminant(), rows),
        "detector": (SourceDetector(), rows),
        "fingerprints": (FingerprintClassifier(), residuals),
    }
    found = []
    for name, (model, X) in models.items():
        for change, function in changes.items():

            def learn(model=model, X=X, f=function):
                return count(model.fit(shift(X, f), y).predict(X), X)

            def predict(model=model, X=X, f=function):
                return count(model.fit(X, y).predict(shift(X, f)), X)

            found += [
                ("blocks", f"{change}, fit {name}", learn),
                ("blocks", f"{change}, predict {name}", predict),
            ]
    return found


def count(answers, X):
    """Return whether there is an answer for each image, as text."""
    right = len(answers) == len(X)
    return f"{'' if right else 'OTHER: '}{len(answers)} answers for {len(X)} images"


def _list_labels():
    """Return rows on labels, groups and conditions."""
    images, y, rows = _draw()
    residuals = images[..., 0].astype(np.float32)
    numbers = np.arange(len(y))
    missing = {
        "None": [*numbers[:-1], None],
        "NaN": np.where(numbers == 3, np.nan, numbers),
        "pandas NA": pd.array([*numbers[:-1], None], dtype="Int64"),
        "mask": np.ma.array(numbers, mask=numbers == 3),
        "text and numbers": [*numbers[:-1], "a"],
        "NUL at the end": [*map(str, numbers[:-1]), "1\0"],
    }
    found = []
    for name, groups in missing.items():
        for kind, model, X in (
            ("discriminant", SourceDiscriminant(), rows),
            ("detector", FingerprintDetector(), residuals),
        ):

            def learn(model=model, X=X, groups=groups):
                model.fit(X, y, groups=groups)
                return "OTHER: accepted"

            found.append(("groups", f"{name}, {kind}", learn))
    merged = ["a" if label else "a\0" for label in y]
    for name, labels in (
        ("NUL at the end", merged),
        ("NUL, objects", np.array(merged, dtype=object)),
        ("mask", np.ma.array(y, mask=y == 1)),
    ):

        def learn(labels=labels):
            classes = SourceDiscriminant().fit(rows, labels).classes_
            return f"OTHER: classes {classes.tolist()}"

        found.append(("labels", name, learn))
    return found


def _list_weights():
    """Return rows on weights, equal images and wide ones."""
    images, y, rows = _draw()
    found = []
    for name, model, method in (
        ("discriminant", SourceDiscriminant(), "predict_proba"),
        ("detector", SourceDetector(), "score_samples"),
        ("fingerprint detector", FingerprintDetector(), "false_alarm_probability"),
    ):
        for factor in (1000, 1 / len(y), 1e-200):

            def compare(model=model, method=method, factor=factor):
                one, other = (
                    getattr(
                        model.fit(rows, y, sample_weight=np.full(len(y), w)), method
                    )(rows)
                    for w in (1.0, factor)
                )
                same = np.allclose(one, other, atol=1e-4)
                return "right" if same else f"OTHER, by {np.abs(one - other).max():.3g}"

            found.append(("weights", f"{factor:.3g}, {name}", compare))
    for name, X in (
        ("equal", np.repeat(images[:1], len(y), axis=0)),
        ("black", np.zeros_like(images)),
    ):

        def learn(X=X):
            answers = make_attribution_pipeline(perturbations=()).fit(X, y).predict(X)
            return f"OTHER: {set(answers.tolist())}"

        found.append(("images", name, learn))

    def widen(height):
        start = time.perf_counter()
        shape = (1, height, 400_000 // height)
        wavelet_residual(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
        spent = time.perf_counter() - start
        return "right" if spent < 60 else f"OTHER: {spent:.0f} s"

    return found + [
        ("images", f"400,000 pixels, height {h}", lambda h=h: widen(h)) for h in (1, 14)
    ]


def _list_parameters():
    """Return rows on parameters and methods."""
    images, y, _ = _draw()
    long = "data:image/png;base64," + "A" * 200_000
    stated = make_attribution_pipeline(perturbations=(), false_alarm_rate=0.1)

    def fit(**params):
        make_attribution_pipeline(**params).fit(images, y)
        return "OTHER: accepted"

    def name_columns():
        with config_context(transform_output="pandas"):
            model = make_attribution_pipeline(max_perturbations=1).fit(images, y)
            return count(model.predict(images), images)

    def dispatch():
        import array_api_strict

        with config_context(array_api_dispatch=True):
            return ask(lambda: array_api_strict.asarray(IMAGES))

    rows = [(f"n_jobs={n!r}", lambda n=n: fit(n_jobs=n)) for n in ("all", 0, 1.5)]
    rows += [
        (f"perturbations={shown}", lambda p=p: fit(perturbations=p))
        for shown, p in (
            ("'none'", "none"),
            ("3", 3),
            ("['jpeg']", ["jpeg"]),
            ("a long text", long),
        )
    ]
    rows += [
        ("sigma=a long text", lambda: ResidualExtractor(sigma=long).fit(images)),
        ("sigma=a long list", lambda: ResidualExtractor(sigma=[1] * 10**5).fit(images)),
        ("background=a long text", lambda: fit(background=long)),
        ("max_perturbations=...", lambda: fit(max_perturbations=long)),
        ("predict_proba, a rate", lambda: stated.predict_proba),
        ("assess without a rate", lambda: make_attribution_pipeline().assess),
        ("output of pandas", name_columns),
        ("array API, dispatch", dispatch),
    ]
    return [("parameter", name, call) for name, call in rows]


def tell(call):
    """Return the text of a call of :func:`list_bounds`, or of its error or warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer = str(call())
        except Exception as error:
            text = str(error)
            length = f" ({len(text)} characters)" if len(text) > 1000 else ""
            return f"{type(error).__name__}{length}: {' '.join(text.split())[:150]}"
    told = [c for c in caught if issubclass(c.category, UserWarning)]
    return answer + (f" (warns: {str(told[0].message)[:90]})" if told else "")


def ask(make, expected=None, reader=None):
    """Return the outcome of an input, as text."""
    features = AttributionFeatures()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            X = make()
            pipeline = make_pipeline(reader, features)
            if isinstance(X, Path) or (
                isinstance(X, list) and X and isinstance(X[0], Path)
            ):
                pipeline = make_pipeline(ImageReader(), features)
            rows = np.asarray(pipeline.fit_transform(X))
        except (ValueError, TypeError) as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
    told = f" (warns: {str(caught[0].message)[:90]})" if caught else ""
    if expected is None:
        return f"{rows.shape[0]} rows{told}"
    same = rows.shape == expected.shape and np.allclose(rows, expected, atol=0.05)
    return ("right" if same else f"OTHER ROWS, {rows.shape}") + told


def main():
    """Print the table."""
    number = itertools.count(1)

    def show(kind, name, answer):
        print(f"{next(number):3} {kind:10} {name:20} {answer}", flush=True)

    for name, make in CONTAINERS.items():
        show("container", name, ask(lambda make=make: make(IMAGES), EXPECTED))
    for dtype in DTYPES:
        show("dtype", dtype, ask(lambda dtype=dtype: IMAGES.astype(dtype), EXPECTED))
    for name, scale in SCALES.items():
        show("scale", name, ask(lambda scale=scale: scale(IMAGES)))
        lazily = ask(
            lambda scale=scale: da.from_array(scale(IMAGES), chunks=(2, -1, -1, -1))
        )
        show("lazily", name, lazily)
    for name, cut in SIZES.items():
        show("size", name, ask(lambda cut=cut: cut(IMAGES)))
    folder = Path(tempfile.mkdtemp())
    for suffix in FORMATS:
        paths = [folder / f"{k}.{suffix}" for k in range(4)]
        try:
            for path, image in zip(paths, IMAGES, strict=True):
                Image.fromarray(image).save(path)
        except (OSError, KeyError, ValueError) as error:
            show("format", suffix, f"not written here: {error}")
            continue
        lossless = suffix in ("png", "tif", "bmp", "ppm", "tga")
        show("format", suffix, ask(lambda p=paths: p, EXPECTED if lossless else None))
    for name, (file, draw) in FILES.items():
        draw(IMAGES[0]).save(folder / file)
        show("file", name, ask(lambda file=file: [folder / file]))
    (folder / "text.png").write_text("no image")
    show("file", "text as PNG", ask(lambda: [folder / "text.png"]))
    show("file", "missing", ask(lambda: [folder / "missing.png"]))
    show("file", "folder", ask(lambda: [folder]))
    for kind, name, call in list_bounds():
        show(kind, name, tell(call))


if __name__ == "__main__":
    main()

"""Check that every kind of input gives the right features or a clear error.

``python -m benchmarks.faults.inputs`` gives images that ship with the package to the
recommended features, in every container, dtype, scale, size and file format that we
could think of. It prints "right" for the features of the unchanged images, within
rounding, or else the text of the error. It needs the extras `images` and `dask`, and
pandas and polars, and takes ten seconds.
"""

import itertools
import tempfile
import warnings
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import polars as pl
from PIL import Image
from sklearn.pipeline import make_pipeline

from skfingerprint import AttributionFeatures, ImageReader
from skfingerprint.datasets import load_generators

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


def ask(make, expected=None):
    """Return the outcome of an input, as text."""
    features = AttributionFeatures()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            X = make()
            pipeline = features
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


if __name__ == "__main__":
    main()

"""Measure the time and memory of reading files inside the recommended pipeline.

``python -m benchmarks.speed.reading`` fits the pipeline without perturbations on 20,000
paths of `registry/` (see `data/real_images.py`). It prints the time a file, beside the
times of reading alone and of features alone, and the peak memory of the fit.
``python -m benchmarks.speed.reading arrays`` fits on the same images as an array.
``python -m benchmarks.speed.reading photographs`` cuts 256 x 256 pixels out of 256
random JPEG files of 12 Mpixels, and prints the peak memory.
"""

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.pipeline import make_pipeline

from benchmarks.data.real_images import FOLDER
from skfingerprint import AttributionFeatures, ImageReader, make_attribution_pipeline


def peak():
    """Return the peak memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def read_photographs(n_files=256):
    """Print the peak memory of cutting a part out of large files."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{k}.jpg") for k in range(n_files)]
        pixels = rng.integers(0, 256, (375, 500, 3), dtype=np.uint8)
        pixels = pixels.repeat(8, axis=0).repeat(8, axis=1)
        Image.fromarray(pixels).save(paths[0], quality=90)
        del pixels
        for path in paths[1:]:
            shutil.copy(paths[0], path)
        # The peak of writing is not that of reading.
        before = peak()
        reader = ImageReader(image_shape=(256, 256))
        shape = np.asarray(reader.fit_transform(paths)).shape
    print(f"{n_files} photographs, {shape}: {peak():.2f} GiB ({before:.2f} before)")


def main(kind="files", n_files=20_000):
    """Print the memory and the time of reading in a pipeline."""
    if kind == "photographs":
        return read_photographs()
    paths = sorted((FOLDER / "registry").rglob("*.png"))
    y = np.array([path.parent.name for path in paths])
    repeats = -(-n_files // len(paths))
    many, labels = (paths * repeats)[:n_files], np.tile(y, repeats)[:n_files]
    reader, features = ImageReader(n_jobs=2), AttributionFeatures(n_jobs=2)
    few = np.stack(list(reader.fit_transform(paths[:1000])))
    features.fit_transform(few)  # compiles
    start = time.perf_counter()
    for _ in reader.transform(paths[:1000]):
        pass
    reading = (time.perf_counter() - start) / 1000
    start = time.perf_counter()
    features.transform(few)
    computing = (time.perf_counter() - start) / 1000
    pipeline = make_pipeline(reader, features)
    start = time.perf_counter()
    pipeline.fit_transform(paths[:2000])
    both = (time.perf_counter() - start) / 2000
    print(
        f"reading {1e3 * reading:.2f} ms, features {1e3 * computing:.2f} ms, ", end=""
    )
    print(f"in a pipeline {1e3 * both:.2f} ms a file: rate ", end="")
    print(f"{(reading + computing) / both:.2f} of both alone")
    if kind == "arrays":
        many = np.stack(list(reader.transform(paths)) * repeats)[:n_files]
    before, start = peak(), time.perf_counter()
    rows = n_files * 2294 * 4 / 2**30
    model = make_attribution_pipeline(perturbations=(), n_jobs=2)
    model.fit(many, labels)
    print(
        f"{n_files} {kind}: fit {time.perf_counter() - start:.0f} s, {peak():.2f} GiB ",
        end="",
    )
    print(f"({before:.2f} before; their features are {rows:.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])

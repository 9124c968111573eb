"""Measure reading: files by a pipeline, and images of different sizes.

``python benchmarks/files.py [files] [sizes]`` on the images of `registry/`, `modern/`
and `wild/` (see `real_images.py`).

* ``files``: the recommended pipeline, without copies, on 20,000 paths: memory, and time
  beside that of reading alone and of features alone;
* ``sizes``: what size does to accuracy, of a model that was fitted at one size, and of
  models that were fitted on several.
"""

import resource
import sys
import time

import numpy as np
from real_images import FOLDER, read_images, read_registry, reference_split
from sklearn.pipeline import make_pipeline

from skfingerprint import AttributionFeatures, ImageReader, make_attribution_pipeline


def peak():
    """Return the peak memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure_files(n_files=20_000):
    """Print the memory and the time of reading in a pipeline."""
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
    before, start = peak(), time.perf_counter()
    rows = n_files * 3824 * 4 / 2**30
    model = make_pipeline(reader, make_attribution_pipeline(perturbations=(), n_jobs=2))
    model.fit(many, labels)
    print(
        f"{n_files} files: fit {time.perf_counter() - start:.0f} s, {peak():.2f} GiB ",
        end="",
    )
    print(f"({before:.2f} before; their features are {rows:.2f})")


def crop(images, sides, seed=0):
    """Return central parts, whose corners lie on a grid of 16 px."""
    found = []
    for image, (height, width) in zip(images, sides, strict=True):
        top, left = (
            max(whole - part, 0) // 2 // 16 * 16
            for whole, part in zip(image.shape[:2], (height, width), strict=True)
        )
        found.append(image[top : top + height, left : left + width])
    return found


def measure_sizes():
    """Print accuracies by size."""
    X, y, test = read_registry()
    model = make_attribution_pipeline(perturbations=(), n_jobs=2)
    model.fit(X[~test], y[~test])
    print("registry, fitted at 128x128:", end="")
    for size in ((128, 128), (96, 96), (64, 64), (128, 64), (101, 77), (33, 128)):
        asked = crop(X[test], [size] * test.sum())
        print(
            f" {size[0]}x{size[1]} {model.score(asked, y[test]):.3f}",
            end=",",
            flush=True,
        )
    print()
    rng = np.random.default_rng(0)
    sides = np.array([256, 192, 128, 96])
    for name in ("modern/", "wild/"):
        data = read_images(name)
        if name == "modern/":
            numbers = ["".join(filter(str.isdigit, g)) for g in data.groups]
            test = np.array([int(number) % 2 == 1 for number in numbers])
        else:
            test = reference_split(data.groups)
        drawn = sides[rng.integers(4, size=len(data.images))]
        mixed = crop(data.images, np.stack([drawn, drawn], axis=1))
        fit = np.flatnonzero(~test)
        model = make_attribution_pipeline(perturbations=(), n_jobs=2)
        model.fit([mixed[i] for i in fit], data.sources[fit])
        print(f"{name} fitted on {len(fit)} crops of 256, 192, 128 and 96:", end="")
        for side in sides:
            asked = crop(data.images[test], [(side, side)] * test.sum())
            print(
                f" {side} {model.score(asked, data.sources[test]):.3f}",
                end=",",
                flush=True,
            )
        print(f" n = {test.sum()}")


PARTS = {"files": measure_files, "sizes": measure_sizes}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()

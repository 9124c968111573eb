"""Measure how the size of images changes the accuracy of the recommended pipeline.

``python -m benchmarks.accuracy.sizes`` fits the pipeline without perturbations on the
images of `registry/`, `modern/` and `wild/` (see `data/real_images.py`). One model is
fitted on images of one size and attributes crops of other sizes; two more are fitted on
crops of several sizes. Even scenes and prompts fit, odd ones test.
"""

import numpy as np

from benchmarks.data.real_images import read_images, read_registry, reference_split
from skfingerprint import make_attribution_pipeline


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


def main():
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


if __name__ == "__main__":
    main()

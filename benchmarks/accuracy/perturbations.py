"""Choose the perturbations of the default list, on the half of the scenes for fitting.

``python -m benchmarks.accuracy.perturbations --folder FOLDER`` describes the images of
`registry/` (see `data/real_images.py`) that the reference split fits on, under each
candidate and under the perturbations of `accuracy/robustness.py`, and keeps the rows in
a folder. Two halves of their scenes are fitted and tested in turn. It prints the mean
accuracy over all tests of the default list, with and without kinds of conditions, of
the default list without each of its perturbations, and of lists that start with the
unprocessed images and grow by the candidate that raises the mean accuracy most. No
image that the pages test on is read.

``--start NAME ...`` begins with these candidates, and ``--today`` adds the candidates
`TODAY` and the rows of `accuracy/everyday.py` to those that are averaged. Larger copies
are cut to the size of the images, as the pipeline does.

The second moments of the rows add up over conditions, so that a list costs two
factorizations for all conditions, and two for each kind.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy import linalg
from sklearn.pipeline import make_pipeline

from benchmarks.accuracy.everyday import ROWS, change_images
from benchmarks.accuracy.robustness import PERTURBATIONS
from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import AttributionFeatures
from skfingerprint._attribution.condition_kinds import MOST_KINDS, find_kinds
from skfingerprint._attribution.copies import cut_copies
from skfingerprint._attribution.lda import score_kinds
from skfingerprint.perturbation import (
    COMMON_PERTURBATIONS,
    AVIFCompression,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    RandomPerturbation,
    Resize,
    WebPCompression,
)

SHRINKAGE = 0.02


def draw(perturbation, **distributions):
    """Return a perturbation with random strengths."""
    return RandomPerturbation(perturbation, distributions)


CANDIDATES = {
    "JPEG 95": JPEGCompression(quality=95),
    "JPEG 80..95": draw(JPEGCompression(), quality=range(80, 96)),
    "JPEG 60..85": draw(JPEGCompression(), quality=range(60, 86)),
    "JPEG 45..80": draw(JPEGCompression(), quality=range(45, 81)),
    "JPEG 65..92, 4:4:4": draw(
        JPEGCompression(subsampling="4:4:4"), quality=range(65, 93)
    ),
    "JPEG twice": draw(
        make_pipeline(JPEGCompression(), JPEGCompression()),
        **{"jpegcompression-1__quality": range(80, 96)},
        **{"jpegcompression-2__quality": range(65, 91)},
    ),
    "WebP 70..92": draw(WebPCompression(), quality=range(70, 93)),
    "noise 1..4": draw(GaussianNoise(), std=np.linspace(1, 4, 31)),
    "noise 3..10": draw(GaussianNoise(), std=np.geomspace(3, 10, 31)),
    "resize .5...85": draw(Resize(), scale=np.linspace(0.5, 0.85, 36)),
    "resize .75..1": draw(Resize(), scale=np.linspace(0.75, 0.99, 36)),
    "blur .3..1": draw(GaussianBlur(), std=np.linspace(0.3, 1, 36)),
    "blur .8..2": draw(GaussianBlur(), std=np.geomspace(0.8, 2, 36)),
    "resize, JPEG": draw(
        make_pipeline(Resize(), JPEGCompression()),
        resize__scale=np.linspace(0.55, 1, 46),
        jpegcompression__quality=range(65, 96),
    ),
    "JPEG 85": JPEGCompression(quality=85),
    "noise 5": GaussianNoise(std=5.0),
    "noise 10": GaussianNoise(std=10.0),
    "resize .5": Resize(scale=0.5),
    "blur 1": GaussianBlur(std=1.0),
    "blur 2": GaussianBlur(std=2.0),
}


def draw_scales(low, high):
    """Return a resizing by scales from a stratum, which keeps the new size."""
    return draw(Resize(restore=False, min_side=32), scale=np.linspace(low, high, 36))


TODAY = {
    "left at .5": Resize(scale=0.5, restore=False, min_side=32),
    "left at .48...62": draw_scales(0.48, 0.62),
    "left at .62...85": draw_scales(0.62, 0.85),
    "left at 1.1..1.5": draw_scales(1.1, 1.5),
    "left at 1.5..2": draw_scales(1.5, 2),
    "left at 1.2..2": draw_scales(1.2, 2),
    "JPEG 70..95, repeated": draw(
        JPEGCompression(upsampling="repeat"), quality=range(70, 96)
    ),
    "JPEG 70..95, by DCT": draw(
        JPEGCompression(upsampling="dct"), quality=range(70, 96)
    ),
    "JPEG 80..95, repeated or by DCT": draw(
        JPEGCompression(), quality=range(80, 96), upsampling=("repeat", "dct")
    ),
    "AVIF 55..90": draw(AVIFCompression(speed=10), quality=range(55, 91)),
}


def describe(images, path):
    """Return rows of images, from the file of an earlier run if it exists."""
    if not path.exists():
        start = time.process_time()
        np.save(path, AttributionFeatures().fit_transform(images))
        spent = (time.process_time() - start) / len(images)
        print(f"{path.stem}: features {1e3 * spent:.2f} ms an image", flush=True)
    return np.load(path)


def describe_copies(images, perturbation, path):
    """Return rows of perturbed copies; print the processor time of perturbing one."""
    if path.exists() or perturbation is None:
        return describe(images, path)
    start = time.process_time()
    copies = cut_copies(perturbation.fit_transform(images), images)
    spent = (time.process_time() - start) / len(images)
    print(f"{path.stem}: perturbed in {1e3 * spent:.2f} ms an image", flush=True)
    return describe(copies, path)


def sum_moments(rows, members, n_sources):
    """Return the products of rows, their sums by source, and the counts."""
    sums = np.zeros((n_sources, rows.shape[1]))
    np.add.at(sums, members, rows)
    return rows.T @ rows, sums, np.bincount(members, minlength=n_sources)


def solve_kinds(moments, unit, kinds):
    """Return the discriminants of all conditions, and of each kind."""
    solved = [solve(moments, range(len(moments)), unit)]
    for kind in range(kinds.max() + 1 if kinds.any() else 0):
        solved.append(solve(moments, np.flatnonzero(kinds == kind), unit))
    return solved


def solve(moments, numbers, unit):
    """Return the discriminants of sources, and of sources in some conditions."""
    moments = [moments[number] for number in numbers]
    squares = sum(part[0] for part in moments)
    cells = np.concatenate([part[1] for part in moments])
    counts = np.concatenate([part[2] for part in moments])
    n_sources = len(moments[0][2])
    owners = np.tile(np.arange(n_sources), len(moments))
    conditions = np.repeat(numbers, n_sources)
    pooled = cells.reshape(len(moments), n_sources, -1).sum(axis=0)
    sources = np.arange(n_sources)
    n_pooled = counts.reshape(len(moments), -1).sum(axis=0)
    parts = [(pooled, n_pooled, sources, 0 * sources)]
    if len(moments) > 1:
        parts.append((cells, counts, owners, conditions))
    return [solve_one(squares, unit, *part) for part in parts]


def solve_one(squares, unit, sums, counts, owners, conditions):
    """Solve one discriminant with a fixed shrinkage."""
    roots = (sums / np.sqrt(counts)[:, None]).astype(np.float32)
    within = (squares - roots.T @ roots) / (counts.sum() - len(counts))
    within = within / unit / unit[:, None]
    level = np.trace(within) / len(within)
    within *= 1 - SHRINKAGE
    within.flat[:: len(within) + 1] += SHRINKAGE * level
    means = (sums / counts[:, None] / unit).astype(np.float32)
    coef = linalg.solve(within.astype(np.float32), means.T, assume_a="pos").T
    intercept = -0.5 * np.einsum("kd,kd->k", coef, means)
    return coef / unit, intercept, owners, conditions


def main():
    """Describe the images, and add candidates one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--start", nargs="*", default=[])
    parser.add_argument("--today", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    data = read_images("registry/")
    fit = ~reference_split(data.groups) & (data.sources != "real-photo")
    images, groups = data.images[fit], data.groups[fit]
    members = np.unique(data.sources[fit], return_inverse=True)[1]
    half = np.unique(groups, return_inverse=True)[1] % 2 == 0
    default = {
        f"{i} ({type(change).__name__})": change
        for i, change in enumerate(COMMON_PERTURBATIONS)
    }
    candidates = CANDIDATES | (TODAY if args.today else {})
    rows, tests = (
        {
            name: describe_copies(images, change, args.folder / f"{prefix} {i}.npy")
            for i, (name, change) in enumerate(changes.items())
        }
        for prefix, changes in (
            ("fit", {"clean": None} | default | candidates),
            ("test", PERTURBATIONS),
        )
    )
    if args.today:
        for i, (name, changed) in enumerate(change_images(images, ROWS)):
            tests[name] = describe(changed, args.folder / f"today {i}.npy")
    judge = make_judge(rows, tests, members, half)
    for most in (1, MOST_KINDS):
        print(f"\ndefault list, at most {most} kinds of conditions")
        show(["clean", *default], judge(["clean", *default], most), tests)
    for left in default:
        names = [name for name in ("clean", *default) if name != left]
        print(f"without {left}: {judge(names).mean():.4f}", flush=True)
    chosen = ["clean", *args.start]
    show(chosen, judge(chosen), tests)
    while len(chosen) <= min(args.steps, len(candidates)):
        left = [name for name in candidates if name not in chosen]
        scores = {name: judge([*chosen, name]) for name in left}
        best = max(left, key=lambda name: scores[name].mean())
        chosen.append(best)
        show(chosen, scores[best], tests)


def make_judge(rows, tests, members, half):
    """Return the function that measures the accuracies of a list.

    Parameters
    ----------
    rows, tests : dict of ndarray of shape (n_images, n_columns)
        Rows under the candidates, and under the tests.
    members : ndarray of shape (n_images,), int
        Source of each image.
    half : ndarray of shape (n_images,), bool
        Images of one half of the scenes.

    Returns
    -------
    judge : callable
    """
    center = rows["clean"].mean(axis=0)
    unit = rows["clean"].std(axis=0) + 1e-3
    splits = [
        (
            {
                name: sum_moments(part[own] - center, members[own], members.max() + 1)
                for name, part in rows.items()
            },
            {name: part[~own] - center for name, part in tests.items()},
            members[~own],
        )
        for own in (half, ~half)
    ]

    def judge(names, most=MOST_KINDS):
        few = [rows[name][:80] for name in names]
        numbers = np.repeat(np.arange(len(names)), [len(part) for part in few])
        counts = np.full((members.max() + 1, len(names)), half.sum())
        kinds = find_kinds(np.concatenate(few), numbers, counts, most)
        found = []
        for moments, parts, truth in splits:
            solved = solve_kinds([moments[name] for name in names], unit, kinds)
            scores = [score_kinds(part, solved, kinds)[0] for part in parts.values()]
            found.append([np.mean(score.argmax(axis=1) == truth) for score in scores])
        return np.mean(found, axis=0)

    return judge


def show(chosen, scores, tests):
    """Print the accuracies of a list."""
    print(f"{len(chosen) - 1} perturbations, + {chosen[-1]}: {scores.mean():.4f}")
    print(", ".join(f"{n} {s:.3f}" for n, s in zip(tests, scores, strict=True)))
    print(flush=True)


if __name__ == "__main__":
    main()

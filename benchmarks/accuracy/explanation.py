"""Check the explanations of the recommended pipeline on real images.

``python -m benchmarks.accuracy.explanation`` fits on the even groups of `registry/`
(see `data/real_images.py`) and explains the odd groups, once without perturbations and
once with the default ones. It prints

* how nearly the contributions add up to the scores;
* how much each family of features contributes to the right source, compared with the
  next one;
* how many answers change if the features with the largest contributions are replaced
  by the mean over the sources, compared with as many random features;
* how far the largest contribution lies from a planted frequency.

It takes five to ten minutes; ``--quick`` leaves the perturbations out.
"""

import argparse
import time

import numpy as np

from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import make_attribution_pipeline
from skfingerprint.explanation import explain_attribution

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2)
# Where waves are planted: sharp, rough and smooth images.
PLANTED = ("mobilestylegan-ffhq", "style26-0", "srgan-pre")
N_FREQUENCIES = 8


def check(pipeline, images, y):
    """Print the checks of the explanations of test images."""
    rows = pipeline[:-1].transform(images).astype(np.float64)
    classifier = pipeline[-1]
    print(f"  accuracy {np.mean(classifier.predict(rows) == y):.3f}, n = {len(y)}")
    start = time.perf_counter()
    found = explain_attribution(classifier, rows)
    spent = 1e3 * (time.perf_counter() - start) / len(rows)
    total = found.contributions.sum(axis=1) + found.baseline_difference
    for name, scores in (
        ("float64", classifier.decision_function(rows)),
        ("float32", pipeline.decision_function(images)),
    ):
        rest = np.abs(total - subtract(scores, classifier.classes_, found))
        print(
            f"  rest, {name} features: mean {rest.mean():.1e}, worst {rest.max():.1e}"
        )
    print(f"  difference of scores {found.difference.mean():.1f} on average")
    print(f"  {spent:.1f} ms an image, features not counted")
    delete(classifier, rows, found)


def subtract(scores, classes, found):
    """Return the scores of the sources less those of the others."""
    pair = [np.searchsorted(classes, found[name]) for name in ("source", "other")]
    parts = np.take_along_axis(scores, np.stack(pair, axis=1), axis=1)
    return parts[:, 0].astype(np.float64) - parts[:, 1]


def print_families(pipeline, images, y):
    """Print the contributions of families to the right source, against the next."""
    found = explain_attribution(pipeline, images, source=y)
    gain = (found.difference - found.baseline_difference).mean()
    print("  share of the mean contribution to the right source against the next:")
    for name, values in found.families.items():
        share, against = values.mean() / gain, np.mean(values < 0)
        print(f"    {name:20s} {share:.2f}; below 0 in {against:.2f} of the images")


def delete(classifier, rows, found):
    """Print how many answers change if features become those of the mean."""
    order = np.argsort(-found.contributions, axis=1)
    random = np.random.default_rng(0).permuted(order, axis=1)
    for share in SHARES:
        n = round(share * rows.shape[1])
        changed = []
        for columns in (order, random):
            edited = rows.copy()
            places = columns[:, :n]
            np.put_along_axis(edited, places, classifier.mean_[places], axis=1)
            changed.append(np.mean(classifier.predict(edited) != found.source))
        print(
            f"  without {share:.0%} of the features: {changed[0]:.3f} change, random "
            f"{changed[1]:.3f}"
        )


def plant(images, groups, test):
    """Print how far the largest contribution lies from a planted frequency."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[: images.shape[1], : images.shape[2]]
    kinds, away, right = ("residual_spectrum", "spectrum"), [], []
    for _ in range(N_FREQUENCIES):
        row, column = rng.integers(-14, 15), rng.integers(2, 15)
        wave = np.cos(2 * np.pi * (row * down + column * across) / 32)[..., np.newaxis]
        altered = np.clip(np.rint(images + wave), 0, 255).astype(np.uint8)
        X, y = np.concatenate([images, altered]), np.repeat([0, 1], len(images))
        fit = np.tile(~test, 2)
        pipeline = make_attribution_pipeline(perturbations=(), n_jobs=2)
        pipeline.fit(X[fit], y[fit], groups=np.tile(groups, 2)[fit])
        right.append(pipeline.score(X[~fit], y[~fit]))
        found = explain_attribution(pipeline, altered[test], source=1)
        place = 16 + row, column
        away.append([find_distance(found.spectra[kind], place) for kind in kinds])
    print(f"    told from those without: {np.mean(right):.3f}, worst {min(right):.3f}")
    for kind, cells in zip(kinds, np.transpose(away), strict=True):
        own, next_to = (np.sum(cells == n) for n in (0, 1))
        print(
            f"    {kind}: the largest mean contribution is the wave's own in {own} of "
            f"{N_FREQUENCIES}, that of a neighbor in {next_to}"
        )


def find_distance(spectra, place):
    """Return how many cells the largest mean contribution lies from a frequency."""
    plane = spectra.sum(axis=1).mean(axis=0)
    largest = np.unravel_index(plane.argmax(), plane.shape)
    return np.abs(np.subtract(largest, place)).max()


def main():
    """Print all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="no copies")
    options = parser.parse_args()
    data = read_images("registry/")
    images, y, groups = data.images, data.sources, data.groups
    test = reference_split(groups)
    for copies in ((), "common")[: 1 if options.quick else 2]:
        print("usual copies" if copies else "no copies", flush=True)
        pipeline = make_attribution_pipeline(perturbations=copies, n_jobs=2)
        pipeline.fit(images[~test], y[~test], groups=groups[~test])
        check(pipeline, images[test], y[test])
        print_families(pipeline, images[test], y[test])
    print(f"a wave of 1 grey level planted, {N_FREQUENCIES} frequencies", flush=True)
    for source in PLANTED:
        own = y == source
        print(f"  in images of {source}, n = {test[own].sum()}", flush=True)
        plant(images[own], groups[own], test[own])


if __name__ == "__main__":
    main()

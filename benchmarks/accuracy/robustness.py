"""Measure attribution after compression, resizing, blur, noise and crops.

``python -m benchmarks.accuracy.robustness`` measures on the images of `registry/` and
`wild/` (see `data/real_images.py`) and on the images that ship with the package.
Everything is fitted on one half of the scenes and tested on the other. It compares the
paper's rule, the recommended pipeline without perturbations and the recommended
pipeline, and prints

* the accuracy on perturbed images, with the paired difference from the paper's rule;
* log loss and calibration error, for 20, 10 and 8 sources;
* accuracies by the number of copies and of images a source, beside ridge regression;
* accuracies with several images of one source together, on crops, and after JPEG at
  quality 75;
* the memory of a fit on more and more rows.

It takes about 25 minutes on two cores.
"""

import resource
import time

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.data.real_images import read_images, read_registry
from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    ResidualExtractor,
    SourceDiscriminant,
    make_attribution_pipeline,
)
from skfingerprint._core import BlockSource
from skfingerprint.datasets import load_generators
from skfingerprint.perturbation import (
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    Resize,
    WebPCompression,
)

PERTURBATIONS = (
    {"clean": None}
    | {f"JPEG {q}": JPEGCompression(quality=q) for q in (95, 85, 80, 75, 70, 50)}
    | {"JPEG 75 4:4:4": JPEGCompression(quality=75, subsampling="4:4:4")}
    | {
        "JPEG 90, 80": make_pipeline(
            JPEGCompression(quality=90), JPEGCompression(quality=80)
        )
    }
    | {"WebP 80": WebPCompression(quality=80)}
    | {f"noise {s:g}": GaussianNoise(std=s, random_state=7) for s in (2, 3, 5, 10)}
    | {f"blur {s:g}": GaussianBlur(std=s) for s in (0.5, 0.7, 1, 2)}
    | {f"resize {s:g}": Resize(scale=s) for s in (0.9, 0.5)}
    | {
        "resize .6, JPEG 85": make_pipeline(
            Resize(scale=0.6), JPEGCompression(quality=85)
        )
    }
)
FEW = {name: PERTURBATIONS[name] for name in ("clean", "JPEG 95", "JPEG 75")}


def make_models():
    """Return the three pipelines."""
    return {
        "correlation": make_pipeline(
            ResidualExtractor(n_jobs=2), FingerprintClassifier()
        ),
        "without copies": make_attribution_pipeline(perturbations=(), n_jobs=2),
        "recommended": make_attribution_pipeline(n_jobs=2),
    }


def fit(model, X, y, groups):
    """Fit a clone, by scenes if it takes them; print the time and the memory."""
    key = {"classifier__groups": groups} if "classifier" in dict(model.steps) else {}
    start = time.perf_counter()
    fitted = clone(model).fit(X, y, **key)
    spent = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"    fit {spent:.1f} s, peak so far {peak:.2f} GiB", flush=True)
    return fitted


def change(X, perturbation):
    """Return perturbed images."""
    return X if perturbation is None else clone(perturbation).fit_transform(X)


def measure(X, y, groups, test, title, perturbations=PERTURBATIONS):
    """Print accuracies, and return the fitted models."""
    print(f"\n{title}: {len(set(y))} sources, {(~test).sum()} fit, {test.sum()} test")
    rights, fitted = {}, {}
    for name, model in make_models().items():
        print(name)
        fitted[name] = fit(model, X[~test], y[~test], groups[~test])
        rights[name] = {
            label: fitted[name].predict(change(X[test], perturbation)) == y[test]
            for label, perturbation in perturbations.items()
        }
    print(f"{'':20s}" + "".join(f"{name:>16s}" for name in rights) + "   difference")
    for label in perturbations:
        right = [rights[name][label] for name in rights]
        gain = right[2].astype(float) - right[0]
        error = 1.96 * gain.std() / np.sqrt(len(gain))
        row = "".join(f"{part.mean():16.3f}" for part in right)
        print(f"{label:20s}{row}   {gain.mean():+.3f} +- {error:.3f}", flush=True)
    return fitted


def print_calibration(model, X, y, title, perturbations=PERTURBATIONS):
    """Print log losses and expected calibration errors in ten bins."""
    print(f"\n{title}: log loss, calibration error, largest probability")
    for label, perturbation in perturbations.items():
        found = model.predict_proba(change(X, perturbation))
        largest = found.max(axis=1)
        right = model.classes_[found.argmax(axis=1)] == y
        bins = np.minimum((10 * largest).astype(int), 9)
        gaps = [
            np.mean(bins == b)
            * abs(right[bins == b].mean() - largest[bins == b].mean())
            for b in np.unique(bins)
        ]
        loss = log_loss(y, found, labels=model.classes_)
        print(f"{label:20s} {loss:.3f} {sum(gaps):.3f} {largest.max():.6f}", flush=True)


def make_ridge():
    """Return the pipeline of version 0.1.0: features and ridge regression."""
    return make_pipeline(
        AttributionFeatures(n_jobs=2),
        FunctionTransformer(np.float64),
        StandardScaler(),
        RidgeClassifier(alpha=100),
    )


def print_growth(X, y, groups, test, draws=5):
    """Print clean accuracies by the number of images of a source, beside ridge."""
    print("\nImages a source, clean: discriminant, ridge, mean of five draws")
    rng = np.random.default_rng(0)
    features = AttributionFeatures(n_jobs=2)
    rows = features.fit_transform(X)
    models = SourceDiscriminant(), make_ridge()[1:]
    for n in (3, 4, 8, 16, 82):
        found = []
        for _ in range(draws if n < 82 else 1):
            order = rng.permutation(np.flatnonzero(~test))
            few = np.concatenate([order[y[order] == name][:n] for name in np.unique(y)])
            fits = [
                models[0].fit(rows[few], y[few], groups=None),
                models[1].fit(rows[few], y[few]),
            ]
            found.append([model.score(rows[test], y[test]) for model in fits])
        print(f"n = {n:2d}: " + " ".join(f"{m:.3f}" for m in np.mean(found, axis=0)))


def print_copies(X, y, groups, test):
    """Print accuracies by the number of copies of each image."""
    for n in (4, 8):
        print(f"\n{n} copies of each image")
        model = fit(
            make_attribution_pipeline(max_perturbations=n, n_jobs=2),
            X[~test],
            y[~test],
            groups[~test],
        )
        for label in ("clean", "JPEG 95", "JPEG 75", "noise 5", "resize 0.5"):
            score = model.score(change(X[test], PERTURBATIONS[label]), y[test])
            print(f"    {label}: {score:.3f}", flush=True)


def print_together(model, X, y, perturbation):
    """Print accuracies of the summed scores of several images of one source."""
    scores = model.decision_function(change(X, perturbation))
    rng = np.random.default_rng(0)
    for n in (1, 2, 4):
        right = []
        for name in np.unique(y):
            own = rng.permutation(np.flatnonzero(y == name))
            own = own[: len(own) // n * n].reshape(-1, n)
            best = scores[own].sum(axis=1).argmax(axis=1)
            right.extend(model.classes_[best] == name)
        print(f"JPEG 75, {n} images of one source together: {np.mean(right):.3f}")


def print_limits(X, y, groups, test):
    """Print accuracies after JPEG 75 if trained on it alone, by size and number."""
    compressed = JPEGCompression(quality=75).fit_transform(X)
    for side in (64, 96, 128):
        for share in (1, 2):
            kept = np.flatnonzero(~test)[::share]
            model = make_attribution_pipeline(perturbations=(), n_jobs=2)
            part = compressed[:, :side, :side]
            model.fit(part[kept], y[kept], classifier__groups=groups[kept])
            score = model.score(part[test], y[test])
            print(
                f"JPEG 75 alone, {side} px, {len(kept)} images: {score:.3f}", flush=True
            )


def print_crops(X, y, groups, test, side=112):
    """Print accuracies on parts cut at other offsets than in the fit."""
    model = make_attribution_pipeline(perturbations=(), n_jobs=2)
    model.fit(X[~test, :side, :side], y[~test], classifier__groups=groups[~test])
    for down, right in ((0, 0), (1, 1), (8, 8), (16, 16), (3, 5), (13, 6)):
        part = X[test, down : down + side, right : right + side]
        print(
            f"crop at ({down}, {right}): {model.score(part, y[test]):.3f}", flush=True
        )


def print_rows(d=2000):
    """Print time and memory of the discriminant on more and more rows."""
    for n in (1_000, 10_000, 100_000):

        def read(k):
            rng = np.random.default_rng(k)
            return rng.standard_normal((500, d), dtype=np.float32)

        start = time.perf_counter()
        SourceDiscriminant().fit(
            BlockSource(read, [500] * (n // 500)), np.arange(n) % 20
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{n} rows of {d}: {time.perf_counter() - start:.1f} s, {peak:.2f} GiB")


def main():
    """Print all tables."""
    print_rows()
    X, y, test = read_registry()
    groups = read_images("registry/").groups
    models = measure(X, y, groups, test, "registry, 128x128")
    for name in ("without copies", "recommended"):
        print_calibration(models[name], X[test], y[test], f"{name}, 20 sources")
    print_together(models["recommended"], X[test], y[test], JPEGCompression(quality=75))
    ten = np.isin(y, np.unique(y)[::2])
    data = load_generators()
    half = ~np.isin(data.groups, np.unique(data.groups)[::2])
    names = data.target_names[data.target]
    sets = {
        "10 registry sources": (X[ten], y[ten], groups[ten], test[ten]),
        "8 embedded sources": (data.images, names, data.groups, half),
    }
    for title, (images, sources, scenes, odd) in sets.items():
        fitted = measure(images, sources, scenes, odd, title)
        for name in ("without copies", "recommended"):
            both = images[odd], sources[odd]
            print_calibration(fitted[name], *both, f"{name}, {title}", FEW)
    print_growth(X, y, groups, test)
    print_copies(X, y, groups, test)
    print_limits(X, y, groups, test)
    print_crops(X, y, groups, test)
    wild = read_images("wild/")
    order = np.random.default_rng(0).permutation(np.unique(wild.groups))
    odd = np.isin(wild.groups, order[::2])
    measure(wild.images, wild.sources, wild.groups, odd, "wild, 256x256")


if __name__ == "__main__":
    main()

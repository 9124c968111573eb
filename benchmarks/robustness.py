"""Print what attributions survive: compression, resizing, blur, noise and crops.

``python benchmarks/robustness.py --out docs/images`` on the images of `registry/` and
`wild/` (see `real_images.py`). Fits on the reference split, clean, and prints the
accuracies on perturbed test images of

(a) the paper's rule, correlation with fingerprints,
(b) spectra of the residual into shrinkage LDA,
(c) the recommended pipeline,
(d) the same, trained on perturbed copies too,

then accuracies by the number of training images, on crops, and of wild images; the
probabilities' calibration; time and memory. About 15 minutes on two cores.
"""

import argparse
import resource
import time
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import numpy as np
from real_images import read_images, read_registry
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import label_binarize

from skfingerprint import (
    FingerprintClassifier,
    ResidualExtractor,
    SpectrumTransformer,
    make_attribution_pipeline,
)
from skfingerprint.metrics import robustness_curve
from skfingerprint.perturbation import (
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    Resize,
)
from skfingerprint.plotting import RobustnessDisplay

PERTURBATIONS = (
    {"clean": None}
    | {f"JPEG {q}": JPEGCompression(q) for q in (95, 85, 75, 50)}
    | {f"blur {s:g}": GaussianBlur(s) for s in (0.5, 1, 2)}
    | {f"noise {s:g}": GaussianNoise(s) for s in (2, 5, 10)}
    | {f"resize {s:g}": Resize(s) for s in (0.9, 0.75, 0.5)}
)
TRAINED_ON = (
    [JPEGCompression(q) for q in (95, 90, 85, 75, 65, 50)]
    + [GaussianBlur(s) for s in (0.5, 1, 2)]
    + [GaussianNoise(s) for s in (5, 10)]
    + [Resize(s) for s in (0.9, 0.5)]
)


def make_models():
    """Return the four pipelines."""
    return {
        "(a) correlation": make_pipeline(
            ResidualExtractor(n_jobs=2), FingerprintClassifier()
        ),
        "(b) spectrum": make_pipeline(
            ResidualExtractor(sigma=1, n_jobs=2),
            SpectrumTransformer(n_jobs=2),
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        ),
        "(c) recommended": make_attribution_pipeline(n_jobs=2),
        "(d) with copies": make_attribution_pipeline(
            perturbations=TRAINED_ON, n_jobs=2
        ),
    }


def measure(models, X, y, test, title):
    """Fit, print and return the table of accuracies."""
    print(f"\n{title}: {len(set(y))} sources, {(~test).sum()} fit, {test.sum()} test")
    scores = {}
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X[~test], y[~test])
        fitted = time.perf_counter()
        predicted = model.predict(X[test])
        done = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{name}: fit {fitted - start:.0f} s, predict {done - fitted:.0f} s, "
            f"peak so far {peak:.2f} GiB, {np.mean(predicted == y[test]):.3f}",
            flush=True,
        )
        curve = robustness_curve(model, X[test], y[test], PERTURBATIONS)
        scores[name] = curve.scores
        for label, score in zip(curve.names, curve.scores, strict=True):
            print(f"    {label:12s} {score:.3f}")
    return scores


def print_calibration(model, X, y):
    """Print AUC, log loss and the expected calibration error in ten bins."""
    probabilities = model.predict_proba(X)
    truth = label_binarize(y, classes=model.classes_)
    auc = roc_auc_score(truth, probabilities, average="macro")
    largest = probabilities.max(axis=1)
    right = model.classes_[probabilities.argmax(axis=1)] == y
    bins = np.minimum((10 * largest).astype(int), 9)
    error = sum(
        np.mean(bins == b) * abs(right[bins == b].mean() - largest[bins == b].mean())
        for b in np.unique(bins)
    )
    loss = log_loss(y, probabilities, labels=model.classes_)
    print(f"macro AUC {auc:.4f}, log loss {loss:.3f}, calibration error {error:.3f}")


def print_growth(X, y, test, draws=5):
    """Print accuracies by the number of images of a source."""
    rng = np.random.default_rng(0)
    for n in (4, 8, 16, 32, 64):
        accuracies = []
        for _ in range(draws):
            order = rng.permutation(np.flatnonzero(~test))
            few = np.concatenate([order[y[order] == name][:n] for name in np.unique(y)])
            model = make_attribution_pipeline(n_jobs=2)
            model.fit(X[few], y[few])
            accuracies.append(model.score(X[test], y[test]))
        print(
            f"n = {n:2d}: {np.mean(accuracies):.3f}, spread {np.std(accuracies):.3f}",
            flush=True,
        )


def print_crops(X, y, test, side):
    """Print accuracies on parts cut at other offsets than in the fit."""
    model = make_attribution_pipeline(n_jobs=2)
    model.fit(X[~test, :side, :side], y[~test])
    for down, right in ((0, 0), (1, 1), (8, 8), (16, 16), (3, 5), (13, 6)):
        part = X[test, down : down + side, right : right + side]
        print(
            f"crop at ({down}, {right}): {model.score(part, y[test]):.3f}", flush=True
        )


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    X, y, test = read_registry()
    models = make_models()
    scores = measure(models, X, y, test, "registry, 128x128")
    for name in ("(c) recommended", "(d) with copies"):
        print(name, end=": ")
        print_calibration(models[name], X[test], y[test])
    display = RobustnessDisplay(list(PERTURBATIONS), scores, chance_level=1 / 20)
    display.plot().figure_.savefig(options.out / "robustness.png", dpi=75)
    print_growth(X, y, test)
    print_crops(X, y, test, 112)
    data = read_images("wild/")
    order = np.random.default_rng(0).permutation(np.unique(data.groups))
    test = np.isin(data.groups, order[::2])
    measure(make_models(), data.images, data.sources, test, "wild, 256x256")


if __name__ == "__main__":
    main()

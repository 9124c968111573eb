"""Repeat the experiments of Marra et al. (2019) and draw their figures.

``python -m benchmarks.accuracy.reproduce --many MANY --out docs/images/reproduction``
measures on the images of `registry/`, `wild/` and `cameras/` (see
`data/real_images.py`). MANY is a folder with 640 images of each of two networks, which
``benchmarks/data/make_many.py`` makes; without it the part on two networks is left out.
It takes about a minute on two cores.

It prints every figure of the page "Reproducing Marra et al. (2019)".
"""

import argparse
import io
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

from benchmarks.data.real_images import read_images, read_registry
from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.correlation import correlation_matrix
from skfingerprint.datasets import load_image_folder
from skfingerprint.metrics import (
    average_correlation_matrix,
    energy_curve,
    fit_energy_curve,
    same_and_cross_correlations,
)
from skfingerprint.plotting import (
    AutocorrelationDisplay,
    CorrelationHistogramDisplay,
    CorrelationMatrixDisplay,
    EnergyCurveDisplay,
    FingerprintDisplay,
    OneVsRestRocDisplay,
    SourceConfusionDisplay,
    SpectrumDisplay,
)

FAMILIES = {
    "style26": ["style26-0", "style26-7", "style26-12", "style26-19"],
    "span": ["2xHFA2kSPAN_27k", "4xSPANkendata", "ClearReality4x"],
    "rrdb": ["realesrgan-x4plus", "realesrgan-x4plus-anime", "realsr-df2k"],
    "srgan": ["srgan-gan", "srgan-pre"],
}


def compress(images, quality):
    """Return JPEG-compressed copies."""

    def encode(image):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return np.stack([encode(image) for image in images])


def extract(images):
    """Return the residuals, with the paper's parameters."""
    return ResidualExtractor(n_jobs=2).transform(images)


def save(display, out, name):
    """Write a Display's figure."""
    display.figure_.savefig(out / f"{name}.png", dpi=75)
    plt.close(display.figure_)


def correlate(classifier, residuals):
    """Return correlations with all fingerprints, also for two classes."""
    rows = classifier.fingerprints_.reshape(len(classifier.classes_), -1)
    return correlation_matrix(residuals.reshape(len(residuals), -1), rows)


def repeat_section_3(many, out):
    """Draw growth, energy, autocorrelation and histograms (Fig. 2 to 5)."""
    data = load_image_folder(many)
    names = data.target_names
    residuals, y = extract(data.images), names[data.target]
    rank = np.concatenate([np.arange(n) for n in np.bincount(data.target)])
    fit = rank < 512
    print(
        f"\nTwo networks, {data.images.shape[1:]}: 512 to fit, {(~fit).sum()} to test"
    )

    display = FingerprintDisplay.from_residuals(residuals[fit], y[fit], size=64)
    save(display, out, "growth")
    display = EnergyCurveDisplay.from_residuals(residuals[fit], y[fit], random_state=0)
    save(display, out, "energy")
    for name in names:
        print_energy(residuals[fit & (y == name)], name)
    classifier = FingerprintClassifier().fit(residuals[fit], y[fit])
    save(AutocorrelationDisplay.from_estimator(classifier), out, "autocorrelation")
    save(SpectrumDisplay.from_estimator(classifier), out, "spectrum")

    _, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for ax, name in zip(axes, names, strict=True):
        display = CorrelationHistogramDisplay.from_estimator(
            classifier, residuals[~fit], y[~fit], source=name, ax=ax
        )
        print(
            f"{name}: same {display.same.mean():.3f}, "
            f"cross {display.cross.mean():.3f} +- {display.cross.std():.3f}, "
            f"AUC {display.auc:.4f}"
        )
    save(display, out, "histograms")
    for n in (2, 8, 32, 128, 512):
        few = FingerprintClassifier().fit(residuals[rank < n], y[rank < n])
        correct = np.mean(few.predict(residuals[~fit]) == y[~fit])
        scores = correlate(few, residuals[~fit])
        samples = [
            same_and_cross_correlations(y[~fit], scores, names, source=name).auc
            for name in names
        ]
        areas = ", ".join(f"{area:.4f}" for area in samples)
        print(f"n = {n:3d}: accuracy {correct:.3f}, AUC {areas}")


def print_energy(residuals, name):
    """Print the residual errors of both readings of eq. 4."""
    curve = energy_curve(residuals, random_state=0)
    fits = {
        law: fit_energy_curve(curve.n_images, curve.energy, law=law)
        for law in ("inverse", "exponential")
    }
    text = ", ".join(
        f"{law} limit {fit.limit:.4f} RSS {fit.residual_sum_of_squares:.2e}"
        for law, fit in fits.items()
    )
    print(
        f"energy of {name} (n = {curve.n_images[-1]}): {curve.energy[-1]:.4f}, "
        f"unbiased {curve.unbiased[-1]:.4f}; {text}"
    )


def attribute(residuals, y, test, title):
    """Fit, score and print; return the classifier and the test correlations."""
    classifier = FingerprintClassifier().fit(residuals[~test], y[~test])
    correlations = correlate(classifier, residuals[test])
    right = classifier.classes_[correlations.argmax(axis=1)] == y[test]
    areas = [
        roc_auc_score(y[test] == name, column)
        for name, column in zip(classifier.classes_, correlations.T, strict=True)
    ]
    error = np.sqrt(right.mean() * (1 - right.mean()) / len(right))
    print(
        f"{title}: {len(classifier.classes_)} sources, {(~test).sum()} fit, "
        f"{test.sum()} test: accuracy {right.mean():.3f} +- {error:.3f}, "
        f"mean AUC {np.mean(areas):.3f}"
    )
    return classifier, correlations


def draw_section_4(classifier, correlations, y, out, name):
    """Draw average correlations, ROC curves and confusion (Fig. 6 to 8)."""
    classes = classifier.classes_
    predicted = classes[correlations.argmax(axis=1)]
    display = CorrelationMatrixDisplay.from_predictions(y, correlations, classes)
    save(display, out, f"{name}_correlations")
    display = OneVsRestRocDisplay.from_predictions(y, correlations, classes)
    save(display, out, f"{name}_roc")
    display = SourceConfusionDisplay.from_predictions(y, predicted, labels=classes)
    save(display, out, f"{name}_confusion")


def print_blocks(classifier, correlations, y):
    """Compare correlations within families with those outside, and the confusions."""
    classes = classifier.classes_
    means = average_correlation_matrix(y, correlations, classes)
    predicted = classes[correlations.argmax(axis=1)]
    print(
        "family: own fingerprint / siblings' / others' mean correlation; of the errors "
        "the share that names a sibling (share of siblings among the other sources)"
    )
    for family, members in FAMILIES.items():
        inside = np.isin(classes, members)
        block = means[np.ix_(inside, inside)]
        siblings = block[~np.eye(len(block), dtype=bool)]
        own_rows = np.isin(y, members)
        wrong = own_rows & (predicted != y)
        share = np.mean(np.isin(predicted[wrong], members))
        expected = (len(members) - 1) / (len(classes) - 1)
        is_sibling = inside & (y[own_rows, None] != classes)
        values = correlations[own_rows]
        others = np.broadcast_to(~inside, values.shape)
        mask = is_sibling | others
        area = roc_auc_score(is_sibling[mask], values[mask])
        print(
            f"{family:8s} {np.diag(block).mean():.3f} / {siblings.mean():.3f} / "
            f"{means[np.ix_(inside, ~inside)].mean():.3f}; AUC siblings against others "
            f"{area:.3f}; {wrong.sum()} errors, {share:.2f} to siblings "
            f"({expected:.2f})"
        )


def print_growth(residuals, y, test, rng):
    """Print accuracy by the number of images in a fingerprint."""
    for n in (2, 4, 8, 16, 32, 64, 80):
        accuracies = []
        for _ in range(5 if n < 80 else 1):
            order = rng.permutation(np.flatnonzero(~test))
            chosen = [order[y[order] == name][:n] for name in np.unique(y)]
            few = np.concatenate(chosen)
            classifier = FingerprintClassifier().fit(residuals[few], y[few])
            accuracies.append(np.mean(classifier.predict(residuals[test]) == y[test]))
        smallest = min(map(len, chosen))
        print(
            f"n = {n:2d} (smallest class {smallest}): accuracy "
            f"{np.mean(accuracies):.3f}, spread {np.std(accuracies):.3f}"
        )


def main():
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=Path, help="folder of two folders of images")
    parser.add_argument("--out", type=Path, default=Path("build/reproduction"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    plt.rcParams["font.size"] = 11

    if options.many:
        repeat_section_3(options.many, options.out)

    print("\nTwenty networks, 128x128")
    images, y, test = read_registry()
    residuals = extract(images)
    results = attribute(residuals, y, test, "registry")
    draw_section_4(*results, y[test], options.out, "registry")
    print_blocks(*results, y[test])
    print_growth(residuals, y, test, np.random.default_rng(0))
    compressed = extract(compress(images, 95))
    attribute(compressed, y, test, "registry, all JPEG 95")
    compressed[~test] = residuals[~test]
    attribute(compressed, y, test, "registry, test half JPEG 95")

    print("\nSeven networks and two cameras, 256x256")
    data = read_images("wild/", "cameras/stereo/")
    images, y = data.images, data.sources
    order = np.random.default_rng(0).permutation(np.unique(data.groups))
    test = np.isin(data.groups, order[::2])
    residuals = extract(images)
    results = attribute(residuals, y, test, "wild and cameras")
    draw_section_4(*results, y[test], options.out, "wild")
    is_camera = np.char.startswith(y, "underwater")
    images[~is_camera] = compress(images[~is_camera], 95)
    attribute(extract(images), y, test, "wild JPEG 95, cameras as they are")


if __name__ == "__main__":
    main()

"""Measure how cycle spinning changes the separation of sources and the effect of crops.

``python -m benchmarks.accuracy.cycle_spins`` prints a row for 1, 2, 4, 8 and 16 spins,
on the reference split of the 20 sources of `registry/` (see `data/real_images.py`). The
columns are the accuracy; d', the mean over sources of (mean same-source - mean
cross-source correlation) / pooled standard deviation; and the mean correlation of an
image's residual with the residual of the same image cropped by (1, 1), (3, 5) or (8, 8)
pixels, away from the border, on every tenth image.
"""

import numpy as np

from benchmarks.data.real_images import read_registry
from skfingerprint import FingerprintClassifier, ResidualExtractor

OFFSETS = ((1, 1), (3, 5), (8, 8))
BORDER = 16


def separation(scores, y, classes):
    """Return the mean d' of the sources."""
    values = []
    for column, name in enumerate(classes):
        same, cross = scores[y == name, column], scores[y != name, column]
        pooled = np.sqrt((same.var() + cross.var()) / 2)
        values.append((same.mean() - cross.mean()) / pooled)
    return np.mean(values)


def agreement(extractor, images, offset):
    """Return the mean correlation of residuals before and after a crop."""
    top, left = offset
    inner = slice(BORDER, -BORDER)
    whole = extractor.transform(images)[:, top:, left:][:, inner, inner]
    cropped = extractor.transform(images[:, top:, left:])[:, inner, inner]
    pairs = zip(whole, cropped, strict=True)
    return np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])


def main():
    """Print the table."""
    images, y, test = read_registry()
    heads = "".join(f"{f'crop {offset}':>13s}" for offset in OFFSETS)
    print(f"{'spins':>5s}{'accuracy':>10s}{'d-prime':>9s}{heads}")
    for spins in (1, 2, 4, 8, 16):
        extractor = ResidualExtractor(cycle_spins=spins, n_jobs=2)
        residuals = extractor.transform(images)
        model = FingerprintClassifier().fit(residuals[~test], y[~test])
        scores = model.decision_function(residuals[test])
        accuracy = np.mean(model.classes_[scores.argmax(axis=1)] == y[test])
        d_prime = separation(scores, y[test], model.classes_)
        cells = [agreement(extractor, images[::10], offset) for offset in OFFSETS]
        row = "".join(f"{cell:13.3f}" for cell in cells)
        print(f"{spins:5d}{accuracy:10.3f}{d_prime:9.3f}{row}")


if __name__ == "__main__":
    main()

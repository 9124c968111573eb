"""Measure tools of other packages that mislead on these images or features.

``python -m benchmarks.accuracy.other_tools [PART...]`` runs the named parts, by default
all. Each part needs another package, and says which one if it is missing.

* ``venn-abers`` (``pip install venn-abers==1.5.4 pandas``): 20 sources of `registry/`
  (see `data/real_images.py`). A third of the images with even groups calibrates a
  :class:`~skfingerprint.SourceDiscriminant` that is fitted on the other ones, and the
  images with odd groups are the test. Prints accuracy, mean confidence (probability of
  the named source) and log loss before and after; chance is 5 %.
* ``pyod`` (``pip install pyod``): every second source of `registry/` is known and is
  fitted on even groups, and the other ten are unknown; then the other way round. Prints
  the AUROC of unknown against known sources on odd groups, for each unknown source:
  mean, worst and best; chance is 0.5.
* ``hashes`` (``pip install ImageHash``): pairs of embedded images from two sources that
  show one photograph, which has eight places. Prints the share of pairs whose hashes of
  64 bits differ in at most 4 and 8 bits: of all pairs, of pairs that show the same
  place, and of pairs that show different photographs.
"""

import sys
from importlib import import_module

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import AttributionFeatures, SourceDetector, SourceDiscriminant
from skfingerprint.datasets import load_generators

HASHES = ("phash", "dhash", "average_hash", "whash")


def need(module, package):
    """Import a module, or end with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        sys.exit(f"this part needs {module} ({error}): pip install {package}")


def read_rows():
    """Return features, sources and groups of `registry/`, and the mask of test rows."""
    data = read_images("registry/")
    rows = AttributionFeatures(n_jobs=2).fit_transform(data.images)
    return rows, data.sources, data.groups, reference_split(data.groups)


def measure_venn_abers():
    """Print the confidence before and after Venn-Abers calibration."""
    tool = need("venn_abers", "venn-abers==1.5.4 pandas")
    rows, y, groups, test = read_rows()
    classes, y = np.unique(y, return_inverse=True)
    even = np.flatnonzero(~test)
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    fit, held = next(folds.split(even, y[even], groups[even]))
    fit, held = even[fit], even[held]
    model = SourceDiscriminant().fit(rows[fit], y[fit], groups=groups[fit])
    stated, learned = (model.predict_proba(rows[part]) for part in (test, held))
    print(f"{len(fit)} images to fit, {len(held)} to calibrate, {test.sum()} to test")
    answers = {"as stated": stated}
    for kind in ("one_vs_one", "one_vs_all"):
        answers[f"venn-abers, {kind}"] = tool.VennAbersCalibrator().predict_proba(
            p_cal=learned, y_cal=y[held], p_test=stated, va_type=kind
        )
    for name, found in answers.items():
        print(
            f"{name:24s} accuracy {np.mean(found.argmax(axis=1) == y[test]):.1%}, "
            f"mean confidence {found.max(axis=1).mean():.1%}, "
            f"log loss {log_loss(y[test], found, labels=range(len(classes))):.3f}"
        )


def measure_pyod():
    """Print the AUROC of unknown sources by outlier detectors and by ours."""
    models = {
        "ECOD": need("pyod.models.ecod", "pyod").ECOD,
        "COPOD": need("pyod.models.copod", "pyod").COPOD,
    }
    rows, y, groups, test = read_rows()
    names = np.unique(y)
    found = {name: [] for name in [*models, "SourceDetector"]}
    for known in (names[::2], names[1::2]):
        inside = np.isin(y, known)
        fit, own = inside & ~test, inside & test
        detector = SourceDetector().fit(rows[fit], y[fit], groups=groups[fit])
        scores = {"SourceDetector": -detector.score_samples(rows)}
        for name, model in models.items():
            fitted = model().fit(rows[fit].astype(np.float64))
            scores[name] = fitted.decision_function(rows.astype(np.float64))
        for name, values in scores.items():
            for other in np.setdiff1d(names, known):
                asked = own | ((y == other) & test)
                found[name].append(roc_auc_score(~own[asked], values[asked]))
    for name, values in found.items():
        print(
            f"{name:16s} AUROC {np.mean(values):.2f}, worst source {min(values):.2f}, "
            f"best {max(values):.2f}"
        )


def measure_hashes():
    """Print the shares of pairs of images that perceptual hashes join."""
    tool = need("imagehash", "ImageHash")
    image = import_module("PIL.Image")
    data = load_generators()
    first, second = np.triu_indices(len(data.target), 1)
    two = data.target[first] != data.target[second]
    scene = data.groups[first] == data.groups[second]
    same = scene & (find_places(data)[first] == find_places(data)[second])
    kinds = {
        "one photograph": scene & two,
        "same place": same & two,
        "different photographs": ~scene,
    }
    print(", ".join(f"{name}: {pairs.sum()} pairs" for name, pairs in kinds.items()))
    for name in HASHES:
        hashes = [getattr(tool, name)(image.fromarray(x)).hash for x in data.images]
        bits = np.array(hashes).reshape(len(hashes), -1)
        apart = (bits[first] != bits[second]).sum(axis=1)
        for most in (4, 8):
            shares = [
                f"{kind} {np.mean(apart[pairs] <= most):.1%}"
                for kind, pairs in kinds.items()
            ]
            print(f"{name:12s} at most {most} of 64 bits apart: {', '.join(shares)}")


def find_places(data):
    """Return the number of each image among those of its source and photograph."""
    places = np.zeros(len(data.target), dtype=int)
    for group in np.unique(data.groups):
        for source in np.unique(data.target):
            own = np.flatnonzero((data.groups == group) & (data.target == source))
            places[own] = np.arange(len(own))
    return places


PARTS = {
    "venn-abers": measure_venn_abers,
    "pyod": measure_pyod,
    "hashes": measure_hashes,
}


def main():
    """Run the parts that are named."""
    parts = sys.argv[1:] or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"no such part: {sorted(unknown)}; parts are {', '.join(PARTS)}")
    for part in parts:
        print(f"== {part}")
        PARTS[part]()


if __name__ == "__main__":
    main()

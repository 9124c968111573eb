"""Measure the open set: detection rates of known sources, false alarms of unknown ones.

``python -m benchmarks.accuracy.open_set [part ...]`` measures on the images of
`registry/`, `strangers/` and `wild/` (see `data/real_images.py`) and on the images that
ship with the package. Everything is fitted on one half of the scenes and tested on the
other. Parts:

* ``changes``: 16 known sources, 4 unknown ones, photographs and unknown sources of
  other kinds, unprocessed and perturbed; five splits, so that each source is unknown
  once;
* ``left_out``: each source left out, by the number of images, unprocessed; photographs
  with and without others as background; networks of `wild/`.

Rates with few sources are measured by `imitations.py`. It draws
`docs/images/how_sure.png`, and takes about 25 minutes and 4 GiB.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.data.real_images import read_images, read_open_set, reference_split
from skfingerprint import AttributionFeatures, make_attribution_pipeline
from skfingerprint.metrics import open_set_report
from skfingerprint.perturbation import (
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    Resize,
    WebPCompression,
)

RATES = (0.1, 0.01)
CHANGES = (
    {"clean": None}
    | {f"JPEG {q}": JPEGCompression(quality=q) for q in (95, 85, 75)}
    | {f"noise {s:g}": GaussianNoise(std=s, random_state=7) for s in (3, 5)}
    | {"blur 1": GaussianBlur(std=1), "resize .5": Resize(scale=0.5)}
    | {
        "resize .6, JPEG 85": make_pipeline(
            Resize(scale=0.6), JPEGCompression(quality=85)
        )
    }
    | {"WebP 80": WebPCompression(quality=80)}
    # Never trained on.
    | {"JPEG 30": JPEGCompression(quality=30), "blur 3": GaussianBlur(std=3)}
    | {"noise 20": GaussianNoise(std=20, random_state=3)}
    | {"gamma .7": FunctionTransformer(lambda X: np.rint(255 * (X / 255.0) ** 0.7))}
)

DRAWN = ("clean", "JPEG 95", "JPEG 75", "noise 5", "resize .5")
IMAGES = Path(__file__).parents[2] / "docs" / "images"


def find_features(images, perturbation=None):
    """Return the features of images, changed or not."""
    if perturbation is not None:
        images = perturbation.fit_transform(images)
    return AttributionFeatures(n_jobs=2).fit_transform(images)


def compare(known, others):
    """Return the area under the ROC curve of two sets of scores."""
    truth = np.repeat([1, 0], [len(known), len(others)])
    return roc_auc_score(truth, np.concatenate([known, others]))


def measure_changes(data):
    """Print the shares named rightly and wrongly at stated rates, by perturbation."""
    y, test = data["sources"], data["test"]
    truth, names, folder = y[test], np.unique(y), tempfile.mkdtemp()
    parts = (data["images"][test], data["photographs"], data["strangers"])
    labels = [truth, *(np.full(len(part), "stranger") for part in parts[1:])]
    asked = {
        name: [find_features(part, p) for part in parts] for name, p in CHANGES.items()
    }
    sizes = list(map(len, parts))
    print(f"{(~test).sum()} images; {sizes[0]} asked, {sizes[1]} photographs, ", end="")
    print(f"{sizes[2]} of other kinds", flush=True)
    found, drawn = {}, {name: [] for name in DRAWN}
    for start in range(5):
        strangers = names[start::5]
        used = ~np.isin(y, strangers) & ~test
        begin = time.perf_counter()
        pipeline = make_attribution_pipeline(false_alarm_rate=0.01, memory=folder)
        pipeline.fit(data["images"][used], y[used], groups=data["groups"][used])
        model, spent = pipeline[-1], time.perf_counter() - begin
        print(f"split {start}: {spent:.0f} s, peak {peak():.2f} GiB")
        rates = model.detector_.detection_rate_by_condition_
        print("  by condition", rates.round(2))
        known = np.setdiff1d(names, strangers)
        for name, features in asked.items():
            for k, part in enumerate(features):
                answers = model.assess(part)
                report = open_set_report(
                    labels[k],
                    answers.false_alarm_probability,
                    known,
                    y_pred=answers.source,
                    rates=RATES,
                )
                found.setdefault((name, k), []).append(report)
                if k == 0 and name in drawn:
                    drawn[name].append((answers, truth, np.isin(truth, known)))
    for r, rate in enumerate(RATES):
        print(f"\nstated {rate}: {'':13}right wrong strangers worst photographs others")
        table = []
        for name in asked:
            own = found[name, 0]
            table.append(
                [
                    np.mean([report.right[r] for report in own]),
                    np.mean([report.wrong[r] for report in own]),
                    np.mean([report.false_alarm_rate[r] for report in own]),
                    np.max([report.highest_false_alarm_rate[r] for report in own]),
                    *(
                        np.mean([p.false_alarm_rate[r] for p in found[name, k]])
                        for k in (1, 2)
                    ),
                ]
            )
            print(f"{name:25}", *(f"{share:.3f}" for share in table[-1]), flush=True)
        print(f"{'mean of the rows':25}", *(f"{x:.4f}" for x in np.mean(table, axis=0)))
        print(f"{'largest':25}", *(f"{x:.3f}" for x in np.max(table, axis=0)))
    draw(drawn)


def draw(drawn):
    """Draw how sure the answers are, and how sure they should be."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
    edges, rates = np.linspace(0, 1, 11), np.geomspace(1e-3, 0.5, 40)
    for name, parts in drawn.items():
        joined = [
            {
                key: np.concatenate([answers[key][part] for answers, _, part in chosen])
                for key in ("probability", "false_alarm_probability")
            }
            for chosen in (parts, [(a, t, ~known) for a, t, known in parts])
        ]
        known, strangers = joined
        right = np.concatenate([(a.source == t)[k] for a, t, k in parts])
        bins = np.digitize(known["probability"], edges[1:-1])
        used = [k for k in range(10) if np.sum(bins == k) >= 20]
        axes[0].plot(
            [known["probability"][bins == k].mean() for k in used],
            [right[bins == k].mean() for k in used],
            marker="o",
            ms=4,
            label=name,
        )
        shares = [np.mean(strangers["probability"] >= p) for p in edges]
        axes[1].plot(edges, shares, label=name)
        accepted = [np.mean(strangers["false_alarm_probability"] <= r) for r in rates]
        axes[2].plot(rates, accepted, label=name)
        error = np.average(
            [
                abs(known["probability"][bins == k].mean() - right[bins == k].mean())
                for k in np.unique(bins)
            ],
            weights=[np.sum(bins == k) for k in np.unique(bins)],
        )
        print(f"{name}: {len(right)} known, calibration error {error:.3f}, ", end="")
        print(f"strangers with p >= .9 {np.mean(strangers['probability'] >= 0.9):.3f}")
    axes[0].plot([0, 1], [0, 1], ":", color="grey")
    axes[2].plot(rates, rates, ":", color="grey")
    axes[2].set_xscale("log")
    axes[2].set_yscale("log")
    for ax, title, x, y in zip(
        axes,
        ("known sources", "unknown sources", "unknown sources"),
        (
            "probability of the name",
            "probability p of the name",
            "stated false-alarm rate",
        ),
        ("share that is right", "share with at least p", "share accepted"),
        strict=True,
    ):
        ax.set(title=title, xlabel=x, ylabel=y)
    axes[0].legend(fontsize="small")
    figure.savefig(IMAGES / "how_sure.png", dpi=110)


def peak():
    """Return the peak memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure_left_out(data):
    """Print the detection of each source as unknown when it is left out."""
    y, test, groups = data["sources"], data["test"], data["groups"]
    names, rng, images = np.unique(y), np.random.default_rng(0), data["images"]
    asked = find_features(images[test])
    for n_images in (8, 16, 32, 100):
        used = np.concatenate(
            [
                rng.permutation(np.flatnonzero((y == k) & ~test))[:n_images]
                for k in names
            ]
        )
        print(f"{n_images} images a source:", end="")
        print_left_out(images[used], y[used], groups[used], asked, y[test])
    odd = reference_split(data["scenes"])
    plain = fit_quick(images[~test], y[~test], groups[~test])
    both = fit_quick(
        np.concatenate([images[~test], data["photographs"][~odd]]),
        np.concatenate([y[~test], np.full((~odd).sum(), "photo")]),
        np.concatenate([groups[~test], data["scenes"][~odd]]),
        background="photo",
    )
    parts = {"photographs": data["photographs"][odd], "other kinds": data["strangers"]}
    for title, detector in (("plain", plain), ("with a background", both)):
        for name, part in parts.items():
            print(f"20 sources, {title}: {name}", end=" ")
            print_others(detector, asked, find_features(part))
    wild = read_images("wild/", real=True)
    odd, real = reference_split(wild.groups), wild.sources == "real-ffhq"
    own = ~odd & ~real
    detector = fit_quick(wild.images[own], wild.sources[own], wild.groups[own])
    known = find_features(wild.images[odd & ~real])
    for name, part in (("photographs", wild.images[real]), ("registry", images)):
        print(f"wild, 7 networks ({own.sum()} images): {name}", end=" ")
        print_others(detector, known, find_features(part))


def fit_quick(images, y, groups, **params):
    """Return the detector of a pipeline of unprocessed images with a rate."""
    pipeline = make_attribution_pipeline(
        perturbations=(), false_alarm_rate=0.01, history="ignore", **params
    )
    return pipeline.fit(images, y, groups=groups)[-1].detector_


def print_others(detector, known, others):
    """Print the distinction of rows of known sources from others."""
    known, others = map(detector.false_alarm_probability, (known, others))
    print(f"AUROC {compare(-known, -others):.4f}", end="")
    for rate in RATES:
        print(f", at {rate} accepted {np.mean(others <= rate):.3f}", end="")
        print(f" found {np.mean(known <= rate):.3f}", end="")
    print(flush=True)


def print_left_out(images, y, groups, asked, truth):
    """Print AUROC, accepted and found shares with each source left out in turn."""
    curves, reports = [], []
    for name in np.unique(y):
        used = y != name
        detector = fit_quick(images[used], y[used], groups[used])
        shares = detector.false_alarm_probability(asked)
        curves.append(compare(-shares[truth != name], -shares[truth == name]))
        known = np.setdiff1d(y, name)
        reports.append(open_set_report(truth, shares, known, rates=RATES))
    print(f" AUROC {np.mean(curves):.3f}, worst {np.min(curves):.3f}", end="")
    for r, rate in enumerate(RATES):
        accepted, found = (
            [report[name][r] for report in reports]
            for name in ("false_alarm_rate", "detection_rate")
        )
        print(f"; at {rate} accepted {np.mean(accepted):.3f}", end="")
        print(f" (worst {np.max(accepted):.3f}), found {np.mean(found):.3f}", end="")
    print(flush=True)


PARTS = {
    "changes": measure_changes,
    "left_out": measure_left_out,
}

if __name__ == "__main__":
    data = read_open_set()
    for name in sys.argv[1:] or PARTS:
        print(f"\n{name}", flush=True)
        PARTS[name](data)

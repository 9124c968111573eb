"""Measure the open set: detection rates of known sources, false alarms of unknown ones.

``python -m benchmarks.accuracy.open_set [part ...]`` measures on the images of
`registry/`, `strangers/` and `wild/` (see `data/real_images.py`) and on the images that
ship with the package. Everything is fitted on one half of the scenes and tested on the
other. Parts:

* ``changes``: 16 known sources, 4 unknown ones, photographs and unknown sources of
  other kinds, unprocessed and perturbed; five splits, so that each source is unknown
  once;
* ``left_out``: each source left out, by the number of images, unprocessed; photographs
  with and without others as background; networks of `wild/`;
* ``few``: three to twelve sources, with and without photographs as background;
* ``single``: one and two sources.

It draws `docs/images/how_sure.png`, and takes about 15 minutes on two cores and 4 GiB.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.data.real_images import read_images, read_registry, reference_split
from skfingerprint import (
    AttributionFeatures,
    RejectingClassifier,
    SourceDetector,
)
from skfingerprint.datasets import load_generators
from skfingerprint.metrics import open_set_report
from skfingerprint.perturbation import (
    COMMON_PERTURBATIONS,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
    Resize,
    WebPCompression,
)

RATES = (0.1, 0.01)
# Draws of few sources.
N_DRAWS = 20
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


def read_all():
    """Return the registry with its split, photographs, and strangers of other kinds."""
    data = read_images("registry/", real=True)
    real = data.sources == "real-photo"
    images, sources, test = read_registry()
    return {
        "images": images,
        "sources": sources,
        "test": test,
        "groups": data.groups[~real],
        "families": data.families[~real],
        "photographs": data.images[real],
        "scenes": data.groups[real],
        "others": read_images("strangers/").images,
    }


def compare(known, others):
    """Return the area under the ROC curve of two sets of scores."""
    truth = np.repeat([1, 0], [len(known), len(others)])
    return roc_auc_score(truth, np.concatenate([known, others]))


def measure_changes(data):
    """Print the shares named rightly and wrongly at stated rates, by perturbation."""
    y, test = data["sources"], data["test"]
    fit, groups, truth = data["images"][~test], data["groups"][~test], y[test]
    rows = np.stack(
        [find_features(fit, p) for p in (None, *COMMON_PERTURBATIONS)], axis=1
    )
    parts = (data["images"][test], data["photographs"], data["others"])
    labels = [truth, *(np.full(len(part), "stranger") for part in parts[1:])]
    ends = np.cumsum([len(part) for part in parts])[:-1]
    asked = {
        name: [find_features(part, p) for part in parts] for name, p in CHANGES.items()
    }
    n_conditions, names = rows.shape[1], np.unique(y)
    print(
        f"{len(fit)} images with {n_conditions - 1} copies; {ends[0]} asked, ", end=""
    )
    print(f"{len(parts[1])} photographs, {len(parts[2])} of other kinds", flush=True)
    found, drawn = {}, {name: [] for name in DRAWN}
    for start in range(5):
        strangers = names[start::5]
        used = ~np.isin(y[~test], strangers)
        X = rows[used].reshape(-1, rows.shape[2])
        copies = np.tile(np.arange(n_conditions), used.sum())
        y_used, g_used = (np.repeat(v[used], n_conditions) for v in (y[~test], groups))
        given = {"conditions": copies, "groups": g_used}
        begin, before = time.perf_counter(), peak()
        detector = SourceDetector().fit(X, y_used, **given)
        spent, after = time.perf_counter() - begin, peak()
        model = RejectingClassifier().fit(X, y_used, **given)
        print(f"split {start}: detector {spent:.1f} s, {after - before:.2f} GiB more, ")
        print(
            "  strata",
            detector.conditions_.tolist(),
            detector.detection_rate_by_condition_.round(2),
        )
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
        ("known sources", "strangers", "strangers"),
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


def measure_few(data):
    """Print the rates with few sources, with and without a background."""
    y, test, groups = data["sources"], data["test"], data["groups"]
    families = data["families"][test]
    rows, names = find_features(data["images"]), np.unique(y)
    photographs = find_features(data["photographs"])[~reference_split(data["scenes"])]
    scenes = data["scenes"][~reference_split(data["scenes"])]
    print("sources background: found; let in of no relatives, worst draw; of relatives")
    for n_sources in (3, 4, 5, 6, 8, 12):
        draws = [
            np.random.default_rng(draw).choice(names, n_sources, replace=False)
            for draw in range(N_DRAWS)
        ]
        for background in (None, "photo"):
            found = []
            for known in draws:
                fit = np.isin(y, known) & ~test
                X, labels, shown = rows[fit], y[fit], groups[fit]
                if background:
                    X = np.concatenate([X, photographs])
                    labels = np.append(labels, [background] * len(photographs))
                    shown = np.append(shown, scenes)
                detector = SourceDetector(background=background)
                detector.fit(X, labels, groups=shown)
                shares = detector.false_alarm_probability(rows[test])
                related = np.isin(families, families[np.isin(y[test], known)])
                found.append(count_few(shares, y[test], known, related))
            table = np.array(found)
            print(n_sources, background, end=" ")
            for rate, (own, others, relatives) in zip(
                RATES, table.transpose(1, 2, 0), strict=True
            ):
                print(f"  at {rate}: {own.mean():.3f} {others.mean():.3f}", end=" ")
                print(f"{others.max():.3f} {np.nanmean(relatives):.3f}", end="")
            print(flush=True)


def count_few(shares, truth, known, related):
    """Return detection and false-alarm rates, of relatives too, at each rate."""
    own = np.isin(truth, known)
    found = []
    for rate in RATES:
        taken = shares <= rate
        relatives = taken[related & ~own]
        relatives = relatives.mean() if len(relatives) else np.nan
        found.append([taken[own].mean(), taken[~related & ~own].mean(), relatives])
    return found


def measure_left_out(data):
    """Print the detection of each source as unknown when it is left out."""
    y, test, groups = data["sources"], data["test"], data["groups"]
    rows, names = find_features(data["images"]), np.unique(y)
    rng = np.random.default_rng(0)
    for n_images in (8, 16, 32, 100):
        used = np.concatenate(
            [
                rng.permutation(np.flatnonzero((y == k) & ~test))[:n_images]
                for k in names
            ]
        )
        print(f"{n_images} images a source:", end="")
        print_left_out(rows[used], y[used], groups[used], rows[test], y[test])
    fit, labels, scenes = rows[~test], y[~test], groups[~test]
    photographs, others = map(find_features, (data["photographs"], data["others"]))
    odd = reference_split(data["scenes"])
    begin = time.perf_counter()
    plain = SourceDetector().fit(fit, labels, groups=scenes)
    spent = time.perf_counter() - begin
    print(f"{len(fit)} rows: {spent:.1f} s, found {plain.detection_rate_:.3f}")
    both = SourceDetector(background="photo").fit(
        np.concatenate([fit, photographs[~odd]]),
        np.concatenate([labels, np.full((~odd).sum(), "photo")]),
        groups=np.concatenate([scenes, data["scenes"][~odd]]),
    )
    for title, detector in (("plain", plain), ("with a background", both)):
        known = detector.score_samples(rows[test])
        for name, part in (("photographs", photographs[odd]), ("other kinds", others)):
            print(f"20 sources, {title}: {name} AUROC", end=" ")
            print(f"{compare(known, detector.score_samples(part)):.3f}", end="")
            shares = detector.false_alarm_probability(part)
            found = detector.false_alarm_probability(rows[test])
            for rate in RATES:
                print(f", at {rate} accepted {np.mean(shares <= rate):.3f}", end="")
                print(f" found {np.mean(found <= rate):.3f}", end="")
            print(flush=True)
    wild = read_images("wild/", real=True)
    asked, real = reference_split(wild.groups), wild.sources == "real-ffhq"
    features = find_features(wild.images)
    own = ~asked & ~real
    detector = SourceDetector().fit(
        features[own], wild.sources[own], groups=wild.groups[own]
    )
    known = detector.score_samples(features[asked & ~real])
    for name, part in (("photographs", features[real]), ("registry", rows)):
        scores = detector.score_samples(part)
        shares = np.mean(detector.predict(part) == 1)
        print(f"wild, 7 networks ({own.sum()} images): {name} AUROC", end=" ")
        print(f"{compare(known, scores):.4f}, accepted {shares:.3f}, found", end=" ")
        print(f"{np.mean(known >= detector.offset_):.3f}", flush=True)


def print_left_out(X, y, groups, asked, truth):
    """Print AUROC, accepted and found shares with each source left out in turn."""
    curves, reports = [], []
    for name in np.unique(y):
        used = y != name
        detector = SourceDetector().fit(X[used], y[used], groups=groups[used])
        scores = detector.score_samples(asked)
        curves.append(compare(scores[truth != name], scores[truth == name]))
        shares = detector.false_alarm_probability(asked)
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


def measure_single(data):
    """Print the detection of one or two sources against all others."""
    y, test, groups = data["sources"], data["test"], data["groups"]
    names = np.unique(y)
    fit = data["images"][~test]
    rows = np.stack(
        [find_features(fit, p) for p in (None, *COMMON_PERTURBATIONS)], axis=1
    )
    asked = [
        find_features(part)
        for part in (data["images"][test], data["photographs"], data["others"])
    ]
    rng = np.random.default_rng(0)
    pairs = [rng.choice(names, 2, replace=False) for _ in range(10)]
    for n_images, sets in (
        (100, [[k] for k in names]),
        (8, [[k] for k in names]),
        (100, pairs),
    ):
        used = np.concatenate(
            [rng.permutation(np.flatnonzero(y[~test] == k))[:n_images] for k in names]
        )
        for n_conditions in (1, rows.shape[1]):
            table = []
            for known in sets:
                own = used[np.isin(y[~test][used], known)]
                X = rows[own, :n_conditions].reshape(-1, rows.shape[2])
                repeated = (np.repeat(v[~test][own], n_conditions) for v in (y, groups))
                labels, scenes = repeated
                copies = np.tile(np.arange(n_conditions), len(own))
                detector = SourceDetector().fit(
                    X, labels, conditions=copies, groups=scenes
                )
                scores = [detector.score_samples(part) for part in asked]
                is_known = np.isin(y[test], known)
                others = (scores[0][~is_known], *scores[1:])
                table.append(
                    [
                        np.mean(scores[0][is_known] >= detector.offset_),
                        *(compare(scores[0][is_known], part) for part in others),
                        *(np.mean(part >= detector.offset_) for part in others),
                    ]
                )
            mean, low, high = (f(table, axis=0) for f in (np.mean, np.min, np.max))
            print(
                f"{len(sets[0])} source(s), {n_images} images, {n_conditions} kinds: ",
                end="",
            )
            print(f"found {mean[0]:.3f} (worst {low[0]:.3f}); AUROC", end="")
            for k, name in enumerate(("others", "photographs", "other kinds"), 1):
                print(f" {name} {mean[k]:.3f} (worst {low[k]:.3f})", end=",")
            print(" accepted", *(f"{mean[k]:.3f} ({high[k]:.3f})" for k in (4, 5, 6)))
    embedded = load_generators()
    X = find_features(embedded.images)
    print(
        "8 networks that ship with the package, 40 images each, each left out:", end=""
    )
    odd = np.unique(embedded.groups, return_inverse=True)[1] % 2 == 1
    labels, scenes = embedded.target, embedded.groups
    print_left_out(X[~odd], labels[~odd], scenes[~odd], X[odd], labels[odd])


PARTS = {
    "changes": measure_changes,
    "left_out": measure_left_out,
    "few": measure_few,
    "single": measure_single,
}

if __name__ == "__main__":
    data = read_all()
    for name in sys.argv[1:] or PARTS:
        print(f"\n{name}", flush=True)
        PARTS[name](data)

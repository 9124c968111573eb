"""Measure whether two sets of images are recognized as one source or two.

``python -m benchmarks.accuracy.verification [n_known ...]`` fits the recommended
pipeline on the images of some sources of `registry/` (see `data/real_images.py`), ten
draws for each number of known sources, by default 1, 3 and 12. It judges pairs of sets
of 1, 4 and 16 images of sources that were never fitted: networks of `registry/` of
other families than the known ones, on the other half of the scenes; published networks
of `wild/`; and enlargers of `strangers/`. The two sets of a pair have no scene in
common, but for one row that says so. Relatives are pairs of sources of one family,
which count apart.

The columns: area under the ROC curve, equal error rate, share of pairs of one source
that are recognized at a true false-alarm rate of 0.01 and at a stated one, and share of
pairs of different sources that are accepted at a stated 0.01: mean over draws, worst
draw, and relatives. Where all other sources are relatives they are the other ones in
the first three columns. ``--folder`` keeps rows between runs. It takes about ten
minutes.
"""

import argparse
from itertools import combinations_with_replacement

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import AttributionFeatures, make_attribution_pipeline
from skfingerprint._open_set.verification import (
    compare_sets,
    estimate_shares,
    project_outputs,
)
from skfingerprint.perturbation import JPEGCompression

RATE = 0.01
SIZES = (1, 4, 16)
N_DRAWS = 10
# Pairs of sets of each pair of sources; of one source three times as many.
N_PAIRS = 5


def find_features(images, perturbation=None):
    """Return the features of images, changed or not."""
    if perturbation is not None:
        images = perturbation.fit_transform(images)
    return AttributionFeatures().fit_transform(images)


def read_all():
    """Return the images of the registry, and rows of the sets that are compared."""
    registry = read_images("registry/")
    test = reference_split(registry.groups)
    parts = {"registry": (registry, test)}
    for name in ("wild/", "strangers/"):
        part = read_images(name)
        parts[name] = part, np.ones(len(part.sources), dtype=bool)
    asked = {}
    jpeg = JPEGCompression(quality=75)
    for name, (part, used) in parts.items():
        rows = find_features(part.images[used])
        groups = np.unique(part.groups, return_inverse=True)[1]
        labels = part.sources[used], part.families[used], groups[used]
        asked[name] = rows, rows, *labels, False
        if name == "registry":
            changed = find_features(part.images[used], jpeg)
            asked["the same scenes"] = rows, rows, *labels, True
            asked["both JPEG 75"] = changed, changed, *labels, False
            asked["one of them JPEG 75"] = rows, changed, *labels, False
    return registry, test, asked


def draw_pairs(sources, groups, size, shared, rng):
    """Yield two sources and the places of a set of each, without a common scene."""
    for names in combinations_with_replacement(np.unique(sources), 2):
        places = [np.flatnonzero(sources == name) for name in names]
        is_one = names[0] == names[1]
        for _ in range(N_PAIRS * (3 if is_one else 1)):
            if shared and not is_one:
                first = rng.choice(places[0], size, replace=False)
                second = places[1][np.isin(groups[places[1]], groups[first])]
                halves = [first, second]
            else:
                scenes = rng.permutation(np.unique(groups[np.concatenate(places)]))
                halves = [
                    place[np.isin(groups[place], half)]
                    for place, half in zip(
                        places, np.array_split(scenes, 2), strict=True
                    )
                ]
            if min(map(len, halves)) >= size:
                yield names, [rng.choice(h, size, replace=False) for h in halves]


def judge(detector, asked, known_families, size):
    """Return the shares of one part, in the order of the columns."""
    rows, changed, sources, families, groups, shared = asked
    used = ~np.isin(families, known_families)
    space = detector.verification_
    first, second = (project_outputs(X[used], space) for X in (rows, changed))
    sources, families = sources[used], families[used]
    family = dict(zip(sources, families, strict=True))
    scores, kinds = [], []
    rng = np.random.default_rng(size)
    for (a, b), places in draw_pairs(sources, groups[used], size, shared, rng):
        scores.append(compare_sets(first[places[0]], second[places[1]]))
        kinds.append(0 if a == b else 1 if family[a] != family[b] else 2)
    scores, kinds = np.array(scores), np.array(kinds)
    same, other = scores[kinds == 0], scores[kinds == 1]
    if not len(other):
        other = scores[kinds == 2]
    if not len(same) or not len(other):
        return [np.nan] * 6
    accepted = estimate_shares(scores, (size, size), space) <= RATE
    truth = np.repeat([1, 0], [len(same), len(other)])
    false, true, _ = roc_curve(truth, np.concatenate([same, other]))
    return [
        roc_auc_score(truth, np.concatenate([same, other])),
        np.min(np.maximum(false, 1 - true)),
        np.mean(same > np.quantile(other, 1 - RATE)),
        *(
            accepted[kinds == k].mean() if (kinds == k).any() else np.nan
            for k in range(3)
        ),
    ]


def main():
    """Print a table for each number of known sources."""
    parser = argparse.ArgumentParser()
    parser.add_argument("n_known", nargs="*", type=int, default=[1, 3, 12])
    parser.add_argument("--folder")
    given = parser.parse_args()
    registry, test, asked = read_all()
    names = np.unique(registry.sources)
    for n_known in given.n_known:
        table = {}
        for draw in range(N_DRAWS):
            known = np.random.default_rng(draw).choice(names, n_known, replace=False)
            fit = np.isin(registry.sources, known) & ~test
            pipeline = make_attribution_pipeline(
                false_alarm_rate=RATE, perturbations=()
            )
            pipeline.fit(
                registry.images[fit], registry.sources[fit], groups=registry.groups[fit]
            )
            detector, families = pipeline[-1].detector_, registry.families[fit]
            for name, part in asked.items():
                for size in SIZES:
                    row = judge(detector, part, families, size)
                    table.setdefault((name, size), []).append(row)
        print(
            f"\n{n_known} known: AUROC EER at-true-.01 found accepted worst relatives"
        )
        for (name, size), rows in table.items():
            mean = [
                np.mean(column[np.isfinite(column)])
                if np.isfinite(column).any()
                else np.nan
                for column in np.transpose(rows)
            ]
            worst = np.nanmax(np.transpose(rows)[4])
            columns = *mean[:5], worst, mean[5]
            print(
                f"{name:20} {size:2}",
                *(f"{share:.3f}" for share in columns),
                flush=True,
            )


if __name__ == "__main__":
    main()

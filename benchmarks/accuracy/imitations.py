"""Measure the rates of unknown sources that are learned from imitations.

``python -m benchmarks.accuracy.imitations [--folder F] [--draws D] [part ...]`` fits
the recommended pipeline with a rate on a few of the 20 networks of `registry/`, drawn
at random, and asks it about images of other scenes: of these networks, of networks of
other families and of the same families, of photographs, and of `strangers/` (see
`data/real_images.py`). Each line has the share of images of known sources that are
named rightly, and the shares of others that are accepted: the mean over draws, and in
brackets the worst draw; "source" is the worst single source of any draw. Parts:

* ``1``, ``3``, ``12``, ...: so many known sources, unprocessed and perturbed;
* ``sizes``: three known sources with 8, 16 and 32 images each;
* ``several``: three and twelve known sources, one, two and four images of a source at
  once;
* ``wild``: three known networks of `wild/` and `modern/`;
* ``without``: three and twelve known sources without imitations.

F keeps rows between runs. A draw takes a minute with three sources and two with twelve.
"""

import sys
import tempfile
import time
import warnings

import numpy as np

from benchmarks.data.real_images import read_images, read_open_set
from skfingerprint import make_attribution_pipeline
from skfingerprint.perturbation import GaussianNoise, JPEGCompression, Resize

RATES = (0.01, 0.1)
CHANGES = {
    "clean": None,
    "JPEG 95": JPEGCompression(quality=95),
    "JPEG 75": JPEGCompression(quality=75),
    "resize .5": Resize(scale=0.5),
    "noise 5": GaussianNoise(std=5, random_state=7),
}


def fit(images, y, groups, folder, **params):
    """Fit the recommended pipeline with a rate."""
    pipeline = make_attribution_pipeline(false_alarm_rate=0.01, memory=folder, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pipeline.fit(images, y, groups=groups)


def count(answers, truth, known, family):
    """Return the shares named rightly and accepted, at each rate."""
    mine = np.isin(truth, known)
    families = {family[name] for name in known}
    related = np.array([family[name] in families for name in truth]) & ~mine
    found = []
    for rate in RATES:
        taken = answers.false_alarm_probability <= rate
        right = taken & (answers.source == truth)
        others = [
            taken[truth == name].mean() for name in np.unique(truth[~mine & ~related])
        ]
        relatives = taken[related].mean() if related.any() else np.nan
        found.append([right[mine].mean(), np.mean(others), np.max(others), relatives])
    return np.array(found)


def accept(answers):
    """Return the share of images that are accepted at each rate."""
    return np.array([(answers.false_alarm_probability <= r).mean() for r in RATES])


def draw_known(names, n_known, n_draws):
    """Return the known sources of each draw."""
    if n_known == 1:
        return [[name] for name in names[:n_draws]]
    return [
        np.sort(np.random.default_rng(d).choice(names, n_known, replace=False))
        for d in range(n_draws)
    ]


def print_table(title, found):
    """Print the means over draws, and the worst draws, of a table of tables."""
    table = np.array(found)
    for r, rate in enumerate(RATES):
        own = table[:, r]
        print(
            f"{title:22} {rate:<5} named {own[:, 0].mean():.3f} ({own[:, 0].min():.3f})"
            f" others {own[:, 1].mean():.3f} ({own[:, 1].max():.3f}, source "
            f"{own[:, 2].max():.2f}) relatives {np.nanmean(own[:, 3]):.3f} photographs "
            f"{own[:, 4].mean():.3f} ({own[:, 4].max():.3f}) strangers "
            f"{own[:, 5].mean():.3f} ({own[:, 5].max():.3f})",
            flush=True,
        )


def measure_sources(data, n_known, n_draws, folder, **params):
    """Print the rates with so many known sources."""
    y, test = data["sources"], data["test"]
    found, spent, rows = {name: [] for name in CHANGES}, [], {}
    asked = {
        name: [
            part if change is None else change.fit_transform(part)
            for part in (data["images"][test], data["photographs"], data["strangers"])
        ]
        for name, change in CHANGES.items()
    }
    for known in draw_known(np.unique(y), n_known, n_draws):
        own = np.isin(y, known) & ~test
        begin = time.process_time()
        pipeline = fit(
            data["images"][own], y[own], data["groups"][own], folder, **params
        )
        spent.append(time.process_time() - begin)
        for name, parts in asked.items():
            if name not in rows:  # features are those of any fit
                rows[name] = [pipeline[:-1].transform(part) for part in parts]
            answers = [pipeline[-1].assess(part) for part in rows[name]]
            shares = count(answers[0], y[test], known, data["family"])
            others = [accept(part)[:, np.newaxis] for part in answers[1:]]
            found[name].append(np.hstack([shares, *others]))
    print(f"{n_known} known, {n_draws} draws, {np.mean(spent):.0f} s a fit", params)
    for name, tables in found.items():
        print_table(name, tables)


def measure_sizes(data, n_draws, folder):
    """Print the rates with few images of each of three sources."""
    y, test = data["sources"], data["test"]
    parts = data["images"][test], data["photographs"], data["strangers"]
    for n_images in (8, 16, 32):
        found = []
        for draw, known in enumerate(draw_known(np.unique(y), 3, n_draws)):
            rng = np.random.default_rng(draw)
            own = [np.flatnonzero((y == name) & ~test) for name in known]
            own = np.concatenate([rng.permutation(part)[:n_images] for part in own])
            pipeline = fit(data["images"][own], y[own], data["groups"][own], folder)
            answers = [pipeline.assess(part) for part in parts]
            shares = count(answers[0], y[test], known, data["family"])
            others = [accept(part)[:, np.newaxis] for part in answers[1:]]
            found.append(np.hstack([shares, *others]))
        print_table(f"{n_images} images a source", found)


def measure_several(data, n_draws, folder):
    """Print the rates with several images of one source at once."""
    y, test = data["sources"], data["test"]
    for n_known in (3, 12):
        found = {}
        for known in draw_known(np.unique(y), n_known, n_draws):
            own = np.isin(y, known) & ~test
            pipeline = fit(data["images"][own], y[own], data["groups"][own], folder)
            for name, change in CHANGES.items():
                parts = data["images"][test], data["photographs"], data["strangers"]
                if change is not None:
                    parts = [change.fit_transform(part) for part in parts]
                for m in (1, 2, 4):
                    answers, truth = [], None
                    for k, part in enumerate(parts):
                        labels = y[test] if k == 0 else np.full(len(part), "x")
                        sets = number_sets(labels, m)
                        answers.append(pipeline.assess(part, groups=sets))
                        if k == 0:
                            first = np.unique(sets, return_index=True)[1]
                            truth = labels[first]
                    shares = count(answers[0], truth, known, data["family"])
                    others = [accept(part)[:, np.newaxis] for part in answers[1:]]
                    found.setdefault((name, m), []).append(np.hstack([shares, *others]))
        print(f"{n_known} known, {n_draws} draws")
        for (name, m), tables in found.items():
            print_table(f"{name}, {m} image(s)", tables)


def number_sets(labels, m):
    """Return the number of a set of m images of one label, for each image."""
    sets = np.empty(len(labels), dtype=int)
    for k, name in enumerate(np.unique(labels)):
        own = np.flatnonzero(labels == name)
        sets[np.random.default_rng(k).permutation(own)] = 10_000 * k + (
            np.arange(len(own)) // m
        )
    return sets


def measure_wild(data, n_draws, folder):
    """Print the rates with three known networks of `wild/` and `modern/`."""
    wild = [read_images(prefix, real=True) for prefix in ("wild/", "modern/")]
    sources = np.concatenate([part.sources for part in wild])
    groups = np.concatenate([part.groups for part in wild])
    images = [image for part in wild for image in part.images]
    real = np.isin(sources, [n for n in np.unique(sources) if "real" in n])
    family = {n: n for n in np.unique(sources)}
    test = np.zeros(len(sources), dtype=bool)
    for name in np.unique(sources):
        scenes = np.unique(groups[sources == name])
        odd = np.random.default_rng(0).permutation(scenes)[::2]
        test |= (sources == name) & np.isin(groups, odd)
    names, found = np.unique(sources[~real]), []
    asked = np.flatnonzero(test & ~real)
    photographs = [images[i] for i in np.flatnonzero(real)]
    for draw in range(n_draws):
        known = np.sort(np.random.default_rng(draw).choice(names, 3, replace=False))
        own = np.flatnonzero(np.isin(sources, known) & ~test)
        pipeline = fit([images[i] for i in own], sources[own], groups[own], folder)
        answers = pipeline.assess([images[i] for i in asked])
        shares = count(answers, sources[asked], known, family)
        parts = data["photographs"], data["strangers"]
        if photographs:
            parts = photographs, data["strangers"]
        others = [accept(pipeline.assess(part))[:, np.newaxis] for part in parts]
        found.append(np.hstack([shares, *others]))
    print(f"wild and modern: {len(names)} networks, {len(photographs)} photographs")
    print_table("3 known", found)


def main():
    """Print the parts that are asked for."""
    arguments, folder, n_draws = sys.argv[1:], None, 10
    for name in ("--folder", "--draws"):
        if name in arguments:
            at = arguments.index(name)
            if name == "--folder":
                folder = arguments[at + 1]
            else:
                n_draws = int(arguments[at + 1])
            del arguments[at : at + 2]
    folder = folder or tempfile.mkdtemp()
    data = read_open_set()
    parts = arguments or ["1", "3", "6", "12", "16", "sizes", "several", "wild"]
    for part in parts:
        if part.isdigit():
            measure_sources(data, int(part), n_draws, folder)
        elif part == "without":
            for n_known in (3, 12):
                measure_sources(data, n_known, n_draws, folder, imitations=None)
        else:
            measure = {
                "sizes": measure_sizes,
                "several": measure_several,
                "wild": measure_wild,
            }[part]
            measure(data, n_draws, folder)


if __name__ == "__main__":
    main()

"""Measure the blind clustering of images by source: agreement, counts and time.

``python -m benchmarks.accuracy.clustering [part ...]`` clusters real images (see
`data/real_images.py`) without their labels. Random choices are drawn three times.
"even" and "odd" are the two halves of the photographs; all settings were chosen on the
even half. The score is the adjusted Rand index (ARI), which is 1 for the true clusters
and 0 by chance. Parts:

* ``sources``: 20 generators with 40 images each;
* ``unbalanced``: 5 to 75 images of each generator;
* ``photographs``: photographs among the images of generators;
* ``easy``: seven strong generators, published results of others, and two cameras;
* ``cameras``: six cameras, clustered by their residuals;
* ``single``: one source alone, and pairs of unrelated sources;
* ``scenes``: one source with few scenes;
* ``jpeg``: all images compressed at quality 95;
* ``strangers``: four enlargers on which no setting was chosen;
* ``pairs``: whether two images share a source; draws `docs/images/one_or_many.png`;
* ``speed``: 22,000 rows.
"""

import resource
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import cosine_similarity

from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import (
    FingerprintClustering,
    PatchWhitener,
    ResidualClustering,
    ResidualExtractor,
)
from skfingerprint.datasets import load_generators
from skfingerprint.perturbation import JPEGCompression

STRONG = (
    "mobilestylegan-ffhq",
    "4xSPANkendata",
    "2xHFA2kSPAN_27k",
    "dcgan-digiface",
    "srgan-gan",
    "style26-19",
    "acnet-gan",
)
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
FIGURE = Path(__file__).parents[2] / "docs" / "images" / "one_or_many.png"


def read_halves(*, real=False):
    """Return the registry, and the two halves of its photographs."""
    data = read_images("registry/", real=real)
    odd = reference_split(data.groups)
    return data, {"odd": odd, "even": ~odd}


def draw(data, half, counts, seed):
    """Return the places of a number of images of each source."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.permutation(np.flatnonzero(half & (data.sources == name)))[:n]
            for name, n in counts.items()
        ]
    )


def sort(images, seed=0):
    """Return a fitted clustering of images."""
    rows = PatchWhitener(n_jobs=2, random_state=seed).fit_transform(images)
    return FingerprintClustering(random_state=seed).fit(rows)


def report(name, data, places, seed=0):
    """Cluster images, print the agreement, and return the clustering."""
    start = time.perf_counter()
    found = sort(data.images[places], seed)
    truth = data.sources[places]
    score = adjusted_rand_score(truth, found.labels_)
    print(
        f"{name:28s} n {len(places):4d}, ARI {score:.3f}, {found.n_clusters_} clusters "
        f"of {len(np.unique(truth))}, {found.n_neighbors_} neighbors, "
        f"{time.perf_counter() - start:.0f} s",
        flush=True,
    )
    return score


def summarize(name, scores):
    """Print the mean and the worst of several draws."""
    print(f"{name:28s} mean {np.mean(scores):.3f}, worst {np.min(scores):.3f}")


def repeat(name, data, halves, find_counts, n_draws=3):
    """Report several draws of each half."""
    for half, places in halves.items():
        scores = [
            report(
                f"{name}, {half}, draw {seed}",
                data,
                draw(data, places, find_counts(np.random.default_rng(seed)), seed),
                seed,
            )
            for seed in range(n_draws)
        ]
        summarize(f"{name}, {half}", scores)


def measure_sources():
    """Cluster 20 generators x 40 images."""
    data, halves = read_halves()
    counts = dict.fromkeys(np.unique(data.sources), 40)
    repeat("20 x 40", data, halves, lambda rng: counts)


def measure_unbalanced():
    """Cluster 5 to 75 images of each generator."""
    data, halves = read_halves()
    names = np.unique(data.sources)
    numbers = np.linspace(5, 75, len(names)).round().astype(int)

    def find_counts(rng):
        return dict(zip(names, rng.permutation(numbers), strict=True))

    repeat("5..75 a source", data, halves, find_counts)


def measure_photographs():
    """Cluster photographs among generated images; they share no source."""
    data, halves = read_halves(real=True)
    counts = dict.fromkeys(np.unique(data.sources), 40)
    repeat("20 + photographs", data, halves, lambda rng: counts)


def measure_easy():
    """Cluster seven strong generators, published results, two cameras."""
    data, halves = read_halves()
    counts = dict.fromkeys(STRONG, 40)
    repeat("strong seven", data, halves, lambda rng: counts, n_draws=1)
    for name, real in (("published", False), ("published + photographs", True)):
        wild = read_images("wild/", real=real)
        report(name, wild, np.arange(len(wild.images)))
    stereo = read_images("cameras/stereo")
    report("stereo rig", stereo, np.arange(len(stereo.images)))


def measure_cameras():
    """Cluster six cameras of three models, and two of one, by residuals."""
    for name in ("cameras/flat", "cameras/stereo"):
        data = read_images(name)
        residuals = ResidualExtractor(n_jobs=2).fit_transform(data.images)
        found = ResidualClustering(random_state=0).fit(residuals)
        score = adjusted_rand_score(data.sources, found.labels_)
        print(
            f"{name:28s} n {len(residuals):4d}, ARI {score:.3f}, {found.n_clusters_} "
            f"clusters of {len(np.unique(data.sources))}, "
            f"{found.degrees_of_freedom_:.0f} degrees of freedom of {residuals[0].size}"
        )


def measure_single(n_images=40):
    """Cluster one source alone, and pairs of unrelated sources."""
    data, halves = read_halves()
    names = np.unique(data.sources)
    families = dict(zip(data.sources, data.families, strict=True))
    pairs = [p for p in combinations(names, 2) if families[p[0]] != families[p[1]]]
    chosen = np.random.default_rng(0).choice(len(pairs), 20, replace=False)
    cases = {"one source": [(name,) for name in names]}
    cases["two unrelated"] = [pairs[i] for i in chosen]
    for half, places in halves.items():
        for kind, groups in cases.items():
            found, scores = [], []
            for group in groups:
                own = draw(data, places, dict.fromkeys(group, n_images), 0)
                labels = sort(data.images[own]).labels_
                found.append(int(labels.max()) + 1)
                scores.append(adjusted_rand_score(data.sources[own], labels))
            right = [
                n > 1 if len(g) > 1 else n == 1
                for g, n in zip(groups, found, strict=True)
            ]
            wrong = [" + ".join(g) for g, r in zip(groups, right, strict=True) if not r]
            print(
                f"{kind}, {half}: {sum(right)} of {len(groups)}; clusters {found}; "
                f"ARI mean {np.mean(scores):.3f}; wrong: {wrong}",
                flush=True,
            )


def measure_scenes():
    """Cluster single embedded sources with 80 images of ten scenes."""
    data = load_generators()
    for step in (1, 2):
        found = [
            sort(data.images[data.target == number][::step]).n_clusters_
            for number in range(len(data.target_names))
        ]
        print(f"{80 // step} images of ten scenes, clusters: {found}", flush=True)


def measure_jpeg():
    """Cluster compressed images."""
    data, halves = read_halves()
    data.images = JPEGCompression(quality=95).fit_transform(data.images)
    counts = dict.fromkeys(np.unique(data.sources), 40)
    repeat("JPEG 95", data, halves, lambda rng: counts)


def measure_strangers():
    """Cluster enlargers of photographs on which no setting was chosen."""
    data = read_images("strangers/")
    report("strangers", data, np.arange(len(data.images)))


def measure_pairs():
    """Compare pairs of images of sources that the whitener did not see, by cosine."""
    data, halves = read_halves()
    names = np.unique(data.sources)
    same, different = {}, {}
    for start in range(5):
        asked = names[start::5]
        known = ~np.isin(data.sources, asked)
        whitener = PatchWhitener(n_jobs=2, random_state=0)
        whitener.fit(data.images[halves["even"] & known])
        places = np.flatnonzero(halves["odd"] & ~known)
        rows = {
            name: whitener.transform(data.images[places[data.sources[places] == name]])
            for name in asked
        }
        for name in asked:
            cosines = cosine_similarity(rows[name])
            same[name] = cosines[np.triu_indices(len(cosines), 1)]
        for pair in combinations(asked, 2):
            different[pair] = cosine_similarity(*(rows[n] for n in pair)).ravel()
    print(f"{len(same)} sources, {len(different)} pairs of sources; pairs of images: ")
    print(sum(map(len, same.values())), "same,", sum(map(len, different.values())))
    for threshold in THRESHOLDS:
        print_rates(threshold, same, different)
    draw_pairs(same, different)


def print_rates(threshold, same, different):
    """Print the shares of pairs above a threshold, and the worst sources."""
    found = {name: np.mean(c > threshold) for name, c in same.items()}
    false = {pair: np.mean(c > threshold) for pair, c in different.items()}
    worst, least = max(false, key=false.get), min(found, key=found.get)
    print(
        f"cosine > {threshold:.1f}: false {np.mean(list(false.values())):.3f}, worst "
        f"{false[worst]:.3f} ({' + '.join(worst)}); found "
        f"{np.mean(list(found.values())):.3f}, worst {found[least]:.3f} ({least})"
    )


def draw_pairs(same, different):
    """Draw the distributions of cosines."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
    bins = np.linspace(-1, 1, 81)
    for label, values in (("one source", same), ("two sources", different)):
        weights = np.concatenate([np.full(len(c), 1 / len(c)) for c in values.values()])
        ax.hist(
            np.concatenate(list(values.values())),
            bins=bins,
            weights=weights / len(values),
            alpha=0.6,
            label=label,
        )
    ax.set(xlabel="Cosine of two images", ylabel="Share of pairs")
    ax.legend()
    fig.savefig(FIGURE, dpi=100)


def measure_speed():
    """Cluster 22 sources x 1,000 rows."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(22), 1000)
    rows = 0.8 * rng.normal(size=(22, 60))[y] + rng.normal(size=(len(y), 60))
    rows = rows.astype(np.float32)
    found = []
    for _ in range(2):
        start, used = time.perf_counter(), time.process_time()
        found.append(FingerprintClustering(random_state=0).fit(rows))
        spent = time.perf_counter() - start, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        score = adjusted_rand_score(y, found[-1].labels_)
        print(
            f"{len(y)} rows: {spent[0]:.0f} s, {spent[1]:.0f} s of processors, peak "
            f"{peak:.2f} GiB, {found[-1].n_clusters_} clusters, ARI {score:.3f}"
        )
    print("the same again:", np.array_equal(found[0].labels_, found[1].labels_))


PARTS = {
    "sources": measure_sources,
    "unbalanced": measure_unbalanced,
    "photographs": measure_photographs,
    "easy": measure_easy,
    "cameras": measure_cameras,
    "single": measure_single,
    "scenes": measure_scenes,
    "jpeg": measure_jpeg,
    "strangers": measure_strangers,
    "pairs": measure_pairs,
    "speed": measure_speed,
}


if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        print(f"== {part}")
        PARTS[part]()

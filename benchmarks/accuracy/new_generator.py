"""Measure how a new generator is noticed, named and fitted beside known sources.

``python -m benchmarks.accuracy.new_generator [--draws D] [--default] [part ...]`` does
what the example "A new generator appears" does, with another generator in each draw.
The recommended pipeline is fitted on known sources, with a rate of 1 %. Images of other
scenes arrive: of the known sources, of a new generator, and of photographs. They are
clustered, and the cluster with most images of the new generator is fitted beside the
known sources, under one name, with whatever else is in it. Parts:

* ``today``: four text-to-image models of 2023 to 2025 (see `data/real_images.py`), of
  which each is the new one in turn, at most 80 images a model, 128 x 128 pixels;
* ``registry``: six known networks of 20, and a new one, drawn at random.

The lines have the number of images of the new generator that arrive, and the share of
them that is rejected; the number of clusters, and of clusters of which at least half is
rejected; the share of the new generator's images that one cluster holds, and the share
of this cluster that is of the new generator; the share of images of known sources
accepted at 1 % and at 10 %, of the worst source, before and after the new fit, on the
same images; the share of later images of the new generator that get its name; and the
processor time, in seconds, of the second fit with and without `memory`. After the
draws there are their mean, and the worst of each column.

Fits learn from unprocessed images alone, unless `--default`.
"""

import argparse
import tempfile
import time
import warnings

import numpy as np

from benchmarks.accuracy.origins import ONE_DECODER, read_parts
from benchmarks.accuracy.today import STILLS
from benchmarks.data.real_images import read_images
from skfingerprint import (
    FingerprintClustering,
    PatchWhitener,
    make_attribution_pipeline,
)
from skfingerprint.metrics import open_set_report

RATES = (0.01, 0.1)
PHOTOGRAPH, NAME = "photograph", "the new one"
# Whether the largest value of a column is the worst one.
COLUMNS = {
    "arrived": False,
    "rejected": False,
    "clusters": True,
    "clusters rejected": True,
    "in one cluster": False,
    "purity": False,
    "known at .01 before": False,
    "after": False,
    "known at .1 before": False,
    "after ": False,
    "later named at .01": False,
    "later named at .1": False,
    "s with memory": True,
    "s without": True,
}


def read_today():
    """Return images, sources and scenes of four models, and of photographs."""
    X, y, groups = read_parts(*(f"today/{name}" for name in STILLS), n_images=80)
    y = np.where(np.char.startswith(y, "sdxl"), ONE_DECODER, y)
    return add_photographs(X, y, groups)


def read_networks():
    """Return images, sources and scenes of 20 networks, and of photographs."""
    data = read_images("registry/")
    return add_photographs(data.images, data.sources, data.groups)


def add_photographs(X, y, groups):
    """Return images, sources and scenes, and those of 80 photographs beside them."""
    data = read_images("registry/real-photo", real=True)
    X = np.concatenate([X, data.images[::2]])
    names = np.full(len(data.images[::2]), PHOTOGRAPH)
    return X, np.concatenate([y, names]), np.concatenate([groups, data.groups[::2]])


def draw_sources(y, n_known, n_draws):
    """Yield the known sources and the new one of each draw."""
    names = np.unique(y[y != PHOTOGRAPH])
    for draw in range(n_draws):
        if len(names) <= n_known + 1:
            order = np.roll(names, -1 - draw)
        else:
            order = np.random.default_rng(draw).permutation(names)[: n_known + 1]
        yield order[:-1], order[-1]


def cluster(images):
    """Return the cluster of each image."""
    rows = PatchWhitener(random_state=0).fit_transform(images)
    return FingerprintClustering(n_neighbors=20, random_state=0).fit_predict(rows)


def detect(pipeline, images, names):
    """Return the share accepted of the worst source, at each rate."""
    answers = pipeline.assess(images)
    shares = answers.false_alarm_probability
    report = open_set_report(
        names, shares, np.unique(names), y_pred=answers.source, rates=RATES
    )
    return report.lowest_detection_rate


def fit(pipeline, X, names, groups):
    """Fit a pipeline, and return its processor time in seconds."""
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(X, names, groups=groups)
    return time.process_time() - begin


def measure_draw(data, known, new, params):
    """Return the columns of one draw.

    Parameters
    ----------
    data : tuple of ndarray of shape (n_images, ...)
        Images, sources and scenes.
    known : ndarray of shape (n_known,)
        Known sources.
    new : str
        New source.
    params : dict
        Parameters of the pipeline.

    Returns
    -------
    columns : list of float
    """
    X, y, groups = data
    first = np.isin(groups, np.unique(groups)[::2])
    fitted = np.flatnonzero(np.isin(y, known) & first)
    tested = np.flatnonzero(np.isin(y, known) & ~first)
    further = ((y == new) & first) | ((y == PHOTOGRAPH) & ~first)
    arrived = np.concatenate([tested, np.flatnonzero(further)])
    pipeline = make_attribution_pipeline(
        false_alarm_rate=0.01, memory=tempfile.mkdtemp(), **params
    )
    fit(pipeline, X[fitted], y[fitted], groups[fitted])
    rejected, is_new = ~pipeline.assess(X[arrived]).known, y[arrived] == new
    labels = cluster(X[arrived])
    clusters = np.unique(labels[labels >= 0])
    unknown = [rejected[labels == number].mean() >= 0.5 for number in clusters]
    counts = [is_new[labels == number].sum() for number in clusters]
    own = labels == clusters[np.argmax(counts)]
    named, rest = arrived[own], np.setdiff1d(tested, arrived[own])
    before = detect(pipeline, X[rest], y[rest])
    used = np.concatenate([fitted, named])
    names = np.concatenate([y[fitted], np.full(len(named), NAME)])
    kept = fit(pipeline, X[used], names, groups[used])
    after = detect(pipeline, X[rest], y[rest])
    answers = pipeline.assess(X[(y == new) & ~first])
    shares, is_right = answers.false_alarm_probability, answers.source == NAME
    later = [np.mean(is_right & (shares <= rate)) for rate in RATES]
    plain = fit(pipeline.set_params(memory=None), X[used], names, groups[used])
    found = is_new.sum(), rejected[is_new].mean(), len(clusters), sum(unknown)
    shares = is_new[own].sum() / is_new.sum(), is_new[own].mean()
    known = before[0], after[0], before[1], after[1]
    return [*found, *shares, *known, *later, kept, plain]


def measure(data, n_known, n_draws, params):
    """Print the columns of each draw, their mean, and the worst of each."""
    found = []
    for known, new in draw_sources(data[1], n_known, n_draws):
        found.append(measure_draw(data, known, new, params))
        print_line(f"{new}, {len(known)} known", found[-1])
    table = np.array(found)
    print_line("mean", table.mean(axis=0))
    print_line("worst", np.where([*COLUMNS.values()], table.max(0), table.min(0)))


def print_line(title, values):
    """Print one value of each column."""
    texts = [
        f"{name.strip()} {value:.3g}"
        for name, value in zip(COLUMNS, values, strict=True)
    ]
    print(f"{title:34} " + ", ".join(texts), flush=True)


PARTS = {"today": (read_today, 3), "registry": (read_networks, 6)}


def main():
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--default", action="store_true", help="perturbs the images")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    options = parser.parse_args()
    # Origins of images are known to differ in their JPEG history.
    params = {"history": "ignore"}
    params |= {} if options.default else {"perturbations": ()}
    for part in options.parts or PARTS:
        read, n_known = PARTS[part]
        print(f"\n{part}, {options.draws} draws")
        measure(read(), n_known, options.draws, params)


if __name__ == "__main__":
    main()

"""Measure the likelihood ratios of the recommended pipeline.

``python -m benchmarks.accuracy.likelihood_ratios [--folder F] [--draws D] [--save PATH]
[part ...]`` fits the recommended pipeline with a rate on a few of the 20 networks of
`registry/`, drawn at random, and computes the likelihood ratio of each test image for
each known source. The scenes of test images were not fitted. Parts:

* ``3``, ``6``, ``16``, ``20``: so many known sources, unprocessed and perturbed, of
  which the last two perturbations are never fitted;
* ``lir``: the cost and its minimum beside those of the package `lir`, if installed.

Each line has the log-likelihood-ratio cost of images of known sources against one set
of other images, each set by itself. From `registry/` these are the other known sources,
relatives of known sources, other families (neither is left with 20 known sources) and
photographs; beside it there are `strangers/`, `wild/`, and the text-to-image models and
videos of `today/`, cut to 128 pixels. The columns are the mean cost over draws, and in
brackets the largest; its mean minimum; the largest excess of the cost over it; the
share of ratios above 1 among other images, and their largest log10, which the bound in
the headline limits. "named" is the cost of a single ratio for each other image, that of
the source that the pipeline names, which is picked as the best of all.

F keeps rows between runs. PATH gets Tippett plots of the first draw, unprocessed and
saved as JPEG 75. A draw takes 1 to 5 minutes of one processor, by the sources.
"""

import argparse
import tempfile

import joblib
import numpy as np

from benchmarks.accuracy.imitations import CHANGES, draw_known, fit
from benchmarks.accuracy.origins import read_parts
from benchmarks.accuracy.today import STILLS
from benchmarks.data.real_images import read_images, read_open_set
from skfingerprint import make_attribution_pipeline
from skfingerprint.metrics import log_likelihood_ratio_cost
from skfingerprint.perturbation import GaussianBlur, JPEGCompression

NEVER = {"JPEG 30": JPEGCompression(quality=30), "blur 3": GaussianBlur(std=3)}
DRAWN = ("clean", "JPEG 75")
TODAY = [f"today/{name}" for name in (*STILLS, "v-")]


def read_rows(data, folder):
    """Compute the features of test images, by change and by set."""
    sets = {
        "registry": data["images"][data["test"]],
        "photographs": data["photographs"],
        "strangers": data["strangers"],
        "wild": read_images("wild/").images,
        "today": read_parts(*TODAY)[0],
    }
    compute = joblib.Memory(folder, verbose=0).cache(compute_rows)
    steps = make_attribution_pipeline()[:-1].fit(sets["registry"][:2])
    return {
        change: {name: compute(steps, part, perturb) for name, part in sets.items()}
        for change, perturb in (CHANGES | NEVER).items()
    }


def compute_rows(steps, images, perturb):
    """Compute the features of perturbed images."""
    return steps.transform(images if perturb is None else perturb.fit_transform(images))


def compare(own, others, named):
    """Return the figures of ratios of own images and of one set of others."""
    truth = np.repeat([True, False], [len(own), len(others)])
    logs = np.concatenate([own, others])
    cost = log_likelihood_ratio_cost(truth, logs)
    least = log_likelihood_ratio_cost(truth, logs, minimum=True)
    truth = np.repeat([True, False], [len(own), len(named)])
    picked = log_likelihood_ratio_cost(truth, np.concatenate([own, named]))
    return [cost, least, cost - least, np.mean(others > 0), others.max(), picked]


def split_others(answers, y, known, family):
    """Return the ratios of images of known sources, and those of each other set.

    Parameters
    ----------
    answers : dict of Bunch
        Answers of `assess` to each set of images, "registry" among them.
    y : ndarray of shape (n_images,)
        Sources of the images of the registry.
    known : sequence of str
        Known sources, in the order of the columns.
    family : dict of str
        Family of each source.

    Returns
    -------
    own : ndarray of shape (n_own,)
        Ratios of images for the source that made them.
    others : dict of (ndarray, ndarray)
        Ratios of other images for each source, and for the source that is named.
    """
    registry = answers["registry"].log10_likelihood_ratios
    is_own = np.equal.outer(y, np.asarray(known))
    mine = is_own.any(axis=1)
    families = {family[name] for name in known}
    related = np.array([family[name] in families for name in y]) & ~mine
    others = {"other known sources": (registry[mine][~is_own[mine]],) * 2}
    picked = answers["registry"].log10_likelihood_ratio
    for name, part in (("relatives", related), ("other families", ~mine & ~related)):
        others[name] = registry[part].ravel(), picked[part]
    for name, answer in answers.items():
        if name != "registry":
            logs = answer.log10_likelihood_ratios.ravel()
            others[name] = logs, answer.log10_likelihood_ratio
    return registry[is_own], {k: v for k, v in others.items() if len(v[0])}


def measure(data, n_known, n_draws, folder, path):
    """Print the figures with so many known sources."""
    y, test, found, bounds, drawn = data["sources"], data["test"], {}, [], {}
    n_draws = n_draws if n_known < 20 else 1
    for known in draw_known(np.unique(y), n_known, n_draws):
        own = np.isin(y, known) & ~test
        pipeline = fit(data["images"][own], y[own], data["groups"][own], folder)
        model = pipeline[-1]
        bounds += [part.upper for part in model.detector_.ratios_]
        for change, rows in data["rows"].items():
            answers = {k: model.assess(part) for k, part in rows.items()}
            mine, others = split_others(answers, y[test], known, data["family"])
            for name, (logs, named) in others.items():
                figures = compare(mine, logs, named)
                found.setdefault((change, name), []).append(figures)
            drawn.setdefault(change, (mine, others))
    if path:
        draw(drawn, path)
    print(f"\n{n_known} known, {n_draws} draws, log10 at most {max(bounds):.2f}")
    for (change, name), figures in found.items():
        table = np.array(figures)
        mean, most = table.mean(axis=0), table.max(axis=0)
        print(
            f"{change:10} {name:20} cost {mean[0]:.3f} ({most[0]:.3f}) minimum "
            f"{mean[1]:.3f} excess {most[2]:.3f} above 1 {mean[3]:.4f} largest "
            f"{most[4]:.2f} named {mean[5]:.3f} ({most[5]:.3f})",
            flush=True,
        )


def draw(ratios, path):
    """Draw Tippett plots of images of known sources and all others, by change."""
    import matplotlib.pyplot as plt

    from skfingerprint.plotting import TippettDisplay

    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for ax, change in zip(axes, DRAWN, strict=True):
        own, others = ratios[change]
        logs = np.concatenate([part for part, _ in others.values()])
        TippettDisplay(own, logs).plot(ax)
        title = "unprocessed" if change == "clean" else change
        ax.set_title(f"{title}, {ax.get_title()}")
    figure.savefig(path, dpi=80)


def compare_with_lir():
    """Print the largest difference of costs from those of lir, over random ratios."""
    from lir.data.models import LLRData
    from lir.metrics import cllr, cllr_min

    rng, differences = np.random.default_rng(0), []
    for n in (20, 200, 5000):
        y = rng.random(n) < rng.uniform(0.2, 0.8)
        logs = rng.normal(np.where(y, 0.5, -1)).round(rng.integers(1, 6))
        other = LLRData(features=logs, labels=y.astype(int))
        for minimum, cost in ((False, cllr), (True, cllr_min)):
            ours = log_likelihood_ratio_cost(y, logs, minimum=minimum)
            differences.append(abs(ours - cost(other)))
    print(f"largest difference from lir: {max(differences):.1e}")


def main():
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="keeps rows between runs")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--save", metavar="PATH", help="draw the Tippett plot")
    parser.add_argument("parts", nargs="*", default=["3", "6", "16", "20", "lir"])
    options = parser.parse_args()
    folder, data = options.folder or tempfile.mkdtemp(), None
    for part in options.parts:
        if part == "lir":
            compare_with_lir()
            continue
        if data is None:
            data = read_open_set()
            data["rows"] = read_rows(data, folder)
        measure(data, int(part), options.draws, folder, options.save)


if __name__ == "__main__":
    main()

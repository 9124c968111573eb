"""Measure whether a source is a set of weights or an architecture.

``python -m benchmarks.accuracy.families`` fits on the even groups of `registry/` and
`strangers/` (see `data/real_images.py`) and tests on the odd groups. It prints how well
the members of a family are distinguished, and which sources the images of a member get
if that member was not fitted. Intervals cover 95 % and resample the groups
(photographs) of the test images. It takes two to four minutes. ``--save PATH`` draws
the figure. `modern.py` asks the same about decoders.
"""

import argparse

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    ResidualExtractor,
    SourceDiscriminant,
)

TRANSFORMERS = {
    "features": AttributionFeatures(n_jobs=2),
    "pixels": ResidualExtractor(sigma=3, n_jobs=2),
}
# One shrinkage: many discriminants are fitted, and its choice changes little.
CLASSIFIERS = {
    "features": SourceDiscriminant(shrinkage=0.1, cv=2),
    "pixels": FingerprintClassifier(),
}
N_RESAMPLES = 2000
# Correlation of the fingerprints of two halves of a source's images.
FAINT = 0.05


def read(*prefixes):
    """Return sources, families, groups, which test, and X of both methods."""
    data = read_images(*prefixes)
    X = {name: t.fit_transform(data.images) for name, t in TRANSFORMERS.items()}
    return Bunch(
        X=X,
        y=data.sources,
        families=data.families,
        groups=data.groups,
        test=reference_split(data.groups),
        family_of=dict(zip(data.sources.tolist(), data.families.tolist(), strict=True)),
    )


def attribute(data, method, fit, test, labels=None):
    """Fit on some images of the even groups, and name some of the odd groups."""
    labels = data.y if labels is None else labels
    fit, test = fit & ~data.test, test & data.test
    X = data.X[method]
    model = make_pipeline(CLASSIFIERS[method]).fit(X[fit], labels[fit])
    return model.predict(X[test]), test


def interval(right, groups):
    """Return the mean and its 95 % interval, with whole groups as the units."""
    rng = np.random.default_rng(0)
    units = np.unique(groups, return_inverse=True)[1]
    sums, counts = np.bincount(units, right), np.bincount(units)
    drawn = rng.integers(0, len(sums), (N_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return (np.mean(right), *np.quantile(means, (0.025, 0.975)))


def spell(right, groups):
    """Return a mean, its interval and the number of images as text."""
    mean, low, high = interval(right, groups)
    return f"{mean:.3f} ({low:.2f}-{high:.2f}, n = {len(right)})"


def find_families(data):
    """Return the members of each family of several sources."""
    members = {}
    for source, family in data.family_of.items():
        members.setdefault(family, []).append(source)
    return {f: sorted(m) for f, m in sorted(members.items()) if len(m) > 1}


def print_within(data, method):
    """Print accuracy among all sources and in each family, and the errors."""
    every = np.ones(len(data.y), dtype=bool)
    predicted, test = attribute(data, method, every, every)
    truth, groups = data.y[test], data.groups[test]
    family = np.array([data.family_of[name] for name in predicted])
    n_sources = len(data.family_of)
    print(f"\n{method}: {n_sources} sources, chance {1 / n_sources:.2f}")
    print(f"  source right   {spell(predicted == truth, groups)}")
    print(f"  family right   {spell(family == data.families[test], groups)}")
    wrong = predicted != truth
    sizes = {f: len(m) for f, m in find_families(data).items()}
    chance = [(sizes.get(f, 1) - 1) / (n_sources - 1) for f in data.families[test]]
    relatives = np.mean((family == data.families[test])[wrong])
    print(
        f"  of {wrong.sum()} errors {relatives:.2f} name a relative, chance "
        f"{np.mean(np.array(chance)[wrong]):.2f}"
    )
    for name, members in find_families(data).items():
        own = np.isin(data.y, members)
        predicted, test = attribute(data, method, own, own)
        right = spell(predicted == data.y[test], data.groups[test])
        chance = f"chance {1 / len(members):.2f}"
        print(f"  among {len(members)} of {name:8s} {right}, {chance}")


def leave_out(data, method):
    """Return the share of each left-out member's images named as its relatives."""
    found = {}
    for members in find_families(data).values():
        for source in members:
            own = data.y == source
            predicted, test = attribute(data, method, ~own, own)
            right = np.isin(predicted, members)
            names, counts = np.unique(predicted, return_counts=True)
            found[source] = Bunch(
                share=interval(right, data.groups[test]),
                text=spell(right, data.groups[test]),
                chance=(len(members) - 1) / (len(data.family_of) - 1),
                most=(names[counts.argmax()], counts.max() / len(predicted)),
            )
    return found


def print_left_out(found, method):
    """Print the table of left-out members."""
    print(
        f"\n{method}: share of a member that was not fitted that goes to its relatives"
    )
    for source, row in found.items():
        name, share = row.most
        print(
            f"  {source:24s} {row.text}, chance {row.chance:.2f}; most to {name}, "
            f"{share:.2f}"
        )


def print_strangers(data, strangers):
    """Print the sources that images of other members of known families get."""
    print("\nstrangers, 20 sources known: share that goes to the own family")
    for method in CLASSIFIERS:
        fit = ~data.test
        X, model = data.X[method], make_pipeline(CLASSIFIERS[method])
        model.fit(X[fit], data.y[fit])
        for source in np.unique(strangers.y[strangers.families == "span"]):
            own = strangers.y == source
            predicted = model.predict(strangers.X[method][own])
            family = np.array([data.family_of[name] for name in predicted])
            right = spell(family == "span", strangers.groups[own])
            print(f"  {method:8s} {source:24s} {right}, chance 0.15")


def print_likeness(data):
    """Print correlations of fingerprints without their noise.

    The fingerprints of one half of the photographs are correlated with those of the
    other, and divided by those of each with itself.
    """
    likeness, names, reliable = find_likeness(data)
    print(f"\nfingerprints that correlate less than {FAINT} with themselves, left out:")
    print("  " + ", ".join(np.array(names)[~reliable]))
    print("likeness of the others, noise removed: nearest relative; nearest other")
    for family, members in find_families(data).items():
        inside = np.isin(names, members)
        for i in np.flatnonzero(inside & reliable):
            parts = [
                describe_nearest(
                    likeness[i], names, own & reliable & (names != names[i])
                )
                for own in (inside, ~inside)
            ]
            print(f"  {family:8s} {names[i]:24s} {'; '.join(parts)}")


def find_likeness(data):
    """Return likenesses, names, and which fingerprints are no mere noise."""
    residuals, names = data.X["pixels"], np.array(sorted(data.family_of))
    first, second = (
        np.stack([_mean_direction(residuals[half & (data.y == n)]) for n in names])
        for half in (~data.test, data.test)
    )
    products = first @ second.T
    own = np.diagonal(products)
    norms = np.sqrt(np.maximum(own, FAINT))
    return (products + products.T) / 2 / np.outer(norms, norms), names, own > FAINT


def _mean_direction(residuals):
    mean = residuals.mean(axis=0).ravel()
    mean = mean - mean.mean()
    return mean / np.linalg.norm(mean)


def describe_nearest(values, names, candidates):
    """Return the largest value and its name, among candidates."""
    if not candidates.any():
        return "none"
    place = np.where(candidates, values, -np.inf).argmax()
    return f"{values[place]:+.2f} {names[place]}"


def draw(left_out, family_of, path):
    """Draw the shares that go to relatives."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(7, 5.5), layout="constrained")
    names = list(left_out["features"])
    colors = {"features": "#0072B2", "pixels": "#E69F00"}
    for offset, method in ((-0.2, "features"), (0.2, "pixels")):
        rows = [left_out[method][name].share for name in names]
        mean, low, high = np.array(rows).T
        places = np.arange(len(names)) + offset
        ax.barh(places, mean, 0.4, color=colors[method], label=method)
        errors = np.maximum([mean - low, high - mean], 0)
        ax.errorbar(mean, places, xerr=errors, fmt="none", ecolor="0.2", lw=1)
    chance = [left_out["features"][name].chance for name in names]
    ax.plot(chance, range(len(names)), "k|", markersize=16, label="chance")
    ax.set_yticks(range(len(names)), [f"{family_of[n]}: {n}" for n in names])
    for place in range(1, len(names)):
        if family_of[names[place]] != family_of[names[place - 1]]:
            ax.axhline(place - 0.5, color="0.7", lw=0.8)
    ax.set(xlabel="Share of its images that go to its relatives", xlim=(0, 1.02))
    ax.set(ylim=(len(names) - 0.5, -0.5), title="A network that was not fitted")
    ax.legend(loc="upper right")
    ax.figure.savefig(path, dpi=100)
    print(f"saved {path}")


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", metavar="PATH", help="draw the figure")
    options = parser.parse_args()
    data = read("registry/")
    left_out = {}
    for method in CLASSIFIERS:
        print_within(data, method)
        left_out[method] = leave_out(data, method)
        print_left_out(left_out[method], method)
    print_likeness(data)
    print_strangers(data, read("strangers/"))
    if options.save:
        draw(left_out, data.family_of, options.save)


if __name__ == "__main__":
    main()

"""Measure the attribution of text-to-image generators.

``python -m benchmarks.accuracy.modern [part ...]`` measures on the images of `modern/`,
and on images of `registry/` and photographs beside them (see `data/real_images.py`).
Even prompts and scenes fit, odd ones test. Parts:

* ``named``: four models and three decoders, as published and perturbed;
* ``photographs``: generated images against photographs, of fitted kinds and of others;
* ``left_out``: a model that was not fitted, at stated false-alarm rates;
* ``missed``: a decoder that was not fitted, at a stated miss rate;
* ``together``: a model that was not fitted, with 20 other networks beside the models;
* ``history``: how well thumbnails, size and compression alone predict the model.

"with copies" is the recommended pipeline, whose parts are fitted here on features that
are computed once. Intervals cover 95 %, with whole prompts as the units. It takes 15
minutes on two cores. ``--save PATH`` draws the confusion of the models.
"""

import argparse
import functools
import itertools

import numpy as np
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from benchmarks.accuracy.families import spell
from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    RejectingClassifier,
    ResidualExtractor,
    SourceDetector,
    SourceDiscriminant,
)
from skfingerprint.metrics import open_set_report
from skfingerprint.perturbation import COMMON_PERTURBATIONS, JPEGCompression, Resize

RATES = (0.01, 0.05)
CHANGES = {
    "as published": None,
    "JPEG 90": JPEGCompression(quality=90),
    "JPEG 75": JPEGCompression(quality=75),
    "resize .75": Resize(scale=0.75),
    "resize .6, JPEG 85": make_pipeline(Resize(scale=0.6), JPEGCompression(quality=85)),
    "JPEG 30, not trained on": JPEGCompression(quality=30),
}
FEW = {name: CHANGES[name] for name in ("as published", "JPEG 75")}
COPIES = (None, *COMMON_PERTURBATIONS)
DECODERS = ["kl-f8", "pixel", "vqgan"]
SIDE = 128  # of the registry's images, and of the parts beside them


def change(images, perturbation):
    """Return images, changed or not."""
    return images if perturbation is None else perturbation.fit_transform(images)


def find_features(images, perturbation=None):
    """Return the features of the recommended pipeline."""
    return AttributionFeatures(n_jobs=2).fit_transform(change(images, perturbation))


def find_residuals(images, perturbation=None):
    """Return the residuals that the published rule correlates."""
    return ResidualExtractor(sigma=3, n_jobs=2).transform(change(images, perturbation))


FINDERS = find_features, find_residuals


def add_copies(data, kinds=COPIES):
    """Compute features of each kind of copy for the images that fit."""
    fit = data.images[~data.test]
    data.rows = np.stack([find_features(fit, kind) for kind in kinds], axis=1)
    return data


def read_modern(side=None):
    """Return the text-to-image generators' images, or a corner of each."""
    data = read_images("modern/")
    return describe(data.images[:, :side, :side], data.sources, data.families, data)


def describe(images, models, decoders, data):
    """Return images with their labels, groups, and which are asked about."""
    test = reference_split(data.groups)
    return Bunch(
        images=images, models=models, decoders=decoders, groups=data.groups, test=test
    )


def join(*parts):
    """Return all images of several sets."""
    keys = ("images", "models", "decoders", "groups", "test")
    return Bunch(**{key: np.concatenate([part[key] for part in parts]) for key in keys})


def read_photographs(prefix):
    """Return photographs, a corner of each, under a label of their own."""
    data = read_images(prefix, real=True)
    label = np.full(len(data.groups), "photograph")
    return describe(data.images[:, :SIDE, :SIDE], label, label, data)


def fit(model, data, y, used=None):
    """Fit on the copies of those images that fit and are used."""
    kept = slice(None) if used is None else used[~data.test]
    rows = data.rows[kept]
    n_conditions = rows.shape[1]
    labels, groups = (
        v[~data.test][kept].repeat(n_conditions) for v in (y, data.groups)
    )
    copies = np.tile(np.arange(n_conditions), len(rows))
    return model.fit(
        rows.reshape(-1, rows.shape[2]), labels, conditions=copies, groups=groups
    )


def print_accuracy(title, answers, truth, groups):
    """Print an accuracy, and that of the worst class."""
    recalls = recall_score(truth, answers, average=None, labels=np.unique(truth))
    worst = f"worst {recalls.min():.3f} {np.unique(truth)[recalls.argmin()]}"
    print(f"  {title:52s} {spell(answers == truth, groups)}, {worst}", flush=True)


@functools.cache
def read_fitted():
    """Return the text-to-image generators, with copies of the images that fit."""
    return add_copies(read_modern())


def fit_methods(data, y):
    """Fit three methods on the same images."""
    kept = ~data.test
    residuals = find_residuals(data.images[kept])
    plain = SourceDiscriminant()
    plain.fit(data.rows[:, 0], y[kept], groups=data.groups[kept])
    return {
        "with copies": (fit(SourceDiscriminant(), data, y), find_features),
        "without copies": (plain, find_features),
        "pixels": (FingerprintClassifier().fit(residuals, y[kept]), find_residuals),
    }


def measure_named(path=None):
    """Print how often the model and the decoder are named."""
    data = read_fitted()
    asked, groups = data.images[data.test], data.groups[data.test]
    print(f"{(~data.test).sum()} images fit, {len(asked)} are asked about")
    fitted = {key: fit_methods(data, data[key]) for key in ("models", "decoders")}
    for name, perturbation in CHANGES.items():
        rows = {find: find(asked, perturbation) for find in FINDERS}
        for key, methods in fitted.items():
            truth = data[key][data.test]
            for method, (model, find) in methods.items():
                title = f"{name}, {key}, {method}"
                print_accuracy(title, model.predict(rows[find]), truth, groups)
        model = fitted["models"]["with copies"][0]
        print_pairs(data, model, rows[find_features], name)
        if path and perturbation is None:
            answers = model.predict(rows[find_features])
            draw(data.models[data.test], answers, path)


def draw(truth, answers, path):
    """Draw the confusion of the models."""
    import matplotlib.pyplot as plt

    from skfingerprint.plotting import SourceConfusionDisplay

    _, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
    SourceConfusionDisplay.from_predictions(truth, answers, ax=ax)
    ax.set_title("Percent of images; the last two models share a decoder")
    ax.figure.savefig(path, dpi=100)


def print_pairs(data, model, rows, name):
    """Print how often the right one of two models scores higher."""
    scores, truth = model.decision_function(rows), data.models[data.test]
    decoder_of = dict(zip(data.models, data.decoders, strict=True))
    for pair in itertools.combinations(model.classes_, 2):
        columns, own = np.searchsorted(model.classes_, pair), np.isin(truth, pair)
        answers = np.array(pair)[scores[own][:, columns].argmax(axis=1)]
        same = decoder_of[pair[0]] == decoder_of[pair[1]]
        title = f"{name}, {' or '.join(pair)}{', one decoder' * same}"
        print_accuracy(title, answers, truth[own], data.groups[data.test][own])


def measure_photographs():
    """Print how generated images are told from photographs."""
    modern = read_modern(SIDE)
    kinds = {
        "faces": read_photographs("wild/real-ffhq"),
        "scenes": read_photographs("registry/real-photo"),
    }
    data = add_copies(join(modern, *kinds.values()))
    kind = np.repeat(
        ["generated", *kinds], [len(p.groups) for p in (modern, *kinds.values())]
    )
    asked = {
        title: find_features(data.images[data.test], perturbation)
        for title, perturbation in FEW.items()
    }
    for fitted in (["faces", "scenes"], ["faces"], ["scenes"], []):
        used = np.isin(kind, ["generated", *fitted])
        model = make_model("photograph" if fitted else None)
        fit(model, data, data.decoders, used)
        named = fit(make_model().classifier, data, data.decoders, used)
        print(f"photographs fitted: {', '.join(fitted) or 'none'}")
        for title, rows in asked.items():
            if fitted:
                print_named(named, title, rows, kind[data.test])
            print_told(model, title, rows, kind[data.test])


def make_model(background=None):
    """Return classifier and detector for a stated rate.

    One shrinkage: many discriminants are fitted, and its choice changes little.
    """
    classifier = SourceDiscriminant(shrinkage=0.1, cv=2, background=background)
    detector = SourceDetector(false_alarm_rate=RATES[0], background=background)
    return RejectingClassifier(classifier, detector)


def print_named(model, title, rows, kind):
    """Print shares that are named a photograph, without any rate."""
    answers = model.predict(rows) == "photograph"
    column = list(model.classes_).index("photograph")
    scores = model.predict_proba(rows)[:, column]
    print(f"  {title}: named a photograph:", end="")
    for name in ("generated", "faces", "scenes"):
        own = kind == name
        area = compare(scores[own], scores[kind == "generated"])
        print(f" {name} {answers[own].mean():.3f} (n = {own.sum()}", end="")
        print(")" if name == "generated" else f", AUROC {area:.3f})", end="")
    print(flush=True)


def print_told(model, title, rows, kind):
    """Print shares that are taken for known, and areas under ROC curves."""
    shares = model.assess(rows).false_alarm_probability
    scores = model.detector_.score_samples(rows)
    print(f"  {title}: taken for known at {RATES}:", end="")
    for name in ("generated", "faces", "scenes"):
        own = kind == name
        print(f" {name} {shares_within(shares[own], RATES)} (n = {own.sum()}", end="")
        area = compare(scores[kind == "generated"], scores[own])
        print(")" if name == "generated" else f", AUROC {area:.3f})", end="")
    print(flush=True)


def shares_within(shares, rates):
    """Return the accepted share at each rate, as text."""
    return " ".join(f"{np.mean(shares <= rate):.3f}" for rate in rates)


def compare(known, others):
    """Return the area under the ROC curve of two sets of scores."""
    truth = np.repeat([1, 0], [len(known), len(others)])
    return roc_auc_score(truth, np.concatenate([known, others]))


def measure_left_out():
    """Print the rates on each model when it is left out."""
    data = read_fitted()
    print_left_out(data, data.models, [[name] for name in np.unique(data.models)])


def measure_missed():
    """Print the false-alarm rate at a stated miss rate with each decoder left out."""
    data = read_fitted()
    for decoder in DECODERS:
        used = data.decoders != decoder
        model = fit(SourceDetector(miss_rate=0.05), data, data.decoders, used)
        for title, perturbation in FEW.items():
            rows = find_features(data.images[data.test], perturbation)
            found, known = model.predict(rows) == 1, used[data.test]
            scores = model.score_samples(rows)
            area = compare(scores[known], scores[~known])
            print(
                f"  {decoder} left out, {title}, at a miss rate of .05: let in "
                f"{found[~known].mean():.3f} (n = {(~known).sum()}), found "
                f"{found[known].mean():.3f} (n = {known.sum()}), AUROC {area:.3f}",
                flush=True,
            )


def print_left_out(data, y, sets):
    """Print shares that are accepted of models that were not fitted."""
    asked = {
        title: find_features(data.images[data.test], perturbation)
        for title, perturbation in FEW.items()
    }
    found = {title: [] for title in FEW}
    for strangers in sets:
        used = ~np.isin(data.models, strangers)
        model = fit(make_model(), data, y, used)
        for title, rows in asked.items():
            said = model.assess(rows)
            print_answers(said, title, strangers, used[data.test])
            print_known(said, y[data.test], used[data.test], data)
            found[title].append(report(said, y, used, data))
    for title, reports in found.items():
        print_summary(title, reports)


def print_answers(said, title, strangers, known):
    """Print the answers to the images of models that were not fitted."""
    shares = said.false_alarm_probability[~known]
    names, counts = np.unique(said.source[~known], return_counts=True)
    most = f"most to {names[counts.argmax()]}, {counts.max() / len(shares):.3f}"
    print(
        f"  {' and '.join(strangers)} left out, {title}, n = {len(shares)}: let in at "
        f"{RATES} {shares_within(shares, RATES)}; without a rate {most}",
        flush=True,
    )


def print_known(said, truth, used, data):
    """Print the share of the fitted text-to-image models' images named rightly."""
    own = used & np.isin(data.decoders[data.test], DECODERS)
    shares = np.where(said.source == truth, said.false_alarm_probability, 1)[own]
    print(f"    of the other text to image, n = {own.sum()}, named rightly at {RATES} "
          f"{shares_within(shares, RATES)}")  # fmt: skip


def report(said, y, used, data):
    """Return the detection and false-alarm rates at each stated rate."""
    truth = np.where(used, y, "not fitted")[data.test]
    shares, known = said.false_alarm_probability, np.unique(y[used])
    return open_set_report(truth, shares, known, y_pred=said.source, rates=RATES)


def print_summary(title, reports):
    """Print the mean and the worst of several strangers."""
    for r, rate in enumerate(RATES):
        accepted, right, wrong, least = (
            np.array([one[key][r] for one in reports])
            for key in ("false_alarm_rate", "right", "wrong", "lowest_detection_rate")
        )
        print(
            f"{title}, at {rate}: let in {accepted.mean():.3f}, worst "
            f"{accepted.max():.3f}; of the known named rightly {right.mean():.3f}, "
            f"wrongly {wrong.mean():.3f}, found of the worst {least.min():.3f}",
            flush=True,
        )


def read_together():
    """Return the text-to-image generators beside 20 networks, parts of one size.

    Every second image of a network fits, which is as many as the others have.
    """
    networks = read_images("registry/")
    order = np.arange(len(networks.sources))
    kept = reference_split(networks.groups) | (order % 2 == 0)
    networks = Bunch(**{key: values[kept] for key, values in networks.items()})
    names = networks.sources
    others = describe(networks.images, names, names, networks)
    return add_copies(join(read_modern(SIDE), others))


def measure_together():
    """Print what 20 other networks change."""
    data = read_together()
    decoder_of = dict(zip(data.models, data.decoders, strict=True))
    modern = np.isin(data.decoders, DECODERS)
    model = fit(make_model().classifier, data, data.models)
    print(f"{len(model.classes_)} sources, {(~data.test).sum()} images fit")
    ours, groups = modern[data.test], data.groups[data.test]
    for title, perturbation in FEW.items():
        answers = model.predict(find_features(data.images[data.test], perturbation))
        decoders = np.array([decoder_of[name] for name in answers])
        parts = {
            "models": (ours, answers, data.models),
            "decoders": (ours, decoders, data.decoders),
            "20 networks": (~ours, answers, data.models),
        }
        for name, (own, found, truth) in parts.items():
            text = f"{title}, {name}"
            print_accuracy(text, found[own], truth[data.test][own], groups[own])
        crossed = np.isin(answers, data.models[modern]) != ours
        print(f"  taken for the other kind: {crossed[ours].mean():.3f} of text to "
              f"image, {crossed[~ours].mean():.3f} of others")  # fmt: skip
    pair = ["glid-3-xl", "latent-diffusion"]
    print("labeled by decoder; each decoder left out")
    print_left_out(data, data.decoders, [["dalle-mini"], ["disco-diffusion"], pair])
    print("each model left out whose decoder another model has")
    print_left_out(data, data.decoders, [[name] for name in pair])


HISTORIES = {
    "as published, 256 px": lambda X: X,
    "128 px off the JPEG grid": lambda X: X[:, 67:195, 61:189],
    "the same, then JPEG 90": lambda X: JPEGCompression(quality=90).fit_transform(
        X[:, 67:195, 61:189]
    ),
    "the same, then JPEG 75": lambda X: JPEGCompression(quality=75).fit_transform(
        X[:, 67:195, 61:189]
    ),
    "means of 4 x 4 pixels": lambda X: shrink(X, 4),
    "means of 8 x 8 pixels": lambda X: shrink(X, 8),
}


def shrink(X, n):
    """Return the means of squares of pixels."""
    size = X.shape[1] // n
    means = X.reshape(len(X), size, n, size, n, 3).mean(axis=(2, 4))
    return np.rint(means).astype(np.uint8)


def measure_history():
    """Print how well models are named by images that all were treated alike."""
    data = read_modern()
    for name in np.unique(data.models):
        steps = find_steps(data.images[data.models == name])
        print(f"{name}: step across the JPEG grid, over the mean: {steps:.3f}")
    print("FFHQ:", f"{find_steps(read_photographs('wild/real-ffhq').images):.3f}")
    for title, treat in HISTORIES.items():
        images = treat(data.images)
        print(title)
        for key in ("models", "decoders"):
            for find in FINDERS:
                print_treated(data, images, data[key], key, find)


def print_treated(data, images, y, key, find):
    """Fit and ask images that were treated alike."""
    rows, (fit, test) = find(images), (~data.test, data.test)
    pixels = find is find_residuals
    given = {} if pixels else {"groups": data.groups[fit]}
    model = FingerprintClassifier() if pixels else SourceDiscriminant()
    model.fit(rows[fit], y[fit], **given)
    title = f"{key}, {'pixels' if pixels else 'features'}"
    print_accuracy(title, model.predict(rows[test]), y[test], data.groups[test])


def find_steps(images):
    """Return the mean step between columns of neighboring JPEG blocks, over all."""
    grey = images.mean(axis=3)
    steps = np.abs(np.diff(grey, axis=2)).mean(axis=(0, 1))
    return steps[7::8].mean() / steps.mean()


PARTS = {
    "named": measure_named,
    "photographs": measure_photographs,
    "left_out": measure_left_out,
    "missed": measure_missed,
    "together": measure_together,
    "history": measure_history,
}


def main():
    """Print the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    parser.add_argument("--save", metavar="PATH", help="draw who is taken for whom")
    options = parser.parse_args()
    for name in options.parts or PARTS:
        print(f"\n{name}", flush=True)
        PARTS[name](options.save) if name == "named" else PARTS[name]()


if __name__ == "__main__":
    main()

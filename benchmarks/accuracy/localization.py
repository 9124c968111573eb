"""Measure the localization of splices: maps, masks and their rates.

``python -m benchmarks.accuracy.localization [part ...]`` measures on the images of
`registry/`, `strangers/`, `cameras/stereo` and `wild/` (see `data/real_images.py`).
Everything is fitted on one half of the scenes and tested on the other. Parts:

* ``photographs``: a square of a generated image inside the photograph that it was made
  from, with the source given and with the source unknown; networks that were not
  fitted; masks, and their false alarms on other photographs; time;
* ``networks``: a square of one network's image inside another network's image of the
  same scene;
* ``cameras``: a square of one camera's image inside an image of another camera of the
  same model;
* ``fingerprints``: squares of strong sources, by the fingerprint at the same place.

Areas are areas under the ROC curve of the pixels of one image. It takes about five
minutes on two cores. ``even`` before the parts splits the first half of the scenes
again, to choose settings without a look at the other half.
"""

import sys
import time

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import FingerprintLocalizer, ResidualExtractor, WindowedClassifier

PHOTOGRAPH = "real-photo"
SIDES = (32, 64, 96)
# Composites of a source and a size.
N_COMPOSITES = 10


def read_scenes(*, even):
    """Return registry, photographs and strangers, and which images fit and test.

    With `even`, only those of even scenes, of which every second tests.
    """
    data = read_images("registry/", "strangers/", real=True)
    numbers = [int("".join(filter(str.isdigit, group))) for group in data.groups]
    numbers = np.array(numbers)
    data.test = reference_split(data.groups)
    if even:
        data = type(data)(**{k: v[numbers % 2 == 0] for k, v in data.items()})
        data.test = numbers[numbers % 2 == 0] % 4 == 2
    data.stranger = np.char.startswith(data.paths, "strangers/")
    data.tiles = np.array([path[-8:-4] for path in data.paths])
    data.fit = ~data.test & ~data.stranger
    return data


def paste(image, into, side, rng):
    """Return an image with a square of another at a random place, and the mask."""
    top, left = (rng.integers(n - side + 1) for n in image.shape[:2])
    mask = np.zeros(image.shape[:2], dtype=bool)
    mask[top : top + side, left : left + side] = True
    return np.where(mask[..., None], image, into), mask


def find_area(mask, score_map):
    """Return the area under the ROC curve of pixels."""
    return roc_auc_score(mask.ravel(), score_map.ravel())


def find_f1(mask, found):
    """Return the F1 of a mask."""
    return f1_score(mask.ravel(), found.ravel(), zero_division=0)


def describe(values, names):
    """Return the mean over names of the means of each, and the worst of these."""
    names, values = np.asarray(names), np.asarray(values)
    means = {name: values[names == name].mean() for name in np.unique(names)}
    worst = min(means, key=means.get)
    mean = np.mean(list(means.values()))
    return f"{mean:.3f}, worst {means[worst]:.3f} {worst} (n = {len(names)})", means


def report(title, values, names):
    """Print a mean over sources and the worst of them; return those below .9."""
    text, means = describe(values, names)
    print(f"{title:36} {text}", flush=True)
    return [f"{name} {mean:.2f}" for name, mean in means.items() if mean < 0.9]


def fit_model(data):
    """Fit on windows of images of one half of the scenes, and print the time."""
    begin = time.perf_counter()
    model = WindowedClassifier(n_jobs=2).fit(
        data.images[data.fit], data.sources[data.fit], groups=data.groups[data.fit]
    )
    print(
        f"{data.fit.sum()} images of {len(model.classes_)} classes fitted in "
        f"{time.perf_counter() - begin:.0f} s"
    )
    return model


def measure_photographs(data, model):
    """Print how well a part of a network's image is found in a photograph."""
    real = data.sources == PHOTOGRAPH
    photographs = dict(zip(data.tiles[real], data.images[real], strict=True))
    scenes = np.char.startswith(data.groups, "photo") & np.isin(
        data.tiles, list(photographs)
    )
    for side in SIDES:
        rng = np.random.default_rng(0)
        found = []
        for name in np.unique(data.sources[~real & scenes]):
            own = np.flatnonzero(data.test & scenes & (data.sources == name))
            own = rng.permutation(own)[:N_COMPOSITES]
            pairs = [
                paste(data.images[i], photographs[data.tiles[i]], side, rng)
                for i in own
            ]
            found += score_composites(
                model, name, *map(np.stack, zip(*pairs, strict=True))
            )
        report_composites(side, found)
    measure_false_alarms(model, data.images[data.test & real])
    measure_time(model, data.images[: N_COMPOSITES * 5])


def score_composites(model, name, images, masks):
    """Return areas and F1 of each composite of one source, by what is asked."""
    classes = list(model.classes_)
    scores = model.score_map(images)
    real = scores[..., classes.index(PHOTOGRAPH)]
    known = name in classes
    asked = {"blind": (-real, model.find_threshold(background=PHOTOGRAPH))}
    if known:
        threshold = model.find_threshold(name, background=PHOTOGRAPH)
        asked["named"] = scores[..., classes.index(name)] - real, threshold
    return [
        (name, known, kind, find_area(mask, score_map), find_f1(mask, score_map >= t))
        for kind, (maps, t) in asked.items()
        for mask, score_map in zip(masks, maps, strict=True)
    ]


def report_composites(side, found):
    """Print areas and F1 of composites of one size."""
    for known, kind in ((True, "named"), (True, "blind"), (False, "blind")):
        rows = [row for row in found if row[1:3] == (known, kind)]
        names, _, _, areas, f1 = zip(*rows, strict=True)
        title = f"{side} px, {kind}, {'known' if known else 'strangers'}"
        hard = report(title, areas, names)
        report(f"{'':8}F1 of the mask", f1, names)
        print(f"{'':8}area below .9: {', '.join(hard) or 'none'}", flush=True)


def measure_false_alarms(model, photographs):
    """Print the share of the pixels of whole photographs that masks cover."""
    classes, scores = list(model.classes_), model.score_map(photographs)
    real = scores[..., classes.index(PHOTOGRAPH)]
    blind = -real >= model.find_threshold(background=PHOTOGRAPH)
    print(f"\n{len(photographs)} photographs, share of pixels taken, stated .05")
    describe_shares("blind", blind.mean(axis=(1, 2)))
    named = {}
    for number, name in enumerate(classes):
        if name != PHOTOGRAPH:
            threshold = model.find_threshold(name, background=PHOTOGRAPH)
            named[name] = (scores[..., number] - real >= threshold).mean(axis=(1, 2))
    describe_shares("named, mean of the sources", np.mean(list(named.values()), axis=0))
    worst = max(named, key=lambda name: named[name].mean())
    describe_shares(f"named, worst: {worst}", named[worst])


def describe_shares(title, shares):
    """Print the mean of shares, the middle one, and how far they reach."""
    middle, high = np.quantile(shares, [0.5, 0.9])
    print(
        f"{title:40} mean {shares.mean():.3f}, median {middle:.3f}, "
        f"9 of 10 below {high:.3f}, worst {shares.max():.3f}"
    )


def measure_time(model, images):
    """Print the time of a map, and that of both processors together."""
    model.score_map(images[:5])
    times = []
    for _ in range(5):
        begin = time.perf_counter(), time.process_time()
        model.score_map(images, background=PHOTOGRAPH)
        end = time.perf_counter(), time.process_time()
        times.append(np.subtract(end, begin) / len(images))
    wall, busy = np.min(times, axis=0)
    print(
        f"\n{images.shape[1:3]} px, {len(images)} images, least of 5: {wall:.4f} s an "
        f"image, {busy:.4f} s of processors",
        flush=True,
    )


def measure_networks(data, model):
    """Print how well a part of one network's image is found in that of another."""
    rng = np.random.default_rng(0)
    scene = np.char.startswith(data.groups, "photo") & ~data.stranger
    usable = data.test & scene & (data.sources != PHOTOGRAPH)
    names = np.unique(data.sources[usable])
    areas, owners, pairs = [], [], []
    for name in names:
        for i in rng.permutation(np.flatnonzero(usable & (data.sources == name)))[:10]:
            same = usable & (data.tiles == data.tiles[i]) & (data.sources != name)
            other = rng.choice(np.flatnonzero(same))
            around = data.sources[other]
            image, mask = paste(data.images[i], data.images[other], 32, rng)
            score_map = model.score_map(image[np.newaxis], name, background=around)
            areas.append(find_area(mask, score_map))
            owners.append(name)
            pairs.append((areas[-1], name, around))
    print()
    report("32 px, one network in another", areas, owners)
    for area, name, around in sorted(pairs)[:5]:
        print(f"{'':8}{area:.2f} {name} in {around}")


def measure_cameras():
    """Print how well a part of one camera's image is found in the other's."""
    data = read_images("cameras/stereo")
    frames, test = find_frames(data.groups)
    names = np.unique(data.sources)
    model = WindowedClassifier(n_jobs=2)
    model.fit(data.images[~test], data.sources[~test], groups=data.groups[~test])
    rng = np.random.default_rng(0)
    print()
    for side in (32, 64):
        areas, owners = [], []
        for name, around in (names, names[::-1]):
            for frame in np.unique(frames[test]):
                own, other = (
                    data.images[(frames == frame) & (data.sources == source)][0]
                    for source in (name, around)
                )
                image, mask = paste(own, other, side, rng)
                score_map = model.score_map(image[None], name, background=around)
                areas.append(find_area(mask, score_map))
                owners.append(name)
        report(f"{side} px, one camera in the other", areas, owners)


def find_frames(groups):
    """Return the numbers in the names of groups, and which of them are odd."""
    numbers = np.array([int("".join(filter(str.isdigit, g))) for g in groups])
    return numbers, numbers % 2 == 1


def measure_fingerprints():
    """Print how well a part is found by the fingerprint at the same place."""
    data = read_images("wild/", "cameras/stereo")
    order = np.unique(data.groups, return_inverse=True)[1]
    fit, rng = order % 2 == 0, np.random.default_rng(0)
    residuals = ResidualExtractor(n_jobs=2).transform(data.images)
    model = FingerprintLocalizer()
    model.fit(residuals[fit], data.sources[fit], groups=data.groups[fit])
    print()
    for side in (64,):
        images, masks, owners, around = [], [], [], []
        for name in model.classes_:
            own = rng.permutation(np.flatnonzero(~fit & (data.sources == name)))[:10]
            others = np.flatnonzero(~fit & (data.sources != name))
            for i, other in zip(own, rng.choice(others, len(own)), strict=True):
                image, mask = paste(data.images[i], data.images[other], side, rng)
                images.append(image)
                masks.append(mask)
                owners.append(name)
                around.append(data.sources[other])
        X = ResidualExtractor(n_jobs=2).transform(np.stack(images))
        areas = [
            find_area(mask, model.score_map(x[np.newaxis], name))
            for x, mask, name in zip(X, masks, owners, strict=True)
        ]
        report(f"{side} px, by the fingerprint", areas, owners)
        areas = [
            find_area(mask, model.score_map(x[np.newaxis], name, background=other))
            for x, mask, name, other in zip(X, masks, owners, around, strict=True)
        ]
        report(f"{'':8}rather than the other", areas, owners)


def main(arguments):
    """Print the parts that are asked for."""
    even = "even" in arguments
    parts = [part for part in arguments if part != "even"]
    parts = parts or ["photographs", "networks", "cameras", "fingerprints"]
    if {"photographs", "networks"} & set(parts):
        data = read_scenes(even=even)
        model = fit_model(data)
    if "photographs" in parts:
        measure_photographs(data, model)
    if "networks" in parts:
        measure_networks(data, model)
    if "cameras" in parts:
        measure_cameras()
    if "fingerprints" in parts:
        measure_fingerprints()


if __name__ == "__main__":
    main(sys.argv[1:])

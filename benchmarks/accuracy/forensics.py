"""Measure the rates of decisions: false alarms, unknown sources, cameras and shifts.

``python -m benchmarks.accuracy.forensics [part ...]`` measures on the images of
`registry/` and `cameras/` (see `data/real_images.py`). It takes about four minutes on
two cores. Parts:

* ``cameras``: areas under the ROC curve of six cameras, and rates of a formula;
* ``beside``: scenes of these cameras that are named rightly, and processor time, beside
  the package `prnu` 0.1.0 of the package index, if it is installed (GPL; it needs
  opencv-python-headless, and not its dependency on torch);
* ``shifts``: search over shifts;
* ``open_set``: detectors on networks that were not fitted;
* ``planted``: detectors on planted fingerprints;
* ``few``: detectors of few sources.
"""

import argparse
import itertools
import time

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from benchmarks.data.real_images import read_images, read_registry, reference_split
from skfingerprint import (
    FingerprintClassifier,
    FingerprintDetector,
    LinearPatternRemover,
    ResidualExtractor,
    SpectrumFlattener,
)
from skfingerprint.correlation import (
    correlation_matrix,
    correlation_surfaces,
    false_alarm_probability,
    peak_to_correlation_energy,
    search_shifts,
)
from skfingerprint.datasets import load_generators, make_fingerprint_images

RATES = (1e-1, 1e-2, 1e-3)
STRONG = [
    "mobilestylegan-ffhq",
    "4xSPANkendata",
    "2xHFA2kSPAN_27k",
    "dcgan-digiface",
    "srgan-gan",
    "style26-19",
    "acnet-gan",
]


def print_rates(name, detectors, unknown):
    """Print the share of unknown residuals that detectors take for known."""
    shares = [np.mean(d.predict(unknown) == 1) for d in detectors]
    text = ", ".join(f"{s:.4f}" for s in shares)
    print(f"{name} ({len(unknown)} unknown): {text}", flush=True)


def measure_planted(n_draws=3, n_sources=66, n_images=345):
    """Print false alarms on planted fingerprints of sources that were not fitted."""
    settings = {
        f"{n_known} x {n}{', less the common' if common else ''}": (n_known, n, common)
        for n_known, n, common in (
            *((k, n, False) for k, n in ((8, 100), (8, 5), (3, 100), (2, 100), (2, 5))),
            (1, 100, False),
            *((k, 100, True) for k in (8, 4, 3)),
        )
    }
    for strength in (2, 5):
        found = {name: [] for name in settings}
        for seed in range(n_draws):
            images, y = make_fingerprint_images(
                n_sources * n_images,
                n_sources,
                strength=strength,
                random_state=300 + seed,
            )
            X = ResidualExtractor(n_jobs=2).transform(images)
            strangers = X[y >= 8]
            for name, (n_known, n, common) in settings.items():
                own = [np.flatnonzero(y == k) for k in range(n_known)]
                fit, later = (
                    np.concatenate([rows[part] for rows in own])
                    for part in (slice(n), slice(100, None))
                )
                detector = FingerprintDetector(subtract_common=common)
                detector.fit(X[fit], y[fit])
                accepted = detector.false_alarm_probability(strangers)
                named = detector.false_alarm_probability(X[later])
                shares = [
                    [np.mean(part <= rate) for rate in RATES]
                    for part in (accepted, named)
                ]
                found[name].append(np.concatenate(shares))
        print(
            f"\nPlanted, 64x64x3, strength {strength}, {n_draws} x {len(strangers)} ",
            end="",
        )
        print(f"strangers of {n_sources - 8} sources, at {RATES}: accepted; found")
        for name, shares in found.items():
            mean = np.mean(shares, axis=0)
            print(f"{name:24}", *(f"{x:.4f}" for x in mean[:3]), end="; ")
            print(*(f"{x:.3f}" for x in mean[3:]), flush=True)


def measure_few():
    """Print the false-alarm rates of one and two real sources, at 0.01 and 0.001."""
    data = load_generators()
    odd = np.unique(data.groups, return_inverse=True)[1] % 2 == 1
    print("\nNetworks that ship with the package, 40 images each, folds by scene")
    X, y, test = read_registry()
    registry = read_images("registry/", real=True)
    # Of the scenes that are not fitted.
    real = (registry.sources == "real-photo") & reference_split(registry.groups)
    photographs = registry.images[real]
    photographs = ResidualExtractor(n_jobs=2).transform(photographs)
    groups = registry.groups[registry.sources != "real-photo"]
    for title, images, labels, scenes, asked, others in (
        ("8 embedded, 64x64", data.images, data.target, data.groups, odd, None),
        ("20 of the registry", X, y, groups, test, photographs),
    ):
        residuals = ResidualExtractor(n_jobs=2).transform(images)
        names = np.unique(labels)
        sets = [[name] for name in names]
        pairs = list(itertools.combinations(names, 2))
        chosen = np.random.default_rng(0).permutation(len(pairs))[:40]
        for known_sets in (sets, [pairs[i] for i in sorted(chosen)]):
            rows = []
            for known in known_sets:
                own = np.isin(labels, known)
                fit = own & ~asked
                detector = FingerprintDetector(false_alarm_rate=0.01)
                detector.fit(residuals[fit], labels[fit], groups=scenes[fit])
                shares = detector.false_alarm_probability(residuals[asked])
                far = np.full(1, np.nan)
                if others is not None:
                    far = detector.false_alarm_probability(others)
                rows.append(
                    [
                        np.mean(shares[part[asked]] <= rate)
                        for rate in (0.01, 0.001)
                        for part in (~own, own)
                    ]
                    + [np.mean(far <= rate) for rate in (0.01, 0.001)]
                )
            mean, worst = np.mean(rows, axis=0), np.max(rows, axis=0)
            print(
                f"{title}, {len(known_sets)} sets of {len(known_sets[0])}: at .01 "
                f"accepted {mean[0]:.4f} (worst {worst[0]:.3f}), found {mean[1]:.3f}; "
                f"at .001 {mean[2]:.4f} ({worst[2]:.3f}), found {mean[3]:.3f}",
                flush=True,
            )
            if others is not None:
                print(
                    f"    photographs {mean[4]:.4f} (worst {worst[4]:.3f}), "
                    f"{mean[5]:.4f} ({worst[5]:.3f})"
                )


def measure_open_set():
    """Print false alarms and AUROC on registry."""
    data = read_images("registry/", real=True)
    y, groups = data.sources, data.groups
    test, real = reference_split(groups), y == "real-photo"
    X = ResidualExtractor(n_jobs=2).transform(data.images)
    fit = ~test & ~real

    def detect(chosen, rate=1e-2):
        detector = FingerprintDetector(false_alarm_rate=rate, cv=GroupKFold(5))
        return detector.fit(X[chosen], y[chosen], groups=groups[chosen])

    print(f"\nFalse alarms at {RATES}, registry, 20 known sources, folds by scene")
    print_rates(
        "real-photo, test half", [detect(fit, r) for r in RATES], X[real & test]
    )
    shares, areas = [], []
    for name in np.unique(y[fit]):
        detectors = [detect(fit & (y != name), rate) for rate in RATES]
        left_out = X[test & (y == name)]
        shares.append([np.mean(d.predict(left_out) == 1) for d in detectors])
        scores = detectors[0].score_samples(X[test & ~real])
        areas.append(roc_auc_score(y[test & ~real] != name, scores))
    print(f"one source left out, mean of 20: {np.round(np.mean(shares, axis=0), 4)}, "
          f"median {np.round(np.median(shares, axis=0), 4)}, "
          f"worst {np.round(np.max(shares, axis=0), 3)}")  # fmt: skip
    print("\nOpen set, AUROC of known against unknown by the largest correlation")
    scores = detect(fit).score_samples(X[test])
    known = ~real[test]
    print(f"all 20 against real-photo: {roc_auc_score(known, scores):.3f}")
    chosen = fit & np.isin(y, STRONG)
    few = test & (np.isin(y, STRONG) | real)
    area = roc_auc_score(~real[few], detect(chosen).score_samples(X[few]))
    print(f"seven strong ones against real-photo: {area:.3f}")
    print(f"one source left out, mean of 20: {np.mean(areas):.3f}")


def measure_shifts():
    """Print accuracies on crops at other offsets, by a search over shifts."""
    images, y, test = read_registry()
    offsets = np.random.default_rng(0).integers(0, 9, size=(test.sum(), 2))
    crops = np.stack(
        [
            image[down : down + 120, right : right + 120]
            for image, (down, right) in zip(images[test], offsets, strict=True)
        ]
    )
    print("\nCrops of 120x120 at offsets 0..8, fitted at (0, 0)")
    for spins in (1, 4):
        extractor = ResidualExtractor(cycle_spins=spins, n_jobs=2)
        model = FingerprintClassifier().fit(
            extractor.transform(images[~test, :120, :120]), y[~test]
        )
        aligned = extractor.transform(images[test, :120, :120])
        cropped = extractor.transform(crops)
        rows = [model.score(aligned, y[test]), model.score(cropped, y[test])]
        model.set_params(max_shift=8)
        start = time.perf_counter()
        rows.append(model.score(cropped, y[test]))
        cost = (time.perf_counter() - start) / (len(cropped) * 20)
        rows.append(model.score(aligned, y[test]))
        print(
            f"cycle_spins={spins}: aligned {rows[0]:.3f}, cropped {rows[1]:.3f}, "
            f"cropped with max_shift=8 {rows[2]:.3f}, aligned with it {rows[3]:.3f}; "
            f"{1e3 * cost:.2f} ms a pair"
        )
    noise = np.random.default_rng(0).normal(size=(50, 128, 128, 3)).astype("f4")
    for statistic in ("correlation", "pce"):
        start = time.perf_counter()
        search_shifts(noise, noise[:20], max_shift=8, statistic=statistic)
        cost = (time.perf_counter() - start) / 1000
        print(f"128x128x3, {statistic}: {1e3 * cost:.2f} ms a pair, one thread")


def measure_cameras():
    """Print AUCs on six Nikons: flat fields fit, natural scenes test."""
    data = read_images("cameras/flat/", "cameras/natural/")
    images, y = data.images, data.sources
    natural = np.char.startswith(data.paths, "cameras/natural")
    print(f"\nSix Nikons, {(~natural).sum()} flat fields fit, {natural.sum()} scenes")
    for color, X in (("RGB", images), ("grey", images @ [0.299, 0.587, 0.114])):
        residuals = ResidualExtractor(n_jobs=2).transform(X.astype(np.float32))
        for name, steps in (
            ("no clean-up", []),
            ("LinearPatternRemover", [LinearPatternRemover()]),
            ("and SpectrumFlattener", [LinearPatternRemover(), SpectrumFlattener()]),
        ):
            cleaned = make_pipeline(*steps).transform(residuals) if steps else residuals
            model = FingerprintClassifier().fit(cleaned[~natural], y[~natural])
            truth = y[natural][:, None] == model.classes_
            rows = [cleaned[natural], model.fingerprints_]
            flat = [part.reshape(len(part), -1) for part in rows]
            surfaces = correlation_surfaces(*rows)
            scores = {
                "correlation": correlation_matrix(*flat),
                "PCE at shift 0": peak_to_correlation_energy(surfaces).pce,
                "PCE over all shifts": peak_to_correlation_energy(
                    surfaces, max_shift="full"
                ).pce,
            }
            areas = [
                f"{roc_auc_score(truth.ravel(), values.ravel()):.4f} by {title}"
                for title, values in scores.items()
            ]
            print(f"{color}, {name}: AUC {', '.join(areas)}", flush=True)
            # A known alignment, other cameras: what the formula for white noise states.
            stated = false_alarm_probability(
                scores["PCE at shift 0"][~truth], log10=False
            )
            shares = [f"{np.mean(stated <= rate):.3f}" for rate in RATES]
            print(f"  stated {RATES} by the formula: {', '.join(shares)}", flush=True)


def name_scenes(flat, y, scenes):
    """Name the cameras of scenes by the clean-up for cameras of this package."""
    model = make_pipeline(
        ResidualExtractor(), LinearPatternRemover(), FingerprintClassifier()
    )
    return model.fit(flat, y).predict(scenes)


def name_scenes_by_prnu(flat, y, scenes):
    """Name the cameras of scenes by `prnu` 0.1.0, which works on luma."""
    from prnu import AverageNoise, Compare, NoiseExtractor

    def extract(image, **options):
        luma = np.rint(image @ [0.299, 0.587, 0.114]).astype(np.uint8)
        noise = NoiseExtractor(image=luma)
        noise.extract_noise(**options)
        return noise

    names, references = np.unique(y), []
    for name in names:
        references.append(AverageNoise())
        for image in flat[y == name]:
            noise = extract(image, disable_zero_meaning=True)
            references[-1].add_image_data(noise)
        references[-1].analyse()
    noises = [extract(image) for image in scenes]
    scores = [[Compare(one, r).correlate() for r in references] for one in noises]
    return names[np.argmax(scores, axis=1)]


def measure_beside():
    """Print which scenes are named rightly, here and by `prnu` 0.1.0, and the time."""
    data = read_images("cameras/flat/", "cameras/natural/")
    images, y = data.images, data.sources
    natural = np.char.startswith(data.paths, "cameras/natural")
    given = images[~natural], y[~natural], images[natural]
    name_scenes(*given)  # compiles, or reads what is compiled
    for name, method in (("ours", name_scenes), ("prnu", name_scenes_by_prnu)):
        start = time.process_time()
        try:
            with threadpool_limits(1):
                right = method(*given) == y[natural]
        except ImportError as error:
            print(f"{name}: not measured ({error})")
            continue
        seconds = time.process_time() - start
        print(f"{name}: {right.sum()} of {len(right)} scenes, {seconds:.1f} s")


PARTS = {
    "cameras": measure_cameras,
    "beside": measure_beside,
    "shifts": measure_shifts,
    "open_set": measure_open_set,
    "planted": measure_planted,
    "few": measure_few,
}


def main():
    """Print the tables of the parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    for part in parser.parse_args().parts or PARTS:
        PARTS[part]()


if __name__ == "__main__":
    main()

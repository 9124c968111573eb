"""Attack attributions: remove the traces of a source, or plant those of another.

``python -m benchmarks.faults.attacks [--folder F] [--draws D] [--picture FILE]
[part ...]`` fits correlation and the recommended pipeline on a few known sources,
attacks images of other scenes, and asks both about them. A third share of the scenes,
neither fitted nor tested, is the attacker's: from it he estimates the fingerprint and
the mean spectrum of the residuals of each source. "(leaked)" are attacks of one who has
the fitted images instead. Parts, of which all but the last two run by default:

* ``bundled-3``, ``bundled-8``: so many known sources of the embedded images of 64 x 64
  pixels, and, with three, photographs' place is taken by the left-out sources;
* ``registry-3``, ``registry-8``, ``registry-16``: of the 20 networks of `registry/`,
  128 x 128 pixels (see `data/real_images.py`), and its photographs;
* ``taught-3``: as ``registry-3``, with the median and the denoiser among the
  perturbations that the pipeline is fitted on.

Each line is an attack, the worst first: the mean over draws and in brackets the worst
draw. Shares are those of images that were named rightly before. "lost" lose their name,
and "attacker's" get the name that the attacker chose, which is the next known source.
Likelihood ratios are logarithms to base 10: of the source that made the image, its
median and its lowest value, and of the attacker's source, its median and its highest
value. The last lines plant traces in images of unknown sources. F keeps rows between
runs, and FILE gets a chart of the last part.
"""

import argparse
import tempfile
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

from benchmarks.accuracy.imitations import draw_known
from benchmarks.data.real_images import read_images
from skfingerprint import (
    FingerprintClassifier,
    FingerprintDetector,
    ResidualExtractor,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators
from skfingerprint.denoising import wavelet_residual, wavelet_wiener
from skfingerprint.metrics import jpeg_history, log_likelihood_ratio_cost
from skfingerprint.perturbation import (
    COMMON_PERTURBATIONS,
    GaussianNoise,
    JPEGCompression,
    Resize,
)

RATE = 0.01
# Scores of `jpeg_history` above it are rare without an earlier JPEG compression.
PAST = 6
STRENGTHS = (1, 2, 4)
# Largest factor, and the inverse of the smallest, by which a spectrum is changed.
MOST = 10
SIGMA = 3.0


@dataclass(frozen=True)
class Knowledge:
    """Estimates of one source from images that an attacker has.

    Attributes
    ----------
    fingerprint : ndarray of shape (height, width, n_channels)
        Mean of the residuals, in grey levels.
    amplitude : ndarray of shape (height, width, n_channels)
        Mean amplitude of their discrete Fourier transforms.
    """

    fingerprint: np.ndarray
    amplitude: np.ndarray


def learn(images):
    """Estimate the fingerprint and the spectrum of a source."""
    residuals = wavelet_residual(images, sigma=SIGMA)
    amplitude = np.abs(np.fft.fft2(residuals, axes=(1, 2))).mean(axis=0)
    return Knowledge(residuals.mean(axis=0), amplitude)


def to_pixels(images):
    """Round images up or down at random to uint8, so that weak patterns survive."""
    noise = np.random.default_rng(0).random(images.shape, dtype=np.float32)
    return np.floor(images + noise).clip(0, 255).astype(np.uint8)


def take_median(images):
    """Replace each pixel by the median of its 3 x 3 neighbors, by channel."""
    return ndimage.median_filter(images, (1, 3, 3, 1))


def renew_noise(images):
    """Remove the noise, and add white noise of 2 grey levels."""
    denoised = wavelet_wiener(images, sigma=5.0)
    return GaussianNoise(std=2.0).fit_transform(denoised)


def subtract(images, own, other):
    """Subtract the fingerprint of the source."""
    return to_pixels(images - own.fingerprint)


def plant(images, own, other, *, strength):
    """Add the fingerprint of another source, of a root mean square in grey levels."""
    pattern = other.fingerprint
    return to_pixels(images + strength * pattern / np.sqrt(np.mean(pattern**2)))


def swap(images, own, other):
    """Subtract the fingerprint of the source, and add twice that of another."""
    return to_pixels(images - own.fingerprint + 2 * other.fingerprint)


def impose(images, own, other):
    """Give residuals the mean amplitudes of another source, and leave the phases."""
    residuals = wavelet_residual(images, sigma=SIGMA)
    spectra = np.fft.fft2(residuals, axes=(1, 2))
    phases = np.exp(1j * np.angle(spectra))
    imposed = np.fft.ifft2(phases * other.amplitude, axes=(1, 2)).real
    return to_pixels(images - residuals + imposed.astype(np.float32))


def reshape(images, own, other):
    """Filter images by the ratio of the mean amplitudes of both sources."""
    ratio = (other.amplitude / own.amplitude).clip(1 / MOST, MOST)
    ratio[0, 0] = 1  # the mean color stays
    spectra = np.fft.fft2(images.astype(np.float32), axes=(1, 2))
    return to_pixels(np.fft.ifft2(spectra * ratio, axes=(1, 2)).real)


REMOVALS = {
    "JPEG 75": JPEGCompression(quality=75).fit_transform,
    "median of 3": take_median,
    "resize .75 and back": Resize(scale=0.75).fit_transform,
    "denoise, add noise 2": renew_noise,
}
PLANTINGS = {f"plant {s}": partial(plant, strength=s) for s in STRENGTHS}
PLANTINGS |= {"swap": swap, "impose spectrum": impose, "reshape spectrum": reshape}
# Perturbations for the part "taught-3".
TAUGHT = [FunctionTransformer(take_median), FunctionTransformer(renew_noise)]


def attack_all(images, own, other, leaked):
    """Return the attacked images by the name of the attack.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, n_channels), uint8
        Images of one source.
    own, other : Knowledge
        What the attacker knows of that source, and of the one whose name he wants.
    leaked : tuple of Knowledge
        Both from the fitted images.

    Returns
    -------
    attacked : dict of str to ndarray of the shape of `images`, uint8
    """
    attacked = {"none": images}
    attacked |= {name: remove(images) for name, remove in REMOVALS.items()}
    plantings = {"subtract": subtract} | PLANTINGS
    for name, attack in plantings.items():
        attacked[name] = attack(images, own, other)
    for name in ("subtract", "plant 2", "swap"):
        attacked[f"{name} (leaked)"] = plantings[name](images, *leaked)
    return attacked


def psnr(images, attacked):
    """Return the peak signal-to-noise ratio of each attacked image in decibels."""
    error = (attacked.astype(float) - images) ** 2
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / error.mean(axis=(1, 2, 3)))


def read(collection):
    """Return images, sources and shares (fit, attacker, test) of a collection."""
    if collection == "bundled":
        data = load_generators()
        images, y, groups = data.images, data.target_names[data.target], data.groups
        folds = StratifiedGroupKFold(4, shuffle=True, random_state=0)
        parts = [part for _, part in folds.split(images, y, groups)]
        shares = np.full(len(y), "fit", dtype="U8")
        shares[parts[0]], shares[parts[1]] = "attacker", "test"
    else:
        data = read_images("registry/", real=True)
        images, y, groups = data.images, data.sources, data.groups
        numbers = [int("".join(filter(str.isdigit, group))) for group in groups]
        shares = np.array(["fit", "attacker", "fit", "test"])[np.array(numbers) % 4]
    return Bunch(images=images, y=y, groups=groups, shares=shares)


def fit(data, known, folder, perturbations):
    """Return functions that answer to images, by the name of the method."""
    own = np.isin(data.y, known) & (data.shares == "fit")
    images, y, groups = (part[own] for part in (data.images, data.y, data.groups))
    pipeline = make_attribution_pipeline(
        perturbations=perturbations, false_alarm_rate=RATE, memory=folder
    )
    classifier = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    detector = FingerprintDetector(false_alarm_rate=RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(images, y, groups=groups)
        classifier.fit(images, y)
        detector.fit(classifier[:-1].transform(images), y, groups=groups)
    return {
        "correlation": partial(ask_correlation, classifier, detector),
        "recommended": pipeline.assess,
    }


def ask_correlation(classifier, detector, images):
    """Return the answers of correlation, in the form of `assess`."""
    residuals = classifier[:-1].transform(images)
    return Bunch(
        source=classifier[-1].predict(residuals),
        known=detector.predict(residuals) == 1,
        log10_likelihood_ratios=detector.log10_likelihood_ratios(residuals),
    )


def attack_known(data, known, shift):
    """Return the attacked test images of known sources, by the name of the attack.

    The attacker wants the name of the source that is `shift` places later.
    """
    estimates = {
        share: [
            learn(data.images[(data.y == name) & (data.shares == share)])
            for name in known
        ]
        for share in ("attacker", "fit")
    }
    parts = []
    for k, name in enumerate(known):
        images = data.images[(data.y == name) & (data.shares == "test")]
        other = (k + shift) % len(known)
        pair, leaked = ([e[k], e[other]] for e in estimates.values())
        parts.append(attack_all(images, *pair, leaked))
    counts = [len(part["none"]) for part in parts]
    truth = np.repeat(np.arange(len(known)), counts)
    attacked = {a: np.concatenate([part[a] for part in parts]) for a in parts[0]}
    return attacked, truth, (truth + shift) % len(known)


def attack_unknown(data, known):
    """Return images of unknown sources with planted traces of each known source."""
    names = np.setdiff1d(data.y, known)
    names = ["real-photo"] if "real-photo" in names else names
    parts, wanted = [], []
    for k, name in enumerate(known):
        other = learn(data.images[(data.y == name) & (data.shares == "attacker")])
        for source in names:
            own = data.images[(data.y == source) & (data.shares == "attacker")]
            images = data.images[(data.y == source) & (data.shares == "test")]
            part = {"none": images}
            for attack, apply in PLANTINGS.items():
                part[attack] = apply(images, learn(own), other)
            parts.append(part)
            wanted += [k] * len(images)
    attacked = {a: np.concatenate([part[a] for part in parts]) for a in parts[0]}
    return attacked, np.array(wanted)


def count(answers, before, truth, wanted, known):
    """Return the figures of one attack on images of known sources.

    Parameters
    ----------
    answers, before : Bunch
        Answers to the attacked images, and to the images as they were.
    truth, wanted : ndarray of shape (n_images,), int
        Indices of the sources that made them and whose names the attacker wants.
    known : ndarray of shape (n_sources,)
        Names of the known sources.

    Returns
    -------
    figures : dict of str to float
        Shares with and without the rate, and log10 likelihood ratios.
    """
    figures = {}
    for kind in ("rate", "names"):
        taken = answers.known if kind == "rate" else True
        right = before.source == known[truth]
        if kind == "rate":
            right &= before.known
        kept = (taken & (answers.source == known[truth]))[right]
        got = (taken & (answers.source == known[wanted]))[right]
        unknown = (~(taken | np.zeros(len(truth), bool)))[right]
        figures |= {
            f"n {kind}": right.sum(),
            f"before {kind}": right.mean(),
            f"lost {kind}": np.mean(~kept),
            f"got {kind}": got.mean(),
            f"unknown {kind}": unknown.mean(),
        }
    logs, rows = answers.log10_likelihood_ratios, np.arange(len(truth))
    own, other = logs[rows, truth], logs[rows, wanted]
    is_own = np.equal.outer(truth, np.arange(len(known)))
    return figures | {
        "own": np.median(own),
        "own low": own.min(),
        "other": np.median(other),
        "other high": other.max(),
        "other above 1": np.mean(other > 0),
        "cost": log_likelihood_ratio_cost(is_own.ravel(), logs.ravel()),
    }


def count_framed(answers, wanted, known):
    """Return the figures of one attack on images of unknown sources."""
    named = answers.source == known[wanted]
    logs = answers.log10_likelihood_ratios[np.arange(len(wanted)), wanted]
    return {
        "accepted": np.mean(answers.known),
        "got rate": np.mean(answers.known & named),
        "got names": np.mean(named),
        "other": np.median(logs),
        "other high": logs.max(),
        "other above 1": np.mean(logs > 0),
    }


def measure(data, n_known, n_draws, folder, perturbations="common"):
    """Return the figures of each draw, by images, method and attack."""
    found, pictures = {}, {}
    names = np.setdiff1d(data.y, ["real-photo"])
    for draw, known in enumerate(draw_known(names, n_known, n_draws)):
        methods = fit(data, known, folder, perturbations)
        shift = 1 + draw % (n_known - 1)
        images, truth, wanted = attack_known(data, known, shift)
        for attack, part in images.items():
            quality = psnr(images["none"], part), jpeg_history(part) > PAST
            pictures.setdefault(attack, []).append(quality)
        for method, ask in methods.items():
            answers = {attack: ask(part) for attack, part in images.items()}
            for attack, answer in answers.items():
                given = answer, answers["none"], truth, wanted, known
                key = "known", method, attack
                found.setdefault(key, []).append(count(*given))
        if n_known == len(names):
            continue
        images, wanted = attack_unknown(data, known)
        for method, ask in methods.items():
            for attack, part in images.items():
                figures = count_framed(ask(part), wanted, known)
                found.setdefault(("unknown", method, attack), []).append(figures)
    return found, {a: np.concatenate(p, axis=1) for a, p in pictures.items()}


def describe(figures, name, worst=max):
    """Return the mean over draws in percent, and the worst draw in brackets."""
    values = [100 * part[name] for part in figures]
    return f"{np.mean(values):5.1f} ({worst(values):5.1f})"


def print_known(found, pictures):
    """Print the attacks on images of known sources, the worst first."""
    for method in ("correlation", "recommended"):
        rows = {a: f for (kind, m, a), f in found.items() if (kind, m) == ("known", method)}
        for kind in ("names", "rate"):
            n = sum(part[f"n {kind}"] for part in rows["none"])
            title = "at a rate of 1 %" if kind == "rate" else "without a rate"
            before = describe(rows["none"], f"before {kind}", min)
            print(f"\n{method} {title}: {n} images named rightly before, {before} %")

            def rank(attack, kind=kind, rows=rows):
                lost, got = (
                    max(part[f"{what} {kind}"] for part in rows[attack])
                    for what in ("lost", "got")
                )
                return -lost - got

            for attack in sorted(rows, key=rank):
                part, (quality, past) = rows[attack], pictures[attack]
                print(
                    f"{attack:22} PSNR {quality.mean():.1f} ({quality.min():.1f}) "
                    f"lost {describe(part, f'lost {kind}')} attacker's "
                    f"{describe(part, f'got {kind}')} unknown "
                    f"{describe(part, f'unknown {kind}')} JPEG past {past.mean():.2f}"
                )
        print(f"\n{method}, log10 likelihood ratios")
        for attack in sorted(rows, key=lambda a: -max(p["cost"] for p in rows[a])):
            print_ratios(attack, rows[attack])


def print_ratios(attack, figures):
    """Print the likelihood ratios of one attack."""
    own, low, other, high, cost = (
        [part[name] for part in figures]
        for name in ("own", "own low", "other", "other high", "cost")
    )
    print(
        f"{attack:22} true source {np.mean(own):5.2f} (lowest {min(low):5.2f}) "
        f"attacker's {np.mean(other):5.2f} (highest {max(high):5.2f}), above 1 "
        f"{describe(figures, 'other above 1')} cost {np.mean(cost):.3f} "
        f"({max(cost):.3f})"
    )


def print_unknown(found):
    """Print the attacks on images of unknown sources, the worst first."""
    for method in ("correlation", "recommended"):
        rows = {
            a: f for (kind, m, a), f in found.items() if (kind, m) == ("unknown", method)
        }
        if rows:
            print(f"\n{method}, images of unknown sources")
        for attack in sorted(rows, key=lambda a: -max(p["got rate"] for p in rows[a])):
            part = rows[attack]
            other = np.mean([p["other"] for p in part])
            print(
                f"{attack:22} attacker's without a rate {describe(part, 'got names')} "
                f"at 1 % {describe(part, 'got rate')} accepted "
                f"{describe(part, 'accepted')} ratio {other:5.2f} (highest "
                f"{max(p['other high'] for p in part):5.2f}), above 1 "
                f"{describe(part, 'other above 1')}"
            )


def main():
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="keeps rows between runs")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--picture", metavar="FILE", help="draw a chart")
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    options = parser.parse_args()
    folder = options.folder or tempfile.mkdtemp()
    for part in options.parts:
        kind, number = part.split("-")
        perturbations = "common"
        if kind == "taught":
            perturbations = [*COMMON_PERTURBATIONS, *TAUGHT]
        data = read("bundled" if kind == "bundled" else "registry")
        given = data, int(number), options.draws, folder, perturbations
        found, pictures = measure(*given)
        print(f"\n=== {part}: {len(next(iter(found.values())))} draws")
        print_known(found, pictures)
        print_unknown(found)


PARTS = ("bundled-3", "bundled-8", "registry-3", "registry-8")

if __name__ == "__main__":
    main()

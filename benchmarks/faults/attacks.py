"""Attack attributions: remove the traces of a source, or plant those of another.

``python -m benchmarks.faults.attacks [--folder F] [--draws D] [--picture FILE]
[part ...]`` fits correlation and the recommended pipeline on a few known sources,
attacks images of other scenes, and asks both about them. Attackers have images of the
sources that show a third share of the scenes, neither fitted nor tested, and estimate
the fingerprint and the mean spectrum of the residuals of each source from them. In
attacks named "(leaked)" they have the fitted images instead. Parts:

* ``bundled-3``, ``bundled-8``: so many known sources of the 8 embedded ones, 64 x 64
  pixels; unknown sources are those that are left out; draws of all 8 differ in the
  names that are wanted;
* ``registry-3``, ``registry-8``: of the 20 networks of `registry/`, 128 x 128 pixels
  (see `data/real_images.py`); the unknown images are photographs;
* ``taught-3``: as ``registry-3``, fitted on perturbations that include the median, and
  the denoiser with noise (not run by default).

Lines are means over draws, with the worst draw in brackets, the worst attack first. The
shares are those of images that were named rightly before the attack: "lost" lose their
name, and "got" get the name that the attacker wants, that of another known source, the
same for all images of a source. "best of 6" is the attack by those who can ask the
classifier: for each image, the planting that gives this name, or else takes the right
one away. Likelihood ratios are logarithms to base 10, of the source that made the image
(own: median, lowest) and of the attacker's source (wanted: median, highest). The last
lines plant traces in images of unknown sources.

F keeps rows between runs, and FILE gets a chart of the last part. On one core a draw
takes about half a minute (``bundled-3``) to two minutes (``registry-8``).
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
# Noise in grey levels that the denoiser of the attacker presumes.
SIGMA = 3.0
UNKNOWN = "unknown"


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
    low = np.floor(images)
    up = noise >= 1 - (images - low)  # never for integers, whatever the rounding
    return (low + up).clip(0, 255).astype(np.uint8)


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
    "resize 0.75 and back": Resize(scale=0.75).fit_transform,
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
        Of that source, and of the one whose name is wanted.
    leaked : tuple of Knowledge
        Both, from the fitted images.

    Returns
    -------
    attacked : dict of str to ndarray of the shape of `images`, uint8
    """
    attacked = {name: remove(images) for name, remove in REMOVALS.items()}
    plantings = {"subtract": subtract} | PLANTINGS
    for name, attack in plantings.items():
        attacked[name] = attack(images, own, other)
    for name in ("subtract", "plant 2", "swap"):
        attacked[f"{name} (leaked)"] = plantings[name](images, *leaked)
    return attacked


def psnr(images, attacked):
    """Return the peak signal-to-noise ratio of each attacked image in decibels.

    Equal images count as if one value differed by 1.
    """
    error = ((attacked.astype(float) - images) ** 2).mean(axis=(1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(error, 1 / images[0].size))


def read(collection):
    """Return images, sources, groups and shares (fit, attacker, test)."""
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


def take(data, name, share):
    """Return the images of a source in one share."""
    return data.images[(data.y == name) & (data.shares == share)]


def fit(data, known, folder, perturbations):
    """Return the function that names images, by method, and gives likelihood ratios.

    Parameters
    ----------
    data : Bunch
        Images, sources, groups and shares.
    known : ndarray of shape (n_known,)
        Names of the known sources.
    folder : str
        Folder that keeps rows of features.
    perturbations : "common" or list of transformers
        Those that the recommended pipeline is fitted on.

    Returns
    -------
    ask : callable
        `ask(images)` returns names (n,) by method, and ratios (n, n_known) by method.
    """
    own = np.isin(data.y, known) & (data.shares == "fit")
    images, y, groups = (part[own] for part in (data.images, data.y, data.groups))
    pipeline = make_attribution_pipeline(
        perturbations=perturbations, false_alarm_rate=RATE, memory=folder
    )
    correlation = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    detector = FingerprintDetector(false_alarm_rate=RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few images of known sources are detected
        pipeline.fit(images, y, groups=groups)
        correlation.fit(images, y)
        detector.fit(correlation[0].transform(images), y, groups=groups)
    return partial(ask_both, correlation, detector, pipeline)


def ask_both(correlation, detector, pipeline, images):
    """Return names and likelihood ratios by correlation and the recommended pipeline.

    Parameters
    ----------
    correlation : Pipeline
        Residuals and `FingerprintClassifier`.
    detector : FingerprintDetector
        Detector of known sources by residuals.
    pipeline : AugmentedPipeline
        Recommended pipeline with a rate.
    images : ndarray of shape (n, height, width, n_channels)
        Images.

    Returns
    -------
    names : dict of str to ndarray of shape (n,)
        Names by method, with and without the rate.
    ratios : dict of str to ndarray of shape (n, n_known)
        Logarithms to base 10 of likelihood ratios, by method.
    """
    residuals = correlation[0].transform(images)
    named, answers = correlation[-1].predict(residuals), pipeline.assess(images)
    accepted = detector.predict(residuals) == 1
    names = {
        "correlation": named,
        "correlation, 1 %": np.where(accepted, named, UNKNOWN),
        "recommended": answers.source,
        "recommended, 1 %": np.where(answers.known, answers.source, UNKNOWN),
    }
    ratios = {
        "correlation": detector.log10_likelihood_ratios(residuals),
        "recommended": answers.log10_likelihood_ratios,
    }
    return names, ratios


def join(parts):
    """Concatenate arrays of the same keys."""
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def attack_known(data, known, shift):
    """Attack the test images of known sources.

    The attacker wants the name of the source that is `shift` places later.

    Returns
    -------
    images : dict of str to ndarray of shape (n, height, width, n_channels)
        Unprocessed ("none") and attacked images.
    truth, wanted : ndarray of shape (n,), int
        Indices of the sources that made them, and whose names are wanted.
    """
    estimates, leaked = (
        [learn(take(data, name, share)) for name in known]
        for share in ("attacker", "fit")
    )
    parts = []
    for k, name in enumerate(known):
        images, other = take(data, name, "test"), (k + shift) % len(known)
        pair, known_pair = ((part[k], part[other]) for part in (estimates, leaked))
        parts.append({"none": images} | attack_all(images, *pair, known_pair))
    truth = np.repeat(np.arange(len(known)), [len(part["none"]) for part in parts])
    return join(parts), truth, (truth + shift) % len(known)


def attack_unknown(data, known):
    """Plant traces of each known source in test images of unknown sources.

    Returns
    -------
    images : dict of str to ndarray of shape (n, height, width, n_channels)
        Unprocessed ("none") and attacked images.
    wanted : ndarray of shape (n,), int
        Indices of the known sources.
    """
    unknown = np.setdiff1d(data.y, known)
    unknown = ["real-photo"] if "real-photo" in unknown else unknown
    estimates = {s: learn(take(data, s, "attacker")) for s in [*known, *unknown]}
    parts, counts = [], []
    for name in known:
        for source in unknown:
            images = take(data, source, "test")
            part = {"none": images}
            for attack, function in PLANTINGS.items():
                part[attack] = function(images, estimates[source], estimates[name])
            parts.append(part)
        counts.append(sum(len(take(data, source, "test")) for source in unknown))
    return join(parts), np.repeat(np.arange(len(known)), counts)


def choose(names, qualities, truth, wanted):
    """Return the names after the planting that serves the attacker best.

    Parameters
    ----------
    names : dict of str to ndarray of shape (n,)
        Names by attack.
    qualities : dict of str to ndarray of shape (n,)
        Peak signal-to-noise ratios by attack, which decide between equal answers.
    truth, wanted : ndarray of shape (n,)
        Right names, and those that the attacker wants.

    Returns
    -------
    chosen, quality : ndarray of shape (n,)
    """
    answers = np.array([names[attack] for attack in PLANTINGS])
    quality = np.array([qualities[attack] for attack in PLANTINGS])
    gain = 2.0 * (answers == wanted) + (answers != truth)
    best = np.argmax(gain + quality / 1000, axis=0), np.arange(len(truth))
    return answers[best], quality[best]


def count(names, truth, wanted):
    """Return the shares of images that lose their names, and of names they get."""
    lost, got, unknown = names != truth, names == wanted, names == UNKNOWN
    other = lost & ~got & ~unknown
    return {
        key: np.mean(part)
        for key, part in zip(SHARES, (lost, got, unknown, other), strict=True)
    }


def weigh(logs, truth, wanted):
    """Return the figures of likelihood ratios (n, n_known), logarithms to base 10."""
    rows = np.arange(len(logs))
    own, other = logs[rows, truth], logs[rows, wanted]
    is_own = np.equal.outer(truth, np.arange(logs.shape[1]))
    return {
        "own": np.median(own),
        "own lowest": own.min(),
        "wanted": np.median(other),
        "wanted highest": other.max(),
        "above 1": np.mean(other > 0),
        "cost": log_likelihood_ratio_cost(is_own.ravel(), logs.ravel()),
    }


def measure_known(ask, data, known, shift):
    """Return the figures of one draw by kind of table, method and attack."""
    images, truth, wanted = attack_known(data, known, shift)
    answers = {attack: ask(part) for attack, part in images.items()}
    qualities = {a: psnr(images["none"], part) for a, part in images.items()}
    found = {}
    for method, before in answers["none"][0].items():
        right = before == known[truth]
        names = {a: part[0][method][right] for a, part in answers.items()}
        quality = {a: part[right] for a, part in qualities.items()}
        pair = known[truth][right], known[wanted][right]
        names["best of 6"], quality["best of 6"] = choose(names, quality, *pair)
        for attack, part in names.items():
            figures = count(part, *pair) | describe_quality(quality[attack])
            figures |= {"n": right.sum(), "before": right.mean()}
            found["names", method, attack] = figures
    for method in answers["none"][1]:
        for attack, (_, ratios) in answers.items():
            found["ratios", method, attack] = weigh(ratios[method], truth, wanted)
    for attack, part in images.items():
        past = np.mean(jpeg_history(part) > PAST)
        found["pictures", "all", attack] = describe_quality(qualities[attack]) | {
            "past": past
        }
    return found


def describe_quality(quality):
    """Return the mean and the least of peak signal-to-noise ratios in decibels."""
    return {"PSNR": np.mean(quality), "least PSNR": np.min(quality)}


def measure_unknown(ask, data, known):
    """Return the figures of one draw by method and attack, for unknown sources."""
    images, wanted = attack_unknown(data, known)
    answers = {attack: ask(part) for attack, part in images.items()}
    qualities = {a: psnr(images["none"], part) for a, part in images.items()}
    truth, pair, found = np.full(len(wanted), UNKNOWN), known[wanted], {}
    for method in answers["none"][0]:
        names = {a: part[0][method] for a, part in answers.items()}
        names["best of 6"], _ = choose(names, qualities, truth, pair)
        for attack, part in names.items():
            n = {"n": len(wanted)}
            found["unknown", method, attack] = count(part, truth, pair) | n
    rows = np.arange(len(wanted))
    for method in answers["none"][1]:
        for attack, (_, ratios) in answers.items():
            logs = ratios[method][rows, wanted]
            figures = np.median(logs), logs.max(), np.mean(logs > 0)
            keys = "wanted", "wanted highest", "above 1"
            found["framed", method, attack] = dict(zip(keys, figures, strict=True))
    return found


def measure(data, n_known, n_draws, folder, perturbations):
    """Return the figures of all draws by kind of table, method and attack."""
    sources = np.setdiff1d(data.y, ["real-photo"])
    found = {}
    for draw, known in enumerate(draw_known(sources, n_known, n_draws)):
        ask = fit(data, known, folder, perturbations)
        figures = measure_known(ask, data, known, 1 + draw % (n_known - 1))
        if len(np.setdiff1d(data.y, known)):
            figures |= measure_unknown(ask, data, known)
        for key, part in figures.items():
            found.setdefault(key, []).append(part)
    return found


def print_tables(found):
    """Print the attacks by table and method, the worst first."""
    for kind, method in dict.fromkeys(key[:2] for key in found):
        title, key, columns = TABLES[kind]
        rows = {a: f for (k, m, a), f in found.items() if (k, m) == (kind, method)}
        print(f"\n{method}: {title}", end="")
        first = rows["none"]
        if "n" in first[0]:
            print(f", {sum(part['n'] for part in first)} images", end="")
        if "before" in first[0]:
            shares = [part["before"] for part in first]
            print(f", named rightly before {average(shares, 'before')}", end="")
        print()
        for attack in sorted(rows, key=lambda a: sort_by(rows[a], key)):
            cells = [
                f"{column} {average([part[column] for part in rows[attack]], column)}"
                for column in columns
            ]
            print(f"{attack:22} {', '.join(cells)}", flush=True)


def sort_by(figures, key):
    """Return the negative of the worst draw's figure, or the first with two keys."""
    return tuple(-max(part[name] for part in figures) for name in key)


def average(values, column):
    """Return the mean over draws and the worst draw, as text."""
    worst = min(values) if column in LOW else max(values)
    if column in PERCENT:
        return f"{100 * np.mean(values):.1f} % ({100 * worst:.1f})"
    return f"{np.mean(values):.2f} ({worst:.2f})"


def draw(found, path):
    """Draw the shares of names after each attack, the worst attack on top."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    methods = "correlation", "correlation, 1 %", "recommended, 1 %"
    figure, axes = plt.subplots(
        1, 3, figsize=(9, 4.2), sharey=True, layout="constrained"
    )
    rows = {a: f for (k, m, a), f in found.items() if (k, m) == ("names", methods[0])}
    del rows["none"]
    attacks = sorted(rows, key=lambda a: sort_by(rows[a], ("got", "lost")))[::-1]
    for ax, method in zip(axes, methods, strict=True):
        left = np.zeros(len(attacks))
        for name, color, label in BARS:
            shares = [
                100 * np.mean([part[name] for part in found["names", method, attack]])
                for attack in attacks
            ]
            ax.barh(attacks, shares, left=left, color=color, label=label)
            left = left + shares
        ax.barh(attacks, 100 - left, left=left, color="#e0e0e0", label="the right name")
        ax.set(title=method, xlabel="percent of the images", xlim=(0, 100))
    qualities = {
        a: np.mean([part["PSNR"] for part in figures])
        for (kind, _, a), figures in found.items()
        if kind == "pictures"
    }
    labels = [f"{a}, {qualities[a]:.0f} dB" if a in qualities else a for a in attacks]
    axes[0].set_yticks(range(len(attacks)), labels, fontsize="small")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=90)


SHARES = ("lost", "got", "unknown", "other")
PERCENT = (*SHARES, "before", "above 1", "past")
LOW = ("before", "PSNR", "least PSNR", "own", "own lowest")
# Title, figures to sort by and columns of each table.
TABLES = {
    "names": (
        "images of known sources",
        ("got", "lost"),
        ("PSNR", *SHARES),
    ),
    "ratios": (
        "log10 likelihood ratios",
        ("cost",),
        ("own", "own lowest", "wanted", "wanted highest", "above 1", "cost"),
    ),
    "pictures": ("pictures", ("past",), ("PSNR", "least PSNR", "past")),
    "unknown": ("images of unknown sources", ("got", "lost"), SHARES[1:]),
    "framed": (
        "log10 likelihood ratios of images of unknown sources",
        ("above 1", "wanted"),
        ("wanted", "wanted highest", "above 1"),
    ),
}
# Share, color and label of the parts of a bar.
BARS = (
    ("got", "#c0392b", "the attacker's name"),
    ("other", "#e59866", "another name"),
    ("unknown", "#5d8aa8", "unknown"),
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
        taught = [*COMMON_PERTURBATIONS, *TAUGHT]
        perturbations = taught if kind == "taught" else "common"
        data = read(kind)
        given = data, int(number), options.draws, folder, perturbations
        found = measure(*given)
        print(f"\n=== {part}, {len(next(iter(found.values())))} draws", flush=True)
        print_tables(found)
    if options.picture:
        draw(found, options.picture)


PARTS = ("bundled-3", "bundled-8", "registry-3", "registry-8")

if __name__ == "__main__":
    main()

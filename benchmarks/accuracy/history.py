"""Measure how an earlier JPEG compression shows, and how it misleads a fit.

``python -m benchmarks.accuracy.history [part ...]`` measures on the images of
`registry/`, `wild/`, `modern/`, `cameras/` and `today/` (see `data/real_images.py`).
Scenes with an even number are fitted on, those with an odd number tested. Parts:

* ``scores``: AUROC of :func:`skfingerprint.metrics.jpeg_history`, of images saved as
  JPEG against the same images, on two draws of 120 images of networks and on
  photographs;
* ``medians``: the median score of each source of each folder, and the share of its
  images above the threshold of a fit;
* ``planted``: eight networks, 40 images each, one of them saved as JPEG before the fit:
  shares of images of other sources that are accepted at stated rates of 1 % and 5 %;
* ``halves``: one network as two classes, the images of one of them saved as JPEG;
* ``origins``: generators of `today/` (central 128x128 pixels), one of them saved as
  JPEG before the fit, and images of a decoder from another origin.

The last three compare the default pipeline with the same pipeline that does not judge
the history. They take about 30 minutes on two cores.
"""

import csv
import sys
import tempfile
import warnings

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.data.real_images import FOLDER, read_images, reference_split
from skfingerprint import make_attribution_pipeline
from skfingerprint._attribution.history import PAST
from skfingerprint.metrics import jpeg_history
from skfingerprint.perturbation import Crop, JPEGCompression

RATES = (0.01, 0.05)
# Images of a class in a fit.
N_IMAGES = 40
KNOWN = (
    "2xHFA2kSPAN_27k",
    "acnet-gan",
    "mobilestylegan-ffhq",
    "realesrgan-x4plus-anime",
    "srgan-gan",
    "style26-0",
    "upscaler-slim-x2",
    "vintagify-cyclegan",
)
PLANTED = ("realesrgan-x4plus-anime", "srgan-gan", "style26-0")
OTHERS = ("realsr-df2k", "srgan-pre", "dcgan-digiface")
TODAY = ("gptimage-k", "midjourney-k", "cascade-h")


def save(images, quality):
    """Return images after JPEG compression."""
    return JPEGCompression(quality=quality).fit_transform(images)


def draw(where, n, seed=0):
    """Draw n of the places of a mask."""
    return np.sort(np.random.default_rng(seed).permutation(np.flatnonzero(where))[:n])


def print_scores():
    """Print the AUROC of the score, by quality."""
    data = read_images("registry/", real=True)
    is_real = data.sources == "real-photo"
    for name, where, seed in (
        ("networks", ~is_real, 0),
        ("networks", ~is_real, 1),
        ("photographs", is_real, 0),
    ):
        images = data.images[draw(where, 120, seed)]
        changed = {f"JPEG {q}": save(images, q) for q in (75, 85, 95)}
        cropped = Crop(top=3, left=5).fit_transform(changed["JPEG 75"])
        before = jpeg_history(images)
        for label, then in {**changed, "JPEG 75, cropped": cropped}.items():
            after = jpeg_history(then)
            area = roc_auc_score(np.repeat([0, 1], len(images)), [*before, *after])
            share = np.mean(after > PAST)
            print(f"{name}, draw {seed}, {label}: AUROC {area:.3f}, above {share:.3f}")
        print(f"    unchanged: above {np.mean(before > PAST):.3f}", flush=True)


def print_medians():
    """Print the median score of each source."""
    with (FOLDER / "manifest.csv").open() as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    # Nothing is chosen on strangers.
    folders = {path.rpartition("/")[0]: 0 for path in paths if path[:9] != "strangers"}
    for folder in folders:
        scores = jpeg_history(read_images(f"{folder}/", real=True).images)
        median, above = np.median(scores), np.mean(scores > PAST)
        print(f"{folder}: median {median:.1f}, above {above:.2f} of {len(scores)}")
        sys.stdout.flush()


def fit(images, y, groups, memory, **params):
    """Fit the default pipeline; return it, and whether it warned of the history."""
    model = make_attribution_pipeline(memory=memory, n_jobs=2, **params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(images, y, groups=groups)
    return model, any("JPEG files once" in str(w.message) for w in caught)


def list_accepted(model, images):
    """Return the shares that are accepted at the rates, by any name."""
    shares = model.assess(images).false_alarm_probability
    return [np.mean(shares <= rate) for rate in RATES]


def show(shares):
    """Format shares in percent."""
    return " / ".join(f"{100 * share:.1f}" for share in shares)


def print_planted(memory):
    """Print what is accepted if one class of eight was saved as JPEG before the fit."""
    data = read_images("registry/", real=True)
    test = reference_split(data.groups)
    fitted, asked = [
        np.concatenate([draw((data.sources == k) & w, N_IMAGES) for k in KNOWN])
        for w in (~test, test)
    ]
    y, truth = data.sources[fitted], data.sources[asked]
    photographs = data.images[draw((data.sources == "real-photo") & test, 80)]
    others = [data.images[draw((data.sources == k) & test, 80)] for k in OTHERS]
    cases = [(None, None)] + [(k, q) for k in PLANTED for q in (75, 95)]
    for history in ("ignore", "auto"):
        # Without a JPEG past both are the same fit.
        for planted, quality in cases[history == "auto" :]:
            images, known = data.images[fitted].copy(), data.images[asked].copy()
            if planted:
                for part, names in ((images, y), (known, truth)):
                    own = names == planted
                    part[own] = save(part[own], quality)
            params = {"false_alarm_rate": 0.01, "history": history}
            model, warned = fit(images, y, data.groups[fitted], memory, **params)
            print(f"\n{history}, {planted} as JPEG {quality}: warned {warned}")
            right = model[:-1].transform(known)
            right = model[-1].classifier_.predict(right) == truth
            print(f"    known, named rightly: {100 * right.mean():.1f}", end="")
            print(f", accepted at 1 / 5 %: {show(list_accepted(model, known))}")
            if planted:
                own = known[truth == planted]
                print(f"    of {planted}: {100 * right[truth == planted].mean():.1f}")
                print(f"        accepted: {show(list_accepted(model, own))}")
            q = quality or 75
            sets = {"photographs": [photographs], "other networks": others}
            for name, parts in sets.items():
                for label, change in (("as they are", None), (f"JPEG {q}", q)):
                    found = [
                        list_accepted(model, save(p, q) if change else p) for p in parts
                    ]
                    mean, most = np.mean(found, axis=0), np.max(found, axis=0)
                    print(f"    {name}, {label}: {show(mean)} (most {show(most)})")
            sys.stdout.flush()


def print_halves(memory):
    """Print how sure two classes of one source are, one of them saved as JPEG."""
    data = read_images("registry/")
    test = reference_split(data.groups)
    for source in PLANTED:
        own = data.sources == source
        fitted, asked = draw(own & ~test, 2 * N_IMAGES), draw(own & test, 80)
        y = np.where(np.arange(len(fitted)) % 2, "jpeg", "png")
        images, compressed = data.images[fitted].copy(), save(data.images[asked], 75)
        images[y == "jpeg"] = save(images[y == "jpeg"], 75)
        for history in ("ignore", "auto"):
            for perturbations in ((), "common"):
                if history == "auto" and not perturbations:
                    continue
                params = {"history": history, "perturbations": perturbations}
                model, warned = fit(images, y, data.groups[fitted], memory, **params)
                found = [
                    model.predict_proba(part)
                    for part in (data.images[asked], compressed)
                ]
                sure = [np.mean(p.max(axis=1) > 0.9) for p in found]
                named = [
                    np.mean(p.argmax(axis=1) == k)
                    for p, k in zip(found, (1, 0), strict=True)
                ]
                kind = "default" if perturbations else "quick"
                print(
                    f"{source}, {kind}, {history}: warned {warned}, PNG / JPEG images "
                )
                print(f"    right {show(named)}, p > .9 in {show(sure)}", flush=True)


def print_origins(memory):
    """Print what becomes of a decoder's images from another origin."""
    sources = ["sdxl-n", "sdxl-h", "sdxl-lightning-n", *TODAY]
    data = {k: read_images(f"today/{k}/") for k in sources}
    for part in data.values():  # on the grid of 16 px, like the images themselves
        part.images = part.images[:, 64:192, 64:192]
    cases = [("sdxl-n", p) for p in (None, "cascade-h", "gptimage-k")]
    for own, planted in [*cases, ("sdxl-h", None), ("sdxl-h", "cascade-h")]:
        names = [own, *TODAY]
        parts = {k: draw(np.ones(len(data[k].images), bool), N_IMAGES) for k in names}
        images = {k: data[k].images[parts[k]] for k in names}
        if planted:
            images[planted] = save(images[planted], 75)
        y = np.repeat(names, [len(part) for part in parts.values()])
        groups = np.concatenate([data[k].groups[parts[k]] for k in names])
        # Without a JPEG past both are the same fit.
        for history in ("ignore", "auto")[planted is None and own == "sdxl-n" :]:
            params = {"false_alarm_rate": 0.01, "history": history}
            stack = np.concatenate(list(images.values()))
            model, warned = fit(stack, y, groups, memory, **params)
            print(f"\n{history}, fit {own}, {planted} as JPEG 75: warned {warned}")
            asked = ("sdxl-h", "sdxl-lightning-n") if own == "sdxl-n" else ("sdxl-n",)
            for name in asked:
                found = model.assess(data[name].images)
                wrong = found.source != own
                sure = wrong & (found.probability > 0.9)
                accepted = wrong & (found.false_alarm_probability <= 0.01)
                shares = show([1 - wrong.mean(), sure.mean(), accepted.mean()])
                print(f"    {name}: right / wrong, p > .9 / wrong, accepted: {shares}")
            sys.stdout.flush()


def main():
    """Run the parts that are named, or all."""
    with tempfile.TemporaryDirectory() as memory:
        parts = {
            "scores": print_scores,
            "medians": print_medians,
            "planted": lambda: print_planted(memory),
            "halves": lambda: print_halves(memory),
            "origins": lambda: print_origins(memory),
        }
        for name in sys.argv[1:] or parts:
            print(f"\n{name}\n", flush=True)
            parts[name]()


if __name__ == "__main__":
    main()

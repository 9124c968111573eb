"""Measure the attribution of generators and videos of 2023 to 2025.

``python -m benchmarks.accuracy.today [part ...]`` measures on `today/` (see
`data/real_images.py`), on 40 images of each source and origin. Prompts and clips are
held out in four folds. Parts:

* ``rule``: four decoders, as published and cut off the grid and saved as JPEG 90 and
  75, by correlation, and by the quick and the default pipeline;
* ``sizes``: the pipeline with JPEG 90 and 75 as perturbations, on images of 128 to 32
  pixels, and with fewer images of each source in the fit;
* ``video``: frames of three video generators;
* ``rate``: each decoder left out in turn, at stated false-alarm rates, by the quick
  pipeline with a rate.

`origins.py` measures the same generators across origins. Intervals cover 95 % and
resample prompts and clips.
"""

import argparse
import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from benchmarks.accuracy.families import spell
from benchmarks.accuracy.origins import ONE_DECODER, make_pipelines, perturb, read_parts
from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.metrics import open_set_report
from skfingerprint.perturbation import JPEGCompression

STILLS = ("cascade-h", "gptimage-k", "midjourney-k", "sdxl-")
RATES = (0.01, 0.05)
CHANGES = {
    "as published": None,
    "off the grid, JPEG 90": JPEGCompression(quality=90),
    "off the grid, JPEG 75": JPEGCompression(quality=75),
}
FOLDS = StratifiedGroupKFold(4, shuffle=True, random_state=0)


def read_stills(side):
    """Return images of four decoders, and one beside them off the grid of JPEG."""
    parts = (f"today/{name}" for name in STILLS)
    X, y, groups = read_parts(*parts, side=256)
    y = np.where(np.char.startswith(y, "sdxl"), ONE_DECODER, y)
    return X[:, :side, :side], X[:, 3 : side + 3, 5 : side + 5], y, groups


def ask_folds(pipeline, X, asked, y, groups, *, n_images=None):
    """Fit without each fold of groups, and name others images of the fold.

    Parameters
    ----------
    pipeline : estimator
        The pipeline to fit.
    X : ndarray of shape (n_samples, height, width, 3)
        Images to fit.
    asked : dict of ndarray of shape (n_samples, height, width, 3)
        Images to name, by title.
    y, groups : ndarray of shape (n_samples,)
        Sources and scenes.
    n_images : int, default=None
        Largest number of images of each source to fit.

    Returns
    -------
    right : dict of ndarray of shape (n_samples,), bool
        Whether each image is named rightly, by title.
    """
    right = {title: np.zeros(len(y), dtype=bool) for title in asked}
    rng = np.random.default_rng(0)
    takes_groups = "classifier" in pipeline.named_steps
    for fit, test in FOLDS.split(X, y, groups):
        fit = rng.permutation(fit)
        if n_images:
            fit = np.concatenate([fit[y[fit] == k][:n_images] for k in np.unique(y)])
        given = {"groups": groups[fit]} if takes_groups else {}
        pipeline.fit(X[fit], y[fit], **given)
        for title, images in asked.items():
            right[title][test] = pipeline.predict(images[test]) == y[test]
    return right


def print_right(title, right, y, groups):
    """Print the share named rightly, and that of the worst source."""
    shares = {name: right[y == name].mean() for name in np.unique(y).tolist()}
    worst = min(shares, key=shares.get)
    print(f"  {title:32s} {spell(right, groups)}, worst {worst} {shares[worst]:.3f}",
          flush=True)  # fmt: skip


def measure_rule():
    """Print shares named rightly by three methods, before and after one JPEG."""
    X, shifted, y, groups = read_stills(128)
    asked = {
        title: X if change is None else perturb(shifted, change)
        for title, change in CHANGES.items()
    }
    rule = make_pipeline(ResidualExtractor(n_jobs=2), FingerprintClassifier())
    for name, pipeline in {"correlation": rule, **make_pipelines(rate=False)}.items():
        print(name)
        for title, right in ask_folds(pipeline, X, asked, y, groups).items():
            print_right(title, right, y, groups)


def measure_sizes():
    """Print shares named rightly by the size of images, and by their number."""
    pipeline = make_pipelines(rate=False)["default"]
    pipeline.set_params(perturbations=list(CHANGES.values())[1:])
    for side, n_images in ((128, 5), (128, 10), (128, 20), (128, None), (64, None),
                           (32, None)):  # fmt: skip
        X, shifted, y, groups = read_stills(side)
        last = list(CHANGES)[-1]
        asked = {"as published": X, last: perturb(shifted, CHANGES[last])}
        print(f"{side} pixels, images of each decoder fitted: {n_images or 'all'}")
        answers = ask_folds(pipeline, X, asked, y, groups, n_images=n_images)
        for title, right in answers.items():
            print_right(title, right, y, groups)


def measure_video():
    """Print shares of frames of three video generators that are named rightly."""
    names = ("v-kling16", "v-veo2", "v-wan21")
    X, y, groups = read_parts(*(f"today/{name}" for name in names), n_images=48)
    print(f"{len(y)} frames of {len(np.unique(groups))} scenes, chance 0.333")
    asked = {title: perturb(X, change) for title, change in CHANGES.items()}
    for name, pipeline in make_pipelines(rate=False).items():
        print(name)
        for title, right in ask_folds(pipeline, X, asked, y, groups).items():
            print_right(title.replace("off the grid, ", ""), right, y, groups)


def measure_rate():
    """Print what a stated rate accepts with each decoder left out in turn."""
    X, shifted, y, groups = read_stills(128)
    pipeline = make_pipelines()["at 0.01"]
    # Without perturbations, classes of other JPEG histories would be refused.
    pipeline.set_params(perturbations=(), history="ignore")
    asked = {title: X if change is None else perturb(shifted, change)
             for title, change in CHANGES.items()}  # fmt: skip
    test = np.isin(groups, np.unique(groups)[::2])
    for left_out in np.unique(y):
        fit = ~test & (y != left_out)
        pipeline.fit(X[fit], y[fit], groups=groups[fit])
        for title, images in asked.items():
            answers = pipeline.assess(images[test])
            report = open_set_report(
                y[test],
                answers.false_alarm_probability,
                np.unique(y[fit]),
                y_pred=answers.source,
                rates=RATES,
            )
            print(
                f"{left_out} left out, {title}, at {RATES}: accepted of it "
                f"{report.false_alarm_rate.round(3).tolist()}, of the others named "
                f"rightly {report.right.round(3).tolist()}, wrongly "
                f"{report.wrong.round(3).tolist()}",
                flush=True,
            )


PARTS = {
    "rule": measure_rule,
    "sizes": measure_sizes,
    "video": measure_video,
    "rate": measure_rate,
}


def main():
    """Print the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    # Three sources support a rate badly, as the fits warn.
    warnings.simplefilter("ignore", UserWarning)
    for name in parser.parse_args().parts or PARTS:
        print(f"\n{name}", flush=True)
        PARTS[name]()


if __name__ == "__main__":
    main()

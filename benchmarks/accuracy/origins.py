"""Measure attribution across origins, and of photographs that a function redrew.

``python -m benchmarks.accuracy.origins [part ...]`` measures on `today/` and
`registry/` (see `data/real_images.py`), on parts of 128 x 128 pixels, with the quick
pipeline (no perturbations), the default one, and the default one at a stated rate of
0.01. Parts:

* ``across``: three generators, and one decoder, that of SDXL, from three origins. Its
  images of each origin are named by fits without this origin, and by folds of prompts;
* ``decoding``: photographs in JPEG files that Pillow and ffmpeg decoded, which needs
  the package `av` (measured with 18.1.0); even scenes fit, odd ones test;
* ``paired``: photographs, and the same ones through two autoencoders (`taef2` and
  `vael`), and one of these with noise on its code; even scenes fit, odd ones test.

Intervals cover 95 % and resample groups.
"""

import argparse
import functools
import io
import tempfile
import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from benchmarks.accuracy.families import spell
from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import make_attribution_pipeline
from skfingerprint.datasets import make_paired_sources
from skfingerprint.metrics import cross_origin_report
from skfingerprint.perturbation import JPEGCompression

SIDE, N_IMAGES = 128, 40
ONE_DECODER = "SDXL"
CHANGES = {
    "as they are": None,
    "JPEG 90": JPEGCompression(quality=90),
    "JPEG 75": JPEGCompression(quality=75),
}


@functools.cache
def make_folder():
    """Return a folder that keeps features for further fits of one run."""
    return tempfile.mkdtemp()


def make_pipelines(*, rate=True):
    """Return the pipelines by name."""
    folder = {"memory": make_folder(), "n_jobs": 2}
    pipelines = {
        "quick": make_attribution_pipeline(perturbations=(), **folder),
        "default": make_attribution_pipeline(**folder),
    }
    if rate:
        pipelines["at 0.01"] = make_attribution_pipeline(
            false_alarm_rate=0.01, **folder
        )
    return pipelines


def read_parts(*prefixes, n_images=N_IMAGES, side=SIDE, real=False):
    """Return parts of images, sources and groups, at most a number of each source."""
    data = read_images(*prefixes, real=real)
    kept = []
    for name in np.unique(data.sources):
        own = np.flatnonzero(data.sources == name)
        places = np.linspace(0, len(own) - 1, min(n_images, len(own)))
        kept.append(own[places.astype(int)])
    kept = np.concatenate(kept)
    images = np.ascontiguousarray(data.images[kept, :side, :side])
    return images, data.sources[kept], data.groups[kept]


def measure_across():
    """Print how one decoder's images are named, within and across origins."""
    names = ("cascade-h", "gptimage-k", "midjourney-k", "sdxl-")
    X, origins, groups = read_parts(*(f"today/{name}" for name in names))
    y = np.where(np.char.startswith(origins, "sdxl"), ONE_DECODER, origins)
    print(f"{len(y)} images, sources {np.unique(y).tolist()}, chance 0.25")
    folds = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    for title, pipeline in make_pipelines().items():
        if title != "at 0.01":
            named = cross_val_predict(pipeline, X, y, groups=groups, cv=folds)
            print(f"{title}, by folds of prompts: {spell(named == y, groups)}")
            for origin in np.unique(origins):
                own = origins == origin
                print(f"  {origin:20s} {spell((named == y)[own], groups[own])}")
        print_report(
            title, cross_origin_report(pipeline, X, y, origins=origins, groups=groups)
        )


def print_report(title, report):
    """Print a report, a line for each pair."""
    print(f"{title}, across origins; not tested: {report.untested.tolist()}")
    columns = ("n_images", "right", "wrong", "accepted", "probability", "named")
    print(f"  {'source, origin':24s} " + " ".join(f"{key:>11s}" for key in columns))
    for i, pair in enumerate(zip(report.source, report.origin, strict=True)):
        values = [report[key][i] for key in columns]
        texts = [v if isinstance(v, dict) else round(float(v), 3) for v in values]
        row = " ".join(f"{text!s:>11s}" for text in texts)
        print(f"  {', '.join(pair):24s} {row}", flush=True)


def decode_by_ffmpeg(image):
    """Return an image that was saved as JPEG 90 and decoded by ffmpeg."""
    import av

    with av.open(io.BytesIO(save_jpeg(image)), format="jpeg_pipe") as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


def decode_by_pillow(image):
    """Return an image that was saved as JPEG 90 and decoded by Pillow."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(save_jpeg(image))))


def save_jpeg(image):
    """Return the content of a JPEG file of quality 90."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "jpeg", quality=90)
    return file.getvalue()


def measure_decoding():
    """Print how surely the program that decoded a JPEG file is named."""
    photographs, _, groups = read_parts("registry/real-photo", n_images=160, real=True)
    programs = {"ffmpeg": decode_by_ffmpeg, "Pillow": decode_by_pillow}
    data = make_paired_sources(photographs, programs, groups=groups)
    y = data.target_names[data.target]
    used = y != "photograph"
    measure_test_half(data.images[used], y[used], data.groups[used])


def measure_paired():
    """Print how surely autoencoders of photographs are named."""
    X, y, groups = read_parts("registry/real-photo", n_images=80, real=True)
    made = read_parts("today/taef2", "today/vael", n_images=80)
    X, y, groups = (
        np.concatenate(pair) for pair in zip((X, y, groups), made, strict=True)
    )
    noisy = y == "taef2-noisy"
    fitted = measure_test_half(X[~noisy], y[~noisy], groups[~noisy])
    asked = noisy & reference_split(groups)
    for title, pipeline in fitted.items():
        for change, perturbation in CHANGES.items():
            named = pipeline.predict(perturb(X[asked], perturbation))
            names, counts = np.unique(named, return_counts=True)
            found = dict(zip(names.tolist(), counts.tolist(), strict=True))
            print(f"{title}, taef2-noisy, {change}: {found}")


def perturb(images, perturbation):
    """Return images, perturbed or not."""
    return images if perturbation is None else perturbation.fit_transform(images)


def measure_test_half(X, y, groups):
    """Print shares of the odd scenes that are named rightly; return the pipelines."""
    test, fitted = reference_split(groups), make_pipelines(rate=False)
    print(f"{(~test).sum()} fit, {test.sum()} test, {len(np.unique(y))} classes")
    for title, pipeline in fitted.items():
        pipeline.fit(X[~test], y[~test], groups=groups[~test])
        for change, perturbation in CHANGES.items():
            right = pipeline.predict(perturb(X[test], perturbation)) == y[test]
            by_class = {
                name: round(float(right[y[test] == name].mean()), 3)
                for name in np.unique(y).tolist()
            }
            share = spell(right, groups[test])
            print(f"{title}, {change}: {share}, {by_class}", flush=True)
    return fitted


PARTS = {
    "across": measure_across,
    "decoding": measure_decoding,
    "paired": measure_paired,
}


def main():
    """Print the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    # Four sources support a rate badly, as the fits warn.
    warnings.simplefilter("ignore", UserWarning)
    for name in parser.parse_args().parts or PARTS:
        print(f"\n{name}", flush=True)
        PARTS[name]()


if __name__ == "__main__":
    main()

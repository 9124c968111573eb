"""Measure how invisible watermarks change attribution, and whether they are found.

``python -m benchmarks.accuracy.watermarks [mark ...]`` measures on `registry/` (see
`data/real_images.py`): 40 images of each of four networks, and 160 photographs; even
scenes fit, odd ones test. The marks are those of `invisible-watermark` 0.2.0 (dwtDct,
of which one file is read) and `blind-watermark` 0.4.4, which need
`opencv-python-headless` (5.0.0), with one text of 32 bits in all images. It prints

* which images go to which network if the images of one network are marked in the fit,
  those of all, or those of none, for each network in turn;
* how many unseen photographs are rightly called marked or not.

Intervals cover 95 % and resample groups.
"""

import argparse
import importlib.util
from pathlib import Path

import numpy as np

from benchmarks.accuracy.families import spell
from benchmarks.accuracy.origins import make_pipelines, measure_test_half, read_parts
from benchmarks.data.real_images import reference_split
from skfingerprint.datasets import make_paired_sources

NETWORKS = ("acnet-gan", "realesrgan-x4plus", "srgan-gan", "style26-0")
BITS = np.unpackbits(np.frombuffer(b"mark", dtype=np.uint8)).astype(int)


def mark_dwt_dct(image):
    """Return an image with the mark dwtDct, which `invisible-watermark` embeds."""
    # The package itself imports others, which this mark does not need.
    folder = importlib.util.find_spec("imwatermark").submodule_search_locations[0]
    path = Path(folder) / "maxDct.py"
    spec = importlib.util.spec_from_file_location("max_dct", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    mark = module.EmbedMaxDct(BITS.tolist(), wmLen=len(BITS))
    return mark.encode(np.ascontiguousarray(image[..., ::-1]))[..., ::-1]


def mark_blind(image):
    """Return an image with the mark of `blind-watermark`."""
    from blind_watermark import WaterMark

    mark = WaterMark(password_wm=1, password_img=1)
    mark.read_img(img=np.ascontiguousarray(image[..., ::-1]))
    mark.read_wm(BITS.copy(), mode="bit")
    return np.rint(mark.embed()).clip(0, 255).astype(np.uint8)[..., ::-1]


MARKS = {"dwtDct": mark_dwt_dct, "blind-watermark": mark_blind}


def mark_all(function, images):
    """Return a stack of marked images."""
    return np.stack([function(image) for image in images])


def measure_attribution(name, function):
    """Print which images go where if one network's, all or no images are marked."""
    X, y, groups = read_parts(*(f"registry/{network}/" for network in NETWORKS))
    marked, test = mark_all(function, X), reference_split(groups)
    print(f"\n{name}: {(~test).sum()} fit, {test.sum()} test, chance 0.25")
    print(f"mean change {np.abs(marked.astype(float) - X).mean():.1f} grey levels")
    for title, pipeline in make_pipelines(rate=False).items():
        one = [ask(pipeline, X, marked, y, groups, y == net) for net in NETWORKS]
        for key, text in {
            "drawn": "marked images of the others go to the marked network",
            "lost": "unmarked images of the marked network go to others",
        }.items():
            shares = [row[key] for row in one]
            by_network = dict(zip(NETWORKS, np.round(shares, 3).tolist(), strict=True))
            print(f"{title}, one marked: {text} {np.mean(shares):.3f}, {by_network}")
        for text, which in {"all": True, "no": False}.items():
            row = ask(pipeline, X, marked, y, groups, np.full(len(y), which))
            print(f"{title}, {text} networks marked: {row['shares']}", flush=True)


def ask(pipeline, X, marked, y, groups, which):
    """Fit with some networks' images marked, and ask about all, marked and not.

    Parameters
    ----------
    pipeline : estimator
        The pipeline to fit.
    X, marked : ndarray of shape (n_samples, height, width, 3)
        The images without and with the mark.
    y, groups : ndarray of shape (n_samples,)
        Networks and scenes.
    which : ndarray of shape (n_samples,), bool
        Images that are marked in the fit.

    Returns
    -------
    shares : dict
        Shares named rightly; shares of others' marked images that go to the marked
        network, and of its own unmarked images that do not.
    """
    test = reference_split(groups)
    mixed = np.where(which[:, None, None, None], marked, X)
    pipeline.fit(mixed[~test], y[~test], groups=groups[~test])
    truth, own = y[test], which[test]
    named = {"unmarked": pipeline.predict(X[test])}
    named["marked"] = pipeline.predict(marked[test])
    goes = np.isin(named["marked"], truth[own])
    return {
        "shares": {k: spell(v == truth, groups[test]) for k, v in named.items()},
        "drawn": goes[~own].mean() if not own.all() else np.nan,
        "lost": (named["unmarked"] != truth)[own].mean() if own.any() else np.nan,
    }


def measure_finding(name, function):
    """Print how many unseen photographs are rightly called marked or not."""
    photographs, _, groups = read_parts("registry/real-photo", n_images=160, real=True)
    data = make_paired_sources(photographs, {"marked": function}, groups=groups)
    print(f"\n{name}: is a photograph marked? Chance 0.5")
    measure_test_half(data.images, data.target_names[data.target], data.groups)


def main():
    """Print the shares for the marks that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("marks", nargs="*", choices=[[], *MARKS])
    names = parser.parse_args().marks or MARKS
    # It sets the start method of processes, which fails once there are any.
    import blind_watermark

    blind_watermark.bw_notes.close()
    for name in names:
        measure_attribution(name, MARKS[name])
        measure_finding(name, MARKS[name])


if __name__ == "__main__":
    main()

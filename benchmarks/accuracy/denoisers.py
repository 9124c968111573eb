"""Compare denoisers by the attribution of real images, unprocessed and after JPEG.

``python -m benchmarks.accuracy.denoisers`` prints a row for each denoiser and its
parameters. Three columns show accuracy / AUC on three sets of sources (see
`data/real_images.py`):

* registry: 20 generators, even groups fit, odd groups test (1,636 / 1,564 images);
  mean one-vs-rest AUC. The chance level is 0.05.
* wild: 7 pix2pix and CycleGAN networks, two folds by group (350 images). The chance
  level is 0.14.
* nikon: 6 cameras, flat fields fit, 16 natural scenes test, 512 x 512 pixels; AUC of
  all same-camera against all cross-camera correlations. The chance level is 0.17.

JPEG compresses the images of both halves, as in the paper. The milliseconds are the
time of one 128 x 128 RGB image on one thread.
"""

import io
import time

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.accuracy.registry import evaluate
from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import FingerprintClassifier, ResidualExtractor

SETTINGS = [
    *[("wavelet_wiener", {"sigma": s}) for s in (1, 2, 3, 5)],
    *[("wavelet_wiener", {"sigma": s, "cycle_spins": 4}) for s in (2, 3)],
    *[("wavelet_shrink", {"sigma": s}) for s in (1, 2, 3, 5)],
    ("wavelet_shrink", {"sigma": 3, "denoiser_params": {"method": "visu"}}),
    *[("wiener", {"sigma": s}) for s in (1, 2, 3, 5)],
    ("wiener", {"sigma": 3, "denoiser_params": {"size": 3}}),
    *[("gaussian", {"denoiser_params": {"kernel_std": s}}) for s in (0.5, 1)],
    *[("median", {"denoiser_params": {"size": s}}) for s in (3, 5)],
    *[("total_variation", {"denoiser_params": {"weight": s}}) for s in (1, 3)],
    ("nl_means", {"sigma": 3}),
]
QUALITIES = (None, 95, 75)


def compress(images, quality):
    """Return images after JPEG compression in memory."""
    if quality is None:
        return images
    compressed = np.empty_like(images)
    for image, out in zip(images, compressed, strict=True):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        out[:] = np.asarray(Image.open(file))
    return compressed


def score_registry(residuals, data):
    """Return accuracy and AUC of the reference split."""
    test = reference_split(data.groups)
    return evaluate(FingerprintClassifier(), residuals, data.sources, test)


def score_wild(residuals, data):
    """Return accuracy and AUC, the means of two folds by group."""
    y = data.sources
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    scores = []
    for _, part in folds.split(residuals, y, data.groups):
        test = np.zeros(len(y), dtype=bool)
        test[part] = True
        scores.append(evaluate(FingerprintClassifier(), residuals, y, test))
    return np.mean(scores, axis=0)


def score_nikon(residuals, data):
    """Return accuracy and the AUC of same- against cross-camera correlations."""
    y, flat = data.sources, np.char.startswith(data.paths, "cameras/flat")
    model = FingerprintClassifier().fit(residuals[flat], y[flat])
    scores = model.decision_function(residuals[~flat])
    same = model.classes_ == y[~flat][:, None]
    return model.score(residuals[~flat], y[~flat]), roc_auc_score(
        same.ravel(), scores.ravel()
    )


def measure_time(extractor, images):
    """Return milliseconds for an image on one thread, the best of three rounds."""
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        extractor.transform(images)
        best = min(best, time.perf_counter() - start)
    return best / len(images) * 1e3


def main():
    """Print the table."""
    sets = [
        (score_registry, read_images("registry/")),
        (score_wild, read_images("wild/")),
        (score_nikon, read_images("cameras/flat", "cameras/natural")),
    ]
    sets = [
        (score, data, [compress(data.images, q) for q in QUALITIES])
        for score, data in sets
    ]
    heads = [f"{n} {q}" for n in ("registry", "wild", "nikon") for q in QUALITIES]
    print("denoiser, ms, " + ", ".join(heads).replace("None", "clean"))
    for denoiser, parameters in SETTINGS:
        extractor = ResidualExtractor(denoiser, **parameters)
        ms = measure_time(extractor, sets[0][2][0][:8])
        extractor.set_params(n_jobs=2)
        cells = []
        for score, data, versions in sets:
            for images in versions:
                accuracy, auc = score(extractor.transform(images), data)
                cells.append(f"{accuracy:.3f}/{auc:.3f}")
        extra = parameters | parameters.get("denoiser_params", {})
        extra.pop("denoiser_params", None)
        text = " ".join(f"{name}={value}" for name, value in extra.items())
        print(f"{denoiser} {text}, {ms:.2f}, " + ", ".join(cells), flush=True)


if __name__ == "__main__":
    main()

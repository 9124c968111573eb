"""Measure cameras that share a periodic pattern, as some programs add one.

``python -m benchmarks.accuracy.periodic_pattern [attribution] [pairs]`` adds one random
pattern of 128 x 128 pixels, repeated over the image, to all images of three of the six
Nikons of `cameras/` (one D200, D70 and D70s each; see `data/real_images.py`), as if one
program had developed them. Fingerprints are of 60 flat fields, and the test is on 16
natural scenes, the middle 512 x 512 pixels. It stands for the pattern of Butora and Bas
(2023), which depends on the image; here it does not, and its strength is stated.

* ``attribution`` prints, by strength of the pattern and by clean-up, the AUC of the
  correlation with the own fingerprint against those of others, of all cameras and among
  the marked ones. "Tile mean" subtracts the mean of the 16 tiles from a residual.
* ``pairs`` prints the largest cross-correlation of two fingerprints at a shift of more
  than 16 pixels, without frequencies within one bin of multiples of 1/16 cycles per
  pixel, where the grids of networks and JPEG files lie: of marked cameras, of other
  cameras, and of sources of `registry/`, `wild/` and `modern/`, for fingerprints of two
  halves of the images. A warning would compare it with a threshold.
"""

import sys
from itertools import combinations

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.data.real_images import read_images
from skfingerprint import LinearPatternRemover, ResidualExtractor, SpectrumFlattener

MARKED = ["nikon-d200-0", "nikon-d70-0", "nikon-d70s-0"]
PERIOD = 128


def subtract_tiles(residuals):
    """Subtract the mean of the tiles of each residual."""
    n, height, width, channels = residuals.shape
    shape = n, height // PERIOD, PERIOD, width // PERIOD, PERIOD, channels
    tiles = residuals.reshape(shape)
    return (tiles - tiles.mean(axis=(1, 3), keepdims=True)).reshape(residuals.shape)


def remove_lines(residuals):
    """Remove linear patterns."""
    return LinearPatternRemover().fit_transform(residuals)


CLEAN_UPS = {
    "none": lambda residuals: residuals,
    "LinearPatternRemover": remove_lines,
    "and SpectrumFlattener": lambda residuals: SpectrumFlattener().fit_transform(
        remove_lines(residuals)
    ),
    "LinearPatternRemover, tile mean": lambda residuals: subtract_tiles(
        remove_lines(residuals)
    ),
}


def mark(data, strength):
    """Add the pattern to the images of the marked cameras, and extract residuals."""
    tile = np.random.default_rng(0).normal(size=(PERIOD, PERIOD, 1))
    pattern = strength * np.tile(
        tile, [n // PERIOD for n in data.images.shape[1:3]] + [1]
    )
    marked = np.isin(data.sources, MARKED)[:, np.newaxis, np.newaxis, np.newaxis]
    images = np.clip(np.rint(data.images + marked * pattern), 0, 255)
    return ResidualExtractor().fit_transform(images.astype(np.uint8))


def find_fingerprints(residuals, sources):
    """Return the mean residual of each source."""
    return {
        name: residuals[sources == name].mean(axis=0) for name in np.unique(sources)
    }


def normalize(patterns):
    """Return rows of zero mean and unit norm."""
    rows = np.reshape(patterns, (len(patterns), -1)).astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def measure_attribution():
    """Print the AUC by strength and clean-up."""
    flat, scenes = read_images("cameras/flat"), read_images("cameras/natural")
    names = np.unique(flat.sources)
    own = scenes.sources[:, np.newaxis] == names
    marked = np.ix_(np.isin(scenes.sources, MARKED), np.isin(names, MARKED))
    for strength in (0, 0.25, 0.5):
        residuals = [mark(data, strength) for data in (flat, scenes)]
        for name, clean in CLEAN_UPS.items():
            fitted, asked = (clean(part) for part in residuals)
            fingerprints = find_fingerprints(fitted, flat.sources)
            scores = normalize(asked) @ normalize([*fingerprints.values()]).T
            print(
                f"strength {strength:4.2f}, {name:31s} AUC "
                f"{roc_auc_score(own.ravel(), scores.ravel()):.3f}, among marked "
                f"{roc_auc_score(own[marked].ravel(), scores[marked].ravel()):.3f}",
                flush=True,
            )


def is_grid(n):
    """Return the mask of the frequencies within one bin of a multiple of 1/16."""
    bins = np.arange(n) * 16 / n
    return np.abs(bins - np.rint(bins)) * n / 16 < 1.5


def find_peak(first, second):
    """Compute the largest cross-correlation off the grid, at a far shift."""
    parts = []
    for pattern in (first, second):
        part = np.fft.fft2(pattern.mean(axis=2))
        height, width = part.shape
        down, right = np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width)
        kept = ~(is_grid(height)[:, np.newaxis] & is_grid(width))
        kept &= np.hypot(down, right) >= 0.05  # scenes
        parts.append(np.where(kept, part, 0))
    norms = [np.linalg.norm(part) for part in parts]
    surface = np.fft.ifft2(parts[0] * parts[1].conj()).real
    surface *= surface.size / (norms[0] * norms[1])
    shifts = [np.abs(np.fft.fftfreq(n) * n) > 16 for n in surface.shape]
    return np.abs(surface[shifts[0][:, np.newaxis] | shifts[1]]).max()


def measure_pairs():
    """Print the largest peaks of pairs of fingerprints."""
    flat = read_images("cameras/flat")
    sets = {
        f"cameras, strength {strength}": (mark(flat, strength), flat.sources)
        for strength in (0.25, 0.5)
    }
    for folder in ("cameras/stereo", "registry/", "wild/", "modern/"):
        data = read_images(folder)
        sets[folder] = mark(data, 0), data.sources
    for name, (residuals, sources) in sets.items():
        for half in (0, 1):
            chosen = np.arange(len(sources)) % 2 == half
            found = find_fingerprints(residuals[chosen], sources[chosen])
            peaks = {
                p: find_peak(*(found[n] for n in p)) for p in combinations(found, 2)
            }
            marked = [value for p, value in peaks.items() if set(p) <= set(MARKED)]
            others = [value for p, value in peaks.items() if not set(p) <= set(MARKED)]
            text = f"smallest of marked {min(marked):.3f}, " if marked else ""
            print(
                f"{name}, half {half}: {text}largest of others {max(others):.3f}",
                flush=True,
            )


PARTS = {"attribution": measure_attribution, "pairs": measure_pairs}


def main():
    """Run the parts that are named."""
    for part in sys.argv[1:] or PARTS:
        print(f"== {part}")
        PARTS[part]()


if __name__ == "__main__":
    main()

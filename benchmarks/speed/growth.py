"""Measure time and memory from 1 to 22,000 images, each run in its own process.

``python -m benchmarks.speed.growth [n ...]`` fits on n images (two, if n is 1) and
attributes n others, on one thread, for n of 1, 10, 100, 1,000 and 22,000. Images of
128 x 128 x 3 are drawn when they are read, so that no files are needed. An image is the
sum of one of 16 pictures of 1/f noise, shifted at random, the fingerprint of one of 22
sources, and white noise. Methods:

* ``draw``: the images alone, whose time is part of the time of the others;
* ``ours``: `ResidualExtractor` and `FingerprintClassifier` on dask arrays;
* ``features``: the features of the recommended pipeline for n images, all kept;
* ``literal``: all residuals are kept and averaged; beyond 4 GiB it is not run;
* ``prnu``: prnu-python, which adds residuals up too; up to 1,000 images.

The columns are the processor's seconds to fit and to attribute, the growth of the peak
memory in MB, and the accuracy. It takes about five minutes.
"""

import subprocess
import sys
import time
import warnings
from functools import cache

import dask
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.speed.literal import literal_correlations, literal_residual
from benchmarks.speed.side_by_side import draw, read_peak, restart_peak
from skfingerprint import AttributionFeatures, FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import make_fingerprint_images

NUMBERS = (1, 10, 100, 1000, 22_000)
SHAPE, N_SOURCES, BLOCK = (128, 128, 3), 22, 64
LARGEST_MB = 4096
PRNU_NUMBER = 1000


@cache
def make_parts():
    """Return the pictures, and the fingerprints of the sources."""
    pictures, _ = make_fingerprint_images(16, 1, image_shape=SHAPE, random_state=0)
    return pictures.astype(np.float32), draw(N_SOURCES, *SHAPE)


def draw_image(number):
    """Return the image of a number, of the source `number % 22`."""
    pictures, fingerprints = make_parts()
    rng = np.random.default_rng(number)
    shift = rng.integers(SHAPE[0], size=2)
    image = np.roll(pictures[rng.integers(len(pictures))], shift, axis=(0, 1))
    image += fingerprints[number % N_SOURCES]
    image += 2 * rng.standard_normal(SHAPE, dtype=np.float32)
    return image.round().clip(0, 255).astype(np.uint8)


class Images:
    """Draw the images of the numbers from `start` on when they are read.

    It serves as a list, or as the blocks of a dask array.
    """

    def __init__(self, start, n):
        self.start, self.n = start, n
        self.y = np.arange(start, start + n) % N_SOURCES

    def __len__(self):
        return self.n

    def __getitem__(self, place):
        if place >= self.n:
            raise IndexError(place)
        return draw_image(self.start + place)

    def to_dask(self):
        """Return a dask array of blocks of 64 images."""
        import dask.array as da

        sizes = [min(BLOCK, self.n - i) for i in range(0, self.n, BLOCK)]
        chunks = (tuple(sizes), *((side,) for side in SHAPE))
        return da.map_blocks(self._read, chunks=chunks, dtype="u1", meta=np.array(()))

    def _read(self, block_info):
        first, last = block_info[None]["array-location"][0]
        return np.stack([self[i] for i in range(first, last)])


def draw_all(images):
    """Draw images and keep nothing."""
    for _ in images:
        pass


def fit_ours(images):
    """Fit by sums of blocks."""
    residuals = ResidualExtractor().transform(images.to_dask())
    return FingerprintClassifier().fit(residuals, images.y)


def name_by_ours(model, images):
    """Name block by block."""
    return model.predict(ResidualExtractor().transform(images.to_dask()))


def keep_features(images):
    """Return the rows of all images."""
    return AttributionFeatures().fit_transform(images.to_dask()).compute()


def fit_literally(images):
    """Keep all residuals, and average those of each source."""
    residuals = np.empty((len(images), *SHAPE))
    for i, image in enumerate(images):
        residuals[i] = literal_residual(image)
    return [residuals[images.y == source].mean(axis=0) for source in set(images.y)]


def name_literally(fingerprints, images):
    """Name images one by one."""
    scores = [
        literal_correlations([literal_residual(image)], fingerprints)[0]
        for image in images
    ]
    return np.argmax(scores, axis=1)


def fit_prnu(images):
    """Return the fingerprint of each source by prnu-python."""
    from prnu import extract_multiple_aligned

    found = []
    for source in sorted(set(images.y)):
        own = [images[i] for i in np.flatnonzero(images.y == source)]
        found.append(extract_multiple_aligned(own, processes=1, tqdm_str=None))
    return np.array(found)


def name_by_prnu(fingerprints, images):
    """Name images one by one."""
    from prnu import aligned_cc, extract_single

    scores = [aligned_cc([extract_single(i)], fingerprints)["ncc"][0] for i in images]
    return np.argmax(scores, axis=1)


METHODS = {
    "draw": (draw_all, None),
    "ours": (fit_ours, name_by_ours),
    "features": (keep_features, None),
    "literal": (fit_literally, name_literally),
    "prnu": (fit_prnu, name_by_prnu),
}


def run(method, n):
    """Print seconds to fit and to name, memory, and the share named rightly."""
    fit, predict = METHODS[method]
    known, asked = Images(0, max(n, 2)), Images(22 * 10**5, n)
    warm = Images(22 * 10**6, 2)
    model = fit(warm)
    if predict:
        predict(model, warm)
    before, starts = restart_peak(), [time.process_time()]
    model = fit(known)
    starts.append(time.process_time())
    named = predict(model, asked) if predict else ()
    starts.append(time.process_time())
    right = f"{np.mean(named == asked.y):.3f}" if predict else "-"
    fitting, naming = np.diff(starts)
    print(f"{fitting:10.3f}{naming:10.3f}{read_peak() - before:10.0f}   {right}")


def find_reason(method, n):
    """Return the reason why a method is not run on n images, or an empty text."""
    needed = n * 8 * np.prod(SHAPE) / 2**20
    if method == "literal" and needed > LARGEST_MB:
        return f"   does not fit: residuals of {needed:.0f} MB (computed, not run)"
    if method == "prnu" and n > PRNU_NUMBER:
        return "   not run"
    return ""


def measure(method, n):
    """Print the line of a method and a number."""
    line = find_reason(method, n)
    if not line:
        command = [sys.executable, "-m", __spec__.name, "--run", method, str(n)]
        done = subprocess.run(command, capture_output=True, text=True)
        is_absent = "ModuleNotFoundError" in done.stderr
        line = "   not installed" if is_absent else done.stdout.rstrip()
        if done.returncode and not is_absent:
            sys.exit(done.stderr)
    print(f"{n:6d} {method:9s}{line}", flush=True)


def main():
    """Print the table, or a line of it."""
    if sys.argv[1:2] == ["--run"]:
        warnings.simplefilter("ignore")
        with dask.config.set(scheduler="synchronous"):
            run(sys.argv[2], int(sys.argv[3]))
        return
    print(f"{'n':>6s} {'method':9s}{'fit, s':>10s}{'name, s':>10s}{'MB':>10s}   right")
    for n in map(int, sys.argv[1:] or NUMBERS):
        for method in METHODS:
            measure(method, n)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()

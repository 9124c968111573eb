"""Compare time, memory and answers of this package with other implementations.

``python -m benchmarks.speed.side_by_side [part ...]`` runs on one thread and takes
about ten minutes. Other packages take part if they can be imported: `literal` is
`literal.py`, `skimage` is scikit-image, `prnu` is the project prnu-python of the
Politecnico di Milano (not the package of that name on the package index), and `bm3d` is
BM3D. Parts:

* ``residual``: the residual of an RGB image, of 256 x 256 to 4000 x 3000 pixels;
* ``features``: the features of the recommended pipeline for such an image;
* ``spectra``: the log-power spectra of the channels of such an image;
* ``pairs``: co-occurrences of two differences only, which scikit-image has too;
* ``scoring``: correlations of 16 residuals of 256 x 256 x 3 with 20 and 1,000
  fingerprints, by a fitted classifier and by arrays;
* ``shifts``: the best of all shifts for four grey residuals of 256 x 256 and 20
  fingerprints;
* ``cameras``: clusters of residuals of 64 x 64 x 3 with 20 planted fingerprints, and
  with weak ones for 200 residuals;
* ``networks``: clusters of the images that ship with the package (160, 640), and of
  1,000 images with planted fingerprints.

The columns are

* the processor's time, the median of rounds that alternate between the methods;
* the time of the literal method in multiples of it, the median of the rounds' ratios;
* the peak of the memory beyond the input, in multiples of it (images count in float32);
* the answer: the largest deviation from the literal one, or the adjusted Rand index of
  clusters and their number. The literal clusters are given their number.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from benchmarks.speed.methods import METHODS
from skfingerprint._attribution import restore_classifier
from skfingerprint.datasets import load_generators, make_fingerprint_images

SIZES = {"64": (64, 64), "256": (256, 256), "1024": (1024, 1024), "12M": (3000, 4000)}
# Of each part: rounds of each size.
ROUNDS = {
    "residual": {"256": 15, "1024": 7, "12M": 3},
    "features": {"256": 15, "1024": 5, "12M": 1},
    "spectra": {"64": 15, "256": 15, "1024": 5},
    "pairs": {"256": 15, "1024": 7},
    "scoring": {"20": 15, "1000": 3},
    "shifts": {"20": 7},
    "cameras": {"200 weak": 3, "200": 3, "1000": 3, "4000": 1},
    "networks": {"160": 1, "640": 1, "1000": 1},
}
SMALLEST = {"cameras": "40", "networks": "160", "scoring": "2", "shifts": "2"}
# A method that is measured at the smallest size only.
SLOW, SLOW_ROUNDS = "bm3d", 3
# Freed arrays leave the process at once, so that a peak is that of one call.
TIDY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def make_image(size):
    """Return one RGB image of 1/f noise, and no truth."""
    side = min(SIZES[size][0], 1024)
    images, _ = make_fingerprint_images(
        1, 1, image_shape=(side, side, 3), random_state=0
    )
    repeats = [-(-n // side) for n in SIZES[size]]
    image = np.tile(images[0], (*repeats, 1))
    return (image[: SIZES[size][0], : SIZES[size][1]].copy(),), None


def make_plane(size):
    """Return its second channel."""
    (image,), truth = make_image(size)
    return (image[..., 1].copy(),), truth


def draw(*shape):
    """Return white noise of standard deviation 1."""
    return np.random.default_rng(shape[0]).standard_normal(shape, dtype=np.float32)


def make_residuals(size):
    """Return 16 residuals, and a classifier with the stated number of fingerprints."""
    fingerprints = draw(int(size), 256, 256, 3)
    weights = np.ones(len(fingerprints))
    classifier = restore_classifier(np.arange(len(weights)), fingerprints, weights)
    return (draw(16, 256, 256, 3), classifier), None


def make_shifted(size):
    """Return four residuals, and fingerprints in each of which a part is shifted."""
    common = draw(1, 256, 256)
    shifted = draw(4, 256, 256) + np.roll(common, (-3, 5), axis=(1, 2))
    return (shifted, draw(int(size), 256, 256) + common), None


def make_cameras(size):
    """Return residuals, the number of their sources, and these."""
    n, weak = int(size.split()[0]), "weak" in size
    y = np.arange(n) % 20
    residuals = draw(n, 64, 64, 3)
    residuals += (0.15 if weak else 0.3) * draw(20, 64, 64, 3)[y]
    return (residuals, 20), y


def make_networks(size):
    """Return images, the number of their sources, and these."""
    if size == "1000":
        images, y = make_fingerprint_images(1000, 20, strength=4, random_state=0)
        return (images, 20), y
    data, step = load_generators(), 640 // int(size)
    return (data.images[::step].copy(), 8), data.target[::step]


MAKERS = {
    "residual": make_image,
    "features": make_image,
    "spectra": make_image,
    "pairs": make_plane,
    "scoring": make_residuals,
    "shifts": make_shifted,
    "cameras": make_cameras,
    "networks": make_networks,
}


def compare(part, size, names):
    """Return times, of a list of rounds, and answers of the methods."""
    inputs, truth = MAKERS[part](size)
    times, answers = {name: [] for name in names}, {}
    for turn in range(ROUNDS[part][size]):
        for name in names:
            if name != SLOW or turn < SLOW_ROUNDS:
                start = time.process_time()
                found = METHODS[part][name](*inputs)
                times[name].append(time.process_time() - start)
                answers[name] = found
    return times, {name: judge(answers, name, truth) for name in names}


def judge(answers, name, truth):
    """Return the deviation from the literal answer, or the agreement with truth."""
    found, literal = answers[name], answers["literal"]
    if truth is not None:
        score = adjusted_rand_score(truth, found)
        return f"{score:.3f} ({found.max() + 1})"
    if found.shape != literal.shape:
        return "other"
    return f"{np.abs(found - literal).max():.1g}"


def peak_memory(part, size, name):
    """Return by how much a call adds to the peak of a process of its own."""
    command = [sys.executable, "-m", __spec__.name, part, "--memory", name, size]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | TIDY
    )
    return float(done.stdout)


def measure_memory(part, name, size):
    """Print by how many times the input the peak of this process grows."""
    method = METHODS[part][name]
    method(*MAKERS[part](SMALLEST.get(part, "64"))[0])
    inputs, _ = MAKERS[part](size)
    before = restart_peak()
    found = method(*inputs)
    print((read_peak() - before) / count_input(inputs))
    return found


def count_input(inputs):
    """Return the size of the input in float32, in MB."""
    arrays = [getattr(item, "fingerprints_", item) for item in inputs]
    return 4 * sum(np.size(array) for array in arrays) / 2**20


def restart_peak():
    """Forget the peak of this process; return the memory that it has now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return read_peak()


def read_peak():
    """Return the peak resident memory of this process, in MB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def find_installed(part):
    """Return the names of the methods of a part that can be imported."""
    inputs, _ = MAKERS[part](SMALLEST.get(part, "64"))
    names = []
    for name, method in METHODS[part].items():
        try:
            method(*inputs)
        except ImportError:
            print(f"{name} is not installed")
        else:
            names.append(name)
    return names


def print_part(part):
    """Print the lines of a part."""
    installed = find_installed(part)
    for size in ROUNDS[part]:
        is_first = size == next(iter(ROUNDS[part]))
        names = [name for name in installed if name != SLOW or is_first]
        times, answers = compare(part, size, names)
        for name in names:
            both = zip(times["literal"], times[name], strict=False)
            ratio = statistics.median(literal / own for literal, own in both)
            ms = 1e3 * statistics.median(times[name])
            memory = peak_memory(part, size, name)
            print(
                f"{part:9s} {size:9s} {name:8s} {ms:11.2f} {ratio:8.2f} "
                f"{memory:8.2f}  {answers[name]}",
                flush=True,
            )


def print_versions():
    """Print the versions of the packages that take part."""
    names = "numpy", "scipy", "scikit-learn", "pywavelets", "numba", "scikit-image"
    print(", ".join(f"{name} {version(name)}" for name in names))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # levels of wavelets at the smallest size
    if options.memory:
        measure_memory(options.parts[0], *options.memory)
        return
    print_versions()
    print(f"{'part':9s} {'size':9s} {'method':8s} {'ms':>11s} {'speed':>8s} ", end="")
    print(f"{'memory':>8s}  answer")
    for part in options.parts or METHODS:
        print_part(part)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()

"""Time and memory of a residual: this package against others, in one run.

``python benchmarks/side_by_side.py`` prints, for RGB images of 256 x 256, 1024 x 1024
and 4000 x 3000 pixels and one thread, the time of each method, how many times as long
as the literal implementation takes than it, and the peak memory beyond the image, in
multiples of the image in float32. `skimage`, `prnu` and `bm3d` take part where they can
be imported. Rounds alternate between the methods, and the median of the rounds counts.
The first line: what two threads gain on 256 images of 256 x 256.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from literal import literal_residual
from threadpoolctl import threadpool_limits

from skfingerprint import ResidualExtractor, _wavelet, denoising
from skfingerprint.datasets import make_fingerprint_images

SIZES = {"256": (256, 256), "1024": (1024, 1024), "12M": (3000, 4000)}
ROUNDS = {"256": 15, "1024": 5, "12M": 1}


def ours_fast(image):
    """Residual of this package with numba."""
    from skfingerprint import _wavelet_fast

    denoising._fastest_kernel = lambda: _wavelet_fast.wavelet_noise
    return ResidualExtractor().transform(image[np.newaxis])[0]


def ours_numpy(image):
    """Residual of this package without numba."""
    denoising._fastest_kernel = lambda: _wavelet.wavelet_noise
    return ResidualExtractor().transform(image[np.newaxis])[0]


def skimage_wavelet(image):
    """Soft thresholding of scikit-image."""
    from skimage.restoration import denoise_wavelet

    image = image.astype(np.float32)
    return image - denoise_wavelet(
        image, sigma=3.0, wavelet="db4", wavelet_levels=4, channel_axis=-1
    )


def prnu_residual(image):
    """Residual of prnu-python: grey, with its clean-up for cameras."""
    from prnu import extract_single  # not the PyPI project of that name

    return extract_single(image)


def bm3d_residual(image):
    """Residual of BM3D, channel by channel."""
    import bm3d

    image = image.astype(float)
    planes = [image[..., c] - bm3d.bm3d(image[..., c], 3.0) for c in range(3)]
    return np.stack(planes, axis=-1)


METHODS = {
    "literal": literal_residual,
    "numpy": ours_numpy,
    "fast": ours_fast,
    "skimage": skimage_wavelet,
    "prnu": prnu_residual,
    "bm3d": bm3d_residual,
}


def make_image(size):
    """Return one image of 1/f noise, the same in each process."""
    height, width = SIZES[size]
    images, _ = make_fingerprint_images(
        1, 1, image_shape=(height, width, 3), random_state=0
    )
    return images[0]


def peak_memory(name, size):
    """Peak of the process while one residual is made, less what came before, in MB."""
    command = [sys.executable, __file__, "--memory", name, "--sizes", size]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def measure_memory(name, size):
    """Print by how much the peak of this process grows."""
    METHODS[name](make_image("256"))
    image = make_image("256")
    repeats = [-(-n // 256) for n in SIZES[size]]
    image = np.tile(image, (*repeats, 1))[: SIZES[size][0], : SIZES[size][1]].copy()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = read_peak()
    METHODS[name](image)
    print(read_peak() - before)


def read_peak():
    """Return the peak resident memory of this process, in MB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def time_methods(image, names, rounds):
    """Return the median time of each method over alternating rounds, in seconds."""
    times = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            start = time.perf_counter()
            METHODS[name](image)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--memory", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        return measure_memory(options.memory, options.sizes[0])
    small = make_image("256")
    names = []
    for name, method in METHODS.items():
        try:
            method(small)
        except ImportError:
            print(f"{name} is not installed")
        else:
            names.append(name)
    # Before the others: some of them leave threads behind.
    print(f"two threads: {measure_threads():.2f} times as fast as one")
    print(f"{'size':6s}{'method':10s}{'ms':>10s}{'speed':>8s}{'memory':>8s}")
    for size in options.sizes:
        known = [n for n in names if n != "bm3d" or size == "256"]
        rounds = 3 if "bm3d" in known else ROUNDS[size]
        times = time_methods(make_image(size), known, rounds)
        in_float32 = np.prod(SIZES[size]) * 3 * 4 / 2**20
        for name in known:
            ratio = times["literal"] / times[name]
            memory = peak_memory(name, size) / in_float32
            ms = times[name] * 1e3
            print(f"{size:6s}{name:10s}{ms:10.2f}{ratio:8.2f}{memory:8.1f}")
    return None


def measure_threads(rounds=9):
    """Return the ratio of the times of one and two threads, alternating."""
    images, _ = make_fingerprint_images(256, 1, image_shape=(256, 256, 3))
    times = {1: [], 2: []}
    for _ in range(rounds):
        for n_jobs in times:
            start = time.perf_counter()
            ResidualExtractor(n_jobs=n_jobs).transform(images)
            times[n_jobs].append(time.perf_counter() - start)
    return statistics.median(times[1]) / statistics.median(times[2])


if __name__ == "__main__":
    with threadpool_limits(1):
        main()

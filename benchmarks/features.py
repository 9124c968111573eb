"""Time and memory of the recommended features, against a literal residual.

``python benchmarks/features.py``: each pair of runs is alternated in one process with
one thread, and the ratio is the median of the pairs; with and without numba. About a
minute.
"""

import resource
import subprocess
import sys
import time

import numpy as np
from literal import literal_residual
from threadpoolctl import threadpool_limits

from skfingerprint import AttributionFeatures, _runs, _wavelet, denoising

SIZES = [(128, 128), (256, 256), (1024, 1024)]


def clock(function):
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(shape, n_pairs):
    """Print the ratio of the features' time to that of the literal residual."""
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    batch = np.stack([image] * max(1, 2**20 // image.size))
    features = AttributionFeatures()
    calls = (
        lambda: literal_residual(image),
        lambda: features.transform(batch),
    )
    for call in calls:
        call()
    pairs = np.array([[clock(call) for call in calls] for _ in range(n_pairs)])
    pairs[:, 1] /= len(batch)
    ratio = np.median(pairs[:, 1] / pairs[:, 0])
    literal, ours = 1e3 * np.median(pairs, axis=0)
    print(f"{shape[0]}x{shape[1]}: {ours:.2f} ms, literal {literal:.2f}, {ratio:.2f}")


def print_memory(shape):
    """Print what the features of one image need beyond it, at the peak."""
    features = AttributionFeatures()
    features.transform(np.zeros((1, 64, 64, 3), np.uint8))
    image = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), dtype=np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    features.transform(image)
    spent = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    print(f"{shape[0]}x{shape[1]}: {grown:.0f} MiB beyond the image, {spent:.1f} s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print_memory(tuple(map(int, sys.argv[1].split("x"))))
        sys.exit()
    for kernel in ("numba", "NumPy"):
        if kernel == "NumPy":
            denoising._fastest_kernel = lambda: _wavelet.wavelet_noise
            _runs._fastest_count = lambda: _runs._count
        print(kernel, flush=True)
        for shape in SIZES:
            with threadpool_limits(1):
                compare(shape, 20 if shape[0] < 1000 else 8)
    for size in ("1024x1024", "3000x4000", "6000x8000"):
        subprocess.run([sys.executable, __file__, size], check=True)

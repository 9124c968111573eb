"""Compare the time of a residual with the literal formula and with decoding a file.

``python -m benchmarks.speed.residual`` prints, for images of several sizes, the time of
`ResidualExtractor` on one thread, how many times longer the literal formula takes, and
the time in multiples of that of decoding the image from a JPEG file of quality 90. The
methods alternate; ratios are medians of the rounds.
"""

import io
import time

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from benchmarks.speed.literal import literal_residual
from benchmarks.speed.methods import residual
from skfingerprint.datasets import load_generators

# For each side of the image: rounds, and calls in a round, of which the fastest counts.
ROUNDS = {64: (15, 5), 256: (15, 3), 1024: (9, 1)}


def tile_images(side):
    """Return a square image, tiled of images that ship with the package."""
    images = load_generators().images
    n = -(-side // images.shape[1])
    chosen = images[np.random.default_rng(0).integers(0, len(images), (n, n))]
    return np.concatenate(np.concatenate(chosen, axis=1), axis=1)[:side, :side].copy()


def measure(function, n_calls):
    """Return the processor's time of the fastest of some calls."""
    times = []
    for _ in range(n_calls):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def main():
    """Print the table."""
    print("side  ms  literal/residual  residual/decoding")
    for side, (n_rounds, n_calls) in ROUNDS.items():
        image = tile_images(side)
        file = io.BytesIO()
        Image.fromarray(image).save(file, "jpeg", quality=90)
        methods = (
            lambda image=image: residual(image),
            lambda image=image: literal_residual(image),
            lambda file=file: np.asarray(Image.open(file)),
        )
        for method in methods:
            method()  # compiles
        rounds = [[measure(m, n_calls) for m in methods] for _ in range(n_rounds)]
        own, literal, decoding = np.transpose(rounds)
        ratios = np.median(literal / own), np.median(own / decoding)
        print(
            f"{side:4d}  {1e3 * np.median(own):.2f}  {ratios[0]:.1f}  {ratios[1]:.2f}"
        )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()

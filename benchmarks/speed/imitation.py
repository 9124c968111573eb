"""Measure the time of imitations by kind, beside the features of the same images.

``python -m benchmarks.speed.imitation`` prints the milliseconds of the processor for an
image of 128x128 pixels in color, on one thread: the mean and the longest over the
imitations of a kind, the mean over all, and the features of the recommended pipeline.
"""

import time
from collections import defaultdict

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.speed.residual import tile_images
from skfingerprint import AttributionFeatures
from skfingerprint.imitation import IMITATIONS

N_IMAGES = 10
N_ROUNDS = 5


def measure(transformer, images):
    """Return the milliseconds per image of the fastest of some rounds."""
    transformer.fit_transform(images)  # draws, and compiles
    times = []
    for _ in range(N_ROUNDS):
        start = time.process_time()
        transformer.transform(images)
        times.append(time.process_time() - start)
    return 1e3 * min(times) / len(images)


def main():
    """Print the table."""
    whole = tile_images(128 * N_IMAGES)
    images = np.stack([whole[i : i + 128, i : i + 128] for i in range(N_IMAGES)])
    times = defaultdict(list)
    for imitation in IMITATIONS:
        times[imitation.kind].append(measure(imitation, images))
    print("kind           mean  longest")
    for kind, values in times.items():
        print(f"{kind:13s} {np.mean(values):5.2f}    {max(values):5.2f}")
    print(f"{'all':13s} {np.mean(np.concatenate(list(times.values()))):5.2f}")
    print(f"{'features':13s} {measure(AttributionFeatures(), images):5.2f}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()

"""Compare the time of the default fit with that of a fit on unprocessed images alone.

``python -m benchmarks.speed.default_fit [n ...]`` fits the recommended pipeline on n
images of 128 x 128 pixels, for n of 100, 500 and 2,000, on one thread: with the default
perturbations, and with ``perturbations=()``. With ``--rate 0.01`` both learn that
false-alarm rate as well. The images are those of `registry/` (see
`data/real_images.py`) if they are present, and otherwise drawn as in `speed/growth.py`.

The columns are the processor's seconds of both fits, in rounds that alternate between
them, and the median of the rounds' ratios. It takes about three minutes on an idle
processor, and twice as long with a rate.
"""

import argparse
import statistics
import time
from functools import cache

import numpy as np
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from benchmarks.data.real_images import FOLDER, read_registry
from benchmarks.speed.growth import Images
from skfingerprint import make_attribution_pipeline

NUMBERS = (100, 500, 2000)
# Images that are drawn where there are none to read.
N_DRAWN = 4000
# Rounds of fewer images; more images have one.
ROUNDS, FEW = 3, 500


@cache
def read():
    """Return images and their sources."""
    if FOLDER.exists():
        return read_registry()[:2]
    drawn = Images(0, N_DRAWN)
    return np.stack(list(drawn)), drawn.y


def choose(n):
    """Return n images and their sources, of which each has nearly as many."""
    images, sources = read()
    given = {"train_size": n, "stratify": sources, "random_state": 0}
    chosen, _ = train_test_split(np.arange(len(images)), **given)
    return images[chosen], sources[chosen]


def time_fit(images, sources, **params):
    """Return the processor's seconds of a fit."""
    pipeline = make_attribution_pipeline(**params)
    start = time.process_time()
    pipeline.fit(images, sources)
    return time.process_time() - start


def measure(n, rate):
    """Print the line of a number of images."""
    images, sources = choose(n)
    both = {"perturbations": (), "false_alarm_rate": rate}, {"false_alarm_rate": rate}
    times = [
        [time_fit(images, sources, **params) for params in both]
        for _ in range(ROUNDS if n < FEW else 1)
    ]
    quick, default = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(default / quick for quick, default in times)
    print(f"{n:7d}{quick:18.2f}{default:14.1f}{ratio:9.1f}", flush=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("numbers", type=int, nargs="*", default=NUMBERS)
    parser.add_argument("--rate", type=float, help="false-alarm rate to learn")
    options = parser.parse_args()
    time_fit(*choose(100), perturbations=())  # so that numba compiles
    print(f"{'images':>7s}{'unprocessed, s':>18s}{'default, s':>14s}{'times':>9s}")
    for n in options.numbers:
        measure(n, options.rate)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()

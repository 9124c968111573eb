"""Measure time, memory and their parts for the attribution of 22,000 image files.

``python -m benchmarks.speed.scale FOLDER`` makes 22 sources of 1,000 RGB images of
256 x 256 pixels (PNG, 3 GB) with planted fingerprints if FOLDER is empty. Then it fits
on 512 images of each source and attributes the rest, each run in its own process: in
memory (1/8 of the images), lazily with 1/8 to all of them, and with one thread. The
modes "decode" and "residual" stop after that step. It takes about five minutes on two
cores, and as long to make the images.
"""

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

N_SOURCES, N_IMAGES, N_FIT, SIDE = 22, 1000, 512, 256


def make_source(task):
    """Write the images of one source: smooth content, a fingerprint and noise."""
    folder, number = task
    target = folder / f"source-{number:02d}"
    target.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    fingerprint = rng.normal(size=(SIDE, SIDE, 3)).astype("f4")
    for i in range(N_IMAGES):
        coarse = rng.integers(0, 256, size=(12, 12, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((SIDE, SIDE), Image.BICUBIC)
        noise = rng.normal(scale=2, size=fingerprint.shape)
        pixels = np.asarray(smooth) * 0.9 + 12 + 0.5 * fingerprint + noise
        image = Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))
        image.save(target / f"{i:04d}.png", compress_level=1)


def choose_files(folder, share):
    """Return files and sources to fit and to attribute, a share of each source."""
    parts = {"fit": ([], []), "test": ([], [])}
    for source in sorted(p for p in folder.iterdir() if p.is_dir()):
        files = sorted(source.glob("*.png"))
        n_fit, n = int(N_FIT * share), int(N_IMAGES * share)
        for name, chosen in (("fit", files[:n_fit]), ("test", files[n_fit:n])):
            parts[name][0].extend(chosen)
            parts[name][1].extend([source.name] * len(chosen))
    return parts


def run(folder, *, mode, n_jobs, share):
    """Fit and attribute in this process; return time and memory."""
    from skfingerprint import FingerprintClassifier, ResidualExtractor
    from skfingerprint.datasets import load_image_files

    parts = choose_files(folder, share)
    extractor = ResidualExtractor(n_jobs=n_jobs)
    classifier = FingerprintClassifier()
    start = time.perf_counter()
    scan = 0
    data = {}
    for name, (files, target) in parts.items():
        began = time.perf_counter()
        data[name] = load_image_files(files, target, lazy=mode != "memory")
        scan += time.perf_counter() - began
    if mode in ("decode", "residual"):
        for part in data.values():
            images = part.images
            drain(images if mode == "decode" else extractor.transform(images))
        return report(start, scan, len(parts["fit"][0]) + len(parts["test"][0]))
    fit, test = data["fit"], data["test"]
    classifier.fit(extractor.transform(fit.images), fit.target)
    fitted = time.perf_counter()
    accuracy = classifier.score(extractor.transform(test.images), test.target)
    result = report(start, scan, len(fit.target) + len(test.target))
    return result | {"fit_s": fitted - start - scan, "accuracy": accuracy}


def drain(lazy):
    """Compute all blocks of a dask array and keep nothing."""
    import dask

    take = dask.delayed(len)
    dask.compute([take(block) for block in lazy.to_delayed().ravel()])


def report(start, scan, n):
    """Return time, rate and peak memory of this process."""
    seconds = time.perf_counter() - start
    return {
        "images": n,
        "seconds": seconds,
        "images_per_s": n / seconds,
        "scan_s": scan,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def measure(folder, **options):
    """Run in a fresh process and print the result."""
    arguments = [str(folder), "--run", json.dumps(options)]
    command = [sys.executable, "-m", __spec__.name, *arguments]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(output.splitlines()[-1])
    text = ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in result.items()
    )
    print(f"{options}: {text}", flush=True)
    return result


def main():
    """Make the images if need be and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--make-only", action="store_true")
    parser.add_argument("--run", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        import dask

        with dask.config.set(scheduler="threads", num_workers=options.run["n_jobs"]):
            print(json.dumps(run(options.folder, **options.run)))
        return
    if not any(options.folder.glob("source-*")):
        tasks = [(options.folder, number) for number in range(N_SOURCES)]
        with multiprocessing.Pool() as pool:
            pool.map(make_source, tasks, chunksize=1)
    if options.make_only:
        return
    measure(options.folder, mode="memory", n_jobs=2, share=1 / 8)
    for share in (1 / 8, 1 / 4, 1 / 2):
        measure(options.folder, mode="lazy", n_jobs=2, share=share)
    whole = measure(options.folder, mode="lazy", n_jobs=2, share=1)
    measure(options.folder, mode="decode", n_jobs=2, share=1)
    bare = measure(options.folder, mode="residual", n_jobs=2, share=1)
    print(f"rate against decode and residual alone: "
          f"{whole['images_per_s'] / bare['images_per_s']:.2f}")  # fmt: skip
    measure(options.folder, mode="lazy", n_jobs=1, share=1 / 4)


if __name__ == "__main__":
    main()

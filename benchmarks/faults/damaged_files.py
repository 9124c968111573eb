"""Check that damaged image files are loaded or named, lazily as in memory.

``python -m benchmarks.faults.damaged_files [n_files]`` flips one to eight bytes of
1,000 files in each format (in every other file among the first 300 bytes) and loads
them with `on_error="warn"`, in memory and lazily with `verify=True`. It prints a row
for each format:

* loaded: files that gave an image of the right size, with right or wrong pixels.
* named: files that the warning names.
* neither: files that are lost without a warning. Should be 0.
* differ: files whose results, or pixels, differ between the two ways. Should be 0.
"""

import io
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from skfingerprint.datasets import load_image_files, make_fingerprint_images

SUFFIXES = {
    "PNG": "png",
    "JPEG": "jpg",
    "WEBP": "webp",
    "TIFF": "tif",
    "BMP": "bmp",
    "GIF": "gif",
    "PPM": "ppm",
    "JPEG2000": "jp2",
    "AVIF": "avif",
}


def has_codec(name):
    """Check that Pillow was built with the codec of a format."""
    try:
        Image.new("RGB", (8, 8)).save(io.BytesIO(), name)
    except (KeyError, OSError):
        return False
    return True


def write_damaged(folder, name, n_files, random_state=0):
    """Write files with one to eight bytes flipped, and a whole one first."""
    rng = np.random.default_rng(random_state)
    images, _ = make_fingerprint_images(4, 1, image_shape=(40, 48, 3), random_state=0)
    files = [Path(folder, f"{i:04}.{SUFFIXES[name]}") for i in range(n_files + 1)]
    for i, file in enumerate(files):
        Image.fromarray(images[i % 4]).save(file, name)
        if i:
            content = np.fromfile(file, dtype=np.uint8)
            end = min(len(content), 300) if i % 2 else len(content)
            where = rng.integers(end, size=rng.integers(1, 9))
            content[where] ^= rng.integers(1, 256, size=len(where), dtype=np.uint8)
            content.tofile(file)
    return files


def load(files, **options):
    """Return {name: pixels} of the loaded files, and the warning about the others."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load_image_files(files, on_error="warn", **options)
        images = np.asarray(data.images)
    texts = [str(w.message) for w in caught if "left out" in str(w.message)]
    return dict(zip(data.filenames.tolist(), images, strict=True)), "".join(texts)


def count(files):
    """Return the numbers of files loaded, named, neither, and treated differently."""
    eager, named = load(files)
    lazy, _ = load(files, lazy=True, verify=True)
    missing = [str(file) for file in files if str(file) not in eager]
    neither = sum(f"{file}: " not in named for file in missing)
    differ = len({*eager} ^ {*lazy}) + sum(
        not np.array_equal(eager[file], lazy[file]) for file in {*eager} & {*lazy}
    )
    return len(eager), len(missing) - neither, neither, differ


def main(n_files=1000):
    """Print the table."""
    print(f"{'':10}{'loaded':>8}{'named':>8}{'neither':>8}{'differ':>8}")
    for name in filter(has_codec, SUFFIXES):
        with tempfile.TemporaryDirectory() as folder:
            numbers = count(write_damaged(folder, name, n_files))
        print(f"{name:10}" + "".join(f"{number:8}" for number in numbers), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

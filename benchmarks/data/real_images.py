"""Read the large set of real images that the benchmarks and some tests measure on.

The set is not part of the project. The environment variable ``SKFINGERPRINT_DATA``
names its folder, which holds ``manifest.csv`` (columns path, source, family, kind,
group) and the images. Images of one group show the same scene.
"""

import csv
import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

BESIDE = Path(__file__).parents[3] / "shared" / "data"
FOLDER = Path(os.environ.get("SKFINGERPRINT_DATA", BESIDE))


def read_images(*prefixes, real=False):
    """Return the images whose paths begin so, with their sources, groups and paths.

    Photographs have no source in common and are left out, unless `real`.
    """
    from PIL import Image

    with (FOLDER / "manifest.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["path"].startswith(prefixes) and (real or row["kind"] != "real")
        ]
    return Bunch(
        images=np.stack([np.asarray(Image.open(FOLDER / r["path"])) for r in rows]),
        sources=np.array([row["source"] for row in rows]),
        groups=np.array([row["group"] for row in rows]),
        families=np.array([row["family"] for row in rows]),
        paths=np.array([row["path"] for row in rows]),
    )


def reference_split(groups):
    """Return the mask of test images: groups with an odd number in their name."""
    numbers = ["".join(filter(str.isdigit, group)) for group in groups]
    return np.array([int(number) % 2 == 1 for number in numbers])


def read_registry():
    """Return images and sources of 20 generators, and the mask of test images."""
    data = read_images("registry/")
    return data.images, data.sources, reference_split(data.groups)


def read_open_set():
    """Return the registry with its split, photographs, and enlargers of `strangers/`.

    Returns
    -------
    data : Bunch
        ``images``, ``sources``, ``groups`` and ``test`` of the 20 generators; the
        ``family`` of each source; ``photographs`` and their ``scenes``; and the images
        ``strangers``.
    """
    data = read_images("registry/", real=True)
    real = data.sources == "real-photo"
    return Bunch(
        images=data.images[~real],
        sources=data.sources[~real],
        groups=data.groups[~real],
        test=reference_split(data.groups[~real]),
        family=dict(zip(data.sources, data.families, strict=True)),
        photographs=data.images[real],
        scenes=data.groups[real],
        strangers=read_images("strangers/").images,
    )

"""Real images that come with the package."""

import csv
import hashlib
import io
import lzma
from importlib import resources
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._core import needs_extra

# SHA-256 of the files in `data`, which benchmarks/data/make_generators.py prints.
CHECKSUMS = {
    "generators.csv": (
        "8e8874db14434e308b9da02ed7509790e2f5e0347e20c1a4a9b799df4f917751"
    ),
    "generators.npy.xz": (
        "ebe23debf92d97599e5b09e7604f7439c14fd1ac1631bb28c47acb152568c41e"
    ),
}


def load_generators(*, return_X_y=False):
    """Load real images of eight generative networks.

    The images are small, lossless tiles of images that trained networks made. Two
    networks make faces from noise, and six transform the same photographs. Split by
    `groups`, never at random: each scene occurs once for each of these six networks.

    =================   ================
    Classes                            8
    Images per class                  80
    Images total                     640
    Shape                    (64, 64, 3)
    Values                 uint8, 0..255
    =================   ================

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return `(images, target)` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        images : ndarray of shape (640, 64, 64, 3), uint8
            RGB images, in grey levels 0..255.
        target : ndarray of shape (640,)
            Index of the source in `target_names`.
        target_names : ndarray of shape (8,)
            Names of the sources.
        groups : ndarray of shape (640,)
            Scene that each image shows: the name of a photograph, or a unique name.
        DESCR : str
            Provenance, licenses and protocol.

    Raises
    ------
    ValueError
        If the files in the package are damaged.

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> data = load_generators()
    >>> data.images.shape
    (640, 64, 64, 3)
    >>> print(*data.target_names[:3])
    2xHFA2kSPAN_27k 4xSPANkendata acnet-gan
    """
    folder = resources.files("skfingerprint.datasets")
    text = _read(folder / "data", "generators.csv").decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    names, target = np.unique([row["source"] for row in rows], return_inverse=True)
    images = _unpack_images(_read(folder / "data", "generators.npy.xz"))
    if return_X_y:
        return images, target
    return Bunch(
        images=images,
        target=target,
        target_names=names,
        groups=np.array([row["group"] for row in rows]),
        DESCR=(folder / "descr" / "generators.rst").read_text(encoding="utf-8"),
    )


def write_generators(folder):
    """Write the images of `load_generators` as PNG files, a folder for each network.

    The files stand for images of your own where code for files is tried. PNG keeps
    every pixel.

    Parameters
    ----------
    folder : str or path
        Folder to write to, which is made if it does not exist. A file is named by its
        network, its scene and its index: `srgan-gan/chelsea_345.png`.

    Returns
    -------
    paths : list of Path
        Files of the 640 images, in the order of `load_generators`.

    Raises
    ------
    ImportError
        If Pillow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from skfingerprint.datasets import write_generators
    >>> paths = write_generators(tempfile.mkdtemp())
    >>> len(paths)
    640
    >>> print(paths[345].parent.name, paths[345].name)
    srgan-gan chelsea_345.png
    """
    with needs_extra("images", "writing images needs Pillow"):
        from PIL import Image
    data = load_generators()
    for name in data.target_names:
        (Path(folder) / name).mkdir(parents=True, exist_ok=True)
    paths = [
        Path(folder) / data.target_names[target] / f"{group}_{index:03d}.png"
        for index, (target, group) in enumerate(
            zip(data.target, data.groups, strict=True)
        )
    ]
    for path, image in zip(paths, data.images, strict=True):
        Image.fromarray(image).save(path)
    return paths


def _read(folder, name):
    """Read a file of the package, and check its content by its checksum."""
    content = (folder / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != CHECKSUMS[name]:
        raise ValueError(
            f"{folder / name} is damaged: install the package again, "
            "`pip install --force-reinstall skfingerprint`."
        )
    return content


def _unpack_images(content):
    """Sum up the differences of pixels and channels that are stored in the file."""
    differences = np.load(io.BytesIO(lzma.decompress(content)), allow_pickle=False)
    # Sums of uint8 are modulo 256, as the differences were. Along rows and columns the
    # pixels differ from their neighbors, and red and blue from green.
    images = np.cumsum(differences, axis=1, dtype=np.uint8)
    np.cumsum(images, axis=2, dtype=np.uint8, out=images)
    images[..., 0] += images[..., 1]
    images[..., 2] += images[..., 1]
    return images

"""The real images inside the package."""

import csv
import hashlib
import io
import lzma
from importlib import resources

import numpy as np
from sklearn.utils import Bunch

# SHA-256 of the files in `data`; benchmarks/data/make_generators.py prints them.
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

    Small tiles of what trained networks made, lossless: two networks make faces from
    noise, six turn the same photographs into theirs. Split by `groups`, never at
    random: the same scene occurs once in each of the six.

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
        Return `(images, target)` and not a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        images : ndarray of shape (640, 64, 64, 3), uint8
            RGB, in grey levels 0..255.
        target : ndarray of shape (640,)
            Index of the source in `target_names`.
        target_names : ndarray of shape (8,)
            Names of the sources.
        groups : ndarray of shape (640,)
            What an image shows: a photograph's name, or a name of its own.
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


def _read(folder, name):
    """Return the content of a file of the package, if it is what was packed."""
    content = (folder / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != CHECKSUMS[name]:
        raise ValueError(
            f"{folder / name} is damaged: install the package again, "
            "`pip install --force-reinstall skfingerprint`."
        )
    return content


def _unpack_images(content):
    """Undo the differences, modulo 256, that made the file small."""
    differences = np.load(io.BytesIO(lzma.decompress(content)), allow_pickle=False)
    images = np.cumsum(differences, axis=1, dtype=np.uint8)
    np.cumsum(images, axis=2, dtype=np.uint8, out=images)
    images[..., 0] += images[..., 1]
    images[..., 2] += images[..., 1]
    return images

"""Images of the user's own: a folder for each source."""

import warnings
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
GRID = 16


def load_image_folder(path, *, image_shape=None, on_error="raise"):
    """Load images from `path/<class>/*.{png,jpg,jpeg,webp,tif,tiff}`.

    All come as RGB, in the orientation in which their pixels are stored (the
    fingerprint lies in the pixels, so an EXIF rotation is not applied). An alpha
    channel is dropped, grey images are repeated in three channels, 16 bits are scaled
    to 8. Needs Pillow (`pip install "skfingerprint[images]"`).

    Parameters
    ----------
    path : str or path-like
        Folder with one folder for each class.
    image_shape : tuple of int, default=None
        (height, width) or (height, width, 3): the part to cut out of each image, the
        most central one whose corner lies on a grid of 16 px, so that the phase of the
        fingerprint is kept. Without it all images must have one size.
    on_error : {"raise", "warn"}, default="raise"
        What to do with a file that can't be read, is too small or differs in size:
        raise its name, or leave it out and name all such files in one warning.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        images : ndarray of shape (n_samples, height, width, 3), uint8
            Grey levels 0..255.
        target : ndarray of shape (n_samples,)
            Index of the class in `target_names`.
        target_names : ndarray of shape (n_classes,)
            Names of the class folders, sorted.
        filenames : ndarray of shape (n_samples,)
            The files, sorted within their class.

    Raises
    ------
    ImportError
        If Pillow is missing.
    ValueError
        If there is no class folder, a class has no readable image, or (with
        `on_error="raise"`) a file is refused.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> from skfingerprint.datasets import load_image_folder, make_fingerprint_images
    >>> images, y = make_fingerprint_images(4, 2, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i, (image, label) in enumerate(zip(images, y)):
    ...         file = pathlib.Path(folder, f"source-{label}", f"{i}.png")
    ...         file.parent.mkdir(exist_ok=True)
    ...         Image.fromarray(image).save(file)
    ...     data = load_image_folder(folder, image_shape=(32, 32))
    >>> data.images.shape, data.target_names.tolist(), data.target.tolist()
    ((4, 32, 32, 3), ['source-0', 'source-1'], [0, 0, 1, 1])
    """
    try:
        from PIL import Image  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "load_image_folder needs Pillow: pip install 'skfingerprint[images]'."
        ) from error
    if on_error not in ("raise", "warn"):
        raise ValueError(f'on_error must be "raise" or "warn", got {on_error!r}.')
    names, files, target = _list_files(Path(path))
    shape = _check_image_shape(image_shape)
    images, kept, problems = None, [], []
    for index, file in enumerate(files):
        try:
            image = _crop(_read(file), shape)
            if images is not None and image.shape != images.shape[1:]:
                raise ValueError(
                    "{}x{} pixels, but the first image has {}x{}; pass image_shape= to "
                    "cut a common part".format(*image.shape[:2], *images.shape[1:3])
                )
        except (OSError, ValueError) as error:
            if on_error == "raise":
                raise ValueError(f"{file}: {error}") from error
            problems.append(f"{file}: {error}")
            continue
        if images is None:
            images = np.empty((len(files), *image.shape), dtype=np.uint8)
        images[len(kept)] = image
        kept.append(index)
    target = target[kept]
    _check_classes_filled(names, target, problems)
    if problems:
        warnings.warn(
            f"{len(problems)} of {len(files)} files were left out:\n"
            + "\n".join(problems),
            UserWarning,
            stacklevel=2,
        )
    return Bunch(
        images=images[: len(kept)],
        target=target,
        target_names=names,
        filenames=np.array([str(files[index]) for index in kept]),
    )


def _list_files(path):
    """Return the names of the classes, the files, and each file's class."""
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder.")
    folders = sorted(p for p in path.iterdir() if p.is_dir() and p.name[0] != ".")
    if not folders:
        raise ValueError(
            f"{path} holds no folder: put the images of each source into a folder of "
            "its own, path/<class>/*.png."
        )
    files, target = [], []
    for label, folder in enumerate(folders):
        images = sorted(
            p
            for p in folder.iterdir()
            if p.suffix.lower() in SUFFIXES and p.name[0] != "." and p.is_file()
        )
        files += images
        target += [label] * len(images)
    names = np.array([folder.name for folder in folders])
    target = np.array(target, dtype=np.intp)
    _check_classes_filled(names, target, [])
    return names, files, target


def _check_classes_filled(names, target, problems):
    empty = np.setdiff1d(np.arange(len(names)), target)
    if len(empty):
        raise ValueError(
            f"classes {names[empty].tolist()} have no readable image "
            f"({', '.join(SUFFIXES)})." + "".join(f"\n{p}" for p in problems)
        )


def _check_image_shape(image_shape):
    if image_shape is None:
        return None
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or min(shape) < 1 or shape[2:] not in ((), (3,)):
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, 3), got {shape}."
        )
    return shape[:2]


def _read(file):
    """Read one file as RGB."""
    from PIL import Image

    with Image.open(file) as image:
        if image.mode.startswith("I"):
            grey = np.asarray(image).astype(np.float32) / 257
            return np.repeat(grey.round().astype(np.uint8)[..., None], 3, axis=2)
        if image.mode == "P":
            image = image.convert("RGBA")
        return np.asarray(image.convert("RGB"))


def _crop(pixels, shape):
    """Cut out the most central part whose corner lies on the grid."""
    if shape is None or pixels.shape[:2] == shape:
        return pixels
    height, width = shape
    if pixels.shape[0] < height or pixels.shape[1] < width:
        raise ValueError(
            f"{pixels.shape[0]}x{pixels.shape[1]} pixels, smaller than {height}x{width}"
        )
    top = (pixels.shape[0] - height) // 2 // GRID * GRID
    left = (pixels.shape[1] - width) // 2 // GRID * GRID
    return pixels[top : top + height, left : left + width]

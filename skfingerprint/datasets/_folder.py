"""Images of the user's own: a folder for each source, or a list of files."""

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._checks import check_choice, check_int, needs_extra

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
GRID = 16


def load_image_folder(
    path, *, image_shape=None, on_error="raise", lazy=False, chunk_size=64
):
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
    lazy : bool, default=False
        Return a dask array, whose tasks read and decode the files when they are needed
        (extra `dask`). Only headers are read at once, so that bad files are known
        before a long run. A file that turns out to be damaged later raises its name.
    chunk_size : int, default=64
        Images in a task, if `lazy`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        images : ndarray or dask array of shape (n_samples, height, width, 3), uint8
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
        If Pillow, or dask for `lazy`, is missing.
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
    names, files, target = _list_files(Path(path))
    return _load(files, target, names, image_shape, on_error, lazy, chunk_size)


def load_image_files(
    filenames, target, *, image_shape=None, on_error="raise", lazy=False, chunk_size=64
):
    """Load images from a list of files, wherever they lie.

    As :func:`load_image_folder`, for a manifest: a table of files and sources, from
    which rows may be chosen and to which others, such as groups, belong.

    Parameters
    ----------
    filenames : sequence of str or path-like of shape (n_samples,)
        The files.
    target : array-like of shape (n_samples,)
        Source of each.
    image_shape, on_error, lazy, chunk_size
        As in :func:`load_image_folder`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As of :func:`load_image_folder`, in the order of `filenames`. With
        `on_error="warn"` files are left out: match other columns by `filenames`.

    Raises
    ------
    ImportError
        If Pillow, or dask for `lazy`, is missing.
    ValueError
        If a class has no readable image, or (with `on_error="raise"`) a file is
        refused.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> from skfingerprint.datasets import load_image_files, make_fingerprint_images
    >>> images, y = make_fingerprint_images(4, 2, random_state=0)
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> files = [folder / f"{i}.png" for i in range(4)]
    >>> for file, image in zip(files, images):
    ...     Image.fromarray(image).save(file)
    >>> data = load_image_files(files, ["b", "a", "b", "a"])
    >>> data.images.shape, data.target.tolist(), data.target_names.tolist()
    ((4, 64, 64, 3), [1, 0, 1, 0], ['a', 'b'])
    """
    files = [Path(name) for name in filenames]
    names, target = np.unique(np.asarray(target), return_inverse=True)
    if len(files) != len(target) or not files:
        raise ValueError(
            f"filenames and target must have one length, at least 1, got {len(files)} "
            f"and {len(target)}."
        )
    return _load(files, target, names, image_shape, on_error, lazy, chunk_size)


def _load(files, target, names, image_shape, on_error, lazy, chunk_size):
    """Read files, or make ready to; report those that can't be."""
    _check_packages(lazy)
    check_choice("on_error", on_error, ("raise", "warn"))
    shape = _check_image_shape(image_shape)
    read = _read_header if lazy else _read
    images, kept, problems = None, [], []
    for index, file in enumerate(files):
        try:
            with _naming(file):
                part = _crop(read(file), shape)
                if images is None:
                    n = 0 if lazy else len(files)
                    images = np.empty((n, *part.shape), dtype=np.uint8)
                _check_size(part, images.shape[1:])
        except ValueError as error:
            if on_error == "raise":
                raise
            problems.append(str(error))
            continue
        if not lazy:
            images[len(kept)] = part
        kept.append(index)
    target = target[kept]
    _check_classes_filled(names, target, problems)
    if problems:
        warnings.warn(
            f"{len(problems)} of {len(files)} files were left out:\n"
            + "\n".join(problems),
            UserWarning,
            stacklevel=3,
        )
    filenames = np.array([str(files[index]) for index in kept])
    if lazy:
        images = _read_later(filenames, images.shape[1:], shape, chunk_size)
    else:
        images = images[: len(kept)]
    return Bunch(images=images, target=target, target_names=names, filenames=filenames)


def _check_packages(lazy):
    """Name the extra that is missing."""
    with needs_extra("images", "reading images needs Pillow"):
        import PIL  # noqa: F401
    if lazy:
        with needs_extra("dask", "lazy=True needs dask"):
            import dask.array  # noqa: F401


def _read_later(filenames, size, shape, chunk_size):
    """Return a dask array whose tasks read the files."""
    import dask.array as da

    check_int("chunk_size", chunk_size, 1)
    names = da.from_array(filenames, chunks=int(chunk_size))
    return names.map_blocks(
        _read_block,
        size=size,
        shape=shape,
        dtype=np.uint8,
        new_axis=[1, 2, 3],
        chunks=(names.chunks[0], *size),
        meta=np.empty((0, 0, 0, 0), dtype=np.uint8),
    )


def _read_block(filenames, size, shape):
    """Read the files of one task."""
    images = np.empty((len(filenames), *size), dtype=np.uint8)
    for image, name in zip(images, filenames, strict=True):
        with _naming(name):
            part = _crop(_read(name), shape)
            if part.shape != size:
                raise ValueError("its size has changed since it was listed")
            image[...] = part
    return images


def _check_size(part, size):
    if part.shape != size:
        raise ValueError(
            "{}x{} pixels, but the first image has {}x{}; pass image_shape= to cut a "
            "common part".format(*part.shape[:2], *size[:2])
        )


@contextmanager
def _naming(file):
    """Turn all that can be wrong with a file into an error that names it."""
    from PIL import Image

    try:
        yield
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file}: {error}") from error


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
    names = np.array([folder.name for folder in folders])
    parts = [sorted(filter(_is_image, folder.iterdir())) for folder in folders]
    files = [file for part in parts for file in part]
    target = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    _check_classes_filled(names, target, [])
    return names, files, target


def _is_image(path):
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()


def _check_classes_filled(names, target, problems):
    if empty := names[np.setdiff1d(np.arange(len(names)), target)].tolist():
        raise ValueError(
            f"classes {empty} have no readable image "
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


def _read_header(file):
    """Return what has the shape of the file's pixels, from its header."""
    from PIL import Image

    with Image.open(file) as image:
        return np.broadcast_to(np.uint8(0), (image.height, image.width, 3))


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
    whole = pixels.shape[:2]
    if shape is None or whole == shape:
        return pixels
    height, width = shape
    if whole[0] < height or whole[1] < width:
        raise ValueError("{}x{} pixels, smaller than {}x{}".format(*whole, *shape))
    top = (whole[0] - height) // 2 // GRID * GRID
    left = (whole[1] - width) // 2 // GRID * GRID
    return pixels[top : top + height, left : left + width]

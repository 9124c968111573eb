"""Images of the user's own: a folder for each source, or a list of files."""

import os
import warnings
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._core import check_choice, check_int, needs_extra, track
from skfingerprint._images import (
    check_fits,
    naming,
    read_header,
    read_image,
    without_bomb_warnings,
)
from skfingerprint.datasets._describe import find_differences
from skfingerprint.datasets._listing import list_files

HISTORY = (
    "classes differ in {}, which is learned as the source; describe_image_folder shows "
    "how."
)


def load_image_folder(
    path,
    *,
    image_shape=None,
    on_error="raise",
    lazy=False,
    chunk_size=64,
    verify=False,
    verbose=False,
):
    """Load images from `path/<class>/*`, in all formats that Pillow decodes.

    All come as RGB, in the orientation in which their pixels are stored (the
    fingerprint lies in the pixels, so an EXIF rotation is not applied). An alpha
    channel is dropped, grey images are repeated in three channels, 16 bits are scaled
    to 8, of several frames the first is taken. Refused are float, signed and 32-bit
    values, drawings and documents, and images of more than
    `PIL.Image.MAX_IMAGE_PIXELS`. HEIC needs the package pillow_heif.

    Warns of what else lies in the class folders, but for hidden files; and if the
    classes differ in format, JPEG quality, size or mode, since a classifier learns
    that too: see :func:`describe_image_folder`. Needs Pillow
    (`pip install "skfingerprint[images]"`).

    Parameters
    ----------
    path : str or path-like
        Folder with one folder for each class. `~` is your home.
    image_shape : tuple of int or "min", default=None
        (height, width) or (height, width, 3): the part to cut out of each image, the
        most central one whose corner lies on a grid of 16 px, so that the phase of the
        fingerprint is kept. "min" takes the largest part that all images have, by
        their headers. Without it all images must have one size.
    on_error : {"raise", "warn"}, default="raise"
        What to do with a file that can't be read, is too small or differs in size:
        raise its name, or leave it out and name all such files in one warning.
    lazy : bool, default=False
        Return a dask array, whose tasks read and decode the files when they are needed
        (extra `dask`). Only headers are read at once, so that most bad files are known
        before a long run. A file that turns out to be damaged later raises its name.
    chunk_size : int, default=64
        Images in a task, if `lazy`.
    verify : bool, default=False
        Decode every file once before a `lazy` array is returned, so that `on_error`
        applies to damaged pixels too.
    verbose : bool or int, default=False
        Whether to tell how many files are read: in a bar if tqdm is installed (extra
        `progress`), in lines otherwise. Of a `lazy` array dask tells it.

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
        If there is no class folder, one may not be read, a class has no readable
        image, or (with `on_error="raise"`) a file is refused.

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
    _check_packages(lazy)
    names, files, target, passed_over = list_files(Path(path).expanduser())
    if passed_over:
        warnings.warn(f"passed over: {passed_over}", UserWarning, stacklevel=2)
    how = _How(image_shape, on_error, lazy, chunk_size, verify, verbose)
    return _load(files, target, names, how)


def load_image_files(
    filenames,
    target=None,
    *,
    image_shape=None,
    on_error="raise",
    lazy=False,
    chunk_size=64,
    verify=False,
    verbose=False,
):
    """Load images from a list of files, wherever they lie.

    As :func:`load_image_folder`, for a manifest: a table of files and sources, from
    which rows may be chosen and to which others, such as groups, belong.

    Parameters
    ----------
    filenames : sequence of str or path-like of shape (n_samples,)
        The files. `~` is your home.
    target : array-like of shape (n_samples,), default=None
        Source of each. None for images whose source is to be predicted.
    image_shape, on_error, lazy, chunk_size, verify, verbose
        As in :func:`load_image_folder`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As of :func:`load_image_folder`, in the order of `filenames`; `target` and
        `target_names` are None without target. With `on_error="warn"` files are left
        out: match other columns by `filenames`.

    Raises
    ------
    ImportError
        If Pillow, or dask for `lazy`, is missing.
    ValueError
        If a class, or the list, has no readable image, or (with
        `on_error="raise"`) a file is refused.

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

    For what is to be predicted:

    >>> load_image_files(files[:2], image_shape=(32, 32)).images.shape
    (2, 32, 32, 3)
    """
    if isinstance(filenames, (str, os.PathLike)):
        raise ValueError(
            f"filenames must be a list of files, got {str(filenames)!r}: pass one in "
            "brackets, and all of a folder as `sorted(Path(folder).glob('*.png'))`."
        )
    if hasattr(filenames, "columns"):
        raise ValueError(
            f"filenames must be one column of the data frame, of "
            f"{list(filenames.columns)[:9]}: pass that."
        )
    _check_packages(lazy)
    files = [Path(os.path.expanduser(name)) for name in filenames]
    names = None
    if target is not None:
        names, target = np.unique(np.asarray(target), return_inverse=True)
    n_targets = len(files) if target is None else len(target)
    if len(files) != n_targets or not files:
        raise ValueError(
            f"filenames and target must have one length, at least 1, got {len(files)} "
            f"and {n_targets}."
        )
    how = _How(image_shape, on_error, lazy, chunk_size, verify, verbose)
    return _load(files, target, names, how)


class _How(NamedTuple):
    """The keywords of both loaders."""

    image_shape: tuple
    on_error: str
    lazy: bool
    chunk_size: int
    verify: bool
    verbose: bool


def _load(files, target, names, how):
    """Read files, or make ready to; report those that can't be."""
    check_choice("on_error", how.on_error, ("raise", "warn"))
    check_int("chunk_size", how.chunk_size, 1)
    shape = _check_image_shape(how.image_shape)
    problems = {} if how.on_error == "warn" else None
    with without_bomb_warnings():
        headers = dict(_try_each(read_header, files, range(len(files)), problems))
    sizes = {i: (row["height"], row["width"]) for i, row in headers.items()}
    shape, size = _choose_size(shape, list(sizes.values()))
    kept = _keep_fitting(files, sizes, size, shape, problems)
    _check_filled(names, target, kept, problems)
    if how.verify or not how.lazy:
        places = track(kept, "files", how.verbose)
        parts = _try_each(partial(_read_part, size, shape), files, places, problems)
        kept, images = _collect(parts, len(kept), size, keep=not how.lazy)
        _check_filled(names, target, kept, problems)
    filenames = np.array([str(files[index]) for index in kept])
    if how.lazy:
        images = _read_later(filenames, size, shape, how.chunk_size)
    if problems:
        head = f"{len(problems)} of {len(files)} files were left out:\n"
        warnings.warn(head + _list_problems(problems), UserWarning, stacklevel=3)
    if target is not None:
        target = target[kept]
        headers = [headers[index] for index in kept]
        if different := ", ".join(find_differences(headers, names[target])):
            warnings.warn(HISTORY.format(different), UserWarning, stacklevel=3)
    return Bunch(images=images, target=target, target_names=names, filenames=filenames)


def _choose_size(shape, sizes):
    """Return the shape to cut out, if any, and the size that images will have."""
    if not sizes:
        return None, (0, 0)
    if shape is None:
        return None, Counter(sizes).most_common(1)[0][0]
    if shape == "min":
        shape = tuple(np.min(sizes, axis=0).tolist())
    return shape, shape


def _try_each(function, files, indices, problems):
    """Yield index and result of files; note what is wrong with the others.

    `problems` is a dict of messages by index, or None to raise the first.
    """
    for index in indices:
        try:
            result = function(files[index])
        except ValueError as error:
            if problems is None:
                raise
            problems[index] = str(error)
        else:
            yield index, result


def _keep_fitting(files, sizes, size, shape, problems):
    """Return the indices of files that are large enough, or of the common size."""

    def check(index):
        with naming(files[index]):
            check_fits(sizes[index], shape)
            if shape is None and sizes[index] != size:
                raise ValueError(
                    "{}x{} pixels, but most images have {}x{}; pass image_shape= to "
                    "cut a common part".format(*sizes[index], *size)
                )

    return [index for index, _ in _try_each(check, range(len(files)), sizes, problems)]


def _read_part(size, shape, file):
    """Read what is cut out of a file; its header may have lied."""
    part = read_image(file, shape)
    if part.shape[:2] != size:
        raise ValueError(f"{file}: its size is not the one that its header said")
    return part


def _collect(parts, n, size, keep):
    """Return the indices of up to n parts, and their stack if it is to be kept."""
    images = np.empty((n if keep else 0, *size, 3), dtype=np.uint8)
    kept = []
    for index, part in parts:
        if keep:
            images[len(kept)] = part
        kept.append(index)
    return kept, images[: len(kept)]


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

    names = da.from_array(filenames, chunks=int(chunk_size))
    return names.map_blocks(
        _read_block,
        size=size,
        shape=shape,
        dtype=np.uint8,
        new_axis=[1, 2, 3],
        chunks=(names.chunks[0], *size, 3),
        meta=np.empty((0, 0, 0, 0), dtype=np.uint8),
    )


def _read_block(filenames, size, shape):
    """Read the files of one task."""
    images = np.empty((len(filenames), *size, 3), dtype=np.uint8)
    for image, name in zip(images, filenames, strict=True):
        image[...] = _read_part(size, shape, name)
    return images


def _check_filled(names, target, kept, problems):
    """Refuse a class, or a list without classes, of which no file is left."""
    empty = [] if kept else ["the list"]
    if names is not None:
        left = np.isin(np.arange(len(names)), target[kept])
        empty = [f"class {name!r}" for name in names[~left].tolist()]
    if empty:
        raise ValueError(
            f"{', '.join(empty)}: no image is left.\n{_list_problems(problems)}"
        )


def _list_problems(problems):
    return "\n".join(problems[index] for index in sorted(problems))


def _check_image_shape(image_shape):
    if image_shape is None or (isinstance(image_shape, str) and image_shape == "min"):
        return image_shape
    shape = tuple(np.ravel(image_shape).tolist())
    if (
        isinstance(image_shape, str)
        or len(shape) not in (2, 3)
        or min(shape) < 1
        or shape[2:] not in ((), (3,))
    ):
        raise ValueError(
            "image_shape must be (height, width), (height, width, 3) or 'min', got "
            f"{image_shape!r}."
        )
    return shape[:2]

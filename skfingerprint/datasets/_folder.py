"""Loaders for image files: a folder for each source, or a list of files."""

import os
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, assert_all_finite, column_or_1d

from skfingerprint._core import (
    check_choice,
    check_int,
    check_labels,
    needs_extra,
    shorten,
    track,
)
from skfingerprint._images import (
    HISTORY,
    check_fits,
    find_differences,
    find_few_bits,
    find_mixed_sizes,
    name_in_errors,
    read_header,
    read_image,
    without_bomb_warnings,
)
from skfingerprint.datasets._listing import list_files


def load_image_folder(
    path,
    *,
    classes=None,
    image_shape=None,
    on_error="raise",
    lazy=False,
    chunk_size=64,
    verify=False,
    verbose=False,
):
    """Load images from `path/<class>/*`, in all raster formats that Pillow decodes.

    All images are returned as RGB, in the orientation in which their pixels are stored:
    the fingerprint lies in the pixels, so an orientation tag is not applied, and the
    turn that Pillow applies to TIFF and HEIC is undone. An alpha channel is dropped,
    grey images are repeated in three channels, 16 bits are cut to the upper 8
    (`v >> 8`), and the first of several frames is taken. Metadata are not read for
    decoding, so that damaged or large ones do not matter. Files with float, signed or
    32-bit values, thumbnails of RAW files, drawings, documents, and images of more than
    `PIL.Image.MAX_IMAGE_PIXELS` pixels are rejected. HEIC needs the package
    pillow-heif, JPEG XL the package pillow-jxl-plugin.

    The function warns about files in the class folders that are not images, except
    hidden ones. It warns if the headers of classes differ, such as in the format or the
    compression, since a classifier learns such differences too: see
    :func:`describe_image_folder`. It warns as well if whole images of one class differ
    in size and are cut to `image_shape`, since the parts then lie at different places
    of a sensor, and if values of 16 bits use fewer bits. Reading needs Pillow
    (`pip install "skfingerprint[images]"`).

    Parameters
    ----------
    path : str or path-like
        Folder with one folder for each class. `~` is the home folder.
    classes : sequence of str, default=None
        Names of all classes, in the order of `target`, such as the `target_names` of
        the training images. A class may have no folder here; a folder of another name
        raises an error. By default the classes are the folders, so that equal numbers
        in `target` mean the same class only if both folders hold the same classes.
    image_shape : tuple of int or "min", default=None
        (height, width) or (height, width, 3) of the part to cut out of each image, the
        most central one whose corner lies on a grid of 16 px, so that the phase of the
        fingerprint is kept. "min" takes the largest part that all images have, by
        their headers. If None, all images must have one size.
    on_error : {"raise", "warn"}, default="raise"
        Action for files that can't be read, are too small or differ in size: raise an
        error that names the first one, or leave them out and name all of them in one
        warning.
    lazy : bool, default=False
        Whether to return a dask array, whose tasks read and decode the files when they
        are needed (extra `dask`). Only headers are read at once, so that most bad files
        are known before a long run. A file whose pixels are damaged raises an error
        with its name when it is read.
    chunk_size : int, default=64
        Number of images in a task, if `lazy`.
    verify : bool, default=False
        Whether to decode every file once before a `lazy` array is returned, so that
        `on_error` applies to damaged pixels too.
    verbose : bool or int, default=False
        Whether to report how many files are read: in a bar if tqdm is installed (extra
        `progress`), in lines otherwise. For a `lazy` array, dask reports the progress.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        images : ndarray or dask array of shape (n_samples, height, width, 3), uint8
            Images in grey levels 0..255.
        target : ndarray of shape (n_samples,)
            Index of the class in `target_names`.
        target_names : ndarray of shape (n_classes,)
            Names of the class folders, sorted, or `classes`.
        filenames : ndarray of shape (n_samples,)
            Paths of the files, sorted within their class.

    Raises
    ------
    ImportError
        If Pillow, or dask for `lazy`, is missing.
    ValueError
        If there is no class folder, if a folder may not be read, if a class has no
        readable image, or (with `on_error="raise"`) if a file is rejected.

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
    listing = list_files(Path(path).expanduser())
    names, target = _number_labels(listing.names[listing.target], classes)
    if listing.passed_over:
        warnings.warn(f"passed over: {listing.passed_over}", UserWarning, stacklevel=2)
    options = _Options(image_shape, on_error, lazy, chunk_size, verify, verbose)
    return _load(listing.files, target, names, options)


def load_image_files(
    filenames,
    target=None,
    *,
    classes=None,
    image_shape=None,
    on_error="raise",
    lazy=False,
    chunk_size=64,
    verify=False,
    verbose=False,
):
    """Load images from a list of files, in any folders.

    The function reads files as :func:`load_image_folder` does. It suits a manifest: a
    table of files and sources, from which rows can be selected, and whose other columns
    can hold groups.

    Parameters
    ----------
    filenames : sequence of str or path-like of shape (n_samples,)
        Paths of the files. `~` is the home folder.
    target : array-like of shape (n_samples,), default=None
        Source of each file; None for images whose source is unknown.
    classes : sequence of shape (n_classes,), default=None
        All sources, in the order in which `target` of the result numbers them. Another
        source in `target` raises an error. By default the sources are those in
        `target`, sorted.
    image_shape, on_error, lazy, chunk_size, verify, verbose
        As in :func:`load_image_folder`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As for :func:`load_image_folder`, in the order of `filenames`; `target` and
        `target_names` are None without target. With `on_error="warn"` files are left
        out: match other columns by `filenames`.

    Raises
    ------
    ImportError
        If Pillow, or dask for `lazy`, is missing.
    ValueError
        If a class, or the list, has no readable image, if labels are missing or mixed,
        or (with `on_error="raise"`) if a file is rejected.

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

    The numbers of other images mean the same if both have the same `classes`:

    >>> load_image_files(files[:1], ["b"], classes=data.target_names).target.tolist()
    [1]

    Images whose source is to be predicted have no target:

    >>> load_image_files(files[:2], image_shape=(32, 32)).images.shape
    (2, 32, 32, 3)
    """
    if isinstance(filenames, (str, os.PathLike)):
        raise ValueError(
            f"filenames must be a list of files, got {shorten(str(filenames))}: pass "
            "one in brackets, and all of a folder as "
            "`sorted(Path(folder).glob('*.png'))`."
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
        target = column_or_1d(check_labels(target))
        assert_all_finite(target, input_name="target")
    n_targets = len(files) if target is None else len(target)
    if len(files) != n_targets or not files:
        raise ValueError(
            f"filenames and target must have one length, at least 1, got {len(files)} "
            f"and {n_targets}."
        )
    if target is not None:
        names, target = _number_labels(target, classes)
    elif classes is not None:
        raise ValueError("classes need a target, which is None.")
    options = _Options(image_shape, on_error, lazy, chunk_size, verify, verbose)
    return _load(files, target, names, options)


def _number_labels(labels, classes):
    """Return the classes, and the index of the class of each label.

    Parameters
    ----------
    labels : ndarray of shape (n_files,)
        Label of each file.
    classes : sequence of shape (n_classes,) or None
        All classes in their order; by default those of the labels, sorted.

    Returns
    -------
    names : ndarray of shape (n_classes,)
    target : ndarray of shape (n_files,), int
    """
    found, target = np.unique(labels, return_inverse=True)
    if classes is None:
        return found, target
    names = column_or_1d(check_labels(classes))
    if len(np.unique(names)) < len(names):
        raise ValueError(f"classes must differ, got {shorten(names.tolist())}.")
    places = {name: place for place, name in enumerate(names.tolist())}
    unknown = [name for name in found.tolist() if name not in places]
    if unknown:
        raise ValueError(
            f"found {shorten(unknown)}, which are not among the classes "
            f"{shorten(names.tolist())}."
        )
    return names, np.array([places[name] for name in found.tolist()])[target]


@dataclass(frozen=True)
class _Options:
    """Keyword arguments of both loaders.

    Attributes
    ----------
    image_shape : tuple of int, "min" or None
        (height, width[, 3]) of the part to cut out of each image.
    on_error : {"raise", "warn"}
        Action for bad files.
    lazy : bool
        Whether to return a dask array.
    chunk_size : int
        Number of images in a task of dask.
    verify : bool
        Whether to decode every file before a dask array is returned.
    verbose : bool or int
        Whether to report the progress.
    """

    image_shape: tuple | str | None
    on_error: str
    lazy: bool
    chunk_size: int
    verify: bool
    verbose: bool


def _load(files, target, names, options):
    """Read files now or lazily, and report the files that can't be read.

    Parameters
    ----------
    files : list of Path of length n_files
        Image files.
    target : ndarray of shape (n_files,), int or None
        Index of the class of each file, if known.
    names : ndarray of shape (n_classes,) or None
        Names of the classes, if known.
    options : _Options
        Keyword arguments of the loader.

    Returns
    -------
    data : Bunch
        Result of the loader.
    """
    check_choice("on_error", options.on_error, ("raise", "warn"))
    check_int("chunk_size", options.chunk_size, 1)
    shape = _check_image_shape(options.image_shape)
    problems = {} if options.on_error == "warn" else None
    # Headers are read first: this is fast, and they decide the size of the images.
    with without_bomb_warnings():
        headers = dict(_try_each(read_header, files, range(len(files)), problems))
    sizes = {i: (header.height, header.width) for i, header in headers.items()}
    shape, size = _choose_size(shape, list(sizes.values()))
    kept = _keep_fitting(files, sizes, size, shape, problems)
    _check_filled(names, target, kept, problems)
    if options.verify or not options.lazy:
        # Pixels may be damaged behind a sound header, so more files can drop out.
        places = track(kept, "files", options.verbose)
        parts = _try_each(partial(_read_part, size, shape), files, places, problems)
        kept, images = _collect(parts, len(kept), size, keep=not options.lazy)
        _check_filled(names, target, kept, problems)
    filenames = np.array([str(files[index]) for index in kept])
    if options.lazy:
        images = _read_lazily(filenames, size, shape, options.chunk_size)
    if problems:
        head = f"{len(problems)} of {len(files)} files were left out:\n"
        warnings.warn(head + _list_problems(problems), UserWarning, stacklevel=3)
    headers = [headers[index] for index in kept]
    target = None if target is None else target[kept]
    labels = np.full(len(kept), "all files") if target is None else names[target]
    texts = find_mixed_sizes(headers, labels) if shape else []
    read = partial(_read_or_skip, size, shape, filenames)
    texts += find_few_bits(
        headers, labels, read if options.lazy else images.__getitem__
    )
    if properties := ", ".join(find_differences(headers, labels)):
        texts.append(HISTORY.format(properties))
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=3)
    return Bunch(images=images, target=target, target_names=names, filenames=filenames)


def _choose_size(shape, sizes):
    """Choose the part of the images, and the size that they will have.

    Parameters
    ----------
    shape : tuple of int, "min" or None
        Checked `image_shape` of the loader.
    sizes : list of tuple of int
        (height, width) of each readable file.

    Returns
    -------
    shape : tuple of int or None
        (height, width) of the part to cut out; None if images are kept whole.
    size : tuple of int
        (height, width) of the loaded images; the most frequent size without a shape.
    """
    if not sizes:
        return None, (0, 0)
    if shape is None:
        return None, Counter(sizes).most_common(1)[0][0]
    if shape == "min":
        shape = tuple(np.min(sizes, axis=0).tolist())
    return shape, shape


def _try_each(function, files, indices, problems):
    """Call a function with each file, and note or raise the errors.

    Parameters
    ----------
    function : callable
        Function of a file that raises ValueError for a bad one.
    files : list of Path
        Image files.
    indices : iterable of int
        Indices of the files to call the function with.
    problems : dict of int to str or None
        Messages by index, to which errors are added; None to raise the first error.

    Yields
    ------
    index : int
        Index of a good file.
    result : object
        Result of the function.
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
    """Select files that are large enough, or have the common size.

    Parameters
    ----------
    files : list of Path
        Image files.
    sizes : dict of int to tuple of int
        (height, width) by index, for readable files.
    size : tuple of int
        (height, width) of the loaded images.
    shape : tuple of int or None
        (height, width) of the part to cut out, if any.
    problems : dict of int to str or None
        Messages by index; see :func:`_try_each`.

    Returns
    -------
    kept : list of int
        Indices of the selected files.
    """

    def check(index):
        with name_in_errors(files[index]):
            check_fits(sizes[index], shape)
            if shape is None and sizes[index] != size:
                raise ValueError(
                    "{}x{} pixels, but most images have {}x{}; pass image_shape= to "
                    "cut a common part".format(*sizes[index], *size)
                )

    return [index for index, _ in _try_each(check, range(len(files)), sizes, problems)]


def _read_part(size, shape, file):
    """Read the part of a file, and check its size, which may contradict the header."""
    part = read_image(file, shape)
    if part.shape[:2] != size:
        raise ValueError(f"{file}: its size is not the one that its header said")
    return part


def _collect(parts, n, size, keep):
    """Collect the parts of good files.

    Parameters
    ----------
    parts : iterable of (int, ndarray of shape (height, width, 3))
        Index and part of each good file.
    n : int
        Largest number of parts.
    size : tuple of int
        (height, width) of the parts.
    keep : bool
        Whether to keep the parts, and not only their indices.

    Returns
    -------
    kept : list of int
        Indices of the good files.
    images : ndarray of shape (n_kept, height, width, 3), uint8
        Stack of the parts; empty if they are not kept.
    """
    # The stack is allocated once: a list of parts would need twice its memory.
    images = np.empty((n if keep else 0, *size, 3), dtype=np.uint8)
    kept = []
    for index, part in parts:
        if keep:
            images[len(kept)] = part
        kept.append(index)
    return kept, images[: len(kept)]


def _check_packages(lazy):
    """Raise ImportError with the name of the extra if a package is missing."""
    with needs_extra("images", "reading images needs Pillow"):
        import PIL  # noqa: F401
    if lazy:
        with needs_extra("dask", "lazy=True needs dask"):
            import dask.array  # noqa: F401


def _read_lazily(filenames, size, shape, chunk_size):
    """Return a dask array whose tasks read the files.

    Parameters
    ----------
    filenames : ndarray of shape (n_files,), str
        Image files.
    size : tuple of int
        (height, width) of the images.
    shape : tuple of int or None
        (height, width) of the part to cut out, if any.
    chunk_size : int
        Number of images in a task.

    Returns
    -------
    images : dask array of shape (n_files, height, width, 3), uint8
    """
    import dask.array as da

    names = da.from_array(filenames, chunks=int(chunk_size))
    return names.map_blocks(
        _read_block,
        size=size,
        shape=shape,
        dtype=np.uint8,
        new_axis=[1, 2, 3],
        chunks=(names.chunks[0], *size, 3),
        # Given `meta`, dask does not call the function to infer the type.
        meta=np.empty((0, 0, 0, 0), dtype=np.uint8),
    )


def _read_or_skip(size, shape, filenames, number):
    """Read the part of a file with a number; nothing of a damaged one."""
    try:
        return _read_part(size, shape, filenames[number])
    except ValueError:  # raised again when its task is computed
        return np.empty(0, dtype=np.uint8)


def _read_block(filenames, size, shape):
    """Read the files of one task."""
    images = np.empty((len(filenames), *size, 3), dtype=np.uint8)
    for image, name in zip(images, filenames, strict=True):
        image[...] = _read_part(size, shape, name)
    return images


def _check_filled(names, target, kept, problems):
    """Raise ValueError if no file is left in a class, or in a list without classes.

    Parameters
    ----------
    names : ndarray of shape (n_classes,) or None
        Names of the classes, if known.
    target : ndarray of shape (n_files,) or None
        Index of the class of each file, if known.
    kept : list of int
        Indices of the files that are left.
    problems : dict of int to str or None
        Messages by index.
    """
    empty = [] if kept else ["the list"]
    if names is not None:
        lost = np.setdiff1d(target, target[kept])
        empty = [f"class {shorten(name)}" for name in names[lost].tolist()]
    if empty:
        raise ValueError(
            f"{', '.join(empty)}: no image is left.\n{_list_problems(problems)}"
        )


def _list_problems(problems):
    """Return the messages as lines, in the order of the files."""
    return "\n".join(problems[index] for index in sorted(problems))


def _check_image_shape(image_shape):
    """Return `image_shape` as (height, width), "min" or None."""
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
            f"{shorten(image_shape)}."
        )
    return shape[:2]

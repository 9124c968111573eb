"""Sources made of photographs: the same images, and each through a function."""

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._core import (
    as_images,
    check_container,
    check_grey_levels,
    check_labels,
    check_length,
    check_values,
    read_blocks,
    shorten,
)

# Name of the class of the images as they are.
PHOTOGRAPH = "photograph"


def make_paired_sources(images, functions, *, groups=None):
    """Make a class of photographs, and one of the same photographs by each function.

    An autoencoder, an enlarger or a messenger is a source, too. Its traces are learned
    best beside the images that it was given, since both classes then show the same.
    Each photograph and all that was made of it share a group: split by `groups`, so
    that no scene is in the training and the test set at once.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width[, n_channels]), or list of \
            images
        Photographs in grey levels 0..255; a list if they differ in size.
    functions : dict of str to callable
        Functions by the name of their class. Each is called with a copy of one
        photograph, of shape (height, width[, n_channels]), and must return an image of
        the same shape and dtype in grey levels 0..255. An enlarger's image is cut to
        this size first, since a class of larger images is recognized by its size.
    groups : array-like of shape (n_samples,), default=None
        Scene that each photograph shows; by default each shows a scene of its own.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        images : ndarray or list of length n_samples * (1 + n_functions)
            The photographs, then those of each function in the same order. A stack if
            all have one size, in grey levels 0..255.
        target : ndarray of shape (n_samples * (1 + n_functions),)
            Index of the class in `target_names`.
        target_names : ndarray of shape (1 + n_functions,)
            "photograph" and the names of the functions, sorted.
        groups : ndarray of shape (n_samples * (1 + n_functions),)
            Scene that each image shows.

    Raises
    ------
    ValueError
        If an argument is not as described, if a function raises an error, or if it
        returns another shape, dtype or range. The message names function and image.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.datasets import make_fingerprint_images, make_paired_sources
    >>> photographs, _ = make_fingerprint_images(3, 1, random_state=0)
    >>> def halve(image):
    ...     return np.repeat(image[::2], 2, axis=0)
    >>> data = make_paired_sources(photographs, {"halved": halve})
    >>> data.images.shape
    (6, 64, 64, 3)
    >>> data.target_names[data.target].tolist()
    ['photograph', 'photograph', 'photograph', 'halved', 'halved', 'halved']
    >>> data.groups.tolist()
    [0, 1, 2, 0, 1, 2]
    """
    images = _check_photographs(images)
    _check_functions(functions)
    n = len(images)
    groups = np.arange(n) if groups is None else groups
    check_length("groups", groups, n)
    check_labels(groups, "groups")
    made = [
        _apply(function, name, image, number)
        for name, function in functions.items()
        for number, image in enumerate(images)
    ]
    names, target = np.unique([PHOTOGRAPH, *functions], return_inverse=True)
    is_stack = isinstance(images, np.ndarray)
    return Bunch(
        images=np.concatenate([images, made]) if is_stack else [*images, *made],
        target=np.repeat(target, n),
        target_names=names,
        groups=np.tile(np.asarray(groups), len(names)),
    )


def _check_photographs(images):
    """Return a stack or a list of images in grey levels 0..255, read into memory."""
    images = read_blocks(check_container(as_images(images)))
    is_list = isinstance(images, list)
    stacks = [image[np.newaxis] for image in images] if is_list else [images]
    for number, stack in enumerate(stacks):
        if stack.ndim not in (3, 4) or stack.dtype.kind not in "uif":
            raise ValueError(
                "images must hold numbers of shape (n_samples, height, width[, "
                f"n_channels]), got {stack.dtype} of shape {stack.shape}."
            )
        check_values(stack, number)
        check_grey_levels(stack, "images", range(number, number + len(stack)))
    return images


def _check_functions(functions):
    """Raise ValueError unless `functions` maps names of classes to callables."""
    if not isinstance(functions, dict) or not functions:
        raise ValueError(
            "functions must be a dict of at least one function by the name of its "
            f"class, {{'name': function}}, got {shorten(functions)}."
        )
    for name, function in functions.items():
        if not isinstance(name, str) or name == PHOTOGRAPH:
            raise ValueError(
                f"functions must be named by text other than {PHOTOGRAPH!r}, which is "
                f"the class of the images as they are, got {shorten(name)}."
            )
        if not callable(function):
            raise ValueError(
                f"function {name!r} must be a function of one image, got "
                f"{shorten(function)}. A transformer of stacks is one as "
                "`lambda image: transformer.fit_transform(image[np.newaxis])[0]`."
            )


def _apply(function, name, image, number):
    """Apply a function to a photograph, and check the result.

    Parameters
    ----------
    function : callable
        Function of one image.
    name : str
        Name of its class, for messages.
    image : ndarray of shape (height, width[, n_channels])
        Photograph, which is copied.
    number : int
        Its number, for messages.

    Returns
    -------
    result : ndarray of the same shape and dtype
    """
    place = f"function {name!r}, image {number}"
    try:
        result = np.asarray(function(image.copy()))
    except Exception as error:
        raise ValueError(f"{place}: {type(error).__name__}: {error}") from error
    if problem := _find_problem(result, image):
        raise ValueError(f"{place}: {problem}")
    return result


def _find_problem(result, image):
    """Return how a result differs from its photograph in form, and a remedy, or ""."""
    if result.shape != image.shape:
        return (
            f"the result has shape {result.shape}, and the photograph {image.shape}. "
            "Cut it to this size: a classifier learns differences in size."
        )
    if result.dtype != image.dtype:
        return (
            f"the result has dtype {result.dtype}, and the photograph {image.dtype}. "
            "Convert it: `np.clip(np.rint(result), 0, 255).astype(np.uint8)` for uint8."
        )
    low, high = float(result.min()), float(result.max())
    # Not a number fails the first comparison.
    if not (0 <= low and high <= 255) or (high <= 1 < image.max()):
        return (
            f"the result lies in {low:.5g}..{high:.5g}, and the photograph in grey "
            "levels 0..255. The output of a network in 0..1 is `result * 255`, in "
            "-1..1 `(result + 1) * 127.5`."
        )
    return ""

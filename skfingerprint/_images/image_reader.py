"""Reading of image files inside a pipeline."""

import os
from pathlib import Path

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.parallel import Parallel, delayed

from skfingerprint._core import (
    BlockSource,
    Estimator,
    ImageOutputMixin,
    all_or_nothing,
    needs_extra,
)
from skfingerprint._images.decoding import read_image, read_size

# Largest numbers of values and of files in a block: the first bounds the memory, the
# second the number of small files that are read together.
BLOCK_VALUES = 2**22
BLOCK_FILES = 256


class ImageReader(ImageOutputMixin, TransformerMixin, Estimator):
    """Read image files: transform paths into images, a few at a time.

    The reader stands at the head of a pipeline, or of a pipeline inside a
    :class:`~sklearn.compose.ColumnTransformer` beside other columns. Files are read
    when the next step requests them, so a pipeline of position-free features needs the
    memory of a few images only, however many files there are.

    All images are RGB, as :func:`skfingerprint.datasets.load_image_folder` reads them.
    Reading needs Pillow (extra `images`).

    Parameters
    ----------
    image_shape : tuple of int, default=None
        (height, width) of the part to cut out of each image, the most central one whose
        corner lies on a grid of 16 px. By default images keep their sizes, which may
        differ where position does not matter.
    n_jobs : int, default=None
        Number of threads that read files; -1 for all processors.

    See Also
    --------
    skfingerprint.datasets.load_image_folder : Loads all images of a folder at once.
    skfingerprint.datasets.load_image_files : Loads a list of files, without bad ones.

    Notes
    -----
    A transformer can't leave rows out, so files that can't be read raise an error,
    which names all such files of one block. `load_image_files(paths, y,
    on_error="warn")` leaves them out.

    A file is decoded each time that a transformer reads the images. The branches of a
    :class:`~sklearn.pipeline.FeatureUnion` read them one after the other. All features
    of :class:`AttributionFeatures`, and all perturbed copies of an
    :class:`AugmentedPipeline`, are computed from one reading.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import AttributionFeatures, ImageReader
    >>> from skfingerprint.datasets import load_generators
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> paths = [folder / f"{i}.png" for i in range(4)]
    >>> for path, image in zip(paths, load_generators().images):
    ...     Image.fromarray(image).save(path)
    >>> make_pipeline(ImageReader(), AttributionFeatures()).fit_transform(paths).shape
    (4, 2294)
    """

    def __init__(self, image_shape=None, *, n_jobs=None):
        self.image_shape = image_shape
        self.n_jobs = n_jobs

    @all_or_nothing
    def fit(self, X, y=None):
        """Check the parameters and the paths; nothing is learned.

        Parameters
        ----------
        X : list, array, Series or data frame with one column, of str or path-like
            Paths of the files; `~` is the home folder.
        y : None
            Ignored.

        Returns
        -------
        self : ImageReader
        """
        self._find_shape()
        list_paths(X)
        self.n_channels_ = 3
        return self

    def transform(self, X):
        """Return a source of the images, which reads the files on request.

        Parameters
        ----------
        X : list, array, Series or data frame with one column, of str or path-like
            Paths of the files; `~` is the home folder.

        Returns
        -------
        images : source of images
            The images, of shape (n_samples, height, width, 3) with `image_shape`.
            Transformers and estimators of this package read them block by block;
            `list(images)` gives all images.
        """
        paths, shape = list_paths(X), self._find_shape()
        with needs_extra("images", "ImageReader needs Pillow"):
            import PIL  # noqa: F401
        # Without a shape, the size of the first image stands for all.
        n_values = 3 * np.prod(shape or read_size(paths[0]), dtype=int)
        size = int(np.clip(BLOCK_VALUES // n_values, 1, BLOCK_FILES))
        parts = [paths[start : start + size] for start in range(0, len(paths), size)]
        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads")

        def read(k):
            """Read the files of block k; one error names all that can't be read."""
            results = parallel(delayed(_read)(path, shape) for path in parts[k])
            if problems := [str(e) for e in results if isinstance(e, ValueError)]:
                raise ValueError(
                    f"{len(problems)} of {len(results)} files could not be read:\n"
                    + "\n".join(problems)
                    + '\n`load_image_files(paths, y, on_error="warn")` leaves such '
                    "files out, together with their targets."
                )
            return results if shape is None else np.stack(results)

        return BlockSource(read, [len(part) for part in parts])

    def _find_shape(self):
        """Return `image_shape` as (height, width), or None."""
        if self.image_shape is None:
            return None
        shape = tuple(np.ravel(self.image_shape).tolist())
        if len(shape) not in (2, 3) or min(shape) < 1 or shape[2:] not in ((), (3,)):
            raise ValueError(
                f"image_shape must be (height, width), got {self.image_shape!r}."
            )
        return tuple(int(n) for n in shape[:2])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        return tags


def list_paths(X):
    """Return the paths of a list, an array, or the only column of a frame."""
    if isinstance(X, (str, os.PathLike)):
        raise ValueError(f"X must be a list of paths, got one: pass [{str(X)!r}].")
    if hasattr(X, "columns"):
        if len(X.columns) != 1:
            raise ValueError(
                f"X has {len(X.columns)} columns, {list(X.columns)[:9]}, and paths are "
                "one: pass it alone, or choose it with a ColumnTransformer."
            )
        X = X[X.columns[0]]
    items = X.to_list() if hasattr(X, "to_list") else list(X)
    if np.ndim(X) == 2:  # an array with one column
        items = [item[0] for item in items if len(item) == 1]
    if not items or not all(isinstance(item, (str, Path)) for item in items):
        kinds = sorted({type(item).__name__ for item in items})
        raise ValueError(f"X must hold paths, at least one, got {kinds}.")
    return [Path(item).expanduser() for item in items]


def _read(path, shape):
    """Read an image, or return the error that names the file."""
    try:
        return read_image(path, shape)
    except ValueError as error:
        return error

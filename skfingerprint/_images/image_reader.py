"""Reading of images inside a pipeline."""

import numpy as np

from skfingerprint._core import (
    ImageOutputMixin,
    StatelessTransformer,
    all_or_nothing,
    check_jobs,
    copy_shape,
    find_files,
    first_block,
    is_grey_picture,
    needs_extra,
    open_file,
    validate_images,
)
from skfingerprint._images.decoding import crop
from skfingerprint._images.file_images import FileImages, FileReader


class ImageReader(ImageOutputMixin, StatelessTransformer):
    """Read images: transform paths, and anything else that holds images, into images.

    The reader stands at the head of a pipeline, such as
    :func:`make_attribution_pipeline`, or of a pipeline inside a
    :class:`~sklearn.compose.ColumnTransformer` beside other columns. Files are read
    when the next step requests them, so a pipeline of position-free features needs the
    memory of a few images only, however many files there are.

    The images are given as paths, as the bytes of files, as open files, as pictures of
    Pillow, or as `{"bytes": ..., "path": ...}`, which tables of images hold; in a list,
    an array, or a column of pandas, polars or Arrow. Reading them needs Pillow (extra
    `images`). Arrays, lists of arrays and dask arrays are returned unchanged.

    Parameters
    ----------
    image_shape : tuple of int, default=None
        (height, width) of the part to cut out of each image, the most central one whose
        corner lies on a grid of 16 px. By default images keep their sizes, which may
        differ where position does not matter.
    n_jobs : int, default=None
        Number of threads that read files; -1 for all processors.

    Attributes
    ----------
    n_channels_ : int
        Number of channels of the images: 3 for files, which are read as RGB, as
        :func:`skfingerprint.datasets.load_image_folder` does. If `fit` saw images
        without color, as arrays or pictures, it is 1, and grey files are read as such.
    n_features_in_ : int
        Length of the rows, when X held rows.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when X was a data frame of numbers.

    See Also
    --------
    skfingerprint.datasets.load_image_folder : Loads all images of a folder at once.
    skfingerprint.datasets.load_image_files : Loads a list of files, without bad ones.

    Notes
    -----
    A transformer can't leave rows out, so files that can't be read raise an error,
    which names them: by their headers before the first image is read, unless
    `image_shape` is given, and by their pixels block by block.
    `load_image_files(paths, y, image_shape="min", on_error="warn")` returns the
    `filenames` and the `target` of all other files, of any size.

    A file is decoded each time that a transformer reads the images. The branches of a
    :class:`~sklearn.pipeline.FeatureUnion` read them one after the other, and so do
    the folds of a meta-estimator behind the reader. All features of
    :class:`AttributionFeatures`, and all perturbed copies of an
    :class:`AugmentedPipeline`, are computed from one reading.

    The result has the length, shape and indices of an array, and can be split, pickled
    and hashed. `numpy.asarray` reads it into memory. Its hash depends on the sizes and
    times of the files, so that `memory` of a :class:`~sklearn.pipeline.Pipeline`
    computes the results for an overwritten file anew.

    Once all images of the result were read, a warning tells whether the values of
    16-bit files use 8, 10, 12 or 14 bits only, so that the images are nearly black.
    Nothing is scaled.

    Open files are read whole, from their start, when they are transformed.

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

    The images are read on request:

    >>> images = ImageReader().fit_transform([path.read_bytes() for path in paths])
    >>> images.shape, images[:2].shape, images[0].shape
    ((4, 64, 64, 3), (2, 64, 64, 3), (64, 64, 3))
    """

    _preserved_dtypes = ("float64", "float32")
    _content = None
    _makes_images = True

    def __init__(self, image_shape=None, *, n_jobs=None):
        self.image_shape = image_shape
        self.n_jobs = n_jobs

    @all_or_nothing
    def fit(self, X, y=None):
        """Check the parameters and the kind of the images; no file is read.

        Parameters
        ----------
        X : list, array, Series or data frame with one column, of paths, bytes, \
                open files or pictures; or images as any other estimator takes them
            Images. In paths, `~` is the home folder.
        y : None
            Ignored.

        Returns
        -------
        self : ImageReader
        """
        self._get_function()
        check_jobs(self.n_jobs)
        files = find_files(X)
        if files is None:
            self._validate(first_block(X), reset=True)
            return self
        copy_shape(self)
        self.n_channels_ = 1 if all(map(is_grey_picture, files)) else 3
        return self

    def transform(self, X):
        """Return the images, which are read on request if X holds files.

        Parameters
        ----------
        X : list, array, Series or data frame with one column, of paths, bytes, \
                open files or pictures; or images as any other estimator takes them
            Images. In paths, `~` is the home folder.

        Returns
        -------
        images : array-like of shape (n_samples, height, width[, n_channels])
            Images, uint8 if they are read; of shape (n_samples,) if they differ in
            size. Transformers and estimators of this package read them block by block.
            X itself, if it holds arrays.
        """
        files = find_files(X)
        if files is None:
            return super().transform(X)
        n_channels = getattr(self, "n_channels_", 3)
        if n_channels not in (1, 3):
            raise ValueError(
                f"X holds files, and `fit` saw images with {n_channels} channels: "
                "files have 1 or 3."
            )
        with needs_extra("images", "reading images needs Pillow"):
            import PIL  # noqa: F401
        check_jobs(self.n_jobs)
        files = [open_file(file, number) for number, file in enumerate(files)]
        reader = FileReader(self._get_function(), n_channels, self.n_jobs)
        images = FileImages(files, reader)
        images.shape  # noqa: B018 - bad headers raise here, before the first block
        return images

    def _transform(self, X):
        """Check images that are in memory, or of dask, and cut the part out."""
        X, shape = self._validate(X, reset=False), self._get_function()
        return X if shape is None else _cut(X, shape)

    def _get_function(self):
        """Return `image_shape` as (height, width), or None."""
        if self.image_shape is None:
            return None
        shape = tuple(np.ravel(self.image_shape).tolist())
        if len(shape) not in (2, 3) or min(shape) < 1 or shape[2:] not in ((), (3,)):
            raise ValueError(
                f"image_shape must be (height, width), got {self.image_shape!r}."
            )
        return tuple(int(n) for n in shape[:2])

    def _validate(self, X, *, reset):
        return validate_images(self, X, reset=reset, dtype="numeric", aligned=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


def _cut(X, shape):
    """Cut the part out of each image of a stack or a list."""
    if isinstance(X, list):
        return [crop(image, shape) for image in X]
    if X.ndim == 2:
        raise ValueError(
            "X holds rows, which have no part to cut out: put `Unflatten` in front, or "
            "leave image_shape out."
        )
    return np.moveaxis(crop(np.moveaxis(X, 0, -1), shape), -1, 0)

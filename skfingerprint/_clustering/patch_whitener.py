"""Features that are whitened by the patches of images, without labels."""

from functools import partial

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfingerprint._clustering.communities import draw_places
from skfingerprint._clustering.whitening import (
    find_patch_side,
    project,
    whiten_by_patches,
)
from skfingerprint._core import (
    Estimator,
    all_or_nothing,
    as_stack,
    check_int,
    check_positive,
    find_generator,
    map_blocks,
    take_images,
    validate_images,
)
from skfingerprint._features import AttributionFeatures


class PatchWhitener(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Whiten features so that images of one source point in one direction.

    The features of :class:`AttributionFeatures` differ between two images because the
    sources differ, and because the images show different scenes. Patches of one image
    share its source, so that differences between them are content. Images that all
    went through one filter share this filter as their last source, so that differences
    between filtered images are content as well. `fit` learns both scatters, without
    labels, and features are whitened by their sum. A large cosine between two rows then
    indicates a common source.

    Images may have any size, and need not be aligned. Sources that leave the same
    traces cannot be distinguished, and a common treatment of some images, such as
    compression, counts as a part of their source.

    Parameters
    ----------
    n_components : int, default=60
        Largest number of columns, of which there are fewer than images in `fit`.
    n_pca : int, default=300
        Largest number of principal components that are whitened.
    shrinkage : float, default=0.01
        Multiple of the identity that is added to the scatter of content, > 0, as a
        share of its mean variance.
    max_samples : int, default=2000
        Largest number of images that `fit` learns from, drawn at random.
    block_size : int, default=32
        Side of the blocks of the spectra in pixels, reduced to the side of a patch.
    n_jobs : int, default=None
        Number of threads; -1 for all processors.
    random_state : int, RandomState instance or None, default=None
        Draws the images and starts the principal components.
    verbose : bool or int, default=False
        Whether to report how much of the fit is done: in a bar if tqdm is installed
        (extra `progress`), in lines otherwise.

    Attributes
    ----------
    features_ : AttributionFeatures
        Transformer that computes the features.
    mean_ : ndarray of shape (n_values,)
        Mean of the features.
    directions_ : ndarray of shape (n_values, n_components)
        Columns by which features less their mean are multiplied.
    eigenvalues_ : ndarray of shape (n_components,)
        Variance of images along each column, in falling order; that of content is 1.
    n_channels_ : int
        Number of channels seen in `fit`; 1 for grey images.

    See Also
    --------
    FingerprintClustering : Clusters the rows by source.
    AttributionFeatures : Computes the features, for sources that are known.

    Notes
    -----
    Features are standardized and projected on principal components, in which images
    have the covariance B. W is the mean covariance of the four quarters of an image
    about their mean, plus the covariance of 3x3 medians of all images, scaled to the
    same trace. The columns are the eigenvectors v of ``B v = l W v`` with the largest
    l. This is within-class covariance normalization [1]_, with the patches of an image
    in the place of the members of a class.

    References
    ----------
    .. [1] A. Hatch, S. Kajarekar, A. Stolcke, "Within-Class Covariance Normalization
       for SVM-based Speaker Recognition", Interspeech, 2006.
       :doi:`10.21437/Interspeech.2006-183`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics.pairwise import cosine_similarity
    >>> from skfingerprint import PatchWhitener
    >>> from skfingerprint.datasets import load_generators
    >>> data = load_generators()
    >>> images, y = data.images[::4], data.target[::4]
    >>> rows = PatchWhitener(random_state=0).fit_transform(images)
    >>> rows.shape
    (160, 60)
    >>> cosines = cosine_similarity(rows)
    >>> same = y[:, None] == y
    >>> bool(cosines[same].mean() > cosines[~same].mean() + 0.2)
    True
    """

    def __init__(
        self,
        *,
        n_components=60,
        n_pca=300,
        shrinkage=0.01,
        max_samples=2000,
        block_size=32,
        n_jobs=None,
        random_state=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.n_pca = n_pca
        self.shrinkage = shrinkage
        self.max_samples = max_samples
        self.block_size = block_size
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X, y=None):
        """Learn the scatters of patches and filtered images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]), or list
            Images in grey levels, of any number of sources.
        y : None
            Ignored.

        Returns
        -------
        self : PatchWhitener
        """
        self._check_parameters()
        X, rng = self._validate(X, reset=True), find_generator(self.random_state)
        images = take_images(as_stack(X), draw_places(len(X), self.max_samples, rng))
        if len(images) < 2:
            raise ValueError("what images differ by needs 2 of them, got 1 sample.")
        # One size of blocks for images and patches, whose spectra are compared.
        side = min(self.block_size, find_patch_side(images))
        features = AttributionFeatures(block_size=side, n_jobs=self.n_jobs)
        # Arrays, even if scikit-learn is configured to return data frames.
        self.features_ = features.set_output(transform="default")
        function, params = self.features_.fit(X)._get_function()
        describe = partial(map_blocks, function, n_jobs=self.n_jobs, **params)
        sizes, seed = (self.n_components, self.n_pca), int(rng.integers(2**31))
        given = images, describe, sizes, self.shrinkage, seed, self.verbose
        found = whiten_by_patches(*given)
        self.mean_, self.directions_, self.eigenvalues_ = found
        return self

    def transform(self, X):
        """Whiten the features of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels]), or list
            Images in grey levels. They may differ in size from the images of `fit`.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_components), or dask array if X is one
            Float32. The scatter of content has the variance 1 in each column.
        """
        check_is_fitted(self)
        # Columns of frames have no names from here on, as in `fit`.
        X = self._validate(X, reset=False)
        rows = self.features_.transform(X)
        return map_blocks(project, rows, mean=self.mean_, directions=self.directions_)

    @property
    def _n_features_out(self):
        return self.directions_.shape[1]

    def _check_parameters(self):
        for name, low in (("n_components", 1), ("n_pca", 1), ("max_samples", 2)):
            check_int(name, getattr(self, name), low)
        check_int("block_size", self.block_size, 1)
        check_positive("shrinkage", self.shrinkage)

    def _validate(self, X, *, reset):
        params = {"aligned": False, "neighbors": True, "n_channels": (1, 3)}
        return validate_images(self, X, reset=reset, dtype="numeric", **params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

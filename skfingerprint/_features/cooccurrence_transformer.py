"""Co-occurrences of differences of neighboring pixels as rows of features."""

import math
from numbers import Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import StatelessTransformer, check_int, shorten
from skfingerprint._features.cooccurrence import count_sets, run_classes
from skfingerprint._features.names import name_runs
from skfingerprint._features.planes import sum_tiles, to_luma_chroma


class CooccurrenceTransformer(StatelessTransformer):
    """Co-occurrences of the differences of neighboring pixels.

    Networks and cameras differ in local patterns, such as five neighboring differences
    that fall, stay, rise, rise and stay. Spectra do not contain these patterns, since
    they have no phase, and some of the patterns survive JPEG compression.

    Differences of luma and chroma to the next pixel are divided by a step, rounded and
    clipped to -1, 0, 1. A run is a sequence of them, along the direction of the
    difference or across it. A run, its mirror image and its negative are one class. The
    features are the square roots of the share of each class.

    Parameters
    ----------
    quantization : sequence of float, default=(1.0, 3.0)
        Steps in grey levels, each > 0. Luma has a set of features for each step;
        chroma, which varies less, has one for the first step only.
    order : int, default=5
        Number of differences in a run, 1..7. There are 2, 4, 10, 25, 70, 196 or 574
        classes for each step, channel and direction.
    n_jobs : int, default=None
        Number of threads; -1 for all processors.

    Attributes
    ----------
    n_channels_ : int
        Number of channels seen in `fit`: 1 for grey images.

    See Also
    --------
    make_attribution_pipeline : Spectra, co-occurrences and a classifier.

    References
    ----------
    .. [1] T. Pevny, P. Bas, J. Fridrich, "Steganalysis by Subtractive Pixel Adjacency
       Matrix", IEEE TIFS, 2010. :doi:`10.1109/TIFS.2010.2045842`

    Examples
    --------
    >>> from skfingerprint import CooccurrenceTransformer
    >>> from skfingerprint.datasets import load_generators
    >>> transformer = CooccurrenceTransformer()
    >>> transformer.fit_transform(load_generators().images[:10]).shape
    (10, 560)
    >>> transformer.get_feature_names_out()[0]
    'cooccurrence_0_1_along_-----'
    """

    def __init__(self, *, quantization=(1.0, 3.0), order=5, n_jobs=None):
        self.quantization = quantization
        self.order = order
        self.n_jobs = n_jobs

    def get_feature_names_out(self, input_features=None):
        """Return `cooccurrence_<channel>_<step>_<along or across>_<run>`.

        The run is given by the signs of its differences. It is the first of its class.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "n_channels_")
        names = name_runs(self.n_channels_, self.quantization, self.order)
        return np.array(names, dtype=object)

    def _get_function(self):
        quantization = check_runs(self.quantization, self.order)
        return _count_cooccurrences, {"quantization": quantization, "order": self.order}


def _count_cooccurrences(images, quantization, order):
    """Return rows of features: channels, steps, directions, classes of runs."""

    def collect(planes, tile):
        to_luma_chroma(planes)
        return [count_tile(planes, tile, quantization, order)]

    return to_root_shares(*sum_tiles(images, collect))


def count_tile(planes, tile, quantization, order):
    """Count the runs that start in the core of a tile.

    Parameters
    ----------
    planes : ndarray of shape (n_channels, n, height, width), float32
        Luma and chroma in grey levels, which may be rounded in place.
    tile : Tile
        Place of the planes in the images.
    quantization : tuple of float
        Steps of luma in grey levels; chroma has the first one only.
    order : int
        Number of differences in a run, 1..7.

    Returns
    -------
    counts : ndarray of shape (n, n_sets, 2, 3 ** order), int
        Counts for each channel and step, along the difference and across it.
    """
    (top, bottom), (left, right) = tile.cores
    corner = top - tile.rows.start, left - tile.columns.start
    return count_sets(planes, corner, (bottom - top, right - left), quantization, order)


def to_root_shares(counts):
    """Compute rows of roots of the shares of the classes, from counts of runs."""
    order = round(math.log(counts.shape[-1], 3))
    classes, smallest = run_classes(order)
    # A matrix product with one column for each class adds up the counts of its runs.
    members = np.equal.outer(classes, np.arange(len(smallest))).astype(np.float32)
    totals = np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    shares = counts.astype(np.float32) @ members / totals.astype(np.float32)
    return np.sqrt(shares).reshape(len(counts), -1)


def check_runs(quantization, order):
    """Check the parameters of co-occurrences, and return the steps as a tuple."""
    steps = tuple(np.ravel(quantization).tolist())
    if not steps or not all(isinstance(s, Real) and 0 < s < np.inf for s in steps):
        raise ValueError(
            f"quantization must hold numbers > 0, got {shorten(quantization)}."
        )
    check_int("order", order, 1, 7)
    return steps

"""Co-occurrences of differences of neighboring pixels as rows of features."""

import math
from itertools import product
from numbers import Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import (
    StatelessTransformer,
    check_int,
)
from skfingerprint._features.cooccurrence import count_runs, run_classes
from skfingerprint._features.planes import _collect, _to_luma_chroma

# Of a rounded grey level, so that differences fit into 16 bits.
LARGEST_LEVEL = 2**14 - 1


class CooccurrenceTransformer(StatelessTransformer):
    """Co-occurrences of the differences of neighboring pixels.

    How often do five neighbors fall, stay, rise, rise, stay? Networks and cameras
    differ in such local habits, which spectra, being blind to phase, do not see, and
    some of which outlive JPEG compression.

    Differences of luma and chroma to the next pixel are divided by a step, rounded and
    clipped to -1, 0, 1. The features are the square roots of the shares of each class
    of runs of them, along the direction of the difference and across. A run, its mirror
    image and its negative are one class.

    Parameters
    ----------
    quantization : sequence of float, default=(1.0, 3.0)
        Steps in grey levels, each > 0: a set of features of luma for each. Chroma,
        which varies less, has features of the first one only.
    order : int, default=5
        Number of differences in a run, 1..7: 2, 4, 10, 25, 70, 196 or 574 classes for
        a step, channel and direction.
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

        The run is the first of its class: signs of its differences.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "n_channels_")
        names = _name_runs(self.n_channels_, self.quantization, self.order)
        return np.array(names, dtype=object)

    def _get_function(self):
        quantization = _check_runs(self.quantization, self.order)
        return _count_cooccurrences, {"quantization": quantization, "order": self.order}


def _count_cooccurrences(images, quantization, order):
    """Return rows of features: channels, quantization, directions, classes of runs."""

    def collect(planes, tile):
        _to_luma_chroma(planes)
        return [_count_runs(planes, tile, quantization, order)]

    return _to_roots(*_collect(images, collect))


def _count_runs(planes, tile, quantization, order):
    """Return counts of the runs that start in a tile, (n, sets, 2, 3 ** order).

    Chroma, which varies less, has the first step only. The planes are rounded in place.
    """
    (top, bottom), (left, right) = tile.cores
    counts = []
    for channel, plane in enumerate(planes):
        plane = plane[:, top - tile.rows.start :, left - tile.columns.start :]
        np.rint(plane, out=plane)
        np.clip(plane, -LARGEST_LEVEL, LARGEST_LEVEL, out=plane)
        levels, size = plane.astype(np.int16), (bottom - top, right - left)
        own = quantization if channel == 0 else quantization[:1]
        counts += [count_runs(levels, step, order, size) for step in own]
    return np.stack(counts, axis=1)


def _to_roots(counts):
    """Return rows of roots of the shares of the classes of runs."""
    order = round(math.log(counts.shape[-1], 3))
    classes, smallest = run_classes(order)
    members = np.equal.outer(classes, np.arange(len(smallest))).astype(np.float32)
    totals = np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    shares = counts.astype(np.float32) @ members / totals.astype(np.float32)
    return np.sqrt(shares).reshape(len(counts), -1)


def _name_runs(n_channels, quantization, order):
    quantization = np.ravel(quantization).tolist()
    runs = ["".join(run) for run in product("-0+", repeat=order)]
    runs = [runs[smallest] for smallest in run_classes(order)[1]]
    return [
        f"cooccurrence_{channel}_{step:g}_{direction}_{run}"
        for channel in range(n_channels)
        for step in (quantization if channel == 0 else quantization[:1])
        for direction in ("along", "across")
        for run in runs
    ]


def _check_runs(quantization, order):
    """Return the quantization of co-occurrences as a tuple."""
    steps_ = tuple(np.ravel(quantization).tolist())
    if not steps_ or not all(isinstance(s, Real) and 0 < s < np.inf for s in steps_):
        raise ValueError(f"quantization must hold numbers > 0, got {quantization!r}.")
    check_int("order", order, 1, 7)
    return steps_

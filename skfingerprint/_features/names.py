"""Names of features: how they are made, and how they are parsed.

Spectra have names ``spectrum_<channel>_<vertical>_<horizontal>``, or
``spectrum_<channel>_<ring>`` after averaging over rings, with frequencies in cycles per
pixel; ``residual_`` in front marks spectra of residuals. Runs have names
``cooccurrence_<channel>_<step>_<direction>_<run>``. A union of transformers puts a
prefix that ends in two underscores before them.
"""

import re
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import fft

from skfingerprint._features.cooccurrence import run_classes

# The family of a feature, and the place of a frequency in a spectrum that is not
# averaged over rings: its vertical frequency has a sign.
FAMILY = re.compile(r"((?:.*__)?(?:(?:residual_)?spectrum_\d+|cooccurrence_\d+_[^_]+))")
PLACE = re.compile(r"((?:.*__)?(?:residual_)?spectrum)_(\d+)_([+-][\d.]+)_([\d.]+)$")
PARTS = re.compile(
    r"(?:.*__)?(residual_spectrum|spectrum|cooccurrence)(?:_(\d+))?(?:_(.+))?"
)


@dataclass(frozen=True)
class Family:
    """Parts of the name of a family of features.

    Attributes
    ----------
    kind : str
        "residual_spectrum", "spectrum" or "cooccurrence".
    channel : int or None
        Number of the channel; None for all channels together.
    step : str or None
        Step of the co-occurrences in grey levels.
    """

    kind: str
    channel: int | None
    step: str | None


def name_spectra(sides, n_channels, kind="spectrum"):
    """Return the names of spectra: frequencies first, channels last."""
    places = [
        f"{v:+.4f}_{h:.4f}"
        for v in fft.fftfreq(sides[0])
        for h in fft.rfftfreq(sides[1])
    ]
    return [f"{kind}_{c}_{place}" for place in places for c in range(n_channels)]


def name_rings(sides, n_rings, n_channels):
    """Return the names of spectra that are averaged over rings, channels last."""
    return [
        f"spectrum_{c}_{ring / max(sides):.4f}"
        for ring in range(n_rings)
        for c in range(n_channels)
    ]


def name_runs(n_channels, quantization, order):
    """Return the names of co-occurrences: channels, steps, directions, runs."""
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


def group_names(names):
    """Group columns of features by family, and columns of spectra by place.

    Parameters
    ----------
    names : iterable of str of length n_features
        Names of the columns.

    Returns
    -------
    families : dict of str to list of int
        Columns of each family, such as `residual_spectrum_0` or `cooccurrence_0_1`. All
        further features are in the family `other`.
    spectra : dict of str to ndarray of shape (n_channels, n_vertical, n_horizontal), \
            int
        Columns of each spectrum, such as `residual_spectrum`, by channel and rising
        frequency. Vertical frequency 0 is in row `n_vertical // 2`.
    """
    families, places = {}, {}
    for column, name in enumerate(names):
        family = FAMILY.match(name)
        families.setdefault(family[1] if family else "other", []).append(column)
        if found := PLACE.match(name):
            where = int(found[2]), float(found[3]), float(found[4])
            places.setdefault(found[1], {})[where] = column
    return families, {kind: _lay_out(columns) for kind, columns in places.items()}


def parse_family(name):
    """Parse the name of a family of features or of a spectrum.

    Parameters
    ----------
    name : str
        A key of the dicts that :func:`group_names` returns.

    Returns
    -------
    family : Family or None
        None for other features.
    """
    parts = PARTS.fullmatch(name)
    if parts is None:
        return None
    kind, channel, step = parts.groups()
    return Family(kind, None if channel is None else int(channel), step)


def _lay_out(columns):
    """Return the columns of (channel, vertical, horizontal frequency) as planes."""
    axes = [sorted(set(axis)) for axis in zip(*columns, strict=True)]
    shape = [len(axis) for axis in axes]
    return np.array([columns[where] for where in product(*axes)]).reshape(shape)

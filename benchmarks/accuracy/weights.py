"""Measure the open set under `sample_weight`, whose unit must not matter.

``python -m benchmarks.accuracy.weights`` takes eight sources of `registry/` (every
second one in alphabetical order; see `data/real_images.py`), 40 images of each for the
fit from even groups, and 40 for the test from odd groups. Each source is left out in
turn. The other seven are fitted unprocessed at a stated false-alarm rate of 1 %, with
equal weights of 1, of 1000 and of one over the number of images, and with weights of 1
and 100 for every second source.

It prints the false-alarm rate on the images of the left-out source, mean and worst of
the eight sources, and the share of images of known sources that are accepted and named
right, mean and worst of the eight fits. Chance among seven sources is 14.3 %.
"""

import warnings

import numpy as np

from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import AttributionFeatures, RejectingClassifier, SourceDetector

N_SOURCES, N_IMAGES, RATE = 8, 40, 0.01
WEIGHTS = {
    "1": lambda members: np.ones(len(members)),
    "1000": lambda members: np.full(len(members), 1000.0),
    "1 / n": lambda members: np.full(len(members), 1 / len(members)),
    "1 : 100 by source": lambda members: np.where(members % 2, 100.0, 1.0),
}


def draw(data, test):
    """Return places of images to fit and to test on, the first ones of each source."""
    names = np.unique(data.sources)[: 2 * N_SOURCES : 2]
    return [
        np.concatenate(
            [
                np.flatnonzero((data.sources == name) & (test == wanted))[:N_IMAGES]
                for name in names
            ]
        )
        for wanted in (False, True)
    ]


def measure(rows, y, groups, asked, truth, unknown, weigh):
    """Leave a source out, and return its false-alarm rate and two rates of the known.

    Parameters
    ----------
    rows, asked : ndarray of shape (n_rows, n_features)
        Features of the images to fit and to test on.
    y, truth : ndarray of shape (n_rows,)
        Their sources.
    groups : ndarray of shape (n_rows,)
        Scenes of the images to fit on.
    unknown : str
        The source to leave out.
    weigh : callable
        Returns weights, given the number of the source of each image.

    Returns
    -------
    rates : list of float
        False-alarm rate, shares of known images that are accepted and named right.
    """
    used = y != unknown
    members = np.unique(y[used], return_inverse=True)[1]
    model = RejectingClassifier(detector=SourceDetector(false_alarm_rate=RATE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a low detection rate
        model.fit(
            rows[used], y[used], groups=groups[used], sample_weight=weigh(members)
        )
    answers, known = model.predict(asked), truth != unknown
    accepted = answers != model.unknown_label_
    right = (answers == truth)[known]
    return [accepted[~known].mean(), accepted[known].mean(), right.mean()]


def main():
    """Print the table."""
    data = read_images("registry/")
    fit, test = draw(data, reference_split(data.groups))
    rows, asked = (
        AttributionFeatures(n_jobs=2).fit_transform(data.images[part])
        for part in (fit, test)
    )
    y, groups, truth = data.sources[fit], data.groups[fit], data.sources[test]
    names = np.unique(y)
    print(f"{len(fit)} images to fit, {len(test)} to test; sources {', '.join(names)}")
    print(
        "weights             false alarms: mean, worst | accepted   named right, worst"
    )
    for name, weigh in WEIGHTS.items():
        rates = np.array(
            [measure(rows, y, groups, asked, truth, one, weigh) for one in names]
        )
        false, accepted, right = 100 * rates.mean(axis=0)
        print(
            f"{name:24s} {false:8.1f} % {100 * rates[:, 0].max():5.1f} % | "
            f"{accepted:6.1f} %   {right:6.1f} % {100 * rates[:, 2].min():6.1f} %",
            flush=True,
        )


if __name__ == "__main__":
    main()

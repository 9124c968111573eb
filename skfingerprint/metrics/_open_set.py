"""Detection and false-alarm rates of known and unknown sources."""

import numpy as np
from sklearn.utils import Bunch, check_consistent_length

from skfingerprint.metrics._shares import share_by_source


def open_set_report(
    y_true,
    false_alarm_probabilities,
    known_sources,
    *,
    y_pred=None,
    rates=(0.1, 0.01, 0.001),
):
    """Report detection and false-alarm rates at stated false-alarm rates.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Source of each image, known or unknown.
    false_alarm_probabilities : array-like of shape (n_samples,)
        Share of images of unknown sources that score as high as each image, in [0, 1],
        as returned by :meth:`skfingerprint.RejectingClassifier.assess`. An image is
        accepted at a stated rate if its probability does not exceed the rate.
    known_sources : array-like of shape (n_known,)
        Sources that the model was fitted on; all other labels are unknown sources.
    y_pred : array-like of shape (n_samples,), default=None
        Source that each image is attributed to if it is accepted.
    rates : sequence of float, default=(0.1, 0.01, 0.001)
        Stated false-alarm rates.

    Returns
    -------
    report : :class:`~sklearn.utils.Bunch`
        Arrays of shape (n_rates,), the columns of a data frame. They are NaN, and
        sources None, without an image to compute them from.

        rate
            Stated false-alarm rates.
        detection_rate
            Share of images of known sources that are accepted, averaged over sources.
        lowest_detection_rate, lowest_detection_rate_source
            Smallest share of a known source, and this source.
        right, wrong
            Shares of images of known sources that are accepted and attributed rightly
            and wrongly, averaged over sources; NaN without `y_pred`.
        false_alarm_rate
            Share of images of unknown sources that are accepted, averaged over sources.
        highest_false_alarm_rate, highest_false_alarm_rate_source
            Largest share of an unknown source, and this source.
        highest_false_alarm_rate_name
            Known source that most accepted images of this unknown source are
            attributed to; None without `y_pred`, and without an accepted image.

    Notes
    -----
    The worst source is reported beside the mean, since a false-alarm rate that holds on
    average can be exceeded by far for an unknown source that resembles a known one.
    :meth:`skfingerprint.RejectingClassifier.report_relatives` lists which known sources
    would be taken for each other if they were unknown.

    Examples
    --------
    >>> from skfingerprint.metrics import open_set_report
    >>> report = open_set_report(
    ...     ["a", "a", "b", "b", "x", "x"],
    ...     [0.001, 0.3, 0.002, 0.001, 0.4, 0.008],
    ...     ["a", "b"],
    ...     rates=[0.01],
    ... )
    >>> report.detection_rate.tolist(), report.lowest_detection_rate_source.tolist()
    ([0.75], ['a'])
    >>> report.false_alarm_rate.tolist()
    [0.5]
    """
    y_true, shares = np.asarray(y_true), np.asarray(false_alarm_probabilities)
    check_consistent_length(y_true, shares, y_pred)
    if shares.ndim != 1 or not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(
            "false_alarm_probabilities must lie in [0, 1], one for each image. A "
            "detector of one or two sources has none."
        )
    rates = np.ravel(rates).astype(float)
    accepted = shares[:, np.newaxis] <= rates
    is_known = np.isin(y_true, np.asarray(known_sources))
    right = np.full(len(y_true), np.nan)
    if y_pred is not None:
        right = (np.asarray(y_pred) == y_true).astype(float)
    known, unknown = (
        share_by_source(y_true[part], accepted[part]) for part in (is_known, ~is_known)
    )
    # An image is attributed rightly or wrongly only at the rates that accept it.
    rights, wrongs = (
        share_by_source(y_true[is_known], accepted[is_known] * named[is_known, None])
        for named in (right, 1 - right)
    )
    names = [None] * len(rates)
    if y_pred is not None:
        names = [
            _find_most_frequent(np.asarray(y_pred)[(y_true == source) & taken])
            for source, taken in zip(unknown.most_source, accepted.T, strict=True)
        ]
    return Bunch(
        rate=rates,
        detection_rate=known.mean,
        lowest_detection_rate=known.least,
        lowest_detection_rate_source=known.least_source,
        right=rights.mean,
        wrong=wrongs.mean,
        false_alarm_rate=unknown.mean,
        highest_false_alarm_rate=unknown.most,
        highest_false_alarm_rate_source=unknown.most_source,
        highest_false_alarm_rate_name=np.array(names, dtype=object),
    )


def _find_most_frequent(labels):
    """Return the most frequent label, or None without labels."""
    names, counts = np.unique(labels, return_counts=True)
    return names[counts.argmax()] if len(names) else None

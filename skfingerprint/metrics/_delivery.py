"""Attributions that survive delivery."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, column_or_1d
from sklearn.utils.validation import _num_samples

from skfingerprint._core import (
    as_images,
    check_labels,
    check_length,
    list_readers,
    read_by,
    shorten,
)
from skfingerprint.metrics._origins import answer
from skfingerprint.metrics._shares import share_by_source
from skfingerprint.perturbation import DELIVERIES


def delivery_report(pipeline, X, deliveries=None, y=None):
    """Report which images keep their names on their way to others.

    Messengers, web pages and screens reship images: they resize, compress or mirror
    them. A copy of each image is made for each delivery, and attributed. Its name can
    stay, become unknown, or change to another one.

    Parameters
    ----------
    pipeline : estimator
        Fitted classifier of images, such as the recommended pipeline with a rate.
        Without a rate no copy can become unknown. Deliveries that leave another size
        need position-free features.
    X : array-like of shape (n_samples, height, width[, n_channels]), or list
        Images in grey levels 0..255, which were not fitted; or paths or rows, if the
        pipeline begins with an ImageReader or Unflatten. Copies are made of the images.
    deliveries : dict of str to transformer, default=None
        Deliveries by name. By default `skfingerprint.perturbation.DELIVERIES`: a
        messenger, a thumbnail that stays small, AVIF, a screenshot, and a mirror (with
        Pillow, extra `images`).
    y : array-like of shape (n_samples,), default=None
        Source of each image. By default the name of the unprocessed image; images that
        are unknown then take no part in the rates.

    Returns
    -------
    report : :class:`~sklearn.utils.Bunch`
        Two tables, each a Bunch of columns of a data frame. Rates are NaN, and sources
        None, without an image to compute them from.

        images : columns of shape (n_samples,)
            source, known
                Likeliest source of the unprocessed image, and whether the image is
                accepted; True for an estimator without `assess`.
            kept, unknown, other
                Shares of the copies that are accepted with this source, that are
                unknown, and that are accepted with another source. Their sum is 1.
        deliveries : columns of shape (1 + n_deliveries,)
            delivery
                Names of the deliveries, after "unprocessed" for the images themselves.
            detection_rate
                Share of copies of images from known sources that are accepted, averaged
                over sources.
            lowest_detection_rate, lowest_detection_rate_source
                Smallest share of a source, and this source.
            right, wrong
                Shares of these copies that are accepted with the right and with another
                source, averaged over sources.

    Raises
    ------
    ValueError
        If deliveries are not a dict of at least one, if X holds rows that no step makes
        images of, or if y has another length than X or misses labels.

    See Also
    --------
    robustness_curve : Scores an estimator under each perturbation.
    open_set_report : Reports rates at several stated rates.

    Examples
    --------
    A correlation keeps names after a mild blur, and loses them in a mirror:

    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> from skfingerprint.metrics import delivery_report
    >>> from skfingerprint.perturbation import DELIVERIES, GaussianBlur
    >>> X, y = make_fingerprint_images(120, 3, strength=4, random_state=0)
    >>> pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    >>> pipeline = pipeline.fit(X[:60], y[:60])
    >>> deliveries = {"blur": GaussianBlur(std=0.5), "mirror": DELIVERIES["mirrored"]}
    >>> report = delivery_report(pipeline, X[60:], deliveries, y[60:])
    >>> for name, right in zip(report.deliveries.delivery, report.deliveries.right):
    ...     print(f"{name}: {right:.1f}")
    unprocessed: 1.0
    blur: 1.0
    mirror: 0.3
    >>> sorted(set(report.images.kept.tolist()))
    [0.5, 1.0]
    """
    deliveries = DELIVERIES if deliveries is None else deliveries
    if not isinstance(deliveries, Mapping) or not deliveries:
        raise ValueError(
            "deliveries must be a dict of one transformer or more by name, such as "
            f"skfingerprint.perturbation.DELIVERIES, got {shorten(deliveries)}."
        )
    fitted = getattr(pipeline, "best_estimator_", pipeline)
    images = as_images(read_by(list_readers(fitted), X))
    if getattr(images, "ndim", 3) == 2:
        raise ValueError(
            "X holds rows, and copies are made of images: put `Unflatten(image_shape)` "
            "at the head of the pipeline."
        )
    if y is not None:
        check_length("y", y, _num_samples(X))
        y = column_or_1d(check_labels(y))
    answers = [answer(fitted, X)]
    for change in deliveries.values():
        answers.append(answer(fitted, clone(change).fit_transform(images)))
    source, known = (
        np.stack([part[key] for part in answers], axis=1) for key in ("source", "known")
    )
    names = np.array(["unprocessed", *map(str, deliveries)])
    truth = source[:, 0] if y is None else y
    asked = known[:, 0] if y is None else np.isin(y, fitted.classes_)
    return Bunch(
        images=_describe_images(source, known),
        deliveries=_rate_deliveries(names, truth[asked], source[asked], known[asked]),
    )


def _describe_images(source, known):
    """Return the columns of a delivery report by image.

    Parameters
    ----------
    source : ndarray of shape (n_samples, 1 + n_deliveries)
        Likeliest source of each image and of its copies.
    known : ndarray of shape (n_samples, 1 + n_deliveries), bool
        Whether they are accepted.

    Returns
    -------
    columns : Bunch
    """
    accepted, same = known[:, 1:], source[:, 1:] == source[:, :1]
    return Bunch(
        source=source[:, 0],
        known=known[:, 0],
        kept=np.mean(accepted & same, axis=1),
        unknown=np.mean(~accepted, axis=1),
        other=np.mean(accepted & ~same, axis=1),
    )


def _rate_deliveries(names, truth, source, known):
    """Return the columns of a delivery report by delivery.

    Parameters
    ----------
    names : ndarray of shape (n_deliveries,)
        Names of the deliveries.
    truth : ndarray of shape (n_samples,)
        Source of each image.
    source, known : ndarray of shape (n_samples, n_deliveries)
        Likeliest source of each copy, and whether it is accepted.

    Returns
    -------
    columns : Bunch
    """
    is_right = source == truth[:, np.newaxis]
    detected, right, wrong = (
        share_by_source(truth, part)
        for part in (known, known & is_right, known & ~is_right)
    )
    return Bunch(
        delivery=names,
        detection_rate=detected.mean,
        lowest_detection_rate=detected.least,
        lowest_detection_rate_source=detected.least_source,
        right=right.mean,
        wrong=wrong.mean,
    )

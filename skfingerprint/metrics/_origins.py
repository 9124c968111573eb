"""Accuracy across the origins of images."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, _safe_indexing, column_or_1d
from sklearn.utils.validation import _num_samples

from skfingerprint._core import (
    check_labels,
    check_length,
    find_taken,
    split_last,
    transform_by,
)


def cross_origin_report(estimator, X, y, *, origins, groups=None):
    """Report how images of known sources from origins that were not fitted are named.

    An origin is whoever made or published images, with which program, and saved and
    decoded them in which way. A classifier may learn the origin in place of the source,
    which no cross-validation within one collection shows. For each source with images
    of two or more origins, an estimator is fitted without the images of one of them,
    and attributes these. Images of other sources from the same origin stay in the fit,
    and so can attract them.

    Parameters
    ----------
    estimator : estimator
        Classifier of images, such as the recommended pipeline; cloned for each fit.
    X : array-like of shape (n_samples, height, width[, n_channels]), or list
        Images in grey levels 0..255, or paths, as the estimator takes them.
    y : array-like of shape (n_samples,)
        Source of each image.
    origins : array-like of shape (n_samples,)
        Origin of each image.
    groups : array-like of shape (n_samples,), default=None
        Scene that each image shows. No scene is fitted and asked about at once: if
        other images show the scenes of an origin, its images are attributed in two
        halves, by fits without the scenes of the half. Fits get the groups if they
        take them.

    Returns
    -------
    report : :class:`~sklearn.utils.Bunch`
        Arrays of shape (n_pairs,), sorted by source and origin, the columns of a data
        frame, and the sources that could not be tested.

        source, origin
            The source whose images are attributed, and the origin that was not fitted.
        n_images
            Number of these images.
        right, wrong
            Shares of images that are accepted and attributed rightly and wrongly.
        accepted
            Share of images that are accepted, the sum of both; 1 for an estimator
            without `assess`, which names every image.
        probability
            Mean probability of the likeliest source; NaN without `predict_proba`.
        named
            Dict of the number of images that each source is the likeliest for, whether
            accepted or not, in falling order.
        untested
            Sources whose images all have one origin, of shape (n_untested,).

    Raises
    ------
    ValueError
        If no source has two origins, if lengths differ, if labels are missing, or if
        no image of a source is left to fit without the groups that are asked about.

    Examples
    --------
    Source 0 comes from two origins, of which one blurred its images. Fitted on images
    of one, few or none of the other are recognized (chance 0.33):

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> from skfingerprint.metrics import cross_origin_report
    >>> from skfingerprint.perturbation import GaussianBlur
    >>> X, y = make_fingerprint_images(120, 3, strength=4, random_state=0)
    >>> blurred = np.flatnonzero(y == 0)[::2]
    >>> origins = np.array(["web"] * 120)
    >>> origins[blurred] = "app"
    >>> X[blurred] = GaussianBlur(std=3).fit_transform(X[blurred])
    >>> pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    >>> report = cross_origin_report(pipeline, X, y, origins=origins)
    >>> for pair in zip(report.source, report.origin, report.n_images, report.right):
    ...     print(*pair)
    0 app 20 0.3
    0 web 20 0.0
    >>> report.untested.tolist()
    [1, 2]
    """
    labels = {"y": y, "origins": origins}
    labels |= {} if groups is None else {"groups": groups}
    for name, values in labels.items():
        check_length(name, values, _num_samples(X))
        check_labels(values, name)
    labels = {name: column_or_1d(values) for name, values in labels.items()}
    pairs, untested = _list_pairs(labels["y"], labels["origins"])
    # All that can be wrong with groups is found before the first fit.
    splits = [_split_origin(**labels, pair=pair) for pair in pairs]
    given = {"y": labels["y"], "groups": labels.get("groups")}
    rows = [
        _describe_answers([_ask(estimator, X, part, **given) for part in parts], source)
        for parts, (source, _) in zip(splits, pairs, strict=True)
    ]
    return Bunch(
        source=np.array([source for source, _ in pairs]),
        origin=np.array([origin for _, origin in pairs]),
        **{name: np.array([row[name] for row in rows]) for name in rows[0]},
        untested=untested,
    )


def _list_pairs(y, origins):
    """List source and origin for sources with two origins, and the other sources."""
    held = {name: np.unique(origins[y == name]) for name in np.unique(y)}
    pairs = [
        (source, origin)
        for source, names in held.items()
        if len(names) > 1
        for origin in names
    ]
    if not pairs:
        raise ValueError(
            "origins must name two origins of a source at least, and all images of "
            "each source have one origin: collect images of a source that somebody "
            "else made or published."
        )
    return pairs, np.array([name for name, names in held.items() if len(names) == 1])


def _split_origin(y, origins, pair, groups=None):
    """Split images into those of a source and origin, and those to fit.

    Parameters
    ----------
    y, origins : ndarray of shape (n_samples,)
        Source and origin of each image.
    pair : tuple of labels
        Source and origin of the images that are asked about.
    groups : ndarray of shape (n_samples,), default=None
        Scene of each image.

    Returns
    -------
    parts : list of (ndarray of int, ndarray of int)
        Indices of the images to fit, and of those to ask about; two parts, of half the
        groups each, if the images to fit show some of the same groups.
    """
    held_out = (y == pair[0]) & (origins == pair[1])
    if groups is None or not np.isin(groups[~held_out], groups[held_out]).any():
        return [(np.flatnonzero(~held_out), np.flatnonzero(held_out))]
    parts, names = [], np.unique(groups[held_out])
    for half in np.array_split(names, min(2, len(names))):
        shared = np.isin(groups, half)
        fit, asked = ~held_out & ~shared, held_out & shared
        if lost := np.setdiff1d(y, y[fit]).tolist():
            raise ValueError(
                f"no image of {lost} is left to fit without the groups "
                f"{half.tolist()[:9]} of source {pair[0]!s} from origin {pair[1]!s}, "
                "which the fit must not show: add images of other groups."
            )
        parts.append((np.flatnonzero(fit), np.flatnonzero(asked)))
    return parts


def _ask(estimator, X, part, y, groups):
    """Fit a clone on some images, and return its answers to others.

    Parameters
    ----------
    estimator : estimator
        The classifier.
    X : array-like of length n_samples
        Images.
    part : tuple of ndarray of int
        Indices of the images to fit and to ask about.
    y : ndarray of shape (n_samples,)
        Source of each image.
    groups : ndarray of shape (n_samples,) or None
        Scene of each image.

    Returns
    -------
    answers : Bunch
        `source`, `known` and `probability` of each image, as of `assess`.
    """
    fit, asked = part
    given = {} if groups is None else {"groups": groups[fit]}
    fitted = clone(estimator)
    fitted.fit(_safe_indexing(X, fit), y[fit], **find_taken(fitted, given))
    return answer(fitted, _safe_indexing(X, asked))


def answer(fitted, X):
    """Return `source`, `known` and `probability` of images, as of `assess`.

    A classifier without `assess` names every image.
    """
    steps, last = split_last(fitted)
    rows = transform_by(steps, X)
    if hasattr(last, "assess"):
        return last.assess(rows)
    source = last.predict(rows)
    probability = np.full(len(source), np.nan)
    if hasattr(last, "predict_proba"):
        probability = last.predict_proba(rows).max(axis=1)
    known = np.ones(len(source), dtype=bool)
    return Bunch(source=source, known=known, probability=probability)


def _describe_answers(answers, source):
    """Return the row of a report on the answers to images of one source."""
    named, known, probability = (
        np.concatenate([part[key] for part in answers])
        for key in ("source", "known", "probability")
    )
    names, counts = np.unique(named, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {
        "n_images": len(named),
        "right": np.mean(known & (named == source)),
        "wrong": np.mean(known & (named != source)),
        "accepted": np.mean(known),
        "probability": np.mean(probability),
        "named": dict(zip(names[order].tolist(), counts[order].tolist(), strict=True)),
    }

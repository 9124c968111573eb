"""Correlations by source, fingerprint energies, error rates, and reports.

The functions complement the metrics of scikit-learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.utils import (
    Bunch,
    _safe_indexing,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.validation import _num_samples

from skfingerprint._core import (
    as_images,
    block_sizes,
    check_choice,
    check_grey_levels,
    check_labels,
    check_length,
    check_values,
    find_taken,
    list_readers,
    read_by,
    read_images,
    shorten,
    split_last,
    transform_by,
)
from skfingerprint._history import score_history
from skfingerprint.perturbation import DELIVERIES


@dataclass(frozen=True)
class _AcceptedShares:
    """Shares of images that are accepted at each rate, over sources.

    Attributes
    ----------
    mean : ndarray of shape (n_rates,)
        Mean share of the sources; NaN without a source.
    least, most : ndarray of shape (n_rates,)
        Smallest and largest share of a source; NaN without a source.
    least_source, most_source : ndarray of shape (n_rates,)
        Sources with these shares; None without a source.
    """

    mean: np.ndarray
    least: np.ndarray
    least_source: np.ndarray
    most: np.ndarray
    most_source: np.ndarray


def average_correlation_matrix(y_true, scores, classes):
    """Average the correlations of each source's residuals with each fingerprint.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Source of each residual; each of `classes` at least once.
    scores : array-like of shape (n_samples, n_classes)
        Correlations of test residuals with the fingerprints, as returned by
        :func:`skfingerprint.correlation.correlation_matrix`, or PCEs.
    classes : array-like of shape (n_classes,)
        Source of each fingerprint.

    Returns
    -------
    means : ndarray of shape (n_classes, n_classes)
        Mean correlation of the residuals of source A with the fingerprint of source B
        in row A and column B.

    Notes
    -----
    The means are ``mean_i corr(R_i^A, F_B)``, eq. 8 of Marra et al. (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.metrics import average_correlation_matrix
    >>> correlations = np.array([[0.4, 0.0], [0.2, 0.0], [0.1, 0.5]])
    >>> average_correlation_matrix(["a", "a", "b"], correlations, ["a", "b"]).round(2)
    array([[0.3, 0. ], [0.1, 0.5]])
    """
    y_true, scores, classes = _check_scores(y_true, scores, classes)
    _check_known(y_true, classes)
    if absent := np.setdiff1d(classes, y_true).tolist():
        raise ValueError(f"y_true has no residual of {absent}.")
    return np.stack([scores[y_true == name].mean(axis=0) for name in classes])


def same_and_cross_correlations(y_true, scores, classes, *, source=None):
    """Split correlations into same-source and cross-source ones.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Source of each residual.
    scores : array-like of shape (n_samples, n_classes)
        Correlations of test residuals with the fingerprints, or PCEs.
    classes : array-like of shape (n_classes,)
        Source of each fingerprint.
    source : label, default=None
        Source whose residuals are used; by default all sources.

    Returns
    -------
    samples : :class:`~sklearn.utils.Bunch`
        same : ndarray of shape (n,)
            Correlations of residuals with the fingerprint of their own source (eq. 6 of
            Marra et al., 2019).
        cross : ndarray of shape (n * (n_classes - 1),)
            Correlations with the fingerprints of other sources (eq. 7).
        auc : float
            Probability that a same-source correlation exceeds a cross-source one.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.metrics import same_and_cross_correlations
    >>> correlations = np.array([[0.4, 0.0], [0.2, 0.1], [0.1, 0.5]])
    >>> samples = same_and_cross_correlations(["a", "a", "b"], correlations, ["a", "b"])
    >>> samples.same.tolist(), samples.cross.tolist(), samples.auc
    ([0.4, 0.2, 0.5], [0.0, 0.1, 0.1], 1.0)
    """
    from sklearn.metrics import roc_auc_score

    y_true, scores, classes = _check_scores(y_true, scores, classes)
    _check_known(y_true, classes)
    if source is not None:
        if source not in classes or source not in y_true:
            raise ValueError(
                f"source={shorten(source)} is not among y_true and classes."
            )
        scores, y_true = scores[y_true == source], y_true[y_true == source]
    is_same = y_true[:, None] == classes
    return Bunch(
        same=scores[is_same],
        cross=scores[~is_same],
        auc=float(roc_auc_score(is_same.ravel(), scores.ravel())),
    )


def energy_curve(residuals, *, n_images=None, n_draws=10, random_state=None):
    """Compute the energy of fingerprints averaged over increasing numbers of residuals.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, ...)
        Residuals of one source, in grey levels; at least 2.
    n_images : array-like of int, default=None
        Numbers of images, each in 2..n_samples. By default 2, 4, 8, ...
    n_draws : int, default=10
        Number of random choices of images over which each point is averaged.
    random_state : int, RandomState instance or None, default=None
        Seed of the choices.

    Returns
    -------
    curve : :class:`~sklearn.utils.Bunch`
        n_images : ndarray of shape (n_points,)
            Number of images in each mean.
        energy : ndarray of shape (n_points,)
            Mean square of the mean residual, in grey levels squared per pixel.
        unbiased : ndarray of shape (n_points,)
            Energy without the noise, in the same unit: the mean product of the mean
            residuals of two halves of the images, whose noise is independent.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.metrics import energy_curve
    >>> noise = np.random.default_rng(0).normal(size=(64, 10_000))
    >>> curve = energy_curve(2 + noise, random_state=0)
    >>> curve.n_images.tolist()
    [2, 4, 8, 16, 32, 64]
    >>> curve.energy.round(1)
    array([4.5, 4.2, 4.1, 4.1, 4. , 4. ])
    """
    rows = np.asarray(residuals)
    rows = rows.reshape(len(rows), -1)
    if n_images is None:
        n_images = 2 ** np.arange(1, max(2, len(rows)).bit_length())
    n_images = np.asarray(n_images, dtype=int)
    if n_images.size == 0 or n_images.min() < 2 or n_images.max() > len(rows):
        raise ValueError(
            f"n_images must lie in 2..{len(rows)}, the number of residuals, got "
            f"{n_images.tolist()}."
        )
    rng = check_random_state(random_state)
    energy, unbiased = np.zeros((2, len(n_images)))
    for _ in range(n_draws):
        order = rng.permutation(len(rows))
        for point, n in enumerate(n_images):
            first, second = order[: n // 2], order[n // 2 : n]
            means = [rows[part].mean(axis=0, dtype=float) for part in (first, second)]
            # Each image is read once: the mean of all follows from those of the halves.
            whole = (means[0] * len(first) + means[1] * len(second)) / n
            energy[point] += np.mean(np.square(whole)) / n_draws
            unbiased[point] += np.mean(means[0] * means[1]) / n_draws
    return Bunch(n_images=n_images, energy=energy, unbiased=unbiased)


def fit_energy_curve(n_images, energy, *, law="inverse"):
    """Fit the limit of an energy curve by least squares.

    Parameters
    ----------
    n_images : array-like of shape (n_points,)
        Numbers of images; at least two different ones.
    energy : array-like of shape (n_points,)
        Energies, in grey levels squared per pixel.
    law : {"inverse", "exponential"}, default="inverse"
        Law of the curve: ``E_inf + E_0 / n``, which holds for the mean of a fingerprint
        with independent noise, or ``E_inf + E_0 2^-n``, as eq. 4 of Marra et al. (2019)
        is printed.

    Returns
    -------
    fit : :class:`~sklearn.utils.Bunch`
        limit : float
            Energy ``E_inf`` of the fingerprint of infinitely many images.
        noise : float
            Energy ``E_0``; for "inverse" that of the noise in one residual.
        fitted : ndarray of shape (n_points,)
            Energies of the fitted law at `n_images`.
        residual_sum_of_squares : float
            Sum of squared differences of the energies from the fitted law.

    Examples
    --------
    >>> from skfingerprint.metrics import fit_energy_curve
    >>> fit = fit_energy_curve([2, 4, 8], [3.0, 2.0, 1.5])
    >>> round(fit.limit, 6), round(fit.noise, 6)
    (1.0, 4.0)
    """
    n_images, energy = np.asarray(n_images, float), np.asarray(energy, float)
    check_consistent_length(n_images, energy)
    laws = {"inverse": lambda n: 1 / n, "exponential": lambda n: 2.0**-n}
    check_choice("law", law, laws)
    if len(np.unique(n_images)) < 2:
        raise ValueError("n_images must hold at least two different numbers.")
    # Both laws are linear in E_inf and E_0.
    design = np.column_stack([np.ones_like(n_images), laws[law](n_images)])
    (limit, noise), *_ = np.linalg.lstsq(design, energy, rcond=None)
    fitted = design @ (limit, noise)
    return Bunch(
        limit=float(limit),
        noise=float(noise),
        fitted=fitted,
        residual_sum_of_squares=float(np.square(energy - fitted).sum()),
    )


def robustness_curve(estimator, X, y, perturbations, *, scoring=None):
    """Score a fitted estimator on perturbed copies of test images.

    Parameters
    ----------
    estimator : estimator
        Estimator of images, fitted on other images.
    X : array-like of shape (n_samples, height, width[, n_channels])
        Test images in grey levels 0..255; or paths or rows, if a pipeline begins with
        an ImageReader or Unflatten. Copies are made of the images.
    y : array-like of shape (n_samples,)
        Source of each image.
    perturbations : dict of str to transformer
        Perturbations by name; see `skfingerprint.perturbation`. None leaves the images
        unchanged.
    scoring : str or callable, default=None
        Scorer, as in :func:`sklearn.model_selection.cross_val_score`; by default that
        of the estimator.

    Returns
    -------
    curve : :class:`~sklearn.utils.Bunch`
        names : list of str
            Names of the perturbations, in the given order.
        scores : ndarray of shape (n_perturbations,)
            Score under each perturbation.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> from skfingerprint.metrics import robustness_curve
    >>> from skfingerprint.perturbation import GaussianBlur, Shift
    >>> X, y = make_fingerprint_images(120, 3, strength=4, random_state=0)
    >>> pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    >>> pipeline = pipeline.fit(X[:60], y[:60])
    >>> perturbations = {"none": None, "blur 2": GaussianBlur(std=2), "shift": Shift()}
    >>> robustness_curve(pipeline, X[60:], y[60:], perturbations).scores.round(2)
    array([1.  , 0.47, 0.  ])
    """
    from sklearn.metrics import check_scoring

    scorer = check_scoring(estimator, scoring)
    # Readers take images as well: those are made once, and files read on request.
    images = read_by(list_readers(getattr(estimator, "best_estimator_", estimator)), X)
    scores = []
    for change in perturbations.values():
        copies = X if change is None else clone(change).fit_transform(images)
        scores.append(scorer(estimator, copies, y))
    return Bunch(names=list(perturbations), scores=np.array(scores))


def equal_error_rate(y_true, scores):
    """Compute the rate at which false alarms and misses are equally frequent.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True (or 1) for images of the source in question.
    scores : array-like of shape (n_samples,)
        Scores, higher for the source in question.

    Returns
    -------
    rate : float
        Rate in 0..1, interpolated between the points of the ROC curve.

    Examples
    --------
    >>> from skfingerprint.metrics import equal_error_rate
    >>> equal_error_rate([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 6, 4, 5, 7, 8])
    0.25
    """
    from sklearn.metrics import roc_curve

    false_alarms, hits, _ = roc_curve(y_true, scores, drop_intermediate=False)
    # Misses minus false alarms fall from 1 to -1 along the curve, and cross 0 once.
    difference = 1 - hits - false_alarms
    return float(np.interp(0, -difference, false_alarms))


def true_positive_rate_at(y_true, scores, *, false_positive_rate):
    """Compute the largest detection rate within a given false-alarm rate.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True (or 1) for images of the source in question.
    scores : array-like of shape (n_samples,)
        Scores, higher for the source in question.
    false_positive_rate : float
        Largest false-alarm rate, in 0..1. Below one over the number of negatives, a
        single false alarm is one too many.

    Returns
    -------
    rate : float
        True positive rate in 0..1.

    Examples
    --------
    >>> from skfingerprint.metrics import true_positive_rate_at
    >>> y_true, scores = [0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 6, 4, 5, 7, 8]
    >>> true_positive_rate_at(y_true, scores, false_positive_rate=0.1)
    0.5

    In a cross-validation, or a search, of one source against the others:

    >>> from sklearn.metrics import make_scorer
    >>> from sklearn.model_selection import cross_val_score
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> images, y = make_fingerprint_images(120, 3, strength=2, random_state=0)
    >>> residuals = ResidualExtractor().transform(images)
    >>> scorer = make_scorer(
    ...     true_positive_rate_at,
    ...     response_method="decision_function",
    ...     false_positive_rate=0.01,
    ... )
    >>> cross_val_score(
    ...     FingerprintClassifier(), residuals, y == 0, scoring=scorer, cv=3).round(2)
    array([0.77, 0.54, 0.79])
    """
    from sklearn.metrics import roc_curve

    if not 0 <= false_positive_rate <= 1:
        raise ValueError(
            f"false_positive_rate must lie in 0..1, got {shorten(false_positive_rate)}."
        )
    # All points are kept: a dropped one may be the last within the rate.
    false_alarms, hits, _ = roc_curve(y_true, scores, drop_intermediate=False)
    return float(hits[false_alarms <= false_positive_rate].max())


def log_likelihood_ratio_cost(y_true, log10_ratios, *, minimum=False):
    """Compute the log-likelihood-ratio cost (Cllr) of likelihood ratios.

    It is 0 for ratios that are infinitely right, and 1 for ratios that are always 1 and
    so say nothing. Ratios with a cost above 1 mislead more than they inform.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True (or 1) if the source in question made the image, False (or 0) if anything
        else did.
    log10_ratios : array-like of shape (n_samples,)
        Logarithms to base 10 of the likelihood ratios, as in
        :meth:`skfingerprint.RejectingClassifier.assess`. They may be infinite.
    minimum : bool, default=False
        Whether to compute the cost of the best increasing function of the ratios, by
        the pool-adjacent-violators algorithm. It measures how well the ratios
        distinguish, and the difference of both costs how well they are calibrated.

    Returns
    -------
    cost : float
        Cost in bits, >= 0. Both kinds of images weigh the same, however many there are.

    Raises
    ------
    ValueError
        If a ratio is NaN, or if all images are of one kind.

    Notes
    -----
    The cost is ``(mean_1 log2(1 + 1 / LR) + mean_0 log2(1 + LR)) / 2`` with means over
    the images that the source in question made, and over all others [1]_.

    References
    ----------
    .. [1] N. Bruemmer, J. du Preez, "Application-independent evaluation of speaker
       detection", Computer Speech & Language, 2006.
       :doi:`10.1016/j.csl.2005.08.001`

    Examples
    --------
    >>> from skfingerprint.metrics import log_likelihood_ratio_cost
    >>> y_true, ratios = [1, 1, 1, 0, 0, 0], [2.0, 1.0, -0.5, 0.5, -1.0, -2.0]
    >>> print(f"{log_likelihood_ratio_cost(y_true, ratios):.3f}")
    0.736
    >>> print(f"{log_likelihood_ratio_cost(y_true, ratios, minimum=True):.3f}")
    0.333

    Ratios of 1 have a cost of one bit:

    >>> log_likelihood_ratio_cost([1, 0], [0.0, 0.0])
    1.0
    """
    is_own, logs = _check_ratios(y_true, log10_ratios)
    logs = logs * np.log(10)
    if minimum:
        logs = _recalibrate(is_own, logs)
    costs = np.logaddexp(0, -logs[is_own]).mean(), np.logaddexp(0, logs[~is_own]).mean()
    return float(np.mean(costs) / np.log(2))


def _recalibrate(is_own, logs):
    """Return the logarithms of the best ratios that do not fall with the given ones."""
    from sklearn.isotonic import IsotonicRegression

    weights = np.where(is_own, 0.5 / is_own.sum(), 0.5 / (~is_own).sum())
    # Only the order counts, and ranks are finite.
    ranks = np.unique(logs, return_inverse=True)[1]
    shares = IsotonicRegression(y_min=0, y_max=1).fit_transform(
        ranks, is_own.astype(float), sample_weight=weights
    )
    with np.errstate(divide="ignore"):
        return np.log(shares) - np.log1p(-shares)


def _check_ratios(y_true, log10_ratios):
    """Return a mask of the images that the source made, and the log10 ratios."""
    y_true, logs = map(np.asarray, (y_true, log10_ratios))
    check_consistent_length(y_true, logs)
    if logs.ndim != 1 or y_true.ndim != 1 or np.isnan(logs.astype(float)).any():
        raise ValueError(
            "y_true and log10_ratios must be of shape (n_samples,), without NaN: a "
            "detector that knows nothing of other sources gives no likelihood ratios."
        )
    if not np.array_equal(np.unique(y_true), [0, 1]):
        raise ValueError(
            "y_true must hold both True, for images that the source made, and False, "
            f"for all others, got {shorten(np.unique(y_true).tolist())}."
        )
    return y_true.astype(bool), logs.astype(float)


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
        _share_by_source(y_true[part], accepted[part]) for part in (is_known, ~is_known)
    )
    # An image is attributed rightly or wrongly only at the rates that accept it.
    rights, wrongs = (
        _share_by_source(y_true[is_known], accepted[is_known] * named[is_known, None])
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
    return _answer(fitted, _safe_indexing(X, asked))


def _answer(fitted, X):
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
    answers = [_answer(fitted, X)]
    for change in deliveries.values():
        answers.append(_answer(fitted, clone(change).fit_transform(images)))
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
        _share_by_source(truth, part)
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


def jpeg_history(images):
    """Score how clearly the pixels of images show an earlier JPEG compression.

    JPEG sets most high frequencies of its blocks of 8x8 pixels to zero, and they stay
    near zero after decoding, if blocks are cut where JPEG cut them. An image that never
    was a JPEG file has as many near zero wherever its blocks begin. The score compares
    the best of the 64 possible grids with the others, so that it also recognizes images
    that were cropped after decoding. Resizing, blur and noise remove the trace.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width[, n_channels]) or list
        Images in grey levels 0..255, grey or RGB; they may differ in size, and may be
        a dask array, of which one block at a time is computed.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Scores, >= 0. Values above 6 are rare without an earlier compression; see the
        Notes. NaN for images with a side below 32 pixels, which have too few blocks.

    Raises
    ------
    ValueError
        If the images are not grey or RGB images in grey levels 0..255.

    Notes
    -----
    For each grid the share p of near-zero coefficients (magnitude below 0.6 grey
    levels) is counted among those of the orthonormal discrete cosine transform of luma
    with frequencies ``u + v >= 5``. With the median m of p over the grids, the score is
    ``(max p - m) / (median |p - m| + 0.003)``. Zeros are counted on each grid in [1]_,
    too, where a statistical test takes the place of the spread over the grids.

    Only the central 128x128 pixels are used, so that scores of large images can be
    compared and cost the same. The page :ref:`evaluation` has the error rates.

    References
    ----------
    .. [1] T. Nikoukhah, J. Anger, M. Colom, J.-M. Morel, R. Grompone von Gioi, "ZERO: a
       Local JPEG Grid Origin Detector Based on the Number of DCT Zeros and its
       Applications in Image Forensics", Image Processing On Line, 2021.
       :doi:`10.5201/ipol.2021.390`

    Examples
    --------
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.metrics import jpeg_history
    >>> from skfingerprint.perturbation import JPEGCompression
    >>> images = load_generators().images[::40]
    >>> print(f"{jpeg_history(images).max():.1f}")
    3.6
    >>> compressed = JPEGCompression(quality=85).fit_transform(images)
    >>> print(f"{jpeg_history(compressed).min():.1f}")
    7.8
    """
    X, scores, start = as_images(images), [], 0
    if getattr(X, "ndim", 4) not in (3, 4):
        raise ValueError(
            "images must have shape (n_samples, height, width[, n_channels]), got "
            f"{X.shape}; a single image is images[np.newaxis]."
        )
    for k, size in enumerate(block_sizes(X)):
        block = read_images(X, k, slice(start, start + size))
        for number, image in enumerate(block, start):
            _check_image(image, number)
            scores.append(score_history(image))
        start += size
    return np.array(scores)


def _share_by_source(y, accepted):
    """Compute the mean, smallest and largest accepted share of the sources.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Source of each image.
    accepted : ndarray of shape (n_samples, n_rates)
        Whether each image is accepted at each rate.

    Returns
    -------
    shares : _AcceptedShares
    """
    names, members = np.unique(y, return_inverse=True)
    n_rates = accepted.shape[1]
    if not len(names):
        nothing, nobody = np.full(n_rates, np.nan), np.full(n_rates, None)
        return _AcceptedShares(nothing, nothing, nobody, nothing, nobody)
    shares = np.stack([accepted[members == k].mean(axis=0) for k in range(len(names))])
    return _AcceptedShares(
        mean=shares.mean(axis=0),
        least=shares.min(axis=0),
        least_source=names[shares.argmin(axis=0)],
        most=shares.max(axis=0),
        most_source=names[shares.argmax(axis=0)],
    )


def _check_scores(y_true, scores, classes):
    """Validate labels, scores and classes, and return them as arrays.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Source of each image.
    scores : array-like of shape (n_samples, n_classes)
        Score of each image for each source.
    classes : array-like of shape (n_classes,)
        Source of each column.

    Returns
    -------
    y_true, scores, classes : ndarray
    """
    y_true, scores, classes = map(np.asarray, (y_true, scores, classes))
    if y_true.ndim != 1:
        raise ValueError(
            f"y_true must have shape (n_samples,), got {y_true.shape}: the order of "
            "arguments is (y_true, scores, classes)."
        )
    if scores.shape != (len(y_true), len(classes)):
        raise ValueError(
            "scores must have shape (n_samples, n_classes) = "
            f"{len(y_true), len(classes)}, got {scores.shape}."
        )
    return y_true, scores, classes


def _check_known(y_true, classes):
    """Raise ValueError if a label is not among the classes."""
    if unknown := np.setdiff1d(y_true, classes).tolist():
        raise ValueError(f"y_true holds {unknown}, which are not in classes.")


def _check_image(image, number):
    """Raise ValueError for anything but a grey or RGB image in grey levels 0..255."""
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            f"image {number} must be grey or RGB, shape (height, width) or (height, "
            f"width, 3), got {image.shape}."
        )
    check_values(image[np.newaxis], number)
    check_grey_levels(image[np.newaxis], "images", [number])

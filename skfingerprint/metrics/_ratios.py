"""The cost of likelihood ratios."""

import numpy as np

from skfingerprint._core import check_ratios


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
    is_own, logs = check_ratios(y_true, log10_ratios)
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

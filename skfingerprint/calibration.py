"""Probabilities from scores: temperature scaling that never reaches certainty.

The scores are those of images that the classifier was not fitted on, so that they err
as often as those of new images.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.utils import check_consistent_length

from skfingerprint.thresholds import _weighted_quantile

# The pseudo-error has the margin that this share of the held-out margins do not exceed.
MARGIN_SHARE = 0.05
# Bounds of the logarithm of the inverse temperature, for scores of unit spread.
LOG_BOUNDS = (-12.0, 12.0)


def fit_temperature(scores, y, *, sample_weight=None):
    """Fit the inverse temperature of scores, which stays finite without errors.

    The likelihood of the images is multiplied by that of one further error: if the
    scores separate the sources, that of the images alone does not have a maximum.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_classes)
        Scores of held-out images for at least two classes.
    y : array-like of shape (n_samples,), int
        Column of the true class of each image.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0.

    Returns
    -------
    inverse_temperature : float
        Factor > 0: the probabilities are ``softmax(inverse_temperature * scores)``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a score is not finite.

    Notes
    -----
    The function minimizes ``sum_i -w_i log softmax(b s_i)[y_i] + log(1 + exp(b m))``
    over b. The last term is an image whose second-best class is true, at a margin m
    between the two largest scores that 5 % of the held-out margins do not exceed.
    Temperature scaling was proposed in [1]_.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural
       Networks", ICML, 2017. :doi:`10.48550/arXiv.1706.04599`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.calibration import fit_temperature, temper
    >>> scores = np.array([[9.0, 0.0], [7.0, 1.0], [0.0, 8.0], [1.0, 9.0]])
    >>> inverse_temperature = fit_temperature(scores, [0, 0, 1, 1])
    >>> print(f"{inverse_temperature:.2f}")
    0.22
    >>> temper(inverse_temperature * scores[:1], n_images=4).round(2)
    array([[0.8, 0.2]])
    """
    scores, y = np.asarray(scores, dtype=np.float64), np.asarray(y)
    weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
    if scores.ndim != 2 or scores.shape[1] < 2 or not np.isfinite(scores).all():
        raise ValueError(
            "scores must be finite and of shape (n_samples, n_classes), with at least "
            f"two classes, got shape {scores.shape}."
        )
    check_consistent_length(scores, y, weights)
    best = np.partition(scores, -2, axis=1)[:, -2:]
    margins = best[:, 1] - best[:, 0]
    error = _weighted_quantile(margins, MARGIN_SHARE, weights)
    # In units of the mean spread the bounds of the search suit scores of any scale.
    unit = np.average(scores.max(axis=1) - scores.min(axis=1), weights=weights) or 1.0
    truth = np.arange(len(y)), y

    def loss(log_inverse):
        inverse = np.exp(log_inverse) / unit
        likelihood = weights @ log_softmax(inverse * scores, axis=1)[truth]
        return np.logaddexp(0, inverse * error) - likelihood

    found = minimize_scalar(loss, bounds=LOG_BOUNDS, method="bounded")
    return float(np.exp(found.x) / unit)


def temper(scores, *, n_images):
    """Compute probabilities that are never 0 or 1.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_classes)
        Scores multiplied by the inverse temperature.
    n_images : float
        Number of training images, perturbed copies not counted.

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes)
        Probabilities, which add up to 1 in each row.

    Notes
    -----
    The probabilities are ``(1 - e) softmax(s) + e / K`` with ``e = 1 / (n_images + 1)``
    and K classes: after n images without an error, the next image is an error with a
    probability of about 1 / n.
    """
    share = 1 / (n_images + 1)
    probabilities = softmax(np.asarray(scores, dtype=np.float64), axis=1)
    return (1 - share) * probabilities + share / probabilities.shape[1]

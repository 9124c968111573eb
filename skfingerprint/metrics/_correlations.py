"""Correlations of images with the fingerprints, by source."""

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._core import check_scores, shorten


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
    y_true, scores, classes = check_scores(y_true, scores, classes)
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

    y_true, scores, classes = check_scores(y_true, scores, classes)
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


def _check_known(y_true, classes):
    """Raise ValueError if a label is not among the classes."""
    if unknown := np.setdiff1d(y_true, classes).tolist():
        raise ValueError(f"y_true holds {unknown}, which are not in classes.")

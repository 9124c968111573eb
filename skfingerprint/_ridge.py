"""Ridge regression, and its predictions for rows that are left out."""

import numpy as np
from scipy import linalg
from sklearn.utils import Bunch


def fit_ridge(rows, targets, weights, alpha):
    """Fit a ridge regression with an intercept.

    Minimises ``sum_i w_i |t_i - b - B x_i|^2 + alpha |B|^2``.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        Of a float dtype, in which their products are computed.
    targets : ndarray of shape (n_rows, n_targets)
        What to predict.
    weights : ndarray of shape (n_rows,)
        Of the rows, > 0.
    alpha : float
        Penalty, > 0.

    Returns
    -------
    ridge : Bunch
        `coef` (n_columns, n_targets), `intercept` (n_targets,), and what
        :func:`predict_without` needs.
    """
    roots = np.sqrt(weights)
    center = np.average(rows, axis=0, weights=weights).astype(rows.dtype)
    middle = np.average(targets, axis=0, weights=weights)
    rows = (rows - center) * roots[:, np.newaxis].astype(rows.dtype)
    targets = (targets - middle) * roots[:, np.newaxis]
    n_rows, n_columns = rows.shape
    if n_rows <= n_columns:
        inverse = _invert(_multiply(rows), alpha)
        dual = inverse @ targets
        coef = rows.T @ dual.astype(rows.dtype)
        errors, factors = alpha * dual, None
        # The identity less the hat matrix, without the intercept's part of that.
        inverse *= alpha
    else:
        inverse = _invert(_multiply(rows.T), alpha)
        coef = inverse @ (rows.T @ targets.astype(rows.dtype))
        errors, factors = targets - rows @ coef, rows
    return Bunch(
        coef=coef,
        intercept=middle - center @ coef,
        targets=targets / roots[:, np.newaxis] + middle,
        roots=roots,
        errors=errors,
        inverse=inverse,
        factors=factors,
    )


def predict_without(ridge, left_out):
    """Return the predictions for rows of a ridge that they are left out of.

    Parameters
    ----------
    ridge : Bunch
        Of :func:`fit_ridge`.
    left_out : ndarray of shape (n_left_out,), int
        Indices of the rows, all of which are left out together.

    Returns
    -------
    predictions : ndarray of shape (n_left_out, n_targets)

    Notes
    -----
    ``t - (I - H)^-1 e`` with the errors e of the fit and the block of the hat matrix H:
    the prediction sum of squares (PRESS), for several rows at once. No fit is needed.
    """
    roots = ridge.roots[left_out]
    if ridge.factors is None:
        block = ridge.inverse[np.ix_(left_out, left_out)]
    else:
        own = ridge.factors[left_out]
        block = np.eye(len(own)) - own @ ridge.inverse @ own.T
    block -= np.outer(roots, roots) / (ridge.roots @ ridge.roots)
    found = linalg.solve(
        block, ridge.errors[left_out], assume_a="pos", overwrite_a=True
    )
    return ridge.targets[left_out] - found / roots[:, np.newaxis]


def _multiply(rows):
    """Return `rows @ rows.T` in float64; its upper triangle is not filled."""
    multiply = linalg.get_blas_funcs("syrk", dtype=rows.dtype)
    return multiply(1, rows.T, trans=1, lower=1).astype(np.float64)


def _invert(lower, alpha):
    """Return the inverse of a symmetric matrix plus a multiple of the identity."""
    lower.flat[:: len(lower) + 1] += alpha
    factorise, invert = linalg.get_lapack_funcs(("potrf", "potri"), dtype=np.float64)
    lower, _ = factorise(lower, lower=1, overwrite_a=1)
    lower, _ = invert(lower, lower=1, overwrite_c=1)
    lower += np.tril(lower, -1).T
    return lower

"""Ridge regression, and its predictions for rows that are held out."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg


@dataclass(frozen=True)
class Ridge:
    """A fitted ridge regression, with the arrays for its held-out predictions.

    Rows and targets are centered and multiplied by the roots of their weights. H is the
    hat matrix of these rows without the intercept.

    Attributes
    ----------
    coef : ndarray of shape (n_columns, n_targets)
        Coefficients.
    intercept : ndarray of shape (n_targets,)
        Intercepts.
    targets : ndarray of shape (n_rows, n_targets)
        The targets as they were given.
    roots : ndarray of shape (n_rows,)
        Square roots of the weights.
    errors : ndarray of shape (n_rows, n_targets)
        Targets minus fitted values, times `roots`.
    inverse : ndarray of shape (n_rows, n_rows) or (n_columns, n_columns)
        ``I - H`` with at most as many rows as columns, otherwise
        ``(X'X + alpha I)^-1``.
    factors : ndarray of shape (n_rows, n_columns) or None
        The rows X, if `inverse` is that of their columns.
    """

    coef: np.ndarray
    intercept: np.ndarray
    targets: np.ndarray
    roots: np.ndarray
    errors: np.ndarray
    inverse: np.ndarray
    factors: np.ndarray | None


def fit_ridge(rows, targets, weights, alpha):
    """Fit a ridge regression with an intercept.

    It minimizes ``sum_i w_i |t_i - b - B x_i|^2 + alpha |B|^2``.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        Rows, of the float dtype in which their products are computed.
    targets : ndarray of shape (n_rows, n_targets)
        Values to predict.
    weights : ndarray of shape (n_rows,)
        Weights of the rows, > 0.
    alpha : float
        Penalty, > 0.

    Returns
    -------
    ridge : Ridge
    """
    # Weighted least squares are those of rows and targets times the roots of weights,
    # once both are centered by weighted means, which takes the place of the intercept.
    roots = np.sqrt(weights)
    center = np.average(rows, axis=0, weights=weights).astype(rows.dtype)
    middle = np.average(targets, axis=0, weights=weights)
    rows = (rows - center) * roots[:, np.newaxis].astype(rows.dtype)
    targets = (targets - middle) * roots[:, np.newaxis]
    n_rows, n_columns = rows.shape
    if n_rows <= n_columns:
        # Dual form: with G = X X' + alpha I the coefficients are X' G^-1 t, the errors
        # alpha G^-1 t, and I - H = alpha G^-1.
        inverse = _invert(_multiply(rows), alpha)
        dual = inverse @ targets
        coef = rows.T @ dual.astype(rows.dtype)
        errors, factors = alpha * dual, None
        inverse *= alpha
    else:
        inverse = _invert(_multiply(rows.T), alpha)
        coef = inverse @ (rows.T @ targets.astype(rows.dtype))
        errors, factors = targets - rows @ coef, rows
    return Ridge(
        coef=coef,
        intercept=middle - center @ coef,
        targets=targets / roots[:, np.newaxis] + middle,
        roots=roots,
        errors=errors,
        inverse=inverse,
        factors=factors,
    )


def predict_without(ridge, fold, groups=()):
    """Predict rows by the regression that would have been fitted without them.

    Parameters
    ----------
    ridge : Ridge
        Fitted by :func:`fit_ridge`.
    fold : ndarray of shape (n_fold,), int
        Indices of the rows that are held out together.
    groups : sequence of ndarray of int
        Further rows to hold out, one group after the other, each together with the
        fold.

    Returns
    -------
    predictions : ndarray of shape (n_fold, n_targets)
        Predictions for the fold without the fold.
    by_group : list of ndarray
        Predictions without the fold and the group, for the rows of the group that are
        in the fold, in the order of the fold.

    Notes
    -----
    With the errors e of the fit and the block of the hat matrix H for the held-out
    rows, the predictions are ``t - (I - H)^-1 e``, the residuals of the prediction sum
    of squares (PRESS) for several rows at once [1]_. No further fit is needed. The
    block of a fold and a group is solved by that of the fold, which is factorized once,
    and a Schur complement.

    References
    ----------
    .. [1] D. M. Allen, "The Relationship Between Variable Selection and Data
       Augmentation and a Method for Prediction", Technometrics, 1974.
       :doi:`10.1080/00401706.1974.10489157`
    """
    beside = _find_blocks(ridge, fold, np.arange(len(ridge.roots)))
    factor = linalg.cho_factor(beside[:, fold], lower=True, check_finite=False)
    errors = linalg.cho_solve(factor, ridge.errors[fold], check_finite=False)
    solved = linalg.cho_solve(factor, beside, check_finite=False)
    by_group = []
    for group in groups:
        # The system for fold and rest is [[A, B'], [B, C]], and A is factorized: the
        # Schur complement C - B A^-1 B' solves the rest.
        inside, rest = np.isin(fold, group), np.setdiff1d(group, fold)
        block = _find_blocks(ridge, rest, rest) - beside[:, rest].T @ solved[:, rest]
        left = ridge.errors[rest] - beside[:, rest].T @ errors
        found = np.linalg.solve(block, left)
        found = errors[inside] - solved[np.ix_(inside, rest)] @ found
        by_group.append(_restore(ridge, fold[inside], found))
    return _restore(ridge, fold, errors), by_group


def _find_blocks(ridge, rows, columns):
    """Compute rows and columns of I minus the hat matrix, intercept included.

    The intercept adds ``r r' / r'r`` to the hat matrix, with the roots r of weights.
    """
    if ridge.factors is None:
        block = ridge.inverse[np.ix_(rows, columns)]
    else:
        block = -ridge.factors[rows] @ ridge.inverse @ ridge.factors[columns].T
        block[np.equal.outer(rows, columns)] += 1
    roots = ridge.roots
    return block - np.outer(roots[rows], roots[columns]) / (roots @ roots)


def _restore(ridge, rows, errors):
    """Compute predictions from held-out errors, in the unit of the targets."""
    return ridge.targets[rows] - errors / ridge.roots[rows, np.newaxis]


def _multiply(rows):
    """Compute the lower triangle of `rows @ rows.T` in float64."""
    multiply = linalg.get_blas_funcs("syrk", dtype=rows.dtype)
    return multiply(1, rows.T, trans=1, lower=1).astype(np.float64)


def _invert(lower, alpha):
    """Invert a symmetric matrix plus `alpha` times the identity, by Cholesky."""
    # The inverse itself is needed, since blocks of it are read: potri makes it from the
    # factor in place.
    lower.flat[:: len(lower) + 1] += alpha
    factorize, invert = linalg.get_lapack_funcs(("potrf", "potri"), dtype=np.float64)
    lower, _ = factorize(lower, lower=1, overwrite_a=1)
    lower, _ = invert(lower, lower=1, overwrite_c=1)
    lower += np.tril(lower, -1).T
    return lower

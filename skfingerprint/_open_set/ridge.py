"""Ridge regression, and its predictions for rows that are left out."""

import numpy as np
from scipy import linalg
from sklearn.utils import Bunch


def fit_ridge(rows, targets, weights, alpha):
    """Fit a ridge regression with an intercept.

    Minimizes ``sum_i w_i |t_i - b - B x_i|^2 + alpha |B|^2``.

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


def predict_without(ridge, fold, groups=()):
    """Return what a ridge without some of its rows would predict for them.

    Parameters
    ----------
    ridge : Bunch
        Of :func:`fit_ridge`.
    fold : ndarray of shape (n_fold,), int
        Indices of the rows that are left out together.
    groups : sequence of ndarray of int
        Further rows that are left out, one group after the other, each together with
        the fold.

    Returns
    -------
    predictions : ndarray of shape (n_fold, n_targets)
        Without the fold.
    of_groups : list of ndarray
        Without the fold and the group: of the group's rows that are in the fold, in the
        order of the fold.

    Notes
    -----
    ``t - (I - H)^-1 e`` with the errors e of the fit and the block of the hat matrix H:
    the prediction sum of squares (PRESS), for several rows at once. No fit is needed.
    The block of a fold and a group is solved by that of the fold, which is factorized
    once, and a Schur complement.
    """
    beside = _find_blocks(ridge, fold, np.arange(len(ridge.roots)))
    factor = linalg.cho_factor(beside[:, fold], lower=True, check_finite=False)
    errors = linalg.cho_solve(factor, ridge.errors[fold], check_finite=False)
    solved = linalg.cho_solve(factor, beside, check_finite=False)
    of_groups = []
    for group in groups:
        inside, rest = np.isin(fold, group), np.setdiff1d(group, fold)
        block = _find_blocks(ridge, rest, rest) - beside[:, rest].T @ solved[:, rest]
        left = ridge.errors[rest] - beside[:, rest].T @ errors
        found = np.linalg.solve(block, left)
        found = errors[inside] - solved[np.ix_(inside, rest)] @ found
        of_groups.append(_restore(ridge, fold[inside], found))
    return _restore(ridge, fold, errors), of_groups


def _find_blocks(ridge, rows, columns):
    """Return rows and columns of the identity less the hat matrix."""
    if ridge.factors is None:
        block = ridge.inverse[np.ix_(rows, columns)]
    else:
        block = -ridge.factors[rows] @ ridge.inverse @ ridge.factors[columns].T
        block[np.equal.outer(rows, columns)] += 1
    roots = ridge.roots
    return block - np.outer(roots[rows], roots[columns]) / (roots @ roots)


def _restore(ridge, rows, errors):
    return ridge.targets[rows] - errors / ridge.roots[rows, np.newaxis]


def _multiply(rows):
    """Return `rows @ rows.T` in float64; its upper triangle is not filled."""
    multiply = linalg.get_blas_funcs("syrk", dtype=rows.dtype)
    return multiply(1, rows.T, trans=1, lower=1).astype(np.float64)


def _invert(lower, alpha):
    """Return the inverse of a symmetric matrix plus a multiple of the identity."""
    lower.flat[:: len(lower) + 1] += alpha
    factorize, invert = linalg.get_lapack_funcs(("potrf", "potri"), dtype=np.float64)
    lower, _ = factorize(lower, lower=1, overwrite_a=1)
    lower, _ = invert(lower, lower=1, overwrite_c=1)
    lower += np.tril(lower, -1).T
    return lower

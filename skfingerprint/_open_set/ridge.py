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
    inverse : ndarray of shape (n_rows, n_rows) or (n_columns + 1, n_columns + 1)
        ``I - H`` without the intercept, with at most as many rows as columns. Otherwise
        ``(Z'Z + alpha D)^-1`` for the rows Z of `factors`, of which the first column is
        not penalized.
    factors : ndarray of shape (n_rows, n_columns + 1) or None
        The roots of the weights at unit norm, for the intercept, and the rows, if there
        are more rows than columns.
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
        # Weighted rows are orthogonal to the roots of the weights, so that the column
        # of the intercept stands alone in the inverse.
        errors, inverse = targets - rows @ coef, linalg.block_diag(1, inverse)
        factors = np.column_stack([roots / np.linalg.norm(roots), rows])
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
    of squares (PRESS) for several rows at once [1]_. No further fit is needed.

    References
    ----------
    .. [1] D. M. Allen, "The Relationship Between Variable Selection and Data
       Augmentation and a Method for Prediction", Technometrics, 1974.
       :doi:`10.1080/00401706.1974.10489157`
    """
    hold_out = _hold_out_rows if ridge.factors is None else _hold_out_columns
    errors, hold_out_group = hold_out(ridge, fold)
    by_group = []
    for group in groups:
        inside, rest = np.isin(fold, group), np.setdiff1d(group, fold)
        by_group.append(_restore(ridge, fold[inside], hold_out_group(inside, rest)))
    return _restore(ridge, fold, errors), by_group


def _hold_out_rows(ridge, fold):
    """Hold out rows by the hat matrix, with at most as many rows as columns.

    Parameters
    ----------
    ridge : Ridge
        The regression.
    fold : ndarray of shape (n_fold,), int
        Rows to hold out.

    Returns
    -------
    errors : ndarray of shape (n_fold, n_targets)
        Their held-out errors.
    hold_out_group : callable
        `hold_out_group(inside, rest)` returns the held-out errors of a mask of the fold
        if further rows are held out, too.
    """
    # I - H, with the part r r' / r'r of the intercept for the roots r of the weights.
    roots = ridge.roots
    beside = ridge.inverse[fold] - np.outer(roots[fold], roots) / (roots @ roots)
    factor = linalg.cho_factor(beside[:, fold], lower=True, check_finite=False)
    errors = linalg.cho_solve(factor, ridge.errors[fold], check_finite=False)
    solved = linalg.cho_solve(factor, beside, check_finite=False)

    def hold_out_group(inside, rest):
        # The system for fold and rest is [[A, B'], [B, C]], and A is factorized: the
        # Schur complement C - B A^-1 B' solves the rest.
        block = ridge.inverse[np.ix_(rest, rest)]
        block = block - np.outer(roots[rest], roots[rest]) / (roots @ roots)
        block -= beside[:, rest].T @ solved[:, rest]
        left = ridge.errors[rest] - beside[:, rest].T @ errors
        found = np.linalg.solve(block, left)
        return errors[inside] - solved[np.ix_(inside, rest)] @ found

    return errors, hold_out_group


def _hold_out_columns(ridge, fold):
    """Hold out rows by the inverse of the columns, with more rows than columns.

    Its time grows with the number of rows, not with the product of fold and rows.

    Parameters
    ----------
    ridge, fold
        As in :func:`_hold_out_rows`.

    Returns
    -------
    errors, hold_out_group
        As in :func:`_hold_out_rows`.
    """
    rows, own = ridge.factors, ridge.factors[fold]
    # Woodbury: with P = (Z'Z + alpha D)^-1 and the rows F of the fold, the inverse
    # without the fold is P + P F' (I - F P F')^-1 F P.
    half = ridge.inverse @ own.T
    beside = np.eye(len(fold)) - own @ half
    factor = linalg.cho_factor(beside, lower=True, check_finite=False)
    errors = linalg.cho_solve(factor, ridge.errors[fold], check_finite=False)
    inverse = ridge.inverse + half @ linalg.cho_solve(factor, half.T)
    # Without the fold the coefficients change by -P F' errors, and so do all errors.
    left = ridge.errors + rows @ (half @ errors)

    def hold_out_group(inside, rest):
        cross = rows[rest] @ inverse
        found = np.linalg.solve(np.eye(len(rest)) - cross @ rows[rest].T, left[rest])
        return errors[inside] + (own[inside] @ cross.T) @ found

    return errors, hold_out_group


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
    lower, failed = factorize(lower, lower=1, overwrite_a=1)
    if failed:
        raise linalg.LinAlgError("the products of rows are not positive definite")
    lower, _ = invert(lower, lower=1, overwrite_c=1)
    lower += np.tril(lower, -1).T
    return lower

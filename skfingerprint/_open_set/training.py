"""Rows that a detector learns from, and the scores that it learns from them."""

from dataclasses import dataclass, replace

import numpy as np

from skfingerprint._attribution import find_scale

# A detector learns from at most so many rows of one source, of all sources and of the
# background, for each condition: the time of a ridge regression grows with their cube.
ROWS_A_SOURCE = 100
MAX_ROWS = 1600
MAX_BACKGROUND = 400
# Least squared distance, before its logarithm is taken.
SMALLEST = 1e-12


@dataclass(frozen=True)
class TrainingRows:
    """Rows of features, and all that is known of each.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Features.
    members : ndarray of shape (n_rows,), int
        Number of the source of each row. Numbers from `n_sources` on stand for further
        classes, which are never an answer, and -1 for the background.
    conditions : ndarray of shape (n_rows,), int
        Number of the condition of each row; 0 for unprocessed images.
    weights : ndarray of shape (n_rows,)
        Weights, > 0.
    folds : ndarray of shape (n_rows,), int
        Fold that holds out each row.
    n_conditions : int
        Number of conditions.
    """

    rows: np.ndarray
    members: np.ndarray
    conditions: np.ndarray
    weights: np.ndarray
    folds: np.ndarray
    n_conditions: int

    def select(self, where):
        """Return the rows at which a mask or an index array holds."""
        arrays = ("rows", "members", "conditions", "weights", "folds")
        return replace(self, **{name: getattr(self, name)[where] for name in arrays})


@dataclass(frozen=True)
class Scores:
    """Scores of rows of known sources.

    Attributes
    ----------
    scores : ndarray of shape (n_rows,)
        The larger, the nearer a row is to a source.
    sources : ndarray of shape (n_rows,), int
        Number of the true source of each row.
    weights : ndarray of shape (n_rows,)
        Weights of the rows.
    """

    scores: np.ndarray
    sources: np.ndarray
    weights: np.ndarray


def take_scores(data, scores, where, n_sources):
    """Select the scores of rows of known sources.

    Parameters
    ----------
    data : TrainingRows
        The rows that were scored.
    scores : ndarray of shape (n_rows,)
        Score of each of them.
    where : ndarray of shape (n_rows,), bool
        The rows to select from.
    n_sources : int
        Number of known sources.

    Returns
    -------
    selected : Scores
    """
    where = where & (data.members < n_sources)
    return Scores(scores[where], data.members[where], data.weights[where])


def join_scores(parts):
    """Concatenate several records of scores."""
    names = ("scores", "sources", "weights")
    return Scores(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def draw_rows(members, conditions, weights):
    """Select the rows that a detector learns from, some of each source and condition.

    A draw from the drawn rows selects all of them, so that a caller may keep these rows
    alone.

    Parameters
    ----------
    members : ndarray of shape (n_rows,), int
        Number of the source of each row, -1 for the background.
    conditions : ndarray of shape (n_rows,), int
        Number of the condition of each row.
    weights : ndarray of shape (n_rows,)
        Weights; rows of weight 0 are not selected.

    Returns
    -------
    places : ndarray of int
        Sorted indices of the selected rows.
    """
    n_sources = members.max() + 1
    limits = np.full(n_sources + 1, min(ROWS_A_SOURCE, max(MAX_ROWS // n_sources, 8)))
    limits[n_sources] = MAX_BACKGROUND  # the background, by its index of -1
    order = np.random.default_rng(0).permutation(np.flatnonzero(weights))
    cells = conditions[order] * (n_sources + 1) + members[order] + 1
    order = order[np.argsort(cells, kind="stable")]
    cells.sort()
    # Rank of each row within its cell of one source and one condition.
    ranks = np.arange(len(cells)) - np.searchsorted(cells, cells)
    return np.sort(order[ranks < limits[members[order]]])


def standardize(rows, weights):
    """Compute the mean and the standard deviation of each column, of weighted rows."""
    center = np.average(rows, axis=0, weights=weights)
    variances = np.average(np.square(rows - center), axis=0, weights=weights)
    return center.astype(rows.dtype), find_scale(variances).astype(rows.dtype)

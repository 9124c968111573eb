"""Rows that a detector learns from, and the scores that it learns from them."""

from dataclasses import dataclass, fields, replace

import numpy as np

from skfingerprint._attribution import find_scale

# A detector learns from at most so many rows of one source, of all sources and of the
# background, for each condition: the time of a ridge regression grows with their cube.
ROWS_A_SOURCE = 100
MAX_ROWS = 1600
MAX_BACKGROUND = 400
MAX_IMITATIONS = 600
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
        classes, which are never an answer, and -1 for the background and imitations.
    conditions : ndarray of shape (n_rows,), int
        Number of the condition of each row; 0 for unprocessed images.
    weights : ndarray of shape (n_rows,)
        Weights, > 0.
    folds : ndarray of shape (n_rows,), int
        Fold that holds out each row.
    kinds : ndarray of shape (n_rows,), int
        Kind of imitation of each row, -1 for an image.
    makers : ndarray of shape (n_rows,), int
        Number of the imitation generator of each row, -1 for an image.
    n_conditions : int
        Number of conditions.
    """

    rows: np.ndarray
    members: np.ndarray
    conditions: np.ndarray
    weights: np.ndarray
    folds: np.ndarray
    kinds: np.ndarray
    makers: np.ndarray
    n_conditions: int

    def select(self, where):
        """Return the rows at which a mask or an index array holds."""
        arrays = [f.name for f in fields(self) if f.name != "n_conditions"]
        return replace(self, **{name: getattr(self, name)[where] for name in arrays})


@dataclass(frozen=True)
class HeldOut:
    """Scores of rows that were held out.

    Attributes
    ----------
    scores : ndarray of shape (n_rows, n_sources)
        The larger, the nearer a row is to each source; -inf for the source that was
        held out.
    outputs : ndarray of shape (n_rows, n_targets)
        Predictions of the ridge regression behind the scores, or the scores.
    sources : ndarray of shape (n_rows,), int
        Number of the true source of each row; -1 for imitations.
    kinds, makers : ndarray of shape (n_rows,), int
        Kind and generator of each imitation; -1 for images.
    weights : ndarray of shape (n_rows,)
        Weights of the rows.
    """

    scores: np.ndarray
    outputs: np.ndarray
    sources: np.ndarray
    kinds: np.ndarray
    makers: np.ndarray
    weights: np.ndarray

    @property
    def best(self):
        """Return the largest score of each row."""
        return self.scores.max(axis=1)


def take_held_out(data, scores, outputs, where, n_sources):
    """Select the scores of rows of known sources and of imitations.

    Parameters
    ----------
    data : TrainingRows
        The rows that were scored.
    scores : ndarray of shape (n_rows, n_sources)
        Scores of each of them.
    outputs : ndarray of shape (n_rows, n_targets)
        Predictions behind the scores.
    where : ndarray of shape (n_rows,), bool
        The rows to select from.
    n_sources : int
        Number of known sources.

    Returns
    -------
    selected : HeldOut
    """
    where = where & (data.members < n_sources)
    arrays = scores, outputs, data.members, data.kinds, data.makers, data.weights
    return HeldOut(*(values[where] for values in arrays))


def balance_imitations(data):
    """Return the rows with imitations that weigh at most as much as images."""
    imitated = data.kinds >= 0
    if not imitated.any():
        return data
    share = data.weights[data.members >= 0].sum() / imitated.sum()
    return replace(data, weights=np.where(imitated, min(1, share), data.weights))


def draw_rows(members, kinds, conditions, weights):
    """Select the rows that a detector learns from, some of each source and condition.

    A draw from the drawn rows selects all of them, so that a caller may keep these rows
    alone.

    Parameters
    ----------
    members : ndarray of shape (n_rows,), int
        Number of the source of each row, -1 for the background and imitations.
    kinds : ndarray of shape (n_rows,), int
        Kind of imitation of each row, -1 for an image.
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
    limits = np.full(n_sources + 2, min(ROWS_A_SOURCE, max(MAX_ROWS // n_sources, 8)))
    # By their indices of -2 and -1.
    limits[n_sources:] = MAX_IMITATIONS, MAX_BACKGROUND
    members = np.where(kinds >= 0, -2, members)
    order = np.random.default_rng(0).permutation(np.flatnonzero(weights))
    cells = conditions[order] * (n_sources + 2) + members[order] + 2
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

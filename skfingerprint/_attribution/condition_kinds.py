"""Kinds of conditions: those that move the rows of images in similar directions."""

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import pdist

# With the default perturbations the kinds are unprocessed images, noise, blur with
# resizing, and compression.
MOST_KINDS = 4
# Products of the rows of all folds and kinds: at most 1 GiB in float32.
MOMENT_VALUES = 2**28
# Rows of the smallest kind, in numbers of columns. The smaller its share, the less a
# kind knows more than all conditions together; below it may know less.
MINIMUM_SHARE = 0.25


def count_kinds(n_folds, n_columns):
    """Return the largest number of kinds whose products of rows fit into memory."""
    affordable = MOMENT_VALUES // (n_folds * n_columns**2)
    return int(np.clip(affordable, 1, MOST_KINDS))


def find_kinds(rows, conditions, counts, n_kinds):
    """Assign each condition to a kind, by the direction in which it moves the mean row.

    The strengths of one perturbation move the rows by different distances in a similar
    direction, so that conditions are clustered by the angles between their means (from
    the mean of all, in units of the columns).

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        Some rows of all conditions.
    conditions : ndarray of shape (n_rows,), int
        Condition of each of them.
    counts : ndarray of shape (n_sources, n_conditions)
        Weight of the rows in the whole training set, or without any of its folds.
    n_kinds : int
        Number of kinds, at most.

    Returns
    -------
    kinds : ndarray of shape (n_conditions,), int
        Kind of each condition, from 0 on. There are fewer kinds if one would have
        too few rows, or none of some source.
    """
    n_conditions, found = counts.shape[1], np.unique(conditions)
    kinds = np.zeros(n_conditions, dtype=int)
    if n_kinds == 1 or len(found) < max(n_conditions, 2):
        return kinds
    means = np.stack([rows[conditions == one].mean(axis=0) for one in found])
    spread = rows.std(axis=0)
    means = (means - means.mean(axis=0)) / np.where(spread > 0, spread, 1)
    if not (np.square(means).sum(axis=1) > 0).all():
        return kinds
    tree = linkage(pdist(means, "cosine"), "average")
    smallest = MINIMUM_SHARE * rows.shape[1]
    for n in range(min(n_kinds, len(found)), 1, -1):
        tried = cut_tree(tree, n)[:, 0]
        # (n_sources, number of kinds)
        sizes = counts @ np.equal.outer(tried, np.unique(tried))
        if sizes.min() > 0 and sizes.sum(axis=0).min() >= smallest:
            return tried
    return kinds

"""Merging of residuals by the evidence of a common fingerprint.

A residual is scaled to a unit row of D effective degrees of freedom. Without a common
fingerprint the sum s of n unit rows has D normal values of variance n / D, and with one
the variance is larger by a factor a > 1. The most likely factor is ``a = |s|^2 / n``.
The evidence is the log-likelihood ratio of the two variances,
``-D / 2 (log a + 1) + D / 2 a = D / 2 (a - 1 - log a)``, and 0 for a < 1.
"""

import numpy as np

# Bounds of the time for the degrees of freedom, which are a mean over
# N_SHIFTS * MAX_SHIFTED * (MAX_SHIFTED - 1) correlations.
N_SHIFTS = 8
MAX_SHIFTED = 200
# Bound of the rounds of reassignment, of which few data sets need more than three.
MAX_ROUNDS = 10
# Upper bound of the least gain, as a share of the degrees of freedom. Two equal rows
# have a = 2 and gain (1 - log 2) / 2 = 0.15 of them, so that they always merge.
LARGEST_LEAST = 0.1
# Least squared norm of a sum of rows that is divided by.
SMALLEST = 1e-9


def find_freedom(units, shape, rng):
    """Estimate the effective degrees of freedom of correlations without a fingerprint.

    Correlations of unrelated unit rows with D independent values have the mean square
    1 / D. Rows are correlated with other rows that are shifted, because a fingerprint
    does not match at a wrong alignment, even if both rows hold it.

    Parameters
    ----------
    units : ndarray of shape (n_rows, n_values)
        Residuals of unit norm.
    shape : tuple of int
        Shape of one residual.
    rng : numpy.random.Generator
        Draws the shifts.

    Returns
    -------
    freedom : float
        At most `n_values`, as neighboring values are alike.
    """
    few = units[: min(len(units), MAX_SHIFTED)]
    images = few.reshape(len(few), *shape)
    axes = [a for a in (1, 2)[: len(shape)] if images.shape[a] > 1]
    squares = []
    for _ in range(N_SHIFTS if axes and len(few) > 1 else 0):
        shifts = [_draw_shift(images.shape[a], rng) for a in axes]
        shifted = np.roll(images, shifts, axis=axes).reshape(len(few), -1)
        products = few @ shifted.T
        # The diagonal holds autocorrelations, and not products of two residuals.
        squares.append(np.square(products[~np.eye(len(few), dtype=bool)]).mean())
    mean = np.mean(squares) if squares else 0
    n_values = units.shape[1]
    return float(min(n_values, 1 / mean)) if mean > 0 else float(n_values)


def _draw_shift(length, rng):
    """Draw a shift of at least an eighth of a side, in either direction."""
    # An even shift maps each pixel to one of the same color in the sensor's mosaic.
    step = 2 if length >= 16 else 1
    least = max(1, length // 8 // step)
    return step * int(rng.integers(least, max(least, length // step - least) + 1))


def merge_by_evidence(correlations, freedom):
    """Merge rows into clusters while the evidence of common fingerprints grows.

    The two clusters whose union gains most evidence are merged, while the gain exceeds
    the logarithm of the number of pairs.

    Parameters
    ----------
    correlations : ndarray of shape (n_rows, n_rows)
        Products of unit rows.
    freedom : float
        Effective degrees of freedom of these products.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int
        Number of the cluster of each row, from 0 on.
    """
    n_rows = len(correlations)
    # The products of sums of clusters are sums of products, so that the rows
    # themselves are not needed.
    products = correlations.astype(np.float64)
    sizes, scores = np.ones(n_rows), np.zeros(n_rows)
    labels, alive = np.arange(n_rows), np.ones(n_rows, dtype=bool)
    # Twice the evidence of chance is a chi-squared value of one degree of freedom for
    # a > 1, and 0 for a < 1: it exceeds log t with a probability below 1 / (2 t). With
    # t pairs, less than one of them exceeds log t by chance on average.
    least = min(np.log(max(n_rows * (n_rows - 1) / 2, 2)), LARGEST_LEAST * freedom)

    def gain(a):
        # |s_a + s_b|^2 = |s_a|^2 + |s_b|^2 + 2 s_a' s_b for all clusters b.
        norms = products.diagonal() + products[a, a] + 2 * products[a]
        gains = _score(norms, sizes + sizes[a], freedom) - scores - scores[a]
        gains[~alive | (products[a] <= 0)] = -np.inf
        gains[a] = -np.inf
        return gains

    gains = np.array([gain(a) for a in range(n_rows)]).reshape(n_rows, n_rows)
    best = gains.argmax(axis=1) if n_rows else labels
    while n_rows:
        tops = gains[np.arange(n_rows), best]
        a = int(tops.argmax())
        b = int(best[a])
        if not tops[a] > least:
            break
        products[a] += products[b]
        products[:, a] += products[:, b]
        sizes[a] += sizes[b]
        scores[a] = _score(products[a, a], sizes[a], freedom)
        alive[b], labels[labels == b] = False, a
        gains[b] = gains[:, b] = -np.inf
        gains[a] = gains[:, a] = gain(a)
        # Only gains with a and b have changed. The maximum of a whole row is searched
        # only where it was one of these, so that a merger takes linear time mostly.
        changed = np.flatnonzero(np.isin(best, (a, b)) | (np.arange(n_rows) == a))
        best[changed] = gains[changed].argmax(axis=1)
        better = gains[:, a] > gains[np.arange(n_rows), best]
        best[better] = a
    return np.unique(labels, return_inverse=True)[1]


def _score(norms, sizes, freedom):
    """Compute the evidence of sums with squared norms, of so many rows."""
    ratio = np.maximum(norms / sizes, 1)
    return freedom / 2 * (ratio - 1 - np.log(ratio))


def reassign(units, labels):
    """Assign each row to the cluster whose sum it correlates with most.

    A row is left out of the sum of its own cluster, and rows that are alone in a
    cluster stay there.

    Parameters
    ----------
    units : ndarray of shape (n_rows, n_values)
        Rows of unit norm.
    labels : ndarray of shape (n_rows,), int
        Number of the cluster of each row.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int
    """
    for _ in range(MAX_ROUNDS):
        counts = np.bincount(labels)
        kept = np.flatnonzero(counts > 1)
        own = np.searchsorted(kept, labels)
        inside = np.flatnonzero(counts[labels] > 1)
        if len(kept) < 2:
            return labels
        members = (kept[:, None] == labels).astype(np.float32)
        sums = members @ units
        products = units[inside] @ sums.T
        norms = np.square(sums).sum(axis=1, dtype=np.float64)
        at = np.arange(len(inside)), own[inside]
        mine = products[at]
        scores = products / np.sqrt(np.maximum(norms, SMALLEST))
        # Without the unit row u, the sum s becomes s - u: u' (s - u) = u' s - 1, and
        # |s - u|^2 = |s|^2 - 2 u' s + 1.
        without = norms[own[inside]] - 2 * mine + 1
        scores[at] = (mine - 1) / np.sqrt(np.maximum(without, SMALLEST))
        found = labels.copy()
        found[inside] = kept[scores.argmax(axis=1)]
        if np.array_equal(found, labels):
            break
        labels = found
    return labels

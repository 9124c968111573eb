"""Merging of residuals by the evidence of a common fingerprint."""

import numpy as np

# Wrong alignments, and rows that the noise of correlations is learned from.
N_SHIFTS = 8
MAX_SHIFTED = 200
# Of reassignments, which seldom take more than three.
MAX_ROUNDS = 10
# Of the degrees of freedom; the union of two equal rows gains .15.
FEW = 0.1


def find_freedom(units, shape, rng):
    """Return the effective degrees of freedom of correlations of unrelated residuals.

    One over the mean square of correlations at wrong alignments: of residuals with
    others that are shifted, so that no fingerprint counts, whoever shares one.
    """
    few = units[: min(len(units), MAX_SHIFTED)]
    images = few.reshape(len(few), *shape)
    axes = [a for a in (1, 2)[: len(shape)] if images.shape[a] > 1]
    squares = []
    for _ in range(N_SHIFTS if axes and len(few) > 1 else 0):
        shifts = [_draw_shift(images.shape[a], rng) for a in axes]
        shifted = np.roll(images, shifts, axis=axes).reshape(len(few), -1)
        products = few @ shifted.T
        squares.append(np.square(products[~np.eye(len(few), dtype=bool)]).mean())
    mean = np.mean(squares) if squares else 0
    n_values = units.shape[1]
    return float(min(n_values, 1 / mean)) if mean > 0 else float(n_values)


def _draw_shift(length, rng):
    """Return a shift by an eighth of a side, or more, to either direction.

    It is even, so that each pixel meets those of its color in the sensor's mosaic.
    """
    step = 2 if length >= 16 else 1
    least = max(1, length // 8 // step)
    return step * int(rng.integers(least, max(least, length // step - least) + 1))


def merge_by_evidence(correlations, freedom):
    """Return clusters of rows, merged while a common fingerprint gains evidence.

    A cluster of n unit residuals whose sum has the squared norm q scores
    ``D / 2 (a - 1 - log a)``, ``a = max(q / n, 1)``: the log-likelihood ratio of a
    variance that a shared fingerprint has enlarged, of D degrees of freedom. The pair
    whose union gains most is merged, while it gains more than the logarithm of the
    number of pairs, and of so few values that equal rows would not, less.
    """
    n_rows = len(correlations)
    products = correlations.astype(np.float64)
    sizes, scores = np.ones(n_rows), np.zeros(n_rows)
    labels, alive = np.arange(n_rows), np.ones(n_rows, dtype=bool)
    least = min(np.log(max(n_rows * (n_rows - 1) / 2, 2)), FEW * freedom)

    def gain(a):
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
        changed = np.flatnonzero(np.isin(best, (a, b)) | (np.arange(n_rows) == a))
        best[changed] = gains[changed].argmax(axis=1)
        better = gains[:, a] > gains[np.arange(n_rows), best]
        best[better] = a
    return np.unique(labels, return_inverse=True)[1]


def _score(norms, sizes, freedom):
    ratio = np.maximum(norms / sizes, 1)
    return freedom / 2 * (ratio - 1 - np.log(ratio))


def reassign(units, labels):
    """Return labels by the largest correlation with the sums of clusters.

    A row is left out of the sum of its own cluster. Clusters of one row are left alone.
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
        scores = products / np.sqrt(np.maximum(norms, 1e-9))
        without = norms[own[inside]] - 2 * mine + 1
        scores[at] = (mine - 1) / np.sqrt(np.maximum(without, 1e-9))
        found = labels.copy()
        found[inside] = kept[scores.argmax(axis=1)]
        if np.array_equal(found, labels):
            break
        labels = found
    return labels

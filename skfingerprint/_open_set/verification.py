"""Whether two sets of rows have one source, which need not be a known one.

A ridge regression has one target for each known source and for each imitation
generator. Its outputs are whitened by the scatter of held-out rows about the means of
their classes, and the score of two sets is the cosine between their mean outputs.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy import linalg
from sklearn.utils import Bunch

from skfingerprint._core import as_rows
from skfingerprint._open_set.ridge import fit_ridge, predict_without
from skfingerprint._open_set.sets import _average
from skfingerprint._open_set.training import SMALLEST, standardize
from skfingerprint.thresholds import _fit_tails, _mean_share

# Kinds of imitations are dealt into so many groups, and so are sources. Two groups are
# held out at a time, so that time and memory grow with the square.
N_GROUPS = 10
# Least number of rows of a source.
FEWEST_ROWS = 8
# Multiple of the identity in the scatter within classes.
SHRINKAGE = 0.03
# Draws of a set from each class.
N_DRAWS = 4


def fit_verification(data, alpha):
    """Fit the outputs that are compared, and those of classes that are held out.

    Parameters
    ----------
    data : TrainingRows
        Rows of unprocessed images and imitations; other rows are left out.
    alpha : float
        Penalty of the ridge regression.

    Returns
    -------
    space : Bunch or None
        For :func:`project_outputs` and :func:`estimate_shares`; None without
        imitations.
    """
    if not (data.kinds >= 0).any():
        return None
    data, classes, groups = _select_classes(data)
    center, scale = standardize(data.rows, data.weights)
    targets = np.equal.outer(classes, np.unique(classes)).astype(float)
    ridge = fit_ridge((data.rows - center) / scale, targets, data.weights, alpha)
    inside, outside = _hold_out_pairs(ridge, groups, data.folds)
    middle, whitening = _whiten(inside, classes)
    pairs = [
        [
            _take_side((outputs - middle) @ whitening, classes[place])
            for place, outputs in sides
        ]
        for sides in outside
    ]
    within, between = _measure_spread([side for sides in pairs for side in sides])
    return Bunch(
        center=center,
        coef=(ridge.coef @ whitening / scale[:, np.newaxis]).astype(data.rows.dtype),
        shift=(ridge.intercept - middle) @ whitening,
        pairs=pairs,
        within=within,
        between=between,
        n_rows=len(classes),
    )


def project_outputs(rows, space):
    """Compute whitened outputs of rows, (n_rows, n_classes)."""
    return (as_rows(rows) - space.center) @ space.coef + space.shift


def compare_sets(first, second):
    """Compute the cosine between the mean outputs of two sets.

    Parameters
    ----------
    first, second : ndarray of shape (n_rows, n_classes)
        Whitened outputs of each set.

    Returns
    -------
    score : float
    """
    first, second = (part.mean(axis=0, dtype=np.float64) for part in (first, second))
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / max(lengths, SMALLEST))


def estimate_shares(scores, sizes, space):
    """Estimate the share of pairs of sets of different sources that score as high.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        Scores of pairs of sets.
    sizes : tuple of two int
        Numbers of rows in the two sets of each pair, in any order.
    space : Bunch
        Fitted by :func:`fit_verification`.

    Returns
    -------
    shares : ndarray of shape (n_scores,)
    """
    null, groups = _score_pairs(space, sorted(sizes))
    return _mean_share(_fit_tails(null, groups=groups, n_scores=space.n_rows), scores)


def _select_classes(data):
    """Select rows of sources and imitations, about as many of both together.

    Returns
    -------
    data : TrainingRows
        The rows, with equal weights: each is an example of its class.
    classes : ndarray of shape (n_rows,), int
        Number of the source or generator of each row.
    groups : ndarray of shape (n_rows,), int
        Group with which each row is held out.
    """
    imitated = data.kinds >= 0
    sources = np.unique(data.members[data.members >= 0])
    limit = max(FEWEST_ROWS, np.count_nonzero(imitated) // len(sources))
    kept, rng = imitated.copy(), np.random.default_rng(0)
    for source in sources:
        kept[rng.permutation(np.flatnonzero(data.members == source))[:limit]] = True
    data = data.select(kept)
    imitated = data.kinds >= 0
    makers = np.where(imitated, -1 - data.makers, data.members)
    classes = np.unique(makers, return_inverse=True)[1]
    kinds = np.unique(data.kinds, return_inverse=True)[1]
    groups = np.where(imitated, N_GROUPS + kinds % N_GROUPS, data.members % N_GROUPS)
    return replace(data, weights=np.ones(len(classes))), classes, groups


def _hold_out_pairs(ridge, groups, folds):
    """Predict rows without their fold, and without two groups and their fold.

    Parameters
    ----------
    ridge : Ridge
        The regression.
    groups, folds : ndarray of shape (n_rows,), int
        Group and fold of each row.

    Returns
    -------
    inside : ndarray of shape (n_rows, n_classes)
        Predictions without the fold of the row.
    outside : list of list of (ndarray of int, ndarray)
        For each pair of groups and each of the two the indices of its rows, and their
        predictions without both groups and the fold.
    """
    inside = np.empty(ridge.targets.shape)
    pairs = list(combinations(np.unique(groups), 2))
    places = [np.flatnonzero(np.isin(groups, pair)) for pair in pairs]
    held_out = [np.full((len(place), inside.shape[1]), np.nan) for place in places]
    for fold in np.unique(folds):
        own = np.flatnonzero(folds == fold)
        # Nothing can be predicted if no row is left.
        used = [
            number
            for number, place in enumerate(places)
            if len(np.union1d(own, place)) < len(groups)
        ]
        by_pair = predict_without(ridge, own, [places[number] for number in used])
        inside[own] = by_pair[0]
        for number, outputs in zip(used, by_pair[1], strict=True):
            held_out[number][folds[places[number]] == fold] = outputs
    outside = []
    for pair, place, outputs in zip(pairs, places, held_out, strict=True):
        known = np.isfinite(outputs).all(axis=1)
        sides = [known & (groups[place] == group) for group in pair]
        if all(side.any() for side in sides):
            outside.append([(place[side], outputs[side]) for side in sides])
    return inside, outside


def _whiten(outputs, classes):
    """Whiten outputs by their scatter about the means of classes.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, n_classes)
        Held-out predictions.
    classes : ndarray of shape (n_rows,), int
        Class of each row.

    Returns
    -------
    middle : ndarray of shape (n_classes,)
        Mean of the means of all classes.
    whitening : ndarray of shape (n_classes, n_classes)
        Matrix by which centered outputs are multiplied.
    """
    means = _average(outputs, classes)
    away = outputs - means[classes]
    n = outputs.shape[1]
    within = away.T @ away / max(len(away) - len(means), 1)
    level = np.trace(within) / n or 1
    within = (1 - SHRINKAGE) * within + SHRINKAGE * level * np.eye(n)
    # With W = C C' the columns of C^-T make W the identity.
    factor = linalg.cholesky(within, lower=True)
    whitening = linalg.solve_triangular(factor, np.eye(n), lower=True).T
    return means.mean(axis=0), whitening


def _take_side(outputs, classes):
    """Return outputs of held-out rows with the numbers of their classes from 0 on."""
    numbers = np.unique(classes, return_inverse=True)[1]
    return outputs.astype(np.float32), numbers


def _measure_spread(sides):
    """Measure how far rows scatter within classes, and classes about the middle.

    Parameters
    ----------
    sides : list of (outputs, classes)
        Held-out outputs of one group each.

    Returns
    -------
    within : float
        Mean squared distance of a row to the mean of its class.
    between : float
        Mean squared length of the means, less the part of `within` in it.
    """
    squares, freedom, lengths, shares = 0.0, 0, [], []
    for outputs, classes in sides:
        means, counts = _average(outputs, classes), np.bincount(classes)
        squares += np.square(outputs - means[classes]).sum()
        freedom += len(outputs) - len(counts)
        lengths.extend(np.square(means).sum(axis=1))
        shares.extend(1 / counts)
    within = squares / max(freedom, 1)
    return within, max(np.mean(lengths) - within * np.mean(shares), SMALLEST)


def _score_pairs(space, sizes):
    """Score pairs of sets of different classes, each of a group of its own.

    Parameters
    ----------
    space : Bunch
        Fitted by :func:`fit_verification`.
    sizes : list of two int
        Numbers of rows in the two sets.

    Returns
    -------
    scores : ndarray of shape (n_scores,)
        Cosines.
    numbers : ndarray of shape (n_scores,), int
        Pair of groups of each score.
    """
    rng, scores = np.random.default_rng(0), []
    for sides in space.pairs:
        drawn = [
            [_draw_means(side, size, space, rng) for _ in range(N_DRAWS)]
            for side, size in zip(sides, sizes, strict=True)
        ]
        cosines = [first @ second.T for first, second in zip(*drawn, strict=True)]
        scores.append(np.ravel(cosines))
    return np.concatenate(scores), np.repeat(
        np.arange(len(scores)), [len(part) for part in scores]
    )


def _draw_means(side, size, space, rng):
    """Average `size` rows of each class, or all, and scale the means to unit length.

    The fewer rows a mean has, the longer its noise makes it and the smaller are
    cosines. Means of fewer rows than `size` are therefore scaled by the ratio of the
    expected lengths, ``|m|^2 = between + within / n``.
    """
    outputs, classes = side
    order = rng.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    ordered = classes[order]
    ranks = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    order = order[ranks < size]
    means, counts = (
        _average(outputs[order], classes[order]),
        np.bincount(classes[order]),
    )
    expected = [space.between + space.within / n for n in (counts, size)]
    lengths = np.linalg.norm(means, axis=1) / np.sqrt(expected[0] / expected[1])
    return means / np.maximum(lengths, SMALLEST)[:, np.newaxis]

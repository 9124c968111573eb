"""Scores of sets of images that share a source, from means over each set.

A mean over images of one source varies less than a single image does, for known and for
unknown sources. So null scores are those of means, too: over images of one generator
of imitations, or of one held-out source.
"""

import numpy as np
from sklearn.utils import Bunch

from skfingerprint._core import as_rows, score_blocks
from skfingerprint._open_set.conditions import fit_tails, score_gate, to_log_tail
from skfingerprint._open_set.mahalanobis import score_mahalanobis
from skfingerprint._open_set.simplex import predict_simplex, score_vertices
from skfingerprint._open_set.training import HeldOut


def keep_null(null):
    """Return the outputs of null rows of one condition, for :func:`score_sets`."""
    outputs = null.outputs.astype(np.float32)
    return Bunch(outputs=outputs, **{n: getattr(null, n) for n in _LABELS})


_LABELS = ("sources", "kinds", "makers")


def score_sets(X, members, state, nulls, relatives):
    """Score sets of rows for each source.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Features.
    members : ndarray of shape (n_rows,), int
        Number of the set of each row.
    state : tuple of (gate, spaces)
        As in :func:`~skfingerprint._open_set.conditions.score_conditions`.
    nulls : list of Bunch
        Null outputs of each condition, as :func:`keep_null` returns them.
    relatives : {"reject", "accept"}
        As in :class:`SourceDetector`.

    Returns
    -------
    scores : ndarray of shape (n_sets, n_sources)
        ``-log p`` where there are null scores.
    """
    gate, spaces = state
    # All images of a set are judged under the condition that suits them together.
    assigned = _average(score_blocks(score_gate, X, gate), members).argmax(axis=1)
    outputs = score_blocks(_predict, X, spaces, assigned[members])
    outputs, sizes = _average(outputs, members), np.bincount(members)
    scores = np.empty((len(outputs), spaces[0][0].n_sources))
    for number, size in np.unique(np.stack([assigned, sizes]), axis=1).T:
        space, tails = spaces[number]
        own = (assigned == number) & (sizes == size)
        if "inverse" in space:  # distances to means, without null scores
            scores[own] = outputs[own]
            continue
        if size > 1:
            tails = _fit_tails_of_means(nulls[number], size, space, relatives)
        found = score_vertices(outputs[own], space.n_sources)
        scores[own] = to_log_tail(found, tails)
    return scores


def _predict(rows, spaces, assigned):
    """Return the outputs of rows, each under its condition."""
    rows, found = as_rows(rows), [None] * len(rows)
    for number in np.unique(assigned):
        own, space = np.flatnonzero(assigned == number), spaces[number][0]
        predict = score_mahalanobis if "inverse" in space else predict_simplex
        for place, output in zip(own, predict(rows[own], space), strict=True):
            found[place] = output
    return np.stack(found)


def _average(values, members):
    """Average rows over each set, (n_sets, ...)."""
    sums = np.zeros((members.max() + 1, values.shape[1]))
    np.add.at(sums, members, values)
    return sums / np.bincount(members)[:, np.newaxis]


def _fit_tails_of_means(null, size, space, relatives):
    """Fit the tails of null scores of means of so many outputs.

    Parameters
    ----------
    null : Bunch
        Null outputs of the condition.
    size : int
        Number of images in a set.
    space : Bunch
        The space of the condition.
    relatives : {"reject", "accept"}
        As in :class:`SourceDetector`.

    Returns
    -------
    tails : list of Bunch
        As of :func:`~skfingerprint._open_set.conditions.fit_tails`; empty without null
        outputs.
    """
    if not len(null.outputs):
        return []
    places = _draw_sets(null, size, np.random.default_rng(0))
    first = np.array([place[0] for place in places])
    outputs = np.stack([null.outputs[place].mean(axis=0) for place in places])
    labels = {name: null[name][first] for name in _LABELS}
    scores = score_vertices(outputs, space.n_sources, without=labels["sources"])
    weights = np.ones(len(places))
    means = HeldOut(scores=scores, outputs=outputs, weights=weights, **labels)
    # Sets overlap: there are only so many that do not.
    return fit_tails(means, relatives, n_images=size)


def _draw_sets(null, size, rng):
    """Draw as many sets as there are rows, each of one generator or one source."""
    imitated = null.kinds >= 0
    keys = np.where(imitated, null.makers, -1 - null.sources)
    places = []
    for key in np.unique(keys):
        own = np.flatnonzero(keys == key)
        places += [rng.permutation(own)[:size] for _ in own]
    return places

"""The discriminant of the recommended pipeline: sources, and copies of their images."""

import math
from numbers import Real

import numpy as np
from scipy import linalg, sparse
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import Bunch, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skfingerprint._base import Estimator, all_or_nothing, at_once
from skfingerprint._blocks import as_rows, iterate_blocks, score_blocks
from skfingerprint._crossfit import CrossFittedMixin, find_folds
from skfingerprint._layouts import validate_images
from skfingerprint._spaces import find_scale
from skfingerprint.calibration import fit_temperature, temper
from skfingerprint.fingerprint import (
    check_classes,
    check_training,
    check_weighed,
    find_background,
)

# Images of a (source, copy) pair from which on it is a class of its own.
FEWEST = 8
# Held-out rows that shrinkage and temperatures are learned from, at most.
MAX_KEPT = 4096
# Of them: those of a kind of copy from which on it has a temperature of its own.
FEWEST_KEPT = 50


class CopyDiscriminant(CrossFittedMixin, ClassifierMixin, Estimator):
    """Linear discriminant of sources whose images come in several copies.

    Compression, noise and resizing move the features of an image by more than its
    source does. So each pair of a source and a kind of copy is a class (mixture
    discriminant analysis), which is sharp at the strengths that were trained on; a
    second discriminant with one class for each source bridges what lies between. Their
    scores are added. With one kind of copy both are the same: shrinkage LDA.

    The training rows are read once, block by block; what is kept of them are second
    moments, whose size does not depend on the number of rows.

    Parameters
    ----------
    shrinkages : sequence of float, default=(0.02, 0.1, 0.3, 0.6)
        In (0, 1]: candidates for the weight of a multiple of the identity in the
        covariance. The one with the least held-out log loss is taken.
    cv : int or cross-validation splitter, default=5
        Folds that shrinkage and temperatures are learned from. A number means
        stratified folds: of whole groups, and shuffled ones without groups.
    background : label, default=None
        Label in y of rows of no source, such as photographs: never an answer. They are
        left out here; a detector learns from them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sources, without the background.
    copies_ : ndarray of shape (n_copies,)
        The kinds of copies.
    shrinkage_ : float
        The one that was chosen.
    inverse_temperatures_ : ndarray of shape (n_copies,)
        What the scores of rows of each kind are multiplied by: a name is surer of an
        unchanged image than of a changed one.
    n_images_ : float
        Number of training images, copies not counted, or the sum of their weights.
    mean_ : ndarray of shape (n_features,)
        Mean of the mean features of the sources, which count alike.
    image_shape_ : tuple of int
        Shape of one row: (n_features,).
    n_features_in_ : int
        Number of features.

    See Also
    --------
    AugmentedClassifier : Makes the copies, and says which a row is.

    Notes
    -----
    Features are divided by their standard deviations. With the means m_k of the
    classes, their pooled covariance S and its shrunk version
    ``A = (1 - a) S + a trace(S) / d I``, the score of class k is
    ``x' A^-1 m_k - m_k' A^-1 m_k / 2``; those of the copies of one source are joined by
    the logarithm of their mean exponential [1]_. All classes count alike, however many
    images they have. Of fewer rows than features, S is the covariance about the common
    mean, as in ridge regression, since what a few images of a class spread says little.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, "Discriminant Analysis by Gaussian Mixtures",
       Journal of the Royal Statistical Society B, 1996.
       :doi:`10.1111/j.2517-6161.1996.tb02073.x`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint import CopyDiscriminant
    >>> rng = np.random.default_rng(0)
    >>> y, copies = np.repeat([0, 1, 2], 40), np.tile([0, 1], 60)
    >>> rows = rng.normal(size=(120, 8)) + 3 * np.eye(8)[y] + 2 * np.eye(8)[copies + 6]
    >>> model = CopyDiscriminant().fit(rows, y, copies=copies)
    >>> model.score(rows, y)
    0.9916666666666667
    >>> bool(model.predict_proba(rows).max() < 1)
    True
    """

    __metadata_request__fit = {"copies": True}  # noqa: RUF012

    def __init__(self, *, shrinkages=(0.02, 0.1, 0.3, 0.6), cv=5, background=None):
        self.shrinkages = shrinkages
        self.cv = cv
        self.background = background

    @all_or_nothing
    def fit(self, X, y, copies=None, groups=None, sample_weight=None, **params):
        """Sum the moments, solve the two discriminants, learn the temperature.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Sources; at least two, of at least two images each.
        copies : array-like of shape (n_samples,), default=None
            Which kind of copy each row is of. By default all are of one.
        groups : array-like of shape (n_samples,), default=None
            What each image shows: rows of one group, copies of one image above all, are
            held out together.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; not all 0 in any class.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        self : CopyDiscriminant
        """
        candidates = self._check_shrinkages()
        X, y = validate_images(self, X, y, reset=True)
        is_background = find_background(y, self.background)
        # Without a weight they are in no sum.
        y = np.where(is_background, y[~is_background][:1], y)
        members, weights = check_training(self, X, y, sample_weight)
        weights = np.where(is_background, 0, weights)
        check_weighed(np.bincount(members, weights), self.classes_)
        check_classes(y, self.classes_)
        copies = np.zeros(len(y)) if copies is None else column_or_1d(copies)
        check_consistent_length(y, copies)
        self.copies_, copies = np.unique(copies, return_inverse=True)
        folds = find_folds(self, y, groups, weights, params, shuffle=True)
        self.n_images_ = float(np.bincount(copies, weights).max())
        cells = _find_cells(members, copies, weights)
        kept = _draw_kept(weights, copies)
        moments = _read_moments(X, cells, folds, weights, kept)
        shares = np.bincount(copies, weights) / np.bincount(copies[kept], weights[kept])
        truth = members[kept], folds[kept], weights[kept], shares[copies[kept]]
        self.shrinkage_, inverse = _choose(moments, *truth, candidates)
        self.inverse_temperatures_ = inverse
        solved = _solve(moments, self.shrinkage_)
        self.center_, self.discriminants_ = _restore(moments, solved)
        self.mean_ = _find_mean(moments)
        return self

    @at_once
    def decision_function(self, X):
        """Score rows for each source.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Logarithms of the probabilities, without what `predict_proba` leaves to
            error. For two classes the second's minus the first's. Those of several
            images that are known to share a source add up.
        """
        scores = self._score(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    @at_once
    def predict_proba(self, X):
        """Return the probabilities of the sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            None is 0 or 1: see :func:`~skfingerprint.calibration.temper`.
        """
        return temper(self._score(X), n_images=self.n_images_)

    @at_once
    def predict(self, X):
        """Name the source of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        scores = self._score(X)
        return self.classes_[scores.argmax(axis=1)]

    @at_once
    def predict_copies(self, X):
        """Name the kind of copy that each row is likest to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        copies : ndarray of shape (n_samples,)
            Of `copies_`, as passed to `fit`.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return self.copies_[score_blocks(_pick_copies, X, self._get_state())]

    def _score(self, X):
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        state = self._get_state(), self.inverse_temperatures_
        return log_softmax(score_blocks(_temper_rows, X, state), axis=1)

    def _get_state(self):
        return self.center_, self.discriminants_

    def _check_shrinkages(self):
        values = np.ravel(self.shrinkages).tolist()
        if not values or not all(isinstance(a, Real) and 0 < a <= 1 for a in values):
            raise ValueError(
                f"shrinkages must hold numbers in (0, 1], got {self.shrinkages!r}."
            )
        return values

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _find_cells(members, copies, weights):
    """Return what class of its own each (source, copy) pair is.

    Pairs of few images are one class together with the source's other such pairs.
    """
    n_copies = copies.max() + 1
    pairs = members * n_copies + copies
    few = (np.bincount(pairs, weights) < FEWEST)[pairs]
    _, first, cells = np.unique(
        members * (n_copies + 1) + np.where(few, n_copies, copies),
        return_index=True,
        return_inverse=True,
    )
    copies = np.where(few, 0, copies)  # what is of several kinds counts as unchanged
    return Bunch(
        cells=cells, owners=members[first], copies=np.where(few, 0, copies)[first]
    )


def _draw_kept(weights, copies):
    """Return rows for shrinkage and temperatures: half of them unchanged if it can."""
    order = np.random.default_rng(0).permutation(np.flatnonzero(weights))
    unchanged = copies[order] == 0
    most = max(MAX_KEPT // 2, MAX_KEPT - np.count_nonzero(~unchanged))
    kept = np.concatenate([order[unchanged][:most], order[~unchanged]])
    return np.sort(kept[:MAX_KEPT])


def _read_moments(X, cells, folds, weights, kept):
    """Read X once; return the moments of each fold, and the rows that are kept.

    Rows that are fewer than the columns span a space of as few dimensions: they are
    rotated into it, where the moments are small.
    """
    n_columns, way = math.prod(X.shape[1:]), None
    blocks, center, unit = iterate_blocks(X), None, None
    if X.shape[0] <= n_columns:
        rows = np.concatenate([as_rows(block) for block, _ in blocks])
        middle = np.average(rows, axis=0, weights=weights).astype(rows.dtype)
        rows = rows - middle
        scale = find_scale(np.average(np.square(rows), axis=0, weights=weights))
        rows /= scale.astype(rows.dtype)
        root = _find_root(rows)
        blocks, center, unit = [(root, slice(0, len(rows)))], 0, 1
        way = Bunch(root=root, rows=rows, scale=scale, center=middle)
    moments = _sum_moments(blocks, center, cells.cells, folds, weights, kept)
    moments.update(cells, n_columns=n_columns, way=way)
    moments.unit = _find_unit(moments) if unit is None else unit
    return moments


def _find_unit(moments):
    """Return the standard deviation of each column."""
    n_rows = moments.totals.sum()
    means = moments.sums.sum(axis=(0, 1)) / n_rows
    squares = sum(part.diagonal().astype(np.float64) for part in moments.squares)
    return find_scale(squares / n_rows - np.square(means))


def _find_root(rows):
    """Return the Cholesky factor of the products of rows, which may be dependent."""
    precise = rows.astype(np.float64)
    gram = precise @ precise.T
    gram.flat[:: len(gram) + 1] += 1e-9 * max(np.trace(gram) / len(gram), 1e-300)
    return linalg.cholesky(gram, lower=True).astype(rows.dtype)


def _sum_moments(blocks, center, cells, folds, weights, kept):
    """Sum rows, and their products, of each fold; products are lower triangles."""
    n_folds, n_cells = folds.max() + 1, cells.max() + 1
    totals = np.bincount(folds * n_cells + cells, weights, n_folds * n_cells)
    sums, squares, found = np.zeros((n_folds, n_cells, 1)), None, []
    for block, part in blocks:
        rows = as_rows(block)
        center = rows.mean(axis=0) if center is None else center
        rows = rows - center
        if squares is None:
            shape, order = (rows.shape[1],) * 2, "F"
            squares = [np.zeros(shape, rows.dtype, order) for _ in range(n_folds)]
            sums = np.zeros((n_folds, n_cells, rows.shape[1]))
        inside = (kept >= part.start) & (kept < part.stop)
        found.append(rows[kept[inside] - part.start])
        for fold in np.unique(folds[part]):
            own = np.flatnonzero(folds[part] == fold)
            weight, places = weights[part][own], (cells[part][own], np.arange(len(own)))
            members = sparse.csr_array((weight, places), (n_cells, len(own)))
            sums[fold] += members @ rows[own]
            roots = rows[own] * np.sqrt(weight)[:, np.newaxis].astype(rows.dtype)
            squares[fold] = _add_products(squares[fold], roots)
    return Bunch(
        center=center,
        squares=squares,
        sums=sums,
        totals=totals.reshape(n_folds, n_cells),
        kept=np.concatenate(found),
    )


def _add_products(squares, rows, sign=1):
    """Return the lower triangle of `squares + sign * rows.T @ rows`, in its place."""
    multiply = linalg.get_blas_funcs("syrk", dtype=squares.dtype)
    return multiply(sign, rows.T, beta=1, c=squares, lower=1, overwrite_c=1)


def _solve(moments, shrinkage, without=None):
    """Return the discriminants of all folds, or of all but one.

    Each is a tuple of coefficients (n_cells, d), intercepts, and the source and the
    kind of copy of each cell: of the sources, and of the (source, copy) pairs if these
    are not the same.
    """
    parts = [fold for fold in range(len(moments.squares)) if fold != without]
    squares = sum(moments.squares[fold] for fold in parts)
    sums, totals = moments.sums[parts].sum(axis=0), moments.totals[parts].sum(axis=0)
    pairs = moments.owners
    pooled = _pool(pairs)
    sources = np.arange(pooled.shape[0])
    classes = [(pooled @ sums, pooled @ totals, sources, np.zeros_like(sources))]
    if not (classes[0][1] > 0).all():
        raise ValueError(
            "a fold of cv leaves no image of some source: take fewer folds, or more "
            "groups a source."
        )
    if len(pairs) > len(sources):
        used = totals > 0
        classes.append((sums[used], totals[used], pairs[used], moments.copies[used]))
    return [
        (*_solve_one(moments, squares, sums, totals, shrinkage), *labels)
        for sums, totals, *labels in classes
    ]


def _pool(owners):
    """Return the matrix that adds up what the cells of each source have."""
    return sparse.csr_array((np.ones(len(owners)), (owners, np.arange(len(owners)))))


def _solve_one(moments, squares, sums, totals, shrinkage):
    """Shrinkage LDA of classes with these sums: coefficients and intercepts."""
    means, centers, counts = sums / totals[:, np.newaxis], sums, totals
    if moments.way is not None:  # few rows: about the common mean, as in ridge
        centers, counts = sums.sum(axis=0)[np.newaxis], totals.sum(keepdims=True)
    roots = centers / np.sqrt(counts)[:, np.newaxis]
    within = squares.copy(order="F")
    within = _add_products(within, roots.astype(within.dtype), sign=-1)
    inverse = (1 / (moments.unit * np.ones(len(within)))).astype(within.dtype)
    within *= inverse[:, np.newaxis] / max(totals.sum() - len(counts), 1)
    within *= inverse
    level = within.trace(dtype=np.float64) / moments.n_columns
    within *= 1 - shrinkage
    within.flat[:: len(within) + 1] += shrinkage * (level if level > 0 else 1)
    factor = linalg.cho_factor(within, lower=True, overwrite_a=True, check_finite=False)
    scaled = (means * inverse).astype(within.dtype)
    coef = linalg.cho_solve(factor, scaled.T, check_finite=False).T
    return coef * inverse, -0.5 * np.einsum("kd,kd->k", coef, scaled, dtype=np.float64)


def _choose(moments, members, folds, weights, shares, candidates):
    """Return the shrinkage of the least held-out log loss, and its temperatures.

    The loss is that of all rows, of which the kept ones stand for different shares.
    """
    best = (np.inf, None, None)
    for shrinkage in candidates:
        scores = np.empty((len(members), moments.owners.max() + 1))
        copies = np.empty(len(members), dtype=int)
        for fold in np.unique(folds):
            own = folds == fold
            solved = _solve(moments, shrinkage, without=fold)
            scores[own], copies[own] = _score(moments.kept[own], solved)
        inverse = _fit_temperatures(scores, members, weights, copies, moments.copies)
        likelihoods = log_softmax(inverse[copies][:, np.newaxis] * scores, axis=1)
        loss = -(weights * shares) @ likelihoods[np.arange(len(members)), members]
        if loss < best[0]:
            best = (loss, shrinkage, inverse)
    return best[1:]


def _fit_temperatures(scores, members, weights, copies, kinds):
    """Return the inverse temperature of each kind of copy, or of all if it has few."""
    together = fit_temperature(scores, members, sample_weight=weights)
    inverse = np.full(kinds.max() + 1, together)
    for kind in np.unique(copies):
        own = copies == kind
        if weights[own].sum() >= FEWEST_KEPT:
            own_weights = weights[own]
            inverse[kind] = fit_temperature(
                scores[own], members[own], sample_weight=own_weights
            )
    return inverse


def _restore(moments, discriminants):
    """Return the center and discriminants of the columns, also of rotated rows."""
    way = moments.way
    if way is None:
        return moments.center, discriminants
    found = []
    for coef, intercept, *labels in discriminants:
        found.append((_turn_back(coef, way) / way.scale, intercept, *labels))
    return way.center, found


def _find_mean(moments):
    """Return the mean of the sources' means, in the columns."""
    pooled, way = _pool(moments.owners), moments.way
    sums, totals = moments.sums.sum(axis=0), moments.totals.sum(axis=0)
    mean = (pooled @ sums / (pooled @ totals)[:, np.newaxis]).mean(axis=0)
    if way is None:
        return moments.center + mean
    return way.center + _turn_back(mean[np.newaxis], way)[0] * way.scale


def _turn_back(rotated, way):
    """Return rows of scaled columns from where they were rotated to."""
    return linalg.solve_triangular(way.root, rotated.T, lower=True, trans="T").T @ (
        way.rows
    )


def _score_rows(rows, state):
    center, discriminants = state
    return _score(as_rows(rows) - center, discriminants)


def _pick_copies(rows, state):
    return _score_rows(rows, state)[1]


def _temper_rows(rows, state):
    """Score rows, each at the temperature of the kind of copy that it is likest to."""
    state, inverse_temperatures = state
    scores, copies = _score_rows(rows, state)
    return inverse_temperatures[copies][:, np.newaxis] * scores


def _score(rows, discriminants):
    """Add the scores of the discriminants, each joined over the copies of a source.

    Return them, and the kind of copy that the last, the sharpest one, tells.
    """
    total = 0
    for coef, intercept, owners, copies in discriminants:  # noqa: B007
        scores = rows @ coef.T.astype(rows.dtype) + intercept
        total = total + _join(scores, owners)[0]
    joined, names = _join(scores, copies)
    return total, names[joined.argmax(axis=1)]


def _join(scores, labels):
    """Return the log mean exponential of the columns of each label, and the labels."""
    order = np.argsort(labels, kind="stable")
    names, starts, counts = np.unique(
        labels[order], return_index=True, return_counts=True
    )
    joined = np.logaddexp.reduceat(scores[:, order], starts, axis=1)
    return joined - np.log(counts), names

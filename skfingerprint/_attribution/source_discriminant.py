"""The discriminant of the recommended pipeline: sources, and copies of their images."""

from numbers import Real

import numpy as np
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skfingerprint._attribution.lda import (
    choose_shrinkage,
    draw_kept,
    find_cells,
    find_mean,
    read_moments,
    restore,
    score_rows,
    solve,
)
from skfingerprint._core import (
    CrossFittedMixin,
    Estimator,
    all_or_nothing,
    at_once,
    check_classes,
    check_training,
    check_weighed,
    find_folds,
    hide_background,
    score_blocks,
    to_decision,
    validate_images,
)
from skfingerprint.calibration import temper


class SourceDiscriminant(CrossFittedMixin, ClassifierMixin, Estimator):
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
    conditions_ : ndarray of shape (n_conditions,)
        The kinds of copies.
    shrinkage_ : float
        The one that was chosen.
    inverse_temperatures_ : ndarray of shape (n_conditions,)
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
    >>> from skfingerprint import SourceDiscriminant
    >>> rng = np.random.default_rng(0)
    >>> y, copies = np.repeat([0, 1, 2], 40), np.tile([0, 1], 60)
    >>> rows = rng.normal(size=(120, 8)) + 3 * np.eye(8)[y] + 2 * np.eye(8)[copies + 6]
    >>> model = SourceDiscriminant().fit(rows, y, conditions=copies)
    >>> model.score(rows, y)
    0.9916666666666667
    >>> bool(model.predict_proba(rows).max() < 1)
    True
    """

    __metadata_request__fit = {"conditions": True}  # noqa: RUF012

    def __init__(self, *, shrinkages=(0.02, 0.1, 0.3, 0.6), cv=5, background=None):
        self.shrinkages = shrinkages
        self.cv = cv
        self.background = background

    @all_or_nothing
    def fit(self, X, y, *, conditions=None, groups=None, sample_weight=None, **params):
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
        self : SourceDiscriminant
        """
        candidates = self._check_shrinkages()
        X, y = validate_images(self, X, y, reset=True)
        y, is_background = hide_background(y, self.background)
        members, weights = check_training(self, X, y, sample_weight)
        weights = np.where(is_background, 0, weights)  # so that they are in no sum
        check_weighed(np.bincount(members, weights), self.classes_)
        check_classes(y, self.classes_)
        copies = np.zeros(len(y)) if copies is None else column_or_1d(copies)
        check_consistent_length(y, copies)
        self.conditions_, copies = np.unique(copies, return_inverse=True)
        folds = find_folds(self, y, groups, weights, params, shuffle=True)
        self.n_images_ = float(np.bincount(copies, weights).max())
        cells = find_cells(members, copies, weights)
        kept = draw_kept(weights, copies)
        moments = read_moments(X, cells, folds, weights, kept)
        shares = np.bincount(copies, weights) / np.bincount(copies[kept], weights[kept])
        truth = members[kept], folds[kept], weights[kept], shares[copies[kept]]
        self.shrinkage_, inverse = choose_shrinkage(moments, *truth, candidates)
        self.inverse_temperatures_ = inverse
        solved = solve(moments, self.shrinkage_)
        self.center_, self.discriminants_ = restore(moments, solved)
        self.mean_ = find_mean(moments)
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
        return to_decision(self._score(X))

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
    def predict_conditions(self, X):
        """Name the kind of copy that each row is likest to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        copies : ndarray of shape (n_samples,)
            Of `conditions_`, as passed to `fit`.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return self.conditions_[score_blocks(_pick_copies, X, self._get_state())]

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


def _pick_copies(rows, state):
    return score_rows(rows, state)[1]


def _temper_rows(rows, state):
    """Score rows, each at the temperature of the kind of copy that it is likest to."""
    state, inverse_temperatures = state
    scores, copies = score_rows(rows, state)
    return inverse_temperatures[copies][:, np.newaxis] * scores

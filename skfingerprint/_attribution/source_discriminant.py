"""Attribution of rows of features by linear discriminants of sources."""

from numbers import Real

import numpy as np
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skfingerprint._attribution.lda import find_mean, score_rows, solve_kinds
from skfingerprint._attribution.moments import draw_kept, find_cells, read_moments
from skfingerprint._attribution.shrinkage import choose_shrinkage
from skfingerprint._core import (
    CrossFittedMixin,
    Estimator,
    all_or_nothing,
    check_classes,
    check_labels,
    check_training,
    check_weighed,
    find_folds,
    hide_background,
    needs_spread,
    relate_weights,
    score_blocks,
    shorten,
    to_decision,
    validate_images,
)
from skfingerprint.calibration import temper
from skfingerprint.thresholds import _count_effective

# The candidates of "auto".
SHRINKAGES = (0.02, 0.1, 0.3, 0.6)
# Attributes of linear models and of trees, by which other tools weigh features.
WEIGHTS = ("coef_", "feature_importances_", "intercept_")


class SourceDiscriminant(CrossFittedMixin, ClassifierMixin, Estimator):
    """Attribute rows of features to sources whose images come in several conditions.

    Compression, noise and resizing move the features of an image by more than its
    source does. So each pair of a source and a condition is a class (mixture
    discriminant analysis), which is sharp at the strengths that were trained on. A
    second discriminant with one class for each source bridges the strengths between
    them. Their scores are added. With a single condition both are the same: linear
    discriminant analysis with shrinkage.

    Conditions also change how the features vary within a source: compression removes
    fine differences between images, and noise adds its own. One covariance for all
    conditions is a mixture that fits none of them. So conditions that move the mean
    features in similar directions form a kind, and each kind has discriminants with a
    covariance of its own. A row is scored by those of the kind of its predicted
    condition. Few rows share one covariance: see the Notes.

    The training rows are read once, block by block; only second moments are kept, whose
    size does not depend on the number of rows.

    Parameters
    ----------
    shrinkage : "auto", float or sequence of float, default="auto"
        In (0, 1]: weight of a multiple of the identity in the covariance, or candidates
        for it. The one with the least held-out log loss is taken. "auto" chooses from
        0.02, 0.1, 0.3 and 0.6.
    cv : int or cross-validation splitter, default=5
        Folds for choosing shrinkage and temperatures. A number means stratified folds:
        of whole groups, and shuffled ones without groups.
    background : label, default=None
        Label in y for rows without a common source, such as photographs. It is never an
        answer: these rows are left out here, and a detector learns from them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sources, without the background.
    conditions_ : ndarray of shape (n_conditions,)
        The conditions.
    kinds_ : ndarray of shape (n_conditions,), int
        Kind of each condition, from 0 on; all 0 if the conditions share one covariance.
    shrinkage_ : float
        The chosen shrinkage.
    inverse_temperatures_ : ndarray of shape (n_conditions,)
        Factors by which the scores of rows of each condition are multiplied: an
        unprocessed image is attributed with more certainty than a perturbed one.
    n_images_ : float
        Number of training images, perturbed copies not counted; with weights w the
        effective number ``(sum w)^2 / sum w^2``.
    mean_ : ndarray of shape (n_features,)
        Mean of the mean features of the sources, which count alike.
    image_shape_ : tuple of int
        Shape of one row: (n_features,).
    n_features_in_ : int
        Number of features.

    See Also
    --------
    AugmentedPipeline : Perturbs the images, and passes the condition of each row.

    Notes
    -----
    Features are divided by their standard deviations. With the means m_k of the
    classes, their pooled covariance S and its shrunk version
    ``A = (1 - a) S + a trace(S) / d I``, the score of class k is
    ``x' A^-1 m_k - m_k' A^-1 m_k / 2``; the scores of the conditions of one source are
    joined by the logarithm of their mean exponential [1]_. All classes count alike,
    however many images they have. With fewer rows than features, S is the covariance
    about the common mean, as in ridge regression, since the spread of a few images of
    a class says little.

    The number of rows limits the number of covariances that can be estimated, between
    one for all classes and one for each (regularized discriminant analysis [2]_). Here
    there is one for each of at most four kinds: clusters of the mean features of the
    conditions, by average linkage of the cosines of their deviations from the common
    mean. There are fewer kinds, or one, if a kind would have fewer rows than a quarter
    of the number of features or no row of some source, or if their moments would take
    more than 1 GiB. There is one if there are fewer rows than features. The
    discriminants of all conditions predict the condition of a row, and the shrinkage is
    chosen by them.

    There is no `coef_` and no `feature_importances_`, since a feature has a coefficient
    in each discriminant. :func:`~skfingerprint.explanation.explain_attribution` gives
    the contributions of features to the score of an image. scikit-learn's
    ``SelectFromModel`` needs another model; its ``SelectKBest`` and
    ``permutation_importance`` need no weights.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, "Discriminant Analysis by Gaussian Mixtures",
       Journal of the Royal Statistical Society B, 1996.
       :doi:`10.1111/j.2517-6161.1996.tb02073.x`
    .. [2] J. H. Friedman, "Regularized Discriminant Analysis", Journal of the American
       Statistical Association, 1989. :doi:`10.1080/01621459.1989.10478752`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint import SourceDiscriminant
    >>> rng = np.random.default_rng(0)
    >>> y, conditions = np.repeat([0, 1, 2], 40), np.tile([0, 1], 60)
    >>> rows = rng.normal(size=(120, 8)) + 3 * np.eye(8)[y]
    >>> rows += 2 * np.eye(8)[conditions + 6]
    >>> model = SourceDiscriminant().fit(rows, y, conditions=conditions)
    >>> model.score(rows, y)
    0.9916666666666667
    >>> bool(model.predict_proba(rows).max() < 1)
    True
    """

    __metadata_request__fit = {"conditions": True}  # noqa: RUF012

    def __init__(self, *, shrinkage="auto", cv=5, background=None):
        self.shrinkage = shrinkage
        self.cv = cv
        self.background = background

    @all_or_nothing
    @needs_spread()
    def fit(self, X, y, *, conditions=None, groups=None, sample_weight=None, **params):
        """Sum the moments, solve the discriminants, and fit the temperatures.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Sources; at least two, with at least two images each.
        conditions : array-like of shape (n_samples,), default=None
            Condition of each row. By default all rows have the same.
        groups : array-like of shape (n_samples,), default=None
            Scene that each image shows: rows of one group, such as perturbed copies of
            one image, are held out together.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0; not all 0 in any class. They are relative: a common factor
            changes nothing.
        **params : dict
            Metadata that a splitter `cv` requests.

        Returns
        -------
        self : SourceDiscriminant
        """
        candidates = self._check_shrinkage()
        X, y = validate_images(self, X, y, reset=True)
        y, is_background = hide_background(y, self.background)
        members, weights = check_training(self, X, y, sample_weight)
        weights = np.where(is_background, 0, weights)  # so that they are in no sum
        check_weighed(np.bincount(members, weights), self.classes_)
        weights = relate_weights(weights)
        check_classes(self.classes_)
        conditions = np.zeros(len(y)) if conditions is None else conditions
        check_labels(conditions, "conditions")
        conditions = column_or_1d(conditions)
        check_consistent_length(y, conditions)
        self.conditions_, conditions = np.unique(conditions, return_inverse=True)
        folds = find_folds(self, y, groups, weights, params, shuffle=True)
        totals = np.bincount(conditions, weights)
        # Every image has an unprocessed row, so that the most frequent condition counts
        # the images.
        self.n_images_ = float(_count_effective(weights, conditions).max())
        kept = draw_kept(weights, conditions)
        cells = find_cells(members, conditions, weights)
        moments = read_moments(X, cells, folds, weights, kept, by_kind=True)
        # Rows are kept by condition in other shares than they have: the loss of each is
        # weighed by the rows that it stands for.
        shares = totals / np.bincount(conditions[kept], weights[kept])
        truth = members[kept], folds[kept], weights[kept], shares[conditions[kept]]
        self.shrinkage_, inverse = choose_shrinkage(moments, *truth, candidates)
        self.inverse_temperatures_ = inverse
        self.kinds_ = moments.kinds
        self.center_, self.discriminants_ = solve_kinds(moments, self.shrinkage_)
        self.mean_ = find_mean(moments)
        return self

    def decision_function(self, X):
        """Score rows for each source.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Logarithms of the probabilities, without the share that `predict_proba`
            leaves to error. For two classes, the second's minus the first's. Scores of
            several images that are known to share a source add up.
        """
        return to_decision(self._score(X))

    def predict_proba(self, X):
        """Compute the probabilities of the sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Never 0 or 1: see :func:`~skfingerprint.calibration.temper`.
        """
        return temper(self._score(X), n_images=self.n_images_)

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

    def predict_conditions(self, X):
        """Predict the condition of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        conditions : ndarray of shape (n_samples,)
            Entries of `conditions_`, as passed to `fit`.
        """
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        return self.conditions_[score_blocks(_pick_conditions, X, self._get_state())]

    def __getattr__(self, name):
        """Raise AttributeError, with the reason and the remedy for feature weights."""
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in WEIGHTS:
            message += (
                ": the predicted condition of an image chooses among the discriminants "
                "of its source, so that a feature has several coefficients. For the "
                "contributions of features to the score of an image take "
                "skfingerprint.explanation.explain_attribution, for their importance "
                "sklearn.inspection.permutation_importance, and to select features "
                "sklearn.feature_selection.SelectKBest or SequentialFeatureSelector."
            )
        raise AttributeError(message, name=name, obj=self)

    def _score(self, X):
        check_is_fitted(self)
        X = validate_images(self, X, reset=False)
        # Log probabilities: scores of images that share a source can be added.
        state = self._get_state(), self.inverse_temperatures_
        return log_softmax(score_blocks(_temper_rows, X, state), axis=1)

    def _get_state(self):
        return self.center_, self.discriminants_, self.kinds_

    def _check_shrinkage(self):
        """Return the candidates."""
        if isinstance(self.shrinkage, str) and self.shrinkage == "auto":
            return SHRINKAGES
        values = np.ravel(self.shrinkage).tolist()
        if not values or not all(isinstance(a, Real) and 0 < a <= 1 for a in values):
            raise ValueError(
                'shrinkage must be "auto", a number in (0, 1] or a sequence of such '
                f"numbers, got {shorten(self.shrinkage)}."
            )
        return values


def _pick_conditions(rows, state):
    return score_rows(rows, state)[1]


def _temper_rows(rows, state):
    """Score rows, each at the temperature of the condition that it is assigned to."""
    state, inverse_temperatures = state
    # The condition of a new image is unknown: the sharpest discriminant predicts it.
    scores, conditions = score_rows(rows, state)
    return inverse_temperatures[conditions][:, np.newaxis] * scores

"""Folds that hold out training data, and the metadata that they need."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import column_or_1d
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from skfingerprint._core.checks import (
    as_integers,
    check_groups,
    check_int,
    shorten,
)

# StratifiedGroupKFold takes 0.17 s for each 1,000 groups.
MANY_GROUPS = 2000


class CrossFittedMixin:
    """Route the metadata of estimators that hold out folds of their training data.

    Groups are for the folds, and are requested unless the user takes that back; further
    metadata are routed to the splitter `cv` by its requests.
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata requests of `fit` and of the splitter `cv`.

        Returns
        -------
        routing : :class:`~sklearn.utils.metadata_routing.MetadataRouter`
        """
        mapping = MethodMapping()
        for caller in ("fit", "fit_transform"):
            if hasattr(self, caller):
                mapping.add(caller=caller, callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(splitter=self.cv, method_mapping=mapping)


def find_folds(
    estimator: BaseEstimator,
    y: np.ndarray,
    groups: Any,
    sample_weight: np.ndarray,
    params: dict,
    *,
    shuffle: bool = False,
) -> np.ndarray:
    """Assign each sample to the fold that holds it out, by the `cv` of an estimator.

    A number of folds is limited by the smallest class, so that each fold leaves samples
    of each class. Only samples with a weight count.

    Parameters
    ----------
    estimator : estimator
        Has `cv`, a number or a splitter.
    y : ndarray of shape (n_samples,)
        Labels.
    groups : array-like of shape (n_samples,) or None
        Samples of one group are held out together.
    sample_weight : ndarray of shape (n_samples,)
        Weights.
    params : dict
        Further metadata for a splitter.
    shuffle : bool, default=False
        Whether stratified folds are shuffled.

    Returns
    -------
    folds : ndarray of shape (n_samples,), int
    """
    check_groups(groups, len(y))
    if params and get_config()["enable_metadata_routing"]:
        params = process_routing(estimator, "fit", **params).splitter.split
    if isinstance(estimator.cv, Integral):
        used = np.flatnonzero(sample_weight)
        if groups is not None:
            groups = column_or_1d(as_integers(groups))[used]
        folds = _assign_stratified(estimator.cv, y[used], groups, shuffle)
    else:
        from sklearn.model_selection import check_cv

        used, splitter = np.arange(len(y)), check_cv(estimator.cv, y, classifier=True)
        given = {"groups": groups} | params
        folds = _number_tests(splitter.split(np.empty(len(y)), y, **given), len(y))
    # Samples without a weight are in none of the means, so that any fold will do.
    return np.bincount(used, folds, minlength=len(y)).astype(int)


def _number_tests(splits: Iterable, n_samples: int) -> np.ndarray:
    """Return the number of the split that tests each sample, once."""
    folds = np.full(n_samples, -1)
    for number, (_, test) in enumerate(splits):
        if (folds[test] >= 0).any():
            folds[:] = -1
            break
        folds[test] = number
    if (folds < 0).any():
        raise ValueError("cv must hold out each sample once.")
    return folds


def _assign_stratified(
    n_folds: int, y: np.ndarray, groups: Any, shuffle: bool
) -> np.ndarray:
    """Assign samples to stratified folds, whole groups if there are any.

    Parameters
    ----------
    n_folds : int
        Number of folds, at most that of the images or groups of the smallest class.
    y : ndarray of shape (n_samples,)
        Labels.
    groups : ndarray of shape (n_samples,) or None
        Group of each sample.
    shuffle : bool
        Whether to shuffle, always in the same way.

    Returns
    -------
    folds : ndarray of shape (n_samples,), int
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    check_int("cv", n_folds, 2)
    unit, names = "images", y
    if groups is not None:
        unit = "groups"
        names = np.array([name for name, _ in {*zip(y, groups, strict=True)}])
    names, counts = np.unique(names, return_counts=True)
    if counts.min() < 2:
        smallest = names.tolist()[counts.argmin()]
        raise ValueError(
            f"each class needs at least 2 {unit}, of which some are held out in the "
            f"fit, and there is {counts.min()} of class {shorten(smallest)}: add more, "
            "or leave the class out."
        )
    options = {"shuffle": True, "random_state": 0} if shuffle else {}
    n_folds = min(n_folds, counts.min())
    if groups is None:
        splits = StratifiedKFold(n_folds, **options).split(y, y)
        return _number_tests(splits, len(y))
    _, first, members, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    alike = sizes.min() == sizes.max() and (y == y[first][members]).all()
    if len(first) > MANY_GROUPS and alike:
        # Each group is one image with its copies: stratified folds of groups are then
        # balanced, without the loop over all groups of StratifiedGroupKFold.
        return _assign_stratified(n_folds, y[first], None, shuffle)[members]
    splits = StratifiedGroupKFold(n_folds, **options).split(y, y, groups)
    return _number_tests(splits, len(y))

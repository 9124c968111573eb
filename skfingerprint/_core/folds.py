"""Folds that hold out training data, and the metadata they need."""

from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils import column_or_1d
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from skfingerprint._core.checks import check_int, check_length


class CrossFittedMixin:
    """Metadata of estimators that hold out folds of their own training data.

    Groups go to the folds, so that they are requested unless that is taken back;
    whatever else the splitter `cv` requests is routed to it.
    """

    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    def get_metadata_routing(self):
        """Return what `fit` requests for itself and for the splitter `cv`.

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


def find_folds(estimator, y, groups, sample_weight, params, *, shuffle=False):
    """Return the fold that holds out each sample, by the estimator's `cv`.

    A number of folds is limited by the smallest class, so that each class has residuals
    left to average, and counts only samples of some weight. The further metadata
    `params` are routed to a splitter. `shuffle` is that of the stratified folds.
    """
    if isinstance(estimator.cv, Integral):
        used = np.flatnonzero(sample_weight)
        if groups is not None:
            check_length("groups", groups, len(y))
            groups = column_or_1d(groups)[used]
        splitter = _make_splitter(estimator.cv, y[used], groups, shuffle)
    else:
        used = np.arange(len(y))
        splitter = check_cv(estimator.cv, y, classifier=True)
    if params and get_config()["enable_metadata_routing"]:
        params = process_routing(estimator, "fit", **params).splitter.split
    folds = np.full(len(used), -1)
    given = {"groups": groups} | params
    splits = splitter.split(np.empty(len(used)), y[used], **given)
    for number, (_, test) in enumerate(splits):
        if (folds[test] >= 0).any():
            folds[:] = -1
            break
        folds[test] = number
    if (folds < 0).any():
        raise ValueError("cv must hold out each sample once.")
    # A sample without weight is in no mean, so that any fold will do.
    return np.bincount(used, folds, minlength=len(y)).astype(int)


def _make_splitter(n_folds, y, groups, shuffle):
    """Return stratified folds, of whole groups if there are any."""
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
            f"fit, and there is {counts.min()} of class {smallest!r}: add more, or "
            "leave the class out."
        )
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    options = {"shuffle": True, "random_state": 0} if shuffle else {}
    return kind(min(n_folds, counts.min()), **options)

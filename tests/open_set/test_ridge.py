import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skfingerprint._open_set.ridge import fit_ridge, predict_without

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(40, 6), (30, 80), (25, 25)])
@pytest.mark.parametrize("alpha", [1.0, 100.0])
def test_what_is_left_out_is_predicted_as_by_a_fit_without_it(shape, alpha):
    rows = RNG.normal(size=shape) + 3
    targets = RNG.normal(size=(shape[0], 3))
    weights = RNG.integers(1, 4, size=shape[0]).astype(float)
    ridge = fit_ridge(rows, targets, weights, alpha)
    whole = Ridge(alpha).fit(rows, targets, sample_weight=weights)
    found = rows @ ridge.coef + ridge.intercept
    np.testing.assert_allclose(found, whole.predict(rows), atol=1e-9)
    left_out = np.array([0, 3, 4, 11])
    rest = np.setdiff1d(np.arange(shape[0]), left_out)
    expected = Ridge(alpha).fit(rows[rest], targets[rest], sample_weight=weights[rest])
    groups = np.array([0, 5, 6, 4]), np.array([9]), np.array([3])
    found, of_groups = predict_without(ridge, left_out, groups)
    np.testing.assert_allclose(found, expected.predict(rows[left_out]), atol=1e-8)
    for group, inside, found in zip(groups, ([0, 4], [], [3]), of_groups, strict=True):
        rest = np.setdiff1d(np.arange(shape[0]), [*left_out, *group])
        refit = Ridge(alpha).fit(rows[rest], targets[rest], sample_weight=weights[rest])
        if inside:
            expected = refit.predict(rows[inside])
        np.testing.assert_allclose(found, expected[: len(inside)], atol=1e-8)


def test_single_precision_is_close():
    rows, targets = RNG.normal(size=(50, 200)), RNG.normal(size=(50, 2))
    precise, single = (
        fit_ridge(rows.astype(kind), targets, np.ones(50), 10.0) for kind in "df"
    )
    np.testing.assert_allclose(single.coef, precise.coef, atol=1e-5)
    left_out = np.arange(10)
    np.testing.assert_allclose(
        predict_without(single, left_out)[0],
        predict_without(precise, left_out)[0],
        atol=1e-4,
    )

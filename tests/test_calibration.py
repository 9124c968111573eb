import numpy as np
import pytest
from scipy.special import softmax

from skfingerprint.calibration import fit_temperature, temper


def draw(n, n_classes, inverse, seed=0):
    """Scores, and labels drawn from the probabilities that they mean."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, n_classes)) * 3
    probabilities = softmax(inverse * scores, axis=1)
    y = (probabilities.cumsum(axis=1) > rng.uniform(size=(n, 1))).argmax(axis=1)
    return scores, y


@pytest.mark.parametrize("inverse", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n_classes", [2, 7])
def test_the_temperature_is_recovered_whatever_the_unit(inverse, n_classes):
    scores, y = draw(20_000, n_classes, inverse)
    assert fit_temperature(scores, y) == pytest.approx(inverse, rel=0.1)
    for unit in (1e-6, 1e6):
        found = fit_temperature(unit * scores, y)
        assert found * unit == pytest.approx(fit_temperature(scores, y), rel=1e-3)


@pytest.mark.parametrize("n", [2, 5, 100, 10_000])
@pytest.mark.parametrize("margin", [0.01, 1.0, 1e4])
def test_it_stays_finite_where_no_score_is_wrong(n, margin):
    y = np.arange(n) % 3
    scores = margin * np.eye(3)[y]
    inverse = fit_temperature(scores, y)
    assert 0 < inverse * margin < 2 + np.log(n)
    probabilities = temper(inverse * scores, n_images=n)
    assert probabilities.max() < 1
    # More images without an error allow more certainty.
    more = fit_temperature(np.tile(scores, (10, 1)), np.tile(y, 10))
    assert more > inverse


def test_scores_that_say_nothing_give_chance():
    scores = np.zeros((30, 4))
    inverse = fit_temperature(scores, np.arange(30) % 4)
    assert np.isfinite(inverse)
    np.testing.assert_allclose(temper(inverse * scores, n_images=30), 0.25)


def test_weights_are_repetitions():
    scores, y = draw(200, 4, 1.0)
    weights = np.random.default_rng(1).integers(0, 4, size=200)
    repeated = np.repeat(np.arange(200), weights)
    assert fit_temperature(scores, y, sample_weight=weights) == pytest.approx(
        fit_temperature(scores[repeated], y[repeated]), rel=1e-6
    )


@pytest.mark.parametrize("n_images", [1, 40, 10**6])
def test_no_probability_is_0_or_1(n_images):
    scores = np.array([[0.0, 1e9, -1e9], [0.0, 0.0, 0.0]])
    found = temper(scores, n_images=n_images)
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found[0, 1] == pytest.approx(1 - 2 / 3 / (n_images + 1))


@pytest.mark.parametrize(
    ("scores", "y"),
    [
        (np.zeros((3, 1)), [0, 0, 0]),
        (np.zeros(3), [0, 1, 0]),
        (np.full((3, 2), np.nan), [0, 1, 0]),
        (np.zeros((3, 2)), [0, 1]),
    ],
)
def test_bad_scores_are_refused(scores, y):
    with pytest.raises(ValueError, match=r"scores must be finite|inconsistent numbers"):
        fit_temperature(scores, y)

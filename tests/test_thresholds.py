import numpy as np
import pytest

from skfingerprint.thresholds import tail_probability, tail_threshold

RNG = np.random.default_rng(0)
NULLS = {
    "exponential": RNG.exponential(size=20_000) / 100,
    "normal": RNG.normal(size=500),
    "few": RNG.normal(size=7),
    "ties": np.round(RNG.normal(size=300)),
    "single": np.array([0.3]),
}
ALL = pytest.mark.parametrize("null", NULLS.values(), ids=NULLS)


def test_threshold_of_an_exponential_tail():
    null = np.random.default_rng(0).exponential(size=200_000) / 100
    for rate in (0.3, 0.1, 1e-3, 1e-5):
        expected = -np.log(rate) / 100
        assert tail_threshold(null, rate) == pytest.approx(expected, rel=0.05)
    assert tail_threshold(np.full(10, 0.5), 1e-3) == 0.5


@ALL
@pytest.mark.parametrize("rate", [0.9, 0.5, 0.2, 0.1])
def test_no_more_than_the_rate_of_the_null_exceeds_it(null, rate):
    assert np.mean(null > tail_threshold(null, rate)) <= rate
    exact = np.arange(1000.0)
    assert np.mean(exact > tail_threshold(exact, rate)) == rate


@ALL
def test_lower_rates_have_higher_thresholds(null):
    thresholds = [tail_threshold(null, r) for r in (0.9, 0.5, 0.1, 0.099, 0.01, 1e-6)]
    assert thresholds == sorted(thresholds)


@ALL
def test_probabilities_fall_and_stay_within_0_and_1(null):
    scores = np.linspace(null.min() - 1, null.max() + 1, 401)
    found = tail_probability(null, scores)
    assert (np.diff(found) <= 1e-12).all()
    assert found[0] == 1
    assert (found > 0).all()


@pytest.mark.parametrize("rate", [0.05, 1e-3, 1e-9])
def test_probability_is_the_inverse_of_the_threshold(rate):
    null = NULLS["normal"]
    assert tail_probability(null, tail_threshold(null, rate)) == pytest.approx(rate)


def test_probability_is_the_share_that_reaches_a_score():
    null = NULLS["ties"]
    for score in (-2, -1, 0, 1):
        assert tail_probability(null, score) == pytest.approx(np.mean(null >= score))
    assert tail_probability(null, [[0.0, 1.0]]).shape == (1, 2)


@ALL
def test_weights_are_repetitions_and_order_is_nothing(null):
    weights = np.random.default_rng(1).integers(0, 4, size=len(null))
    weights[0] = 2
    repeated = np.repeat(null, weights)
    order = np.random.default_rng(2).permutation(len(null))
    for rate in (0.5, 0.1, 0.01):
        expected = tail_threshold(repeated, rate)
        for scale in (1, 0.1):
            found = tail_threshold(
                null[order], rate, sample_weight=scale * weights[order]
            )
            assert found == pytest.approx(expected, rel=1e-9)
    scores = np.linspace(null.min(), null.max(), 50)
    np.testing.assert_allclose(
        tail_probability(null, scores, sample_weight=weights),
        tail_probability(repeated, scores),
        atol=1e-9,
    )


@pytest.mark.parametrize("rate", [0, 1, -0.1, "low", np.nan, None])
def test_rates_are_checked(rate):
    with pytest.raises(ValueError, match=r"rate must lie in \(0, 1\)"):
        tail_threshold([1, 2], rate)


@pytest.mark.parametrize(
    ("null", "weights", "message"),
    [
        ([], None, "some finite weight"),
        ([1, np.nan], None, "must be finite"),
        ([1, np.inf], None, "must be finite"),
        ([[1, 2]], None, "must be finite numbers of shape"),
        ([1, 2], [1], "a number >= 0 for each"),
        ([1, 2], [1, -1], "a number >= 0 for each"),
        ([1, 2], [0, 0], "some finite weight"),
        ([1, 2], [np.inf, 0], "some finite weight"),
    ],
)
def test_null_scores_are_checked(null, weights, message):
    with pytest.raises(ValueError, match=message):
        tail_threshold(null, 0.1, sample_weight=weights)
    with pytest.raises(ValueError, match=message):
        tail_probability(null, [0], sample_weight=weights)

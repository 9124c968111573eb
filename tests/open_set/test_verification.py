import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    FingerprintDetector,
    RejectingClassifier,
    SourceDetector,
    SourceDiscriminant,
    make_attribution_pipeline,
)
from skfingerprint._attribution.imitations import draw_imitations
from skfingerprint._core.blocks import BlockSource
from skfingerprint._open_set.verification import (
    _hold_out_pairs,
    _score_pairs,
    compare_sets,
    estimate_shares,
    fit_ridge,
    project_outputs,
)
from skfingerprint.datasets import load_generators
from skfingerprint.imitation import IMITATIONS
from tests.estimators import DOUBLE, assert_same

D = 40


def draw_classes(n_classes, n_rows, rng, spread=1.2):
    """Rows of classes whose means are random; the last ten columns are noise."""
    means = spread * rng.normal(size=(n_classes, D))
    means[:, -10:] = 0
    classes = np.repeat(np.arange(n_classes), n_rows)
    return means[classes] + rng.normal(size=(len(classes), D)), classes


def draw(n_sources=3, n_kinds=5, n_makers=40, n_made=5, seed=0):
    """Rows of sources and of imitations, with all that `fit` takes."""
    rng = np.random.default_rng(seed)
    rows, y = draw_classes(n_sources, 40, rng)
    made, makers = draw_classes(n_makers, n_made, rng)
    numbers = np.concatenate([np.full((len(rows), 2), -1), np.zeros((len(made), 2))])
    numbers[len(rows) :] = np.stack([makers % n_kinds, makers], axis=1)
    groups = np.concatenate(
        [np.tile(np.arange(40), n_sources), np.arange(len(made)) % 40]
    )
    X = np.concatenate([rows, made])
    y = np.concatenate([y, np.arange(len(made)) % n_sources])
    return X, y, {"imitations": numbers.astype(int), "groups": groups}


@pytest.fixture(scope="module")
def detector():
    X, y, given = draw()
    return SourceDetector(alpha=10).fit(X, y, **given)


@pytest.mark.parametrize("n_sources", [1, 3, 12])
def test_sources_that_were_never_fitted_are_recognized_at_the_stated_rate(n_sources):
    X, y, given = draw(n_sources=n_sources)
    detector = SourceDetector(alpha=10).fit(X, y, **given)
    rows, classes = draw_classes(10, 32, np.random.default_rng(9))
    outputs = project_outputs(rows, detector.verification_)
    sets = [outputs[classes == k] for k in range(10)]
    same, found = np.eye(10, dtype=bool), []
    for size in (1, 4, 16):
        scores = [
            [compare_sets(a[:size], b[16 : 16 + size]) for b in sets] for a in sets
        ]
        shares = estimate_shares(np.array(scores), (size, size), detector.verification_)
        # 90 pairs of two sources: 9 are expected.
        assert np.mean(shares[~same] <= 0.1) < 0.25
        assert np.mean(shares[~same] <= 0.01) < 0.05
        found.append(np.mean(shares[same] <= 0.01))
    assert found[0] < found[1] <= found[2]
    assert found[2] > 0.8


def test_the_order_of_sets_and_of_images_means_nothing(detector):
    rows, _ = draw_classes(2, 8, np.random.default_rng(1))
    first, second = rows[:3], rows[8:]
    answer = detector.verify(first, second)
    assert sorted(answer) == ["false_alarm_probability", "score"]
    assert -1 <= answer.score <= 1
    assert 0 < answer.false_alarm_probability <= 1
    for other in (
        detector.verify(second, first),
        detector.verify(first[::-1], second[::-1]),
        detector.verify(first, BlockSource(lambda k: second, [8])),
    ):
        for name in answer:
            assert_same(other[name], answer[name], DOUBLE)
    same = detector.verify(first, first)
    assert_same(same.score, 1.0, DOUBLE)
    assert same.false_alarm_probability < 0.01
    # Sets of other sizes have another null.
    means = [part.mean(axis=0, keepdims=True) for part in (first, second)]
    single = detector.verify(*means)
    np.testing.assert_allclose(single.score, answer.score)
    assert single.false_alarm_probability != answer.false_alarm_probability


def test_the_probability_falls_with_the_score(detector):
    shares = estimate_shares(np.linspace(-1, 1, 50), (2, 3), detector.verification_)
    assert np.all(np.diff(shares) <= 0)
    assert shares[0] == 1
    assert 0 < shares[-1] < 0.01


def test_pairs_are_predicted_without_their_groups_and_their_fold():
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(48, 9)), rng.normal(size=(48, 4))
    groups, folds = np.repeat([2, 5, 7], 16), np.tile(np.arange(4), 12)
    ridge = fit_ridge(rows, targets, np.ones(48), 3.0)
    inside, outside = _hold_out_pairs(ridge, groups, folds)
    pairs = [(2, 5), (2, 7), (5, 7)]
    assert len(outside) == 3
    for fold in range(4):
        own = folds == fold
        refit = Ridge(3.0).fit(rows[~own], targets[~own])
        np.testing.assert_allclose(inside[own], refit.predict(rows[own]))
        for pair, sides in zip(pairs, outside, strict=True):
            left = ~own & ~np.isin(groups, pair)
            refit = Ridge(3.0).fit(rows[left], targets[left])
            for group, (place, outputs) in zip(pair, sides, strict=True):
                np.testing.assert_array_equal(place, np.flatnonzero(groups == group))
                here = own[place]
                np.testing.assert_allclose(
                    outputs[here], refit.predict(rows[place[here]])
                )


def test_null_scores_are_cosines_of_sets_of_two_groups(detector):
    space = detector.verification_
    # 5 kinds and 3 sources.
    assert len(space.pairs) == 8 * 7 / 2
    scores, numbers = _score_pairs(space, [1, 1])
    assert np.abs(scores).max() <= 1 + 1e-9
    counts = [
        4 * (first[1].max() + 1) * (second[1].max() + 1)
        for first, second in space.pairs
    ]
    np.testing.assert_array_equal(np.bincount(numbers), counts)
    # Imitations have 5 rows of each generator: with more, the scatter of means is
    # accounted for by a factor.
    five, twenty = (_score_pairs(space, [n, n])[0][numbers == 27] for n in (5, 20))
    ratio = (space.between + space.within / 5) / (space.between + space.within / 20)
    np.testing.assert_allclose(twenty / five, ratio)


def test_perturbed_rows_do_not_change_the_answer():
    X, y, given = draw()
    cv = GroupKFold(5)
    plain = SourceDetector(cv=cv).fit(X, y, **given)
    given = {name: np.concatenate([values, values]) for name, values in given.items()}
    both = SourceDetector(cv=cv).fit(
        np.concatenate([X, 5 - 3 * X]),
        np.concatenate([y, y]),
        conditions=np.repeat([0, 1], len(X)),
        **given,
    )
    for size in (1, 5):
        first, second = (
            plain.verify(X[:size], X[50:55]),
            both.verify(X[:size], X[50:55]),
        )
        for name in first:
            assert_same(first[name], second[name], DOUBLE)


@pytest.mark.parametrize("n_kinds", [2, 25])
def test_few_and_many_kinds(n_kinds):
    X, y, given = draw(n_sources=1, n_kinds=n_kinds, n_made=1)
    # Each kind is one generator, and each generator made one image.
    detector = SourceDetector().fit(X, y, **given)
    answer = detector.verify(X[:3], X[5:9])
    assert np.isfinite(answer.score)
    assert 0 < answer.false_alarm_probability <= 1


def test_equal_rows_have_finite_answers():
    X, y, given = draw()
    X = np.where(np.arange(D) < 3, X, 1.0)
    detector = SourceDetector().fit(X, y, **given)
    answer = detector.verify(np.ones((2, D)), np.ones((3, D)))
    assert np.isfinite([answer.score, answer.false_alarm_probability]).all()
    assert compare_sets(np.zeros((2, 3)), np.ones((2, 3))) == 0


def test_input_is_checked(detector):
    X, y, given = draw()
    with pytest.raises(NotFittedError):
        SourceDetector().verify(X[:2], X[:2])
    for odd, message in (
        (X[:0], "0 sample"),
        (X[:2, :5], "features"),
        (X[0], "2D|dim"),
        (np.full((2, D), np.nan), "NaN"),
    ):
        for pair in ((odd, X[:2]), (X[:2], odd)):
            with pytest.raises(ValueError, match=message):
                detector.verify(*pair)
    images = given["imitations"][:, 0] < 0
    plain = SourceDetector(false_alarm_rate=None).fit(X[images], y[images])
    with pytest.raises(ValueError, match=r"imitations.*make_attribution_pipeline"):
        plain.verify(X[:2], X[:2])


def test_classifiers_pass_sets_on():
    X, y, given = draw()
    model = RejectingClassifier(SourceDiscriminant(), SourceDetector(alpha=10))
    with pytest.raises(NotFittedError):
        model.verify(X[:2], X[:2])
    model.fit(X, y, **given)
    assert model.verify(X[:2], X[50:54]) == model.detector_.verify(X[:2], X[50:54])
    other = RejectingClassifier(FingerprintClassifier(), FingerprintDetector())
    assert not hasattr(other, "verify")


def test_pipelines_take_images_of_any_size():
    data = load_generators()
    used = np.flatnonzero(data.target < 2)[::4]
    pipeline = make_attribution_pipeline(
        false_alarm_rate=0.05, perturbations=(), imitations=IMITATIONS[::4]
    )
    with pytest.raises(NotFittedError):
        pipeline.verify(data.images[:2], data.images[:2])
    pipeline.fit(data.images[used], data.target[used], groups=data.groups[used])
    first = data.images[data.target == 5][:6]
    second = data.images[data.target == 5][20:30]
    answer = pipeline.verify(first, second)
    rows = [AttributionFeatures().fit_transform(part) for part in (first, second)]
    assert answer == pipeline[-1].verify(*rows)
    third = data.images[data.target == 6][20:30]
    assert answer.score > pipeline.verify(first, third).score
    cropped = [second[0], second[1][:48], second[2][:, 16:]]
    assert pipeline.verify(first, cropped).score > 0
    plain = make_attribution_pipeline()
    assert not hasattr(plain, "verify")
    with pytest.raises(AttributeError, match=r"verify.*stated rate"):
        plain.verify(first, second)


@pytest.mark.parametrize("n_images", [7, 40, 82])
def test_generators_get_other_images_of_a_source_in_each_round(n_images):
    y = np.zeros(n_images, dtype=int)
    places, makers = draw_imitations(y, None, 82)
    pairs = np.unique(np.stack([places, makers]), axis=1)
    # Chance repeats some of 250 pairs.
    assert pairs.shape[1] > 0.9 * len(places) * (1 - 1 / n_images)
    counts = np.bincount(places, minlength=n_images)
    assert counts.max() - counts.min() <= 1

import warnings

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from skfingerprint import SourceDetector
from skfingerprint._core.blocks import BlockSource, share_reading
from skfingerprint._open_set.conditions import score_distances
from skfingerprint._open_set.training import draw_rows
from skfingerprint.thresholds import tail_probability, tail_threshold
from tests.estimators import DOUBLE, assert_same


def draw(n_sources=8, n_images=40, d=60, spread=6.0, seed=0, n_conditions=1):
    """Rows of sources whose means are random; each copy moves all of them."""
    rng = np.random.default_rng(seed)
    means = spread * np.random.default_rng(seed + 1).normal(size=(n_sources, d))
    means /= np.sqrt(d / 4)
    moves = 5 * np.random.default_rng(seed + 2).normal(size=(n_conditions, d))
    moves[0] = 0
    y = np.repeat(np.arange(n_sources), n_images * n_conditions)
    copies = np.tile(np.arange(n_conditions), n_sources * n_images)
    groups = np.repeat(np.arange(n_sources * n_images), n_conditions)
    return means[y] + moves[copies] + rng.normal(size=(len(y), d)), y, copies, groups


def standardize(rows):
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def score(outputs, n_sources):
    distances = np.linalg.norm(outputs[:, None] - np.eye(outputs.shape[1]), axis=2)
    return -np.log(distances[:, :n_sources])


@pytest.mark.parametrize("d", [20, 300])
def test_scores_are_distances_to_vertices_and_nulls_are_refits(d):
    rows, y, *_ = draw(n_sources=5, n_images=20, d=d)
    groups = np.tile(np.arange(20), 5)
    detector = SourceDetector(alpha=10, cv=GroupKFold(4)).fit(rows, y, groups=groups)
    scaled, targets = standardize(rows), np.eye(5)[y]
    ridge = Ridge(10).fit(scaled, targets)
    expected = score(ridge.predict(scaled), 5)
    ((space, _),) = detector.spaces_
    np.testing.assert_allclose(score_distances(rows, space), expected, atol=1e-8)
    null, known = np.empty(100), np.empty(100)
    for _, test in GroupKFold(4).split(rows, y, groups):
        rest = np.setdiff1d(np.arange(100), test)
        outputs = Ridge(10).fit(scaled[rest], targets[rest]).predict(scaled[test])
        known[test] = score(outputs, 5).max(axis=1)
        for source in range(5):
            others = rest[y[rest] != source]
            asked = test[y[test] == source]
            outputs = Ridge(10).fit(scaled[others], targets[others])
            scores = score(outputs.predict(scaled[asked]), 5)
            null[asked] = np.delete(scores, source, axis=1).max(axis=1)
    np.testing.assert_array_equal(detector.null_sources_, y)
    assert detector.smallest_rate_ == 0.01

    def to_log_tail(scores):
        return -np.log(tail_probability(null, scores, groups=y, n_scores=100))

    # Scores are -log p of distances, and the threshold is that of the distances.
    np.testing.assert_allclose(detector.null_scores_, to_log_tail(null), atol=1e-6)
    np.testing.assert_allclose(
        detector.score_sources(rows), to_log_tail(expected), atol=1e-6
    )
    np.testing.assert_allclose(
        detector.score_samples(rows), to_log_tail(expected.max(axis=1)), atol=1e-6
    )
    assert detector.offset_ == -np.log(0.01)
    threshold = tail_threshold(null, 0.01, groups=y, n_scores=100)
    assert_same(to_log_tail(threshold), detector.offset_)
    assert detector.detection_rate_ == np.mean(known >= threshold)


@pytest.mark.parametrize("n_sources", [3, 4, 8, 20])
def test_strangers_are_accepted_at_the_stated_rate(n_sources):
    """On average over draws of strangers, who are as different as the known are."""
    accepted, found = [], []
    for seed in range(4):
        rows, y, *_ = draw(n_sources=n_sources + 20, n_images=60, d=60, seed=10 * seed)
        fit = (np.arange(len(y)) % 60 < 30) & (y < n_sources)
        detector = SourceDetector(alpha=10, false_alarm_rate=0.1).fit(rows[fit], y[fit])
        known = detector.predict(rows) == 1
        accepted.append(known[y >= n_sources].mean())
        found.append(known[~fit & (y < n_sources)].mean())
    assert np.mean(accepted) <= 0.2
    assert np.mean(found) > 0.8


@pytest.mark.parametrize("n_sources", [1, 2])
def test_few_sources_state_what_they_miss(n_sources):
    rows, y, *_ = draw(n_sources=6, n_images=100, d=60)
    fit = (np.arange(600) % 100 < 50) & (y < n_sources)
    labels = y[fit] if n_sources > 1 else None
    detector = SourceDetector(miss_rate=0.1).fit(rows[fit], labels)
    known = detector.predict(rows) == 1
    assert detector.detection_rate_ == pytest.approx(0.9, abs=0.03)
    assert known[~fit & (y < n_sources)].mean() == pytest.approx(0.9, abs=0.08)
    assert known[y >= n_sources].mean() < 0.05
    assert np.isnan(detector.false_alarm_probability(rows)).all()
    assert np.isnan(detector.smallest_rate_)
    with pytest.raises(ValueError, match=r"cannot be learned from . source.*miss_rate"):
        SourceDetector(false_alarm_rate=0.01).fit(rows[fit], labels)


@pytest.mark.parametrize("n_sources", [1, 2])
def test_distances_are_those_of_a_shrunk_covariance(n_sources):
    rows, y, *_ = draw(n_sources=n_sources, n_images=15, d=8)
    detector = SourceDetector().fit(rows, y)
    means = np.stack([rows[y == k].mean(axis=0) for k in range(n_sources)])
    centered = rows - means[y]
    scale = centered.std(axis=0)
    within = np.cov((centered / scale).T, bias=True)
    shrunk = 0.9 * within + 0.1 * np.trace(within) / 8 * np.eye(8)
    away = (rows[:, None] - means) / scale
    squares = np.einsum("ikd,de,ike->ik", away, np.linalg.inv(shrunk), away)
    np.testing.assert_allclose(
        detector.score_sources(rows), -0.5 * np.log(squares / 8), atol=1e-8
    )


def test_copies_stand_in_for_strangers_of_one_source():
    rows, y, copies, groups = draw(n_sources=6, n_images=60, d=60, n_conditions=3)
    used = (y == 0) & (groups % 2 == 0)
    detector = SourceDetector().fit(
        rows[used], conditions=copies[used], groups=groups[used]
    )
    known = detector.predict(rows) == 1
    fresh = (y == 0) & (groups % 2 == 1)
    assert known[fresh & (copies == 0)].mean() > 0.8
    assert known[fresh & (copies > 0)].mean() < 0.1
    assert detector.conditions_.tolist() == [0]


def test_changed_rows_are_asked_their_own_detector():
    rows, y, copies, groups = draw(n_sources=9, n_images=80, d=60, n_conditions=3)
    fit = (groups % 2 == 0) & (y < 8)
    given = {"conditions": copies[fit], "groups": groups[fit]}
    detector = SourceDetector(alpha=10).fit(rows[fit], y[fit], **given)
    assert detector.conditions_.tolist() == [0, 1, 2]
    fresh = groups % 2 == 1
    np.testing.assert_array_equal(
        detector.predict_conditions(rows[fresh]), copies[fresh]
    )
    known = detector.predict(rows) == 1
    for kind in range(3):
        assert known[fresh & (copies == kind) & (y < 8)].mean() > 0.9
        assert known[fresh & (copies == kind) & (y == 8)].mean() < 0.1
    assert detector.detection_rate_ == detector.detection_rate_by_condition_[0] > 0.9
    shares = detector.false_alarm_probability(rows)
    np.testing.assert_array_equal(known, shares <= 0.01 * (1 + 1e-9))


def test_kinds_that_are_nearly_the_same_have_no_detector():
    rows, y, copies, groups = draw(n_sources=6, n_images=60, d=40, n_conditions=3)
    rows[copies == 2] = rows[copies == 0] + 0.01  # as a blur that is none
    rng = np.random.default_rng(0)
    twice = np.concatenate([rows, rows[copies == 1] + 0.01 * rng.normal(size=40)])
    labels = np.concatenate([y, y[copies == 1]])
    scenes = np.concatenate([groups, groups[copies == 1]])
    kinds = np.concatenate([copies, np.full(360, 3)])
    detector = SourceDetector(alpha=10).fit(
        twice, labels, conditions=kinds, groups=scenes
    )
    assert 0 in detector.conditions_
    assert 2 not in detector.conditions_
    assert {1, 3} & set(detector.conditions_)


def test_a_background_is_never_an_answer():
    rows, y, *_ = draw(n_sources=7, n_images=60)
    names = np.array(["a", "b", "c", "d", "e", "photo", "x"])[y]
    fit = (np.arange(420) % 60 < 30) & (y < 6)
    detector = SourceDetector(alpha=10, background="photo").fit(rows[fit], names[fit])
    assert detector.classes_.tolist() == list("abcde")
    assert detector.score_sources(rows).shape == (420, 5)
    known = detector.predict(rows) == 1
    assert known[names == "photo"].mean() < 0.02
    assert known[~fit & (y < 5)].mean() > 0.9
    without = SourceDetector(alpha=10).fit(rows[fit & (y < 5)], names[fit & (y < 5)])
    photos = names == "photo"
    assert (
        detector.score_samples(rows[photos]).mean()
        < without.score_samples(rows[photos]).mean()
    )
    one = SourceDetector(background="photo").fit(
        rows[fit & (y > 3)], names[fit & (y > 3)]
    )
    assert one.classes_.tolist() == ["e"]
    with pytest.raises(ValueError, match="background='phot' must be the label of some"):
        SourceDetector(background="phot").fit(rows[fit], names[fit])
    with pytest.raises(ValueError, match="and not of all"):
        SourceDetector(background="photo").fit(
            rows[names == "photo"], names[names == "photo"]
        )


def test_order_changes_nothing_with_groups():
    rows, y, _, groups = draw(n_sources=4, n_images=20)
    order = np.random.default_rng(3).permutation(len(y))
    expected = SourceDetector(alpha=10).fit(rows, y, groups=groups)
    found = SourceDetector(alpha=10).fit(rows[order], y[order], groups=groups[order])
    assert found.detection_rate_ == expected.detection_rate_
    assert found.offset_ == pytest.approx(expected.offset_)
    np.testing.assert_allclose(
        found.score_samples(rows), expected.score_samples(rows), atol=1e-8
    )


def test_refusals():
    rows, y, *_ = draw(n_sources=3, n_images=6)
    for name in ("false_alarm_rate", "miss_rate"):
        for rate in (0, 0.6, "low"):
            with pytest.raises(ValueError, match=rf"{name} must lie in \(0, 0.5\]"):
                SourceDetector(**{name: rate}).fit(rows, y)
    with pytest.raises(ValueError, match="alpha must be"):
        SourceDetector(alpha=0).fit(rows, y)
    with pytest.raises(ValueError, match="each class needs at least 2 groups"):
        SourceDetector().fit(rows, y, groups=y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SourceDetector().fit(rows, y, conditions=[0, 1])


def test_rows_are_drawn_once():
    rng = np.random.default_rng(0)
    members, copies = rng.integers(-2, 5, size=14000), rng.integers(0, 2, size=14000)
    kinds = np.where(members == -2, rng.integers(0, 3, size=14000), -1)
    weights = (rng.uniform(size=14000) > 0.1).astype(float)
    rows = np.maximum(members, -1), kinds, copies, weights
    taken = draw_rows(*rows)
    assert np.all(np.diff(taken) > 0) and weights[taken].all()
    counts = np.stack(
        [np.bincount(members[taken[copies[taken] == k]] + 2) for k in (0, 1)]
    )
    np.testing.assert_array_equal(counts, [[600, 400] + [100] * 5] * 2)
    again = draw_rows(*(values[taken] for values in rows))
    np.testing.assert_array_equal(again, np.arange(len(taken)))


def test_what_is_read_block_by_block_gives_the_same():
    rows, y, copies, groups = draw(n_sources=4, n_images=150, n_conditions=2)
    sizes, reads = [500, 500, 200], []

    def read(k):
        reads.append(k)
        start = sum(sizes[:k])
        return rows[start : start + sizes[k]]

    expected = SourceDetector(alpha=10).fit(rows, y, conditions=copies, groups=groups)
    detector = SourceDetector(alpha=10)
    found = detector.fit(BlockSource(read, sizes), y, conditions=copies, groups=groups)
    assert reads == [0, 1, 2]
    assert_same(found.offset_, expected.offset_, DOUBLE)
    np.testing.assert_allclose(found.score_samples(rows), expected.score_samples(rows))
    taken = detector.draw_training(y, conditions=copies)
    source, kept, places = share_reading(BlockSource(read, sizes), taken)
    for k in range(3):
        source.read(k)
    np.testing.assert_array_equal(kept, rows[taken])
    np.testing.assert_array_equal(places, taken)


def test_rows_that_are_learned_from_suffice():
    rows, y, copies, groups = draw(n_sources=4, n_images=150, n_conditions=2)
    detector = SourceDetector(alpha=10)
    taken = detector.draw_training(y, conditions=copies, groups=groups)
    assert len(taken) == 800
    expected = detector.fit(rows, y, conditions=copies, groups=groups).offset_
    scores = detector.score_samples(rows)
    detector.fit(rows[taken], y[taken], conditions=copies[taken], groups=groups[taken])
    assert_same(detector.offset_, expected, DOUBLE)
    assert_same(detector.score_samples(rows), scores, DOUBLE)
    assert SourceDetector(cv=GroupKFold(2)).draw_training(y) is None


def test_few_sources_and_little_found_are_told():
    rows, y, *_ = draw(n_sources=6, n_images=12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SourceDetector(alpha=10).fit(rows, y)
        SourceDetector(alpha=10, miss_rate=0.1).fit(rows[y < 3], y[y < 3])
    with pytest.warns(UserWarning, match="learned from 4 sources"):
        SourceDetector(alpha=10).fit(rows[y < 4], y[y < 4])
    noise = np.random.default_rng(0).normal(size=rows.shape)
    with pytest.warns(UserWarning, match=r"detection_rate_ is 0\.0"):
        SourceDetector(alpha=10).fit(noise, y)


FEW = "cannot be learned from 2 source"
ONE = "each set the threshold: state one"
NO_RATE = "miss_rate must lie in"


@pytest.mark.parametrize(
    ("false_alarm_rate", "miss_rate", "of_many", "of_few"),
    [
        # A number > 0 is the false-alarm rate that holds, and one < 0 the miss rate.
        ("auto", "auto", 0.01, -0.05),
        ("auto", 0.1, -0.1, -0.1),
        (None, "auto", -0.05, -0.05),
        (None, 0.1, -0.1, -0.1),
        (0.1, "auto", 0.1, FEW),
        (0.1, 0.1, ONE, ONE),
        ("auto", None, NO_RATE, NO_RATE),
        (None, None, NO_RATE, NO_RATE),
        (0.1, None, NO_RATE, NO_RATE),
    ],
)
@pytest.mark.parametrize("n_sources", [2, 6])
def test_which_rate_sets_the_threshold(
    n_sources, false_alarm_rate, miss_rate, of_many, of_few
):
    rows, y, *_ = draw(n_sources=n_sources, n_images=100, spread=1.5)
    rates = {"false_alarm_rate": false_alarm_rate, "miss_rate": miss_rate}
    detector = SourceDetector(alpha=10, **rates)
    expected = of_few if n_sources == 2 else of_many
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            detector.fit(rows, y)
        with pytest.raises(ValueError, match=expected):
            detector.check_rates(n_sources)
        return
    detector.check_rates(n_sources)
    detector.fit(rows, y)
    if expected > 0:
        assert detector.offset_ == -np.log(expected)
        assert detector.detection_rate_ < 0.94  # not by chance a miss rate of .05
    else:
        assert detector.detection_rate_ == pytest.approx(1 + expected, abs=0.006)
        assert detector.offset_ != pytest.approx(-np.log(0.01), abs=1e-6)


@pytest.mark.parametrize("name", ["false_alarm_rate", "miss_rate"])
@pytest.mark.parametrize("rate", ["Auto", "", 0, 1, -0.1, np.nan, [0.1]])
def test_what_is_no_rate_is_refused(name, rate):
    rows, y, *_ = draw(n_sources=3, n_images=12)
    with pytest.raises(ValueError, match=rf"{name} must lie in \(0, 0.5\]"):
        SourceDetector(**{name: rate}).fit(rows, y)


def test_few_rows_of_a_kind_are_no_detector():
    rows, y, copies, groups = draw(n_sources=3, n_images=12, n_conditions=2)
    used = (copies == 0) | (groups % 12 == 0)  # one image a source is copied
    given = {"conditions": copies[used], "groups": groups[used]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "the false-alarm rate is learned from")
        detector = SourceDetector(alpha=10).fit(rows[used], y[used], **given)
    assert detector.conditions_.tolist() == [0]


def draw_imitated(n_sources, d=40, seed=0):
    """Rows of sources, and of imitations of three kinds of six generators each."""
    rng = np.random.default_rng(seed)
    rows, y, *_ = draw(n_sources=n_sources, n_images=30, d=d, seed=seed)
    groups = np.tile(np.arange(30), n_sources)
    makers = np.repeat(np.arange(18), 10)
    places = rng.integers(len(rows), size=180)
    made = rng.normal(size=(180, d)) + 2 * rng.normal(size=(18, d))[makers]
    given = np.stack([makers // 6, makers], axis=1)
    return (
        np.concatenate([rows, made]),
        np.concatenate([y, y[places]]),
        np.concatenate([groups, groups[places]]),
        np.concatenate([np.full((len(rows), 2), -1), given]),
    )


@pytest.mark.parametrize("n_sources", [1, 2, 4])
def test_nulls_of_imitations_are_refits_without_their_kind(n_sources):
    rows, y, groups, made = draw_imitated(n_sources)
    detector = SourceDetector(alpha=10, cv=GroupKFold(3))
    detector.fit(rows, y, groups=groups, imitations=made)
    kinds, n = made[:, 0], len(rows)
    weights = np.where(kinds < 0, 1, min(1, n_sources * 30 / 180))
    targets = np.eye(n_sources)[y] * (kinds < 0)[:, np.newaxis]
    center = np.average(rows, axis=0, weights=weights)
    variance = np.average((rows - center) ** 2, axis=0, weights=weights)
    scaled = (rows - center) / np.sqrt(variance)
    numbers = np.where(kinds < 0, y if n_sources > 2 else -1, n_sources + kinds)
    null = np.full(n, np.nan)
    for _, test in GroupKFold(3).split(rows, y, groups):
        rest = np.setdiff1d(np.arange(n), test)
        for number in np.unique(numbers[numbers >= 0]):
            others = rest[numbers[rest] != number]
            asked = test[numbers[test] == number]
            ridge = Ridge(10).fit(scaled[others], targets[others], weights[others])
            outputs = ridge.predict(scaled[asked]).reshape(len(asked), -1)
            scores = -np.log(
                np.linalg.norm(outputs[:, None] - np.eye(n_sources), axis=2)
            )
            if number < n_sources:
                scores = np.delete(scores, number, axis=1)
            null[asked] = scores.max(axis=1)
    is_null = np.isfinite(null)
    assert is_null.sum() == (n if n_sources > 2 else 180)
    by_kind, joint = (
        tail_probability(null[p], null[is_null], groups=numbers[p], n_scores=p.sum())
        for p in (kinds >= 0, is_null)
    )
    expected = np.maximum(by_kind, joint) if n_sources > 2 else by_kind
    np.testing.assert_allclose(np.exp(-detector.null_scores_), expected, rtol=1e-4)
    np.testing.assert_array_equal(detector.null_kinds_, kinds[is_null])
    sources = np.where(kinds < 0, y, -1)
    np.testing.assert_array_equal(detector.null_sources_, sources[is_null])
    accepting = SourceDetector(alpha=10, cv=GroupKFold(3), relatives="accept")
    accepting.fit(rows, y, groups=groups, imitations=made)
    np.testing.assert_allclose(np.exp(-accepting.null_scores_), by_kind, rtol=1e-4)
    assert accepting.detection_rate_ >= detector.detection_rate_


def test_relatives_are_named():
    rows, y, *_ = draw(n_sources=6, n_images=60)
    # The last source is another training of the first.
    near = rows[y == 0] + 0.05 * np.random.default_rng(0).normal(size=(60, 60))
    rows, y = np.concatenate([rows, near]), np.append(y, np.full(60, 6))
    detector = SourceDetector(alpha=10, false_alarm_rate=0.1).fit(rows, y)
    found = detector.relatives_
    assert found.shape == (7, 7) and not found.diagonal().any()
    assert found[0].argmax() == 6 and found[6].argmax() == 0
    assert min(found[0, 6], found[6, 0]) > 0.2
    assert found[1:6].max() < 0.05
    few = SourceDetector(miss_rate=0.1).fit(rows[y < 2], y[y < 2])
    assert np.isnan(few.relatives_).all()


def test_imitations_are_checked():
    rows, y, groups, made = draw_imitated(3)
    for bad, message in (
        (made.astype(float), "must hold the kind"),
        (made[:-1], "inconsistent numbers"),
        (made[:, [0, 0, 1]], "must hold the kind"),
        (np.abs(made), "must be -1 for images"),
        (np.where(made < 0, -1, 0), "two kinds or more"),
    ):
        with pytest.raises(ValueError, match=message):
            SourceDetector().fit(rows, y, groups=groups, imitations=bad)
    with pytest.raises(ValueError, match="relatives must be one of"):
        SourceDetector(relatives="ignore").fit(rows, y, imitations=made)


def test_sets_are_scored_by_means_of_outputs():
    rows, y, groups, made = draw_imitated(3)
    detector = SourceDetector(alpha=10).fit(rows, y, groups=groups, imitations=made)
    one_by_one = detector.score_sets(rows, np.arange(len(rows)))
    np.testing.assert_allclose(one_by_one, detector.score_sources(rows), rtol=1e-6)
    # Copies of one image are no more than the image: their mean is the same, and the
    # null is that of means.
    copies = detector.score_sets(rows[[0, 0, 0, 1]], ["b", "b", "b", "a"])
    np.testing.assert_allclose(copies[0], one_by_one[1], rtol=1e-6)
    assert copies[1].argmax() == one_by_one[0].argmax()
    with pytest.raises(ValueError, match="groups"):
        detector.score_sets(rows, y[:-1])
    plain = SourceDetector(miss_rate=0.1).fit(rows[y == 0], y[y == 0])
    means = plain.score_sets(rows[:4], [0, 0, 1, 1])
    expected = plain.score_sources(rows[:4]).reshape(2, 2).mean(axis=1)
    np.testing.assert_allclose(means[:, 0], expected, rtol=1e-6)

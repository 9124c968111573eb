import tracemalloc

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import (
    SelectFromModel,
    SelectKBest,
    SequentialFeatureSelector,
)
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfingerprint import SourceDiscriminant
from skfingerprint._attribution.moments import FEWEST
from skfingerprint._attribution.source_discriminant import SHRINKAGES
from skfingerprint._core.blocks import BlockSource
from tests.estimators import assert_same


def draw(n_images, n_classes=3, n_conditions=1, d=12, spread=1.0, seed=0):
    """Rows of sources whose copies are moved by more than the sources differ."""
    rng = np.random.default_rng(seed)
    sources = np.random.default_rng(7).normal(size=(n_classes, d))
    moves = 3 * np.random.default_rng(8).normal(size=(n_classes, n_conditions, d))
    y = np.repeat(np.arange(n_images) % n_classes, n_conditions)
    copies = np.tile(np.arange(n_conditions), n_images)
    noise = rng.normal(size=(len(y), d)) * np.linspace(0.3, 2, d)
    return sources[y] + spread * moves[y, copies] + noise, y, copies


def literal(rows, y, copies, shrinkage, kinds):
    """Scores of both discriminants, of each row by those of the kind of its copy."""
    scaled = rows / rows.std(axis=0)
    scores = np.empty((len(rows), len(np.unique(y))))
    for kind in np.unique(kinds):
        own = kinds == kind
        scores[own] = literal_kind(scaled, own, y, copies, shrinkage)[own]
    return scores


def literal_kind(scaled, own, y, copies, shrinkage):
    """Scores of both discriminants, solved from some of the rows."""
    total, fitted = 0, scaled[own]
    # With one copy of each image both discriminants are the same.
    labels = (y, y * 1000 + copies) if len(np.unique(copies[own])) > 1 else (y,)
    for names in labels:
        classes, members = np.unique(names[own], return_inverse=True)
        means = np.stack(
            [fitted[members == k].mean(axis=0) for k in range(len(classes))]
        )
        centered, n = fitted - means[members], len(classes)
        if len(fitted) <= fitted.shape[1]:
            centered, n = fitted - fitted.mean(axis=0), 1
        within = centered.T @ centered / (len(fitted) - n)
        level = np.trace(within) / len(within)
        shrunk = (1 - shrinkage) * within + shrinkage * level * np.eye(len(within))
        coef = np.linalg.solve(shrunk, means.T)
        scores = scaled @ coef - 0.5 * np.einsum("kd,dk->k", means, coef)
        owners = classes // 1000 if names is not y else classes
        total = total + np.stack(
            [
                logsumexp(scores[:, owners == k], axis=1) - np.log((owners == k).sum())
                for k in np.unique(y)
            ],
            axis=1,
        )
    return total


@pytest.mark.parametrize(("n_images", "d"), [(60, 12), (40, 200), (30, 90)])
def test_scores_are_those_of_both_discriminants(n_images, d):
    rows, y, copies = draw(n_images, n_conditions=3, d=d)
    model = SourceDiscriminant(shrinkage=[0.3]).fit(rows, y, conditions=copies)
    found = np.searchsorted(model.conditions_, model.predict_conditions(rows))
    assert np.mean(found == copies) > 0.5
    inverse = model.inverse_temperatures_[found][:, np.newaxis]
    assert len(np.unique(model.kinds_)) == (1 if len(rows) <= d else 3)
    expected = inverse * literal(rows, y, copies, 0.3, model.kinds_[found])
    expected -= logsumexp(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(model.decision_function(rows), expected, atol=1e-5)


def test_one_kind_of_copy_is_shrinkage_lda():
    rows, y, _ = draw(90)
    found = SourceDiscriminant(shrinkage=0.1).fit(rows, y)
    assert [len(part) for part in found.discriminants_] == [1]
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    expected = make_pipeline(StandardScaler(), lda).fit(rows, y)
    unseen, *_ = draw(900, seed=1)
    assert np.mean(found.predict(unseen) == expected.predict(unseen)) > 0.99


def test_copies_help_where_they_move_more_than_sources():
    rows, y, copies = draw(300, n_conditions=4)
    unseen, truth, _ = draw(300, n_conditions=4, seed=1)
    with_copies = SourceDiscriminant().fit(rows, y, conditions=copies)
    without = SourceDiscriminant().fit(rows, y)
    assert with_copies.score(unseen, truth) > without.score(unseen, truth) + 0.02


def test_few_images_of_a_pair_are_merged_into_the_source():
    rows, y, copies = draw(3 * (FEWEST - 1), n_conditions=3)
    found = SourceDiscriminant().fit(rows, y, conditions=copies)
    assert [len(part) for part in found.discriminants_] == [1]
    rows, y, copies = draw(3 * FEWEST, n_conditions=3)
    found = SourceDiscriminant().fit(rows, y, conditions=copies)
    assert len(found.discriminants_[0][1][2]) == 9
    # One source with few of the second and third copy.
    kept = (y != 1) | (copies == 0) | (np.arange(len(y)) < 20)
    found = SourceDiscriminant().fit(rows[kept], y[kept], conditions=copies[kept])
    assert np.bincount(found.discriminants_[0][1][2]).tolist() == [3, 2, 3]


def test_the_best_shrinkage_is_taken_whatever_the_order():
    rows, y, _ = draw(3000, d=60, seed=1)
    candidates = (0.02, 0.1, 0.3, 0.6, 1.0)
    chosen = {
        SourceDiscriminant(shrinkage=order).fit(rows, y).shrinkage_
        for order in (candidates, candidates[::-1])
    }
    assert len(chosen) == 1
    assert chosen < set(candidates)


def test_blocks_dtypes_and_order_change_little(monkeypatch):
    rows, y, copies = draw(200, n_conditions=2)
    whole = SourceDiscriminant(cv=GroupKFold(3))
    groups = np.repeat(np.arange(200) // 10, 2)
    whole.fit(rows, y, conditions=copies, groups=groups)
    expected = whole.predict_proba(rows)
    monkeypatch.setattr("skfingerprint._core.blocks.BATCH_VALUES", 31 * 12)
    for X in (rows, rows.astype(np.float32)):
        found = SourceDiscriminant(cv=GroupKFold(3))
        found.fit(X, y, conditions=copies, groups=groups)
        np.testing.assert_allclose(found.predict_proba(rows), expected, atol=1e-3)
    order = np.random.default_rng(0).permutation(len(rows))
    found = SourceDiscriminant(cv=GroupKFold(3))
    found.fit(rows[order], y[order], conditions=copies[order], groups=groups[order])
    np.testing.assert_allclose(found.predict_proba(rows), expected, atol=0.15)
    np.testing.assert_array_equal(found.predict(rows), whole.predict(rows))


def test_folds_keep_groups_together_and_are_shuffled_without():
    """Scenes that are known from other folds must not make the temperature sharp."""
    rng = np.random.default_rng(0)
    scenes = np.arange(180) // 12
    y = scenes % 3
    rows = rng.normal(size=(180, 8)) + 3 * rng.normal(size=(15, 8))[scenes]
    without = SourceDiscriminant().fit(rows, y)
    with_groups = SourceDiscriminant().fit(rows, y, groups=scenes)
    assert with_groups.inverse_temperatures_ < without.inverse_temperatures_ / 2
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    same = SourceDiscriminant(cv=splitter).fit(rows, y, groups=scenes)
    assert_same(same.inverse_temperatures_, with_groups.inverse_temperatures_)


def test_probabilities_are_calibrated_and_never_certain():
    rows, y, _ = draw(600, spread=0)
    unseen, truth, _ = draw(5000, spread=0, seed=1)
    model = SourceDiscriminant().fit(rows, y)
    found = model.predict_proba(unseen)
    assert found.max() < 1
    sure = found.max(axis=1)
    right = model.classes_[found.argmax(axis=1)] == truth
    for low, high in ((0.4, 0.6), (0.6, 0.8), (0.8, 0.95)):
        inside = (sure > low) & (sure < high)
        assert right[inside].mean() == pytest.approx(sure[inside].mean(), abs=0.1)
    far = model.predict_proba(1e3 * unseen[:50])
    assert far.max() <= 1 - 2 / 3 / 601 + 1e-9
    assert SourceDiscriminant().fit(50 * rows, y).predict_proba(50 * rows).max() < 1


def test_scores_of_images_of_one_source_add_up():
    rows, y, _ = draw(60, spread=0)
    unseen, truth, _ = draw(3000, spread=0, seed=1)
    model = SourceDiscriminant().fit(rows, y)
    alone = model.score(unseen, truth)
    order = np.argsort(truth, kind="stable").reshape(-1, 4)
    together = model.decision_function(unseen)[order].sum(axis=1).argmax(axis=1)
    assert np.mean(together == truth[order[:, 0]]) > alone + 0.03


def test_memory_does_not_grow_with_the_number_of_rows():
    d, size, peaks = 100, 500, []
    for n_rows in (2_000, 20_000):

        def read(k):
            return np.random.default_rng(k).normal(size=(size, d))

        X = BlockSource(read, [size] * (n_rows // size))
        y = np.arange(n_rows) % 3
        tracemalloc.start()
        SourceDiscriminant(cv=2).fit(X, y)
        peaks.append(tracemalloc.get_traced_memory()[1] - n_rows * 200)
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 4096 * d * 8 * 2


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0] * 6, r"at least 2 classes, got one class: \[0\]"),
        ([0, 0, 0, 0, 0, 1], "1 of class 1"),
    ],
)
def test_too_few_are_refused_by_name(y, message):
    rows = np.random.default_rng(0).normal(size=(6, 4))
    with pytest.raises(ValueError, match=message):
        SourceDiscriminant().fit(rows, y)


@pytest.mark.parametrize(
    "shrinkage", [(), [0], [1.5], ["a"], [0.1, -1], 0, 1.5, "none", None]
)
def test_shrinkage_is_checked(shrinkage):
    message = r'shrinkage must be "auto", a number in \(0, 1\] or a sequence'
    with pytest.raises(ValueError, match=message):
        SourceDiscriminant(shrinkage=shrinkage).fit(*draw(30)[:2])


def test_one_shrinkage_is_a_number_or_a_sequence_of_one():
    rows, y, _ = draw(60)
    alone = SourceDiscriminant(shrinkage=0.3).fit(rows, y)
    for shrinkage in ([0.3], (0.3,), np.array([0.3]), np.float64(0.3)):
        found = SourceDiscriminant(shrinkage=shrinkage).fit(rows, y)
        assert found.shrinkage_ == alone.shrinkage_ == 0.3
        np.testing.assert_allclose(
            found.predict_proba(rows), alone.predict_proba(rows), atol=1e-9
        )
    chosen = SourceDiscriminant().fit(rows, y).shrinkage_
    assert SourceDiscriminant(shrinkage=SHRINKAGES).fit(rows, y).shrinkage_ == chosen


def test_a_fold_without_a_source_left_is_refused():
    rows, y, _ = draw(30)
    with pytest.raises(ValueError, match="leaves no image of some source"):
        SourceDiscriminant(cv=GroupKFold(3)).fit(rows, y, groups=y)


def test_labels_of_copies_must_fit():
    rows, y, copies = draw(30)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        SourceDiscriminant().fit(rows, y, conditions=copies[:-1])
    names = np.array(["clean", "JPEG"])[copies]
    assert SourceDiscriminant().fit(rows, y, conditions=names).score(rows, y) > 0.5


def test_constant_and_dependent_columns_do_no_harm():
    rows, y, _ = draw(60, spread=0)
    wide = np.column_stack([rows, np.ones(60), rows[:, 0], rows.sum(axis=1)])
    for X in (wide, np.tile(wide, (1, 10))):
        assert cross_val_score(SourceDiscriminant(), X, y, cv=3).mean() > 0.6


def draw_kinds(n_images, seed=0, d=30):
    """Rows of three sources and six conditions of two kinds, in order of the images.

    Both kinds differ in the direction in which they move rows, and in the columns that
    vary within a source.
    """
    rng = np.random.default_rng(seed)
    sources = 0.4 * np.random.default_rng(7).normal(size=(3, d))
    y, copies = np.repeat(np.arange(n_images) % 3, 6), np.tile(np.arange(6), n_images)
    kinds, strengths = copies // 3, 1 + copies % 3
    moves = 3 * np.random.default_rng(8).normal(size=(2, d))
    spread = np.where(np.arange(d) % 2 == kinds[:, np.newaxis], 3, 0.5)
    noise = rng.normal(size=(len(y), d)) * spread
    return sources[y] + strengths[:, np.newaxis] * moves[kinds] + noise, y, copies


def test_kinds_of_conditions_have_covariances_of_their_own(monkeypatch):
    rows, y, copies = draw_kinds(150)
    unseen, truth, _ = draw_kinds(500, seed=1)
    monkeypatch.setattr("skfingerprint._attribution.condition_kinds.MOST_KINDS", 2)
    model = SourceDiscriminant(shrinkage=0.02).fit(rows, y, conditions=copies)
    assert model.kinds_.tolist() in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    monkeypatch.setattr("skfingerprint._attribution.condition_kinds.MOST_KINDS", 1)
    pooled = SourceDiscriminant(shrinkage=0.02).fit(rows, y, conditions=copies)
    assert not pooled.kinds_.any()
    assert model.score(unseen, truth) > pooled.score(unseen, truth) + 0.05


def test_each_kind_has_rows_of_each_source(monkeypatch):
    rows, y, copies = draw_kinds(150)
    monkeypatch.setattr("skfingerprint._attribution.condition_kinds.MOST_KINDS", 2)
    for missing, n_kinds in (([5], 2), ([3, 5], 2), ([3, 4, 5], 1)):
        own = (y != 1) | ~np.isin(copies, missing)
        found = SourceDiscriminant().fit(rows[own], y[own], conditions=copies[own])
        assert len(np.unique(found.kinds_)) == n_kinds
        assert found.score(rows[own], y[own]) > 0.5
    # So few images of a source and condition make one class of the source.
    own = np.arange(len(y)) < 72
    found = SourceDiscriminant().fit(rows[own], y[own], conditions=copies[own])
    assert not found.kinds_.any()


@pytest.mark.parametrize("name", ["MOST_KINDS", "MOMENT_VALUES"])
def test_products_of_kinds_fit_into_memory(monkeypatch, name):
    monkeypatch.setattr(f"skfingerprint._attribution.condition_kinds.{name}", 1)
    rows, y, copies = draw_kinds(150)
    assert not SourceDiscriminant().fit(rows, y, conditions=copies).kinds_.any()


@pytest.mark.parametrize("name", ["coef_", "feature_importances_", "intercept_"])
@pytest.mark.parametrize("fitted", [False, True])
def test_weights_of_features_are_refused_with_the_remedy(name, fitted):
    model = SourceDiscriminant()
    if fitted:
        model.fit(*draw(60)[:2])
    assert not hasattr(model, name)
    with pytest.raises(AttributeError, match=f"{name}.*explain_attribution") as error:
        getattr(model, name)
    assert "permutation_importance" in str(error.value)
    with pytest.raises(AttributeError, match=r"no attribute 'coefficients_'$"):
        model.coefficients_  # noqa: B018


def test_selection_by_weights_says_why_there_are_none():
    rows, y, _ = draw(60)
    selector = SelectFromModel(SourceDiscriminant(), importance_getter="coef_")
    with pytest.raises(AttributeError, match="several coefficients"):
        selector.fit(rows, y).get_support()
    # With "auto", scikit-learn asks by hasattr, and gives a message of its own.
    with pytest.raises(ValueError, match="coef_"):
        SelectFromModel(SourceDiscriminant()).fit(rows, y).get_support()


def test_the_remedies_for_missing_weights_find_the_features():
    rows, y, _ = draw(240, spread=0)
    rows = np.column_stack([np.zeros((len(y), 3)), rows])
    rows[:, :3] = np.random.default_rng(1).normal(size=(len(y), 3))
    model = make_pipeline(SelectKBest(k=12), SourceDiscriminant()).fit(rows, y)
    assert not model[0].get_support()[:3].any()
    found = permutation_importance(
        SourceDiscriminant().fit(rows, y), rows, y, n_repeats=3, random_state=0
    )
    assert found.importances_mean[:3].max() < found.importances_mean[3:].max() / 10
    greedy = SequentialFeatureSelector(
        SourceDiscriminant(cv=2), n_features_to_select=2, cv=2
    ).fit(rows[:120, :8], y[:120])
    assert not greedy.get_support()[:3].any()

import copy

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, ShuffleSplit, cross_val_predict
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skfingerprint import (
    FingerprintClassifier,
    FingerprintTransformer,
    ResidualExtractor,
    SpectrumTransformer,
    Unflatten,
    make_attribution_pipeline,
)
from skfingerprint.correlation import correlation_surfaces, peak_to_correlation_energy
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.files import load_fingerprints, save_fingerprints
from tests.estimators import assert_same


@pytest.fixture(scope="module")
def residuals(planted):
    images, y = planted
    return ResidualExtractor().transform(images), y


def test_fingerprints_are_class_means_and_scores_are_corrcoef(residuals):
    X, y = residuals
    model = FingerprintClassifier().fit(X[:90], y[:90])
    means = np.stack([X[:90][y[:90] == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(model.fingerprints_, means, atol=1e-5)
    assert model.class_weight_sum_.tolist() == np.bincount(y[:90]).tolist()
    scores = model.decision_function(X[90:])
    rows = np.vstack([X[90:].reshape(30, -1), means.reshape(3, -1)])
    np.testing.assert_allclose(scores, np.corrcoef(rows)[:30, 30:], atol=1e-5)
    np.testing.assert_array_equal(model.predict(X[90:]), scores.argmax(axis=1))


def test_two_classes_score_the_second_minus_the_first(residuals):
    X, y = residuals
    two = y < 2
    labels = np.array(["a camera", "gan"])[y[two]]
    model = FingerprintClassifier().fit(X[two], labels)
    scores = model.decision_function(X[two])
    rows = np.vstack(
        [X[two].reshape(two.sum(), -1), model.fingerprints_.reshape(2, -1)]
    )
    expected = np.corrcoef(rows)[: two.sum(), two.sum() :]
    np.testing.assert_allclose(scores, expected[:, 1] - expected[:, 0], atol=1e-5)
    predicted = model.predict(X[two])
    assert set(predicted) == {"a camera", "gan"}
    np.testing.assert_array_equal(predicted == "gan", scores > 0)


def test_the_planted_fingerprint_is_found_as_the_root_of_n():
    """Small correlations grow as sqrt(n), the number of images in the fingerprint."""
    images, y, planted = make_fingerprint_images(
        1024, 2, strength=0.25, return_fingerprints=True, random_state=0
    )
    X = ResidualExtractor().transform(images)
    found = []
    for n_images in (16, 64, 256, 1024):
        parts = [slice(i, i + n_images) for i in range(0, 1024, n_images)]
        fits = [FingerprintClassifier().fit(X[part], y[part]) for part in parts]
        estimates = np.array([fit.fingerprints_.reshape(2, -1) for fit in fits])
        pairs = [(e[k], planted[k].ravel()) for e in estimates for k in (0, 1)]
        found.append(np.mean([np.corrcoef(pair)[0, 1] for pair in pairs]))
    growth = np.array(found[1:]) / found[:-1]
    np.testing.assert_allclose(growth, 2, rtol=0.05)


@pytest.mark.parametrize("weighted", [False, True])
def test_pieces_and_merged_pieces_equal_one_fit(residuals, weighted):
    X, y = residuals
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y)) if weighted else None
    part = (lambda s: weights[s]) if weighted else (lambda s: None)
    whole = FingerprintClassifier().fit(X, y, sample_weight=weights)
    pieces = FingerprintClassifier()
    for start in range(0, 120, 7):
        s = slice(start, start + 7)
        pieces.partial_fit(X[s], y[s], classes=[0, 1, 2], sample_weight=part(s))
    left, right = slice(0, 50), slice(50, 120)
    merged = FingerprintClassifier().fit(X[left], y[left], sample_weight=part(left))
    other = FingerprintClassifier()
    other.fit(X[right], y[right], sample_weight=part(right))
    merged.merge(other)
    for model in (pieces, merged):
        np.testing.assert_allclose(model.class_weight_sum_, whole.class_weight_sum_)
        np.testing.assert_allclose(
            model.fingerprints_, whole.fingerprints_, rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(
            model.decision_function(X), whole.decision_function(X), atol=1e-5
        )


def test_merge_keeps_the_classes_that_only_one_knows(residuals):
    X, y = residuals
    names = np.array(["a", "b", "c"])[y]
    here, there = names != "c", names != "a"
    left = FingerprintClassifier().fit(X[here], names[here])
    right = FingerprintClassifier().fit(X[there], names[there])
    before = right.fingerprints_.copy()
    merged = left.merge(right)
    assert merged is left
    assert merged.classes_.tolist() == ["a", "b", "c"]
    twice = np.where(names == "b", 2, 1)
    expected = FingerprintClassifier().fit(X, names, sample_weight=twice)
    np.testing.assert_allclose(merged.fingerprints_, expected.fingerprints_, atol=1e-5)
    np.testing.assert_array_equal(merged.class_weight_sum_, expected.class_weight_sum_)
    np.testing.assert_array_equal(right.fingerprints_, before)


def test_merge_refuses_other_shapes_and_labels(residuals):
    X, y = residuals
    model = FingerprintClassifier().fit(X, y)
    with pytest.raises(ValueError, match=r"shape \(16, 48\), this one of \(32, 48\)"):
        model.merge(FingerprintClassifier().fit(X[:, :16], y))
    with pytest.raises(ValueError, match="Mix of label input types"):
        model.merge(FingerprintClassifier().fit(X, y.astype(str)))
    assert model.classes_.tolist() == [0, 1, 2]


def test_weights_are_repetitions(residuals):
    X, y = residuals
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    weighted = FingerprintClassifier().fit(X, y, sample_weight=weights)
    repeated = FingerprintClassifier().fit(X.repeat(weights, 0), y.repeat(weights))
    np.testing.assert_allclose(
        weighted.fingerprints_, repeated.fingerprints_, atol=1e-5
    )


def refused(model, message, method, *args, **kwargs):
    """Assert an error, and that the model is what it was."""
    before = joblib.hash(vars(model))
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(*args, **kwargs)
    assert joblib.hash(vars(model)) == before


def test_refused_labels_change_nothing(residuals):
    X, y = residuals
    two = y < 2
    model = FingerprintClassifier().fit(X, y)
    refused(model, "at least 2 classes, got one class", "fit", X[:5], [1] * 5)
    refused(model, r"\[7\].*not among the classes", "partial_fit", X[:2], [0, 7])
    refused(model, "differs from that of the first", "partial_fit", X, y, [0, 1])
    refused(model, r"0 in all of class \[2\]", "fit", X, y, sample_weight=two * 1.0)
    refused(model, "inconsistent numbers of samples", "fit", X, y[:-1])
    refused(model, "Unknown label type: continuous", "fit", X, y + 0.5)
    refused(model, "(?i)negative", "partial_fit", X, y, sample_weight=y - 1.0)
    refused(model, "infinity", "partial_fit", np.full_like(X, np.inf), y)
    with pytest.raises(ValueError, match="classes must be passed"):
        FingerprintClassifier().partial_fit(X, y)


def test_an_added_source_is_one_mean_more(residuals):
    X, y = residuals
    names = np.array(["b", "a", "c"])[y]
    old = names != "a"
    model = FingerprintClassifier().fit(X[old], names[old])
    before = model.fingerprints_
    assert model.add_sources(X[~old], names[~old]) is model
    whole = FingerprintClassifier().fit(X, names)
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.fingerprints_[1:], before)
    np.testing.assert_array_equal(model.class_weight_sum_, whole.class_weight_sum_)
    np.testing.assert_allclose(model.fingerprints_, whole.fingerprints_, atol=1e-5)
    assert_same(model.correlate(X), whole.correlate(X))
    assert not model.fingerprints_.flags.writeable


def test_images_of_new_and_known_sources_are_added_at_once(residuals):
    X, y = residuals
    model = FingerprintClassifier().fit(X[:60][y[:60] < 2], y[:60][y[:60] < 2])
    rest = (np.arange(len(y)) >= 60) | (y == 2)
    model.add_sources(X[rest], y[rest])
    whole = FingerprintClassifier().fit(X, y)
    np.testing.assert_allclose(model.fingerprints_, whole.fingerprints_, atol=1e-5)
    np.testing.assert_array_equal(model.class_weight_sum_, np.bincount(y))
    weights = np.where(y == 0, 3.0, 0.5)
    weighed = FingerprintClassifier().fit(X, y, sample_weight=weights)
    twice = np.r_[weights, np.ones(len(y))]
    expected = FingerprintClassifier().fit(
        np.r_[X, X], np.r_[y, y], sample_weight=twice
    )
    weighed.add_sources(X, y)
    np.testing.assert_allclose(weighed.fingerprints_, expected.fingerprints_, atol=1e-5)


def test_a_part_of_one_source_grows_merges_and_is_kept(residuals, tmp_path):
    X, y = residuals
    parts = [
        FingerprintClassifier().partial_fit(X[y == k], y[y == k], classes=[k])
        for k in range(3)
    ]
    for method in ("predict", "decision_function"):
        refused(parts[0], r"2 sources, and there are \[0\].*add_sources", method, X)
    rows = np.r_[X.reshape(len(X), -1), parts[0].fingerprints_.reshape(1, -1)]
    expected = np.corrcoef(rows)[:-1, -1:]
    np.testing.assert_allclose(parts[0].correlate(X), expected, atol=1e-5)
    save_fingerprints(parts[1], tmp_path / "one.npz")
    merged = parts[0].merge(load_fingerprints(tmp_path / "one.npz")).merge(parts[2])
    whole = FingerprintClassifier().fit(X, y)
    np.testing.assert_allclose(merged.fingerprints_, whole.fingerprints_, atol=1e-5)
    begun = FingerprintClassifier()
    for k in range(3):
        begun.add_sources(X[y == k], y[y == k])
    assert_same(begun.correlate(X), whole.correlate(X))
    np.testing.assert_array_equal(begun.predict(X), whole.predict(X))


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("partial_fit", lambda X: (X, ["new"] * len(X))),
        ("partial_fit", lambda X: (X, ["new"] * len(X), ["new"])),
        ("partial_fit", lambda X: (X, ["new"] * len(X), ["a", "b", "c", "new"])),
        ("fit", lambda X: (X, ["new"] * len(X))),
        ("merge", lambda X: (X,)),
        ("merge", lambda X: (make_pipeline(ResidualExtractor()),)),
    ],
)
def test_other_spellings_of_a_new_source_name_the_method(residuals, method, args):
    X, y = residuals
    model = FingerprintClassifier().fit(X, np.array(["a", "b", "c"])[y])
    before = joblib.hash(vars(model))
    with pytest.raises((ValueError, TypeError), match="add_sources"):
        getattr(model, method)(*args(X[:5]))
    assert joblib.hash(vars(model)) == before


@pytest.mark.parametrize("params", [{}, {"false_alarm_rate": 0.01}])
@pytest.mark.parametrize("method", ["add_sources", "partial_fit", "merge"])
def test_the_recommended_pipeline_names_the_way_to_a_new_source(params, method):
    pipeline = make_attribution_pipeline(**params)
    with pytest.raises(AttributeError, match=r"Fit again.*`memory`.*`add_sources`"):
        getattr(pipeline, method)
    assert not hasattr(pipeline, method)


def test_refused_sources_change_nothing(residuals):
    X, y = residuals
    model = FingerprintClassifier().fit(X, y)
    refused(model, "Mix of label input types", "add_sources", X, y.astype(str))
    refused(model, "inconsistent numbers of samples", "add_sources", X, y[:-1])
    refused(model, "Unknown label type: continuous", "add_sources", X, y + 0.5)
    refused(model, "infinity", "add_sources", np.full_like(X, np.inf), y)
    refused(model, r"shape \(16, 48\)", "add_sources", X[:, :16], y)
    refused(model, "which is no label", "add_sources", X[:2], ["new", None])


def test_merge_works_in_place_and_a_copy_keeps_the_old(residuals):
    X, y = residuals
    model = FingerprintClassifier().fit(X[:60], y[:60])
    other = FingerprintClassifier().fit(X[60:], y[60:])
    both = copy.deepcopy(model).merge(other)
    assert model.class_weight_sum_.sum() == 60
    assert model.merge(other) is model
    np.testing.assert_array_equal(model.fingerprints_, both.fingerprints_)


def test_a_class_without_images_is_refused_until_it_has_some(residuals):
    X, y = residuals
    model = FingerprintClassifier().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    refused(model, r"classes \[2\] have no images yet", "predict", X)
    refused(model, r"classes \[2\] have no images yet", "decision_function", X)
    assert model.partial_fit(X[y == 2], y[y == 2]).score(X, y) > 0.9


def test_black_images_score_zero(residuals):
    X, y = residuals
    model = FingerprintClassifier().fit(X, y)
    assert not model.decision_function(np.zeros_like(X[:2])).any()


def test_five_images_of_two_sources():
    images, y = make_fingerprint_images(5, 2, strength=5, random_state=0)
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    names = np.array(["camera", "gan"])[y]
    assert pipeline.fit(images, names).predict(images).tolist() == names.tolist()


@pytest.mark.parametrize("subtract_common", [False, True])
def test_cross_validation_and_combinations(planted, residuals, subtract_common):
    (images, y), (X, _) = planted, residuals
    model = FingerprintClassifier(subtract_common=subtract_common)
    pipeline = make_pipeline(ResidualExtractor(), model)
    assert (cross_val_predict(pipeline, images, y, cv=3) == y).mean() > 0.9
    calibrated = CalibratedClassifierCV(clone(model), cv=3).fit(X[:90], y[:90])
    assert calibrated.predict_proba(X[90:]).shape == (30, 3)
    assert calibrated.score(X[90:], y[90:]) > 0.9
    stack = StackingClassifier([("f", clone(model))], LogisticRegression(C=100), cv=3)
    assert stack.fit(X[:90], y[:90]).score(X[90:], y[90:]) > 0.9


def test_repr_of_a_pipeline_names_its_parts():
    pipeline = make_pipeline(ResidualExtractor(sigma=2), FingerprintClassifier())
    assert "ResidualExtractor(sigma=2)" in repr(pipeline)


def test_cross_fitted_features_do_not_leak():
    """On labels that say nothing, in-sample scores do, and cross-fitted ones don't."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 16, 16)).astype(np.float32)
    y = np.repeat(np.arange(3), 20)
    transformer = FingerprintTransformer()
    honest = transformer.fit_transform(X, y)
    leaky = transformer.transform(X)
    assert np.mean(leaky.argmax(axis=1) == y) > 0.9
    assert np.mean(honest.argmax(axis=1) == y) < 0.55
    own, others = honest[np.arange(60), y], honest[y[:, None] != np.arange(3)]
    assert abs(own.mean() - others.mean()) < 0.06


def test_a_model_behind_cross_fitted_features_generalizes(planted):
    images, y = planted
    X = ResidualExtractor().transform(images)
    scores = {}
    for cv in ("leaky", 5):
        transformer = FingerprintTransformer(cv=5)
        features = transformer.fit_transform(X[:60], y[:60])
        if cv == "leaky":
            features = transformer.transform(X[:60])
        model = LogisticRegression(C=100).fit(features, y[:60])
        loss = log_loss(y[60:], model.predict_proba(transformer.transform(X[60:])))
        scores[cv] = loss
    assert scores[5] < scores["leaky"]


def test_transformer_is_the_classifier_and_names_its_columns(planted):
    images, y = planted
    X, names = ResidualExtractor().transform(images), np.array(["a", "b", "c"])[y]
    transformer = FingerprintTransformer(subtract_common=True).fit(X[:60], names[:60])
    expected = FingerprintClassifier(subtract_common=True).fit(X[:60], names[:60])
    assert_same(transformer.transform(X[60:]), expected.decision_function(X[60:]))
    frame = transformer.set_output(transform="pandas").transform(X[60:])
    assert list(frame.columns) == ["correlation_a", "correlation_b", "correlation_c"]
    two = names != "c"
    assert FingerprintTransformer().fit_transform(X[two], names[two]).shape[1] == 2


def test_cross_fitting_keeps_groups_together(planted):
    images, y = planted
    X = ResidualExtractor().transform(images)
    groups = np.arange(len(y)) // 12
    transformer = FingerprintTransformer(cv=GroupKFold(2))
    found = transformer.fit_transform(X, y, groups=groups)
    train, test = next(GroupKFold(2).split(X, y, groups))
    expected = (
        FingerprintClassifier().fit(X[train], y[train]).decision_function(X[test])
    )
    np.testing.assert_allclose(found[test], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("cv", "y", "message"),
    [
        (1, [0, 0, 1, 1], "cv must be an int >= 2, got 1"),
        (5, [0, 0, 0, 1], "there is 1 of class 1"),
        (ShuffleSplit(1, random_state=0), [0, 0, 1, 1, 0, 1, 0, 1], "hold out each"),
    ],
)
def test_cross_fitting_is_checked(cv, y, message):
    X = np.random.default_rng(0).normal(size=(len(y), 8))
    with pytest.raises(ValueError, match=message):
        FingerprintTransformer(cv=cv).fit_transform(X, y)


def test_features_union_with_spectra(planted):
    images, y = planted
    union = make_union(
        make_pipeline(ResidualExtractor(), FingerprintTransformer()),
        make_pipeline(ResidualExtractor(sigma=1), SpectrumTransformer(radial=True)),
    )
    model = make_pipeline(union, StandardScaler(), LogisticRegression())
    assert model.fit(images[:60], y[:60]).score(images[60:], y[60:]) > 0.9


def test_a_search_finds_cropped_images(planted):
    images, y = planted
    X = ResidualExtractor().transform(images)
    moved = np.roll(X[60:], (-3, 4), axis=(1, 2))
    aligned = FingerprintClassifier().fit(X[:60], y[:60])
    search = FingerprintClassifier(max_shift=4).fit(X[:60], y[:60])
    assert aligned.score(X[60:], y[60:]) > 0.95
    assert aligned.score(moved, y[60:]) < 0.6
    assert search.score(moved, y[60:]) > 0.9
    shifts = search.find_shifts(moved)
    assert shifts.shape == (60, 3, 2)
    own = shifts[np.arange(60), y[60:]]
    assert np.mean((own == (3, -4)).all(axis=1)) > 0.7  # of 81 shifts
    rows = make_pipeline(Unflatten((32, 48)), clone(search))
    rows.fit(X[:60].reshape(60, -1), y[:60])
    np.testing.assert_array_equal(rows[-1].find_shifts(moved), shifts)


def test_pce_of_the_classifier_is_that_of_the_surfaces(planted):
    images, y = planted
    X = ResidualExtractor().transform(images)
    model = FingerprintClassifier(statistic="pce").fit(X[:60], y[:60])
    surfaces = correlation_surfaces(X[60:], model.fingerprints_)
    expected = peak_to_correlation_energy(surfaces).pce
    np.testing.assert_allclose(model.decision_function(X[60:]), expected, rtol=1e-4)
    model.set_params(subtract_common=True)
    assert model.score(X[60:], y[60:]) > 0.9


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"statistic": "energy"}, 'statistic must be "correlation" or "pce"'),
        ({"max_shift": -1}, 'max_shift must be an int >= 0 or "full", got -1'),
        ({"max_shift": 2, "subtract_common": True}, "needs aligned images"),
    ],
)
def test_search_parameters_are_checked(params, message, planted):
    images, y = planted
    with pytest.raises(ValueError, match=message):
        FingerprintClassifier(**params).fit(images, y)
    with pytest.raises(ValueError, match=message):
        FingerprintClassifier().fit(images, y).set_params(**params).predict(images)


def test_fingerprints_are_not_changed_in_place(residuals):
    X, y = residuals
    classifier = FingerprintClassifier().fit(X, y)
    with pytest.raises(ValueError, match="read-only"):
        classifier.fingerprints_[0] = 0
    before = classifier.correlate(X)
    changed = classifier.fingerprints_.copy()
    changed[0] = 0
    classifier.fingerprints_ = changed
    assert not classifier.correlate(X)[:, 0].any()
    assert_same(classifier.correlate(X)[:, 1:], before[:, 1:])

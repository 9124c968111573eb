import numpy as np
import pytest
import sklearn
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    Unflatten,
    make_attribution_pipeline,
)
from skfingerprint._attribution.imitations import MOST_IMITATIONS
from skfingerprint.datasets import load_generators, make_fingerprint_images
from skfingerprint.perturbation import GaussianBlur, JPEGCompression


@pytest.fixture(scope="module")
def halves():
    data = load_generators()
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    fit, test = next(folds.split(data.images, data.target, data.groups))
    y = data.target_names[data.target]
    return data.images[fit], y[fit], data.images[test], y[test]


def test_beats_the_published_rule_on_unseen_scenes(halves):
    X, y, unseen, truth = halves
    pipeline = make_attribution_pipeline(perturbations=()).fit(X, y)
    assert pipeline.score(unseen, truth) > 0.95  # correlation: .79
    probabilities = pipeline.predict_proba(unseen)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    named = pipeline.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(pipeline.predict(unseen), named)


@pytest.mark.slow
def test_copies_help_on_compressed_images(halves):
    X, y, unseen, truth = halves
    unseen, truth = unseen[::2], truth[::2]
    compressed = JPEGCompression(quality=85).fit_transform(unseen)
    clean = make_attribution_pipeline(perturbations=()).fit(X, y)
    copies = make_attribution_pipeline(perturbations=[JPEGCompression(quality=85)]).fit(
        X, y
    )
    assert isinstance(copies, AugmentedPipeline)
    assert copies.score(compressed, truth) > clean.score(compressed, truth) + 0.3


@pytest.mark.parametrize("image_shape", [(40, 56), (32, 32, 3)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_small_grey_and_few(image_shape, n_classes):
    X, y = make_fingerprint_images(
        15 * n_classes, n_classes, image_shape=image_shape, strength=12, random_state=0
    )
    few = np.concatenate([np.flatnonzero(y == k)[:5] for k in range(n_classes)])
    rest = np.setdiff1d(np.arange(len(y)), few)
    pipeline = make_attribution_pipeline(perturbations=()).fit(X[few], y[few])
    assert pipeline.score(X[rest], y[rest]) > 1.5 / n_classes


def test_rows_equal_stacks():
    X, y = make_fingerprint_images(30, 2, image_shape=(24, 32, 3), random_state=0)
    stacked = make_attribution_pipeline(perturbations=()).fit(X, y).predict_proba(X)
    rows = X.reshape(len(X), -1)
    flat = make_pipeline(
        Unflatten((24, 32, 3)), make_attribution_pipeline(perturbations=())
    )
    flat.fit(rows, y)
    np.testing.assert_allclose(flat.predict_proba(rows), stacked, atol=1e-6)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_global_output_breaks_nothing(output):
    pytest.importorskip(output)
    X, y = make_fingerprint_images(30, 2, image_shape=(24, 32, 3), random_state=0)
    expected = make_attribution_pipeline(perturbations=()).fit(X, y).predict(X)
    with sklearn.config_context(transform_output=output):
        found = make_attribution_pipeline(perturbations=()).fit(X, y).predict(X)
    np.testing.assert_array_equal(found, expected)


def test_features_have_names():
    X, y = make_fingerprint_images(30, 2, image_shape=(24, 32, 3), random_state=0)
    pipeline = make_attribution_pipeline(perturbations=()).fit(X, y)
    names = pipeline[:-1].get_feature_names_out()
    assert len(names) == pipeline[:-1].transform(X[:1]).shape[1]
    assert names[0] == "residual_spectrum_0_0.0000_0.0000"
    assert len(set(names)) == len(names)


COPIES = [JPEGCompression(quality=90), GaussianBlur(std=1)]


@pytest.mark.slow
@pytest.mark.parametrize("perturbations", [(), COPIES], ids=["clean", "conditions"])
def test_a_rate_turns_strangers_away(halves, perturbations):
    X, y, unseen, truth = halves
    unseen, truth = unseen[::2], truth[::2]
    strangers = np.unique(y)[:2]
    fit, known = ~np.isin(y, strangers), ~np.isin(truth, strangers)
    model = make_attribution_pipeline(
        perturbations=perturbations, false_alarm_rate=0.05
    ).fit(X[fit], y[fit])
    assert "RejectingClassifier" in repr(model)
    assert "SourceDetector" in repr(model)
    answers = model.predict(unseen)
    assert np.mean(answers[known] == truth[known]) > 0.7
    assert np.mean(answers[~known] == "unknown") > 0.7
    report = model.assess(unseen)
    np.testing.assert_array_equal(
        answers, np.where(report.known, report.source, "unknown")
    )
    assert model.classes_.tolist() == np.unique(y[fit]).tolist()
    if perturbations:
        blurred = model.predict(GaussianBlur(std=1).fit_transform(unseen))
        assert np.mean((blurred == truth)[known]) > 0.3
        assert np.mean((blurred != truth) & (blurred != "unknown")) < 0.05


def test_features_are_computed_once(halves, monkeypatch):
    X, y, *_ = halves
    seen, extract = [], AttributionFeatures.transform

    def count(self, images):
        seen.append(len(images))
        return extract(self, images)

    monkeypatch.setattr(AttributionFeatures, "transform", count)
    few = np.arange(len(y)) % 4 == 0
    make_attribution_pipeline(perturbations=COPIES, false_alarm_rate=0.05).fit(
        X[few], y[few]
    )
    # One image is looked at for its shape.
    assert sum(seen) <= 3 * (few.sum() + MOST_IMITATIONS) + 1


@pytest.mark.slow
def test_one_source_and_a_background(halves):
    X, y, unseen, truth = halves
    accepted = []
    for mine in np.unique(y)[1:4]:
        own = y == mine
        model = make_attribution_pipeline(perturbations=COPIES, miss_rate=0.05)
        answers = model.fit(X[own], y[own]).predict(unseen)
        assert set(answers) == {mine, "unknown"}
        assert np.mean((answers == mine)[truth == mine]) > 0.5
        accepted.append(np.mean((answers == mine)[truth != mine]))
    # The share depends on the source: some have a relative among the others.
    assert np.mean(accepted) < 0.3
    photos = np.unique(y)[6]
    model = make_attribution_pipeline(
        perturbations=(), false_alarm_rate=0.05, background=photos
    ).fit(X, y)
    assert photos not in model.classes_
    assert photos not in model.predict(unseen)
    with pytest.raises(ValueError, match="cannot be learned from 1 source"):
        make_attribution_pipeline(
            perturbations=(), false_alarm_rate=0.01, imitations=None
        ).fit(X[own], y[own])


@pytest.mark.slow
def test_names_without_a_rate_are_those_of_the_classifier(halves):
    X, y, unseen, _ = halves
    X, y, unseen = X[::4], y[::4], unseen[::5]
    plain = make_attribution_pipeline(perturbations=COPIES).fit(X, y)
    rated = make_attribution_pipeline(perturbations=COPIES, false_alarm_rate=0.1)
    rated.fit(X, y)
    np.testing.assert_array_equal(rated.assess(unseen).source, plain.predict(unseen))
    np.testing.assert_allclose(
        rated.assess(unseen).probability, plain.predict_proba(unseen).max(axis=1)
    )
    assert not hasattr(plain, "assess")
    cloned = sklearn.clone(rated).set_params(classifier__detector__alpha=30.0)
    assert cloned.get_params()["classifier__detector__alpha"] == 30


def test_a_background_alone_turns_away():
    X, y = make_fingerprint_images(140, 7, strength=12, random_state=0)
    names = np.where(y == 6, "photo", np.char.add("network ", y.astype(str)))
    model = make_attribution_pipeline(perturbations=(), background="photo")
    model.fit(X[:70], names[:70])
    assert "photo" not in model.classes_
    answers = model.predict(X[70:])
    assert np.mean(answers[names[70:] == "photo"] == "unknown") > 0.9
    assert (
        np.mean(answers[names[70:] != "photo"] == names[70:][names[70:] != "photo"])
        > 0.5
    )


def test_assess_asks_for_a_rate():
    X, y = make_fingerprint_images(20, 2, image_shape=(24, 24, 3), random_state=0)
    model = make_attribution_pipeline(perturbations=()).fit(X, y)
    assert not hasattr(model, "assess")
    with pytest.raises(AttributeError) as error:
        model.assess(X)
    assert "false_alarm_rate=0.01" in str(error.value.__cause__ or error.value)


def test_one_source_and_a_background_without_a_rate():
    X, y = make_fingerprint_images(60, 2, strength=12, random_state=0)
    names = np.where(y == 0, "photo", "mine")
    model = make_attribution_pipeline(perturbations=(), background="photo")
    answers = model.fit(X[:40], names[:40]).predict(X[40:])
    assert set(answers) <= {"mine", "unknown"}
    stated = make_attribution_pipeline(
        perturbations=(), background="photo", miss_rate=0.05
    )
    expected = stated.fit(X[:40], names[:40]).predict(X[40:])
    np.testing.assert_array_equal(answers, expected)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"false_alarm_rate": 5}, "false_alarm_rate must lie in"),
        ({"false_alarm_rate": 0.1, "miss_rate": 0.1}, "state one"),
    ],
)
def test_rates_are_checked_before_images_are_read(rates, message, monkeypatch):
    X, y = make_fingerprint_images(30, 3, image_shape=(24, 24, 3), random_state=0)
    for module in ("copies", "imitations"):
        name = f"skfingerprint._attribution.{module}.IMAGE_VALUES"
        monkeypatch.setattr(name, 5 * X[0].size)
    seen, describe = [], AttributionFeatures.transform
    monkeypatch.setattr(
        AttributionFeatures,
        "transform",
        lambda self, images: seen.append(len(images)) or describe(self, images),
    )
    model = make_attribution_pipeline(perturbations=[GaussianBlur(std=1)], **rates)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert sum(seen) <= 11  # the first block with its copies, for their shape

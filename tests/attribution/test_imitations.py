"""Imitations of unknown sources, in the fit of a pipeline."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    AttributionFeatures,
    AugmentedPipeline,
    FingerprintClassifier,
    FingerprintDetector,
    RejectingClassifier,
    ResidualExtractor,
    SourceDetector,
    SourceDiscriminant,
    make_attribution_pipeline,
)
from skfingerprint._attribution import imitations as module
from skfingerprint._attribution.imitations import add_imitations, draw_imitations
from skfingerprint._core import BlockSource
from skfingerprint.datasets import load_generators
from skfingerprint.imitation import IMITATIONS, ImitationGenerator
from skfingerprint.perturbation import GaussianBlur, JPEGCompression

FEW = [ImitationGenerator(kind, random_state=1) for kind in ("resampled", "shuffled")]


@pytest.fixture(scope="module")
def halves():
    data = load_generators()
    odd = np.unique(data.groups, return_inverse=True)[1] % 2 == 1
    return data.images, data.target, data.groups, odd


@pytest.mark.parametrize(
    ("n_sources", "n_imitations"), [(1, 250), (2, 250), (4, 328), (8, 600)]
)
def test_generators_take_turns_with_sources(n_sources, n_imitations):
    y = np.repeat(np.arange(n_sources), 60)
    places, makers = draw_imitations(y, None, 82)
    assert len(places) == n_imitations and np.all(np.diff(places) >= 0)
    counts = np.zeros((n_sources, 82), dtype=int)
    np.add.at(counts, (y[places], makers), 1)
    assert np.ptp(counts.sum(axis=0)) <= 1
    assert np.ptp(counts.sum(axis=1)) <= max(2, n_imitations % 82)
    # Each image of a source is imitated about as often as the others.
    repeats = np.bincount(places, minlength=len(y)).reshape(n_sources, 60)
    assert np.ptp(repeats, axis=1).max() <= 1


def test_few_images_are_imitated_twice_on_average():
    y = np.repeat(np.arange(8), 20)
    places, _ = draw_imitations(y, None, 82)
    counts = np.bincount(places, minlength=160)
    assert counts.sum() == 320 and np.ptp(counts) <= 2


def test_images_without_weight_are_not_imitated():
    y, weights = np.tile([0, 1], 20), np.r_[np.zeros(20), np.ones(20)]
    places, _ = draw_imitations(y, weights, 82)
    assert places.min() == 20


@pytest.mark.parametrize("kind", ["stack", "list", "dask", "source"])
def test_imitations_stand_behind_the_images(halves, kind, monkeypatch):
    images = halves[0][:10, :40, :48]
    monkeypatch.setattr(module, "IMAGE_VALUES", 3 * images[0].size)
    X = images
    if kind == "list":
        X = [image[: 40 - i % 2] for i, image in enumerate(images)]
    elif kind == "dask":
        X = pytest.importorskip("dask.array").from_array(images, chunks=(4, -1, -1, -1))
    elif kind == "source":
        X = BlockSource(lambda k: images[5 * k : 5 * k + 5], [5, 5])
    places, makers = np.array([0, 0, 4, 9]), np.array([1, 0, 1, 0])
    source = add_imitations(X, places, makers, FEW, None)
    assert len(source) == 14
    expected = list(X if kind == "list" else images)
    expected += [
        FEW[m].fit_transform(expected[p][None])[0]
        for p, m in zip(places, makers, strict=True)
    ]
    for found, image in zip(source, expected, strict=True):
        np.testing.assert_array_equal(found, image)


def test_one_source_has_a_rate(halves):
    images, y, groups, odd = halves
    accepted, found = [], []
    for mine in (0, 3):
        own = (y == mine) & ~odd
        model = make_attribution_pipeline(perturbations=(), false_alarm_rate=0.05)
        model.fit(images[own], y[own], groups=groups[own])
        known = model.predict(images[odd]) == mine
        accepted.append(known[y[odd] != mine].mean())
        found.append(known[y[odd] == mine].mean())
        answers = model.assess(images[odd])
        assert np.all((answers.false_alarm_probability <= 0.05) == known)
    assert np.mean(accepted) < 0.1 and np.mean(found) > 0.5


@pytest.mark.filterwarnings("ignore:the false-alarm rate", "ignore:detection_rate_")
def test_names_are_those_without_imitations(halves):
    images, y, groups, odd = halves
    own = ~odd & (y < 3)
    rows = []
    for imitations in ("auto", None):
        model = make_attribution_pipeline(
            perturbations=[GaussianBlur(std=1)],
            false_alarm_rate=0.1,
            imitations=imitations,
        )
        model.fit(images[own], y[own], groups=groups[own])
        rows.append(
            model[-1].classifier_.decision_function(model[:-1].transform(images[odd]))
        )
        kinds = model[-1].detector_.null_kinds_
        assert (kinds.max() >= 0) == (imitations == "auto")
    np.testing.assert_array_equal(*rows)


def test_a_detector_alone_learns_from_imitations(halves):
    images, y, groups, odd = halves
    own = ~odd & (y < 2)
    steps = [("features", AttributionFeatures()), ("last", SourceDetector())]
    model = AugmentedPipeline(steps, imitations=FEW)
    model.fit(images[own], y[own], groups=groups[own])
    assert set(model[-1].null_kinds_) == {0, 1}
    assert set(model[-1].null_sources_) == {-1}
    assert len(model[-1].null_scores_) == 250
    # As by hand: rows of no source behind those of the images.
    places, makers = draw_imitations(y[own], None, 2)
    made = [
        FEW[m].fit_transform(images[own][[p]])[0]
        for p, m in zip(places, makers, strict=True)
    ]
    rows = AttributionFeatures().fit_transform(np.concatenate([images[own], made]))
    numbers = np.r_[np.arange(own.sum()), places]
    kinds = np.r_[np.full(own.sum(), -1), makers]
    expected = SourceDetector().fit(
        rows, y[own][numbers], groups=groups[own][numbers], imitations=kinds
    )
    np.testing.assert_allclose(
        model.decision_function(images[odd]),
        expected.decision_function(AttributionFeatures().fit_transform(images[odd])),
        atol=1e-3,
    )


def test_memory_keeps_rows_of_imitations(halves, tmp_path, capsys):
    images, y, *_ = halves
    own = np.flatnonzero(y < 3)[::4]
    found = []
    for _ in range(2):
        model = make_attribution_pipeline(
            perturbations=[GaussianBlur(std=1)],
            false_alarm_rate=0.1,
            memory=tmp_path,
            verbose=1,
        ).fit(images[own], y[own])
        found.append(model.assess(images[:20]).false_alarm_probability)
        printed = capsys.readouterr().out
    n_rows = 2 * (len(own) + 250)
    assert f"rows: {n_rows} read, 0 computed" in printed
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_only_detectors_that_learn_from_imitations_get_them(halves, monkeypatch):
    images, y, *_ = halves
    few = np.flatnonzero(y < 4)[::4]
    monkeypatch.setattr(ImitationGenerator, "transform", None)
    steps = [("features", AttributionFeatures()), ("last", SourceDiscriminant())]
    AugmentedPipeline(steps, perturbations=[GaussianBlur(std=1)]).fit(
        images[few], y[few]
    )
    by_pixels = RejectingClassifier(
        make_pipeline(ResidualExtractor(), FingerprintClassifier()),
        make_pipeline(ResidualExtractor(), FingerprintDetector(false_alarm_rate=0.1)),
    )
    assert not by_pixels.takes_imitations()
    AugmentedPipeline([("last", by_pixels)]).fit(images[few], y[few])


def test_rows_are_no_images(halves):
    images, y, *_ = halves
    few = np.flatnonzero(y < 4)[::4]
    rows = AttributionFeatures().fit_transform(images[few])
    model = AugmentedPipeline([("last", SourceDetector(false_alarm_rate=0.1))])
    with pytest.warns(UserWarning, match="learned from 4 sources"):
        model.fit(rows, y[few])
    assert model[-1].null_kinds_.max() == -1


@pytest.mark.parametrize(
    ("imitations", "message"),
    [
        ("none", "imitations must be"),
        (3, "imitations must be"),
        ([ImitationGenerator], "imitations must be"),
        (FEW[:1], "two kinds or more"),
        ([FEW[0], ImitationGenerator("resampled")], "two kinds or more"),
    ],
)
def test_other_imitations_are_refused(halves, imitations, message):
    images, y, *_ = halves
    model = make_attribution_pipeline(
        perturbations=(), false_alarm_rate=0.1, imitations=imitations
    )
    with pytest.raises(ValueError, match=message):
        model.fit(images[:40], y[:40])


def test_imitations_need_a_detector(halves):
    images, y, *_ = halves
    with pytest.raises(ValueError, match="takes no imitations in fit"):
        make_attribution_pipeline(imitations=IMITATIONS, perturbations=()).fit(
            images[::8], y[::8]
        )


def test_sets_are_assessed_together(halves):
    images, y, groups, odd = halves
    own = ~odd & (y < 3)
    model = make_attribution_pipeline(
        perturbations=[JPEGCompression(quality=75)], false_alarm_rate=0.05
    ).fit(images[own], y[own], groups=groups[own])
    asked, truth = images[odd], y[odd]
    single = model.assess(asked, groups=np.arange(len(asked)))
    plain = model.assess(asked)
    for name in ("known", "source", "probability", "false_alarm_probability"):
        np.testing.assert_allclose(
            single[name].astype(float), plain[name].astype(float), rtol=1e-4
        )
    compressed = JPEGCompression(quality=75).fit_transform(asked)
    shares = []
    for m in (1, 4):
        ranks = np.array([np.sum(truth[:i] == name) for i, name in enumerate(truth)])
        sets = [f"{name}/{k // m}" for name, k in zip(truth, ranks, strict=True)]
        answers = model.assess(compressed, groups=sets)
        assert answers.groups.tolist() == sorted(set(sets))
        names = np.array([int(s.split("/")[0]) for s in answers.groups])
        right = answers.known & (answers.source == names)
        shares.append([right[names < 3].mean(), answers.known[names >= 3].mean()])
    assert shares[1][0] > shares[0][0]
    assert shares[1][1] <= 0.1


@pytest.mark.filterwarnings("ignore:the false-alarm rate", "ignore:detection_rate_")
def test_sets_need_parts_that_know_them(halves):
    images, y, *_ = halves
    own = np.flatnonzero(y < 3)[::4]
    model = RejectingClassifier(detector=FingerprintDetector(false_alarm_rate=0.1))
    residuals = ResidualExtractor().fit_transform(images[own])
    model.fit(residuals.reshape(len(own), -1), y[own])
    with pytest.raises(ValueError, match="groups need a detector"):
        model.assess(residuals.reshape(len(own), -1), groups=y[own])

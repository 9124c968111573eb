import pickle
import sys

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import SVC

from skfingerprint import (
    CooccurrenceTransformer,
    FingerprintClassifier,
    ImageReader,
    ResidualExtractor,
    SourceDiscriminant,
    SpectrumTransformer,
    make_attribution_pipeline,
)
from skfingerprint._attribution import score_discriminants
from skfingerprint.datasets import load_generators, make_fingerprint_images
from skfingerprint.explanation import explain_attribution, explain_correlation
from skfingerprint.perturbation import GaussianBlur, GaussianNoise
from skfingerprint.plotting import ContributionDisplay
from tests.estimators import assert_same, augment


def draw_rows(n_images=120, n_conditions=4, d=12, seed=0):
    """Rows of three sources, each in several copies that are moved apart."""
    rng = np.random.default_rng(seed)
    sources = 2 * np.random.default_rng(7).normal(size=(3, d))
    moves = 3 * np.random.default_rng(8).normal(size=(n_conditions, d))
    y = np.repeat(np.arange(n_images) % 3, n_conditions)
    copies = np.tile(np.arange(n_conditions), n_images)
    rows = sources[y] + moves[copies] + rng.normal(size=(len(y), d))
    return rows, np.array(["a", "b", "c"])[y], copies


def draw_waves(frequency, n=150, side=64):
    """Color images of two sources, of which one adds a faint wave."""
    rng = np.random.default_rng(0)
    down, right = np.mgrid[:side, :side]
    y = np.arange(2 * n) % 2
    scenes = rng.normal(size=(2 * n, side // 8, side // 8, 3)).repeat(8, 1).repeat(8, 2)
    phase = 2 * np.pi * (frequency[0] * down + frequency[1] * right)
    wave = np.cos(phase)[..., np.newaxis] * y[:, np.newaxis, np.newaxis, np.newaxis]
    noise = rng.normal(size=(2 * n, side, side, 3))
    return 128 + 9 * scenes + 3 * noise + wave, np.array(["plain", "wave"])[y]


@pytest.fixture(scope="module")
def embedded():
    data = load_generators()
    return data.images, data.target_names[data.target], data.groups


@pytest.fixture(scope="module", params=["clean", "conditions", "a rate"])
def pipeline(request, embedded):
    images, y, groups = embedded
    options = {
        "clean": {"perturbations": ()},
        "conditions": {"perturbations": [GaussianBlur(std=0.5), GaussianNoise(std=3)]},
        "a rate": {"perturbations": (), "false_alarm_rate": 0.1},
    }[request.param]
    model = make_attribution_pipeline(**options)
    return model.fit(images[::4], y[::4], groups=groups[::4])


@pytest.fixture(scope="module")
def small():
    rows, y, copies = draw_rows()
    with pytest.MonkeyPatch.context() as patch:
        # Two kinds of two conditions each.
        patch.setattr("skfingerprint._attribution.condition_kinds.MOST_KINDS", 2)
        return SourceDiscriminant().fit(rows, y, conditions=copies)


@pytest.fixture(scope="module")
def correlating(planted):
    images, y = planted
    model = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    return model.fit(images[:60], np.array(["a", "b", "c"])[y[:60]])


def find_classifier(pipeline):
    return getattr(pipeline[-1], "classifier_", pipeline[-1])


def check_sums(explanation, scores, classes):
    """Contributions, families and planes add up to the difference of the scores."""
    every = np.arange(len(scores))
    places = [np.searchsorted(classes, explanation[n]) for n in ("source", "other")]
    expected = scores[every, places[0]] - scores[every, places[1]]
    np.testing.assert_allclose(explanation.difference, expected, atol=1e-5)
    gain = explanation.difference - explanation.baseline_difference
    total = explanation.contributions.sum(axis=1)
    np.testing.assert_allclose(total, gain, atol=1e-5)
    np.testing.assert_allclose(sum(explanation.families.values()), gain, atol=1e-5)
    assert explanation.contributions.dtype == np.float64


def test_contributions_add_up_on_the_embedded_images(pipeline, embedded):
    images, *_ = embedded
    classifier = find_classifier(pipeline)
    rows = pipeline[:-1].transform(images).astype(np.float64)
    found = explain_attribution(pipeline, images)
    check_sums(found, classifier.decision_function(rows), classifier.classes_)
    np.testing.assert_array_equal(found.source, classifier.predict(rows))
    assert (found.difference > 0).all()
    np.testing.assert_array_equal(
        found.feature_names, pipeline[:-1].get_feature_names_out()
    )


@pytest.mark.slow
def test_contributions_add_up_on_the_real_images(real_data):
    from benchmarks.data.real_images import read_registry

    images, y, test = read_registry()
    model = make_attribution_pipeline(perturbations=[GaussianBlur(std=0.7)], n_jobs=2)
    model.set_params(classifier__shrinkage=0.1, classifier__cv=2)
    model.fit(images[~test][::4], y[~test][::4])
    rows = model[:-1].transform(images[test][::3]).astype(np.float64)
    found = explain_attribution(model[-1], rows)
    check_sums(found, model[-1].decision_function(rows), model.classes_)


def test_planes_and_families_hold_every_feature_once(pipeline, embedded):
    found = explain_attribution(pipeline, embedded[0][:3])
    names = found.feature_names.tolist()
    spectrum = found.spectra["residual_spectrum"]
    assert spectrum.shape == found.spectra["spectrum"].shape == (3, 3, 32, 17)
    # A folded column is half at its frequency and half at the negative one.
    column = names.index("residual_spectrum_2_0.2500_0.4688")
    for row in (16 - 8, 16 + 8):
        np.testing.assert_array_equal(
            spectrum[:, 2, row, 15], found.contributions[:, column] / 2
        )
    assert list(found.families) == [
        *(f"residual_spectrum_{c}" for c in range(3)),
        *(f"spectrum_{c}" for c in range(3)),
        *("cooccurrence_0_1", "cooccurrence_0_3"),
        *("cooccurrence_1_1", "cooccurrence_2_1"),
    ]
    for channel in range(3):
        np.testing.assert_allclose(
            spectrum[:, channel].sum(axis=(1, 2)),
            found.families[f"residual_spectrum_{channel}"],
        )
    start = [name.startswith("cooccurrence_0_3") for name in names]
    np.testing.assert_allclose(
        found.contributions[:, start].sum(axis=1), found.families["cooccurrence_0_3"]
    )


@pytest.mark.parametrize("copies", [(), [GaussianBlur(std=0.5), GaussianNoise(std=2)]])
@pytest.mark.parametrize("frequency", [(5 / 32, 9 / 32), (-8 / 32, 12 / 32)])
def test_a_planted_frequency_contributes_most(frequency, copies):
    images, y = draw_waves(frequency)
    model = make_attribution_pipeline(perturbations=copies).fit(images[:200], y[:200])
    assert model.score(images[200:], y[200:]) == 1
    unseen = images[200:][y[200:] == "wave"]
    found = explain_attribution(model, unseen, source="wave")
    expected = round(16 + 32 * frequency[0]), round(32 * frequency[1])
    for kind, planes in found.spectra.items():
        plane = planes.mean(axis=0).sum(axis=0)
        down, right = np.unravel_index(plane.argmax(), plane.shape)
        # Folded spectra have the same contribution at the negative frequency.
        place = 16 + np.copysign(down - 16, frequency[0]), right
        # The window spreads a wave over the neighbors.
        assert np.abs(np.subtract(place, expected)).max() <= (kind == "spectrum")


def test_the_integral_is_that_of_the_gradient(small):
    """By sums over many small steps, and differences for the derivatives."""
    rows, *_ = draw_rows(seed=1)
    conditions = np.searchsorted(small.conditions_, small.predict_conditions(rows))
    kinds = small.kinds_[conditions]
    assert np.bincount(small.kinds_).tolist() == [2, 2]
    image = 7
    start, end = small.mean_, rows[image]
    found = explain_attribution(small, end[np.newaxis], source="a", other="c")
    inverse = small.inverse_temperatures_[conditions[image]]
    discriminants = small.discriminants_[1 + kinds[image]]

    def difference(points):
        scores = score_discriminants(points - small.center_, discriminants)[0]
        return inverse * (scores[:, 0] - scores[:, 2])

    expected = np.subtract(*small.decision_function(end[np.newaxis])[0, [0, 2]])
    np.testing.assert_allclose(found.difference, expected, atol=1e-6)

    at = (np.arange(2000) + 0.5)[:, np.newaxis] / 2000
    points = start + at * (end - start)
    for i in range(len(end)):
        step = 1e-4 * np.eye(len(end))[i]
        slopes = (difference(points + step) - difference(points - step)) / 2e-4
        expected = (end - start)[i] * slopes.mean()
        np.testing.assert_allclose(found.contributions[0, i], expected, atol=1e-4)
    assert np.abs(found.contributions).max() > 0.1


@pytest.mark.parametrize("far", [1, 1e2, 1e4, 1e6])
def test_sums_hold_far_from_what_was_fitted(small, far):
    rows = far * draw_rows(seed=1)[0][:50]
    found = explain_attribution(small, rows)
    gain = found.difference - found.baseline_difference
    np.testing.assert_allclose(found.contributions.sum(axis=1), gain, rtol=1e-6)


def test_swapping_the_sources_changes_signs(pipeline, embedded):
    images = embedded[0][:9]
    first, second = pipeline.classes_[:2]
    found = explain_attribution(pipeline, images, source=first, other=second)
    swapped = explain_attribution(pipeline, images, source=second, other=first)
    for name in ("contributions", "difference", "baseline_difference"):
        assert_same(swapped[name], -found[name])
    for family, values in found.families.items():
        assert_same(swapped.families[family], -values)


def test_the_default_pair_is_the_two_likeliest(small):
    rows = draw_rows(seed=1)[0][:30]
    order = np.argsort(small.decision_function(rows), axis=1)
    found = explain_attribution(small, rows)
    np.testing.assert_array_equal(found.source, small.classes_[order[:, -1]])
    np.testing.assert_array_equal(found.other, small.classes_[order[:, -2]])
    argued = explain_attribution(small, rows, source=found.other)
    np.testing.assert_array_equal(argued.other, found.source)
    against = explain_attribution(small, rows, other=found.source)
    np.testing.assert_array_equal(against.source, found.other)


def test_each_image_by_itself(small):
    rows = draw_rows(seed=1)[0][:9]
    whole = explain_attribution(small, rows)
    for i in (0, 5):
        single = explain_attribution(small, rows[i : i + 1])
        np.testing.assert_allclose(
            single.contributions[0], whole.contributions[i], atol=1e-9
        )


def test_lazy_and_ragged_images(pipeline, embedded):
    da = pytest.importorskip("dask.array")
    images = embedded[0][:6]
    expected = explain_attribution(pipeline, images)
    lazy = explain_attribution(pipeline, da.from_array(images, chunks=(2, -1, -1, -1)))
    np.testing.assert_allclose(lazy.contributions, expected.contributions, atol=1e-4)
    ragged = [image[: 64 - 8 * (i % 2)] for i, image in enumerate(images)]
    found = explain_attribution(pipeline, ragged)
    np.testing.assert_allclose(
        found.contributions[::2], expected.contributions[::2], atol=1e-4
    )


def test_paths(planted, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    images, y = np.stack([planted[0]] * 3, axis=-1), planted[1]
    paths = [str(tmp_path / f"{i}.png") for i in range(8)]
    for path, image in zip(paths, images, strict=False):
        image_module.fromarray(image).save(path)
    for model, explain in (
        (make_attribution_pipeline(perturbations=()), explain_attribution),
        (
            make_pipeline(ResidualExtractor(), FingerprintClassifier()),
            explain_correlation,
        ),
    ):
        model.fit(images, y)
        reading = make_pipeline(ImageReader(), model)
        found, expected = explain(reading, paths), explain(model, images[:8])
        np.testing.assert_allclose(
            found.contributions, expected.contributions, atol=1e-4
        )
        display = ContributionDisplay.from_estimator(reading, paths[:1], source=1)
        np.testing.assert_array_equal(display.image, images[0])


def test_frames_of_rows_keep_their_names():
    pd = pytest.importorskip("pandas")
    rows, y, copies = draw_rows()
    frame = pd.DataFrame(rows, columns=[f"f{i}" for i in range(12)])
    model = SourceDiscriminant().fit(frame, y, conditions=copies)
    found = explain_attribution(model, frame[:5])
    assert found.feature_names.tolist() == list(frame.columns)
    assert list(found.families) == ["other"]
    assert found.spectra == {}
    bare = explain_attribution(SourceDiscriminant().fit(rows, y), rows[:5])
    assert bare.feature_names[:2].tolist() == ["x0", "x1"]


@pytest.mark.parametrize("labels", ["abc", "ab"])
@pytest.mark.parametrize(
    "model",
    [
        LinearDiscriminantAnalysis(),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
        LogisticRegression(),
        RidgeClassifier(),
    ],
)
def test_linear_classifiers(model, labels):
    rows, y, _ = draw_rows(n_conditions=1)
    rows, y = rows[np.isin(y, list(labels))], y[np.isin(y, list(labels))]
    model.fit(rows, y)
    baseline = rows.mean(axis=0)
    found = explain_attribution(model, rows, source="a", other="b", baseline=baseline)
    scores = model.decision_function(rows)
    scores = np.column_stack([-scores, 0 * scores]) if labels == "ab" else scores
    np.testing.assert_allclose(found.difference, scores[:, 0] - scores[:, 1])
    gain = found.difference - found.baseline_difference
    np.testing.assert_allclose(found.contributions.sum(axis=1), gain)
    coef = np.reshape(model.coef_, (-1, 12))
    coef = coef[0] - coef[1] if labels == "abc" else -coef[0]
    np.testing.assert_allclose(found.contributions, (rows - baseline) * coef)


def test_two_sources(planted):
    images, y = planted
    kept = y < 2
    model = make_attribution_pipeline(perturbations=()).fit(images[kept], y[kept])
    found = explain_attribution(model, images[kept], source=1)
    scores = model.decision_function(images[kept])
    np.testing.assert_allclose(found.difference, scores, atol=1e-3)
    assert next(iter(found.families)) == "residual_spectrum_0"
    assert found.spectra["spectrum"].shape == (kept.sum(), 1, 32, 17)


def test_searches_unions_and_augmented_classifiers(planted):
    images, y = planted
    features = make_union(SpectrumTransformer(block_size=8), CooccurrenceTransformer())
    inner = make_pipeline(features, LinearDiscriminantAnalysis("lsqr", shrinkage=0.5))
    model = GridSearchCV(
        augment(inner, [GaussianBlur(std=0.5)]),
        {"max_perturbations": [1]},
        cv=2,
    ).fit(images, y)
    found = explain_attribution(model, images[:4])
    assert found.spectra["spectrumtransformer__spectrum"].shape == (4, 1, 8, 5)
    assert "cooccurrencetransformer__cooccurrence_0_3" in found.families
    gain = found.difference - found.baseline_difference
    np.testing.assert_allclose(sum(found.families.values()), gain)
    radial = make_pipeline(
        SpectrumTransformer(block_size=8, radial=True), LinearDiscriminantAnalysis()
    ).fit(images, y)
    found = explain_attribution(radial, images[:4])
    assert (found.spectra, list(found.families)) == ({}, ["spectrum_0"])


def test_a_baseline_of_each_image(small):
    rows = draw_rows(seed=1)[0][:6]
    found = explain_attribution(small, rows, baseline=rows)
    np.testing.assert_array_equal(found.contributions, 0)
    assert small.mean_.shape == (12,)


@pytest.mark.parametrize(("n_images", "d"), [(60, 12), (20, 200)])
def test_the_mean_counts_sources_alike(n_images, d):
    rows, y, copies = draw_rows(n_images, d=d)
    kept = (y != "a") | (np.arange(len(y)) < len(y) // 2)
    model = SourceDiscriminant().fit(rows[kept], y[kept], conditions=copies[kept])
    means = [rows[kept][y[kept] == name].mean(axis=0) for name in "abc"]
    np.testing.assert_allclose(model.mean_, np.mean(means, axis=0), atol=1e-6)


def test_errors_name_the_remedy(small, correlating, planted):
    rows, y, _ = draw_rows(n_conditions=1)
    with pytest.raises(NotFittedError):
        explain_attribution(make_attribution_pipeline(), planted[0])
    with pytest.raises(NotFittedError):
        explain_attribution(augment(SourceDiscriminant(), []), rows)
    with pytest.raises(ValueError, match="take explain_correlation"):
        explain_attribution(correlating, planted[0])
    with pytest.raises(ValueError, match=r"RandomForest.*permutation_importance"):
        explain_attribution(RandomForestClassifier(2).fit(rows, y), rows)
    with pytest.raises(ValueError, match=r"source must be among .*'c'.*got .*'x'"):
        explain_attribution(small, rows, source="x")
    with pytest.raises(ValueError, match="other must be one label, or one for each of"):
        explain_attribution(small, rows, other=["a", "b"])
    with pytest.raises(ValueError, match=r"both .*'a'.* for image 0: name two"):
        explain_attribution(small, rows, source="a", other="a")
    with pytest.raises(ValueError, match=r"baseline must be of shape \(12,\)"):
        explain_attribution(small, rows, baseline=[0, 1])
    with pytest.raises(ValueError, match="baseline contains NaN"):
        explain_attribution(small, rows, baseline=np.full(12, np.nan))
    with pytest.raises(ValueError, match="pass baseline"):
        explain_attribution(LogisticRegression().fit(rows, y), rows)
    with pytest.raises(ValueError, match=r"SVC are not rows @ coef_"):
        explain_attribution(SVC(kernel="linear").fit(rows, y), rows, baseline=rows)
    with pytest.raises(ValueError, match="12 features"):
        explain_attribution(small, rows[:, :5])


def test_sums_that_fail_are_an_error(small, monkeypatch):
    monkeypatch.setattr(
        "skfingerprint.explanation._average_softmax", lambda a, b: np.ones(len(a))
    )
    with pytest.raises(RuntimeError, match="miss its score"):
        explain_attribution(small, draw_rows()[0][:5])


@pytest.mark.parametrize("subtract_common", [False, True])
@pytest.mark.parametrize("color", [False, True])
def test_places_add_up_to_the_correlation(color, subtract_common):
    shape = (24, 16, 3) if color else (24, 16)
    images, y = make_fingerprint_images(60, 3, image_shape=shape, random_state=0)
    images[0] = 0
    classifier = FingerprintClassifier(subtract_common=subtract_common)
    model = make_pipeline(ResidualExtractor(), classifier).fit(images, y)
    scores = model[-1].correlate(model[:-1].transform(images))
    found = explain_correlation(model, images)
    assert found.contributions.shape == images.shape
    np.testing.assert_array_equal(found.source, scores.argmax(axis=1))
    np.testing.assert_allclose(found.correlation, scores.max(axis=1), atol=1e-5)
    given = explain_correlation(model, images, source=2)
    np.testing.assert_allclose(given.correlation, scores[:, 2], atol=1e-5)
    each = explain_correlation(model, images, source=y)
    np.testing.assert_allclose(each.correlation, scores[np.arange(60), y], atol=1e-5)
    axes = tuple(range(1, images.ndim))
    np.testing.assert_allclose(found.contributions.sum(axis=axes), found.correlation)


def test_places_of_a_planted_corner():
    rng = np.random.default_rng(0)
    pattern = np.zeros((2, 32, 32))
    pattern[0, :8, :8] = 3 * rng.normal(size=(8, 8))
    y = np.arange(80) % 2
    residuals = rng.normal(size=(80, 32, 32)) + pattern[y]
    classifier = FingerprintClassifier().fit(residuals, y)
    found = explain_correlation(classifier, residuals, source=0)
    own = found.contributions[y == 0]
    inside = own[:, :8, :8].sum(axis=(1, 2))
    assert np.all(inside > 0.8 * found.correlation[y == 0])


def test_places_of_lazy_residuals(planted, correlating):
    da = pytest.importorskip("dask.array")
    images = planted[0][:6]
    lazy = explain_correlation(correlating, da.from_array(images, chunks=(2, -1, -1)))
    expected = explain_correlation(correlating, images)
    np.testing.assert_allclose(lazy.contributions, expected.contributions, atol=1e-7)
    flat = FingerprintClassifier().fit(planted[0].reshape(120, -1), planted[1])
    rows = explain_correlation(flat, planted[0].reshape(120, -1))
    assert rows.contributions.shape == (120, 32 * 48)


def test_errors_of_places_name_the_remedy(planted, correlating, small):
    images, y = planted
    with pytest.raises(NotFittedError):
        explain_correlation(FingerprintClassifier(), images)
    with pytest.raises(ValueError, match="take explain_attribution"):
        explain_correlation(small, images)
    with pytest.raises(ValueError, match="source must be among"):
        explain_correlation(correlating, images, source="d")
    for option in ({"statistic": "pce"}, {"max_shift": 2}):
        with pytest.raises(ValueError, match="only the aligned correlation"):
            explain_correlation(FingerprintClassifier(**option).fit(images, y), images)


def test_an_explanation_prints_a_sentence_an_image(small):
    rows, *_ = draw_rows(seed=1)
    # One row of each of the sources a, b and c.
    found = explain_attribution(small, rows[:12:4], source="a", other="b")
    assert found.difference[0] > 0 > found.difference[1]
    lines = str(found).splitlines()
    assert len(lines) == 3
    for line, gain, total, before in zip(
        lines,
        found.difference,
        found.contributions.sum(axis=1),
        found.baseline_difference,
        strict=True,
    ):
        word = "lower" if gain < 0 else "higher"
        side = "against" if total < 0 else "for"
        assert f": a scores {abs(gain):.1f} {word} than b. Other features" in line
        assert f"speak {side} it most ({total:+.1f})" in line
        assert f"the baseline {before:+z.1f}." in line


def test_a_printed_explanation_names_the_largest_kind_of_features(pipeline, embedded):
    images, *_ = embedded
    found = explain_attribution(pipeline, images[:7])
    *lines, more = str(found).splitlines()
    assert more == "and 2 more images, see to_frame()."
    for image, line in enumerate(lines):
        sums = dict.fromkeys(("residual_spectrum", "spectrum", "cooccurrence"), 0)
        for family, values in found.families.items():
            sums[family.rstrip("_0123456789")] += values[image]
        largest = max(sums, key=lambda kind: abs(sums[kind]))
        words = {
            "residual_spectrum": "Spectra of the residual",
            "spectrum": "Spectra of the image",
            "cooccurrence": "Co-occurrences",
        }
        assert line.startswith(f"Image {image}: {found.source[image]} scores ")
        assert f". {words[largest]} speak for it most ({sums[largest]:+.1f})" in line


def test_the_frame_of_an_explanation_adds_up(pipeline, embedded):
    images, *_ = embedded
    found = explain_attribution(pipeline, images[:9])
    frame = found.to_frame()
    assert frame.columns.tolist() == [
        *("source", "other", "difference", "baseline_difference"),
        *found.families,
    ]
    parts = frame[["baseline_difference", *found.families]].sum(axis=1)
    np.testing.assert_allclose(parts, found.difference, atol=1e-5)
    assert frame["source"].tolist() == found.source.tolist()


def test_a_frame_without_pandas_names_the_remedy(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    found = explain_attribution(small, draw_rows()[0][:2])
    with pytest.raises(ImportError, match="to_frame needs pandas: pip install pandas"):
        found.to_frame()


def test_an_explanation_can_be_pickled(small):
    found = explain_attribution(small, draw_rows()[0][:2])
    again = pickle.loads(pickle.dumps(found))
    assert str(again) == str(found)
    assert_same(again.contributions, found.contributions)

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfingerprint import (
    AttributionFeatures,
    FingerprintLocalizer,
    ImageReader,
    ResidualExtractor,
    WindowedClassifier,
)
from skfingerprint._localization.local_correlation import local_correlations
from skfingerprint._localization.masks import find_thresholds
from skfingerprint._localization.windows import (
    draw_windows,
    find_grid,
    score_windows,
    scores_to_pixels,
)
from skfingerprint.datasets import load_generators
from tests.estimators import assert_same

RNG = np.random.default_rng(0)


def make_fast(estimator=None, **params):
    """Return a classifier of windows that is fast to fit."""
    if estimator is None:
        features = AttributionFeatures(block_size=8, order=2)
        estimator = make_pipeline(features, StandardScaler(), RidgeClassifier(10))
    params = {"window_size": 16, "stride": 6, "max_windows": 4, "cv": 2} | params
    return WindowedClassifier(estimator, **params)


@pytest.fixture(scope="module")
def networks():
    """Images of six networks, of the same scenes, and which of them fit."""
    data = load_generators()
    names = data.target_names[data.target]
    chosen = ~np.isin(names, ["dcgan-digiface", "mobilestylegan-ffhq"])
    groups = data.groups[chosen]
    fit = np.isin(groups, np.unique(groups)[::2])
    return data.images[chosen], names[chosen], groups, fit


@pytest.fixture(scope="module")
def fitted(networks):
    images, names, groups, fit = networks
    model = WindowedClassifier(window_size=16, stride=6, cv=2)
    return model.fit(images[fit], names[fit], groups=groups[fit])


def splice(networks, source, background):
    """Return images of the background with a part of the source's, and the mask."""
    images, names, _, fit = networks
    mask = np.zeros((64, 64), dtype=bool)
    mask[8:48, 16:56] = True
    inside = images[~fit & (names == source)]
    around = images[~fit & (names == background)]
    return np.where(mask[..., None], inside, around), mask


# Windows


@pytest.mark.parametrize("stride", [1, 5, 7, 16, 40])
def test_the_last_window_ends_at_the_border(stride):
    grid = find_grid((40, 33), 16, stride)
    assert grid.tops[0] == grid.lefts[0] == 0
    assert grid.tops[-1] == 24
    assert grid.lefts[-1] == 17
    assert max(np.diff(grid.tops)) <= stride


def test_rows_have_windows_of_their_height():
    grid = find_grid((1, 5), 16, 8)
    assert grid.sides == (1, 5)
    assert grid.tops == grid.lefts == [0]


@pytest.mark.parametrize("shape", [(3, 20, 22), (3, 20, 22, 3)])
def test_windows_are_scored_where_they_lie(shape, monkeypatch):
    monkeypatch.setattr("skfingerprint._localization.windows.GROUP_VALUES", 700)
    images, grid = RNG.normal(size=shape), find_grid(shape[1:3], 8, 5)
    found = score_windows(images, grid, lambda w: w.reshape(len(w), -1)[:, [0, -1]])
    assert found.shape == (3, 4, 4, 2)
    for (i, r, c), value in np.ndenumerate(found[..., 0]):
        window = images[i, grid.tops[r] :, grid.lefts[c] :][:8, :8]
        assert value == window.ravel()[0]
        assert found[i, r, c, 1] == window.ravel()[-1]


def test_a_slope_is_interpolated_between_centers_and_held_beyond():
    grid = find_grid((80, 95), 8, 5)
    slope = np.add.outer(grid.tops, 10.0 * np.array(grid.lefts))
    found = scores_to_pixels(slope, grid)
    assert found.shape == (80, 95)
    y, x = np.mgrid[20:60, 20:60]
    np.testing.assert_allclose(found[20:60, 20:60], y - 3.5 + 10 * (x - 3.5))
    assert (found[:4] == found[3]).all()
    assert (found[:, 92] == found[:, 94]).all()
    both = scores_to_pixels(np.stack([slope, -slope], axis=2), grid)
    np.testing.assert_allclose(both, np.stack([found, -found], axis=2))


def test_a_lonely_window_is_spread_over_its_neighbors():
    grid = find_grid((64, 64), 8, 4)
    scores = np.zeros((15, 15))
    scores[7, 7] = 1
    found = scores_to_pixels(scores, grid)
    weights = found.sum(axis=0) / found.sum()
    spread = np.sqrt(weights @ np.square(np.arange(64) - 31.5))
    # Of the windows, and of the interpolation between them.
    assert spread == pytest.approx(np.sqrt(8**2 / 12 + 4**2 / 6), rel=0.02)
    single = scores_to_pixels(np.full((1, 1, 2), 3.0), find_grid((8, 8), 8, 4))
    np.testing.assert_array_equal(single, np.full((8, 8, 2), 3.0))


def test_windows_are_drawn_by_content():
    image = RNG.integers(0, 256, size=(30, 40, 3)).astype(np.uint8)
    drawn = draw_windows(image, (8, 8), 5)
    assert drawn.shape == (5, 8, 8, 3)
    np.testing.assert_array_equal(drawn, draw_windows(image.astype(">f8"), (8, 8), 5))
    assert len({window.tobytes() for window in drawn}) == 5
    other = image.copy()
    other[-1, -1, -1] ^= 1
    assert not np.array_equal(drawn, draw_windows(other, (8, 8), 5))


def test_no_more_windows_than_there_are():
    image = RNG.normal(size=(9, 10))
    assert draw_windows(image, (8, 8), 100).shape == (6, 8, 8)
    np.testing.assert_array_equal(draw_windows(image, (9, 10), 7), image[None])


@pytest.mark.parametrize("window", [1, 6, 7])
def test_local_correlations_are_those_of_windows(window):
    residual = RNG.normal(size=(20, 24, 3))
    fingerprints = RNG.normal(size=(2, 20, 24, 3))
    found = local_correlations(residual, fingerprints, window)
    for y, x in [(10, 12), (0, 0), (19, 5)]:
        rows, columns = (
            slice(max(k - window // 2, 0), k - window // 2 + window) for k in (y, x)
        )
        a, b = residual[rows, columns].ravel(), fingerprints[1, rows, columns].ravel()
        expected = a @ b / np.sqrt((a @ a) * (b @ b))
        assert found[y, x, 1] == pytest.approx(expected, abs=1e-6)


def test_flat_parts_have_no_correlation():
    residual = RNG.normal(size=(30, 30, 1))
    residual[:15] = 0
    found = local_correlations(residual, residual[None], 5)
    assert (found[:12] == 0).all()
    np.testing.assert_allclose(found[18:], 1, atol=1e-6)


def test_thresholds_are_quantiles_or_middles():
    members = np.repeat([0, 1, 2], 100)
    scores = np.zeros((300, 3))
    scores[100:200, 1] = 10
    scores[200:, 1] = np.arange(100)  # the quantile is beyond the middle
    scores[200:, 2] = 40
    found = find_thresholds(scores, members, np.ones(300), 0.05)
    assert np.isnan(np.diag(found)).all()
    assert found[2, 0] == 20  # half-way between 0 and 40
    assert found[1, 0] == 5
    assert found[1, 2] == 94 - 40
    assert found[2, 3] == 20
    assert found[3, 2] == -20
    assert found[3, 0] == 0
    assert found[1, 3] == (10 + 49) / 2 or found[1, 3] == 89
    weights = np.where(np.arange(300) % 100 < 50, 2.0, 0)
    twice = np.flatnonzero(weights).repeat(2)
    np.testing.assert_array_equal(
        find_thresholds(scores, members, weights, 0.05),
        find_thresholds(scores[twice], members[twice], np.ones(300), 0.05),
    )


# WindowedClassifier


@pytest.mark.parametrize("asked", ["both", "source", "background"])
def test_a_part_is_found(networks, fitted, asked):
    images, mask = splice(networks, "acnet-gan", "srgan-gan")
    question = {"source": "acnet-gan", "background": "srgan-gan"}
    if asked != "both":
        question = {asked: question[asked]}
    maps = fitted.score_map(images, **question)
    assert maps.shape == (len(images), 64, 64)
    assert maps.dtype == np.float32
    areas = [roc_auc_score(mask.ravel(), one.ravel()) for one in maps]
    assert np.mean(areas) > 0.93
    masks = fitted.predict_mask(images, **question)
    assert masks.dtype == bool
    threshold = fitted.find_threshold(**question)
    clear = np.abs(maps - threshold) > 1e-4  # not for rounding to decide
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(masks[clear], maps[clear] >= threshold)
    assert masks[:, mask].mean() > 0.55
    assert masks[:, ~mask].mean() < 0.25


def test_a_network_that_was_not_fitted_is_found(networks):
    images, names, groups, fit = networks
    fit = fit & (names != "acnet-gan")
    model = WindowedClassifier(window_size=16, stride=6, cv=2)
    model.fit(images[fit], names[fit], groups=groups[fit])
    spliced, mask = splice(networks, "acnet-gan", "srgan-gan")
    maps = model.score_map(spliced, background="srgan-gan")
    assert np.mean([roc_auc_score(mask.ravel(), m.ravel()) for m in maps]) > 0.85


@pytest.mark.slow
def test_whole_images_are_named(networks, fitted):
    images, names, _, fit = networks
    assert fitted.score(images[~fit], names[~fit]) > 0.95
    scores = fitted.decision_function(images[~fit])
    assert scores.shape == ((~fit).sum(), 6)
    maps = fitted.score_map(images[~fit])
    assert maps.shape == ((~fit).sum(), 64, 64, 6)
    # Pixels between the outermost centers are means of windows, on an even grid.
    assert fitted.classes_[maps.mean(axis=(1, 2)).argmax(axis=1)].tolist() == (
        fitted.predict(images[~fit]).tolist()
    )


def test_false_alarms_keep_their_rate(networks, fitted):
    images, names, _, fit = networks
    for background in fitted.classes_:
        whole = images[~fit & (names == background)]
        assert fitted.predict_mask(whole, background=background).mean() < 0.15


def test_neither_order_nor_company_change_a_fit_or_an_answer(networks):
    images, names, groups, _ = networks
    images, names, groups = images[::4], names[::4], groups[::4]
    model = make_fast(cv=GroupKFold(2)).fit(images, names, groups=groups)
    order = RNG.permutation(len(images))
    shuffled = clone(model).fit(images[order], names[order], groups=groups[order])
    expected = model.score_map(images[:6])
    np.testing.assert_allclose(shuffled.score_map(images[:6]), expected, atol=2e-3)
    for i in range(6):
        found = model.score_map(images[i : i + 1])
        np.testing.assert_allclose(found[0], expected[i], atol=1e-4)


def test_images_of_any_size(networks):
    images = networks[0]
    ragged = [image[: 20 + i % 7, : 30 + i % 5] for i, image in enumerate(images[:60])]
    model = make_fast().fit(ragged, np.arange(60) % 2)
    maps = model.score_map(ragged[:3], 1)
    assert [one.shape for one in maps] == [image.shape[:2] for image in ragged[:3]]
    masks = model.predict_mask(ragged[:3], background=0)
    assert [one.shape for one in masks] == [image.shape[:2] for image in ragged[:3]]
    answers = model.decision_function(ragged[:3])
    alone = [model.decision_function(image[None])[0] for image in ragged[:3]]
    np.testing.assert_allclose(answers, alone, atol=1e-5)
    # One window, and gaps between windows.
    assert model.score_map(images[:2, :16, :16]).shape == (2, 16, 16, 2)
    model.set_params(stride=30)
    assert np.isfinite(model.score_map(images[:2])).all()


def test_labels_may_be_numbers_and_images_grey(networks):
    images, names, *_ = networks
    y = np.where(names[:120:2] == names[0], 0, 7)
    model = make_fast(max_windows=10_000, window_size=48).fit(images[:120:2, ..., 1], y)
    assert model.n_channels_ == 1
    assert model.decision_function(images[:5, ..., 1]).shape == (5,)
    maps = model.score_map(images[:5, ..., 1], 7, background=0)
    whole = model.score_map(images[:5, ..., 1])
    np.testing.assert_allclose(whole[..., 1] - whole[..., 0], maps, atol=1e-6)
    assert_same(model.score_map(images[:5, ..., 1], background=0), -whole[..., 0])
    assert model.find_threshold(0) == model.thresholds_[0, 2]


def test_probabilities_serve_as_scores(networks):
    class Prior(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_, counts = np.unique(y, return_counts=True)
            self.prior_ = counts / len(y)
            return self

        def predict_proba(self, X):
            return np.tile(self.prior_, (len(X), 1))

    images = networks[0]
    model = make_fast(estimator=Prior()).fit(images[:9], [0, 1, 1] * 3)
    np.testing.assert_allclose(model.score_map(images[:1])[0, 0, 0], [1 / 3, 2 / 3])


def test_dark_parts_of_float_images_give_no_warning(networks):
    images = networks[0][:40].astype(np.float32)
    images[:, :20, :20] = np.linspace(0, 1, 20)[:, None]
    model = make_fast().fit(images, np.arange(40) % 2)
    assert np.isfinite(model.score_map(images[:2])).all()
    with pytest.warns(UserWarning, match=r"image 3 lies in 0\.\.1.*by 255"):
        model.predict([*images[:3], images[3] / images[3].max()])
    with pytest.raises(ValueError, match=r"image 1 lies in -1\.\..*127\.5"):
        model.fit([images[0], images[1] / 160.0 - 1] * 2, [0, 1] * 2)


def test_global_output_changes_nothing(networks):
    pytest.importorskip("pandas")
    images, names, *_ = networks
    model = WindowedClassifier(window_size=16, max_windows=2, cv=3)
    expected = model.fit(images[::5], names[::5]).score_map(images[:2])
    with sklearn.config_context(transform_output="pandas"):
        found = clone(model).fit(images[::5], names[::5]).score_map(images[:2])
    assert_same(found, expected)


def test_what_cannot_be_asked_is_refused(networks, fitted):
    images = networks[0]
    with pytest.raises(ValueError, match="source or background must be given"):
        fitted.predict_mask(images[:1])
    with pytest.raises(ValueError, match=r"source must be None or one of .*'photo'"):
        fitted.score_map(images[:1], "photo")
    with pytest.raises(ValueError, match="must differ, got 'acnet-gan' twice"):
        fitted.score_map(images[:1], "acnet-gan", background="acnet-gan")
    with pytest.raises(
        ValueError, match=r"image 0 has 12 x 64 pixels, and window_size is 16"
    ):
        fitted.score_map(images[:1, :12])
    with pytest.raises(ValueError, match=r"1 channel\(s\).*fitted with 3"):
        fitted.predict(images[:2, ..., 0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"window_size": 0}, "window_size must be an int >= 1, got 0"),
        ({"stride": 0.5}, "stride must be an int >= 1, got 0.5"),
        ({"max_windows": None}, "max_windows must be an int >= 1, got None"),
        ({"pixel_false_alarm_rate": 0.7}, r"must lie in \(0, 0.5\], got 0.7"),
        ({"window_size": 65}, "image 0 has 64 x 64 pixels, and window_size is 65"),
    ],
)
def test_wrong_parameters_are_refused(networks, params, message):
    images, names, *_ = networks
    with pytest.raises(ValueError, match=message):
        make_fast(**params).fit(images[::9], names[::9])


def test_too_few_classes_or_images_are_refused(networks):
    images = networks[0]
    with pytest.raises(ValueError, match="at least 2 classes"):
        make_fast().fit(images[:4], [1, 1, 1, 1])
    with pytest.raises(ValueError, match=r"each class needs at least 2"):
        make_fast().fit(images[:4], [1, 1, 1, 2])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        make_fast().fit(images[:4], [1, 2])
    holed = images[:4].astype(float)
    holed[2, 1, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        make_fast().fit(holed, [1, 1, 2, 2])


def test_windows_are_never_torn_from_their_image_or_group(networks):
    class Keeps(ClassifierMixin, BaseEstimator):
        """Keeps what the last fit got."""

        def fit(self, X, y, groups=None, sample_weight=None):
            self.classes_, self.given_ = np.unique(y), (groups, sample_weight)
            return self

        def decision_function(self, X):
            return np.zeros(len(X))

    images, y = networks[0][:12], np.arange(12) % 2
    model = make_fast(estimator=Keeps()).fit(images, y)
    groups, weights = model.estimator_.given_
    np.testing.assert_array_equal(groups, np.arange(12).repeat(4))
    assert weights is None
    names, halves = np.arange(12) // 3, np.linspace(0.5, 1, 12)
    model.fit(images, y, groups=names, sample_weight=halves)
    groups, weights = model.estimator_.given_
    np.testing.assert_array_equal(groups, names.repeat(4))
    np.testing.assert_array_equal(weights, halves.repeat(4))
    with sklearn.config_context(enable_metadata_routing=True):
        inner = Keeps().set_fit_request(groups=True, sample_weight=True)
        routed = make_fast(estimator=inner)
        routed.fit(images, y, groups=names, sample_weight=halves)
        np.testing.assert_array_equal(routed.estimator_.given_[0], groups)
        np.testing.assert_array_equal(routed.estimator_.given_[1], weights)


def test_weights_need_an_estimator_that_takes_them(networks):
    class Plain(LogisticRegression):
        def fit(self, X, y):
            return super().fit(X, y)

    images = networks[0][:8]
    estimator = make_pipeline(AttributionFeatures(block_size=8, order=1), Plain())
    with pytest.raises(ValueError, match=r"got \['sample_weight'\]"):
        make_fast(estimator=estimator).fit(
            images, np.arange(8) % 2, sample_weight=np.ones(8)
        )


def test_paths_become_maps(networks, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    images, y = networks[0][:8], np.arange(8) % 2
    paths = [tmp_path / f"{i}.png" for i in range(8)]
    for i, path in enumerate(paths):
        Image.fromarray(images[i, : 40 + i]).save(path)
    pipeline = make_pipeline(ImageReader(), make_fast()).fit(paths, y)
    ragged = [image[: 40 + i] for i, image in enumerate(images)]
    expected = make_fast().fit(ragged, y)
    np.testing.assert_allclose(
        pipeline.decision_function(paths), expected.decision_function(ragged), atol=1e-5
    )
    maps = pipeline[-1].score_map(pipeline[0].transform(paths), 1)
    assert [one.shape[0] for one in maps] == list(range(40, 48))


# FingerprintLocalizer


@pytest.fixture(scope="module")
def residuals(planted):
    images, y = planted
    return ResidualExtractor().transform(images), np.array(["a", "b", "c"])[y]


def test_a_planted_fingerprint_is_found_at_its_place(residuals):
    X, y = residuals
    model = FingerprintLocalizer(window_size=15).fit(X[:90], y[:90])
    rest, labels = X[90:], y[90:]
    spliced, mask = rest[labels == "a"][:8].copy(), np.zeros((32, 48), dtype=bool)
    mask[:, 24:] = True
    spliced[:, mask] = rest[labels == "b"][:8][:, mask]
    for question in ({"source": "b"}, {"source": "b", "background": "a"}):
        maps = model.score_map(spliced, **question)
        assert np.mean([roc_auc_score(mask.ravel(), m.ravel()) for m in maps]) > 0.75
        masks = model.predict_mask(spliced, **question)
        assert masks[:, mask].mean() > 2 * masks[:, ~mask].mean()
    assert model.score(rest, labels) > 0.9
    assert model.predict_mask(rest[labels == "c"], "b", background="c").mean() < 0.1


def test_its_fingerprints_are_those_of_the_classifier(residuals):
    X, y = residuals
    model = FingerprintLocalizer(window_size=9).fit(X, y)
    np.testing.assert_allclose(
        model.classifier_.fingerprints_[1], X[y == "b"].mean(axis=0), atol=1e-4
    )
    np.testing.assert_array_equal(model.predict(X), model.classifier_.predict(X))
    with pytest.raises(ValueError, match="window_size must be an int >= 1"):
        FingerprintLocalizer(window_size=0).fit(X, y)
    with pytest.raises(ValueError, match=r"pixel_false_alarm_rate must lie in"):
        FingerprintLocalizer(pixel_false_alarm_rate=0).fit(X, y)

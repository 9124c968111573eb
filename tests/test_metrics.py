import numpy as np
import pytest
from scipy import ndimage
from scipy.fft import dctn
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import make_scorer, roc_auc_score, roc_curve
from sklearn.model_selection import (
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

from skfingerprint import (
    FingerprintClassifier,
    ImageReader,
    ResidualExtractor,
    Unflatten,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators, make_fingerprint_images
from skfingerprint.metrics import (
    average_correlation_matrix,
    cross_origin_report,
    delivery_report,
    energy_curve,
    equal_error_rate,
    fit_energy_curve,
    jpeg_history,
    log_likelihood_ratio_cost,
    open_set_report,
    robustness_curve,
    same_and_cross_correlations,
    true_positive_rate_at,
)
from skfingerprint.perturbation import (
    DELIVERIES,
    Crop,
    GaussianBlur,
    JPEGCompression,
    Shift,
)


@pytest.fixture(scope="module")
def scores():
    images, y = make_fingerprint_images(90, 3, strength=2, random_state=0)
    residuals = ResidualExtractor().transform(images)
    model = FingerprintClassifier().fit(residuals[:45], y[:45])
    return y[45:], model.decision_function(residuals[45:]), model.classes_


def test_average_correlations_are_rows_of_residuals(scores):
    y, correlations, classes = scores
    means = average_correlation_matrix(y, correlations, classes)
    for a in range(3):
        for b in range(3):
            expected = np.mean([correlations[i, b] for i in np.flatnonzero(y == a)])
            np.testing.assert_allclose(means[a, b], expected, rtol=1e-5)
    assert np.diag(means).min() > 3 * np.abs(means[~np.eye(3, dtype=bool)]).max()


def test_same_and_cross_samples(scores):
    y, correlations, classes = scores
    samples = same_and_cross_correlations(y, correlations, classes)
    assert len(samples.same) == len(y)
    assert len(samples.cross) == 2 * len(y)
    wins = samples.same[:, None] > samples.cross
    np.testing.assert_allclose(samples.auc, wins.mean())
    one = same_and_cross_correlations(y, correlations, classes, source=1)
    np.testing.assert_array_equal(one.same, correlations[y == 1, 1])
    np.testing.assert_array_equal(one.cross, correlations[y == 1][:, [0, 2]].ravel())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y, c, k: (y, c[:, :2], k), r"= \(45, 3\), got \(45, 2\)"),
        (
            lambda y, c, k: (y + 1, c, k),
            r"y_true holds \[3\], which are not in classes",
        ),
        (lambda y, c, k: (y[y < 2], c[y < 2], k), r"y_true has no residual of \[2\]"),
    ],
)
def test_shapes_and_labels_are_checked(scores, change, message):
    with pytest.raises(ValueError, match=message):
        average_correlation_matrix(*change(*scores))


@pytest.mark.parametrize(
    "metric", [average_correlation_matrix, same_and_cross_correlations]
)
def test_scores_before_labels_are_refused(scores, metric):
    y, correlations, classes = scores
    order = r"got \(45, 3\): the order of arguments is \(y_true, scores, classes\)"
    with pytest.raises(ValueError, match=order):
        metric(correlations, y, classes)


def test_unknown_source_is_refused(scores):
    with pytest.raises(ValueError, match="source=7 is not among"):
        same_and_cross_correlations(*scores, source=7)


def test_energy_of_noise_and_fingerprint_is_that_of_the_law():
    rng = np.random.default_rng(0)
    fingerprint = rng.normal(0, 0.5, size=5000)
    residuals = (fingerprint + rng.normal(0, 3, size=(256, 5000))).astype(np.float32)
    curve = energy_curve(residuals, random_state=0)
    assert curve.n_images.tolist() == [2, 4, 8, 16, 32, 64, 128, 256]
    limit = np.square(fingerprint).mean()
    np.testing.assert_allclose(curve.energy, limit + 9 / curve.n_images, rtol=0.03)
    # Halves leave the noise out, from the first point on.
    np.testing.assert_allclose(curve.unbiased[2:], limit, rtol=0.15)
    fit = fit_energy_curve(curve.n_images, curve.energy)
    np.testing.assert_allclose(fit.limit, limit, rtol=0.1)
    np.testing.assert_allclose(fit.noise, 9, rtol=0.03)
    other = fit_energy_curve(curve.n_images, curve.energy, law="exponential")
    assert fit.residual_sum_of_squares < other.residual_sum_of_squares / 100


def test_real_residuals_follow_the_inverse_law():
    data = load_generators()
    residuals = ResidualExtractor().transform(data.images[data.target == 0])
    curve = energy_curve(residuals, random_state=0)
    inverse, exponential = (
        fit_energy_curve(curve.n_images, curve.energy, law=law)
        for law in ("inverse", "exponential")
    )
    assert inverse.residual_sum_of_squares < exponential.residual_sum_of_squares / 10


@pytest.mark.parametrize("law", ["inverse", "exponential"])
def test_the_fit_finds_its_own_law(law):
    n = np.array([1, 2, 3, 5, 8])
    share = {"inverse": 1 / n, "exponential": 2.0**-n}[law]
    fit = fit_energy_curve(n, 0.3 + 2 * share, law=law)
    np.testing.assert_allclose([fit.limit, fit.noise], [0.3, 2])
    np.testing.assert_allclose(fit.fitted, 0.3 + 2 * share)
    assert fit.residual_sum_of_squares < 1e-20


@pytest.mark.parametrize("n_images", [[1], [2, 9], []])
def test_numbers_of_images_are_checked(n_images):
    with pytest.raises(ValueError, match=r"n_images must lie in 2\.\.8"):
        energy_curve(np.zeros((8, 4)), n_images=n_images)


def test_fits_are_checked():
    with pytest.raises(ValueError, match="law must be one of"):
        fit_energy_curve([2, 4], [1, 2], law="linear")
    with pytest.raises(ValueError, match="two different numbers"):
        fit_energy_curve([2, 2], [1, 2])
    with pytest.raises(ValueError, match="inconsistent"):
        fit_energy_curve([2, 4, 8], [1, 2])


def test_error_rates_of_two_normal_distributions():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 50_000)
    scores = rng.normal(2 * y)
    # Two standard deviations apart: Phi(-1) at the middle, Phi(2 - 1.2816) at 10 %.
    np.testing.assert_allclose(equal_error_rate(y, scores), 0.1587, atol=0.003)
    found = true_positive_rate_at(y, scores, false_positive_rate=0.1)
    np.testing.assert_allclose(found, 0.7638, atol=0.005)


def test_extreme_rates():
    y, scores = [0, 0, 1, 1], [1, 2, 3, 4]
    assert equal_error_rate(y, scores) == 0
    assert equal_error_rate(y, scores[::-1]) == 1
    assert true_positive_rate_at(y, scores, false_positive_rate=0) == 1
    assert true_positive_rate_at(y, scores[::-1], false_positive_rate=1) == 1
    assert true_positive_rate_at(y, scores[::-1], false_positive_rate=0.4) == 0
    for rate in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"must lie in 0\.\.1"):
            true_positive_rate_at(y, scores, false_positive_rate=rate)


def test_the_rate_is_a_scorer_of_one_source_against_the_rest():
    images, y = make_fingerprint_images(120, 3, strength=2, random_state=0)
    is_first = y == 0
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    scorer = make_scorer(
        true_positive_rate_at,
        response_method="decision_function",
        false_positive_rate=0.05,
    )
    folds = StratifiedKFold(3)
    values = cross_val_score(pipeline, images, is_first, scoring=scorer, cv=folds)
    scores = cross_val_predict(
        pipeline, images, is_first, cv=folds, method="decision_function"
    )
    expected = [
        true_positive_rate_at(is_first[test], scores[test], false_positive_rate=0.05)
        for _, test in folds.split(images, is_first)
    ]
    assert values.tolist() == expected
    assert 0.3 < values.min() < values.max() < 1


def test_the_equal_error_rate_lies_on_the_curve():
    rng = np.random.default_rng(1)
    y = np.arange(31) % 2
    scores = rng.normal(y)
    rate = equal_error_rate(y, scores)
    false_alarms, hits, _ = roc_curve(y, scores, drop_intermediate=False)
    np.testing.assert_allclose(np.interp(rate, false_alarms, hits), 1 - rate, atol=0.07)


def test_the_cost_of_known_ratios():
    # One ratio of 3 on each side: log2(4 / 3) if it is right, log2(4) if it misleads.
    third = np.log10(3)
    right = log_likelihood_ratio_cost([1, 0], [third, -third])
    np.testing.assert_allclose(right, np.log2(4 / 3))
    np.testing.assert_allclose(log_likelihood_ratio_cost([0, 1], [third, -third]), 2)
    # Both kinds weigh the same: nine copies of one image change nothing.
    many = log_likelihood_ratio_cost([1] + [0] * 9, [third] + [-third] * 9)
    np.testing.assert_allclose(many, right)
    assert log_likelihood_ratio_cost([True, False], [np.inf, -np.inf]) == 0
    assert log_likelihood_ratio_cost([True, False], [-np.inf, -1.0]) == np.inf
    # A thousand decades do not overflow.
    assert log_likelihood_ratio_cost([1, 0], [1e3, 1e3]) < 1e4


def test_the_least_cost_is_that_of_the_best_increasing_function():
    rng = np.random.default_rng(0)
    y = np.repeat([True, False], [4000, 1000])
    # The log ratio of two normal distributions with means +-1 is twice the value.
    logs = 2 * rng.normal(np.where(y, 1, -1)) / np.log(10)
    cost = log_likelihood_ratio_cost(y, logs)
    least = log_likelihood_ratio_cost(y, logs, minimum=True)
    assert 0 < cost - least < 0.02
    for changed in (9 * logs, logs + 1, logs**3, np.where(logs < -2.5, -9.0, logs)):
        assert log_likelihood_ratio_cost(y, changed) > cost
        found = log_likelihood_ratio_cost(y, changed, minimum=True)
        np.testing.assert_allclose(found, least, atol=1e-3)
    least = log_likelihood_ratio_cost(y, np.zeros(5000), minimum=True)
    np.testing.assert_allclose(least, 1)
    assert log_likelihood_ratio_cost(y, np.where(y, 1.0, 0), minimum=True) == 0
    # Ratios in the wrong order say nothing.
    least = log_likelihood_ratio_cost([1, 0], [-1.0, 1], minimum=True)
    np.testing.assert_allclose(least, 1)


def test_the_cost_needs_both_kinds_and_numbers():
    with pytest.raises(ValueError, match="both True"):
        log_likelihood_ratio_cost([1, 1], [0.0, 1.0])
    with pytest.raises(ValueError, match="both True"):
        log_likelihood_ratio_cost(["a", "b"], [0.0, 1.0])
    with pytest.raises(ValueError, match="both True"):
        log_likelihood_ratio_cost([0, 1, 2], [0.0, 1.0, 2.0])
    for wrong in ([np.nan, 1.0], [[1.0], [2.0]]):
        with pytest.raises(ValueError, match="shape"):
            log_likelihood_ratio_cost([0, 1], wrong)
    with pytest.raises(ValueError, match="inconsistent"):
        log_likelihood_ratio_cost([0, 1], [1.0])


def test_robustness_curve_scores_each_perturbation(planted):
    images, y = planted
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    pipeline.fit(images[:60], y[:60])
    changes = {
        "none": None,
        "shift": Shift(down=2, right=3),
        "blur": GaussianBlur(std=2),
    }
    curve = robustness_curve(pipeline, images[60:], y[60:], changes)
    assert curve.names == ["none", "shift", "blur"]
    assert curve.scores[0] == pipeline.score(images[60:], y[60:]) > 0.9
    shifted = Shift(down=2, right=3).fit_transform(images[60:])
    assert curve.scores[1] == pipeline.score(shifted, y[60:]) < 0.7
    other = robustness_curve(
        pipeline, images[60:], y[60:], changes, scoring="balanced_accuracy"
    )
    assert not np.array_equal(other.scores, curve.scores)


def test_open_set_report_gives_the_worst_beside_the_mean():
    y = np.array(list("aaaabbbbxxxxzzzz"))
    shares = np.array([0.001, 0.02, 0.02, 0.5] + [0.001] * 4 + [0.9] * 4 + [0.005] * 4)
    named = np.where(y == "a", "b", "b")
    report = open_set_report(y, shares, ["a", "b"], y_pred=named, rates=[0.1, 0.01])
    np.testing.assert_allclose(report.rate, [0.1, 0.01])
    np.testing.assert_allclose(report.detection_rate, [0.875, 0.625])
    np.testing.assert_allclose(report.lowest_detection_rate, [0.75, 0.25])
    assert report.lowest_detection_rate_source.tolist() == ["a", "a"]
    np.testing.assert_allclose(report.right, [0.5, 0.5])
    np.testing.assert_allclose(report.wrong, [0.375, 0.125])
    np.testing.assert_allclose(report.false_alarm_rate, [0.5, 0.5])
    np.testing.assert_allclose(report.highest_false_alarm_rate, [1, 1])
    assert report.highest_false_alarm_rate_source.tolist() == ["z", "z"]
    assert report.highest_false_alarm_rate_name.tolist() == ["b", "b"]


def test_open_set_report_of_one_kind_only():
    report = open_set_report(["a", "a"], [0.001, 0.2], ["a"], rates=0.01)
    assert report.detection_rate.tolist() == [0.5]
    assert (
        np.isnan(report.false_alarm_rate).all()
        and report.highest_false_alarm_rate_source[0] is None
    )
    assert np.isnan(report.right).all()
    strangers = open_set_report(["x", "x"], [0.001, 0.2], ["a"])
    assert np.isnan(strangers.detection_rate).all()
    assert strangers.highest_false_alarm_rate_name.tolist() == [None] * 3
    np.testing.assert_allclose(strangers.false_alarm_rate, [0.5, 0.5, 0.5])


@pytest.mark.parametrize("shares", [[0.1, np.nan], [0.1, 1.2], [[0.1], [0.2]]])
def test_open_set_report_refuses_what_is_no_probability(shares):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        open_set_report(["a", "b"], shares, ["a"])


class Brightness(ClassifierMixin, BaseEstimator):
    """Names images by their first pixel: dark, middle or bright; black is unknown."""

    names = np.array(["bright", "dark", "middle"])
    of_level = np.array([1, 2, 0])

    def fit(self, X, y=None):
        self.classes_ = self.names
        return self

    def assess(self, X):
        levels = np.array([np.ravel(image)[0] for image in X])
        source = self.names[self.of_level[levels.astype(int) // 100]]
        return Bunch(source=source, known=levels > 0, probability=np.ones(len(source)))


def shift_level(by):
    def change(images):
        return [np.clip(image + by, 0, 255) for image in images]

    return FunctionTransformer(change)


def fill(*levels):
    return np.stack([np.full((4, 4), level) for level in levels])


CHANGES = {
    "same": shift_level(0),
    "darker": shift_level(-60),
    "black": shift_level(-999),
}


def test_deliveries_keep_change_or_lose_names():
    report = delivery_report(Brightness().fit([]), fill(50, 120, 170, 250, 0), CHANGES)
    by_image = report.images
    expected = ["dark", "middle", "middle", "bright", "dark"]
    assert by_image.source.tolist() == expected
    assert by_image.known.tolist() == [True] * 4 + [False]
    np.testing.assert_allclose(by_image.kept, np.array([1, 1, 2, 1, 0]) / 3)
    np.testing.assert_allclose(by_image.unknown, np.array([2, 1, 1, 1, 3]) / 3)
    np.testing.assert_allclose(by_image.other, np.array([0, 1, 0, 1, 0]) / 3)
    by_delivery = report.deliveries
    assert by_delivery.delivery.tolist() == ["unprocessed", "same", "darker", "black"]
    # dark: 1 image, middle: 2, bright: 1; the black one has no name.
    np.testing.assert_allclose(by_delivery.detection_rate, [1, 1, 2 / 3, 0])
    np.testing.assert_allclose(by_delivery.lowest_detection_rate, [1, 1, 0, 0])
    assert by_delivery.lowest_detection_rate_source[2] == "dark"
    np.testing.assert_allclose(by_delivery.right, [1, 1, 1 / 6, 0])
    np.testing.assert_allclose(by_delivery.wrong, [0, 0, 1 / 2, 0])


def test_deliveries_of_labeled_images_leave_out_unknown_sources():
    X, y = fill(50, 120, 250, 250, 0), ["dark", "dark", "bright", "camera", "dark"]
    report = delivery_report(Brightness().fit([]), X, {"same": shift_level(0)}, y)
    np.testing.assert_allclose(report.images.kept, [1, 1, 1, 1, 0])
    for column, rates in (
        ("detection_rate", (2 / 3 + 1) / 2),
        ("lowest_detection_rate", 2 / 3),
        ("right", (1 / 3 + 1) / 2),
        ("wrong", 1 / 6),
    ):
        np.testing.assert_allclose(report.deliveries[column], [rates, rates])
    nobody = delivery_report(Brightness().fit([]), fill(0, 0), CHANGES)
    assert np.isnan(nobody.deliveries.detection_rate).all()


def test_deliveries_of_paths_lists_and_rows(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng, sizes = np.random.default_rng(0), [(40, 48), (48, 40), (64, 64)]
    pictures = [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, pixels in zip(paths, pictures, strict=True):
        image.fromarray(pixels).save(path)
    pipeline = make_pipeline(ImageReader(), Brightness()).fit(pictures)
    deliveries = {k: v for k, v in DELIVERIES.items() if k != "AVIF"}
    from_files = delivery_report(pipeline, paths, deliveries)
    from_list = delivery_report(pipeline, pictures, deliveries)
    for table in ("images", "deliveries"):
        for key, column in from_files[table].items():
            np.testing.assert_array_equal(column, from_list[table][key])
    rows = fill(50, 250).reshape(2, 16)
    folded = make_pipeline(Unflatten((4, 4)), Brightness()).fit(rows)
    report = delivery_report(folded, rows, {"mirror": DELIVERIES["mirrored"]})
    np.testing.assert_allclose(report.images.kept, 1)
    with pytest.raises(ValueError, match=r"put `Unflatten\(image_shape\)`"):
        delivery_report(Brightness().fit([]), rows)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (({},), "deliveries must be a dict of one transformer or more"),
        (([GaussianBlur()],), "deliveries must be a dict"),
        ((None, ["dark"]), "y must have an entry for each of the 2 images"),
        ((None, ["dark", None]), "y holds None for image 1"),
    ],
)
def test_unusable_deliveries_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        delivery_report(Brightness().fit([]), fill(50, 250), *args)


class Recorder(ClassifierMixin, BaseEstimator):
    """Name each row of one number by the nearest class mean; keep what was fitted."""

    fits = ()

    def fit(self, X, y, groups=None):
        X = np.array([np.mean(image) for image in X])
        self.classes_ = np.unique(y)
        self.means_ = np.array([X[y == name].mean() for name in self.classes_])
        type(self).fits += ((X, y, groups),)
        return self

    def predict(self, X):
        X = np.array([np.mean(image) for image in X])
        return self.classes_[np.abs(X[:, None] - self.means_).argmin(axis=1)]

    def assess(self, X):
        X = np.array([np.mean(image) for image in X])
        return Bunch(
            source=self.predict(X), known=X < 100, probability=np.full(len(X), 0.5)
        )


# Source "a" lies near 0 as one origin makes it, and near 10 as another.
LEVELS = np.array([0, 1, 10, 11, 12, 9, 200, 9], dtype=float)
IMAGES = np.tile(LEVELS[:, None, None], (1, 4, 4))
SOURCES = np.array(["a", "a", "a", "a", "a", "b", "b", "c"])
ORIGINS = np.array(["x", "x", "y", "y", "y", "x", "x", "z"])


def use_recorder(monkeypatch, *, assesses=False):
    monkeypatch.setattr(Recorder, "fits", ())
    if not assesses:
        monkeypatch.delattr(Recorder, "assess")
    return Recorder()


@pytest.mark.parametrize("kind", ["stack", "list", "sizes", "frame", "dask"])
def test_origins_are_left_out_in_turn(monkeypatch, kind):
    X = IMAGES
    if kind == "list":
        X = list(IMAGES)
    elif kind == "sizes":
        X = [image[: 2 + i % 3] for i, image in enumerate(IMAGES)]
    elif kind == "frame":
        X = pytest.importorskip("pandas").Series(list(IMAGES))
    elif kind == "dask":
        X = pytest.importorskip("dask.array").from_array(IMAGES, chunks=3)
    estimator = use_recorder(monkeypatch)
    report = cross_origin_report(estimator, X, SOURCES.tolist(), origins=ORIGINS)
    assert report.source.tolist() == ["a", "a"]
    assert report.origin.tolist() == ["x", "y"]
    assert report.n_images.tolist() == [2, 3]
    # Without "x", "a" lies at 11, "b" at 104.5 and "c" at 9: the images go to "c".
    # Without "y", "a" lies at 0.5, and 10, 11 and 12 go to "c", too.
    assert report.named.tolist() == [{"c": 2}, {"c": 3}]
    assert report.right.tolist() == [0, 0]
    assert report.wrong.tolist() == report.accepted.tolist() == [1, 1]
    assert np.isnan(report.probability).all()
    assert report.untested.tolist() == ["b", "c"]
    fitted = [X.tolist() for X, _, _ in Recorder.fits]
    assert fitted == [LEVELS[2:].tolist(), LEVELS[[0, 1, 5, 6, 7]].tolist()]
    assert not hasattr(estimator, "classes_")


def test_origins_with_a_rate_report_what_is_accepted(monkeypatch):
    estimator = use_recorder(monkeypatch, assesses=True)
    levels = np.array([0, 150, 2, 300, 0, 1])
    report = cross_origin_report(
        make_pipeline(FunctionTransformer(), estimator),
        np.tile(levels[:, None, None], (1, 4, 4)),
        ["a", "a", "a", "b", "a", "c"],
        origins=["x", "x", "x", "x", "y", "y"],
    )
    # Without "x", "a" lies at 0, "b" at 300 and "c" at 1: 2 goes to "c". At 150, which
    # is not accepted, the nearest is "c" as well.
    assert report.named[0] == {"c": 2, "a": 1}
    found = [report[key][0] for key in ("right", "wrong", "accepted", "probability")]
    np.testing.assert_allclose(found, [1 / 3, 1 / 3, 2 / 3, 0.5])


def test_no_group_is_fitted_and_asked_about_at_once(monkeypatch):
    estimator = use_recorder(monkeypatch)
    levels = np.arange(12.0)
    y = np.repeat(["a", "b"], [8, 4])
    origins = np.repeat(["x", "y", "x"], 4)
    groups = np.tile(["p", "q", "r", "s"], 3)
    X = np.tile(levels[:, None, None], (1, 4, 4))
    report = cross_origin_report(estimator, X, y, origins=origins, groups=groups)
    assert report.n_images.tolist() == [4, 4]
    # Two halves of the groups for each origin.
    fitted = [(X.tolist(), groups.tolist()) for X, _, groups in Recorder.fits]
    assert fitted == [
        ([6, 7, 10, 11], ["r", "s"] * 2),
        ([4, 5, 8, 9], ["p", "q"] * 2),
        ([2, 3, 10, 11], ["r", "s"] * 2),
        ([0, 1, 8, 9], ["p", "q"] * 2),
    ]
    # Groups that no other image has need no halves.
    cross_origin_report(estimator, X, y, origins=origins, groups=np.arange(12))
    assert len(Recorder.fits) == 6


def test_groups_reach_those_estimators_alone_that_take_them():
    X, y = make_fingerprint_images(60, 3, strength=4, random_state=0)
    origins = np.full(60, "y")
    origins[np.flatnonzero(y == 0)[::2]] = "x"
    pixels = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    given = {"origins": origins, "groups": np.arange(60)}
    expected = cross_origin_report(pixels, X, y, origins=origins)
    found = cross_origin_report(pixels, X, y, **given)
    assert found.named.tolist() == expected.named.tolist() == [{0: 10}, {0: 10}]
    quick = make_attribution_pipeline(perturbations=())
    assert cross_origin_report(quick, X, y, **given).n_images.tolist() == [10, 10]
    with config_context(enable_metadata_routing=True):
        found = cross_origin_report(pixels, X, y, **given)
        assert found.named.tolist() == expected.named.tolist()
        assert cross_origin_report(quick, X, y, **given).n_images.tolist() == [10, 10]


NAN = float("nan")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"origins": ORIGINS[:5]}, "origins must have an entry for each of the 8"),
        ({"y": SOURCES[:5]}, "y must have an entry for each of the 8"),
        ({"groups": [1]}, "groups must have an entry for each of the 8"),
        ({"origins": "x"}, "origins must have an entry for each of the 8"),
        ({"origins": [NAN, *ORIGINS[1:]]}, "origins holds nan for image 0"),
        ({"origins": [*ORIGINS[1:], None]}, "origins holds None for image 7"),
        ({"origins": np.r_[np.arange(7.0), NAN]}, "origins holds nan for image 7"),
        ({"groups": np.r_[np.arange(7.0), NAN]}, "groups holds nan for image 7"),
        ({"y": [None, *SOURCES[1:]]}, "y holds None for image 0"),
        ({"origins": [1, *ORIGINS[1:]]}, "origins holds text and numbers"),
        ({"origins": ORIGINS.reshape(8, 1).repeat(2, 1)}, "should be a 1d array"),
        ({"origins": ["x"] * 8}, "all images of each source have one origin"),
        ({"origins": SOURCES}, "all images of each source have one origin"),
        ({"groups": ["p"] * 8}, r"no image of \['a', 'b', 'c'\] is left to fit"),
        (
            {"groups": ["p", "q", "r", "s", "t", "u", "v", "q"]},
            r"no image of \['c'\] is left to fit without the groups \['q'\] of source "
            "a from origin x",
        ),
    ],
)
def test_unusable_origins_are_named_before_a_fit(monkeypatch, given, message):
    estimator = use_recorder(monkeypatch)
    given = {"y": SOURCES, "origins": ORIGINS} | given
    with pytest.raises(ValueError, match=message):
        cross_origin_report(estimator, IMAGES, **given)
    assert Recorder.fits == ()


def literal_history(luma):
    """Compute the score of :func:`jpeg_history` grid by grid."""
    high, shares = np.add.outer(np.arange(8), np.arange(8)) >= 5, []
    for top in range(8):
        for left in range(8):
            part = luma[top:, left:]
            height, width = (n // 8 * 8 for n in part.shape)
            blocks = part[:height, :width].reshape(height // 8, 8, width // 8, 8)
            found = dctn(blocks.swapaxes(1, 2), axes=(2, 3), norm="ortho")[..., high]
            shares.append(np.mean(np.abs(found) < 0.6))
    middle = np.median(shares)
    return (max(shares) - middle) / (np.median(np.abs(shares - middle)) + 0.003)


@pytest.mark.parametrize("shape", [(64, 64), (33, 50), (32, 39), (128, 90)])
def test_history_is_that_of_all_grids(shape):
    rng = np.random.default_rng(0)
    images = ndimage.gaussian_filter(rng.uniform(0, 255, (4, *shape)), (0, 1, 1))
    expected = [literal_history(image) for image in images]
    # Rounding brings a few coefficients to the other side of the bound.
    np.testing.assert_allclose(jpeg_history(images), expected, rtol=0.02)


def test_history_of_color_is_that_of_luma():
    images = load_generators().images[:8]
    luma = images @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(jpeg_history(images), jpeg_history(luma), rtol=0.02)
    grey = images[..., :1]
    np.testing.assert_array_equal(jpeg_history(grey), jpeg_history(grey[..., 0]))


def test_history_tells_jpeg_on_and_off_its_grid():
    data = load_generators()
    images = data.images[::8]
    before = jpeg_history(images)
    assert np.mean(before > 6) == 0
    for quality in (75, 85, 95):
        after = JPEGCompression(quality=quality).fit_transform(images)
        for part in (after, Crop(top=3, left=5).fit_transform(after)):
            scores = jpeg_history(part)
            labels = np.repeat([0, 1], len(images))
            assert roc_auc_score(labels, [*before, *scores]) > 0.93
            assert np.median(scores) > 6


def test_history_reads_the_center_of_large_images():
    images = np.random.default_rng(0).integers(0, 256, (2, 200, 301), dtype=np.uint8)
    np.testing.assert_array_equal(
        jpeg_history(images), jpeg_history(images[:, 36:164, 86:214])
    )


def test_history_of_lists_lazy_and_small_images():
    da = pytest.importorskip("dask.array")
    images = load_generators().images[:6]
    expected = jpeg_history(images)
    lazy = da.from_array(images, chunks=(4, -1, -1, -1))
    np.testing.assert_array_equal(jpeg_history(lazy), expected)
    mixed = [images[0], images[1, :31], images[2, :40]]
    found = jpeg_history(mixed)
    assert np.isnan(found).tolist() == [False, True, False]
    assert found[0] == expected[0]


@pytest.mark.parametrize("level", [0, 17, 255])
def test_constant_images_have_no_history(level):
    assert jpeg_history(np.full((1, 40, 40), level)).tolist() == [0]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 1600)), r"must have shape .*images\[np.newaxis\]"),
        (np.zeros((2, 40, 40, 4)), "image 0 must be grey or RGB"),
        ([np.zeros((40, 40)), np.full((41, 40), np.nan)], "image 1 .*NaN"),
        (np.full((2, 40, 40), 4000.0), "grey levels 0..255"),
    ],
)
def test_history_refuses_what_is_no_image(images, message):
    with pytest.raises(ValueError, match=message):
        jpeg_history(images)

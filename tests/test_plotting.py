import builtins

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skfingerprint import (
    CooccurrenceTransformer,
    FingerprintClassifier,
    FingerprintDetector,
    FingerprintLocalizer,
    RejectingClassifier,
    ResidualExtractor,
    SourceDiscriminant,
    SpectrumTransformer,
    make_attribution_pipeline,
    plotting,
)
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.explanation import explain_attribution, explain_correlation
from skfingerprint.metrics import (
    average_correlation_matrix,
    fit_energy_curve,
    open_set_report,
    robustness_curve,
)
from skfingerprint.perturbation import GaussianBlur
from skfingerprint.spectrum import autocorrelation, power_spectrum
from tests.estimators import assert_same


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def residuals(planted):
    images, y = planted
    return ResidualExtractor().transform(images), np.array(["a", "b", "c"])[y]


@pytest.fixture(scope="module")
def fitted(planted):
    images, y = planted
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    return pipeline.fit(images[:60], np.array(["a", "b", "c"])[y[:60]])


def test_fingerprints_are_amplified_as_stated(fitted):
    display = plotting.FingerprintDisplay.from_estimator(fitted)
    for i, fingerprint in enumerate(fitted[-1].fingerprints_):
        shown = display.image_[i].get_array()
        factor = display.amplification_[i]
        expected = np.clip(0.5 + factor * fingerprint / 255, 0, 1)
        np.testing.assert_allclose(shown, expected, atol=1e-6)
        assert f"\u00d7{factor:.3g}" in display.ax_[i].get_title()
    display = plotting.FingerprintDisplay.from_estimator(fitted, amplification=7)
    assert display.amplification_ == [7, 7, 7]
    assert "\u00d77" in display.ax_[0].get_title()


def test_fingerprint_part_and_given_axes(fitted):
    figure, axes = plt.subplots(1, 3)
    display = plotting.FingerprintDisplay.from_estimator(fitted, ax=axes, size=16)
    assert display.figure_ is figure
    assert display.image_[0].get_array().shape == (16, 16)
    with pytest.raises(ValueError, match="must hold 3 axes, one a picture, got 2"):
        plotting.FingerprintDisplay.from_estimator(fitted, ax=axes[:2])


def test_growing_fingerprints(residuals):
    X, y = residuals
    display = plotting.FingerprintDisplay.from_residuals(X, y, n_images=(2, 8))
    assert len(display.image_) == 6
    assert display.labels[:2] == ["a, n = 2", "a, n = 8"]
    np.testing.assert_allclose(display.fingerprints[1], X[y == "a"][:8].mean(axis=0))
    with pytest.raises(ValueError, match=r"a has 40 residuals.*asks for 100"):
        plotting.FingerprintDisplay.from_residuals(X, y, n_images=(2, 100))


def test_an_incomplete_row_of_pictures_has_no_empty_axes():
    rng = np.random.default_rng(0)
    display = plotting.FingerprintDisplay(rng.normal(size=(3, 8, 8)), "abc")
    assert len(display.plot(n_columns=2).figure_.axes) == 3


def test_a_zero_fingerprint_is_grey():
    display = plotting.FingerprintDisplay(np.zeros((1, 8, 8)), ["none"]).plot()
    assert (display.image_[0].get_array() == 0.5).all()


def test_autocorrelation_leaves_shift_0_out_of_the_range(fitted):
    display = plotting.AutocorrelationDisplay.from_estimator(fitted, size=9)
    expected = autocorrelation(fitted[-1].fingerprints_[0])[12:21, 20:29]
    np.testing.assert_allclose(display.image_[0].get_array(), expected)
    low, high = display.image_[0].get_clim()
    assert -low == high == np.sort(np.abs(expected).ravel())[-2] < 1
    assert display.ax_[0].get_xlabel() == "Shift (px)"


def test_spectrum_is_in_decibels(fitted):
    display = plotting.SpectrumDisplay.from_estimator(fitted)
    expected = 10 * np.log10(power_spectrum(fitted[-1].fingerprints_[1]))
    shown = display.image_[1].get_array()
    assert (np.abs(shown - expected) < 1e-6).mean() > 0.9  # the rest is the floor
    assert display.ax_[0].get_xlabel() == "Cycles per px"


def test_spectrum_and_autocorrelation_of_a_constant_are_drawn():
    for display in (plotting.SpectrumDisplay, plotting.AutocorrelationDisplay):
        drawn = display(np.ones((1, 8, 8, 3)), ["flat"]).plot()
        drawn.figure_.canvas.draw()
        assert np.isfinite(drawn.image_[0].get_array()).all()


def test_pictures_refuse_rows(residuals):
    X, y = residuals
    classifier = FingerprintClassifier().fit(X.reshape(len(X), -1), y)
    with pytest.raises(ValueError, match="fit on stacks"):
        plotting.FingerprintDisplay.from_estimator(classifier)


def test_energy_curves(residuals):
    X, y = residuals
    display = plotting.EnergyCurveDisplay.from_residuals(X, y, random_state=0)
    assert display.labels == ["a", "b", "c"]
    for curve, fit, line, fitted_line in zip(
        display.curves, display.fits, display.line_, display.fitted_line_, strict=True
    ):
        np.testing.assert_array_equal(line.get_xydata()[:, 1], curve.energy)
        np.testing.assert_array_equal(fitted_line.get_ydata(), fit.fitted)
    assert "grey levels²" in display.ax_.get_ylabel()
    assert "limit" in display.ax_.get_legend().get_texts()[0].get_text()
    single = plotting.EnergyCurveDisplay.from_residuals(X[y == "a"], random_state=0)
    np.testing.assert_array_equal(single.curves[0].energy, display.curves[0].energy)


def test_many_energy_curves_are_told_apart():
    curve = Bunch(n_images=np.array([2, 4]), energy=np.array([3.0, 2.0]))
    fit = fit_energy_curve(curve.n_images, curve.energy)
    display = plotting.EnergyCurveDisplay([curve] * 20, [fit] * 20, range(20)).plot()
    looks = {(line.get_color(), line.get_marker()) for line in display.line_}
    assert len(looks) == 20
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.x0 > display.ax_.get_window_extent().x1  # covers no curve


def test_histograms_hold_all_correlations(fitted, planted):
    images, y = planted
    names = np.array(["a", "b", "c"])[y[60:]]
    display = plotting.CorrelationHistogramDisplay.from_estimator(
        fitted, images[60:], names
    )
    edges = [patch.get_x() for patch in display.bar_[0]]
    width = edges[1] - edges[0]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    for bars, n in zip(display.bar_, (120, 60), strict=True):
        assert sum(patch.get_height() for patch in bars) * width == pytest.approx(1)
        assert any(f"(n = {n})" in text for text in legend)
    assert display.ax_.get_title() == f"AUC {display.auc:.3f}"
    one = plotting.CorrelationHistogramDisplay.from_estimator(
        fitted, images[60:], names, source="b"
    )
    assert len(one.same) == np.sum(names == "b")
    assert one.ax_.get_title().startswith("b, AUC")


def test_two_classes_show_both_correlations(residuals):
    X, y = residuals
    two = y != "c"
    classifier = FingerprintClassifier().fit(X[two], y[two])
    display = plotting.CorrelationMatrixDisplay.from_estimator(
        classifier, X[two], y[two]
    )
    assert display.correlations.shape == (2, 2)
    means = average_correlation_matrix(y[two], classifier.correlate(X[two]), ["a", "b"])
    assert_same(display.correlations, means)
    roc = plotting.OneVsRestRocDisplay.from_estimator(classifier, X[two], y[two])
    assert roc.areas.tolist() == [1, 1]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda classifier: classifier,
        make_pipeline,
        lambda classifier: make_pipeline("passthrough", classifier),
        lambda classifier: GridSearchCV(
            make_pipeline("passthrough", classifier), {"passthrough": [None]}, cv=2
        ),
    ],
)
def test_roc_of_two_classes_takes_a_correlation_each(residuals, wrap):
    X, y = residuals
    X, y = X[y != "c"], y[y != "c"]
    X = X + np.random.default_rng(0).normal(0, 30, size=X.shape)
    classifier = FingerprintClassifier().fit(X[::2], y[::2])
    scores, truth = classifier.correlate(X[1::2]), y[1::2] == "a"
    expected = [roc_auc_score(truth, scores[:, 0]), roc_auc_score(~truth, scores[:, 1])]
    estimator = wrap(FingerprintClassifier()).fit(X[::2], y[::2])
    display = plotting.OneVsRestRocDisplay.from_estimator(estimator, X[1::2], y[1::2])
    np.testing.assert_allclose(display.areas, expected)
    assert display.areas[0] != display.areas[1]  # a difference has but one area


def test_roc_draws_beside_what_is_there(fitted, planted):
    images, y = planted
    _, ax = plt.subplots()
    ax.plot([0, 1], [0, 1], label="mine")
    names = np.array(["a", "b", "c"])[y[60:]]
    display = plotting.OneVsRestRocDisplay.from_estimator(
        fitted, images[60:], names, ax=ax
    )
    assert display.ax_ is ax
    assert len(ax.get_legend().get_texts()) == 3


def test_correlation_matrix(fitted, planted):
    images, y = planted
    names = np.array(["a", "b", "c"])[y[60:]]
    display = plotting.CorrelationMatrixDisplay.from_estimator(
        fitted, images[60:], names
    )
    scores = fitted.decision_function(images[60:])
    expected = average_correlation_matrix(names, scores, ["a", "b", "c"])
    np.testing.assert_allclose(display.correlations, expected, atol=1e-6)
    assert display.text_[0, 0].get_text() == f"{100 * expected[0, 0]:.0f}"
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["a", "b", "c"]
    assert display.ax_.get_ylabel() == "Residuals of"
    bare = plotting.CorrelationMatrixDisplay(expected, "abc").plot(include_values=False)
    assert bare.text_ is None


@pytest.mark.parametrize(
    "display",
    [plotting.CorrelationHistogramDisplay, plotting.CorrelationMatrixDisplay],
)
def test_scores_before_labels_are_refused(display):
    with pytest.raises(ValueError, match=r"order of arguments is \(y_true, scores"):
        display.from_predictions(np.eye(2), ["a", "b"], ["a", "b"])


@pytest.fixture(scope="module")
def pces(residuals):
    """Classifier by peak-to-correlation energy, and its test residuals."""
    X, y = residuals
    return FingerprintClassifier(statistic="pce").fit(X[:60], y[:60]), X[60:], y[60:]


def test_histogram_of_pces_says_so(pces):
    classifier, X, y = pces
    display = plotting.CorrelationHistogramDisplay.from_estimator(classifier, X, y)
    assert display.statistic == "pce"
    assert display.ax_.get_xlabel() == "PCE"
    assert np.mean(display.same) > 10  # no correlation is
    scores = classifier.correlate(X)
    plain = plotting.CorrelationHistogramDisplay.from_predictions(
        y, scores, classifier.classes_
    )
    assert plain.ax_.get_xlabel() == "Correlation"
    np.testing.assert_array_equal(plain.same, display.same)


def test_matrix_of_pces_is_written_as_it_is(pces):
    classifier, X, y = pces
    display = plotting.CorrelationMatrixDisplay.from_estimator(classifier, X, y)
    expected = average_correlation_matrix(y, classifier.correlate(X), ["a", "b", "c"])
    np.testing.assert_allclose(display.correlations, expected)
    written = [float(text.get_text()) for text in display.text_.flat]
    np.testing.assert_array_equal(written, expected.ravel().round())
    assert display.ax_.get_title() == "Mean PCE (peak-to-correlation energy)"
    assert display.image_.colorbar.ax.get_ylabel() == "Mean PCE"


def test_matrix_of_correlations_is_written_in_hundredths():
    means = [[0.496, -0.004], [0.0, 1.0]]
    display = plotting.CorrelationMatrixDisplay(means, ["a", "b"]).plot()
    assert [t.get_text() for t in display.text_.flat] == ["50", "0", "0", "100"]
    assert display.ax_.get_title() == "Mean correlation, in hundredths"
    assert display.image_.colorbar.ax.get_ylabel() == "Mean correlation"


def test_unknown_statistics_are_refused():
    for display in (
        plotting.CorrelationHistogramDisplay([0.1], [0.2], statistic="snr"),
        plotting.CorrelationMatrixDisplay(np.eye(2), "ab", statistic="snr"),
    ):
        with pytest.raises(ValueError, match=r"statistic must be .* got 'snr'"):
            display.plot()


def test_roc_names_the_worst_of_many():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(20), 10)
    quality = np.linspace(0, 4, 20)
    scores = rng.normal(size=(200, 20)) + (y[:, None] == np.arange(20)) * quality
    display = plotting.OneVsRestRocDisplay.from_predictions(y, scores, np.arange(20))
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    worst = np.argsort(display.areas)
    assert len(legend) == 8
    assert legend[0] == f"{worst[0]}: {display.areas[worst[0]]:.3f}"
    assert legend[-1] == f"13 others: mean {display.areas[worst[7:]].mean():.3f}"
    colors = {display.line_[i].get_color() for i in worst[:7]}
    assert len(colors) == 7
    assert f"{display.areas.mean():.3f}" in display.ax_.get_title()


def test_roc_of_probabilities(residuals):
    X, y = residuals
    rows = X.reshape(len(X), -1)
    forest = RandomForestClassifier(10, random_state=0).fit(rows, y)
    display = plotting.OneVsRestRocDisplay.from_estimator(forest, rows, y)
    assert display.areas.min() > 0.9


def test_roc_of_margins(residuals):
    X, y = residuals
    rows, y = X.reshape(len(X), -1)[y != "c"], y[y != "c"]
    model = LogisticRegression().fit(rows[::2], y[::2])
    display = plotting.OneVsRestRocDisplay.from_estimator(model, rows[1::2], y[1::2])
    margins = model.decision_function(rows[1::2])
    area = roc_auc_score(y[1::2] == "b", margins)
    np.testing.assert_allclose(display.areas, area)  # the same, from both sides


def test_roc_names_a_single_other():
    scores = np.random.default_rng(0).normal(size=(16, 4))
    y = np.arange(16) % 4
    display = plotting.OneVsRestRocDisplay.from_predictions(
        y, scores, np.arange(4), n_named=3
    )
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert sorted(name[:2] for name in legend) == ["0:", "1:", "2:", "3:"]


def test_roc_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"n_classes\) = \(2, 2\), got \(2,\)"):
        plotting.OneVsRestRocDisplay.from_predictions([0, 1], [0.1, 0.2], [0, 1])
    with pytest.raises(ValueError, match="no image of \\[1\\]"):
        plotting.OneVsRestRocDisplay.from_predictions([0, 0], np.eye(2), [0, 1])


def test_confusion_leaves_out_small_entries():
    y_true = np.repeat(["a", "b"], 200)
    y_pred = y_true.copy()
    y_pred[0] = "b"  # 0.5 %
    y_pred[200:210] = "a"  # 5 %
    display = plotting.SourceConfusionDisplay.from_predictions(y_true, y_pred)
    assert [t.get_text() for t in display.text_.flat] == ["100", "", "5", "95"]
    np.testing.assert_array_equal(display.confusion_matrix, [[199, 1], [10, 190]])
    display.plot(threshold=0.2)
    assert display.text_[0, 1].get_text() == "0"


def test_confusion_of_an_estimator(fitted, planted):
    images, y = planted
    names = np.array(["a", "b", "c"])[y[60:]]
    display = plotting.SourceConfusionDisplay.from_estimator(
        fitted, images[60:], names, labels=["c", "b", "a"]
    )
    assert display.confusion_matrix.trace() == 60
    assert display.ax_.get_xticklabels()[0].get_text() == "c"


def test_a_search_is_its_best_pipeline(residuals):
    X, y = residuals
    grid = {"subtract_common": [False, True]}
    search = GridSearchCV(FingerprintClassifier(), grid, cv=2).fit(X, y)
    display = plotting.FingerprintDisplay.from_estimator(search)
    np.testing.assert_array_equal(
        display.fingerprints, search.best_estimator_.fingerprints_
    )


@pytest.mark.parametrize("estimator", [FingerprintClassifier(), LogisticRegression()])
def test_what_has_no_fingerprints_is_refused(estimator):
    with pytest.raises(ValueError, match="must be a fitted FingerprintClassifier"):
        plotting.FingerprintDisplay.from_estimator(estimator)


@pytest.mark.filterwarnings("ignore:detection_rate_ is")  # of standardized pixels
@pytest.mark.parametrize("estimator", [FingerprintDetector(), LogisticRegression()])
def test_what_does_not_correlate_is_refused(residuals, estimator):
    X, y = residuals
    rows = X.reshape(len(X), -1)
    pipeline = make_pipeline(StandardScaler(), estimator).fit(rows, y)
    for display in (
        plotting.CorrelationMatrixDisplay,
        plotting.CorrelationHistogramDisplay,
    ):
        with pytest.raises(ValueError, match=f"got {type(estimator).__name__}"):
            display.from_estimator(pipeline, rows, y)


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for display in (
        plotting.FingerprintDisplay(np.zeros((1, 8, 8)), ["a"]),
        plotting.CorrelationHistogramDisplay([0.1], [0.2]),
        plotting.CorrelationMatrixDisplay(np.eye(2), ["a", "b"]),
    ):
        with pytest.raises(ImportError, match="pip install matplotlib"):
            display.plot()


def test_drawn_figures_raise_no_warnings(fitted, planted):
    images, y = planted
    names = np.array(["a", "b", "c"])[y[60:]]
    X = images[60:]
    for display in (
        plotting.FingerprintDisplay.from_estimator(fitted),
        plotting.AutocorrelationDisplay.from_estimator(fitted),
        plotting.SpectrumDisplay.from_estimator(fitted),
        plotting.CorrelationHistogramDisplay.from_estimator(fitted, X, names),
        plotting.CorrelationMatrixDisplay.from_estimator(fitted, X, names),
        plotting.OneVsRestRocDisplay.from_estimator(fitted, X, names),
        plotting.SourceConfusionDisplay.from_estimator(fitted, X, names),
    ):
        display.figure_.canvas.draw()


def test_robustness(fitted, planted):
    images, y = planted
    names = np.array(["a", "b", "c"])[y[60:]]
    changes = {"none": None, "blur": GaussianBlur(std=2)}
    display = plotting.RobustnessDisplay.from_estimators(
        {"one": fitted, "same": fitted}, images[60:], names, changes, chance_level=1 / 3
    )
    curve = robustness_curve(fitted, images[60:], names, changes)
    for line in display.line_:
        np.testing.assert_array_equal(line.get_ydata(), curve.scores)
    assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["none", "blur"]
    legend = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert legend == ["one", "same", "chance"]


def test_open_set_shares_are_those_of_the_report():
    rng = np.random.default_rng(0)
    y = np.repeat(list("abxz"), 50)
    shares = np.where(np.isin(y, ["a", "b"]), rng.uniform(size=200) ** 9, 1)
    shares[y == "x"] = rng.uniform(size=50)
    display = plotting.OpenSetDisplay.from_predictions(y, shares, ["a", "b"])
    assert list(display.detection_rates) == ["a", "b"] and list(
        display.false_alarm_rates
    ) == ["x", "z"]
    report = open_set_report(y, shares, ["a", "b"], rates=display.rates)
    known, strangers = display.line_
    np.testing.assert_allclose(known.get_ydata(), report.detection_rate)
    np.testing.assert_allclose(strangers.get_ydata(), report.false_alarm_rate)
    assert display.ax_.get_xscale() == "log"
    only = plotting.OpenSetDisplay.from_predictions(y[:50], shares[:50], ["a"])
    assert len(only.line_) == 1


def test_open_set_of_an_estimator():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(5), 40)
    X = 5 * np.eye(5)[y] + rng.normal(size=(200, 5))
    fit = y < 4
    model = RejectingClassifier().fit(X[fit], y[fit])
    display = plotting.OpenSetDisplay.from_estimator(model, X, y, rates=[0.1, 0.01])
    assert list(display.detection_rates) == ["0", "1", "2", "3"]
    assert list(display.false_alarm_rates) == ["4"]


def test_tippett_curves_are_shares_of_ratios():
    rng = np.random.default_rng(0)
    y = np.repeat([True, False], [80, 120])
    logs = rng.normal(np.where(y, 1, -1))
    logs[[0, 100]] = np.inf, -np.inf
    display = plotting.TippettDisplay.from_predictions(y, logs)
    for line, part in zip(display.line_, (logs[y], logs[~y]), strict=True):
        x, shares = line.get_data()
        for at in (-1, 0, 0.5):
            # With steps before each point, the share at x is that of the next one.
            found = shares[np.searchsorted(x, at)]
            np.testing.assert_allclose(found, np.mean(part >= at))
    np.testing.assert_array_equal(display.same, logs[:80])
    misled = 100 * np.mean(logs[:80] < 0)
    assert (
        f"H1: the source made it (80 ratios, {misled:.1f} % below 1)"
        == display.line_[0].get_label()
    )
    again = plotting.TippettDisplay(display.same, display.other).plot(display.ax_)
    assert again.figure_ is display.figure_


@pytest.fixture(scope="module")
def attributing():
    images, y = make_fingerprint_images(
        60, 3, image_shape=(32, 48, 3), strength=8, random_state=0
    )
    model = make_attribution_pipeline(perturbations=())
    return model.fit(images, np.array(["a", "b", "c"])[y]), images


def test_contributions_of_an_image(attributing):
    model, images = attributing
    display = plotting.ContributionDisplay.from_estimator(model, images[:1])
    found = explain_attribution(model, images[:1])
    titles = ["Spectrum: residual", "Spectrum: image", "Families of features"]
    assert [axes.get_title() for axes in display.ax_] == [*titles, "The image"]
    for picture, planes in zip(display.image_, found.spectra.values(), strict=True):
        assert_same(picture.get_array(), planes[0].sum(axis=0))
        low, high = picture.get_clim()
        assert -low == high > 0
    widths = [bar.get_width() for bar in display.bar_]
    assert_same(widths, [v[0] for v in found.families.values()])
    assert list(display.families)[:4] == [
        *("residual, red", "residual, green", "residual, blue", "image, luma")
    ]
    assert list(display.families)[7:9] == [
        *("runs, luma, step 3", "runs, blue diff., step 1")
    ]
    assert f"{found.source[0]} rather than {found.other[0]}" in display.title
    left, right, bottom, top = display.image_[0].get_extent()
    height, width = display.image_[0].get_array().shape
    # Frequency 0 lies in the middle of its cell.
    assert left + (right - left) * 0.5 / width == pytest.approx(0)
    assert top + (bottom - top) * (height // 2 + 0.5) / height == pytest.approx(0)


def test_contributions_of_several_images_are_their_mean(attributing):
    model, images = attributing
    options = {"source": "a", "other": "b"}
    display = plotting.ContributionDisplay.from_estimator(
        model, images[:5], by_channel=True, **options
    )
    found = explain_attribution(model, images[:5], **options)
    assert len(display.image_) == 6
    assert display.ax_[5].get_title() == "Spectrum: image, red diff."
    assert_same(
        display.image_[2].get_array(), found.spectra["residual_spectrum"][:, 2].mean(0)
    )
    with pytest.raises(ValueError, match=r"source differs between .* Name one source"):
        plotting.ContributionDisplay.from_estimator(model, images)
    figure, axes = plt.subplots(1, 3)
    drawn = plotting.ContributionDisplay.from_explanation(found, ax=axes)
    assert drawn.figure_ is figure


def test_families_without_channels_or_known_names(planted):
    images, y = planted
    model = make_attribution_pipeline(perturbations=()).fit(images, y)
    display = plotting.ContributionDisplay.from_estimator(model, images[:1])
    assert list(display.families)[:2] == ["residual", "image"]
    features = make_union(SpectrumTransformer(block_size=8), CooccurrenceTransformer())
    color = np.stack([images] * 3, axis=-1)
    model = make_pipeline(features, SourceDiscriminant()).fit(color, y)
    display = plotting.ContributionDisplay.from_estimator(model, color[:1])
    assert list(display.families)[0:5:3] == [
        *("image, channel 0", "runs, luma, step 1")
    ]
    twice = make_union(SpectrumTransformer(block_size=8), SpectrumTransformer())
    model = make_pipeline(twice, SourceDiscriminant()).fit(color[:, :8], y)
    display = plotting.ContributionDisplay.from_estimator(model, color[:1, :8])
    assert next(iter(display.families)) == "spectrumtransformer-1__spectrum_0"
    rows = features.transform(color)
    model = SourceDiscriminant().fit(rows, y)
    display = plotting.ContributionDisplay.from_estimator(model, rows[:1])
    assert (display.planes, list(display.families)) == ({}, ["other"])
    assert display.image is None


def test_contributions_of_places(fitted, planted):
    images, _ = planted
    display = plotting.ContributionDisplay.from_estimator(fitted, images[:1])
    found = explain_correlation(fitted, images[:1])
    squares = found.contributions[0].reshape(4, 8, 6, 8).sum(axis=(1, 3))
    np.testing.assert_allclose(display.image_[0].get_array(), squares)
    assert f"{found.correlation[0]:.3f}" in display.title
    assert display.image_[0].get_alpha().max() == 1
    several = plotting.ContributionDisplay.from_estimator(
        fitted, images[:4], source="b", block_size=5
    )
    assert several.image is None
    np.testing.assert_allclose(
        several.image_[0].get_array().sum(),
        explain_correlation(fitted, images[:4], source="b").correlation.mean(),
    )
    assert several.image_[0].get_array().shape == (7, 10)
    with pytest.raises(ValueError, match=r"other='a'.*Leave other out"):
        plotting.ContributionDisplay.from_estimator(fitted, images[:1], other="a")
    with pytest.raises(ValueError, match="block_size must be an int >= 1, got 0"):
        several.plot(block_size=0)
    flat = FingerprintClassifier().fit(images.reshape(120, -1), planted[1])
    with pytest.raises(ValueError, match="rows have no places"):
        plotting.ContributionDisplay.from_estimator(flat, images.reshape(120, -1)[:1])


def test_a_map_is_drawn_about_its_threshold(residuals):
    X, y = residuals
    localizer = FingerprintLocalizer(window_size=9).fit(X, y)
    mask = np.zeros(X.shape[1:3], dtype=bool)
    mask[:, 20:] = True
    image = np.full((*X.shape[1:3], 3), 90, dtype=np.uint8)
    display = plotting.ScoreMapDisplay.from_estimator(
        localizer, X[0], "a", background="b", mask=mask
    )
    expected = localizer.score_map(X[:1], "a", background="b")[0]
    np.testing.assert_array_equal(display.image_.get_array(), expected)
    threshold = localizer.find_threshold("a", background="b")
    assert display.threshold == threshold
    assert np.mean(display.image_.get_clim()) == pytest.approx(threshold)
    assert display.colorbar_.ax.get_ylabel() == "Score: a, not b"
    assert len(display.ax_.collections) == 2  # the mask found, and the true one
    ax = plt.figure().add_subplot()
    display = plotting.ScoreMapDisplay(image, np.zeros(X.shape[1:3]))
    assert display.plot(ax, limit=3).ax_ is ax
    assert display.image_.get_clim() == (-3, 3)
    with pytest.raises(ValueError, match=r"size of the image, \(32, 48\)"):
        plotting.ScoreMapDisplay(image, np.zeros((3, 3))).plot()


def test_a_pipeline_is_asked_about_the_image(planted):
    images, y = planted
    localizer = FingerprintLocalizer(window_size=9)
    pipeline = make_pipeline(ResidualExtractor(), localizer).fit(images, y)
    display = plotting.ScoreMapDisplay.from_estimator(pipeline, images[0], background=0)
    residuals = pipeline[0].transform(images[:1])
    assert_same(display.score_map, pipeline[1].score_map(residuals, background=0)[0])
    assert display.label == "Score: anything but 0"
    display = plotting.ScoreMapDisplay.from_estimator(pipeline, images[0], 1)
    assert display.label == "Score: 1"
    with pytest.raises(ValueError, match="fitted WindowedClassifier"):
        plotting.ScoreMapDisplay.from_estimator(LogisticRegression(), images[0], 1)

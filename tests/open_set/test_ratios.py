import numpy as np
import pytest
from sklearn.utils import Bunch

from skfingerprint import (
    FingerprintDetector,
    RejectingClassifier,
    ResidualExtractor,
    SourceDetector,
)
from skfingerprint._open_set.ratios import (
    fit_ratios,
    fit_source_ratios,
    to_log_ratios,
)
from skfingerprint._open_set.training import HeldOut
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.files import load_fingerprints, save_fingerprints
from skfingerprint.metrics import log_likelihood_ratio_cost


def draw_rows(n, n_sources=5, seed=0, spread=4):
    """Draw rows of sources, a further unknown one, and two kinds of imitations."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % (n_sources + 1)
    X = spread * np.eye(20)[y] + rng.normal(size=(n, 20))
    return X, y


def fit_detector(n_sources=5, *, conditions=False, **params):
    X, y = draw_rows(120 * (n_sources + 1), n_sources)
    X, y = X[y < n_sources], y[y < n_sources]
    kinds = np.arange(len(y)) % 7 - 5
    imitations = np.where(kinds >= 0, kinds, -1)
    X[imitations >= 0] = np.random.default_rng(1).normal(
        size=(sum(imitations >= 0), 20)
    )
    given = {"imitations": imitations}
    if conditions:
        given["conditions"] = np.arange(len(y)) // n_sources % 2
        X[:, 15] += 9 * given["conditions"]
    return SourceDetector(alpha=1, **params).fit(X, y, **given)


def test_ratios_of_two_normal_distributions_are_those_of_their_densities():
    rng = np.random.default_rng(0)
    same, other = rng.normal(1, size=20_000), rng.normal(-1, size=(5000, 3))
    ones = np.ones(5000)
    found = fit_ratios((same, np.ones(20_000)), [(other, ones), (other, ones)], 5000)
    # The density of N(1, 1) over that of N(-1, 1) is exp(2 x).
    np.testing.assert_allclose(found.slope, 2 / np.log(10), rtol=0.03)
    np.testing.assert_allclose(found.intercept, 0, atol=0.02)
    logs = to_log_ratios(np.array([-9.0, 0.5, 9.0]), found)
    bounds = -np.log10(20_001), np.log10(5001)
    np.testing.assert_allclose(logs[[0, 2]], bounds)
    np.testing.assert_allclose(logs[1], 1 / np.log(10), atol=0.03)


def test_ratios_of_separate_equal_and_reversed_scores():
    ones = np.ones(50)
    high, low = np.linspace(1, 2, 50), np.linspace(-2, -1, 50)[:, np.newaxis]
    apart = to_log_ratios(
        np.array([-2.0, 2.0]), fit_ratios((high, ones), [(low, ones)], 50)
    )
    np.testing.assert_allclose(apart, [-np.log10(51), np.log10(51)])
    for same in (np.zeros(50), low.ravel() - 5):
        other = np.zeros((50, 1)) if not same.any() else low
        found = fit_ratios((same, ones), [(other, ones)], 50)
        np.testing.assert_allclose(to_log_ratios(same, found), 0, atol=1e-9)


def test_each_kind_of_other_images_has_the_same_weight():
    rng = np.random.default_rng(0)
    same = rng.normal(2, size=400), np.ones(400)
    first, second = rng.normal(0, size=(300, 2)), rng.normal(1, size=(50, 1))
    parts = [(first, np.ones(300)), (second, np.ones(50))]
    found = fit_ratios(same, parts, 350)
    again = [parts[0], (np.tile(second, (9, 1)), np.ones(450))]
    expected = fit_ratios(same, again, 350)
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)
    # Scores that are not finite do not count, and the unit of weights does not either.
    holed = np.where(np.arange(2) == 0, first, np.nan)
    found = fit_ratios(same, [(holed, np.ones(300))], 350)
    expected = fit_ratios(same, [(first[:, :1], np.full(300, 7.0))], 350)
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)


def hold_out(scores, sources, kinds):
    """Return a record of scores of rows that were held out."""
    return HeldOut(scores, scores, sources, kinds, kinds, np.ones(len(scores)))


def test_the_alternative_that_is_harder_to_distinguish_counts():
    rng = np.random.default_rng(0)
    none, sources, places = np.full(400, -1), np.arange(400) % 2, np.arange(400)
    own, ones = rng.normal(1.5, size=400), np.ones(400)
    for harder in ("unknown", "known"):
        shift = {"unknown": (-2, 0), "known": (0, -2)}[harder]
        known = rng.normal(shift[0], size=(400, 2))
        other = known[places, 1 - sources].copy()
        known[places, sources] = own
        imitated = rng.normal(shift[1], size=(400, 2))
        null = hold_out(imitated, none, places % 5)
        found = fit_source_ratios(hold_out(known, sources, none), null)
        assert found.slope.shape == found.intercept.shape == (2,)
        parts = {"unknown": imitated, "known": other[:, np.newaxis]}
        alone = fit_ratios((own, ones), [(parts[harder], ones)], 800)
        between = np.linspace(-0.5, 2, 8)
        logs = to_log_ratios(between, found)
        np.testing.assert_allclose(logs, to_log_ratios(between, alone), atol=1e-3)
        # A mean over both alternatives gives larger ratios to doubtful scores.
        mixed = [(part, ones) for part in parts.values()]
        mixed = to_log_ratios(between, fit_ratios((own, ones), mixed, 800))
        assert (mixed > logs).mean() > 0.5


@pytest.mark.parametrize("n_sources", [1, 2, 5])
def test_detectors_give_ratios_within_bounds(n_sources):
    detector = fit_detector(n_sources)
    X, y = draw_rows(300, n_sources, seed=2)
    logs = detector.log10_likelihood_ratios(X)
    assert logs.shape == (300, n_sources)
    is_own = np.equal.outer(y, detector.classes_)
    assert log_likelihood_ratio_cost(is_own.ravel(), logs.ravel()) < 0.3
    # No fewer than the rows that were fitted bound the ratios.
    assert 1 < logs.max() <= np.log10(120 * n_sources + 1)
    assert -np.log10(120 * n_sources + 1) <= logs.min() < -1
    # They rise with the score.
    order = np.lexsort((logs[:, 0], detector.score_sources(X)[:, 0]))
    assert (np.diff(logs[order, 0]) >= 0).all()


def test_without_null_scores_there_are_no_ratios():
    X, y = draw_rows(200, 1)
    detector = SourceDetector().fit(X, y)
    assert np.isnan(detector.log10_likelihood_ratios(X)).all()


def test_a_wrong_condition_is_not_held_against_a_source():
    detector = fit_detector(conditions=True)
    assert len(detector.conditions_) == 2
    X, _ = draw_rows(300, 5, seed=2)
    # From one condition to the other.
    X[:, 15] += np.linspace(0, 9, 300)
    logs = detector.log10_likelihood_ratios(X)
    for ratios, is_there in zip(
        detector.ratios_,
        np.equal.outer([0, 1], detector.predict_conditions(X)),
        strict=True,
    ):
        assert -np.log10(601) <= ratios.lower <= 0
        np.testing.assert_allclose(logs[is_there].min(), ratios.lower)


def test_answers_have_the_ratio_of_the_source_that_is_named():
    X, y = draw_rows(600)
    names = np.array([*"abcde", "x"])[y]
    fit = (np.arange(600) < 300) & (y < 5)
    model = RejectingClassifier(detector=SourceDetector(alpha=1)).fit(
        X[fit], names[fit]
    )
    answers = model.assess(X[300:])
    logs = answers.log10_likelihood_ratios
    assert logs.shape == (300, 5)
    places = np.searchsorted(model.classes_, answers.source)
    ratio = answers.log10_likelihood_ratio
    np.testing.assert_array_equal(ratio, logs[np.arange(300), places])
    assert np.median(ratio[y[300:] < 5]) > 1 > 0 > np.median(ratio[y[300:] == 5])
    plain = RejectingClassifier(detector=WithoutRatios(alpha=1)).fit(X[fit], names[fit])
    assert np.isnan(plain.assess(X[300:]).log10_likelihood_ratio).all()


class WithoutRatios(SourceDetector):
    """A detector without likelihood ratios."""

    @property
    def log10_likelihood_ratios(self):
        raise AttributeError


@pytest.mark.parametrize("n_sources", [1, 4])
def test_correlations_have_ratios_too(n_sources, tmp_path):
    images, y = make_fingerprint_images(
        60 * (n_sources + 1), n_sources + 1, strength=5, random_state=0
    )
    residuals = ResidualExtractor().transform(images)
    fit, half = y < n_sources, np.arange(len(y)) < len(y) // 2
    detector = FingerprintDetector().fit(residuals[fit & half], y[fit & half])
    logs = detector.log10_likelihood_ratios(residuals[~half])
    is_own = np.equal.outer(y[~half], detector.classes_)
    assert log_likelihood_ratio_cost(is_own.ravel(), logs.ravel()) < 0.5
    assert np.abs(logs).max() <= np.log10((fit & half).sum() + 1) + 1e-9
    save_fingerprints(detector, tmp_path / "known.npz")
    loaded = load_fingerprints(tmp_path / "known.npz")
    np.testing.assert_array_equal(
        loaded.log10_likelihood_ratios(residuals[~half]), logs
    )


def test_a_single_residual_of_a_source_gives_no_ratios(tmp_path):
    images, y = make_fingerprint_images(30, 3, strength=5, random_state=0)
    residuals = ResidualExtractor().transform(images)
    used = np.concatenate([np.flatnonzero(y > 0), np.flatnonzero(y == 0)[:1]])
    detector = FingerprintDetector().fit(residuals[used], y[used])
    assert np.isnan(detector.log10_likelihood_ratios(residuals)).all()
    save_fingerprints(detector, tmp_path / "known.npz")
    loaded = load_fingerprints(tmp_path / "known.npz")
    assert np.isnan(loaded.log10_likelihood_ratios(residuals)).all()
    detector._ratios = Bunch(slope=-1.0, intercept=0.0, lower=-1.0, upper=1.0)
    with pytest.raises(ValueError, match="likelihood ratios"):
        save_fingerprints(detector, tmp_path / "wrong.npz")

"""The attacks of `benchmarks/faults/attacks.py` do what their names say."""

import numpy as np
import pytest

from benchmarks.faults import attacks
from skfingerprint.denoising import wavelet_residual


@pytest.fixture
def images():
    rng = np.random.default_rng(7)  # not that of the rounding
    return rng.integers(60, 190, (6, 32, 40, 3)).astype(np.uint8)


@pytest.fixture
def pattern():
    return np.random.default_rng(1).normal(0, 0.7, (32, 40, 3)).astype(np.float32)


def know(fingerprint=None, amplitude=None):
    return attacks.Knowledge(fingerprint, amplitude)


def test_rounding_keeps_integers_and_means(images):
    assert (attacks.to_pixels(images.astype(np.float32)) == images).all()
    rounded = attacks.to_pixels(np.full((1, 300, 300, 1), 7.3, dtype=np.float32))
    assert set(np.unique(rounded)) == {7, 8}
    assert rounded.mean() == pytest.approx(7.3, abs=0.01)


@pytest.mark.parametrize("strength", attacks.STRENGTHS)
def test_planted_patterns_have_their_strength(images, pattern, strength):
    planted = attacks.plant(images, None, know(pattern), strength=strength)
    added = (planted.astype(float) - images).mean(axis=0)
    slope = np.sum(added * pattern) / np.sum(pattern**2)
    assert slope * np.sqrt(np.mean(pattern**2)) == pytest.approx(strength, rel=0.02)


def test_subtraction_removes_what_planting_adds(images, pattern):
    changed = attacks.subtract(images, know(pattern), None).astype(float) - images
    assert np.mean(changed.mean(axis=0) * pattern) < -0.9 * np.mean(pattern**2)
    swapped = attacks.swap(images, know(pattern), know(pattern)).astype(float)
    assert np.mean((swapped - images) * pattern) > 0.9 * np.mean(pattern**2)


def test_estimates_are_those_of_residuals(images):
    known, residuals = attacks.learn(images), wavelet_residual(images)
    np.testing.assert_allclose(known.fingerprint, residuals.mean(axis=0), atol=1e-4)
    spectra = np.abs(np.fft.fft2(residuals[..., 1], axes=(1, 2)))
    expected = spectra.mean(axis=0)
    np.testing.assert_allclose(known.amplitude[..., 1], expected, rtol=1e-3, atol=1e-2)


def test_own_spectra_change_nothing(images):
    one = images[:1]
    own = attacks.learn(one)
    for changed in (attacks.impose(one, own, own), attacks.reshape(one, own, own)):
        change = np.abs(changed.astype(int) - one)
        assert change.max() <= 1
        assert change.mean() < 0.01  # rounding of integers that are a little less


def test_imposed_spectra_are_those_of_the_other_source(images):
    residuals = wavelet_residual(images, sigma=attacks.SIGMA)
    other = np.full(residuals.shape[1:], 40.0)
    other[0, 0] = 0
    changed = attacks.impose(images, None, know(amplitude=other))
    added = changed - (images - residuals)
    amplitudes = np.abs(np.fft.fft2(added, axes=(1, 2)))
    # Rounding adds noise of a variance of at most a quarter of a grey level.
    assert np.median(amplitudes) == pytest.approx(40, rel=0.1)


def test_reshaped_images_have_filtered_frequencies(images):
    own, other = np.ones((32, 40, 3)), np.ones((32, 40, 3))
    for v, u in ((3, 5), (-3, -5)):
        other[v, u] = 1.5
    changed = attacks.reshape(images, know(amplitude=own), know(amplitude=other))
    before, after = (np.fft.fft2(x, axes=(1, 2)).sum(axis=0) for x in (images, changed))
    np.testing.assert_allclose(np.abs(after[3, 5]) / np.abs(before[3, 5]), 1.5, 0.15)
    np.testing.assert_allclose(after[0, 0], before[0, 0], rtol=1e-3)


def test_noise_is_renewed():
    flat = np.full((2, 64, 64, 3), 100, dtype=np.uint8)
    assert attacks.renew_noise(flat).std() == pytest.approx(2, rel=0.1)


def test_medians_stay_within_an_image_and_a_channel(images):
    alone = np.stack([attacks.take_median(image[np.newaxis])[0] for image in images])
    assert (attacks.take_median(images) == alone).all()
    grey = attacks.take_median(images[..., :1])
    assert (attacks.take_median(images)[..., :1] == grey).all()


def test_quality_of_one_grey_level(images):
    np.testing.assert_allclose(attacks.psnr(images, images + 1), 48.13, atol=0.01)
    one = images.copy()
    one[:, 0, 0, 0] += 1
    assert (attacks.psnr(images, images) == attacks.psnr(images, one)).all()


def test_attackers_have_scenes_of_their_own():
    data = attacks.read("bundled")
    shares = [set(data.groups[data.shares == s]) for s in ("fit", "attacker", "test")]
    assert all(shares)
    assert sum(map(len, shares)) == len(set(data.groups))


def test_best_planting_is_the_one_that_serves_the_attacker():
    names = {attack: np.array(["a", "a", "a"]) for attack in attacks.PLANTINGS}
    qualities = {attack: np.full(3, 40.0) for attack in attacks.PLANTINGS}
    names["plant 1"] = np.array(["unknown", "unknown", "a"])
    names["plant 4"] = np.array(["b", "a", "a"])
    qualities["swap"] = np.full(3, 50.0)
    truth, wanted = np.full(3, "a"), np.full(3, "b")
    chosen, quality = attacks.choose(names, qualities, truth, wanted)
    assert chosen.tolist() == ["b", "unknown", "a"]
    assert quality.tolist() == [40, 40, 50]
    shares = attacks.count(chosen, truth, wanted)
    assert shares == {"lost": 2 / 3, "got": 1 / 3, "unknown": 1 / 3, "other": 0}

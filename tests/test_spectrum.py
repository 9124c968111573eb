import numpy as np
import pytest

from skfingerprint.spectrum import autocorrelation, power_spectrum, radial_profile

NOISE = np.random.default_rng(0).normal(3, 2, (20, 31))


@pytest.mark.parametrize("image", [NOISE, np.stack([NOISE, NOISE**2], axis=-1)])
def test_power_keeps_the_energy(image):
    power = power_spectrum(image)
    assert power.shape == image.shape
    expected = np.square(image).mean(axis=(0, 1))
    np.testing.assert_allclose(power.mean(axis=(0, 1)), expected)
    # Frequency 0 is the mean.
    np.testing.assert_allclose(power[10, 15], image.sum(axis=(0, 1)) ** 2 / NOISE.size)


def test_autocorrelation_equals_corrcoef_of_shifted_images():
    found = autocorrelation(NOISE)
    for dy, dx in [(0, 0), (1, 0), (0, -3), (-4, 7)]:
        shifted = np.roll(NOISE, (dy, dx), axis=(0, 1))
        expected = np.corrcoef(NOISE.ravel(), shifted.ravel())[0, 1]
        np.testing.assert_allclose(found[10 + dy, 15 + dx], expected)


def test_channels_are_independent():
    image = np.stack([NOISE, 5 - 2 * NOISE], axis=-1)
    for function in (autocorrelation, power_spectrum):
        for channel in range(2):
            np.testing.assert_allclose(
                function(image)[..., channel], function(image[..., channel])
            )


@pytest.mark.parametrize("value", [0, 7.3])
def test_constant_images_do_not_correlate(value):
    assert not autocorrelation(np.full((8, 9), value)).any()


@pytest.mark.parametrize("shape", [(32, 32), (33, 40), (32, 32, 3)])
def test_profile_of_white_noise_is_flat(shape):
    noise = np.random.default_rng(0).normal(size=(200, *shape))
    profile = radial_profile(np.mean([power_spectrum(n) for n in noise], axis=0))
    assert profile.power.shape[1:] == shape[2:]
    np.testing.assert_allclose(profile.power, 1, atol=0.2)
    assert profile.frequency[0] == 0
    assert 0.48 < profile.frequency[-1] <= 0.5


@pytest.mark.parametrize("function", [power_spectrum, autocorrelation, radial_profile])
def test_stacks_are_refused(function):
    with pytest.raises(ValueError, match=r"one image.*got shape \(2, 3, 4, 5\)"):
        function(np.zeros((2, 3, 4, 5)))

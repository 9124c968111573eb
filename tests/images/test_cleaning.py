import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    ChannelDecorrelator,
    FingerprintClassifier,
    LinearPatternRemover,
    ResidualExtractor,
    SpectrumFlattener,
)
from skfingerprint.datasets import load_generators


def test_whitened_channels_are_uncorrelated_whatever_their_order():
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(4, 16, 20, 3)) @ rng.normal(size=(3, 3))
    white = ChannelDecorrelator(shrinkage=0).fit_transform(mixed)
    for image in white.reshape(4, -1, 3):
        np.testing.assert_allclose(image.T @ image / len(image), np.eye(3), atol=1e-9)
    reverse = ChannelDecorrelator(shrinkage=0).fit_transform(mixed[..., ::-1])
    np.testing.assert_allclose(reverse[..., ::-1], white, atol=1e-9)


def test_whitening_of_grey_and_flat_residuals():
    rng = np.random.default_rng(0)
    grey = rng.normal(size=(3, 16, 20))
    scaled = ChannelDecorrelator().fit_transform(grey)
    ratio = scaled / grey
    np.testing.assert_allclose(ratio, ratio[:, :1, :1] * np.ones_like(grey))
    assert not ChannelDecorrelator().fit_transform(np.zeros((2, 8, 8, 3))).any()
    with pytest.raises(ValueError, match=r"shrinkage must be >= 0, got -0\.1"):
        ChannelDecorrelator(shrinkage=-0.1).fit(grey)


def test_whitening_helps_on_real_networks():
    data = load_generators()
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    scores = [
        cross_val_score(
            make_pipeline(ResidualExtractor(), *steps, FingerprintClassifier()),
            data.images,
            data.target,
            groups=data.groups,
            cv=folds,
        ).mean()
        for steps in ([], [ChannelDecorrelator()])
    ]
    assert scores[1] > scores[0]


@pytest.mark.parametrize("shape", [(2, 16, 20), (2, 15, 9, 3), (2, 1, 7)])
def test_linear_patterns_go_and_what_is_left_stays(shape):
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=shape)
    cleaned = LinearPatternRemover().fit_transform(residuals)
    for top in (0, 1):
        for left in (0, 1):
            part = cleaned[:, top::2, left::2]
            if part.size:
                np.testing.assert_allclose(part.mean(axis=1), 0, atol=1e-12)
                np.testing.assert_allclose(part.mean(axis=2), 0, atol=1e-12)
    again = LinearPatternRemover().fit_transform(cleaned)
    np.testing.assert_allclose(again, cleaned, atol=1e-12)


def literal_flattening(plane):
    height, width = plane.shape
    spectrum = np.fft.fft2(plane)
    amplitudes = np.abs(spectrum) / np.sqrt(height * width)
    noise = plane.var()
    kept = np.empty_like(amplitudes)
    for i in range(height):
        for j in range(width):
            means = []
            for side in (3, 5, 7, 9):
                half = side // 2
                rows = slice(max(i - half, 0), i + half + 1)
                columns = slice(max(j - half, 0), j + half + 1)
                means.append((amplitudes[rows, columns] ** 2).sum() / side**2)
            kept[i, j] = noise / (max(min(means) - noise, 0) + noise)
    return np.fft.ifft2(spectrum * kept).real


def test_flattening_equals_the_literal_filter():
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(2, 16, 18, 3))
    residuals += 2 * np.cos(np.pi / 2 * np.arange(18))[:, None]
    found = SpectrumFlattener().fit_transform(residuals)
    for i in range(2):
        for c in range(3):
            expected = literal_flattening(residuals[i, ..., c])
            np.testing.assert_allclose(found[i, ..., c], expected, atol=1e-9)
    assert not SpectrumFlattener().fit_transform(np.zeros((1, 16, 16))).any()


def test_cleaners_keep_float32_and_batches(planted, monkeypatch):
    images, _ = planted
    residuals = ResidualExtractor().transform(images[:9])
    for cleaner in (LinearPatternRemover(), SpectrumFlattener()):
        whole = cleaner.fit_transform(residuals)
        assert whole.dtype == np.float32
        monkeypatch.setattr("skfingerprint._core.blocks.BATCH_VALUES", 2 * 32 * 48)
        np.testing.assert_allclose(cleaner.transform(residuals), whole, atol=1e-5)

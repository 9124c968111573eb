"""Images are in grey levels 0..255, each by itself; what is not ends well."""

import warnings

import numpy as np
import pytest

from skfingerprint import (
    AttributionFeatures,
    ChannelDecorrelator,
    CooccurrenceTransformer,
    ResidualExtractor,
    SpectrumTransformer,
)
from skfingerprint.datasets import load_generators
from skfingerprint.perturbation import GaussianBlur, Shift

IMAGES = load_generators().images[:6]
OF_IMAGES = [
    ResidualExtractor(),
    AttributionFeatures(),
    CooccurrenceTransformer(),
    SpectrumTransformer(color_space="ycbcr"),
    GaussianBlur(),
    Shift(),
]
EACH = pytest.mark.parametrize("transformer", OF_IMAGES, ids=lambda t: type(t).__name__)
FLOATS = IMAGES.astype(np.float32)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
REFUSED = {
    "tanh": (FLOATS / 127.5 - 1, r"\(X \+ 1\) \* 127.5"),
    "imagenet": ((FLOATS / 255 - MEAN) / STD, "X \\* std"),
    "16 bit": (IMAGES.astype(np.uint16) * 257, "X / 257"),
    "signed": (FLOATS - 128, "grey levels 0..255"),
    "16 bit floats": (FLOATS * 257, "X / 257"),
}


def only_third(wrong):
    """All images but one are as they should be."""
    mixed = FLOATS.astype(wrong.dtype)
    mixed[2] = wrong[2]
    return mixed


def split(images, lazily):
    if not lazily:
        return images
    return pytest.importorskip("dask.array").from_array(images, chunks=(2, -1, -1, -1))


@EACH
@pytest.mark.parametrize("lazily", [False, True], ids=["memory", "dask"])
@pytest.mark.parametrize("name", REFUSED)
def test_other_scales_are_refused_with_their_factor(transformer, name, lazily):
    wrong, remedy = REFUSED[name]
    for images in (wrong, only_third(wrong)):
        with pytest.raises(ValueError, match=remedy):
            np.asarray(transformer.fit(FLOATS).transform(split(images, lazily)))
    if not lazily:
        with pytest.raises(ValueError, match=r"image 2 lies in"):
            transformer.fit(only_third(wrong))


@EACH
@pytest.mark.parametrize("lazily", [False, True], ids=["memory", "dask"])
def test_floats_in_0_to_1_warn(transformer, lazily):
    with pytest.warns(UserWarning, match="multiply the images by 255"):
        np.asarray(transformer.fit(FLOATS).transform(split(FLOATS / 255, lazily)))


@EACH
@pytest.mark.parametrize("lazily", [False, True], ids=["memory", "dask"])
def test_true_and_false_are_refused_with_their_grey_levels(transformer, lazily):
    with pytest.raises(ValueError, match=r"True and False.*np.where\(X, 255, 0\)"):
        transformer.fit(split(IMAGES > 100, lazily))
    fitted = transformer.fit(IMAGES)
    with pytest.raises(ValueError, match=r"True and False.*np.where\(X, 255, 0\)"):
        np.asarray(fitted.transform(split(IMAGES > 100, lazily)))


@EACH
def test_what_images_may_be_passes(transformer):
    flat = np.zeros_like(FLOATS)
    for images in (
        IMAGES,
        FLOATS,
        IMAGES.astype(np.int64),
        FLOATS * 1.02 - 3,  # as a resampling overshoots
        flat,
        flat + 0.5,
        flat + 255,
        FLOATS / 40,  # dark
        IMAGES // 200,  # integers, nearly black
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            transformer.fit(images).transform(images)


def test_residuals_are_free():
    residuals = ResidualExtractor().transform(IMAGES)
    for scale in (0.01, 1, 1000):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SpectrumTransformer().fit_transform(scale * residuals)
            ChannelDecorrelator().fit_transform(scale * residuals)
    with pytest.warns(UserWarning, match="multiply the images by 255"):
        SpectrumTransformer().fit_transform(FLOATS / 255)

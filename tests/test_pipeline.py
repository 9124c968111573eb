import numpy as np
import pytest
import sklearn
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skfingerprint import AugmentedPipeline, Unflatten, make_attribution_pipeline
from skfingerprint.datasets import load_generators, make_fingerprint_images
from skfingerprint.perturbation import JPEGCompression


@pytest.fixture(scope="module")
def halves():
    data = load_generators()
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    fit, test = next(folds.split(data.images, data.target, data.groups))
    y = data.target_names[data.target]
    return data.images[fit], y[fit], data.images[test], y[test]


def test_beats_the_published_rule_on_unseen_scenes(halves):
    X, y, unseen, truth = halves
    pipeline = make_attribution_pipeline(perturbations=()).fit(X, y)
    assert pipeline.score(unseen, truth) > 0.95  # correlation: .79
    probabilities = pipeline.predict_proba(unseen)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    named = pipeline.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(pipeline.predict(unseen), named)


def test_copies_help_on_compressed_images(halves):
    X, y, unseen, truth = halves
    compressed = JPEGCompression(85).fit_transform(unseen)
    clean = make_attribution_pipeline(perturbations=()).fit(X, y)
    copies = make_attribution_pipeline(perturbations=[JPEGCompression(85)]).fit(X, y)
    assert isinstance(copies, AugmentedPipeline)
    assert copies.score(compressed, truth) > clean.score(compressed, truth) + 0.3


@pytest.mark.parametrize("image_shape", [(40, 56), (32, 32, 3)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_small_grey_and_few(image_shape, n_classes):
    X, y = make_fingerprint_images(
        15 * n_classes, n_classes, image_shape=image_shape, strength=12, random_state=0
    )
    few = np.concatenate([np.flatnonzero(y == k)[:5] for k in range(n_classes)])
    rest = np.setdiff1d(np.arange(len(y)), few)
    pipeline = make_attribution_pipeline(perturbations=()).fit(X[few], y[few])
    assert pipeline.score(X[rest], y[rest]) > 1.5 / n_classes


def test_rows_equal_stacks():
    X, y = make_fingerprint_images(30, 2, image_shape=(24, 32, 3), random_state=0)
    stacked = make_attribution_pipeline(perturbations=()).fit(X, y).predict_proba(X)
    rows = X.reshape(len(X), -1)
    flat = make_pipeline(
        Unflatten((24, 32, 3)), make_attribution_pipeline(perturbations=())
    )
    flat.fit(rows, y)
    np.testing.assert_allclose(flat.predict_proba(rows), stacked, atol=1e-6)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_global_output_breaks_nothing(output):
    pytest.importorskip(output)
    X, y = make_fingerprint_images(30, 2, image_shape=(24, 32, 3), random_state=0)
    expected = make_attribution_pipeline(perturbations=()).fit(X, y).predict(X)
    with sklearn.config_context(transform_output=output):
        found = make_attribution_pipeline(perturbations=()).fit(X, y).predict(X)
    np.testing.assert_array_equal(found, expected)


def test_features_have_names():
    X, y = make_fingerprint_images(30, 2, image_shape=(24, 32, 3), random_state=0)
    pipeline = make_attribution_pipeline(perturbations=()).fit(X, y)
    names = pipeline[:-1].get_feature_names_out()
    assert len(names) == pipeline[:-1].transform(X[:1]).shape[1]
    assert names[0] == "residual_spectrum_0_+0.0000_0.0000"
    assert len(set(names)) == len(names)

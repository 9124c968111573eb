"""Figures on real images that a change must not lower."""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import load_generators


def test_embedded_generators_are_attributed():
    data = load_generators()
    pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    predicted = cross_val_predict(
        pipeline, data.images, data.target, groups=data.groups, cv=folds
    )
    assert np.mean(predicted == data.target) > 0.82


def test_twenty_generators_are_attributed(real_data):
    from benchmarks.accuracy.registry import evaluate
    from benchmarks.data.real_images import read_registry

    images, y, test = read_registry()
    residuals = ResidualExtractor(sigma=3).transform(images)
    accuracy, auc = evaluate(FingerprintClassifier(), residuals, y, test)
    assert accuracy >= 0.63
    assert auc >= 0.84

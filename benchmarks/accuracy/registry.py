"""Attribute the images of 20 real generators on the reference split.

``python -m benchmarks.accuracy.registry`` fits on the even groups of `registry/` (see
`data/real_images.py`) and tests on the odd groups. It prints accuracy and mean
one-vs-rest AUC (chance levels 0.05 and 0.5) of the plain pipeline and of a stack on the
same residuals.
"""

import argparse

import numpy as np
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import label_binarize

from benchmarks.data.real_images import read_registry
from skfingerprint import FingerprintClassifier, ResidualExtractor


def evaluate(model, residuals, y, test):
    """Return accuracy and mean one-vs-rest AUC on the test half."""
    model.fit(residuals[~test], y[~test])
    method = getattr(model, "decision_function", None) or model.predict_proba
    scores = method(residuals[test])
    accuracy = np.mean(model.classes_[scores.argmax(axis=1)] == y[test])
    truth = label_binarize(y[test], classes=model.classes_)
    return accuracy, roc_auc_score(truth, scores, average="macro")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sigma", type=float, default=3.0)
    options = parser.parse_args()
    images, y, test = read_registry()
    residuals = ResidualExtractor(sigma=options.sigma, n_jobs=2).transform(images)
    stack = StackingClassifier(
        [("fingerprint", FingerprintClassifier())],
        LogisticRegression(C=100, max_iter=5000),
    )
    models = {
        "fingerprint": FingerprintClassifier(),
        "fingerprint, subtract_common": FingerprintClassifier(subtract_common=True),
        "stack with logistic regression": stack,
    }
    print(f"{(~test).sum()} fit, {test.sum()} test, {len(set(y))} sources")
    for name, model in models.items():
        accuracy, auc = evaluate(model, residuals, y, test)
        deviation = np.sqrt(accuracy * (1 - accuracy) / test.sum())
        print(f"{name:32s} accuracy {accuracy:.3f} +- {deviation:.3f}, AUC {auc:.3f}")


if __name__ == "__main__":
    main()

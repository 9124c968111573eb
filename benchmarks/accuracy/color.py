"""Measure how whitening the channels changes attribution by correlation.

``python -m benchmarks.accuracy.color`` fits and tests on the images of `registry/` (see
`data/real_images.py`). It takes half a minute.
"""

from sklearn.pipeline import make_pipeline

from benchmarks.accuracy.registry import evaluate
from benchmarks.data.real_images import read_registry
from skfingerprint import ChannelDecorrelator, FingerprintClassifier, ResidualExtractor
from skfingerprint.perturbation import JPEGCompression


def main():
    """Print accuracy and AUC, plain and whitened."""
    images, y, test = read_registry()
    for quality in (None, 95, 75):
        changed = images
        if quality is not None:
            changed = JPEGCompression(quality=quality).fit_transform(images)
        residuals = ResidualExtractor(n_jobs=2).transform(changed)
        for steps in ([], [ChannelDecorrelator()]):
            for subtract_common in (False, True):
                classifier = FingerprintClassifier(subtract_common=subtract_common)
                model = make_pipeline(*steps, classifier)
                accuracy, auc = evaluate(model, residuals, y, test)
                print(
                    f"{'clean' if quality is None else f'JPEG {quality}':8s} "
                    f"{'whitened' if steps else 'plain':8s} "
                    f"subtract_common={subtract_common}: {accuracy:.3f}, AUC {auc:.3f}"
                )


if __name__ == "__main__":
    main()

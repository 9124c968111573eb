"""Print what whitening the channels does to attribution by correlation.

``python benchmarks/colour.py DATA`` where DATA holds `manifest.csv` and the images of
`registry/`. Half a minute.
"""

import argparse
from pathlib import Path

from registry import evaluate, load
from sklearn.pipeline import make_pipeline

from skfingerprint import ChannelDecorrelator, FingerprintClassifier, ResidualExtractor
from skfingerprint.perturbation import JPEGCompression


def main():
    """Print accuracy and AUC, plain and whitened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    images, y, test = load(parser.parse_args().data)
    for quality in (None, 95, 75):
        changed = images
        if quality is not None:
            changed = JPEGCompression(quality).fit_transform(images)
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

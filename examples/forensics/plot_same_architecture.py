"""
================================
Same architecture, other training
================================

`srgan-pre` and `srgan-gan` are one network, layer for layer: the first was trained to
reproduce pixels, the second went on against an adversary. Is the fingerprint that of
the architecture, or that of the training?
"""

# %%
# Fit on half of the scenes, correlate on the other half
# ------------------------------------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import load_generators
from skfingerprint.plotting import (
    CorrelationHistogramDisplay,
    CorrelationMatrixDisplay,
    SpectrumDisplay,
)

data = load_generators()
y = data.target_names[data.target]
folds = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=0)
train, test = next(folds.split(data.images, y, data.groups))
pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
pipeline.fit(data.images[train], y[train])
display = CorrelationMatrixDisplay.from_estimator(pipeline, data.images[test], y[test])

# %%
# Each row holds the residuals of one network, each column a fingerprint. If the
# architecture made the fingerprint, the two networks would form a block.

names = list(pipeline.classes_)
gan, pre = names.index("srgan-gan"), names.index("srgan-pre")
means = display.correlations
print(f"{len(test)} test images, {len(names)} networks")
print(f"srgan-gan: own {means[gan, gan]:.3f}, srgan-pre's {means[gan, pre]:.3f}")
print(f"srgan-pre: own {means[pre, pre]:.3f}, srgan-gan's {means[pre, gan]:.3f}")
others = means[~np.eye(len(means), dtype=bool)]
print(f"any other pair: {others.mean():.3f} +- {others.std():.3f}")

# %%
# They do not: each correlates with the other's fingerprint no more than strangers do.
# The training decides. And without an adversary, the trace is weaker.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, source in zip(axes, ["srgan-gan", "srgan-pre"], strict=True):
    histogram = CorrelationHistogramDisplay.from_estimator(
        pipeline, data.images[test], y[test], source=source, ax=ax
    )
    print(f"{source}: AUC {histogram.auc:.3f} of {len(histogram.same)} images")

# %%
# Their spectra differ as well: the adversary added power at high frequencies in all
# directions, where the first training left least.

pair = pipeline[-1].fingerprints_[[gan, pre]]
SpectrumDisplay(pair, ["srgan-gan", "srgan-pre"]).plot(n_columns=2)
plt.show()

# %%
# One pair of trainings is an anecdote, and 40 test images a network leave room for
# chance. On larger sets, see the families in :ref:`reproducing`.

"""
========================
Calibrated probabilities
========================

After this example you can turn correlations into calibrated probabilities, in two ways,
and compare them with those of the recommended pipeline. A correlation of 0.05 is no
probability: it may be much for a faint fingerprint and nothing for a strong one. A
calibrated classifier is right seven times in ten when it states 70 %.
"""

# %%
# Two ways to calibrate correlations, and the recommended pipeline
# ----------------------------------------------------------------
# Correlations of training images are too high on their own class, so a calibration must
# see those of held-out images: :class:`~sklearn.calibration.CalibratedClassifierCV`
# holds out by itself, and so does :class:`~skfingerprint.FingerprintTransformer`.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    FingerprintClassifier,
    FingerprintTransformer,
    ResidualExtractor,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators

data = load_generators()
y = data.target_names[data.target]
folds = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=0)
train, test = next(folds.split(data.images, y, data.groups))
models = {
    "correlations, sigmoid": make_pipeline(
        ResidualExtractor(),
        CalibratedClassifierCV(FingerprintClassifier(), method="sigmoid"),
    ),
    "correlations, logistic regression": make_pipeline(
        ResidualExtractor(), FingerprintTransformer(), LogisticRegression(C=100)
    ),
    "recommended": make_attribution_pipeline(perturbations=(), n_jobs=2),
}

# %%
# How often is a stated probability right?
# ----------------------------------------
# Each test image gives a probability for each of eight networks: 2,560 statements.

figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
ax.plot([0, 1], [0, 1], ":", color="0.4", label="perfect")
colors = ["#0072B2", "#D55E00", "#009E73"]
print(f"{len(test)} test images of unseen scenes, chance 0.125")
for (name, model), color, marker in zip(models.items(), colors, "os^", strict=True):
    model.fit(data.images[train], y[train])
    probabilities = model.predict_proba(data.images[test])
    truth = y[test][:, None] == model.classes_
    accuracy = np.mean(truth[np.arange(len(test)), probabilities.argmax(axis=1)])
    loss = log_loss(truth.ravel(), probabilities.ravel())
    print(f"accuracy {accuracy:.3f}, log loss of a statement {loss:.3f}  {name}")
    right, stated = calibration_curve(truth.ravel(), probabilities.ravel(), n_bins=8)
    ax.plot(stated, right, marker=marker, color=color, label=name)
ax.set_xlabel("Stated probability")
ax.set_ylabel("Share that is right")
ax.legend()
plt.show()

# %%
# A point below the line is an overconfident statement. Bins in the middle hold few
# statements of the recommended pipeline, which is sure of nearly all of them, though
# never certain. And all this holds for images like the training images. After
# compression, and for an image of a ninth network, no probability here means anything.

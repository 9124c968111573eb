"""
=============================
Combining with other features
=============================

Fingerprints are one witness among several. Here their correlations are put beside two
other kinds of features, co-occurrences of neighbouring pixels and the statistics of the
colours, in front of a logistic regression.
"""

# %%
# A union of features
# -------------------
# :class:`~skfingerprint.FingerprintTransformer` gives each training image correlations
# with fingerprints that it is no part of. Without that, the model behind would learn to
# trust correlations that no new image reaches. Any function can join, such as the score
# of a network of your own; the one here looks at colours only.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfingerprint import (
    CooccurrenceTransformer,
    FingerprintClassifier,
    FingerprintTransformer,
    ResidualExtractor,
)
from skfingerprint.datasets import load_generators
from skfingerprint.plotting import OneVsRestRocDisplay


def colour_statistics(images):
    """Return mean and deviation of each channel of each image."""
    return np.hstack([images.mean(axis=(1, 2)), images.std(axis=(1, 2))])


correlations = make_pipeline(ResidualExtractor(), FingerprintTransformer())
runs = CooccurrenceTransformer(length=3)
colours = FunctionTransformer(colour_statistics)


def on_top_of(*features):
    """Return a logistic regression on features."""
    return make_pipeline(
        make_union(*features), StandardScaler(), LogisticRegression(max_iter=1000)
    )


models = {
    "largest correlation": make_pipeline(ResidualExtractor(), FingerprintClassifier()),
    "colours": on_top_of(colours),
    "correlations": on_top_of(correlations),
    "co-occurrences": on_top_of(runs),
    "correlations and co-occurrences": on_top_of(correlations, runs),
    "all three": on_top_of(correlations, runs, colours),
}

# %%
# What each of them adds
# ----------------------

data = load_generators()
y = data.target_names[data.target]
folds = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=0)
train, test = next(folds.split(data.images, y, data.groups))
print(f"{len(train)} images to learn from, {len(test)} to attribute, chance 0.125")
for name, model in models.items():
    model.fit(data.images[train], y[train])
    accuracy = model.score(data.images[test], y[test])
    error = np.sqrt(accuracy * (1 - accuracy) / len(test))
    print(f"{accuracy:.3f} +- {error:.3f}  {name}")

# %%
# Before and after: the sources that the correlation alone misses.

figure, axes = plt.subplots(1, 2, figsize=(13, 4.5), layout="constrained")
for ax, name in zip(
    axes, ["largest correlation", "correlations and co-occurrences"], strict=True
):
    OneVsRestRocDisplay.from_estimator(
        models[name], data.images[test], y[test], ax=ax, n_named=3
    )
    ax.set_title(f"{name}: {ax.get_title().split(': ')[1]}")
plt.show()

# %%
# Colours tell the scenes, not the networks: faces from landscapes, and so the networks
# that draw faces. They do not help the others, and what they do say would be gone with
# other content. Measure what a feature adds on scenes, and sources, that resemble those
# to come.

"""
=============================
Combining with other features
=============================

After this example you can combine correlations with fingerprints, co-occurrences of
neighboring pixels, spectra and features of your own in one classifier, side by side or
stacked.
"""

# %%
# A union of features
# -------------------
# :class:`~skfingerprint.FingerprintTransformer` gives each training image correlations
# with fingerprints that it is no part of. Without that, the model behind would learn to
# trust correlations that no new image reaches. Any function can join, such as the score
# of a network of your own; the one here looks at colors only.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfingerprint import (
    CooccurrenceTransformer,
    FingerprintClassifier,
    FingerprintTransformer,
    ResidualExtractor,
    SpectrumTransformer,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators
from skfingerprint.plotting import OneVsRestRocDisplay

data = load_generators()
y = data.target_names[data.target]
folds = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=0)
train, test = next(folds.split(data.images, y, data.groups))


def color_statistics(images):
    """Return mean and deviation of each channel of each image."""
    return np.hstack([images.mean(axis=(1, 2)), images.std(axis=(1, 2))])


correlations = make_pipeline(ResidualExtractor(n_jobs=2), FingerprintTransformer())
runs = CooccurrenceTransformer(order=3)
spectra = make_pipeline(ResidualExtractor(n_jobs=2), SpectrumTransformer(block_size=16))
colors = FunctionTransformer(color_statistics)


def on_top_of(*features):
    """Return a logistic regression on features."""
    return make_pipeline(
        make_union(*features), StandardScaler(), LogisticRegression(max_iter=1000)
    )


# %%
# Or stacked
# ----------
# :class:`~sklearn.ensemble.StackingClassifier` scores each training image with
# fingerprints of other folds, and so avoids the same trap. Its folds must keep scenes
# apart as well: it takes a list of splits.

inner = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)
splits = list(inner.split(train, y[train], data.groups[train]))
fingerprint = make_pipeline(ResidualExtractor(n_jobs=2), FingerprintClassifier())
stacked = StackingClassifier(
    [("fingerprint", fingerprint), ("spectra", on_top_of(spectra))],
    make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    cv=splits,
)

# %%
# What each of them adds
# ----------------------

models = {
    "largest correlation": fingerprint,
    "colors": on_top_of(colors),
    "correlations": on_top_of(correlations),
    "co-occurrences": on_top_of(runs),
    "correlations, spectra": on_top_of(correlations, spectra),
    "correlations, co-occurrences": on_top_of(correlations, runs),
    "the same, and colors": on_top_of(correlations, runs, colors),
    "largest correlation, spectra, stacked": stacked,
    "recommended pipeline": make_attribution_pipeline(perturbations=(), n_jobs=2),
}
print(f"{len(train)} images to learn from, {len(test)} to attribute, chance 0.125")
accuracies, errors = [], []
for name, model in models.items():
    model.fit(data.images[train], y[train])
    accuracy = model.score(data.images[test], y[test])
    accuracies.append(accuracy)
    errors.append(np.sqrt(accuracy * (1 - accuracy) / len(test)))
    print(f"{accuracy:.3f} +- {errors[-1]:.3f}  {name}")

plt.rcParams["font.size"] = 9
figure, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
rows = np.arange(len(models))[::-1]
ax.barh(rows, accuracies, xerr=errors, color="#0072B2", height=0.6)
ax.axvline(1 / 8, color="black", linestyle=":", label="chance")
ax.set_yticks(rows, models)
ax.set(xlim=(0, 1.02), xlabel="Accuracy on unseen scenes ± standard error")
_ = figure.legend(loc="outside upper right")

# %%
# Before and after: the sources that the correlation alone misses.

figure, axes = plt.subplots(2, 1, figsize=(6.5, 8), layout="constrained")
shown = ["largest correlation", "largest correlation, spectra, stacked"]
for ax, name in zip(axes, shown, strict=True):
    OneVsRestRocDisplay.from_estimator(
        models[name], data.images[test], y[test], ax=ax, n_named=4
    )
    ax.set_title(f"{name}\n{ax.get_title()}")
plt.show()

# %%
# What follows
# ------------
# A second model scales the scores of strong and of weak fingerprints, which alone is
# worth much. Co-occurrences err on other images than the correlation, and help. Spectra
# of the residual side by side with it do not: hundreds of columns for a regression that
# has 320 rows. The recommended pipeline, made of spectra and co-occurrences, has a
# classifier that is regularised for that. Colors tell the scenes, not the networks:
# faces from landscapes, and so the networks that draw faces. They would be gone with
# other content. Measure what a feature adds on scenes, and sources, that resemble those
# to come.

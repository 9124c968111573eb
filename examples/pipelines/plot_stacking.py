"""
=========================================
Fingerprints beside features of your own
=========================================

Correlations with fingerprints are scores like any others, and a second model can weigh
them together with other features. One trap lies on the way: a training image is part of
its own fingerprint. :class:`~sklearn.ensemble.StackingClassifier` avoids it, because it
scores each training image with fingerprints of other folds.
"""

# %%
# A feature of our own
# --------------------
# The power spectrum of the grey image, averaged over rings and as a logarithm: 33
# numbers that say how smooth an image is, wherever its patterns lie. Any function from
# a stack of images to rows will do.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import load_generators
from skfingerprint.plotting import OneVsRestRocDisplay, SourceConfusionDisplay
from skfingerprint.spectrum import power_spectrum, radial_profile

data = load_generators()
names = data.target_names
y = names[data.target]


def log_spectra(images):
    """Logarithm of the radial power spectrum of each grey image."""
    grey = images.mean(axis=3)
    rings = [radial_profile(power_spectrum(image)).power for image in grey]
    return np.log(np.array(rings) + 1e-3)


spectrum = make_pipeline(
    FunctionTransformer(log_spectra),
    StandardScaler(),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
)
fingerprint = make_pipeline(ResidualExtractor(), FingerprintClassifier())

# %%
# Stacking, by scene
# ------------------
# The stack's inner folds must keep scenes apart as well. `StackingClassifier` does not
# pass groups on, but it takes a list of splits, so we make that from the training part.
# A logistic regression weighs the scores; it wants them on one scale.


def stack(train, **estimators):
    """Stack estimators on inner folds that keep the scenes of `train` apart."""
    inner = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)
    splits = list(inner.split(train, y[train], data.groups[train]))
    final = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return StackingClassifier(list(estimators.items()), final, cv=splits)


gentle = ResidualExtractor(sigma=1, cycle_spins=4)
models = {
    "fingerprint": lambda train: fingerprint,
    "spectrum": lambda train: spectrum,
    "fingerprint, stacked": lambda train: stack(train, fingerprint=fingerprint),
    "both, stacked": lambda train: stack(
        train, fingerprint=fingerprint, spectrum=spectrum
    ),
    "fingerprint of sigma=1, 4 spins": lambda train: make_pipeline(
        gentle, FingerprintClassifier()
    ),
}
splitter = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
folds = list(splitter.split(data.images, y, data.groups))
scores = {label: np.empty((len(y), len(names))) for label in models}
for train, test in folds:
    for label, make in models.items():
        model = make(train).fit(data.images[train], y[train])
        is_plain = not hasattr(model, "predict_proba")
        method = model.decision_function if is_plain else model.predict_proba
        scores[label][test] = method(data.images[test])

# %%
# Before and after
# ----------------
# The error of an accuracy counts scenes, not images, as independent. A difference is
# measured on the same images, and so is its error.


def scene_error(values):
    """Return the standard error of a mean, with whole scenes as the units."""
    mean_of_source = np.bincount(data.target, values) / np.bincount(data.target)
    scene = np.unique(data.groups, return_inverse=True)[1]
    sums = np.bincount(scene, values - mean_of_source[data.target])
    return np.sqrt(np.square(sums).sum()) / len(values)


predicted = {label: names[s.argmax(axis=1)] for label, s in scores.items()}
right = {label: (p == y).astype(float) for label, p in predicted.items()}
print(f"{len(y)} images of unseen scenes, chance {1 / len(names):.3f}")
for label, values in right.items():
    gain = values - right["fingerprint"]
    print(
        f"{values.mean():.3f} +- {scene_error(values):.3f}   "
        f"{gain.mean():+.3f} +- {scene_error(gain):.3f}   {label}"
    )

before, after = "fingerprint", "both, stacked"
print(f"recall, {before} -> {after}")
for name in names:
    old, new = (right[label][y == name].mean() for label in (before, after))
    print(f"{old:.2f} -> {new:.2f}  {name}")

# %%
# One source against all others. The false positive rate is logarithmic: what counts in
# practice lies at the left, where one image in a hundred or fewer is accused wrongly.

fig, axes = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
for ax, label in zip(axes, (before, after), strict=True):
    OneVsRestRocDisplay.from_predictions(y, scores[label], names, ax=ax, n_named=8)
    ax.set_title(f"{label}\n{ax.get_title()}")

# %%
# Who is taken for whom.

fig, axes = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
for ax, label in zip(axes, (before, after), strict=True):
    SourceConfusionDisplay.from_predictions(y, predicted[label], ax=ax)
    ax.set_title(f"{label}\n{ax.get_title()}")
plt.show()

# %%
# What follows
# ------------
# The spectrum alone is much worse than the fingerprint alone, and yet the two together
# beat each of them: they err on different images. A part of the gain is not the
# spectrum's, as the third row above shows. The plain rule, the largest correlation,
# treats the scores of a strong and of a weak fingerprint alike; a second model scales
# them.
#
# Nothing is free. The strongest source was never missed before, and is sometimes missed
# after stacking. The last row, a plain classifier with another denoiser, comes to much
# the same accuracy as the stack: look for the right residual first. And a spectrum says
# how sharp an image is. Where sources differ in sharpness because their scenes were
# reduced or compressed differently, the stack will learn that.

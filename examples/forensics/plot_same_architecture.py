"""
================================
Same architecture, other weights
================================

After this example you can test whether two networks are two sources, by the
correlations of unseen images and by the noise-free correlation of two fingerprints,
with its standard error. `srgan-gan` and `srgan-pre` have one architecture. The second
was trained for a small pixel error; the first was trained further against a
discriminator.
"""

# %%
# Out-of-fold correlations
# ------------------------
# Every image is correlated with fingerprints of other scenes. Both networks enlarged
# the same photographs, so content cannot tell them apart. `srgan-pre` is faint at the
# default `sigma`; we look at it with a gentler denoiser, and print both.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import load_generators
from skfingerprint.plotting import CorrelationHistogramDisplay, CorrelationMatrixDisplay

# sphinx_gallery_thumbnail_number = 3
data = load_generators()
# The six networks that enlarged the same photographs.
names = np.setdiff1d(data.target_names, ["dcgan-digiface", "mobilestylegan-ffhq"])
chosen = np.isin(data.target_names[data.target], names)
images, groups = data.images[chosen], data.groups[chosen]
y = data.target_names[data.target][chosen]
pair = ["srgan-gan", "srgan-pre"]
in_pair = np.isin(y, pair)
folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
settings = {
    "default": ResidualExtractor(),
    "sigma=1, cycle_spins=4": ResidualExtractor(sigma=1, cycle_spins=4),
}
residuals = {label: e.transform(images) for label, e in settings.items()}

correlations = {}
for label, stack in residuals.items():
    correlations[label] = cross_val_predict(
        FingerprintClassifier(),
        stack,
        y,
        groups=groups,
        cv=folds,
        method="decision_function",
    )
    right = names[correlations[label].argmax(axis=1)] == y
    print(
        f"{label}: {right.mean():.3f} of {len(y)} images, chance {1 / len(names):.3f}"
    )

# %%
# Who correlates with whom
# ------------------------
# Rows are residuals, columns fingerprints, both with the gentler denoiser. If the
# family showed, the two squares that join `srgan-gan` and `srgan-pre` would stand out.

label = "sigma=1, cycle_spins=4"
_ = CorrelationMatrixDisplay.from_predictions(y, correlations[label], names)

# %%
# The pair alone
# --------------
# How well do the correlations with its own fingerprint stand apart from those with its
# sibling's? Only the columns and the images of the pair are used here. The AUC in a
# title compares any own correlation with any other one. The printed AUC takes the
# difference within each image, in which what is common to both cancels.

columns = np.searchsorted(names, pair)
fig, axes = plt.subplots(2, 1, figsize=(6.5, 6), sharex=True, layout="constrained")
for ax, source in zip(axes, pair, strict=True):
    CorrelationHistogramDisplay.from_predictions(
        y[in_pair],
        correlations[label][in_pair][:, columns],
        pair,
        source=source,
        ax=ax,
        bins=25,
    )

print(f"one of the pair against the other, {in_pair.sum()} images of unseen scenes:")
for key, values in correlations.items():
    scores = np.diff(values[in_pair][:, columns], axis=1).ravel()
    is_second = y[in_pair] == pair[1]
    print(
        f"    AUC {roc_auc_score(is_second, scores):.3f}, "
        f"accuracy {np.mean((scores > 0) == is_second):.3f}, chance 0.5, {key}"
    )

# %%
# How alike are the fingerprints themselves?
# ------------------------------------------
# The plain correlation of two fingerprints is too small, because each holds noise, and
# it also holds what the networks made of the same photograph. Products of mean
# residuals of *different* photographs share neither. From them follow the energy of
# each fingerprint and the correlation that two of them would have without noise.
# Leaving out one photograph at a time (the jackknife) gives its standard error.

photographs = np.unique(groups)


def likeness(stack):
    """Noise-free correlations of all fingerprints, and their standard errors."""
    means = [
        [stack[(y == name) & (groups == p)].mean(axis=0).ravel() for p in photographs]
        for name in names
    ]
    means -= np.mean(means, axis=2, keepdims=True)
    products = np.einsum("apx,bqx->abpq", means, means, optimize=True)

    def correlate(kept):
        different = np.outer(kept, kept) & ~np.eye(len(kept), dtype=bool)
        energies = products[:, :, different].mean(axis=2)
        norms = np.sqrt(energies.diagonal())
        return energies / np.outer(norms, norms)

    n = len(photographs)
    without = np.array([correlate(np.arange(n) != left_out) for left_out in range(n)])
    return correlate(np.ones(n, dtype=bool)), np.sqrt(n - 1) * without.std(axis=0)


for key, stack in residuals.items():
    values, errors = likeness(stack)
    print(
        f"srgan-gan and srgan-pre: {values[tuple(columns)]:+.2f} +- "
        f"{errors[tuple(columns)]:.2f}, {key}"
    )

# %%
# All 15 pairs, with the gentler denoiser. Two pairs are of one architecture: the
# SRGANs, and the two SPANs, which enlarge by different factors.

values, errors = likeness(residuals[label])
architecture = dict.fromkeys(names, "")
architecture |= dict.fromkeys(pair, "SRGAN")
architecture |= {name: "SPAN" for name in names if "SPAN" in name}
first, second = np.triu_indices(len(names), 1)
order = np.argsort(values[first, second])
fig, ax = plt.subplots(figsize=(6.5, 5), layout="constrained")
for place, (i, j) in enumerate(zip(first[order], second[order], strict=True)):
    same = architecture[names[i]] and architecture[names[i]] == architecture[names[j]]
    ax.errorbar(
        values[i, j],
        place,
        xerr=errors[i, j],
        fmt="s" if same else "o",
        color="#D55E00" if same else "#0072B2",
        capsize=3,
        label="same architecture" if same else "different architectures",
    )
    print(f"{values[i, j]:+.2f} +- {errors[i, j]:.2f}  {names[i]}, {names[j]}")
ax.axvline(0, color="0.5", linestyle=":")
ax.set_yticks(
    range(len(order)),
    [
        f"{names[i]}, {names[j]}"
        for i, j in zip(first[order], second[order], strict=True)
    ],
)
ax.set(xlabel="Correlation of the fingerprints, noise removed", xlim=(-1, 1))
handles = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
ax.legend(handles.values(), handles.keys(), loc="lower right")
plt.show()

# %%
# What follows
# ------------
# The two SRGANs are told apart, and their fingerprints are no more alike than those of
# unrelated networks: the error bar of their pair includes 0. Further training made
# another source. The two SPANs are alike, but so are two networks of different
# architectures that enlarge by the same factor. And fingerprints can be opposite to
# each other: a checkerboard is, when it is shifted by one pixel.
#
# So a fingerprint names a set of weights, not a family. Two pairs are too few for a
# rule about architectures, and the errors rest on ten photographs: take them as a guide
# to their own size. A training that was stopped a little later may well leave an almost
# equal fingerprint; these two trainings differ in their loss.

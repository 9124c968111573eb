"""
==============================
Which network made this image?
==============================

Eight trained networks made the 640 images that ship with the package. Here we learn the
noise fingerprint of each from half of the scenes, and name the maker of the images of
the other half: scenes that the classifier has never seen.
"""

# %%
# The data
# --------
# Six of the networks enlarged the same photographs. A random split would put the same
# scene into both halves, so the split is by `groups`: what an image shows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import load_generators

data = load_generators()
names = data.target_names
y = names[data.target]
folds = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=0)
train, test = next(folds.split(data.images, y, data.groups))
print(f"{len(train)} images to learn from, {len(test)} to attribute")
print(f"{len(names)} sources, chance level {1 / len(names):.3f}")

# %%
# Fit and attribute
# -----------------
# The pipeline denoises each image, keeps what the denoiser took away, averages that for
# each source, and correlates new residuals with these means.

pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
pipeline.fit(data.images[train], y[train])
scores = pipeline.decision_function(data.images[test])
predicted = pipeline.predict(data.images[test])

accuracy = np.mean(predicted == y[test])
deviation = np.sqrt(accuracy * (1 - accuracy) / len(test))
print(f"accuracy {accuracy:.3f} +- {deviation:.3f}\n")

areas = [roc_auc_score(y[test] == name, scores[:, i]) for i, name in enumerate(names)]
for name, area in zip(names, areas, strict=True):
    print(f"AUC {area:.3f}  recall {np.mean(predicted[y[test] == name] == name):.2f}"
          f"  {name}")  # fmt: skip

# %%
# One picture
# -----------
# Fingerprints, amplified; the corner of 32 x 32 pixels shows their texture best.

fig = plt.figure(figsize=(11, 9.5), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=(1, 1.15))
top.suptitle(
    "Fingerprint of each network: mean residual of its training images\n"
    "(32 x 32 pixels of it, contrast stretched to 3 standard deviations)"
)
fingerprints = pipeline[-1].fingerprints_
for ax, name, fingerprint in zip(
    top.subplots(2, 4).flat, names, fingerprints, strict=True
):
    grey = 0.5 + fingerprint[16:48, 16:48] / (6 * fingerprint.std())
    ax.imshow(grey.clip(0, 1), interpolation="nearest")
    ax.set_title(f"{name}\nstd {fingerprint.std():.2f} grey levels", fontsize=9)
    ax.set_axis_off()

left, right = bottom.subplots(1, 2)
colours = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(names)))
for i, name in enumerate(names):
    RocCurveDisplay.from_predictions(
        y[test] == name,
        scores[:, i],
        ax=left,
        name=name,
        curve_kwargs={"color": colours[i], "linestyle": ["-", "--"][i % 2]},
    )
left.set_title("One source against all others")
left.set_xlabel("False positive rate")
left.set_ylabel("True positive rate")
left.legend(fontsize=7, loc="lower right")
ConfusionMatrixDisplay.from_predictions(
    y[test], predicted, ax=right, cmap="Blues", colorbar=False, xticks_rotation=90
)
right.tick_params(labelsize=8)
right.set_title(
    f"Attribution of {len(test)} images of unseen scenes:\n"
    f"{accuracy:.1%} right, chance {1 / len(names):.1%}"
)
right.set_xlabel("Attributed to")
right.set_ylabel("Made by")
fig.savefig("source_identification.png", dpi=100)
print("\nPicture: source_identification.png")
plt.show()

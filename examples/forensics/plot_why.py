"""
====
Why?
====

After this example you can show which frequencies, features and places of an image speak
for one source rather than another. Every feature contributes to the difference of the
two scores, and the contributions add up to it.
"""

# %%
# An answer to explain
# --------------------
# Half of the scenes are fitted, and images of the other half are explained.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    FingerprintClassifier,
    ResidualExtractor,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators
from skfingerprint.explanation import explain_attribution
from skfingerprint.plotting import ContributionDisplay

data = load_generators()
images, y = data.images, data.target_names[data.target]
folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
fit, test = next(folds.split(images, y, data.groups))
# A fit on unprocessed images takes seconds.
pipeline = make_attribution_pipeline(perturbations=(), n_jobs=2)
pipeline.fit(images[fit], y[fit], groups=data.groups[fit])
print(f"accuracy {pipeline.score(images[test], y[test]):.3f} of {len(test)} images")

# %%
# One image
# ---------
# The likeliest source against the next one. Orange speaks for the first, violet against
# it. "Runs" are the co-occurrences: how often neighboring pixels rise, rise and fall.

name = "2xHFA2kSPAN_27k"
own = test[y[test] == name]
image = images[own[:1]]
why = explain_attribution(pipeline, image)
gain = why.difference[0] - why.baseline_difference[0]
print(f"{why.source[0]} rather than {why.other[0]}: {why.difference[0]:.2f}, of which")
print(f"    {why.baseline_difference[0]:+.2f} before the image is seen")
print(f"    {why.contributions[0].sum():+.2f} by what it shows")
assert np.isclose(why.contributions[0].sum(), gain, atol=1e-6)
_ = ContributionDisplay.from_explanation(why, image=image[0])

# %%
# All images of a source
# ----------------------
# One image has its own accidents. What most images of a source have in common is seen
# in the mean. Here each channel has its plane. Up-sampling twofold leaves a
# checkerboard, which is the corner of the plane, 1/2 and 1/2 of a cycle per pixel.

display = ContributionDisplay.from_estimator(
    pipeline, images[own], source=name, other="srgan-gan", by_channel=True, n_columns=2
)

# %%
# Which family decides?
# ---------------------
# Contributions of each family of features to the true source, against the likeliest
# other one; the mean over the held-out images of each network.

why = explain_attribution(pipeline, images[test], source=y[test])
families = list(why.families)
means = np.array(
    [
        [why.families[family][y[test] == name].mean() for family in families]
        for name in data.target_names
    ]
)
largest = np.abs(means).max()
fig, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
picture = ax.imshow(means, "PuOr_r", vmin=-largest, vmax=largest, aspect="auto")
for (row, column), value in np.ndenumerate(means):
    shade = "white" if abs(value) > 0.6 * largest else "black"
    ax.text(column, row, f"{value:.1f}", ha="center", va="center", color=shade)
ax.set_xticks(range(len(families)), families, rotation=45, ha="right")
ax.set_yticks(range(len(data.target_names)), data.target_names)
_ = ax.set_title("Mean contribution to the true source")

# %%
# Does it find what is there?
# ---------------------------
# To faces of one network we add a wave of one grey level, 5 periods down and 9 right
# in 32 pixels, which nobody sees, and let the pipeline tell them from untouched ones,
# without copies: blur and compression would remove the wave. The largest contribution
# should be that of the wave's frequency.

down, right = np.mgrid[:64, :64]
wave = np.cos(2 * np.pi * (5 * down + 9 * right) / 32)[..., np.newaxis]
faces = y == "mobilestylegan-ffhq"
plain, scenes = images[faces], data.groups[faces]
waved = np.clip(np.rint(plain + wave), 0, 255)
half = np.isin(scenes, np.unique(scenes)[::2])
model = make_attribution_pipeline(perturbations=()).fit(
    np.concatenate([plain[half], waved[half]]),
    np.repeat(["untouched", "with a wave"], half.sum()),
    groups=np.tile(scenes[half], 2),
)
display = ContributionDisplay.from_estimator(model, waved[~half], source="with a wave")
plane = display.planes["Spectrum: residual"]
row, column = np.unravel_index(plane.argmax(), plane.shape)
print(f"largest contribution at {abs(row - 16)}/32 up or down, {column}/32 right")

# %%
# The features average the powers at the vertical frequencies v and -v, so that both
# contribute the same.

# %%
# A correlation has places
# ------------------------
# The published rule correlates pixels. Each pixel contributes a product to the sum;
# over squares of 8 pixels they can be read. Where the image is flat, the residual is
# mostly fingerprint; edges and texture drown it.

correlating = make_pipeline(ResidualExtractor(), FingerprintClassifier())
correlating.fit(images[fit], y[fit])
_ = ContributionDisplay.from_estimator(correlating, image, source=name)
plt.show()

# %%
# What follows
# ------------
# Contributions say what moved the classifier. If that is a frequency that no
# up-sampling explains, or the spectrum's low end, where scenes differ, look for a
# difference between the sources that is none of theirs: other subjects, another size, a
# JPEG history.

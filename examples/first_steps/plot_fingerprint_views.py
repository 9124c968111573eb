"""
==================================
What does a fingerprint look like?
==================================

After this example you can look at the fingerprints of your sources in four ways: as
pictures, as spectra, by their autocorrelation and by frequency alone. A fingerprint is
the mean of the noise residuals of one source. It is faint, about one grey level or
less, so it is amplified here.
"""

# %%
# Residuals and their means
# -------------------------
# Nothing is attributed here, so we may use all 80 images of each network.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import load_generators
from skfingerprint.metrics import energy_curve
from skfingerprint.plotting import (
    AutocorrelationDisplay,
    FingerprintDisplay,
    SpectrumDisplay,
)
from skfingerprint.spectrum import autocorrelation, power_spectrum, radial_profile

# sphinx_gallery_thumbnail_number = 1
data = load_generators()
names = data.target_names
y = names[data.target]
pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
pipeline.fit(data.images, y)
fingerprints = pipeline[-1].fingerprints_
print(f"{len(y)} images of {len(names)} networks, each {data.images.shape[1:]}")

# %%
# The pictures
# ------------
# Grey is 0. Every picture has its own amplification, written above it: without it, all
# eight would be plain grey. The middle 32 x 32 pixels show the texture.

plt.rcParams["font.size"] = 7
_, axes = plt.subplots(2, 4, figsize=(6.5, 4), layout="constrained")
_ = FingerprintDisplay.from_estimator(pipeline, size=32, ax=axes)

# %%
# A mean of 80 residuals holds noise as well. How much of its energy is fingerprint?
# Average two halves apart: their noise is independent, so the mean product of the two
# is the energy of what they share. It may come out below 0 where there is nothing to
# share.

residuals = pipeline[:-1].transform(data.images)
print("standard deviation (grey levels), share of the energy that two halves agree on")
for name, fingerprint in zip(names, fingerprints, strict=True):
    curve = energy_curve(
        residuals[y == name], n_images=[80], n_draws=50, random_state=0
    )
    share = curve.unbiased[0] / curve.energy[0]
    print(f"{fingerprint.std():.2f}  {share:4.0%}  {name}")

# %%
# Read the pictures with these shares in mind. Where the share is small, most of the
# texture is the noise of 80 images and not the network's.
#
# The spectra
# -----------
# Networks enlarge their feature maps step by step. Each step leaves a grid, and a grid
# is a set of isolated bright points in the spectrum. The middle is frequency 0, the
# border half a cycle per pixel, which is a period of 2 px.

plt.rcParams["font.size"] = 8
_, axes = plt.subplots(4, 2, figsize=(6.5, 9.5), layout="constrained")
SpectrumDisplay.from_estimator(pipeline, ax=axes)

print("strongest frequency (cycles per px, down and right),")
print("and the share of all power in the 16 strongest of 64 x 64 points")
for name, fingerprint in zip(names, fingerprints, strict=True):
    power = power_spectrum(fingerprint).mean(axis=2)
    down, right = np.unravel_index(power.argmax(), power.shape)
    frequencies = abs(down / power.shape[0] - 0.5), abs(right / power.shape[1] - 0.5)
    share = np.sort(power, axis=None)[-16:].sum() / power.sum()
    print("{:.2f}, {:.2f}".format(*frequencies), f" {share:4.0%}  {name}")

# %%
# The autocorrelation
# -------------------
# The same facts, in pixels. A lattice of spots with a spacing of 4 px says that the
# pattern repeats every 4 px. A single spot in the middle says that it does not repeat.
# Each picture has its own color range, and shift 0, always 1, is left out of it.

_, axes = plt.subplots(4, 2, figsize=(6.5, 9.5), layout="constrained")
AutocorrelationDisplay.from_estimator(pipeline, size=25, ax=axes)

print("correlation of the fingerprint with itself, shifted along the rows")
print("shift (px)  " + "".join(f"{shift:6d}" for shift in (1, 2, 3, 4, 8)))
for name, fingerprint in zip(names, fingerprints, strict=True):
    surface = autocorrelation(fingerprint).mean(axis=2)
    middle = np.array(surface.shape) // 2
    values = [surface[middle[0], middle[1] + shift] for shift in (1, 2, 3, 4, 8)]
    print("            " + "".join(f"{value:+6.2f}" for value in values) + f"  {name}")

# %%
# By frequency alone
# ------------------
# Averaged over rings, the spectrum loses its directions and becomes a curve. The dashed
# line is what 80 residuals without any fingerprint would leave: the mean power of
# single residuals, divided by 80. What lies above it is shared by the images.

fig, axes = plt.subplots(
    2, 4, figsize=(6.5, 4.5), sharex=True, sharey=True, layout="constrained"
)
for ax, name, fingerprint in zip(axes.flat, names, fingerprints, strict=True):
    own = residuals[y == name]
    single = np.mean([power_spectrum(residual) for residual in own], axis=0)
    curves = {
        "fingerprint": (power_spectrum(fingerprint), "#0072B2", "-"),
        "noise of 80 residuals": (single / len(own), "#D55E00", "--"),
    }
    for label, (power, color, line) in curves.items():
        profile = radial_profile(power.mean(axis=2))
        ax.semilogy(profile.frequency, profile.power, line, color=color, label=label)
    ax.set_title(name, fontsize="small")
    ax.grid(color="0.9")
fig.supxlabel("Frequency (cycles per px)")
fig.supylabel("Power (grey levels²)")
handles, labels = axes.flat[0].get_legend_handles_labels()
fig.legend(handles, labels, loc="outside upper center", ncols=2)
plt.show()

# %%
# What the views do not show
# --------------------------
# Peaks are easy to see, but not all of a fingerprint is peaks. Compare the share of the
# 16 strongest points with the share that two halves agree on: for one of the networks
# that draw faces, the first is far smaller. These two networks show nothing but faces,
# and four of the ten photographs behind the other six are grey. A little of what is
# common to the images of a source may therefore be content. Only the attribution of
# unseen scenes says whether a pattern belongs to the source.

"""
=============
Which camera?
=============

After this example you can distinguish cameras of one model, find the camera of a
cropped photograph, map a splice, and sort photographs by camera. Cameras of one model
share patterns of rows and columns; their photosites differ in how they convert light.
The shared patterns are removed, and the fingerprints are made of flat fields.
"""

# %%
# Four cameras of two models
# --------------------------
# Each photosite of a device is a little better or worse than its neighbors, by 1.5 %:
# PRNU, which multiplies the light. All devices of a model add the same rows and
# columns. The fingerprints come from flat fields, and scenes are attributed. All
# cameras are simulated.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from skfingerprint import (
    FingerprintClassifier,
    FingerprintLocalizer,
    LinearPatternRemover,
    ResidualClustering,
    ResidualExtractor,
    SpectrumFlattener,
)
from skfingerprint.datasets import make_fingerprint_images
from skfingerprint.files import load_fingerprints, save_fingerprints
from skfingerprint.metrics import same_and_cross_correlations
from skfingerprint.plotting import (
    CorrelationHistogramDisplay,
    CorrelationMatrixDisplay,
    ScoreMapDisplay,
)

# sphinx_gallery_thumbnail_number = 2
rng = np.random.default_rng(0)
cameras = np.array(["model A, 1", "model A, 2", "model B, 1", "model B, 2"])
shape = (192, 192)
gains = 1 + 0.015 * rng.standard_normal((4, *shape))
models = rng.standard_normal((2, shape[0], 1)) + rng.standard_normal((2, 1, shape[1]))


def photograph(light, camera):
    """Return what a camera makes of light: gains, its model's lines, and noise."""
    picture = light * gains[camera] + 5 * models[camera // 2]
    picture += rng.normal(0, 2, light.shape)
    return picture.round().clip(0, 255).astype(np.uint8)


scenes, _ = make_fingerprint_images(
    40, 1, image_shape=shape, strength=0, random_state=0
)
own = np.repeat(np.arange(4), 10)
flat = np.stack([photograph(np.full(shape, 160.0), camera) for camera in own])
taken = np.stack([photograph(s, c) for s, c in zip(scenes, own, strict=True)])

# %%
# With and without the clean-up
# -----------------------------
# :class:`~skfingerprint.LinearPatternRemover` takes row and column means off each
# residual. :class:`~skfingerprint.SpectrumFlattener` attenuates what is periodic, which
# is little more here. Never use either for networks: the periodic part is their
# fingerprint.

cleanups = {
    "no clean-up": [],
    "LinearPatternRemover": [LinearPatternRemover()],
    "and SpectrumFlattener": [LinearPatternRemover(), SpectrumFlattener()],
}
fitted = {}
for name, steps in cleanups.items():
    model = make_pipeline(ResidualExtractor(), *steps, FingerprintClassifier())
    fitted[name] = model.fit(flat, cameras[own])
    scores = model.decision_function(taken)
    samples = same_and_cross_correlations(cameras[own], scores, model.classes_)
    right = model.score(taken, cameras[own])
    print(
        f"{right:.2f} right, AUC {samples.auc:.3f}, correlation with the own "
        f"{samples.same.mean():.3f}, with others {samples.cross.mean():.3f}, {name}"
    )

fig, axes = plt.subplots(2, 1, figsize=(6.5, 8), layout="constrained")
for ax, name in zip(axes, ["no clean-up", "LinearPatternRemover"], strict=True):
    CorrelationMatrixDisplay.from_estimator(fitted[name], taken, cameras[own], ax=ax)
    ax.set_title(name, fontsize="medium")

# %%
# Without the clean-up the two devices of a model resemble each other.
#
# One camera against the others
# -----------------------------

_, ax = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
CorrelationHistogramDisplay.from_estimator(
    fitted["LinearPatternRemover"], taken, cameras[own], source=cameras[0], ax=ax
)

# %%
# A cropped photograph
# --------------------
# It matches at another shift, and not where it lies. The peak-to-correlation energy
# looks at all shifts up to `max_shift`, and says which.

searching = make_pipeline(
    ResidualExtractor(),
    LinearPatternRemover(),
    FingerprintClassifier(statistic="pce", max_shift=16),
)
size = 160
crop = taken[:1, 10 : 10 + size, 6 : 6 + size]
parts = flat[:, :size, :size]
aligned = clone(searching).set_params(fingerprintclassifier__max_shift=0)
for name, model in {"aligned only": aligned, "over shifts": searching}.items():
    model.fit(parts, cameras[own])
    energies = model.decision_function(crop)[0]
    print(f"{name}: {model.predict(crop)[0]}, energies {energies.astype(int).tolist()}")
shift = searching[-1].find_shifts(searching[:-1].transform(crop))[0, 0]
print(f"shift down and right {shift.tolist()}; 60 is a usual threshold for energies")

# %%
# A splice, and photographs without labels
# ----------------------------------------
# :class:`~skfingerprint.FingerprintLocalizer` says which part of a photograph is not
# its camera's, :class:`~skfingerprint.ResidualClustering` sorts photographs by cameras
# that nobody has named. Both take the cleaned residuals. Of so small photographs the
# flat fields are sorted rightly, and the scenes are left alone.

cleaned = fitted["LinearPatternRemover"][:-1]
residuals = cleaned.transform(taken)
localizer = FingerprintLocalizer(window_size=32).fit(residuals, cameras[own])
splice = taken[0].copy()
splice[40:120, 90:170] = taken[-1][40:120, 90:170]
question = {"source": cameras[3], "background": cameras[0]}
spliced = cleaned.transform(splice[np.newaxis])
found = localizer.predict_mask(spliced, **question)[0]
truth = np.zeros(shape, bool)
truth[40:120, 90:170] = True
print(f"{found[truth].mean():.2f} of the spliced part is found, "
      f"{found[~truth].mean():.2f} of the rest is taken for it")  # fmt: skip
_, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
ScoreMapDisplay(splice, localizer.score_map(spliced, **question)[0], mask=truth).plot(
    ax
)

mixed = np.concatenate([cleaned.transform(flat), residuals[::2]])
clusters = ResidualClustering(random_state=0).fit_predict(mixed)
index = adjusted_rand_score(np.concatenate([own, own[::2]]), clusters)
alone = np.mean(clusters[len(flat) :] == -1)
print(f"{clusters.max() + 1} cameras found in {len(clusters)} photographs, "
      f"adjusted Rand index {index:.2f}, "
      f"{alone:.2f} of the scenes are left alone")  # fmt: skip

# %%
# Keep the fingerprints
# ---------------------
# In a file that holds no image and runs nothing when it is read.

keep = fitted["LinearPatternRemover"]
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "cameras.npz"
    save_fingerprints(keep[-1], path)
    again = make_pipeline(*keep[:-1], load_fingerprints(path))
    same = again.predict(taken) == keep.predict(taken)
    print(f"{path.stat().st_size / 1024:.0f} KiB, answers as before: {same.all()}")
plt.show()

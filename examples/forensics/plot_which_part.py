"""
=========================
Which part was generated?
=========================

Two parts of a photograph were replaced by what networks made of them. The eye sees
nothing. Which parts, and by which network? And what if nobody knows the network?
"""

# %%
# A photograph that was tampered with
# -----------------------------------
# Six of the embedded networks enlarged photographs that scikit-image ships. We put a
# tile of `srgan-gan` and one of `acnet-gan` back to where they come from.

import matplotlib.pyplot as plt
import numpy as np
from skimage import data as photographs

from skfingerprint import WindowedClassifier
from skfingerprint.datasets import load_generators
from skfingerprint.plotting import ScoreMapDisplay

data = load_generators()
names = data.target_names[data.target]
size = 64  # of a tile


def read_photograph(scene):
    """Return a photograph in colour."""
    photograph = getattr(photographs, scene)()
    return np.stack([photograph] * 3, axis=2) if photograph.ndim == 2 else photograph


def cut(photograph):
    """Return the tiles of a photograph, and where they start."""
    height, width = photograph.shape[:2]
    starts = [
        (top, left)
        for top in range(0, height - size + 1, size)
        for left in range(0, width - size + 1, size)
    ]
    return np.stack([photograph[t : t + size, l : l + size] for t, l in starts]), starts


photograph = read_photograph("astronaut")
image, truth = photograph.copy(), np.zeros(photograph.shape[:2], dtype=bool)
tiles, starts = cut(photograph)
for name, number in (("srgan-gan", 4), ("acnet-gan", 6)):
    tile = data.images[(names == name) & (data.groups == "astronaut")][number]
    differences = np.abs(tiles.astype(float) - tile).mean(axis=(1, 2, 3))
    top, left = starts[differences.argmin()]
    image[top : top + size, left : left + size] = tile
    truth[top : top + size, left : left + size] = True
    print(f"{name} at {top}, {left}: differs by {differences.min():.1f} grey levels")

# %%
# Fit on other scenes
# -------------------
# The networks' tiles of the nine other scenes, and tiles of these photographs as a
# class of their own. Only five networks are known: `acnet-gan` is left out, and stands
# for one that nobody has heard of.

scenes = np.setdiff1d(np.unique(data.groups[names == "srgan-gan"]), "astronaut")
known = np.isin(data.groups, scenes) & (names != "acnet-gan")
X, y, groups = [data.images[known]], [names[known]], [data.groups[known]]
rng = np.random.default_rng(0)
for scene in scenes:
    tiles, _ = cut(read_photograph(scene))
    X.append(rng.permutation(tiles)[:16])
    y.append(np.full(len(X[-1]), "photograph"))
    groups.append(np.full(len(X[-1]), scene))
X, y, groups = map(np.concatenate, (X, y, groups))
model = WindowedClassifier(cv=3).fit(X, y, groups=groups)
print(f"{len(y)} tiles of {len(model.classes_)} classes")

# %%
# Two questions
# -------------
# Where is it `srgan-gan` rather than a photograph? And where is it anything but a
# photograph? Red is above the threshold and blue below; black lines surround the mask,
# yellow ones what was replaced.

fig, axes = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
axes[0].imshow(image)
axes[0].set_axis_off()
axes[0].set_title("What is shown")
questions = {
    "Where is it srgan-gan?": {"source": "srgan-gan", "background": "photograph"},
    "Where is it no photograph?": {"background": "photograph"},
}
for ax, (title, asked) in zip(axes[1:], questions.items(), strict=True):
    display = ScoreMapDisplay.from_estimator(model, image, **asked, mask=truth, ax=ax)
    ax.set_title(title)
    mask = display.score_map >= display.threshold
    print(
        f"{title} {mask[truth].mean():.2f} of the replaced pixels, "
        f"{mask[~truth].mean():.3f} of the others"
    )
plt.show()

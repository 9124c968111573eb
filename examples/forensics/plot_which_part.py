"""
=========================
Which part was generated?
=========================

After this example you can draw a map of the parts of a photograph that a network made,
with the name of the network or without it. A classifier of small windows judges each
place of the photograph.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data as photographs
from sklearn.metrics import roc_auc_score

from skfingerprint import WindowedClassifier
from skfingerprint.datasets import load_generators
from skfingerprint.plotting import ScoreMapDisplay

data = load_generators()
names = data.target_names[data.target]
side = 64  # of a tile


def cut(scene):
    """Return a photograph as rows and columns of tiles."""
    photograph = getattr(photographs, scene)()
    if photograph.ndim == 2:
        photograph = np.stack([photograph] * 3, axis=2)
    n_rows, n_columns = (length // side for length in photograph.shape[:2])
    photograph = photograph[: n_rows * side, : n_columns * side]
    return photograph.reshape(n_rows, side, n_columns, side, 3).swapaxes(1, 2)


# %%
# Fit on whole images
# -------------------
# Six of the embedded networks enlarged photographs that scikit-image ships. The
# classifier is fitted on images of these networks, and on tiles of the photographs,
# which are a class of their own. One photograph is kept for the test.

scenes = np.setdiff1d(data.groups[names == "srgan-gan"], "astronaut")
known = np.isin(data.groups, scenes)
X, y, groups = [data.images[known]], [names[known]], [data.groups[known]]
rng = np.random.default_rng(0)
for scene in scenes:
    X.append(rng.permutation(cut(scene).reshape(-1, side, side, 3))[:24])
    y.append(np.full(len(X[-1]), "photograph"))
    groups.append(np.full(len(X[-1]), scene))
X, y, groups = map(np.concatenate, (X, y, groups))
model = WindowedClassifier(cv=3).fit(X, y, groups=groups)
print(f"{len(y)} images of {len(model.classes_)} classes")

# %%
# A photograph with replaced parts
# --------------------------------
# Two tiles of the photograph are replaced by what `srgan-gan` made of them.

tiles = cut("astronaut")
replaced, truth = tiles.copy(), np.zeros(tiles.shape[:2], dtype=bool)
for tile in data.images[(names == "srgan-gan") & (data.groups == "astronaut")][[0, 4]]:
    differences = np.abs(tiles.astype(float) - tile).mean(axis=(2, 3, 4))
    place = np.unravel_index(differences.argmin(), truth.shape)
    replaced[place], truth[place] = tile, True
    print(f"a tile differs by {differences.min():.1f} grey levels a pixel")
photograph, image = (
    stack.swapaxes(1, 2).reshape(len(tiles) * side, -1, 3)
    for stack in (tiles, replaced)
)
truth = truth.repeat(side, axis=0).repeat(side, axis=1)

# %%
# Where is it from srgan-gan?
# ---------------------------
# The score of a place says how well it fits `srgan-gan` rather than a photograph. Red
# is above the threshold and blue below it. Black lines surround the mask, yellow dashed
# lines the parts that were replaced.


def print_shares(display):
    """Print how well a map agrees with the truth."""
    area = roc_auc_score(truth.ravel(), display.score_map.ravel())
    mask = display.score_map >= display.threshold
    print(f"{display.label}: {mask[truth].mean():.1%} of the replaced pixels and "
          f"{mask[~truth].mean():.1%} of the others are in the mask; area under the "
          f"ROC curve of the pixels {area:.3f}")  # fmt: skip


plt.rcParams["font.size"] = 9
fig, (left, right) = plt.subplots(1, 2, figsize=(4.6, 2.5), layout="constrained")
left.imshow(image)
left.set_title("Two squares are fake", fontsize=9)
left.set_axis_off()
display = ScoreMapDisplay.from_estimator(
    model, image, source="srgan-gan", background="photograph", mask=truth, ax=right
)
display.colorbar_.remove()
right.set_title("Red: from srgan-gan", fontsize=9)
print_shares(display)
fig.savefig("which_part.png", dpi=150)

# %%
# Where is it no photograph?
# --------------------------
# Nobody has to know the network: the score says how well a place fits any of the fitted
# networks rather than a photograph. The change itself is seen on the left only because
# we have the original photograph.

fig, (left, right) = plt.subplots(1, 2, figsize=(6.5, 3), layout="constrained")
left.imshow(np.abs(image.astype(float) - photograph).max(axis=2), "gray", vmax=25)
left.set_title("The change, amplified tenfold")
left.set_axis_off()
display = ScoreMapDisplay.from_estimator(
    model, image, background="photograph", mask=truth, ax=right
)
print_shares(display)
plt.show()

# %%
# How to read the maps
# --------------------
# Both parts stand out, with a name and without. The lower half of the second part is
# the black of the suit, where there is nothing to see: it stays undecided. The mask may
# hold a stated share of false pixels, which are the specks elsewhere; a part that was
# replaced is larger. Nine photographs are few. A network that was not fitted is found
# less surely: see :ref:`where`.

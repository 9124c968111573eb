"""
=========================================
What JPEG compression leaves of the trace
=========================================

Images are rarely found as the network made them. JPEG discards what the eye does not
miss, and fingerprints are such a thing. How much accuracy is left, and does it help to
fit on images of the same quality?
"""

# %%
# Compress and decode
# -------------------
# Pillow does it in memory. Beside `quality` there is a second knob: by default most
# programs also halve the resolution of the colours (4:2:0). Both cases are measured.

import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import load_generators

data = load_generators()
names = data.target_names
y = names[data.target]
qualities = [100, 95, 90, 80, 70, 60, 50]
colours = {"full colour (4:4:4)": "4:4:4", "halved colour (4:2:0)": "4:2:0"}


def compress(image, quality, subsampling):
    """Return an image after a round trip through JPEG."""
    file = io.BytesIO()
    jpeg = Image.fromarray(image)
    jpeg.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


# %%
# Two classifiers for each quality
# --------------------------------
# One is fitted on clean images, as they come from a network that you can run yourself.
# One is fitted on images of the same quality as the test images. Both are tested on the
# same compressed images of scenes that they have not seen, in five grouped folds.

extractor = ResidualExtractor()
splitter = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
folds = list(splitter.split(data.images, y, data.groups))


def attribute(train_residuals, test_residuals):
    """Whether each image is attributed rightly, out of fold."""
    right = np.empty(len(y))
    for train, test in folds:
        classifier = FingerprintClassifier().fit(train_residuals[train], y[train])
        right[test] = classifier.predict(test_residuals[test]) == y[test]
    return right


def scene_error(values):
    """Return the standard error of a mean, with whole scenes as the units."""
    mean_of_source = np.bincount(data.target, values) / np.bincount(data.target)
    scene = np.unique(data.groups, return_inverse=True)[1]
    sums = np.bincount(scene, values - mean_of_source[data.target])
    return np.sqrt(np.square(sums).sum()) / len(values)


clean = extractor.transform(data.images)
uncompressed = attribute(clean, clean)
print(f"{len(y)} images, chance {1 / len(names):.3f}, mean +- standard error")
print(f"not compressed: {uncompressed.mean():.3f} +- {scene_error(uncompressed):.3f}")

fits = ("fitted on clean images", "fitted on the same quality")
right = {}
for colour, subsampling in colours.items():
    print(f"\n{colour}\nquality    clean fit    same quality    difference")
    for quality in qualities:
        images = [compress(image, quality, subsampling) for image in data.images]
        compressed = extractor.transform(np.stack(images))
        values = [attribute(clean, compressed), attribute(compressed, compressed)]
        right |= {(colour, fits[i], quality): values[i] for i in range(2)}
        gain = values[1] - values[0]
        row = [f"{v.mean():.3f} +- {scene_error(v):.3f}" for v in values]
        row.append(f"{gain.mean():+.3f} +- {scene_error(gain):.3f}")
        print(f"{quality:7d}   " + "   ".join(row))

# %%
# The standard errors take scenes as units: the images of one photograph stand or fall
# together. The error of the difference is that of the paired images.
#
# Accuracy by quality
# -------------------

fig, axes = plt.subplots(1, 2, figsize=(11, 4.3), sharey=True, layout="constrained")
for ax, colour in zip(axes, colours, strict=True):
    for fit, shade, style in zip(
        fits, ("#0072B2", "#D55E00"), ("o-", "s--"), strict=True
    ):
        series = [right[colour, fit, quality] for quality in qualities]
        ax.errorbar(
            qualities,
            [values.mean() for values in series],
            [scene_error(values) for values in series],
            fmt=style,
            color=shade,
            capsize=4,
            label=fit,
        )
    ax.axhline(uncompressed.mean(), color="0.3", linestyle="-.", label="not compressed")
    ax.axhline(1 / len(names), color="0.3", linestyle=":", label="chance")
    ax.set(xlabel="JPEG quality", title=colour, ylim=(0, 1))
    ax.invert_xaxis()
axes[0].set_ylabel("Accuracy ± standard error")
_ = axes[1].legend(loc="upper right", bbox_to_anchor=(1, 0.82))

# %%
# Who survives?
# -------------
# Recall by source after compression with full colour, classifier fitted at the quality.

recall = np.array(
    [
        [right["full colour (4:4:4)", fits[1], q][y == name].mean() for q in qualities]
        for name in names
    ]
)
fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
ax.imshow(recall, "cividis", vmin=0, vmax=1, aspect="auto")
for (row, column), value in np.ndenumerate(recall):
    shade = "white" if value < 0.5 else "black"
    ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade)
ax.set_xticks(range(len(qualities)), qualities)
ax.set_yticks(range(len(names)), names)
ax.set(xlabel="JPEG quality", title="Recall of each source, 80 images each")
plt.show()

# %%
# What follows
# ------------
# Quality 95, which looks perfect, already costs much. With full colour, fitting on
# compressed images is nowhere better by as much as twice its error, and at 95 it is
# clearly worse. With halved colour it helps a little, at quality 100 and under the
# strongest compression. So clean images of a network, which one can often make, are no
# bad start; the traces that compression removed do not come back by training on it.
#
# Below quality 80 the mean is mostly carried by one network, whose pattern reaches down
# to low frequencies, and by the other one that draws faces. Both show nothing but
# faces, so a part of their lead may be content. The tiles are small: larger images hold
# more of what survives. And we compressed once, on a grid that starts at the tile's
# corner, with one encoder. A second compression, a resize or a crop in between is
# harder.

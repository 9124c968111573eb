"""
============================================
A folder of files, and the fingerprint in it
============================================

After this example you can load images from a folder for each source, with a damaged
file among them, measure how many are attributed rightly, look at the fingerprint in
single files, and keep the model.
"""

import os
import tempfile
import warnings
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skfingerprint import FingerprintClassifier, ResidualExtractor
from skfingerprint.datasets import (
    load_image_files,
    load_image_folder,
    write_generators,
)

# Put the path of your own folder in the place of these lines.
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
paths = write_generators(folder)
# A file that is cut short, as after an interrupted download.
whole = paths[0].read_bytes()
(paths[0].parent / "damaged_640.png").write_bytes(whole[: len(whole) // 2])

# %%
# Load
# ----
# By default the first file that can't be read stops the loading, and the error names
# it. With `on_error="warn"` such files are left out and named in one warning. It is
# caught here to print it; in your work, let it appear.
#
# `image_shape` is the part that is cut out of each image. These have that size already.
# Larger images are cut on a grid of 16 px, because a fingerprint is tied to its pixels:
# never resize.

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    data = load_image_folder(folder, image_shape=(64, 64), on_error="warn")
for warning in caught:
    print(str(warning.message).replace(str(folder) + os.sep, ""))
print(f"loaded: {data.images.shape} {data.images.dtype}")

# %%
# Fit, with some scenes held out
# ------------------------------
# The loader knows sources and file names, but not what the images show. Here the names
# of the files say it; yours may need a table. If no two of your images show the same
# thing, use :class:`~sklearn.model_selection.StratifiedKFold` without groups.
#
# The published rule is used here, whose fingerprints can be seen. The recommended
# pipeline, :func:`~skfingerprint.make_attribution_pipeline`, names more images rightly
# and goes in its place.

y = data.target_names[data.target]
groups = [Path(file).stem.rpartition("_")[0] for file in data.filenames]
folds = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=0)
train, test = next(folds.split(data.images, y, groups))
pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
pipeline.fit(data.images[train], y[train])

right = pipeline.predict(data.images[test]) == y[test]
print(f"{len(train)} images to learn from, {len(test)} of other scenes to attribute")
print(f"{right.mean():.1%} right, chance {1 / len(pipeline.classes_):.1%}")
for source in pipeline.classes_:
    own = right[y[test] == source]
    print(f"{own.sum()} of {len(own)}  {source}")

# %%
# One file, and another
# ---------------------
# A new image is a stack of one, as `load_image_files` gives it. A correlation is no
# probability: what counts is how far the largest stands out from what images of *other*
# sources reach with the same fingerprint. Here are the first file that is named
# rightly, and the last one that is named wrongly.

plt.rcParams["font.size"] = 7.5
test_scores = pipeline.decision_function(data.images[test])
fig, axes = plt.subplots(
    2, 4, figsize=(6.5, 3.9), layout="constrained", width_ratios=(1, 1, 1, 1.7)
)
for row, index in zip(axes, (test[right][0], test[~right][-1]), strict=True):
    file = data.filenames[index]
    stack = load_image_files([file]).images
    scores = pipeline.decision_function(stack)[0]
    answer = pipeline.predict(stack)[0]
    column = list(pipeline.classes_).index(answer)
    others = test_scores[(y[test] != answer) & (test != index), column]
    print(f"{Path(file).relative_to(folder)}: {answer}")
    for name, score in zip(pipeline.classes_, scores, strict=True):
        print(f"    {score:+.3f}  {name}")
    reached = np.sum(others >= scores[column])
    print(f"    {reached} of {len(others)} test images of other sources reach that")

    residual = pipeline[:-1].transform(stack)[0]
    fingerprint = pipeline[-1].fingerprints_[column]
    pictures = {
        f"File of {Path(file).parent.name}": stack[0] / 255,
        "its residual, amplified": 0.5 + residual / (6 * residual.std()),
        "the nearest fingerprint": 0.5 + fingerprint / (6 * fingerprint.std()),
    }
    for ax, (title, picture) in zip(row, pictures.items(), strict=False):
        ax.imshow(picture.clip(0, 1), interpolation="nearest")
        ax.set_title(title, fontsize="medium")
        ax.set_axis_off()
    row[3].hist(others, 20, color="#E69F00", label="test images of other sources")
    row[3].axvline(scores[column], color="#0072B2", linewidth=3, label="this file")
    row[3].set(
        xlabel=f"Correlation with {answer}",
        ylabel="Images",
        ylim=(0, 1.5 * row[3].get_ylim()[1]),
    )
    row[3].legend(fontsize="small", loc="upper left")

# %%
# The first file stands far out from the images of other sources. The second file does
# not, and its answer is wrong: its folder is another. A small largest correlation is a
# warning, whatever name comes with it.

# %%
# Keep the model
# --------------
# `joblib` stores the fitted pipeline. It holds the fingerprints and no image. Load only
# files that you trust: loading one can run code.

joblib.dump(pipeline, folder / "sources.joblib")
again = joblib.load(folder / "sources.joblib")
same = np.array_equal(again.predict(data.images), pipeline.predict(data.images))
size = (folder / "sources.joblib").stat().st_size
print(f"{size / 1024:.0f} KiB; answers as before: {same}")
temporary.cleanup()
plt.show()

# %%
# Before you trust it
# -------------------
# The classifier always names one of the sources that it was given. An image of another
# network gets one of these eight names, unless you state a rate of false alarms
# (:ref:`unknown_sources`). And the test images here come from the same programs and
# sizes as the training images: if your sources differ in size, JPEG history or subject,
# the classifier may have learned that and not the source.

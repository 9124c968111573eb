"""
================
A table of paths
================

After this example you can classify the rows of a table that has a column of image paths
beside columns of numbers, and cross-validate the classifier by scene.
"""

# %%
# The table
# ---------
# Every second image of eight networks, as a file with two numbers: the size of the file
# and the mean brightness.

import tempfile

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfingerprint import (
    AttributionFeatures,
    FingerprintClassifier,
    ImageReader,
    ResidualExtractor,
    SourceDiscriminant,
    Unflatten,
)
from skfingerprint.datasets import load_generators, write_generators
from skfingerprint.plotting import SourceConfusionDisplay

data = load_generators()
images, groups = data.images[::2], data.groups[::2]
paths = write_generators(tempfile.mkdtemp())[::2]
table = pd.DataFrame(
    {
        "path": paths,
        "bytes": [path.stat().st_size for path in paths],
        "brightness": images.mean(axis=(1, 2, 3)),
    }
)
y = data.target_names[data.target[::2]]
print(table.assign(path=table["path"].map(lambda path: path.name)).head())

# %%
# Images beside numbers
# ---------------------
# :class:`~skfingerprint.ImageReader` stands at the head of what happens to the column
# of paths. It reads files a few at a time: the images are never held together.

features = ColumnTransformer(
    [
        ("image", make_pipeline(ImageReader(), AttributionFeatures(n_jobs=2)), "path"),
        ("numbers", "passthrough", ["bytes", "brightness"]),
    ]
)
model = make_pipeline(features, StandardScaler(), SourceDiscriminant())
print(model)

# %%
# By scene, never at random
# -------------------------
# Images of one photograph are in one fold, or the classifier would learn photographs.

folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
answers = cross_val_predict(model, table, y, groups=groups, cv=folds)
numbers = make_pipeline(StandardScaler(), LogisticRegression())
alone = cross_val_predict(
    numbers, table[["bytes", "brightness"]], y, groups=groups, cv=folds
)
print(f"images and numbers {(answers == y).mean():.3f}")
print(f"numbers alone {(alone == y).mean():.3f}, chance {1 / 8:.3f}")

# %%
# Pixels in a table
# -----------------
# Some tables hold the pixels themselves, a row an image.
# :class:`~skfingerprint.Unflatten` says how a row folds.

flat = pd.DataFrame(images.reshape(len(y), -1))
correlation = make_pipeline(
    Unflatten((64, 64, 3)), ResidualExtractor(), FingerprintClassifier()
)
train, test = next(folds.split(flat, y, groups))
correlation.fit(flat.iloc[train], y[train])
print(f"correlation {correlation.score(flat.iloc[test], y[test]):.3f}")

# %%
# Who is taken for whom, by paths and numbers.

display = SourceConfusionDisplay.from_predictions(y, answers)
display.ax_.set_title("Eight networks, by a table of paths")
plt.show()

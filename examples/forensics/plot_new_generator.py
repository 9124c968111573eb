"""
=======================
A new generator appears
=======================

After this example you can find a new source among rejected images, name it, add it to
your pipeline, and see what the old sources lose by it. The rejected images are
clustered, looked at and named, and the new name is fitted beside the old ones.
"""

# %%
# Seven known sources
# -------------------
# One of eight networks, the last by name, is not known yet. The pipeline is fitted on
# half of the scenes of the other networks, with a rate of false alarms, and with a
# folder that keeps the features of images between fits. To be quick, it learns from
# unprocessed images alone.

import tempfile
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import StratifiedGroupKFold

from skfingerprint import (
    FingerprintClustering,
    PatchWhitener,
    make_attribution_pipeline,
)
from skfingerprint.datasets import load_generators
from skfingerprint.metrics import open_set_report

data = load_generators()
images, y, groups = data.images, data.target_names[data.target], data.groups
folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
first, second = next(folds.split(images, y, groups))
is_new = y == data.target_names[-1]
known = first[~is_new[first]]
pipeline = make_attribution_pipeline(
    perturbations=(), false_alarm_rate=0.01, memory=tempfile.mkdtemp()
)


def fit(places, names):
    """Fit the pipeline on some images."""
    start = time.process_time()
    pipeline.fit(images[places], names, groups=groups[places])
    print(f"{len(set(names))} sources: fitted in {time.process_time() - start:.0f} s")


def rate(places, names):
    """Print the share of images that are accepted, of all and of the worst source."""
    answers = pipeline.assess(images[places])
    shares, named = answers.false_alarm_probability, answers.source
    report = open_set_report(
        names, shares, np.unique(names), y_pred=named, rates=(0.1, 0.01)
    )
    for number, stated in enumerate(report.rate):
        print(f"rate {stated:5}: {report.detection_rate[number]:.1%} of "
              f"{len(places)} images, {report.lowest_detection_rate[number]:.1%} of "
              f"{report.lowest_detection_rate_source[number]}, "
              f"{report.wrong[number]:.1%} with a wrong name")  # fmt: skip


fit(known, y[known])
tested = second[~is_new[second]]
rate(tested, y[tested])

# %%
# Rejected images
# ---------------
# Further images arrive: those of the known networks above, and some of the new one, of
# scenes that were fitted. So no scene is fitted and tested later on. An image is
# rejected if it is of no known source, or if too little is left in it to name one.

arrived = np.concatenate([tested, first[is_new[first]]])
rejected = arrived[~pipeline.assess(images[arrived]).known]
print(f"{len(rejected)} of {len(arrived)} images are rejected, "
      f"{is_new[rejected].sum()} of them from the new network "
      f"({is_new[arrived].sum()} arrived)")  # fmt: skip

# %%
# Cluster and look
# ----------------
# The rejected images are clustered by source. They are clustered beside the accepted
# ones, since few images have few neighbors of their own source. On the contact sheet
# each line is a cluster, and begins with its medoid, the image with the largest mean
# cosine to the other images of the cluster. Each scene has eight images here, so 20
# neighbors reach beyond a scene.

whitener = PatchWhitener(random_state=0)
rows = whitener.fit_transform(images[arrived])
clustering = FingerprintClustering(n_neighbors=20, random_state=0).fit(rows)
labels, cosines = clustering.labels_, cosine_similarity(rows)
is_rejected = np.isin(arrived, rejected)

n_clusters = clustering.n_clusters_
fig, axes = plt.subplots(n_clusters, 9, figsize=(7, n_clusters), squeeze=False)
fig.subplots_adjust(0.01, 0.01, 0.99, 0.97, wspace=0.05, hspace=0.35)
for number, line in enumerate(axes):
    own = np.flatnonzero(labels == number)
    nearest = own[np.argsort(-cosines[np.ix_(own, own)].mean(axis=1))]
    for ax in line:
        ax.set_axis_off()
    for ax, place in zip(line, nearest, strict=False):
        ax.imshow(images[arrived[place]])
    text = (
        f"cluster {number}: {len(own)} images, {is_rejected[own].mean():.0%} rejected"
    )
    line[0].set_title(text, fontsize=9, loc="left")
    print(f"{text}, {is_new[arrived[own]].mean():.0%} from the new network")
print(f"{np.sum(labels < 0)} images are in no cluster")

# %%
# Name and fit
# ------------
# A source that is not known yet is a cluster of which nearly all images are rejected.
# It gets a name, and is fitted beside the old sources. Features of the old images are
# read from the folder.

shares = [is_rejected[labels == number].mean() for number in range(n_clusters)]
chosen = int(np.argmax(shares))
named = arrived[labels == chosen]
caught = is_new[named].sum() / is_new[arrived].sum()
print(f"cluster {chosen} has {caught:.0%} of the images from the new network")
fit(
    np.concatenate([known, named]),
    np.concatenate([y[known], np.full(len(named), "the new one")]),
)

# %%
# Before and after
# ----------------
# The old sources are tested on the same images as above, but for those that were named.

rest, later = np.setdiff1d(tested, named), second[is_new[second]]
rate(rest, y[rest])
print("Later images from the new network:")
rate(later, np.full(len(later), "the new one"))

# %%
# Without a new fit, further images can join the clusters that were found:

joined = clustering.predict(whitener.transform(images[later]))
print(f"{np.mean(joined == chosen):.0%} of them join cluster {chosen}")
plt.show()

# %%
# What follows
# ------------
# The old sources lose some of their detection rate at the stated rate of 0.01. The new
# one has 40 images of five scenes, and most of its later images are still unknown at
# this rate: few small images are not enough for it.
#
# A cluster is a suggestion. Look at it, and at where its images came from, before it
# gets a name: images of one history, such as those from one messenger, can be a
# cluster, too. :ref:`sphx_glr_gallery_forensics_plot_one_or_many.py` has more on
# clusters.

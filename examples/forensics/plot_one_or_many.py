"""
===================
One source or many?
===================

After this example you can sort images of unknown origin by source, without any label,
and see how many sources there are. Images of one source share a fingerprint; patches of
one image show how much is not due to the source. The labels below only judge the
result.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import cosine_similarity

from skfingerprint import FingerprintClustering, PatchWhitener
from skfingerprint.datasets import load_generators

data = load_generators()
order = np.random.default_rng(0).permutation(len(data.images))[::2]
images, truth = data.images[order], data.target_names[data.target[order]]

# %%
# Sort
# ----
# The features of one source point in one direction. The number of clusters need not be
# known.

rows = PatchWhitener(random_state=0).fit_transform(images)
clustering = FingerprintClustering(random_state=0).fit(rows)
labels, n_clusters = clustering.labels_, clustering.n_clusters_

print(f"{len(images)} images: {n_clusters} clusters of {len(set(truth))} sources")
print(f"adjusted Rand index {adjusted_rand_score(truth, labels):.3f}, chance 0")
for number in range(n_clusters):
    names, counts = np.unique(truth[labels == number], return_counts=True)
    found = ", ".join(f"{n} {name}" for n, name in zip(counts, names, strict=True))
    print(f"cluster {number}: {found}")

# %%
# Cosines of all pairs
# --------------------
# In the order of the clusters, one source is one bright square.

by_cluster = np.argsort(labels, kind="stable")
fig, ax = plt.subplots(figsize=(6.5, 5.5), layout="constrained")
shown = ax.imshow(cosine_similarity(rows[by_cluster]), cmap="RdBu_r", vmin=-1, vmax=1)
ends = np.cumsum(np.bincount(labels[labels >= 0])) + np.sum(labels < 0)
for end in ends[:-1]:
    ax.axhline(end - 0.5, color="black", linewidth=0.5)
    ax.axvline(end - 0.5, color="black", linewidth=0.5)
ax.set(xlabel="Image, by cluster", ylabel="Image, by cluster")
fig.colorbar(shown, label="Cosine of whitened features")

# %%
# What is in the clusters
# -----------------------
# The first images of each. The same scenes recur in six of them, since it is not
# content by which they were sorted; two networks draw faces only.

fig, axes = plt.subplots(
    n_clusters, 8, figsize=(6.5, 1.05 * n_clusters), layout="constrained"
)
for number, line in enumerate(axes):
    own = np.flatnonzero(labels == number)
    for ax, place in zip(line, own, strict=False):
        ax.imshow(images[place])
    for ax in line:
        ax.set_axis_off()
    line[0].set_title(f"cluster {number}, {len(own)} images", fontsize=9, loc="left")
plt.show()

# %%
# One source
# ----------
# A cloud of points can always be cut up. So it is asked first whether the images split
# better than random rows of their covariance do.

for name in sorted(set(truth))[::3]:
    own = PatchWhitener(random_state=0).fit_transform(images[truth == name])
    alone = FingerprintClustering(random_state=0).fit(own)
    print(f"{name} alone: {alone.n_clusters_} cluster(s)")

# %%
# What can't be sorted
# --------------------
# Fewer than eight images, sources of which there are only two or three, two trainings
# of one network that leave nearly the same, and images that were all compressed
# strongly. Images of a known source are better attributed by a classifier: see
# :ref:`one_or_many` for what was measured.

"""
=======================
A new generator appears
=======================

Some images are rejected, since none of the known sources made them. Is there one new
source among them? The rejected images are clustered, looked at and named, and the new
name is fitted beside the old ones. Do the old sources suffer?
"""

# %%
# Seven known sources
# -------------------
# One of eight networks is not known yet. The pipeline is fitted on half of the scenes of
# the others, with a rate of false alarms, and with a folder that keeps the features of
# images between fits.

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
from skfingerprint.metrics import delivery_report, open_set_report

data = load_generators()
images, y, groups = data.images, data.target_names[data.target], data.groups
folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
first, second = next(folds.split(images, y, groups))
unnamed = data.target_names[-1]
known = first[y[first] != unnamed]

pipeline = make_attribution_pipeline(
    perturbations=(), false_alarm_rate=0.01, memory=tempfile.mkdtemp()
)


def fit(places, names):
    """Fit the pipeline, and print the processor time that the fit takes."""
    start = time.process_time()
    pipeline.fit(images[places], names, groups=groups[places])
    print(f"{len(set(names))} sources: {time.process_time() - start:.1f} s")


def rate(known_sources):
    """Return the rates at which images of the second half are accepted."""
    answers = pipeline.assess(images[second])
    shares = answers.false_alarm_probability
    params = {"y_pred": answers.source, "rates": [0.01]}
    return open_set_report(y[second], shares, known_sources, **params)


fit(known, y[known])
before = rate(np.unique(y[known]))

# %%
# What is rejected
# ----------------
# Further images arrive: the second half of the scenes, from all eight networks. The
# rejected ones are of the new network, or images of known ones in which too little is
# left to name them.


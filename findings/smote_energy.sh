#!/usr/bin/env bash
# SMOTE on residuals makes images with two thirds of the noise.
#
# Guess before: synthetic rows have nearly the energy of real ones, so that oversampling
# a rare source does no harm where it does not help.
#
# Seen with imbalanced-learn 0.14.2 and scikit-learn 1.9.1, white noise in 512
# dimensions, 200 rows of one source and 20 of another without any difference between
# the two:
#   mean square of real rows        1.00
#   mean square of synthetic rows   0.67 (smallest 0.47)
#   an SVC fitted on the balanced rows names 100 % of the synthetic rows "rare", and 0 % of
#   new real rows of the rare source
# A point between two independent noises, at a random place, has 2/3 of their variance.
#
# For attribution: residuals are noise. The classifier learns that the rare source is
# quiet, and the score on oversampled rows is perfect for a task that nobody can solve.
# Weight rows instead (class_weight), or collect more images.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1 scikit-learn==1.9.1 \
    imbalanced-learn==0.14.2
"$folder/env/bin/python" - <<'PYTHON'
import numpy as np
from imblearn.over_sampling import SMOTE
from sklearn.svm import SVC

rng = np.random.default_rng(0)
rows = rng.normal(size=(220, 512))
sources = np.repeat([0, 1], [200, 20])
balanced, labels = SMOTE(random_state=0).fit_resample(rows, sources)
energy = (balanced**2).mean(axis=1)
classifier = SVC().fit(balanced, labels)
named = classifier.predict(balanced[220:]).mean()
real = classifier.predict(rng.normal(size=(500, 512))).mean()
print("energy", energy[:220].mean(), energy[220:].mean(), energy[220:].min())
print("named rare: synthetic", named, "real", real)
np.testing.assert_allclose(energy[220:].mean(), 0.67, atol=0.02)
assert named == 1 and real < 0.02
print("as described")
PYTHON

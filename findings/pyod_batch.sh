#!/usr/bin/env bash
# Two detectors of PyOD judge an image by the other images that are asked about with it.
#
# Guess before: the score of a row depends on the fit and on the row.
#
# Seen with pyod 3.6.7, 200 rows of 30 features fitted, as the share of 50 known rows
# (from the same distribution) that predict calls outliers at the default contamination,
# 10 %:
#            known rows alone   with 500 rows of a stranger (shifted by 6) in the same call
#   ECOD     12 %                82 %
#   COPOD     8 %               100 %
#   HBOS     16 %                16 %
#   KNN      22 %                22 %   (not run here; so do ten others that were tried)
# ECOD and COPOD append the rows of the call to those of the fit, and rank all of them
# anew. Many strangers in a call move the ranks, and the known rows end up in a tail.
#
# For attribution: a batch with many images of an unknown generator makes known images
# unknown. A threshold from single images does not hold for batches. Score rows one by
# one.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1 scikit-learn==1.9.1 \
    pyod==3.6.7
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS

rng = np.random.default_rng(0)
fitted, known = rng.normal(size=(200, 30)), rng.normal(size=(50, 30))
strangers = np.tile(known + 6, (10, 1))
for detector, expected in (
    (ECOD(), (0.12, 0.82)),
    (COPOD(), (0.08, 1.0)),
    (HBOS(), (0.16, 0.16)),
):
    detector.fit(fitted)
    alone = detector.predict(known).mean()
    mixed = detector.predict(np.vstack([known, strangers]))[:50].mean()
    print(type(detector).__name__, alone, mixed)
    np.testing.assert_allclose((alone, mixed), expected, atol=0.021)
print("as described")
PYTHON

#!/usr/bin/env bash
# OpenCV's normalized correlation of a flat patch is 1, a perfect match.
#
# Guess before: a patch without variance has no correlation: 0 or nan.
#
# Seen with OpenCV 5.0.0.93 and scikit-image 0.26.0, TM_CCOEFF_NORMED:
#   a flat template in a flat image              1.0 at each place; scikit-image 0
#   a flat template in a noisy image             1.0 at each place
#   noise in itself                              1.0 at its place
#   noise around 2,000 in itself, float32        0.85 at its place
# A template or a place without variance is given 1, and sums of float32 lose the
# variance of values that are large beside it.
#
# For attribution: residuals of saturated or painted parts are zero, and a search for
# the place of a crop by matchTemplate ends there with a perfect score. Check the
# variance of template and place, and subtract the mean before.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1 scikit-image==0.26.0 \
    opencv-python-headless==5.0.0.93
"$folder/env/bin/python" - <<'PYTHON'
import cv2
import numpy as np
from skimage.feature import match_template

rng = np.random.default_rng(0)
noise = rng.normal(size=(128, 128)).astype(np.float32)
flat = np.zeros((128, 128), np.float32)


def match(image, template):
    return cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED)


flat_in_flat = match(flat, flat[:16, :16])
flat_in_noise = match(noise, flat[:16, :16])
noise_in_flat = match(flat, noise[:16, :16])
itself = match(noise, noise[20:84, 20:84])[20, 20]
moved = match(noise + 2000, noise[20:84, 20:84] + 2000)[20, 20]
print(flat_in_flat.min(), flat_in_noise.min(), noise_in_flat.max(), itself, moved)
assert flat_in_flat.min() == 1 and flat_in_noise.min() == 1
assert match_template(flat, flat[:16, :16]).max() == 0
assert itself > 0.9999 and 0.8 < moved < 0.9
print("as described")
PYTHON

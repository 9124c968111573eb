#!/usr/bin/env bash
# SciPy's filters of uint8 images round down after each axis, and darken by a grey
# level.
#
# Guess before: gaussian_filter of a uint8 image computes in floats and rounds once.
#
# Seen with SciPy 1.17.1, noise around 128, as the mean difference from the filter of
# the same image as float, in grey levels:
#   gaussian_filter, each sigma tried    -1.0
#   uniform_filter, 3                    -0.67
#   zoom, 0.5, order 1                    0.0   transforms round to nearest
#   rotate, 5 degrees, order 1            0.0
# The filter of each axis writes into an array of the image's type, which cuts the
# fraction off, so that an image of two axes loses twice a half.
#
# For attribution: residuals that are an image less its smooth version have a mean of
# one grey level, which a correlation without centering takes for likeness, and steps of
# a whole grey level. Convert to float before you filter.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1
"$folder/env/bin/python" - <<'PYTHON'
import numpy as np
from scipy import ndimage

rng = np.random.default_rng(0)
image = np.clip(rng.normal(128, 20, (256, 256)), 0, 255).astype(np.uint8)
for name, function, expected in (
    ("gaussian 0.5", lambda x: ndimage.gaussian_filter(x, 0.5), -1.0),
    ("gaussian 2", lambda x: ndimage.gaussian_filter(x, 2), -1.0),
    ("uniform", lambda x: ndimage.uniform_filter(x, 3), -0.67),
    ("zoom", lambda x: ndimage.zoom(x, 0.5, order=1), 0.0),
    ("rotate", lambda x: ndimage.rotate(x, 5, reshape=False, order=1), 0.0),
):
    difference = function(image).astype(float) - function(image.astype(float))
    print(name, difference.mean().round(3))
    np.testing.assert_allclose(difference.mean(), expected, atol=0.02)
print("as described")
PYTHON

#!/usr/bin/env bash
# SciPy's Wiener filter takes an image to be black outside, and residuals get a common
# frame.
#
# Guess before: scipy.signal.wiener continues the image beyond its border as the filters
# of scipy.ndimage do, by reflection.
#
# Seen with SciPy 1.17.1, flat images with independent noise of 3 grey levels and
# windows of 5 x 5 pixels, as the mean correlation of the residuals of two images:
#   brightness                                    50     150     240
#   64 x 64 pixels                              0.05    0.30    0.52
#   128 x 128 pixels                            0.01    0.05    0.13
#   64 x 64, without a border of 2 pixels       0.00    0.00    0.00
# The corner of an image of brightness 150 is denoised to 140. signal.wiener pads with
# zeros. The mean and the variance of the weights' window are wrong within 2 pixels of
# the border, and so is the estimate of noise, which is a mean of variances over the
# whole image. signal.medfilt2d pads with zeros as well.
#
# For attribution: all images of this size resemble each other, by a frame that has
# nothing to do with a source, and bright images more than dark ones. Cut the border
# off, or pad by reflection before.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1
"$folder/env/bin/python" - <<'PYTHON'
import numpy as np
from scipy import signal

rng = np.random.default_rng(0)


def correlate(brightness, side, border):
    inner = slice(border, side - border)
    correlations = []
    for _ in range(20):
        images = brightness + rng.normal(0, 3, (2, side, side))
        residuals = [image - signal.wiener(image, 5) for image in images]
        pair = [residual[inner, inner].ravel() for residual in residuals]
        correlations.append(np.corrcoef(pair)[0, 1])
    return np.mean(correlations)


for side, border, expected in (
    (64, 0, (0.05, 0.30, 0.52)),
    (128, 0, (0.01, 0.05, 0.13)),
    (64, 2, (0.0, 0.0, 0.0)),
):
    found = [correlate(brightness, side, border) for brightness in (50, 150, 240)]
    print(side, border, np.round(found, 3))
    np.testing.assert_allclose(found, expected, atol=0.03)
corner = signal.wiener(150 + rng.normal(0, 3, (64, 64)), 5)[0, 0]
middle = signal.medfilt2d(np.full((9, 9), 150.0), 5)[0, 0]
print("corner", corner, middle)
assert corner < 145 and middle == 0
print("as described")
PYTHON

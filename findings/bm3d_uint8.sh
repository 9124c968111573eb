#!/usr/bin/env bash
# BM3D denoises an image of uint8 otherwise than the same image as float.
#
# Guess before: bm3d converts its input to float32, so that equal values give equal
# results, and a bright pixel changes its neighborhood only.
#
# Seen with bm3d 4.0.3 and bm4d 4.2.5, 96 x 96 pixels, noise of 5 grey levels, which is
# also the sigma, in grey levels:
#                          largest difference from float   error from the clean image
#   float or int64         0                               3.51
#   uint8                  3.0                             3.49
#   uint8, first stage     9.9
# The search for similar blocks scales its limit by the square of the image's range, and
# the square of a uint8 overflows. For the same reason the limit depends on the
# brightest and the darkest pixel: one pixel of the value 1,000 in a corner changes
# pixels that are 50 and more away by 1.8 grey levels. No pixel is wrong for that; it is
# another denoiser.
#
# For attribution: residuals of one collection differ by the type in which the images
# were handed over, and an image is not denoised like its own crop. Convert to float.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1 Pillow==13.0.0 \
    PyWavelets==1.9.0 bm4d==4.2.5 bm3d==4.0.3
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import numpy as np
from bm3d import BM3DStages, bm3d
from PIL import Image

rng = np.random.default_rng(0)
small = Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8))
clean = np.asarray(small.resize((96, 96), Image.Resampling.BICUBIC))
noisy = clean + rng.normal(0, 5, (96, 96))
image = np.clip(noisy, 0, 255).round().astype(np.uint8)
plain = bm3d(image.astype(float), 5.0)
found = {
    kind: np.abs(bm3d(image.astype(kind), 5.0) - plain).max()
    for kind in ("float32", "int64", "uint8")
}
first = [
    bm3d(image.astype(kind), 5.0, stage_arg=BM3DStages.HARD_THRESHOLDING)
    for kind in ("float64", "uint8")
]
found["first stage"] = np.abs(first[0] - first[1]).max()
errors = [np.sqrt(((bm3d(z, 5.0) - clean) ** 2).mean()) for z in (image * 1.0, image)]
bright = image.astype(float)
bright[0, 0] = 1000
found["far away"] = np.abs(bm3d(bright, 5.0) - plain)[50:, 50:].max()
print(found, errors)
assert found["float32"] < 0.01 and found["int64"] < 0.01
np.testing.assert_allclose((found["uint8"], found["first stage"]), (3, 9.9), atol=0.3)
assert found["far away"] > 0.5
print("as described")
PYTHON

#!/usr/bin/env bash
# OpenCV's non-local means of strength 0 changes a color image.
#
# Guess before: with h = 0 a pixel is averaged with equal patches only, so that the
# image comes back, up to rare rounding.
#
# Seen with OpenCV 5.0.0.93, a colored picture of 192 x 192 pixels, as the largest and
# the mean absolute change in grey levels:
#   fastNlMeansDenoising, one channel, h=0        1   0.0
#   fastNlMeansDenoisingColored, h=0, hColor=0    5   0.7
#   the same with 1 and 1                         6   0.7
#   BGR to Lab and back, 8 bits                  18   0.6
# The function for color images converts to Lab in 8 bits, denoises, and converts back.
#
# For attribution: the residual of this denoiser holds 0.7 grey levels of rounding,
# which the content determines and which is as strong as the noise of a good sensor.
# Denoise channels one by one.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 \
    opencv-python-headless==5.0.0.93
"$folder/env/bin/python" - <<'PYTHON'
import cv2
import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
image = np.asarray(picture)
gray = image[..., 0].copy()
lab = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2Lab), cv2.COLOR_Lab2BGR)
for name, before, after, expected in (
    ("gray", gray, cv2.fastNlMeansDenoising(gray, None, 0), (1, 0.0)),
    ("0", image, cv2.fastNlMeansDenoisingColored(image, None, 0, 0), (5, 0.7)),
    ("1", image, cv2.fastNlMeansDenoisingColored(image, None, 1, 1), (6, 0.7)),
    ("Lab", image, lab, (18, 0.56)),
):
    change = np.abs(after.astype(int) - before)
    print(name, change.max(), change.mean().round(3))
    np.testing.assert_allclose((change.max(), change.mean()), expected, atol=0.05)
print("as described")
PYTHON

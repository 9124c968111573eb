#!/usr/bin/env bash
# OpenCV's gray image depends on when it is made, and on the format of the file.
#
# Guess before: imread(path, IMREAD_GRAYSCALE) equals imread(path) and cvtColor, up to
# rare rounding.
#
# Seen with OpenCV 5.0.0.93 and Pillow 13.0.0, one colored picture of 192 x 192 pixels,
# as the share of other pixels, the largest difference, and the mean of the signed
# difference in grey levels, of IMREAD_GRAYSCALE from cvtColor:
#   PNG      50 %   1   -0.5   the PNG library rounds down
#   JPEG      1 %   3    0.0   luma of the file, without a way over red, green and blue
#   WebP      0 %   0    0.0
# Pillow's convert("L") is within one grey level of cvtColor, and 0.0 in the mean.
#
# For attribution: a gray image of PNG files lies half a grey level lower, so gray
# levels and their lowest bits tell PNG from JPEG, and a program with one flag from one
# without. Read colors, and convert them in one place.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 \
    opencv-python-headless==5.0.0.93
"$folder/env/bin/python" - <<'PYTHON'
import io

import cv2
import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
expected = {"PNG": (0.5, 1, -0.5), "JPEG": (0.005, 3, 0), "WEBP": (0, 0, 0)}
for form, values in expected.items():
    file = io.BytesIO()
    picture.save(file, form, quality=90)
    content = np.frombuffer(file.getvalue(), np.uint8)
    at_once = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE).astype(int)
    color = cv2.imdecode(content, cv2.IMREAD_COLOR)
    later = cv2.cvtColor(color, cv2.COLOR_BGR2GRAY).astype(int)
    gray = np.asarray(Image.fromarray(color[..., ::-1]).convert("L")).astype(int)
    assert np.abs(gray - later).max() <= 1 and abs((gray - later).mean()) < 0.05
    difference = at_once - later
    found = (difference != 0).mean(), np.abs(difference).max(), difference.mean()
    print(form, *(round(float(value), 3) for value in found))
    np.testing.assert_allclose(found, values, atol=0.03)
print("as described")
PYTHON

#!/usr/bin/env bash
# OpenCV's option for the quality of chroma decides about the size of chroma instead.
#
# Guess before: IMWRITE_JPEG_CHROMA_QUALITY chooses the quantization of chroma, and
# nothing else; alone, it leaves luma at the quality that was asked for.
#
# Seen with OpenCV 5.0.0.93, as the sampling and the first step of quantization of
# chroma, which is 3 at quality 90, 7 at 80 and 17 at 50:
#   quality 90                                       4:2:0    3
#   luma quality 90, chroma quality 90               4:2:0    3
#   luma quality 90, chroma quality 80               4:4:4    7
#   the same, and sampling factor 4:2:0 asked for    4:4:4    7
#   quality 50, chroma quality 90                    4:2:0   17   the option is ignored
# Two qualities that differ by one or more switch subsampling off, against an explicit
# request, and a chroma quality without a luma quality does nothing.
#
# For attribution: "chroma at quality 80" keeps four times as many samples of chroma as
# the default at quality 90. Copies that were made so teach a classifier a chroma that
# files on the web do not have. Read sampling from the file, not from the options.
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

pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
quality, luma = cv2.IMWRITE_JPEG_QUALITY, cv2.IMWRITE_JPEG_LUMA_QUALITY
chroma, sampling = cv2.IMWRITE_JPEG_CHROMA_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR
half = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
for options, expected in (
    ([quality, 90], (2, 3)),
    ([luma, 90, chroma, 90], (2, 3)),
    ([luma, 90, chroma, 80], (1, 7)),
    ([luma, 90, chroma, 80, sampling, half], (1, 7)),
    ([quality, 50, chroma, 90], (2, 17)),
):
    _, file = cv2.imencode(".jpg", pixels, options)
    image = Image.open(io.BytesIO(file.tobytes()))
    found = image.layer[0][1], image.quantization[1][0]
    print(options, found)
    assert found == expected
print("as described")
PYTHON

#!/usr/bin/env bash
# AVIF by Pillow or OpenCV moves the mean color, and again with each save.
#
# Guess before: compression blurs and rounds, and the mean of a channel stays as it is,
# as with JPEG and WebP, to a tenth of a grey level.
#
# Seen with Pillow 13.0.0, OpenCV 5.0.0.93 and pyvips-binary 8.18.7, a colored picture
# of 192 x 192 pixels, as the mean change of red, green and blue in grey levels:
#   Pillow, quality 75         -0.5   0.5  -0.7
#   Pillow, 20 times          -11     9   -15
#   OpenCV, its default        -0.6   0.5  -0.7
#   libvips, its default        0.0   0.0   0.2   it writes AVIF with libheif
#   Pillow, JPEG, 20 times     -0.3   0.2  -0.1
# Pillow and OpenCV write with libavif. The cast is there at quality 100 and with chroma
# at full size, too, so it is due to the conversion of colors and not to the codec.
#
# For attribution: the mean and the histogram of each channel name the program that
# wrote the file and count its saves. Features that keep the mean of color differences
# learn the program; residuals do not hold it.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 \
    opencv-python-headless==5.0.0.93 pyvips==3.2.0 pyvips-binary==8.18.7
"$folder/env/bin/python" - <<'PYTHON'
import io

import cv2
import numpy as np
import pyvips
from PIL import Image

rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
pixels = np.asarray(picture)


def save_by_pillow(pixels, form, times):
    for _ in range(times):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form, quality=75)
        pixels = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    return pixels


def save_by_opencv(pixels):
    _, file = cv2.imencode(".avif", pixels[..., ::-1])
    return cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]


def save_by_vips(pixels):
    file = pyvips.Image.new_from_array(pixels).write_to_buffer(".avif")
    return pyvips.Image.new_from_buffer(file, "").numpy()


found = {
    "Pillow": save_by_pillow(pixels, "AVIF", 1),
    "Pillow, 20 times": save_by_pillow(pixels, "AVIF", 20),
    "OpenCV": save_by_opencv(pixels),
    "libvips": save_by_vips(pixels),
    "Pillow, JPEG, 20 times": save_by_pillow(pixels, "JPEG", 20),
}
expected = {
    "Pillow": (-0.5, 0.5, -0.7),
    "Pillow, 20 times": (-11.4, 8.8, -14.9),
    "OpenCV": (-0.57, 0.48, -0.7),
    "libvips": (0.0, 0.0, 0.2),
    "Pillow, JPEG, 20 times": (-0.3, 0.2, -0.1),
}
for name, saved in found.items():
    cast = (saved.astype(float) - pixels).mean(axis=(0, 1))
    print(name, cast.round(2))
    np.testing.assert_allclose(cast, expected[name], atol=1 if "20" in name else 0.15)
print("as described")
PYTHON

#!/usr/bin/env bash
# "Quality 100" and "lossless" of AVIF and HEIC lose, or not, by library.
#
# Guess before: quality 100 with chroma at full size is lossless or off by one grey
# level in each library, and a quality that is documented as lossless is lossless.
#
# Seen with Pillow 13.0.0, pillow-heif 1.8.1, OpenCV 5.0.0.93, imagecodecs 2026.3.6 and
# pyvips-binary 8.18.7, as the largest and the mean absolute error in grey levels:
#   AVIF  Pillow, quality=100                           27   2.9
#   AVIF  Pillow, quality=100, subsampling="4:4:4"       3   0.7
#   AVIF  OpenCV, quality 100                            0   0
#   AVIF  imagecodecs, level=100                         0   0
#   AVIF  libvips, Q=100                                 1   0.3
#   HEIC  pillow-heif, quality=-1 ("lossless")          43   6.3   as much as quality=100
#   HEIC  pillow-heif, quality=-1, chroma=444            1   0.3
#   HEIC  the same with matrix_coefficients=0            0   0
# The word belongs to the codec, which gets the planes of color after conversion and
# after chroma was halved. Pillow takes matrix_coefficients for AVIF without an error,
# and ignores it.
#
# For attribution: a data set that was "archived losslessly" as HEIC has no pixel noise
# of its chroma left. Compare the pixels of one file before you convert a collection.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 pillow-heif==1.8.1 \
    opencv-python-headless==5.0.0.93 imagecodecs==2026.3.6 pyvips==3.2.0 \
    pyvips-binary==8.18.7
"$folder/env/bin/python" - <<'PYTHON'
import io

import cv2
import imagecodecs
import numpy as np
import pillow_heif
import pyvips
from PIL import Image

pillow_heif.register_heif_opener()
rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
noise = rng.normal(0, 3, (192, 192, 3)).round().astype(int)
pixels = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
picture = Image.fromarray(pixels)


def save_by_pillow(form, **options):
    file = io.BytesIO()
    picture.save(file, form, **options)
    return np.asarray(Image.open(io.BytesIO(file.getvalue())))


def save_by_opencv():
    options = [cv2.IMWRITE_AVIF_QUALITY, 100]
    _, file = cv2.imencode(".avif", pixels[..., ::-1], options)
    return cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]


def save_by_vips():
    file = pyvips.Image.new_from_array(pixels).write_to_buffer(".avif[Q=100]")
    return pyvips.Image.new_from_buffer(file, "").numpy()


full = {"quality": 100, "subsampling": "4:4:4"}
cases = [
    ("AVIF, Pillow", save_by_pillow("AVIF", quality=100), (27, 2.93)),
    ("AVIF, Pillow, 4:4:4", save_by_pillow("AVIF", **full), (3, 0.74)),
    ("ignored", save_by_pillow("AVIF", **full, matrix_coefficients=0), (3, 0.74)),
    ("AVIF, OpenCV", save_by_opencv(), (0, 0)),
    (
        "AVIF, imagecodecs",
        imagecodecs.avif_decode(imagecodecs.avif_encode(pixels, level=100)),
        (0, 0),
    ),
    ("AVIF, libvips", save_by_vips(), (1, 0.33)),
    ("HEIC, -1", save_by_pillow("HEIF", quality=-1), (43, 6.32)),
    ("HEIC, 100", save_by_pillow("HEIF", quality=100), (43, 6.33)),
    ("HEIC, -1, 444", save_by_pillow("HEIF", quality=-1, chroma=444), (1, 0.33)),
    (
        "HEIC, -1, 444, identity",
        save_by_pillow("HEIF", quality=-1, chroma=444, matrix_coefficients=0),
        (0, 0),
    ),
]
for name, saved, expected in cases:
    error = np.abs(saved.astype(int) - pixels)
    print(name, error.max(), error.mean().round(2))
    np.testing.assert_allclose((error.max(), error.mean()), expected, atol=0.05)
print("as described")
PYTHON

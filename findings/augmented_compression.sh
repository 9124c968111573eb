#!/usr/bin/env bash
# Albumentations compresses with red and blue exchanged.
#
# Guess before: ImageCompression of quality 75 gives the pixels of JPEG 75 by Pillow or
# OpenCV, at least nearly.
#
# Seen with albumentations 2.0.8, OpenCV 5.0.0.93 and Pillow 13.0.0, an RGB picture as
# the library asks for, as the mean absolute difference in grey levels:
#   JPEG 75 from Pillow's JPEG 75                                       3.6
#   JPEG 75 from Pillow's, red and blue exchanged before and after      0.0, each pixel
#   WebP 80 from Pillow's WebP 80                                       4.2
#   WebP 80 from Pillow's, red and blue exchanged before and after      0.0, each pixel
# The array goes to OpenCV's encoder, which takes the first channel for blue. Luma is
# made with the weight of blue for red, and the planes of chroma change places.
#
# For attribution: training copies have a luma and a chroma that no JPEG file has, and
# features of luma and chroma learn it: robust on the copies, not on files. Use
# torchvision's v2.JPEG, whose pixels are Pillow's, or Pillow.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1 Pillow==13.0.0 \
    opencv-python-headless==5.0.0.93 albumentations==2.0.8
NO_ALBUMENTATIONS_UPDATE=1 "$folder/env/bin/python" -W ignore - <<'PYTHON'
import io

import albumentations
import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
pixels = np.asarray(picture)


def compress(pixels, form, quality):
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, form, quality=quality)
    return np.asarray(Image.open(io.BytesIO(file.getvalue()))).astype(int)


for form, quality, expected in (("jpeg", 75, 3.6), ("webp", 80, 4.2)):
    transform = albumentations.ImageCompression(
        quality_range=(quality, quality), compression_type=form, p=1
    )
    copy = transform(image=pixels)["image"].astype(int)
    plain = np.abs(copy - compress(pixels, form, quality)).mean()
    exchanged = compress(pixels[..., ::-1], form, quality)[..., ::-1]
    print(form, plain, np.abs(copy - exchanged).max())
    np.testing.assert_allclose(plain, expected, atol=0.1)
    assert (copy == exchanged).all()
print("as described")
PYTHON

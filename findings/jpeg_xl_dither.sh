#!/usr/bin/env bash
# A decoder of JPEG XL adds one pattern of 8 x 8 pixels to each image that it decodes.
#
# Guess before: the errors of two unrelated images have nothing in common, since an
# encoder makes them from the content.
#
# Seen with imagecodecs 2026.3.6 (libjxl), lossy, 60 smooth pictures of 192 x 192 pixels
# with nothing in common, decoded to 8 bits:
#   correlation of the mean error of 30 pictures with that of 30 others, folded to 8 x 8
#   pixels and three channels: 0.999; standard deviation of the pattern 0.29 grey levels
#   correlation of the errors of two pictures, as they are, without their means: 0.14
#   a flat image of the value 128 becomes 128 in seven pixels of eight, and 129 in the eighth
# The decoder rounds to 8 bits with an ordered dither, at the same places in each image.
#
# For attribution: the pattern is a fingerprint of the decoder, of the order of a
# camera's. Sources whose images came as JPEG XL resemble each other, and a source that
# was fitted from JPEG XL files is recognized by the format. Decode all sources alike,
# or leave the rows and columns of a spectrum out that belong to periods of 8, 4 and 2
# pixels.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 imagecodecs==2026.3.6
"$folder/env/bin/python" - <<'PYTHON'
import imagecodecs
import numpy as np
from PIL import Image


def draw_picture(seed):
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 200, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)


def compress(picture):
    return imagecodecs.jpegxl_decode(imagecodecs.jpegxl_encode(picture, distance=1.0))


errors = []
for seed in range(60):
    picture = np.asarray(draw_picture(seed))
    error = compress(picture).astype(float) - picture
    errors.append(error - error.mean(axis=(0, 1)))
errors = np.array(errors)
folded = errors.reshape(60, 24, 8, 24, 8, 3).mean(axis=(1, 3))
halves = folded[:30].mean(axis=0).ravel(), folded[30:].mean(axis=0).ravel()
agreement = np.corrcoef(halves)[0, 1]
strength = folded.mean(axis=0).std()
pairs = np.corrcoef(errors.reshape(60, -1))[np.triu_indices(60, 1)].mean()
flat = compress(np.full((64, 64, 3), 128, np.uint8))
share = (flat == 129).mean()
print(agreement.round(3), strength.round(2), pairs.round(2), share)
assert agreement > 0.99
np.testing.assert_allclose((strength, pairs), (0.29, 0.14), atol=0.02)
assert set(np.unique(flat)) == {128, 129} and share == 1 / 8
print("as described")
PYTHON

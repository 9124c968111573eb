#!/usr/bin/env bash
# Film grain of AVIF: a decoder draws the same noise into unrelated images.
#
# Guess before: grain differs between images, as that of film does, so that the
# residuals of two unrelated pictures do not correlate.
#
# Seen with Pillow 13.0.0 (libavif with libaom), 192 x 192 pixels, as the correlation of
# the residuals of unrelated pictures, mean of 15 pairs, after two ways to ask for film
# grain:
#   no film grain                     0.0
#   film-grain-test = 1               0.8
#   film-grain-test = 10              0.6
#   denoise-noise-level = 25          0.1   the encoder removes noise and describes it
# An encoder stores a description of the noise and a seed, and the decoder draws the
# noise by them. The seeds of two files of the same size are equal unless an encoder
# changes them.
#
# For attribution: images of different cameras have one and the same "sensor noise",
# which the decoder of the format draws. A correlation of 0.8 is beyond anything that a
# camera leaves. Decode without grain where the decoder has a switch, or reject files
# whose header has it.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 scipy==1.17.1
"$folder/env/bin/python" - <<'PYTHON'
import io

import numpy as np
from PIL import Image
from scipy import ndimage


def draw_picture(seed):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)


def compute_residual(picture, advanced):
    file = io.BytesIO()
    picture.save(file, "AVIF", codec="aom", advanced=advanced)
    pixels = np.asarray(Image.open(io.BytesIO(file.getvalue()))).astype(float)
    return (pixels - ndimage.gaussian_filter(pixels, (1, 1, 0))).ravel()


found = {}
for advanced in (
    {},
    {"film-grain-test": "1"},
    {"film-grain-test": "10"},
    {"denoise-noise-level": "25"},
):
    residuals = [compute_residual(draw_picture(seed), advanced) for seed in range(6)]
    pairs = np.corrcoef(residuals)[np.triu_indices(6, 1)]
    found[str(advanced)] = pairs.mean()
    print(advanced, pairs.mean().round(3))
np.testing.assert_allclose(list(found.values()), (0.0, 0.8, 0.6, 0.1), atol=0.06)
print("as described")
PYTHON

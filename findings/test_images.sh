#!/usr/bin/env bash
# Test images that scikit-image ships as PNG were JPEG files before.
#
# Guess before: images that come as PNG with the library, for tests of denoisers and of
# compression, have not been compressed with losses.
#
# Seen with scikit-image 0.26.0, as the share of coefficients of the 8 x 8 cosine
# transform of luma, third frequency and higher, that are nearly zero, on the best of 64
# grids, and the median of all grids:
#              best   median   the grid begins at
#   coins      0.81     0.19   (0, 0)
#   page       0.84     0.29   (0, 0)
#   ihc        0.58     0.21   (3, 5): cut out after the compression
#   chelsea    0.49     0.34   (0, 0)
#   grass      0.39     0.03   (0, 0)
#   astronaut, camera, coffee, brick, gravel, text: best and median differ by less than 0.03
#
# For attribution: "unprocessed" examples that start from coins, grass or chelsea have a
# JPEG past, a second compression on the same grid, and no sensor noise in their high
# frequencies. Look for the grid before you take an image for an original.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1 Pillow==13.0.0 \
    scikit-image==0.26.0
"$folder/env/bin/python" - <<'PYTHON'
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from scipy.fft import dctn

folder = Path(skimage.__file__).parent / "data"


def count_zeros(luma, row, column):
    luma = luma[row:, column:]
    height, width = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: height * 8, : width * 8].reshape(height, 8, width, 8)
    coefficients = dctn(blocks.swapaxes(1, 2), axes=(2, 3), norm="ortho")
    return (np.abs(coefficients[..., 3:, 3:]) < 0.5).mean()


def examine(name):
    image = Image.open(folder / f"{name}.png")
    if image.mode != "L":
        image = image.convert("RGB").convert("YCbCr").getchannel("Y")
    luma = np.asarray(image) - 128.0
    zeros = np.array([[count_zeros(luma, i, j) for j in range(8)] for i in range(8)])
    grid = tuple(int(k) for k in np.unravel_index(zeros.argmax(), zeros.shape))
    print(name, grid, zeros.max().round(2), np.median(zeros).round(2))
    return grid, zeros.max(), np.median(zeros)


for name, grid, best, median in (
    ("coins", (0, 0), 0.81, 0.19),
    ("page", (0, 0), 0.84, 0.29),
    ("ihc", (3, 5), 0.58, 0.21),
    ("chelsea", (0, 0), 0.49, 0.34),
    ("grass", (0, 0), 0.39, 0.03),
):
    found = examine(name)
    assert found[0] == grid
    np.testing.assert_allclose(found[1:], (best, median), atol=0.02)
for name in ("astronaut", "camera", "coffee", "brick", "gravel", "text"):
    _, best, median = examine(name)
    assert best - median < 0.03
print("as described")
PYTHON

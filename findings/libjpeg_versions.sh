#!/usr/bin/env bash
# Encoders with one quality and one table of quantization write other coefficients.
#
# Guess before: coefficients of versions of libjpeg differ where a rounding was a tie,
# in one of a thousand, if table and sampling are equal.
#
# Seen with jpeglib 1.0.2, which has several versions of libjpeg, quality 90, 4:2:0, a
# colored picture of 192 x 192 pixels, beside version 6b:
#                  first table steps   other coefficients: luma, chroma
#   libjpeg-turbo   3 2 2 3             0.0 %    0.0 %
#   libjpeg 7, 9e   3 2 2 3             0.0 %    4.6 %, which is 19 % of those that are not 0
#   mozjpeg 4.0.3   3 3 3 4            16.2 %   28.0 %
# libjpeg halves chroma in the cosine transform from version 7 on, and by a mean before.
# Files of both have the same header.
#
# For attribution: "JPEG 90" is several perturbations, and the table of the file does
# not say which. Images of one program are recognized by their chroma. Train with the
# encoders that your images meet.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 jpeglib==1.0.2
"$folder/env/bin/python" - "$folder" <<'PYTHON'
import sys

import jpeglib
import numpy as np
from PIL import Image

rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
coefficients, steps = {}, {}
for version in ("6b", "turbo210", "7", "9e", "mozjpeg403"):
    path = f"{sys.argv[1]}/{version}.jpg"
    jpeglib.version.set(version)
    jpeglib.from_spatial(np.asarray(picture)).write_spatial(path, qt=90)
    coefficients[version] = jpeglib.read_dct(path)
    image = Image.open(path)
    assert [layer[1] for layer in image.layer] == [2, 1, 1]
    steps[version] = image.quantization[0][:4]
reference = coefficients["6b"]
present = (reference.Cb != 0).mean()
for version, expected in (
    ("turbo210", (0, 0)),
    ("7", (0, 0.046)),
    ("9e", (0, 0.046)),
    ("mozjpeg403", (0.162, 0.280)),
):
    found = [
        (getattr(coefficients[version], name) != getattr(reference, name)).mean()
        for name in ("Y", "Cb")
    ]
    print(version, steps[version], np.round(found, 3), round(found[1] / present, 2))
    np.testing.assert_allclose(found, expected, atol=0.005)
    assert (steps[version] == steps["6b"]) == (version != "mozjpeg403")
print("as described")
PYTHON

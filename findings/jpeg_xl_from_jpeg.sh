#!/usr/bin/env bash
# A JPEG XL file that was made losslessly from a JPEG file has two pictures.
#
# Guess before: such a file decodes to the pixels of the JPEG file, whoever decodes it;
# at most the rounding differs.
#
# Seen with Pillow 13.0.0, pillow-jxl-plugin 1.3.8 and imagecodecs 2026.3.6, JPEG of
# quality 90 with chroma at half size: pillow-jxl-plugin rebuilds the JPEG file and has
# Pillow decode it, so that all pixels equal. imagecodecs decodes the same file with
# libjxl: 50 % of the values differ from the JPEG's, by up to 3 grey levels and 0.55 in
# the mean. Neither library says which way it went.
#
# For attribution: two readers of one file see two decoders, as with jpeg_decoders.sh,
# and the name of the file says neither. Rebuild the JPEG file and decode that, for all
# sources.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 imagecodecs==2026.3.6 \
    pillow-jxl-plugin==1.3.8 packaging==26.4
"$folder/env/bin/python" - <<'PYTHON'
import io

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401
from PIL import Image

rng = np.random.default_rng(3)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
jpeg = io.BytesIO()
picture.save(jpeg, "JPEG", quality=90, subsampling="4:2:0")
file = imagecodecs.jpegxl_encode_jpeg(jpeg.getvalue())
assert imagecodecs.jpegxl_decode_jpeg(file) == jpeg.getvalue()
pixels = np.asarray(Image.open(jpeg)).astype(int)
plugin = np.asarray(Image.open(io.BytesIO(file))).astype(int)
libjxl = imagecodecs.jpegxl_decode(file).astype(int)
difference = np.abs(libjxl - pixels)
print("plugin", np.abs(plugin - pixels).max())
print("libjxl", difference.max(), difference.mean(), (difference > 0).mean())
assert (plugin == pixels).all()
assert difference.max() == 3
np.testing.assert_allclose(difference.mean(), 0.55, atol=0.05)
print("as described")
PYTHON

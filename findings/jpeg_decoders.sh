#!/usr/bin/env bash
# Programs that decode one baseline JPEG file give different pixels.
#
# Guess before: decoders of the same file agree to a rounding error of one grey level,
# since the standard bounds the error of the inverse transform.
#
# Seen with Pillow 13.0.0, PyAV 18.1.0, simplejpeg 1.9.0 and ajpegli 1.0.0, as the mean
# and the largest absolute difference from Pillow, and the mean difference of luma, in
# grey levels:
#   simplejpeg                0.0    0   0.0
#   simplejpeg, fastupsample  6.0   42   0.2   it repeats each sample of chroma
#   FFmpeg, by PyAV           6.0   42   0.8   so does FFmpeg, and it converts colors anew
#   jpegli, by ajpegli        0.5    3   0.4   chroma as Pillow has it, coefficients not
# The standard does not say how chroma that is stored at half size is enlarged, nor where
# in a step of quantization a coefficient lies. Colors of this picture change from pixel
# to pixel; photographs differ less.
#
# For attribution: a fingerprint that was estimated from the files of one decoder fits those of
# another less. Decode the images of all sources by one program.
#
# The script ends with an error if these differences change.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 av==18.1.0 \
    simplejpeg==1.9.0 ajpegli==1.0.0
"$folder/env/bin/python" - <<'PYTHON'
import io

import ajpegli
import av
import numpy as np
import simplejpeg
from PIL import Image

rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
file = io.BytesIO()
picture.save(file, "JPEG", quality=90, subsampling="4:2:0")
content = file.getvalue()


def decode_by_ffmpeg():
    with av.open(io.BytesIO(content), format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


pillow = np.asarray(Image.open(io.BytesIO(content))).astype(float)
found = {}
for name, decoded in {
    "simplejpeg": simplejpeg.decode_jpeg(content),
    "simplejpeg, fastupsample": simplejpeg.decode_jpeg(content, fastupsample=True),
    "FFmpeg": decode_by_ffmpeg(),
    "jpegli": np.array(ajpegli.decode(content)),
}.items():
    difference = decoded.astype(float)[..., :3] - pillow
    luma = np.abs(difference @ [0.299, 0.587, 0.114]).mean()
    found[name] = np.abs(difference).mean(), np.abs(difference).max(), luma
    print(name, *(round(value, 2) for value in found[name]))
expected = {
    "simplejpeg": (0.0, 0.0, 0.0),
    "simplejpeg, fastupsample": (6.0, 42.0, 0.2),
    "FFmpeg": (6.0, 42.0, 0.8),
    "jpegli": (0.5, 3.0, 0.4),
}
for name, values in expected.items():
    np.testing.assert_allclose(found[name], values, atol=0.1)
print("as described")
PYTHON

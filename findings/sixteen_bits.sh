#!/usr/bin/env bash
# Libraries read one 16-bit image in four ways, and two of them by its color alone.
#
# Guess before: a library either returns 16 bits, or scales them to 8 bits by rounding.
#
# Seen with Pillow 13.0.0, OpenCV 5.0.0.93, imageio 2.38.1, pyvips-binary 8.18.7 and
# webdataset 1.0.2, random values, PNG unless TIFF is said:
#                               gray                   color
#   imageio                     16 bits                the high byte, as uint8
#   Pillow                      16 bits                the high byte, as uint8
#   Pillow, then convert("RGB")
#   or webdataset, "rgb8"       min(value, 255)        the high byte
#   OpenCV, imread(path)        the high byte          the high byte; of a TIFF file rounded
#   libvips                     16 bits                16 bits
# None of them warns. imageio returns another type for a color image than for a gray
# one, and nearly all of a gray image is 255 after convert("RGB"). The high byte is 0.5
# grey levels below the scaled value in the mean, and equals the rounded one in 74 % of
# the values.
#
# For attribution: a folder of 16-bit scans or of rendered images gives images that
# depend on the reader. Assert the type after reading, and scale to grey levels
# yourself.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 imageio==2.38.1 \
    opencv-python-headless==5.0.0.93 pyvips==3.2.0 pyvips-binary==8.18.7 \
    webdataset==1.0.2
"$folder/env/bin/python" - "$folder" <<'PYTHON'
import sys

import cv2
import imageio.v3 as imageio
import numpy as np
import pyvips
from PIL import Image
from webdataset.autodecode import imagehandler

color = np.random.default_rng(0).integers(0, 65536, (64, 64, 3)).astype(np.uint16)


def describe(read, values):
    read = np.asarray(read).astype(int)
    values = values.astype(int)
    if read.ndim > values.ndim:
        read = read[..., 0]
    meanings = {
        "16 bits": values,
        "high byte": values >> 8,
        "rounded": np.rint(values / 257),
        "clipped": np.minimum(values, 255),
    }
    return next(name for name, meant in meanings.items() if (read == meant).all())


found = {}
for kind, values in {"gray": color[..., 0].copy(), "color": color}.items():
    path = f"{sys.argv[1]}/{kind}.png"
    cv2.imwrite(path, values[..., ::-1] if kind == "color" else values)
    decode = imagehandler("rgb8")
    with open(path, "rb") as file:
        content = file.read()
    read = {
        "imageio": imageio.imread(path),
        "Pillow": Image.open(path),
        "Pillow, RGB": Image.open(path).convert("RGB"),
        "webdataset": decode("image.png", content),
        "OpenCV": cv2.imread(path)[..., ::-1],
        "libvips": pyvips.Image.new_from_file(path).numpy(),
    }
    found[kind] = [describe(image, values) for image in read.values()]
    print(kind, dict(zip(read, found[kind])))
path = f"{sys.argv[1]}/color.tif"
cv2.imwrite(path, color[..., ::-1])
found["TIFF"] = describe(cv2.imread(path)[..., ::-1], color)
print("OpenCV, TIFF", found["TIFF"])
assert found["gray"] == ["16 bits"] * 2 + ["clipped"] * 2 + ["high byte", "16 bits"]
assert found["color"] == ["high byte"] * 5 + ["16 bits"]
assert found["TIFF"] == "rounded"
print("as described")
PYTHON

#!/usr/bin/env bash
# Whether a format loses by default depends on the library, in each direction.
#
# Guess before: JPEG 2000 is lossless unless a rate is given, WebP and AVIF are lossy,
# and this holds for all libraries, since they share the codecs.
#
# Seen with Pillow 13.0.0, OpenCV 5.0.0.93, imagecodecs 2026.3.6, tifffile 2026.3.3,
# pyvips-binary 8.18.7 and rasterio 1.4.4 (GDAL), no option given, as the mean absolute
# error in grey levels:
#   WebP        Pillow 4.8   libvips 5.4   OpenCV 0   imagecodecs 0
#   WebP, TIFF  GDAL 5.5     tifffile 0    compress="WEBP" and compression="webp"
#   JPEG 2000   OpenCV 1.6   GDAL 1.7      Pillow 0   imagecodecs 0
#   AVIF        Pillow 3.8   libvips 7.5   OpenCV 5.9     imagecodecs 0
# OpenCV's documentation says that its default rate for JPEG 2000 is 1000, and 1000,
# given explicitly, is lossless.
#
# For attribution: two mirrors of one data set, in the same format at default settings,
# hold different pixels. The classifier that names the mirror is right.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 \
    opencv-python-headless==5.0.0.93 imagecodecs==2026.3.6 tifffile==2026.3.3 \
    pyvips==3.2.0 pyvips-binary==8.18.7 rasterio==1.4.4
"$folder/env/bin/python" -W ignore - "$folder" <<'PYTHON'
import io
import sys

import cv2
import imagecodecs
import numpy as np
import pyvips
import rasterio
import rasterio.shutil
import tifffile
from PIL import Image

rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
noise = rng.normal(0, 3, (192, 192, 3)).round().astype(int)
pixels = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)


def use_pillow(form):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return np.asarray(Image.open(io.BytesIO(file.getvalue())))


def use_opencv(ending, *options):
    _, file = cv2.imencode(ending, pixels[..., ::-1], options)
    return cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]


def use_vips(ending):
    file = pyvips.Image.new_from_array(pixels).write_to_buffer(ending)
    return pyvips.Image.new_from_buffer(file, "").numpy()


def use_imagecodecs(name):
    encode = getattr(imagecodecs, f"{name}_encode")
    return getattr(imagecodecs, f"{name}_decode")(encode(pixels))


def use_tifffile(name):
    path = f"{sys.argv[1]}/tifffile_{name}.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", compression=name)
    return tifffile.imread(path)


def use_gdal(name):
    size = {"width": 192, "height": 192, "count": 3, "dtype": "uint8"}
    compress = {"compress": name} if name == "WEBP" else {}
    path = f"{sys.argv[1]}/gdal_{name}.tif"
    with rasterio.open(path, "w", driver="GTiff", **size, **compress) as file:
        file.write(np.moveaxis(pixels, -1, 0))
    if not compress:
        rasterio.shutil.copy(path, path + ".jp2", driver=name)
        path += ".jp2"
    with rasterio.open(path) as file:
        return np.moveaxis(file.read(), 0, -1)


rate = cv2.IMWRITE_JPEG2000_COMPRESSION_X1000
for name, saved, expected in (
    ("WebP, Pillow", use_pillow("WEBP"), 4.8),
    ("WebP, libvips", use_vips(".webp"), 5.4),
    ("WebP, OpenCV", use_opencv(".webp"), 0),
    ("WebP, imagecodecs", use_imagecodecs("webp"), 0),
    ("WebP in TIFF, GDAL", use_gdal("WEBP"), 5.5),
    ("WebP in TIFF, tifffile", use_tifffile("webp"), 0),
    ("JPEG 2000, OpenCV", use_opencv(".jp2"), 1.6),
    ("JPEG 2000, OpenCV, 1000", use_opencv(".jp2", rate, 1000), 0),
    ("JPEG 2000, GDAL", use_gdal("JP2OpenJPEG"), 1.7),
    ("JPEG 2000, Pillow", use_pillow("JPEG2000"), 0),
    ("JPEG 2000, imagecodecs", use_imagecodecs("jpeg2k"), 0),
    ("AVIF, Pillow", use_pillow("AVIF"), 3.8),
    ("AVIF, libvips", use_vips(".avif"), 7.5),
    ("AVIF, OpenCV", use_opencv(".avif"), 5.9),
    ("AVIF, imagecodecs", use_imagecodecs("avif"), 0),
):
    error = np.abs(saved.astype(int) - pixels).mean()
    print(name, error.round(2))
    np.testing.assert_allclose(error, expected, atol=0.2 if expected else 0)
print("as described")
PYTHON

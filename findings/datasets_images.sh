#!/usr/bin/env bash
# Hugging Face datasets compresses JPEG images again, and drops edits of opened images.
#
# Guess before: a PIL image that is put into an Image column is kept as it is: the bytes
# of its file if it was not changed, or else its pixels, losslessly.
#
# Seen with datasets 5.2.0 and Pillow 13.0.0:
#   Image.open(BytesIO(content)) of a JPEG of quality 95 is stored as JPEG of quality 75; the
#   file shrinks to a half, and pixels change by 4.6 grey levels in the mean
#   image = Image.open(path); image.thumbnail((64, 64)) is stored as the path, and comes back
#   with 192 x 192 pixels; so does thumbnail within Dataset.map
#   Image.open(path).resize((64, 64)) is stored as PNG
# The library writes an image anew in the format that PIL remembers, at PIL's default
# quality, and takes the path instead where PIL remembers one. Methods that work in
# place keep both.
#
# For attribution: images from archives, requests or memory are all "JPEG 75" after
# this, with the quantization of PIL beside that of their source. Store bytes ({"bytes":
# content}), or images that are made anew (copy, convert, resize), which are stored as
# PNG.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 datasets==5.2.0
HF_HOME="$folder" HF_HUB_OFFLINE=1 "$folder/env/bin/python" - "$folder" <<'PYTHON'
import io
import sys

import numpy as np
from datasets import Dataset, Features, disable_progress_bars
from datasets import Image as ImageFeature
from PIL import Image

disable_progress_bars()
features = Features({"image": ImageFeature()})
rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
path = f"{sys.argv[1]}/picture.jpg"
picture.save(path, quality=95)
with open(path, "rb") as file:
    content = file.read()


def store(image):
    dataset = Dataset.from_dict({"image": [image]}, features=features)
    return dataset.data.column("image")[0].as_py(), dataset[0]["image"]


stored, loaded = store(Image.open(io.BytesIO(content)))
before = np.asarray(Image.open(path)).astype(int)
change = np.abs(np.asarray(loaded) - before).mean()
quantization = Image.open(io.BytesIO(stored["bytes"])).quantization[0][0]
print(len(content), len(stored["bytes"]), change, quantization)
assert len(stored["bytes"]) < 0.6 * len(content) and quantization == 8
np.testing.assert_allclose(change, 4.6, atol=0.2)

edited = Image.open(path)
edited.thumbnail((64, 64))
stored, loaded = store(edited)
print(edited.size, loaded.size)
assert edited.size == (64, 64) and loaded.size == (192, 192) and stored["bytes"] is None


def shrink(row):
    row["image"].thumbnail((64, 64))
    return row


mapped = Dataset.from_dict({"image": [path]}, features=features).map(shrink)
assert mapped[0]["image"].size == (192, 192)
stored, loaded = store(Image.open(path).resize((64, 64)))
assert loaded.size == (64, 64) and stored["bytes"].startswith(b"\x89PNG")
print("as described")
PYTHON

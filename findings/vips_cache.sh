#!/usr/bin/env bash
# libvips gives the old pixels of a file that was written anew.
#
# Guess before: opening a path reads the file that is there now.
#
# Seen with pyvips 3.2.0 and pyvips-binary 8.18.7: a picture is saved to one path at
# quality 95, then at 50, then at 10, by Pillow, and read after each. Pillow reads three
# images. libvips returns the pixels of quality 95 three times, though size and time of
# the file changed. With revalidate=True, or from a buffer, it returns what is there.
# libvips keeps its last operations, by their arguments, and the path is the argument.
#
# For attribution: a loop over strengths of compression that writes one temporary file
# measures the first strength each time, and finds perfect robustness.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 Pillow==13.0.0 pyvips==3.2.0 \
    pyvips-binary==8.18.7
"$folder/env/bin/python" - "$folder" <<'PYTHON'
import sys

import numpy as np
import pyvips
from PIL import Image

path = f"{sys.argv[1]}/picture.jpg"
rng = np.random.default_rng(0)
small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
picture = Image.fromarray(small).resize((192, 192), Image.Resampling.BICUBIC)
found = {"Pillow": [], "libvips": []}
for quality in (95, 50, 10):
    picture.save(path, quality=quality)
    found["Pillow"].append(np.asarray(Image.open(path)))
    found["libvips"].append(pyvips.Image.new_from_file(path).numpy())
again = pyvips.Image.new_from_file(path, revalidate=True).numpy()
first, last = found["Pillow"][0], found["Pillow"][2]
print([np.abs(x.astype(int) - first).mean() for x in found["Pillow"]])
print([np.abs(x.astype(int) - first).mean() for x in found["libvips"]])
assert (again == last).all() and (first != last).any()
assert all((image == first).all() for image in found["libvips"])
print("as described")
PYTHON

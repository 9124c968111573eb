#!/usr/bin/env bash
# "Bicubic" is five filters, and antialiasing changes the filter when it enlarges.
#
# Guess before: bicubic interpolation is Keys' kernel with the parameter -0.5 or -0.75,
# and antialiasing matters to smaller sizes only.
#
# Seen with a bright column on a gray image, enlarged to eight times its size, as the
# kernel's parameter (by least squares on the negative lobe):
#   Pillow 13.0.0                                 -0.5
#   FFmpeg, by PyAV 18.1.0                        -0.6
#   OpenCV 5.0.0.93                               -0.75
#   onnxruntime 1.32.0, Resize, mode "cubic"      -0.75, with antialias=1 as well
#   scikit-image 0.26.0, order=3                  none: a spline, and no negative lobe
# torch's interpolate (2.14.1; the script leaves it out for its size) has -0.75, and
# -0.5 with antialias=True, so the option changes enlarged images, too. scikit-image
# interpolates with a B-spline and then cuts the result off at the smallest and the
# largest value of the image (clip=True).
#
# For attribution: a resize is recognized by its kernel, and a model that was exported
# to ONNX resizes otherwise than Pillow did in training. Pass the same program's resize
# everywhere.
#
# The script ends with an error if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q numpy==2.3.4 scipy==1.17.1 Pillow==13.0.0 av==18.1.0 \
    opencv-python-headless==5.0.0.93 scikit-image==0.26.0 onnx==1.23.2 \
    onnxruntime==1.32.0
"$folder/env/bin/python" - <<'PYTHON'
import av
import cv2
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from PIL import Image
from skimage.transform import resize

image = np.full((64, 64), 100, np.uint8)
image[:, 32] = 200


def use_ffmpeg():
    frame = av.VideoFrame.from_ndarray(image, format="gray")
    larger = frame.reformat(width=512, height=512, interpolation="BICUBIC")
    return larger.to_ndarray(format="gray")


def use_onnx(antialias):
    node = helper.make_node(
        "Resize", ["x", "", "", "size"], ["y"], mode="cubic", antialias=antialias
    )
    size = helper.make_tensor("size", TensorProto.INT64, [4], [1, 1, 512, 512])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 64, 64])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 512, 512])
    graph = helper.make_graph([node], "resize", [x], [y], [size])
    opset = [helper.make_opsetid("", 19)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": image[None, None].astype(np.float32)})[0][0, 0]


def fit_parameter(larger):
    """Fit a of a (t^3 - 5 t^2 + 8 t - 4), Keys' kernel between 1 and 2."""
    values = (np.asarray(larger)[256].astype(float) - 100) / 100
    t = np.abs((np.arange(512) + 0.5) / 8 - 0.5 - 32)
    lobe = (t > 1) & (t < 2)
    kernel = t[lobe] ** 3 - 5 * t[lobe] ** 2 + 8 * t[lobe] - 4
    return values[lobe] @ kernel / (kernel @ kernel)


pillow = Image.fromarray(image).resize((512, 512), Image.Resampling.BICUBIC)
for name, larger, expected in (
    ("Pillow", pillow, -0.5),
    ("FFmpeg", use_ffmpeg(), -0.6),
    ("OpenCV", cv2.resize(image, (512, 512), interpolation=cv2.INTER_CUBIC), -0.75),
    ("onnxruntime", use_onnx(0), -0.75),
    ("onnxruntime, antialias", use_onnx(1), -0.75),
    ("scikit-image", resize(image, (512, 512), order=3, preserve_range=True), 0),
):
    found = fit_parameter(larger)
    print(name, found.round(3))
    np.testing.assert_allclose(found, expected, atol=0.025)
free = resize(image, (512, 512), order=3, preserve_range=True, clip=False)
print("scikit-image, clip=False", free.min().round(1), free.max().round(1))
assert free.min() < 90
print("as described")
PYTHON

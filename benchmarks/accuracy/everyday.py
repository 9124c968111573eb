"""Measure attribution of images as pages, phones and programs change them.

``python -m benchmarks.accuracy.everyday`` fits the recommended pipeline on one half of
the scenes of `registry/` (see `data/real_images.py`) and tests on the other: on images
that were resized and left so, mirrored or turned, decoded from one JPEG file by several
programs, encoded by other codecs than JPEG, and resized by other programs than in the
fit. It prints the share of images whose source is named rightly, its standard error,
the mean of the largest probability, and the source with the fewest right ones (20
sources; chance is 5 %). ``--quick`` fits without perturbed copies.

Some rows need packages that the project does not use otherwise: av, simplejpeg,
jpeglib, ajpegli, pillow-heif, pillow-jxl-plugin, pyvips, opencv-python-headless and
scikit-image. Rows whose package is missing are named and left out.
"""

import argparse
import importlib
import importlib.metadata
import io
import tempfile

import numpy as np
from PIL import Image

from benchmarks.data.real_images import read_images, reference_split
from skfingerprint import make_attribution_pipeline
from skfingerprint.perturbation import AVIFCompression, Resize

# Distributions by the modules that the rows import.
DISTRIBUTIONS = {
    "ajpegli": "ajpegli",
    "av": "av",
    "cv2": "opencv-python-headless",
    "jpeglib": "jpeglib",
    "pillow_heif": "pillow-heif",
    "pillow_jxl": "pillow-jxl-plugin",
    "pyvips": "pyvips",
    "simplejpeg": "simplejpeg",
    "skimage": "scikit-image",
}


def save(image, kind, **options):
    """Return the bytes of a file that Pillow saves."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def read(content):
    """Decode a file by Pillow."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def decode_by_ffmpeg(content):
    """Decode a JPEG by ffmpeg."""
    import av

    with av.open(io.BytesIO(content), format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def decode_fast(content):
    """Decode a JPEG by libjpeg-turbo with fast upsampling."""
    import simplejpeg

    return simplejpeg.decode_jpeg(content, fastupsample=True)


def decode_by_libjpeg(content):
    """Decode a JPEG by libjpeg 9e."""
    import jpeglib

    jpeglib.version.set("9e")
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(content)
        file.flush()
        return np.array(jpeglib.read_spatial(file.name).spatial)


def decode_by_jpegli(content):
    """Decode a JPEG by jpegli."""
    import ajpegli

    return np.array(ajpegli.decode(content))


def pass_heic(image):
    """Save an image as HEIC by default settings, and read it again."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return read(save(image, "HEIF"))


def pass_jxl(image):
    """Save an image as JPEG XL by default settings, and read it again."""
    import pillow_jxl  # noqa: F401 (registers the format)

    return read(save(image, "JXL"))


def resize_by_opencv(image, size):
    """Resize by area, OpenCV's choice for smaller images, or cubic for larger ones."""
    import cv2

    smaller = size[0] < image.shape[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(image, size[::-1], interpolation=method)


def resize_by_skimage(image, size):
    """Resize by scikit-image's defaults, with its filter against aliasing."""
    from skimage.transform import resize

    resized = resize(image, size, anti_aliasing=True, preserve_range=True)
    return np.rint(resized).clip(0, 255).astype(np.uint8)


def resize_by_vips(image, size):
    """Resize by libvips, with its default filter."""
    import pyvips

    scales = [new / old for new, old in zip(size, image.shape[:2], strict=True)]
    resized = pyvips.Image.new_from_array(image).resize(scales[1], vscale=scales[0])
    return resized.numpy()


def resize_by_ffmpeg(image, size):
    """Resize by ffmpeg's scaler, bicubic as its default."""
    import av

    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame = frame.reformat(width=size[1], height=size[0], interpolation="BICUBIC")
    return frame.to_ndarray(format="rgb24")


def each(function):
    """Return a function that changes each image of a stack."""
    return lambda images: [function(image) for image in images]


def decoded(decode):
    """Return a function that saves images as JPEG 90, 4:2:0, and decodes them."""
    options = {"quality": 90, "subsampling": "4:2:0"}
    return each(lambda image: decode(save(image, "JPEG", **options)))


def and_back(resize, scale=0.75):
    """Return a function that resizes images, and restores their size."""

    def change(image):
        size = image.shape[:2]
        small = tuple(round(scale * n) for n in size)
        return resize(resize(image, small), size)

    return each(change)


ROWS = (
    {"unprocessed": np.asarray}
    | {
        f"resized x {scale:g} and left so": Resize(
            scale=scale, restore=False
        ).fit_transform
        for scale in (0.5, 0.65, 0.75, 1.5, 2)
    }
    | {
        "mirrored": lambda images: images[:, :, ::-1],
        "turned by 180 degrees": lambda images: images[:, ::-1, ::-1],
        "JPEG 90 by Pillow": decoded(read),
        "JPEG 90 by ffmpeg (av)": decoded(decode_by_ffmpeg),
        "JPEG 90, fast upsampling (simplejpeg)": decoded(decode_fast),
        "JPEG 90 by libjpeg 9 (jpeglib)": decoded(decode_by_libjpeg),
        "JPEG 90 by jpegli (ajpegli)": decoded(decode_by_jpegli),
        "AVIF, default": AVIFCompression().fit_transform,
        "AVIF 90": AVIFCompression(quality=90).fit_transform,
        "HEIC, default (pillow-heif)": each(pass_heic),
        "JPEG XL, default (pillow-jxl-plugin)": each(pass_jxl),
        "x 0.75 and back, OpenCV": and_back(resize_by_opencv),
        "x 0.75 and back, scikit-image": and_back(resize_by_skimage),
        "x 0.75 and back, libvips": and_back(resize_by_vips),
        "x 0.75 and back, ffmpeg": and_back(resize_by_ffmpeg),
    }
)


def change_images(images, rows):
    """Yield the name of each row and its images; print the rows that are left out."""
    for name, function in rows.items():
        try:
            function(images[:1])
        except ImportError as error:
            print(f"{name:40s} left out: {error}", flush=True)
        else:
            yield name, function(images)


def list_versions():
    """Return the installed packages of the rows with their versions."""
    found = []
    for module, name in DISTRIBUTIONS.items():
        try:
            importlib.import_module(module)
            found.append(f"{name} {importlib.metadata.version(name)}")
        except ImportError:
            found.append(f"{name} missing")
    return found


def main():
    """Fit, and print a line for each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    print(", ".join([f"Pillow {Image.__version__}", *list_versions()]))
    data = read_images("registry/")
    test = reference_split(data.groups)
    X, y, groups = data.images, data.sources, data.groups
    perturbations = () if options.quick else "common"
    model = make_attribution_pipeline(perturbations=perturbations, n_jobs=2)
    model.fit(X[~test], y[~test], groups=groups[~test])
    print(f"{len(set(y))} sources, {(~test).sum()} fit, {test.sum()} test")
    for name, images in change_images(X[test], ROWS):
        found = model.predict_proba(images)
        right = model.classes_[found.argmax(axis=1)] == y[test]
        error = right.std() / np.sqrt(len(right))
        shares = {source: right[y[test] == source].mean() for source in set(y)}
        worst = min(shares, key=shares.get)
        print(
            f"{name:40s} {right.mean():6.1%} +- {error:.1%}, "
            f"mean p {found.max(axis=1).mean():.2f}, "
            f"worst {worst} {shares[worst]:.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()

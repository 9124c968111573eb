"""Data sets: embedded, synthetic and paired images, and folders of the user."""

from skfingerprint.datasets._describe import describe_image_folder
from skfingerprint.datasets._embedded import load_generators, write_generators
from skfingerprint.datasets._folder import load_image_files, load_image_folder
from skfingerprint.datasets._paired import make_paired_sources
from skfingerprint.datasets._synthetic import make_fingerprint_images

__all__ = [
    "describe_image_folder",
    "load_generators",
    "load_image_files",
    "load_image_folder",
    "make_fingerprint_images",
    "make_paired_sources",
    "write_generators",
]

"""Images to try things on: embedded, synthetic, and the user's own."""

from skfingerprint.datasets._describe import describe_image_folder
from skfingerprint.datasets._embedded import load_generators
from skfingerprint.datasets._folder import load_image_files, load_image_folder
from skfingerprint.datasets._synthetic import make_fingerprint_images

__all__ = [
    "describe_image_folder",
    "load_generators",
    "load_image_files",
    "load_image_folder",
    "make_fingerprint_images",
]

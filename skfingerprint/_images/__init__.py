"""Reading of image files, images from flat rows, residuals and their cleaning."""

from skfingerprint._images.cleaning import (
    ChannelDecorrelator,
    LinearPatternRemover,
    SpectrumFlattener,
)
from skfingerprint._images.decoding import (
    check_fits,
    name_in_errors,
    read_header,
    read_image,
    suffix_problem,
    without_bomb_warnings,
)
from skfingerprint._images.headers import Header
from skfingerprint._images.image_reader import ImageReader
from skfingerprint._images.residual_extractor import ResidualExtractor
from skfingerprint._images.unflatten import Unflatten

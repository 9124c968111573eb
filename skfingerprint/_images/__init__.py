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
from skfingerprint._images.differences import (
    HISTORY,
    SHOWN,
    find_differences,
    list_lines,
)
from skfingerprint._images.file_images import FileImages
from skfingerprint._images.headers import Header
from skfingerprint._images.image_reader import ImageReader
from skfingerprint._images.pitfalls import find_few_bits, find_mixed_sizes
from skfingerprint._images.residual_extractor import ResidualExtractor
from skfingerprint._images.unflatten import Unflatten

"""Images in files that are read a few at a time."""

import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from itertools import chain

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from skfingerprint._core import (
    LazyImages,
    NamedImage,
    find_stored_size,
    hold,
    is_picture,
)
from skfingerprint._images.decoding import (
    name_file,
    name_in_errors,
    read_header,
    read_image,
    read_picture,
    read_size,
)
from skfingerprint._images.headers import Header, describe_header
from skfingerprint._images.pitfalls import FEW_BITS, find_few_bits

# Largest numbers of values and of files in a block: the first bounds the memory, the
# second the number of small files that are read together.
BLOCK_VALUES = 2**22
BLOCK_FILES = 256
# Parts of the files that threads read; each costs about as much as a header.
N_PARTS = 64
# Largest number of files that an error names.
MOST_NAMED = 20


@dataclass(frozen=True)
class FileReader:
    """How files are read.

    Attributes
    ----------
    shape : tuple of int or None
        (height, width) of the part to cut out of each image.
    n_channels : int
        3 for RGB, 1 for grey images.
    n_jobs : int or None
        Number of threads.
    """

    shape: tuple | None
    n_channels: int
    n_jobs: int | None

    def measure(self, files):
        """Return (height, width) of each image, (n_files, 2); headers are read."""
        if self.shape is not None:
            return np.tile(self.shape, (len(files), 1))
        return np.array(self._call(_measure, files), dtype=int).reshape(-1, 2)

    def read(self, files, sizes):
        """Return the images of files, whose sizes are known, as a list."""
        same = [[value] * len(files) for value in (self.shape, self.n_channels)]
        return self._call(_read, files, map(tuple, sizes.tolist()), *same)

    def _call(self, function, files, *args):
        """Call a function with each file; one error names all that can't be read."""
        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads")
        given = list(zip(files, *args, strict=True))
        parts = gen_batches(len(given), max(1, len(given) // N_PARTS))
        results = parallel(delayed(_try_each)(function, given[part]) for part in parts)
        results = list(chain.from_iterable(results))
        if problems := [str(e) for e in results if isinstance(e, ValueError)]:
            more = len(problems) - MOST_NAMED
            raise ValueError(
                f"{len(problems)} of {len(results)} files could not be read:\n"
                + "\n".join(problems[:MOST_NAMED])
                + (f"\nand {more} more" if more > 0 else "")
                + '\n`load_image_files(paths, y, image_shape="min", on_error="warn")` '
                "returns the `filenames` and `target` of the others, of any size."
            )
        return results


class FileImages(LazyImages):
    """Images in files, read block by block: an array-like that holds no pixels.

    When all files were read, a warning tells whether 16-bit files use fewer bits.

    Parameters
    ----------
    files : list of str or NamedImage
        Paths, bytes and pictures.
    reader : FileReader
        How files are read.
    image_sizes : ndarray of shape (n_files, 2), int, default=None
        (height, width) of each image, if known; by default headers tell it when it is
        needed.
    """

    # Largest value of each file, -1 before it is read; None for a part of the files.
    _peaks = None

    def __init__(self, files, reader, image_sizes=None):
        self._files, self._reader = files, reader
        if image_sizes is not None:
            self._image_sizes = image_sizes
        else:
            self._peaks = np.full(len(files), -1, dtype=np.int16)

    @cached_property
    def _image_sizes(self):
        """Return (height, width) of each image."""
        return self._reader.measure(self._files)

    @cached_property
    def sizes(self):
        """Return the numbers of images in each block, by the values that they hold."""
        return _cut_blocks(self._image_sizes.prod(axis=1) * self._reader.n_channels)

    @cached_property
    def shape(self):
        """Return the shape of the stack; (n_files,) if the images differ in size."""
        sizes = np.unique(self._image_sizes, axis=0)
        if len(sizes) > 1:
            return (len(self._files),)
        height, width = sizes[0].tolist() if len(sizes) else (0, 0)
        channels = (3,) if self._reader.n_channels == 3 else ()
        return len(self._files), height, width, *channels

    @property
    def dtype(self):
        """Return the type of all values."""
        return np.dtype(np.uint8)

    def __len__(self):
        return len(self._files)

    def __getstate__(self):
        """Return files and parameters, and the present sizes and times of the files.

        Caches that know a result by the hash of these images miss changed files then.
        """
        stamps = [_stamp(file) for file in self._files]
        return {"_files": self._files, "_reader": self._reader, "_stamps": stamps}

    def __setstate__(self, state):
        state.pop("_stamps")
        vars(self).update(state)

    def _read(self, k):
        start = sum(self.sizes[:k])
        part = slice(start, start + self.sizes[k])
        images = self._reader.read(self._files[part], self._image_sizes[part])
        peaks = self._peaks  # which another thread may remove meanwhile
        if peaks is not None:
            peaks[part] = [image.max(initial=0) for image in images]
            self._judge_bits(peaks)
        if self.ndim == 1:
            return images
        return np.stack(images) if images else np.empty(self.shape, dtype=np.uint8)

    def name(self, place):
        """Return the path of the image at a place, or its number."""
        return name_file(self._files[place])

    def read_headers(self, places=None):
        """Return the headers of the files, or of those at some places, as a list."""
        files = self._files
        files = files if places is None else [files[place] for place in places]
        return [_describe(file) for file in files]

    def _judge_bits(self, peaks):
        """Warn once, when all files were read, if 16-bit files use fewer bits."""
        if self._peaks is None or peaks.min(initial=0) < 0:
            return
        self._peaks = None
        # Few images are that dark, so that headers are hardly ever read.
        dark = np.flatnonzero(peaks < 2 ** (FEW_BITS[-1] - 8))
        if all(header.bits < 16 for header in self.read_headers(dark)):
            return
        labels = np.full(len(self), "all files")
        headers = self.read_headers()
        for text in find_few_bits(headers, labels, lambda place: peaks[place]):
            warnings.warn(text, UserWarning, stacklevel=2)

    def _take(self, places):
        files = [self._files[place] for place in places]
        return FileImages(files, self._reader, self._image_sizes[places])


def _cut_blocks(n_values):
    """Return the numbers of files in each block, given the values in each file."""
    sizes, total = [0], 0
    for n in n_values.tolist():
        if sizes[-1] and (total + n > BLOCK_VALUES or sizes[-1] == BLOCK_FILES):
            sizes.append(0)
            total = 0
        sizes[-1] += 1
        total += n
    return sizes


def _stamp(file):
    """Return size, times and place of a file on the disk, or None."""
    if isinstance(file, NamedImage):
        return None
    try:
        found = os.stat(file)
    except OSError:
        return None
    # The time of modification can be set; that of the last change can't.
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _try_each(function, given):
    """Call a function with each of some tuples of arguments."""
    return [_try(function, *args) for args in given]


def _try(function, *args):
    """Call a function, or return its ValueError, which names the file."""
    try:
        return function(*args)
    except ValueError as error:
        return error


def _read(file, size, shape, n_channels):
    """Read a file, or a part of it, as RGB or as grey levels.

    Parameters
    ----------
    file : str or NamedImage
        The file.
    size : tuple of int
        (height, width) that the image must have, which the header told.
    shape : tuple of int or None
        (height, width) of the part to cut out.
    n_channels : {1, 3}
        Number of channels.

    Returns
    -------
    pixels : ndarray of shape (height, width[, 3]), uint8
    """
    pixels = _decode(file, read_image, read_picture, shape)
    with name_in_errors(file):
        if pixels.shape[:2] != size:
            raise ValueError("its size is not the one that its header said")
        if n_channels == 1:
            if (pixels != pixels[..., :1]).any():
                raise ValueError(
                    "a color image, and `fit` saw images without color: fit on images "
                    "in color, or convert it to grey levels"
                )
            return pixels[..., 0].copy()
    return pixels


def _measure(file):
    """Read (height, width) from the header of a file."""
    return _decode(file, read_size, find_stored_size)


def _describe(file):
    """Describe a file by its header, and a picture by the parts that it keeps."""
    try:
        return _decode(file, read_header, _describe_picture)
    except ValueError as error:
        return Header(error=str(error))


def _describe_picture(picture):
    stream = getattr(picture, "fp", None) or BytesIO()
    place = stream.tell()
    header = describe_header(picture, stream)
    stream.seek(place)
    return header


def _decode(file, from_file, from_picture, *args):
    """Call one of two functions with a file or a picture, and name it in errors."""
    if not isinstance(file, NamedImage):
        return from_file(file, *args)
    with name_in_errors(file):
        if not is_picture(file.source):
            return from_file(file.source, *args)
        with hold(file.source):
            return from_picture(file.source, *args)

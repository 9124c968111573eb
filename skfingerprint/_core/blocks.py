"""Map, sum and score images block by block, with threads or with dask.

A source of blocks, a stack, a list and a dask array have a length and slices alike.
Only this module asks which of these X is.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from joblib.parallel import get_active_backend
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from skfingerprint._core.checks import check_jobs

# Values in a batch: enough to keep a thread busy, few enough to bound the workspace.
BATCH_VALUES = 2**21
# Largest value of images and residuals, far above any in grey levels: the squares of
# larger ones leave the range of float32.
LARGEST_VALUE = 1e18
# Beginning of the names of dask arrays whose blocks are compared with their chunks.
CHECKED = "skfingerprint-checked"
MIXED = (
    "the images differ in size, and what they are given to needs one size: cut a "
    "common part, `ImageReader(image_shape=(height, width))`."
)


def is_lazy(X: Any) -> bool:
    """Whether X is yet to be computed: a dask array, or a source of blocks."""
    return _is_source(X) or (hasattr(X, "map_blocks") and hasattr(X, "dask"))


def _is_source(X: Any) -> bool:
    return isinstance(X, BlockSource)


def _is_indexed(X: Any) -> bool:
    """Whether X is a source of blocks whose images can be read one by one."""
    return _is_source(X) and hasattr(X, "__getitem__")


def check_blocks(X: Any) -> Any:
    """Return lazy X without empty blocks, which masks leave behind.

    Each block is compared with its chunks when it is computed: a function that leaves
    out an image would shift the answers for all that follow.
    """
    if _is_source(X):
        return X
    sizes = [size for size in block_sizes(X) if size]
    if sizes and len(sizes) < len(X.chunks[0]):
        X = X.rechunk({0: tuple(sizes)})
    if X.name.startswith(CHECKED) or np.isnan(X.shape).any():
        return X
    name = f"{CHECKED}-{X.name}"
    return X.map_blocks(_check_block, name=name, dtype=X.dtype, meta=X._meta)


def _check_block(block: Any, block_info: Any = None) -> np.ndarray:
    """Return a block of dask, which must have the shape of its chunks and no mask."""
    if not block_info:
        return block
    number = block_info[0]["chunk-location"][0]
    places = block_info[0]["array-location"]
    expected = tuple(stop - start for start, stop in places)
    if np.shape(block) != expected:
        raise ValueError(
            f"block {number} of X has shape {np.shape(block)}, and its chunks declare "
            f"{expected}. A function that leaves images out declares their number by "
            "`map_blocks(function, chunks=...)`; `X.compute_chunk_sizes()` counts them."
        )
    return drop_mask(block, places[0][0])


def drop_mask(X: Any, start: int = 0) -> Any:
    """Return a masked array as an array; raise ValueError if a value is masked.

    `start` is the number of its first image.
    """
    if not isinstance(X, np.ma.MaskedArray):
        return X
    masked = np.ma.getmaskarray(X).reshape(len(X), -1).any(axis=1)
    if masked.any():
        raise ValueError(
            f"image or row {start + int(masked.argmax())} of X has masked values: "
            "leave it out, or crop all images to a part without a mask."
        )
    return np.asarray(X)


def as_stack(X: Any) -> Any:
    """View rows as a stack of images one pixel high; a list stays a list."""
    is_rows = not isinstance(X, list) and X.ndim == 2
    return X.reshape(len(X), 1, X.shape[1]) if is_rows else X


def as_rows(X: Any) -> Any:
    """View a stack as rows."""
    return X.reshape(len(X), -1)


def check_values(X: np.ndarray, start: int = 0) -> None:
    """Raise ValueError for NaN, infinity and too large values, naming the image.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        Images, residuals or rows.
    start : int, default=0
        Number of the first image, in messages.
    """
    if X.dtype.kind != "f" or not X.size:
        return
    low, high = float(X.min()), float(X.max())
    if -LARGEST_VALUE <= low and high <= LARGEST_VALUE:
        return
    largest = np.abs(as_rows(X)).max(axis=1).astype(float)
    first = int((~(largest <= LARGEST_VALUE)).argmax())
    name = f"{'image' if X.ndim > 2 else 'row'} {start + first} of X"
    if not np.isfinite(largest[first]):
        raise ValueError(f"{name} holds NaN or infinity.")
    raise ValueError(
        f"{name} holds {largest[first]:.3g}, too large for float32. "
        "Images are in grey levels 0..255."
    )


def map_blocks(
    function: Callable,
    X: Any,
    n_jobs: int | None = None,
    *,
    check: Callable = check_values,
    **params: Any,
) -> Any:
    """Compute `function(X)` in batches, by `n_jobs` threads.

    Parameters
    ----------
    function : callable
        From a stack (n, ...) to an array (n, ...), row by row, or to a list of images
        of different sizes.
    X : ndarray or dask array of shape (n_samples, ...)
        Images.
    n_jobs : int, default=None
        Number of threads.
    check : callable
        `check(block, start)` checks each block of a dask array before it is computed;
        `start` is the number of its first image.
    **params
        Keyword arguments of the function.

    Returns
    -------
    result : ndarray of shape (n_samples, ...), or dask array if X is one; a list of \
            images if their sizes differ
    """
    check_jobs(n_jobs)
    if is_lazy(X):
        return _map_lazily(function, X, check, params)
    with np.errstate(under="ignore"):
        return _map_batches(function, X, n_jobs, params)


def _map_batches(function: Callable, X: Any, n_jobs: int | None, params: dict) -> Any:
    """Compute `function(X)` of an array in batches.

    Parameters
    ----------
    function, X, n_jobs, params
        As in :func:`map_blocks`.
    """
    size = max(1, BATCH_VALUES // max(1, np.size(X[0])))
    batches = [slice(i, min(i + size, len(X))) for i in range(0, len(X), size)]
    if len(batches) == 1:
        return function(X, **params)
    streams = get_active_backend(prefer="threads")[0].supports_return_generator
    parallel = Parallel(
        n_jobs=n_jobs,
        prefer="threads",
        return_as="generator" if streams else "list",
        batch_size=1,
    )
    parts = parallel(delayed(function)(X[batch], **params) for batch in batches)
    return _join_batches(parts, batches)


def _join_batches(parts: Any, batches: list) -> Any:
    """Join results of batches: a stack, or a list once sizes of images differ.

    Results that come one by one are put in place at once, so that no second copy of
    all of them is held.
    """
    result = None
    for batch, part in zip(batches, parts, strict=True):
        if result is None:
            shape = batches[-1].stop, *part[0].shape
            result = np.empty(shape, dtype=part[0].dtype)
        if isinstance(result, list) or not _is_stack(part, result.shape[1:]):
            result = [*result[: batch.start], *part]
        else:
            result[batch] = part
    return result


def _is_stack(images: Any, shape: tuple) -> bool:
    return not isinstance(images, list) and images.shape[1:] == shape


def sum_blocks(X: Any, weights: np.ndarray) -> np.ndarray:
    """Compute `weights @ rows of X`, weighted sums of images.

    The blocks of a dask array are summed where they are, and sums are added in pairs,
    so that only sums are sent between workers.

    Parameters
    ----------
    X : ndarray, dask array or source of blocks, of shape (n_samples, ...)
        Images.
    weights : ndarray of shape (n_sums, n_samples)
        Weights of the images in each sum.

    Returns
    -------
    sums : ndarray of shape (n_sums, n_features)
    """
    if _is_source(X):
        return sum(
            _sum_block(block, None, weights[:, part].T)
            for block, part in iterate_blocks(X)
        )
    if not is_lazy(X):
        return weights.astype(X.dtype) @ as_rows(X)
    import dask

    add = dask.delayed(np.add)
    sums = _delay(_sum_block, X, None, weights.T)
    while len(sums) > 1:
        sums = [
            add(*sums[i : i + 2]) if i + 1 < len(sums) else sums[i]
            for i in range(0, len(sums), 2)
        ]
    return sums[0].compute()


def score_blocks(function: Callable, X: Any, state: Any, *labels: Any) -> np.ndarray:
    """Compute `function(X, state, *labels)`, block by block if X is lazy.

    The state, such as the fingerprints, is sent to each worker once and not with every
    block. Only results are sent back. Underflow is not an error.

    Parameters
    ----------
    function : callable
        From a block (n, ...), the state and the labels of the block to an array
        (n, ...).
    X : ndarray, dask array or source of blocks, of shape (n_samples, ...)
        Images or rows.
    state : object
        Passed to each call.
    *labels : ndarray of shape (n_samples, ...)
        Values for each image.

    Returns
    -------
    scores : ndarray of shape (n_samples, ...)
    """
    with np.errstate(under="ignore"):
        return _score_blocks(function, X, state, *labels)


def _score_blocks(function, X, state, *labels):
    if _is_source(X):
        found = [
            function(block, state, *(label[part] for label in labels))
            for block, part in iterate_blocks(X)
        ]
        return np.concatenate(found)
    if not is_lazy(X):
        return function(X, state, *labels)
    import dask

    return np.concatenate(dask.compute(*_delay(function, X, state, *labels)))


class BlockSource:
    """Rows or images that are computed one block at a time, when they are read.

    Parameters
    ----------
    read : callable
        `read(k)` returns the k-th block: an array, or a list of images of different
        sizes.
    sizes : sequence of int
        Number of rows or images in each block.
    """

    def __init__(self, read: Callable, sizes: list):
        self._read, self.sizes = read, list(sizes)
        # The first block shows shape and dtype. It is kept until it is read.
        self.first = read(0)
        is_list = isinstance(self.first, list)
        self.shape = (sum(sizes), *(() if is_list else self.first.shape[1:]))
        self.ndim = len(self.shape)
        self.dtype = (self.first[0] if is_list else self.first).dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator:
        for k in range(len(self.sizes)):
            yield from self.read(k)

    def read(self, k: int) -> Any:
        """Return the k-th block; the first is kept until it is taken."""
        first = self.first  # another thread may take it meanwhile
        return first if k == 0 and first is not None else self._read(k)

    def map(self, function: Callable) -> "BlockSource":
        """Return a source of the results of a function for each block."""
        return BlockSource(lambda k: function(self.read(k)), self.sizes)

    def astype(self, dtype: Any) -> "BlockSource":
        """Return a source of the same blocks, in another dtype."""
        return self.map(partial(_cast, dtype=dtype))


def _cast(block: Any, dtype: Any) -> Any:
    return block.astype(dtype)


def first_block(X: Any) -> Any:
    """Return the first block of a source of blocks, and anything else as it is."""
    return X.read(0) if _is_source(X) else X


def cut_largest(images: Any) -> Any:
    """Return the image whose shorter side is the longest, as a block of one image."""
    sides = [min(np.shape(image)[:2], default=0) for image in images]
    place = sides.index(max(sides))
    return images[place : place + 1]


def iterate_sources(X: Any) -> Iterator:
    """Yield each block of a source of blocks, and anything else as it is."""
    if _is_source(X):
        yield from map(X.read, range(len(X.sizes)))
    else:
        yield X


def apply(function: Callable, X: Any, *, lazily: bool) -> Any:
    """Return `function(X)`, block by block for a source; a source if `lazily`."""
    if not _is_source(X):
        return function(X)
    return X.map(function) if lazily else read_blocks(X.map(function))


def compute_block(function: Callable, block: Any, X: Any, start: int) -> Any:
    """Return `function(block)`; an error names the image that is refused.

    Parameters
    ----------
    function : callable
        Treats each image by itself.
    block : ndarray or list
        Some images of X.
    X : array-like
        All images.
    start : int
        Place in X of the first image of the block.

    Raises
    ------
    ValueError
        If an image is refused. If each one of the first block is, a parameter may be
        the reason, and no image is named.
    """
    try:
        return function(block)
    except ValueError as error:
        found = _find_refused(function, block, start > 0)
        if found is None:
            raise
        place, reason = found
        place += start
        name = X.name(place) if _is_indexed(X) else f"image {place} of X"
        raise ValueError(f"{name}: {reason}") from error


def _find_refused(function: Callable, block: Any, accepts: bool) -> Any:
    """Return place and reason of the first image that a function refuses, or None.

    `accepts` says whether the function is known to accept some images.
    """
    first = None
    for place in range(len(block)):
        try:
            function(block[place : place + 1])
            accepts = True
        except ValueError as error:
            reason = re.sub(r"^image 0( of X:)? ", "", str(error))
            first = first or (place, reason)
        if first and accepts:
            return first
    return None


def refuse_mixed_sizes(X: Any) -> None:
    """Raise ValueError for a source of images of different sizes."""
    if _is_source(X) and X.ndim == 1:
        raise ValueError(MIXED)


def read_images(X: Any, k: int, part: slice) -> Any:
    """Read the k-th block of images, at a slice of X: a stack, or a list."""
    images = X.read(k) if _is_source(X) else X[part]
    return images if isinstance(images, list) else np.asarray(images)


def read_blocks(X: Any, places: np.ndarray | None = None) -> Any:
    """Read X into memory, or its images at sorted places, each block once."""
    if not is_lazy(X):
        return X if places is None else X[places]
    n = len(X) if places is None else len(places)
    found = np.empty((n, *X.shape[1:]), dtype=X.dtype)
    for block, part in iterate_blocks(X):
        if places is None:
            found[part] = block
        else:
            inside = _find_inside(places, part.start, part.stop)
            found[inside] = block[places[inside] - part.start]
    return found


def _find_inside(places: np.ndarray, start: int, stop: int) -> slice:
    """Return the slice of the sorted places that lie in a block."""
    return slice(*np.searchsorted(places, [start, stop]))


def iterate_blocks(X: Any) -> Iterator[tuple[np.ndarray, slice]]:
    """Yield the blocks of X in memory, one after the other, and their places."""
    start = 0
    for k, size in enumerate(block_sizes(X)):
        part = slice(start, start + size)
        if not _is_source(X):
            block = np.asarray(X[part])
        else:
            block = X.read(k)
            X.first = None
            # A selection may have no row of a block, which another reader needs.
            if not size:
                continue
            if isinstance(block, list) or block.shape[1:] != X.shape[1:]:
                raise ValueError(MIXED)
        check_values(block, start)
        yield block, part
        start += size


def take_images(X: Any, places: np.ndarray) -> Any:
    """Read the images of X at sorted places: a stack, or a list of mixed sizes."""
    if isinstance(X, list):
        return [X[place] for place in places]
    if _is_indexed(X):
        X, places = X[places], np.arange(len(places))
    if not _is_source(X):
        return np.asarray(X[places])
    found, starts = [], np.cumsum([0, *X.sizes])
    for k, start in enumerate(starts[:-1]):
        own = places[_find_inside(places, start, starts[k + 1])] - start
        found += [block[i] for block in ([X.read(k)] if len(own) else []) for i in own]
    return stack_images(found)


def stack_images(images: list) -> Any:
    """Return a stack of images, or the list if their sizes differ."""
    return np.stack(images) if len({image.shape for image in images}) == 1 else images


def select_rows(X: Any, places: np.ndarray) -> Any:
    """Return the rows of X at sorted places; a source of blocks stays one."""
    if not _is_source(X):
        return _safe_indexing(X, places)
    starts = np.cumsum([0, *X.sizes])
    parts = [
        places[_find_inside(places, *ends)] - ends[0]
        for ends in itertools.pairwise(starts)
    ]
    return BlockSource(lambda k: X.read(k)[parts[k]], [len(part) for part in parts])


def share_reading(X: Any, places: np.ndarray | None) -> tuple[Any, Any, Any]:
    """Share X between two readers, so that a source of blocks is read once.

    Parameters
    ----------
    X : ndarray, dask array, list or source of blocks
        Rows or images.
    places : ndarray of int or None
        Sorted indices of the rows that the second reader needs; None for all.

    Returns
    -------
    first : array-like
        X for the first reader. A source fills the rows of the second as it is read.
    second : array-like
        Rows for the second reader, once the first is done.
    kept : ndarray of int or slice
        Indices of these rows in X.
    """
    if not _is_source(X):
        return X, X, slice(None)
    if places is None:
        rows = read_blocks(X)
        return rows, rows, slice(None)
    return *_keep_rows(X, places), places


def _keep_rows(
    source: BlockSource, places: np.ndarray
) -> tuple[BlockSource, np.ndarray]:
    """Return a source of the same blocks, and an array of its rows at sorted places.

    The array is filled as the source is read.
    """
    kept = np.empty((len(places), *source.shape[1:]), dtype=source.dtype)
    starts = np.cumsum([0, *source.sizes])

    def read(k):
        block = source.read(k)
        inside = _find_inside(places, starts[k], starts[k + 1])
        kept[inside] = block[places[inside] - starts[k]]
        return block

    return BlockSource(read, source.sizes), kept


def list_readings(X: Any) -> np.ndarray:
    """Return the numbers of images that are read together: 1 for images in memory."""
    is_blocked = is_lazy(X) and not _is_indexed(X)
    return np.asarray(block_sizes(X)) if is_blocked else np.ones(len(X), dtype=int)


def block_sizes(X: Any, n_values: int | None = None) -> Any:
    """Return the lengths of the blocks that X is read in, of `n_values` values each."""
    if _is_source(X):
        return X.sizes
    if is_lazy(X):
        return X.chunks[0]
    n_values = n_values or BATCH_VALUES
    if isinstance(X, list):
        ends = np.cumsum([np.size(image) for image in X]) // n_values
        return np.unique(ends, return_counts=True)[1].tolist()
    size = max(1, n_values // max(1, np.size(X[0])))
    return [min(size, len(X) - start) for start in range(0, len(X), size)]


def _delay(function: Callable, X: Any, state: Any, *labels: np.ndarray) -> list:
    """Return the delayed `function(block, state, *labels)` of each block of dask."""
    import dask

    X = _in_whole_images(X)
    shared = dask.delayed(state)
    ends = np.cumsum(X.chunks[0])
    parts = [np.split(label, ends[:-1]) for label in labels]
    call = dask.delayed(_call_on_block)
    blocks = zip(X.to_delayed().ravel(), [0, *ends[:-1]], *parts, strict=True)
    return [call(function, block, start, shared, *own) for block, start, *own in blocks]


def _call_on_block(function, block, start, state, *labels):
    check_values(block, start)
    return function(block, state, *labels)


def _sum_block(block, _, weights):
    rows = as_rows(block)
    if rows.dtype.kind != "f":
        rows = rows.astype(np.float32)
    return weights.T.astype(rows.dtype) @ rows


def _map_lazily(function: Callable, images: Any, check: Callable, params: dict) -> Any:
    """Return a dask array of the results for each block.

    Parameters
    ----------
    function, check, params
        As in :func:`map_blocks`.
    images : dask array
        The images.
    """
    from dask.base import tokenize

    images = _in_whole_images(images)
    probe = function(np.zeros((1, *images.shape[1:]), dtype=images.dtype), **params)
    n_axes = probe.ndim
    # A name of its own marks the result; a prefix was deprecated for some versions.
    token = tokenize(images, function, check, params)
    return images.map_blocks(
        _apply_to_block,
        function,
        check,
        params,
        probe.shape[1:],
        name=f"{CHECKED}-{token}",
        dtype=probe.dtype,
        chunks=(images.chunks[0], *probe.shape[1:]),
        drop_axis=list(range(n_axes, images.ndim)) or None,
        new_axis=list(range(images.ndim, n_axes)) or None,
        meta=np.empty((0,) * n_axes, dtype=probe.dtype),
    )


def _apply_to_block(block, function, check, params, shape, block_info=None):
    check(block, block_info[0]["array-location"][0][0] if block_info else 0)
    found = map_blocks(function, block, **params)
    if not _is_stack(found, shape):
        raise ValueError(
            "the results differ in size, which the blocks of a dask array cannot hold: "
            "pass a list of images, or restore their size."
        )
    return found


def _in_whole_images(X: Any) -> Any:
    """Chunk a dask array along its first axis only."""
    if any(len(chunks) > 1 for chunks in X.chunks[1:]):
        X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    return X

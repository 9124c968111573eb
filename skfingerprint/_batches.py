"""Work on stacks in batches: by threads, or by dask where the stack is a dask array."""

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

# Values in a batch: enough to keep a thread busy, few enough to bound the workspace.
BATCH_VALUES = 2**20


def is_lazy(X):
    """Whether X is a dask array, without importing dask."""
    return hasattr(X, "map_blocks") and hasattr(X, "dask")


def fold(X, image_shape):
    """View rows as a stack; a row of unknown shape is an image one pixel high."""
    if X.ndim > 2:
        return X
    return X.reshape(len(X), *(image_shape or (1, X.shape[1])))


def flatten(X):
    """View a stack as rows."""
    return X.reshape(len(X), -1)


def apply_in_batches(function, images, n_jobs, **params):
    """Return `function(images)`, computed in batches by `n_jobs` threads.

    Of a dask array it is a dask array, of which each block is computed in batches.
    """
    if is_lazy(images):
        return _map_lazily(function, images, params)
    size = max(1, BATCH_VALUES // max(1, images[0].size))
    batches = [slice(i, i + size) for i in range(0, len(images), size)]
    if len(batches) == 1:
        return function(images, **params)
    parallel = Parallel(
        n_jobs=n_jobs, prefer="threads", return_as="generator", batch_size=1
    )
    parts = parallel(delayed(function)(images[batch], **params) for batch in batches)
    result = None
    for batch, part in zip(batches, parts, strict=True):
        if result is None:
            result = np.empty((len(images), *part.shape[1:]), dtype=part.dtype)
        result[batch] = part
    return result


def sum_weighted(X, weights):
    """Return `weights @ rows of X`: weighted sums of images, (n_sums, n_features).

    Of a dask array, each block is summed where it lies, and sums are added in pairs:
    only they travel.
    """
    if not is_lazy(X):
        return weights.astype(X.dtype) @ flatten(X)
    import dask

    X = _in_whole_images(X)
    blocks = X.to_delayed().ravel()
    ends = np.cumsum(X.chunks[0])
    multiply, add = dask.delayed(_sum_block), dask.delayed(np.add)
    sums = [
        multiply(block, weights[:, end - size : end])
        for block, size, end in zip(blocks, X.chunks[0], ends, strict=True)
    ]
    while len(sums) > 1:
        sums = [
            add(*sums[i : i + 2]) if i + 1 < len(sums) else sums[i]
            for i in range(0, len(sums), 2)
        ]
    return sums[0].compute()


def _sum_block(block, weights):
    _check_finite(block)
    rows = flatten(block)
    if rows.dtype.kind != "f":
        rows = rows.astype(np.float32)
    return weights.astype(rows.dtype) @ rows


def score_blocks(function, X, state):
    """Return `function(X, state)`, in memory; of a dask array block by block.

    The state, such as the fingerprints, goes to each worker once and not with every
    block.
    """
    if not is_lazy(X):
        return function(X, state)
    import dask

    X = _in_whole_images(X)
    score = dask.delayed(_score_block)
    shared = dask.delayed(state)
    return np.concatenate(
        dask.compute(*[score(function, b, shared) for b in X.to_delayed().ravel()])
    )


def _score_block(function, block, state):
    _check_finite(block)
    return function(block, state)


def _map_lazily(function, images, params):
    """Return a dask array of the results of each block."""
    images = _in_whole_images(images)
    probe = function(np.zeros((1, *images.shape[1:]), dtype=images.dtype), **params)
    n_axes = probe.ndim
    return images.map_blocks(
        _apply_to_block,
        function,
        params,
        dtype=probe.dtype,
        chunks=(images.chunks[0], *probe.shape[1:]),
        drop_axis=list(range(n_axes, images.ndim)) or None,
        new_axis=list(range(images.ndim, n_axes)) or None,
        meta=np.empty((0,) * n_axes, dtype=probe.dtype),
    )


def _apply_to_block(block, function, params):
    _check_finite(block)
    return apply_in_batches(function, block, None, **params)


def _in_whole_images(X):
    """Chunk a dask array along its first axis only."""
    if any(len(chunks) > 1 for chunks in X.chunks[1:]):
        X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    return X


def _check_finite(block):
    if block.dtype.kind == "f" and not np.isfinite(block).all():
        raise ValueError("X contains NaN or infinity.")

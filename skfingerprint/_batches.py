"""Work on stacks in batches, by threads."""

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

# Values in a batch: enough to keep a thread busy, few enough to bound the workspace.
BATCH_VALUES = 2**20


def fold(X, image_shape):
    """View rows as a stack; a row of unknown shape is an image one pixel high."""
    if X.ndim > 2:
        return X
    return X.reshape(len(X), *(image_shape or (1, X.shape[1])))


def apply_in_batches(function, images, n_jobs, **params):
    """Return `function(images)`, computed in batches by `n_jobs` threads."""
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

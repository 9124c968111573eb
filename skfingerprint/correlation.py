"""Correlation of residuals with fingerprints (eq. 5), as one matrix product."""

import numpy as np

# Below this share of its energy, the variance of a float32 vector is rounding.
RESOLUTION = 1e-12
# Values that are converted to float64 at a time: they stay in the cache.
BLOCK_VALUES = 2**17


def correlation_matrix(residuals, fingerprints, *, subtract_common=False):
    """Correlate each residual with each fingerprint.

    Rows are vectors of all pixels and channels of an image. Only the fingerprints are
    brought to zero mean and unit norm, so the residuals are read once and not copied.
    A constant residual or fingerprint correlates 0 with everything.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, n_features)
        Residuals, in grey levels, float32 or float64.
    fingerprints : ndarray of shape (n_classes, n_features)
        Fingerprints, in grey levels.
    subtract_common : bool, default=False
        Subtract the mean of the fingerprints from residuals and fingerprints first.

    Returns
    -------
    correlations : ndarray of shape (n_samples, n_classes)
        In [-1, 1], of the dtype of the residuals.

    Notes
    -----
    Eq. 5 of [1]_ is ``corr(X, Y) = <X - mean(X), Y - mean(Y)> / (norm * norm)``. With
    a zero-mean fingerprint the inner product needs no centring of the residual, and
    the residual's norm follows from ``|R - mean|^2 = |R|^2 - d mean^2``.

    References
    ----------
    .. [1] F. Marra, D. Gragnaniello, L. Verdoliva, G. Poggi, "Do GANs Leave Artificial
       Fingerprints?", IEEE MIPR, 2019. :doi:`10.1109/MIPR.2019.00103`

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.correlation import correlation_matrix
    >>> residuals = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [5.0, 5.0, 5.0]])
    >>> correlation_matrix(residuals, np.array([[2.0, 4.0, 6.0]])).round(6)
    array([[ 1.], [-1.], [ 0.]])
    """
    directions = fingerprints.astype(np.float64)
    common = np.zeros(directions.shape[1])
    if subtract_common:
        common = directions.mean(axis=0)
        directions -= common
        common -= common.mean()
    directions -= directions.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    np.divide(directions, lengths, out=directions, where=lengths > 0)
    offsets = directions @ common

    columns = np.vstack([directions, common]).astype(residuals.dtype)
    products = (residuals @ columns.T).astype(np.float64)
    along_common = products[:, -1]
    sums, energies = _moments(residuals)
    squares = energies - sums**2 / residuals.shape[1]
    squares += common @ common - 2 * along_common

    correlations = products[:, :-1] - offsets
    varied = squares > RESOLUTION * (energies + common @ common)
    correlations[varied] /= np.sqrt(squares[varied, np.newaxis])
    correlations[~varied] = 0
    return np.clip(correlations, -1, 1).astype(residuals.dtype)


def _moments(rows):
    """Return the sum and the sum of squares of each row, in float64."""
    n_rows, n_columns = rows.shape
    sums, energies = np.zeros((2, n_rows))
    step = max(1, BLOCK_VALUES // n_columns)
    for start in range(0, n_rows, step):
        part = slice(start, start + step)
        for column in range(0, n_columns, BLOCK_VALUES):
            block = rows[part, column : column + BLOCK_VALUES].astype(np.float64)
            sums[part] += block.sum(axis=1)
            energies[part] += np.einsum("ij,ij->i", block, block)
    return sums, energies

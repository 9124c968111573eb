"""Shares of accepted images, over sources."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AcceptedShares:
    """Shares of images that are accepted at each rate, over sources.

    Attributes
    ----------
    mean : ndarray of shape (n_rates,)
        Mean share of the sources; NaN without a source.
    least, most : ndarray of shape (n_rates,)
        Smallest and largest share of a source; NaN without a source.
    least_source, most_source : ndarray of shape (n_rates,)
        Sources with these shares; None without a source.
    """

    mean: np.ndarray
    least: np.ndarray
    least_source: np.ndarray
    most: np.ndarray
    most_source: np.ndarray


def share_by_source(y, accepted):
    """Compute the mean, smallest and largest accepted share of the sources.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Source of each image.
    accepted : ndarray of shape (n_samples, n_rates)
        Whether each image is accepted at each rate.

    Returns
    -------
    shares : AcceptedShares
    """
    names, members = np.unique(y, return_inverse=True)
    n_rates = accepted.shape[1]
    if not len(names):
        nothing, nobody = np.full(n_rates, np.nan), np.full(n_rates, None)
        return AcceptedShares(nothing, nothing, nobody, nothing, nobody)
    shares = np.stack([accepted[members == k].mean(axis=0) for k in range(len(names))])
    return AcceptedShares(
        mean=shares.mean(axis=0),
        least=shares.min(axis=0),
        least_source=names[shares.argmin(axis=0)],
        most=shares.max(axis=0),
        most_source=names[shares.argmax(axis=0)],
    )

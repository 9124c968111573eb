"""Decisions by a score and a threshold."""

import numpy as np

from skfingerprint._core import (
    at_once,
)


class ThresholdMixin:
    """Decisions by `score_samples`, from the threshold `offset_` on."""

    @at_once
    def decision_function(self, X):
        """Return the score minus the threshold: not negative for known sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            As in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    @at_once
    def predict(self, X):
        """Return 1 for known sources and -1 for all others.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            As in `fit`.

        Returns
        -------
        known : ndarray of shape (n_samples,), int
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

"""Decisions by a score and a threshold."""

import numpy as np


class ThresholdMixin:
    """Decide by `score_samples` and the threshold `offset_`."""

    def decision_function(self, X):
        """Compute the score minus the threshold: not negative for known sources.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            As in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return 1 for known sources and -1 for unknown ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            As in `fit`.

        Returns
        -------
        known : ndarray of shape (n_samples,), int
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

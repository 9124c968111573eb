"""Base class of the localizers: maps of scores, and masks at a stated rate."""

from dataclasses import dataclass

from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import CrossFittedMixin, Estimator, at_once, shorten


class Localizer(CrossFittedMixin, ClassifierMixin, Estimator):
    """Maps and masks of a source, against another source or against all others.

    A subclass implements `_make_maps(X, contrast)`. It computes the scores of all
    classes at each place, and makes a map of the values that `contrast` returns for
    them.
    """

    @at_once
    def score_map(self, X, source=None, *, background=None):
        """Score each pixel.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels])
            Images or residuals, as in `fit`.
        source : label, default=None
            Entry of `classes_`: the source to locate. Without `source` and `background`
            the scores of all classes are returned.
        background : label, default=None
            Entry of `classes_`: the source that the rest of the image comes from. By
            default it may be any other class. A background without `source` locates all
            pixels that do not come from it, including pixels of sources that were not
            fitted.

        Returns
        -------
        score_maps : ndarray of shape (n_samples, height, width[, n_classes]), float32
            Score of the source, less the score of the background if one is given; minus
            the score of the background without a source. A list of maps for images that
            differ in size.
        """
        check_is_fitted(self)
        if source is None and background is None:
            return self._make_maps(X, lambda scores: scores)
        return self._make_maps(X, Contrast(*self._find_places(source, background)))

    @at_once
    def predict_mask(self, X, source=None, *, background=None):
        """Select the pixels of the source, at the pixel false-alarm rate.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels])
            Images or residuals, as in `fit`.
        source, background : label, default=None
            As in :meth:`score_map`; at least one of them.

        Returns
        -------
        masks : ndarray of shape (n_samples, height, width), bool
            Whether the score is at least the threshold of `find_threshold`. A list of
            masks for images that differ in size.
        """
        threshold = self.find_threshold(source, background=background)
        maps = self.score_map(X, source, background=background)
        if isinstance(maps, list):
            return [score_map >= threshold for score_map in maps]
        return maps >= threshold

    @at_once
    def find_threshold(self, source=None, *, background=None):
        """Return the score from which on a pixel is assigned to the source.

        Parameters
        ----------
        source, background : label, default=None
            As in :meth:`score_map`; at least one of them.

        Returns
        -------
        threshold : float
            Entry of `thresholds_`.
        """
        check_is_fitted(self)
        row, column = self._find_places(source, background)
        return float(self.thresholds_[row, column])

    def _find_places(self, source, background):
        """Return the indices of two classes, -1 for any class."""
        names = self.classes_.tolist()
        if source is None and background is None:
            raise ValueError(
                "source or background must be given: which source is looked for, or "
                f"rather than what? The classes are {shorten(names)}."
            )
        given = {"source": source, "background": background}
        for name, label in given.items():
            if label is not None and label not in names:
                raise ValueError(
                    f"{name} must be None or one of the classes {shorten(names)}, got "
                    f"{shorten(label)}."
                )
        if source == background:
            raise ValueError(
                f"source and background must differ, got {shorten(source)} twice."
            )
        # -1 is also the index of the last row or column of `thresholds_`: any class.
        return [-1 if label is None else names.index(label) for label in given.values()]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The rows of scikit-learn's checks are not pictures.
        tags.classifier_tags.poor_score = True
        return tags


@dataclass(frozen=True)
class Contrast:
    """Score of a source, of a source less a background, or minus that of a background.

    Attributes
    ----------
    source, background : int
        Indices of classes, -1 for any class; not both -1.
    """

    source: int
    background: int

    def __call__(self, scores):
        """Return the contrast of scores, (..., n_classes)."""
        if self.source < 0:
            return -scores[..., self.background]
        found = scores[..., self.source]
        return found if self.background < 0 else found - scores[..., self.background]

"""What the localizers do alike: maps of scores, and masks at a stated rate."""

from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skfingerprint._core import CrossFittedMixin, Estimator, at_once


class Localizer(CrossFittedMixin, ClassifierMixin, Estimator):
    """Maps and masks of a source, against another one or against all others.

    A subclass says in `_make_maps` how images become maps of what a function makes of
    the scores of the classes.
    """

    @at_once
    def score_map(self, X, source=None, *, background=None):
        """Score each pixel.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels])
            As in `fit`.
        source : label, default=None
            One of `classes_`: where is this source? Without `source` and `background`
            the scores of all classes are returned.
        background : label, default=None
            One of `classes_`: rather than what? By default than anything else. Without
            `source`: where is it anything but this? That also finds sources that were
            not fitted.

        Returns
        -------
        score_maps : ndarray of shape (n_samples, height, width[, n_classes]), float32
            The score of the source, less that of the background if there is one; or
            minus that of the background. A list of maps of images that differ in size.
        """
        check_is_fitted(self)
        if source is None and background is None:
            return self._make_maps(X, lambda scores: scores)
        return self._make_maps(X, Contrast(*self._find_places(source, background)))

    @at_once
    def predict_mask(self, X, source=None, *, background=None):
        """Say which pixels are the source's, at the pixel false-alarm rate.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, n_channels])
            As in `fit`.
        source, background : label, default=None
            As in :meth:`score_map`; at least one of them.

        Returns
        -------
        masks : ndarray of shape (n_samples, height, width), bool
            Whether the score is at least that of `find_threshold`. A list of masks of
            images that differ in size.
        """
        threshold = self.find_threshold(source, background=background)
        maps = self.score_map(X, source, background=background)
        if isinstance(maps, list):
            return [score_map >= threshold for score_map in maps]
        return maps >= threshold

    @at_once
    def find_threshold(self, source=None, *, background=None):
        """Return the score from which on a pixel is taken for the source's.

        Parameters
        ----------
        source, background : label, default=None
            As in :meth:`score_map`; at least one of them.

        Returns
        -------
        threshold : float
            An entry of `thresholds_`.
        """
        check_is_fitted(self)
        row, column = self._find_places(source, background)
        return float(self.thresholds_[row, column])

    def _find_places(self, source, background):
        """Return the numbers of two classes, -1 for any."""
        names = self.classes_.tolist()
        if source is None and background is None:
            raise ValueError(
                "source or background must be given: which source is looked for, or "
                f"rather than what? The classes are {names[:20]}."
            )
        given = {"source": source, "background": background}
        for name, label in given.items():
            if label is not None and label not in names:
                raise ValueError(
                    f"{name} must be None or one of the classes {names[:20]}, got "
                    f"{label!r}."
                )
        if source == background:
            raise ValueError(
                f"source and background must differ, got {source!r} twice."
            )
        return [-1 if label is None else names.index(label) for label in given.values()]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The rows of scikit-learn's checks are no pictures.
        tags.classifier_tags.poor_score = True
        return tags


class Contrast:
    """The score of a source, of a source less a background, or minus the latter's."""

    def __init__(self, source, background):
        self.source, self.background = source, background

    def __call__(self, scores):
        if self.source < 0:
            return -scores[..., self.background]
        found = scores[..., self.source]
        return found if self.background < 0 else found - scores[..., self.background]

"""Display of a map of scores over an image."""

import numpy as np

from skfingerprint._core import shorten, transform_by
from skfingerprint.plotting._axes import make_axes
from skfingerprint.plotting._estimators import split


class ScoreMapDisplay:
    """Map of the scores of pixels over the image in gray.

    Pixels above the threshold are red, and pixels below it blue; the threshold is white
    in the color bar. A solid line surrounds the pixels that reach the threshold. A
    dashed line surrounds the true part of the source, if it is given.

    Parameters
    ----------
    image : array-like of shape (height, width[, n_channels])
        Image in grey levels 0..255.
    score_map : array-like of shape (height, width)
        Score of each pixel.
    threshold : float, default=0.0
        Smallest score at which a pixel is attributed to the source.
    mask : array-like of shape (height, width), bool, default=None
        Pixels that are known to come from the source.
    label : str, default="Score"
        Label of the color bar.

    Attributes
    ----------
    ax_ : Axes
        Axes with the image.
    figure_ : Figure
        Figure of the axes.
    image_ : AxesImage
        Colors of the scores.
    colorbar_ : Colorbar
        Color bar of the scores.

    See Also
    --------
    skfingerprint.WindowedClassifier : Classifier that computes such maps.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.plotting import ScoreMapDisplay
    >>> score_map = np.add.outer(np.arange(64), np.arange(64)) - 63.0
    >>> display = ScoreMapDisplay(load_generators().images[0], score_map).plot()
    >>> [float(limit) for limit in display.image_.get_clim()]
    [-63.0, 63.0]
    """

    def __init__(self, image, score_map, *, threshold=0.0, mask=None, label="Score"):
        self.image = image
        self.score_map = score_map
        self.threshold = threshold
        self.mask = mask
        self.label = label

    def plot(self, ax=None, *, limit=None, alpha=0.55):
        """Plot the image and the scores.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        limit : float, default=None
            Distance of a score from the threshold at which the colors end. By default
            the largest distance of a pixel.
        alpha : float, default=0.55
            Opacity of the colors over the image, in 0..1.

        Returns
        -------
        display : ScoreMapDisplay
        """
        self.figure_, self.ax_ = make_axes(ax, size=4)
        image, score_map = np.asarray(self.image), np.asarray(self.score_map)
        if image.shape[:2] != score_map.shape:
            raise ValueError(
                f"score_map must have the size of the image, {image.shape[:2]}, got "
                f"shape {score_map.shape}."
            )
        grey = image if image.ndim == 2 else image.mean(axis=-1)
        # A map that lies at the threshold everywhere needs a range as well.
        limit = limit or np.abs(score_map - self.threshold).max() or 1.0
        limits = {"vmin": self.threshold - limit, "vmax": self.threshold + limit}
        self.ax_.imshow(grey, "gray", vmin=0, vmax=255)
        self.image_ = self.ax_.imshow(score_map, "RdBu_r", alpha=alpha, **limits)
        self._draw_outlines(score_map)
        self.ax_.set_axis_off()
        self.colorbar_ = self.figure_.colorbar(
            self.image_, ax=self.ax_, label=self.label, shrink=0.85
        )
        self.colorbar_.ax.axhline(self.threshold, color="black", lw=1.5)
        return self

    def _draw_outlines(self, score_map):
        """Plot the line around the mask, and around the true part."""
        found = score_map >= self.threshold
        outlines = [(found, "black", "solid")]
        if self.mask is not None:
            outlines.append((np.asarray(self.mask), "gold", "dashed"))
        for mask, color, line in outlines:
            # matplotlib warns of contours that do not exist.
            if mask.any() and not mask.all():
                self.ax_.contour(
                    mask, [0.5], colors=color, linestyles=line, linewidths=1.8
                )

    @classmethod
    def from_estimator(
        cls,
        estimator,
        image,
        source=None,
        *,
        background=None,
        mask=None,
        ax=None,
        **kwargs,
    ):
        """Score the pixels of an image and plot the scores.

        Parameters
        ----------
        estimator : WindowedClassifier, FingerprintLocalizer, Pipeline or search
            Fitted estimator; a pipeline ends with one of the first two.
        image : array-like of shape (height, width[, n_channels])
            Image in grey levels 0..255.
        source, background : label, default=None
            Source that is searched, and source of the rest of the image, as in
            :meth:`skfingerprint.WindowedClassifier.score_map`; at least one of them.
        mask : array-like of shape (height, width), bool, default=None
            Pixels that are known to come from the source.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of `plot`.

        Returns
        -------
        display : ScoreMapDisplay
        """
        steps, localizer = split(estimator)
        if not hasattr(localizer, "score_map"):
            raise ValueError(
                "estimator must be a fitted WindowedClassifier or "
                f"FingerprintLocalizer, or end with one, got {shorten(localizer)}."
            )
        asked = {"source": source, "background": background}
        threshold = localizer.find_threshold(**asked)
        X = transform_by(steps, np.asarray(image)[np.newaxis])
        display = cls(
            image,
            localizer.score_map(X, **asked)[0],
            threshold=threshold,
            mask=mask,
            label=_describe(**asked),
        )
        return display.plot(ax, **kwargs)


def _describe(source, background):
    """Return the label of the color bar."""
    if source is None:
        return f"Score: anything but {background}"
    return f"Score: {source}" + ("" if background is None else f", not {background}")

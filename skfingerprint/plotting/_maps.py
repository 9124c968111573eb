"""Which part of an image is whose, drawn over the image."""

import numpy as np

from skfingerprint._core import transform_by
from skfingerprint.plotting._axes import make_axes
from skfingerprint.plotting._estimators import split


class ScoreMapDisplay:
    """An image in grey, and over it the scores of its pixels.

    Red are the pixels above the threshold, which is white in the color bar, and blue
    those below. A solid line surrounds what lies above it, the mask; a dashed one the
    true part, where it is known.

    Parameters
    ----------
    image : array-like of shape (height, width[, n_channels])
        In grey levels 0..255.
    score_map : array-like of shape (height, width)
        Score of each pixel.
    threshold : float, default=0.0
        From which score on a pixel is taken for the source's.
    mask : array-like of shape (height, width), bool, default=None
        Pixels that are known to be the source's.
    label : str, default="Score"
        What the scores say.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    image_ : AxesImage
        The scores.
    colorbar_ : Colorbar

    See Also
    --------
    skfingerprint.WindowedClassifier : Has such maps.

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
        """Draw the image and the scores.

        Parameters
        ----------
        ax : Axes, default=None
            By default a new figure is made.
        limit : float, default=None
            Distance from the threshold at which colors are full. By default that of
            the pixel that is furthest from it.
        alpha : float, default=0.55
            In 0..1: how much the colors cover the image.

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
        """Draw the line around the mask, and around the true part."""
        found = score_map >= self.threshold
        outlines = [(found, "black", "solid")]
        if self.mask is not None:
            outlines.append((np.asarray(self.mask), "gold", "dashed"))
        for mask, color, line in outlines:
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
        """Ask a model about an image, and draw the answer.

        Parameters
        ----------
        estimator : WindowedClassifier, FingerprintLocalizer, Pipeline or search
            Fitted; a pipeline ends with one of them.
        image : array-like of shape (height, width[, n_channels])
            One image in grey levels 0..255.
        source, background : label, default=None
            What is asked, as in :meth:`skfingerprint.WindowedClassifier.score_map`; at
            least one of them.
        mask : array-like of shape (height, width), bool, default=None
            Pixels that are known to be the source's.
        ax : Axes, default=None
            By default a new figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : ScoreMapDisplay
        """
        steps, localizer = split(estimator)
        if not hasattr(localizer, "score_map"):
            raise ValueError(
                "estimator must be a fitted WindowedClassifier or "
                f"FingerprintLocalizer, or end with one, got {localizer!r}."
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
    if source is None:
        return f"Score: anything but {background}"
    return f"Score: {source}" + ("" if background is None else f", not {background}")

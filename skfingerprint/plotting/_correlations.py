"""Displays of correlations with fingerprints: histograms, and means by source."""

import numpy as np

from skfingerprint._core import check_choice
from skfingerprint.metrics import (
    average_correlation_matrix,
    same_and_cross_correlations,
)
from skfingerprint.plotting._axes import COLORS, make_axes
from skfingerprint.plotting._estimators import correlate

# Label of each statistic, label of its mean, factor and unit of the written means.
STATISTICS = {
    "correlation": ("Correlation", "Mean correlation", 100, ", in hundredths"),
    "pce": ("PCE", "Mean PCE", 1, " (peak-to-correlation energy)"),
}


class _ScoresDisplay:
    """Base class of displays of scores of residuals and fingerprints."""

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs):
        """Score test images against the fingerprints and plot the scores.

        Parameters
        ----------
        estimator : FingerprintClassifier, Pipeline or search
            Estimator fitted on other images; a pipeline ends with a classifier.
        X : array-like
            Test images, or residuals for a bare classifier.
        y : array-like of shape (n_samples,)
            Source of each image.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of `from_predictions` and of `plot`.

        Returns
        -------
        display : Display
        """
        scores, classifier = correlate(estimator, X)
        kwargs = {"statistic": classifier.statistic, "ax": ax} | kwargs
        return cls.from_predictions(y, scores, classifier.classes_, **kwargs)


class CorrelationHistogramDisplay(_ScoresDisplay):
    """Histograms of same-source and of cross-source correlations.

    Parameters
    ----------
    same : ndarray of shape (n,)
        Correlations of residuals with the fingerprint of their own source.
    cross : ndarray of shape (m,)
        Correlations with the fingerprints of other sources.
    auc : float, default=None
        Probability that a same-source correlation exceeds a cross-source one.
    title : str, default=None
        Name of the source.
    statistic : {"correlation", "pce"}, default="correlation"
        Kind of the scores, which labels the axis.

    Attributes
    ----------
    ax_ : Axes
        Axes with the histograms.
    figure_ : Figure
        Figure of the axes.
    bar_ : list of BarContainer
        Histograms of the cross-source and of the same-source correlations.

    Examples
    --------
    >>> from skfingerprint.plotting import CorrelationHistogramDisplay
    >>> correlations = [[0.4, 0.0], [0.2, 0.1], [0.1, 0.5]]
    >>> display = CorrelationHistogramDisplay.from_predictions(
    ...     ["a", "a", "b"], correlations, ["a", "b"])
    >>> display.auc
    1.0
    """

    def __init__(self, same, cross, *, auc=None, title=None, statistic="correlation"):
        self.same = same
        self.cross = cross
        self.auc = auc
        self.title = title
        self.statistic = statistic

    def plot(self, ax=None, *, bins=40):
        """Plot the two histograms as densities.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        bins : int, default=40
            Number of bins over the common range of both histograms.

        Returns
        -------
        display : CorrelationHistogramDisplay
        """
        check_choice("statistic", self.statistic, STATISTICS)
        label = STATISTICS[self.statistic][0]
        self.figure_, self.ax_ = make_axes(ax)
        edges = np.histogram_bin_edges(np.concatenate([self.same, self.cross]), bins)
        shared = {"density": True, "alpha": 0.65, "edgecolor": "white", "linewidth": 0}
        self.bar_ = []
        for values, color, hatch, name in (
            (self.cross, COLORS[1], "///", "other fingerprints"),
            (self.same, COLORS[0], None, "own fingerprint"),
        ):
            look = {"color": color, "hatch": hatch, **shared}
            look["label"] = f"{name} (n = {len(values)})"
            self.bar_.append(self.ax_.hist(values, edges, **look)[2])
        area = "" if self.auc is None else f"AUC {self.auc:.3f}"
        self.ax_.set_title(", ".join(filter(None, [self.title, area])))
        self.ax_.set(xlabel=label, ylabel="Density")
        self.ax_.legend()
        return self

    @classmethod
    def from_predictions(
        cls, y_true, scores, classes, *, source=None, statistic="correlation", **kwargs
    ):
        """Split correlations into same-source and cross-source ones and plot them.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Source of each residual.
        scores : array-like of shape (n_samples, n_classes)
            Correlations of test residuals with the fingerprints, or PCEs.
        classes : array-like of shape (n_classes,)
            Source of each fingerprint.
        source : label, default=None
            Source whose residuals are used; by default all sources.
        statistic : {"correlation", "pce"}, default="correlation"
            Kind of the scores.
        **kwargs
            Options of `plot`: `ax` and `bins`.

        Returns
        -------
        display : CorrelationHistogramDisplay
        """
        samples = same_and_cross_correlations(y_true, scores, classes, source=source)
        title = None if source is None else str(source)
        return cls(**samples, title=title, statistic=statistic).plot(**kwargs)


class CorrelationMatrixDisplay(_ScoresDisplay):
    """Average correlations of each source's residuals with each fingerprint.

    Parameters
    ----------
    correlations : ndarray of shape (n_classes, n_classes)
        Mean correlation of the residuals of source A with the fingerprint of source B
        in row A and column B, as returned by
        :func:`skfingerprint.metrics.average_correlation_matrix`.
    labels : array-like of shape (n_classes,)
        Names of the sources.
    statistic : {"correlation", "pce"}, default="correlation"
        Kind of the scores, which labels the color bar.

    Attributes
    ----------
    ax_ : Axes
        Axes with the matrix.
    figure_ : Figure
        Figure of the axes.
    image_ : AxesImage
        Colors of the means.
    text_ : ndarray of Text of shape (n_classes, n_classes), or None
        Written means.

    Examples
    --------
    >>> from skfingerprint.plotting import CorrelationMatrixDisplay
    >>> correlations = [[0.4, 0.0], [0.2, 0.1], [0.1, 0.5]]
    >>> display = CorrelationMatrixDisplay.from_predictions(
    ...     ["a", "a", "b"], correlations, ["a", "b"])
    >>> display.text_[1, 1].get_text()
    '50'
    """

    def __init__(self, correlations, labels, *, statistic="correlation"):
        self.correlations = correlations
        self.labels = labels
        self.statistic = statistic

    def plot(self, ax=None, *, include_values=True):
        """Plot the matrix.

        Colors follow the square root of the means, so that blocks of similar sources
        are visible beside a strong diagonal. Negative means have the color of 0.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        include_values : bool, default=True
            Whether to write the means: correlations in hundredths, PCEs unchanged.

        Returns
        -------
        display : CorrelationMatrixDisplay
        """
        check_choice("statistic", self.statistic, STATISTICS)
        n = len(self.labels)
        self.figure_, self.ax_ = make_axes(ax, size=max(5, 3 + 0.32 * n))
        # Imported after make_axes, which names the missing extra in its error.
        from matplotlib.colors import PowerNorm

        positive = np.maximum(self.correlations, 0)
        norm = PowerNorm(0.5, vmin=0, vmax=max(positive.max(), 1e-6))
        self.image_ = self.ax_.imshow(positive, "cividis", norm=norm)
        bar = self.figure_.colorbar(self.image_, ax=self.ax_, shrink=0.8)
        bar.set_label(STATISTICS[self.statistic][1])
        self.ax_.set_xticks(np.arange(n), self.labels, rotation="vertical")
        self.ax_.set_yticks(np.arange(n), self.labels)
        self.ax_.set(xlabel="Fingerprint of", ylabel="Residuals of")
        self.text_ = self._write_values() if include_values else None
        return self

    def _write_values(self):
        """Write the mean into each cell, dark on bright and bright on dark."""
        _, label, scale, unit = STATISTICS[self.statistic]
        self.ax_.set_title(label + unit)
        n = len(self.labels)
        look = {"ha": "center", "va": "center"}
        look["fontsize"] = "small" if n < 12 else "x-small"
        text = []
        for (row, column), value in np.ndenumerate(self.correlations):
            is_bright = self.image_.norm(max(value, 0)) > 0.5
            look["color"] = "black" if is_bright else "white"
            text.append(self.ax_.text(column, row, f"{scale * value:z.0f}", **look))
        return np.reshape(text, (n, n))

    @classmethod
    def from_predictions(
        cls, y_true, scores, classes, *, statistic="correlation", ax=None, **kwargs
    ):
        """Average correlations by source and plot the means.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Source of each residual.
        scores : array-like of shape (n_samples, n_classes)
            Correlations of test residuals with the fingerprints, or PCEs.
        classes : array-like of shape (n_classes,)
            Source of each fingerprint.
        statistic : {"correlation", "pce"}, default="correlation"
            Kind of the scores.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of `plot`.

        Returns
        -------
        display : CorrelationMatrixDisplay
        """
        means = average_correlation_matrix(y_true, scores, classes)
        return cls(means, classes, statistic=statistic).plot(ax, **kwargs)

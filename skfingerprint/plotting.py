"""Pictures of fingerprints and of attributions, after scikit-learn's Display classes.

A Display holds the numbers; `plot` draws them, and only that imports matplotlib (extra
`plot`). Displays of one picture for each source draw into an array of axes.
"""

import numpy as np
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    confusion_matrix,
    roc_auc_score,
    roc_curve,
)
from sklearn.pipeline import Pipeline
from sklearn.utils.multiclass import unique_labels

from skfingerprint.metrics import (
    average_correlation_matrix,
    energy_curve,
    fit_energy_curve,
    robustness_curve,
    same_and_cross_correlations,
)
from skfingerprint.spectrum import autocorrelation, power_spectrum

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", ":", "-.")
PIXELS = {"interpolation": "nearest"}


class _PicturesDisplay:
    """One picture for each fingerprint; `_draw` draws one."""

    def __init__(self, fingerprints, labels):
        self.fingerprints = fingerprints
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw a picture for each fingerprint of a fitted classifier.

        Parameters
        ----------
        estimator : FingerprintClassifier, Pipeline or search
            Fitted on images; a pipeline ends with a classifier.
        ax : array-like of Axes, default=None
            One for each class.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : Display
        """
        classifier = _split(estimator)[1]
        return cls(classifier.fingerprints_, classifier.classes_).plot(ax, **kwargs)

    def _plot_each(self, ax, n_columns, **options):
        fingerprints = _images(self.fingerprints)
        self.figure_, self.ax_ = _picture_axes(ax, len(fingerprints), n_columns)
        self.image_ = []
        for axes, fingerprint, label in zip(
            self.ax_, fingerprints, self.labels, strict=True
        ):
            axes.set_title(label, fontsize="small")
            self.image_.append(self._draw(axes, fingerprint, **options))
        return self


class FingerprintDisplay(_PicturesDisplay):
    """Fingerprints as amplified pictures: grey is 0.

    Parameters
    ----------
    fingerprints : ndarray of shape (n_pictures, height, width[, n_channels])
        In grey levels.
    labels : array-like of shape (n_pictures,)
        Title of each picture.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_pictures,)
        Where `plot` drew.
    figure_ : Figure
    image_ : list of AxesImage
    amplification_ : list of float
        Factors by which the grey levels were multiplied.

    Examples
    --------
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.plotting import FingerprintDisplay
    >>> data = load_generators()
    >>> residuals = ResidualExtractor().transform(data.images)
    >>> classifier = FingerprintClassifier().fit(residuals, data.target)
    >>> FingerprintDisplay.from_estimator(classifier).ax_.shape
    (8,)
    """

    def plot(self, ax=None, *, amplification=None, size=None, n_columns=4):
        """Draw the fingerprints.

        Parameters
        ----------
        ax : array-like of Axes, default=None
            One for each fingerprint. By default a new figure is made.
        amplification : float, default=None
            Factor for all pictures. By default each has its own, which lets three
            standard deviations of the fingerprint fill the range; titles state it.
        size : int, default=None
            Side in pixels of the middle part to show. By default all is shown.
        n_columns : int, default=4
            Pictures beside each other in a new figure.

        Returns
        -------
        display : FingerprintDisplay
        """
        self.amplification_ = []
        return self._plot_each(ax, n_columns, amplification=amplification, size=size)

    def _draw(self, axes, fingerprint, *, amplification, size):
        picture = np.squeeze(_middle(fingerprint, size))
        if amplification is None:
            amplification = 127.5 / (3 * (picture.std() or 1))
        self.amplification_.append(float(amplification))
        axes.set_title(
            f"{axes.get_title()}\n\u00d7{amplification:.3g}", fontsize="small"
        )
        axes.set_axis_off()
        grey = 0.5 + amplification / 255 * picture
        return axes.imshow(grey.clip(0, 1), "gray", vmin=0, vmax=1, **PIXELS)

    @classmethod
    def from_residuals(
        cls, residuals, y, *, n_images=(2, 8, 32, 128, 512), ax=None, **kwargs
    ):
        """Draw fingerprints of more and more images: a row for each source.

        Parameters
        ----------
        residuals : ndarray of shape (n_samples, height, width[, n_channels])
            In grey levels.
        y : array-like of shape (n_samples,)
            Source of each.
        n_images : sequence of int, default=(2, 8, 32, 128, 512)
            Numbers of images; each source must have as many. The first ones are taken.
        ax : array-like of Axes, default=None
            One for each source and number.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : FingerprintDisplay
        """
        y = np.asarray(y)
        pictures, labels = [], []
        for name in np.unique(y):
            own = np.flatnonzero(y == name)
            if len(own) < max(n_images):
                raise ValueError(
                    f"{name} has {len(own)} residuals, and n_images asks for "
                    f"{max(n_images)}."
                )
            for n in n_images:
                pictures.append(residuals[own[:n]].mean(axis=0))
                labels.append(f"{name}, n = {n}")
        display = cls(np.stack(pictures), labels)
        return display.plot(ax, **{"n_columns": len(n_images)} | kwargs)


class AutocorrelationDisplay(_PicturesDisplay):
    """Autocorrelation of fingerprints around shift 0, the mean of the channels.

    Shift 0, where it is 1, is left out of the colours' range.

    Parameters
    ----------
    fingerprints : ndarray of shape (n_pictures, height, width[, n_channels])
        In grey levels.
    labels : array-like of shape (n_pictures,)
        Title of each picture.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_pictures,)
        Where `plot` drew.
    figure_ : Figure
    image_ : list of AxesImage

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.plotting import AutocorrelationDisplay
    >>> fingerprints = np.random.default_rng(0).normal(size=(2, 32, 32, 3))
    >>> AutocorrelationDisplay(fingerprints, ["a", "b"]).plot().ax_.shape
    (2,)
    """

    def plot(self, ax=None, *, size=33, n_columns=4):
        """Draw the autocorrelations.

        Parameters
        ----------
        ax : array-like of Axes, default=None
            One for each fingerprint. By default a new figure is made.
        size : int, default=33
            Number of shifts to show along each axis, around 0.
        n_columns : int, default=4
            Pictures beside each other in a new figure.

        Returns
        -------
        display : AutocorrelationDisplay
        """
        return self._plot_each(ax, n_columns, size=size)

    def _draw(self, axes, fingerprint, *, size):
        surface = _plane(autocorrelation(fingerprint))
        height, width = (min(size // 2, n // 2 - 1) for n in surface.shape)
        y, x = (n // 2 for n in surface.shape)
        part = surface[y - height : y + height + 1, x - width : x + width + 1]
        largest = max(np.sort(np.abs(part).ravel())[:-1].max(initial=0), 1e-6)
        limits = (-width - 0.5, width + 0.5, height + 0.5, -height - 0.5)
        image = axes.imshow(
            part, "PuOr", vmin=-largest, vmax=largest, extent=limits, **PIXELS
        )
        axes.figure.colorbar(image, ax=axes, shrink=0.8, extend="max")
        axes.set(xlabel="Shift (px)", ylabel="Shift (px)")
        return image


class SpectrumDisplay(_PicturesDisplay):
    """Power spectra of fingerprints in decibels, the mean of the channels.

    Parameters
    ----------
    fingerprints : ndarray of shape (n_pictures, height, width[, n_channels])
        In grey levels.
    labels : array-like of shape (n_pictures,)
        Title of each picture.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_pictures,)
        Where `plot` drew.
    figure_ : Figure
    image_ : list of AxesImage

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.plotting import SpectrumDisplay
    >>> fingerprints = np.random.default_rng(0).normal(size=(2, 32, 32, 3))
    >>> SpectrumDisplay(fingerprints, ["a", "b"]).plot().ax_.shape
    (2,)
    """

    def plot(self, ax=None, *, n_columns=4):
        """Draw the spectra.

        The colours of each span its 1st to its 99.9th percentile.

        Parameters
        ----------
        ax : array-like of Axes, default=None
            One for each fingerprint. By default a new figure is made.
        n_columns : int, default=4
            Pictures beside each other in a new figure.

        Returns
        -------
        display : SpectrumDisplay
        """
        return self._plot_each(ax, n_columns)

    def _draw(self, axes, fingerprint):
        power = _plane(power_spectrum(fingerprint))
        floor = max(power.max() * 1e-12, np.finfo(float).tiny)
        decibels = 10 * np.log10(np.maximum(power, floor))
        low, high = np.percentile(decibels, [1, 99.9])
        image = axes.imshow(
            decibels,
            "cividis",
            vmin=low,
            vmax=high,
            extent=(-0.5, 0.5, 0.5, -0.5),
            **PIXELS,
        )
        bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, extend="both")
        bar.set_label("dB re 1 grey level\u00b2", fontsize="small")
        axes.set(xlabel="Cycles per px", ylabel="Cycles per px")
        return image


class EnergyCurveDisplay:
    """Energy of fingerprints over the number of images, with its fitted law.

    Parameters
    ----------
    curves : list of Bunch
        As of :func:`skfingerprint.metrics.energy_curve`.
    fits : list of Bunch
        As of :func:`skfingerprint.metrics.fit_energy_curve`.
    labels : list
        Name of each curve.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : list of Line2D
        The measured points.
    fitted_line_ : list of Line2D

    Examples
    --------
    >>> from skfingerprint import ResidualExtractor
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.plotting import EnergyCurveDisplay
    >>> data = load_generators()
    >>> residuals = ResidualExtractor().transform(data.images[:160])
    >>> y = data.target_names[data.target[:160]]
    >>> display = EnergyCurveDisplay.from_residuals(residuals, y, random_state=0)
    >>> display.labels, [f"{fit.limit:.2f}" for fit in display.fits]
    (['2xHFA2kSPAN_27k', '4xSPANkendata'], ['1.24', '0.20'])
    """

    def __init__(self, curves, fits, labels):
        self.curves = curves
        self.fits = fits
        self.labels = labels

    def plot(self, ax=None):
        """Draw the curves over a logarithmic number of images.

        Parameters
        ----------
        ax : Axes, default=None
            By default a new figure is made.

        Returns
        -------
        display : EnergyCurveDisplay
        """
        self.figure_, self.ax_ = _single_axes(ax)
        self.line_, self.fitted_line_ = [], []
        for i, (curve, fit, label) in enumerate(
            zip(self.curves, self.fits, self.labels, strict=True)
        ):
            colour = COLOURS[i % len(COLOURS)]
            self.line_ += self.ax_.plot(
                curve.n_images,
                curve.energy,
                "os^vDP*"[i % 7],
                color=colour,
                label=f"{label}: limit {fit.limit:.3g}",
            )
            self.fitted_line_ += self.ax_.plot(
                curve.n_images, fit.fitted, LINES[i % 4], color=colour
            )
        ticks = np.unique(np.concatenate([curve.n_images for curve in self.curves]))
        self.ax_.set_xscale("log", base=2)
        self.ax_.set_xticks(ticks, ticks)
        self.ax_.set(
            xlabel="Number of images",
            ylabel="Energy (grey levels\u00b2 per pixel)",
        )
        self.ax_.legend()
        return self

    @classmethod
    def from_residuals(
        cls,
        residuals,
        y=None,
        *,
        n_images=None,
        n_draws=10,
        law="inverse",
        random_state=None,
        ax=None,
    ):
        """Measure, fit and draw the curve of each source.

        Parameters
        ----------
        residuals : ndarray of shape (n_samples, ...)
            In grey levels.
        y : array-like of shape (n_samples,), default=None
            Source of each. By default all are of one.
        n_images, n_draws, random_state
            As in :func:`skfingerprint.metrics.energy_curve`.
        law : {"inverse", "exponential"}, default="inverse"
            As in :func:`skfingerprint.metrics.fit_energy_curve`.
        ax : Axes, default=None
            By default a new figure is made.

        Returns
        -------
        display : EnergyCurveDisplay
        """
        y = np.full(len(residuals), "residuals") if y is None else np.asarray(y)
        names = np.unique(y)
        curves = [
            energy_curve(
                residuals[y == name],
                n_images=n_images,
                n_draws=n_draws,
                random_state=random_state,
            )
            for name in names
        ]
        fits = [fit_energy_curve(c.n_images, c.energy, law=law) for c in curves]
        return cls(curves, fits, names.tolist()).plot(ax)


class CorrelationHistogramDisplay:
    """Histograms of correlations with the own and with the other fingerprints.

    Parameters
    ----------
    same : ndarray of shape (n,)
        Correlations with the own fingerprint.
    cross : ndarray of shape (m,)
        Correlations with the fingerprints of other sources.
    auc : float, default=None
        Probability that a same-source correlation exceeds a cross-source one.
    title : str, default=None
        Name of the source.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    bar_ : list of BarContainer
        Of the cross-source and of the same-source correlations.

    Examples
    --------
    >>> from skfingerprint.plotting import CorrelationHistogramDisplay
    >>> correlations = [[0.4, 0.0], [0.2, 0.1], [0.1, 0.5]]
    >>> display = CorrelationHistogramDisplay.from_predictions(
    ...     correlations, ["a", "a", "b"], ["a", "b"])
    >>> display.auc
    1.0
    """

    def __init__(self, same, cross, *, auc=None, title=None):
        self.same = same
        self.cross = cross
        self.auc = auc
        self.title = title

    def plot(self, ax=None, *, bins=40):
        """Draw the two histograms as densities.

        Parameters
        ----------
        ax : Axes, default=None
            By default a new figure is made.
        bins : int, default=40
            Number of bins over the range of both.

        Returns
        -------
        display : CorrelationHistogramDisplay
        """
        self.figure_, self.ax_ = _single_axes(ax)
        edges = np.histogram_bin_edges(np.concatenate([self.same, self.cross]), bins)
        self.bar_ = [
            self.ax_.hist(
                values,
                edges,
                density=True,
                color=colour,
                alpha=0.65,
                hatch=hatch,
                edgecolor="white",
                linewidth=0,
                label=f"{label} (n = {len(values)})",
            )[2]
            for values, colour, hatch, label in (
                (self.cross, COLOURS[1], "///", "other fingerprints"),
                (self.same, COLOURS[0], None, "own fingerprint"),
            )
        ]
        area = "" if self.auc is None else f"AUC {self.auc:.3f}"
        self.ax_.set_title(", ".join(filter(None, [self.title, area])))
        self.ax_.set(xlabel="Correlation", ylabel="Density")
        self.ax_.legend()
        return self

    @classmethod
    def from_predictions(cls, correlations, y, classes, *, source=None, ax=None, **kw):
        """Draw the histograms of correlations.

        Parameters
        ----------
        correlations : array-like of shape (n_samples, n_classes)
            Of test residuals with the fingerprints.
        y : array-like of shape (n_samples,)
            Source of each residual.
        classes : array-like of shape (n_classes,)
            Source of each fingerprint.
        source : label, default=None
            Take the residuals of this source only.
        ax : Axes, default=None
            By default a new figure is made.
        **kw
            Passed to `plot`.

        Returns
        -------
        display : CorrelationHistogramDisplay
        """
        samples = same_and_cross_correlations(correlations, y, classes, source=source)
        title = None if source is None else str(source)
        return cls(**samples, title=title).plot(ax, **kw)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, source=None, ax=None, **kw):
        """Correlate test images with the fingerprints and draw the histograms.

        Parameters
        ----------
        estimator : FingerprintClassifier, Pipeline or search
            Fitted on other images; a pipeline ends with a classifier.
        X : array-like
            What `estimator` takes: images, or residuals for a bare classifier.
        y : array-like of shape (n_samples,)
            Source of each.
        source : label, default=None
            Take the residuals of this source only.
        ax : Axes, default=None
            By default a new figure is made.
        **kw
            Passed to `plot`.

        Returns
        -------
        display : CorrelationHistogramDisplay
        """
        correlations, classes = _correlate(estimator, X)
        return cls.from_predictions(
            correlations, y, classes, source=source, ax=ax, **kw
        )


class CorrelationMatrixDisplay:
    """Average correlation of each source's residuals with each fingerprint.

    Parameters
    ----------
    correlations : ndarray of shape (n_classes, n_classes)
        As of :func:`skfingerprint.metrics.average_correlation_matrix`: row A, column B
        is residuals of A, fingerprint of B.
    labels : array-like of shape (n_classes,)
        Names of the sources.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    image_ : AxesImage
    text_ : ndarray of Text of shape (n_classes, n_classes), or None

    Examples
    --------
    >>> from skfingerprint.plotting import CorrelationMatrixDisplay
    >>> correlations = [[0.4, 0.0], [0.2, 0.1], [0.1, 0.5]]
    >>> display = CorrelationMatrixDisplay.from_predictions(
    ...     correlations, ["a", "a", "b"], ["a", "b"])
    >>> display.text_[1, 1].get_text()
    '50'
    """

    def __init__(self, correlations, labels):
        self.correlations = correlations
        self.labels = labels

    def plot(self, ax=None, *, include_values=True):
        """Draw the matrix.

        Colours follow the square root of the correlation, so that blocks of sources
        that resemble each other show beside a strong diagonal; below 0 is as 0.

        Parameters
        ----------
        ax : Axes, default=None
            By default a new figure is made.
        include_values : bool, default=True
            Write the correlations, in hundredths.

        Returns
        -------
        display : CorrelationMatrixDisplay
        """
        n = len(self.labels)
        self.figure_, self.ax_ = _single_axes(ax, size=max(5, 3 + 0.32 * n))
        from matplotlib.colors import PowerNorm

        positive = np.maximum(self.correlations, 0)
        norm = PowerNorm(0.5, vmin=0, vmax=max(positive.max(), 1e-6))
        self.image_ = self.ax_.imshow(positive, "cividis", norm=norm)
        bar = self.figure_.colorbar(self.image_, ax=self.ax_, shrink=0.8)
        bar.set_label("Mean correlation")
        self.text_ = None
        if include_values:
            self.text_ = np.array(
                [
                    self.ax_.text(
                        column,
                        row,
                        f"{100 * value:.0f}".replace("-0", "0"),
                        ha="center",
                        va="center",
                        fontsize="small" if n < 12 else "x-small",
                        color="black" if norm(max(value, 0)) > 0.5 else "white",
                    )
                    for (row, column), value in np.ndenumerate(self.correlations)
                ]
            ).reshape(n, n)
        _name_both_axes(self.ax_, self.labels)
        self.ax_.set(xlabel="Fingerprint of", ylabel="Residuals of")
        if include_values:
            self.ax_.set_title("Mean correlation, in hundredths")
        return self

    @classmethod
    def from_predictions(cls, correlations, y, classes, *, ax=None, **kwargs):
        """Average correlations by source and draw them.

        Parameters
        ----------
        correlations : array-like of shape (n_samples, n_classes)
            Of test residuals with the fingerprints.
        y : array-like of shape (n_samples,)
            Source of each residual.
        classes : array-like of shape (n_classes,)
            Source of each fingerprint.
        ax : Axes, default=None
            By default a new figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : CorrelationMatrixDisplay
        """
        means = average_correlation_matrix(correlations, y, classes)
        return cls(means, classes).plot(ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs):
        """Correlate test images with the fingerprints and draw the averages.

        Parameters
        ----------
        estimator : FingerprintClassifier, Pipeline or search
            Fitted on other images; a pipeline ends with a classifier.
        X : array-like
            What `estimator` takes: images, or residuals for a bare classifier.
        y : array-like of shape (n_samples,)
            Source of each.
        ax : Axes, default=None
            By default a new figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : CorrelationMatrixDisplay
        """
        correlations, classes = _correlate(estimator, X)
        return cls.from_predictions(correlations, y, classes, ax=ax, **kwargs)


class OneVsRestRocDisplay:
    """ROC curve of each source against all others, readable with many sources.

    The curves with the smallest areas have colours, names and areas; the rest, which
    crowd in the corner, are grey. The false positive rate is logarithmic, so that the
    corner is seen.

    Parameters
    ----------
    curves : list of (false_positive_rate, true_positive_rate) of ndarray
        One for each source.
    areas : array-like of shape (n_classes,)
        Areas under the curves.
    labels : array-like of shape (n_classes,)
        Names of the sources.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : list of Line2D
        In the order of the sources.

    Examples
    --------
    >>> from skfingerprint.plotting import OneVsRestRocDisplay
    >>> scores = [[0.4, 0.0, 0.1], [0.2, 0.1, 0.0], [0.1, 0.5, 0.0], [0.0, 0.3, 0.4]]
    >>> display = OneVsRestRocDisplay.from_predictions(
    ...     ["a", "a", "b", "c"], scores, ["a", "b", "c"])
    >>> display.areas.tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, curves, areas, labels):
        self.curves = curves
        self.areas = areas
        self.labels = labels

    def plot(self, ax=None, *, n_named=7):
        """Draw the curves.

        Parameters
        ----------
        ax : Axes, default=None
            By default a new figure is made.
        n_named : int, default=7
            Number of curves in colour, those with the smallest areas.

        Returns
        -------
        display : OneVsRestRocDisplay
        """
        self.figure_, self.ax_ = _single_axes(ax, size=6)
        areas = np.asarray(self.areas)
        if len(areas) == n_named + 1:
            n_named += 1  # a single other has a name
        order = np.argsort(areas, kind="stable")
        ranks = np.argsort(order, kind="stable")
        # A curve starts at 0, which a logarithm can't show.
        left = min(np.min(rate[rate > 0], initial=1) / 2 for rate, _ in self.curves)
        self.line_ = []
        for (rate, hits), rank, area, label in zip(
            self.curves, ranks, areas, self.labels, strict=True
        ):
            style = {"color": "0.7", "linewidth": 1, "zorder": 1}
            if rank < n_named:
                colour = COLOURS[rank % len(COLOURS)]
                style = {
                    "color": colour,
                    "linestyle": LINES[rank % len(LINES)],
                    "label": f"{label}: {area:.3f}",
                    "zorder": 2,
                }
            self.line_ += self.ax_.plot(np.maximum(rate, left), hits, **style)
        others = len(areas) - n_named
        if others > 0:
            mean = areas[order[n_named:]].mean()
            self.line_[order[-1]].set_label(f"{others} others: mean {mean:.3f}")
        chance = np.geomspace(left, 1, 100)
        self.ax_.plot(chance, chance, ":", color="0.4", linewidth=1)
        self.ax_.set_xscale("log")
        self.ax_.set(
            xlabel="False positive rate",
            ylabel="True positive rate",
            xlim=(left, 1),
            ylim=(0, 1.02),
            title=f"One source against all others: mean AUC {areas.mean():.3f}",
        )
        handles, names = self.ax_.get_legend_handles_labels()
        places = [self.line_.index(handle) for handle in handles]
        by_rank = np.argsort(ranks[places])
        self.ax_.legend(
            [handles[i] for i in by_rank],
            [names[i] for i in by_rank],
            title="Area under the curve",
            fontsize="small",
            loc="center left",
            bbox_to_anchor=(1, 0.5),
        )
        return self

    @classmethod
    def from_predictions(cls, y_true, scores, classes, *, ax=None, **kwargs):
        """Draw the curves of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Source of each image.
        scores : array-like of shape (n_samples, n_classes)
            Higher for the source in question: correlations or probabilities.
        classes : array-like of shape (n_classes,)
            Source of each column.
        ax : Axes, default=None
            By default a new figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : OneVsRestRocDisplay
        """
        y_true, scores, classes = map(np.asarray, (y_true, scores, classes))
        if scores.shape != (len(y_true), len(classes)):
            raise ValueError(
                f"scores must have shape {len(y_true), len(classes)}, a column for "
                f"each class, got {scores.shape}."
            )
        absent = np.setdiff1d(classes, y_true)
        if len(absent):
            raise ValueError(f"y_true has no image of {absent.tolist()}.")
        truths = [y_true == name for name in classes]
        columns = list(zip(truths, scores.T, strict=True))
        curves = [roc_curve(*c, drop_intermediate=False)[:2] for c in columns]
        areas = np.array([roc_auc_score(*column) for column in columns])
        return cls(curves, areas, classes).plot(ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs):
        """Score test images and draw the curves.

        Parameters
        ----------
        estimator : classifier
            Fitted; its `decision_function` or `predict_proba` gives the scores, but a
            FingerprintClassifier of two classes gives its correlations.
        X : array-like
            What `estimator` takes.
        y : array-like of shape (n_samples,)
            Source of each.
        ax : Axes, default=None
            By default a new figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : OneVsRestRocDisplay
        """
        method = "decision_function"
        if not hasattr(estimator, method):
            method = "predict_proba"
        scores = getattr(estimator, method)(X)
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
        return cls.from_predictions(y, scores, estimator.classes_, ax=ax, **kwargs)


class RobustnessDisplay:
    """Scores of one or more estimators on perturbed images.

    Parameters
    ----------
    names : list of str
        Of the perturbations.
    scores : dict of str to array-like of shape (n_perturbations,)
        Scores of each estimator, as of :func:`skfingerprint.metrics.robustness_curve`.
    chance_level : float, default=None
        Drawn as a line.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : list of Line2D

    Examples
    --------
    >>> from skfingerprint.plotting import RobustnessDisplay
    >>> display = RobustnessDisplay(
    ...     ["clean", "JPEG 75"], {"spectra": [0.99, 0.12], "pixels": [0.64, 0.3]})
    >>> len(display.plot().line_)
    2
    """

    def __init__(self, names, scores, *, chance_level=None):
        self.names = names
        self.scores = scores
        self.chance_level = chance_level

    def plot(self, ax=None):
        """Draw a line of markers for each estimator.

        Parameters
        ----------
        ax : Axes, default=None
            By default a new figure is made.

        Returns
        -------
        display : RobustnessDisplay
        """
        self.figure_, self.ax_ = _single_axes(ax, size=6)
        places = np.arange(len(self.names))
        self.line_ = []
        for i, (label, scores) in enumerate(self.scores.items()):
            style = {"color": COLOURS[i % 7], "linestyle": LINES[i % 4]}
            self.line_ += self.ax_.plot(
                places, scores, marker="os^vDP*"[i % 7], label=label, **style
            )
        if self.chance_level is not None:
            self.ax_.axhline(self.chance_level, color="0.5", ls=":", label="chance")
        self.ax_.set_xticks(places, self.names, rotation="vertical")
        self.ax_.set(ylabel="Score", ylim=(0, 1.02))
        self.ax_.grid(axis="y", alpha=0.3)
        self.ax_.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return self

    @classmethod
    def from_estimators(
        cls, estimators, X, y, perturbations, *, scoring=None, ax=None, **kwargs
    ):
        """Score fitted estimators on perturbed test images and draw the scores.

        Parameters
        ----------
        estimators : dict of str to estimator
            Fitted on other images, by name.
        X, y, perturbations, scoring
            As in :func:`skfingerprint.metrics.robustness_curve`.
        ax : Axes, default=None
            By default a new figure is made.
        **kwargs
            Passed to the constructor.

        Returns
        -------
        display : RobustnessDisplay
        """
        scores = {
            name: robustness_curve(
                estimator, X, y, perturbations, scoring=scoring
            ).scores
            for name, estimator in estimators.items()
        }
        return cls(list(perturbations), scores, **kwargs).plot(ax)


class SourceConfusionDisplay(ConfusionMatrixDisplay):
    """scikit-learn's confusion matrix in percent of each row, small entries left out.

    Parameters
    ----------
    confusion_matrix : ndarray of shape (n_classes, n_classes)
        Counts, or shares of each row.
    display_labels : array-like of shape (n_classes,), default=None
        Names of the sources.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    im_ : AxesImage
    text_ : ndarray of Text of shape (n_classes, n_classes)

    Examples
    --------
    >>> from skfingerprint.plotting import SourceConfusionDisplay
    >>> y_true, y_pred = ["a", "a", "b", "b"], ["a", "a", "a", "b"]
    >>> display = SourceConfusionDisplay.from_predictions(y_true, y_pred)
    >>> [text.get_text() for text in display.text_.ravel()]
    ['100', '', '50', '50']
    """

    def plot(self, ax=None, *, threshold=1.0, **kwargs):
        """Draw the matrix.

        Parameters
        ----------
        ax : Axes, default=None
            By default a new figure is made.
        threshold : float, default=1.0
            Entries below it, in percent, are left out.
        **kwargs
            As in :meth:`sklearn.metrics.ConfusionMatrixDisplay.plot`.

        Returns
        -------
        display : SourceConfusionDisplay
        """
        counts = self.confusion_matrix
        ax = _single_axes(ax, size=max(5, 3 + 0.32 * len(counts)))[1]
        sums = counts.sum(axis=1, keepdims=True)
        options = {
            "values_format": ".0f",
            "xticks_rotation": "vertical",
            "cmap": "cividis",
            "colorbar": False,
        }
        try:
            self.confusion_matrix = 100 * counts / np.where(sums > 0, sums, 1)
            super().plot(ax=ax, **options | kwargs)
            shares = self.confusion_matrix
        finally:
            self.confusion_matrix = counts
        for text, share in zip(np.ravel(self.text_), shares.flat, strict=True):
            text.set_fontsize("small" if len(counts) < 12 else "x-small")
            if share < threshold:
                text.set_text("")
        self.ax_.set(
            xlabel="Attributed to",
            ylabel="Made by",
            title=f"Percent of each source; below {threshold:g} left out",
        )
        return self

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, labels=None, ax=None, **kwargs):
        """Count attributions and draw them.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            True and attributed sources.
        labels : array-like of shape (n_classes,), default=None
            Order of the sources. By default all that occur, sorted.
        ax : Axes, default=None
            By default a new figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : SourceConfusionDisplay
        """
        labels = unique_labels(y_true, y_pred) if labels is None else labels
        counts = confusion_matrix(y_true, y_pred, labels=labels)
        return cls(counts, display_labels=labels).plot(ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, labels=None, ax=None, **kwargs):
        """Attribute images and draw the confusions.

        Parameters
        ----------
        estimator : classifier
            Fitted on other images.
        X : array-like
            What `estimator` takes.
        y : array-like of shape (n_samples,)
            Source of each.
        labels : array-like of shape (n_classes,), default=None
            Order of the sources. By default all that occur, sorted.
        ax : Axes, default=None
            By default a new figure is made.
        **kwargs
            Passed to `plot`.

        Returns
        -------
        display : SourceConfusionDisplay
        """
        return cls.from_predictions(
            y, estimator.predict(X), labels=labels, ax=ax, **kwargs
        )


def _import_pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays need matplotlib: pip install 'skfingerprint[plot]'."
        ) from error
    return plt


def _single_axes(ax, *, size=None):
    """Return a figure and axes: the given ones, or new ones."""
    if ax is not None:
        return ax.figure, ax
    figsize = None if size is None else (1.15 * size, size)
    return _import_pyplot().subplots(figsize=figsize, layout="constrained")


def _picture_axes(ax, n, n_columns):
    """Return a figure and a flat array of n axes: the given ones, or new ones."""
    if ax is not None:
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != n:
            raise ValueError(f"ax must hold {n} axes, one a picture, got {len(axes)}.")
        return axes[0].figure, axes
    n_columns = min(n, n_columns)
    n_rows = -(-n // n_columns)
    figure, axes = _import_pyplot().subplots(
        n_rows,
        n_columns,
        figsize=(3.5 * n_columns, 3.2 * n_rows),
        squeeze=False,
        layout="constrained",
    )
    for unused in axes.flat[n:]:
        unused.remove()
    return figure, axes.ravel()[:n]


def _name_both_axes(ax, labels):
    places = np.arange(len(labels))
    ax.set_xticks(places, labels, rotation="vertical")
    ax.set_yticks(places, labels)


def _images(stack):
    """Refuse flat rows, which have no picture."""
    stack = np.asarray(stack)
    if stack.ndim not in (3, 4):
        raise ValueError(
            "pictures need fingerprints of shape (n, height, width[, n_channels]), got "
            f"{stack.shape}: fit on stacks, or reshape the rows."
        )
    return stack


def _middle(image, size):
    """Cut the middle out of an image."""
    if size is None:
        return image
    top, left = ((n - min(n, size)) // 2 for n in image.shape[:2])
    return image[top : top + size, left : left + size]


def _plane(image):
    """Mean of the channels."""
    return image if image.ndim == 2 else image.mean(axis=2)


def _split(estimator):
    """Return what comes before the fingerprint classifier (or None), and that."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    before = None
    if isinstance(estimator, Pipeline):
        before, estimator = estimator[:-1], estimator[-1]
    if not hasattr(estimator, "fingerprints_"):
        raise ValueError(
            "estimator must be a fitted FingerprintClassifier, or a fitted pipeline or "
            f"search that ends with one, got {type(estimator).__name__}."
        )
    return before, estimator


def _correlate(estimator, X):
    """Correlations with each fingerprint, two classes included, and the classes."""
    before, classifier = _split(estimator)
    residuals = X if before is None else before.transform(X)
    return classifier.correlate(residuals), classifier.classes_

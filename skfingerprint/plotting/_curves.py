"""Displays of energies over the number of images, and of scores over perturbations."""

import numpy as np

from skfingerprint.metrics import energy_curve, fit_energy_curve, robustness_curve
from skfingerprint.plotting._axes import BESIDE, make_axes, style


class EnergyCurveDisplay:
    """Energy of fingerprints over the number of images, with its fitted law.

    Parameters
    ----------
    curves : list of Bunch
        Curves, as returned by :func:`skfingerprint.metrics.energy_curve`.
    fits : list of Bunch
        Their laws, as returned by :func:`skfingerprint.metrics.fit_energy_curve`.
    labels : list
        Name of each curve.

    Attributes
    ----------
    ax_ : Axes
        Axes with the curves.
    figure_ : Figure
        Figure of the axes.
    line_ : list of Line2D
        Measured points of each curve.
    fitted_line_ : list of Line2D
        Fitted law of each curve.

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
        """Plot the curves over a logarithmic number of images.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.

        Returns
        -------
        display : EnergyCurveDisplay
        """
        self.figure_, self.ax_ = make_axes(ax, size=6)
        self.line_, self.fitted_line_ = [], []
        measured = zip(self.curves, self.fits, self.labels, strict=True)
        for i, (curve, fit, label) in enumerate(measured):
            n, look = curve.n_images, style(i)
            label = f"{label}: limit {fit.limit:.3g}"
            points = look | {"linestyle": "none", "label": label}
            self.line_ += self.ax_.plot(n, curve.energy, **points)
            self.fitted_line_ += self.ax_.plot(n, fit.fitted, **look | {"marker": ""})
        ticks = np.unique(np.concatenate([curve.n_images for curve in self.curves]))
        self.ax_.set_xscale("log", base=2)
        self.ax_.set_xticks(ticks, ticks)
        self.ax_.set_xlabel("Number of images")
        self.ax_.set_ylabel("Energy (grey levels\u00b2 per pixel)")
        self.ax_.legend(**BESIDE)
        return self

    @classmethod
    def from_residuals(cls, residuals, y=None, *, law="inverse", ax=None, **kwargs):
        """Compute, fit and plot the energy curve of each source.

        Parameters
        ----------
        residuals : ndarray of shape (n_samples, ...)
            Residuals in grey levels.
        y : array-like of shape (n_samples,), default=None
            Source of each residual. By default all residuals have the same source.
        law : {"inverse", "exponential"}, default="inverse"
            Law of the curve, as in :func:`skfingerprint.metrics.fit_energy_curve`.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of :func:`skfingerprint.metrics.energy_curve`: `n_images`, `n_draws`
            and `random_state`.

        Returns
        -------
        display : EnergyCurveDisplay
        """
        y = np.full(len(residuals), "residuals") if y is None else np.asarray(y)
        names = np.unique(y)
        curves = [energy_curve(residuals[y == name], **kwargs) for name in names]
        fits = [fit_energy_curve(c.n_images, c.energy, law=law) for c in curves]
        return cls(curves, fits, names.tolist()).plot(ax)


class RobustnessDisplay:
    """Scores of one or more estimators on perturbed images.

    Parameters
    ----------
    names : list of str
        Names of the perturbations.
    scores : dict of str to array-like of shape (n_perturbations,)
        Scores of each estimator by name, as returned by
        :func:`skfingerprint.metrics.robustness_curve`.
    chance_level : float, default=None
        Score of guesses, which is drawn as a line.

    Attributes
    ----------
    ax_ : Axes
        Axes with the lines.
    figure_ : Figure
        Figure of the axes.
    line_ : list of Line2D
        Scores of each estimator.

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
        """Plot a line with markers for each estimator.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.

        Returns
        -------
        display : RobustnessDisplay
        """
        self.figure_, self.ax_ = make_axes(ax, size=6)
        places = np.arange(len(self.names))
        self.line_ = []
        for i, (label, scores) in enumerate(self.scores.items()):
            self.line_ += self.ax_.plot(places, scores, label=label, **style(i))
        if self.chance_level is not None:
            self.ax_.axhline(self.chance_level, color="0.5", ls=":", label="chance")
        self.ax_.set_xticks(places, self.names, rotation="vertical")
        self.ax_.set(ylabel="Score", ylim=(0, 1.02))
        self.ax_.grid(axis="y", alpha=0.3)
        self.ax_.legend(**BESIDE)
        return self

    @classmethod
    def from_estimators(
        cls, estimators, X, y, perturbations, *, scoring=None, ax=None, **kwargs
    ):
        """Score fitted estimators on perturbed test images and plot the scores.

        Parameters
        ----------
        estimators : dict of str to estimator
            Estimators by name, fitted on other images.
        X, y, perturbations, scoring
            Test images, sources, perturbations and scorer, as in
            :func:`skfingerprint.metrics.robustness_curve`.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of the constructor.

        Returns
        -------
        display : RobustnessDisplay
        """
        scores = {
            name: robustness_curve(model, X, y, perturbations, scoring=scoring).scores
            for name, model in estimators.items()
        }
        return cls(list(perturbations), scores, **kwargs).plot(ax)

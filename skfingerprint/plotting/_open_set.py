"""Display of detection and false-alarm rates over the stated false-alarm rate."""

import numpy as np

from skfingerprint.metrics import open_set_report
from skfingerprint.plotting._axes import BESIDE, COLORS, make_axes


class OpenSetDisplay:
    """Detection rates and false-alarm rates over the stated false-alarm rate.

    Thin lines are the rates of single sources, and thick lines their means. If the mean
    of the unknown sources lies on the diagonal, the stated rate holds.

    Parameters
    ----------
    rates : array-like of shape (n_rates,)
        Stated false-alarm rates.
    detection_rates : dict of str to array-like of shape (n_rates,)
        Share of accepted images of each known source.
    false_alarm_rates : dict of str to array-like of shape (n_rates,)
        Share of accepted images of each unknown source.

    Attributes
    ----------
    ax_ : Axes
        Axes with the lines.
    figure_ : Figure
        Figure of the axes.
    line_ : list of Line2D
        Means over the known sources, and over the unknown sources.

    Examples
    --------
    >>> from skfingerprint.plotting import OpenSetDisplay
    >>> display = OpenSetDisplay.from_predictions(
    ...     ["a", "a", "b", "b", "x", "x"],
    ...     [0.001, 0.3, 0.002, 0.001, 0.4, 0.008],
    ...     ["a", "b"],
    ...     rates=[0.1, 0.01],
    ... )
    >>> {name: rates.tolist() for name, rates in display.detection_rates.items()}
    {'a': [0.5, 0.5], 'b': [1.0, 1.0]}
    """

    def __init__(self, rates, detection_rates, false_alarm_rates):
        self.rates = rates
        self.detection_rates = detection_rates
        self.false_alarm_rates = false_alarm_rates

    def plot(self, ax=None):
        """Plot the rates over a logarithmic stated rate.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.

        Returns
        -------
        display : OpenSetDisplay
        """
        self.figure_, self.ax_ = make_axes(ax, size=5)
        self.line_ = []
        parts = (
            ("known sources", self.detection_rates),
            ("unknown sources", self.false_alarm_rates),
        )
        for (label, shares), color in zip(parts, COLORS, strict=False):
            # Without sources of one kind the mean is not defined.
            if not shares:
                continue
            for share in shares.values():
                self.ax_.plot(self.rates, share, color=color, alpha=0.3, lw=0.8)
            mean = np.mean(list(shares.values()), axis=0)
            label = f"{label} ({len(shares)})"
            self.line_ += self.ax_.plot(
                self.rates, mean, color=color, lw=3, label=label
            )
        self.ax_.plot(self.rates, self.rates, color="grey", ls=":", label="as stated")
        self.ax_.set_xscale("log")
        self.ax_.set_xlabel("Stated false-alarm rate")
        self.ax_.set_ylabel("Share of images accepted")
        self.ax_.set_ylim(-0.02, 1.02)
        self.ax_.legend(**BESIDE)
        return self

    @classmethod
    def from_estimator(cls, estimator, X, y, *, rates=None, ax=None):
        """Score test images and plot the rates.

        Parameters
        ----------
        estimator : classifier
            Fitted classifier with a method `assess`:
            :class:`skfingerprint.RejectingClassifier`, or a pipeline of
            :func:`skfingerprint.make_attribution_pipeline` with a false-alarm rate.
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Test images, or rows, that were not used to fit the estimator.
        y : array-like of shape (n_samples,)
            Source of each image, known or unknown.
        rates : array-like of shape (n_rates,), default=None
            Stated false-alarm rates. By default 50 rates from 0.001 to 0.5.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.

        Returns
        -------
        display : OpenSetDisplay
        """
        shares = estimator.assess(X).false_alarm_probability
        return cls.from_predictions(y, shares, estimator.classes_, rates=rates, ax=ax)

    @classmethod
    def from_predictions(
        cls, y_true, false_alarm_probabilities, known_sources, *, rates=None, ax=None
    ):
        """Compute the rates from false-alarm probabilities and plot them.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Source of each image, known or unknown.
        false_alarm_probabilities : array-like of shape (n_samples,)
            Share of images of unknown sources that score as high as each image, as
            returned by :meth:`skfingerprint.RejectingClassifier.assess`.
        known_sources : array-like of shape (n_known,)
            Sources that the model was fitted on; all other labels are unknown sources.
        rates : array-like of shape (n_rates,), default=None
            Stated false-alarm rates. By default 50 rates from 0.001 to 0.5.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.

        Returns
        -------
        display : OpenSetDisplay
        """
        rates = np.geomspace(1e-3, 0.5, 50) if rates is None else np.asarray(rates)
        y_true = np.asarray(y_true)
        shares = np.asarray(false_alarm_probabilities)
        detection_rates, false_alarm_rates = {}, {}
        for name in np.unique(y_true):
            own = y_true == name
            report = open_set_report(
                y_true[own], shares[own], known_sources, rates=rates
            )
            if name in np.asarray(known_sources):
                detection_rates[str(name)] = report.detection_rate
            else:
                false_alarm_rates[str(name)] = report.false_alarm_rate
        return cls(rates, detection_rates, false_alarm_rates).plot(ax)

"""What stated rates of false alarms find, and what they let in."""

import numpy as np

from skfingerprint.metrics import open_set_report
from skfingerprint.plotting._axes import BESIDE, COLORS, make_axes


class OpenSetDisplay:
    """Shares of known sources found, and of strangers accepted, over the stated rate.

    A thick line is the mean, a thin one a source. Where the strangers' line lies on the
    diagonal, the rate is what it states.

    Parameters
    ----------
    rates : array-like of shape (n_rates,)
        Stated rates of false alarms.
    found : dict of str to array-like of shape (n_rates,)
        Of each known source: share of its images that are accepted.
    accepted : dict of str to array-like of shape (n_rates,)
        The same of each stranger.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    line_ : list of Line2D
        The means: of the known, and of the strangers.

    Examples
    --------
    >>> from skfingerprint.plotting import OpenSetDisplay
    >>> display = OpenSetDisplay.from_predictions(
    ...     ["a", "a", "b", "b", "x", "x"],
    ...     [0.001, 0.3, 0.002, 0.001, 0.4, 0.008],
    ...     ["a", "b"],
    ...     rates=[0.1, 0.01],
    ... )
    >>> {name: shares.tolist() for name, shares in display.found.items()}
    {'a': [0.5, 0.5], 'b': [1.0, 1.0]}
    """

    def __init__(self, rates, found, accepted):
        self.rates = rates
        self.found = found
        self.accepted = accepted

    def plot(self, ax=None):
        """Draw the shares over a logarithmic rate.

        Parameters
        ----------
        ax : Axes, default=None
            By default a new figure is made.

        Returns
        -------
        display : OpenSetDisplay
        """
        self.figure_, self.ax_ = make_axes(ax, size=5)
        self.line_ = []
        parts = (("known, found", self.found), ("strangers, accepted", self.accepted))
        for (label, shares), color in zip(parts, COLORS, strict=False):
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
        """Ask a model about images, and draw the shares.

        Parameters
        ----------
        estimator : classifier
            Fitted, with a method `assess`: :class:`skfingerprint.RejectingClassifier`,
            or a pipeline of :func:`skfingerprint.make_attribution_pipeline` that has a
            rate.
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Images that were not fitted, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Their sources, known or not.
        rates : array-like of shape (n_rates,), default=None
            By default 50 from .001 to .5.
        ax : Axes, default=None
            By default a new figure is made.

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
        """Draw the shares from what a model says of images.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Source of each image, known or not.
        false_alarm_probabilities : array-like of shape (n_samples,)
            As of :meth:`skfingerprint.RejectingClassifier.assess`.
        known_sources : array-like of shape (n_known,)
            The sources that were fitted; all other labels are strangers.
        rates : array-like of shape (n_rates,), default=None
            By default 50 from .001 to .5.
        ax : Axes, default=None
            By default a new figure is made.

        Returns
        -------
        display : OpenSetDisplay
        """
        rates = np.geomspace(1e-3, 0.5, 50) if rates is None else np.asarray(rates)
        y_true = np.asarray(y_true)
        shares = np.asarray(false_alarm_probabilities)
        found, accepted = {}, {}
        for name in np.unique(y_true):
            own = y_true == name
            report = open_set_report(
                y_true[own], shares[own], known_sources, rates=rates
            )
            is_known = name in np.asarray(known_sources)
            part = found if is_known else accepted
            part[str(name)] = report.found if is_known else report.accepted
        return cls(rates, found, accepted).plot(ax)

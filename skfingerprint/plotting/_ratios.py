"""Display of likelihood ratios: a Tippett plot."""

import numpy as np

from skfingerprint._core import check_ratios
from skfingerprint.metrics import log_likelihood_ratio_cost
from skfingerprint.plotting._axes import COLORS, make_axes


class TippettDisplay:
    """Shares of likelihood ratios that reach each value, under both hypotheses.

    Ratios of images that the source in question made (hypothesis 1) should lie right of
    1, and those of all other images (hypothesis 2) left of it. The legend has the rates
    of misleading evidence, which the dots mark: ratios below 1 under hypothesis 1, and
    above 1 under hypothesis 2. The title has the log-likelihood-ratio cost, and its
    minimum after the best calibration.

    Parameters
    ----------
    same : array-like of shape (n_same,)
        Logarithms to base 10 of the ratios of images that the source in question made.
    other : array-like of shape (n_other,)
        Logarithms to base 10 of the ratios of all other images.

    Attributes
    ----------
    ax_ : Axes
        Axes with the curves.
    figure_ : Figure
        Figure of the axes.
    line_ : list of Line2D
        Curve of `same`, and of `other`.

    See Also
    --------
    skfingerprint.metrics.log_likelihood_ratio_cost : Summarizes both curves.

    Examples
    --------
    >>> from skfingerprint.plotting import TippettDisplay
    >>> display = TippettDisplay.from_predictions(
    ...     [1, 1, 1, 0, 0, 0], [2.0, 1.0, -0.5, 0.5, -1.0, -2.0])
    >>> display.same.tolist(), display.other.tolist()
    ([2.0, 1.0, -0.5], [0.5, -1.0, -2.0])
    >>> [line.get_label() for line in display.line_]
    ['H1: the source made it (3 ratios, 33.3 % below 1)',
     'H2: anything else did (3 ratios, 33.3 % above 1)']
    """

    def __init__(self, same, other):
        self.same = same
        self.other = other

    def plot(self, ax=None):
        """Plot the share of ratios that are at least as large, over the ratio.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.

        Returns
        -------
        display : TippettDisplay
        """
        self.figure_, self.ax_ = make_axes(ax, size=5)
        same, other = np.asarray(self.same, float), np.asarray(self.other, float)
        parts = (
            ("H1: the source made it", "below", same, np.mean(same < 0)),
            ("H2: anything else did", "above", other, np.mean(other > 0)),
        )
        found = np.concatenate([same, other])
        low, high = np.min(found[np.isfinite(found)], initial=0) - 0.3, 0.3
        high += np.max(found[np.isfinite(found)], initial=0)
        self.line_ = []
        for (name, side, logs, share), color in zip(parts, COLORS, strict=False):
            label = f"{name} ({len(logs)} ratios, {100 * share:.1f} % {side} 1)"
            # The share of values that reach x falls behind each value.
            x = np.concatenate([[low], np.clip(np.sort(logs), low, high), [high]])
            y = np.concatenate([[1], 1 - np.arange(len(logs)) / len(logs), [0]])
            look = {"color": color, "lw": 2, "drawstyle": "steps-pre", "label": label}
            self.line_ += self.ax_.plot(x, y, **look)
            self.ax_.plot(0, 1 - share if side == "below" else share, "o", color=color)
        self.ax_.axvline(0, color="grey", ls=":")
        truth = np.repeat([True, False], [len(same), len(other)])
        cost, least = (
            log_likelihood_ratio_cost(truth, found, minimum=m) for m in (False, True)
        )
        self.ax_.set_title(f"Cllr {cost:.3f}, minimum {least:.3f}")
        self.ax_.set_xlabel("log10 of the likelihood ratio (log10 LR)")
        self.ax_.set_ylabel("Cumulative proportion of ratios ≥ x")
        self.ax_.set_xlim(low, high)
        self.ax_.grid(alpha=0.3)
        title = "Hypotheses, and rates of misleading evidence"
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.13)}
        self.ax_.legend(title=title, frameon=False, **place)
        return self

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None):
        """Compute the ratios of test images for each known source, and plot them.

        Parameters
        ----------
        estimator : classifier
            Fitted classifier with a method `assess` that gives likelihood ratios:
            :class:`skfingerprint.RejectingClassifier`, or a pipeline of
            :func:`skfingerprint.make_attribution_pipeline` with a false-alarm rate.
        X : array-like of shape (n_samples, height, width[, n_channels]) or \
                (n_samples, n_features)
            Test images, or rows, that were not used to fit the estimator.
        y : array-like of shape (n_samples,)
            Source of each image, known or unknown.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.

        Returns
        -------
        display : TippettDisplay
        """
        logs = estimator.assess(X).log10_likelihood_ratios
        is_own = np.equal.outer(np.asarray(y), estimator.classes_)
        return cls.from_predictions(is_own.ravel(), logs.ravel(), ax=ax)

    @classmethod
    def from_predictions(cls, y_true, log10_ratios, *, ax=None):
        """Plot likelihood ratios.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True (or 1) if the source in question made the image, False (or 0) if
            anything else did.
        log10_ratios : array-like of shape (n_samples,)
            Logarithms to base 10 of the likelihood ratios; they may be infinite.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.

        Returns
        -------
        display : TippettDisplay
        """
        is_own, logs = check_ratios(y_true, log10_ratios)
        return cls(logs[is_own], logs[~is_own]).plot(ax)

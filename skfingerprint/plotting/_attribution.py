"""Displays of attributions: ROC curves of each source, and confusion matrices."""

import numpy as np
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    confusion_matrix,
    roc_auc_score,
    roc_curve,
)
from sklearn.utils.multiclass import unique_labels

from skfingerprint._core import check_scores
from skfingerprint.plotting._axes import BESIDE, make_axes, style
from skfingerprint.plotting._estimators import correlate, split


class OneVsRestRocDisplay:
    """ROC curve of each source against all other sources, readable with many sources.

    The curves with the smallest areas have colors, names and areas. The other curves,
    which are close together in the corner, are gray. The axis of the false positive
    rate is logarithmic, so that the corner is visible.

    Parameters
    ----------
    curves : list of (false_positive_rate, true_positive_rate) of ndarray
        Curve of each source.
    areas : array-like of shape (n_classes,)
        Areas under the curves.
    labels : array-like of shape (n_classes,)
        Names of the sources.

    Attributes
    ----------
    ax_ : Axes
        Axes with the curves.
    figure_ : Figure
        Figure of the axes.
    line_ : list of Line2D
        Curves, in the order of the sources.

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
        """Plot the curves.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        n_named : int, default=7
            Number of colored curves, which are the ones with the smallest areas.

        Returns
        -------
        display : OneVsRestRocDisplay
        """
        self.figure_, self.ax_ = make_axes(ax, size=6)
        areas = np.asarray(self.areas)
        if len(areas) == n_named + 1:
            n_named += 1  # a single gray curve is not worth a mean
        order = np.argsort(areas, kind="stable")
        ranks = np.argsort(order, kind="stable")
        # A curve starts at a rate of 0, which a logarithmic axis cannot show.
        left = min(np.min(rate[rate > 0], initial=1) / 2 for rate, _ in self.curves)
        self.line_ = []
        rows = zip(self.curves, ranks, areas, self.labels, strict=True)
        for (rate, hits), rank, area, label in rows:
            look = {"color": "0.7", "linewidth": 1, "zorder": 1}
            if rank < n_named:
                look = style(rank) | {"label": f"{label}: {area:.3f}", "zorder": 2}
            look["marker"] = ""
            self.line_ += self.ax_.plot(np.maximum(rate, left), hits, **look)
        named, others = np.split(order, [n_named])
        if len(others):
            mean = areas[others].mean()
            self.line_[others[0]].set_label(f"{len(others)} others: mean {mean:.3f}")
        self._finish(left, [*named, *others[:1]])
        return self

    def _finish(self, left, in_legend):
        """Plot the line of chance, and set axes and legend."""
        chance = np.geomspace(left, 1, 100)
        self.ax_.plot(chance, chance, ":", color="0.4", linewidth=1)
        self.ax_.set(
            xscale="log",
            xlabel="False positive rate",
            ylabel="True positive rate",
            xlim=(left, 1),
            ylim=(0, 1.02),
            title=f"One source against all others: mean AUC {np.mean(self.areas):.3f}",
        )
        handles = [self.line_[i] for i in in_legend]
        self.ax_.legend(handles=handles, title="Area under the curve", **BESIDE)

    @classmethod
    def from_predictions(cls, y_true, scores, classes, *, ax=None, **kwargs):
        """Compute and plot the curves of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Source of each image.
        scores : array-like of shape (n_samples, n_classes)
            Score of each image for each source, such as a correlation or a probability.
        classes : array-like of shape (n_classes,)
            Source of each column.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of `plot`.

        Returns
        -------
        display : OneVsRestRocDisplay
        """
        y_true, scores, classes = check_scores(y_true, scores, classes)
        if absent := np.setdiff1d(classes, y_true).tolist():
            raise ValueError(f"y_true has no image of {absent}.")
        truths = [y_true == name for name in classes]
        columns = list(zip(truths, scores.T, strict=True))
        curves = [roc_curve(*c, drop_intermediate=False)[:2] for c in columns]
        areas = np.array([roc_auc_score(*column) for column in columns])
        return cls(curves, areas, classes).plot(ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs):
        """Score test images and plot the curves.

        Parameters
        ----------
        estimator : classifier
            Fitted classifier, whose `decision_function` or `predict_proba` computes the
            scores. For a FingerprintClassifier, alone or at the end of a pipeline or
            search, `correlate` computes them, so that each of two classes has a score.
        X : array-like
            Test images, or other input of `estimator`.
        y : array-like of shape (n_samples,)
            Source of each image.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of `plot`.

        Returns
        -------
        display : OneVsRestRocDisplay
        """
        if hasattr(split(estimator)[1], "correlate"):
            scores = correlate(estimator, X)[0]
        elif hasattr(estimator, "decision_function"):
            scores = estimator.decision_function(X)
        else:
            scores = estimator.predict_proba(X)
        # With two classes the scores are those of the second class.
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
        return cls.from_predictions(y, scores, estimator.classes_, ax=ax, **kwargs)


class SourceConfusionDisplay(ConfusionMatrixDisplay):
    """Confusion matrix in percent of each row, without the numbers of small entries.

    Parameters
    ----------
    confusion_matrix : ndarray of shape (n_classes, n_classes)
        Counts, or shares of each row.
    display_labels : array-like of shape (n_classes,), default=None
        Names of the sources.
    hides_last : bool, default=False
        Whether the last row is left out if it is empty, as that of the answer for
        unknown sources is among images of known ones.

    Attributes
    ----------
    ax_ : Axes
        Axes with the matrix.
    figure_ : Figure
        Figure of the axes.
    im_ : AxesImage
        Colors of the entries.
    text_ : ndarray of Text of shape (n_classes, n_classes)
        Numbers of the entries.

    Examples
    --------
    >>> from skfingerprint.plotting import SourceConfusionDisplay
    >>> y_true, y_pred = ["a", "a", "b", "b"], ["a", "a", "a", "b"]
    >>> display = SourceConfusionDisplay.from_predictions(y_true, y_pred)
    >>> [text.get_text() for text in display.text_.ravel()]
    ['100', '', '50', '50']

    The answer for unknown sources stands last, and has a row only if some images come
    from unknown sources:

    >>> display = SourceConfusionDisplay.from_predictions(
    ...     ["a", "b", "z"], ["a", "unknown", "z"])
    >>> display.display_labels.tolist(), [float(y) for y in display.ax_.get_ylim()]
    (['a', 'b', 'z', 'unknown'], [2.5, -0.5])
    """

    def __init__(self, confusion_matrix, *, display_labels=None, hides_last=False):
        super().__init__(confusion_matrix, display_labels=display_labels)
        self.hides_last = hides_last

    def plot(self, ax=None, *, threshold=1.0, **kwargs):
        """Plot the matrix.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        threshold : float, default=1.0
            Smallest entry, in percent, whose number is written.
        **kwargs
            Options of :meth:`sklearn.metrics.ConfusionMatrixDisplay.plot`.

        Returns
        -------
        display : SourceConfusionDisplay
        """
        counts = np.asarray(self.confusion_matrix)
        ax = make_axes(ax, size=max(5, 3 + 0.32 * len(counts)))[1]
        sums = counts.sum(axis=1, keepdims=True)
        options = {
            "values_format": ".0f",
            "xticks_rotation": "vertical",
            "cmap": "cividis",
            "colorbar": False,
        }
        shares = 100 * counts / np.where(sums > 0, sums, 1)
        # The base class draws shares, while this display keeps the counts.
        drawn = ConfusionMatrixDisplay(shares, display_labels=self.display_labels)
        drawn.plot(ax=ax, **options | kwargs)
        vars(self).update(vars(drawn), confusion_matrix=counts)
        for text, share in zip(np.ravel(self.text_), shares.flat, strict=True):
            text.set_fontsize("small" if len(counts) < 12 else "x-small")
            if share < threshold:
                text.set_text("")
        self.ax_.set(xlabel="Attributed to", ylabel="Made by")
        # Images of known sources alone leave the last row, of unknown ones, empty.
        n_rows = len(counts) - (self.hides_last and not counts[-1].any())
        self.ax_.set_ylim(n_rows - 0.5, -0.5)
        self.ax_.set_title(f"Percent of each source; below {threshold:g} left out")
        return self

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, *, labels=None, unknown_label=None, ax=None, **kwargs
    ):
        """Count attributions and plot their matrix.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted sources.
        labels : array-like of shape (n_classes,), default=None
            Sources in the order of the rows. By default all sources that occur, sorted,
            and the label for unknown ones last.
        unknown_label : label, default=None
            The answer for unknown sources. By default "unknown", and -1 among numbers.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of `plot`.

        Returns
        -------
        display : SourceConfusionDisplay
        """
        if labels is None:
            labels = unique_labels(y_true, y_pred)
            if unknown_label is None:
                unknown_label = -1 if labels.dtype.kind in "iuf" else "unknown"
            is_unknown = labels == unknown_label
            labels = np.concatenate([labels[~is_unknown], labels[is_unknown]])
            hides_last = bool(is_unknown.any())
        else:
            hides_last = len(labels) > 0 and labels[-1] == unknown_label
        counts = confusion_matrix(y_true, y_pred, labels=labels)
        display = cls(counts, display_labels=labels, hides_last=hides_last)
        return display.plot(ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, labels=None, ax=None, **kwargs):
        """Attribute test images and plot the confusion matrix.

        Parameters
        ----------
        estimator : classifier
            Classifier that was fitted on other images.
        X : array-like
            Test images, or other input of `estimator`.
        y : array-like of shape (n_samples,)
            Source of each image.
        labels : array-like of shape (n_classes,), default=None
            Sources in the order of the rows. By default all sources that occur, sorted,
            and the label for unknown ones, `unknown_label_` of the last step, last.
        ax : Axes, default=None
            Axes to plot into. By default a new figure is made.
        **kwargs
            Options of `plot`.

        Returns
        -------
        display : SourceConfusionDisplay
        """
        options = {"labels": labels, "ax": ax} | kwargs
        options.setdefault(
            "unknown_label", getattr(split(estimator)[1], "unknown_label_", None)
        )
        return cls.from_predictions(y, estimator.predict(X), **options)

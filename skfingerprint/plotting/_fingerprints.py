"""Displays of fingerprints, of their autocorrelations and of their spectra."""

import numpy as np

from skfingerprint.plotting._axes import make_picture_axes
from skfingerprint.plotting._estimators import check_has, split
from skfingerprint.spectrum import autocorrelation, power_spectrum

PIXELS = {"interpolation": "nearest"}
# Left, right, bottom and top of a spectrum, in cycles per pixel.
CYCLES = (-0.5, 0.5, 0.5, -0.5)


class _PicturesDisplay:
    """Base class of displays with one picture for each fingerprint.

    A subclass has a method `_draw` for a single picture.
    """

    def __init__(self, fingerprints, labels):
        self.fingerprints = fingerprints
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Plot a picture for each fingerprint of a fitted classifier.

        Parameters
        ----------
        estimator : FingerprintClassifier, Pipeline or search
            Estimator fitted on images; a pipeline ends with a classifier.
        ax : array-like of Axes, default=None
            Axes of each class. By default a new figure is made.
        **kwargs
            Options of `plot`.

        Returns
        -------
        display : Display
        """
        classifier = split(estimator)[1]
        check_has(classifier, "fingerprints_")
        return cls(classifier.fingerprints_, classifier.classes_).plot(ax, **kwargs)

    def _plot_each(self, ax, n_columns, **options):
        """Plot the pictures, each with its title."""
        fingerprints = _images(self.fingerprints)
        self.figure_, self.ax_ = make_picture_axes(ax, len(fingerprints), n_columns)
        self.image_ = []
        pictures = zip(self.ax_, fingerprints, self.labels, strict=True)
        for axes, fingerprint, label in pictures:
            axes.set_title(label, fontsize="small")
            self.image_.append(self._draw(axes, fingerprint, **options))
        return self


class FingerprintDisplay(_PicturesDisplay):
    """Fingerprints as amplified pictures, in which 0 is gray.

    Parameters
    ----------
    fingerprints : ndarray of shape (n_pictures, height, width[, n_channels])
        Fingerprints in grey levels.
    labels : array-like of shape (n_pictures,)
        Title of each picture.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_pictures,)
        Axes of each picture.
    figure_ : Figure
        Figure of the axes.
    image_ : list of AxesImage
        Pictures.
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
        """Plot the fingerprints.

        Parameters
        ----------
        ax : array-like of Axes, default=None
            Axes of each fingerprint. By default a new figure is made.
        amplification : float, default=None
            Factor for all pictures. By default each picture has its own factor, by
            which three standard deviations of the fingerprint fill the range; the
            title states it.
        size : int, default=None
            Side in pixels of the central part to show. By default the whole fingerprint
            is shown.
        n_columns : int, default=4
            Number of pictures beside each other in a new figure.

        Returns
        -------
        display : FingerprintDisplay
        """
        self.amplification_ = []
        return self._plot_each(ax, n_columns, amplification=amplification, size=size)

    def _draw(self, axes, fingerprint, *, amplification, size):
        """Plot one amplified fingerprint, and add the factor to its title.

        Parameters
        ----------
        axes : Axes
            Axes to plot into.
        fingerprint : ndarray of shape (height, width[, n_channels])
            Fingerprint in grey levels.
        amplification : float or None
            Factor, as in `plot`.
        size : int or None
            Side of the central part in pixels, as in `plot`.

        Returns
        -------
        image : AxesImage
        """
        picture = np.squeeze(_middle(fingerprint, size))
        if amplification is None:
            amplification = 127.5 / (3 * (picture.std() or 1))
        self.amplification_.append(float(amplification))
        title = f"{axes.get_title()}\n\u00d7{amplification:.3g}"
        axes.set_title(title, fontsize="small")
        axes.set_axis_off()
        grey = 0.5 + amplification / 255 * picture
        return axes.imshow(grey.clip(0, 1), "gray", vmin=0, vmax=1, **PIXELS)

    @classmethod
    def from_residuals(
        cls, residuals, y, *, n_images=(2, 8, 32, 128, 512), ax=None, **kwargs
    ):
        """Plot fingerprints of increasing numbers of images, in a row for each source.

        Parameters
        ----------
        residuals : ndarray of shape (n_samples, height, width[, n_channels])
            Residuals in grey levels.
        y : array-like of shape (n_samples,)
            Source of each residual.
        n_images : sequence of int, default=(2, 8, 32, 128, 512)
            Numbers of images, of which the first ones of each source are used; each
            source must have enough of them.
        ax : array-like of Axes, default=None
            Axes for each source and number. By default a new figure is made.
        **kwargs
            Options of `plot`.

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
    """Autocorrelation of fingerprints around shift 0, averaged over the channels.

    The range of the colors excludes shift 0, at which the autocorrelation is 1.

    Parameters
    ----------
    fingerprints : ndarray of shape (n_pictures, height, width[, n_channels])
        Fingerprints in grey levels.
    labels : array-like of shape (n_pictures,)
        Title of each picture.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_pictures,)
        Axes of each picture.
    figure_ : Figure
        Figure of the axes.
    image_ : list of AxesImage
        Pictures.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.plotting import AutocorrelationDisplay
    >>> fingerprints = np.random.default_rng(0).normal(size=(2, 32, 32, 3))
    >>> AutocorrelationDisplay(fingerprints, ["a", "b"]).plot().ax_.shape
    (2,)
    """

    def plot(self, ax=None, *, size=33, n_columns=4):
        """Plot the autocorrelations.

        Parameters
        ----------
        ax : array-like of Axes, default=None
            Axes of each fingerprint. By default a new figure is made.
        size : int, default=33
            Number of shifts around 0 to show along each axis.
        n_columns : int, default=4
            Number of pictures beside each other in a new figure.

        Returns
        -------
        display : AutocorrelationDisplay
        """
        return self._plot_each(ax, n_columns, size=size)

    def _draw(self, axes, fingerprint, *, size):
        surface = _plane(autocorrelation(fingerprint))
        # Shift 0 lies at n // 2, so that both sides have at least n // 2 - 1 shifts.
        height, width = (min(size // 2, n // 2 - 1) for n in surface.shape)
        y, x = (n // 2 for n in surface.shape)
        part = surface[y - height : y + height + 1, x - width : x + width + 1]
        largest = max(np.sort(np.abs(part).ravel())[:-1].max(initial=0), 1e-6)
        limits = (-width - 0.5, width + 0.5, height + 0.5, -height - 0.5)
        image = axes.imshow(part, "PuOr", extent=limits, **PIXELS)
        image.set_clim(-largest, largest)
        axes.figure.colorbar(image, ax=axes, shrink=0.8, extend="max")
        axes.set(xlabel="Shift (px)", ylabel="Shift (px)")
        return image


class SpectrumDisplay(_PicturesDisplay):
    """Power spectra of fingerprints in decibels, averaged over the channels.

    Parameters
    ----------
    fingerprints : ndarray of shape (n_pictures, height, width[, n_channels])
        Fingerprints in grey levels.
    labels : array-like of shape (n_pictures,)
        Title of each picture.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_pictures,)
        Axes of each picture.
    figure_ : Figure
        Figure of the axes.
    image_ : list of AxesImage
        Pictures.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.plotting import SpectrumDisplay
    >>> fingerprints = np.random.default_rng(0).normal(size=(2, 32, 32, 3))
    >>> SpectrumDisplay(fingerprints, ["a", "b"]).plot().ax_.shape
    (2,)
    """

    def plot(self, ax=None, *, n_columns=4):
        """Plot the spectra.

        The colors of each picture range from its 1st to its 99.9th percentile.

        Parameters
        ----------
        ax : array-like of Axes, default=None
            Axes of each fingerprint. By default a new figure is made.
        n_columns : int, default=4
            Number of pictures beside each other in a new figure.

        Returns
        -------
        display : SpectrumDisplay
        """
        return self._plot_each(ax, n_columns)

    def _draw(self, axes, fingerprint):
        power = _plane(power_spectrum(fingerprint))
        # A floor 120 dB below the largest power bounds the logarithm of 0.
        floor = max(power.max() * 1e-12, np.finfo(float).tiny)
        decibels = 10 * np.log10(np.maximum(power, floor))
        image = axes.imshow(decibels, "cividis", extent=CYCLES, **PIXELS)
        image.set_clim(*np.percentile(decibels, [1, 99.9]))
        bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, extend="both")
        bar.set_label("dB re 1 grey level\u00b2", fontsize="small")
        ticks = (-0.5, 0, 0.5)
        axes.set(xlabel="Cycles per px", ylabel="Cycles per px")
        axes.set(xticks=ticks, yticks=ticks)
        return image


def _images(stack):
    """Return fingerprints as an array; raise ValueError for flat rows."""
    stack = np.asarray(stack)
    if stack.ndim not in (3, 4):
        raise ValueError(
            "pictures need fingerprints of shape (n, height, width[, n_channels]), got "
            f"{stack.shape}: fit on stacks, or reshape the rows."
        )
    return stack


def _middle(image, size):
    """Select the central part of an image."""
    if size is None:
        return image
    top, left = ((n - min(n, size)) // 2 for n in image.shape[:2])
    return image[top : top + size, left : left + size]


def _plane(image):
    """Average the channels of an image."""
    return image if image.ndim == 2 else image.mean(axis=2)

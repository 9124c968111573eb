"""Display of contributions to an attribution, by frequency, family and place."""

import numpy as np

from skfingerprint._attribution import FingerprintClassifier
from skfingerprint._core import (
    as_images,
    check_int,
    list_readers,
    read_by,
    shorten,
    split_last,
)
from skfingerprint._features import parse_family
from skfingerprint.explanation import (
    HELD_BY,
    explain_attribution,
    explain_correlation,
)
from skfingerprint.plotting._axes import make_picture_axes

# The colors for contributions against and for the source end the color map.
COLOR_MAP = "PuOr_r"
AGAINST, FOR = "#5E3C99", "#E66101"
KINDS = {
    "residual_spectrum": "residual",
    "spectrum": "image",
    "cooccurrence": "runs",
}
RGB = ("red", "green", "blue")
LUMA_CHROMA = ("luma", "blue diff.", "red diff.")


class ContributionDisplay:
    """Contributions to the score of one source against another, as pictures and bars.

    For the recommended pipeline the display has a plane of frequencies for each
    spectrum, and a bar for each family of features; for a correlation it has a picture
    of places, which are squares of pixels. Orange speaks for the source, violet against
    it, and white is neutral.

    Parameters
    ----------
    planes : dict of str to ndarray of shape (n_vertical, n_horizontal), default=None
        Contributions of frequencies by title: see
        :func:`~skfingerprint.explanation.explain_attribution`.
    families : dict of str to float, default=None
        Contributions of families of features.
    places : ndarray of shape (height, width), default=None
        Contributions of pixels.
    image : ndarray of shape (height, width[, n_channels]), default=None
        Image in grey levels 0..255, shown beside the planes, and under the places.
    title : str, default=""
        Title of the whole figure.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_panels,)
        Axes of the planes, the bars, the places and the image, as far as present.
    figure_ : Figure
        Figure of the axes.
    image_ : list of AxesImage
        Pictures of planes and places.
    bar_ : BarContainer
        Bars of the families, if present.

    See Also
    --------
    skfingerprint.explanation.explain_attribution : Contributions of features.
    skfingerprint.explanation.explain_correlation : Contributions of pixels.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.plotting import ContributionDisplay
    >>> data = load_generators()
    >>> pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    >>> pipeline = pipeline.fit(data.images, data.target_names[data.target])
    >>> display = ContributionDisplay.from_estimator(
    ...     pipeline, data.images[:1], source="srgan-gan")
    >>> display.places.shape
    (64, 64)
    """

    def __init__(
        self, planes=None, families=None, places=None, *, image=None, title=""
    ):
        self.planes = planes
        self.families = families
        self.places = places
        self.image = image
        self.title = title

    def plot(self, ax=None, *, block_size=8, n_columns=2):
        """Plot a panel for each plane, and one for families, places and image each.

        The colors of all planes have one range, which ends at the 99.5th percentile of
        the absolute contributions.

        Parameters
        ----------
        ax : array-like of Axes, default=None
            Axes of each panel. By default a new figure is made.
        block_size : int, default=8
            Side in pixels of the squares over which contributions are summed.
        n_columns : int, default=2
            Number of panels beside each other in a new figure.

        Returns
        -------
        display : ContributionDisplay
        """
        planes = self.planes or {}
        draws = [(_draw_plane, *item) for item in planes.items()]
        if self.families:
            draws.append((self._draw_families, "Families of features", self.families))
        if self.places is not None:
            places = _sum_squares(np.asarray(self.places), block_size)
            title = f"Places, in squares of {block_size} px"
            draws.append((self._draw_places, title, places))
        if self.image is not None:
            draws.append((_draw_image, "The image", self.image))
        self.figure_, self.ax_ = make_picture_axes(ax, len(draws), n_columns)
        largest, self.image_ = _find_largest(planes), []
        for axes, (draw, title, values) in zip(self.ax_, draws, strict=True):
            axes.set_title(title, fontsize="medium")
            self.image_ += draw(axes, values, largest)
        if planes:
            drawn, label = self.ax_[: len(planes)], "Contribution of a frequency"
            drawn[0].set_ylabel("Vertical (cycles per px)")
            _add_bar(self.image_[0], drawn, label, extend="both")
        if self.title and ax is None:
            self.figure_.suptitle(self.title, fontsize="medium")
        return self

    def _draw_families(self, axes, families, _):
        """Plot a bar for each family, with the first family on top."""
        values = list(families.values())
        colors = [FOR if value > 0 else AGAINST for value in values]
        self.bar_ = axes.barh(range(len(values)), values, color=colors)
        axes.set_yticks(range(len(values)), list(families), fontsize="small")
        axes.invert_yaxis()
        axes.axvline(0, color="0.3", linewidth=0.8)
        axes.set_xlabel(f"Contribution (all: {sum(values):+.1f})")
        return []

    def _draw_places(self, axes, places, _):
        """Plot squares over the gray image; neutral squares are transparent."""
        height, width = self.places.shape
        options = {"extent": (-0.5, width - 0.5, height - 0.5, -0.5)}
        largest = max(np.abs(places).max(), np.finfo(float).tiny)
        if self.image is not None:
            image = np.asarray(self.image, dtype=np.float64)
            grey = image.reshape(*image.shape[:2], -1).mean(axis=2)
            axes.imshow(grey, "gray", vmin=0, vmax=255, **options)
            # The root keeps small contributions visible over the image.
            options["alpha"] = np.sqrt(np.abs(places) / largest)
        axes.set_axis_off()
        picture = _draw_centered(axes, places, largest, **options)
        _add_bar(picture, axes, "Contribution of a square")
        return [picture]

    @classmethod
    def from_explanation(
        cls, explanation, *, image=None, by_channel=False, ax=None, **kwargs
    ):
        """Plot the result of `explain_attribution` or `explain_correlation`.

        For several images the mean contributions are plotted.

        Parameters
        ----------
        explanation : Bunch
            Explanation of images that all have the same `source`, and the same `other`.
        image : ndarray of shape (height, width[, n_channels]), default=None
            Image to show beside the contributions, in grey levels 0..255.
        by_channel : bool, default=False
            Whether to plot a plane for each channel of each spectrum, instead of the
            sum over its channels.
        ax : array-like of Axes, default=None
            Axes of each panel. By default a new figure is made.
        **kwargs
            Options of `plot`.

        Returns
        -------
        display : ContributionDisplay
        """
        source = _find_single("source", explanation.source)
        if "correlation" in explanation:
            places = explanation.contributions.mean(axis=0)
            if places.ndim == 1:
                raise ValueError(
                    "rows have no places to draw: fit and explain stacks of images."
                )
            places = places.reshape(*places.shape[:2], -1).sum(axis=2)
            correlation = explanation.correlation.mean()
            title = f"Correlation with {source}: {correlation:.3f}"
            display = cls(places=places, image=image, title=title)
        else:
            other = _find_single("other", explanation.other)
            display = cls(
                _find_planes(explanation.spectra, by_channel),
                _name_families(explanation.families),
                image=image,
                title=f"{source} rather than {other}",
            )
        return display.plot(ax, **kwargs)

    @classmethod
    def from_estimator(
        cls, estimator, X, *, source=None, other=None, ax=None, **kwargs
    ):
        """Explain images and plot the contributions.

        Parameters
        ----------
        estimator : classifier
            Fitted classifier, as :func:`~skfingerprint.explanation.explain_attribution`
            or :func:`~skfingerprint.explanation.explain_correlation` takes it.
        X : array-like
            Input of `estimator`: one image, as a stack of one, or several images. For
            several images the mean contributions are plotted.
        source : label, default=None
            Source to argue for; by default the likeliest source.
        other : label, default=None
            Source to argue against, unless the scores are correlations; by default the
            likeliest source except `source`.
        ax : array-like of Axes, default=None
            Axes of each panel. By default a new figure is made.
        **kwargs
            Options of `from_explanation` and of `plot`.

        Returns
        -------
        display : ContributionDisplay
        """
        steps, classifier = split_last(estimator, HELD_BY)
        if not isinstance(classifier, FingerprintClassifier):
            explanation = explain_attribution(estimator, X, source=source, other=other)
        elif other is None:
            explanation = explain_correlation(estimator, X, source=source)
        else:
            raise ValueError(
                f"other={shorten(other)}: a correlation is with one fingerprint, and "
                "argues against none. Leave other out."
            )
        images = read_by(list_readers(estimator), X)
        kwargs = {"image": _find_image(images) if steps else None} | kwargs
        return cls.from_explanation(explanation, ax=ax, **kwargs)


def _find_single(name, labels):
    """Return the label that all images share."""
    found = np.unique(labels)
    if len(found) > 1:
        raise ValueError(
            f"{name} differs between the images: {shorten(found.tolist())}. Name one "
            f"{name}, or draw the images one by one."
        )
    return found[0]


def _find_image(X):
    """Return the image if X is a single image that can be shown, and otherwise None."""
    try:
        X = as_images(X)
    except ValueError:  # paths
        return None
    image = np.asarray(X[0]) if len(X) == 1 else None
    return image if getattr(image, "ndim", 0) > 1 else None


def _name_families(families):
    """Compute the mean contribution of each family, by a readable name."""
    names = _spell_each(families, families)
    return {names[key]: float(np.mean(values)) for key, values in families.items()}


def _find_largest(planes):
    """Compute the bound of the colors of all planes."""
    values = [np.abs(plane).ravel() for plane in planes.values()]
    # The maximum would leave the colors to a few large contributions.
    largest = np.percentile(np.concatenate(values), 99.5) if values else 0
    return max(largest, np.finfo(float).tiny)


def _find_planes(spectra, by_channel):
    """Compute the mean planes of the images, one for each spectrum or channel."""
    found = {}
    for kind, planes in spectra.items():
        mean = planes.mean(axis=0)
        parts = {f"{kind}_{channel}": plane for channel, plane in enumerate(mean)}
        found |= parts if by_channel else {kind: mean.sum(axis=0)}
    kinds = {f"{kind}_{len(planes[0]) - 1}" for kind, planes in spectra.items()}
    names = _spell_each(found, kinds)
    return {f"Spectrum: {name}": found[key] for key, name in names.items()}


def _spell_each(families, kinds):
    """Return readable names of families of features or of spectra."""
    bare = {name.rpartition("__")[2] for name in kinds}
    names = {family: _spell(family, bare) for family in families}
    # Families that share a readable name keep their own names.
    return names if len(set(names.values())) == len(names) else {f: f for f in families}


def _spell(family, families):
    """Return a readable name; channels have names if AttributionFeatures made them."""
    parts = parse_family(family)
    if parts is None:
        return family
    kind, channel, step = parts.kind, parts.channel, parts.step
    words = [KINDS[kind]]
    if channel is not None and any(name.startswith(f"{kind}_2") for name in families):
        known = kind != "spectrum" or "residual_spectrum_2" in families
        named = RGB if kind == "residual_spectrum" else LUMA_CHROMA
        words.append(named[channel] if known else f"channel {channel}")
    return ", ".join([*words, f"step {step}"] if step else words)


def _sum_squares(places, side):
    """Sum contributions over squares, which may be cut off at the far borders."""
    check_int("block_size", side, 1)
    for axis in (0, 1):
        starts = np.arange(0, places.shape[axis], side)
        places = np.add.reduceat(places, starts, axis=axis)
    return places


def _draw_plane(axes, plane, largest):
    """Plot the contributions of frequencies, with frequency 0 in the left middle."""
    height, width = plane.shape
    # Half a cell at each side, so that cells are centered at their frequencies.
    down, right = 0.5 / height, 0.25 / max(width - 1, 1)
    middle = (height // 2) / height
    extent = (-right, 0.5 + right, 1 - middle - down, -middle - down)
    picture = _draw_centered(axes, plane, largest, extent=extent, aspect="auto")
    axes.set(xlabel="Horizontal (cycles per px)")
    axes.set(xticks=(0, 0.25, 0.5), yticks=(-0.5, -0.25, 0, 0.25))
    return [picture]


def _draw_image(axes, image, _):
    """Plot the image itself."""
    picture = np.squeeze(np.asarray(image, dtype=np.float64) / 255).clip(0, 1)
    axes.imshow(picture, "gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    return []


def _draw_centered(axes, values, largest, **options):
    """Plot values in colors that are white at 0.

    Parameters
    ----------
    axes : Axes
        Axes to plot into.
    values : ndarray of shape (height, width)
        Contributions.
    largest : float
        Absolute value at which the colors end.
    **options
        Options of `imshow`.

    Returns
    -------
    picture : AxesImage
    """
    options = {"interpolation": "nearest", "vmin": -largest, "vmax": largest} | options
    return axes.imshow(values, COLOR_MAP, **options)


def _add_bar(picture, axes, label, **options):
    """Add a color bar with small numbers."""
    bar = picture.figure.colorbar(picture, ax=axes, shrink=0.9, **options)
    bar.ax.tick_params(labelsize="small")
    bar.set_label(label, fontsize="small")

"""What speaks for one source rather than another: frequencies, families, places."""

import numpy as np

from skfingerprint._attribution import FingerprintClassifier
from skfingerprint._core import as_images, check_int, split_last
from skfingerprint._features import parse_family
from skfingerprint.explanation import (
    HELD_BY,
    explain_attribution,
    explain_correlation,
)
from skfingerprint.plotting._axes import make_picture_axes

# Speaks against the source, and for it: the ends of the color map.
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
    """Contributions to one source rather than another, as pictures and bars.

    Of the recommended pipeline a plane of frequencies for each spectrum, and a bar for
    each family of features; of a correlation its places. Orange speaks for the source,
    violet against it, and white says nothing.

    Parameters
    ----------
    planes : dict of str to ndarray of shape (n_vertical, n_horizontal), default=None
        Title, and contributions of frequencies: see
        :func:`~skfingerprint.explanation.explain_attribution`.
    families : dict of str to float, default=None
        Contributions of families of features.
    places : ndarray of shape (height, width), default=None
        Contributions of places.
    image : ndarray of shape (height, width[, n_channels]), default=None
        In grey levels 0..255: shown beside the planes, and under the places.
    title : str, default=""
        Of the whole figure: what is explained.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_panels,)
        The planes, the bars, the places, the image: those that there are.
    figure_ : Figure
    image_ : list of AxesImage
        Of the planes and places.
    bar_ : BarContainer
        Of the families, if there are any.

    See Also
    --------
    skfingerprint.explanation.explain_attribution : The numbers.
    skfingerprint.explanation.explain_correlation : Those of a correlation.

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
        """Draw a panel for each plane, for the families, the places and the image.

        The colors of all planes have one range, which the 99.5th percentile of the
        contributions bounds.

        Parameters
        ----------
        ax : array-like of Axes, default=None
            One for each panel. By default a new figure is made.
        block_size : int, default=8
            Side in pixels of the squares over which contributions of places are summed.
        n_columns : int, default=2
            Panels beside each other in a new figure.

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
        """Draw a bar for each family, the first one on top."""
        values = list(families.values())
        colors = [FOR if value > 0 else AGAINST for value in values]
        self.bar_ = axes.barh(range(len(values)), values, color=colors)
        axes.set_yticks(range(len(values)), list(families), fontsize="small")
        axes.invert_yaxis()
        axes.axvline(0, color="0.3", linewidth=0.8)
        axes.set_xlabel(f"Contribution (all: {sum(values):+.1f})")
        return []

    def _draw_places(self, axes, places, _):
        """Draw squares over the image in grey; what says nothing is transparent."""
        height, width = self.places.shape
        options = {"extent": (-0.5, width - 0.5, height - 0.5, -0.5)}
        largest = max(np.abs(places).max(), np.finfo(float).tiny)
        if self.image is not None:
            image = np.asarray(self.image, dtype=np.float64)
            grey = image.reshape(*image.shape[:2], -1).mean(axis=2)
            axes.imshow(grey, "gray", vmin=0, vmax=255, **options)
            options["alpha"] = np.sqrt(np.abs(places) / largest)
        axes.set_axis_off()
        picture = _draw_centered(axes, places, largest, **options)
        _add_bar(picture, axes, "Contribution of a square")
        return [picture]

    @classmethod
    def from_explanation(
        cls, explanation, *, image=None, by_channel=False, ax=None, **kwargs
    ):
        """Draw what `explain_attribution` or `explain_correlation` returned.

        Of several images the mean contributions are drawn.

        Parameters
        ----------
        explanation : Bunch
            Of images that are all explained for one source, against one other.
        image : ndarray of shape (height, width[, n_channels]), default=None
            To show beside them, in grey levels 0..255.
        by_channel : bool, default=False
            Draw a plane for each channel of each spectrum, and not their sum.
        ax : array-like of Axes, default=None
            One for each panel.
        **kwargs
            Passed to `plot`.

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
        """Explain images and draw what speaks for a source.

        Parameters
        ----------
        estimator : classifier
            Fitted; what :func:`~skfingerprint.explanation.explain_attribution` takes,
            or :func:`~skfingerprint.explanation.explain_correlation`.
        X : array-like
            What `estimator` takes: one image, as a stack of one, or several. Of several
            the mean contributions are drawn.
        source : label, default=None
            The source to argue for; by default the likeliest one.
        other : label, default=None
            The source to argue against, if the classifier does not correlate; by
            default the likeliest one but `source`.
        ax : array-like of Axes, default=None
            One for each panel.
        **kwargs
            Passed to `from_explanation`, and on to `plot`.

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
                f"other={other!r}: a correlation is with one fingerprint, and argues "
                "against none. Leave other out."
            )
        kwargs = {"image": _find_image(X) if steps else None} | kwargs
        return cls.from_explanation(explanation, ax=ax, **kwargs)


def _find_single(name, labels):
    """Return the one label that all images have."""
    found = np.unique(labels)
    if len(found) > 1:
        raise ValueError(
            f"{name} differs between the images: {found.tolist()}. Name one {name}, or "
            "draw the images one by one."
        )
    return found[0]


def _find_image(X):
    """Return the image if X is a single one, as a picture can show it."""
    try:
        X = as_images(X)
    except ValueError:  # paths
        return None
    image = np.asarray(X[0]) if len(X) == 1 else None
    return image if getattr(image, "ndim", 0) > 1 else None


def _name_families(families):
    """Return the mean contribution of each family, by a name for people."""
    names = _spell_each(families, families)
    return {names[key]: float(np.mean(values)) for key, values in families.items()}


def _find_largest(planes):
    """Return the bound of the colors of all planes."""
    values = [np.abs(plane).ravel() for plane in planes.values()]
    largest = np.percentile(np.concatenate(values), 99.5) if values else 0
    return max(largest, np.finfo(float).tiny)


def _find_planes(spectra, by_channel):
    """Return the mean planes of the images, one for each spectrum or channel."""
    found = {}
    for kind, planes in spectra.items():
        mean = planes.mean(axis=0)
        parts = {f"{kind}_{channel}": plane for channel, plane in enumerate(mean)}
        found |= parts if by_channel else {kind: mean.sum(axis=0)}
    kinds = {f"{kind}_{len(planes[0]) - 1}" for kind, planes in spectra.items()}
    names = _spell_each(found, kinds)
    return {f"Spectrum: {name}": found[key] for key, name in names.items()}


def _spell_each(families, kinds):
    """Return the names of families of features, or spectra, for people."""
    bare = {name.rpartition("__")[2] for name in kinds}
    names = {family: _spell(family, bare) for family in families}
    return names if len(set(names.values())) == len(names) else {f: f for f in families}


def _spell(family, families):
    """Return a name for people; channels are known if AttributionFeatures made them."""
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
    """Return sums over squares of places; those at the far borders may be cut off."""
    check_int("block_size", side, 1)
    for axis in (0, 1):
        starts = np.arange(0, places.shape[axis], side)
        places = np.add.reduceat(places, starts, axis=axis)
    return places


def _draw_plane(axes, plane, largest):
    height, width = plane.shape
    down, right = 0.5 / height, 0.25 / max(width - 1, 1)
    middle = (height // 2) / height
    extent = (-right, 0.5 + right, 1 - middle - down, -middle - down)
    picture = _draw_centered(axes, plane, largest, extent=extent, aspect="auto")
    axes.set(xlabel="Horizontal (cycles per px)")
    axes.set(xticks=(0, 0.25, 0.5), yticks=(-0.5, -0.25, 0, 0.25))
    return [picture]


def _draw_image(axes, image, _):
    picture = np.squeeze(np.asarray(image, dtype=np.float64) / 255).clip(0, 1)
    axes.imshow(picture, "gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    return []


def _draw_centered(axes, values, largest, **options):
    """Draw values in colors that are white at 0."""
    options = {"interpolation": "nearest", "vmin": -largest, "vmax": largest} | options
    return axes.imshow(values, COLOR_MAP, **options)


def _add_bar(picture, axes, label, **options):
    bar = picture.figure.colorbar(picture, ax=axes, shrink=0.9, **options)
    bar.ax.tick_params(labelsize="small")
    bar.set_label(label, fontsize="small")

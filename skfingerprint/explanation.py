"""Explanations of attributions: contributions of features or of pixels to a score.

The functions take a fitted classifier and images. The contributions add up to the
score.
"""

from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad_vec
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skfingerprint._attribution import (
    FingerprintClassifier,
    SourceDiscriminant,
    score_discriminants,
    score_kinds,
)
from skfingerprint._core import (
    as_rows,
    score_blocks,
    shorten,
    split_last,
    to_decision,
    transform_by,
    validate_images,
)
from skfingerprint._features import group_names, parse_family
from skfingerprint.correlation import RESOLUTION

# Largest error of the mean softmax weights along the line.
SHARE_ERROR = 1e-10
# Largest error of the sum of contributions, relative to scores above 1.
SUM_ERROR = 1e-6
# A score so far below another one has a negligible softmax weight: exp(-30) is 1e-13.
NEGLIGIBLE = 30
# Two scores whose difference changes faster than this along the line swap their weights
# within 30 / 300, a tenth of the line, which the integration may overlook.
STEEP = 300
# Largest number of intervals into which the line of one image is divided.
MOST_PARTS = 10_000
# Attributes in which fitted meta-estimators keep the classifier that scores.
HELD_BY = ("best_estimator_", "estimator_", "classifier_")
# Number of images that a printed explanation describes.
MOST_PRINTED = 5
# Kinds of features in printed explanations.
WORDS = {
    "residual_spectrum": "spectra of the residual",
    "spectrum": "spectra of the image",
    "cooccurrence": "co-occurrences",
}


@dataclass(frozen=True)
class _LinearModel:
    """Linear discriminants by which rows of features are scored.

    Attributes
    ----------
    center : ndarray of shape (n_features,) or 0
        Subtracted from rows before they are scored.
    discriminants : list of list of tuple
        Coefficients (n_cells, n_features), intercepts (n_cells,), and source and
        condition of each cell (n_cells,), of each discriminant: for all conditions,
        and for each kind of conditions if there are several.
    kinds : ndarray of shape (n_conditions,), int
        Kind of each condition.
    scales : ndarray of shape (n_conditions,)
        Factor of the scores of rows of each condition.
    mean : ndarray of shape (n_features,) or None
        Mean of the mean features of the sources, if the classifier keeps it.
    """

    center: np.ndarray | int
    discriminants: list
    kinds: np.ndarray
    scales: np.ndarray
    mean: np.ndarray | None


class AttributionExplanation(Bunch):
    """Explanation of attributions, as a dict whose keys are attributes as well.

    ``print`` describes the first five images, a line each. :func:`explain_attribution`
    makes it, and documents its keys.

    See Also
    --------
    skfingerprint.plotting.ContributionDisplay : Plot of the contributions.

    Examples
    --------
    >>> from skfingerprint import make_attribution_pipeline
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.explanation import explain_attribution
    >>> data = load_generators()
    >>> y = data.target_names[data.target]
    >>> fit = data.groups != data.groups[0]
    >>> pipeline = make_attribution_pipeline(perturbations=())
    >>> pipeline = pipeline.fit(data.images[fit], y[fit])
    >>> why = explain_attribution(pipeline, data.images[:2])
    >>> print(why)
    Image 0: 2xHFA2kSPAN_27k scores 7.3 higher than srgan-gan. Spectra of the residual
    speak for it most (+3.6); contributions of spectra of the image +2.7, co-occurrences
    +1.1, the baseline +0.0.
    Image 1: 2xHFA2kSPAN_27k scores 9.1 higher than mobilestylegan-ffhq. Co-occurrences
    speak for it most (+4.7); contributions of spectra of the image +3.0, spectra of the
    residual +1.9, the baseline -0.4.
    >>> why.to_frame()[["source", "difference", "residual_spectrum_0"]].round(1)
                source  difference  residual_spectrum_0
    0  2xHFA2kSPAN_27k         7.3                  2.5
    1  2xHFA2kSPAN_27k         9.1                 -0.2
    """

    def __str__(self):
        n_images = len(self.source)
        lines = [self._describe(image) for image in range(min(n_images, MOST_PRINTED))]
        if n_images > MOST_PRINTED:
            lines.append(f"and {n_images - MOST_PRINTED} more images, see to_frame().")
        return "\n".join(lines)

    def to_frame(self):
        """Convert the explanation to a data frame with one row an image.

        The contributions of single features are
        ``pandas.DataFrame(why.contributions, columns=why.feature_names)``.

        Returns
        -------
        frame : pandas.DataFrame
            Columns `source`, `other`, `difference` and `baseline_difference`, and one
            column for each family. The families and `baseline_difference` add up to
            `difference`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas.") from error
        keys = ["source", "other", "difference", "baseline_difference"]
        heads = pd.DataFrame({key: self[key] for key in keys})
        return pd.concat([heads, pd.DataFrame(self.families)], axis=1)

    def _describe(self, image):
        """Return a sentence on the sources of one image, and one on its features."""
        gain, sums = self.difference[image], {}
        for family, values in self.families.items():
            parts = parse_family(family)
            words = WORDS[parts.kind] if parts else "other features"
            sums[words] = sums.get(words, 0) + values[image]
        (first, most), *rest = sorted(sums.items(), key=lambda item: -abs(item[1]))
        rest.append(("the baseline", self.baseline_difference[image]))
        return (
            f"Image {image}: {self.source[image]} scores {abs(gain):.1f} "
            f"{'lower' if gain < 0 else 'higher'} than {self.other[image]}. "
            f"{first.capitalize()} speak {'against' if most < 0 else 'for'} it most "
            f"({most:+.1f}); contributions of "
            f"{', '.join(f'{words} {value:+z.1f}' for words, value in rest)}."
        )


def explain_attribution(estimator, X, *, source=None, other=None, baseline=None):
    """Compute the contribution of each feature to one source's score against another's.

    The scores are followed along the straight line from a baseline, by default the mean
    features of the sources, to the features of the image (integrated gradients [1]_).
    A positive contribution speaks for `source`, and a negative one for `other`. If both
    are swapped, only the signs change.

    Parameters
    ----------
    estimator : classifier
        Fitted classifier, alone or at the end of a pipeline or a search:
        :func:`~skfingerprint.make_attribution_pipeline`, with or without perturbations
        or a false-alarm rate, a :class:`~skfingerprint.SourceDiscriminant`, or a linear
        classifier (with `coef_`) of feature rows.
    X : array-like
        Input of `estimator`: images in grey levels 0..255, or rows of features.
    source : label or array-like of shape (n_samples,), default=None
        Source to argue for; by default the likeliest source of each image.
    other : label or array-like of shape (n_samples,), default=None
        Source to argue against; by default the likeliest source except `source`.
    baseline : array-like of shape (n_features,) or (n_samples, n_features), \
            default=None
        Features at the start of the line, as the classifier takes them. By default the
        mean of the means of the sources: `mean_` of a SourceDiscriminant, or the mean
        of `means_` of a linear discriminant. Other linear classifiers need a baseline.

    Returns
    -------
    explanation : AttributionExplanation
        A Bunch that prints as sentences, and has `to_frame`.

        contributions : ndarray of shape (n_samples, n_features), float64
            Contributions in units of the scores, which are logarithms of probabilities
            if the classifier has probabilities.
        difference : ndarray of shape (n_samples,)
            Score of `source` minus that of `other`, for the image.
        baseline_difference : ndarray of shape (n_samples,)
            The same difference for the baseline.
        source, other : ndarray of shape (n_samples,)
            Sources that are compared.
        feature_names : ndarray of str of shape (n_features,)
            Names from `get_feature_names_out`; x0, x1, ... for rows without names.
        families : dict of str to ndarray of shape (n_samples,)
            Sums of the contributions of features whose names begin alike, such as
            `residual_spectrum_0` or `cooccurrence_0_1`. Their total is the same.
        spectra : dict of str to ndarray of shape (n_samples, n_channels, \
                n_vertical, n_horizontal)
            Contributions of frequencies, as planes with vertical frequency 0 in row
            `n_vertical // 2` and horizontal frequency 0 on the left:
            `residual_spectrum` and `spectrum`, if the features have them.

    Raises
    ------
    ValueError
        If the classifier is of another kind, a source is not among the fitted ones,
        `source` and `other` are the same, or a baseline is missing.
    RuntimeError
        If the contributions do not add up to the difference of the scores.

    See Also
    --------
    explain_correlation : Contributions of pixels to a correlation with a fingerprint.
    skfingerprint.plotting.ContributionDisplay : Plot of the contributions.

    Notes
    -----
    The contribution of feature i to the score s is
    ``(x_i - b_i) * integral over a in 0..1 of ds/dx_i (b + a (x - b))`` for features x
    and a baseline b (eq. 1 of [1]_), and ``contributions.sum(axis=1)`` is
    ``difference - baseline_difference``. `difference` agrees with `decision_function`
    for float64 features.

    In a :class:`~skfingerprint.SourceDiscriminant` the score of a source is the log
    mean exponential of linear scores, one for each condition. So its gradient is the
    mean of their coefficients, weighted by their softmax. Only these weights, a few
    numbers for each image, are integrated: adaptively, until the error is below 1e-10.
    The temperature is that of the condition of the image, all along the line.

    Contributions describe this classifier, and not the network that made the image. The
    division of a contribution among correlated features, such as neighboring
    frequencies, depends on the training images.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep Networks",
       ICML, 2017. :doi:`10.48550/arXiv.1703.01365`

    Examples
    --------
    >>> from skfingerprint import make_attribution_pipeline
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.explanation import explain_attribution
    >>> data = load_generators()
    >>> y = data.target_names[data.target]
    >>> pipeline = make_attribution_pipeline(perturbations=()).fit(data.images, y)
    >>> why = explain_attribution(
    ...     pipeline, data.images[:2], source="2xHFA2kSPAN_27k", other="srgan-pre")
    >>> why.contributions.shape, why.spectra["residual_spectrum"].shape
    ((2, 2294), (2, 3, 32, 17))
    >>> gain = why.difference - why.baseline_difference
    >>> bool(abs(why.contributions.sum(axis=1) - gain).max() < 1e-6)
    True
    >>> bool(abs(sum(why.families.values()) - gain).max() < 1e-6)
    True
    """
    check_is_fitted(estimator)
    steps, classifier = split_last(estimator, HELD_BY)
    _check_explainable(classifier)
    rows = validate_images(classifier, transform_by(steps, X), reset=False)
    rows = score_blocks(_as_precise_rows, rows, None)
    model = _read_model(classifier, rows)
    ends = [_check_baseline(model, rows, baseline) - model.center, rows - model.center]
    scores, conditions = score_kinds(ends[1], model.discriminants, model.kinds)
    pair = _choose_pair(scores, classifier.classes_, source, other)
    explanation = _integrate(model, ends, pair, conditions)
    names = _find_names(steps, classifier, rows.shape[1])
    source, other = classifier.classes_[np.stack(pair)]
    groups = _group(explanation.contributions, names)
    explanation.update(source=source, other=other, feature_names=names, **groups)
    return AttributionExplanation(**explanation)


def explain_correlation(classifier, X, *, source=None):
    """Compute the contribution of each pixel to a correlation with a fingerprint.

    Parameters
    ----------
    classifier : FingerprintClassifier
        Fitted classifier with the aligned correlation as its statistic; alone, or at
        the end of a pipeline or a search.
    X : array-like
        Input of `classifier`: residuals in grey levels, or images for a pipeline.
    source : label or array-like of shape (n_samples,), default=None
        Source of the fingerprint; by default the predicted source of each image.

    Returns
    -------
    explanation : :class:`~sklearn.utils.Bunch`
        contributions : ndarray of shape (n_samples, height, width[, n_channels]), \
                float64
            Contribution of each value of a residual.
        correlation : ndarray of shape (n_samples,)
            Correlations, which are the sums of the contributions.
        source : ndarray of shape (n_samples,)
            Source of the fingerprint.

    Raises
    ------
    ValueError
        If the classifier is of another kind, searches shifts, or was not fitted on the
        source.

    See Also
    --------
    explain_attribution : Contributions of features in the recommended pipeline.
    skfingerprint.plotting.ContributionDisplay : Plot of the contributions.

    Notes
    -----
    The contributions are the terms of the sum in eq. 5 of [1]_,
    ``(R_p - mean(R)) (F_p - mean(F)) / (norm * norm)`` for each pixel and channel p.
    With `subtract_common` the mean of the fingerprints is first subtracted from R and
    F. All contributions of a constant residual are 0.

    A single contribution carries little information: add them up over blocks of about
    8 x 8 pixels, or over images.

    References
    ----------
    .. [1] F. Marra, D. Gragnaniello, L. Verdoliva, G. Poggi, "Do GANs Leave Artificial
       Fingerprints?", IEEE MIPR, 2019. :doi:`10.1109/MIPR.2019.00103`

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import load_generators
    >>> from skfingerprint.explanation import explain_correlation
    >>> data = load_generators()
    >>> pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    >>> pipeline = pipeline.fit(data.images, data.target_names[data.target])
    >>> why = explain_correlation(pipeline, data.images[:1], source="srgan-gan")
    >>> why.contributions.shape
    (1, 64, 64, 3)
    >>> column = pipeline.classes_.tolist().index("srgan-gan")
    >>> expected = pipeline[-1].correlate(pipeline[:-1].transform(data.images[:1]))
    >>> bool(abs(why.correlation - expected[:, column]).max() < 1e-6)
    True
    """
    check_is_fitted(classifier)
    steps, classifier = split_last(classifier, HELD_BY)
    _check_correlates(classifier)
    X = transform_by(steps, X)
    if source is None:
        places = classifier.correlate(X).argmax(axis=1)
        X = validate_images(classifier, X, reset=False)
    else:
        X = validate_images(classifier, X, reset=False)
        places = _find_places("source", source, classifier.classes_, len(X))
    state = classifier.fingerprints_, classifier.subtract_common
    contributions = score_blocks(_multiply, X, state, places)
    return Bunch(
        contributions=contributions,
        correlation=as_rows(contributions).sum(axis=1),
        source=classifier.classes_[places],
    )


def _check_explainable(classifier):
    """Raise ValueError unless the scores of a classifier are linear in its features."""
    if isinstance(classifier, FingerprintClassifier):
        raise ValueError(
            "estimator ends with a FingerprintClassifier, whose scores come from "
            "places: take explain_correlation."
        )
    if not isinstance(classifier, SourceDiscriminant) and not hasattr(
        classifier, "coef_"
    ):
        raise ValueError(
            "estimator must end with a SourceDiscriminant, as that of "
            "make_attribution_pipeline does, or with a linear classifier that has "
            f"coef_, got {type(classifier).__name__}. Of others "
            "sklearn.inspection.permutation_importance tells which features matter."
        )


def _check_correlates(classifier):
    """Raise ValueError unless the scores are aligned correlations."""
    if not isinstance(classifier, FingerprintClassifier):
        raise ValueError(
            "classifier must be a FingerprintClassifier, or a pipeline or search that "
            f"ends with one, got {type(classifier).__name__}. For the recommended "
            "pipeline take explain_attribution."
        )
    if classifier.statistic != "correlation" or classifier.max_shift != 0:
        raise ValueError(
            f"classifier has statistic={classifier.statistic!r} and "
            f"max_shift={classifier.max_shift!r}, and only the aligned correlation is "
            'a sum over places: set statistic="correlation" and max_shift=0.'
        )


def _as_precise_rows(block, _):
    """Convert rows to float64, since their scores are compared to 1e-6."""
    return as_rows(block).astype(np.float64)


def _read_model(classifier, rows):
    """Read the linear discriminants of a classifier, which are checked on the rows.

    Parameters
    ----------
    classifier : SourceDiscriminant or linear classifier
        Fitted classifier.
    rows : ndarray of shape (n_samples, n_features)
        Rows of features, float64.

    Returns
    -------
    model : _LinearModel
    """
    if isinstance(classifier, SourceDiscriminant):
        return _LinearModel(
            center=classifier.center_,
            discriminants=classifier.discriminants_,
            kinds=classifier.kinds_,
            scales=classifier.inverse_temperatures_,
            mean=classifier.mean_,
        )
    coef = np.asarray(classifier.coef_, dtype=np.float64)
    coef = coef.reshape(-1, rows.shape[1])
    intercept = np.ravel(getattr(classifier, "intercept_", 0.0)) * np.ones(len(coef))
    n_classes = len(classifier.classes_)
    # The single row of two classes scores the second one against 0 for the first.
    if n_classes == 2 and len(coef) == 1:
        coef, intercept = (np.concatenate([0 * a, a]) for a in (coef, intercept))
    sources = np.arange(n_classes)
    model = _LinearModel(
        center=0,
        discriminants=[[(coef, intercept, sources, np.zeros_like(sources))]],
        kinds=np.zeros(1, dtype=int),
        scales=np.ones(1),
        mean=_find_linear_mean(classifier),
    )
    _check_linear(classifier, model, rows)
    return model


def _find_linear_mean(classifier):
    """Compute the mean of the class means if a linear classifier keeps them."""
    means = getattr(classifier, "means_", None)
    return None if means is None else np.mean(means, axis=0)


def _check_linear(classifier, model, rows):
    """Raise ValueError unless the coefficients give the scores of the classifier.

    They do not in a one-vs-one classifier, which has a row for each pair of classes.
    """
    coef, intercept, sources, _ = model.discriminants[0][0]
    if len(coef) == len(sources):
        scores = rows @ coef.T + intercept
        expected = np.asarray(classifier.decision_function(rows))
        scores = to_decision(scores) if expected.ndim == 1 else scores
        if scores.shape == expected.shape and np.allclose(scores, expected, 1e-5, 1e-5):
            return
    raise ValueError(
        f"the scores of {type(classifier).__name__} are not rows @ coef_.T + "
        "intercept_, one for each source: take a linear discriminant, a logistic "
        "regression or a one-vs-rest linear classifier."
    )


def _choose_pair(scores, classes, source, other):
    """Choose the columns of the two sources that are compared for each image.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Scores of the images.
    classes : ndarray of shape (n_classes,)
        Source of each column.
    source, other : label, array-like of shape (n_samples,) or None
        Sources as passed by the user; None for the likeliest one.

    Returns
    -------
    source, other : ndarray of shape (n_samples,), int
        Columns of the sources argued for and against.
    """
    every = np.arange(len(scores))
    given = {
        name: _find_places(name, labels, classes, len(scores))
        for name, labels in (("source", source), ("other", other))
        if labels is not None
    }
    # A named source is not among the candidates for the other one.
    left = scores.copy()
    for places in given.values():
        left[every, places] = -np.inf
    for name in ("source", "other"):
        if name not in given:
            given[name] = left.argmax(axis=1)
            left[every, given[name]] = -np.inf
    if (same := given["source"] == given["other"]).any():
        image = int(same.argmax())
        name = shorten(classes[given["source"][image]])
        raise ValueError(
            f"source and other are both {name} for image {image}: name two sources, or "
            "leave one out."
        )
    return given["source"], given["other"]


def _find_places(name, labels, classes, n_images):
    """Validate labels, and return the column of the label of each image.

    Parameters
    ----------
    name : str
        Name of the parameter, for errors.
    labels : label or array-like of shape (n_images,)
        One source for all images, or one for each.
    classes : ndarray of shape (n_classes,)
        Source of each column.
    n_images : int
        Number of images.

    Returns
    -------
    places : ndarray of shape (n_images,), int
    """
    labels = np.asarray(labels)
    if labels.ndim == 0:
        labels = np.repeat(labels, n_images)
    if labels.shape != (n_images,):
        raise ValueError(
            f"{name} must be one label, or one for each of the {n_images} images, got "
            f"shape {labels.shape}."
        )
    columns = {label: column for column, label in enumerate(classes.tolist())}
    if unknown := sorted({str(x) for x in labels.tolist() if x not in columns}):
        raise ValueError(
            f"{name} must be among the sources that were fitted, "
            f"{shorten(classes.tolist())}, got {shorten(unknown)}."
        )
    return np.array([columns[label] for label in labels.tolist()])


def _check_baseline(model, rows, baseline):
    """Validate the baseline, and return its rows (n_samples, n_features)."""
    if baseline is None:
        baseline = model.mean
    if baseline is None:
        raise ValueError(
            "the classifier does not keep the mean of its sources: pass baseline, such "
            "as the mean of the training rows, as the classifier takes them."
        )
    baseline = np.asarray(baseline, dtype=np.float64)
    if baseline.shape not in (rows.shape, rows.shape[1:]):
        raise ValueError(
            f"baseline must be of shape {rows.shape[1:]} or {rows.shape}, got "
            f"{baseline.shape}."
        )
    if not np.isfinite(baseline).all():
        raise ValueError("baseline contains NaN or infinity.")
    return np.broadcast_to(baseline, rows.shape)


def _integrate(model, ends, pair, conditions):
    """Integrate the gradients of score differences along the line between two ends.

    The condition of an image, which chooses the discriminants, is held along the line.

    Parameters
    ----------
    model : _LinearModel
        Discriminants.
    ends : list of ndarray of shape (n_samples, n_features)
        Centered features of the baseline, and of the images.
    pair : tuple of ndarray of shape (n_samples,), int
        Columns of the sources argued for and against.
    conditions : ndarray of shape (n_samples,), int
        Condition that each image is assigned to.

    Returns
    -------
    explanation : Bunch
        `contributions`, `difference` and `baseline_difference` of
        :func:`explain_attribution`.
    """
    slopes, differences = np.zeros(ends[1].shape), np.zeros((2, len(ends[1])))
    for kind, part in enumerate(model.discriminants[1:] or model.discriminants):
        own = np.flatnonzero(model.kinds[conditions] == kind)
        given = part, [end[own] for end in ends], [places[own] for places in pair]
        slopes[own], differences[:, own] = _average_slopes(*given)
    scale = model.scales[conditions]
    contributions = scale[:, np.newaxis] * slopes * (ends[1] - ends[0])
    before, after = scale * differences
    rest = np.abs(contributions.sum(axis=1) - (after - before))
    if (rest > SUM_ERROR * np.maximum(1, np.abs(after) + np.abs(before))).any():
        raise RuntimeError(
            f"the contributions to image {rest.argmax()} miss its score by "
            f"{rest.max():.2g}. Features may be out of all proportion; pass a baseline "
            "that is nearer to them."
        )
    return Bunch(
        contributions=contributions, difference=after, baseline_difference=before
    )


def _average_slopes(discriminants, ends, pair):
    """Average the gradients of score differences along the line between two ends.

    A source scores ``s = log mean_k exp(c_k x + d_k)`` over its cells k. Its gradient
    is the softmax-weighted mean of the c_k, so that the integral of the gradient is the
    sum of the c_k with the weights averaged along the line.

    Parameters
    ----------
    discriminants : list of tuple
        Discriminants whose scores are added.
    ends : list of ndarray of shape (n_samples, n_features)
        Centered features of the baseline, and of the images.
    pair : list of ndarray of shape (n_samples,), int
        Columns of the sources argued for and against.

    Returns
    -------
    slopes : ndarray of shape (n_samples, n_features)
        Mean gradients.
    differences : ndarray of shape (2, n_samples)
        Score differences at both ends.
    """
    slopes, every = np.zeros(ends[1].shape), np.arange(len(ends[1]))
    scores = [score_discriminants(end, discriminants)[0] for end in ends]
    for coef, intercept, owners, _ in discriminants:
        coef = coef.astype(np.float64)
        lines = [end @ coef.T + intercept for end in ends]
        slopes += _mean_shares(*lines, owners, pair) @ coef
    differences = [part[every, pair[0]] - part[every, pair[1]] for part in scores]
    return slopes, np.stack(differences)


def _mean_shares(before, after, owners, pair):
    """Compute the mean softmax weights of cells along the line.

    Parameters
    ----------
    before, after : ndarray of shape (n_samples, n_cells)
        Scores of the cells at both ends of the line.
    owners : ndarray of shape (n_cells,), int
        Source of each cell.
    pair : tuple of ndarray of shape (n_samples,), int
        Columns of the sources argued for and against.

    Returns
    -------
    shares : ndarray of shape (n_samples, n_cells)
        Weights; negative for cells of the source argued against, and 0 for cells of
        sources that are not compared.
    """
    shares = np.zeros(after.shape)
    for places, sign in zip(pair, (1, -1), strict=True):
        for image, place in enumerate(places):
            own = np.flatnonzero(owners == place)
            mean = _average_softmax(before[image, own], after[image, own])
            shares[image, own] = sign * mean
    return shares


def _average_softmax(before, after):
    """Compute the mean of the softmax of scores on the line between two vectors."""
    if len(before) == 1:
        return np.ones(1)
    rise = after - before

    def share(at):
        # The softmax function of SciPy takes several times as long for so few numbers.
        line = before + at * rise
        weights = np.exp(line - line.max())
        return weights / weights.sum()

    # The weights add up to 1, so that the error is bounded in absolute terms.
    return quad_vec(
        share,
        0,
        1,
        epsabs=SHARE_ERROR,
        epsrel=0,
        norm="max",
        limit=MOST_PARTS,
        points=_find_turns(before, rise),
    )[0]


def _find_turns(before, rise):
    """Find positions around which the softmax changes so fast that it may be missed.

    Two scores cross there, and both are near the largest score.

    Parameters
    ----------
    before, rise : ndarray of shape (n_cells,)
        Scores at the start of the line, and their increase along the line.

    Returns
    -------
    places : ndarray of shape (n_places,)
        Positions of crossings in (0, 1), and of both ends of the changes around them.
    """
    # The scores b_i + a r_i and b_j + a r_j cross at a = (b_i - b_j) / (r_j - r_i), and
    # differ by |r_j - r_i| times the distance from there.
    first, second = np.triu_indices(len(before), 1)
    falls = rise[second] - rise[first]
    steep = np.abs(falls) > STEEP
    first, second, falls = first[steep], second[steep], falls[steep]
    at = (before[first] - before[second]) / falls
    lines = before + at[:, np.newaxis] * rise
    near = lines.max(axis=1) - lines[np.arange(len(at)), first] < NEGLIGIBLE
    at, width = at[near], NEGLIGIBLE / np.abs(falls[near])
    places = np.unique([at - width, at, at + width])
    return places[(places > 0) & (places < 1)]


def _find_names(steps, classifier, n_features):
    """Return the names of the features of rows; x0, x1, ... for rows without names."""
    if steps and hasattr(steps[-1], "get_feature_names_out"):
        names = steps[-1].get_feature_names_out()
        if names is not None and len(names) == n_features:
            return np.asarray(names, dtype=object)
    found = getattr(classifier, "feature_names_in_", None)
    names = [f"x{i}" for i in range(n_features)] if found is None else found
    return np.asarray(names, dtype=object)


def _group(contributions, names):
    """Sum contributions by family, and lay those of frequencies out as planes."""
    families, spectra = group_names(names)
    return {
        "families": {
            family: contributions[:, columns].sum(axis=1)
            for family, columns in families.items()
        },
        "spectra": {
            kind: contributions[:, columns] / _count(columns)
            for kind, columns in spectra.items()
        },
    }


def _count(columns):
    """Return how often the column at each place of a plane occurs in it.

    A column of a folded spectrum stands at two frequencies, which share its
    contribution.
    """
    return np.bincount(columns.ravel())[columns]


def _multiply(block, state, places):
    """Compute the terms of correlations of residuals with fingerprints (eq. 5).

    Parameters
    ----------
    block : ndarray of shape (n_samples, height, width[, n_channels])
        Residuals.
    state : tuple
        Fingerprints (n_classes, height, width[, n_channels]), and whether their mean is
        subtracted.
    places : ndarray of shape (n_samples,), int
        Number of the fingerprint for each residual.

    Returns
    -------
    terms : ndarray of the shape of `block`, float64
    """
    fingerprints, subtract_common = state
    rows = as_rows(block).astype(np.float64)
    patterns = as_rows(fingerprints).astype(np.float64)
    energies = np.square(rows).sum(axis=1)
    if subtract_common:
        common = patterns.mean(axis=0)
        rows, patterns = rows - common, patterns - common
        # As in correlation_matrix, the variance is compared with both energies.
        energies += np.square(common - common.mean()).sum()
    terms = _normalize(rows, energies) * _normalize(patterns)[places]
    return terms.reshape(block.shape)


def _normalize(rows, energies=0):
    """Bring rows to zero mean and unit norm; constant rows become 0."""
    centered = rows - rows.mean(axis=1, keepdims=True)
    squares = np.square(centered).sum(axis=1)
    varied = squares > RESOLUTION * energies
    norms = np.sqrt(np.where(varied, squares, 1))
    return np.where(varied[:, np.newaxis], centered / norms[:, np.newaxis], 0)

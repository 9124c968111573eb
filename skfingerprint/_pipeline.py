"""The recommended pipeline."""

from skfingerprint._attribution import AugmentedPipeline, SourceDiscriminant
from skfingerprint._core import check_choice
from skfingerprint._features import AttributionFeatures
from skfingerprint._open_set import SourceDetector, RejectingClassifier
from skfingerprint.perturbation import COMMON_PERTURBATIONS


def make_attribution_pipeline(
    *,
    perturbations="common",
    max_perturbations="auto",
    false_alarm_rate=None,
    miss_rate=None,
    background=None,
    n_jobs=None,
    verbose=False,
):
    """Return the pipeline that we recommend for attribution, from images to sources.

    Spectra and co-occurrences of neighboring pixels go into a linear discriminant,
    whose scores are calibrated to probabilities. It forgets where a pattern lies, so a
    crop does no harm, and names many more images rightly than the correlation with
    fingerprints. By default it is trained on copies of the images that went through
    what pictures meet on the web.

    It is an ordinary scikit-learn object; look at its parts, set their parameters, or
    take it as a recipe.

    Parameters
    ----------
    perturbations : "common", sequence of transformers, or None, default="common"
        What may have happened to the images to attribute.
        `skfingerprint.perturbation.COMMON_PERTURBATIONS` by default: compression as
        JPEG and WebP, blur, noise, resizing (with Pillow, extra `images`). `()` or None
        trains on the images as they are, in a fraction of the time, for images that
        come as the sources made them.
    max_perturbations : int, "auto" or None, default="auto"
        How many copies of each image are made: see :class:`AugmentedClassifier`.
    false_alarm_rate : float, default=None
        In (0, 0.5]: share of images of other sources that may be taken for a known one.
        By default every image is named; with a rate the classifier is a
        :class:`RejectingClassifier`, which answers "unknown" (-1 among numbers), and
        `pipeline.assess(images)` says how sure it is. Needs three sources.
    miss_rate : float, default=None
        In (0, 0.5]: share of unchanged images of known sources that may be taken for
        unknown, in place of `false_alarm_rate`; also of one or two sources.
    background : label, default=None
        Label in y of images of no source, such as photographs: never an answer. Without
        a rate the pipeline takes that of :class:`SourceDetector`, 0.01 of three sources
        or more, so that such images can be called "unknown"; as with any rate, `assess`
        then stands in the place of `predict_proba`.
    n_jobs : int, default=None
        Number of threads; -1 for all processors.
    verbose : bool, default=False
        Whether to tell how far a fit on copies is: in bars if tqdm is installed (extra
        `progress`), in lines otherwise.

    Returns
    -------
    pipeline : :class:`AugmentedPipeline`
        Of features and classifier.

    See Also
    --------
    RejectingClassifier : What a rate composes: answers that can be "unknown".
    FingerprintClassifier : The published rule: needs no tuning, tells where the
        fingerprint is, adds sources without a new fit.

    Examples
    --------
    >>> from sklearn.model_selection import StratifiedGroupKFold
    >>> from skfingerprint import make_attribution_pipeline
    >>> from skfingerprint.datasets import load_generators
    >>> data = load_generators()
    >>> folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
    >>> fit, test = next(folds.split(data.images, data.target, data.groups))
    >>> pipeline = make_attribution_pipeline(perturbations=())
    >>> pipeline = pipeline.fit(
    ...     data.images[fit], data.target[fit], groups=data.groups[fit])
    >>> print(f"{pipeline.score(data.images[test], data.target[test]):.1f}")
    1.0
    >>> pipeline.predict_proba(data.images[test]).shape
    (320, 8)
    >>> pipeline[:-1].get_feature_names_out().shape
    (3824,)
    """
    if isinstance(perturbations, str):
        check_choice("perturbations", perturbations, ("common",))
        perturbations = COMMON_PERTURBATIONS
    classifier = SourceDiscriminant(background=background)
    if (false_alarm_rate, miss_rate, background) != (None, None, None):
        detector = SourceDetector(
            false_alarm_rate=false_alarm_rate,
            miss_rate=miss_rate,
            background=background,
            verbose=verbose,
        )
        classifier = RejectingClassifier(classifier, detector)
    return AugmentedPipeline(
        [("features", AttributionFeatures(n_jobs=n_jobs)), ("classifier", classifier)],
        perturbations=perturbations,
        max_perturbations=max_perturbations,
        n_jobs=n_jobs,
        verbose=verbose,
    )

"""The recommended pipeline."""

from skfingerprint._attribution import (
    AugmentedPipeline,
    SourceDiscriminant,
    check_perturbations,
)
from skfingerprint._features import AttributionFeatures
from skfingerprint._images import ImageReader
from skfingerprint._open_set import RejectingClassifier, SourceDetector
from skfingerprint.perturbation import COMMON_PERTURBATIONS


def make_attribution_pipeline(
    *,
    image_shape=None,
    perturbations="common",
    max_perturbations="auto",
    imitations="auto",
    false_alarm_rate=None,
    miss_rate=None,
    relatives="reject",
    background=None,
    n_jobs=None,
    memory=None,
    history="auto",
    verbose=False,
):
    """Make the recommended pipeline for attribution, from images or paths to sources.

    Spectra and co-occurrences of neighboring pixels go into a linear discriminant,
    whose scores are calibrated to probabilities. The features do not depend on
    position, so that cropped images are attributed as well, and many more images are
    attributed correctly than by the correlation with fingerprints. By default it is
    trained on copies of the images that are perturbed as images on the web are.

    The result is an ordinary scikit-learn object: inspect its parts, set their
    parameters, or take it as a recipe.

    Images are given as paths or anything else that :class:`ImageReader` takes, or as
    arrays.

    Parameters
    ----------
    image_shape : tuple of int, default=None
        (height, width) of the part to cut out of each image: see :class:`ImageReader`.
        By default images keep their sizes, which may differ.
    perturbations : "common", sequence of transformers, or None, default="common"
        Perturbations that images to attribute may have undergone. By default
        `skfingerprint.perturbation.COMMON_PERTURBATIONS`: compression as JPEG and WebP,
        blur, noise, resizing (with Pillow, extra `images`). `()` or None trains on the
        unprocessed images alone, in a fraction of the time, for images that come as
        their sources made them.
    max_perturbations : int, "auto" or None, default="auto"
        Number of perturbed copies of each image: see :class:`AugmentedPipeline`.
    imitations : "auto", sequence of transformers or None, default="auto"
        Generators that imitate unknown sources, from which a rate is learned: see
        :class:`AugmentedPipeline`. By default those of
        `skfingerprint.imitation.IMITATIONS` with a rate, and none without.
    false_alarm_rate : float, default=None
        In (0, 0.5]: share of images of unknown sources that may be taken for a known
        one (FPR). By default every image is named; with a rate the classifier is a
        :class:`RejectingClassifier`, which answers "unknown" (-1 among numbers), and
        `pipeline.assess(images)` reports probabilities. Without imitations it needs
        three sources.
    miss_rate : float, default=None
        In (0, 0.5]: share of unprocessed images of known sources that may be rejected,
        in place of `false_alarm_rate`.
    relatives : {"reject", "accept"}, default="reject"
        Whether to reject images from sources that are as near to a known one as some
        known sources are to each other: see :class:`SourceDetector`.
    background : label, default=None
        Label in y for images without a common source, such as photographs. It is never
        an answer. Without a rate the pipeline takes the "auto" rates of
        :class:`SourceDetector`, so that such images can be called "unknown"; as with
        any rate, `assess` then replaces `predict_proba`.
    n_jobs : int, default=None
        Number of threads; -1 for all processors.
    memory : str, path-like, joblib.Memory or None, default=None
        Folder that keeps the features of images and perturbed copies, so that further
        fits compute new ones only: see :class:`AugmentedPipeline`.
    history : {"auto", "warn", "ignore"}, default="auto"
        What to do if only some classes were JPEG files once: see
        :class:`AugmentedPipeline`.
    verbose : bool, default=False
        Whether to report the progress of a fit on perturbed copies: in bars if tqdm is
        installed (extra `progress`), in lines otherwise.

    Returns
    -------
    pipeline : :class:`AugmentedPipeline`
        Pipeline of reader, features and classifier.

    See Also
    --------
    RejectingClassifier : Composed by a rate: its answers can be "unknown".
    FingerprintClassifier : The published rule: needs no tuning, shows where the
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
    (2294,)
    """
    if isinstance(perturbations, str):
        if perturbations != "common":
            check_perturbations(perturbations)
        perturbations = COMMON_PERTURBATIONS
    classifier = SourceDiscriminant(background=background)
    if (false_alarm_rate, miss_rate, background) != (None, None, None):
        detector = SourceDetector(
            false_alarm_rate="auto" if false_alarm_rate is None else false_alarm_rate,
            miss_rate="auto" if miss_rate is None else miss_rate,
            background=background,
            relatives=relatives,
            verbose=verbose,
        )
        classifier = RejectingClassifier(classifier, detector)
    return AugmentedPipeline(
        [
            ("reader", ImageReader(image_shape, n_jobs=n_jobs)),
            ("features", AttributionFeatures(n_jobs=n_jobs)),
            ("classifier", classifier),
        ],
        perturbations=perturbations,
        max_perturbations=max_perturbations,
        imitations=imitations,
        n_jobs=n_jobs,
        memory=memory,
        history=history,
        verbose=verbose,
    )

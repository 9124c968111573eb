"""Energies of fingerprints, and accuracies under perturbations, as curves."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, check_consistent_length, check_random_state

from skfingerprint._core import check_choice, list_readers, read_by


def energy_curve(residuals, *, n_images=None, n_draws=10, random_state=None):
    """Compute the energy of fingerprints averaged over increasing numbers of residuals.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, ...)
        Residuals of one source, in grey levels; at least 2.
    n_images : array-like of int, default=None
        Numbers of images, each in 2..n_samples. By default 2, 4, 8, ...
    n_draws : int, default=10
        Number of random choices of images over which each point is averaged.
    random_state : int, RandomState instance or None, default=None
        Seed of the choices.

    Returns
    -------
    curve : :class:`~sklearn.utils.Bunch`
        n_images : ndarray of shape (n_points,)
            Number of images in each mean.
        energy : ndarray of shape (n_points,)
            Mean square of the mean residual, in grey levels squared per pixel.
        unbiased : ndarray of shape (n_points,)
            Energy without the noise, in the same unit: the mean product of the mean
            residuals of two halves of the images, whose noise is independent.

    Examples
    --------
    >>> import numpy as np
    >>> from skfingerprint.metrics import energy_curve
    >>> noise = np.random.default_rng(0).normal(size=(64, 10_000))
    >>> curve = energy_curve(2 + noise, random_state=0)
    >>> curve.n_images.tolist()
    [2, 4, 8, 16, 32, 64]
    >>> curve.energy.round(1)
    array([4.5, 4.2, 4.1, 4.1, 4. , 4. ])
    """
    rows = np.asarray(residuals)
    rows = rows.reshape(len(rows), -1)
    if n_images is None:
        n_images = 2 ** np.arange(1, max(2, len(rows)).bit_length())
    n_images = np.asarray(n_images, dtype=int)
    if n_images.size == 0 or n_images.min() < 2 or n_images.max() > len(rows):
        raise ValueError(
            f"n_images must lie in 2..{len(rows)}, the number of residuals, got "
            f"{n_images.tolist()}."
        )
    rng = check_random_state(random_state)
    energy, unbiased = np.zeros((2, len(n_images)))
    for _ in range(n_draws):
        order = rng.permutation(len(rows))
        for point, n in enumerate(n_images):
            first, second = order[: n // 2], order[n // 2 : n]
            means = [rows[part].mean(axis=0, dtype=float) for part in (first, second)]
            # Each image is read once: the mean of all follows from those of the halves.
            whole = (means[0] * len(first) + means[1] * len(second)) / n
            energy[point] += np.mean(np.square(whole)) / n_draws
            unbiased[point] += np.mean(means[0] * means[1]) / n_draws
    return Bunch(n_images=n_images, energy=energy, unbiased=unbiased)


def fit_energy_curve(n_images, energy, *, law="inverse"):
    """Fit the limit of an energy curve by least squares.

    Parameters
    ----------
    n_images : array-like of shape (n_points,)
        Numbers of images; at least two different ones.
    energy : array-like of shape (n_points,)
        Energies, in grey levels squared per pixel.
    law : {"inverse", "exponential"}, default="inverse"
        Law of the curve: ``E_inf + E_0 / n``, which holds for the mean of a fingerprint
        with independent noise, or ``E_inf + E_0 2^-n``, as eq. 4 of Marra et al. (2019)
        is printed.

    Returns
    -------
    fit : :class:`~sklearn.utils.Bunch`
        limit : float
            Energy ``E_inf`` of the fingerprint of infinitely many images.
        noise : float
            Energy ``E_0``; for "inverse" that of the noise in one residual.
        fitted : ndarray of shape (n_points,)
            Energies of the fitted law at `n_images`.
        residual_sum_of_squares : float
            Sum of squared differences of the energies from the fitted law.

    Examples
    --------
    >>> from skfingerprint.metrics import fit_energy_curve
    >>> fit = fit_energy_curve([2, 4, 8], [3.0, 2.0, 1.5])
    >>> round(fit.limit, 6), round(fit.noise, 6)
    (1.0, 4.0)
    """
    n_images, energy = np.asarray(n_images, float), np.asarray(energy, float)
    check_consistent_length(n_images, energy)
    laws = {"inverse": lambda n: 1 / n, "exponential": lambda n: 2.0**-n}
    check_choice("law", law, laws)
    if len(np.unique(n_images)) < 2:
        raise ValueError("n_images must hold at least two different numbers.")
    # Both laws are linear in E_inf and E_0.
    design = np.column_stack([np.ones_like(n_images), laws[law](n_images)])
    (limit, noise), *_ = np.linalg.lstsq(design, energy, rcond=None)
    fitted = design @ (limit, noise)
    return Bunch(
        limit=float(limit),
        noise=float(noise),
        fitted=fitted,
        residual_sum_of_squares=float(np.square(energy - fitted).sum()),
    )


def robustness_curve(estimator, X, y, perturbations, *, scoring=None):
    """Score a fitted estimator on perturbed copies of test images.

    Parameters
    ----------
    estimator : estimator
        Estimator of images, fitted on other images.
    X : array-like of shape (n_samples, height, width[, n_channels])
        Test images in grey levels 0..255; or paths or rows, if a pipeline begins with
        an ImageReader or Unflatten. Copies are made of the images.
    y : array-like of shape (n_samples,)
        Source of each image.
    perturbations : dict of str to transformer
        Perturbations by name; see `skfingerprint.perturbation`. None leaves the images
        unchanged.
    scoring : str or callable, default=None
        Scorer, as in :func:`sklearn.model_selection.cross_val_score`; by default that
        of the estimator.

    Returns
    -------
    curve : :class:`~sklearn.utils.Bunch`
        names : list of str
            Names of the perturbations, in the given order.
        scores : ndarray of shape (n_perturbations,)
            Score under each perturbation.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skfingerprint import FingerprintClassifier, ResidualExtractor
    >>> from skfingerprint.datasets import make_fingerprint_images
    >>> from skfingerprint.metrics import robustness_curve
    >>> from skfingerprint.perturbation import GaussianBlur, Shift
    >>> X, y = make_fingerprint_images(120, 3, strength=4, random_state=0)
    >>> pipeline = make_pipeline(ResidualExtractor(), FingerprintClassifier())
    >>> pipeline = pipeline.fit(X[:60], y[:60])
    >>> perturbations = {"none": None, "blur 2": GaussianBlur(std=2), "shift": Shift()}
    >>> robustness_curve(pipeline, X[60:], y[60:], perturbations).scores.round(2)
    array([1.  , 0.47, 0.  ])
    """
    from sklearn.metrics import check_scoring

    scorer = check_scoring(estimator, scoring)
    # Readers take images as well: those are made once, and files read on request.
    images = read_by(list_readers(getattr(estimator, "best_estimator_", estimator)), X)
    scores = []
    for change in perturbations.values():
        copies = X if change is None else clone(change).fit_transform(images)
        scores.append(scorer(estimator, copies, y))
    return Bunch(names=list(perturbations), scores=np.array(scores))

"""Rates of a fitted model, by the processing of the images."""

import warnings

import numpy as np
from sklearn.pipeline import Pipeline

# Share of named images below which a model is of little use; set by hand.
FEW_NAMED = 0.2
# Names of perturbations for readers.
NAMES = {
    "AVIFCompression": "AVIF compression",
    "GaussianBlur": "blur",
    "GaussianNoise": "noise",
    "JPEGCompression": "JPEG compression",
    "Resize": "resizing",
    "WebPCompression": "WebP compression",
}
# The parameter that says how strong a perturbation is.
STRENGTHS = ("quality", "scale", "std")


def is_quick(model):
    """Whether a model was fitted on unprocessed images alone."""
    return not len(getattr(model, "perturbations", None) or ())


def describe_rates(model):
    """Describe the shares of held-out images of known sources that a model names.

    Parameters
    ----------
    model : AugmentedPipeline
        Fitted pipeline with a SourceDetector.

    Returns
    -------
    lines : list of str
        The share of unprocessed images, and behind it the median and the worst of all
        conditions, if there are others.

    Warns
    -----
    UserWarning
        If the share of unprocessed images is low.
    """
    detector = model[-1].detector_
    rates, named = detector.detection_rate_by_condition_, detector.detection_rate_
    lines = [
        f"at a false-alarm rate of {detector.false_alarm_rate:g}, {named:.1%} of "
        "held-out unprocessed images of these sources are named"
    ]
    if len(rates) > 1:
        # Condition 0 is unprocessed, and perturbations have the numbers from 1 on.
        worst = 1 + rates[1:].argmin()
        change = model.perturbations[detector.conditions_[worst] - 1]
        lines.append(
            f"of processed ones, {np.median(rates[1:]):.1%} (median of "
            f"{len(rates) - 1} kinds of processing), and {rates[worst]:.1%} in the "
            f"worst: {name_change(change)}"
        )
    if len(model.classes_) == 1:
        lines.append("one source only: images of others are judged by imitations")
    if named < FEW_NAMED:
        text = "the model names nearly nothing: fit more images of each source."
        warnings.warn(text, UserWarning, stacklevel=2)
    return lines


def name_change(change):
    """Name a perturbation, such as "JPEG compression (quality 65 to 95)"."""
    drawn = getattr(change, "distributions", {})
    inner = getattr(change, "perturbation", change)
    steps = inner.steps if isinstance(inner, Pipeline) else [("", inner)]
    return " and ".join(_name_step(name, step, drawn) for name, step in steps)


def _name_step(name, step, drawn):
    """Name one perturbation by its values, or those that it is drawn from."""
    prefix, values = f"{name}__" if name else "", step.get_params()
    values |= {key.removeprefix(prefix): drawn[key] for key in drawn if prefix in key}
    text = NAMES.get(type(step).__name__, type(step).__name__)
    for key in STRENGTHS:
        if key in values:
            ends = sorted({np.min(values[key]), np.max(values[key])})
            text += f" ({key} {' to '.join(f'{end:g}' for end in ends)})"
    return text

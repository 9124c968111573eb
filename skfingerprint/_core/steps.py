"""Steps of pipelines, and of pipelines and meta-estimators inside them."""

from collections.abc import Sequence
from typing import Any

from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags


def list_steps(estimator: Any) -> list:
    """List the steps of a pipeline, those of nested ones in order.

    Any other estimator is its own single step.
    """
    if not isinstance(estimator, Pipeline):
        return [estimator]
    return [part for _, step in estimator.steps for part in list_steps(step)]


def list_readers(estimator: Any) -> list:
    """List the leading steps of a pipeline that make images of paths or of flat rows.

    Steps of nested pipelines count in their order. Other estimators have none.
    """
    return split_readers(list_steps(estimator)[:-1])[0]


def split_readers(steps: list) -> tuple[list, list]:
    """Split steps into those in front that make images, and the steps behind them."""
    steps = [part for step in steps for part in list_steps(step)]
    n = 0
    while n < len(steps) and getattr(steps[n], "_makes_images", False):
        n += 1
    return steps[:n], steps[n:]


def read_by(readers: list, X: Any, method: str = "transform") -> Any:
    """Make images of X by a method of readers, one after the other."""
    for reader in readers:
        X = getattr(reader, method)(X)
    return X


def split_last(estimator: Any, held_by: Sequence[str] = ()) -> tuple[list, Any]:
    """Split off the last step of nested pipelines.

    Parameters
    ----------
    estimator : estimator
        A pipeline, or anything else.
    held_by : sequence of str
        Attributes in which fitted meta-estimators, such as a search, hold the fitted
        estimator that is split instead of them.

    Returns
    -------
    steps : list of transformers
        Transformers in front of the last step, in order.
    last : estimator
    """
    steps = []
    while True:
        if isinstance(estimator, Pipeline):
            steps += [estimator[:-1]] if len(estimator) > 1 else []
            estimator = estimator[-1]
            continue
        held = [getattr(estimator, name, None) for name in held_by]
        # Ensembles hold the unfitted template of their parts.
        held = [inner for inner in held if hasattr(inner, "classes_")]
        if not held:
            return steps, estimator
        estimator = held[0]


def transform_by(steps: list, X: Any) -> Any:
    """Transform X by fitted steps, one after the other."""
    for step in steps:
        X = step.transform(X)
    return X


def split_stateless(estimator: Any) -> tuple[list, Any]:
    """Split a pipeline into steps in front that need no fit, and the pipeline behind.

    A pipeline as the last step is split too. Any other estimator stands behind no step.
    """
    if not isinstance(estimator, Pipeline):
        return [], estimator
    steps = estimator.steps
    n = 0
    while n < len(steps) - 1 and is_stateless(steps[n][1]):
        n += 1
    first, last = [step for _, step in steps[:n]], steps[-1][1]
    if n == len(steps) - 1 and isinstance(last, Pipeline):
        inner, rest = split_stateless(last)
        return first + inner, rest
    return first, Pipeline(steps[n:])


def join_stateless(estimator: Any, rest: Any) -> None:
    """Put the fitted rest of a pipeline back to where it was split off."""
    if rest is estimator:
        return
    while estimator.steps[-1][1] is not rest.steps[-1][1]:
        estimator = estimator.steps[-1][1]
    estimator.steps[-len(rest.steps) :] = rest.steps


def is_stateless(step: Any) -> bool:
    """Return whether neither a step nor any step inside it needs a fit."""
    if isinstance(step, Pipeline):
        return all(is_stateless(part) for _, part in step.steps)
    if isinstance(step, FeatureUnion):
        return all(is_stateless(part) for _, part in step.transformer_list)
    return hasattr(step, "transform") and not get_tags(step).requires_fit

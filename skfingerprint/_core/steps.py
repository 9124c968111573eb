"""First and last steps of nested pipelines."""

from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags


def split_stateless(estimator):
    """Return the steps in front that need no fit, and what is fitted behind them."""
    if not isinstance(estimator, Pipeline):
        return [], estimator
    steps = estimator.steps
    n = 0
    while n < len(steps) - 1 and _is_stateless(steps[n][1]):
        n += 1
    return [step for _, step in steps[:n]], estimator[n:]


def _is_stateless(step):
    if isinstance(step, Pipeline):
        return all(_is_stateless(part) for _, part in step.steps)
    if isinstance(step, FeatureUnion):
        return all(_is_stateless(part) for _, part in step.transformer_list)
    return hasattr(step, "transform") and not get_tags(step).requires_fit

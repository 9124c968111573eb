"""Share metadata of `fit` among the parts of a meta-estimator."""

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import has_fit_parameter


def share_metadata(owner, parts, **metadata):
    """Return what the `fit` of each part takes of the metadata, by name of the part.

    With metadata routing their requests decide, without it their signatures, those of a
    pipeline's steps included. What nobody takes is refused.
    """
    given = {name: value for name, value in metadata.items() if value is not None}
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(owner, "fit", **given)
        return {name: routed[name].fit for name in parts}
    taken = {name: _find_taken(part, given) for name, part in parts.items()}
    used = {key.rpartition("__")[2] for params in taken.values() for key in params}
    if lost := sorted(set(given) - used):
        raise ValueError(
            f"{type(owner).__name__} got {lost}, and none of {sorted(parts)} takes "
            "that in fit. Leave it out, or enable metadata routing and request it."
        )
    return taken


def _find_taken(part, given):
    """Return the keywords with which `part.fit` takes metadata, without routing."""
    if isinstance(part, Pipeline):
        return {
            f"{name}__{key}": value
            for name, step in part.steps
            for key, value in _find_taken(step, given).items()
        }
    if not hasattr(part, "fit"):
        return {}
    return {key: given[key] for key in given if has_fit_parameter(part, key)}

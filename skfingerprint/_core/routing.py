"""Share metadata of `fit` among the parts of a meta-estimator."""

from typing import Any

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object, process_routing
from sklearn.utils.validation import has_fit_parameter


def share_metadata(owner: Any, parts: dict, **metadata: Any) -> dict:
    """Select the metadata that the `fit` of each part takes.

    With metadata routing the requests of the parts decide, without it their signatures,
    those of the steps of a pipeline included.

    Parameters
    ----------
    owner : estimator
        The meta-estimator.
    parts : dict of estimators
        Its parts by name.
    **metadata
        Metadata of the samples; None is left out.

    Returns
    -------
    shared : dict of dict
        Keyword arguments of `fit` for each part.

    Raises
    ------
    ValueError
        If none of the parts takes some metadata.
    """
    given = {name: value for name, value in metadata.items() if value is not None}
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(owner, "fit", **given)
        return {name: routed[name].fit for name in parts}
    taken = {name: find_taken(part, given) for name, part in parts.items()}
    used = {key.rpartition("__")[2] for params in taken.values() for key in params}
    if lost := sorted(set(given) - used):
        raise ValueError(
            f"{type(owner).__name__} got {lost}, and none of {sorted(parts)} takes "
            "that in fit. Leave it out, or enable metadata routing and request it."
        )
    return taken


def find_taken(part: Any, given: dict) -> dict:
    """Return the keyword arguments with which `part.fit` takes metadata.

    With metadata routing the requests of the part decide, otherwise its signature.
    """
    if get_config()["enable_metadata_routing"]:
        consumed = get_routing_for_object(part).consumes("fit", given)
        return {key: given[key] for key in consumed}
    if isinstance(part, Pipeline):
        return {
            f"{name}__{key}": value
            for name, step in part.steps
            for key, value in find_taken(step, given).items()
        }
    if not hasattr(part, "fit"):
        return {}
    return {key: given[key] for key in given if has_fit_parameter(part, key)}

"""Arguments of constructors, and metadata of fits, are passed by name."""

import inspect

import numpy as np
import pytest

import skfingerprint
from skfingerprint import ImageReader, imitation, perturbation
from tests.estimators import ESTIMATORS

# The parameter that a class is about, and the parts that are put together.
POSITIONAL = {
    "AugmentedPipeline": ["steps"],
    "ImageReader": ["image_shape"],
    "ImitationGenerator": ["kind"],
    "RandomPerturbation": ["perturbation", "distributions"],
    "RejectingClassifier": ["classifier", "detector"],
    "ResidualExtractor": ["denoiser"],
    "Unflatten": ["image_shape"],
    "WindowedClassifier": ["estimator"],
}
CLASSES = [
    value
    for module in (skfingerprint, imitation, perturbation)
    for name, value in vars(module).items()
    if name[0] != "_" and inspect.isclass(value) and hasattr(value, "get_params")
    if value.__module__.startswith("skfingerprint.")
]
FITS = ("fit", "fit_transform", "fit_predict", "partial_fit")
ROWS, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1] * 3)


def list_positional(function):
    """Return the names of parameters that may be passed by position."""
    parameters = inspect.signature(function).parameters.values()
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [p.name for p in parameters if p.kind in kinds]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_constructors_take_keywords(kind):
    assert list_positional(kind) == POSITIONAL.get(kind.__name__, [])


def test_exceptions_of_constructors_exist():
    assert set(POSITIONAL) < {kind.__name__ for kind in CLASSES}


@pytest.mark.parametrize("estimator", [*ESTIMATORS, ImageReader()], ids=repr)
@pytest.mark.parametrize("method", FITS)
def test_metadata_are_passed_by_name(estimator, method):
    if not hasattr(estimator, method):
        return
    given = (ROWS, Y, [0, 1]) if method == "partial_fit" else (ROWS, Y)
    assert len(list_positional(getattr(estimator, method))) <= len(given)
    before = vars(estimator).copy()
    with pytest.raises(TypeError, match="positional argument"):
        getattr(estimator, method)(*given, np.ones(6))
    assert vars(estimator) == before

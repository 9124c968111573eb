"""State of estimators: fits that succeed as a whole, and calls that read it once."""

import functools
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, metadata

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning

# Entry of pickled states that holds the version of the package.
VERSION_KEY = "_skfingerprint_version"


def all_or_nothing(method: Callable) -> Callable:
    """Run a method on a shallow copy of the estimator, and commit the copy at the end.

    An error or an interrupt leaves the estimator as it was. Underflow is not an error,
    whatever `numpy.errstate` says.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        draft = _share_state(self, vars(self).copy())
        # Small probabilities underflow to 0, which is their value.
        with np.errstate(under="ignore"):
            result = method(draft, *args, **kwargs)
        # A single statement: another thread sees the old state or the new one.
        self.__dict__ = vars(draft)
        return self if result is draft else result

    return run


def at_once(method: Callable) -> Callable:
    """Run a method on the state that the estimator has when the method is called.

    It is for estimators that grow while they answer: `FingerprintClassifier`, and the
    estimators that hold one. All-or-nothing methods replace the state as a whole, so
    that one which another thread commits meanwhile does not change the answer.
    Underflow is not an error.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        twin = _share_state(self, self.__dict__)
        with np.errstate(under="ignore"):
            return method(twin, *args, **kwargs)

    return run


def _share_state(estimator: BaseEstimator, state: dict) -> BaseEstimator:
    """Return another object of the class of the estimator, with this state."""
    twin = object.__new__(type(estimator))
    twin.__dict__ = state
    return twin


class Estimator(BaseEstimator):
    """Base of all estimators: versions in pickles, links to the documentation.

    Pickles carry the version of the package, and loading a pickle of another version
    warns. The HTML representation links to the documentation at the address in the
    metadata of the package, `Documentation` among its URLs; without an address there is
    no link.
    """

    _doc_link_module = "skfingerprint"

    @property
    def _doc_link_template(self) -> str:
        address = _find_documentation()
        return address and address.rstrip("/") + "/api/generated/{name}.html"

    def __getstate__(self):
        """Return a copy of the state, with the version of the package."""
        # scikit-learn adds its own version, but only to its own classes. The package
        # imports this module, so that its version is read when it is needed.
        version = sys.modules["skfingerprint"].__version__
        return {**super().__getstate__(), VERSION_KEY: version}

    def __setstate__(self, state):
        """Restore a state, and warn if another version of the package pickled it."""
        state = dict(state)
        pickled = state.pop(VERSION_KEY, "unknown")
        current = sys.modules["skfingerprint"].__version__
        if pickled != current:
            warning = InconsistentVersionWarning(
                estimator_name=f"{type(self).__name__} of skfingerprint",
                current_sklearn_version=current,
                original_sklearn_version=pickled,
            )
            warnings.warn(warning, stacklevel=2)
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _doc_link_url_param_generator(self) -> dict:
        name = type(self).__name__
        package = sys.modules["skfingerprint"]
        at_top = getattr(package, name, None) is type(self)
        return {"name": f"{'skfingerprint' if at_top else self.__module__}.{name}"}


def _find_documentation() -> str:
    """Read the address of the documentation from the metadata; empty without one."""
    try:
        urls = metadata("skfingerprint").get_all("Project-URL", [])
    except PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return named.get("Documentation", "")

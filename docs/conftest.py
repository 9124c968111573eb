"""Stand-ins for what the pages plug in and the project does not install."""

import sys
from contextlib import nullcontext, suppress
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

with suppress(ImportError):
    import skops.io  # noqa: F401 - it looks for the real torch


class Tensor(np.ndarray):
    """An array that answers to `numpy`, as a tensor does."""

    def numpy(self):
        """Return itself."""
        return np.asarray(self)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, doctest_namespace):
    """Put a blur in the place of BM3D, and of a network."""

    def bm3d(plane, sigma):
        assert plane.ndim == 2
        return gaussian_filter(plane, sigma / 3)

    def network(batch):
        assert batch.ndim == 4
        assert batch.shape[1] == 3
        return batch - gaussian_filter(batch, (0, 0, 1, 1)).view(Tensor)

    torch = SimpleNamespace(
        from_numpy=lambda array: array.view(Tensor),
        inference_mode=nullcontext,
        Tensor=type("Tensor", (), {}),  # SciPy asks whether its input is one
    )
    monkeypatch.setitem(sys.modules, "bm3d", SimpleNamespace(bm3d=bm3d))
    monkeypatch.setitem(sys.modules, "torch", torch)
    doctest_namespace["network"] = network

import os

# Before SciPy is imported, or scikit-learn skips one check for each estimator.
os.environ["SCIPY_ARRAY_API"] = "1"

import pytest

from benchmarks.data.real_images import FOLDER


@pytest.fixture(scope="session")
def real_data():
    """Folder of the large real data set, which is not part of the project."""
    if not (FOLDER / "manifest.csv").exists():
        pytest.skip("no large data set: set SKFINGERPRINT_DATA to its folder")
    return FOLDER


@pytest.fixture(scope="session")
def planted():
    """120 grey images of three sources, and their sources."""
    from skfingerprint.datasets import make_fingerprint_images

    return make_fingerprint_images(
        120, 3, image_shape=(32, 48), strength=4, random_state=0
    )

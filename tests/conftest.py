import os

# Before SciPy is imported, or scikit-learn skips one check for each estimator.
os.environ["SCIPY_ARRAY_API"] = "1"

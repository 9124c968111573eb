"""Correlations by source, fingerprint energies, error rates, and reports.

The functions complement the metrics of scikit-learn.
"""

from skfingerprint.metrics._compression import jpeg_history
from skfingerprint.metrics._correlations import (
    average_correlation_matrix,
    same_and_cross_correlations,
)
from skfingerprint.metrics._curves import (
    energy_curve,
    fit_energy_curve,
    robustness_curve,
)
from skfingerprint.metrics._delivery import delivery_report
from skfingerprint.metrics._open_set import open_set_report
from skfingerprint.metrics._origins import cross_origin_report
from skfingerprint.metrics._rates import equal_error_rate, true_positive_rate_at
from skfingerprint.metrics._ratios import log_likelihood_ratio_cost

__all__ = [
    "average_correlation_matrix",
    "cross_origin_report",
    "delivery_report",
    "energy_curve",
    "equal_error_rate",
    "fit_energy_curve",
    "jpeg_history",
    "log_likelihood_ratio_cost",
    "open_set_report",
    "robustness_curve",
    "same_and_cross_correlations",
    "true_positive_rate_at",
]
